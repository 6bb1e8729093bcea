// What the plugin answers. Plain functions over plain records, so that Node can test them.

/** A button says hello to whoever touched it; a form is shown as it was filled in. */
export function onClick({ operator, action }) {
  const fields = Object.entries(parse(action.formValue));
  const lines = fields.map(([name, value]) => `**${name}**: ${value}`);
  const toast = {
    kind: "success",
    content: "Hello from JavaScript",
    i18n: [["en_us", "Hello from JavaScript"], ["zh_cn", "来自 JavaScript 的问候"]],
  };
  return { toast, card: { tag: "raw", val: card([`Touched by <at id=${operator.openId}></at>`, ...lines]) } };
}

/** A link is shown as its host and its path. */
export function onLink({ url }) {
  const [, host, path] = /^https?:\/\/([^/?#]+)([^?#]*)/.exec(url) ?? [];
  return { inline: { title: host ? `${host} · ${path || "/"}` : url, i18nTitle: [] } };
}

/** Card JSON 2.0. */
function card(lines) {
  return JSON.stringify({
    schema: "2.0",
    header: { title: { tag: "plain_text", content: "Hello" }, template: "green" },
    body: { elements: lines.map((content) => ({ tag: "markdown", content })) },
  });
}

/** What a handler throws is the reply's failure: `user` has a toast for the user, `internal` words for the log. */
function parse(json) {
  try {
    return JSON.parse(json ?? "{}");
  } catch (error) {
    throw { tag: "internal", val: `the form is not JSON: ${error}` };
  }
}
