// The page: a chat on the one side, what went over the wire on the other.

import { drawCard } from './card.js';
import { SAMPLES } from './samples.js';
import { currentLanguage, speak, word } from './words.js';

/** Between two looks at what the platform knows, in milliseconds. */
const POLL = 400;
/** How long a toast stays. */
const TOAST = 4000;

const find = (id) => document.getElementById(id);
const chosen = (id) => find(id).value.trim();

/** Cards on the screen, by the token that updates them. */
const byToken = new Map();
let seenUpdates = 0;
let app = null;
let last = null;
let versions = new Map();
let hideToast = 0;

async function ask(path, body) {
  const options = body && { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error ?? response.status);
  return answer;
}

function addMessage(who, content) {
  const item = document.createElement('li');
  item.className = 'message';
  const name = document.createElement('div');
  name.className = 'who';
  name.textContent = who;
  item.append(name, ...content);
  find('chat').append(item);
  item.scrollIntoView({ block: 'nearest' });
  return item;
}

function note(item, className, text) {
  const line = document.createElement('div');
  line.className = className;
  line.textContent = text;
  item.append(line);
}

/** A card in the chat; what the user does to it goes to the host. */
function addCard(card, extra = {}) {
  show(addMessage(word('app'), []), card, extra);
}

function show(item, card, extra) {
  const schema = card.schema === '2.0' ? '2.0' : '1.0';
  const drawn = drawCard(card, chosen('locale'), (action) => {
    const { form_value, ...rest } = action;
    send({ kind: 'card_action', ...rest, ...(form_value ? { form_value } : {}), ...extra, card_schema: schema }, item, extra);
  });
  const before = item.querySelector(':scope > .card');
  if (before) before.replaceWith(drawn);
  else item.append(drawn);
}

async function send(request, item, extra = {}) {
  last = { request, item, extra };
  for (const line of item.querySelectorAll('.trouble, .note')) line.remove();
  const door = chosen('door');
  const who = { open_id: chosen('user'), locale: chosen('locale') };
  if (chosen('tenant')) who.tenant_key = chosen('tenant');
  if (door === 'webhook') who.url = chosen('url');
  let exchange;
  try {
    exchange = await ask('/simulator/send', { app_id: app, door, ...who, ...request });
  } catch (error) {
    note(item, 'trouble', word('failed', error.message));
    return;
  }
  const token = exchange.sent?.event?.token ?? exchange.sent?.token;
  if (token) byToken.set(token, { item, extra });
  await react(exchange, item, extra);
  inspect(exchange);
}

/** What the user's client would show. */
async function react(exchange, item, extra) {
  const { toast, card, error, preview_title: title } = exchange.verdict;
  if (error) note(item, 'trouble', await inWords(error));
  if (toast) showToast(toast);
  if (card?.type === 'raw') show(item, card.data, extra);
  else if (card) note(item, 'note', JSON.stringify(card));
  if (title) note(item, 'note', `${word('preview')}: ${title}`);
}

/** The platform's own words, and in the reader's language what they mean. */
async function inWords(error) {
  const codes = await ask('/playground/codes.json');
  const known = codes.find((one) => one.code === error.code)?.[currentLanguage()];
  const parts = [`${error.code}: ${known?.means ?? error.words}`, error.reason, known?.next];
  return parts.filter(Boolean).join(' — ');
}

function showToast({ kind, text }) {
  const toast = find('toast');
  toast.className = kind;
  toast.textContent = text;
  clearTimeout(hideToast);
  hideToast = setTimeout(() => { toast.textContent = ''; }, TOAST);
}

function inspect(exchange) {
  find('nothing-yet').hidden = true;
  find('report').hidden = false;
  const { verdict, host } = exchange;
  const seen = [verdict.toast?.text, verdict.card && word('new_card'), verdict.preview_title, verdict.error && String(verdict.error.code)];
  find('verdict').textContent = seen.filter(Boolean).join(' · ') || word('nothing_changed');
  const facts = [
    ['took', `${exchange.elapsed_ms} ms`],
    ['code', exchange.code],
    ['plugin', host?.plugin],
    ['version', host?.version],
    ['outcome', host?.outcome],
    ['in_the_host', host && `${host.ms.toFixed(2)} ms`],
    ['fuel', host?.fuel?.toLocaleString()],
  ];
  find('facts').replaceChildren(...facts.filter(([, value]) => value !== undefined && value !== null).flatMap(([key, value]) => {
    const [term, fact] = [document.createElement('dt'), document.createElement('dd')];
    term.textContent = word(key);
    fact.textContent = value;
    return [term, fact];
  }));
  find('sent').textContent = JSON.stringify(exchange.sent, null, 2);
  find('received').textContent = JSON.stringify(exchange.received, null, 2);
  find('frames').textContent = JSON.stringify(exchange.frames, null, 2);
  find('frames-part').hidden = exchange.frames.sent.length === 0;
}

/** What happened without a click: late updates, connections, plugins that went live. */
async function look() {
  const state = await ask('/simulator/state');
  const mine = state.apps.find((one) => one.id === app) ?? state.apps[0];
  app = mine.id;
  find('status').textContent = mine.connected ? word('connected', mine.connected, app) : word('nobody');
  if (!find('url').value && state.webhook) find('url').value = state.webhook;
  for (const update of state.card_updates.slice(seenUpdates)) {
    const known = byToken.get(update.token);
    if (!known || update.code !== 0) continue;
    show(known.item, update.card, known.extra);
    known.item.classList.add('updated');
    note(known.item, 'note', word('late_update'));
  }
  seenUpdates = state.card_updates.length;
  showPlugins(state.plugins ?? []);
}

function showPlugins(plugins) {
  find('no-plugins').hidden = plugins.length > 0;
  find('plugins').replaceChildren(...plugins.map((plugin) => {
    const line = document.createElement('li');
    const state = plugin.live ? `${word('live')} ${plugin.version}` : word('not_live', plugin.not_live_because);
    line.textContent = `${plugin.name}: ${state}`;
    return line;
  }));
  const before = versions;
  versions = new Map(plugins.filter((plugin) => plugin.live).map((plugin) => [plugin.name, plugin.version]));
  for (const [name, version] of versions) {
    if (!before.has(name) || before.get(name) === version) continue;
    showToast({ kind: 'info', text: word('went_live', name, version) });
    // What was clicked last is asked of the new version.
    if (last) send(last.request, last.item, last.extra);
  }
}

async function follow() {
  for (;;) {
    try {
      await look();
    } catch (error) {
      find('status').textContent = word('failed', error.message);
    }
    await new Promise((done) => setTimeout(done, POLL));
  }
}

function begin() {
  find('language').value = currentLanguage();
  speak(currentLanguage());
  find('language').addEventListener('change', () => speak(chosen('language')));
  const needsAddress = () => { find('url-field').hidden = chosen('door') !== 'webhook'; };
  find('door').addEventListener('change', needsAddress);
  needsAddress();
  for (const name of Object.keys(SAMPLES)) {
    const button = document.createElement('button');
    button.dataset.word = name;
    button.textContent = word(name);
    button.addEventListener('click', () => addCard(SAMPLES[name]));
    find('samples').append(button);
  }
  find('message-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = chosen('message');
    if (!text) return;
    find('message').value = '';
    const content = document.createElement('div');
    content.className = 'text';
    content.textContent = text;
    const item = addMessage(word('you'), [content]);
    const link = /https?:\/\/\S+/.exec(text)?.[0];
    if (link) send({ kind: 'link_preview', link }, item);
  });
  find('paste-form').addEventListener('submit', (event) => {
    event.preventDefault();
    try {
      addCard(JSON.parse(find('pasted').value));
      find('paste-error').textContent = '';
    } catch (error) {
      find('paste-error').textContent = word('not_json', error.message);
    }
  });
  find('again').addEventListener('click', () => last && send(last.request, last.item, last.extra));
  follow();
}

begin();
