// The published Node SDK, as its users run it, driven by lines of JSON.
//
// In, on standard input: {"app", "secret", "domain", "handlers"} starts a long connection; `handlers` false registers
// none. Out, on standard output: {"webhook": PORT} once, then {"app", "handled": …} for every call of a handler and
// {"app", "ended": …} when the SDK gives up. The keys of the webhook are in the one argument, as JSON. The log of the
// SDK goes to standard error.

'use strict';

const http = require('node:http');
const path = require('node:path');
const readline = require('node:readline');
const { createRequire } = require('node:module');

// The SDK is installed into the build folder, which is the working directory.
const lark = createRequire(path.join(process.cwd(), 'package.json'))('@larksuiteoapi/node-sdk');

const EVENT = 'im.message.receive_v1';
const TOAST = { type: 'success', content: 'ok' };
// Long enough to tell two calls at once from two in a row, and two in a row are still in time.
const SLOW_MILLISECONDS = 1200;
const log = (...what) => console.error(...what.flat());
const logger = { error: log, warn: log, info: log, debug: log, trace: log };
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

async function act(app, kind, asked) {
  say({ app, handled: kind });
  if (asked === 'throw') throw new Error('as asked');
  if (asked === 'slow') await new Promise((done) => setTimeout(done, SLOW_MILLISECONDS));
}

async function onCard(app, data) {
  const asked = data.action.value?.do;
  await act(app, 'card', asked);
  if (asked === 'none') return undefined;
  return asked === 'empty' ? {} : { toast: TOAST };
}

function dispatcher(app, keys, handlers = true) {
  const built = new lark.EventDispatcher({ ...keys, logger });
  if (handlers) {
    built.register({
      'card.action.trigger': (data) => onCard(app, data),
      'url.preview.get': async () => {
        await act(app, 'preview');
        return { inline: { title: 'T' } };
      },
      [EVENT]: async (data) => {
        await act(app, 'event', data.do);
      },
    });
  }
  return built;
}

async function onLegacyCard(data) {
  const asked = data.action.value?.do;
  await act('legacy', 'legacy', asked);
  return asked === 'none' ? undefined : { toast: TOAST };
}

function connect({ app, secret, domain, handlers }) {
  const client = new lark.WSClient({
    appId: app,
    appSecret: secret,
    domain,
    logger,
    loggerLevel: lark.LoggerLevel.warn,
    onError: (error) => say({ app, ended: error.message }),
  });
  client.start({ eventDispatcher: dispatcher(app, {}, handlers) });
}

function serve({ encrypt_key: encryptKey, verification_token: verificationToken }) {
  const options = { autoChallenge: true };
  const card = new lark.CardActionHandler({ encryptKey, verificationToken, logger }, onLegacyCard);
  const doors = {
    '/encrypted': dispatcher('encrypted', { encryptKey, verificationToken }),
    '/plain': dispatcher('plain', { verificationToken }),
    '/none': dispatcher('none', { verificationToken }, false),
    '/legacy': card,
  };
  const server = http.createServer((request, response) => {
    const door = lark.adaptDefault(request.url, doors[request.url], options);
    // What the adaptor throws escapes it. A server that does nothing about it never answers; the caller is told so.
    door(request, response).catch((error) => {
      log(error);
      request.socket.destroy();
    });
  });
  server.listen(0, '127.0.0.1', () => say({ webhook: server.address().port }));
}

serve(JSON.parse(process.argv[2]));
const orders = readline.createInterface({ input: process.stdin });
orders.on('line', (line) => connect(JSON.parse(line)));
orders.on('close', () => process.exit(0));
