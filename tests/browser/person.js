// A person at a browser: one headless Chromium, one page, and steps that leave a picture each. Every step is one line of JSON on
// standard output, the first that fails ends it.

import assert from 'node:assert/strict';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// The packages are in the build folder, which is the working directory.
const require = createRequire(path.join(process.cwd(), 'package.json'));
const installed = async (name) => import(pathToFileURL(require.resolve(name)));
const { default: shell } = await installed('@sparticuz/chromium');
const { chromium } = require('playwright-core');

// Nothing that a person waits for takes a second on an idle machine.
const PATIENCE = 60_000;
const OFFLINE = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];

/** Pictures go into that folder. */
export async function sitDown(screenshots) {
  const browser = await chromium.launch({ executablePath: await shell.executablePath(), args: [...shell.args, ...OFFLINE] });
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 }, locale: 'en-US' });
  page.setDefaultTimeout(PATIENCE);
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  const picture = (name, options = {}) => page.screenshot({ path: path.join(screenshots, name), ...options });
  const step = async (name, work) => {
    await work();
    assert.deepEqual(errors, []);
    await picture(`${name.replaceAll(' ', '-')}.png`, { fullPage: true });
    console.log(JSON.stringify({ step: name }));
  };
  return { browser, page, picture, step };
}
