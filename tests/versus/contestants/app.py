"""The benchmark's plugin in Python: a click in, a toast with the one who clicked out."""

from wit_world.exports import CardActionHandler as CardActions
from wit_world.imports.types import CardAction, CardReply, Toast, ToastKind


class CardActionHandler(CardActions):
    def handle(self, action: CardAction) -> CardReply:
        return CardReply(Toast(ToastKind.INFO, f"Clicked by {action.operator.open_id}", []), None)
