// What is said in the current place, and the line one writes.

import { announce, el, get, show, write } from './dom.js';
import { clock, day, face, nameOf, oneLine, plural, roundText, sentence, timeOf } from './words.js';

const together = 5 * 60_000; // lines of one player within this stand under one name
const nearEnd = 80; // px: whoever reads the newest lines keeps seeing the newest
const nearStart = 160; // px: older lines come before one arrives at the top
const warnOver = 200; // bytes left when the counter shows

export class Talk {
  constructor(hall, actions, onCommand) {
    this.hall = hall;
    this.actions = actions;
    this.onCommand = onCommand;
    this.log = get('log');
    this.lines = get('lines');
    this.line = get('line');
    this.unseen = 0; // lines below what is shown
    this.place = null;

    hall.on('place', () => this.turn());
    hall.on('row', (d) => this.row(d));
    hall.on('history', (place) => place === this.place && this.draw());
    hall.on('sending', (place) => place === this.place && this.sending());
    hall.on('members', () => this.head());
    hall.on('people', () => this.head());

    this.log.addEventListener('scroll', () => this.scrolled(), { passive: true });
    get('earlier').addEventListener('click', () => this.earlier());
    get('newer').addEventListener('click', () => {
      this.toEnd();
      this.log.focus();
    });
    get('talk-leave').addEventListener('click', () => this.leave());
    get('composer').addEventListener('submit', (e) => {
      e.preventDefault();
      this.say();
    });
    // Not keydown: there Enter may be an input method's, and phones do not tell the key.
    this.line.addEventListener('beforeinput', (e) => {
      if (e.inputType !== 'insertLineBreak' && e.inputType !== 'insertParagraph') return;
      e.preventDefault();
      this.say();
    });
    this.line.addEventListener('input', () => this.counted());
    new ResizeObserver(() => this.stick && this.toEnd()).observe(this.log);
  }

  // ---- the place

  turn() {
    const { current } = this.hall;
    // The lobby of a new session is another place, but what was being written stays.
    if (this.place && this.place.id !== current.id) {
      this.place.draft = this.line.value;
      this.line.value = current.draft;
    }
    this.place = current;
    this.head();
    this.counted();
    this.draw();
    this.toEnd();
    if (current.rows.length === 0) this.earlier();
  }

  head() {
    const { place, hall } = this;
    if (!place) return;
    write(get('talk-title'), place.name);
    const here = place.kind === 'room' ? hall.members.size : hall.peopleCount;
    write(get('talk-sub'), {
      lobby: `everybody is here${here ? ` · ${here} online` : ''}`,
      room: `a room · ${plural(here, 'member')}`,
      whisper: `only the two of you read this${hall.people.has(place.name) ? '' : ' · not online'}`,
    }[place.kind]);
    show(get('talk-leave'), place.kind !== 'lobby');
    write(get('talk-leave'), place.kind === 'room' ? 'Leave room' : 'Close');
    const to = { lobby: 'Say something to everybody', room: `Say something in ${place.name}`, whisper: `Whisper to ${place.name}` }[place.kind];
    write(get('line-label'), to);
    this.line.placeholder = to;
  }

  async leave() {
    const { place } = this;
    if (place.kind === 'room') {
      try {
        await this.actions.quitRoom();
      } catch (fault) {
        this.note(sentence(fault.message));
      }
    } else {
      this.hall.closeWhisper(place);
    }
    this.line.focus();
  }

  // ---- rows

  /** draw shows all rows anew, without moving what is being read. */
  draw() {
    const fromEnd = this.log.scrollHeight - this.log.scrollTop;
    const nodes = [];
    let before;
    for (const row of this.place.rows) {
      this.put(row, before, (node) => nodes.push(node), () => nodes.at(-1));
      before = row;
    }
    this.lines.replaceChildren(...nodes);
    this.start();
    this.sending();
    if (this.stick) this.toEnd();
    else this.log.scrollTop = this.log.scrollHeight - fromEnd;
  }

  row({ place, row, last }) {
    if (place !== this.place) {
      if (place.kind === 'whisper' && row.from !== this.hall.me) announce(`${row.from} whispers: ${row.text}`);
      return;
    }
    const stick = this.stick;
    if (last) this.put(row, place.rows.at(-2), (node) => this.lines.append(node), () => this.lines.lastElementChild);
    else this.draw();
    if (stick) this.toEnd();
    else if (row.kind === 'chat') this.unseenMore();
    if (row.from !== this.hall.me) announce(spoken(row));
  }

  // put makes what shows a row after another: a node of its own, or more of the one before.
  put(row, before, append, lastNode) {
    if (!before || day(before.at) !== day(row.at)) append(el('li', { class: 'day' }, el('span', null, day(row.at))));
    else if (row.kind === 'presence' && before.kind === 'presence' && row.at - before.at < together) {
      lastNode().append(presence(row, clock(before.at) !== clock(row.at)));
      return;
    } else if (row.kind === 'chat' && before.kind === 'chat' && before.from === row.from && row.at - before.at < together) {
      append(more(row));
      return;
    }
    append(whole(row, this.hall.me));
  }

  start() {
    const { place } = this;
    show(get('earlier'), !place.whole && place.rows.length > 0);
    get('earlier').disabled = place.loading;
    this.lines.classList.toggle('empty', place.rows.length === 0 && place.sending.length === 0);
    this.lines.dataset.empty = { lobby: 'Nothing was said here yet. Say hello.', room: 'Nothing was said here since you came.', whisper: 'Nothing was whispered yet.' }[place.kind];
  }

  sending() {
    const { place } = this;
    const stick = this.stick;
    get('sending').replaceChildren(...place.sending.map((line) => this.sendingRow(line)));
    this.start();
    if (stick) this.toEnd();
  }

  sendingRow(line) {
    const text = el('p', { class: 'text', dir: 'auto' }, line.text);
    if (!line.fault) return el('li', { class: 'sending' }, text, el('span', { class: 'unseen' }, 'is being sent'));
    return el('li', { class: 'sending failed' }, text,
      el('p', { class: 'error', role: 'alert' }, sentence(line.fault.message)),
      el('p', { class: 'row' },
        line.fault.retry || line.fault.code === 'user_offline'
          ? el('button', { type: 'button', onclick: () => this.actions.repeat(this.place, line) }, 'Try again') : null,
        el('button', {
          type: 'button',
          class: 'quiet',
          onclick: () => {
            if (!this.line.value) this.line.value = line.text;
            this.actions.discard(this.place, line);
            this.line.focus();
          },
        }, 'Take it back')));
  }

  // ---- scrolling

  get stick() { return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < nearEnd; }

  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
    this.unseenNone();
  }

  scrolled() {
    if (this.stick) this.unseenNone();
    if (this.log.scrollTop < nearStart) this.earlier();
  }

  async earlier() {
    const { place } = this;
    if (!place || place.loading || place.whole) return;
    const had = document.activeElement === get('earlier');
    get('earlier').disabled = true;
    // What cannot be scrolled asks for no more by itself, so it is filled here.
    do {
      if (!await this.actions.older(place)) break;
    } while (place === this.place && this.log.scrollHeight <= this.log.clientHeight);
    this.start();
    // A button that is gone takes the focus with it.
    if (had && get('earlier').hidden) this.log.focus();
  }

  /** back goes back to the last n lines of a place. */
  async back(place, n) {
    const lines = () => place.rows.filter((r) => r.seq).length;
    await null; // whatever was typed has been sent, and the view is at its end
    while (lines() < n && await this.actions.older(place));
    if (place !== this.place) return;
    const shown = [...this.lines.querySelectorAll('[data-seq]')];
    shown.at(-Math.min(n, shown.length))?.scrollIntoView({ block: 'start' });
  }

  unseenMore() {
    this.unseen++;
    write(get('newer'), `${plural(this.unseen, 'new line')} ↓`);
    show(get('newer'), true);
  }

  unseenNone() {
    this.unseen = 0;
    show(get('newer'), false);
  }

  // ---- writing

  /** note tells something beside the line that is being written. */
  note(text, wrong = true) {
    const note = get('line-note');
    note.classList.toggle('error', wrong && Boolean(text));
    write(note, text);
  }

  counted() {
    const { line } = this;
    const over = this.actions.over(line.value);
    if (over) this.note(`${plural(over, 'byte')} too long`);
    else this.note(this.actions.over(line.value + 'x'.repeat(warnOver)) ? 'Nearly too long' : '', false);
  }

  say() {
    const text = oneLine(this.line.value);
    if (!text || this.line.readOnly || this.actions.over(text)) return;
    const wrong = this.onCommand(this.place, text);
    if (wrong) {
      this.note(wrong);
      return;
    }
    this.line.value = '';
    this.note('');
    this.toEnd();
  }
}

// whole is a row by itself.
function whole(row, me) {
  switch (row.kind) {
    case 'chat':
      return el('li', { class: row.from === me ? 'said own' : 'said', 'data-seq': row.seq },
        face(row.from),
        el('p', { class: 'by' }, nameOf(row.from), ' ', timeOf(row.at)),
        el('p', { class: 'text', dir: 'auto' }, row.text));
    case 'presence':
      return el('li', { class: 'presence' }, presence(row, true));
    case 'game':
      return el('li', { class: 'round' }, el('span', { class: 'mark', 'aria-hidden': 'true' }, '21'), el('p', null, roundText(row)), timeOf(row.at));
    case 'gap':
      return el('li', { class: 'gap' }, el('span', null, gapText(row)));
    default:
      return el('li', { class: 'note' }, row.text);
  }
}

// more is a line of who spoke last.
function more(row) {
  return el('li', { class: 'said more', 'data-seq': row.seq },
    el('span', { class: 'unseen' }, `${row.from}: `),
    el('time', { datetime: new Date(row.at).toISOString(), 'aria-hidden': 'true' }, clock(row.at)),
    el('p', { class: 'text', dir: 'auto' }, row.text));
}

function presence(row, timed) {
  return el('span', { 'data-seq': row.seq }, nameOf(row.user), row.come ? ' joined' : ' left', timed && ' ', timed && timeOf(row.at));
}

function gapText(row) {
  return row.missed ? `${plural(row.missed, 'line')} here are no longer kept` : 'Lines here are no longer kept';
}

// spoken is a row for a screen reader.
function spoken(row) {
  switch (row.kind) {
    case 'chat': return `${row.from}: ${row.text}`;
    case 'presence': return `${row.user} ${row.come ? 'joined' : 'left'}`;
    case 'game': return roundText(row);
    case 'gap': return gapText(row);
    default: return row.text;
  }
}
