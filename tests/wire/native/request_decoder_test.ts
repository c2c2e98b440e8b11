import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../../src/errors.ts";
import { ClientMemory } from "../../../src/memory/client_memory.ts";
import { FRAME_PREFIX_BYTES, RequestWriter } from "../../../src/wire/native/frame.ts";
import { NativeDecoder } from "../../../src/wire/native/request_decoder.ts";
import { Request } from "../../../src/wire/request.ts";
import { REQUEST_LIMITS } from "../../../src/wire/request_limits.ts";
import { amountOf } from "../../support/amount.ts";
import { pickSeed, Random } from "../../support/random.ts";

const decoder = new TextDecoder();

function seeded(): Random {
  const seed = pickSeed();
  console.log("seed", seed);
  return new Random(seed);
}

/** A frame of many arguments of all lengths. */
function frameOf(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
  const writer = new RequestWriter();
  writer.add(words);
  return writer.take().slice();
}

function wordsOf(request: Request): string[] {
  return Array.from({ length: request.count }, (_, i) => decoder.decode(request.view(i)));
}

/** Words that together take more than one read, with every form of head. */
function manyWords(random: Random, count: number): string[] {
  const sizes = [0, 1, 31, 32, 33, 100, 255, 256, 300];
  const words = ["exists"];
  for (let i = 1; i < count; i++) words.push(String(i).repeat(100).slice(0, sizes[random.below(sizes.length)]));
  words[random.below(count - 1) + 1] = "x".repeat(70_000);
  return words;
}

/** Gives a decoder what stands in `bytes` piece by piece, each time in another buffer and at another place in it. */
function feed(
  native: NativeDecoder,
  bytes: Uint8Array,
  request: Request,
  nextSize: () => number,
): { behind: number; arrived: number } {
  for (let arrived = 0;;) {
    arrived = Math.min(bytes.length, arrived + nextSize());
    const before = nextSize() % 100;
    const buffer = new Uint8Array(before + bytes.length);
    buffer.set(bytes.subarray(0, arrived), before);
    const behind = native.decode(buffer, before, before + arrived, request, REQUEST_LIMITS);
    if (behind !== -1) return { behind: behind - before, arrived };
    assert(arrived < bytes.length, "it waits for more");
    assertEquals(native.needed === 0, arrived < FRAME_PREFIX_BYTES);
  }
}

const ROUNDS_COUNT = amountOf("DECODER_ROUNDS", 10, 30);

Deno.test("NativeDecoder reads frames of many arguments, one after another, wherever they were cut", () => {
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
    const { behind } = feed(native, frame, request, step);
    assertEquals(behind, frame.length);
    assertEquals(wordsOf(request), words, `round ${round}`);
    assertEquals(request.size, words.reduce((sum, word) => sum + word.length, 0));
    assertEquals(memory.usedBytes, 0, "what was charged is the request's now");
    request.clear();
  }
});

Deno.test("NativeDecoder refuses what is wrong with a frame of many arguments when it is whole, and reads the next one", () => {
  const random = seeded();
  const words = manyWords(random, 3000);
  const frame = frameOf(words);
  const good = frameOf(["ping"]);
  const request = new Request();
  new NativeDecoder().decode(frame, 0, frame.length, request, REQUEST_LIMITS);
  const middle = request.lengths.findIndex((length, i) => i > 1500 && length < 32);
  const shortHead = request.starts[middle]! - 1;
  const faults: ((bytes: Uint8Array) => void)[] = [
    // An argument that is an integer, in the middle, and as the first one.
    (bytes) => bytes[shortHead] = 0x05,
    (bytes) => bytes[FRAME_PREFIX_BYTES + 3] = 0xc0,
    // One that goes beyond the frame.
    (bytes) => bytes.set([0xc6, 0x7f, 0xff, 0xff, 0xff], FRAME_PREFIX_BYTES + 3),
    // More arguments than there are, and fewer.
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
      assertEquals(native.behind, -1);
    }
    assertThrows(
      () => native.decode(both, 0, both.length, request, REQUEST_LIMITS),
      ProtocolError,
      (expected as ProtocolError).message,
    );
    assertEquals(native.behind, broken.length);
    assertEquals(memory.usedBytes, 0);
    assertEquals(native.decode(both, native.behind, both.length, request, REQUEST_LIMITS), both.length);
    assertEquals(wordsOf(request), ["ping"]);
  }
});

Deno.test("NativeDecoder refuses many arguments when clients have no memory for their places, and gives it back", () => {
  const memory = new ClientMemory({ limitBytes: 20_000 });
  const native = new NativeDecoder(memory.openShared());
  const frame = frameOf(["exists", ..."x".repeat(50_000).split("")]);
  assertThrows(
    () => native.decode(frame, 0, frame.length - 1, new Request(), REQUEST_LIMITS),
    ProtocolError,
    "--max-client-memory",
  );
  assertEquals(native.behind, -1);
  native.free();
  assertEquals(memory.usedBytes, 0);
});
