// The web client of the hall. This file puts the parts together:
//
//   net.js      the connection, its heartbeat, coming back, commands that are repeated
//   state.js    what is known of the hall, told by events
//   actions.js  what a player does
//   view-*.js   what is seen, a story each
//
// Everything comes from the server that serves this page; it runs as it is written.

import { Actions } from './actions.js';
import { get, show } from './dom.js';
import { Net } from './net.js';
import { help, parse } from './slash.js';
import { Hall } from './state.js';
import * as store from './store.js';
import { Game } from './view-game.js';
import { Gate } from './view-gate.js';
import { Link } from './view-link.js';
import { People } from './view-people.js';
import { Places } from './view-places.js';
import { Talk } from './view-talk.js';
import { You } from './view-you.js';
import { sentence } from './words.js';

const lookEvery = 30_000; // at who is away and which rooms there are: no event tells that

const hall = new Hall();
const kept = Actions.kept();
let fresh = true; // nothing is known yet: the page was just loaded
let resumedAt = 0; // what comes right after a resume is replayed

const net = new Net({
  event: (e) => hall.apply(e, Date.now() - resumedAt > 1500),
  since: () => (fresh ? store.load('last', {}) : hall.last),
  link: (link) => linkView.changed(link),
  session,
  ended: (why) => {
    fresh = false;
    hall.clear();
    you.close();
    show(get('hall'), false);
    document.title = 'The hall';
    if (!why) get('line').value = ''; // who comes next is somebody else
    gate.open(why?.message);
  },
});
const actions = new Actions(net, hall);

const gate = new Gate(net);
const linkView = new Link(net);
const talk = new Talk(hall, actions, command);
const places = new Places(hall, actions, (place) => {
  hall.select(place);
  tab('talk');
  focusLine();
});
new People(hall, whisper);
new Game(hall, actions);
const you = new You(hall, actions, net);

// ---- sessions

function session({ user, seq, room, resumed }) {
  // Whoever is somewhere already, at another place of the page, stays there.
  const free = [document.body, null].includes(document.activeElement) || get('gate').contains(document.activeElement);
  gate.close();
  show(get('hall'), true);
  resumedAt = resumed ? Date.now() : 0;
  if (!resumed) hall.begin(user, seq);
  else if (fresh) hall.restore(user);
  const look = !resumed || fresh;
  fresh = false;
  you.name(user);
  if (look) {
    tab('talk');
    if (free) focusLine();
    actions.repeatKept(resumed ? kept : []);
    actions.look();
    // A session that just began may be in a room: rooms outlive sessions.
    const found = resumed ? Promise.resolve(room) : actions.membership().then((m) => m.room);
    found.then((name) => actions.inRoom(name)).catch(() => {});
  } else if (`room:${room}` !== (hall.roomChannel ?? 'room:')) {
    actions.inRoom(room).catch(() => {});
  }
}

// Somebody joined a room for us, from a terminal with the same name perhaps: an event of a
// room that we did not know we are in.
let stray = false;
hall.on('stray', (e) => {
  if (stray) return;
  stray = true;
  actions.membership()
    .then(({ room }) => (e.channel === `room:${room}` ? actions.inRoom(room) : null))
    .catch(() => {})
    .finally(() => { stray = false; });
});

// ---- what is typed

/** command carries out a line; it gives what is wrong with it, if it stays where it is. */
function command(place, text) {
  const got = parse(text);
  if (got.wrong) return got.wrong;
  if (got.say !== undefined) {
    actions.say(place, got.say);
    return '';
  }
  const note = (what) => hall.note(what);
  const failed = (fault) => note(sentence(fault.message));
  const { rest } = got;
  switch (got.command) {
    case 'W': {
      const [, to, what] = /^(\S+)\s+(.*)$/s.exec(rest);
      actions.say(whisper(to), what);
      return '';
    }
    case 'CHATROOM':
      if (!hall.room) return 'You are not in a room.';
      actions.say(hall.room, rest);
      hall.select(hall.room);
      return '';
    case 'CREATEROOM':
      actions.createRoom(rest).catch(failed);
      return '';
    case 'JOINROOM':
      actions.joinRoom(rest).catch(failed);
      return '';
    case 'QUITROOM':
      actions.quitRoom().catch(failed);
      return '';
    case '21GAME':
      actions.answer(rest).then((a) => note(`Round ${a.round}: your answer is ${a.value}${a.void ? ', over 21, so it is void' : ''}`), failed);
      return '';
    case 'WHO':
    case 'MEMBERS':
      actions.who().catch(failed);
      tab('people');
      return '';
    case 'ROOMS':
      actions.listRooms().catch(failed);
      tab('places');
      return '';
    case 'ROUND':
      actions.status().catch(failed);
      tab('game');
      return '';
    case 'SCORES':
      get('game-scores').open = true;
      tab('game');
      return '';
    case 'GETONLINETIME':
      you.open(hall.me);
      return '';
    case 'HISTORY':
      if (place.kind === 'whisper') return 'The hall keeps no whispers.';
      talk.back(place, Number(rest) || 20).catch(failed);
      return '';
    case 'PASSWD':
      actions.passwd(...rest.split(/\s+/)).then(() => note('Your password is changed.'), failed);
      return '';
    case 'PING': {
      const begun = performance.now();
      net.call('ping').then(() => note(`The hall is there, ${Math.round(performance.now() - begun)} ms away.`), failed);
      return '';
    }
    case 'SIGNOUT':
    case 'QUIT':
      net.signOut();
      return '';
    default:
      note(help());
      return '';
  }
}

/** whisper opens the place of a partner. */
function whisper(to) {
  // Names have one form: small letters, in the composition that Unicode calls NFC.
  const place = hall.whisper(to.normalize('NFKC').toLowerCase());
  hall.select(place);
  tab('talk');
  focusLine();
  return place;
}

// ---- the page

/** tab turns to one part of the hall, where the screen has room for one only. */
function tab(name) {
  get('hall').dataset.tab = name;
  for (const button of get('tabs').children) {
    if (button.dataset.tab === name) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }
  if (name === 'talk') {
    hall.read();
    talk.toEnd();
  }
  marks();
}

/** marks shows behind which tabs there is news, which is never the one that is open. */
function marks() {
  const unread = hall.unread();
  const news = {
    places: unread > hall.current.unread,
    talk: hall.current.unread > 0,
    game: hall.game.open && !hall.game.mine,
  };
  for (const [name, has] of Object.entries(news)) {
    get('tabs').querySelector(`[data-tab=${name}]`).toggleAttribute('data-news', has && get('hall').dataset.tab !== name);
  }
}

get('tabs').addEventListener('click', (e) => {
  const button = e.target.closest('button');
  if (button) tab(button.dataset.tab);
});

// focusLine is not for who points with a finger: a keyboard would cover half of the screen.
function focusLine() {
  if (!matchMedia('(pointer: coarse)').matches) get('line').focus();
}

const oneView = matchMedia('(max-width: 899px)'); // as in layout.css
hall.looking = () => !document.hidden && (!oneView.matches || get('hall').dataset.tab === 'talk');
document.addEventListener('visibilitychange', () => hall.looking() && hall.read());

hall.on('places', () => {
  const unread = hall.unread();
  document.title = `${unread ? `(${unread}) ` : ''}The hall`;
  marks();
});
hall.on('game', ({ started } = {}) => {
  marks();
  if (started || hall.game.open || hall.game.nextAt > hall.now()) return;
  looking ||= true; // when the next round starts is asked with the next look
});

// The hall takes who asks for somebody who is there. So this page looks by itself only while
// somebody moves or types, and what it shows of a player who is away is true.
let looked = Date.now();
let looking = false;
for (const kind of ['pointermove', 'pointerdown', 'keydown', 'scroll']) {
  addEventListener(kind, () => {
    const due = looking ? 2000 : lookEvery;
    if (!net.online || document.hidden || Date.now() - looked < due) return;
    looked = Date.now();
    if (looking || !hall.game.open) actions.status().catch(() => {});
    looking = false;
    actions.who().catch(() => {});
    actions.listRooms().catch(() => {});
  }, { passive: true, capture: true });
}

if (net.resumable) net.resume();
else gate.open();
