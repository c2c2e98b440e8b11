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
 * Serving thousands takes longer than others shall wait. It pauses then, and holds its key meanwhile (holds.ts), so that nobody
 * takes an element, or puts one in front, before all have been served who waited:
 *
 * ```text
 * rpush jobs …   serve A, B, C … ─ pause ─ serve … ─ pause ─ serve Z      has "jobs" alone from the first pause on
 * answered       A B C …           …                 … Z                  each when it is woken, some at a time
 * ```
 *
 * A client that leaves, is unblocked or runs out of time before its turn gets no element. One that was served does not wait
 * any more, whether it was woken yet or not ({@linkcode Waiters.wake}).
 *
 * Keys are told apart as text of one character a byte.
 *
 * @module
 */

import { binaryBytes, binaryText } from "../connection/binary_text.ts";
import type { ReplyError } from "../errors.ts";
import type { Hold, Holds } from "./holds.ts";
import { WaitDeadlines } from "./wait_deadlines.ts";

/** Clients that are served, or whose wait is ended, between two looks at the clock: each takes about 10 µs. */
const SERVED_AT_ONCE_COUNT = 8;

/** Whether what was waited for was done: there may be nothing to do it with, or it may be too early. */
export type Served = "yes" | "no" | "later";

/** How a wait is carried out and ended by those who do not wait. */
export interface WaiterActions {
  /**
   * Does what is waited for, if it can be done with what `key` holds now.
   *
   * @param hold the one that has `key` for this, where serving has paused
   */
  serve(key: string, hold: Hold | undefined): Served;
  /** Answers what is answered when the time is up. */
  expire(): void;
  /** Answers an error. */
  refuse(error: ReplyError): void;
  /** Takes note that the client was answered, whichever way. */
  end(): void;
}

/** Turns of the event loop for what takes long. */
export interface WaiterTurns {
  /** Calls `step` until it answers that all is done, or it is others' turn. Returns whether all is done. */
  run(step: () => boolean): boolean;
  /** Calls `serve` in a later turn, with the store's clock as it is now. */
  goOn(serve: () => void): void;
}

/** One client's wait. */
export class Waiter {
  /** Resolves when the client was answered, whichever way, and is to go on. */
  readonly done: Promise<void>;
  readonly keys: readonly string[];
  readonly #actions: WaiterActions;
  readonly #waiters: Waiters;
  /** When its time is up, as `deadlines` has it; 0 for never. */
  readonly #dueMs: number;
  readonly #resolve: () => void;

  /** Use {@linkcode Waiters.wait}. */
  constructor(waiters: Waiters, keys: readonly string[], timeoutMs: number, actions: WaiterActions) {
    this.#waiters = waiters;
    this.keys = keys;
    this.#actions = actions;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.done = promise;
    this.#resolve = resolve;
    this.#dueMs = timeoutMs > 0 ? waiters.deadlines.add(this, timeoutMs) : 0;
  }

  /** Tries to serve the client with what `key` holds. */
  serve(key: string, hold: Hold | undefined): Served {
    const served = this.#actions.serve(key, hold);
    if (served !== "yes") return served;
    this.#waiters.leave(this);
    this.#end();
    return "yes";
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
    const { wake, deadlines } = this.#waiters;
    if (this.#dueMs > 0) deadlines.remove(this, this.#dueMs);
    this.#actions.end();
    if (wake === undefined) this.#resolve();
    else wake(this.#resolve);
  }
}

/** The serving of one key. */
class Serving {
  /** Those who wait for it, from the next one on. Whoever comes or leaves meanwhile is taken account of. */
  waiting: Iterator<Waiter> | undefined;
  /** What has the key for it, once it has paused. */
  hold: Hold | undefined;

  constructor(readonly key: string) {}
}

/** All that wait at one server. */
export class Waiters {
  /** How many wait: 0 nearly always. */
  count = 0;
  /** Ends the waits of clients that have gone. Called before any are served; without it nobody is served at once. */
  look: (() => void) | undefined;
  /** Calls `serve` in a later turn of the event loop. Without it nothing is put off. */
  later: ((serve: () => void) => void) | undefined;
  /** Without them serving takes as long as it takes. */
  turns: WaiterTurns | undefined;
  /** Lets clients go on that were answered, the one that was answered first first. Without it each goes on at once. */
  wake: ((goOn: () => void) => void) | undefined;
  /** When the times of those are up who do not wait for ever. */
  readonly deadlines: WaitDeadlines<Waiter> = new WaitDeadlines((late) => this.#expire(late));
  readonly #holds: Holds | undefined;
  readonly #queues = new Map<string, Set<Waiter>>();
  /** Keys that were pushed to and not served since. */
  #ready = new Set<string>();
  #isHeld = false;
  /** Whether {@linkcode later} was called and has not served yet. */
  #isPutOff = false;
  /** Keys whose serving has paused. */
  readonly #paused = new Set<string>();

  /** @param holds where a key is held while serving pauses; without it, it does not pause */
  constructor(holds?: Holds) {
    this.#holds = holds;
  }

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

  /** Serves all that can be, and goes on with a serving that has paused, if one is given. */
  #serve(paused?: Serving): void {
    this.look?.();
    const early: string[] = [];
    const serve = (serving: Serving) => {
      if (this.#serveKey(serving) === "later") early.push(serving.key);
    };
    // Serving may itself push, to a key that is served in a later round.
    this.#isHeld = true;
    if (paused !== undefined) serve(paused);
    for (const key of this.#ready) {
      this.#ready.delete(key);
      // One that has paused goes on until there is nothing left to do.
      if (!this.#paused.has(key)) serve(new Serving(key));
    }
    this.#isHeld = false;
    if (early.length === 0) return;
    for (const key of early) this.#ready.add(key);
    this.#putOff();
  }

  /** Serves who waits for a key, as many as can be, and pauses when that takes long. */
  #serveKey(serving: Serving): Served {
    const { turns } = this;
    let served: Served = "yes";
    const step = () => (served = this.#serveSome(serving)) !== "yes";
    // A few need no clock, when they are the first.
    const isDone = serving.hold === undefined && step();
    if (turns === undefined || this.#holds === undefined) {
      while (!isDone && !step());
    } else if (!isDone && !turns.run(step)) {
      this.#pause(serving, this.#holds, turns);
      return "yes";
    }
    serving.hold?.release();
    this.#paused.delete(serving.key);
    return served;
  }

  #pause(serving: Serving, holds: Holds, turns: WaiterTurns): void {
    // Whoever was just served has found the key free.
    serving.hold ??= holds.acquireKey(binaryBytes(serving.key));
    this.#paused.add(serving.key);
    turns.goOn(() => this.#serve(serving));
  }

  /** Ends the waits of clients whose time is up, in turns where they are many. */
  #expire(late: Set<Waiter>): void {
    const left = late.values();
    const step = () => {
      for (let i = 0; i < SERVED_AT_ONCE_COUNT; i++) {
        const next = left.next();
        if (next.done === true) return true;
        next.value.expire();
      }
      return false;
    };
    const { turns } = this;
    if (turns === undefined) { while (!step()); }
    else if (!step()) expireInTurns(turns, step);
  }

  /** Serves some who wait for a key. Returns `yes` when there may be more to serve, else why there are none. */
  #serveSome(serving: Serving): Served {
    const { key } = serving;
    for (let i = 0; i < SERVED_AT_ONCE_COUNT; i++) {
      let next = serving.waiting?.next();
      if (next === undefined || next.done === true) {
        serving.waiting = this.#queues.get(key)?.values();
        next = serving.waiting?.next();
        if (next === undefined || next.done === true) return "no";
      }
      const served = next.value.serve(key, serving.hold);
      if (served !== "yes") return served;
    }
    return "yes";
  }
}

function expireInTurns(turns: WaiterTurns, step: () => boolean): void {
  if (!turns.run(step)) turns.goOn(() => expireInTurns(turns, step));
}
