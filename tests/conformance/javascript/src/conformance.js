// Does what the button's name says: one cell of the conformance table each.

import { get } from "wasi:config/store@0.2.0-rc.1";
import { increment } from "wasi:keyvalue/atomics@0.2.0-draft";
import { log } from "wasi:logging/logging@0.1.0-draft";
import { open } from "wasi:keyvalue/store@0.2.0-draft";
import { remainingMs } from "lark:callback/request@0.1.0";
import { call } from "lark:callback/open-api@0.1.0";

// Of the template.
import { exported } from "./boundary.js";
import { plugin } from "./buttons.js";

const addTwo = (bucket, key) => increment(bucket, key, 2n);
const all = plugin(log, get, remainingMs, open, addTwo, call, exported);
export const cardActionHandler = all.cardActionHandler;
export const linkPreviewHandler = all.linkPreviewHandler;
export const legacyCardHandler = all.legacyCardHandler;
export const eventHandler = all.eventHandler;
