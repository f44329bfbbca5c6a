// The card of the game of 21.

import { announce, el, get, show, write } from './dom.js';
import { clock, countdown, list, nameOf, roundText, sentence } from './words.js';

const signs = [['+', 'plus'], ['−', 'minus'], ['×', 'times'], ['÷', 'divided by'], ['(', 'open'], [')', 'close'], ['⌫', 'delete']];
const hurry = 15_000; // ms left when the countdown changes its colour
const judgedWithin = 3000; // ms after the end when the result is due
const patience = 2000; // ms without an answer after which one is told that it waits

export class Game {
  constructor(hall, actions) {
    this.hall = hall;
    this.actions = actions;
    this.input = get('expression');
    hall.on('game', (d) => this.changed(d));
    get('game-form').addEventListener('submit', (e) => {
      e.preventDefault();
      this.answer();
    });
    this.input.addEventListener('input', () => this.used());
    get('game-scores').addEventListener('toggle', () => get('game-scores').open && this.actions.scores().catch(() => {}));
    get('signs').append(...signs.map(([sign, word]) => el('button', {
      type: 'button', 'aria-label': word, onclick: () => (sign === '⌫' ? this.erase() : this.insert(sign)),
    }, sign)));
    setInterval(() => this.tick(), 500);
  }

  changed({ started, ended } = {}) {
    const g = this.hall.game;
    if (started) {
      this.input.value = '';
      this.note('');
    }
    if (ended && get('game-scores').open) this.actions.scores().catch(() => {});
    if (ended?.winner === this.hall.me) announce('You win this round.');

    get('game').classList.toggle('open', g.open);
    show(get('game-round'), g.open);
    if (g.open && this.drawn !== g.endsAt) {
      this.drawn = g.endsAt;
      this.length = Math.max(1, g.endsAt - this.hall.now());
      get('tiles').replaceChildren(...g.numbers.map((n) => el('button', {
        type: 'button', class: 'tile', 'data-number': String(n), onclick: () => this.insert(String(n)),
      }, String(n))));
    }
    show(get('game-form'), !g.mine);
    this.used();
    this.text();
    this.tick();
    this.results();
    this.scores();
  }

  text() {
    const g = this.hall.game;
    const result = g.results[0];
    if (g.open) write(get('game-text'), `Round ${g.round}: make 21 of these four.`);
    else if (result) write(get('game-text'), roundText(result));
    else write(get('game-text'), 'Make 21 of four numbers, faster than the others.');
    get('game').classList.toggle('won', !g.open && result?.winner === this.hall.me);
    if (g.open && g.mine) {
      const { value, expression, void: over } = g.mine;
      this.note(value === undefined ? 'You have answered.' : `${expression} = ${value}${over ? ', which is over 21, so it does not count.' : '. It counts.'}`);
    } else if (!g.open) {
      this.note('');
    }
    write(get('game-answered'), g.open && g.answered.length ? `${list(g.answered.slice(0, 8))}${g.answered.length > 8 ? ' and others' : ''} answered` : '');
  }

  tick() {
    const g = this.hall.game;
    const now = this.hall.now();
    const timer = get('game-timer');
    if (g.open) {
      const left = g.endsAt - now;
      write(timer, left > 0 ? countdown(left) : 'judging');
      // Its end was told while nobody listened, perhaps.
      if (left < -judgedWithin && this.asked !== g.round) {
        this.asked = g.round;
        this.actions.status().catch(() => { this.asked = 0; });
      }
      timer.classList.toggle('hurry', left < hurry);
      get('game-left').value = Math.max(0, Math.min(1, left / this.length));
    } else {
      timer.classList.remove('hurry');
      const left = g.nextAt - now;
      write(timer, g.nextAt && left > 0 ? `next in ${countdown(left)}` : '');
      timer.title = g.nextAt ? `at ${clock(g.nextAt - this.hall.clockAhead)}` : '';
    }
  }

  note(text, wrong = false) {
    const note = get('game-note');
    note.classList.toggle('error', wrong);
    write(note, text);
  }

  // used shows which tiles the expression has.
  used() {
    const numbers = this.input.value.match(/\d+/g) ?? [];
    for (const tile of get('tiles').children) {
      const i = numbers.indexOf(tile.dataset.number);
      if (i >= 0) numbers.splice(i, 1);
      tile.classList.toggle('used', i >= 0);
      tile.disabled = Boolean(this.hall.game.mine);
    }
  }

  insert(text) {
    const { input } = this;
    const at = input.selectionStart ?? input.value.length;
    // Two numbers side by side would be one number.
    const space = /\d$/.test(input.value.slice(0, at)) && /^\d/.test(text) ? ' ' : '';
    input.setRangeText(space + text, at, input.selectionEnd ?? at, 'end');
    this.used();
    // On a phone the focus would bring up the keyboard that the tiles save.
    if (matchMedia('(hover: hover)').matches) input.focus();
  }

  erase() {
    const { input } = this;
    const at = input.selectionStart ?? input.value.length;
    const end = input.selectionEnd ?? at;
    input.setRangeText('', at === end ? Math.max(0, at - 1) : at, end, 'end');
    this.used();
  }

  async answer() {
    const button = get('game-form').querySelector('[type=submit]');
    button.disabled = true;
    this.note('');
    const waits = setTimeout(() => this.note('Your answer waits for the hall. It is sent again by itself.'), patience);
    try {
      await this.actions.answer(this.input.value);
    } catch (fault) {
      if (fault.code === 'already_answered') {
        this.hall.game.mine ??= {};
        this.hall.tell('game');
      }
      this.note(sentence(fault.message), true);
      this.input.focus();
    } finally {
      clearTimeout(waits);
      button.disabled = false;
    }
  }

  results() {
    const { results } = this.hall.game;
    show(get('game-results'), results.length > 0);
    get('result-list').replaceChildren(...results.slice(0, 10).map((r) => el('li', null, roundText(r))));
  }

  scores() {
    const { top, me } = this.hall.game;
    const rows = top.some((s) => s.user === this.hall.me) || !me?.rank ? top : [...top, me];
    show(get('score-none'), top.length === 0);
    get('score-list').replaceChildren(...rows.map((s, i) => el('tr', { class: s.user === this.hall.me ? 'own' : null },
      el('td', null, String(s.rank || i + 1)), el('td', null, nameOf(s.user)), el('td', null, String(s.won)), el('td', null, String(s.played)))));
  }
}
