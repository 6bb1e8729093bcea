// The table of a card, with the kinds of cells that a column may have.

import { make } from './dom.js';
import { markdown } from './markdown.js';
import { plain } from './text.js';

export function table(drawing, element) {
  const columns = (element.columns ?? []).filter((column) => !column.hidden);
  const head = columns.map((column) => make('th', '', [plain(column.display_name, drawing.locale) || column.name]));
  const rows = (element.rows ?? []).map((row) => make('tr', '', columns.map((column) => {
    const number = column.data_type === 'number';
    return make('td', number ? 'number' : '', [cell(column, row[column.name])]);
  })));
  const drawn = make('table', '', [make('thead', '', [make('tr', '', head)]), make('tbody', '', rows)]);
  // A wide one is moved, and not the page.
  return make('div', 'scrolled', [drawn]);
}

function cell(column, value) {
  if (value === undefined || value === null) return '';
  switch (column.data_type) {
    case 'options':
      return make('span', 'row', [value].flat().map((option) => make('span', 'tag', [String(option.text ?? option)])));
    case 'persons':
      return make('span', 'row', [value].flat().map((person) => make('span', 'at', [`@${person.id ?? person}`])));
    case 'date':
      return new Date(Number(value)).toLocaleDateString();
    case 'number':
      return (column.format?.symbol ?? '') + Number(value).toLocaleString(undefined, {
        minimumFractionDigits: column.format?.precision ?? 0,
        useGrouping: column.format?.separator ?? false,
      });
    case 'lark_md':
    case 'markdown':
      return markdown(value);
    default:
      return String(value);
  }
}
