/**
 * Measures the cost of RESP for a command: reading its request and writing its reply, next to the native protocol.
 *
 * Every iteration handles `COMMANDS_COUNT` consecutive requests, as a pipelined read batch does; divide its time by
 * that number.
 */

import { encodeText } from "../src/bytes.ts";
import { ARGUMENTS_MAX_COUNT, FRAME_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../src/limits.ts";
import { decodeRequest } from "../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../src/wire/native/frame.ts";
import { NativeRequestWriter } from "../src/wire/native/request_writer.ts";
import { NativeKeyWindow } from "../src/wire/native/look_ahead.ts";
import { NativeReply } from "../src/wire/native/reply_writer.ts";
import type { Reply } from "../src/wire/reply.ts";
import { Request } from "../src/wire/request.ts";
import { RespKeyWindow } from "../src/wire/resp/look_ahead.ts";
import { RespReplyScanner } from "../src/wire/resp/reply_scanner.ts";
import { RespReply } from "../src/wire/resp/reply_writer.ts";
import { RespDecoder } from "../src/wire/resp/request_decoder.ts";

const COMMANDS_COUNT = 1_000;
const WINDOW_COUNT = 32;
const LIMITS = {
  argumentsMaxCount: ARGUMENTS_MAX_COUNT,
  bulkMaxBytes: VALUE_SIZE_MAX_BYTES,
  requestMaxBytes: FRAME_SIZE_MAX_BYTES,
  reason: "",
};

/** The requests of one batch; `i` distinguishes their keys. The keys have the length of redis-benchmark's. */
const requests: Record<string, (i: number) => string[]> = {
  "get": (i) => ["GET", keyOf(i)],
  "set 32 B": (i) => ["SET", keyOf(i), "v".repeat(32)],
  "set 1 kB": (i) => ["SET", keyOf(i), "v".repeat(1000)],
  "mset 10 keys": (i) => ["MSET", ...Array.from({ length: 10 }, (_, n) => [keyOf(i + n), "v".repeat(32)]).flat()],
};

function keyOf(i: number): string {
  return `key:${String(i).padStart(12, "0")}`;
}

function encodeResp(request: string[]): string {
  return `*${request.length}\r\n${request.map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`;
}

for (const [name, make] of Object.entries(requests)) {
  const batch = Array.from({ length: COMMANDS_COUNT }, (_, i) => make(i));
  const bytes = encodeText(batch.map(encodeResp).join(""));
  const writer = new NativeRequestWriter();
  for (const each of batch) writer.add(each);
  const frames = writer.take();
  const request = new Request();
  const decoder = new RespDecoder();
  const [keys, respKeys] = [new NativeKeyWindow(WINDOW_COUNT), new RespKeyWindow(WINDOW_COUNT)];

  Deno.bench(`1,000 × decodeRequest: ${name}`, { group: `decode request: ${name}`, baseline: true }, () => {
    for (let at = 0; at < frames.length;) {
      const start = at + FRAME_PREFIX_BYTES;
      at = start + frameLength(frames, at);
      decodeRequest(frames, start, at, request);
    }
  });
  Deno.bench(`1,000 × RespDecoder: ${name}`, { group: `decode request: ${name}` }, () => {
    for (let at = 0; at < bytes.length;) at = decoder.decode(bytes, at, bytes.length, request, LIMITS);
  });

  Deno.bench(`1,000 × NativeKeyWindow: ${name}`, { group: `look ahead: ${name}`, baseline: true }, () => {
    for (let at = 0; at < frames.length;) at = keys.fill(frames, at, frames.length);
  });
  Deno.bench(`1,000 × RespKeyWindow: ${name}`, { group: `look ahead: ${name}` }, () => {
    for (let at = 0; at < bytes.length;) at = respKeys.fill(bytes, at, bytes.length);
  });
}

const value = new Uint8Array(32).fill(0x76);
const longValue = new Uint8Array(1000).fill(0x76);

/** The replies to commands. */
const replies: Record<string, (reply: Reply) => void> = {
  "OK": (reply) => reply.ok(),
  "nil": (reply) => reply.nil(),
  "small integer": (reply) => reply.integer(1),
  "integer": (reply) => reply.integer(123_456),
  "32 B": (reply) => reply.bytes(value, 0, value.length),
  "1 kB": (reply) => reply.bytes(longValue, 0, longValue.length),
  "array of 100": (reply) => {
    reply.array(100);
    for (let i = 0; i < 100; i++) reply.bytes(value, 0, value.length);
  },
};

function tell(reply: Reply, say: (reply: Reply) => void): void {
  for (let i = 0; i < COMMANDS_COUNT; i++) {
    reply.begin();
    say(reply);
    reply.end();
  }
}

for (const [name, say] of Object.entries(replies)) {
  const native = new NativeReply();
  const resp = new RespReply();
  const scanner = new RespReplyScanner();
  tell(resp, say);
  const bytes = resp.contents().slice();
  resp.clear();

  Deno.bench(`1,000 × NativeReply: ${name}`, { group: `encode reply: ${name}`, baseline: true }, () => {
    tell(native, say);
    native.clear();
  });
  Deno.bench(`1,000 × RespReply: ${name}`, { group: `encode reply: ${name}` }, () => {
    tell(resp, say);
    resp.clear();
  });
  Deno.bench(`1,000 × RespReplyScanner: ${name}`, { group: `encode reply: ${name}` }, () => {
    for (let at = 0; at < bytes.length;) at += scanner.size(bytes, at, bytes.length);
  });
}
