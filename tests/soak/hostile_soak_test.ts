/** Runs all attacks once at their smallest size, so that they keep working, and tests how they are judged. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ROOT } from "../../cluster/role_process.ts";
import { encodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { longOnly } from "../support/amount.ts";
import { framesOf } from "../support/raw_client.ts";
import { encodeRequests } from "./hostile/attack_connection.ts";
import { attacks } from "./hostile/attacks.ts";
import type { Observation } from "./hostile/observer.ts";
import { NativeReplies, RespReplies } from "./hostile/reply_counter.ts";
import { type Evidence, judge, SLOW } from "./hostile/verdict.ts";

const MB = 1024 * 1024;
const SEEN: Observation = {
  rounds: 100,
  wrong: 0,
  errors: 0,
  messages: [],
  longestWaitMs: 500,
  longestStepMs: 9,
  longestStillMs: 900,
  cpuMs: [100],
  peakBytes: [100 * MB],
  killed: false,
};
const GOOD: Evidence = { seen: SEEN, peaks: [100 * MB], bounds: [200 * MB], isAlive: true, faults: [] };

/** Runs the script, and returns its exit status and its output. */
async function soak(only: string): Promise<{ code: number; stdout: string }> {
  const options = ["run", "--quiet", "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...options, "tests/soak/hostile_soak.ts"],
    cwd: ROOT,
    env: { SOAK_SCALE: "0.001", SOAK_ONLY: only, SOAK_MAIN: "", NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout) + decoder.decode(stderr) };
}

Deno.test("judge() accepts a short step, little memory and right replies", () => {
  assertEquals(judge("some", GOOD), []);
  assertEquals(judge("some", { ...GOOD, bounds: [undefined] }), [], "without a bound memory is only reported");
});

Deno.test("judge() allows long steps only to the listed attacks", () => {
  const slow = [...SLOW.keys()][0]!;
  const evidence = (longestStepMs: number) => ({ ...GOOD, seen: { ...SEEN, longestStepMs } });
  assertEquals(judge("some", evidence(11)), ["step > 10 ms"]);
  assertEquals(judge(slow, evidence(11)), []);
  assertEquals(judge(slow, evidence(51)), ["step > 50 ms"]);
  assertEquals(judge("some", evidence(49), true), [], "small sizes");
  assertEquals(judge("some", evidence(51), true), ["step > 50 ms"]);
});

Deno.test("judge() names each fault", () => {
  const seen = { ...SEEN, longestStillMs: 1001, wrong: 2, errors: 3, messages: ["-ERR\r\nno"] };
  const found = judge("some", {
    seen,
    peaks: [100 * MB, 301 * MB],
    bounds: [200 * MB, 300 * MB],
    isAlive: false,
    faults: ["x"],
  });
  assertEquals(found, [
    "stood still for 1001 ms",
    "301 MB > 300 MB",
    "process has ended, or serves no client",
    "observer: 2 wrong replies: -ERR no",
    "observer: 3 errors: -ERR no",
    "x",
  ]);
  assertEquals(judge("some", { ...GOOD, isAlive: false, seen: { ...SEEN, killed: true } }), ["killed for its memory"]);
});

Deno.test("SLOW names only existing attacks", () => {
  const names = new Set(attacks().map(({ name }) => name));
  for (const name of SLOW.keys()) assert(names.has(name), name);
});

Deno.test("attacks() contains every command that takes arguments", () => {
  const names = new Set(attacks(0.001).map(({ name }) => name.replace(/^(wide|long)-/, "")));
  const without = ["multi", "exec", "discard", "quit", "reset", "debug"];
  for (const { name, arity } of COMMANDS) assert(arity === 1 || names.has(name) || without.includes(name), name);
});

Deno.test("RespReplies distinguishes replies, errors, messages and the tag in any pieces", () => {
  const replies = "+OK\r\n:3\r\n$3\r\n-x\r\r\n*2\r\n$-1\r\n*1\r\n-ERR in\r\n-ERR out\r\n" +
    ">2\r\n+message\r\n+m\r\n%1\r\n+a\r\n*0\r\n_\r\n";
  const bytes = encodeText(`${replies}$3\r\ntag\r\n`);
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new RespReplies("tag");
    for (let at = 0; at < bytes.length; at += size) reader.feed(bytes.subarray(at, at + size));
    const { count } = reader;
    assertEquals([count.replies, count.errors, count.innerErrors, count.messages], [8, 1, 1, 1]);
    assertEquals([count.head, count.error, count.tagged, count.nonsense], ["+OK", "-ERR in", true, undefined]);
  }
});

Deno.test("RespReplies refuses bytes that are not a reply", () => {
  const reader = new RespReplies("tag");
  reader.feed(encodeText("+OK\r\nhello\r\n"));
  assertMatch(reader.count.nonsense ?? "", /no reply begins with "hello"/);
});

Deno.test("NativeReplies counts frames, errors and the tag", () => {
  // Replies are framed as requests are: [0, value] or [1, code, message].
  const ok = Uint8Array.of(0, 0, 0, 3, 0x92, 0x00, 0x07);
  const error = Uint8Array.of(0, 0, 0, 7, 0x93, 0x01, 0xa1, 0x45, 0xa2, 0x6e, 0x6f);
  const tag = Uint8Array.of(0, 0, 0, 6, 0x92, 0x00, 0xa3, 0x74, 0x61, 0x67);
  const bytes = new Uint8Array([...ok, ...error, ...tag]);
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new NativeReplies("tag");
    for (let at = 0; at < bytes.length; at += size) reader.feed(bytes.subarray(at, at + size));
    assertEquals([reader.count.replies, reader.count.errors, reader.count.tagged], [3, 1, true]);
    assertMatch(reader.count.error, /E no$/);
  }
});

Deno.test("encodeRequests() encodes as the protocols specify", () => {
  const request = ["set", "k", Uint8Array.of(0, 0xff)];
  const [resp] = encodeRequests([request, request]);
  const one = [...encodeText("*3\r\n$3\r\nset\r\n$1\r\nk\r\n$2\r\n"), 0, 0xff, 0x0d, 0x0a];
  assertEquals([...resp!], [...one, ...one]);
  assertEquals(encodeRequests([["ping"]], "native"), [framesOf(["ping"])]);
});

Deno.test("the soak prints a row for each attack and exits with 0", longOnly, async () => {
  const { code, stdout } = await soak("rest,exists,lpos-300-native,hrandfield-all");
  for (const name of ["rest", "exists", "lpos-300-native", "hrandfield-all"]) {
    assertMatch(stdout, new RegExp(`^${name} .* [0-9.]+ +[0-9]+ +[0-9]+ +[0-9]+  PASS`, "m"), stdout);
  }
  assertMatch(stdout, /^4 attacks, 0 not withstood$/m);
  assertEquals(code, 0, stdout);
});

Deno.test("the soak exits with 1 when no attack is selected", async () => {
  const { code, stdout } = await soak("nosuch*");
  assertEquals(code, 1);
  assertMatch(stdout, /No attack has a name/);
});
