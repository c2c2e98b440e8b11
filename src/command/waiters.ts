/**
 * Clients that wait for an element of a list, in the order they came.
 *
 * ```text
 * queues    "jobs"  → A, C          A and C wait for jobs, B and C for mail: whoever is served leaves all its queues
 *           "mail"  → B, C
 * ```
 *
 * A command that has put elements into a list says so with {@linkcode Waiters.pushed}, as the last thing it does. Waiting
 * clients are served at once then, the one that waits longest first, until the list has no more; while a transaction
 * runs, once it has ended. Serving runs the command of the waiting client to completion, on its own reply.
 *
 * Nothing is given to a client that has gone: before anybody is served, {@linkcode Waiters.look} has those leave whose
 * connections have ended. Where the system cannot tell that, or cannot tell it yet of the client whose turn it is, serving
 * is put off until a later turn of the event loop ({@linkcode Waiters.later}), in which ends are read.
 *
 * Keys are told apart as text of one character a byte.
 *
 * @module
 */

import type { ReplyError } from "../errors.ts";
import { binaryText } from "./binary_text.ts";

/** Whether what was waited for was done: there may be nothing to do it with, or it may be too early. */
export type Served = "yes" | "no" | "later";

/** How a wait is carried out and ended by those who do not wait. */
export interface WaiterActions {
  /** Does what is waited for, if it can be done with what `key` holds now. */
  serve(key: string): Served;
  /** Answers what is answered when the time is up. */
  expire(): void;
  /** Answers an error. */
  refuse(error: ReplyError): void;
}

/** One client's wait. */
export class Waiter {
  /** Resolves when the client was answered, whichever way. */
  readonly done: Promise<void>;
  readonly keys: readonly string[];
  readonly #actions: WaiterActions;
  readonly #waiters: Waiters;
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  #resolve: () => void;

  /** Use {@linkcode Waiters.wait}. */
  constructor(waiters: Waiters, keys: readonly string[], timeoutMs: number, actions: WaiterActions) {
    this.#waiters = waiters;
    this.keys = keys;
    this.#actions = actions;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#resolve = resolve;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.expire(), timeoutMs);
  }

  /** Tries to serve the client with what `key` holds. */
  serve(key: string): Served {
    const served = this.#actions.serve(key);
    if (served === "yes") this.#end();
    return served;
  }

  /** Ends the wait as if its time was up. */
  expire(): void {
    if (!this.#waiters.leave(this)) return;
    this.#actions.expire();
    this.#end();
  }

  /** Ends the wait with an error. */
  refuse(error: ReplyError): void {
    if (!this.#waiters.leave(this)) return;
    this.#actions.refuse(error);
    this.#end();
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#resolve();
  }
}

/** All that wait at one server. */
export class Waiters {
  /** How many wait: 0 nearly always. */
  count = 0;
  /** Ends the waits of clients that have gone. Called before any are served; without it nobody is served at once. */
  look: (() => void) | undefined;
  /** Calls `serve` in a later turn of the event loop. Without it nothing is put off. */
  later: ((serve: () => void) => void) | undefined;
  readonly #queues = new Map<string, Set<Waiter>>();
  /** Keys that were pushed to and not served since. */
  #ready = new Set<string>();
  #isHeld = false;
  /** Whether {@linkcode later} was called and has not served yet. */
  #isPutOff = false;

  /**
   * Waits for one of `keys`.
   *
   * @param timeoutMs 0: for ever
   */
  wait(keys: readonly string[], timeoutMs: number, actions: WaiterActions): Waiter {
    const waiter = new Waiter(this, [...new Set(keys)], timeoutMs, actions);
    for (const key of waiter.keys) {
      let queue = this.#queues.get(key);
      if (queue === undefined) this.#queues.set(key, queue = new Set());
      queue.add(waiter);
    }
    this.count++;
    return waiter;
  }

  /** Takes a waiter out of its queues; whether it was still in them. */
  leave(waiter: Waiter): boolean {
    let was = false;
    for (const key of waiter.keys) {
      const queue = this.#queues.get(key);
      if (queue === undefined || !queue.delete(waiter)) continue;
      was = true;
      if (queue.size === 0) this.#queues.delete(key);
    }
    if (was) this.count--;
    return was;
  }

  /**
   * Says that the key `bytes[start, start + length)` holds a list which has got elements. May change any list, so it is
   * the last thing that a command does.
   */
  pushed(bytes: Uint8Array, start: number, length: number): void {
    if (this.count === 0) return;
    const key = binaryText(bytes, start, length);
    if (!this.#queues.has(key)) return;
    this.#ready.add(key);
    if (!this.#isHeld) this.release();
  }

  /**
   * Serves nobody until {@linkcode release}, or {@linkcode suspend}.
   *
   * @param pushed what `suspend` has returned, where this goes on
   */
  hold(pushed: readonly string[] = []): void {
    this.#isHeld = true;
    for (const key of pushed) this.#ready.add(key);
  }

  /** Lets others be served. Returns the keys that were pushed to since {@linkcode hold}, which are not served yet. */
  suspend(): readonly string[] {
    const pushed = [...this.#ready];
    this.#ready.clear();
    this.#isHeld = false;
    return pushed;
  }

  /** Serves all that can be. */
  release(): void {
    this.#isHeld = false;
    if (this.#ready.size === 0) return;
    if (this.look === undefined && this.later !== undefined) this.#putOff();
    else this.#serve();
  }

  #putOff(): void {
    if (this.#isPutOff || this.later === undefined) return;
    this.#isPutOff = true;
    this.later(() => {
      this.#isPutOff = false;
      this.#serve();
    });
  }

  #serve(): void {
    this.look?.();
    const early: string[] = [];
    // Serving may itself push, to a key that is served in a later round.
    this.#isHeld = true;
    for (const key of this.#ready) {
      this.#ready.delete(key);
      for (const waiter of this.#queues.get(key) ?? []) {
        const served = waiter.serve(key);
        if (served === "later") early.push(key);
        if (served !== "yes") break;
        this.leave(waiter);
      }
    }
    this.#isHeld = false;
    if (early.length === 0) return;
    for (const key of early) this.#ready.add(key);
    this.#putOff();
  }
}
