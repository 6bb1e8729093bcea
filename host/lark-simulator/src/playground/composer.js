// Below the chat: what a person types, the cards that the app sends when asked to, and a card that is pasted.

import { addMessage, clearNotes } from './chat.js';
import { chosen, find, make } from './dom.js';
import { SAMPLES } from './samples.js';
import { word } from './words.js';

const LINK = /https?:\/\/\S+/;
/** Without a key for so long, somebody has typed a link to its end. In milliseconds. */
const PAUSE = 400;

/** `send` asks the host, and `show` draws a card whose clicks are sent. */
export function begin({ send, show }) {
  for (const name of Object.keys(SAMPLES)) {
    const button = make('button', 'sample');
    button.type = 'button';
    button.dataset.word = name;
    button.textContent = word(name);
    button.addEventListener('click', () => show(addMessage('app', word('app')), SAMPLES[name]));
    find('samples').append(button);
  }
  previewWhileTyping(send);
  find('message-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const text = chosen('message');
    if (!text) return;
    find('message').value = '';
    find('typed').hidden = true;
    const link = LINK.exec(text)?.[0];
    const body = addMessage('own', chosen('user') || word('you'), [bubble(text, link)]);
    if (link) send({ kind: 'link_preview', link }, body);
  });
  find('paste-form').addEventListener('submit', (event) => {
    event.preventDefault();
    try {
      const card = JSON.parse(find('pasted').value);
      show(addMessage('app', word('app')), card);
      find('paste-error').textContent = '';
    } catch (error) {
      find('paste-error').textContent = word('not_json', error.message);
    }
  });
}

/** The text of a message, with its link in the place where its title will stand. */
export function bubble(text, link) {
  if (!link) return make('div', 'text', [text]);
  const [before, after] = [text.slice(0, text.indexOf(link)), text.slice(text.indexOf(link) + link.length)];
  const anchor = make('a', 'link', [link]);
  anchor.href = link;
  anchor.rel = 'noreferrer';
  anchor.target = '_blank';
  return make('div', 'text', [before, anchor, after]);
}

/** The title of a link's preview, in the place of the link. */
export function showTitle(body, title) {
  const anchor = body.querySelector('.link');
  if (!anchor) return;
  anchor.classList.add('titled');
  anchor.textContent = title;
}

function previewWhileTyping(send) {
  let previewed = '';
  let pause = 0;
  const look = () => {
    const link = LINK.exec(chosen('message'))?.[0] ?? '';
    find('typed').hidden = !link;
    if (link === previewed) return;
    previewed = link;
    if (!link) return;
    const body = make('div', 'content', [bubble(link, link)]);
    clearNotes(body);
    find('typed').replaceChildren(body);
    send({ kind: 'link_preview', link, typing: true }, body);
  };
  find('message').addEventListener('input', () => {
    clearTimeout(pause);
    pause = setTimeout(look, PAUSE);
  });
  find('message-form').addEventListener('submit', () => {
    clearTimeout(pause);
    previewed = '';
  });
}
