// The plugins: a row each, what is known of it on request, and the way back to the version before.

import { trend } from './charts.js';
import { find, keep, make, makeSvg, say, set } from './dom.js';
import { count, lasting, rate, took, word } from './words.js';

const table = find('plugins').querySelector('table');

function badges(plugin) {
  const { live, not_live_because: refused, breaker, rolled_back: back, canary } = plugin;
  return [
    !live && ['bad', 'not_live'],
    live && refused && ['warn', 'file_not_live'],
    breaker === 'paused' && ['bad', 'paused'],
    breaker === 'probing' && ['warn', 'probing'],
    back && ['new', 'rolled_back'],
    canary && ['new', 'canary'],
  ].filter(Boolean);
}

/** From which version to which it can be taken back: a canary goes first. */
const wayBack = ({ version, version_before: before, canary }) => {
  if (canary) return [canary.version, version];
  return before ? [version ?? '–', before] : null;
};

const routes = (plugin) => (plugin.routes ?? [])
  .map((route) => (Object.keys(route).length ? JSON.stringify(route) : word('everything')));

/** Names and values; a value may be an element. */
function facts(plugin) {
  const { hour, live } = plugin;
  const outcomes = Object.entries(hour?.outcomes ?? {}).sort(([, one], [, other]) => other - one)
    .map(([outcome, times]) => `${word(outcome)} ${count(times)}`);
  const breaker = plugin.breaker === 'paused' ? word('paused_for', lasting(plugin.paused_for_ms)) : word(plugin.breaker);
  const canary = plugin.canary
    && word('canary_has', plugin.canary.version, plugin.canary.share, plugin.canary.calls, plugin.canary.judged_after, plugin.canary.failures);
  return [
    ['why', plugin.not_live_because && [plugin.not_live_because]],
    ['outcomes', outcomes],
    ['fuel_per_call', hour?.fuel_per_call != null && [count(hour.fuel_per_call)]],
    ['since_start', live && [word('calls_and_failures', count(plugin.calls), count(plugin.failures), count(plugin.instances))]],
    ['breaker', live && [breaker]],
    ['canary', canary && [canary]],
    ['promoted', plugin.promoted_because && [plugin.promoted_because]],
    ['handles', plugin.handles],
    ['routes', routes(plugin)],
    ['before', plugin.version_before && [plugin.version_before]],
  ].filter(([, values]) => values && values.length > 0);
}

function createRow(app, plugin) {
  const open = make('button', { class: 'expand', 'aria-expanded': 'false', onclick: () => toggle(open) }, plugin.name);
  const back = make('button', { onclick: () => ask(app, back.plugin) });
  return make('tr', {},
    make('td', { class: 'name' }, open, make('div', { class: 'under' }, make('span', { class: 'mono' }), make('span'), make('span', { class: 'badges' }))),
    make('td', { class: 'trend' }, makeSvg('svg', { preserveAspectRatio: 'none', 'aria-hidden': 'true' })),
    ...['rate', 'p50', 'p99', 'failures'].map((name) => make('td', { class: `number ${name}` })),
    make('td', { class: 'act number' }, back));
}

function updateRow(row, plugin) {
  const { hour, live } = plugin;
  const [version, age, marks] = row.querySelectorAll('.under > span');
  say(version, plugin.version ?? '');
  say(age, live ? word('live_for', lasting(Date.now() - plugin.since_ms)) : '');
  keep(marks, badges(plugin), {
    key: ([, name]) => name,
    create: () => make('span'),
    update: (badge, [tone, name]) => {
      set(badge, 'class', `badge ${tone}`);
      say(badge, word(name));
    },
  });
  trend(row.querySelector('.trend svg'), hour?.buckets ?? []);
  const cells = { rate: ['per_second', hour ? rate(hour.per_second) : '–'], p50: ['p50', took(hour?.p50_ms)], p99: ['p99', took(hour?.p99_ms)], failures: ['failures', hour ? count(hour.failures) : '–'] };
  for (const [name, [label, text]] of Object.entries(cells)) {
    const cell = row.querySelector(`.${name}`);
    set(cell, 'data-label', word(label));
    say(cell, text);
  }
  row.querySelector('.failures').classList.toggle('failing', (hour?.failures ?? 0) > 0);
  const back = row.querySelector('.act button');
  const way = wayBack(plugin);
  back.plugin = plugin;
  back.hidden = !way;
  say(back, word('roll_back'));
  if (way) set(back, 'aria-label', word('roll_back_to', plugin.name, way[1]));
}

function toggle(button) {
  const open = button.getAttribute('aria-expanded') !== 'true';
  button.setAttribute('aria-expanded', String(open));
  button.closest('tr').nextElementSibling.hidden = !open;
}

const createDetail = () => make('tr', { class: 'detail', hidden: '' }, make('td', { colspan: 7 }, make('dl', { class: 'facts' })));

function updateDetail(row, plugin) {
  if (row.hidden) return;
  const pairs = facts(plugin).flatMap(([name, values]) => [['dt', name, [word(name)]], ['dd', name, values]]);
  keep(row.querySelector('dl'), pairs, {
    key: ([tag, name]) => `${tag} ${name}`,
    create: ([tag]) => make(tag),
    update: (element, [tag, name, values]) => {
      if (tag === 'dt') say(element, values[0]);
      else keep(element, values, {
        key: (value) => value,
        create: () => make(['routes', 'handles'].includes(name) ? 'code' : 'div', name === 'outcomes' ? { class: 'badge' } : {}),
        update: (one, value) => say(one, value),
      });
    },
  });
}

/** Each app with its rows, and below each row what is known of the plugin. */
export function showPlugins(apps) {
  find('no-plugins').hidden = apps.some((app) => app.plugins.length > 0);
  table.hidden = !find('no-plugins').hidden;
  const parts = apps.map((app) => [{ app: apps.length > 1 && app.app }, ...app.plugins.flatMap((plugin) => [{ plugin }, { plugin, detail: true }])]);
  while (table.tBodies.length < apps.length) table.createTBody();
  apps.forEach(({ app }, index) => keep(table.tBodies[index], parts[index].filter((part) => part.plugin || part.app), {
    key: ({ plugin, detail }) => (plugin ? `${plugin.name}${detail ? ' detail' : ''}` : ''),
    create: ({ plugin, detail }) => {
      if (!plugin) return make('tr', { class: 'app' }, make('th', { colspan: 7, scope: 'rowgroup' }, app));
      return detail ? createDetail() : createRow(app, plugin);
    },
    update: (row, { plugin, detail }) => plugin && (detail ? updateDetail : updateRow)(row, plugin),
  }));
}

let hideToast = 0;

export function toast(text) {
  say(find('toast'), text);
  clearTimeout(hideToast);
  hideToast = setTimeout(() => say(find('toast'), ''), 6000);
}

function ask(app, plugin) {
  const [dialog, { name }] = [find('confirm'), plugin];
  say(find('question'), word('sure', name, ...wayBack(plugin)));
  dialog.returnValue = '';
  dialog.onclose = () => dialog.returnValue === 'yes' && rollBack(app, name);
  dialog.showModal();
}

async function rollBack(app, name) {
  try {
    const response = await fetch('/plugins/rollback', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ app, name }),
    });
    const answer = await response.json();
    toast(response.ok ? word('is_back', name, answer.version) : word('failed', answer.error));
  } catch (error) {
    toast(word('failed', error.message));
  }
}
