/**
 * The command layer over a store, without a network: it decodes a request in place, runs it and clears the reply, as
 * the server does for each command of a batch.
 *
 * @module
 */

import { execute } from "../../src/command/dispatch.ts";
import type { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { decodeRequest } from "../../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import { Request } from "../../src/wire/request.ts";
import { PlainContext } from "./plain_context.ts";
import { Stopwatch } from "./holds.ts";
import { threadTimeMs } from "./processor_time.ts";

/** The number of requests that are encoded at a time. */
const BATCH_COUNT = 10_000;
/** The position of the reply's status: after the length and the head of the array. */
const STATUS_AT = FRAME_PREFIX_BYTES + 1;

/** Runs requests on one store. */
export class CommandRunner extends PlainContext {
  readonly #request = new Request();
  readonly #reply = new NativeReply();

  constructor(store: Store) {
    super(store);
    store.nowMs = Date.now();
  }

  /** Runs request `make(i)` for each `i` below `count`. */
  runAll(count: number, make: (index: number) => readonly Argument[]): void {
    for (const frames of batches(count, make)) {
      this.store.nowMs = Date.now();
      this.runFrames(frames);
    }
  }

  /** Does what {@linkcode runAll} does, and returns the time of the longest request. */
  longest(count: number, make: (index: number) => readonly Argument[]): Stopwatch {
    const stopwatch = new Stopwatch();
    for (const frames of batches(count, make)) {
      for (let at = 0; at < frames.length;) {
        stopwatch.start();
        at = this.#run(frames, at);
        stopwatch.stop();
      }
    }
    return stopwatch;
  }

  /** Runs requests one after another. Returns the processor time of all of them, in ms. */
  runFrames(frames: Uint8Array): number {
    const startedMs = threadTimeMs();
    for (let at = 0; at < frames.length;) at = this.#run(frames, at);
    return threadTimeMs() - startedMs;
  }

  /** Runs requests one after another. Returns the time of each by the clock, in ms. */
  timeFrames(frames: Uint8Array): number[] {
    const times: number[] = [];
    for (let at = 0; at < frames.length;) {
      const startedMs = performance.now();
      at = this.#run(frames, at);
      times.push(performance.now() - startedMs);
    }
    return times;
  }

  /**
   * Runs one request.
   *
   * @param frame the request, from {@linkcode encodeRequests}
   * @returns the reply's frame, borrowed until the next request
   */
  call(frame: Uint8Array): Uint8Array {
    const reply = this.#reply;
    this.#execute(frame, 0);
    if (reply.size > reply.length) throw new Error("Cannot return a reply of several chunks");
    const replyFrame = reply.buffer.subarray(0, reply.length);
    reply.clear();
    return replyFrame;
  }

  /** Runs the request at `at`. Returns the position of the next one. */
  #run(frames: Uint8Array, at: number): number {
    const end = this.#execute(frames, at);
    this.#reply.clear();
    return end;
  }

  #execute(frames: Uint8Array, at: number): number {
    const start = at + FRAME_PREFIX_BYTES;
    const end = start + frameLength(frames, at);
    decodeRequest(frames, start, end, this.#request);
    if (execute(this, this.#request, this.#reply) !== undefined) throw new Error("Cannot measure a command that waits");
    const reply = this.#reply;
    // An error is short, so it is in one buffer.
    const isRefused = reply.size === reply.length && reply.buffer[STATUS_AT] !== 0;
    if (isRefused) throw new Error(`Cannot measure "${this.#request.text(0)}": it was refused`);
    return end;
  }
}

/** Yields the frames of `count` requests, some thousand at a time. */
export function* batches(
  count: number,
  make: (index: number) => readonly Argument[],
): Generator<Uint8Array<ArrayBuffer>> {
  for (let start = 0; start < count; start += BATCH_COUNT) {
    yield encodeRequests(Math.min(BATCH_COUNT, count - start), (index) => make(start + index));
  }
}

/** Returns the frames of `count` requests. */
export function encodeRequests(count: number, make: (index: number) => readonly Argument[]): Uint8Array<ArrayBuffer> {
  const writer = new NativeRequestWriter();
  for (let index = 0; index < count; index++) writer.add(make(index));
  return writer.take();
}

const ELEMENTS_PER_COMMAND = 1_000;

/** Creates a list, by default with elements of 10 bytes. */
export function makeList(runner: CommandRunner, key: string, count: number, element?: () => string): void {
  runner.runAll(Math.ceil(count / ELEMENTS_PER_COMMAND), (index) => {
    const first = index * ELEMENTS_PER_COMMAND;
    const length = Math.min(ELEMENTS_PER_COMMAND, count - first);
    return ["rpush", key, ...Array.from({ length }, (_, at) => element?.() ?? numbered("e", first + at))];
  });
}

/** Creates a hash of fields of 10 bytes with values of 20. */
export function makeHash(runner: CommandRunner, key: string, count: number): void {
  const value = "v".repeat(20);
  runner.runAll(count, (index) => ["hset", key, numbered("f", index), value]);
}

/** Creates a set of members of 10 bytes. */
export function makeSet(runner: CommandRunner, key: string, count: number): void {
  runner.runAll(count, (index) => ["sadd", key, numbered("m", index)]);
}

/** Returns a name of 10 bytes. */
export function numbered(letter: string, number: number): string {
  return `${letter}${String(number).padStart(9, "0")}`;
}
