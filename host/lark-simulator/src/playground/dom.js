// Elements, made and found.

export const find = (id) => document.getElementById(id);
export const chosen = (id) => find(id).value.trim();

/** An element of that name and class; children that are not there are left out. */
export function make(name, className = '', children = []) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
