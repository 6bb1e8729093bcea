// What the page says, in English and Chinese.

const WORDS = {
  playground: ['playground', '演练场'],
  settings: ['Who clicks, and through which door', '谁在点击、走哪个通道'],
  door: ['Door', '通道'],
  long_connection: ['long connection', '长连接'],
  webhook: ['webhook', 'Webhook'],
  address: ['Address', '地址'],
  user: ['User', '用户'],
  tenant: ['Tenant', '租户'],
  locale: ['User reads', '用户语言'],
  language: ['Page', '页面语言'],
  chat: ['Chat', '会话'],
  welcome: ['Let the app send a card, and click on it. Or type a link.', '让应用发送一张卡片并点击它，或输入一个链接。'],
  send_a_card: ['Let the app send', '让应用发送'],
  message: ['Message', '消息'],
  type_a_link: ['Type a message; a link gets its preview', '输入消息；链接会显示预览'],
  send: ['Send', '发送'],
  paste_a_card: ['Paste a card', '粘贴卡片'],
  card_json: ['Card JSON', '卡片 JSON'],
  show_it: ['Show it in the chat', '显示到会话'],
  last_callback: ['Last callback', '最近一次回调'],
  nothing_yet: ['Here stands what went over the wire, who answered, and where the time went.', '这里会显示线路上的内容、由谁应答、时间花在哪里。'],
  send_again: ['Send it again', '再发一次'],
  what_was_sent: ['What the platform sent', '平台发送的内容'],
  what_came_back: ['What came back', '返回的内容'],
  frames: ['Frames on the wire', '线路上的帧'],
  plugins: ['Plugins', '插件'],
  no_plugins: ['Only a host in the same process tells (aviary demo --open, aviary dev --open).', '只有同一进程里的主机会报告（aviary demo --open、aviary dev --open）。'],
  connected: ['{0} connection(s) of {1}', '{1} 有 {0} 个连接'],
  nobody: ['No host is connected: clicks over the long connection show 200340.', '没有主机连接：通过长连接点击会显示 200340。'],
  lost: ['The simulated platform is gone.', '模拟平台已停止。'],
  you: ['You', '你'],
  app: ['App', '应用'],
  app_to: ['App, to {0}', '应用，发给 {0}'],
  nothing_changed: ['Answered; nothing changes.', '已应答，界面不变。'],
  new_card: ['The card changed.', '卡片已更新。'],
  took: ['End to end', '端到端'],
  code: ['Code', '状态码'],
  plugin: ['Plugin', '插件'],
  version: ['Version', '版本'],
  fuel: ['Fuel', '燃料'],
  outcome: ['Outcome', '结果'],
  reason: ['Because', '原因'],
  warnings: ['Likely wrong', '可能有误'],
  in_the_host: ['In the host', '主机内耗时'],
  where_the_time_went: ['Where the time went: {0} from the first byte to the last', '时间花在哪里：从首字节到末字节共 {0}'],
  step: ['Step', '步骤'],
  began: ['When', '何时'],
  time: ['Time', '耗时'],
  after: ['after {0}', '{0} 之后'],
  step_receive: ['receive', '接收'],
  step_verify: ['verify', '验证'],
  step_queue: ['queue', '排队'],
  step_instantiate: ['instantiate', '实例化'],
  step_guest: ['guest', '插件'],
  step_check: ['check', '检查'],
  step_send: ['send', '发送'],
  more_calls: ['and {0} more', '另有 {0} 次'],
  of_the_deadline: ['{0} of the {1} until the deadline', '期限 {1}，已用 {0}'],
  at_the_deadline: ['Answered at the deadline of {0}: the plugin was still at it.', '在 {0} 的期限时应答：插件还在运行。'],
  late_update: ['The card was updated afterwards.', '卡片稍后被更新。'],
  not_drawn: ['not drawn here: {0}', '此处不绘制：{0}'],
  template: ['not drawn here: the template {0}', '此处不绘制：模板 {0}'],
  leads_to: ['The card leads to {0}', '卡片链接到 {0}'],
  not_json: ['That is no JSON: {0}', '不是合法的 JSON：{0}'],
  choose: ['Choose…', '请选择…'],
  required: ['This is needed.', '此项必填。'],
  more: ['More', '更多'],
  went_live: ['{0}: version {1} is live', '{0}：版本 {1} 已生效'],
  answered_by: ['Answered by {0}, version {1}', '由 {0} 应答，版本 {1}'],
  sent_by_program: ['Sent without a click: {0}', '未经点击发送：{0}'],
  live_version: ['live, version {0}', '已生效，版本 {0}'],
  not_live: ['not live: {0}', '未生效：{0}'],
  nothing: ['nothing', '无'],
  building: ['Building: {0}', '正在构建：{0}'],
  build_failed: ['No new version: {0}. Live: {1}', '没有新版本：{0}。当前生效：{1}'],
  build_live: ['Live: {0}. Built and loaded in {1}', '已生效：{0}。构建并加载用时 {1}'],
  line_failed: ['The change did not become a version.', '此次更改未能成为新版本。'],
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
  for (const element of document.querySelectorAll('[data-label]')) element.setAttribute('aria-label', word(element.dataset.label));
  for (const element of document.querySelectorAll('[data-placeholder]')) {
    element.placeholder = word(element.dataset.placeholder);
  }
}
