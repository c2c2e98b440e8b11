/** Tests the tools of `--stat`, `--latency`, `--scan`, `--big-keys`, `--mem-keys` and `--hot-keys`. */

import { assert, assertEquals, assertGreater, assertLess, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { type Client, connect } from "../../../src/client/client.ts";
import { ConnectionError, ReplyError, UsageError } from "../../../src/errors.ts";
import { clientOptions } from "../../../src/role/option_tables.ts";
import { parseOptions } from "../../../src/role/options.ts";
import { showHotKeys } from "../../../src/shell/live/hot_keys.ts";
import { KeySurvey, type Measure, surveyKeys } from "../../../src/shell/live/key_survey.ts";
import { Latencies, showLatency } from "../../../src/shell/live/latency.ts";
import { columnsOf } from "../../../src/shell/live/columns.ts";
import { liveModeOf } from "../../../src/shell/live/mode.ts";
import { showKeys } from "../../../src/shell/live/scan.ts";
import { showStat, statOf } from "../../../src/shell/live/stat.ts";
import { reportSurvey } from "../../../src/shell/live/survey_report.ts";
import { FakeServer } from "../../support/fake_server.ts";
import { TestedView } from "../../support/live_tool.ts";
import { clustered, withServers } from "../../support/proxy_rig.ts";
import { until } from "../../support/until.ts";

const BINARY = new Uint8Array([0xff, 0x1b, 0x0a]);
const SELECTION = { count: 10, pauseMs: 0 };

/** Runs a test with a client of a proxy that has two servers, and with a client of a single server. */
function withBoth(run: (client: Client) => Promise<void>): () => Promise<void> {
  return async () => {
    await clustered(2, async ({ proxy }) => {
      await using client = await connect({ addr: `127.0.0.1:${proxy.address.port}`, plaintext: true });
      await run(client);
    })();
    await withServers(1, async ([server]) => {
      await using client = await connect({ addr: `127.0.0.1:${server!.address.port}`, plaintext: true });
      await run(client);
    });
  };
}

/** Stores keys of each type: many small ones, and one of each type that is the largest. */
async function fill(client: Client): Promise<void> {
  await Promise.all(Array.from({ length: 40 }, (_, index) => client.set(`string:${index}`, "value")));
  await client.set(BINARY, "x".repeat(1_000));
  await client.send(["rpush", "list", ..."abcdef"]);
  await client.send(["rpush", "list:small", "a"]);
  await client.send(["hset", "hash", "a", "1", "b", "2"]);
  await client.send(["sadd", "set", "a", "b", "c"]);
}

Deno.test(
  "--scan prints the name of each key once",
  withBoth(async (client) => {
    await fill(client);
    const json = new TestedView({ format: "json" });
    await showKeys(client, { ...SELECTION, pattern: "[^sh]*" }, json.view);
    await json.end(Promise.resolve());
    assertEquals(json.json.sort(), [{ base64: BINARY.toBase64() }, "list", "list:small"].sort());
    const human = new TestedView({ format: "human", columns: 40 });
    await showKeys(client, { ...SELECTION, type: "set" }, human.view);
    await human.end(Promise.resolve());
    assertEquals(human.text, '"set"\n');
    const all = new TestedView({ format: "json" });
    await showKeys(client, SELECTION, all.view);
    await all.end(Promise.resolve());
    assertEquals(new Set(all.json.map((name) => JSON.stringify(name))).size, 45);
  }),
);

Deno.test("--scan through a pipe writes the bytes of a name and a newline", () =>
  withServers(1, async ([server]) => {
    await using client = await connect({ addr: `127.0.0.1:${server!.address.port}`, plaintext: true });
    await client.set(BINARY, "");
    const view = new TestedView({});
    await showKeys(client, SELECTION, view.view);
    await view.end(Promise.resolve());
    assertEquals(view.bytes, new Uint8Array([...BINARY, 0x0a]));
  }));

Deno.test(
  "--big-keys and --mem-keys find the largest keys of each type",
  withBoth(async (client) => {
    await fill(client);
    const expected = { string: 1_000, list: 6, hash: 2, set: 3 };
    for (const measure of ["elements", "memory"] satisfies Measure[]) {
      const survey = new KeySurvey(measure, 2);
      await surveyKeys(client, survey, measure, SELECTION, new TestedView({}).view);
      assertEquals(survey.count, 45);
      const summaries = survey.summaries();
      assertEquals(summaries.map(({ type, count }) => `${count} ${type}`).sort(), [
        "1 hash",
        "1 set",
        "2 list",
        "41 string",
      ]);
      for (const { type, largest, total, count } of summaries) {
        const [{ name, size }] = largest as [typeof largest[0]];
        assertEquals(name, type === "string" ? BINARY : encodeText(type));
        assertEquals(largest.length, Math.min(2, count));
        if (measure === "memory") {
          assertEquals(BigInt(size), BigInt(Number(await client.send(["memory", "usage", name]))));
        } else assertEquals(size, expected[type as keyof typeof expected]);
        assertGreater(total, size - 1);
      }
      const json = new TestedView({ format: "json" });
      reportSurvey(survey, measure, 12.3, json.view);
      await json.end(Promise.resolve());
      const [report] = json.json as [Record<string, unknown> & { types: { largest: unknown[] }[] }];
      assertEquals([report.keys, report.durationMs, report.isPartial], [45, 12, false]);
      assertEquals("largest" in report, measure === "memory");
      for (const columns of [20, 80, 200]) {
        const human = new TestedView({ format: "human", columns });
        reportSurvey(survey, measure, 12.3, human.view);
        await human.end(Promise.resolve());
        for (const line of human.text.split("\n")) assert(columnsOf(line) <= columns, line);
        assert(human.text.includes(measure === "memory" ? "largest keys" : "largest list keys"));
        assert(columns < 30 || human.text.includes('"\\xff\\x1b\\n"'));
      }
    }
  }),
);

Deno.test("a survey keeps the largest keys, each once and with a short name, and survives keys that vanish", async () => {
  const survey = new KeySurvey("elements", 3);
  for (const [name, size] of [["a", 1], ["b", 5], ["b", 5], ["c", 3], ["d", 4], ["e", 0]] as const) {
    survey.add(encodeText(name), "list", size);
  }
  assertEquals(survey.summaries()[0]!.largest.map(({ size }) => size), [5, 4, 3]);
  survey.add(new Uint8Array(100_000), "list", 9);
  assertLess(survey.largest()[0]!.name.length, 10_000);
  await using server = new FakeServer(([command, key], peer) => {
    if (command === "scan") peer.reply([encodeText("0"), ["gone", "other", "a"].map(encodeText)]);
    else if (command === "type") peer.reply(key === "gone" ? "none" : "string");
    else if (key === "other") peer.refuse("WRONGTYPE", "not a string any more");
    else peer.reply(7);
  });
  await using client = await connect({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const vanishing = new KeySurvey("elements", 3);
  await surveyKeys(client, vanishing, "elements", SELECTION, new TestedView({}).view);
  assertEquals(vanishing.summaries().map(({ count, total }) => [count, total]), [[1, 7]]);
});

Deno.test(
  "--stat shows a line for each interval, with the rates since the one before",
  withBoth(async (client) => {
    await fill(client);
    for (const columns of [20, 80, 200]) {
      const view = new TestedView({ format: "human", columns });
      const running = showStat(client, { intervalMs: 20 }, view.view);
      await until(() => view.text.split("\n").length > 3, "three lines");
      await view.end(running);
      const [heading, first] = view.text.split("\n");
      assert(heading!.includes("keys") && heading!.includes("ops/s"));
      assertMatch(first!, /\b45\b/);
      for (const line of view.text.split("\n")) assert(columnsOf(line) <= columns, line);
    }
    const view = new TestedView({ format: "json" });
    await showStat(client, { intervalMs: 20, durationMs: 50 }, view.view);
    await view.end(Promise.resolve());
    const [before, after] = view.json as Record<string, unknown>[];
    assertEquals([before!.keys, before!.opsPerSecond], [45, null]);
    assertEquals(typeof after!.opsPerSecond, "number");
  }),
);

Deno.test("rates follow from counters, which begin again after a restart", () => {
  const sample = (atMs: number, commands: number, hits: number) => ({
    atMs,
    report: new Map([["total_commands_processed", `${commands}`], ["keyspace_hits", `${hits}`], [
      "keyspace_misses",
      "2",
    ]]),
  });
  const { opsPerSecond, hitRatio, usedMemory, keys } = statOf(sample(1_500, 300, 6), sample(1_000, 100, 2));
  assertEquals({ opsPerSecond, hitRatio, usedMemory, keys }, {
    opsPerSecond: 400,
    hitRatio: 1,
    usedMemory: null,
    keys: 0,
  });
  assertEquals(statOf(sample(2_000, 10, 0), sample(1_000, 100, 0)).opsPerSecond, 10);
  assertEquals(statOf(sample(2_000, 10, 0), undefined).opsPerSecond, null);
});

Deno.test(
  "--latency measures ping or another command, and keeps the figures at the end",
  withBoth(async (client) => {
    await client.set("key", "value");
    for (const columns of [20, 80, 200]) {
      const view = new TestedView({ format: "human", columns });
      const running = showLatency(client, { intervalMs: 20, words: ["get", "key"], isHistory: false }, view.view);
      await until(() => view.text.includes(" ms"), "the figures");
      await view.end(running);
      const { text } = view.screen!;
      assertMatch(text, /^get key/);
      assert(text.includes("p99 ms") && !text.includes("Ctrl-C"));
    }
    for (const [format, columns] of [["raw", undefined], ["json", undefined], ["human", 80]] as const) {
      const view = new TestedView({ format, ...columns !== undefined && { columns } });
      await showLatency(client, { intervalMs: 30, durationMs: 100, words: [], isHistory: true }, view.view);
      await view.end(Promise.resolve());
      if (format === "json") {
        for (const line of view.json as Record<string, number>[]) {
          assertGreater(line.replies!, 0);
          assert(line.minMs! <= line.p50Ms! && line.p50Ms! <= line.p999Ms! && line.p999Ms! <= line.maxMs!);
        }
      } else assertMatch(view.text, /^ +time +replies +min ms .*\n[0-9:]{8} +[0-9]+( +[0-9.]+){6}\n/);
    }
    const refused = showLatency(
      client,
      { intervalMs: 30, words: ["nonsense"], isHistory: false },
      new TestedView({}).view,
    );
    await assertRejects(() => refused, ReplyError, "unknown command");
  }),
);

Deno.test("the ranges of a histogram cover each duration once", () => {
  const latencies = new Latencies();
  assertEquals([latencies.ranges(), latencies.figures.p50], [[], null]);
  for (let i = 0; i < 2_000; i++) latencies.add(0.01 * 1.01 ** i % 5_000);
  const ranges = latencies.ranges();
  assertEquals(ranges.reduce((sum, { count }) => sum + count, 0), 2_000);
  ranges.forEach(({ fromMs, toMs }, index) => {
    assertLess(fromMs, toMs);
    if (index > 0) assertEquals(fromMs, ranges[index - 1]!.toMs);
  });
  assert(ranges[0]!.fromMs <= latencies.figures.min! && ranges.at(-1)!.toMs >= latencies.figures.max!);
});

Deno.test(
  "--hot-keys shows the keys in use, once or again and again",
  withBoth(async (client) => {
    const rows = async () => await client.send(["hotkeys", 5]) as unknown[];
    await until(async () => {
      await Promise.all(Array.from({ length: 200 }, () => client.get("hot\n")));
      return (await rows()).length > 0;
    }, "a hot key");
    const once = new TestedView({ format: "human", columns: 40 });
    await showHotKeys(client, 5, undefined, once.view);
    await once.end(Promise.resolve());
    assertMatch(once.text, /^requests\/s {2}key\n +[0-9]+ {2}"hot\\n"\n/);
    const view = new TestedView({ format: "json" });
    const running = showHotKeys(client, 5, { intervalMs: 20 }, view.view);
    await until(() => view.text.split("\n").length > 2, "two lines");
    await view.end(running);
    for (const { keys } of view.json as { keys: { key: string }[] }[]) assertEquals(keys[0]?.key, "hot\n");
  }),
);

Deno.test("a lost connection ends the tools that measure, and those that watch report it", async () => {
  let isGone = false;
  await using server = new FakeServer(([command], peer) => {
    if (isGone) peer.close();
    else if (command === "ping") peer.reply("PONG");
    else peer.reply(encodeText("# Stats\r\ntotal_commands_processed:1\r\n"));
  });
  await using client = await connect({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const latency = new TestedView({});
  const measuring = showLatency(client, { intervalMs: 10, words: [], isHistory: false }, latency.view);
  measuring.catch(() => {});
  await latency.see("replies");
  const stat = new TestedView({});
  const watching = showStat(client, { intervalMs: 10 }, stat.view);
  await stat.see("keys");
  isGone = true;
  await assertRejects(() => measuring, ConnectionError, "Lost the connection");
  await stat.see("Lost the connection");
  isGone = false;
  const before = stat.text.length;
  await until(() => /\n[0-9:]{8} +0 [^L]*$/.test(stat.text.slice(before)), "a line after that");
  await stat.end(watching);
  isGone = true;
  await assertRejects(() => showKeys(client, SELECTION, new TestedView({}).view), ConnectionError);
});

Deno.test("the options choose one tool, by our names and by redis-cli's, and wrong combinations are refused", () => {
  const modeOf = (line: string) => {
    const { values, positional } = parseOptions(clientOptions, line.split(" ").filter((word) => word !== ""));
    return liveModeOf(values, positional);
  };
  const accepted = {
    "": undefined,
    "get a": undefined,
    "--stat -i 0.5": "stat",
    "--latency get a": "latency",
    "--latency-history -i 1": "latency-history",
    "--scan --pattern a* --type set --count 10": "scan",
    "--bigkeys": "big-keys",
    "--big-keys --top 3": "big-keys",
    "--memkeys": "mem-keys",
    "--mem-keys -i 0.1": "mem-keys",
    "--hotkeys": "hot-keys",
    "--hot-keys --duration 5": "hot-keys",
  };
  for (const [line, mode] of Object.entries(accepted)) assertEquals(modeOf(line), mode, line);
  const refused = {
    "--stat --scan": "Cannot use --stat and --scan together",
    "--stat get a": 'Cannot use "get" with --stat',
    "--pattern a get a": "Cannot use --pattern alone: expected one of --scan",
    "--scan --top 3": "Cannot use --top with --scan",
    "--scan --duration 3": "Cannot use --duration with --scan",
    "--stat -i 0": "expected 10ms to 1d",
    "--scan --count 0": "expected 1 to 100000",
  };
  for (const [line, message] of Object.entries(refused)) assertThrows(() => modeOf(line), UsageError, message, line);
});
