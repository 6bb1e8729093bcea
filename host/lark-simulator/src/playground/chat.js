// The chat: messages, the cards in them, and the toast above them. What is done to a card is for somebody else.

import { drawCard } from './card.js';
import { chosen, find, make } from './dom.js';

/** How long a toast stays. */
const TOAST = 4000;

let hideToast = 0;

/** A message of the app's or of the user's own. */
export function addMessage(side, name, content = []) {
  const avatar = make('span', 'avatar', [side === 'app' ? '◆' : name.replace(/^ou_/, '').slice(0, 1).toUpperCase()]);
  avatar.setAttribute('aria-hidden', 'true');
  const body = make('div', 'content', content);
  const item = make('li', `message ${side}`, [avatar, make('div', 'who', [name]), body]);
  append(item);
  return body;
}

/** A line between messages: what happened to the app. */
export function addLine(kind, text) {
  append(make('li', `line ${kind}`, [make('span', '', [text])]));
}

function append(item) {
  find('welcome').hidden = true;
  find('chat').append(item);
  item.scrollIntoView({ block: 'nearest' });
}

/** Draws a card into a message, in the place of the one that is there. */
export function showCard(body, card, act) {
  const drawn = drawCard(card, chosen('locale'), act);
  const before = body.querySelector(':scope > .card');
  if (before) before.replaceWith(drawn);
  else body.append(drawn);
  body.scrollIntoView({ block: 'nearest' });
}

/** A line below a message. */
export function addNote(body, kind, text) {
  body.append(make('div', kind, [text]));
  body.scrollIntoView({ block: 'nearest' });
}

/** Takes away what was noted before. */
export function clearNotes(body) {
  for (const line of body.querySelectorAll(':scope > .trouble, :scope > .note')) line.remove();
  body.classList.remove('updated');
}

export function showToast(kind, text) {
  const toast = find('toast');
  toast.className = kind;
  toast.textContent = text;
  clearTimeout(hideToast);
  hideToast = setTimeout(() => { toast.textContent = ''; }, TOAST);
}
