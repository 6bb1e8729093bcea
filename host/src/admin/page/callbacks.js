// The latest callbacks, each with its waterfall. While somebody reads one, the list rests.

import { find, keep, make, say } from './dom.js';
import { count, took, word } from './words.js';

/** As many as a person looks through. */
const SHOWN = 50;
/** As many as the host keeps of either kind, and a little. */
const KNOWN = 250;
/** An answer that was not sent by then never will be. */
const SENT_WITHIN = 5000;

const list = find('callbacks').querySelector('ol');
/** By number. */
let known = new Map();
let filter = () => true;

const isWhole = (one) => one.steps.some(({ step }) => step === 'send') || one.age_ms > SENT_WITHIN;

/** Up to there, nothing more will be told. */
export function after() {
  const numbers = [...known.keys()].sort((one, other) => one - other);
  const first = numbers.find((number) => !isWhole(known.get(number)));
  return (first ?? (numbers.at(-1) ?? 0) + 1) - 1;
}

export function learn(recent) {
  for (const one of recent) {
    const at = new Date(Date.now() - one.age_ms);
    known.set(one.number, { ...one, at: known.get(one.number)?.at ?? at });
  }
  if (known.size <= KNOWN) return;
  const newest = [...known.entries()].sort(([one], [other]) => other - one).slice(0, KNOWN);
  known = new Map(newest);
}

/** The host was started again, and counts from one. */
export const forget = () => known.clear();

export function choose(wanted) {
  filter = wanted;
  showCallbacks(true);
}

export function showCallbacks(now = false) {
  const wanted = [...known.values()].filter(filter).sort((one, other) => other.number - one.number).slice(0, SHOWN);
  const rests = !now && list.querySelector('details[open]') !== null;
  const newest = Number(list.firstElementChild?.dataset.key ?? 0);
  const newer = wanted.filter((one) => one.number > newest).length;
  find('newer').hidden = !rests || newer === 0;
  say(find('newer'), word('newer', newer));
  find('no-callbacks').hidden = wanted.length > 0;
  if (rests) return;
  keep(list, wanted, { key: (one) => one.number, create: () => make('li'), update: draw });
}

/** Draws it, unless it is there as it is. */
function draw(item, one) {
  const drawn = `${one.steps.length} ${document.documentElement.lang}`;
  if (item.dataset.drawn === drawn) return;
  item.dataset.drawn = drawn;
  const plugin = one.plugin ? `${one.plugin} ${one.version}` : '–';
  const tone = one.failed ? 'bad' : one.outcome === 'answered' ? 'good' : '';
  const summary = make('summary', {},
    make('time', { class: 'time', datetime: one.at.toISOString() }, one.at.toLocaleTimeString(document.documentElement.lang, { hour12: false })),
    make('span', { class: `badge ${tone}` }, word(one.outcome)),
    make('span', { class: 'type' }, one.type),
    make('span', { class: 'by soft' }, plugin),
    make('span', { class: 'door soft' }, word(one.door)),
    strip(one),
    make('span', { class: 'took number' }, took(one.ms)));
  const details = make('details', {}, summary);
  details.addEventListener('toggle', () => {
    if (details.open && details.children.length === 1) details.append(opened(one));
  });
  item.replaceChildren(details);
}

function strip({ steps }) {
  const parts = steps.map(({ step, took_us: us }) => {
    const part = make('i', { class: step });
    part.style.flexGrow = us;
    return part;
  });
  return make('span', { class: 'strip', 'aria-hidden': 'true' }, ...parts);
}

function opened(one) {
  const pairs = [
    ['reason', one.reason],
    ['plugin', one.plugin],
    ['version', one.version],
    ['door', word(one.door)],
    ['app', one.app],
    ['event_id', one.event_id],
    ['fuel', one.fuel === null ? null : count(one.fuel)],
  ];
  const facts = pairs.filter(([, value]) => value)
    .flatMap(([name, value]) => [make('dt', {}, word(name)), make('dd', ['version', 'event_id', 'app'].includes(name) ? { class: 'mono' } : {}, value)]);
  return make('div', { class: 'opened' }, waterfall(one), make('dl', { class: 'facts' }, ...facts));
}

function waterfall({ steps, host_calls: calls, more_host_calls: more }) {
  const end = Math.max(1, ...[...steps, ...calls].map((span) => span.at_us + span.took_us));
  const lane = ({ at_us: at, took_us: us }, style) => {
    const bar = make('i', { class: style });
    bar.style.left = `${(at / end) * 100}%`;
    bar.style.width = `${(us / end) * 100}%`;
    return make('span', { class: 'lane', 'aria-hidden': 'true' }, bar);
  };
  const row = (name, span, style, isHost) => [
    make('span', isHost ? { class: 'host mono' } : {}, name), lane(span, style), make('span', { class: 'number' }, took(span.took_us / 1000)),
  ];
  const rows = steps.flatMap((span) => [
    ...row(word(span.step), span, span.step, false),
    ...(span.step === 'guest' ? calls.flatMap((call) => row(call.call, call, 'guest', true)) : []),
  ]);
  if (more) rows.push(make('span', { class: 'host' }, word('more_calls', count(more))), make('span'), make('span'));
  return make('div', { class: 'waterfall' }, ...rows);
}

find('newer').addEventListener('click', () => {
  for (const details of list.querySelectorAll('details[open]')) details.open = false;
  showCallbacks(true);
  list.querySelector('summary')?.focus();
});
