import { assertEquals, assertNotStrictEquals, assertThrows } from "@std/assert";
import { decode, encode } from "@std/msgpack";
import { decodeText, encodeText } from "../../../src/bytes.ts";
import { ARGUMENTS_MAX_COUNT, FRAME_SIZE_MAX_BYTES } from "../../../src/limits.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../../src/wire/native/frame.ts";
import { decodeReply } from "../../../src/wire/native/reply_reader.ts";
import { decodeRequest } from "../../../src/wire/native/request_decoder.ts";
import { NativeRequestWriter } from "../../../src/wire/native/request_writer.ts";
import type { Argument } from "../../../src/wire/request_writer.ts";
import { Request } from "../../../src/wire/request.ts";
import { concat, fromHex } from "../../support/hex.ts";

const LENGTHS = [0, 1, 10, 11, 31, 32, 33, 255, 256, 65535, 65536];

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

/** Returns the frame that one `add` writes, without its prefix, which is verified. */
function frame(...items: readonly Argument[]): Uint8Array {
  const writer = new NativeRequestWriter();
  writer.add(items);
  const bytes = writer.take();
  assertEquals(frameLength(bytes, 0), bytes.length - FRAME_PREFIX_BYTES);
  return bytes.subarray(FRAME_PREFIX_BYTES);
}

Deno.test("NativeRequestWriter encodes what the oracle decodes", () => {
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

Deno.test("NativeRequestWriter encodes text as UTF-8 at every length around the switch of method", () => {
  for (const character of ["a", "é", "☃", "🎈", "\0", "\ufeff"]) {
    for (let count = 0; count < 40; count++) {
      const text = character.repeat(count);
      assertEquals(decodeFirst(frame(text)), text, `${count} times "${character}"`);
    }
  }
  // A lone surrogate has no encoding in UTF-8.
  assertEquals(decodeFirst(frame("\ud800")), "\ufffd");
});

function decodeFirst(bytes: Uint8Array): string {
  return request(bytes).text(0);
}

Deno.test("NativeRequestWriter collects requests in order, and is empty again after take()", () => {
  const writer = new NativeRequestWriter();
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

Deno.test("NativeRequestWriter addFrames() appends complete frames unchanged", () => {
  const writer = new NativeRequestWriter();
  const source = concat(Uint8Array.of(1), fromHex("00 00 00 02 91 a0"), Uint8Array.of(2));
  writer.add(["a"]);
  writer.addFrames(source, 1, 6);
  assertEquals(writer.take(), fromHex("00 00 00 03 91 a1 61 00 00 00 02 91 a0"));
  const large = new Uint8Array(100_000).fill(5);
  writer.addFrames(large, 0, large.length);
  assertEquals(writer.take(), large);
});

Deno.test("NativeRequestWriter refuses a request that it cannot send, and appends no part of it", () => {
  const writer = new NativeRequestWriter();
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

Deno.test("text of any length and alphabet is UTF-8 in both directions", () => {
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
