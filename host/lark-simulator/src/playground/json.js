// JSON as it is read by people: one member a line, and colours for what is what.

import { make } from './dom.js';

const TOKEN = /(?<text>"(?:\\.|[^"\\])*")(?<colon>\s*:)?|(?<other>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|true|false|null)/gi;

/** Writes a value into an element, which then has the JSON as its text. */
export function writeJson(element, value) {
  const json = JSON.stringify(value, null, 2);
  const nodes = [];
  let from = 0;
  for (const { 0: token, index, groups } of json.matchAll(TOKEN)) {
    const kind = groups.colon ? 'name' : groups.text ? 'text' : 'value';
    nodes.push(json.slice(from, index), make('span', `json-${kind}`, [token]));
    from = index + token.length;
  }
  element.replaceChildren(...nodes, json.slice(from));
}
