// The player's own dialog: online time, password, signing out.

import { get, write } from './dom.js';
import { duration, face, sentence } from './words.js';

export class You {
  constructor(hall, actions, net) {
    this.actions = actions;
    this.dialog = get('you');
    get('you-open').addEventListener('click', () => this.open(hall.me));
    get('you-close').addEventListener('click', () => this.dialog.close());
    get('sign-out').addEventListener('click', () => {
      this.dialog.close();
      net.signOut();
    });
    get('passwd-form').addEventListener('submit', (e) => {
      e.preventDefault();
      this.passwd(e.currentTarget);
    });
    this.dialog.addEventListener('close', () => {
      clearInterval(this.timer);
      get('passwd-form').reset();
      write(get('passwd-note'), '');
    });
  }

  /** name shows who one is. */
  name(user) {
    write(get('you-name'), user);
    get('you-face').replaceChildren(face(user));
    get('passwd-form').elements.username.value = user;
  }

  async open(user) {
    write(get('you-title'), user);
    write(get('you-time'), 'Looking at the clock…');
    this.dialog.showModal();
    try {
      const seconds = await this.actions.onlineTime();
      const from = Date.now();
      const tell = () => write(get('you-time'), `You have been online for ${duration(seconds + (Date.now() - from) / 1000)} in all.`);
      tell();
      clearInterval(this.timer);
      this.timer = setInterval(tell, 1000);
    } catch (fault) {
      write(get('you-time'), sentence(fault.message));
    }
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  async passwd(form) {
    const note = get('passwd-note');
    note.classList.remove('error');
    try {
      await this.actions.passwd(form.elements.old.value, form.elements.new.value);
      form.reset();
      write(note, 'Your password is changed.');
    } catch (fault) {
      note.classList.add('error');
      write(note, sentence(fault.message));
    }
  }
}
