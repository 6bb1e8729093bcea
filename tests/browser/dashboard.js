// An operator at the dashboard: signs in, watches clicks, a failure and a swap, and goes back to the version before. Arguments: the
// page's address, the token, the simulated platform, the webhook, the plugins folder, a folder for screenshots.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { sitDown } from './person.js';

const [address, token, platform, webhook, plugins, screenshots] = process.argv.slice(2);
const { browser, page, picture, step } = await sitDown(screenshots);

const row = (name) => page.locator('#plugins tbody tr', { has: page.getByRole('button', { name, exact: true }) });
const callback = (text) => page.locator('#callbacks summary', { hasText: text }).first();

/** A user does something; what the host answers is the platform's business. */
async function send(door, action) {
  const { apps: [app] } = await (await fetch(`${platform}/simulator/state`)).json();
  const request = { app_id: app.id, door, ...(door === 'webhook' ? { url: webhook } : {}), ...action };
  const response = await fetch(`${platform}/simulator/send`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  });
  assert.equal(response.status, 200, await response.text());
}

const click = (door, name, value, more = {}) =>
  send(door, { kind: 'card_action', tag: 'button', name, value, ...more });
const approve = (door) => click(door, 'approve', { kind: 'leave', decision: 'approve', applicant: 'Ana' });

const leave = (name, bytes) => {
  const file = path.join(plugins, name);
  fs.writeFileSync(`${file}.next`, bytes);
  fs.renameSync(`${file}.next`, file);
};

await step('the token opens it', async () => {
  await page.goto(address);
  await page.getByLabel('Token').fill('not the token at all');
  await page.keyboard.press('Enter');
  await page.getByText('That is not the token').waitFor();
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
  await page.locator('#state', { hasText: 'All is well' }).waitFor();
  await row('approval_card').waitFor();
});

await step('clicks are seen', async () => {
  for (const door of ['long_connection', 'webhook']) {
    for (let number = 0; number < 6; number += 1) await approve(door);
  }
  await page.locator('#charts .note', { hasText: '12 calls in the hour' }).waitFor();
  await callback('answered').click();
  await page.locator('.waterfall', { hasText: 'instantiate' }).waitFor();
  // While somebody reads one, the list rests; and goes on when it is closed.
  await approve('webhook');
  await page.locator('#newer', { hasText: '1 newer' }).click();
  assert.equal(await page.locator('#callbacks details[open]').count(), 0);
});

await step('a failure is seen', async () => {
  for (let number = 0; number < 4; number += 1) await click('webhook', 'crash', {}, { open_id: `ou_${number}` });
  await page.locator('#attention li', { hasText: 'trap: paused' }).waitFor();
  await page.locator('#state', { hasText: '1 to look at' }).waitFor();
  await page.check('#only-failures');
  assert.equal(await page.locator('#callbacks li').count(), 4);
  await callback('crash').click();
  await page.locator('.opened .facts', { hasText: 'the plugin crashed' }).waitFor();
  await page.uncheck('#only-failures');
});

await step('a file that does not load says why', async () => {
  leave('<img src=x onerror=window.ran=1>.wasm', 'no plugin');
  await page.locator('#attention li', { hasText: 'onerror' }).waitFor();
  assert.equal(await page.locator('main img').count(), 0);
  assert.equal(await page.evaluate(() => window.ran), undefined);
});

await step('a plugin of its own hour', async () => {
  await page.selectOption('#of', { label: 'approval_card' });
  await page.locator('#charts .note', { hasText: '13 calls in the hour' }).waitFor();
  await page.locator('#charts .plot').first().focus();
  await page.keyboard.press('ArrowLeft');
  await page.locator('.tip', { hasText: 'now:' }).waitFor();
  await page.selectOption('#of', { index: 0 });
});

const version = () => row('approval_card').locator('.mono').textContent();
const before = await version();

await step('a swap is seen', async () => {
  const file = fs.readFileSync(path.join(plugins, 'approval_card.wasm'));
  // A custom section more is another version that does the same.
  leave('approval_card.wasm', Buffer.concat([file, Buffer.from([0, 5, 4]), Buffer.from('swap')]));
  await row('approval_card').getByRole('button', { name: /^Roll/ }).waitFor();
  assert.notEqual(await version(), before);
  await row('approval_card').getByRole('button', { name: 'approval_card', exact: true }).click();
  await page.locator('#plugins .detail .facts', { hasText: 'Version before' }).waitFor();
});

await step('and taken back by keyboard', async () => {
  await row('approval_card').getByRole('button', { name: /^Roll/ }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Roll back' }).focus();
  await picture('the-question.png');
  await page.keyboard.press('Enter');
  await page.locator('#toast', { hasText: `approval_card is ${before} again` }).waitFor();
  await row('approval_card').locator('.badge', { hasText: 'rolled back' }).waitFor();
  assert.equal(await version(), before);
});

await step('in Chinese', async () => {
  await page.selectOption('#language', 'zh');
  assert.equal(await page.textContent('#plugins-title'), '插件');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
  await page.reload();
  await page.locator('#plugins-title', { hasText: '插件' }).waitFor();
  await page.selectOption('#language', 'en');
});

await step('on a telephone', async () => {
  await page.setViewportSize({ width: 380, height: 800 });
  await row('approval_card').waitFor();
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 380, `${width} pixels`);
});

await step('at night', async () => {
  await page.setViewportSize({ width: 1200, height: 900 });
  await page.emulateMedia({ colorScheme: 'dark' });
  const paper = await page.evaluate(() => getComputedStyle(document.querySelector('#plugins table')).backgroundColor);
  assert.equal(paper, 'rgb(23, 26, 32)');
});

await step('nothing is asked while nobody looks', async () => {
  let asked = 0;
  page.on('request', () => { asked += 1; });
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: true, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  // What was under way may still end, and two looks would be seen after that.
  await page.waitForTimeout(1500);
  asked = 0;
  await page.waitForTimeout(3000);
  assert.equal(asked, 0);
  await page.evaluate(() => {
    Object.defineProperty(document, 'hidden', { value: false, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await page.waitForRequest(/dashboard\.json/);
});

await step('signed out', async () => {
  await page.click('#sign-out button');
  await page.getByLabel('Token').waitFor();
});

await browser.close();
