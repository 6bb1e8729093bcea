// The buttons, for both engines.

// QuickJS has no TextEncoder.
const encoded = (text) => Uint8Array.from(unescape(encodeURIComponent(text)), (byte) => byte.charCodeAt(0));
const decoded = (bytes) => decodeURIComponent(escape(String.fromCharCode(...bytes)));

export function plugin(log, setting, remainingMs, open, addTwo, call, exported) {
  // As the README of hello-javascript has it.
  const send = (openId, text) => {
    const message = { receive_id: openId, msg_type: "text", content: JSON.stringify({ text }) };
    const { body } = call({
      method: "post",
      path: "/open-apis/im/v1/messages",
      query: [["receive_id_type", "open_id"]],
      body: JSON.stringify(message),
      tenantKey: null,
    });
    const { code, msg } = JSON.parse(body);
    if (code !== 0) throw { tag: "internal", val: `the platform says ${code}: ${msg}` };
  };
  const info = (content) => ({ toast: { kind: "info", content, i18n: [] }, card: null });
  const buttons = {
    toast: () => ({
      toast: { kind: "warning", content: "toast", i18n: [["zh_cn", "提示"], ["ja_jp", "トースト"]] },
      card: null,
    }),
    "raw card": () => {
      const elements = [{ tag: "markdown", content: "raw card" }];
      return { toast: null, card: { tag: "raw", val: JSON.stringify({ schema: "2.0", body: { elements } }) } };
    },
    "template card": () => {
      const val = { id: "AAqconformance", versionName: "1.0.0", variables: JSON.stringify({ who: "Ann" }) };
      return { toast: null, card: { tag: "template", val } };
    },
    "form values": ({ action }) => info(action.formValue),
    text: ({ action }) => {
      const { text } = JSON.parse(action.value);
      return { toast: { kind: "info", content: text, i18n: [["zh_cn", text]] }, card: null };
    },
    integers: ({ header }) => info(String(header.createdMs)),
    "1 MB payload": ({ action }) => info(String(JSON.parse(action.value).text.length)),
    failure: () => {
      throw { tag: "user", val: { kind: "error", content: "failure", i18n: [] } };
    },
    trap: () => {
      throw new Error("trap");
    },
    crash: () => {
      throw new Error("the reason of a crash");
    },
    "half an emoji": () => info("cut 😀".slice(0, 5)),
    random: () => info(String(Math.random())),
    fetch: async ({ action }) => {
      try {
        const answer = await fetch(JSON.parse(action.value).url);
        return info(await answer.text());
      } catch (error) {
        return info(`caught: ${error instanceof TypeError}`);
      }
    },
    print: () => {
      console.log("printed", "日志");
      return info("printed");
    },
    "time zone": () => {
      if (globalThis.Intl === undefined) return info("none");
      return info(new Date(Date.UTC(2026, 11, 1)).toLocaleTimeString("en-GB", { timeZone: "Asia/Shanghai" }));
    },
    "endless loop": () => {
      for (;;);
    },
    "oversized allocation": () => info(String(new Uint8Array(512 << 20).fill(1).length)),
    logging: () => {
      log("warn", "conformance", "logged 日志");
      return info("logged");
    },
    "key-value": () => {
      const bucket = open("default");
      bucket.set("键", encoded("kept 日志"));
      bucket.set("sum", encoded("40"));
      const sum = addTwo(bucket, "sum");
      return info(`${decoded(bucket.get("键"))} ${sum}`);
    },
    settings: () => info(setting("greeting") ?? ""),
    "remaining time": () => info(String(remainingMs())),
    message: ({ operator }) => {
      send(operator.openId, "a message 消息");
      return info("sent");
    },
  };
  return {
    cardActionHandler: { handle: exported((card) => buttons[card.action.name](card)) },
    linkPreviewHandler: {
      handle: exported(({ url }) => ({
        inline: { title: url, i18nTitle: [["zh_cn", "链接"]], imageKey: null, urls: null },
        card: null,
      })),
    },
    legacyCardHandler: {
      handle: exported(({ operator }) => ({
        tag: "toast",
        val: { kind: "success", content: operator.openId, i18n: [] },
      })),
    },
    eventHandler: {
      handle: exported(({ body }) => log("info", "conformance", body)),
    },
  };
}
