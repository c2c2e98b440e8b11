import { assert, assertEquals, assertLess, assertStrictEquals } from "@std/assert";
import {
  ARGUMENTS_MAX_COUNT,
  FRAME_SIZE_MAX_BYTES,
  RESP_LINE_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
} from "../../../src/limits.ts";
import { Request } from "../../../src/wire/request.ts";
import { RespDecoder } from "../../../src/wire/resp/request_decoder.ts";
import type { RequestLimits } from "../../../src/wire/request_limits.ts";
import {
  argumentsOf,
  binaryBytes,
  encodeRequest,
  guarded,
  LIMITS,
  readRequests,
  RespFeed,
} from "../../support/resp_requests.ts";

const STRANGER_LIMITS: RequestLimits = {
  argumentsMaxCount: 10,
  bulkMaxBytes: 16_384,
  requestMaxBytes: 65_536,
  reason: "",
};

/** Input, and the requests that it contains. */
const ACCEPTED: Record<string, { sent: string; requests: string[][] }> = {
  "a request": { sent: "*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$2\r\n42\r\n", requests: [["SET", "x", "42"]] },
  "a name alone": { sent: "*1\r\n$4\r\nPING\r\n", requests: [["PING"]] },
  "empty arguments": { sent: "*3\r\n$0\r\n\r\n$1\r\na\r\n$0\r\n\r\n", requests: [["", "a", ""]] },
  "any bytes": { sent: encodeRequest("\0\r\n*1\xff", "$3\r\n"), requests: [["\0\r\n*1\xff", "$3\r\n"]] },
  "several requests": {
    sent: encodeRequest("get", "a") + encodeRequest("del", "a", "b") + encodeRequest("ping"),
    requests: [["get", "a"], ["del", "a", "b"], ["ping"]],
  },
  "lengths of any number of digits": {
    sent: encodeRequest(...[1, 9, 10, 99, 100, 999, 1000, 12_345].map((length) => "x".repeat(length))),
    requests: [[1, 9, 10, 99, 100, 999, 1000, 12_345].map((length) => "x".repeat(length))],
  },
  "counts of any number of digits": {
    sent: [9, 10, 99, 100, 1000].map((count) => encodeRequest(...Array(count).fill("y"))).join(""),
    requests: [9, 10, 99, 100, 1000].map((count) => Array(count).fill("y")),
  },
  "empty requests, which are passed over": {
    sent: `*0\r\n*-1\r\n${encodeRequest("ping")}*-9223372036854775808\r\n*0\r\n${encodeRequest("get", "a")}*0\r\n`,
    requests: [["ping"], ["get", "a"]],
  },
  "line ends of which only the first byte counts, as in Redis": {
    sent: "*2\rX$1\r\naXX$1\r.b..",
    requests: [["a", "b"]],
  },
  "inline commands": { sent: "PING\r\nset  a\t1 \nget a\r\r\n", requests: [["PING"], ["set", "a", "1"], ["get", "a"]] },
  "inline commands with quotes": {
    sent: `set "a b" 'it\\'s'\r\n${encodeRequest("x")}echo "\\x41\\n"\n`,
    requests: [["set", "a b", "it's"], ["x"], ["echo", "A\n"]],
  },
  "blank lines, which are passed over": {
    sent: "\r\n \t \n\n\r\nping\n\n*0\r\n\v\f\n" + encodeRequest("x") + "\r\n",
    requests: [["ping"], ["x"]],
  },
  "the longest line": {
    sent: `${"x".repeat(RESP_LINE_MAX_BYTES)}\nping\n`,
    requests: [["x".repeat(RESP_LINE_MAX_BYTES)], ["ping"]],
  },
};

/** Input, and the reason of the refusal, with the texts of redis-server 7.0.15 without "Protocol error: ". */
const REFUSED: Record<string, string> = {
  "*x\r\n": "invalid multibulk length",
  "*\r\n": "invalid multibulk length",
  "* 1\r\n": "invalid multibulk length",
  "*+1\r\n": "invalid multibulk length",
  "*01\r\n": "invalid multibulk length",
  "*1 \r\n": "invalid multibulk length",
  "*-0\r\n": "invalid multibulk length",
  "*1.0\r\n": "invalid multibulk length",
  "*3000000000\r\n": "invalid multibulk length",
  "*9223372036854775808\r\n": "invalid multibulk length",
  "*-9223372036854775809\r\n": "invalid multibulk length",
  [`*${ARGUMENTS_MAX_COUNT + 1}\r\n`]: "invalid multibulk length",
  "*1\r\n$-1\r\n": "invalid bulk length",
  "*1\r\n$-0\r\n": "invalid bulk length",
  "*1\r\n$\r\n": "invalid bulk length",
  "*1\r\n$x\r\n": "invalid bulk length",
  "*1\r\n$1x\r\nab\r\n": "invalid bulk length",
  "*1\r\n$04\r\nPING\r\n": "invalid bulk length",
  "*1\r\n$00\r\n\r\n": "invalid bulk length",
  "*1\r\n$ 4\r\nPING\r\n": "invalid bulk length",
  "*1\r\n$4 \r\nPING\r\n": "invalid bulk length",
  "*1\r\n$blabla\r\n": "invalid bulk length",
  "*1\r\n$2000000000\r\n": "invalid bulk length",
  "*1\r\n$99999999999999999999\r\n": "invalid bulk length",
  [`*1\r\n$${VALUE_SIZE_MAX_BYTES + 1}\r\n`]: "invalid bulk length",
  "*1\r\nfoo\r\n": "expected '$', got 'f'",
  "*1\r\n:4\r\n": "expected '$', got ':'",
  "*1\r\n\r\n": "expected '$', got '\r'",
  "*1\r\n\xff\r\n": "expected '$', got '\xff'",
  "*3\r\n$3\r\nSET\r\n$1\r\nx\r\nfooz\r\n": "expected '$', got 'f'",
  [`*${"1".repeat(RESP_LINE_MAX_BYTES)}`]: "too big mbulk count string",
  [`*1\r\n$${"1".repeat(RESP_LINE_MAX_BYTES)}`]: "too big bulk count string",
  ["x".repeat(RESP_LINE_MAX_BYTES + 1)]: "too big inline request",
  // A line with a NUL has no end, so that no part of it is mistaken for a command.
  [`*\0${"A\r\n".repeat(RESP_LINE_MAX_BYTES / 3)}`]: "too big mbulk count string",
  [`$\0${"A\r\n".repeat(RESP_LINE_MAX_BYTES / 3)}`]: "too big inline request",
  [`*1\r\n$\0${"A\r\n".repeat(RESP_LINE_MAX_BYTES / 3)}`]: "too big bulk count string",
  'echo "abc\r\n': "unbalanced quotes in request",
  "echo 'abc\n": "unbalanced quotes in request",
  'echo "abc"d\n': "unbalanced quotes in request",
};

/** Input that is incomplete. */
const WAITING = [
  "",
  "*",
  "*1",
  "*1\r",
  "*1\r\n",
  "*1\r\n$",
  "*1\r\n$4",
  "*1\r\n$4\r\nPING",
  "*1\r\n$4\r\nPING\r",
  "*1\r\nfoo",
  "PING",
  "PING\r",
]
  .concat([
    "*1048576\r\n",
    `*1\r\n$${VALUE_SIZE_MAX_BYTES}\r\n`,
    "PI\0NG\r\nPING\r\n",
    "*x",
    "\r",
    "*2\r\n$1\r\na\r\n",
  ]);

Deno.test("RespDecoder decode() decodes what Redis decodes, in one piece and byte by byte", () => {
  for (const [name, { sent, requests }] of Object.entries(ACCEPTED)) {
    const bytes = binaryBytes(sent);
    assertEquals(readRequests(bytes), { requests }, name);
    const everywhere = Array.from({ length: bytes.length }, (_, i) => i);
    if (bytes.length < 20_000) assertEquals(readRequests(bytes, everywhere), { requests }, name);
  }
});

Deno.test("RespDecoder decode() decodes the same at every cut into two pieces", () => {
  for (const [name, { sent, requests }] of Object.entries(ACCEPTED)) {
    const bytes = binaryBytes(sent);
    if (bytes.length > 1000) continue;
    for (let cut = 0; cut <= bytes.length; cut++) {
      assertEquals(readRequests(bytes, [cut]), { requests }, `${name}, cut at ${cut}`);
      for (let next = cut; next <= bytes.length && bytes.length < 80; next++) {
        assertEquals(readRequests(bytes, [cut, next]), { requests }, `${name}, cut at ${cut} and ${next}`);
      }
    }
  }
});

Deno.test("RespDecoder decode() refuses what Redis refuses, with the same texts, at any cut", () => {
  for (const [sent, error] of Object.entries(REFUSED)) {
    const first = encodeRequest("get", "a");
    const bytes = binaryBytes(first + sent);
    const expected = { requests: [["get", "a"]], error };
    const context = JSON.stringify(sent.slice(0, 40));
    assertEquals(readRequests(bytes), expected, context);
    const cuts = bytes.length < 1000 ? Array.from({ length: bytes.length }, (_, i) => i) : [50, 1000, 5000, 65_000];
    assertEquals(readRequests(bytes, cuts), expected, context);
    for (const cut of cuts) assertEquals(readRequests(bytes, [cut]), expected, `${context}, cut at ${cut}`);
  }
});

Deno.test("RespDecoder decode() waits for the rest of a request", () => {
  for (const sent of WAITING) {
    const bytes = binaryBytes(sent);
    const everywhere = Array.from({ length: bytes.length }, (_, i) => i);
    for (const cuts of [[], everywhere]) {
      assertEquals(readRequests(bytes, cuts), { requests: [] }, JSON.stringify(sent));
    }
  }
});

Deno.test("RespDecoder decode() reads nothing outside of its range", () => {
  const sents = [...Object.values(ACCEPTED).map(({ sent }) => sent), ...Object.keys(REFUSED), ...WAITING];
  for (const sent of sents) {
    if (sent.length > 1000) continue;
    for (let length = 0; length <= sent.length; length++) {
      // The bytes after the range would be a valid continuation.
      const { bytes } = guarded(binaryBytes(`xx${sent}\r\n\r\n`), 2, 2 + length);
      const [decoder, request] = [new RespDecoder(), new Request()];
      try {
        for (let at = 2; at !== -1;) at = decoder.decode(bytes, at, 2 + length, request, LIMITS);
      } catch (error) {
        if (error instanceof RangeError) throw error;
      }
    }
  }
});

Deno.test("RespDecoder decode() refuses the same requests before authentication as Redis does", () => {
  const refused: Record<string, string> = {
    "*11\r\n": "unauthenticated multibulk length",
    "*1048576\r\n": "unauthenticated multibulk length",
    "*5000000000\r\n": "invalid multibulk length",
    "*1\r\n$16385\r\n": "unauthenticated bulk length",
    [`*1\r\n$${VALUE_SIZE_MAX_BYTES + 1}\r\n`]: "invalid bulk length",
  };
  for (const [sent, error] of Object.entries(refused)) {
    assertEquals(readRequests(binaryBytes(sent), [], STRANGER_LIMITS), { requests: [], error });
  }
  const allowed = [Array(10).fill("x"), ["auth", "x".repeat(16_384)]];
  const bytes = binaryBytes(allowed.map((items) => encodeRequest(...items)).join(""));
  assertEquals(readRequests(bytes, [7], STRANGER_LIMITS), { requests: allowed });
});

Deno.test("RespDecoder decode() refuses a request that is too large as a whole, as soon as the size is known", () => {
  const limits: RequestLimits = { argumentsMaxCount: 5000, bulkMaxBytes: 100, requestMaxBytes: 1000, reason: "" };
  for (const count of [20, 2000]) {
    for (const length of [100, 30]) {
      const feed = new RespFeed(limits);
      feed.feed(binaryBytes(`*${count}\r\n`));
      const item = binaryBytes(`$${length}\r\n${"x".repeat(length)}\r\n`);
      let size = 4;
      for (; feed.error === undefined && size < 3000; size += item.length) feed.feed(item);
      assertEquals(feed.error, count === 20 && length === 30 ? undefined : "too big request");
      if (feed.error !== undefined) assertLess(size, 1000 + 2 * item.length);
    }
  }
  // The limit is exact: one more byte is too large.
  const items = Array(10).fill("x".repeat(90));
  const [exact, more] = [18, 19].map((length) => encodeRequest(...items, "y".repeat(length))) as [string, string];
  assertEquals([exact.length, more.length], [1000, 1001]);
  for (const cuts of [[], [500], [999]]) {
    assertEquals(readRequests(binaryBytes(exact), cuts, limits).error, undefined);
    assertEquals(readRequests(binaryBytes(more), cuts, limits).error, "too big request");
  }
  const long = binaryBytes(`inline ${"x".repeat(1000)}\n`);
  assertEquals(readRequests(long, [], limits).error, "too big inline request");
});

Deno.test("RespDecoder needed is the known size of a request", () => {
  const feed = new RespFeed();
  const expect = (piece: string, needed: number) => {
    feed.feed(binaryBytes(piece));
    assertEquals(feed.decoder.needed, needed, piece);
  };
  expect("*3\r\n$3\r\nS", 13);
  expect("ET\r\n", 0);
  expect("$1", 0);
  expect("0\r\n0123456789", 30);
  expect("\r\n$60000000\r\n", 60_000_043);
  expect("x".repeat(1000), 60_000_043);
  assertEquals(feed.requests, []);
  const blank = new RespFeed();
  blank.feed(binaryBytes("\r\n*0\r\n*1\r\n$100\r\nxx"));
  assertEquals([blank.decoder.passed, blank.decoder.needed, blank.unread], [6, 112, 12]);
  const whole = new RespFeed();
  whole.feed(binaryBytes("*1\r\n$5\r\nhel"));
  whole.feed(binaryBytes("lo\r\n"));
  assertEquals(whole.decoder.needed, 0);
  assertEquals(whole.requests, [["hello"]]);
});

Deno.test("RespDecoder decode() keeps the last request while no more bytes have arrived", () => {
  const [decoder, request] = [new RespDecoder(), new Request()];
  const bytes = binaryBytes(encodeRequest("get", "key") + "*2\r\n$3\r\nd");
  const whole = bytes.length - 9;
  assertEquals(decoder.decode(bytes, 0, bytes.length, request, LIMITS), whole);
  assertEquals(decoder.decode(bytes, whole, whole, request, LIMITS), -1);
  assertEquals(argumentsOf(request), ["get", "key"]);
  assertEquals(decoder.decode(bytes, whole, bytes.length, request, LIMITS), -1);
  assertEquals(request.count, 0);
});

Deno.test("RespDecoder decode() borrows the buffer, also for inline commands without quotes", () => {
  const [decoder, request] = [new RespDecoder(), new Request()];
  const bytes = binaryBytes(`${encodeRequest("get", "key")}get key\nget "key"\n`);
  let at = decoder.decode(bytes, 0, bytes.length, request, LIMITS);
  assertStrictEquals(request.bytes, bytes);
  at = decoder.decode(bytes, at, bytes.length, request, LIMITS);
  assertStrictEquals(request.bytes, bytes);
  at = decoder.decode(bytes, at, bytes.length, request, LIMITS);
  assertEquals(at, bytes.length);
  assertEquals(argumentsOf(request), ["get", "key"]);
});

Deno.test("RespDecoder decode() decodes requests of many arguments, one after another, at any cuts", () => {
  const requests = [1024, 1025, 3000, 2, 5000].map((count) => Array.from({ length: count }, (_, i) => `${i}`));
  const bytes = binaryBytes(requests.map((items) => encodeRequest(...items)).join(""));
  assertEquals(readRequests(bytes), { requests });
  for (const step of [1000, 4096, 9999]) {
    const cuts = Array.from({ length: Math.floor(bytes.length / step) }, (_, i) => (i + 1) * step);
    assertEquals(readRequests(bytes, cuts), { requests }, `pieces of ${step}`);
  }
  const spoilt = binaryBytes(encodeRequest(...requests[2]!).slice(0, -10) + "x\r\n");
  assertEquals(readRequests(spoilt, [2000, 5000]), { requests: [], error: "expected '$', got 'x'" });
});

Deno.test("RespDecoder decode() takes time in proportion to the input, also in small pieces", () => {
  const items = Array.from({ length: 3000 }, () => "x");
  const cases: [sent: string, factor: number][] = [
    [encodeRequest(...items), 6],
    [encodeRequest("set", "x", "y".repeat(20_000)), 1],
    [`${"x".repeat(20_000)}\n`, 12],
    [`*${"1".repeat(20_000)}\r`, 12],
    [`*2\r\n$1\r\na\r\n$${"1".repeat(20_000)}\r`, 40],
  ];
  for (const [sent, factor] of cases) {
    const all = binaryBytes(sent);
    const { bytes, reads } = guarded(all, 0, all.length);
    const [decoder, request] = [new RespDecoder(), new Request()];
    let behind = -1;
    for (let end = 1; end <= all.length && behind === -1; end++) {
      behind = decoder.decode(bytes, 0, end, request, LIMITS);
      request.clear();
    }
    assertLess(reads(), all.length * factor + 1000, `${sent.slice(0, 20)}… of ${all.length} bytes`);
  }
});

Deno.test("RespDecoder decode() reserves no memory for an announcement alone", () => {
  const before = Deno.memoryUsage().external;
  const decoders = Array.from({ length: 50 }, () => new RespDecoder());
  const bytes = binaryBytes(`*${ARGUMENTS_MAX_COUNT}\r\n$4\r\nmset\r\n`);
  const request = new Request();
  for (const decoder of decoders) assertEquals(decoder.decode(bytes, 0, bytes.length, request, LIMITS), -1);
  assertLess(Deno.memoryUsage().external - before, 10_000_000);
  assertLess(request.starts.length, 2000);
});

Deno.test("RespDecoder decode() decodes the largest requests, of bytes and of arguments, from many reads", () => {
  const length = VALUE_SIZE_MAX_BYTES;
  const head = binaryBytes(`*2\r\n$4\r\nping\r\n$${length}\r\n`);
  const many = binaryBytes(`*${ARGUMENTS_MAX_COUNT}\r\n${"$1\r\nx\r\n".repeat(ARGUMENTS_MAX_COUNT)}`);
  const large = new Uint8Array(head.length + length + 2).fill(0x79);
  large.set(head);
  const expected: [Uint8Array, count: number, size: number][] = [
    [large, 2, length + 4],
    [many, ARGUMENTS_MAX_COUNT, ARGUMENTS_MAX_COUNT],
  ];
  assertLess(large.length, FRAME_SIZE_MAX_BYTES);
  for (const [bytes, count, size] of expected) {
    const [decoder, request] = [new RespDecoder(), new Request()];
    let behind = -1;
    for (let end = 0; behind === -1; end = Math.min(end + 5000, bytes.length)) {
      behind = decoder.decode(bytes, 0, end, request, LIMITS);
      if (behind === -1) assert(end < bytes.length, "all has arrived");
    }
    assertEquals([behind, request.count, request.size], [bytes.length, count, size]);
    assertEquals(request.start(count - 1) + request.length(count - 1), bytes.length - 2);
  }
});
