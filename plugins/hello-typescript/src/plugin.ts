// The component's exports: one object for each interface of wit/world.wit.

import { exported } from "./boundary.js";
import type { CardAction, PreviewRequest } from "./contract";
import { onClick, onLink } from "./handlers.js";

export const cardActionHandler = {
  handle: exported((action: CardAction) => {
    console.info(`${action.action.tag} touched`);
    return onClick(action);
  }),
};

export const linkPreviewHandler = {
  handle: exported((request: PreviewRequest) => onLink(request)),
};
