// The connection: one WebSocket at a time, its heartbeat, its replies, and how it comes back
// after it was lost. What the events mean is for state.js.
//
//   idle → connecting → online → waiting → connecting → …      stopped
//
// A session outlives its connections: with the token the next one resumes it. Whoever says
// a line is not to say it twice, so such commands carry a key, and those that were not
// answered are sent again with the same key once the session is back.

import * as store from './store.js';

const limits = {
  beatEvery: 10_000, // the hall closes who is silent for 30 s
  silence: 30_000, // so does this client: every ping is answered
  openWithin: 10_000, // a SYN that nobody answers would hang for minutes
  resumeWithin: 20_000, // longer than the hall tries
  wakeWithin: 5_000, // for the first answer after a sleep
  backoffFirst: 500,
  backoffMost: 30_000,
  repeatWithin: 100_000, // the hall knows a key for 2 minutes
};

/** Fault is an error with the hall's code: those of the protocol, and three of our own:
 * "lost" (the connection went before the answer came), "unknown" (a line may have arrived,
 * or not, and it is too late to ask) and "ended" (there is no session any more). */
export class Fault extends Error {
  constructor({ code, message, retry = false }) {
    super(message);
    this.code = code;
    this.retry = retry;
  }
}

const lostFault = () => new Fault({ code: 'lost', message: 'The connection was lost before the answer came. Please try again.', retry: true });
const unknownFault = () => new Fault({ code: 'unknown', message: 'It is not known whether this arrived.', retry: true });
const endedFault = () => new Fault({ code: 'ended', message: 'You are not signed in any more.' });

/** newKey names a command, 128 random bits: crypto.randomUUID is missing without TLS. */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

export class Net {
  /**
   * hears has: event(e), session({user, seq, room, resumed}), link({state, …}),
   * ended({code, message}), since() (the last sequence of each channel).
   */
  constructor(hears) {
    this.hears = hears;
    this.token = store.load('token', null);
    this.socket = null;
    this.online = false; // a session is on the socket
    this.state = 'idle'; // see above
    this.waiting = new Map(); // id → what takes the reply
    this.commands = []; // those with a key that have no answer yet, in their order
    this.lastID = 0;
    this.attempt = 0;
    this.retryAfter = 0;
    this.timer = 0;
    this.openers = []; // who waits for a connection to sign in on
    this.startBeat();
    // Whoever comes back to the page, or whose network does, is not to wait for a timer.
    document.addEventListener('visibilitychange', () => document.hidden || this.wake());
    addEventListener('online', () => this.wake());
    addEventListener('pageshow', (e) => e.persisted && this.wake());
  }

  /** resumable tells whether there is a session to come back to. */
  get resumable() { return this.token !== null; }

  link(link) {
    this.state = link.state;
    this.hears.link(link);
  }

  // ---- sessions

  /** resume brings back the session that a reload left. */
  resume() { this.connect(); }

  /** signUp makes an account. */
  async signUp(username, password) {
    await this.opened();
    await this.call('signup', { username, password });
  }

  /** signIn begins a session; takeover ends one that is elsewhere. */
  async signIn(username, password, takeover = false) {
    await this.opened();
    await new Promise((resolve, reject) => {
      // The session is adopted in the reply's own turn: events follow it at once.
      this.send('signin', { username, password, takeover }, {
        resolve: (data) => { this.adopt(data, false); resolve(); },
        reject,
      });
    });
  }

  /** signOut ends the session; whatever the hall answers, it is over here. */
  async signOut() {
    const done = this.online ? this.call('signout').catch(() => {}) : Promise.resolve();
    await done;
    this.end(null);
  }

  adopt(data, resumed) {
    this.token = data.token || null;
    // Kept before anything else is sent: the token that was used is worth nothing then.
    store.save('token', this.token ?? undefined);
    this.attempt = 0;
    this.hears.session({ user: data.user, seq: data.seq, room: data.room || '', resumed });
    this.online = true; // from here on commands are sent as they come; those before, now
    this.link({ state: 'online' });
    const now = Date.now();
    for (const c of [...this.commands]) {
      if (now - c.at < limits.repeatWithin) this.sendCommand(c);
      else this.settle(c, () => c.reject(unknownFault()));
    }
  }

  /** end forgets the session. why is null when the player wanted it. */
  end(why) {
    this.token = null;
    store.clear();
    const open = this.commands;
    this.commands = [];
    for (const c of open) c.reject(endedFault());
    this.drop();
    this.link({ state: 'idle' });
    this.hears.ended(why);
  }

  /** comeBack is for the player who was stopped: only a click gets here. */
  comeBack() {
    if (this.token) this.connect();
    else this.end({ code: 'ended', message: 'Please sign in again.' });
  }

  // ---- commands

  /** call sends a request and gives its data. It fails with "lost" if the connection does. */
  call(type, fields = {}) {
    return new Promise((resolve, reject) => {
      if (this.socket?.readyState !== WebSocket.OPEN) reject(lostFault());
      else this.send(type, fields, { resolve, reject });
    });
  }

  /**
   * command sends what changes something, once: with a key, and again after a resume if it
   * had no answer. Without a connection it waits for the next. at is when the key was made;
   * the promise has both in entry, for who repeats it later.
   */
  command(type, fields, key = newKey(), at = Date.now()) {
    const c = { type, fields, key, at };
    const done = new Promise((resolve, reject) => Object.assign(c, { resolve, reject }));
    done.entry = { key, at };
    if (!this.token && !this.online) {
      c.reject(endedFault());
      return done;
    }
    this.commands.push(c);
    this.keepCommands();
    if (this.online) this.sendCommand(c);
    return done;
  }

  /** keepCommands lets a reload repeat what is unanswered. */
  keepCommands() {
    store.save('commands', this.commands.map(({ type, fields, key, at }) => ({ type, fields, key, at })));
  }

  sendCommand(c) {
    this.send(c.type, { ...c.fields, key: c.key }, {
      resolve: (data) => this.settle(c, () => c.resolve(data)),
      reject: (fault) => fault.code === 'lost' || this.settle(c, () => c.reject(fault)), // lost: it is repeated
    });
  }

  settle(c, how) {
    this.commands = this.commands.filter((other) => other !== c);
    this.keepCommands();
    how();
  }

  send(type, fields, taker) {
    const id = String(++this.lastID);
    if (taker) this.waiting.set(id, taker);
    this.socket.send(JSON.stringify({ id, type, ...fields }));
  }

  // ---- the socket

  /** opened gives a connection to sign in on. */
  opened() {
    if (this.socket?.readyState === WebSocket.OPEN) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.openers.push({ resolve, reject });
      if (!this.socket) this.connect();
    });
  }

  connect() {
    clearTimeout(this.timer);
    this.drop();
    this.link({ state: 'connecting' });
    const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`, 'hall.v1');
    this.socket = socket;
    this.retryAfter = 0;
    this.heard = Date.now();
    const mine = (what) => (e) => { if (this.socket === socket) what(e); };
    this.timer = setTimeout(mine(() => this.lost()), limits.openWithin);
    socket.onopen = mine(() => {
      clearTimeout(this.timer);
      this.heard = Date.now();
      for (const o of this.openers.splice(0)) o.resolve();
      if (this.token) this.sendResume(mine);
    });
    socket.onmessage = mine((e) => this.message(e.data));
    socket.onclose = mine(() => this.lost());
  }

  sendResume(mine) {
    this.timer = setTimeout(mine(() => this.lost()), limits.resumeWithin);
    this.send('resume', { token: this.token, since: this.hears.since() }, {
      resolve: (data) => {
        clearTimeout(this.timer);
        this.adopt(data, true);
      },
      reject: (fault) => {
        if (fault.code === 'lost') return; // lost() sees to it
        clearTimeout(this.timer);
        if (fault.retry || fault.code === 'internal') this.lost();
        else this.end({ code: fault.code, message: 'Your session is over. Please sign in again.' });
      },
    });
  }

  message(text) {
    this.heard = Date.now();
    const m = JSON.parse(text);
    if (m.type === 'reply') {
      const taker = this.waiting.get(m.re);
      this.waiting.delete(m.re);
      if (m.ok) taker?.resolve(m.data ?? {});
      else this.refused(taker, new Fault(m.error));
    } else if (m.event === 'closing') {
      this.closing(m);
    } else if (m.type === 'event') {
      this.hears.event(m);
    }
  }

  refused(taker, fault) {
    const over = fault.code === 'not_signed_in' && this.online;
    taker?.reject(fault);
    if (over) this.end({ code: fault.code, message: 'Your session is over. Please sign in again.' });
  }

  // The hall says why it closes. Where it told the player to go, nothing may come back by
  // itself: two tabs would throw each other out for ever.
  closing(m) {
    const stays = ['signed_in_elsewhere', 'idle', 'protocol'].includes(m.reason);
    if (stays && this.online) {
      this.drop();
      this.link({ state: 'stopped', reason: m.reason });
      return;
    }
    this.retryAfter = m.retry_after_ms ?? 0;
    this.lost();
  }

  /** drop lets go of the socket. Who waits for an answer on it is told. */
  drop() {
    const socket = this.socket;
    this.socket = null;
    this.online = false;
    clearTimeout(this.timer);
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    const takers = [...this.waiting.values()];
    this.waiting.clear();
    for (const t of takers) t.reject(lostFault());
  }

  /** lost takes the end of a connection, and comes back for a session. */
  lost() {
    const { retryAfter, online } = this;
    this.drop();
    for (const o of this.openers.splice(0)) {
      o.reject(new Fault({ code: 'lost', message: 'The hall cannot be reached. Please try again in a moment.', retry: true }));
    }
    if (!this.token) {
      this.link({ state: 'idle' });
      if (online) this.end({ code: 'lost', message: 'The connection was lost. Please sign in again.' });
      return;
    }
    // Full jitter: whoever lost the same hall comes back spread over the whole time.
    const wait = retryAfter + Math.random() * Math.min(limits.backoffMost, limits.backoffFirst * 2 ** this.attempt++);
    this.link({ state: 'waiting', until: Date.now() + wait });
    this.timer = setTimeout(() => this.connect(), wait);
  }

  // ---- heartbeat

  startBeat() {
    try {
      const worker = new Worker('/beat.js');
      worker.onmessage = () => this.beat();
      worker.onerror = () => setInterval(() => this.beat(), limits.beatEvery);
    } catch {
      setInterval(() => this.beat(), limits.beatEvery);
    }
  }

  beat() {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    if (Date.now() - this.heard > limits.silence) this.lost();
    else this.send('ping', {});
  }

  /** wake looks at once what a timer would look at later. */
  wake() {
    if (!this.token) return;
    if (!this.socket) {
      if (this.state === 'waiting') this.connect(); // stopped is for the player to end
      return;
    }
    if (this.socket.readyState !== WebSocket.OPEN || Date.now() - this.heard < limits.beatEvery) return;
    const { socket, heard } = this;
    this.send('ping', {});
    setTimeout(() => this.socket === socket && this.heard === heard && this.lost(), limits.wakeWithin);
  }
}
