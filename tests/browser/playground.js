// A person at the playground: clicks, types, swaps a plugin. Every step is one line of JSON on standard output, the first
// that fails ends it. Arguments: the page's address, the plugins folder, a folder for screenshots.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// The packages are in the build folder, which is the working directory.
const require = createRequire(path.join(process.cwd(), 'package.json'));
const installed = async (name) => import(pathToFileURL(require.resolve(name)));
const { default: shell } = await installed('@sparticuz/chromium');
const { chromium } = require('playwright-core');

const [address, plugins, screenshots] = process.argv.slice(2);
// Nothing that this waits for takes a second on an idle machine.
const PATIENCE = 60_000;
const OFFLINE = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

const browser = await chromium.launch({ executablePath: await shell.executablePath(), args: [...shell.args, ...OFFLINE] });
const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, locale: 'en-US' });
page.setDefaultTimeout(PATIENCE);
const errors = [];
page.on('pageerror', (error) => errors.push(error.message));

const toast = (text) => page.locator('#toast', { hasText: text }).waitFor();
const card = (text) => page.locator('.card', { hasText: text }).last();
const sample = (name) => page.click(`#samples button[data-word=${name}]`);
const sent = async () => JSON.parse(await page.textContent('#sent'));
const paste = async (json) => {
  await page.locator('#composer details').evaluate((details) => { details.open = true; });
  await page.fill('#pasted', json);
  await page.click('#paste-form button');
};

async function step(name, work) {
  await work();
  assert.deepEqual(errors, []);
  await page.screenshot({ path: path.join(screenshots, `${name.replaceAll(' ', '-')}.png`), fullPage: true });
  console.log(JSON.stringify({ step: name }));
}

await page.goto(address);

await step('approve by keyboard', async () => {
  await sample('leave');
  await card('Leave request').getByRole('button', { name: 'Approve' }).focus();
  await page.keyboard.press('Enter');
  await toast('Approved');
  await card('Leave approved').waitFor();
  await page.locator('#facts', { hasText: 'approval_card' }).waitFor();
  // The picture in README.md.
  await page.setViewportSize({ width: 1000, height: 560 });
  await page.screenshot({ path: path.join(screenshots, 'playground.jpg'), type: 'jpeg', quality: 80 });
  await page.setViewportSize({ width: 1200, height: 900 });
});

await step('the same by webhook', async () => {
  await page.selectOption('#door', 'webhook');
  await sample('leave');
  await card('Leave request').getByRole('button', { name: 'Reject' }).click();
  await toast('Rejected');
  assert.equal(await page.isVisible('#frames-part'), false);
  await page.selectOption('#door', 'long_connection');
});

await step('a form is sent as it was filled in', async () => {
  await sample('form');
  const form = card('Order lunch');
  await form.getByLabel('Dish').fill('noodles');
  await form.getByLabel('Size').selectOption('large');
  await form.getByLabel('Spicy').check();
  await form.getByRole('button', { name: 'Order' }).click();
  await page.waitForFunction(() => document.getElementById('sent').textContent.includes('form_value'));
  const { form_value: value } = (await sent()).event.action;
  assert.deepEqual(value, { dish: 'noodles', size: 'large', day: '', spicy: true });
});

await step('a link gets its preview', async () => {
  await page.fill('#message', 'see https://issues.example.com/browse/ABC-7');
  await page.press('#message', 'Enter');
  await page.locator('.message', { hasText: 'ABC-7 · Issue' }).waitFor();
});

await step('what is not drawn is named', async () => {
  await sample('components');
  await page.locator('.unknown', { hasText: 'chart' }).waitFor();
  assert.equal(await card('Components').locator('.unknown').count(), 1);
});

await step('a card runs no script', async () => {
  const evil = '<img src=x onerror="window.ran=1"> [x](javascript:window.ran=1)';
  await paste(JSON.stringify({ schema: '2.0', body: { elements: [{ tag: 'markdown', content: evil }] } }));
  await page.locator('.card', { hasText: 'onerror' }).waitFor();
  assert.equal(await page.locator('.card img').count(), 0);
  assert.equal(await page.locator('.card a[href^=javascript]').count(), 0);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  await paste('{');
  await page.locator('#paste-error', { hasText: 'no JSON' }).waitFor();
});

await step('an error is explained in Chinese', async () => {
  await page.selectOption('#language', 'zh');
  assert.equal(await page.textContent('#chat-title'), '会话');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
  await page.selectOption('#door', 'webhook');
  await page.fill('#url', 'http://127.0.0.1:1/callback');
  await sample('leave');
  await card('Leave request').getByRole('button', { name: 'Approve' }).click();
  await page.locator('.trouble', { hasText: '平台无法与回调地址建立 TCP 连接' }).waitFor();
  await page.selectOption('#door', 'long_connection');
  await page.selectOption('#language', 'en');
});

await step('a plugin is swapped and asked again', async () => {
  await sample('leave');
  await card('Leave request').getByRole('button', { name: 'Approve' }).click();
  await toast('Approved');
  const before = (await sent()).header.event_id;
  const file = path.join(plugins, 'approval_card.wasm');
  // A custom section more is another version that does the same.
  const another = Buffer.concat([fs.readFileSync(file), Buffer.from([0, 5, 4]), Buffer.from('swap')]);
  fs.writeFileSync(`${file}.next`, another);
  fs.renameSync(`${file}.next`, file);
  await page.waitForFunction((id) => !document.getElementById('sent').textContent.includes(id), before);
  await card('Leave approved').waitFor();
});

await step('a telephone shows all of it', async () => {
  await page.setViewportSize({ width: 380, height: 800 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 380, `${width} pixels`);
});

await step('in the dark', async () => {
  await page.setViewportSize({ width: 1200, height: 900 });
  await page.emulateMedia({ colorScheme: 'dark' });
  const paper = await page.evaluate(() => getComputedStyle(document.querySelector('.card')).backgroundColor);
  assert.equal(paper, 'rgb(35, 36, 38)');
});

await browser.close();
