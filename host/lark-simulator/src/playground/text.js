// What the parts of a card have in common: texts in the user's language, icons, and what using a part sends.

import { make } from './dom.js';
import { markdown } from './markdown.js';

/** The words of a text element in the user's language. */
export function plain(text, locale) {
  if (typeof text === 'string') return text;
  return text?.i18n_content?.[locale] ?? text?.i18n?.[locale] ?? text?.content ?? '';
}

/** A text element, drawn. */
export function words(text, locale) {
  const content = plain(text, locale);
  return text?.tag === 'lark_md' || text?.tag === 'markdown' ? markdown(content) : make('span', '', [content]);
}

/** The platform's icons are its own, so they are shown by name. */
export function iconOf(icon) {
  const name = icon?.token ?? icon?.img_key;
  return name ? make('span', 'icon', [name]) : null;
}

/** What a component sends when it is used: the value of its first callback, or the old `value`. */
export function callbackOf(element) {
  const behaviour = element.behaviors?.find((one) => one.type === 'callback');
  if (behaviour) return { value: behaviour.value ?? {} };
  return element.value === undefined ? null : { value: element.value };
}
