import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { ProtocolError, ReplyError } from "../../src/errors.ts";
import { type BulkReply, NativeBulkReply, RespBulkReply } from "../../src/load/bulk_reply.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import type { Reply } from "../../src/wire/reply.ts";
import type { Value } from "../../src/wire/native/reply_reader.ts";
import { RespReply } from "../../src/wire/resp/reply_writer.ts";

/** One reply of each kind: how a server writes it, and what a consumer has to see. */
interface Sample {
  readonly write: (reply: Reply) => void;
  readonly value: Value | ReplyError;
  readonly integer?: number;
  readonly content?: string;
  readonly items?: number;
}

const long = "x".repeat(70_000);

/** The integers at the edges of each form of MessagePack. */
const INTEGERS = [0, 1, 127, 128, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, 2 ** 53 - 1]
  .flatMap((number) => number === 0 ? [0] : [number, -number]);

const SAMPLES: Readonly<Record<string, Sample>> = {
  ...Object.fromEntries(INTEGERS.map((value): [string, Sample] => {
    return [`the integer ${value}`, { write: (reply) => reply.integer(value), value, integer: value }];
  })),
  "OK": { write: (reply) => reply.ok(), value: "OK", content: "OK" },
  "a status": { write: (reply) => reply.status("QUEUED"), value: "QUEUED", content: "QUEUED" },
  "a long status": {
    write: (reply) => reply.status("S".repeat(100)),
    value: "S".repeat(100),
    content: "S".repeat(100),
  },
  "nil": { write: (reply) => reply.nil(), value: null },
  "no array": { write: (reply) => reply.nilArray(), value: null },
  "no bytes": { write: bytes(""), value: encodeText(""), content: "" },
  "bytes that look like an end": { write: bytes("\r\n$1\r\n"), value: encodeText("\r\n$1\r\n"), content: "\r\n$1\r\n" },
  "many bytes": { write: bytes(long), value: encodeText(long), content: long },
  "an array": {
    write: (reply) => {
      reply.array(3);
      reply.integer(1);
      bytes("b")(reply);
      reply.nil();
    },
    value: [1, encodeText("b"), null],
    items: 3,
  },
  "an empty array": { write: (reply) => reply.array(0), value: [], items: 0 },
  "nested arrays": {
    write: (reply) => {
      reply.array(2);
      reply.array(1);
      reply.array(0);
      reply.ok();
    },
    value: [[[]], "OK"],
    items: 2,
  },
  "a refusal": {
    write: (reply) => reply.error("WRONGTYPE", "no such kind"),
    value: new ReplyError("WRONGTYPE", "no such kind"),
  },
  "a refusal without a text": { write: (reply) => reply.error("ERR", ""), value: new ReplyError("ERR", "") },
};
function bytes(text: string): (reply: Reply) => void {
  const encoded = encodeText(text);
  return (reply) => reply.bytes(encoded, 0, encoded.length);
}

function respReply(version: 2 | 3): RespReply {
  const reply = new RespReply();
  reply.version = version;
  return reply;
}

/** The protocols: what a server writes with, and what a stream reads with. */
const PROTOCOLS: Readonly<Record<string, { writer: () => Reply; reader: () => BulkReply }>> = {
  native: { writer: () => new NativeReply(), reader: () => new NativeBulkReply() },
  RESP2: { writer: () => respReply(2), reader: () => new RespBulkReply() },
  RESP3: { writer: () => respReply(3), reader: () => new RespBulkReply() },
};

function encode(writer: Reply, write: (reply: Reply) => void): Uint8Array {
  writer.begin();
  write(writer);
  writer.end();
  return writer.contents().slice();
}

function check(reply: BulkReply, sample: Sample, what: string): void {
  const { value } = sample;
  assertEquals(reply.isRefusal, value instanceof ReplyError, what);
  if (value instanceof ReplyError) {
    for (const error of [reply.refusal(), reply.value()]) {
      assert(error instanceof ReplyError, what);
      assertEquals([error.code, error.message], [value.code, value.message], what);
    }
  } else {
    assertEquals(reply.value(), value, what);
  }
  assertEquals(reply.isOk, value === "OK", what);
  assertEquals(reply.isNil, value === null, what);
  assertEquals(reply.integer(), sample.integer ?? NaN, what);
  assertEquals(reply.itemCount(), sample.items ?? -1, what);
  const content = sample.content === undefined ? undefined : encodeText(sample.content);
  assertEquals(reply.content(), content === undefined ? -1 : content.length, what);
  if (content === undefined) return;
  assert(reply.hasContent(content), what);
  assert(!reply.hasContent(encodeText(sample.content + "x")), what);
  if (content.length > 0) {
    assert(!reply.hasContent(content, 1), what);
    assert(!reply.hasContent(content.map((byte, i) => i === content.length - 1 ? byte ^ 1 : byte)), what);
  }
}

for (const [protocol, { writer, reader }] of Object.entries(PROTOCOLS)) {
  Deno.test(`a bulk reply shows each kind of reply in ${protocol}`, () => {
    const reply = reader();
    // All of them in one buffer: the reader must not look beyond a reply, and keeps nothing of the one before.
    const encoded = Object.values(SAMPLES).map(({ write }) => encode(writer(), write));
    const buffer = new Uint8Array(encoded.reduce((sum, { length }) => sum + length, 3));
    let at = 3;
    for (const each of encoded) {
      buffer.set(each, at);
      at += each.length;
    }
    at = 3;
    for (const [i, [name, sample]] of Object.entries(SAMPLES).entries()) {
      assert(reply.find(buffer, at, buffer.length), name);
      assertEquals([reply.start, reply.end], [at, at + encoded[i]!.length], name);
      check(reply, sample, name);
      at = reply.end;
    }
    assertEquals(at, buffer.length);
  });

  Deno.test(`a bulk reply is found in ${protocol} wherever it is cut`, () => {
    const reply = reader();
    for (const [name, sample] of Object.entries(SAMPLES)) {
      const encoded = encode(writer(), sample.write);
      const step = encoded.length > 1000 ? 997 : 1;
      for (let cut = 0; cut < encoded.length; cut += step) {
        assert(!reply.find(encoded.slice(0, cut), 0, cut), `${name} cut at ${cut}`);
        // The bytes may have been moved meanwhile.
        const moved = new Uint8Array(encoded.length + 5);
        moved.set(encoded, 5);
        assert(reply.find(moved, 5, moved.length), `${name} cut at ${cut}`);
        assertEquals(reply.end, moved.length);
        check(reply, sample, `${name} cut at ${cut}`);
      }
    }
  });
}

Deno.test("a bulk reply reads the kinds that only other servers send", () => {
  const cases: [string, Value | ReplyError][] = [
    ["#t\r\n", true],
    ["#f\r\n", false],
    [",1.5\r\n", 1.5],
    [",-inf\r\n", -Infinity],
    ["_\r\n", null],
    ["*-1\r\n", null],
    ["(9223372036854775807\r\n", 9223372036854775807n],
    ["=7\r\ntxt:abc\r\n", encodeText("abc")],
    ["%1\r\n+a\r\n:1\r\n", new Map([["a", 1]])],
    ["~1\r\n$1\r\nx\r\n", [encodeText("x")]],
  ];
  for (const [text, value] of cases) {
    const reply = new RespBulkReply();
    const encoded = encodeText(text);
    assert(reply.find(encoded, 0, encoded.length), text);
    assertEquals(reply.value(), value, text);
  }
  for (const text of ["!9\r\nERR a\r\nbc\r\n", "*1\r\n!9\r\nERR a\r\nbc\r\n"]) {
    const reply = new RespBulkReply();
    assert(reply.find(encodeText(text), 0, text.length));
    const value = reply.value();
    const error = Array.isArray(value) ? value[0] : value;
    assert(error instanceof ReplyError);
    assertEquals([error.code, error.message], ["ERR", "a\r\nbc"]);
  }
});

Deno.test("a bulk reply refuses bytes that are not a reply", () => {
  const native: number[][] = [
    [0, 0, 0, 0],
    [0, 0, 0, 2, 0x92, 0],
    [0x7f, 0, 0, 0, 0x92, 0, 0xc0],
    [0, 0, 0, 3, 0x91, 0, 0xc0],
    [0, 0, 0, 3, 0x92, 1, 0xc0],
    [0, 0, 0, 3, 0x93, 0, 0xc0],
  ];
  for (const each of native) {
    assertThrows(() => new NativeBulkReply().find(Uint8Array.from(each), 0, each.length), ProtocolError);
  }
  // The frame ends within its value.
  for (const value of [[0xc4], [0xc4, 5, 1], [0xa5, 1], [0xdc, 0]]) {
    const bytes = Uint8Array.from([0, 0, 0, 2 + value.length, 0x92, 0, ...value]);
    const reply = new NativeBulkReply();
    assert(value.length === 1 ? true : reply.find(bytes, 0, bytes.length));
    assertThrows(() => {
      reply.find(bytes, 0, bytes.length);
      reply.content();
      reply.itemCount();
    }, ProtocolError);
  }
  for (const text of ["hello\r\n", "$x\r\n", "$1\r\nabc", "+OK\rx", "*1\r\n?\r\n", "$-2\r\n", ":\rx"]) {
    assertThrows(() => new RespBulkReply().find(encodeText(text), 0, text.length), ProtocolError, undefined, text);
  }
});
