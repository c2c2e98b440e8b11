/**
 * Clients that wait for an element of a list, in the order in which they came.
 *
 * ```text
 * queues    "jobs"  → A, C          A and C wait for jobs, B and C for mail; a client that is served leaves all its queues
 *           "mail"  → B, C
 * ```
 *
 * {@linkcode Waiters.pushed} is called after each command that may have created a list (run.ts). Waiting
 * clients are then served immediately, the one that has waited longest first, until the list is empty. While a
 * transaction runs, they are served after it has ended. Serving runs the waiting client's command to completion, on its
 * own reply.
 *
 * A client that has disconnected gets nothing. Before any client is served, {@linkcode Waiters.look} ends the waits of
 * clients whose connections have ended. Where the system cannot report that, or cannot yet report it for the next
 * client, serving is postponed to a later turn of the event loop ({@linkcode Waiters.later}), in which ends of
 * connections are read.
 *
 * Serving thousands of clients takes longer than other clients should wait, so it pauses. Meanwhile it holds its key
 * (holds.ts): no command takes an element, or adds one, until every waiting client has been served:
 *
 * ```text
 * rpush jobs …   serve A, B, C … ─ pause ─ serve … ─ pause ─ serve Z      holds "jobs" exclusively from the first pause on
 * replies        A B C …           …                 … Z                  each when its client is woken, some at a time
 * ```
 *
 * A client gets no element if it leaves, is unblocked or times out before it is served. A client that was served has
 * stopped waiting, even if it has not been woken yet ({@linkcode Waiters.wake}).
 *
 * Keys are represented as text of one character per byte.
 *
 * @module
 */

import { binaryBytes, binaryText } from "../connection/binary_text.ts";
import type { ReplyError } from "../errors.ts";
import type { Hold, Holds } from "./holds.ts";
import { WaitDeadlines } from "./wait_deadlines.ts";

/**
 * The number of clients that are served, or whose wait is ended, between two looks at the clock. Each takes about 10
 * µs.
 */
const SERVED_PER_STEP_COUNT = 8;

/** Whether a waiting client was served: `no` when there is nothing to serve it with, `later` when it is too early. */
export type Served = "yes" | "no" | "later";

/** The operations of one wait that other code calls: they carry it out or end it. */
export interface WaiterActions {
  /**
   * Runs the waiting command, if it can be run with what `key` holds now.
   *
   * @param hold the hold of `key` by this serving, if serving has paused
   */
  serve(key: string, hold: Hold | undefined): Served;
  /** Sends the reply for a wait that has timed out. */
  expire(): void;
  /** Sends an error as the reply. */
  refuse(error: ReplyError): void;
  /** Records that the client has its reply, of any kind. */
  end(): void;
}

/** Divides long work into turns of the event loop. */
export interface WaiterTurns {
  /** Calls `step` until it returns `true`, or until other clients should run. Returns whether all steps are done. */
  run(step: () => boolean): boolean;
  /** Calls `serve` in a later turn of the event loop, with the store's clock as it is now. */
  continueLater(serve: () => void): void;
}

/** One client's wait. */
export class Waiter {
  /** Resolves when the client has its reply, of any kind, and may continue. */
  readonly done: Promise<void>;
  readonly keys: readonly string[];
  readonly #actions: WaiterActions;
  readonly #waiters: Waiters;
  /** The time at which the wait ends, as stored in `deadlines`; 0 for a wait without a timeout. */
  readonly #dueMs: number;
  readonly #resolve: () => void;

  /** Only {@linkcode Waiters.wait} calls this. */
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

  /** Ends the wait as if it had timed out. */
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

/** The state of serving one key. */
class Serving {
  /** Iterates over the clients that wait for the key. A client that joins or leaves meanwhile is taken into account. */
  waiting: Iterator<Waiter> | undefined;
  /** The hold of the key, once serving has paused. */
  hold: Hold | undefined;

  constructor(readonly key: string) {}
}

/** All waiting clients of one server. */
export class Waiters {
  /** The number of waiting clients; nearly always 0. */
  count = 0;
  /**
   * Ends the waits of clients that have disconnected. It is called before any client is served; without it no client is
   * served immediately, but in a {@linkcode later} turn.
   */
  look: (() => void) | undefined;
  /** Calls `serve` in a later turn of the event loop. Without it nothing is postponed. */
  later: ((serve: () => void) => void) | undefined;
  /** Divides long serving into turns. Without it, serving does not pause. */
  turns: WaiterTurns | undefined;
  /** Wakes clients that have their replies, in the order of the replies. Without it, each is woken immediately. */
  wake: ((goOn: () => void) => void) | undefined;
  /** The timeouts of waiting clients that have one. */
  readonly deadlines: WaitDeadlines<Waiter> = new WaitDeadlines((late) => this.#expire(late));
  readonly #holds: Holds | undefined;
  readonly #queues = new Map<string, Set<Waiter>>();
  /** Keys that were pushed to and have not been served since. */
  #ready = new Set<string>();
  #isHeld = false;
  /** Whether {@linkcode later} was called and has not yet served. */
  #isPostponed = false;
  /** Keys whose serving is paused. */
  readonly #paused = new Set<string>();

  /** @param holds holds a key while its serving is paused; without it, serving does not pause */
  constructor(holds?: Holds) {
    this.#holds = holds;
  }

  /**
   * Adds a client that waits for one of `keys`.
   *
   * @param timeoutMs the longest wait; 0 for no limit
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

  /** Removes a waiter from its queues. Returns whether it was still in them. */
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
   * Reports that the key `bytes[start, start + length)` holds a list that has new elements. This may change any list,
   * so it must be the last thing that a command does.
   */
  pushed(bytes: Uint8Array, start: number, length: number): void {
    if (this.count === 0) return;
    const key = binaryText(bytes, start, length);
    if (!this.#queues.has(key)) return;
    this.#ready.add(key);
    if (!this.#isHeld) this.release();
  }

  /**
   * Serves no client until {@linkcode release} or {@linkcode suspend} is called.
   *
   * @param pushed the keys that `suspend` returned, when continuing
   */
  hold(pushed: readonly string[] = []): void {
    this.#isHeld = true;
    for (const key of pushed) this.#ready.add(key);
  }

  /** Allows serving again. Returns the keys that were pushed to since {@linkcode hold} and have not been served. */
  suspend(): readonly string[] {
    const pushed = [...this.#ready];
    this.#ready.clear();
    this.#isHeld = false;
    return pushed;
  }

  /** Serves every client that can be served. */
  release(): void {
    this.#isHeld = false;
    if (this.#ready.size === 0) return;
    if (this.look === undefined && this.later !== undefined) this.#postpone();
    else this.#serve();
  }

  #postpone(): void {
    if (this.#isPostponed || this.later === undefined) return;
    this.#isPostponed = true;
    this.later(() => {
      this.#isPostponed = false;
      this.#serve();
    });
  }

  /** Serves every client that can be served, and continues a paused serving if one is given. */
  #serve(paused?: Serving): void {
    this.look?.();
    const early: string[] = [];
    const serve = (serving: Serving) => {
      if (this.#serveKey(serving) === "later") early.push(serving.key);
    };
    // Serving may itself push to a key; the loop below reaches that key later.
    this.#isHeld = true;
    if (paused !== undefined) serve(paused);
    for (const key of this.#ready) {
      this.#ready.delete(key);
      // A paused serving continues until nothing is left to do.
      if (!this.#paused.has(key)) serve(new Serving(key));
    }
    this.#isHeld = false;
    if (early.length === 0) return;
    for (const key of early) this.#ready.add(key);
    this.#postpone();
  }

  /** Serves as many waiters of a key as possible, and pauses when that takes long. */
  #serveKey(serving: Serving): Served {
    const { turns } = this;
    let served: Served = "yes";
    const step = () => (served = this.#serveSome(serving)) !== "yes";
    // The first few clients are served without looking at the clock.
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
    // The key is free: a client was just served from it.
    serving.hold ??= holds.acquireKey(binaryBytes(serving.key));
    this.#paused.add(serving.key);
    turns.continueLater(() => this.#serve(serving));
  }

  /** Ends the waits that have timed out, in several turns when they are many. */
  #expire(late: Set<Waiter>): void {
    const left = late.values();
    const step = () => {
      for (let i = 0; i < SERVED_PER_STEP_COUNT; i++) {
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

  /**
   * Serves some waiters of a key. Returns `yes` when there may be more to serve; otherwise, the reason why there are
   * none.
   */
  #serveSome(serving: Serving): Served {
    const { key } = serving;
    for (let i = 0; i < SERVED_PER_STEP_COUNT; i++) {
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
  if (!turns.run(step)) turns.continueLater(() => expireInTurns(turns, step));
}
