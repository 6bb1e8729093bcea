// The handlers in Node, without a host.

import assert from "node:assert/strict";
import { test } from "node:test";
import { onClick, onLink } from "../build/handlers.js";

const click = (formValue) => ({ operator: { openId: "ou_1" }, action: { tag: "button", formValue } });

test("a click is answered with a toast and a card that names who clicked", () => {
  const reply = onClick(click(null));
  assert.equal(reply.toast.kind, "success");
  assert.match(reply.card.val, /<at id=ou_1><\/at>/);
});

test("a form is shown as it was filled in", () => {
  const { body } = JSON.parse(onClick(click('{"days":"3"}')).card.val);
  assert.equal(body.elements[1].content, "**days**: 3");
});

test("what is no form is a failure for the log", () => {
  assert.throws(() => onClick(click("{")), { tag: "internal" });
});

test("a link is shown as its host and its path", () => {
  assert.equal(onLink({ url: "https://a.example/b/c?d=e" }).inline.title, "a.example · /b/c");
  assert.equal(onLink({ url: "not a link" }).inline.title, "not a link");
});
