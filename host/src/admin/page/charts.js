// The last hour, drawn: calls, times and failures, each with what it is now above it.

import { find, keep, make, makeSvg, say, set } from './dom.js';
import { count, rate, took, word } from './words.js';

const HEIGHT = 100;
const MINUTES = 60;

const CHARTS = [
  {
    name: 'calls',
    lines: [{ style: 'series-0', of: (point) => point.per_second, area: true }],
    write: rate,
    now: (hour) => rate(hour.per_second),
    note: (hour) => word('calls_in_the_hour', count(hour.calls)),
  },
  {
    name: 'times',
    lines: [
      { style: 'series-0', of: (point) => point.p99_ms, label: 'p99' },
      { style: 'series-1', of: (point) => point.p50_ms, label: 'p50' },
    ],
    write: took,
    now: (hour) => took(hour.p99_ms),
    note: () => word('of_99'),
  },
  {
    name: 'failures',
    lines: [{ style: 'series-bad', of: (point) => point.failures, bars: true }],
    write: count,
    now: (hour) => count(hour.failures),
    note: (hour) => word('in_the_hour', count(hour.failures), count(hour.calls)),
  },
];

/** A round number that is not much more, so that the scale is easy to read and rests. */
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value);
}

/** Steps, not slopes: a bucket is a stretch of time, and one alone is seen as well. */
function steps(values, top, closed) {
  let path = '';
  let pen = false;
  values.forEach((value, x) => {
    if (value === null) {
      pen = false;
      return;
    }
    const y = HEIGHT - (value / top) * HEIGHT;
    path += pen ? `V${y}H${x + 1}` : `M${x} ${closed ? HEIGHT : y}${closed ? `V${y}` : ''}H${x + 1}`;
    pen = true;
  });
  return closed && path ? `${path}V${HEIGHT}` : path;
}

const bars = (values, top) => values
  .map((value, x) => (value ? `M${x + 0.1} ${HEIGHT}v${-(value / top) * HEIGHT}h.8v${(value / top) * HEIGHT}z` : ''))
  .join('');

function create(chart) {
  const svg = makeSvg('svg', { preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  const plot = make('div', { class: 'plot', tabindex: '0', role: 'img' }, svg,
    make('span', { class: 'top' }), make('div', { class: 'cursor', hidden: '' }));
  const legend = make('span', { class: 'legend' }, ...chart.lines.filter((line) => line.label)
    .map((line) => make('span', { class: line.style }, line.label)));
  const figure = make('figure', {},
    make('figcaption', {}, make('span', { class: 'name soft' }), legend, make('span', { class: 'now' }), make('span', { class: 'note soft' })),
    // What is said of a point stands outside of the picture, where it is read aloud.
    make('div', { class: 'stage' }, plot, make('div', { class: 'tip', role: 'status', hidden: '' })),
    make('div', { class: 'axis' }, make('span'), make('span'), make('span')));
  figure.points = [];
  const point = (at) => showPoint(figure, chart, at);
  plot.addEventListener('pointermove', (event) => {
    const { left, width } = plot.getBoundingClientRect();
    point(Math.floor(((event.clientX - left) / width) * figure.points.length));
  });
  plot.addEventListener('pointerleave', () => point(null));
  plot.addEventListener('blur', () => point(null));
  plot.addEventListener('keydown', (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!move) return;
    event.preventDefault();
    point((figure.at ?? figure.points.length) + move);
  });
  return figure;
}

function showPoint(figure, chart, wanted) {
  const [cursor, tip] = [figure.querySelector('.cursor'), figure.querySelector('.tip')];
  const last = figure.points.length - 1;
  figure.at = wanted === null ? null : Math.max(0, Math.min(last, wanted));
  cursor.hidden = tip.hidden = figure.at === null || last < 0;
  if (tip.hidden) return;
  const minutes = ((last - figure.at) * MINUTES) / figure.points.length;
  const values = chart.lines.map((line) => `${line.label ?? ''} ${chart.write(line.of(figure.points[figure.at]))}`.trim());
  say(tip, `${minutes ? word('minutes_ago', minutes) : word('now')}: ${values.join(', ')}`);
  const left = ((figure.at + 0.5) / figure.points.length) * 100;
  cursor.style.left = `${left}%`;
  tip.style.left = `${Math.max(18, Math.min(82, left))}%`;
}

function update(figure, chart, hour) {
  figure.points = hour.buckets;
  const all = chart.lines.map((line) => hour.buckets.map((point) => line.of(point) ?? null));
  const most = Math.max(0, ...all.flat());
  const top = ceiling(most);
  say(figure.querySelector('.name'), word(chart.name));
  say(figure.querySelector('.now'), chart.now(hour));
  say(figure.querySelector('.note'), chart.note(hour));
  say(figure.querySelector('.top'), most > 0 ? chart.write(top) : '');
  set(figure.querySelector('.plot'), 'aria-label', word('chart', word(chart.name), chart.now(hour), chart.write(most)));
  const width = hour.buckets.length;
  const paths = chart.lines.flatMap((line, index) => {
    if (line.bars) return [makeSvg('path', { class: `bars ${line.style}`, d: bars(all[index], top) })];
    const drawn = [makeSvg('path', { class: line.style, d: steps(all[index], top, false) })];
    if (line.area) drawn.unshift(makeSvg('path', { class: `area ${line.style}`, d: steps(all[index], top, true) }));
    return drawn;
  });
  const grid = [0, HEIGHT / 2].map((y) => makeSvg('line', { class: 'grid', x1: 0, x2: width, y1: y, y2: y }));
  const svg = figure.querySelector('svg');
  set(svg, 'viewBox', `0 0 ${width} ${HEIGHT}`);
  svg.replaceChildren(...grid, ...paths.reverse());
  const marks = [word('minutes_ago', MINUTES), word('minutes_ago', MINUTES / 2), word('now')];
  figure.querySelectorAll('.axis span').forEach((mark, index) => say(mark, marks[index]));
  if (figure.at !== null && figure.at !== undefined) showPoint(figure, chart, figure.at);
}

const NOTHING = { calls: 0, failures: 0, p50_ms: null, p99_ms: null, per_second: 0, buckets: [] };

export const showHour = (hour) => keep(find('charts'), CHARTS, {
  key: (chart) => chart.name,
  create,
  update: (figure, chart) => update(figure, chart, hour ?? NOTHING),
});

/** A plugin's hour, small enough for a row. */
export function trend(svg, values) {
  const top = Math.max(1, ...values);
  set(svg, 'viewBox', `0 0 ${values.length || 1} ${HEIGHT}`);
  let [path] = svg.children;
  if (!path) svg.append(path = makeSvg('path'));
  set(path, 'd', values.some((value) => value > 0) ? steps(values, top, true) : '');
}
