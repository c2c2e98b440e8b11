/**
 * The subscriptions of a proxy at one server, for all of its clients: one connection, regardless of their number.
 *
 * ```text
 * proxy   subscribe news       psubscribe n*        unsubscribe news
 * server  > subscribe news 1   > psubscribe n* 2    …   > message news hello   > pmessage n* news hello
 * ```
 *
 * The connection uses RESP3, in which messages can be distinguished from replies. It sends `client no-evict on`, so
 * that the server lets more bytes wait for it than for a single client. After each second of silence it sends a ping.
 *
 * A lost connection is opened again, at growing intervals, and all subscriptions are repeated. Messages published
 * meanwhile are missed. {@linkcode Lost} is called, so that the subscribers know.
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import { binaryBytes, binaryText } from "../../connection/binary_text.ts";
import { Publication } from "../../connection/channel_message.ts";
import { PatternIndex } from "../../connection/pattern_index.ts";
import type { Indexed, PatternSearch } from "../../connection/pattern_index.ts";
import { ConnectionError, messageOf, ProtocolError } from "../../errors.ts";
import {
  BACKEND_CHECK_INTERVAL_MS,
  BACKEND_RETRY_MAX_MS,
  BACKEND_RETRY_MIN_MS,
  CHANNEL_LINK_SILENCE_MAX_MS,
  LONG_FRAME_BYTES,
  SLICE_MS,
} from "../../limits.ts";
import type { Slices } from "../../role/slices.ts";
import type { Clock } from "../../route/flush_queue.ts";
import type { Transport } from "../../route/framing.ts";
import { RespValueReader } from "../../wire/resp/reply_reader.ts";
import type { Dialect } from "../backend/dialect.ts";

const PUSH = 0x3e;
/** The number of messages and receivers between two looks at the clock. Each takes about a tenth of a microsecond. */
const WORK_AT_ONCE_COUNT = 2_000;
/** The cost of a message besides its receivers, in receivers. */
const MESSAGE_WORK_COUNT = 20;
/** The number of subscriptions that are sent in one task of the event loop. */
const SENT_AT_ONCE_COUNT = 500;

/**
 * Receives a message, with its `pattern` when it matched one. Its bytes are borrowed until return.
 *
 * @returns the number of clients that received it
 */
export type Hear = (pattern: Uint8Array | undefined, publication: Publication) => number;

/** Called when the connection was lost: messages of these channels and patterns may have been missed. */
export type Lost = (subscriptions: readonly Subscribed[], reason: string) => void;

/** Called once when the server has confirmed a subscription, or with the reason why it has not. */
export type Confirmed = (error: ConnectionError | undefined) => void;

/** A channel or pattern with a subscription, by its name as text with one character per byte. */
export interface Subscribed {
  readonly text: string;
  readonly isPattern: boolean;
}

interface Subscription extends Subscribed, Indexed {
  /** Whether the subscription was sent on the present connection. */
  isSent: boolean;
  isConfirmed: boolean;
  /** Whether it was unsubscribed and the server has not confirmed that yet. */
  isEnding: boolean;
  waiting: Confirmed[];
}

/** The options of a link. */
export interface ChannelLinkOptions {
  /** The address of the server, as `host:port`. */
  readonly address: string;
  /** The dialect of RESP3. */
  readonly dialect: Dialect;
  readonly clock: Clock;
  readonly slices: Slices;
  /** Receives the messages. */
  readonly hear: Hear;
  readonly lost: Lost;
}

/** The subscriptions at one server, and their connection. */
export class ChannelLink {
  readonly #options: ChannelLinkOptions;
  readonly #channels = new Map<string, Subscription>();
  readonly #patterns = new Map<string, Subscription>();
  readonly #index = new PatternIndex<Subscription>();
  /** The subscriptions whose confirmation a client waits for. */
  readonly #awaited = new Set<Subscription>();
  readonly #abort = new AbortController();
  #serials = 0;
  #confirmedCount = 0;
  #transport: Transport | undefined;
  #running = false;
  #written: Promise<void> = Promise.resolve();
  /** The requests that are sent at the end of this tick. */
  #outgoing: Uint8Array[] = [];
  /** The number of requests that the server has not confirmed. */
  #outstanding = 0;
  /** The time since which the server has sent nothing. */
  #silentMs = 0;
  /** Whether the server has replied to the first request of the connection. */
  #isGreeted = false;
  /** Whether a ping was sent and has no reply yet. */
  #isPinging = false;
  #misses = 0;
  #endPause: (() => void) | undefined;

  constructor(options: ChannelLinkOptions) {
    this.#options = options;
  }

  /** Whether the server may count any subscription of this connection. */
  get isUsed(): boolean {
    return this.#channels.size + this.#patterns.size > 0;
  }

  /**
   * Returns whether a channel has a confirmed subscription by its name. The server then counts this connection once.
   */
  hears(channel: Uint8Array): boolean {
    return this.#channels.get(binaryText(channel, 0, channel.length))?.isConfirmed ?? false;
  }

  /**
   * Begins a search for the patterns that match a channel, or returns `undefined` when there are none. The server
   * counts this connection once for each confirmed one.
   */
  search(channel: Uint8Array): PatternSearch<Subscribed & Indexed & { readonly isConfirmed: boolean }> | undefined {
    return this.#index.size === 0 ? undefined : this.#index.search(channel);
  }

  #tableOf(isPattern: boolean): Map<string, Subscription> {
    return isPattern ? this.#patterns : this.#channels;
  }

  /** Subscribes to a channel or a pattern, unless the link has already done so. */
  subscribe(text: string, isPattern: boolean, confirmed: Confirmed): void {
    const known = this.#tableOf(isPattern).get(text);
    if (known !== undefined && known.isConfirmed && !known.isEnding) return confirmed(undefined);
    const subscription = known === undefined || known.isEnding ? this.#begin(text, isPattern, known) : known;
    subscription.waiting.push(confirmed);
    this.#awaited.add(subscription);
    if (!this.#running) this.#run();
    // A client waits, so the link connects immediately.
    this.#endPause?.();
  }

  /**
   * Adds a subscription.
   *
   * @param ending the ending subscription of the same name; its waiting clients wait for the new one
   */
  #begin(text: string, isPattern: boolean, ending: Subscription | undefined): Subscription {
    if (ending !== undefined) this.#forget(ending);
    const subscription: Subscription = {
      text,
      isPattern,
      bytes: isPattern ? binaryBytes(text) : NO_BYTES,
      serial: ++this.#serials,
      isSent: false,
      isConfirmed: false,
      isEnding: false,
      waiting: ending?.waiting ?? [],
    };
    this.#tableOf(isPattern).set(text, subscription);
    if (isPattern) this.#index.add(subscription);
    if (this.#transport !== undefined) this.#ask(subscription);
    return subscription;
  }

  /** Unsubscribes from a channel or a pattern. */
  unsubscribe(text: string, isPattern: boolean): void {
    const subscription = this.#tableOf(isPattern).get(text);
    if (subscription === undefined || subscription.isEnding) return;
    if (!subscription.isSent) {
      this.#forget(subscription);
      // Another link subscribes to it, so the waiting clients need no error.
      return this.#tell(subscription, undefined);
    }
    subscription.isEnding = true;
    this.#send([isPattern ? "punsubscribe" : "unsubscribe", binaryBytes(text)]);
  }

  #forget(subscription: Subscription): void {
    const { text, isPattern } = subscription;
    this.#setConfirmed(subscription, false);
    this.#awaited.delete(subscription);
    this.#tableOf(isPattern).delete(text);
    if (isPattern) this.#index.delete(subscription);
  }

  #setConfirmed(subscription: Subscription, isConfirmed: boolean): void {
    if (subscription.isConfirmed !== isConfirmed) this.#confirmedCount += isConfirmed ? 1 : -1;
    subscription.isConfirmed = isConfirmed;
  }

  /** Calls the clients that wait for a subscription. */
  #tell(subscription: Subscription, error: ConnectionError | undefined): void {
    const { waiting } = subscription;
    if (waiting.length === 0) return;
    subscription.waiting = [];
    this.#awaited.delete(subscription);
    for (const confirmed of waiting) confirmed(error);
  }

  /**
   * Watches over a silent server. Clients that wait for a confirmation get an error after `timeoutMs`. The connection
   * stays open while messages may arrive on it, since others would lose theirs. Must be called several times a second.
   */
  sweep(timeoutMs: number): void {
    const { clock: { nowMs }, dialect } = this.#options;
    const transport = this.#transport;
    if (transport === undefined) return;
    const silenceMs = nowMs - this.#silentMs;
    if (this.#outstanding === 0) {
      if (silenceMs <= BACKEND_CHECK_INTERVAL_MS) return;
      this.#isPinging = true;
      this.#sendBytes(dialect.ping);
      return;
    }
    if (silenceMs > CHANNEL_LINK_SILENCE_MAX_MS) {
      this.#cut(`it has said nothing for ${CHANNEL_LINK_SILENCE_MAX_MS} ms`);
    } else if (silenceMs > timeoutMs) {
      const reason = `no answer within ${timeoutMs} ms`;
      if (this.#confirmedCount === 0) return this.#cut(reason);
      const error = this.#error(reason);
      for (const subscription of [...this.#awaited]) this.#tell(subscription, error);
    }
  }

  /** Closes the connection. */
  #cut(reason: string): void {
    const transport = this.#transport;
    this.#transport = undefined;
    this.#fail(reason);
    transport?.close();
  }

  /** Closes the connection, if there is one, and opens another. Its subscribers may have missed messages. */
  lose(reason: string): void {
    if (this.#transport !== undefined) this.#cut(reason);
  }

  /** Ends all subscriptions. */
  close(reason: string): void {
    for (const subscription of [...this.#channels.values(), ...this.#patterns.values()]) {
      this.#forget(subscription);
      this.#tell(subscription, this.#error(reason));
    }
    this.#abort.abort();
    this.#cut(reason);
    this.#endPause?.();
  }

  /** Connects while there are subscriptions. An open connection is kept for later ones. */
  async #run(): Promise<void> {
    const { dialect, address } = this.#options;
    this.#running = true;
    while (this.isUsed) {
      try {
        const transport = await dialect.open(address, this.#abort.signal);
        try {
          await this.#listen(transport);
        } finally {
          this.#transport = undefined;
          transport.close();
          transport.free();
        }
        this.#fail("it closed the connection");
      } catch (error) {
        this.#fail(messageOf(error));
      }
      if (this.isUsed) await this.#pause();
    }
    this.#running = false;
  }

  async #listen(transport: Transport): Promise<void> {
    const { clock, dialect } = this.#options;
    this.#transport = transport;
    this.#written = Promise.resolve();
    this.#outgoing = [];
    this.#isGreeted = this.#isPinging = false;
    this.#silentMs = clock.nowMs;
    this.#sendBytes(dialect.request(["client", "no-evict", "on"]));
    // The reply is ignored: servers of other kinds may not have this command.
    this.#outstanding = 0;
    this.#askAll(transport);
    const measure = dialect.measure();
    do {
      this.#silentMs = clock.nowMs;
      let endMs = performance.now() + SLICE_MS;
      let work = 0;
      for (let size = 1; size > 0;) {
        const { buffer, start, end } = transport;
        size = measure.size(buffer, start, end);
        if (size >= LONG_FRAME_BYTES) {
          // A long message stays in the buffer in which it has arrived.
          work += this.#take(transport.detach(start + size), start, start + size, true);
        } else {
          if (size > 0) work += MESSAGE_WORK_COUNT + this.#take(buffer, start, start + size);
          transport.start = start + size;
        }
        if (work < WORK_AT_ONCE_COUNT) continue;
        work = 0;
        if (performance.now() < endMs) continue;
        await this.#options.slices.next();
        endMs = performance.now() + SLICE_MS;
        if (this.#transport !== transport) return;
      }
      if (!transport.makeRoom(measure.needed)) throw new Error("its message is longer than there is memory for");
      // Reads that need not wait follow each other in one task of the event loop, as may those of a long message.
      if (measure.needed > 0 && this.#options.slices.isTurnLong) await this.#options.slices.readTurn();
    } while (await transport.fill());
  }

  /** Sends the subscriptions that were not sent yet, some at a time. */
  async #askAll(transport: Transport): Promise<void> {
    let count = 0;
    for (const table of [this.#channels, this.#patterns]) {
      for (const subscription of table.values()) {
        if (subscription.isSent) continue;
        this.#ask(subscription);
        if (++count % SENT_AT_ONCE_COUNT !== 0) continue;
        await this.#options.slices.next();
        if (this.#transport !== transport) return;
      }
    }
  }

  #ask(subscription: Subscription): void {
    const { text, isPattern } = subscription;
    subscription.isSent = true;
    this.#send([isPattern ? "psubscribe" : "subscribe", isPattern ? subscription.bytes : binaryBytes(text)]);
  }

  #send(words: readonly (string | Uint8Array)[]): void {
    this.#sendBytes(this.#options.dialect.request(words));
  }

  #sendBytes(request: Uint8Array): void {
    if (this.#outstanding++ === 0) this.#silentMs = this.#options.clock.nowMs;
    if (this.#outgoing.push(request) === 1) queueMicrotask(() => this.#writeOutgoing());
  }

  /** Writes the requests of one tick in one write. */
  #writeOutgoing(): void {
    const transport = this.#transport;
    const requests = this.#outgoing;
    this.#outgoing = [];
    if (transport === undefined || requests.length === 0) return;
    const bytes = new Uint8Array(requests.reduce((size, { length }) => size + length, 0));
    let at = 0;
    for (const request of requests) {
      bytes.set(request, at);
      at += request.length;
    }
    this.#written = this.#written.then(() => transport.write(bytes)).catch(() => transport.close());
  }

  /**
   * Handles what the server sends, at `bytes[start, end)`.
   *
   * @param isOwned whether the bytes never change from now on
   * @returns the number of clients that received a message
   */
  #take(bytes: Uint8Array, start: number, end: number, isOwned = false): number {
    if (bytes[start] !== PUSH) {
      this.#takeReply(bytes, start, end);
      return 0;
    }
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
    switch (decodeText(kind)) {
      case "message":
        return this.#options.hear(undefined, publicationOf(first, second, isOwned));
      case "pmessage":
        if (third === undefined) throw new ProtocolError("it sent what is no message");
        return this.#options.hear(first, publicationOf(second, third, isOwned));
      case "subscribe":
        this.#confirm(first, false);
        break;
      case "psubscribe":
        this.#confirm(first, true);
        break;
      case "unsubscribe":
        this.#confirmEnd(first, false);
        break;
      case "punsubscribe":
        this.#confirmEnd(first, true);
        break;
    }
    return 0;
  }

  /** Handles everything but pushes: the reply to the first request or to `ping`, or the refusal of a subscription. */
  #takeReply(bytes: Uint8Array, start: number, end: number): void {
    const { dialect } = this.#options;
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      return;
    }
    this.#outstanding--;
    // A server that refuses a ping, since it is busy or cannot save, still works.
    const isAnswerToPing = this.#isPinging;
    this.#isPinging = false;
    if (isAnswerToPing || dialect.grants(bytes, start)) return;
    const refusal = dialect.refusal(bytes, start, end);
    // If the connection has other subscriptions, it stays open for them.
    if (this.#confirmedCount === 0) throw refusal;
    const error = this.#error(`${refusal.code} ${refusal.message}`);
    for (const subscription of [...this.#awaited]) this.#tell(subscription, error);
  }

  #confirm(name: Uint8Array, isPattern: boolean): void {
    this.#misses = 0;
    this.#outstanding--;
    const subscription = this.#tableOf(isPattern).get(binaryText(name, 0, name.length));
    if (subscription === undefined) return;
    // An ending subscription was confirmed before, or another link has it: the waiting clients need no error.
    if (!subscription.isEnding) this.#setConfirmed(subscription, true);
    this.#tell(subscription, undefined);
  }

  #confirmEnd(name: Uint8Array, isPattern: boolean): void {
    this.#outstanding--;
    const subscription = this.#tableOf(isPattern).get(binaryText(name, 0, name.length));
    // It may have been subscribed to again meanwhile.
    if (subscription?.isEnding) this.#forget(subscription);
  }

  /** Ends all confirmed subscriptions, and reports an error to the clients that wait and to the subscribers. */
  #fail(reason: string): void {
    const error = this.#error(reason);
    const lost: Subscription[] = [];
    this.#outstanding = 0;
    for (const table of [this.#channels, this.#patterns]) {
      for (const subscription of table.values()) {
        if (subscription.isConfirmed && !subscription.isEnding) lost.push(subscription);
        this.#setConfirmed(subscription, false);
        subscription.isSent = false;
        if (subscription.isEnding) this.#forget(subscription);
        this.#tell(subscription, error);
      }
    }
    if (lost.length > 0) this.#options.lost(lost, reason);
  }

  #error(reason: string): ConnectionError {
    const { address } = this.#options;
    return new ConnectionError(address, `server "${address}": ${reason}`, false);
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

const NO_BYTES = new Uint8Array(0);

/**
 * Returns a message as it is passed on.
 *
 * @param isOwned whether the bytes never change; a long message is then not copied. Its line end is after it
 */
function publicationOf(channel: Uint8Array, message: Uint8Array, isOwned: boolean): Publication {
  if (!isOwned) return new Publication(channel, message);
  return new Publication(channel, message, new Uint8Array(message.buffer, message.byteOffset, message.length + 2));
}
