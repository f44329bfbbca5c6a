// Elements. Whatever somebody typed reaches the page through here, and only ever as text:
// nothing in this client makes markup of a string.

/** get gives the element with that id; a missing one is a mistake in index.html. */
export function get(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element #${id}`);
  return found;
}

/**
 * el makes an element. props are attributes (true: without a value; false, null: left out)
 * and, if they start with "on", listeners. children are nodes or strings; a string becomes
 * a text node.
 */
export function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, '');
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c != null && c !== false));
  return node;
}

/** show hides an element, or does not. */
export function show(node, visible) {
  if (node.hidden === visible) node.hidden = !visible;
}

/** write sets an element's text, and leaves it alone when it says so already: a live region
 * that is written again is read out again. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** refill puts nodes in place of those that are there. A button that had the focus keeps
 * it: buttons are the same when they have the same data-key. */
export function refill(where, nodes) {
  const key = where.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  where.replaceChildren(...nodes);
  if (key !== undefined) [...where.querySelectorAll('[data-key]')].find((n) => n.dataset.key === key)?.focus();
}

let spoken;

/** announce tells a screen reader something that others see. */
export function announce(text) {
  spoken ??= get('announcer');
  spoken.append(el('p', null, text));
  // A few stay, so that one that comes right after does not swallow the one before.
  while (spoken.childElementCount > 4) spoken.firstChild.remove();
}
