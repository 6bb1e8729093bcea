// Draws a card from its JSON, 1.0 and 2.0, and says what a person does to it. What is not drawn is named.

import { markdown } from './markdown.js';
import { word } from './words.js';

const HEADS = {
  blue: '#3370ff', wathet: '#4ca3ff', turquoise: '#14c0b4', green: '#34c724', yellow: '#ffc60a', orange: '#ff8800',
  red: '#f54a45', carmine: '#f01d94', violet: '#b620e0', purple: '#7f3bf5', indigo: '#4954e6', grey: '#8f959e', default: '#8f959e',
};

function make(name, className, children = []) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** The words of a text element in the user's language. */
function plain(text, locale) {
  if (typeof text === 'string') return text;
  return text?.i18n_content?.[locale] ?? text?.i18n?.[locale] ?? text?.content ?? '';
}

function words(text, locale) {
  const content = plain(text, locale);
  return text?.tag === 'lark_md' || text?.tag === 'markdown' ? markdown(content) : make('span', '', [content]);
}

/** What a component sends when it is used: the value of its first callback, or the old `value`. */
function callbackOf(element) {
  const behaviour = element.behaviors?.find((one) => one.type === 'callback');
  if (behaviour) return { value: behaviour.value ?? {} };
  return element.value === undefined ? null : { value: element.value };
}

/** Draws one card; `act` is told what the user does: `{tag, value, name, option, options, input_value, checked, form_value}`. */
export function drawCard(card, locale, act) {
  const drawing = new Drawing(locale, act);
  const box = make('div', 'card');
  const header = card.header ?? card.i18n_header?.[locale];
  if (header?.title) {
    const head = make('div', 'head', [words(header.title, locale)]);
    if (header.subtitle) head.append(make('div', 'subtitle', [words(header.subtitle, locale)]));
    head.style.setProperty('--head', HEADS[header.template] ?? HEADS.blue);
    box.append(head);
  }
  const elements = card.body?.elements ?? card.i18n_elements?.[locale] ?? card.elements ?? [];
  box.append(make('div', 'body', drawing.all(elements)));
  return box;
}

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
    const draw = DRAWN[element?.tag];
    return draw ? draw(this, element) : make('div', 'unknown', [word('not_drawn', element?.tag ?? typeof element)]);
  }

  say(text) {
    return words(text, this.locale);
  }

  label(element, input) {
    input.setAttribute('aria-label', plain(element.label ?? element.placeholder ?? element.text, this.locale) || element.name || element.tag);
    if (!element.label) return input;
    return make('label', 'stack', [plain(element.label, this.locale), input]);
  }

  /** In a form, what is entered waits for the button; elsewhere it is a callback of its own. */
  field(element, input, event, read) {
    input.disabled = Boolean(element.disabled);
    if (this.form) this.form.set(element.name, () => read(input));
    const callback = callbackOf(element);
    if (!this.form && callback) {
      input.addEventListener(event, () => this.act({ tag: element.tag, name: element.name, ...callback, ...read(input, true) }));
    }
    return this.label(element, input);
  }

  button(element) {
    const button = make('button', element.type ?? 'default', [this.say(element.text)]);
    button.type = 'button';
    button.disabled = Boolean(element.disabled);
    const submits = this.form && (element.form_action_type === 'submit' || element.action_type === 'form_submit');
    button.addEventListener('click', () => {
      const address = element.url ?? element.behaviors?.find((one) => one.type === 'open_url')?.default_url;
      if (address && /^https?:\/\//.test(address)) window.open(address, '_blank', 'noreferrer');
      const confirmed = !element.confirm || window.confirm(plain(element.confirm.title, this.locale) || '?');
      const callback = callbackOf(element);
      if (!confirmed || (!callback && !submits)) return;
      const form = submits ? { form_value: this.form.values() } : {};
      this.act({ tag: 'button', name: element.name, value: {}, ...callback, ...form });
    });
    return button;
  }
}

class Form {
  #fields = new Map();

  set(name, read) {
    this.#fields.set(name, read);
  }

  values() {
    return Object.fromEntries([...this.#fields].map(([name, read]) => [name, read()]));
  }
}

function select(drawing, element, many) {
  const input = make('select', '');
  input.multiple = many;
  if (!many) input.append(new Option(plain(element.placeholder, drawing.locale) || word('choose'), ''));
  for (const option of element.options ?? []) {
    const name = plain(option.text, drawing.locale) || option.value;
    input.append(new Option(name, option.value, false, option.value === element.initial_option));
  }
  const chosen = (from) => [...from.selectedOptions].map((option) => option.value).filter(Boolean);
  return drawing.field(element, input, 'change', (from, alone) => {
    if (!alone) return many ? chosen(from) : from.value;
    return many ? { options: chosen(from) } : { option: from.value };
  });
}

/** Pickers send the user's zone along: "2024-04-29 07:07 +0800". */
function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const digits = (number) => String(Math.floor(Math.abs(number))).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${digits(minutes / 60)}${digits(minutes % 60)}`;
}

function picker(type) {
  return (drawing, element) => {
    const input = make('input', '');
    input.type = type;
    return drawing.field(element, input, 'change', (from, alone) => {
      const value = from.value && `${from.value.replace('T', ' ')} ${zone()}`;
      return alone ? { option: value } : value;
    });
  };
}

const stack = (drawing, element) => make('div', 'stack', drawing.all(element.elements));
const people = (ids) => make('div', 'row', ids.map((id) => make('span', 'at', [`@${id}`])));

const DRAWN = {
  plain_text: (drawing, element) => drawing.say(element),
  lark_md: (drawing, element) => drawing.say(element),
  markdown: (drawing, element) => markdown(plain(element, drawing.locale)),
  div: (drawing, element) => make('div', 'stack', [
    element.text ? drawing.say(element.text) : null,
    element.fields ? make('div', 'columns', element.fields.map((field) => drawing.say(field.text))) : null,
    element.extra ? drawing.one(element.extra) : null,
  ]),
  hr: () => make('hr', ''),
  note: (drawing, element) => make('div', 'note', drawing.all(element.elements)),
  img: (drawing, element) => make('div', 'picture', ['🖼 ', plain(element.alt, drawing.locale) || element.img_key]),
  img_combination: (drawing, element) => make('div', 'row', (element.img_list ?? []).map((image) => make('div', 'picture', ['🖼 ', image.img_key]))),
  person: (drawing, element) => people([element.user_id]),
  person_list: (drawing, element) => people((element.persons ?? []).map((person) => person.id)),
  column_set: (drawing, element) => make('div', 'columns', drawing.all(element.columns)),
  column: stack,
  action: (drawing, element) => make('div', 'row', drawing.all(element.actions)),
  button: (drawing, element) => drawing.button(element),
  form: (drawing, element) => make('div', 'stack', new Drawing(drawing.locale, drawing.act, new Form()).all(element.elements)),
  interactive_container: (drawing, element) => {
    const box = stack(drawing, element);
    const callback = callbackOf(element);
    box.classList.add('clickable');
    box.tabIndex = 0;
    box.setAttribute('role', 'button');
    const act = () => callback && drawing.act({ tag: element.tag, name: element.name, ...callback });
    box.addEventListener('click', act);
    box.addEventListener('keydown', (event) => event.key === 'Enter' && act());
    return box;
  },
  collapsible_panel: (drawing, element) => {
    const panel = make('details', '', [make('summary', '', [drawing.say(element.header?.title)]), stack(drawing, element)]);
    panel.open = Boolean(element.expanded);
    return panel;
  },
  table: (drawing, element) => {
    const columns = element.columns ?? [];
    const row = (name, cells) => make('tr', '', cells.map((cell) => make(name, '', [String(cell ?? '')])));
    const rows = (element.rows ?? []).map((one) => row('td', columns.map((column) => one[column.name])));
    return make('table', '', [row('th', columns.map((column) => column.display_name ?? column.name)), ...rows]);
  },
  input: (drawing, element) => {
    const input = make(element.input_type === 'multiline_text' ? 'textarea' : 'input', '');
    input.placeholder = plain(element.placeholder, drawing.locale);
    input.value = element.default_value ?? '';
    return drawing.field(element, input, 'change', (from, alone) => (alone ? { input_value: from.value } : from.value));
  },
  select_static: (drawing, element) => select(drawing, element, false),
  select_person: (drawing, element) => select(drawing, element, false),
  multi_select_static: (drawing, element) => select(drawing, element, true),
  multi_select_person: (drawing, element) => select(drawing, element, true),
  date_picker: picker('date'),
  picker_time: picker('time'),
  picker_datetime: picker('datetime-local'),
  checker: (drawing, element) => {
    const input = make('input', '');
    input.type = 'checkbox';
    input.checked = Boolean(element.checked);
    const field = drawing.field(element, input, 'change', (from, alone) => (alone ? { checked: from.checked } : from.checked));
    return make('label', 'row', [field, drawing.say(element.text)]);
  },
  overflow: (drawing, element) => {
    const box = make('details', '', [make('summary', '', [word('more')])]);
    for (const option of element.options ?? []) {
      const button = make('button', '', [drawing.say(option.text)]);
      button.type = 'button';
      button.addEventListener('click', () => drawing.act({ tag: 'overflow', name: element.name, value: {}, ...callbackOf(element), option: option.value }));
      box.append(button);
    }
    return box;
  },
};
