// The markdown of cards, as DOM nodes. Nothing is ever parsed as HTML.

import { make } from './dom.js';

const INLINE = /(\*\*(?<bold>.+?)\*\*)|(\*(?<italic>[^*]+?)\*)|(~~(?<gone>.+?)~~)|(`(?<code>[^`]+)`)|(?<picture>!)?(\[(?<label>[^\]]*)\]\((?<link>[^)\s]+)\))|(<at (?:id|user_id|email)=["']?(?<at>[^"'>\s]+)["']?>(?:[^<]*<\/at>)?)|(<font color=["']?(?<colour>[\w-]+)["']?>(?<coloured>.*?)<\/font>)|(<text_tag[^>]*>(?<tag>.*?)<\/text_tag>)/s;
// Names that a style may hold; anything else stays in the colour of the text. The page has its own green and red, for day and
// for night.
const COLOUR = /^[a-z]{3,12}$/;

function element(name, children, properties = {}) {
  return Object.assign(make(name, '', children), properties);
}

function link(address, children) {
  const made = element('a', children, { rel: 'noreferrer', target: '_blank' });
  // A card may hold any address; only those that open a page are opened.
  if (/^https?:\/\//.test(address)) made.href = address;
  return made;
}

function inline(text) {
  const nodes = [];
  for (let rest = text; rest; ) {
    const found = INLINE.exec(rest);
    if (!found) {
      nodes.push(rest);
      break;
    }
    if (found.index > 0) nodes.push(rest.slice(0, found.index));
    const part = found.groups;
    if (part.bold !== undefined) nodes.push(element('strong', inline(part.bold)));
    else if (part.italic !== undefined) nodes.push(element('em', inline(part.italic)));
    else if (part.gone !== undefined) nodes.push(element('s', inline(part.gone)));
    else if (part.code !== undefined) nodes.push(element('code', [part.code]));
    else if (part.picture) nodes.push(element('span', [`🖼 ${part.label || part.link}`], { className: 'picture' }));
    else if (part.tag !== undefined) nodes.push(element('span', [part.tag], { className: 'tag' }));
    else if (part.link !== undefined) nodes.push(link(part.link, [part.label || part.link]));
    else if (part.at !== undefined) nodes.push(element('span', [`@${part.at}`], { className: 'at' }));
    else {
      const made = element('span', inline(part.coloured));
      if (COLOUR.test(part.colour)) made.style.color = `var(--${part.colour}, ${part.colour})`;
      nodes.push(made);
    }
    rest = rest.slice(found.index + found[0].length);
  }
  return nodes;
}

/** The lines of a markdown text: paragraphs, headings, lists, quotes, rules and code. */
export function markdown(text) {
  const block = element('div', [], { className: 'markdown' });
  let list = null;
  let code = null;
  for (const line of String(text ?? '').replaceAll(/<br\s*\/?>/g, '\n').split('\n')) {
    if (/^\s*```/.test(line)) {
      code = code ? null : block.appendChild(element('pre', []));
      continue;
    }
    if (code) {
      code.append(`${line}\n`);
      continue;
    }
    const item = /^\s*(?:[-*]|\d+\.)\s+(.*)$/.exec(line);
    if (item) {
      list ??= block.appendChild(element(/^\s*\d/.test(line) ? 'ol' : 'ul', []));
      list.append(element('li', inline(item[1])));
      continue;
    }
    list = null;
    const quote = /^>\s?(.*)$/.exec(line);
    const heading = /^(#{1,6})\s+(.*)$/.exec(line);
    if (/^\s*(---|\*\*\*)\s*$/.test(line)) block.append(element('hr', []));
    else if (quote) block.append(element('blockquote', inline(quote[1])));
    else if (heading) block.append(element('strong', inline(heading[2])), element('br', []));
    else block.append(element('div', line ? inline(line) : ['\u00a0']));
  }
  return block;
}
