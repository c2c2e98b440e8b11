/**
 * Runs every script of `bench/` that is not for `deno bench` once, with the smallest amounts, so that none breaks
 * unnoticed: it exits with 0, and its JSON has the expected form. Nothing is measured, since the figures mean little at
 * this size.
 *
 * A new script is a new row in `SCRIPTS`. A script may have several rows if parts of it need programs that machines may
 * lack.
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { BoundsReport } from "../bench/bounds.ts";
import type { DurabilityReport } from "../bench/durability_bench.ts";
import type { HitReport } from "../bench/hit_ratio.ts";
import type { LargeStoreReport } from "../bench/large_store.ts";
import type { MemoryReport } from "../bench/memory.ts";
import type { Ratio, RedisComparison } from "../bench/support/comparison_report.ts";
import type { ScrapeReport } from "../bench/scrape.ts";
import { LOADS } from "../bench/support/loads.ts";
import type { ProxyReport } from "../bench/support/proxy_comparison.ts";
import { hasRedisBenchmark } from "../bench/support/redis_benchmark.ts";
import { redisVersion } from "../bench/support/redis_server.ts";
import { findTwemproxy } from "../bench/support/twemproxy.ts";
import { ROOT } from "../cluster/role_process.ts";
import { longOnly } from "./support/amount.ts";

/** The parts of durability_bench.ts, and the subjects of their rows. */
const DURABILITY_PARTS = [
  { name: "policies", groups: ["fsync always", "fsync everysec", "fsync never"] },
  { name: "start", groups: ["start"] },
  { name: "snapshot", groups: ["snapshot"] },
];
const SERVED_BOUNDS = ["idle", "deadlines", "removal", "sizes", "keys"];
const STORE_BOUNDS = ["lists", "hashes", "index", "slices", "eviction", "capacity"];
const BOUNDS_GROUPS = [...SERVED_BOUNDS, ...STORE_BOUNDS];
/** The tests of redis_comparison.ts, and the pipelines at which they are compared. */
const COMPARED = [
  { name: "set", pipelines: [16, 64] },
  { name: "lpop", pipelines: [16, 64] },
  { name: "lrange_100", pipelines: [16] },
];

/** A script that takes longer than this is stopped, which also ends the servers that it has started. */
const TIMEOUT_MS = 180_000;

interface Script {
  /** The name of the script in `bench/`. */
  readonly name: string;
  readonly args: readonly string[];
  /** The program that the machine lacks for it; `undefined` when it can run. */
  readonly lacks?: string | undefined;
  /** Checks the output of `--json`. */
  readonly check: (report: unknown) => void;
}

const hasRedis = await redisVersion() !== undefined;
const hasGenerator = hasRedis && await hasRedisBenchmark();
const hasTwemproxy = await findTwemproxy() !== undefined;
const SMALL_PROXY = ["--quick", "--pipelines", "16", "--connections", "6"];

const SCRIPTS: readonly Script[] = [
  {
    name: "durability_bench.ts",
    args: ["--quick", "--keys", "1000", "--only", DURABILITY_PARTS.map(({ name }) => name).join(",")],
    lacks: hasGenerator ? undefined : "redis-server or redis-benchmark is not on PATH",
    check: checkDurability,
  },
  {
    name: "bounds.ts",
    args: ["--rounds", "1", "--scale", "0.001", "--only", BOUNDS_GROUPS.join(",")],
    check: checkBounds,
  },
  { name: "hit_ratio.ts", args: ["--seed", "1", "--scale", "0.05"], check: checkHits },
  { name: "scrape.ts", args: ["--servers", "3", "--rounds", "1"], check: checkScrape },
  { name: "large_store.ts", args: ["--scale", "0.002"], check: checkLargeStore },
  {
    name: "memory.ts",
    args: ["--rounds", "1", "--scale", "0.01"],
    lacks: hasRedis ? undefined : "redis-server is not on PATH",
    check: checkMemory,
  },
  {
    name: "redis_comparison.ts",
    args: ["--quick", "--only", COMPARED.map(({ name }) => name).join(","), "--pipelines", "16,64"],
    lacks: hasGenerator ? undefined : "redis-server or redis-benchmark is not on PATH",
    check: checkComparison,
  },
  { name: "proxy_bench.ts", args: [...SMALL_PROXY, "--only", "direct,load"], check: checkProxyToDirect },
  {
    name: "proxy_bench.ts",
    args: [...SMALL_PROXY, "--only", "twemproxy"],
    lacks: hasRedis && hasTwemproxy ? undefined : "redis-server or nutcracker is not on PATH",
    check: checkProxyToTwemproxy,
  },
];

for (const { name, args, lacks, check } of SCRIPTS) {
  const title = `bench/${name} ${args.join(" ")} runs and tells its figures`;
  Deno.test({
    name: lacks === undefined ? title : `${title} (ignored: ${lacks})`,
    ignore: lacks !== undefined || longOnly.ignore,
    fn: async () => check(JSON.parse(await run(name, [...args, "--json"]))),
  });
}

for (const name of new Set(SCRIPTS.map((script) => script.name))) {
  Deno.test(`bench/${name} refuses an option that it does not have`, longOnly, async () => {
    const { code, stdout, stderr } = await start(name, ["--no-such-option"]);
    assertEquals({ code, stdout }, { code: 2, stdout: "" });
    assert(stderr.includes("--no-such-option"), stderr);
  });
}

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a script to its end. */
async function start(name: string, args: readonly string[]): Promise<Outcome> {
  const options = ["run", "--quiet", "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...options, join("bench", name), ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Returns the output of a successful script. */
async function run(name: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await start(name, args);
  assertEquals(code, 0, `${name}: ${stderr}`);
  return stdout;
}

/** Asserts that these are positive numbers. */
function assertPositive(figures: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(figures)) {
    assert(Number.isFinite(value) && value > 0, `${name} is ${value}: expected a positive number`);
  }
}

function checkBounds(report: unknown): void {
  const { machine, rows } = report as BoundsReport;
  assert(machine !== "");
  assertEquals([...new Set(rows.map(({ group }) => group))], BOUNDS_GROUPS);
  for (const { group, what, measured, bound, met } of rows) {
    assertPositive({ [`${group}: ${what}`]: measured });
    assertEquals(typeof met, bound === undefined ? "undefined" : "boolean");
  }
}

function checkDurability(report: unknown): void {
  const { machine, keys, rows } = report as DurabilityReport;
  assert(machine !== "");
  assertPositive({ keys });
  assertEquals([...new Set(rows.map(({ group }) => group))], DURABILITY_PARTS.flatMap(({ groups }) => groups));
  for (const { group, what, measured } of rows) assertPositive({ [`${group}: ${what}`]: measured });
}

function checkHits(report: unknown): void {
  const { keys, accesses, rows } = report as HitReport;
  assertPositive({ keys, accesses });
  assertEquals(new Set(rows.map(({ trace }) => trace)).size, 4);
  assertEquals(rows.length, 4 * 4);
  for (const { trace, cacheShare, cacheKeys, exactHitPercent, sampledHitPercent } of rows) {
    assertPositive({ cacheShare, cacheKeys });
    for (const percent of [exactHitPercent, sampledHitPercent]) {
      assert(percent >= 0 && percent <= 100, `${trace}: ${percent} %`);
      // LRU never hits in a loop that is longer than the cache.
      assert(percent > 0 || trace.startsWith("loop"), `${trace}: no hits`);
    }
  }
}

function checkScrape(report: unknown): void {
  const { machine, ...figures } = report as ScrapeReport;
  assert(machine !== "");
  assertPositive({ ...figures });
  assertEquals(figures.servers, 3);
}

function checkLargeStore(report: unknown): void {
  const { machine, rows, ...figures } = report as LargeStoreReport;
  assert(machine !== "");
  assertPositive(figures);
  assertEquals(rows.map(({ keys }) => keys), [200, 2_000, 100_000]);
  for (const row of rows) assertPositive({ ...row });
}

function checkMemory(report: unknown): void {
  const { redis, inmem, rows } = report as MemoryReport;
  assert(redis !== "" && inmem !== "");
  assertEquals(rows.map(({ load }) => load), LOADS.map(({ name }) => name));
  for (const { keys, redisBytes, inmemBytes, ratio, wantedRatio, inmemUsedBytes } of rows) {
    assertPositive({ keys, wantedRatio, inmemUsedBytes });
    // With so few keys, the runtime changes the resident memory more than the data does.
    for (const figure of [redisBytes, inmemBytes, ratio]) assert(Number.isFinite(figure), `${figure}`);
  }
}

function checkComparison(report: unknown): void {
  const { machine, redis, inmem, rounds, rows, latency, oneWrite } = report as RedisComparison;
  assert(machine !== "" && redis !== "" && inmem !== "");
  assertEquals(
    rows.map(({ test, pipeline }) => `${test} ${pipeline}`),
    COMPARED.flatMap(({ name, pipelines }) => pipelines.map((pipeline) => `${name.toUpperCase()} ${pipeline}`)),
  );
  for (const row of rows) {
    for (const side of [row.inmem, row.redis, row.ceiling]) {
      if (side === undefined) continue;
      assertPositive({ requestsPerSecond: side.requestsPerSecond, serverNs: side.serverNs });
      assertEquals(side.rounds.length, rounds);
    }
    assertEquals(row.ceiling !== undefined, row.test !== "LRANGE_100");
    assertRatio(row.toRedis, true);
    if (row.toCeiling !== undefined) assertRatio(row.toCeiling, row.pipeline === 64);
  }
  assertPositive({ inmemMs: latency.inmemMs, redisMs: latency.redisMs });
  assertRatio(latency.toRedis, true);
  assertEquals(oneWrite, { commands: 10_000, inmemAnswered: 10_000, redisAnswered: 10_000 });
}

function checkProxyToDirect(report: unknown): void {
  const [direct, load] = checkProxy(report);
  assertEquals(direct, ["GET: direct", "GET: through inmem proxy", "SET: direct", "SET: through inmem proxy"]);
  assertEquals(load, ["SET: the load"]);
}

function checkProxyToTwemproxy(report: unknown): void {
  const sides = ["twemproxy", "inmem proxy", "inmem proxy, TLS"];
  assertEquals(checkProxy(report), [["GET", "SET"].flatMap((command) => sides.map((side) => `${command}: ${side}`))]);
}

/** Returns the subjects of the rows of each section. */
function checkProxy(report: unknown): string[][] {
  const { machine, cores, inmem, rounds, sections } = report as ProxyReport;
  assert(machine !== "" && cores !== "" && inmem !== "");
  return sections.map(({ rows }) => {
    for (const [index, row] of rows.entries()) {
      const { side, requestsPerSecond, p50Ms, p99Ms, p999Ms, ratio, coreRatio } = row;
      assertPositive({ requestsPerSecond, p50Ms, p99Ms, p999Ms });
      assertEquals([row.pipeline, row.rounds.length], [16, rounds]);
      assertEquals(
        [ratio === undefined, coreRatio === undefined],
        side === rows[0]!.side ? [true, true] : [false, false],
      );
      if (ratio !== undefined) assertRatio(ratio, side === "through inmem proxy");
      // Processor time is counted in hundredths of a second, and so short a run may take none.
      assertEquals(Object.keys(row.ns).includes("proxy"), side.includes("proxy"), `row ${index}`);
    }
    return rows.map(({ command, side }) => `${command}: ${side}`);
  });
}

function assertRatio({ ratio, asked, met }: Ratio, isAsked: boolean): void {
  assertPositive({ ratio });
  assertEquals([typeof asked, typeof met], isAsked ? ["object", "boolean"] : ["undefined", "undefined"]);
}
