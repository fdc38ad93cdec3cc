// Gets answers: one at a time, stoppable, with a key where the server wants one.

import { ApiError, complete, isAbort } from "./api.js";
import { Chat } from "./chat.js";
import { Meter } from "./meter.js";

export class Conversation {
  chat = new Chat();
  #connection = null; // what was asked for, and what it needs
  #stopper = null;
  #running = Promise.resolve();

  /** @param connection has `model`, `key`, `system`, `parameters` and `newKey(reason)` */
  constructor(connection) {
    this.#connection = connection;
  }

  get busy() {
    return this.#stopper !== null;
  }

  /** Ends the answer that is being written; done when its last word is shown. */
  stop() {
    this.#stopper?.abort();
    return this.#running;
  }

  /** Lets the last question be answered. `watcher` is told of the beginning, changes and end. */
  run(turn, watcher) {
    this.#running = this.#run(turn, watcher);
    return this.#running;
  }

  async #run(turn, watcher) {
    this.#stopper = new AbortController();
    try {
      while (!(await this.#attempt(turn, watcher)));
    } finally {
      this.#stopper = null;
      watcher.ended();
    }
  }

  /** Whether it is over, well or not; else there is a new key to try. */
  async #attempt({ answer }, watcher) {
    try {
      await this.#stream(answer, watcher);
    } catch (error) {
      if (isAbort(error)) answer.stopped = true;
      else if (!(error instanceof ApiError)) throw error;
      else if (error.status === 401 && (await this.#connection.newKey(error.message))) return false;
      else answer.error = error;
    }
    return true;
  }

  async #stream(answer, watcher) {
    const { model, key, system, parameters } = this.#connection;
    const body = { model, messages: this.chat.messages(system), ...parameters };
    const meter = new Meter();
    watcher.began(meter);
    for await (const { chunk } of complete(body, { key, signal: this.#stopper.signal })) {
      if (!chunk) watcher.reading();
      else if (answer.take(chunk)) meter.wrote(answer.phase);
      watcher.changed();
    }
  }
}
