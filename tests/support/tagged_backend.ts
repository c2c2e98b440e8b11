/**
 * A server whose every reply names its request, and that replies at random times: usually immediately, sometimes too
 * late, half now and half later, or with the end of the connection. It counts how often it has received each request.
 *
 * ```text
 * request   tag:u32 · zeros:4
 * reply     count:u8 · tag:u32 · count bytes, each the lowest byte of the tag
 * ```
 *
 * @module
 */

import type { Random } from "../../bench/support/random.ts";
import { Connection } from "../../src/net/connection.ts";
import type { FrameMeasure, Framing } from "../../src/route/framing.ts";

const REQUEST_BYTES = 8;
const REPLY_HEAD_BYTES = 5;
const FILLING_MAX_BYTES = 40;

/** The behaviour of a backend besides immediate replies, for each batch of requests. */
export interface Moods {
  /** The share of batches with late replies. */
  readonly lateChance: number;
  /** The longest delay of replies, in ms. */
  readonly lateMaxMs: number;
  /** The share of batches with partial replies, whose rest comes later. */
  readonly halfChance: number;
  /** The share of batches in which it ends the connection within its replies. */
  readonly cutChance: number;
}

/** Returns the bytes of a request. */
export function taggedRequest(tag: number): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES);
  new DataView(bytes.buffer).setUint32(0, tag);
  return bytes;
}

/** Returns whether `bytes[start, end)` is the reply to the request with that tag. */
export function isReplyTo(tag: number, bytes: Uint8Array, start: number, end: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  if (end - start !== REPLY_HEAD_BYTES + view.getUint8(0) || view.getUint32(1) !== tag) return false;
  for (let i = start + REPLY_HEAD_BYTES; i < end; i++) if (bytes[i] !== (tag & 0xff)) return false;
  return true;
}

/** The protocol of these servers, over TCP. */
export const TAGGED_FRAMING: Framing = {
  ping: new Uint8Array(0),
  async open(address, signal) {
    const [hostname, port] = address.split(":");
    return new Connection(await Deno.connect({ hostname, port: Number(port), signal }));
  },
  measure: (): FrameMeasure => ({
    needed: 0,
    size(bytes, start, end) {
      const size = end > start ? REPLY_HEAD_BYTES + bytes[start]! : Infinity;
      return end - start >= size ? size : 0;
    },
    // The replies are short, so there is always memory for them.
    drop: () => 0,
  }),
};

/** A backend that listens on loopback until it is disposed of. */
export class TaggedBackend implements AsyncDisposable {
  /** The number of times that each request has arrived, by its tag. */
  readonly seen: Uint8Array;
  readonly #random: Random;
  readonly #moods: Moods;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Connection>();
  readonly #serving: Promise<void>[] = [];
  readonly #timers = new Map<number, () => void>();

  /**
   * Starts to listen.
   *
   * @param seen the counts for all tags, which backends may share
   */
  constructor(seen: Uint8Array, moods: Moods, random: Random) {
    this.seen = seen;
    this.#moods = moods;
    this.#random = random;
    this.#serving.push(this.#accept());
  }

  /** The address, as `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  async #accept(): Promise<void> {
    for await (const socket of this.#listener) {
      const connection = new Connection(socket);
      this.#open.add(connection);
      this.#serving.push(this.#serve(connection));
    }
  }

  async #serve(connection: Connection): Promise<void> {
    let written: Promise<void> = Promise.resolve();
    try {
      while (await connection.fill()) {
        const replies = this.#reply(connection);
        // Requests that arrive meanwhile are read, and get their replies after it.
        written = written.then(() => this.#write(connection, replies)).catch(() => connection.close());
      }
      await written;
    } catch {
      // The other end has given up, or this one has.
    }
    connection.close();
    this.#open.delete(connection);
  }

  #reply(connection: Connection): Uint8Array {
    const { buffer, start, end } = connection;
    const count = Math.floor((end - start) / REQUEST_BYTES);
    const requests = new DataView(buffer.buffer, start);
    const replies = new Uint8Array(count * (REPLY_HEAD_BYTES + FILLING_MAX_BYTES));
    const view = new DataView(replies.buffer);
    let at = 0;
    for (let i = 0; i < count; i++) {
      const tag = requests.getUint32(i * REQUEST_BYTES);
      const filling = tag % FILLING_MAX_BYTES;
      this.seen[tag]!++;
      view.setUint8(at, filling);
      view.setUint32(at + 1, tag);
      at += REPLY_HEAD_BYTES;
      replies.fill(tag & 0xff, at, at += filling);
    }
    connection.start += count * REQUEST_BYTES;
    return replies.subarray(0, at);
  }

  async #write(connection: Connection, replies: Uint8Array): Promise<void> {
    const random = this.#random;
    const { lateChance, lateMaxMs, halfChance, cutChance } = this.#moods;
    if (random.chance(lateChance)) await this.#pause(random.below(lateMaxMs));
    if (random.chance(cutChance)) {
      await connection.write(replies.subarray(0, random.below(replies.length)));
      return connection.close();
    }
    const first = random.chance(halfChance) ? random.below(replies.length) : replies.length;
    await connection.write(replies.subarray(0, first));
    if (first === replies.length) return;
    await this.#pause(random.below(lateMaxMs));
    await connection.write(replies.subarray(first));
  }

  #pause(durationMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        resolve();
      }, durationMs);
      this.#timers.set(timer, resolve);
    });
  }

  /** Stops listening, and closes every connection after everything on it is read. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const [timer, resolve] of this.#timers) {
      clearTimeout(timer);
      resolve();
    }
    await Promise.all(this.#serving);
  }
}
