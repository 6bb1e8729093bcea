// What the page says, in English and Chinese.

const WORDS = {
  playground: ['playground', '演练场'],
  door: ['Door', '通道'],
  long_connection: ['long connection', '长连接'],
  webhook: ['webhook', 'Webhook'],
  address: ['Address', '地址'],
  user: ['User', '用户'],
  tenant: ['Tenant', '租户'],
  locale: ['User reads', '用户语言'],
  language: ['Page', '页面语言'],
  chat: ['Chat', '会话'],
  send_a_card: ['Let the app send:', '让应用发送：'],
  message: ['Message', '消息'],
  type_a_link: ['Type a message; a link gets its preview', '输入消息；链接会显示预览'],
  send: ['Send', '发送'],
  paste_a_card: ['Paste a card', '粘贴卡片'],
  card_json: ['Card JSON', '卡片 JSON'],
  show_it: ['Show it in the chat', '显示到会话'],
  last_callback: ['Last callback', '最近一次回调'],
  nothing_yet: ['Click something in a card, or type a link.', '点击卡片里的任意组件，或输入一个链接。'],
  send_again: ['Send it again', '再发一次'],
  what_was_sent: ['What the platform sent', '平台发送的内容'],
  what_came_back: ['What came back', '返回的内容'],
  frames: ['Frames on the wire', '线路上的帧'],
  plugins: ['Plugins', '插件'],
  no_plugins: ['Only a host in the same process tells (aviary demo --open).', '只有同一进程里的主机会报告（aviary demo --open）。'],
  connected: ['{0} connection(s) of {1}', '{1} 有 {0} 个连接'],
  nobody: ['No host is connected: clicks over the long connection show 200340.', '没有主机连接：通过长连接点击会显示 200340。'],
  you: ['You', '你'],
  app: ['App', '应用'],
  nothing_changed: ['Answered; nothing changes.', '已应答，界面不变。'],
  new_card: ['The card changed.', '卡片已更新。'],
  preview: ['Preview', '预览'],
  took: ['Time', '耗时'],
  code: ['Code', '状态码'],
  plugin: ['Plugin', '插件'],
  version: ['Version', '版本'],
  fuel: ['Fuel', '燃料'],
  outcome: ['Outcome', '结果'],
  in_the_host: ['In the host', '主机内耗时'],
  late_update: ['The card was updated afterwards.', '卡片稍后被更新。'],
  not_drawn: ['not drawn here: {0}', '此处不绘制：{0}'],
  not_json: ['That is no JSON: {0}', '不是合法的 JSON：{0}'],
  choose: ['Choose…', '请选择…'],
  more: ['More', '更多'],
  went_live: ['{0}: version {1} is live', '{0}：版本 {1} 已生效'],
  live: ['live', '生效'],
  not_live: ['not live: {0}', '未生效：{0}'],
  leave: ['a leave request', '请假申请'],
  form: ['a form', '表单'],
  components: ['every component', '全部组件'],
  old: ['an old card', '旧版卡片'],
  failed: ['The request failed: {0}', '请求失败：{0}'],
};

let language = navigator.language.startsWith('zh') ? 1 : 0;

export const word = (key, ...values) =>
  (WORDS[key]?.[language] ?? key).replace(/\{(\d)\}/g, (_, index) => values[index]);

export const currentLanguage = () => ['en', 'zh'][language];

/** Writes every word on the page in that language. */
export function speak(name) {
  language = name === 'zh' ? 1 : 0;
  document.documentElement.lang = name === 'zh' ? 'zh-CN' : 'en';
  for (const element of document.querySelectorAll('[data-word]')) element.textContent = word(element.dataset.word);
  for (const element of document.querySelectorAll('[data-placeholder]')) {
    element.placeholder = word(element.dataset.placeholder);
  }
}
