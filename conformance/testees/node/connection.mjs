// Sessions one after another on one connection, for an end that waits for them: an owner or a receiver of pushes.

import { PREFACE } from "./frames.mjs";

export class Connection {
  #make;
  #session;
  #last = null;

  /** `make()` returns the session that is to come next. */
  constructor(make) {
    this.#make = make;
    this.#session = make();
  }

  start() {
    return this.#session.start();
  }

  feed(data) {
    const said = [];
    for (let rest = data; rest.length > 0; rest = this.#session.rest()) {
      if (this.#session.state === "DELIVERED") this.#next();
      said.push(this.#session.feed(rest));
    }
    return Buffer.concat(said);
  }

  eof() {
    return this.#session.eof();
  }

  advance(seconds) {
    return this.#session.advance(seconds);
  }

  cancel() {
    return this.#session.cancel();
  }

  get error() {
    return this.#session.error;
  }

  /** That of the session that goes on, or of the last one while none does. */
  outcome() {
    return this.#session.outcome() ?? (this.#session.state === "IDLE" ? this.#last : null);
  }

  #next() {
    this.#last = this.#session.outcome();
    this.#session = this.#make();
    this.#session.start(); // the preface, which has been said
    this.#session.feed(PREFACE);
  }
}
