// Between the handlers and the host: what QuickJS lacks and a handler relies on. Imported first.

import logging from "wasi:logging/logging@0.1.0-draft";
import random from "wasi:random/random@0.2.0";

// QuickJS would draw the same numbers in every call: it goes on where it was when the component was built.
Math.random = () => (random.getRandomU64() / 2 ** 64) % 1;

const print = (level: "debug" | "info" | "warn" | "error") => (...values: unknown[]) =>
  logging.log(level, "console", wellFormed(values.map(shown).join(" ")));

globalThis.console = { debug: print("debug"), log: print("info"), info: print("info"), warn: print("warn"), error: print("error") };

/** Makes a handler an export. What it throws is in the log with its stack, and half an emoji in its reply becomes U+FFFD. */
export function exported<Request, Reply>(handler: (request: Request) => Reply): (request: Request) => Reply {
  return (request) => {
    try {
      return wellFormed(handler(request));
    } catch (thrown) {
      if (isFailure(thrown)) throw wellFormed(thrown);
      console.error(thrown);
      throw new Error("the handler threw what is in the log");
    }
  };
}

function isFailure(thrown: unknown): boolean {
  const tag = (thrown as { tag?: unknown } | null | undefined)?.tag;
  return tag === "user" || tag === "internal";
}

function shown(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value}\n${value.stack ?? ""}`.trimEnd();
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

function wellFormed<Value>(value: Value): Value {
  const mended = (value: unknown): unknown => {
    if (typeof value === "string") return value.toWellFormed();
    if (Array.isArray(value)) return value.map(mended);
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([name, value]) => [name, mended(value)]));
  };
  return mended(value) as Value;
}
