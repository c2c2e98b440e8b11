/**
 * What a proxy listens to at one server, for all of its clients: one connection, whatever their number.
 *
 * ```text
 * proxy   subscribe news       psubscribe n*        unsubscribe news
 * server  > subscribe news 1   > psubscribe n* 2    …   > message news hello   > pmessage n* news hello
 * ```
 *
 * It speaks RESP3, where what comes unasked is told apart from replies. When the connection is lost it is made anew, at
 * growing intervals, and all is subscribed again: what was published meanwhile has not been heard, as by any client
 * of Redis that reconnects.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { binaryText } from "../command/binary_text.ts";
import { Glob } from "../command/glob.ts";
import { ConnectionError, messageOf, ProtocolError } from "../errors.ts";
import { BACKEND_RETRY_MAX_MS, BACKEND_RETRY_MIN_MS } from "../limits.ts";
import type { Transport } from "../route/framing.ts";
import type { Clock } from "../route/turn.ts";
import type { Dialect } from "./dialect.ts";
import { RespValueReader } from "./resp_values.ts";

/** Takes a message; `pattern` when it came by one. The bytes are borrowed until return. */
export type Hear = (pattern: Uint8Array | undefined, channel: Uint8Array, message: Uint8Array) => void;

/** Called once: when the server has confirmed, or with why it has not. */
export type Confirmed = (error: ConnectionError | undefined) => void;

/** A channel or pattern that is listened to. */
export interface Subscribed {
  readonly name: Uint8Array;
  readonly isPattern: boolean;
}

interface Subscription extends Subscribed {
  /** Of a pattern. */
  readonly glob: Glob | undefined;
  isConfirmed: boolean;
  /** Whether it is to end, and the server has not confirmed that yet. */
  isEnding: boolean;
  waiting: Confirmed[];
}

/** One server's channels. */
export class ChannelLink {
  readonly #address: string;
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #hear: Hear;
  /** By `keyOf`. */
  readonly #subscriptions = new Map<string, Subscription>();
  /** Those of patterns. */
  readonly #patternKeys = new Set<string>();
  readonly #abort = new AbortController();
  #transport: Transport | undefined;
  #running = false;
  #written: Promise<void> = Promise.resolve();
  /** Requests that the server has not confirmed, and since when it is silent about them. */
  #unanswered = 0;
  #silentMs = 0;
  #misses = 0;
  #endPause: (() => void) | undefined;

  /**
   * @param address `host:port` of the server
   * @param dialect RESP3
   * @param hear takes what is published
   */
  constructor(address: string, dialect: Dialect, clock: Clock, hear: Hear) {
    this.#address = address;
    this.#dialect = dialect;
    this.#clock = clock;
    this.#hear = hear;
  }

  /** Whether there is anything that the server may take this for listening to. */
  get isUsed(): boolean {
    return this.#subscriptions.size > 0;
  }

  /** By what a message of a channel is heard: the server counts each of them once. */
  hearing(channel: Uint8Array): Subscribed[] {
    const hearing: Subscribed[] = [];
    const exact = this.#subscriptions.get(keyOf(channel, false));
    if (exact?.isConfirmed) hearing.push(exact);
    for (const key of this.#patternKeys) {
      const { isConfirmed, glob } = this.#subscriptions.get(key)!;
      if (isConfirmed && glob!.matches(channel, 0, channel.length)) hearing.push(this.#subscriptions.get(key)!);
    }
    return hearing;
  }

  /** Listens to a channel or a pattern, if it does not do so yet. */
  subscribe(name: Uint8Array, isPattern: boolean, confirmed: Confirmed): void {
    const key = keyOf(name, isPattern);
    let subscription = this.#subscriptions.get(key);
    if (subscription !== undefined && subscription.isConfirmed && !subscription.isEnding) return confirmed(undefined);
    if (subscription === undefined || subscription.isEnding) {
      const glob = isPattern ? new Glob(name) : undefined;
      // Who waits for one that is ending waits for this one.
      const { waiting } = subscription ?? { waiting: [] };
      subscription = { name, isPattern, glob, isConfirmed: false, isEnding: false, waiting };
      this.#subscriptions.set(key, subscription);
      if (isPattern) this.#patternKeys.add(key);
      if (this.#transport !== undefined) this.#send(isPattern ? "psubscribe" : "subscribe", name);
    }
    subscription.waiting.push(confirmed);
    if (!this.#running) this.#run();
    // Somebody waits: then it is tried at once.
    this.#endPause?.();
  }

  /** Listens to it no more. */
  unsubscribe(name: Uint8Array, isPattern: boolean): void {
    const key = keyOf(name, isPattern);
    const subscription = this.#subscriptions.get(key);
    if (subscription === undefined || subscription.isEnding) return;
    if (this.#transport === undefined) {
      this.#forget(key);
      // It is listened to elsewhere: who waits for it need not know.
      for (const confirmed of subscription.waiting) confirmed(undefined);
      return;
    }
    subscription.isEnding = true;
    this.#send(isPattern ? "punsubscribe" : "unsubscribe", name);
  }

  #forget(key: string): void {
    this.#subscriptions.delete(key);
    this.#patternKeys.delete(key);
  }

  /** Ends a connection whose server does not confirm what it is asked. To be called several times a second. */
  sweep(timeoutMs: number): void {
    if (this.#unanswered > 0 && this.#clock.nowMs - this.#silentMs > timeoutMs) {
      this.#fail(`no answer within ${timeoutMs} ms`);
      this.#transport?.close();
    }
  }

  /** Listens to nothing any more. */
  close(reason: string): void {
    this.#fail(reason);
    this.#subscriptions.clear();
    this.#patternKeys.clear();
    this.#abort.abort();
    this.#transport?.close();
    this.#endPause?.();
  }

  /** Connects as long as there is something to listen to. A connection once made is kept, for what comes next. */
  async #run(): Promise<void> {
    this.#running = true;
    while (this.#subscriptions.size > 0) {
      try {
        const transport = await this.#dialect.open(this.#address, this.#abort.signal);
        try {
          await this.#listen(transport);
        } finally {
          this.#transport = undefined;
          this.#unanswered = 0;
          transport.close();
          transport.free();
        }
        this.#fail("it closed the connection");
      } catch (error) {
        this.#fail(messageOf(error));
      }
      if (this.#subscriptions.size > 0) await this.#pause();
    }
    this.#running = false;
  }

  async #listen(transport: Transport): Promise<void> {
    this.#transport = transport;
    this.#written = Promise.resolve();
    this.#unanswered = 0;
    for (const { name, isPattern } of this.#subscriptions.values()) {
      this.#send(isPattern ? "psubscribe" : "subscribe", name);
    }
    const measure = this.#dialect.measure();
    do {
      for (let size = 1; size > 0;) {
        const { buffer, start, end } = transport;
        size = measure.size(buffer, start, end);
        if (size > 0) this.#take(buffer, start, start + size);
        transport.start = start + size;
      }
    } while (await transport.fill());
  }

  #send(command: string, name: Uint8Array): void {
    const transport = this.#transport!;
    if (this.#unanswered++ === 0) this.#silentMs = this.#clock.nowMs;
    const bytes = this.#dialect.request([command, name]);
    this.#written = this.#written.then(() => transport.write(bytes)).catch(() => transport.close());
  }

  /** Takes what the server says, at `bytes[start, end)`. */
  #take(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#dialect.grants(bytes, start)) throw this.#dialect.refusal(bytes, start, end);
    const reader = new RespValueReader(bytes, start, end);
    const items: Uint8Array[] = [];
    for (let count = reader.array(); count > 0; count--) {
      const length = reader.skip();
      items.push(bytes.subarray(reader.contentStart, reader.contentStart + length));
    }
    const [kind, first, second, third] = items;
    if (kind === undefined || first === undefined || second === undefined) {
      throw new ProtocolError("it sent what is no message");
    }
    this.#silentMs = this.#clock.nowMs;
    switch (decodeText(kind)) {
      case "message":
        return this.#hear(undefined, first, second);
      case "pmessage":
        if (third === undefined) throw new ProtocolError("it sent what is no message");
        return this.#hear(first, second, third);
      case "subscribe":
        return this.#confirm(first, false);
      case "psubscribe":
        return this.#confirm(first, true);
      case "unsubscribe":
        return this.#confirmEnd(first, false);
      case "punsubscribe":
        return this.#confirmEnd(first, true);
    }
  }

  #confirm(name: Uint8Array, isPattern: boolean): void {
    this.#misses = 0;
    this.#unanswered--;
    const subscription = this.#subscriptions.get(keyOf(name, isPattern));
    if (subscription === undefined) return;
    // One that is ending was confirmed before, or is listened to elsewhere: who waits for it need not know.
    if (!subscription.isEnding) subscription.isConfirmed = true;
    const { waiting } = subscription;
    subscription.waiting = [];
    for (const confirmed of waiting) confirmed(undefined);
  }

  #confirmEnd(name: Uint8Array, isPattern: boolean): void {
    this.#unanswered--;
    const key = keyOf(name, isPattern);
    // It may have been subscribed to again meanwhile.
    if (this.#subscriptions.get(key)?.isEnding) this.#forget(key);
  }

  /** Nothing is heard any more; who waits for the first time is told so. */
  #fail(reason: string): void {
    const error = new ConnectionError(this.#address, `server "${this.#address}": ${reason}`, false);
    for (const [key, subscription] of [...this.#subscriptions]) {
      if (subscription.isEnding) this.#forget(key);
      subscription.isConfirmed = false;
      const { waiting } = subscription;
      subscription.waiting = [];
      for (const confirmed of waiting) confirmed(error);
    }
  }

  #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const delayMs = Math.min(BACKEND_RETRY_MIN_MS * 2 ** Math.min(this.#misses++, 20), BACKEND_RETRY_MAX_MS);
    const timer = setTimeout(resolve, delayMs);
    this.#endPause = resolve;
    return promise.finally(() => {
      clearTimeout(timer);
      this.#endPause = undefined;
    });
  }
}

function keyOf(name: Uint8Array, isPattern: boolean): string {
  return (isPattern ? "p" : "c") + binaryText(name, 0, name.length);
}
