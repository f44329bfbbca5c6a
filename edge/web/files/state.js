// What this client knows of the hall, told by events and replies. Nothing here touches the
// page or the connection: views ask, and listen for what changed.
//
// Everything that is kept on screen is a row of a place: the lobby, the room, or whispers
// with one partner. Rows of a channel stand in the order of their sequences, wherever they
// came from (live, replayed after a resume, or history), and no sequence stands twice.

import * as store from './store.js';

const rowsMost = 3000; // of a place; older ones are history's to give again
const whispersKept = 200; // over a reload: the hall keeps none
const resultsKept = 20;

/** Place is a conversation. */
export class Place {
  constructor(kind, name) {
    this.kind = kind; // lobby, room, whisper
    this.name = name;
    this.id = kind === 'lobby' ? 'lobby' : `${kind}:${name}`;
    this.rows = [];
    this.seen = new Set(); // sequences in rows
    this.sending = []; // own lines that have no answer yet, or a bad one
    this.unread = 0;
    this.draft = '';
    this.whole = kind === 'whisper'; // nothing is older than the first row
    this.loading = false;
  }

  /** first is the oldest sequence here, 0 when there is none. */
  get first() { return this.rows.find((r) => r.seq)?.seq ?? 0; }

  /** add puts a row into its place and gives its index, -1 when it is there already. */
  add(row) {
    if (row.seq) {
      if (this.seen.has(row.seq)) return -1;
      this.seen.add(row.seq);
    }
    let i = this.rows.length;
    row.order = row.seq ?? (this.rows.at(-1)?.order ?? 0); // what has no sequence comes last
    while (row.seq && i > 0 && this.rows[i - 1].order > row.order) i--;
    this.rows.splice(i, 0, row);
    return i;
  }

  /** trim drops the oldest rows beyond what a page can bear; true if there were any. */
  trim() {
    if (this.rows.length <= rowsMost) return false;
    for (const r of this.rows.splice(0, this.rows.length - rowsMost * 0.8)) this.seen.delete(r.seq);
    this.whole = this.kind === 'whisper';
    return true;
  }
}

export class Hall {
  constructor() {
    this.listeners = new Map();
    this.clockAhead = 0; // ms that the hall's clock is ahead of ours
    this.clockKnown = false;
    this.clear();
  }

  /** on calls what(detail) whenever a topic changes: place, places, row, sending, people,
   * members, rooms, game. */
  on(topic, what) {
    this.listeners.set(topic, [...(this.listeners.get(topic) ?? []), what]);
  }

  tell(topic, detail) {
    for (const what of this.listeners.get(topic) ?? []) what(detail);
  }

  clear() {
    this.me = '';
    this.last = {}; // channel → last sequence, what a resume asks for
    this.lobby = new Place('lobby', 'Lobby');
    this.room = null;
    this.whispers = new Map(); // partner → place, the newest first
    this.current = this.lobby;
    this.people = new Map(); // user → state; of all who are here, as far as we were told
    this.peopleUntold = 0; // here too, but too many to be named
    this.members = new Set();
    this.rooms = [];
    this.game = { open: false, round: 0, numbers: [], endsAt: 0, nextAt: 0, answered: [], mine: null, results: [], top: [], me: null };
  }

  /** begin starts from nothing, for a session that just began. */
  begin(user, seq) {
    this.clear();
    this.me = user;
    // One stream holds all channels, so one sequence is a start for each of them.
    this.last = { lobby: seq, game21: seq };
    this.keep();
    this.tellAll();
  }

  tellAll() {
    for (const topic of ['place', 'places', 'people', 'members', 'rooms', 'game']) this.tell(topic);
  }

  /** restore takes up what a reload left. */
  restore(user) {
    this.clear();
    this.me = user;
    this.last = store.load('last', {});
    for (const { partner, row } of store.load('whispers', [])) this.whisper(partner).add(row);
    const room = Object.keys(this.last).find((c) => c.startsWith('room:'));
    if (room) this.room = new Place('room', room.slice('room:'.length));
    const current = store.load('current', 'lobby');
    this.current = this.places().find((p) => p.id === current) ?? this.lobby;
    this.tellAll();
  }

  keep() {
    store.saveSoon('last', () => this.last);
  }

  places() {
    return [this.lobby, ...(this.room ? [this.room] : []), ...this.whispers.values()];
  }

  select(place) {
    this.current = place;
    store.saveSoon('current', () => this.current.id);
    this.read();
    this.tell('place');
    this.tell('places');
  }

  /** read marks the current place as read. */
  read() {
    if (!this.current.unread) return;
    this.current.unread = 0;
    this.tell('places');
  }

  unread() {
    return this.places().reduce((n, p) => n + p.unread, 0);
  }

  /** whisper gives the place of a partner, and makes it. */
  whisper(partner) {
    let place = this.whispers.get(partner);
    if (!place) {
      place = new Place('whisper', partner);
      this.whispers.set(partner, place);
      this.tell('places');
    }
    return place;
  }

  closeWhisper(place) {
    this.whispers.delete(place.name);
    this.keepWhispers();
    if (this.current === place) this.select(this.lobby);
    else this.tell('places');
  }

  get peopleCount() { return this.people.size + this.peopleUntold; }

  /** now is the hall's time. */
  now() { return Date.now() + this.clockAhead; }

  // ---- events

  /** apply takes an event; fresh tells that it is live, not replayed. */
  apply(e, fresh) {
    const at = Date.parse(e.at);
    // The hall tells no time of its own, but an event is never from the future: the one that
    // came fastest tells how far our clock is off. Seconds matter to a round.
    if (at - Date.now() > this.clockAhead || (fresh && !this.clockKnown)) {
      this.clockAhead = at - Date.now();
      this.clockKnown ||= fresh;
    }
    // Who comes in the midst of a round is shown its start, which is older than the session.
    if (e.event === 'game21.started') this.roundStarted(e);
    if (e.seq) {
      if (e.channel.startsWith('room:') && e.channel !== this.roomChannel) {
        this.tell('stray', e);
        return;
      }
      if (e.seq <= (this.last[e.channel] ?? 0)) return;
      this.last[e.channel] = e.seq;
      this.keep();
    }
    this.take(e, at);
  }

  take(e, at) {
    switch (e.event) {
      case 'joined':
        this.people.set(e.user, 'alive');
        this.tell('people');
        break;
      case 'left':
        this.people.delete(e.user);
        this.tell('people');
        break;
      case 'room.joined':
        this.members.add(e.user);
        this.tell('members');
        break;
      case 'room.left':
        this.members.delete(e.user);
        this.tell('members');
        break;
      case 'game21.answered':
        this.roundAnswered(e);
        break;
      case 'game21.ended':
        if (this.roundEnded(e, at)) this.tell('game', { ended: e });
        break;
      case 'whisper': {
        const partner = e.from === this.me ? e.to : e.from;
        this.addRow(this.whisper(partner), { kind: 'chat', at, from: e.from, text: e.text });
        this.keepWhispers();
        return;
      }
      case 'notice':
        this.addRow(this.current, { kind: 'note', at, text: e.text });
        return;
      case 'gap':
        this.addRow(this.placeOf(e.channel) ?? this.lobby, { kind: 'gap', at, missed: e.missed });
        return;
    }
    const row = rowOf(e, at, this.me);
    const place = this.placeOf(e.channel);
    if (row && place) this.addRow(place, row);
  }

  placeOf(channel) {
    if (channel === 'lobby' || channel === 'game21') return this.lobby;
    return channel === this.roomChannel ? this.room : null;
  }

  get roomChannel() { return this.room ? this.room.id : null; }

  /** addRow adds what was just said. */
  addRow(place, row) {
    const index = place.add(row);
    if (index < 0) return;
    // Our own line came by. When that was before the answer with its sequence, the oldest
    // with this text is the one: the hall keeps the order of one player's lines.
    if (row.seq && row.from === this.me) {
      const line = place.sending.find((s) => (s.seq ? s.seq === row.seq : !s.fault && s.text.normalize() === row.text));
      if (line) this.settle(place, line);
    }
    const trimmed = place.trim();
    if (row.kind === 'chat' && row.from !== this.me && (place !== this.current || !this.looking())) {
      place.unread++;
      this.tell('places');
    }
    this.tell('row', { place, row, last: index === place.rows.length - 1 && !trimmed });
  }

  /** note adds a line of this client itself to what is shown. */
  note(text, place = this.current) {
    this.addRow(place, { kind: 'note', at: this.now(), text });
  }

  /** looking tells whether somebody sees the current place; the page knows better. */
  looking() { return true; }

  /** merge takes history: what is known already stays. */
  merge(place, events) {
    let added = 0;
    for (const e of events) {
      const row = rowOf(e, Date.parse(e.at), this.me);
      if (!row) continue;
      if (place.add(row) >= 0) added++;
    }
    this.tell('history', place);
    return added;
  }

  keepWhispers() {
    store.saveSoon('whispers', () => {
      const all = [...this.whispers].flatMap(([partner, p]) => p.rows.filter((r) => r.kind === 'chat').map((row) => ({ partner, row })));
      return all.sort((a, b) => a.row.at - b.row.at).slice(-whispersKept);
    });
  }

  // ---- own lines

  /** sendingLine shows a line that is on its way. */
  sendingLine(place, line) {
    place.sending.push(line);
    this.tell('sending', place);
  }

  /** sent takes the sequence of a line that the hall has. It is shown as being sent until
   * the line itself comes by, so that nothing flickers. */
  sent(place, line, seq) {
    if (seq <= (this.last[place.id] ?? 0)) this.settle(place, line);
    else line.seq = seq;
  }

  settle(place, line) {
    place.sending = place.sending.filter((other) => other !== line);
    this.tell('sending', place);
  }

  // ---- rooms

  /** enter makes name the room; what was said before seq is not ours to see. */
  enter(name, seq) {
    const channel = `room:${name}`;
    if (this.roomChannel !== channel) {
      this.leave();
      this.room = new Place('room', name);
      this.members = new Set();
    }
    this.last[channel] = Math.max(seq, this.last[channel] ?? 0);
    this.keep();
    this.tell('places');
    this.tell('members');
  }

  /** inRoomAre takes the names of the room's members. */
  inRoomAre(members) {
    this.members = new Set(members);
    this.tell('members');
  }

  leave() {
    if (!this.room) return;
    const { room } = this;
    delete this.last[room.id];
    this.room = null;
    this.members = new Set();
    this.keep();
    if (this.current === room) this.select(this.lobby);
    this.tell('places');
    this.tell('members');
  }

  // ---- the game

  roundStarted(e) {
    const g = this.game;
    const ends = Date.parse(e.ends_at);
    if (e.round < g.round || (e.round === g.round && g.open) || g.results.some((r) => r.round === e.round)) return;
    const known = e.round === g.round ? {} : { answered: [], mine: null };
    Object.assign(g, { open: true, round: e.round, numbers: e.numbers, endsAt: ends, nextAt: 0, ...known });
    this.tell('game', { started: true });
  }

  roundAnswered(e) {
    const g = this.game;
    if (e.round !== g.round || g.answered.includes(e.user)) return;
    g.answered.push(e.user);
    if (e.user === this.me) g.mine ??= {};
    this.tell('game');
  }

  /** roundEnded takes a result; true if it is of the newest round. */
  roundEnded(e, at) {
    const g = this.game;
    if (g.results.some((r) => r.round === e.round)) return false;
    g.results.push({ ...e, at });
    g.results.sort((a, b) => b.round - a.round);
    g.results.length = Math.min(g.results.length, resultsKept);
    const newest = e.round >= g.round;
    if (newest) Object.assign(g, { open: false, round: e.round, nextAt: 0 });
    return newest;
  }

  /** status takes what game21.status told. */
  status(s) {
    const g = this.game;
    const ends = s.ends_at ? Date.parse(s.ends_at) : 0;
    const next = s.next_at ? Date.parse(s.next_at) : 0;
    if (s.open && !g.results.some((r) => r.round === s.round)) {
      if (!g.open || g.round !== s.round) {
        const known = g.round === s.round ? { answered: g.answered, mine: g.mine } : { answered: [], mine: null };
        Object.assign(g, { open: true, round: s.round, numbers: s.numbers, endsAt: ends, ...known });
      }
    } else if (!s.open && g.open && s.round > g.round) {
      g.open = false; // its result was told while nobody listened
    }
    g.nextAt = next;
    this.tell('game');
  }

  /** pastRounds takes the game's history. */
  pastRounds(events) {
    for (const e of events) {
      const at = Date.parse(e.at);
      if (e.event === 'game21.started' && e.round > this.game.round) {
        Object.assign(this.game, { round: e.round, numbers: e.numbers, endsAt: Date.parse(e.ends_at), answered: [], mine: null });
      }
      if (e.event === 'game21.answered') this.roundAnswered(e);
      if (e.event === 'game21.ended') this.roundEnded(e, at);
    }
    this.tell('game');
  }
}

// rowOf makes a row of a channel's event; null for those that are none.
function rowOf(e, at, me) {
  switch (e.event) {
    case 'chat':
    case 'room.chat':
      return { kind: 'chat', seq: e.seq, at, from: e.from, text: e.text };
    case 'joined':
    case 'room.joined':
      return { kind: 'presence', seq: e.seq, at, user: e.user, come: true };
    case 'left':
    case 'room.left':
      return { kind: 'presence', seq: e.seq, at, user: e.user, come: false };
    case 'game21.started':
      return { kind: 'game', seq: e.seq, at, started: true, round: e.round, numbers: e.numbers };
    case 'game21.ended':
      return { kind: 'game', seq: e.seq, at, round: e.round, answers: e.answers, winner: e.winner, expression: e.expression, value: e.value, best: e.best, mine: e.winner === me };
  }
  return null;
}
