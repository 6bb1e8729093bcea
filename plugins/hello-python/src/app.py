"""The component's exports: one class for each interface of wit/world.wit, by the names that componentize-py looks for."""

from boundary import exported  # isort: skip

from wit_world.exports import CardActionHandler as CardActions
from wit_world.exports import LinkPreviewHandler as LinkPreviews
from wit_world.imports import logging
from wit_world.imports.types import CardAction, CardReply, PreviewReply, PreviewRequest

import handlers


class CardActionHandler(CardActions):
    @exported
    def handle(self, action: CardAction) -> CardReply:
        logging.log(logging.Level.INFO, "hello", f"{action.action.tag} touched")
        return handlers.on_click(action)


class LinkPreviewHandler(LinkPreviews):
    @exported
    def handle(self, request: PreviewRequest) -> PreviewReply:
        return handlers.on_link(request)
