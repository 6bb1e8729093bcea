// A person at the playground: clicks, types, swaps a plugin. Arguments: the page's address, the plugins folder, a folder for
// screenshots.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { sitDown } from './person.js';

const [address, plugins, screenshots] = process.argv.slice(2);
const { browser, page, picture, step } = await sitDown(screenshots);

const STEPS = ['receive', 'verify', 'queue', 'instantiate', 'guest', 'check', 'send'];
/** After so many calls a plugin is as quick as it will be. */
const WARM = 5;
const toast = (text) => page.locator('#toast', { hasText: text }).waitFor();
const card = (text) => page.locator('#chat .card', { hasText: text }).last();
const sample = (name) => page.click(`#samples button[data-word=${name}]`);
const sent = async () => JSON.parse(await page.textContent('#sent'));
const sentHas = (text) => page.waitForFunction((wanted) => document.getElementById('sent').textContent.includes(wanted), text);
/** The rows of the picture: what is in each, and how much of the picture its bar takes. */
const waterfall = () => page.locator('.waterfall tbody tr').evaluateAll((rows) => rows.map((row) => ({
  name: row.querySelector('th').textContent,
  time: row.querySelector('.number').textContent,
  drawn: row.querySelector('.bar')?.getBoundingClientRect().width ?? 0,
})));
const paste = async (json) => {
  await page.locator('#composer details').evaluate((details) => { details.open = true; });
  await page.fill('#pasted', json);
  await page.click('#paste-form button');
  await page.locator('#composer details').evaluate((details) => { details.open = false; });
};

// It shall meet the deadline, and not its budget. Read with the first change of the folder.
fs.writeFileSync(path.join(plugins, 'runaway.toml'), '[limits]\nfuel = 1000000000000\n');

await page.goto(address);

await step('approve by keyboard', async () => {
  await sample('leave');
  await card('Leave request').getByRole('button', { name: 'Approve' }).focus();
  await page.keyboard.press('Enter');
  await toast('Approved');
  await card('Leave approved').waitFor();
  await page.locator('#facts', { hasText: 'approval_card' }).waitFor();
});

await step('each step of it is drawn', async () => {
  // The first call of a plugin is its slowest.
  for (let call = 0; call < WARM; call += 1) {
    const before = (await sent()).header.event_id;
    await page.click('#again');
    await page.waitForFunction((id) => !document.getElementById('sent').textContent.includes(id), before);
  }
  // The picture in README.md.
  await page.setViewportSize({ width: 1000, height: 620 });
  await page.evaluate(() => document.activeElement.blur());
  await picture('playground.jpg', { type: 'jpeg', quality: 80 });
  await page.setViewportSize({ width: 1200, height: 900 });
  const rows = await waterfall();
  assert.deepEqual(rows.map((row) => row.name), STEPS);
  for (const row of rows) {
    assert.match(row.time, /^(<1|\d+(\.\d+)?) (µs|ms|s)$/);
    assert.ok(row.drawn >= 2, JSON.stringify(row));
  }
  assert.match(await page.textContent('.waterfall caption'), /first byte to the last/);
  assert.match(await page.textContent('.budget'), /^\d.* of the 2\.50 s until the deadline$/);
  const { host } = JSON.parse(await page.evaluate(async (body) => (await fetch('/simulator/send', { method: 'POST', headers: { 'content-type': 'application/json' }, body })).text(), JSON.stringify({
    app_id: (await sent()).header.app_id, kind: 'card_action', value: { kind: 'leave', decision: 'approve', applicant: 'Bo' },
  })));
  // Each begins where the one before has ended.
  for (const [index, { at_us: at }] of host.steps.entries()) {
    const before = host.steps[index - 1] ?? { at_us: 0, took_us: 0 };
    assert.ok(Math.abs(before.at_us + before.took_us - at) <= 1, JSON.stringify(host.steps));
  }
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
  const form = card('Ask for a leave');
  await form.getByRole('button', { name: 'Ask' }).click();
  assert.equal(await form.getByLabel('Days').evaluate((input) => input.validity.customError), true);
  await form.getByLabel('Days').fill('9');
  await form.getByRole('button', { name: 'Reset' }).click();
  assert.equal(await form.getByLabel('Days').inputValue(), '');
  await form.getByLabel('Days').fill('3');
  await form.getByLabel('Kind').selectOption('holiday');
  await form.getByLabel('reached').check();
  await form.getByRole('button', { name: 'Ask' }).click();
  await toast('Sent');
  const { days, kind, from, reachable } = (await sent()).event.action.form_value;
  assert.deepEqual({ days, kind, reachable }, { days: '3', kind: 'holiday', reachable: true });
  assert.match(from, /^2026-01-05 [+-]\d{4}$/);
  const calls = (await waterfall()).map((row) => row.name);
  assert.ok(calls.indexOf('open-api.call') > calls.indexOf('guest') && calls.indexOf('open-api.call') < calls.indexOf('check'), String(calls));
});

await step('what the app sends is clicked by another user', async () => {
  const request = page.locator('.message', { hasText: 'ou_approver' }).last();
  await request.getByRole('button', { name: 'Approve' }).click();
  await page.locator('#facts', { hasText: 'refused' }).waitFor();
  // Nobody was called, and the picture says so.
  const absent = (await waterfall()).filter((row) => row.drawn === 0).map((row) => row.name);
  assert.ok(absent.includes('guest') && absent.includes('instantiate'), String(absent));
  await page.fill('#user', 'ou_approver');
  await request.getByRole('button', { name: 'Approve' }).click();
  await toast('Request approved');
  await request.locator('.card', { hasText: 'who asked was told' }).waitFor();
  await request.locator('.note', { hasText: 'updated afterwards' }).waitFor();
  await page.locator('.message', { hasText: 'App, to ou_ana' }).waitFor();
  await page.fill('#user', 'ou_ana');
});

await step('a link gets its preview while it is typed', async () => {
  await page.fill('#message', 'see https://issues.example.com/browse/ABC-7');
  await page.locator('#typed', { hasText: 'ABC-7 · Issue' }).waitFor();
  assert.equal((await sent()).event.context.open_message_id, '');
  await page.press('#message', 'Enter');
  await page.locator('.message .titled', { hasText: 'ABC-7 · Issue' }).waitFor();
  await card('Open the issue').waitFor();
  assert.equal(await page.isVisible('#typed'), false);
});

await step('what is not drawn is named', async () => {
  await sample('components');
  await page.locator('.unknown', { hasText: 'chart' }).waitFor();
  assert.equal(await card('Components').locator('.unknown').count(), 1);
  await sample('old');
  await card('An old card').getByRole('button', { name: 'Approve' }).waitFor();
  await paste(JSON.stringify({ type: 'template', data: { template_id: 'AAq1' } }));
  await page.locator('.unknown', { hasText: 'AAq1' }).waitFor();
});

await step('every component sends what was done to it', async () => {
  const action = async (kind, act) => {
    await sample('components');
    await act(card('Components'));
    await sentHas(`"${kind}"`);
    return (await sent()).event.action;
  };
  const pick = (name, value) => (drawn) => drawn.getByLabel(name, { exact: true }).fill(value);
  assert.equal((await action('select', (drawn) => drawn.getByLabel('One', { exact: true }).selectOption('blue'))).option, 'blue');
  assert.deepEqual((await action('selects', (drawn) => drawn.getByLabel('many', { exact: true }).selectOption(['red', 'green']))).options, ['red', 'green']);
  assert.equal((await action('input', async (drawn) => {
    await drawn.getByLabel('Press Enter').fill('hi');
    await page.keyboard.press('Enter');
  })).input_value, 'hi');
  assert.equal((await action('checker', (drawn) => drawn.getByLabel('Done', { exact: true }).first().check())).checked, true);
  assert.match((await action('date', pick('date', '2026-02-03'))).option, /^2026-02-03 [+-]\d{4}$/);
  assert.match((await action('time', pick('time', '10:30'))).option, /^10:30 [+-]\d{4}$/);
  assert.equal((await action('overflow', async (drawn) => {
    await drawn.locator('.menu summary').click();
    await drawn.getByRole('button', { name: 'Copy' }).click();
  })).option, 'copy');
  await action('container', async (drawn) => {
    await drawn.locator('.clickable').focus();
    await page.keyboard.press('Enter');
  });
});

await step('a card runs no script', async () => {
  const evil = '<img src=x onerror="window.ran=1"> [x](javascript:window.ran=1)';
  await paste(JSON.stringify({ schema: '2.0', body: { elements: [{ tag: 'markdown', content: evil }] } }));
  await card('onerror').waitFor();
  assert.equal(await page.locator('.card img').count(), 0);
  assert.equal(await page.locator('.card a[href^=javascript]').count(), 0);
  assert.equal(await page.evaluate(() => window.ran), undefined);
  await paste('{');
  await page.locator('#composer details').evaluate((details) => { details.open = true; });
  await page.locator('#paste-error', { hasText: 'no JSON' }).waitFor();
  await page.locator('#composer details').evaluate((details) => { details.open = false; });
});

await step('a webhook that the program did not open is refused, in Chinese', async () => {
  await page.selectOption('#language', 'zh');
  assert.equal(await page.textContent('#chat-title'), '会话');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
  await page.selectOption('#door', 'webhook');
  const webhook = await page.inputValue('#url');
  await page.fill('#url', 'http://127.0.0.1:1/callback');
  await sample('leave');
  await card('Leave request').getByRole('button', { name: 'Approve' }).click();
  await page.locator('.trouble', { hasText: /^请求失败：.*is not one of this program's webhooks/ }).waitFor();
  await page.fill('#url', webhook);
  await page.selectOption('#door', 'long_connection');
  await page.selectOption('#language', 'en');
});

await step('a plugin is swapped and asked again', async () => {
  await sample('leave');
  await card('Leave request').getByRole('button', { name: 'Approve' }).click();
  await card('Leave approved').waitFor();
  await sentHas('leave');
  const before = (await sent()).header.event_id;
  const version = await page.textContent('.fact.version dd');
  const file = path.join(plugins, 'approval_card.wasm');
  // A custom section more is another version that does the same.
  const another = Buffer.concat([fs.readFileSync(file), Buffer.from([0, 5, 4]), Buffer.from('swap')]);
  fs.writeFileSync(`${file}.next`, another);
  fs.renameSync(`${file}.next`, file);
  await page.waitForFunction((id) => !document.getElementById('sent').textContent.includes(id), before);
  await page.locator('.line', { hasText: 'approval_card: version' }).waitFor();
  // In the message that was clicked, and not in another one.
  const answered = page.locator('.message', { hasText: 'Leave approved' }).last();
  await answered.locator('.note', { hasText: 'Answered by approval_card' }).waitFor();
  const now = await page.textContent('.fact.version dd');
  assert.notEqual(now, version);
  await page.locator('#plugins li', { hasText: now }).waitFor();
});

await step('a file that is no plugin is named with its reason', async () => {
  fs.writeFileSync(path.join(plugins, 'broken.wasm'), 'text');
  await page.locator('#plugins li.off', { hasText: 'broken' }).waitFor();
});

await step('an answer at the deadline', async () => {
  await paste(JSON.stringify({ schema: '2.0', body: { elements: [{ tag: 'button', text: { tag: 'plain_text', content: 'Spin' }, behaviors: [{ type: 'callback', value: { kind: 'runaway' } }] }] } }));
  await card('Spin').getByRole('button', { name: 'Spin' }).click();
  await page.locator('.budget.late', { hasText: 'still at it' }).waitFor();
  const rows = await waterfall();
  const guest = rows.find((row) => row.name === 'guest');
  assert.ok(guest.drawn > 10 * rows.find((row) => row.name === 'check').drawn, JSON.stringify(rows));
  assert.equal(await page.locator('.waterfall.near').count(), 1);
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
  assert.equal(paper, 'rgb(31, 33, 36)');
});

await browser.close();
