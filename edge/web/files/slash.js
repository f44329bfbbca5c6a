// Commands for hands that know the terminal: the same words as there. What is no command is
// never said aloud by mistake: it may be a password.

// What stands after each (in brackets when it may be left out), and what it does.
const commands = {
  W: ['name text', 'whisper to somebody'],
  WHO: ['', 'who is here'],
  GETONLINETIME: ['', 'how long you have been online'],
  HISTORY: ['[n]', 'go back to the last n lines of this place'],
  CREATEROOM: ['room', 'make a room and join it'],
  JOINROOM: ['room', 'join a room'],
  QUITROOM: ['', 'leave your room'],
  CHATROOM: ['text', 'talk in your room'],
  ROOMS: ['', 'which rooms there are'],
  MEMBERS: ['', 'who is in your room'],
  '21GAME': ['expression', 'answer the round of 21'],
  ROUND: ['', 'the round\'s numbers, or when the next one starts'],
  SCORES: ['', 'who won how often'],
  PASSWD: ['old new', 'change your password'],
  PING: ['', 'is the hall there'],
  SIGNOUT: ['', 'sign out'],
  HELP: ['', 'this list'],
  QUIT: ['', 'sign out'],
};

const usage = (command) => `/${command} ${commands[command][0]}`.trim();

const alias = { GAME21: '21GAME' };

/** help lists the commands, one a line. */
export const help = () => [
  ...Object.entries(commands).map(([command, [, does]]) => `${usage(command)} - ${does}`),
  'Anything else is said where you are; //text says /text.',
].join('\n');

/**
 * parse reads a line: {say: text}, {command, rest} or {wrong: what to tell}.
 */
export function parse(line) {
  if (line.startsWith('//')) return { say: line.slice(1) };
  if (line.startsWith('／')) return { wrong: 'Commands start with a plain /.' }; // the full-width slash of input methods
  if (!line.startsWith('/')) return { say: line };
  const [, word, rest] = /^\/(\S*)\s*(.*)$/s.exec(line);
  const upper = word.toUpperCase();
  const command = alias[upper] ?? upper;
  if (!Object.hasOwn(commands, command)) return { wrong: `There is no command /${word}. /HELP lists those there are.` };
  const [args] = commands[command];
  const needs = args.split(' ').filter(Boolean).length;
  const has = rest.split(/\s+/).filter(Boolean).length;
  const right = {
    HISTORY: rest === '' || (/^\d{1,4}$/.test(rest) && Number(rest) > 0),
    PASSWD: has === 2,
  }[command] ?? (needs ? has >= needs : has === 0);
  if (!right) return { wrong: `Usage: ${usage(command)}` };
  return { command, rest };
}
