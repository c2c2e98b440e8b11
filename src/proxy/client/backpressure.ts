/**
 * Decides whether a client's next request is taken. This bounds how far the client gets ahead of its replies.
 *
 * | shut while | opens when |
 * |---|---|
 * | too many requests are in flight | half of that are |
 * | too many bytes of replies are held, or expected | half of that are |
 * | a part of either, and clients hold much memory together | half of that are |
 * | a server that it sends to has its queue full | that one is half empty |
 * | a request has to be alone | nothing is in flight |
 * | a request is taken in slices, or a batch has taken long | that is done, or others had their turn |
 *
 * @module
 */

import {
  CLIENT_BACKLOG_MAX_BYTES,
  CLIENT_BACKLOG_TIGHT_BYTES,
  PROXY_IN_FLIGHT_MAX_COUNT,
  PROXY_IN_FLIGHT_TIGHT_COUNT,
} from "../../limits.ts";
import { type ClientAccount, UNLIMITED_ACCOUNT } from "../../memory/client_memory.ts";
import type { Outbox } from "./outbox.ts";
import type { ReplyOrder } from "./reply_order.ts";
import type { ReplyPlace } from "./reply_place.ts";

/** The backpressure on one client. It is *shut* while no request is taken. */
export class Backpressure {
  readonly #order: ReplyOrder<ReplyPlace>;
  readonly #outbox: Outbox;
  /** Whether a server's queue is full. */
  #blocked = false;
  /** The number of promises that have to resolve first. */
  #holds = 0;
  /** Whether either of these shuts it. This is the one field that is read for each request. */
  #isBarred = false;
  #untilIdle = false;
  #broken = false;
  /** Ends the wait in {@linkcode pass}. */
  #resume: (() => void) | undefined;

  readonly #account: ClientAccount;

  constructor(order: ReplyOrder<ReplyPlace>, outbox: Outbox, account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#account = account;
    this.#order = order;
    this.#outbox = outbox;
  }

  /** Whether {@linkcode pass} is awaited. */
  get isAwaited(): boolean {
    return this.#resume !== undefined;
  }

  /** Whether no request is taken now. */
  get isShut(): boolean {
    if (this.#isBarred) return true;
    const inFlight = this.#order.inFlight;
    if (this.#untilIdle && inFlight > 0) return true;
    this.#untilIdle = false;
    if (inFlight === 0 && this.#outbox.size === 0) return false;
    const backlog = this.#order.backlog;
    if (inFlight < PROXY_IN_FLIGHT_TIGHT_COUNT && backlog < CLIENT_BACKLOG_TIGHT_BYTES) return false;
    return inFlight >= PROXY_IN_FLIGHT_MAX_COUNT || backlog >= CLIENT_BACKLOG_MAX_BYTES || this.#account.isTight;
  }

  /** Shuts until nothing is in flight. */
  holdUntilIdle(): void {
    this.#untilIdle = true;
  }

  /** Whether a server's queue is full. */
  set blocked(blocked: boolean) {
    this.#blocked = blocked;
    this.#bar();
  }

  get blocked(): boolean {
    return this.#blocked;
  }

  /** Shuts until the promise resolves. It must not reject. */
  hold(settled: Promise<unknown>): void {
    this.#holds++;
    this.#bar();
    settled.then(() => {
      this.#holds--;
      this.#bar();
    });
  }

  #bar(): void {
    this.#isBarred = this.#blocked || this.#holds > 0;
    if (!this.#isBarred) this.update();
  }

  /** Resolves when it opens, or is broken. */
  pass(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#resume = resolve;
    // It may have opened between the two calls.
    this.update();
    return promise;
  }

  /** Opens when the client is well below the limits, so that it does not stop and go for every request. */
  update(): void {
    const resume = this.#resume;
    if (resume === undefined || !this.#broken && (this.#isBarred || !this.#isRelieved())) return;
    this.#resume = undefined;
    resume();
  }

  #isRelieved(): boolean {
    const inFlight = this.#order.inFlight;
    if (inFlight === 0) {
      return this.#outbox.size <= (this.#account.isTight ? CLIENT_BACKLOG_TIGHT_BYTES : CLIENT_BACKLOG_MAX_BYTES) / 2;
    }
    if (this.#untilIdle) return false;
    const { isTight } = this.#account;
    return inFlight <= (isTight ? PROXY_IN_FLIGHT_TIGHT_COUNT : PROXY_IN_FLIGHT_MAX_COUNT) / 2 &&
      this.#order.backlog <= (isTight ? CLIENT_BACKLOG_TIGHT_BYTES : CLIENT_BACKLOG_MAX_BYTES) / 2;
  }

  /** Opens permanently: the client is gone. */
  break(): void {
    this.#broken = true;
    this.update();
  }
}
