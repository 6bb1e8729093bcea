// The component's exports: one object for each interface of wit/world.wit.

import { log } from "wasi:logging/logging@0.1.0-draft";
import { exported } from "./boundary.js";
import { onClick, onLink } from "./handlers.js";

export const cardActionHandler = {
  handle: exported((action) => {
    log("info", "hello", `${action.action.tag} touched`);
    return onClick(action);
  }),
};

export const linkPreviewHandler = { handle: exported(onLink) };
