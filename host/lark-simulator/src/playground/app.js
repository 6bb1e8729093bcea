// The page: what a person does is sent to the host, and what comes back is shown as a user's client would show it.

import { addLine, addMessage, addNote, clearNotes, showCard, showToast } from './chat.js';
import { namedCard } from './card.js';
import { begin as beginComposer, bubble, showTitle } from './composer.js';
import { chosen, find } from './dom.js';
import { inspect, showBuild, showPlugins } from './inspector.js';
import { currentLanguage, speak, word } from './words.js';

/** Messages on the screen, by what a callback says about where it comes from. */
const places = new Map();
/** The last update of each card. It may be heard of before the answer that it follows. */
const updates = new Map();
let app = null;
let last = null;
let live = new Map();
/** Every version that was ever live: a file that is exchanged is gone for a moment. */
const known = new Map();
let build = null;
let inspected = null;

async function ask(path, body) {
  const options = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.status);
  return answer;
}

/** What a callback keeps when it is sent again: the card's token, or the preview's. Nothing if it comes from nowhere. */
function placeOf({ sent }) {
  const token = sent?.event?.token ?? sent?.token ?? '';
  return token.startsWith('c-') ? token : sent?.event?.context?.preview_token;
}

/** Shows a card; what is done to it goes to the host. `extra` stays with the card. */
function show(body, shown, extra = {}) {
  const card = namedCard(shown);
  const schema = card.schema === '2.0' ? '2.0' : '1.0';
  showCard(body, card, (action) => send({ kind: 'card_action', ...action, ...extra, card_schema: schema }, body, extra));
}

async function send(request, body, extra = {}) {
  last = { request, body, extra };
  clearNotes(body);
  const door = chosen('door');
  const who = { open_id: chosen('user'), locale: chosen('locale') };
  if (chosen('tenant')) who.tenant_key = chosen('tenant');
  if (door === 'webhook') who.url = chosen('url');
  let exchange;
  try {
    exchange = await ask('/simulator/send', { app_id: app, door, ...who, ...request });
  } catch (error) {
    addNote(body, 'trouble', word('failed', error.message));
    return;
  }
  await settle(exchange, body, extra);
}

/** Shows what came of a callback, and what has happened to its card since. */
async function settle(exchange, body, extra) {
  await react(exchange, body, extra);
  inspected = exchange;
  inspect(exchange);
  const place = placeOf(exchange);
  if (!place) return;
  places.set(place, { body, extra });
  if (updates.has(place)) update(updates.get(place));
}

function update({ token, card }) {
  const { body, extra } = places.get(token);
  show(body, card, extra);
  body.classList.add('updated');
  addNote(body, 'note', word('late_update'));
}

/** What the user's client would show. */
async function react(exchange, body, extra) {
  const { toast, card, error, preview_title: title } = exchange.verdict;
  if (toast) showToast(toast.kind, toast.text);
  if (title) showTitle(body, title);
  if (card) show(body, card, extra);
  if (error) addNote(body, 'trouble', await inWords(error));
}

/** The platform's own words, and in the reader's language what they mean. */
async function inWords(error) {
  const codes = await ask('/playground/codes.json');
  const said = codes.find((one) => one.code === error.code)?.[currentLanguage()];
  const parts = [`${error.code}: ${said?.means ?? error.words}`, error.reason, said?.next];
  return parts.filter(Boolean).join(' — ');
}

/** What is heard from the platform without being asked for. */
const HEARD = {
  state({ apps, webhook, plugins, build: now }) {
    const first = app === null;
    const mine = apps.find((one) => one.id === app) ?? apps[0];
    app = mine.id;
    find('status').textContent = mine.connected ? word('connected', mine.connected, app) : word('nobody');
    find('status').className = mine.connected ? 'on' : 'off';
    if (!find('url').value && webhook) find('url').value = webhook;
    live = showPlugins(plugins ?? []);
    for (const [name, version] of live) {
      if (known.get(name) === version) continue;
      known.set(name, version);
      if (first) continue;
      addLine('good', word('went_live', name, version));
      // The next answers are another version's, and so are the updates that follow them.
      updates.clear();
    }
    if (now?.state === 'failed' && JSON.stringify(now) !== JSON.stringify(build)) addLine('bad', word('line_failed'));
    build = now;
    showBuild(build, live);
  },
  card_update(heard) {
    if (heard.code !== 0) return;
    updates.set(heard.token, heard);
    if (places.has(heard.token)) update(heard);
  },
  message({ receive_id: to, msg_type: type, content }) {
    const said = JSON.parse(content);
    const body = addMessage('app', word('app_to', to));
    if (type === 'interactive') show(body, said);
    else addNote(body, 'text', said.text ?? content);
  },
  async shown({ name, exchange }) {
    const place = placeOf(exchange);
    const link = exchange.sent?.event?.context?.url;
    const content = link ? [bubble(link, link)] : [];
    const { body, extra } = places.get(place) ?? { body: addMessage('app', word('sent_by_program', name), content), extra: {} };
    clearNotes(body);
    addNote(body, 'note', word('answered_by', exchange.host?.plugin ?? '?', exchange.host?.version ?? '?'));
    await settle(exchange, body, extra);
  },
};

function listen() {
  const events = new EventSource('/playground/events');
  for (const [name, hear] of Object.entries(HEARD)) events.addEventListener(name, (event) => hear(JSON.parse(event.data)));
  events.addEventListener('error', () => {
    find('status').textContent = word('lost');
    find('status').className = 'off';
  });
}

function begin() {
  find('language').value = currentLanguage();
  speak(currentLanguage());
  find('language').addEventListener('change', () => {
    speak(chosen('language'));
    showBuild(build, live);
    if (inspected) inspect(inspected);
  });
  const needsAddress = () => { find('url-field').hidden = chosen('door') !== 'webhook'; };
  find('door').addEventListener('change', needsAddress);
  needsAddress();
  beginComposer({ send, show });
  find('again').addEventListener('click', () => last && send(last.request, last.body, last.extra));
  listen();
}

begin();
