// Words: names with their colours, times, lengths.

import { el } from './dom.js';

const colours = 12; // .c0 to .c11 in theme.css

/** colour gives the class of a name's own colour, the same for everybody. */
export function colour(name) {
  let h = 0x811c9dc5; // FNV-1a: short names spread well
  for (const byte of new TextEncoder().encode(name)) h = Math.imul(h ^ byte, 0x01000193) >>> 0;
  return `c${(Math.imul(h ^ (h >>> 16), 0x9e3779b1) >>> 12) % colours}`; // Fibonacci hashing: neighbours part
}

/** nameOf shows a name. It is isolated, so that one written from right to left turns
 * nothing around that stands beside it. */
export function nameOf(name) {
  return el('bdi', { class: `name ${colour(name)}` }, name);
}

/** face is a small picture of a name. */
export function face(name) {
  return el('span', { class: `face ${colour(name)}`, 'aria-hidden': 'true' }, initial(name));
}

function initial(name) {
  return [...name][0]?.toLocaleUpperCase() ?? '?';
}

const hours = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const days = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** clock shows the time of day. */
export const clock = (at) => hours.format(at);

/** day names the day. */
export const day = (at) => days.format(at);

/** timeOf shows a time, and tells the whole of it on asking. */
export function timeOf(at) {
  return el('time', { datetime: new Date(at).toISOString(), title: whole.format(at) }, clock(at));
}

/** countdown writes what is left, in ms: 1:05. */
export function countdown(left) {
  const s = Math.max(0, Math.ceil(left / 1000));
  const two = (n) => String(n).padStart(2, '0');
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** duration writes seconds for people: 2 hours 5 minutes. */
export function duration(seconds) {
  const s = Math.floor(seconds);
  const parts = [[Math.floor(s / 3600), 'hour'], [Math.floor(s / 60) % 60, 'minute'], [s % 60, 'second']];
  const told = parts.filter(([n]) => n).slice(0, 2);
  return told.map(([n, unit]) => plural(n, unit)).join(' ') || '0 seconds';
}

export const plural = (n, word) => `${n} ${word}${n === 1 ? '' : 's'}`;

/** list joins words: ann, bob and carl. */
export const list = (words) => new Intl.ListFormat('en').format(words);

/** bytes is the length in UTF-8, which is what the hall counts. */
export const bytes = (text) => new TextEncoder().encode(text).length;

// What the hall refuses in a line: C0, DEL, C1, U+2028 and U+2029. A line break that came
// with something pasted becomes a space; nobody wants to be told off for it.
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** oneLine makes a line of what was typed or pasted. */
export function oneLine(text) {
  // A lone surrogate is no Unicode; it would be refused as such.
  const whole = text.toWellFormed ? text.toWellFormed() : text;
  return whole.replace(controls, ' ').trim();
}

/** sentence makes a sentence of what the hall says; its own begin small, as terminals show
 * them. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?:]$/.test(text) ? '' : '.');
}

/** roundText tells what became of a round, or that it began. */
export function roundText(row) {
  if (row.started) return `Round ${row.round}: make 21 of ${list(row.numbers.map(String))}`;
  const best = row.best ? ` Best was ${row.best.expression} = ${row.best.value}.` : '';
  if (row.winner) return `Round ${row.round}: ${row.winner} wins with ${row.expression} = ${row.value}.${row.value === '21' ? '' : best}`;
  return `Round ${row.round}: ${row.answers ? 'no valid answer' : 'nobody answered'}.${best}`;
}
