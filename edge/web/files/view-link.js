// How the connection is, and what can be done about it.

import { get, show, write } from './dom.js';

const patience = 2000; // ms: a connection that is back before is not worth a banner

const stopped = {
  signed_in_elsewhere: ['You signed in somewhere else, so this window was let go.', 'Come back here'],
  idle: ['You were away for a long time, so the hall closed the door.', 'Come back'],
  protocol: ['The hall did not understand this page. It may have a newer one.', 'Load it again'],
};

export class Link {
  constructor(net) {
    this.net = net;
    get('banner-act').addEventListener('click', () => this.act());
    setInterval(() => this.tick(), 500);
  }

  /** changed takes the state of the connection. */
  changed(link) {
    if (link.state === 'online' || link.state === 'idle') this.since = 0;
    else this.since ||= Date.now();
    this.link = link;
    get('link').dataset.state = link.state;
    get('line').readOnly = link.state === 'stopped';
    write(get('link-text'), { idle: '', online: 'Connected', connecting: 'Connecting…', waiting: 'Reconnecting…', stopped: 'Not connected' }[link.state]);
    this.tick();
  }

  tick() {
    const { link } = this;
    if (!link) return;
    const lost = (link.state === 'waiting' || link.state === 'connecting') && this.since && Date.now() - this.since > patience;
    show(get('banner'), link.state === 'stopped' || Boolean(lost));
    get('banner').dataset.state = link.state;
    if (link.state === 'stopped') {
      const [text, act] = stopped[link.reason];
      write(get('banner-text'), text);
      write(get('banner-act'), act);
    } else if (lost) {
      write(get('banner-text'), 'The hall cannot be reached. What you write is sent as soon as it is back.');
      write(get('banner-act'), 'Try now');
    }
  }

  act() {
    if (this.link.reason === 'protocol') location.reload();
    else if (this.link.state === 'stopped') this.net.comeBack();
    else if (this.link.state === 'waiting') this.net.connect();
  }
}
