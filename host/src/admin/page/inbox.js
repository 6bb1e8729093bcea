// The inbox: for each plugin, the events that wait, those that are worked on, and those that were set aside.

import { find, keep, make, say } from './dom.js';
import { count, lasting, word } from './words.js';

/** The plugins that have events in the inbox, of all apps. */
const queues = (inbox) => (inbox ?? [])
  .flatMap(({ app, plugins }) => plugins.map((figures) => ({ app, ...figures })));

export function showInbox(inbox) {
  const all = queues(inbox);
  find('inbox').hidden = inbox !== null && all.length === 0;
  find('inbox-silent').hidden = inbox !== null;
  keep(find('inbox').querySelector('ul'), all, {
    key: ({ app, plugin }) => [app, plugin].join(' '),
    create: () => make('li', {}, make('strong'), make('div', { class: 'soft' })),
    update: (item, { app, plugin, waiting, working, aside, oldest_ms: oldest }) => {
      const parts = [word('inbox_waiting', count(waiting), count(working)), word('inbox_aside', count(aside))];
      if (oldest !== null) parts.push(word('inbox_oldest', lasting(Date.now() - oldest)));
      say(item.children[0], `${plugin} (${app})`);
      say(item.children[1], parts.join(' · '));
    },
  });
}

/** Events that were set aside need somebody to decide on them. */
export const setAside = (inbox) => queues(inbox).filter(({ aside }) => aside > 0)
  .map(({ plugin, aside }) => ({ tone: 'warn', what: `${plugin}: ${word('inbox_aside', count(aside))}`, why: word('inbox_decide') }));
