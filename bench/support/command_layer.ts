/**
 * The command layer with the store, without a network: exactly what the server does with a read batch.
 *
 * ```text
 * frames of a batch ──▶ look ahead, prefetch ──▶ decode in place ──▶ execute ──▶ replies, discarded
 * ```
 *
 * @module
 */

import { execute } from "../../src/command/dispatch.ts";
import { PREFETCH_MAX_COUNT } from "../../src/limits.ts";
import { HugePages } from "../../src/role/huge_pages.ts";
import { Store } from "../../src/store/store.ts";
import { decodeRequest } from "../../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { NativeKeyWindow } from "../../src/wire/native/look_ahead.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import { Request } from "../../src/wire/request.ts";
import { PlainContext } from "./plain_context.ts";

/** Returns a connection's view of a new store, with huge pages as in the server. */
export function makeContext(memoryLimitBytes: number): PlainContext {
  const store = new Store({ memoryLimitBytes, evicts: true, seed: [1, 2] });
  store.nowMs = START_MS;
  const pages = HugePages.for(store.memory);
  if (pages !== undefined) store.onGrowth = (frontier) => pages.reach(frontier);
  return new PlainContext(store);
}

const START_MS = 1_700_000_000_000;

/** Encodes requests as a client sends them. */
export function encode(requests: Iterable<readonly Argument[]>): Uint8Array {
  const writer = new NativeRequestWriter();
  for (const request of requests) writer.add(request);
  return writer.take();
}

/** Runs requests on one context. */
export class Runner {
  readonly context: PlainContext;
  readonly #request = new Request();
  readonly #reply = new NativeReply();
  readonly #keys = new NativeKeyWindow(PREFETCH_MAX_COUNT);

  constructor(context: PlainContext) {
    this.context = context;
  }

  /** Runs one request `count` times, decoded once: the command layer alone. */
  repeat(frame: Uint8Array, count: number): void {
    const { context } = this;
    const request = this.#request;
    const reply = this.#reply;
    decodeRequest(frame, FRAME_PREFIX_BYTES, frame.length, request);
    for (let i = 0; i < count; i++) {
      execute(context, request, reply);
      reply.clear();
    }
  }

  /** Runs the complete frames in `[start, end)` as a read batch of the server. Returns the bytes of their replies. */
  run(frames: Uint8Array, start = 0, end = frames.length): number {
    const { context } = this;
    const reply = this.#reply;
    const keys = this.#keys;
    let ahead = start;
    context.store.forgetAhead();
    for (let at = start; at < end;) {
      if (at >= ahead && context.store.isLarge) {
        ahead = keys.fill(frames, at, end);
        context.store.prefetch(frames, keys.starts, keys.lengths, 0, keys.count, 1);
      }
      const begin = at + FRAME_PREFIX_BYTES;
      at = begin + frameLength(frames, at);
      decodeRequest(frames, begin, at, this.#request);
      execute(context, this.#request, reply);
    }
    const { length } = reply;
    reply.clear();
    return length;
  }
}

/**
 * The frames of one command for changing keys. Only the digits of the key differ, so a batch is created by overwriting
 * the digits of the previous one.
 */
export class KeyedFrames {
  /** The frames of a batch. */
  readonly bytes: Uint8Array;
  /** The size of each frame, in bytes. */
  readonly frameSize: number;
  readonly #digitsAt: number;

  /**
   * Creates the frames.
   *
   * @param prefix begins the key, and nothing else of the request
   * @param rest the arguments after the key
   * @param count the number of requests in a batch
   */
  constructor(command: string, prefix: string, rest: readonly string[], count: number) {
    const key = prefix + "0".repeat(KEY_DIGITS);
    const frame = encode([[command, key, ...rest]]);
    this.bytes = new Uint8Array(frame.length * count);
    for (let i = 0; i < count; i++) this.bytes.set(frame, i * frame.length);
    this.frameSize = frame.length;
    this.#digitsAt = new TextDecoder("latin1").decode(frame).indexOf(key) + prefix.length;
  }

  /** Creates the next batch. `next` returns the number of each key, below 10^8. */
  fill(next: () => number): void {
    const end = this.bytes.length;
    for (let at = this.#digitsAt; at < end; at += this.frameSize) {
      let number = next();
      for (let digit = at + KEY_DIGITS - 1; digit >= at; digit--) {
        const quotient = (number / 10) | 0;
        this.bytes[digit] = 0x30 + number - quotient * 10;
        number = quotient;
      }
    }
  }
}

const KEY_DIGITS = 8;
