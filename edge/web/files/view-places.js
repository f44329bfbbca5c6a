// Where one can be: the lobby, one's room, whispers, and the rooms there are.

import { el, get, refill, show, write } from './dom.js';
import { face, plural, sentence } from './words.js';

export class Places {
  constructor(hall, actions, go) {
    this.hall = hall;
    this.actions = actions;
    this.go = go;
    hall.on('places', () => this.places());
    hall.on('place', () => this.places());
    hall.on('people', () => this.places());
    hall.on('places', () => this.rooms());
    hall.on('rooms', () => this.rooms());
    get('room-form').addEventListener('submit', (e) => {
      e.preventDefault();
      this.create(e.currentTarget);
    });
  }

  places() {
    const { hall } = this;
    refill(get('place-list'), [hall.lobby, hall.room].filter(Boolean).map((p) => this.place(p)));
    const whispers = [...hall.whispers.values()];
    show(get('whispers-part'), whispers.length > 0);
    refill(get('whisper-list'), whispers.map((p) => this.place(p)));
  }

  place(p) {
    const { hall } = this;
    const sign = p.kind === 'whisper' ? face(p.name) : el('span', { class: `sign ${p.kind}`, 'aria-hidden': 'true' });
    const away = p.kind === 'whisper' && !hall.people.has(p.name);
    return el('li', null, el('button', {
      type: 'button',
      class: away ? 'item offline' : 'item',
      'data-key': p.id,
      'aria-current': p === hall.current ? 'true' : null,
      onclick: () => this.go(p),
    }, sign, el('bdi', null, p.name), p.unread && p !== hall.current ? el('span', { class: 'badge' }, String(p.unread), el('span', { class: 'unseen' }, ' unread')) : null));
  }

  rooms() {
    const { hall } = this;
    show(get('room-none'), hall.rooms.length === 0);
    refill(get('room-list'), hall.rooms.map((r) => this.room(r)));
  }

  room(r) {
    const mine = this.hall.roomChannel === `room:${r.room}`;
    const full = r.max > 0 && r.members >= r.max;
    const count = r.max ? `${r.members} of ${r.max}` : String(r.members);
    return el('li', null, el('button', {
      type: 'button',
      class: 'item',
      'data-key': r.room,
      disabled: full && !mine,
      onclick: () => (mine ? this.go(this.hall.room) : this.join(r.room)),
    },
    el('bdi', null, r.room),
    el('span', { class: 'count' }, count, el('span', { class: 'unseen' }, r.max ? ' members' : ` ${plural(r.members, 'member').split(' ')[1]}`)),
    el('span', { class: 'do' }, mine ? 'open' : full ? 'full' : 'join')));
  }

  async join(room) {
    await this.attempt(() => this.actions.joinRoom(room));
  }

  async create(form) {
    const { room, pair } = form.elements;
    if (!room.value.trim()) {
      write(get('room-error'), 'Give the room a name.');
      room.focus();
      return;
    }
    if (await this.attempt(() => this.actions.createRoom(room.value.trim(), pair.checked ? 2 : 0))) form.reset();
  }

  /** attempt runs an action on rooms, tells what is wrong, and goes into the room. */
  async attempt(what) {
    write(get('room-error'), '');
    try {
      await what();
      if (this.hall.room) this.go(this.hall.room); // on a phone, to where one talks
      return true;
    } catch (fault) {
      write(get('room-error'), sentence(fault.message));
      return false;
    }
  }
}
