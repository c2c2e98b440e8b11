import { assert, assertEquals, assertInstanceOf, assertNotStrictEquals, assertThrows } from "@std/assert";
import { decode, encode } from "@std/msgpack";
import type { ValueType } from "@std/msgpack";
import { decodeText, encodeText } from "../../../src/bytes.ts";
import { ProtocolError, ReplyError } from "../../../src/errors.ts";
import { ARGUMENTS_MAX_COUNT, FRAME_SIZE_MAX_BYTES, NESTING_MAX_DEPTH } from "../../../src/limits.ts";
import {
  decodeReply,
  decodeRequest,
  FRAME_PREFIX_BYTES,
  frameLength,
  RequestWriter,
} from "../../../src/wire/native/frame.ts";
import type { Argument, Value } from "../../../src/wire/native/frame.ts";
import { Request } from "../../../src/wire/request.ts";
import { concat, fromHex } from "../../support/hex.ts";

const LENGTHS = [0, 1, 10, 11, 31, 32, 33, 255, 256, 65535, 65536];
const FLOAT = 1.5;

/** Decodes `bytes` from the middle of a larger buffer, whose rest would be valid arguments too. */
function request(bytes: Uint8Array): Request {
  const outer = concat(fromHex("92 a1 78"), bytes, fromHex("a1 78 a1 78"));
  const target = new Request();
  decodeRequest(outer, 3, 3 + bytes.length, target);
  return target;
}

function argumentsOf(target: Request): Uint8Array[] {
  return Array.from({ length: target.count }, (_, index) => target.view(index).slice());
}

function reply(bytes: Uint8Array): Value | ReplyError {
  return decodeReply(concat(fromHex("92 00"), bytes, fromHex("c0 c0")), 2, 2 + bytes.length);
}

function refusesRequest(hex: string, includes: string): void {
  assertThrows(() => request(fromHex(hex)), ProtocolError, includes);
}

/** The frame one `add` makes, its prefix checked and taken off. */
function frame(...items: readonly Argument[]): Uint8Array {
  const writer = new RequestWriter();
  writer.add(items);
  const bytes = writer.take();
  assertEquals(frameLength(bytes, 0), bytes.length - FRAME_PREFIX_BYTES);
  return bytes.subarray(FRAME_PREFIX_BYTES);
}

Deno.test("frameLength() reads the prefix big-endian", () => {
  assertEquals(frameLength(fromHex("ff 00 00 01 02"), 1), 0x102);
  assertEquals(frameLength(fromHex("ff ff ff ff"), 0), 0xffffffff);
});

Deno.test("decodeRequest() reads what the oracle writes, str and bin of every length", () => {
  for (const length of LENGTHS) {
    const bin = Uint8Array.from({ length }, (_, i) => i * 3);
    const items = ["set", "k".repeat(length), bin];
    const target = request(encode(items));
    assertEquals(argumentsOf(target), [encodeText("set"), encodeText("k".repeat(length)), bin], `length ${length}`);
    assertEquals(target.size, 3 + length * 2);
    assertEquals([target.text(0), target.length(1)], ["set", length]);
  }
});

Deno.test("decodeRequest() reads what the oracle writes, of every count of arguments", () => {
  const target = new Request();
  for (const count of [1, 2, 15, 16, 17, 255, 65535, 65536, 3]) {
    const bytes = encode(Array.from({ length: count }, (_, index) => String(index)));
    decodeRequest(bytes, 0, bytes.length, target);
    assertEquals(target.count, count);
    assertEquals(target.text(count - 1), String(count - 1));
  }
});

Deno.test("decodeRequest() reads the longer forms of short lengths as well", () => {
  const forms = ["d9 01 78", "da 0001 78", "db 00000001 78", "c4 01 78", "c5 0001 78", "c6 00000001 78", "a1 78"];
  for (const array of ["91", "dc 0001", "dd 00000001"]) {
    for (const form of forms) assertEquals(request(fromHex(array + form)).text(0), "x", array + form);
  }
});

Deno.test("decodeRequest() borrows the buffer", () => {
  const bytes = encode(["get", "k"]);
  const target = new Request();
  decodeRequest(bytes, 0, bytes.length, target);
  bytes[bytes.length - 1] = 0x7a;
  assertEquals(target.text(1), "z");
});

Deno.test("decodeRequest() refuses a frame cut at any byte, and one with a byte too many", () => {
  const long = Uint8Array.from({ length: 300 }, (_, i) => i);
  const frames: ValueType[] = [["get", "key"], ["set", "k", long], ["echo", "s".repeat(70)], Array(20).fill("a")];
  for (const items of frames) {
    const bytes = encode(items);
    for (let length = 0; length < bytes.length; length++) {
      assertThrows(() => request(bytes.subarray(0, length)), ProtocolError, undefined, `cut at ${length}`);
    }
    assertThrows(() => request(concat(bytes, Uint8Array.of(0xa0))), ProtocolError, "behind the request");
  }
});

Deno.test("decodeRequest() refuses a count beyond its frame without making room for it", () => {
  const target = new Request();
  for (const hex of ["dd ffffffff a1 78", "dd 00100001 a1 78", "dc ffff a1 78", "92 a1 78", "9f a0"]) {
    const bytes = fromHex(hex);
    assertThrows(() => decodeRequest(bytes, 0, bytes.length, target), ProtocolError);
    assertEquals(target.starts.length, 16, hex);
  }
});

Deno.test("decodeRequest() refuses more than ARGUMENTS_MAX_COUNT arguments that are there", () => {
  const count = ARGUMENTS_MAX_COUNT + 1;
  const bytes = concat(fromHex("dd" + count.toString(16).padStart(8, "0")), new Uint8Array(count).fill(0xa0));
  assertThrows(() => request(bytes), ProtocolError, String(ARGUMENTS_MAX_COUNT));
});

Deno.test("decodeRequest() refuses lengths that lie", () => {
  for (
    const hex of ["91 db ffffffff 78", "91 c6 ffffffff 78", "91 da ffff 78", "91 c5 0002 78", "91 d9 ff", "91 bf 78"]
  ) {
    refusesRequest(hex, "goes beyond its frame");
  }
});

Deno.test("decodeRequest() refuses what is no array of str and bin, and says what it met", () => {
  refusesRequest("", "empty frame");
  refusesRequest("90", "empty array");
  refusesRequest("dc 0000", "empty array");
  refusesRequest("dd 00000000", "empty array");
  refusesRequest("a3 67 65 74", "begins with 0xa3: expected an array");
  refusesRequest("81 a1 78 a1 79", "begins with 0x81");
  refusesRequest("c0", "begins with 0xc0");
  refusesRequest("dc 00", "begins with 0xdc");
  refusesRequest("dd 00 00 00", "begins with 0xdd");
  for (
    const head of ["00", "7f", "ff", "c0", "c1", "c2", "c3", "ca", "cb", "cc", "cf", "d0", "d3", "d4", "c7", "91", "80"]
  ) {
    refusesRequest(`92 a1 78 ${head} 00`, `argument 1, which begins with 0x${head}: expected str or bin`);
  }
});

Deno.test("RequestWriter writes what the oracle reads", () => {
  const bin = Uint8Array.of(0, 255, 10, 13);
  assertEquals(decode(frame("set", "ключ", bin)), ["set", "ключ", bin]);
  assertEquals(decode(frame("expire", "k", 42, -7n)), ["expire", "k", "42", "-7"]);
  for (const length of LENGTHS) {
    const bytes = new Uint8Array(length).fill(9);
    assertEquals(decode(frame("x".repeat(length), bytes)), ["x".repeat(length), bytes], `length ${length}`);
  }
  for (const count of [1, 15, 16, 65535, 65536]) {
    assertEquals((decode(frame(...Array(count).fill("a"))) as string[]).length, count);
  }
});

Deno.test("RequestWriter encodes text as UTF-8 at every length around the switch of method", () => {
  for (const character of ["a", "é", "☃", "🎈", "\0", "\ufeff"]) {
    for (let count = 0; count < 40; count++) {
      const text = character.repeat(count);
      assertEquals(decodeFirst(frame(text)), text, `${count} times "${character}"`);
    }
  }
  // A lone surrogate has no UTF-8.
  assertEquals(decodeFirst(frame("\ud800")), "\ufffd");
});

function decodeFirst(bytes: Uint8Array): string {
  return request(bytes).text(0);
}

Deno.test("RequestWriter collects requests in order and starts afresh after take()", () => {
  const writer = new RequestWriter();
  for (let i = 0; i < 1000; i++) writer.add(["set", `key:${i}`, new Uint8Array(i)]);
  const { length } = writer;
  const bytes = writer.take();
  assertEquals([bytes.length, writer.length], [length, 0]);
  let at = 0;
  for (let i = 0; i < 1000; i++) {
    const end = at + FRAME_PREFIX_BYTES + frameLength(bytes, at);
    assertEquals(decode(bytes.slice(at + FRAME_PREFIX_BYTES, end)), ["set", `key:${i}`, new Uint8Array(i)]);
    at = end;
  }
  assertEquals(at, bytes.length);
  const kept = bytes.slice();
  writer.add(["get", "another"]);
  assertEquals(bytes, kept, "what was taken belongs to the taker");
  assertNotStrictEquals(writer.take().buffer, bytes.buffer);
});

Deno.test("RequestWriter addFrames() appends whole frames untouched", () => {
  const writer = new RequestWriter();
  const source = concat(Uint8Array.of(1), fromHex("00 00 00 02 91 a0"), Uint8Array.of(2));
  writer.add(["a"]);
  writer.addFrames(source, 1, 6);
  assertEquals(writer.take(), fromHex("00 00 00 03 91 a1 61 00 00 00 02 91 a0"));
  const large = new Uint8Array(100_000).fill(5);
  writer.addFrames(large, 0, large.length);
  assertEquals(writer.take(), large);
});

Deno.test("RequestWriter refuses what it cannot send, and appends nothing of it", () => {
  const writer = new RequestWriter();
  writer.add(["get", "k"]);
  const { length } = writer;
  assertThrows(() => writer.add([]), RangeError, "expected 1 to");
  assertThrows(() => writer.add(Array(ARGUMENTS_MAX_COUNT + 1).fill("a")), RangeError, "expected 1 to");
  assertThrows(() => writer.add(["set", "k", undefined as unknown as string]), TypeError, "argument 2");
  assertThrows(() => writer.add(["set", {} as unknown as string, "v"]), TypeError, "argument 1");
  assertThrows(() => writer.add(["set", "k", new Uint8Array(FRAME_SIZE_MAX_BYTES)]), RangeError, "expected at most");
  assertEquals(writer.length, length);
  assertEquals(decode(writer.take().subarray(FRAME_PREFIX_BYTES)), ["get", "k"]);
});

Deno.test("decodeReply() reads every value that the oracle writes", () => {
  const integers = [0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];
  const values: ValueType[] = [null, true, false, FLOAT, -FLOAT, "", "☃", "\ufeff", ...integers];
  for (const integer of [1, 32, 33, 128, 129, 32768, 32769, 2 ** 31, 2 ** 31 + 1, 2 ** 53 - 1]) values.push(-integer);
  for (const length of LENGTHS) values.push("s".repeat(length), new Uint8Array(length).fill(1), Array(length).fill(1));
  for (const value of values) assertEquals(reply(encode([0, value])), value as Value);
});

Deno.test("decodeReply() reads maps in order, with keys of any type", () => {
  const pairs = Array.from({ length: 70_000 }, (_, index): [string, number] => [`field ${index}`, index]);
  for (const count of [0, 1, 15, 16, 65535, 65536, 70_000]) {
    const map = reply(encode([0, Object.fromEntries(pairs.slice(0, count))]));
    assertInstanceOf(map, Map);
    assertEquals([...map.keys()].slice(0, 20), pairs.slice(0, Math.min(count, 20)).map(([name]) => name));
    assertEquals(map.size, count);
  }
  assertEquals(reply(fromHex("92 00 82 c4 01 6b 01 c0 02")), new Map<Value, Value>([[fromHex("6b"), 1], [null, 2]]));
});

Deno.test("decodeReply() reads 64-bit integers, as bigint beyond 53 bits", () => {
  assertEquals(reply(fromHex("92 00 cf ffffffffffffffff")), 2n ** 64n - 1n);
  assertEquals(reply(fromHex("92 00 d3 8000000000000000")), -(2n ** 63n));
  assertEquals(reply(fromHex("92 00 d3 7fffffffffffffff")), 2n ** 63n - 1n);
  assertEquals(reply(fromHex("92 00 cf 0020000000000000")), 2n ** 53n);
  assertEquals(reply(fromHex("92 00 cf 001fffffffffffff")), Number.MAX_SAFE_INTEGER);
  assertEquals(reply(fromHex("92 00 d3 ffe0000000000001")), Number.MIN_SAFE_INTEGER);
  assertEquals(reply(fromHex("92 00 d3 ffffffffffffffff")), -1);
});

Deno.test("decodeReply() reads the longer forms of small numbers, and floats", () => {
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

Deno.test("decodeReply() copies: its value outlives the buffer", () => {
  const bytes = encode([0, [Uint8Array.of(1, 2, 3), new Uint8Array(100).fill(4)]]);
  const value = decodeReply(bytes, 0, bytes.length);
  bytes.fill(0xff);
  assertEquals(value, [Uint8Array.of(1, 2, 3), new Uint8Array(100).fill(4)]);
});

Deno.test("decodeReply() refuses a reply cut at any byte, and one with a byte too many", () => {
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

Deno.test("decodeReply() refuses what is neither [0, value] nor [1, code, message]", () => {
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

Deno.test("decodeReply() refuses counts that lie before it makes room for them", () => {
  for (
    const head of ["dd ffffffff", "df ffffffff", "dc ffff", "de ffff", "db ffffffff", "c6 ffffffff", "df 80000001"]
  ) {
    assertThrows(() => reply(fromHex(`92 00 ${head} 00 00 00`)), ProtocolError, "beyond its frame", head);
  }
  // Eleven levels that each promise all that is left: every level takes a byte, so the promises cannot multiply.
  assertThrows(() => reply(fromHex("92 00" + "dd 00000010".repeat(11))), ProtocolError);
});

Deno.test("decodeReply() follows NESTING_MAX_DEPTH levels and no more", () => {
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

Deno.test("decodeReply() is in order again after an error", () => {
  assertThrows(() => reply(fromHex("92 00 91 91")), ProtocolError);
  assertEquals(reply(encode([0, "fine"])), "fine");
  assert(reply(encode([1, "ERR", "no"])) instanceof ReplyError);
});

Deno.test("text of any length and alphabet goes as UTF-8, in both directions", () => {
  const texts = ["", "é", "\ufeff", "\ud800", "€".repeat(10), "a".repeat(63) + "é", "é".repeat(64), "😀".repeat(5000)];
  for (const length of [31, 32, 63, 64, 65, 255, 256, 16_384, 16_385, 65_536]) texts.push("x".repeat(length));
  for (const text of texts) {
    const bytes = encodeText(text);
    assertEquals(argumentsOf(request(frame("echo", text, "x"))), [encodeText("echo"), bytes, encodeText("x")]);
    const expected = decodeText(bytes);
    const reply = encode([0, [expected, expected]]);
    assertEquals(decodeReply(reply, 0, reply.length), [expected, expected]);
  }
});

Deno.test("decodeReply() gives short values bytes of their own, whatever becomes of the others", () => {
  const lengths = [0, 1, 500, 1024, 1025, 70_000];
  const reply = encode([0, lengths.map((length) => new Uint8Array(length).fill(7))]);
  const first = decodeReply(reply, 0, reply.length) as Uint8Array[];
  const second = decodeReply(reply, 0, reply.length) as Uint8Array[];
  reply.fill(0);
  first.forEach((value) => value.fill(1));
  assertEquals(second, lengths.map((length) => new Uint8Array(length).fill(7)));
  assertEquals(first, lengths.map((length) => new Uint8Array(length).fill(1)));
});
