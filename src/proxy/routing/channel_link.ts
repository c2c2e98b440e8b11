/**
 * What a proxy listens to at one server, for all of its clients: one connection, whatever their number.
 *
 * ```text
 * proxy   subscribe news       psubscribe n*        unsubscribe news
 * server  > subscribe news 1   > psubscribe n* 2    …   > message news hello   > pmessage n* news hello
 * ```
 *
 * It speaks RESP3, where what comes unasked is told apart from replies. The connection asks to be kept, so that the server lets
 * more wait for it than for a single client, and it asks every second of silence whether the server is there.
 *
 * When the connection is lost it is made anew, at growing intervals, and all is subscribed again. What was published meanwhile
 * has not been heard, which those who listen have to know: {@linkcode Lost} is called.
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
/** Messages and those who get them that count between two looks at the clock, each about a tenth of a microsecond. */
const WORK_AT_ONCE_COUNT = 2_000;
/** What a message counts beside those who get it. */
const MESSAGE_WORK_COUNT = 20;
/** Subscriptions that are sent between two turns of the event loop. */
const SENT_AT_ONCE_COUNT = 500;

/**
 * Takes a message; `pattern` when it came by one. Its bytes are borrowed until return.
 *
 * @returns how many it was handed on to
 */
export type Hear = (pattern: Uint8Array | undefined, publication: Publication) => number;

/** Called when the connection was lost: messages of these channels and patterns may have been missed. */
export type Lost = (subscriptions: readonly Subscribed[], reason: string) => void;

/** Called once: when the server has confirmed, or with why it has not. */
export type Confirmed = (error: ConnectionError | undefined) => void;

/** A channel or pattern that is listened to, by its name as text of one character a byte. */
export interface Subscribed {
  readonly text: string;
  readonly isPattern: boolean;
}

interface Subscription extends Subscribed, Indexed {
  /** Whether the server was asked on the present connection. */
  isSent: boolean;
  isConfirmed: boolean;
  /** Whether it is to end, and the server has not confirmed that yet. */
  isEnding: boolean;
  waiting: Confirmed[];
}

/** What a link needs. */
export interface ChannelLinkOptions {
  /** `host:port` of the server. */
  readonly address: string;
  /** RESP3. */
  readonly dialect: Dialect;
  readonly clock: Clock;
  readonly slices: Slices;
  /** Takes what is published. */
  readonly hear: Hear;
  readonly lost: Lost;
}

/** One server's channels. */
export class ChannelLink {
  readonly #options: ChannelLinkOptions;
  readonly #channels = new Map<string, Subscription>();
  readonly #patterns = new Map<string, Subscription>();
  readonly #index = new PatternIndex<Subscription>();
  /** Those that somebody waits for. */
  readonly #awaited = new Set<Subscription>();
  readonly #abort = new AbortController();
  #serials = 0;
  #confirmedCount = 0;
  #transport: Transport | undefined;
  #running = false;
  #written: Promise<void> = Promise.resolve();
  /** Requests that are sent at the end of this step of the event loop. */
  #outgoing: Uint8Array[] = [];
  /** Requests that the server has not confirmed, and since when it is silent about them. */
  #unanswered = 0;
  #silentMs = 0;
  /** Whether the server has answered what every connection begins with. */
  #isGreeted = false;
  /** Whether it was asked whether it is there, and has not answered that. */
  #isPinging = false;
  #misses = 0;
  #endPause: (() => void) | undefined;

  constructor(options: ChannelLinkOptions) {
    this.#options = options;
  }

  /** Whether there is anything that the server may take this for listening to. */
  get isUsed(): boolean {
    return this.#channels.size + this.#patterns.size > 0;
  }

  /** Whether messages of a channel are heard by its name; the server counts this connection once then. */
  hears(channel: Uint8Array): boolean {
    return this.#channels.get(binaryText(channel, 0, channel.length))?.isConfirmed ?? false;
  }

  /**
   * Begins to look for the patterns that a channel is heard by; nothing when there are none. The server counts this connection
   * once for each that is confirmed.
   */
  search(channel: Uint8Array): PatternSearch<Subscribed & Indexed & { readonly isConfirmed: boolean }> | undefined {
    return this.#index.size === 0 ? undefined : this.#index.search(channel);
  }

  #tableOf(isPattern: boolean): Map<string, Subscription> {
    return isPattern ? this.#patterns : this.#channels;
  }

  /** Listens to a channel or a pattern, if it does not do so yet. */
  subscribe(text: string, isPattern: boolean, confirmed: Confirmed): void {
    const known = this.#tableOf(isPattern).get(text);
    if (known !== undefined && known.isConfirmed && !known.isEnding) return confirmed(undefined);
    const subscription = known === undefined || known.isEnding ? this.#begin(text, isPattern, known) : known;
    subscription.waiting.push(confirmed);
    this.#awaited.add(subscription);
    if (!this.#running) this.#run();
    // Somebody waits: then it is tried at once.
    this.#endPause?.();
  }

  /** @param ending what is in its place and is ending: who waits for that waits for the new one */
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

  /** Listens to it no more. */
  unsubscribe(text: string, isPattern: boolean): void {
    const subscription = this.#tableOf(isPattern).get(text);
    if (subscription === undefined || subscription.isEnding) return;
    if (!subscription.isSent) {
      this.#forget(subscription);
      // It is listened to elsewhere: who waits for it need not know.
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

  /** Tells those who wait for a subscription. */
  #tell(subscription: Subscription, error: ConnectionError | undefined): void {
    const { waiting } = subscription;
    if (waiting.length === 0) return;
    subscription.waiting = [];
    this.#awaited.delete(subscription);
    for (const confirmed of waiting) confirmed(error);
  }

  /**
   * Looks after a server that is silent. Who waits for a confirmation is told so after `timeoutMs`. The connection goes on as
   * long as messages may come on it: those of others would be lost. To be called several times a second.
   */
  sweep(timeoutMs: number): void {
    const { clock: { nowMs }, dialect } = this.#options;
    const transport = this.#transport;
    if (transport === undefined) return;
    const silenceMs = nowMs - this.#silentMs;
    if (this.#unanswered === 0) {
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

  /** Gives the connection up. */
  #cut(reason: string): void {
    const transport = this.#transport;
    this.#transport = undefined;
    this.#fail(reason);
    transport?.close();
  }

  /** Gives the connection up, if there is one, and makes another. Who has listened on it may have missed messages. */
  lose(reason: string): void {
    if (this.#transport !== undefined) this.#cut(reason);
  }

  /** Listens to nothing any more. */
  close(reason: string): void {
    for (const subscription of [...this.#channels.values(), ...this.#patterns.values()]) {
      this.#forget(subscription);
      this.#tell(subscription, this.#error(reason));
    }
    this.#abort.abort();
    this.#cut(reason);
    this.#endPause?.();
  }

  /** Connects as long as there is something to listen to. A connection once made is kept, for what comes next. */
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
    // Its answer is of no interest: servers of another kind may know no such command.
    this.#unanswered = 0;
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
          // A long message goes on in the buffer that it has come in.
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
      // Reads that need not wait follow each other without a turn of the event loop: so may those of a long message.
      if (measure.needed > 0 && this.#options.slices.isTurnLong) await this.#options.slices.readTurn();
    } while (await transport.fill());
  }

  /** Asks the server for all that it was not asked for yet, some at a time. */
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
    if (this.#unanswered++ === 0) this.#silentMs = this.#options.clock.nowMs;
    if (this.#outgoing.push(request) === 1) queueMicrotask(() => this.#writeOutgoing());
  }

  /** Writes what one step of the event loop has asked for at once. */
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
   * Takes what the server says, at `bytes[start, end)`; to how many a message was handed on.
   *
   * @param isOwned whether the bytes never change from now on
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

  /** Takes what is no message: the answer to what every connection begins with, to `ping`, or the refusal of a subscription. */
  #takeReply(bytes: Uint8Array, start: number, end: number): void {
    const { dialect } = this.#options;
    if (!this.#isGreeted) {
      this.#isGreeted = true;
      return;
    }
    this.#unanswered--;
    // A server that refuses even that, since it is busy or cannot save, is there all the same.
    const isAnswerToPing = this.#isPinging;
    this.#isPinging = false;
    if (isAnswerToPing || dialect.grants(bytes, start)) return;
    const refusal = dialect.refusal(bytes, start, end);
    // Where others listen on this connection it goes on for them.
    if (this.#confirmedCount === 0) throw refusal;
    const error = this.#error(`${refusal.code} ${refusal.message}`);
    for (const subscription of [...this.#awaited]) this.#tell(subscription, error);
  }

  #confirm(name: Uint8Array, isPattern: boolean): void {
    this.#misses = 0;
    this.#unanswered--;
    const subscription = this.#tableOf(isPattern).get(binaryText(name, 0, name.length));
    if (subscription === undefined) return;
    // One that is ending was confirmed before, or is listened to elsewhere: who waits for it need not know.
    if (!subscription.isEnding) this.#setConfirmed(subscription, true);
    this.#tell(subscription, undefined);
  }

  #confirmEnd(name: Uint8Array, isPattern: boolean): void {
    this.#unanswered--;
    const subscription = this.#tableOf(isPattern).get(binaryText(name, 0, name.length));
    // It may have been subscribed to again meanwhile.
    if (subscription?.isEnding) this.#forget(subscription);
  }

  /** Nothing is heard any more: who waits for the first time is told so, and who has listened. */
  #fail(reason: string): void {
    const error = this.#error(reason);
    const lost: Subscription[] = [];
    this.#unanswered = 0;
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

/** @param isOwned whether the bytes never change: then a long message is not copied. The end of its line stands behind it. */
function publicationOf(channel: Uint8Array, message: Uint8Array, isOwned: boolean): Publication {
  if (!isOwned) return new Publication(channel, message);
  return new Publication(channel, message, new Uint8Array(message.buffer, message.byteOffset, message.length + 2));
}
