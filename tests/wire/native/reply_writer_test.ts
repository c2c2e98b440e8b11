import { assert, assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { decode } from "@std/msgpack";
import type { ValueType } from "@std/msgpack";
import { encodeText } from "../../../src/bytes.ts";
import { ReplyError } from "../../../src/errors.ts";
import {
  BUFFER_KEEP_MAX_BYTES,
  REPLY_CHUNK_BYTES,
  REPLY_SIZE_MAX_BYTES,
  SPARE_CHUNKS_MAX_COUNT,
} from "../../../src/limits.ts";
import { takeSpare } from "../../../src/memory/spare_chunks.ts";
import { decodeReply, type Value } from "../../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../../src/wire/native/frame.ts";
import { NativeReply } from "../../../src/wire/native/reply_writer.ts";
import { amountOf } from "../../support/amount.ts";
import { concat, toHex } from "../../support/hex.ts";
import { pickSeed, Random } from "../../../bench/support/random.ts";

/** Returns the frames of a reply, each without its prefix. */
function framesOf(reply: NativeReply): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const bytes = reply.contents();
  for (let at = 0; at < bytes.length;) {
    const start = at + FRAME_PREFIX_BYTES;
    at = start + frameLength(bytes, at);
    assert(at <= bytes.length, "a frame goes beyond what was written");
    frames.push(bytes.slice(start, at));
  }
  return frames;
}

/** Returns what one command wrote, as the oracle decodes it. */
function oracle(write: (reply: NativeReply) => void): ValueType {
  const frames = framesOf(writeReply(write));
  assertEquals(frames.length, 1);
  return decode(frames[0]!);
}

/** Returns what one command wrote, as our own client decodes it. */
function ours(write: (reply: NativeReply) => void): Value | ReplyError {
  const bytes = writeReply(write).contents();
  return decodeReply(bytes, FRAME_PREFIX_BYTES, bytes.length);
}

function writeReply(write: (reply: NativeReply) => void, reply = new NativeReply()): NativeReply {
  reply.begin();
  write(reply);
  reply.end();
  return reply;
}

Deno.test("NativeReply ok() and status() write str", () => {
  assertEquals(oracle((reply) => reply.ok()), [0, "OK"]);
  assertEquals(oracle((reply) => reply.status("PONG")), [0, "PONG"]);
  assertEquals(oracle((reply) => reply.status("w".repeat(300))), [0, "w".repeat(300)]);
  assertEquals(ours((reply) => reply.ok()), "OK");
});

Deno.test("NativeReply nil() writes nil", () => {
  assertEquals(oracle((reply) => reply.nil()), [0, null]);
  assertEquals(ours((reply) => reply.nil()), null);
});

Deno.test("NativeReply integer() writes every safe integer", () => {
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

Deno.test("NativeReply integer64() writes as integer() does if possible, and otherwise in 64 bits", () => {
  for (const value of [0n, -1n, 127n, 128n, -(2n ** 31n) - 1n, BigInt(Number.MAX_SAFE_INTEGER)]) {
    const narrow = writeReply((reply) => reply.integer(Number(value)));
    const wide = writeReply((reply) => reply.integer64(value));
    assertEquals(toHex(wide.contents()), toHex(narrow.contents()));
  }
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    assertEquals(oracle((reply) => reply.integer64(value)), [0, value]);
    assertEquals(ours((reply) => reply.integer64(value)), value);
  }
});

Deno.test("NativeReply bytes() writes bin at every boundary of its length", () => {
  for (const length of [0, 1, 31, 32, 255, 256, 65535, 65536, 1_000_000]) {
    const source = Uint8Array.from({ length: length + 10 }, (_, i) => i * 7);
    const expected = source.slice(5, 5 + length);
    assertEquals(oracle((reply) => reply.bytes(source, 5, length)), [0, expected]);
    assertEquals(ours((reply) => reply.bytes(source, 5, length)), expected);
  }
});

Deno.test("NativeReply text() writes bin of UTF-8", () => {
  assertEquals(oracle((reply) => reply.text("ключ 🎈")), [0, encodeText("ключ 🎈")]);
});

Deno.test("NativeReply reserve() returns a position to write bytes to", () => {
  assertEquals(
    oracle((reply) => {
      const at = reply.reserve(3);
      reply.buffer.set([7, 8, 9], at);
    }),
    [0, Uint8Array.of(7, 8, 9)],
  );
});

Deno.test("NativeReply has its own forms for the types that only RESP has", () => {
  assertEquals(oracle((reply) => reply.nilArray()), [0, null]);
  assertEquals(oracle((reply) => reply.double(0.1)), [0, encodeText("0.10000000000000001")]);
  assertEquals(oracle((reply) => reply.verbatim("é")), [0, encodeText("é")]);
  for (const kind of ["set", "push"] as const) {
    const write = (reply: NativeReply) => {
      reply[kind](2);
      reply.nil();
      reply.ok();
    };
    assertEquals(oracle(write), [0, [null, "OK"]]);
  }
  assertEquals(new NativeReply().isRich, true);
});

Deno.test("NativeReply openItem() and closeItem() make each item a separate reply, which may be an error", () => {
  const write = (reply: NativeReply) => {
    reply.array(4);
    reply.openItem();
    reply.map(1);
    reply.status("a");
    reply.integer(1);
    reply.closeItem();
    reply.openItem();
    reply.array(2);
    reply.nil();
    reply.error("WRONGTYPE", "no");
    reply.closeItem();
    reply.openItem();
    reply.error("ERR", "neither");
    // A second error replaces the first.
    reply.error("ERR", "nor");
    reply.closeItem();
    reply.openItem();
    reply.openArray();
    reply.ok();
    reply.closeArray(1);
    reply.closeItem();
  };
  const items = [[0, { a: 1 }], [1, "WRONGTYPE", "no"], [1, "ERR", "nor"], [0, ["OK"]]];
  assertEquals(oracle(write), [0, items]);
  assertEquals(
    oracle((reply) => {
      write(reply);
      reply.error("ERR", "all");
    }),
    [1, "ERR", "all"],
  );
});

Deno.test("NativeReply array() and map() nest", () => {
  const write = (reply: NativeReply) => {
    reply.array(3);
    reply.integer(1);
    reply.map(1);
    reply.status("a");
    reply.array(0);
    reply.nil();
  };
  assertEquals(oracle(write), [0, [1, { a: [] }, null]]);
  assertEquals(ours(write), [1, new Map<Value, Value>([["a", []]]), null]);
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

Deno.test("NativeReply error() writes code and message, Unicode included", () => {
  assertEquals(oracle((reply) => reply.error("WRONGTYPE", "it is a list ☃")), [1, "WRONGTYPE", "it is a list ☃"]);
  const error = ours((reply) => reply.error("ERR", "x".repeat(70_000)));
  assertInstanceOf(error, ReplyError);
  assertEquals([error.code, error.message.length], ["ERR", 70_000]);
});

Deno.test("NativeReply error() writes one line, regardless of the text that it repeats", () => {
  const error = ours((reply) => reply.error("ERR", "unknown subcommand 'a\r\nb\n'.\r\n\n"));
  assertInstanceOf(error, ReplyError);
  assertEquals(error.message, "unknown subcommand 'a  b '.");
});

Deno.test("NativeReply error() discards the output of its command, and not that of earlier commands", () => {
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

Deno.test("NativeReply keeps its content when it grows", () => {
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
  // Every type of reply is written at every distance from the buffer's end, since none may write beyond it.
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
  for (const write of kinds) {
    const expected = oracle(write);
    for (let distance = 0; distance < 40; distance++) {
      const reply = new NativeReply();
      // The prefix, array header, status and bin header of the padding take 4 + 1 + 1 + 3 bytes.
      const padding = new Uint8Array(size - distance - 9);
      reply.begin();
      reply.bytes(padding, 0, padding.length);
      reply.end();
      assertEquals(reply.length, size - distance);
      reply.begin();
      write(reply);
      reply.end();
      assertEquals(decode(framesOf(reply)[1]!), expected, `distance ${distance}`);
    }
  }
});

Deno.test("NativeReply clear() empties the reply, keeps a small buffer and releases a large one", () => {
  const reply = writeReply((each) => each.ok());
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

Deno.test("NativeReply refuses to grow beyond REPLY_SIZE_MAX_BYTES, and can still write the error", () => {
  const reply = writeReply((each) => each.integer(7));
  reply.begin();
  reply.array(2);
  reply.reserve(1000);
  assertThrows(() => reply.reserve(REPLY_SIZE_MAX_BYTES - 1000), ReplyError, String(REPLY_SIZE_MAX_BYTES));
  assert(reply.buffer.length < BUFFER_KEEP_MAX_BYTES, "nothing was allocated for what was refused");
  reply.error("ERR", "too large");
  reply.end();
  assertEquals(framesOf(reply).map(decode), [[0, 7], [1, "ERR", "too large"]]);
});

// The tests below are about chunks.

/** Asserts that a reply in chunks is equal to one in one piece. */
function assertSame(chunked: NativeReply, whole: NativeReply, context: string): void {
  assertEquals(chunked.size, whole.size, context);
  assertEquals(toHex(chunked.contents()), toHex(whole.contents()), context);
}

/** Takes everything out of a reply as a session does. */
function takeAll(reply: NativeReply): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let chunk = reply.takeChunk(); chunk !== undefined; chunk = reply.takeChunk()) pieces.push(chunk.slice());
  pieces.push(reply.buffer.slice(0, reply.length));
  reply.clear();
  return pieces;
}

const FORMS: Record<string, (reply: NativeReply) => void> = {
  ok: (reply) => reply.ok(),
  nil: (reply) => reply.nil(),
  "small integer": (reply) => reply.integer(5),
  integer: (reply) => reply.integer(-5_000_000_000),
  integer64: (reply) => reply.integer64(2n ** 60n),
  "short status": (reply) => reply.status("PONG"),
  "long status": (reply) => reply.status("w".repeat(300)),
  "no bytes": (reply) => reply.bytes(new Uint8Array(0), 0, 0),
  "short bytes": (reply) => reply.bytes(Uint8Array.of(1, 2, 3), 0, 3),
  "bytes longer than a chunk": (reply) => reply.bytes(new Uint8Array(500).fill(7), 0, 500),
  text: (reply) => reply.text("ключ"),
  array: (reply) => {
    reply.array(2);
    reply.nil();
    reply.ok();
  },
  "large array": (reply) => {
    reply.array(20);
    for (let i = 0; i < 20; i++) reply.integer(i * 10);
  },
  map: (reply) => {
    reply.map(1);
    reply.status("field");
    reply.integer(1);
  },
  "array with its count at the end": (reply) => {
    reply.openArray();
    for (let i = 0; i < 70; i++) reply.integer(i * 1000);
    reply.closeArray(70);
  },
  items: (reply) => {
    reply.array(3);
    for (let i = 0; i < 3; i++) {
      reply.openItem();
      reply.array(9);
      for (let j = 0; j < 9; j++) reply.integer(i * 1000);
      if (i === 0) reply.error("ERR", "item");
      if (i === 1) reply.error("ERR", "x".repeat(100));
      reply.closeItem();
    }
  },
};

/** The step between distances: each one in the long form, and every third in the short one. */
const PADDING_STEP = amountOf("PADDING_STEP", 3, 1);

Deno.test("NativeReply writes every form at any distance from a chunk's end as in one piece", () => {
  for (const [name, form] of Object.entries(FORMS)) {
    for (let padding = 0; padding < 150; padding += PADDING_STEP) {
      const write = (reply: NativeReply) => {
        writeReply((each) => each.ok(), reply);
        writeReply((each) => {
          each.array(3);
          each.bytes(new Uint8Array(padding).fill(9), 0, padding);
          form(each);
          each.integer(42);
        }, reply);
        writeReply((each) => each.nil(), reply);
        return reply;
      };
      const chunked = write(new NativeReply(64));
      assertSame(chunked, write(new NativeReply(Infinity)), `${name} after ${padding} bytes`);
      const [ok, all, nil] = framesOf(chunked).map(decode);
      assertEquals([ok, nil], [[0, "OK"], [0, null]]);
      const [status, items] = all as [number, ValueType[]];
      assertEquals([status, items.length, items[2]], [0, 3, 42]);
    }
  }
});

Deno.test("NativeReply in chunks of any size equals the one in one piece, including errors", () => {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const forms = Object.values(FORMS);
  for (let round = 0; round < amountOf("REPLY_ROUNDS", 150, 2_000); round++) {
    const replies = [new NativeReply(30 + random.below(400)), new NativeReply(Infinity)];
    const [chunked, whole] = replies as [NativeReply, NativeReply];
    let commands = 0;
    while (random.chance(0.8)) {
      const count = random.below(40);
      const chosen = Array.from({ length: count }, () => random.pick(forms));
      const refused = random.chance(0.3);
      for (const reply of replies) {
        reply.begin();
        reply.array(count);
        for (const form of chosen) form(reply);
        if (refused) reply.error("ERR", `round ${round}`);
        reply.end();
      }
      commands++;
    }
    assertSame(chunked, whole, `seed ${seed}, round ${round}`);
    assertEquals(framesOf(chunked).map(decode).length, commands);
    const expected = toHex(whole.contents());
    assertEquals(toHex(concat(...takeAll(chunked))), expected, "what is taken out is what was written");
    assertEquals(chunked.size, 0);
    // The reply can be used again.
    assertEquals(framesOf(writeReply((reply) => reply.integer(1), chunked)).map(decode), [[0, 1]]);
  }
});

Deno.test("NativeReply keeps small replies in one buffer, and does not copy what fills a chunk", () => {
  for (let i = 0; i < SPARE_CHUNKS_MAX_COUNT; i++) takeSpare(REPLY_CHUNK_BYTES);
  const value = new Uint8Array(10_000).fill(1);
  const reply = new NativeReply();
  const buffers = new Set<Uint8Array>();
  let count = 0;
  reply.begin();
  reply.openArray();
  for (; reply.size <= REPLY_CHUNK_BYTES - 12_000; count++) reply.bytes(value, 0, value.length);
  assertEquals(reply.size, reply.length, "all is in one buffer");
  for (; reply.size < REPLY_CHUNK_BYTES * 4; count++) {
    reply.bytes(value, 0, value.length);
    if (reply.size > reply.length) buffers.add(reply.buffer);
  }
  reply.closeArray(count);
  reply.end();
  assertEquals(framesOf(reply).map(decode), [[0, Array(count).fill(value)]]);
  assertEquals(buffers.size, 4, "no chunk grew");
  const taken: ArrayBuffer[] = [];
  for (let chunk = reply.takeChunk(); chunk !== undefined; chunk = reply.takeChunk()) taken.push(chunk.buffer);
  assertEquals(taken.length, 4);
  for (const each of taken.slice(1)) assert([...buffers].some(({ buffer }) => buffer === each));
  const spare = taken.map(() => takeSpare(REPLY_CHUNK_BYTES).buffer);
  assert(taken.every((buffer) => spare.includes(buffer)), "each is given back when the next is taken");
});

Deno.test("NativeReply gives a value larger than a chunk a separate one, and writes a short head into it", () => {
  const size = REPLY_CHUNK_BYTES * 3;
  const reply = writeReply((each) => each.reserve(size));
  assertEquals(reply.takeChunk(), undefined);
  assertEquals(reply.length, FRAME_PREFIX_BYTES + 2 + 5 + size);
  const many = writeReply((each) => {
    each.array(5);
    for (const length of [size, 10, size, REPLY_CHUNK_BYTES / 2, size]) each.reserve(length);
  });
  const lengths = takeAll(many).map(({ length }) => length);
  assertEquals(
    lengths.reduce((sum, length) => sum + length),
    FRAME_PREFIX_BYTES + 3 + 3 * (5 + size) + 12 + 5 + size / 6,
  );
  assertEquals(lengths.length, 4);
});

Deno.test("NativeReply error() discards whole chunks, and releases their memory", () => {
  const reply = new NativeReply(1000);
  writeReply((each) => each.integer(1), reply);
  const begun = reply.buffer;
  reply.begin();
  reply.array(2 ** 32 - 1);
  while (reply.size < 50_000) reply.integer(123_456);
  assert(reply.buffer !== begun);
  reply.error("ERR", "changed its mind");
  assertEquals(reply.size, reply.length, "no chunk is left");
  assertStrictEquals(reply.buffer.buffer, begun.buffer);
  reply.end();
  writeReply((each) => each.ok(), reply);
  assertEquals(framesOf(reply).map(decode), [[0, 1], [1, "ERR", "changed its mind"], [0, "OK"]]);
  // The error is too long for the rest of the chunk in which its command began.
  reply.begin();
  while (reply.size < 50_000) reply.integer(123_456);
  reply.error("ERR", "x".repeat(5000));
  reply.end();
  assertEquals(framesOf(reply).map(decode).at(-1), [1, "ERR", "x".repeat(5000)]);
});

Deno.test("NativeReply limits a reply of many chunks exactly", () => {
  const bound = 5000;
  for (const chunkBytes of [100, 1024, 3000, Infinity]) {
    const reply = new NativeReply(chunkBytes, bound);
    for (let round = 0; round < 3; round++) {
      reply.begin();
      const before = reply.size - 6;
      assertThrows(
        () => {
          for (;;) reply.bytes(new Uint8Array(90), 0, 90);
        },
        ReplyError,
        `reply exceeds ${bound} bytes`,
      );
      const size = reply.size - before;
      assert(size <= bound && size > bound - 110, `${size} bytes in chunks of ${chunkBytes}`);
      reply.error("ERR", "too large");
      reply.end();
    }
    assertEquals(framesOf(reply).map(decode), Array(3).fill([1, "ERR", "too large"]));
  }
});

Deno.test("NativeReply prepare() reserves space so that nothing after it can fail", () => {
  for (const [count, length] of [[10, 5], [1000, 300], [3, 2000]] as const) {
    const reply = new NativeReply(1000, 2_000_000);
    writeReply((each) => each.bytes(new Uint8Array(700), 0, 700), reply);
    reply.begin();
    reply.array(count);
    reply.prepare(count, count * length);
    const buffer = reply.buffer;
    for (let i = 0; i < count; i++) reply.bytes(new Uint8Array(length), 0, length);
    assertStrictEquals(reply.buffer, buffer);
    reply.end();
    assertEquals(framesOf(reply).map(decode)[1], [0, Array(count).fill(new Uint8Array(length))]);
    reply.begin();
    reply.array(2);
    assertThrows(() => reply.prepare(1000, 2_000_000), ReplyError);
    reply.error("ERR", "no");
    reply.end();
    assertEquals(framesOf(reply).map(decode)[2], [1, "ERR", "no"]);
  }
});

Deno.test("NativeReply clear() releases chunks", () => {
  const reply = writeReply((each) => {
    each.array(10);
    for (let i = 0; i < 10; i++) each.reserve(REPLY_CHUNK_BYTES - 1000);
  });
  assert(reply.size > reply.length);
  reply.clear();
  assertEquals([reply.size, reply.takeChunk()], [0, undefined]);
  assertEquals(framesOf(writeReply((each) => each.nil(), reply)).map(decode), [[0, null]]);
});
