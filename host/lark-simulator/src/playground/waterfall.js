// Where a callback's time went: the host's steps one below the other, each where it began, and inside the plugin's what it
// asked of the host. It is a table, so that it can be heard as well as seen.

import { make } from './dom.js';
import { word } from './words.js';

/** Every step there can be, so that one that was not made is seen to be missing. */
const STEPS = ['receive', 'verify', 'queue', 'instantiate', 'guest', 'check', 'send'];
/** Calls of the host that are drawn. */
const MOST_CALLS = 24;
/** The picture reaches to the deadline where this share of the time is used; else all of it would be a dot. */
const NEAR = 0.2;

/** Microseconds in the unit in which they are read most easily. */
export function time(us) {
  if (us < 1) return '<1 µs';
  if (us < 1000) return `${Math.round(us)} µs`;
  const [number, unit] = us < 1e6 ? [us / 1000, 'ms'] : [us / 1e6, 's'];
  return `${number.toFixed(number < 10 ? 2 : number < 100 ? 1 : 0)} ${unit}`;
}

/** The picture for what a host said of a callback. */
export function drawWaterfall({ steps, host_calls: calls, deadline_ms: deadlineMs, outcome }) {
  const total = Math.max(...steps.map((step) => step.at_us + step.took_us));
  const deadline = deadlineMs * 1000;
  const near = total > NEAR * deadline;
  const whole = near ? Math.max(total, deadline) : Math.max(total, 1);
  const rows = STEPS.flatMap((name) => {
    const row = draw(word(`step_${name}`), steps.find((step) => step.step === name), whole, name);
    return name === 'guest' ? [row, ...drawCalls(calls, whole)] : [row];
  });
  const table = make('table', near ? 'waterfall near' : 'waterfall', [
    make('caption', '', [word('where_the_time_went', time(total))]),
    make('thead', 'hidden', [make('tr', '', ['step', 'began', 'time'].map(head))]),
    make('tbody', '', rows),
    make('tfoot', '', [axis(whole)]),
  ]);
  table.style.setProperty('--deadline', (100 * deadline) / whole);
  return [table, budget(total, deadline, outcome)];
}

function head(name) {
  const cell = make('th', '', [word(name)]);
  cell.scope = 'col';
  return cell;
}

function draw(name, span, whole, kind) {
  const title = make('th', '', [name]);
  title.scope = 'row';
  if (!span) return make('tr', 'absent', [title, make('td', 'track'), make('td', 'number', ['–'])]);
  const bar = make('span', 'bar');
  bar.style.setProperty('--at', (100 * span.at_us) / whole);
  bar.style.setProperty('--took', (100 * span.took_us) / whole);
  const began = make('span', 'hidden', [word('after', time(span.at_us))]);
  return make('tr', kind, [title, make('td', 'track', [bar, began]), make('td', 'number', [time(span.took_us)])]);
}

function drawCalls(calls, whole) {
  const rows = calls.slice(0, MOST_CALLS).map((call) => draw(call.call, call, whole, 'host-call'));
  const rest = calls.length - rows.length;
  if (rest > 0) {
    const cell = make('td', 'rest', [word('more_calls', rest)]);
    cell.colSpan = 3;
    rows.push(make('tr', 'host-call', [cell]));
  }
  return rows;
}

function axis(whole) {
  const marks = [0, whole / 2, whole].map((us) => make('span', '', [us ? time(us) : '0']));
  const row = make('tr', '', [make('td'), make('td', 'axis', marks), make('td')]);
  row.setAttribute('aria-hidden', 'true');
  return row;
}

/** How much of the time that the host has was used. */
function budget(total, deadline, outcome) {
  const used = make('span', 'used');
  used.style.setProperty('--used', Math.min(100, (100 * total) / deadline));
  const bar = make('div', 'bar-of-budget', [used]);
  bar.setAttribute('aria-hidden', 'true');
  const late = outcome === 'deadline';
  const words = late ? word('at_the_deadline', time(deadline)) : word('of_the_deadline', time(total), time(deadline));
  return make('div', late ? 'budget late' : 'budget', [bar, make('p', '', [words])]);
}
