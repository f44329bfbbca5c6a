// What a player does: each action asks the hall and tells the state what came of it. It
// throws a Fault with a sentence that may be shown.

import { Fault } from './net.js';
import * as store from './store.js';
import { bytes } from './words.js';

const textMost = 2000; // bytes of a line, the hall's limit
const frameMost = 4000; // bytes of a line as JSON: a message has 4,096 at most

const page = 50; // lines of history at a time

const again = 100_000; // ms that a line may be repeated with its key

export class Actions {
  constructor(net, hall) {
    this.net = net;
    this.hall = hall;
  }

  // ---- lines

  /** over is by how many bytes a line is too long, 0 when it fits. */
  over(text) {
    return Math.max(0, bytes(text) - textMost, bytes(JSON.stringify(text)) - frameMost);
  }

  /** say says a line in a place. What becomes of it is shown in the place itself. */
  say(place, text) {
    const [type, fields] = {
      lobby: ['say', { text }],
      room: ['room.say', { text }],
      whisper: ['whisper', { to: place.name, text }],
    }[place.kind];
    const line = { text, type, fields };
    this.hall.sendingLine(place, line);
    this.send(place, line);
  }

  /** repeat tries a line again that was not accepted. */
  repeat(place, line) {
    // The hall knows the key for 2 minutes: until then it cannot arrive twice.
    const same = line.entry && Date.now() - line.entry.at < again ? line.entry : undefined;
    line.fault = null;
    this.hall.tell('sending', place);
    this.send(place, line, same?.key, same?.at);
  }

  discard(place, line) {
    this.hall.settle(place, line);
  }

  send(place, line, key, at) {
    const done = this.net.command(line.type, line.fields, key, at);
    line.entry = done.entry;
    this.follow(place, line, done);
  }

  follow(place, line, done) {
    done.then((data) => {
      if (place.kind === 'whisper') {
        this.hall.settle(place, line);
        this.hall.addRow(place, { kind: 'chat', at: this.hall.now(), from: this.hall.me, text: line.text });
        this.hall.keepWhispers();
      } else {
        this.hall.sent(place, line, data.seq);
      }
    }, (fault) => {
      if (fault.code === 'not_in_room') {
        this.hall.leave();
        this.hall.note(fault.message);
      }
      line.fault = fault;
      this.hall.tell('sending', place);
    });
  }

  /** repeatKept sends what a reload left unanswered. */
  repeatKept(kept) {
    const { hall } = this;
    for (const { type, fields, key, at } of kept) {
      const place = { say: hall.lobby, 'room.say': hall.room, whisper: fields.to && hall.whisper(fields.to) }[type];
      const done = this.net.command(type, fields, key, at);
      if (!place) {
        done.catch(() => {}); // an answer to a round: its outcome comes as an event
        continue;
      }
      const line = { text: fields.text, type, fields, entry: done.entry };
      hall.sendingLine(place, line);
      this.follow(place, line, done);
    }
  }

  // ---- history

  /** older reads what was said before, the newest first of all; false when there is no more
   * or it could not be read now. */
  async older(place) {
    if (place.loading || place.whole) return false;
    place.loading = true;
    try {
      const before = place.first || (this.hall.last[place.id] ?? 0) + 1;
      const { events } = await this.net.call('history', { channel: place.id, limit: page, before });
      if (events.length === 0 || events[0].prev === 0) place.whole = true;
      place.loading = false;
      this.hall.merge(place, events);
      return events.length > 0;
    } catch {
      place.loading = false; // the button is still there
      this.hall.tell('history', place);
      return false;
    }
  }

  /** fill reads the newest of a room from the hall, whatever we have had of it. */
  async fill(place) {
    const { events } = await this.net.call('history', { channel: place.id, limit: 100 });
    this.hall.merge(place, events);
  }

  // ---- rooms

  async createRoom(room, max = 0) {
    const { seq } = await this.net.call('room.create', max ? { room, max } : { room });
    await this.entered(seq);
  }

  async joinRoom(room) {
    const { seq } = await this.net.call('room.join', { room });
    await this.entered(seq);
  }

  // entered finds out what the room is called: somebody may have typed it in another case.
  async entered(seq) {
    const { hall } = this;
    const { room, members } = await this.membership();
    if (!room) return;
    hall.enter(room, seq);
    hall.inRoomAre(members);
    // What was said before we knew whose events these are is in the history.
    await this.fill(hall.room);
    if (hall.room) hall.select(hall.room);
    await this.listRooms();
  }

  async quitRoom() {
    try {
      await this.net.call('room.quit');
    } catch (fault) {
      if (fault.code !== 'not_in_room') throw fault;
    }
    this.hall.leave();
    await this.listRooms();
  }

  /** membership asks which room we are in, "" for none, and with whom. */
  async membership() {
    try {
      return await this.net.call('room.members');
    } catch (fault) {
      if (fault.code === 'not_in_room') return { room: '', members: [] };
      throw fault;
    }
  }

  /** inRoom makes ours the room that the hall says we are in, "" for none. */
  async inRoom(name) {
    const { hall } = this;
    if (!name) {
      hall.leave();
      return;
    }
    const known = hall.roomChannel === `room:${name}`;
    if (!known) hall.enter(name, 0);
    hall.inRoomAre((await this.membership()).members);
    if (!known && hall.room) await this.fill(hall.room);
  }

  async listRooms() {
    const { rooms } = await this.net.call('room.list');
    this.hall.rooms = rooms ?? [];
    this.hall.tell('rooms');
  }

  // ---- people

  async who() {
    const { users, total } = await this.net.call('who');
    this.hall.people = new Map(users.map((u) => [u.user, u.state]));
    this.hall.peopleUntold = Math.max(0, total - users.length);
    this.hall.tell('people');
  }

  async onlineTime() {
    return (await this.net.call('onlinetime')).seconds;
  }

  async passwd(old, next) {
    await this.net.call('passwd', { old, new: next });
  }

  // ---- the game

  /** answer answers the round; it gives {round, value, void}. */
  async answer(expression) {
    // What people and phones write for the four signs.
    const plain = expression.replace(/[×✕·]/g, '*').replace(/[÷:]/g, '/').replace(/[−–—]/g, '-').trim();
    if (!plain) throw new Fault({ code: 'bad_expression', message: 'Write an expression of the four numbers.' });
    const got = await this.net.command('game21.answer', { expression: plain });
    const { game } = this.hall;
    if (got.round === game.round) game.mine = { ...got, expression: plain };
    this.hall.tell('game');
    return got;
  }

  async status() {
    this.hall.status(await this.net.call('game21.status'));
  }

  async scores() {
    const { top, me } = await this.net.call('game21.scores');
    Object.assign(this.hall.game, { top, me });
    this.hall.tell('game');
  }

  /** pastRounds reads the last results, and who has answered the open round. */
  async pastRounds() {
    const { events } = await this.net.call('history', { channel: 'game21', limit: 60 });
    this.hall.pastRounds(events);
  }

  /** look asks for what no event tells again: all of it after sign-in, and after a reload. */
  async look() {
    const asked = [this.who(), this.listRooms(), this.pastRounds().then(() => this.status())];
    // One that fails keeps nothing from the others; what is missing comes with the next look.
    await Promise.allSettled(asked);
  }

  /** kept is what a reload left unanswered, read before the session begins. */
  static kept() {
    return store.load('commands', []);
  }
}
