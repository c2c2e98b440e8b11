import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { decode } from "@std/msgpack";
import type { ValueType } from "@std/msgpack";
import { encodeText } from "../../src/bytes.ts";
import { ReplyError } from "../../src/errors.ts";
import { BUFFER_KEEP_MAX_BYTES, REPLY_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { decodeReply, FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/frame.ts";
import { NativeReply } from "../../src/wire/reply.ts";
import type { Value } from "../../src/wire/frame.ts";
import { toHex } from "../support/hex.ts";

/** The frames in a reply's buffer, each without its prefix. */
function framesOf(reply: NativeReply): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < reply.length;) {
    const start = at + FRAME_PREFIX_BYTES;
    at = start + frameLength(reply.buffer, at);
    assert(at <= reply.length, "a frame goes beyond what was written");
    frames.push(reply.buffer.slice(start, at));
  }
  return frames;
}

/** What one command said, as the oracle reads it. */
function oracle(say: (reply: NativeReply) => void): ValueType {
  const frames = framesOf(told(say));
  assertEquals(frames.length, 1);
  return decode(frames[0]!);
}

/** What one command said, as our own client reads it. */
function ours(say: (reply: NativeReply) => void): Value | ReplyError {
  const reply = told(say);
  return decodeReply(reply.buffer, FRAME_PREFIX_BYTES, reply.length);
}

function told(say: (reply: NativeReply) => void): NativeReply {
  const reply = new NativeReply();
  reply.begin();
  say(reply);
  reply.end();
  return reply;
}

Deno.test("NativeReply ok() and status() answer str", () => {
  assertEquals(oracle((reply) => reply.ok()), [0, "OK"]);
  assertEquals(oracle((reply) => reply.status("PONG")), [0, "PONG"]);
  assertEquals(oracle((reply) => reply.status("w".repeat(300))), [0, "w".repeat(300)]);
  assertEquals(ours((reply) => reply.ok()), "OK");
});

Deno.test("NativeReply nil() answers nil", () => {
  assertEquals(oracle((reply) => reply.nil()), [0, null]);
  assertEquals(ours((reply) => reply.nil()), null);
});

Deno.test("NativeReply integer() answers every safe integer", () => {
  const magnitudes = [0, 1, 31, 32, 33, 127, 128, 129, 255, 256, 32767, 32768, 32769, 65535, 65536, 2 ** 31 - 1]
    .concat([2 ** 31, 2 ** 31 + 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 52, Number.MAX_SAFE_INTEGER]);
  for (const magnitude of magnitudes) {
    for (const value of [magnitude, -magnitude]) {
      const [status, answer] = oracle((reply) => reply.integer(value)) as [number, number | bigint];
      assertEquals([status, Number(answer)], [0, value === 0 ? 0 : value]);
      assertEquals(ours((reply) => reply.integer(value)), value === 0 ? 0 : value);
    }
  }
});

Deno.test("NativeReply integer64() answers as integer() does where that can, and else in 64 bits", () => {
  for (const value of [0n, -1n, 127n, 128n, -(2n ** 31n) - 1n, BigInt(Number.MAX_SAFE_INTEGER)]) {
    const narrow = told((reply) => reply.integer(Number(value)));
    const wide = told((reply) => reply.integer64(value));
    assertEquals(toHex(wide.buffer.subarray(0, wide.length)), toHex(narrow.buffer.subarray(0, narrow.length)));
  }
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    assertEquals(oracle((reply) => reply.integer64(value)), [0, value]);
    assertEquals(ours((reply) => reply.integer64(value)), value);
  }
});

Deno.test("NativeReply bytes() answers bin at every boundary of its length", () => {
  for (const length of [0, 1, 31, 32, 255, 256, 65535, 65536, 1_000_000]) {
    const source = Uint8Array.from({ length: length + 10 }, (_, i) => i * 7);
    const expected = source.slice(5, 5 + length);
    assertEquals(oracle((reply) => reply.bytes(source, 5, length)), [0, expected]);
    assertEquals(ours((reply) => reply.bytes(source, 5, length)), expected);
  }
});

Deno.test("NativeReply text() answers bin of UTF-8", () => {
  assertEquals(oracle((reply) => reply.text("ключ 🎈")), [0, encodeText("ключ 🎈")]);
});

Deno.test("NativeReply reserve() gives a place to write the bytes in", () => {
  assertEquals(
    oracle((reply) => {
      const at = reply.reserve(3);
      reply.buffer.set([7, 8, 9], at);
    }),
    [0, Uint8Array.of(7, 8, 9)],
  );
});

Deno.test("NativeReply array() and map() nest", () => {
  const say = (reply: NativeReply) => {
    reply.array(3);
    reply.integer(1);
    reply.map(1);
    reply.status("a");
    reply.array(0);
    reply.nil();
  };
  assertEquals(oracle(say), [0, [1, { a: [] }, null]]);
  assertEquals(ours(say), [1, new Map<Value, Value>([["a", []]]), null]);
});

Deno.test("NativeReply array() and map() hold any count", () => {
  for (const count of [0, 15, 16, 65535, 65536]) {
    const array = ours((reply) => {
      reply.array(count);
      for (let i = 0; i < count; i++) reply.integer(i & 0x7f);
    });
    assertEquals((array as Value[]).length, count);
    const map = ours((reply) => {
      reply.map(count);
      for (let i = 0; i < count; i++) {
        reply.integer(i);
        reply.nil();
      }
    });
    assertInstanceOf(map, Map);
    assertEquals(map.size, count);
  }
});

Deno.test("NativeReply error() answers code and message, Unicode included", () => {
  assertEquals(oracle((reply) => reply.error("WRONGTYPE", "it is a list ☃")), [1, "WRONGTYPE", "it is a list ☃"]);
  const error = ours((reply) => reply.error("ERR", "x".repeat(70_000)));
  assertInstanceOf(error, ReplyError);
  assertEquals([error.code, error.message.length], ["ERR", 70_000]);
});

Deno.test("NativeReply error() forgets what its command said, and nothing of the commands before it", () => {
  const reply = new NativeReply();
  reply.begin();
  reply.integer(1);
  reply.end();
  reply.begin();
  reply.array(100_000);
  for (let i = 0; i < 50_000; i++) reply.integer(i);
  reply.error("ERR", "changed its mind");
  reply.end();
  reply.begin();
  reply.ok();
  reply.end();
  assertEquals(framesOf(reply).map(decode), [[0, 1], [1, "ERR", "changed its mind"], [0, "OK"]]);
});

Deno.test("NativeReply grows without losing what it holds", () => {
  const reply = new NativeReply();
  const initial = reply.buffer.length;
  const value = new Uint8Array(1000).fill(3);
  for (let i = 0; i < 200; i++) {
    reply.begin();
    reply.array(2);
    reply.integer(i);
    reply.bytes(value, 0, value.length);
    reply.end();
  }
  assert(reply.buffer.length > initial);
  const frames = framesOf(reply).map(decode);
  assertEquals(frames.length, 200);
  frames.forEach((frame, index) => assertEquals(frame, [0, [index, value]]));
});

Deno.test("NativeReply fills its buffer to the last byte at any offset", () => {
  // Each kind of answer is told at every distance from the buffer's end: none may write beyond it unseen.
  const kinds: ((reply: NativeReply) => void)[] = [
    (reply) => reply.ok(),
    (reply) => reply.nil(),
    (reply) => reply.integer(-5_000_000_000),
    (reply) => reply.integer64(2n ** 60n),
    (reply) => reply.status("PONG"),
    (reply) => reply.bytes(Uint8Array.of(1, 2, 3), 0, 3),
    (reply) => reply.array(0),
    (reply) => reply.map(0),
    (reply) => reply.error("ERR", "no"),
  ];
  const size = new NativeReply().buffer.length;
  for (const say of kinds) {
    const expected = oracle(say);
    for (let distance = 0; distance < 40; distance++) {
      const reply = new NativeReply();
      // Prefix, array header, status and bin header of the padding take 4 + 1 + 1 + 3 bytes.
      const padding = new Uint8Array(size - distance - 9);
      reply.begin();
      reply.bytes(padding, 0, padding.length);
      reply.end();
      assertEquals(reply.length, size - distance);
      reply.begin();
      say(reply);
      reply.end();
      assertEquals(decode(framesOf(reply)[1]!), expected, `distance ${distance}`);
    }
  }
});

Deno.test("NativeReply clear() empties it, keeps a small buffer and gives a large one back", () => {
  const reply = told((each) => each.ok());
  const buffer = reply.buffer;
  reply.clear();
  assertEquals(reply.length, 0);
  assertStrictEquals(reply.buffer, buffer);
  reply.begin();
  reply.reserve(BUFFER_KEEP_MAX_BYTES + 1);
  reply.end();
  reply.clear();
  assert(reply.buffer.length < BUFFER_KEEP_MAX_BYTES);
  reply.begin();
  reply.nil();
  reply.end();
  assertEquals(framesOf(reply).map(decode), [[0, null]]);
});

Deno.test("NativeReply refuses to grow beyond REPLY_SIZE_MAX_BYTES, and can still tell the error", () => {
  const reply = told((each) => each.integer(7));
  reply.begin();
  reply.array(2);
  reply.reserve(1000);
  assertThrows(() => reply.reserve(REPLY_SIZE_MAX_BYTES - 1000), ReplyError, String(REPLY_SIZE_MAX_BYTES));
  assert(reply.buffer.length < BUFFER_KEEP_MAX_BYTES, "nothing was allocated for what was refused");
  reply.error("ERR", "too large");
  reply.end();
  assertEquals(framesOf(reply).map(decode), [[0, 7], [1, "ERR", "too large"]]);
});
