// Draws a card from its JSON, 1.0 and 2.0, and says what a person does to it. What is not drawn is named.

import { make } from './dom.js';
import { Form, drawField, isField } from './fields.js';
import { markdown } from './markdown.js';
import { table } from './table.js';
import { callbackOf, iconOf, plain, words } from './text.js';
import { word } from './words.js';

const HEADS = {
  blue: '#3370ff', wathet: '#4ca3ff', turquoise: '#14c0b4', green: '#34c724', yellow: '#ffc60a', orange: '#ff8800',
  red: '#f54a45', carmine: '#f01d94', violet: '#b620e0', purple: '#7f3bf5', indigo: '#4954e6', grey: '#8f959e', default: '#8f959e',
};

/** The card itself, out of a message or an answer that holds one. */
export function namedCard(json) {
  const inner = json.type === 'raw' ? json.data : json.card;
  return inner && typeof inner === 'object' && !json.body && !json.elements ? namedCard(inner) : json;
}

/** Draws one card; `act` is told what the user does: `{tag, value, name, option, options, input_value, checked, form_value}`. */
export function drawCard(card, locale, act) {
  const drawing = new Drawing(locale, act);
  if (card.type === 'template') {
    return make('div', 'card', [make('div', 'body', [unknown(word('template', card.data?.template_id ?? '?'))])]);
  }
  const elements = card.body?.elements ?? card.i18n_elements?.[locale] ?? card.elements ?? [];
  const link = card.card_link?.url;
  return make('div', 'card', [
    drawHeader(card.header ?? card.i18n_header?.[locale], locale),
    make('div', 'body', drawing.all(elements)),
    link && make('div', 'leads-to', [word('leads_to', link)]),
  ]);
}

function drawHeader(header, locale) {
  if (!header?.title) return null;
  const tags = header.i18n_text_tag_list?.[locale] ?? header.text_tag_list ?? [];
  const title = make('div', 'title', [iconOf(header.icon), words(header.title, locale), ...tags.map((tag) => make('span', 'tag', [plain(tag.text, locale)]))]);
  const head = make('div', 'head', [title, header.subtitle && make('div', 'subtitle', [words(header.subtitle, locale)])]);
  head.style.setProperty('--head', HEADS[header.template] ?? HEADS.blue);
  return head;
}

const unknown = (text) => make('div', 'unknown', [text]);

/** One card, or one form in it, being drawn. */
class Drawing {
  constructor(locale, act, form = null) {
    this.locale = locale;
    this.act = act;
    this.form = form;
  }

  all(elements) {
    return (elements ?? []).map((element) => this.one(element));
  }

  one(element) {
    if (isField(element?.tag)) return drawField(this, element);
    const draw = DRAWN[element?.tag];
    return draw ? draw(this, element) : unknown(word('not_drawn', element?.tag ?? typeof element));
  }

  say(text) {
    return words(text, this.locale);
  }
}

function button(drawing, element) {
  const made = make('button', element.type ?? 'default', [iconOf(element.icon), drawing.say(element.text)]);
  const { form } = drawing;
  const does = element.form_action_type ?? element.action_type;
  const submits = form && (does === 'submit' || does === 'form_submit');
  made.type = 'button';
  made.disabled = Boolean(element.disabled);
  made.title = plain(element.disabled ? element.disabled_tips : element.hover_tips, drawing.locale);
  made.addEventListener('click', () => {
    if (form && (does === 'reset' || does === 'form_reset')) return form.reset();
    openLink(element);
    const asked = [element.confirm?.title, element.confirm?.text].map((text) => plain(text, drawing.locale)).filter(Boolean);
    const confirmed = !element.confirm || window.confirm(asked.join('\n\n') || '?');
    const callback = callbackOf(element);
    if (!confirmed || (!callback && !submits) || (submits && !form.isComplete())) return undefined;
    const values = submits ? { form_value: form.values() } : {};
    return drawing.act({ tag: 'button', name: element.name, value: {}, ...callback, ...values });
  });
  return made;
}

function openLink(element) {
  const address = element.url ?? element.multi_url?.url ?? element.behaviors?.find((one) => one.type === 'open_url')?.default_url;
  if (address && /^https?:\/\//.test(address)) window.open(address, '_blank', 'noreferrer');
}

/** Resetting draws the form once more. */
function form(drawing, element) {
  const box = make('div', 'stack form');
  const draw = () => {
    const fields = new Form(draw);
    box.replaceChildren(...new Drawing(drawing.locale, drawing.act, fields).all(element.elements));
  };
  draw();
  return box;
}

function container(drawing, element) {
  const box = stack(drawing, element);
  const callback = callbackOf(element);
  const act = () => {
    openLink(element);
    if (callback) drawing.act({ tag: element.tag, name: element.name, ...callback });
  };
  box.classList.add('clickable');
  box.tabIndex = 0;
  box.setAttribute('role', 'button');
  box.addEventListener('click', act);
  box.addEventListener('keydown', (event) => {
    if (event.target === box && (event.key === 'Enter' || event.key === ' ')) {
      event.preventDefault();
      act();
    }
  });
  return box;
}

function overflow(drawing, element) {
  const box = make('details', 'menu', [make('summary', '', [word('more')])]);
  for (const option of element.options ?? []) {
    const choice = make('button', '', [drawing.say(option.text)]);
    choice.type = 'button';
    choice.addEventListener('click', () => {
      openLink(option);
      drawing.act({ tag: 'overflow', name: element.name, value: {}, ...callbackOf(element), option: option.value });
    });
    box.append(choice);
  }
  return box;
}

function columns(drawing, element) {
  const drawn = (element.columns ?? []).map((column) => {
    const box = drawing.one(column);
    if (column.width === 'auto') box.classList.add('narrow');
    else box.style.flexGrow = column.weight ?? 1;
    return box;
  });
  return make('div', element.background_style && element.background_style !== 'default' ? 'columns filled' : 'columns', drawn);
}

const stack = (drawing, element) => make('div', 'stack', drawing.all(element.elements));
const people = (ids) => make('div', 'row', ids.map((id) => make('span', 'at', [`@${id}`])));
const picture = (name) => make('div', 'picture', ['🖼 ', name]);

const DRAWN = {
  plain_text: (drawing, element) => drawing.say(element),
  lark_md: (drawing, element) => drawing.say(element),
  markdown: (drawing, element) => make('div', 'row', [iconOf(element.icon), markdown(plain(element, drawing.locale))]),
  div: (drawing, element) => make('div', 'stack', [
    element.text && make('div', 'row', [iconOf(element.icon), drawing.say(element.text)]),
    element.fields && make('div', 'fields', element.fields.map((field) => make('div', field.is_short ? 'short' : 'long', [drawing.say(field.text)]))),
    element.extra && drawing.one(element.extra),
  ]),
  hr: () => make('hr'),
  note: (drawing, element) => make('div', 'note row', drawing.all(element.elements)),
  img: (drawing, element) => make('figure', 'stack', [
    element.title && make('figcaption', '', [drawing.say(element.title)]),
    picture(plain(element.alt, drawing.locale) || element.img_key),
  ]),
  img_combination: (drawing, element) => make('div', 'row', (element.img_list ?? []).map((image) => picture(image.img_key))),
  person: (drawing, element) => people([element.user_id]),
  person_list: (drawing, element) => people((element.persons ?? []).map((person) => person.id)),
  column_set: columns,
  column: stack,
  action: (drawing, element) => make('div', 'row', drawing.all(element.actions)),
  button,
  form,
  interactive_container: container,
  collapsible_panel: (drawing, element) => {
    const panel = make('details', 'panel', [make('summary', '', [drawing.say(element.header?.title)]), stack(drawing, element)]);
    panel.open = Boolean(element.expanded);
    return panel;
  },
  table,
  overflow,
};
