/**
 * The command layer with the store under it, and no network: what the server does with a read batch, and nothing else.
 *
 * ```text
 * frames of a batch ──▶ look ahead, prefetch ──▶ decode in place ──▶ execute ──▶ replies, thrown away
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

/** A connection's view of a new store, with huge pages where the server has them. */
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

  /** Runs the whole frames in `[start, end)` as a read batch of the server. Answers the bytes of their replies. */
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
 * Frames of one command, again and again for other keys: of a key only its digits differ, so a batch is made by
 * writing digits over those of the last.
 */
export class KeyedFrames {
  /** The frames of a batch. */
  readonly bytes: Uint8Array;
  /** Bytes of each frame. */
  readonly frameSize: number;
  readonly #digitsAt: number;

  /**
   * @param prefix begins the key, and nothing else of the request
   * @param rest the arguments behind the key
   * @param count requests of a batch
   */
  constructor(command: string, prefix: string, rest: readonly string[], count: number) {
    const key = prefix + "0".repeat(KEY_DIGITS);
    const frame = encode([[command, key, ...rest]]);
    this.bytes = new Uint8Array(frame.length * count);
    for (let i = 0; i < count; i++) this.bytes.set(frame, i * frame.length);
    this.frameSize = frame.length;
    this.#digitsAt = new TextDecoder("latin1").decode(frame).indexOf(key) + prefix.length;
  }

  /** Makes the next batch. `next` answers the number of each key, below 10^8. */
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
