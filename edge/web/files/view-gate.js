// Signing up and signing in.

import { get, show, write } from './dom.js';
import { sentence } from './words.js';

export class Gate {
  constructor(net) {
    this.net = net;
    this.form = get('gate-form');
    this.form.addEventListener('submit', (e) => {
      e.preventDefault();
      this.submit(false);
    });
    for (const how of this.form.elements.how) how.addEventListener('change', () => this.turn());
    this.form.elements.username.addEventListener('input', () => show(get('gate-takeover'), false));
    get('gate-takeover').addEventListener('click', () => this.submit(true));
  }

  get isNew() { return this.form.elements.how.value === 'up'; }

  // turn makes the form one for new players, or for those who are known.
  turn() {
    write(get('gate-submit'), this.isNew ? 'Join the hall' : 'Sign in');
    write(get('gate-error'), '');
    show(get('gate-hint'), this.isNew);
    show(get('gate-takeover'), false);
    this.form.elements.password.autocomplete = this.isNew ? 'new-password' : 'current-password';
  }

  /** open shows the form; why tells somebody who was signed in why that is over. */
  open(why) {
    show(get('gate'), true);
    show(get('gate-why'), Boolean(why));
    write(get('gate-why'), why ?? '');
    this.busy(false);
    const { username, password } = this.form.elements;
    (username.value ? password : username).focus();
  }

  close() {
    show(get('gate'), false);
    this.form.elements.password.value = '';
    this.form.elements.how.value = 'in';
    this.turn();
  }

  busy(on) {
    get('gate-submit').disabled = on;
    get('gate-takeover').disabled = on;
    this.form.setAttribute('aria-busy', String(on));
  }

  async submit(takeover) {
    const { username, password } = this.form.elements;
    const missing = [username, password].find((input) => !input.value.trim());
    if (missing) {
      write(get('gate-error'), 'Please give a name and a password.');
      missing.focus();
      return;
    }
    write(get('gate-error'), '');
    this.busy(true);
    try {
      if (this.isNew) {
        await this.net.signUp(username.value.trim(), password.value);
        // The account is there: if only signing in fails, the next try is not a second one.
        this.form.elements.how.value = 'in';
        this.turn();
      }
      await this.net.signIn(username.value.trim(), password.value, takeover);
    } catch (fault) {
      const elsewhere = fault.code === 'already_signed_in';
      write(get('gate-error'), elsewhere ? `${username.value.trim()} is signed in somewhere else already.` : sentence(fault.message));
      show(get('gate-takeover'), elsewhere);
      this.busy(false);
      if (elsewhere) get('gate-takeover').focus();
    }
  }
}
