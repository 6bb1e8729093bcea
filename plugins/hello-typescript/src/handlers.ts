// What the plugin answers. Plain functions over plain records, so that Node can test them.

import type { CardAction, CardReply, Failure, PreviewReply, PreviewRequest, Toast } from "./contract";

/** A button says hello to whoever touched it; a form is shown as it was filled in. */
export function onClick({ operator, action }: CardAction): CardReply {
  const fields = Object.entries(parse(action.formValue));
  const lines = fields.map(([name, value]) => `**${name}**: ${String(value)}`);
  const toast: Toast = {
    kind: "success",
    content: "Hello from TypeScript",
    i18n: [["en_us", "Hello from TypeScript"], ["zh_cn", "来自 TypeScript 的问候"]],
  };
  return { toast, card: { tag: "raw", val: card([`Touched by <at id=${operator.openId}></at>`, ...lines]) } };
}

/** A link is shown as its host and its path. */
export function onLink({ url }: PreviewRequest): PreviewReply {
  const [, host, path] = /^https?:\/\/([^/?#]+)([^?#]*)/.exec(url) ?? [];
  const title = host ? `${host} · ${path || "/"}` : url;
  return { inline: { title, i18nTitle: [], imageKey: null, urls: null }, card: null };
}

/** Card JSON 2.0. */
function card(lines: string[]): string {
  return JSON.stringify({
    schema: "2.0",
    header: { title: { tag: "plain_text", content: "Hello" }, template: "green" },
    body: { elements: lines.map((content) => ({ tag: "markdown", content })) },
  });
}

function parse(json: string | null): Record<string, unknown> {
  try {
    return json === null ? {} : JSON.parse(json);
  } catch (error) {
    const failure: Failure = { tag: "internal", val: `the form is not JSON: ${error}` };
    throw failure;
  }
}
