/**
 * Feeds random requests, replies, cuts and garbage to the RESP decoders. A failure prints the seed that repeats it;
 * `FUZZ_MS` is the duration of each test.
 */

import { assert, assertEquals } from "@std/assert";
import { threadTimeMs } from "../../bench/support/processor_time.ts";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { ProtocolError } from "../../src/errors.ts";
import { NESTING_MAX_DEPTH } from "../../src/limits.ts";
import { Request } from "../../src/wire/request.ts";
import { RespReplyScanner } from "../../src/wire/resp/reply_scanner.ts";
import { RespReply } from "../../src/wire/resp/reply_writer.ts";
import { RespDecoder } from "../../src/wire/resp/request_decoder.ts";
import type { RequestLimits } from "../../src/wire/request_limits.ts";
import { amountOf } from "../support/amount.ts";
import { decodeResp, IncompleteReply } from "../support/resp_decoder.ts";
import { argumentsOf, binaryBytes, encodeRequest, guarded, LIMITS, readRequests } from "../support/resp_requests.ts";
import type { Outcome } from "../support/resp_requests.ts";

const DURATION_MS = amountOf("FUZZ_MS", 200, 1_000);
const LENGTHS = [0, 1, 2, 9, 10, 11, 99, 100, 101, 255, 1000];
/** Valid and invalid parts of requests. */
const PIECES = [
  "*1\r\n",
  "*2\r\n",
  "*3\r\n",
  "*0\r\n",
  "*-1\r\n",
  "*12\r\n",
  "*x",
  "*",
  "$",
  "$0\r\n\r\n",
  "$1\r\na\r\n",
  "$2\r\n",
]
  .concat([
    "$-1\r\n",
    "$03\r\n",
    "\r",
    "\n",
    "\r\n",
    "\0",
    "get",
    " ",
    '"',
    "'",
    "\\",
    "\\x4",
    "a",
    "1",
    "9",
    "-",
    "\xff",
    "*1025\r\n",
  ]);
/** Valid and invalid parts of replies. */
const REPLY_PIECES = [
  "+OK\r\n",
  "-ERR\r\n",
  ":1\r\n",
  "$-1\r\n",
  "$1\r\na\r\n",
  "$2\r\n",
  "*2\r\n",
  "*-1\r\n",
  "*0\r\n",
  "%1\r\n",
  "~1\r\n",
]
  .concat([
    ">2\r\n",
    "|1\r\n",
    "_\r\n",
    "#t\r\n",
    ",1.5\r\n",
    "(1\r\n",
    "!1\r\nx\r\n",
    "=5\r\ntxt:a\r\n",
    "$?\r\n",
    "\r",
    "\n",
    "x",
    "1",
  ]);

/** The smallest number of rounds, also on a slow machine. */
const ROUNDS_MIN_COUNT = 100;

/** Runs `round` for the duration of the fuzz. A failure names the seed that repeats it. */
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

/** Returns random positions in ascending order. */
function randomCuts(random: Random, length: number): number[] {
  return Array.from({ length: random.below(10) }, () => random.below(length + 1)).sort((a, b) => a - b);
}

function randomBytes(random: Random, length: number): string {
  return Array.from({ length }, () => String.fromCharCode(random.below(256))).join("");
}

/** Returns a request as text, and its arguments. A blank request has none. */
function randomRequest(random: Random): { sent: string; items: string[] } {
  const kind = random.below(10);
  if (kind === 0) return { sent: random.pick(["\r\n", "\n", " \t\n", "*0\r\n", "*-1\r\n", "*-20\r\n"]), items: [] };
  if (kind === 1) {
    const items = Array.from({ length: 1 + random.below(6) }, () => `w${random.below(1000)}`);
    return { sent: ` ${items.join(random.pick([" ", "  ", "\t"]))} ${random.pick(["\r\n", "\n"])}`, items };
  }
  if (kind === 2) {
    const items = Array.from({ length: 1 + random.below(6) }, () => randomBytes(random, random.below(6)));
    return { sent: `${items.map((item) => quote(random, item)).join(" ")}\n`, items };
  }
  const count = random.chance(0.02) ? 1000 + random.below(1000) : 1 + random.below(random.chance(0.1) ? 150 : 5);
  const items = Array.from({ length: count }, () => randomBytes(random, count > 200 ? 1 : random.pick(LENGTHS)));
  return { sent: encodeRequest(...items), items };
}

/** Returns a word between quotes of either kind, if possible. */
function quote(random: Random, item: string): string {
  if (/^[^'\\\r\n\0]*$/.test(item) && random.chance(0.3)) return `'${item}'`;
  const escaped = item.replaceAll(/[\s\S]/g, (character) => {
    if (/^[A-Za-z0-9 ]$/.test(character) && random.chance(0.8)) return character;
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}

Deno.test("RespDecoder decode() decodes random requests in any pieces", () => {
  fuzz((random) => {
    const sent = Array.from({ length: random.below(8) }, () => randomRequest(random));
    const bytes = binaryBytes(sent.map((each) => each.sent).join(""));
    const requests = sent.map(({ items }) => items).filter((items) => items.length > 0);
    assertEquals(readRequests(bytes), { requests });
    assertEquals(readRequests(bytes, randomCuts(random, bytes.length)), { requests });
    const step = 1 + random.below(50);
    const cuts = Array.from({ length: Math.min(500, Math.floor(bytes.length / step)) }, (_, i) => (i + 1) * step);
    assertEquals(readRequests(bytes, cuts), { requests });
  });
});

Deno.test("RespDecoder decode() decodes garbage, waits, or refuses it, equally at any cuts, and reads only its range", () => {
  const outcomes = { read: 0, refused: 0 };
  fuzz((random) => {
    const limits: RequestLimits = random.chance(0.5)
      ? LIMITS
      : { argumentsMaxCount: 10, bulkMaxBytes: 99, requestMaxBytes: 150, reason: "" };
    const text = Array.from({ length: random.below(30) }, () => {
      if (random.chance(0.05)) return randomBytes(random, random.below(5));
      return random.chance(0.2) ? encodeRequest(...Array(1 + random.below(3)).fill("xy")) : random.pick(PIECES);
    }).join("");
    const bytes = binaryBytes(text);
    const whole = readRequests(bytes, [], limits);
    assertEquals(readRequests(bytes, randomCuts(random, bytes.length), limits), whole, JSON.stringify(text));
    assertEquals(readGuarded(random, bytes, limits), whole, JSON.stringify(text));
    outcomes.read += whole.requests.length;
    if (whole.error !== undefined) outcomes.refused++;
  });
  assert(outcomes.read > 100 && outcomes.refused > 100, JSON.stringify(outcomes));
});

/** Does what `readRequests` does, with one piece outside of which nothing may be read. */
function readGuarded(random: Random, source: Uint8Array, limits: RequestLimits): Outcome {
  const [decoder, request] = [new RespDecoder(), new Request()];
  const requests: string[][] = [];
  const begin = random.below(5);
  const outer = new Uint8Array(begin + source.length + random.below(20)).fill(random.pick([0x0d, 0x30, 0x31, 0]));
  outer.set(source, begin);
  const end = begin + source.length;
  try {
    for (let at = begin;;) {
      const { bytes } = guarded(outer, at, end);
      at = decoder.decode(bytes, at, end, request, limits);
      if (at === -1) return { requests };
      requests.push(argumentsOf(request));
    }
  } catch (error) {
    if (error instanceof ProtocolError) return { requests, error: error.message };
    throw error;
  }
}

/** Encodes a random value. The content of some bulks resembles a part of a reply. */
function writeRandom(random: Random, reply: RespReply, depth: number): void {
  const kind = random.below(depth > 4 ? 9 : 14);
  const count = random.below(5);
  const writeAll = (values: number) => {
    for (let i = 0; i < values; i++) writeRandom(random, reply, depth + 1);
  };
  if (kind === 0) reply.ok();
  else if (kind === 1) reply.nil();
  else if (kind === 2) reply.nilArray();
  else if (kind === 3) reply.integer(random.below(2 ** 32) * random.pick([1, -1, 0]));
  else if (kind === 4) reply.integer64(BigInt(random.below(2 ** 32)) << BigInt(random.below(31)));
  else if (kind === 5) reply.double(random.below(2 ** 32) / 8);
  else if (kind === 6) reply.verbatim("v".repeat(random.pick(LENGTHS)));
  else if (kind === 7) reply.status("word");
  else if (kind === 8) {
    const value = binaryBytes(
      random.chance(0.5) ? random.pick(REPLY_PIECES) : randomBytes(random, random.pick(LENGTHS)),
    );
    reply.bytes(value, 0, value.length);
  } else if (kind <= 10) {
    reply.array(count);
    writeAll(count);
  } else if (kind === 11) {
    reply.map(count);
    writeAll(2 * count);
  } else if (kind === 12) {
    reply.set(count);
    writeAll(count);
  } else {
    reply.push(count);
    writeAll(count);
  }
}

Deno.test("RespReplyScanner size() agrees with the tests' decoder on every reply, in any pieces", () => {
  fuzz((random) => {
    const reply = new RespReply(random.pick([50, 1000, Infinity]));
    reply.version = random.pick([2, 3] as const);
    const count = random.below(5);
    for (let i = 0; i < count; i++) {
      reply.begin();
      writeRandom(random, reply, 0);
      reply.end();
    }
    const bytes = reply.contents();
    const expected: number[] = [];
    for (let at = 0; at < bytes.length;) expected.push(at = decodeResp(bytes, at).next);
    assertEquals(expected.length, count);
    const scanner = new RespReplyScanner();
    const found: number[] = [];
    let start = 0;
    for (const end of [...randomCuts(random, bytes.length), bytes.length]) {
      for (let size; (size = scanner.size(bytes, start, end)) > 0;) found.push(start += size);
    }
    assertEquals(found, expected);
  });
});

Deno.test("RespReplyScanner size() agrees with the tests' decoder on garbage, or refuses it", () => {
  const outcomes = { found: 0, waits: 0, refused: 0 };
  fuzz((random) => {
    const text = Array.from({ length: random.below(20) }, () => random.pick(REPLY_PIECES)).join("");
    const bytes = binaryBytes(text);
    const theirs = endOf(bytes);
    let ours: number | "refused" = 0;
    const scanner = new RespReplyScanner();
    try {
      for (const end of [...randomCuts(random, bytes.length), bytes.length]) {
        ours = scanner.size(guarded(bytes, 0, end).bytes, 0, end);
        if (ours !== 0) break;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      ours = "refused";
    }
    outcomes[ours === "refused" ? ours : ours === 0 ? "waits" : "found"]++;
    // The scanner is less strict about the content of a line, and the decoder refuses before a line is complete.
    if (theirs === "refused" || (theirs === 0 && ours === "refused")) return;
    assertEquals(ours, theirs, JSON.stringify(text));
  });
  assert(Math.min(outcomes.found, outcomes.waits, outcomes.refused) > 50, JSON.stringify(outcomes));
});

function endOf(bytes: Uint8Array): number | "refused" {
  try {
    return decodeResp(bytes).next;
  } catch (error) {
    return error instanceof IncompleteReply ? 0 : "refused";
  }
}

Deno.test("RespReplyScanner size() follows no nesting beyond its bound", () => {
  const random = new Random(5);
  for (let round = 0; round < 200; round++) {
    const kinds = Array.from(
      { length: NESTING_MAX_DEPTH + 1 },
      () => random.pick(["*2\r\n", "%1\r\n:1\r\n", "~9\r\n", "|1\r\n"]),
    );
    const bytes = binaryBytes(kinds.join(""));
    const allowed = binaryBytes(kinds.slice(1).join(""));
    assertEquals(new RespReplyScanner().size(allowed, 0, allowed.length), 0);
    let refused = false;
    try {
      new RespReplyScanner().size(bytes, 0, bytes.length);
    } catch (error) {
      refused = error instanceof ProtocolError;
    }
    assert(refused);
  }
});
