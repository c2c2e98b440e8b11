/**
 * Measures the cost of the wire for a command: reading its request, writing its reply, and the client's side of both.
 *
 * The baseline of each group is `@std/msgpack`, which creates an object for each value. Every iteration handles
 * `FRAMES_COUNT` consecutive frames, as a pipelined read batch does; divide its time by that number.
 */

import { decode, encode } from "@std/msgpack";
import { decodeReply } from "../src/wire/native/reply_reader.ts";
import { decodeRequest } from "../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../src/wire/native/frame.ts";
import type { Argument } from "../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../src/wire/native/request_writer.ts";
import { NativeReply } from "../src/wire/native/reply_writer.ts";
import { Request } from "../src/wire/request.ts";

const FRAMES_COUNT = 1_000;
const value = new Uint8Array(32).fill(0x76);

/** The requests of one batch; `i` distinguishes their keys. */
const requests: Record<string, (i: number) => string[]> = {
  "get": (i) => ["get", `key:${i}`],
  "set 32 B": (i) => ["set", `key:${i}`, "v".repeat(32)],
  "mset 10 keys": (i) => ["mset", ...Array.from({ length: 10 }, (_, n) => [`key:${i}:${n}`, "v".repeat(32)]).flat()],
};

/** Calls `visit` with the range of each frame, as a role's loop does. */
function eachFrame(bytes: Uint8Array, visit: (start: number, end: number) => void): void {
  for (let at = 0; at < bytes.length;) {
    const start = at + FRAME_PREFIX_BYTES;
    at = start + frameLength(bytes, at);
    visit(start, at);
  }
}

for (const [name, make] of Object.entries(requests)) {
  const batch: Argument[][] = Array.from({ length: FRAMES_COUNT }, (_, i) => make(i));
  const writer = new NativeRequestWriter();
  for (const request of batch) writer.add(request);
  const bytes = writer.take();
  const request = new Request();

  Deno.bench(`1,000 × @std/msgpack decode: ${name}`, { group: `decode request: ${name}`, baseline: true }, () => {
    eachFrame(bytes, (start, end) => {
      decode(bytes.subarray(start, end));
    });
  });
  Deno.bench(`1,000 × decodeRequest: ${name}`, { group: `decode request: ${name}` }, () => {
    eachFrame(bytes, (start, end) => decodeRequest(bytes, start, end, request));
  });

  Deno.bench(`1,000 × @std/msgpack encode: ${name}`, { group: `encode request: ${name}`, baseline: true }, () => {
    for (const each of batch) encode(each as string[]);
  });
  Deno.bench(`1,000 × NativeRequestWriter: ${name}`, { group: `encode request: ${name}` }, () => {
    for (const each of batch) writer.add(each);
    writer.take();
  });
}

/** The replies to commands. */
const replies: Record<string, { say: (reply: NativeReply) => void; oracle: Parameters<typeof encode>[0] }> = {
  "OK": { say: (reply) => reply.ok(), oracle: [0, "OK"] },
  "integer": { say: (reply) => reply.integer(123_456), oracle: [0, 123_456] },
  "32 B": { say: (reply) => reply.bytes(value, 0, value.length), oracle: [0, value] },
  "array of 100": {
    say: (reply) => {
      reply.array(100);
      for (let i = 0; i < 100; i++) reply.bytes(value, 0, value.length);
    },
    oracle: [0, Array(100).fill(value)],
  },
};

for (const [name, { say, oracle }] of Object.entries(replies)) {
  const reply = new NativeReply();
  const tell = () => {
    for (let i = 0; i < FRAMES_COUNT; i++) {
      reply.begin();
      say(reply);
      reply.end();
    }
  };
  tell();
  const bytes = reply.contents().slice();
  reply.clear();

  Deno.bench(`1,000 × @std/msgpack encode: ${name}`, { group: `encode reply: ${name}`, baseline: true }, () => {
    for (let i = 0; i < FRAMES_COUNT; i++) encode(oracle);
  });
  Deno.bench(`1,000 × NativeReply: ${name}`, { group: `encode reply: ${name}` }, () => {
    tell();
    reply.clear();
  });

  Deno.bench(`1,000 × @std/msgpack decode: ${name}`, { group: `decode reply: ${name}`, baseline: true }, () => {
    eachFrame(bytes, (start, end) => {
      decode(bytes.subarray(start, end));
    });
  });
  Deno.bench(`1,000 × decodeReply: ${name}`, { group: `decode reply: ${name}` }, () => {
    eachFrame(bytes, (start, end) => {
      decodeReply(bytes, start, end);
    });
  });
}
