/**
 * Requests in RESP: encoded, and decoded from bytes that arrive in pieces, as on a connection.
 *
 * Text represents bytes here, one character per byte.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { ProtocolError } from "../../src/errors.ts";
import { ARGUMENTS_MAX_COUNT, FRAME_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { Request } from "../../src/wire/request.ts";
import { RespDecoder } from "../../src/wire/resp/request_decoder.ts";
import type { RequestLimits } from "../../src/wire/request_limits.ts";

/** The limits for a client's requests. */
export const LIMITS: RequestLimits = {
  argumentsMaxCount: ARGUMENTS_MAX_COUNT,
  bulkMaxBytes: VALUE_SIZE_MAX_BYTES,
  requestMaxBytes: FRAME_SIZE_MAX_BYTES,
  reason: "",
};

/** The decoded requests, up to an error that ended decoding. */
export interface Outcome {
  readonly requests: string[][];
  readonly error?: string;
}

/** Returns the bytes of a text with one character per byte. */
export function binaryBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Returns bytes as text with one character per byte. */
export function binaryText(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 10_000) text += String.fromCharCode(...bytes.subarray(at, at + 10_000));
  return text;
}

/** Returns a request as an array of bulks. */
export function encodeRequest(...items: string[]): string {
  return `*${items.length}\r\n${items.map((item) => `$${item.length}\r\n${item}\r\n`).join("")}`;
}

/** Returns the requests of one write, each given as words with spaces in between. */
export function encodeLines(...requests: string[]): string {
  return requests.map((line) => encodeRequest(...line.split(" "))).join("");
}

/** Returns the arguments of a request. */
export function argumentsOf(request: Request): string[] {
  return Array.from({ length: request.count }, (_, i) => {
    const view = request.bytes.subarray(request.start(i), request.start(i) + request.length(i));
    return binaryText(view);
  });
}

/** A decoder and the buffer that it reads, which grows and moves as a connection's buffer does. */
export class RespFeed {
  readonly requests: string[][] = [];
  readonly decoder = new RespDecoder();
  readonly request = new Request();
  error: string | undefined;
  #buffer = new Uint8Array(0);
  #start = 0;

  constructor(readonly limits: RequestLimits = LIMITS) {}

  /** The bytes that were not read yet. */
  get unread(): number {
    return this.#buffer.length - this.#start;
  }

  /** Adds bytes that have arrived, and decodes all complete requests. */
  feed(piece: Uint8Array): void {
    if (this.error !== undefined) return;
    // Sometimes the bytes that were read before stay in front.
    const kept = piece.length % 3 === 0 ? 0 : this.#start;
    const end = kept + this.unread + piece.length;
    // The decoder must not read beyond the end. These bytes would continue any request.
    const buffer = new Uint8Array(end + 16).fill(0x0d, end);
    buffer.set(this.#buffer.subarray(this.#start), kept);
    buffer.set(piece, end - piece.length);
    this.#buffer = buffer.subarray(0, end);
    this.#start = kept;
    try {
      this.#readWhole(buffer, end);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.error = error.message;
    }
  }

  #readWhole(buffer: Uint8Array, end: number): void {
    for (;;) {
      const behind = this.decoder.decode(buffer, this.#start, end, this.request, this.limits);
      if (behind === -1) break;
      assert(behind > this.#start && behind <= end, "a request ends within its bytes");
      const items = argumentsOf(this.request);
      assert(items.length > 0, "a request has a name");
      assertEquals(this.request.size, items.reduce((sum, { length }) => sum + length, 0));
      this.requests.push(items);
      this.#start = behind;
    }
    this.#start += this.decoder.passed;
    const { needed } = this.decoder;
    assert(needed === 0 || needed > this.unread, "what is needed is more than what is there");
    this.request.clear();
  }

  get outcome(): Outcome {
    return this.error === undefined ? { requests: this.requests } : { requests: this.requests, error: this.error };
  }
}

/** Decodes bytes that arrive in pieces, which end at `cuts`. */
export function readRequests(bytes: Uint8Array, cuts: readonly number[] = [], limits: RequestLimits = LIMITS): Outcome {
  const feed = new RespFeed(limits);
  let begun = 0;
  for (const cut of [...cuts, bytes.length]) {
    feed.feed(bytes.subarray(begun, cut));
    begun = cut;
  }
  return feed.outcome;
}

/** Returns bytes that count how often they are read, and that must not be read outside of `[start, end)`. */
export function guarded(bytes: Uint8Array, start: number, end: number): { bytes: Uint8Array; reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(bytes, {
    get(target, key): unknown {
      if (typeof key === "string" && /^[0-9]+$/.test(key)) {
        const index = Number(key);
        if (index < start || index >= end) throw new RangeError(`Read byte ${index}, outside of ${start} to ${end}`);
        reads++;
        return target[index];
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { bytes: proxy, reads: () => reads };
}
