// The parts of a card that something is entered into or chosen from.

import { make } from './dom.js';
import { callbackOf, plain, words } from './text.js';
import { word } from './words.js';

/** What was entered into one form so far; it waits for the button. */
export class Form {
  #fields = new Map();

  constructor(reset) {
    this.reset = reset;
  }

  set(element, input, read) {
    this.#fields.set(element.name, { input, read, required: Boolean(element.required) });
  }

  values() {
    return Object.fromEntries([...this.#fields].map(([name, { read }]) => [name, read()]));
  }

  /** As the client does, it shows the first field that is missing, and sends nothing. */
  isComplete() {
    const isEmpty = (value) => value === '' || value === false || value?.length === 0;
    const missing = [...this.#fields.values()].find(({ required, read }) => required && isEmpty(read()));
    for (const { input } of this.#fields.values()) input.setCustomValidity('');
    missing?.input.setCustomValidity(word('required'));
    missing?.input.reportValidity();
    return !missing;
  }
}

export const isField = (tag) => Object.hasOwn(FIELDS, tag);
export const drawField = (drawing, element) => FIELDS[element.tag](drawing, element);

/** In a form, what is entered waits for the button; elsewhere it is a callback of its own. `key` names it there. */
function field(drawing, element, input, key, read) {
  input.disabled = Boolean(element.disabled);
  const callback = callbackOf(element);
  if (drawing.form) drawing.form.set(element, input, read);
  else if (callback) {
    input.addEventListener('change', () => drawing.act({ tag: element.tag, name: element.name, ...callback, [key]: read() }));
  }
  const name = plain(element.label, drawing.locale);
  input.setAttribute('aria-label', name || plain(element.placeholder ?? element.text, drawing.locale) || element.name || element.tag);
  input.required = Boolean(element.required);
  return name ? make('label', 'stack', [make('span', '', [name, element.required && make('span', 'required', [' *'])]), input]) : input;
}

function select(drawing, element, many) {
  const input = make('select');
  const initial = [element.initial_option, element.initial_options, element.selected_values].flat();
  input.multiple = many;
  if (!many) input.append(new Option(plain(element.placeholder, drawing.locale) || word('choose'), ''));
  for (const option of element.options ?? []) {
    const name = plain(option.text, drawing.locale) || option.img_key || option.value;
    input.append(new Option(name, option.value, false, initial.includes(option.value)));
  }
  if (!many) return field(drawing, element, input, 'option', () => input.value);
  return field(drawing, element, input, 'options', () => [...input.selectedOptions].map((option) => option.value));
}

/** Pickers send the user's zone along: "2024-04-29 07:07 +0800". */
function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const digits = (number) => String(Math.floor(Math.abs(number))).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${digits(minutes / 60)}${digits(minutes % 60)}`;
}

function picker(type, initial) {
  return (drawing, element) => {
    const input = make('input');
    input.type = type;
    input.value = (element[initial] ?? '').replace(' ', 'T');
    return field(drawing, element, input, 'option', () => input.value && `${input.value.replace('T', ' ')} ${zone()}`);
  };
}

const FIELDS = {
  input: (drawing, element) => {
    const input = make(element.input_type === 'multiline_text' ? 'textarea' : 'input');
    if (element.input_type === 'password') input.type = 'password';
    input.placeholder = plain(element.placeholder, drawing.locale);
    input.value = plain(element.default_value, drawing.locale);
    if (element.max_length) input.maxLength = element.max_length;
    return field(drawing, element, input, 'input_value', () => input.value);
  },
  select_static: (drawing, element) => select(drawing, element, false),
  select_person: (drawing, element) => select(drawing, element, false),
  select_img: (drawing, element) => select(drawing, element, Boolean(element.multi_select)),
  multi_select_static: (drawing, element) => select(drawing, element, true),
  multi_select_person: (drawing, element) => select(drawing, element, true),
  date_picker: picker('date', 'initial_date'),
  picker_time: picker('time', 'initial_time'),
  picker_datetime: picker('datetime-local', 'initial_datetime'),
  checker: (drawing, element) => {
    const input = make('input');
    input.type = 'checkbox';
    input.checked = Boolean(element.checked);
    const box = field(drawing, element, input, 'checked', () => input.checked);
    return make('label', 'row', [box, words(element.text, drawing.locale)]);
  },
};
