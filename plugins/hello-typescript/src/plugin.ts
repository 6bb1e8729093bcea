// The component's exports: one object for each interface of wit/world.wit.

import logging from "wasi:logging/logging@0.1.0-draft";
import type { CardAction, PreviewRequest } from "./contract";
import { onClick, onLink } from "./handlers.js";

export const cardActionHandler = {
  handle(action: CardAction) {
    logging.log("info", "hello", `${action.action.tag} touched`);
    return onClick(action);
  },
};

export const linkPreviewHandler = {
  handle: (request: PreviewRequest) => onLink(request),
};
