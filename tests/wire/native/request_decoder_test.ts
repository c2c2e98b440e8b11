import { assert, assertEquals, assertThrows } from "@std/assert";
import { encode, type ValueType } from "@std/msgpack";
import { encodeText } from "../../../src/bytes.ts";
import { ProtocolError } from "../../../src/errors.ts";
import { ARGUMENTS_MAX_COUNT } from "../../../src/limits.ts";
import { ClientMemory } from "../../../src/memory/client_memory.ts";
import { FRAME_PREFIX_BYTES } from "../../../src/wire/native/frame.ts";
import { decodeRequest, NativeDecoder } from "../../../src/wire/native/request_decoder.ts";
import { NativeRequestWriter } from "../../../src/wire/native/request_writer.ts";
import { Request } from "../../../src/wire/request.ts";
import { REQUEST_LIMITS } from "../../../src/wire/request_limits.ts";
import { amountOf } from "../../support/amount.ts";
import { concat, fromHex } from "../../support/hex.ts";
import { pickSeed, Random } from "../../../bench/support/random.ts";

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

function refusesRequest(hex: string, includes: string): void {
  assertThrows(() => request(fromHex(hex)), ProtocolError, includes);
}

Deno.test("decodeRequest() decodes what the oracle encodes, str and bin of every length", () => {
  for (const length of LENGTHS) {
    const bin = Uint8Array.from({ length }, (_, i) => i * 3);
    const items = ["set", "k".repeat(length), bin];
    const target = request(encode(items));
    assertEquals(argumentsOf(target), [encodeText("set"), encodeText("k".repeat(length)), bin], `length ${length}`);
    assertEquals(target.size, 3 + length * 2);
    assertEquals([target.text(0), target.length(1)], ["set", length]);
  }
});

Deno.test("decodeRequest() decodes what the oracle encodes, with every number of arguments", () => {
  const target = new Request();
  for (const count of [1, 2, 15, 16, 17, 255, 65535, 65536, 3]) {
    const bytes = encode(Array.from({ length: count }, (_, index) => String(index)));
    decodeRequest(bytes, 0, bytes.length, target);
    assertEquals(target.count, count);
    assertEquals(target.text(count - 1), String(count - 1));
  }
});

Deno.test("decodeRequest() also decodes the longer forms of short lengths", () => {
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

Deno.test("decodeRequest() refuses a frame cut at any byte, and one with an additional byte", () => {
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

Deno.test("decodeRequest() refuses a count beyond its frame without reserving memory for it", () => {
  const target = new Request();
  for (const hex of ["dd ffffffff a1 78", "dd 00100001 a1 78", "dc ffff a1 78", "92 a1 78", "9f a0"]) {
    const bytes = fromHex(hex);
    assertThrows(() => decodeRequest(bytes, 0, bytes.length, target), ProtocolError);
    assertEquals(target.starts.length, 16, hex);
  }
});

Deno.test("decodeRequest() refuses more than ARGUMENTS_MAX_COUNT arguments that are present", () => {
  const count = ARGUMENTS_MAX_COUNT + 1;
  const bytes = concat(fromHex("dd" + count.toString(16).padStart(8, "0")), new Uint8Array(count).fill(0xa0));
  assertThrows(() => request(bytes), ProtocolError, String(ARGUMENTS_MAX_COUNT));
});

Deno.test("decodeRequest() refuses wrong lengths", () => {
  for (
    const hex of ["91 db ffffffff 78", "91 c6 ffffffff 78", "91 da ffff 78", "91 c5 0002 78", "91 d9 ff", "91 bf 78"]
  ) {
    refusesRequest(hex, "goes beyond its frame");
  }
});

Deno.test("decodeRequest() refuses everything but an array of str and bin, and names the other type", () => {
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

const decoder = new TextDecoder();

function seeded(): Random {
  const seed = pickSeed();
  console.log("seed", seed);
  return new Random(seed);
}

/** Returns a frame of many arguments of all lengths. */
function frameOf(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const writer = new NativeRequestWriter();
  writer.add(words);
  return writer.take().slice();
}

function wordsOf(request: Request): string[] {
  return Array.from({ length: request.count }, (_, i) => decoder.decode(request.view(i)));
}

/** Returns words that together take more than one read, with every form of head. */
function manyWords(random: Random, count: number): string[] {
  const sizes = [0, 1, 31, 32, 33, 100, 255, 256, 300];
  const words = ["exists"];
  for (let i = 1; i < count; i++) words.push(String(i).repeat(100).slice(0, sizes[random.below(sizes.length)]));
  words[random.below(count - 1) + 1] = "x".repeat(70_000);
  return words;
}

/** Gives `bytes` to a decoder piece by piece, each time in another buffer and at another position. */
function feed(
  native: NativeDecoder,
  bytes: Uint8Array,
  request: Request,
  nextSize: () => number,
): { after: number; arrived: number } {
  for (let arrived = 0;;) {
    arrived = Math.min(bytes.length, arrived + nextSize());
    const before = nextSize() % 100;
    const buffer = new Uint8Array(before + bytes.length);
    buffer.set(bytes.subarray(0, arrived), before);
    const after = native.decode(buffer, before, before + arrived, request, REQUEST_LIMITS);
    if (after !== -1) return { after: after - before, arrived };
    assert(arrived < bytes.length, "it waits for more");
    assertEquals(native.needed === 0, arrived < FRAME_PREFIX_BYTES);
  }
}

const ROUNDS_COUNT = amountOf("DECODER_ROUNDS", 10, 30);

Deno.test("NativeDecoder decodes frames of many arguments, one after another, at any cuts", () => {
  const random = seeded();
  const memory = new ClientMemory({ limitBytes: Infinity });
  const account = memory.openShared();
  const native = new NativeDecoder(account);
  const request = new Request();
  for (let round = 0; round < ROUNDS_COUNT; round++) {
    const words = manyWords(random, 1000 + random.below(5000));
    const frame = frameOf(words);
    const maxBytes = [frame.length, 200_000, 30_000, 7][random.below(round < ROUNDS_COUNT - 5 ? 3 : 4)]!;
    const step = () => 1 + random.below(maxBytes === 7 ? 3_000 : maxBytes);
    const { after } = feed(native, frame, request, step);
    assertEquals(after, frame.length);
    assertEquals(wordsOf(request), words, `round ${round}`);
    assertEquals(request.size, words.reduce((sum, word) => sum + word.length, 0));
    assertEquals(memory.usedBytes, 0, "what was charged is the request's now");
    request.clear();
  }
});

Deno.test("NativeDecoder refuses a complete frame of many arguments with an error, and decodes the next one", () => {
  const random = seeded();
  const words = manyWords(random, 3000);
  const frame = frameOf(words);
  const good = frameOf(["ping"]);
  const request = new Request();
  new NativeDecoder().decode(frame, 0, frame.length, request, REQUEST_LIMITS);
  const middle = request.lengths.findIndex((length, i) => i > 1500 && length < 32);
  const shortHead = request.starts[middle]! - 1;
  const faults: ((bytes: Uint8Array) => void)[] = [
    // An argument is an integer, in the middle or as the first one.
    (bytes) => bytes[shortHead] = 0x05,
    (bytes) => bytes[FRAME_PREFIX_BYTES + 3] = 0xc0,
    // An argument is longer than its frame.
    (bytes) => bytes.set([0xc6, 0x7f, 0xff, 0xff, 0xff], FRAME_PREFIX_BYTES + 3),
    // The count is higher or lower than the number of arguments.
    (bytes) => bytes[FRAME_PREFIX_BYTES + 2]!++,
    (bytes) => bytes[FRAME_PREFIX_BYTES + 2]!--,
  ];
  for (const [index, fault] of faults.entries()) {
    const memory = new ClientMemory({ limitBytes: Infinity });
    const native = new NativeDecoder(memory.openShared());
    const broken = frame.slice();
    fault(broken);
    const both = new Uint8Array([...broken, ...good]);
    const whole = new NativeDecoder();
    let expected: unknown;
    try {
      whole.decode(broken, 0, broken.length, new Request(), REQUEST_LIMITS);
    } catch (error) {
      expected = error;
    }
    assert(expected instanceof ProtocolError, `fault ${index}`);
    for (let arrived = 50_000; arrived < broken.length; arrived += 50_000) {
      assertEquals(native.decode(both, 0, arrived, request, REQUEST_LIMITS), -1, `fault ${index}`);
      assertEquals(native.nextStart, -1);
    }
    assertThrows(
      () => native.decode(both, 0, both.length, request, REQUEST_LIMITS),
      ProtocolError,
      (expected as ProtocolError).message,
    );
    assertEquals(native.nextStart, broken.length);
    assertEquals(memory.usedBytes, 0);
    assertEquals(native.decode(both, native.nextStart, both.length, request, REQUEST_LIMITS), both.length);
    assertEquals(wordsOf(request), ["ping"]);
  }
});

Deno.test("NativeDecoder refuses many arguments when the memory for clients is used up, and releases its part", () => {
  const memory = new ClientMemory({ limitBytes: 20_000 });
  const native = new NativeDecoder(memory.openShared());
  const frame = frameOf(["exists", ..."x".repeat(50_000).split("")]);
  assertThrows(
    () => native.decode(frame, 0, frame.length - 1, new Request(), REQUEST_LIMITS),
    ProtocolError,
    "--max-client-memory",
  );
  assertEquals(native.nextStart, -1);
  native.free();
  assertEquals(memory.usedBytes, 0);
});
