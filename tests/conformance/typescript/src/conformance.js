// Does what the button's name says: one cell of the conformance table each.

import atomics from "wasi:keyvalue/atomics@0.2.0-draft";
import config from "wasi:config/store@0.2.0-rc.1";
import logging from "wasi:logging/logging@0.1.0-draft";
import request from "lark:callback/request@0.1.0";
import openApi from "lark:callback/open-api@0.1.0";
import store from "wasi:keyvalue/store@0.2.0-draft";

// Of the template.
import { exported } from "../build/boundary.js";
import { plugin } from "./buttons.js";

const addTwo = (bucket, key) => atomics.increment(bucket, key, 2);
const all = plugin(logging.log, config.get, request.remainingMs, store.open, addTwo, openApi.call, exported);
export const cardActionHandler = all.cardActionHandler;
export const linkPreviewHandler = all.linkPreviewHandler;
export const legacyCardHandler = all.legacyCardHandler;
export const eventHandler = all.eventHandler;
