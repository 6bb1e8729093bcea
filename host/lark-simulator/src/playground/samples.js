// Cards that the app sends when asked to. The first is answered by the example plugin for approvals.

const text = (content, zh) => ({ tag: 'plain_text', content, ...(zh ? { i18n_content: { zh_cn: zh } } : {}) });
const button = (label, type, value, more = {}) => ({
  tag: 'button', text: label, type, behaviors: [{ type: 'callback', value }], ...more,
});
const options = (...names) => names.map((name) => ({ text: text(name), value: name.toLowerCase() }));

export const SAMPLES = {
  leave: {
    schema: '2.0',
    header: { title: text('Leave request', '请假申请'), template: 'blue' },
    body: {
      elements: [
        { tag: 'markdown', content: '**Ana** asks for **two days** off, from Thursday.' },
        {
          tag: 'column_set',
          columns: [
            { tag: 'column', width: 'auto', elements: [button(text('Approve', '批准'), 'primary', { kind: 'leave', decision: 'approve', applicant: 'Ana' })] },
            { tag: 'column', elements: [button(text('Reject', '拒绝'), 'danger', { kind: 'leave', decision: 'reject', applicant: 'Ana' })] },
          ],
        },
      ],
    },
  },
  form: {
    schema: '2.0',
    header: { title: text('Ask for a leave', '申请休假'), template: 'turquoise' },
    body: {
      elements: [{
        tag: 'form', name: 'leave',
        elements: [
          { tag: 'input', name: 'days', required: true, label: text('Days', '天数'), placeholder: text('2') },
          { tag: 'select_static', name: 'kind', placeholder: text('Kind', '类型'), options: options('Holiday', 'Sick') },
          { tag: 'date_picker', name: 'from', placeholder: text('From', '开始日期'), initial_date: '2026-01-05' },
          { tag: 'checker', name: 'reachable', text: text('I can be reached', '可以联系到我') },
          {
            tag: 'column_set',
            columns: [
              { tag: 'column', width: 'auto', elements: [button(text('Ask', '提交'), 'primary', { leave: 'request' }, { name: 'ask', form_action_type: 'submit' })] },
              { tag: 'column', elements: [{ tag: 'button', name: 'reset', text: text('Reset', '重置'), form_action_type: 'reset' }] },
            ],
          },
        ],
      }],
    },
  },
  components: {
    schema: '2.0',
    header: {
      title: text('Components', '组件'), subtitle: text('JSON 2.0'), template: 'purple',
      text_tag_list: [{ tag: 'text_tag', text: text('all of them', '全部'), color: 'purple' }],
    },
    body: {
      elements: [
        { tag: 'div', text: text('A plain text, and below it markdown:') },
        { tag: 'markdown', content: '**bold** *italic* ~~gone~~ `code` [a link](https://example.com)\n- one\n- two\n<at id=all></at> <font color=\'green\'>green</font>' },
        { tag: 'hr' },
        { tag: 'img', img_key: 'img_v3_placeholder', alt: text('a chart of the week') },
        { tag: 'person', user_id: 'ou_ana' },
        { tag: 'person_list', persons: [{ id: 'ou_ana' }, { id: 'ou_bo' }] },
        { tag: 'table', columns: [{ name: 'who', display_name: 'Who' }, { name: 'days', display_name: 'Days', data_type: 'number' }], rows: [{ who: 'Ana', days: 2 }, { who: 'Bo', days: 5 }] },
        { tag: 'collapsible_panel', header: { title: text('More') }, elements: [{ tag: 'markdown', content: 'It was folded.' }] },
        { tag: 'interactive_container', behaviors: [{ type: 'callback', value: { kind: 'container' } }], elements: [{ tag: 'markdown', content: 'The whole box can be clicked.' }] },
        { tag: 'select_static', name: 'one', placeholder: text('One'), options: options('Red', 'Blue'), behaviors: [{ type: 'callback', value: { kind: 'select' } }] },
        { tag: 'multi_select_static', name: 'many', options: options('Red', 'Blue', 'Green'), behaviors: [{ type: 'callback', value: { kind: 'selects' } }] },
        { tag: 'input', name: 'words', placeholder: text('Press Enter'), behaviors: [{ type: 'callback', value: { kind: 'input' } }] },
        { tag: 'date_picker', name: 'date', behaviors: [{ type: 'callback', value: { kind: 'date' } }] },
        { tag: 'picker_time', name: 'time', behaviors: [{ type: 'callback', value: { kind: 'time' } }] },
        { tag: 'picker_datetime', name: 'moment', behaviors: [{ type: 'callback', value: { kind: 'moment' } }] },
        { tag: 'checker', name: 'done', text: text('Done'), behaviors: [{ type: 'callback', value: { kind: 'checker' } }] },
        { tag: 'overflow', options: options('Copy', 'Delete'), behaviors: [{ type: 'callback', value: { kind: 'overflow' } }] },
        { tag: 'select_img', name: 'picture', options: [{ img_key: 'img_v3_one', value: 'one' }], behaviors: [{ type: 'callback', value: { kind: 'picture' } }] },
        { tag: 'chart', chart_spec: {} },
      ],
    },
  },
  old: {
    config: { wide_screen_mode: true },
    header: { title: text('An old card (JSON 1.0)'), template: 'green' },
    elements: [
      { tag: 'div', text: { tag: 'lark_md', content: '**Two** fields:' }, fields: [{ is_short: true, text: text('left') }, { is_short: true, text: text('right') }] },
      { tag: 'action', actions: [
        { tag: 'button', text: text('Approve'), type: 'primary', value: { kind: 'leave', decision: 'approve', applicant: 'Bo' } },
        { tag: 'button', text: text('Nobody handles this'), type: 'default', value: { kind: 'unheard-of' } },
      ] },
      { tag: 'note', elements: [text('A note, which JSON 2.0 does not have.')] },
    ],
  },
};
