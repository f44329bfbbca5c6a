// What a reload of the page survives: kept in sessionStorage, which belongs to one tab and
// goes with it. The token is in no cookie, so no other site can make use of it.

const prefix = 'hall.';
const memory = new Map(); // where storage is refused (some private modes), a reload signs out

/** load gives what was kept, or otherwise. */
export function load(key, otherwise) {
  try {
    const text = sessionStorage.getItem(prefix + key) ?? memory.get(key);
    return text == null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** save keeps a value, at once; undefined forgets it. */
export function save(key, value) {
  waiting.delete(key);
  const text = value === undefined ? undefined : JSON.stringify(value);
  if (text === undefined) memory.delete(key);
  else memory.set(key, text);
  try {
    if (text === undefined) sessionStorage.removeItem(prefix + key);
    else sessionStorage.setItem(prefix + key, text);
  } catch {
    // refused, or full: memory has it
  }
}

const waiting = new Map();
let timer = 0;

/** saveSoon keeps what value() gives, a little later: for what changes with every line. It
 * may be a line behind when the tab dies; the hall then sends that line again. */
export function saveSoon(key, value) {
  waiting.set(key, value);
  timer ||= setTimeout(flush, 250);
}

function flush() {
  clearTimeout(timer);
  timer = 0;
  for (const [key, value] of [...waiting]) save(key, value());
}

/** clear forgets everything: somebody signed out. */
export function clear() {
  waiting.clear();
  memory.clear();
  try {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(prefix)) sessionStorage.removeItem(key);
  } catch {
    // then nothing was kept either
  }
}

addEventListener('pagehide', flush);
