// An author at the page of `aviary dev --open`: saves a change, sees it built, live and asked again; saves a mistake, and sees
// what the tools say about it. Arguments: the page's address, the source folder, a folder for screenshots.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

import { sitDown } from './person.js';

const [address, source, screenshots] = process.argv.slice(2);
const { browser, page, step } = await sitDown(screenshots);

const toast = (text) => page.locator('#toast', { hasText: text }).waitFor();
const built = (state, text) => page.locator(`#build.${state}`, { hasText: text }).waitFor();
const version = () => page.textContent('.fact.version dd');
const save = (name, from) => fs.copyFileSync(path.join(source, '..', from), path.join(source, name));

await page.goto(address);

await step('what was built is live and was asked', async () => {
  await built('live', 'copied');
  const asked = page.locator('.message', { hasText: 'click.json' });
  await asked.locator('.note', { hasText: 'copied' }).waitFor();
  await page.locator('.waterfall .guest .bar').waitFor();
});

await step('a click is answered', async () => {
  await page.click('#samples button[data-word=leave]');
  await page.locator('#chat .card', { hasText: 'Leave request' }).getByRole('button', { name: 'Approve' }).click();
  await toast('a');
});

await step('a change is built', async () => {
  const before = await version();
  // The build waits until somebody has seen that it is under way.
  fs.writeFileSync(path.join(source, '..', 'wait'), '');
  save('source.bin', 'b.bin');
  await built('running', 'sh -c');
  fs.rmSync(path.join(source, '..', 'wait'));
  await toast('b');
  await built('live', 'copied');
  // The card that was clicked has been clicked once more.
  await page.locator('.message', { hasText: 'Leave request' }).locator('.note', { hasText: 'Answered by copied' }).waitFor();
  const now = await version();
  assert.notEqual(now, before);
  await page.locator('.line', { hasText: `copied: version ${now}` }).waitFor();
  assert.ok((await page.textContent('#build-line')).includes(now));
});

await step('a mistake is shown in the words of the tools', async () => {
  const before = await version();
  fs.writeFileSync(path.join(source, 'notes.txt'), 'a mistake\n');
  await built('failed', 'failed with exit status');
  assert.match(await page.textContent('#build-said'), /notes\.txt:1:a mistake/);
  await page.locator('.line.bad').waitFor();
  await page.click('#again');
  await toast('b');
  assert.equal(await version(), before);
});

await step('and mended', async () => {
  fs.writeFileSync(path.join(source, 'notes.txt'), 'fine\n');
  await built('live', 'copied');
  assert.equal(await page.isVisible('#build-said'), false);
});

await step('what the host refuses is no version', async () => {
  fs.writeFileSync(path.join(source, 'source.bin'), 'text');
  await built('failed', 'not WebAssembly');
  await page.setViewportSize({ width: 380, height: 800 });
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(width <= 380, `${width} pixels`);
});

await browser.close();
