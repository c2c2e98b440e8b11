import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { pickSeed, Random } from "../../../bench/support/random.ts";
import { ReplyError } from "../../../src/errors.ts";
import { REPLY_CHUNK_BYTES } from "../../../src/limits.ts";
import { RespReply } from "../../../src/wire/resp/reply_writer.ts";
import { amountOf } from "../../support/amount.ts";
import { decodeAllResp } from "../../support/resp_decoder.ts";
import type { RespValue } from "../../support/resp_decoder.ts";
import { binaryText } from "../../support/resp_requests.ts";

type Write = (reply: RespReply) => void;

/** Replies and their bytes in RESP2 and RESP3; one text if they are equal. */
const FORMS: Record<string, { write: Write; resp2: string; resp3?: string }> = {
  "ok": { write: (reply) => reply.ok(), resp2: "+OK\r\n" },
  "status": { write: (reply) => reply.status("PONG"), resp2: "+PONG\r\n" },
  "long status": { write: (reply) => reply.status("w".repeat(300)), resp2: `+${"w".repeat(300)}\r\n` },
  "nil": { write: (reply) => reply.nil(), resp2: "$-1\r\n", resp3: "_\r\n" },
  "nilArray": { write: (reply) => reply.nilArray(), resp2: "*-1\r\n", resp3: "_\r\n" },
  "double": { write: (reply) => reply.double(0.5), resp2: "$3\r\n0.5\r\n", resp3: ",0.5\r\n" },
  "infinity": { write: (reply) => reply.double(-Infinity), resp2: "$4\r\n-inf\r\n", resp3: ",-inf\r\n" },
  "bytes": { write: (reply) => reply.bytes(Uint8Array.of(1, 13, 10, 2), 1, 2), resp2: "$2\r\n\r\n\r\n" },
  "text": { write: (reply) => reply.text("é"), resp2: "$2\r\n\xc3\xa9\r\n" },
  "reserve": {
    write: (reply) => {
      const at = reply.reserve(3);
      reply.buffer.set([7, 8, 9], at);
    },
    resp2: "$3\r\n\x07\x08\x09\r\n",
  },
  "verbatim": {
    write: (reply) => reply.verbatim("hé"),
    resp2: "$3\r\nh\xc3\xa9\r\n",
    resp3: "=7\r\ntxt:h\xc3\xa9\r\n",
  },
  "empty array": { write: (reply) => reply.array(0), resp2: "*0\r\n" },
  "array": {
    write: (reply) => {
      reply.array(2);
      reply.nil();
      reply.ok();
    },
    resp2: "*2\r\n$-1\r\n+OK\r\n",
    resp3: "*2\r\n_\r\n+OK\r\n",
  },
  "map": {
    write: (reply) => {
      reply.map(1);
      reply.status("a");
      reply.integer(1);
    },
    resp2: "*2\r\n+a\r\n:1\r\n",
    resp3: "%1\r\n+a\r\n:1\r\n",
  },
  "set": {
    write: (reply) => {
      reply.set(2);
      reply.status("a");
      reply.status("b");
    },
    resp2: "*2\r\n+a\r\n+b\r\n",
    resp3: "~2\r\n+a\r\n+b\r\n",
  },
  "push": {
    write: (reply) => {
      reply.push(1);
      reply.text("message");
    },
    resp2: "*1\r\n$7\r\nmessage\r\n",
    resp3: ">1\r\n$7\r\nmessage\r\n",
  },
  "array with its count at the end": {
    write: (reply) => {
      reply.openArray();
      for (let i = 0; i < 70; i++) reply.integer(i * 1000);
      reply.closeArray(70);
    },
    resp2: `*70\r\n${Array.from({ length: 70 }, (_, i) => `:${i * 1000}\r\n`).join("")}`,
  },
  "set with its count at the end": {
    write: (reply) => {
      reply.openArray();
      for (let i = 0; i < 12; i++) reply.integer(i);
      reply.closeSet(12);
    },
    resp2: `*12\r\n${Array.from({ length: 12 }, (_, i) => `:${i}\r\n`).join("")}`,
    resp3: `~12\r\n${Array.from({ length: 12 }, (_, i) => `:${i}\r\n`).join("")}`,
  },
  "empty array with its count at the end": {
    write: (reply) => {
      reply.openArray();
      reply.closeArray(0);
    },
    resp2: "*0\r\n",
  },
  "arrays with their counts at the end, in a map": {
    write: (reply) => {
      reply.map(2);
      for (const count of [1, 12]) {
        reply.text("key");
        reply.openArray();
        for (let i = 0; i < count; i++) reply.nil();
        reply.closeArray(count);
      }
    },
    resp2: `*4\r\n$3\r\nkey\r\n*1\r\n$-1\r\n$3\r\nkey\r\n*12\r\n${"$-1\r\n".repeat(12)}`,
    resp3: `%2\r\n$3\r\nkey\r\n*1\r\n_\r\n$3\r\nkey\r\n*12\r\n${"_\r\n".repeat(12)}`,
  },
  "integer64": { write: (reply) => reply.integer64(-(2n ** 63n)), resp2: ":-9223372036854775808\r\n" },
  "error": { write: (reply) => reply.error("ERR", "no"), resp2: "-ERR no\r\n" },
  "error of other text": {
    write: (reply) => reply.error("WRONGTYPE", "ключ"),
    resp2: "-WRONGTYPE \xd0\xba\xd0\xbb\xd1\x8e\xd1\x87\r\n",
  },
  "error with line breaks": { write: (reply) => reply.error("ERR", "got '\r'\r\n:1\n"), resp2: "-ERR got ' '  :1\r\n" },
};

for (const value of [0, 1, 9, 10, 42, 99, 100, 12_345, 999_999_999, 1e9, 2 ** 31, 2 ** 53 - 1]) {
  FORMS[`integer ${value}`] = { write: (reply) => reply.integer(value), resp2: `:${value}\r\n` };
  FORMS[`integer -${value}`] = {
    write: (reply) => reply.integer(-value),
    resp2: value === 0 ? ":0\r\n" : `:-${value}\r\n`,
  };
}
for (const length of [0, 1, 9, 10, 11, 63, 64, 65, 99, 100, 101, 999, 1000, 100_000]) {
  const source = new Uint8Array(length + 2).fill(0x78, 1, 1 + length);
  const resp2 = `$${length}\r\n${"x".repeat(length)}\r\n`;
  FORMS[`${length} bytes`] = { write: (reply) => reply.bytes(source, 1, length), resp2 };
}

function bytesOf(form: { resp2: string; resp3?: string }, version: 2 | 3): string {
  return version === 3 ? form.resp3 ?? form.resp2 : form.resp2;
}

function writeReply(write: Write, reply = new RespReply()): RespReply {
  reply.begin();
  write(reply);
  reply.end();
  return reply;
}

function replyOf(version: 2 | 3, chunkBytes?: number, sizeMaxBytes?: number): RespReply {
  const reply = new RespReply(chunkBytes, sizeMaxBytes);
  reply.version = version;
  return reply;
}

function textOf(reply: RespReply): string {
  return binaryText(reply.contents());
}

/** Takes everything out of a reply as a session does. */
function takeAll(reply: RespReply): string {
  let text = "";
  for (let chunk = reply.takeChunk(); chunk !== undefined; chunk = reply.takeChunk()) text += binaryText(chunk);
  text += binaryText(reply.buffer.subarray(0, reply.length));
  reply.clear();
  return text;
}

Deno.test("RespReply writes every form as the versions of RESP define it", () => {
  for (const version of [2, 3] as const) {
    for (const [name, form] of Object.entries(FORMS)) {
      const text = textOf(writeReply(form.write, replyOf(version)));
      assertEquals(text, bytesOf(form, version), `${name}, RESP${version}`);
      assertEquals(decodeAllResp(writeReply(form.write, replyOf(version)).contents()).length, 1);
    }
  }
});

Deno.test("RespReply isRich is true if maps and doubles are wanted, and version applies immediately", () => {
  const reply = new RespReply();
  assertEquals([reply.version, reply.isRich], [2, false]);
  writeReply((each) => {
    each.array(2);
    each.nil();
    each.version = 3;
    each.nil();
  }, reply);
  assertEquals(reply.isRich, true);
  assertEquals(textOf(reply), "*2\r\n$-1\r\n_\r\n");
});

/** The step between distances: each one in the long form, and every third in the short one. */
const PADDING_STEP = amountOf("PADDING_STEP", 3, 1);

Deno.test("RespReply writes every form at any distance from its buffer's end", () => {
  // No form may write beyond the end.
  const size = new RespReply().buffer.length;
  for (const version of [2, 3] as const) {
    for (const [name, form] of Object.entries(FORMS)) {
      for (let distance = 0; distance < 40; distance += PADDING_STEP) {
        const reply = replyOf(version);
        writeReply((each) => each.status("w".repeat(size - distance - 3)), reply);
        assertEquals([reply.length, reply.buffer.length], [size - distance, size]);
        writeReply(form.write, reply);
        writeReply((each) => each.ok(), reply);
        const text = textOf(reply).slice(size - distance);
        assertEquals(text, `${bytesOf(form, version)}+OK\r\n`, `${name}, distance ${distance}`);
      }
    }
  }
});

Deno.test("RespReply writes every form at any distance from a chunk's end as in one piece", () => {
  for (const [name, form] of Object.entries(FORMS)) {
    for (let padding = 0; padding < 100; padding += PADDING_STEP) {
      const reply = replyOf(2, 64);
      writeReply((each) => each.ok(), reply);
      writeReply((each) => {
        each.array(3);
        each.bytes(new Uint8Array(padding).fill(0x61), 0, padding);
        form.write(each);
        each.integer(42);
      }, reply);
      writeReply((each) => each.nil(), reply);
      const before = `+OK\r\n*3\r\n$${padding}\r\n${"a".repeat(padding)}\r\n`;
      const isError = form.resp2.startsWith("-");
      const expected = `${isError ? "+OK\r\n" : before}${form.resp2}:42\r\n$-1\r\n`;
      assertEquals(textOf(reply), expected, `${name} after ${padding} bytes`);
      assertEquals(reply.size, expected.length);
    }
  }
});

/** A function that writes a reply, and the value that a client decodes. */
interface RandomReply {
  readonly write: Write;
  readonly value: RespValue;
}

function randomReply(random: Random, depth: number): RandomReply {
  const integer = random.below(2000) - 1000;
  const text = "t".repeat(random.pick([0, 1, 9, 10, 99, 100, 400]));
  const parts = Array.from({ length: depth > 2 ? 0 : random.below(depth === 0 ? random.pick([3, 30]) : 4) }, () => {
    return randomReply(random, depth + 1);
  });
  const values = parts.map(({ value }) => value);
  const writeAll: Write = (reply) => parts.forEach(({ write }) => write(reply));
  switch (random.below(6)) {
    case 0:
      return { write: (reply) => reply.integer(integer), value: integer };
    case 1:
      return { write: (reply) => reply.text(text), value: text };
    case 2:
      return { write: (reply) => reply.nil(), value: { nil: "_" } };
    case 3:
      return {
        write: (reply) => {
          reply.set(parts.length);
          writeAll(reply);
        },
        value: { set: values },
      };
    case 4:
      // Only one array may be open at a time.
      if (depth > 0) return { write: (reply) => reply.ok(), value: { status: "OK" } };
      parts.forEach((_, i) => {
        parts[i] = { write: (reply) => reply.text(text), value: text };
      });
      return {
        write: (reply) => {
          reply.openArray();
          writeAll(reply);
          reply.closeArray(parts.length);
        },
        value: parts.map(() => text),
      };
    default:
      return {
        write: (reply) => {
          reply.array(parts.length);
          writeAll(reply);
        },
        value: values,
      };
  }
}

Deno.test("RespReply in chunks of any size equals the one in one piece: values, items, errors", () => {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  for (let round = 0; round < amountOf("REPLY_ROUNDS", 80, 500); round++) {
    const reply = replyOf(3, 30 + random.below(400));
    const expected: RespValue[] = [];
    while (random.chance(0.8)) {
      const items = Array.from({ length: random.below(6) }, () => {
        return { item: randomReply(random, 0), refused: random.chance(0.3) };
      });
      const refused = random.chance(0.2);
      writeReply((each) => {
        each.array(items.length);
        for (const { item, refused } of items) {
          each.openItem();
          item.write(each);
          if (refused) each.error("ERR", "item");
          each.closeItem();
        }
        if (refused) each.error("ERR", "all");
      }, reply);
      const values = items.map(({ item, refused }) => refused ? { error: "ERR item" } : item.value);
      expected.push(refused ? { error: "ERR all" } : values);
    }
    const contents = reply.contents().slice();
    assertEquals(decodeAllResp(contents), expected, `seed ${seed}, round ${round}`);
    assertEquals(reply.size, contents.length);
    assertEquals(takeAll(reply), binaryText(contents), "what is taken out is what was written");
    assertEquals(textOf(writeReply((each) => each.integer(1), reply)), ":1\r\n", "it can be used again");
  }
});

Deno.test("RespReply closeArray() writes any count without leading zeros, also far from its array's begin", () => {
  for (const count of [0, 1, 9, 10, 99, 100, 12_345, 200_000]) {
    const reply = writeReply((each) => {
      each.array(2);
      each.openArray();
      for (let i = 0; i < count; i++) each.integer(123_456);
      each.closeArray(count);
      each.ok();
    });
    assertEquals(textOf(reply), `*2\r\n*${count}\r\n${":123456\r\n".repeat(count)}+OK\r\n`);
    assertEquals(reply.size, textOf(reply).length);
  }
});

Deno.test("RespReply closeArray() moves no more than one chunk", () => {
  const value = new Uint8Array(1000).fill(0x61);
  const reply = new RespReply();
  reply.begin();
  reply.openArray();
  let count = 0;
  for (; reply.size < REPLY_CHUNK_BYTES * 3; count++) reply.bytes(value, 0, value.length);
  const { buffer, length } = reply;
  reply.closeArray(count);
  reply.end();
  assertStrictEquals(reply.buffer, buffer);
  assertEquals(reply.length, length);
  assertEquals(textOf(reply), `*${count}\r\n${`$1000\r\n${"a".repeat(1000)}\r\n`.repeat(count)}`);
});

Deno.test("RespReply error() discards the output of its command, and not that of earlier commands", () => {
  const reply = writeReply((each) => each.integer(1), new RespReply(1000));
  writeReply((each) => {
    each.array(100_000);
    for (let i = 0; i < 50_000; i++) each.integer(i);
    each.error("ERR", "changed its mind");
  }, reply);
  writeReply((each) => each.ok(), reply);
  assertEquals(textOf(reply), ":1\r\n-ERR changed its mind\r\n+OK\r\n");
  assertEquals(reply.takeChunk(), undefined);
});

Deno.test("RespReply rollback() leaves space for another reply, within an item and outside", () => {
  const reply = writeReply((each) => each.integer(1), new RespReply(100));
  writeReply((each) => {
    each.array(1000);
    for (let i = 0; i < 500; i++) each.integer(i);
    each.rollback();
    each.array(2);
    each.openItem();
    each.array(1000);
    for (let i = 0; i < 500; i++) each.integer(i);
    each.rollback();
    each.text("first");
    each.closeItem();
    each.openItem();
    each.text("second");
    each.closeItem();
  }, reply);
  assertEquals(textOf(reply), ":1\r\n*2\r\n$5\r\nfirst\r\n$6\r\nsecond\r\n");
});

Deno.test("RespReply limits a reply of many chunks exactly, also in items, and the last error is the command's", () => {
  const bound = 5000;
  for (const chunkBytes of [100, 1024, 3000, Infinity]) {
    const reply = new RespReply(chunkBytes, bound);
    writeReply((each) => each.integer(7), reply);
    const refused: string[] = [];
    reply.begin();
    reply.array(1000);
    assertThrows(
      () => {
        for (let i = 0; i < 1000; i++) {
          reply.openItem();
          // Every other item is refused because of its size.
          const error = assertThrowsOrWrites(reply, i % 2 === 0 ? 50 : bound);
          if (error !== undefined) {
            refused.push(error.message);
            reply.error("ERR", "x".repeat(100));
          }
          reply.closeItem();
          assert(reply.size <= bound + 4);
        }
      },
      ReplyError,
      `reply exceeds ${bound} bytes`,
    );
    assert(refused.length > 20);
    reply.error("ERR", "too large");
    reply.end();
    writeReply((each) => each.ok(), reply);
    assertEquals(textOf(reply), ":7\r\n-ERR too large\r\n+OK\r\n");
  }
});

function assertThrowsOrWrites(reply: RespReply, length: number): ReplyError | undefined {
  try {
    reply.reserve(length);
    return undefined;
  } catch (error) {
    assert(error instanceof ReplyError);
    return error;
  }
}

Deno.test("RespReply prepare() reserves space so that nothing after it can fail", () => {
  for (const [count, length] of [[1, 0], [1, 5], [10, 5], [1000, 300], [3, 2000], [1, 100_000]] as const) {
    const reply = new RespReply(1000, 2_000_000);
    writeReply((each) => each.bytes(new Uint8Array(700), 0, 700), reply);
    reply.begin();
    reply.array(count);
    reply.prepare(count, count * length);
    const buffer = reply.buffer;
    for (let i = 0; i < count; i++) reply.bytes(new Uint8Array(length), 0, length);
    assertStrictEquals(reply.buffer, buffer);
    reply.end();
    assertEquals(decodeAllResp(reply.contents())[1], Array(count).fill("\0".repeat(length)));
  }
});
