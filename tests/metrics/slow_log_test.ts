/** Tests the parts of diagnosis that need no server: the slow log, histories of latencies, and lines of `monitor`. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { LATENCY_EVENTS_MAX_COUNT, LATENCY_SAMPLES_MAX_COUNT, SLOW_LOG_MAX_BYTES } from "../../src/limits.ts";
import { LatencyEvents } from "../../src/metrics/latency_events.ts";
import { doctorReport, drawHistory } from "../../src/metrics/latency_report.ts";
import { Monitors } from "../../src/metrics/monitors.ts";
import { cutWords, type Words } from "../../src/metrics/request_words.ts";
import { SlowLog } from "../../src/metrics/slow_log.ts";

function wordsOf(...texts: readonly (string | Uint8Array)[]): Words {
  const parts = texts.map((text) => typeof text === "string" ? encodeText(text) : text);
  const lengths = Int32Array.from(parts, (part) => part.length);
  const starts = new Int32Array(parts.length);
  for (let i = 1; i < parts.length; i++) starts[i] = starts[i - 1]! + lengths[i - 1]!;
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  parts.forEach((part, i) => bytes.set(part, starts[i]));
  return { bytes, starts, lengths, count: parts.length };
}

const NO_SECRETS = () => undefined;
const CLIENT = { address: "127.0.0.1:1", name: "me" };

function textsOf(words: readonly Uint8Array[]): string[] {
  return words.map((word) => decodeText(word));
}

Deno.test("cutWords() cuts long words and many words, and hides secrets", () => {
  assertEquals(textsOf(cutWords(wordsOf("get", "k"), undefined, 32, 128)), ["get", "k"]);
  assertEquals(textsOf(cutWords(wordsOf("set", "k", "12345"), undefined, 32, 4)), [
    "set",
    "k",
    "1234... (1 more bytes)",
  ]);
  const many = wordsOf("mget", ...Array.from({ length: 40 }, (_, i) => `k${i}`));
  const cut = textsOf(cutWords(many, undefined, 32, 128));
  assertEquals([cut.length, cut[30], cut[31]], [32, "k29", "... (10 more arguments)"]);
  assertEquals(cutWords(wordsOf(...Array(32).fill("x")), undefined, 32, 128).length, 32);
  const hidden = cutWords(wordsOf("auth", "x".repeat(1000)), (index) => index > 0, 32, 128);
  assertEquals(textsOf(hidden), ["auth", "(redacted)"]);
});

Deno.test("SlowLog keeps the newest slow commands, within its bounds", () => {
  const log = new SlowLog(NO_SECRETS);
  log.note(wordsOf("get"), 9_999, CLIENT, 1_000);
  assertEquals(log.count, 0);
  for (let i = 0; i < 200; i++) log.note(wordsOf("get", `k${i}`), 10_000.4, CLIENT, 1_000 + i);
  assertEquals(log.count, 128);
  const [newest, second] = log.newest(2);
  assertEquals([newest!.id, second!.id, newest!.durationUs, newest!.timeMs], [199, 198, 10_000, 1_199]);
  assertEquals([textsOf(newest!.words), newest!.address, newest!.name], [["get", "k199"], "127.0.0.1:1", "me"]);
  assertEquals(log.newest(Infinity).length, 128);
  log.maxCount = 3;
  assertEquals(log.newest(10).map(({ id }) => id), [199, 198, 197]);
  log.maxCount = 0;
  log.note(wordsOf("get"), 1e9, CLIENT, 0);
  assertEquals(log.count, 0);
  log.maxCount = 5;
  log.thresholdUs = -1;
  log.note(wordsOf("get"), 1e9, CLIENT, 0);
  assertEquals(log.count, 0);
  log.thresholdUs = 0;
  log.note(wordsOf("get"), 0, CLIENT, 0);
  assertEquals(log.newest(1)[0]!.id, 200);
  log.clear();
  assertEquals([log.count, log.newest(5)], [0, []]);
  assertEquals(log.total, 201, "what was recorded stays counted");
});

Deno.test("SlowLog keeps copies, and no more than its memory", () => {
  const log = new SlowLog(NO_SECRETS);
  log.maxCount = 1e9;
  log.thresholdUs = 0;
  const words = wordsOf("set", ...Array(40).fill("x".repeat(200)));
  log.note(words, 1, CLIENT, 0);
  words.bytes.fill(0);
  assertEquals(decodeText(log.newest(1)[0]!.words[0]!), "set");
  for (let i = 0; i < 10_000; i++) log.note(words, 1, CLIENT, 0);
  const bytes = log.newest(Infinity).reduce((sum, entry) => {
    return sum + entry.words.reduce((size, word) => size + word.length, 0);
  }, 0);
  assert(log.count > 1000 && log.count < 10_000, String(log.count));
  assert(bytes < SLOW_LOG_MAX_BYTES);
  assertEquals(log.newest(1)[0]!.id, 10_000);
});

Deno.test("LatencyEvents keeps the longest event of each second, and the longest of all", () => {
  const events = new LatencyEvents();
  events.note("command", 1000, 5_000);
  assertEquals(events.all.length, 0);
  events.thresholdMs = 10;
  events.note("command", 9.9, 5_000);
  for (const [durationMs, nowMs] of [[10, 5_000], [30.4, 5_500], [20, 5_900], [15, 6_000]]) {
    events.note("command", durationMs!, nowMs!);
  }
  const history = events.find("command")!;
  assertEquals(history.samples, [{ second: 5, durationMs: 30 }, { second: 6, durationMs: 15 }]);
  assertEquals(history.maxMs, 30);
  for (let i = 0; i < 500; i++) events.note("command", 11, 10_000 + i * 1000);
  assertEquals([history.samples.length, history.maxMs], [LATENCY_SAMPLES_MAX_COUNT, 30]);
  for (let i = 0; i < 500; i++) events.note(`event${i}`, 11, 10_000);
  assertEquals(events.all.length, LATENCY_EVENTS_MAX_COUNT);
  assertEquals([events.reset("event1"), events.reset("event1"), events.reset("absent")], [1, 0, 0]);
  assertEquals([events.reset(), events.all.length], [LATENCY_EVENTS_MAX_COUNT - 1, 0]);
});

Deno.test("drawHistory() draws samples, and how long ago they were", () => {
  const samples = [{ second: 0, durationMs: 10 }, { second: 7_000, durationMs: 110 }, {
    second: 7_190,
    durationMs: 60,
  }];
  const drawing = drawHistory({ name: "command", samples, maxMs: 500 }, 7_200_000);
  assertEquals(drawing.split("\n"), [
    "command - high 110 ms, low 10 ms (all time high 500 ms)",
    "-".repeat(80),
    " # ",
    " |_",
    " ||",
    "_||",
    "",
    "231",
    "hm0",
    "  s",
    "",
  ]);
  const many = Array.from({ length: 160 }, (_, i) => ({ second: i, durationMs: 5 }));
  assert(drawHistory({ name: "x", samples: many, maxMs: 5 }, 0).split("\n").every((line) => line.length <= 80));
});

Deno.test("doctorReport() says what to do", () => {
  assertMatch(doctorReport([], 0, 0), /CONFIG SET latency-monitor-threshold/);
  assertMatch(doctorReport([], 10, 0), /No event has taken 10 ms/);
  const samples = [{ second: 0, durationMs: 10 }, { second: 10, durationMs: 30 }];
  const report = doctorReport([{ name: "expire-cycle", samples, maxMs: 99 }], 5, 20_000);
  assertMatch(report, /expire-cycle: 2 latency spikes \(average 20 ms, mean deviation 10 ms, about every 10.0 s\)/);
  assertMatch(report, /Worst all time event 99 ms/);
  assertMatch(report, /Spread their deadlines/);
});

Deno.test("Monitors composes one line for all, with escapes, and calls nothing without a monitor", () => {
  let changes = 0;
  const monitors = new Monitors((words) => decodeText(words.bytes, 0, 4) === "auth" ? (i) => i > 0 : undefined, () => {
    changes++;
  });
  const lines: Uint8Array[] = [];
  const [one, other] = [0, 1].map(() => ({ monitored: (line: Uint8Array) => void lines.push(line) }));
  monitors.add(one!);
  monitors.add(other!);
  const binary = Uint8Array.of(0, 7, 8, 9, 10, 13, 27, 34, 92, 126, 127, 255);
  monitors.note(wordsOf("set", "k", binary, ""), "127.0.0.1:5", 1_700_000_000_123.456);
  assertEquals(lines.length, 2);
  assert(lines[0] === lines[1]);
  assertMatch(
    decodeText(lines[0]!),
    /^\+1700000000\.12345\d \[0 127\.0\.0\.1:5\] "set" "k" "\\x00\\a\\b\\t\\n\\r\\x1b\\"\\\\~\\x7f\\xff" ""\r\n$/,
  );
  monitors.note(wordsOf("auth", "pw"), "a:1", 0);
  assertEquals(decodeText(lines.at(-1)!), '+0.000000 [0 a:1] "auth" "(redacted)"\r\n');
  monitors.note(wordsOf("set", "k", "\xff".repeat(1_000_000)), "a:1", 0);
  assert(lines.at(-1)!.length < 10_000);
  assertMatch(decodeText(lines.at(-1)!), /more bytes\)"\r\n$/);
  monitors.remove(one!);
  monitors.remove(one!);
  assertEquals([monitors.count, changes], [1, 1]);
  monitors.remove(other!);
  assertEquals([monitors.count, changes], [0, 2]);
});
