// The dashboard: asks the host once a second while somebody can see the page, and shows what it says.

import { after, choose, forget, learn, showCallbacks } from './callbacks.js';
import { showHour } from './charts.js';
import { find, keep, make, say, set } from './dom.js';
import { concerns, showConcerns, showDoors } from './doors.js';
import { setAside, showInbox } from './inbox.js';
import { showPlugins } from './plugins.js';
import { currentLanguage, lasting, speak, word } from './words.js';

/** Between two looks, in milliseconds. */
const POLL = 1000;

let last = null;

/** App and name of the plugin that is shown, or nothing for all. */
const chosen = () => (find('of').value ? JSON.parse(find('of').value) : null);

async function look() {
  const query = new URLSearchParams({ after: after() });
  const of = chosen();
  if (of) {
    query.set('app', of.app);
    query.set('plugin', of.plugin);
  }
  const response = await fetch(`/dashboard.json?${query}`);
  // The session is over: the page that comes instead asks for the token.
  if (response.status === 401) location.reload();
  if (!response.ok) throw new Error(String(response.status));
  const answer = await response.json();
  if (last && answer.running_for_ms < last.running_for_ms) forget();
  learn(answer.recent);
  last = answer;
}

function show() {
  const found = [...concerns(last), ...setAside(last.inbox)];
  const state = last.missing.length ? ['bad', word('not_ready')] : found.length ? ['warn', word('look_at', found.length)] : ['good', word('well')];
  tell(...state);
  document.body.classList.remove('silent');
  say(find('about'), word('about', last.version, lasting(last.running_for_ms)));
  find('sign-out').hidden = !last.wants_token;
  showConcerns(found);
  showChoices(last.apps);
  showHour(last.hour);
  showPlugins(last.apps);
  showInbox(last.inbox);
  showDoors(last.doors);
  showCallbacks();
}

function tell(tone, text) {
  set(find('state'), 'class', `pill ${tone}`);
  say(find('state'), text);
}

function showChoices(apps) {
  const plugins = apps.flatMap(({ app, plugins: all }) => all.map(({ name }) => ({ app, plugin: name })));
  const several = apps.length > 1;
  keep(find('of'), [null, ...plugins], {
    key: (one) => JSON.stringify(one),
    create: (one) => make('option', { value: one ? JSON.stringify(one) : '' }),
    update: (option, one) => say(option, !one ? word('all_plugins') : several ? `${one.plugin} (${one.app})` : one.plugin),
  });
}

const visible = () => new Promise((done) => {
  if (!document.hidden) done();
  else document.addEventListener('visibilitychange', () => visible().then(done), { once: true });
});

async function follow() {
  for (;;) {
    await visible();
    const heard = await look().then(() => true, () => false);
    if (heard) show();
    else {
      tell('bad', word('silent'));
      document.body.classList.add('silent');
    }
    await new Promise((done) => { setTimeout(done, POLL); });
  }
}

function filterCallbacks() {
  const [of, only] = [chosen(), find('only-failures').checked];
  choose((one) => (!only || one.failed) && (!of || (one.app === of.app && one.plugin === of.plugin)));
}

function begin() {
  find('language').value = currentLanguage();
  speak(currentLanguage());
  find('language').addEventListener('change', () => {
    speak(find('language').value);
    if (last) show();
  });
  find('only-failures').addEventListener('change', filterCallbacks);
  find('of').addEventListener('change', () => {
    filterCallbacks();
    look().then(show, () => {});
  });
  follow();
}

begin();
