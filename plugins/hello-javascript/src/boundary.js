// Between the handlers and the host.

/** Makes a handler an export. What it throws, unless it is a failure of the contract, is in the log with its stack. */
export function exported(handler) {
  return async (request) => {
    try {
      return await handler(request);
    } catch (thrown) {
      const isFailure = thrown?.tag === "user" || thrown?.tag === "internal";
      if (!isFailure) console.error(`${thrown}\n${thrown?.stack ?? ""}`.trimEnd());
      throw thrown;
    }
  };
}
