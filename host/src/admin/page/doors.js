// The doors and their states, and what needs somebody's attention.

import { find, keep, make, say, set } from './dom.js';
import { lasting, word } from './words.js';

const TONES = { up: 'good', down: 'warn', given_up: 'bad' };

const doorName = (door) => (door.door === 'webhook' ? word('webhook') : word('connection', door.number));

export const showDoors = (doors) => keep(find('doors').querySelector('ul'), doors, {
  key: (door) => [door.app, door.door, door.number].join(' '),
  create: () => make('li', {}, make('div', { class: 'head' }, make('span'), make('span')), make('div', { class: 'soft mono' }), make('div', { class: 'soft why' })),
  update: (item, door) => {
    const [head, where, why] = item.children;
    const [name, badge] = head.children;
    say(name, doorName(door));
    set(badge, 'class', `badge ${TONES[door.state]}`);
    say(badge, word(door.state));
    const address = door.door === 'webhook' ? `${door.address ?? word('elsewhere')}${door.path}` : '';
    say(where, [door.app, address].filter(Boolean).join(' · '));
    say(why, door.reason ?? '');
  },
});

/** Everything that is not as it should be, the worst first. */
export function concerns({ doors, apps }) {
  const found = doors.filter((door) => door.state !== 'up')
    .map((door) => ({ tone: TONES[door.state], what: `${doorName(door)}, ${door.app}: ${word(door.state)}`, why: door.reason }));
  for (const plugin of apps.flatMap((app) => app.plugins)) {
    const { name, live, not_live_because: refused, breaker, paused_for_ms: left, canary } = plugin;
    if (refused) found.push({ tone: live ? 'warn' : 'bad', what: `${name}: ${word(live ? 'file_not_live' : 'not_live')}`, why: refused });
    if (breaker === 'paused') found.push({ tone: 'bad', what: `${name}: ${word('paused')}`, why: word('paused_for', lasting(left)) });
    if (breaker === 'probing') found.push({ tone: 'warn', what: `${name}: ${word('probing')}` });
    if (canary) {
      const has = word('canary_has', canary.version, canary.share, canary.calls, canary.judged_after, canary.failures);
      found.push({ tone: 'new', what: `${name}: ${word('canary')}`, why: has });
    }
  }
  const order = ['bad', 'warn', 'new'];
  return found.sort((one, other) => order.indexOf(one.tone) - order.indexOf(other.tone));
}

export function showConcerns(found) {
  find('attention').hidden = found.length === 0;
  keep(find('attention').querySelector('ul'), found, {
    key: ({ what }) => what,
    create: () => make('li', {}, make('strong'), make('div')),
    update: (item, { tone, what, why }) => {
      set(item, 'class', tone);
      say(item.children[0], what);
      say(item.children[1], why ?? '');
    },
  });
}
