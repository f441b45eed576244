// Ratings on their way out: in the order in which they were given, one at a time, each until the server has answered.

import { Retry, send, worthRetrying } from "./net.js";
import { outbox } from "./store.js";
import { csrf, url } from "./urls.js";

export class Post {
  #queue = [];
  #sending = false;
  #failed = false;
  #retry = new Retry();
  #settle;
  #waiting;
  #follows;
  #idle = [];

  constructor({ settle, waiting, follows }) {
    [this.#settle, this.#waiting, this.#follows] = [settle, waiting, follows];
  }

  send(entry) {
    this.#queue.push(entry);
    if (this.#failed) this.#waiting(this.#queue.length);
    return this.#next();
  }

  now() {
    this.#retry.now();
  }

  // Resolves when nothing is on its way, or when it cannot leave just now.
  idle() {
    if (!this.#queue.length || this.#failed) return Promise.resolve();
    return new Promise((resolve) => { this.#idle.push(resolve); });
  }

  async #next() {
    if (this.#sending || !this.#queue.length) return;
    const [entry] = this.#queue;
    this.#sending = true;
    const shown = this.#follows()?.token;
    const answer = await send("PUT", url.rating(entry.token, shown === entry.token ? null : shown), csrf, entry.rating);
    this.#sending = false;
    if (worthRetrying(answer)) {
      this.#failed = true;
      this.#retry.later(() => this.#next(), answer.wait);
      this.#waiting(this.#queue.length);
      this.#wake();
      return;
    }
    this.#retry.succeeded();
    this.#queue.shift();
    this.#failed = false;
    // Without a good cookie it stays on this device and goes out when the page is loaded again with one.
    if (answer.status !== 401 && answer.status !== 403) outbox.drop(entry.token);
    this.#waiting(0);
    if (!this.#queue.length) this.#wake();
    this.#settle(entry, answer);
    this.#next();
  }

  #wake() {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
