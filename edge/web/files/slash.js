// Commands for hands that know the terminal: the same words as there. What is no command is
// never said aloud by mistake: it may be a password.

const usage = {
  W: '/W name text',
  CREATEROOM: '/CREATEROOM room',
  JOINROOM: '/JOINROOM room',
  QUITROOM: '/QUITROOM',
  CHATROOM: '/CHATROOM text',
  '21GAME': '/21GAME expression',
  WHO: '/WHO',
  ROOMS: '/ROOMS',
  MEMBERS: '/MEMBERS',
  ROUND: '/ROUND',
  SCORES: '/SCORES',
  GETONLINETIME: '/GETONLINETIME',
  SIGNOUT: '/SIGNOUT',
  HELP: '/HELP',
};

const alias = { GAME21: '21GAME' };

/** help lists the commands. */
export const help = () => `${Object.values(usage).join(' · ')} · //text says /text`;

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
  if (!Object.hasOwn(usage, command)) return { wrong: `There is no command /${word}. ${help()}` };
  const needs = usage[command].split(' ').length - 1;
  const has = command === 'W' ? rest.split(/\s+/).filter(Boolean).length : Number(rest !== '');
  if (needs ? has < needs : has) return { wrong: `Usage: ${usage[command]}` };
  return { command, rest };
}
