// The published Node SDK, as its users run it: `node server.js ORDERS` with orders as JSON.
//
// {"webhook": {"encrypt_key", "verification_token"}} serves callbacks over HTTP and prints {"webhook": PORT}.
// {"long_connection": {"app", "secret", "domain", "connections"}} opens that many connections.

'use strict';

const http = require('node:http');
const path = require('node:path');
const { createRequire } = require('node:module');

// The SDK is installed into the build folder, which is the working directory.
const lark = createRequire(path.join(process.cwd(), 'package.json'))('@larksuiteoapi/node-sdk');

const dispatcher = (keys) =>
  new lark.EventDispatcher(keys).register({
    'card.action.trigger': async (data) => ({
      toast: { type: 'info', content: `Clicked by ${data.operator.open_id}` },
    }),
  });

function serve({ encrypt_key: encryptKey, verification_token: verificationToken }) {
  const server = http.createServer();
  const keys = { encryptKey, verificationToken };
  server.on('request', lark.adaptDefault('/callback', dispatcher(keys), { autoChallenge: true }));
  server.listen(0, '127.0.0.1', () =>
    process.stdout.write(`${JSON.stringify({ webhook: server.address().port })}\n`),
  );
}

function connect({ app, secret, domain, connections }) {
  for (let count = 0; count < connections; count += 1) {
    const client = new lark.WSClient({ appId: app, appSecret: secret, domain });
    client.start({ eventDispatcher: dispatcher({}) });
  }
}

const orders = JSON.parse(process.argv[2]);
if (orders.webhook) serve(orders.webhook);
if (orders.long_connection) connect(orders.long_connection);
