import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { encode, type ValueType } from "@std/msgpack";
import { ProtocolError, ReplyError } from "../../../src/errors.ts";
import { NESTING_MAX_DEPTH } from "../../../src/limits.ts";
import { decodeReply, type Value } from "../../../src/wire/native/reply_reader.ts";
import { concat, fromHex } from "../../support/hex.ts";

const LENGTHS = [0, 1, 10, 11, 31, 32, 33, 255, 256, 65535, 65536];
const FLOAT = 1.5;
function reply(bytes: Uint8Array): Value | ReplyError {
  return decodeReply(concat(fromHex("92 00"), bytes, fromHex("c0 c0")), 2, 2 + bytes.length);
}

Deno.test("decodeReply() decodes every value that the oracle encodes", () => {
  const integers = [0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const values: ValueType[] = [null, true, false, FLOAT, -FLOAT, "", "☃", "\ufeff", ...integers];
  for (const integer of [1, 32, 33, 128, 129, 32768, 32769, 2 ** 31, 2 ** 31 + 1, 2 ** 53 - 1]) values.push(-integer);
  for (const length of LENGTHS) values.push("s".repeat(length), new Uint8Array(length).fill(1), Array(length).fill(1));
  for (const value of values) assertEquals(reply(encode([0, value])), value as Value);
});

Deno.test("decodeReply() decodes maps in order, with keys of any type", () => {
  const pairs = Array.from({ length: 70_000 }, (_, index): [string, number] => [`field ${index}`, index]);
  for (const count of [0, 1, 15, 16, 65535, 65536, 70_000]) {
    const map = reply(encode([0, Object.fromEntries(pairs.slice(0, count))]));
    assertInstanceOf(map, Map);
    assertEquals([...map.keys()].slice(0, 20), pairs.slice(0, Math.min(count, 20)).map(([name]) => name));
    assertEquals(map.size, count);
  }
  assertEquals(reply(fromHex("92 00 82 c4 01 6b 01 c0 02")), new Map<Value, Value>([[fromHex("6b"), 1], [null, 2]]));
});

Deno.test("decodeReply() decodes 64-bit integers, as bigint beyond 53 bits", () => {
  assertEquals(reply(fromHex("92 00 cf ffffffffffffffff")), 2n ** 64n - 1n);
  assertEquals(reply(fromHex("92 00 d3 8000000000000000")), -(2n ** 63n));
  assertEquals(reply(fromHex("92 00 d3 7fffffffffffffff")), 2n ** 63n - 1n);
  assertEquals(reply(fromHex("92 00 cf 0020000000000000")), 2n ** 53n);
  assertEquals(reply(fromHex("92 00 cf 001fffffffffffff")), Number.MAX_SAFE_INTEGER);
  assertEquals(reply(fromHex("92 00 d3 ffe0000000000001")), Number.MIN_SAFE_INTEGER);
  assertEquals(reply(fromHex("92 00 d3 ffffffffffffffff")), -1);
});

Deno.test("decodeReply() decodes the longer forms of small numbers, and floats", () => {
  const forms = ["05", "cc 05", "cd 0005", "ce 00000005", "cf 0000000000000005", "d0 05", "d1 0005", "d2 00000005"];
  for (const form of [...forms, "d3 0000000000000005"]) assertEquals(reply(fromHex(`92 00 ${form}`)), 5, form);
  for (const form of ["fb", "d0 fb", "d1 fffb", "d2 fffffffb", "d3 fffffffffffffffb"]) {
    assertEquals(reply(fromHex(`92 00 ${form}`)), -5, form);
  }
  assertEquals(reply(fromHex("92 00 cb 3ff8000000000000")), FLOAT);
});

Deno.test("decodeReply() returns a refusal as ReplyError", () => {
  const error = reply(encode([1, "WRONGTYPE", "it is a list"]));
  assertInstanceOf(error, ReplyError);
  assertEquals([error.code, error.message], ["WRONGTYPE", "it is a list"]);
});

Deno.test("decodeReply() copies: its value stays valid when the buffer changes", () => {
  const bytes = encode([0, [Uint8Array.of(1, 2, 3), new Uint8Array(100).fill(4)]]);
  const value = decodeReply(bytes, 0, bytes.length);
  bytes.fill(0xff);
  assertEquals(value, [Uint8Array.of(1, 2, 3), new Uint8Array(100).fill(4)]);
});

Deno.test("decodeReply() refuses a reply cut at any byte, and one with an additional byte", () => {
  const values: ValueType[] = [null, 5, 300, -70_000, 2 ** 40, FLOAT, "text", "t".repeat(40), new Uint8Array(40), [[
    1,
    "a",
  ]]];
  for (const value of [...values, { a: 1, b: [2] }]) {
    const bytes = encode([0, value]);
    for (let length = 0; length < bytes.length; length++) {
      assertThrows(() => reply(bytes.subarray(0, length)), ProtocolError, undefined, `cut at ${length}`);
    }
    assertThrows(() => reply(concat(bytes, Uint8Array.of(0))), ProtocolError);
  }
});

Deno.test("decodeReply() refuses everything but [0, value] and [1, code, message]", () => {
  const wrong = [
    "c0",
    "00",
    "90",
    "91 00",
    "92 01 c0",
    "93 00 c0 c0",
    "93 01 a1 78 01",
    "93 01 c4 01 78 a1 78",
    "92 02 c0",
  ]
    .concat(["92 c0 c0", "93 02 a1 78 a1 78", "94 01 a1 78 a1 78 a1 78", "82 00 c0 01 c0", "92 a1 30 c0"]);
  for (const hex of wrong) assertThrows(() => reply(fromHex(hex)), ProtocolError, "Cannot read a reply", hex);
  for (
    const hex of ["92 00 c1", "92 00 c7 00 00", "92 00 d4 00 00", "92 00 ca 00 00 00 00", "92 00 c9 00 00 00 00 00"]
  ) {
    assertThrows(() => reply(fromHex(hex)), ProtocolError, "begins with", hex);
  }
});

Deno.test("decodeReply() refuses wrong counts before it reserves memory for them", () => {
  for (
    const head of ["dd ffffffff", "df ffffffff", "dc ffff", "de ffff", "db ffffffff", "c6 ffffffff", "df 80000001"]
  ) {
    assertThrows(() => reply(fromHex(`92 00 ${head} 00 00 00`)), ProtocolError, "beyond its frame", head);
  }
  // Each of eleven levels announces all the remaining bytes. Every level takes a byte, so the counts cannot multiply.
  assertThrows(() => reply(fromHex("92 00" + "dd 00000010".repeat(11))), ProtocolError);
});

Deno.test("decodeReply() reads at most NESTING_MAX_DEPTH levels", () => {
  // The reply's own array is the first level.
  const nested = (levels: number) => concat(fromHex("92 00"), new Uint8Array(levels - 1).fill(0x91), fromHex("c0"));
  let value = reply(nested(NESTING_MAX_DEPTH)) as Value;
  let levels = 1;
  for (; Array.isArray(value); levels++) value = value[0]!;
  assertEquals([levels, value], [NESTING_MAX_DEPTH, null]);
  assertThrows(() => reply(nested(NESTING_MAX_DEPTH + 1)), ProtocolError, String(NESTING_MAX_DEPTH));
  assertThrows(() => reply(nested(1_000_000)), ProtocolError, String(NESTING_MAX_DEPTH));
  const maps = concat(fromHex("92 00"), ...Array.from({ length: 40 }, () => fromHex("81 00")), fromHex("c0"));
  assertThrows(() => reply(maps), ProtocolError, String(NESTING_MAX_DEPTH));
});

Deno.test("decodeReply() works again after an error", () => {
  assertThrows(() => reply(fromHex("92 00 91 91")), ProtocolError);
  assertEquals(reply(encode([0, "fine"])), "fine");
  assert(reply(encode([1, "ERR", "no"])) instanceof ReplyError);
});

Deno.test("decodeReply() gives short values separate bytes, which changes of others do not affect", () => {
  const lengths = [0, 1, 500, 1024, 1025, 70_000];
  const reply = encode([0, lengths.map((length) => new Uint8Array(length).fill(7))]);
  const first = decodeReply(reply, 0, reply.length) as Uint8Array[];
  const second = decodeReply(reply, 0, reply.length) as Uint8Array[];
  reply.fill(0);
  first.forEach((value) => value.fill(1));
  assertEquals(second, lengths.map((length) => new Uint8Array(length).fill(7)));
  assertEquals(first, lengths.map((length) => new Uint8Array(length).fill(1)));
});
