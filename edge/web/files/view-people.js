// Who is here, and who is in the room.

import { el, get, refill, show, write } from './dom.js';
import { face, nameOf } from './words.js';

const shownMost = 200; // rows; beyond it one searches
const filterFrom = 12;

export class People {
  constructor(hall, whisper) {
    this.hall = hall;
    this.whisper = whisper;
    this.search = get('people-filter').querySelector('input');
    this.search.addEventListener('input', () => this.draw());
    hall.on('people', () => this.soon());
    hall.on('members', () => this.soon());
    hall.on('places', () => this.soon());
  }

  // A crowd that comes at once is drawn once.
  soon() {
    this.timer ||= setTimeout(() => {
      this.timer = 0;
      this.draw();
    }, 50);
  }

  draw() {
    const { hall } = this;
    const word = this.search.value.trim().toLowerCase();
    const all = [...hall.people].sort(([a], [b]) => (a === hall.me ? -1 : b === hall.me ? 1 : a.localeCompare(b)));
    const found = word ? all.filter(([user]) => user.toLowerCase().includes(word)) : all;
    write(get('people-title'), hall.peopleCount ? `Who is here · ${hall.peopleCount}` : 'Who is here');
    show(get('people-filter'), all.length >= filterFrom);
    this.fill(get('people-list'), found.slice(0, shownMost));
    const hidden = (word ? found.length : hall.peopleCount) - Math.min(found.length, shownMost);
    show(get('people-more'), hidden > 0);
    write(get('people-more'), `and ${hidden} more`);

    show(get('members-part'), Boolean(hall.room));
    if (!hall.room) return;
    write(get('members-title'), `In ${hall.room.name} · ${hall.members.size}`);
    this.fill(get('member-list'), [...hall.members].sort().slice(0, shownMost).map((user) => [user, hall.people.get(user) ?? 'alive']));
  }

  fill(where, users) {
    refill(where, users.map(([user, state]) => this.person(user, state)));
  }

  person(user, state) {
    const me = user === this.hall.me;
    const inner = [
      face(user),
      nameOf(user),
      me ? el('span', { class: 'tag' }, 'you') : null,
      state === 'away' ? el('span', { class: 'tag' }, 'away') : null,
    ];
    if (me) return el('li', null, el('span', { class: `item ${state}`, 'data-key': user }, ...inner));
    return el('li', null, el('button', {
      type: 'button', class: `item ${state}`, 'data-key': user, onclick: () => this.whisper(user),
    }, ...inner, el('span', { class: 'do' }, 'whisper')));
  }
}

