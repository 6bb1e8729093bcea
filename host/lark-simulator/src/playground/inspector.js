// Beside the chat: what went over the wire, who answered, and where the time went; what is live; and how a build goes.

import { find, make } from './dom.js';
import { writeJson } from './json.js';
import { drawWaterfall, time } from './waterfall.js';
import { word } from './words.js';

/** Shows one exchange in full. */
export function inspect(exchange) {
  find('nothing-yet').hidden = true;
  find('report').hidden = false;
  find('again').hidden = false;
  const { verdict, host } = exchange;
  const seen = [verdict.toast?.text, verdict.card && word('new_card'), verdict.preview_title, verdict.error && String(verdict.error.code)];
  find('verdict').textContent = seen.filter(Boolean).join(' · ') || word('nothing_changed');
  find('verdict').className = verdict.error ? 'bad' : 'good';
  const facts = [
    ['plugin', host?.plugin],
    ['version', host?.version],
    ['outcome', host?.outcome],
    ['fuel', host?.fuel?.toLocaleString()],
    ['in_the_host', host && time(host.ms * 1000)],
    ['took', `${exchange.elapsed_ms} ms`],
    ['code', exchange.code === 200 ? null : exchange.code],
    ['reason', host?.reason],
    ['warnings', host?.warnings?.length ? host.warnings.join('; ') : null],
  ];
  find('facts').replaceChildren(...facts.filter(([, value]) => value !== undefined && value !== null).map(([key, value]) =>
    make('div', `fact ${key}`, [make('dt', '', [word(key)]), make('dd', '', [String(value)])])));
  find('times').replaceChildren(...(host?.steps.length ? drawWaterfall(host) : []));
  writeJson(find('sent'), exchange.sent);
  writeJson(find('received'), exchange.received);
  writeJson(find('frames'), exchange.frames);
  find('frames-part').hidden = exchange.frames.sent.length === 0;
}

/** What is in the host's folder; it returns what is live, as name and version. */
export function showPlugins(plugins) {
  find('no-plugins').hidden = plugins.length > 0;
  find('plugins').replaceChildren(...plugins.map((plugin) => {
    const state = plugin.live ? word('live_version', plugin.version) : word('not_live', plugin.not_live_because);
    return make('li', plugin.live ? 'live' : 'off', [make('strong', '', [plugin.name]), ' ', make('span', 'soft', [state])]);
  }));
  return new Map(plugins.filter((plugin) => plugin.live).map((plugin) => [plugin.name, plugin.version]));
}

/** How far the plugin is whose source is followed. */
export function showBuild(build, live) {
  const banner = find('build');
  banner.hidden = !build;
  if (!build) return;
  banner.className = build.state;
  const versions = [...live].map(([name, version]) => `${name} ${version}`).join(', ');
  const lines = {
    running: () => word('building', build.command),
    failed: () => word('build_failed', build.why, versions || word('nothing')),
    live: () => word('build_live', versions, time(build.took_ms * 1000)),
  };
  find('build-line').textContent = lines[build.state]();
  find('build-said').textContent = build.said ?? '';
  find('build-said').hidden = !build.said;
}
