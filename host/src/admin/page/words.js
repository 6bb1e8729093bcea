// What the page says, in English and Chinese, and how it writes numbers and times.

const WORDS = {
  language: ['Language', '语言'],
  sign_out: ['Sign out', '退出登录'],
  well: ['All is well', '一切正常'],
  look_at: ['Ready, {0} to look at', '就绪，{0} 项需要留意'],
  not_ready: ['Not ready', '未就绪'],
  silent: ['No answer from the host', '主机没有响应'],
  about: ['Aviary {0}, running for {1}', 'Aviary {0}，已运行 {1}'],
  attention: ['Needs attention', '需要留意'],
  last_hour: ['Last hour', '最近一小时'],
  show: ['Show', '显示'],
  all_plugins: ['all plugins', '全部插件'],
  calls: ['Calls per second', '每秒调用'],
  times: ['Time to the answer', '应答耗时'],
  failures: ['Failures', '失败'],
  now: ['now', '当前'],
  minutes_ago: ['{0} min ago', '{0} 分钟前'],
  in_the_hour: ['{0} of {1} calls', '{1} 次调用中的 {0} 次'],
  calls_in_the_hour: ['{0} calls in the hour', '一小时内 {0} 次调用'],
  of_99: ['99 of 100 within it', '百分之 99 在此之内'],
  chart: ['{0}. Now {1}, at most {2}. Arrow keys move through the hour.', '{0}。当前 {1}，最高 {2}。用方向键逐点查看。'],
  plugins: ['Plugins', '插件'],
  plugin: ['Plugin', '插件'],
  trend: ['Calls', '调用'],
  per_second: ['Per second', '每秒'],
  no_plugins: ['There is no plugin in the folder yet.', '文件夹里还没有插件。'],
  live_for: ['live for {0}', '已生效 {0}'],
  not_live: ['not live', '未生效'],
  file_not_live: ['new file not live', '新文件未生效'],
  paused: ['paused', '已暂停'],
  probing: ['being tried again', '重试中'],
  rolled_back: ['rolled back', '已回滚'],
  canary: ['canary', '金丝雀'],
  canary_has: ['{0} has {1} % of the users: {2} of {3} calls, {4} failures', '{0} 服务 {1} % 的用户：{3} 次调用中已有 {2} 次，失败 {4} 次'],
  why: ['Why', '原因'],
  handles: ['Handles', '处理'],
  routes: ['Routes', '路由'],
  everything: ['every callback', '所有回调'],
  outcomes: ['Outcomes, last hour', '最近一小时的结果'],
  fuel_per_call: ['Fuel of a call', '每次调用的燃料'],
  since_start: ['Since this version is live', '自此版本生效'],
  calls_and_failures: ['{0} calls, {1} failures, {2} instances', '{0} 次调用，{1} 次失败，{2} 个实例'],
  promoted: ['Promoted because', '晋升原因'],
  breaker: ['Breaker', '熔断'],
  running: ['closed, calls go through', '闭合，正常调用'],
  paused_for: ['open for another {0}: it kept failing', '断开，还有 {0}：连续失败'],
  before: ['Version before', '上一版本'],
  roll_back: ['Roll back', '回滚'],
  roll_back_to: ['Roll {0} back to {1}', '把 {0} 回滚到 {1}'],
  sure: ['Take {0} back from {1} to {2}? It stays until its file changes.', '把 {0} 从 {1} 回滚到 {2}？在文件再次变化之前一直有效。'],
  leave_it: ['Leave it', '取消'],
  is_back: ['{0} is {1} again', '{0} 已回到 {1}'],
  failed: ['Something went wrong: {0}', '操作失败：{0}'],
  inbox: ['Inbox', '收件箱'],
  inbox_waiting: ['{0} waiting, {1} of them under way', '{0} 个等待，其中 {1} 个处理中'],
  inbox_aside: ['{0} set aside', '{0} 个已搁置'],
  inbox_oldest: ['the oldest for {0}', '最早的已等待 {0}'],
  inbox_decide: ['`aviary inbox` shows why, and tries them again or drops them', '用 `aviary inbox` 查看原因、重试或丢弃'],
  inbox_silent: ['The store does not answer.', '存储没有响应。'],
  doors: ['Doors', '通道'],
  webhook: ['Webhook', 'Webhook'],
  long_connection: ['Long connection', '长连接'],
  connection: ['Long connection {0}', '长连接 {0}'],
  up: ['open', '已打开'],
  down: ['dialling', '连接中'],
  given_up: ['given up', '已放弃'],
  elsewhere: ['mounted in another server', '挂载在其他服务器中'],
  callbacks: ['Recent callbacks', '最近的回调'],
  only_failures: ['only failures', '只看失败'],
  no_callbacks: ['Nothing yet. What is clicked shows up here.', '还没有回调。点击会显示在这里。'],
  newer: ['{0} newer: close this one and show them', '有 {0} 条更新：关闭当前并显示'],
  receive: ['receive', '接收'],
  verify: ['verify', '校验'],
  queue: ['queue', '排队'],
  instantiate: ['instantiate', '实例化'],
  guest: ['plugin', '插件'],
  check: ['check', '检查'],
  send: ['send', '发送'],
  more_calls: ['and {0} calls more', '以及另外 {0} 次调用'],
  event_id: ['Event', '事件'],
  app: ['App', '应用'],
  door: ['Door', '通道'],
  version: ['Version', '版本'],
  fuel: ['Fuel', '燃料'],
  reason: ['Reason', '原因'],
  answered: ['answered', '已应答'],
  plugin_failure: ['plugin failure', '插件报错'],
  deadline: ['deadline', '超时'],
  out_of_fuel: ['out of fuel', '燃料用尽'],
  out_of_memory: ['out of memory', '内存不足'],
  trap: ['crash', '崩溃'],
  invalid_reply: ['invalid reply', '应答无效'],
  no_handler: ['no handler', '无处理者'],
  overload: ['overload', '过载'],
  repeated: ['repeated', '重复'],
  cached: ['cached', '缓存'],
  refused: ['refused', '已拒绝'],
  too_old: ['too old', '过旧'],
  host: ['host', '主机'],
  seconds: ['{0} s', '{0} 秒'],
  minutes: ['{0} min', '{0} 分钟'],
  hours: ['{0} h', '{0} 小时'],
  days: ['{0} days', '{0} 天'],
};
const LANGUAGES = ['en', 'zh'];
const KEPT = 'aviary-language';

const wanted = localStorage.getItem(KEPT) ?? (navigator.language.startsWith('zh') ? 'zh' : 'en');
let language = Math.max(0, LANGUAGES.indexOf(wanted));

export const word = (key, ...values) =>
  (WORDS[key]?.[language] ?? key).replace(/\{(\d)\}/g, (_, index) => values[index]);

export const currentLanguage = () => LANGUAGES[language];

/** Writes every word that stands in the page itself in that language. */
export function speak(name) {
  language = Math.max(0, LANGUAGES.indexOf(name));
  localStorage.setItem(KEPT, LANGUAGES[language]);
  document.documentElement.lang = ['en', 'zh-CN'][language];
  for (const element of document.querySelectorAll('[data-word]')) element.textContent = word(element.dataset.word);
}

const digits = (value, most) => value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: most });

export const count = (value) => digits(value, 0);

export const rate = (value) => digits(value, value < 10 ? 2 : value < 100 ? 1 : 0);

/** From microseconds to seconds, with three digits. */
export function took(ms) {
  if (ms === null || ms === undefined) return '–';
  if (ms < 1) return `${digits(ms * 1000, 0)} µs`;
  if (ms < 1000) return `${digits(ms, ms < 10 ? 2 : ms < 100 ? 1 : 0)} ms`;
  return `${digits(ms / 1000, 2)} s`;
}

export function lasting(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 120) return word('seconds', seconds);
  if (seconds < 7200) return word('minutes', Math.floor(seconds / 60));
  if (seconds < 172800) return word('hours', Math.floor(seconds / 3600));
  return word('days', Math.floor(seconds / 86400));
}
