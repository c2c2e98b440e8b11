/**
 * Feeds random, mutated and spliced frames to the decoders: each is either decoded completely or refused with a
 * `ProtocolError`, quickly and with little memory. `SEED=n` repeats a run; `FUZZ_MS=n` makes it longer.
 */

import { assert, assertEquals, assertInstanceOf, assertLess } from "@std/assert";
import { decode, encode } from "@std/msgpack";
import type { ValueType } from "@std/msgpack";
import { threadTimeMs } from "../../bench/support/processor_time.ts";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { ProtocolError, ReplyError } from "../../src/errors.ts";
import { decodeReply, type Value } from "../../src/wire/native/reply_reader.ts";
import { decodeRequest } from "../../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { Request } from "../../src/wire/request.ts";
import { amountOf } from "../support/amount.ts";
import { concat, toHex } from "../support/hex.ts";

const DURATION_MS = amountOf("FUZZ_MS", 200, 1_500);
/** Heads that announce a size: most errors begin with one of them. */
const HEADS = [0x80, 0x8f, 0x90, 0x91, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc5, 0xc6, 0xc7, 0xcb, 0xcc, 0xcf, 0xd3]
  .concat([0xd4, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xe0, 0xff]);
const LENGTHS = [0, 1, 15, 16, 31, 32, 255, 256, 1000];

/** The smallest number of rounds, also on a slow machine. */
const ROUNDS_MIN_COUNT = 100;

/** Runs `round` for the duration of the fuzz in processor time. A failure names the seed that repeats it. */
function fuzz(round: (random: Random) => void): void {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const ends = threadTimeMs() + DURATION_MS;
  let rounds = 0;
  try {
    for (; rounds < ROUNDS_MIN_COUNT || threadTimeMs() < ends; rounds++) round(random);
  } catch (error) {
    throw new Error(`Failed in round ${rounds}: repeat with SEED=${seed}`, { cause: error });
  }
}

function randomText(random: Random): string {
  const alphabet = ["a", "Z", "0", " ", "\0", "\n", "é", "☃", "🎈", "\ufeff"];
  let text = "";
  for (let i = random.pick(LENGTHS); i > 0; i--) text += random.pick(alphabet);
  return text;
}

function randomArguments(random: Random): Argument[] {
  const count = 1 + random.below(random.chance(0.05) ? 300 : 6);
  return Array.from({ length: count }, () => {
    const kind = random.below(4);
    if (kind === 0) return random.bytes(random.pick(LENGTHS));
    if (kind === 1) return random.below(2 ** 32) - 2 ** 31;
    return randomText(random);
  });
}

/** Returns a value in the forms that the oracle writes and that a reply may contain. */
function randomValue(random: Random, depth: number): ValueType {
  switch (random.below(depth > 4 ? 6 : 8)) {
    case 0:
      return null;
    case 1:
      return random.chance(0.5);
    case 2:
      return random.pick([0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1]) * random.pick([1, -1]) + 0;
    case 3:
      return random.below(2 ** 32) / 8;
    case 4:
      return randomText(random);
    case 5:
      return random.bytes(random.pick(LENGTHS));
    case 6:
      return Array.from({ length: random.below(20) }, () => randomValue(random, depth + 1));
    default: {
      const map: Record<string, ValueType> = {};
      for (let i = random.below(20); i > 0; i--) map[`field ${random.below(1000)}`] = randomValue(random, depth + 1);
      return map;
    }
  }
}

/** Returns a reply's value as the oracle would decode it. */
function asOracle(value: Value): ValueType {
  if (Array.isArray(value)) return value.map(asOracle);
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([field, each]) => [String(field), asOracle(each)]));
  }
  if (value instanceof ReplyError) throw value;
  return value;
}

/** Changes, cuts, doubles or splices bytes, preferably those that announce lengths. */
function mutate(random: Random, bytes: Uint8Array): Uint8Array {
  let mutated = bytes.slice();
  for (let changes = 1 + random.below(4); changes > 0; changes--) {
    const at = random.below(mutated.length);
    switch (random.below(6)) {
      case 0:
        mutated[at] = random.below(256);
        break;
      case 1:
        mutated[at] = random.pick(HEADS);
        break;
      case 2:
        mutated[at] = mutated[at]! ^ (1 << random.below(8));
        break;
      case 3:
        mutated = mutated.slice(0, at);
        break;
      case 4:
        mutated = concat(mutated.subarray(0, at), random.bytes(random.below(9)), mutated.subarray(at));
        break;
      default:
        mutated = concat(mutated.subarray(0, at), Uint8Array.of(random.pick(HEADS), 0xff, 0xff, 0xff, 0xff));
    }
  }
  return mutated;
}

/** Returns the refusal of `run`, or `undefined` when it succeeds. Any other exception is a bug. */
function refusal(bytes: Uint8Array, run: () => void): ProtocolError | undefined {
  const began = threadTimeMs();
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error;
    throw new Error(`Threw something else for ${toHex(bytes)}`, { cause: error });
  } finally {
    assertLess(threadTimeMs() - began, 1_000, `took too long for ${toHex(bytes.subarray(0, 1000))}`);
  }
  return undefined;
}

Deno.test("decodeRequest() decodes every request that NativeRequestWriter writes", () => {
  const target = new Request();
  const text = new TextDecoder("utf-8", { ignoreBOM: true });
  fuzz((random) => {
    const items = randomArguments(random);
    const writer = new NativeRequestWriter();
    writer.add(items);
    const bytes = writer.take();
    assertEquals(frameLength(bytes, 0), bytes.length - FRAME_PREFIX_BYTES);
    decodeRequest(bytes, FRAME_PREFIX_BYTES, bytes.length, target);
    assertEquals(target.count, items.length);
    let size = 0;
    items.forEach((item, index) => {
      size += target.length(index);
      if (item instanceof Uint8Array) assertEquals(target.view(index).slice(), item);
      else assertEquals(text.decode(target.view(index)), String(item));
    });
    assertEquals(target.size, size);
    assertEquals((decode(bytes.subarray(FRAME_PREFIX_BYTES)) as unknown[]).length, items.length);
  });
});

Deno.test("decodeRequest() refuses random and mutated bytes only with ProtocolError", () => {
  const target = new Request();
  let largest = 16;
  fuzz((random) => {
    let bytes: Uint8Array;
    if (random.chance(0.3)) {
      bytes = random.bytes(random.below(64));
      if (bytes.length > 0 && random.chance(0.7)) bytes[0] = random.pick([0x91, 0x92, 0x9f, 0xdc, 0xdd]);
    } else {
      const writer = new NativeRequestWriter();
      writer.add(randomArguments(random));
      bytes = mutate(random, writer.take().subarray(FRAME_PREFIX_BYTES));
    }
    const padding = random.below(5);
    const outer = concat(random.bytes(padding), bytes, random.bytes(20));
    const end = padding + bytes.length;
    const error = refusal(bytes, () => decodeRequest(outer, padding, end, target));
    largest = Math.max(largest, bytes.length);
    assertLess(target.starts.length, largest * 2 + 1, "memory follows bytes, not announcements");
    if (error !== undefined) return;
    for (let i = 0; i < target.count; i++) {
      assert(target.start(i) > padding && target.start(i) + target.length(i) <= end, "an argument leaves its frame");
    }
  });
});

Deno.test("decodeReply() agrees with the oracle on every reply", () => {
  fuzz((random) => {
    const value = randomValue(random, 0);
    const bytes = encode([0, value]);
    const reply = decodeReply(bytes, 0, bytes.length);
    assert(!(reply instanceof ReplyError));
    assertEquals(asOracle(reply), value);
    const refused = encode([1, "ERR", randomText(random)]);
    assertInstanceOf(decodeReply(refused, 0, refused.length), ReplyError);
  });
});

Deno.test("decodeReply() refuses random and mutated bytes only with ProtocolError", () => {
  let heldBytes = 0;
  fuzz((random) => {
    const bytes = random.chance(0.3)
      ? concat(Uint8Array.of(0x92, 0x00, random.pick(HEADS)), random.bytes(random.below(64)))
      : mutate(random, encode([0, randomValue(random, 0)]));
    refusal(bytes, () => {
      decodeReply(bytes, 0, bytes.length);
    });
    heldBytes = Math.max(heldBytes, Deno.memoryUsage().external);
  });
  assertLess(heldBytes, 512 * 1024 * 1024);
});
