/** Tests `slowlog`, `latency`, `monitor`, `role` and their settings on server and proxy, in each protocol. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { ABORT_DELAY_MS, MESSAGES_MAX_BYTES } from "../../src/limits.ts";
import { testEachRole } from "../support/each_role.ts";
import { pause } from "../support/pause.ts";
import { ask, readReplies, withServers } from "../support/proxy_rig.ts";
import { RespClient } from "../support/resp_client.ts";
import type { Frame } from "../support/resp_frames.ts";
import { until } from "../support/until.ts";

const OK = "+OK\r\n";

/** Asks with words that have blanks between them. */
function say(client: RespClient, line: string): Promise<string> {
  return ask(client, ...line.split(" "));
}

/** Returns the words of each entry of the slow log, the newest first. */
async function slowLines(client: RespClient, count = "-1"): Promise<string[]> {
  const { items } = await client.call("slowlog", "get", count);
  return items!.map((entry) => entry.items![3]!.items!.map(({ body }) => body).join(" "));
}

testEachRole("slowlog has the slow commands of all servers, the newest first", async ({ resp, native, servers }) => {
  using client = await resp();
  using third = await resp(3);
  using other = await native();
  assertEquals(await say(client, "config set slowlog-log-slower-than 0 slowlog-max-len 50"), OK);
  for (const { instruments } of servers) assertEquals(instruments.slowLog.maxCount, 50);
  assertEquals(
    await say(client, "config get slowlog-log-slower-than"),
    "*2\r\n$23\r\nslowlog-log-slower-than\r\n$1\r\n0\r\n",
  );
  assertEquals(await say(client, "slowlog reset"), OK);
  const keys = Array.from({ length: 12 }, (_, i) => `k${i}`);
  for (const key of keys) await say(client, `set ${key} v`);
  assertEquals(await say(client, "config set slowlog-log-slower-than -1"), OK);
  const lines = await slowLines(client);
  assertEquals(lines.filter((line) => line.startsWith("set ")).sort(), keys.map((key) => `set ${key} v`).sort());
  const count = Number((await say(client, "slowlog len")).slice(1, -2));
  assertEquals(count, lines.length);
  assertEquals((await slowLines(client, "3")).length, 3);
  assertEquals((await slowLines(third, "3")).length, 3);
  const inNative = await other.call("slowlog", "get", "3") as unknown[][];
  assertEquals(inNative.map((entry) => entry.length), [6, 6, 6]);
  const { items } = await client.call("slowlog", "get", "100");
  const times = items!.map((entry) => Number(entry.items![1]!.line));
  assertEquals(times, times.toSorted((a, b) => b - a));
  for (const wrong of ["slowlog get x", "slowlog get -2", "slowlog get 1 2", "slowlog len 1", "slowlog nothing"]) {
    assertMatch(await say(client, wrong), /^-ERR /, wrong);
  }
  assertEquals(await say(client, "slowlog reset"), OK);
  assertEquals(await say(client, "slowlog len"), ":0\r\n");
  assertMatch(await say(client, "slowlog help"), /SLOWLOG <subcommand>/);
});

testEachRole("settings of diagnosis are checked, and all or none are changed", async ({ resp, servers }) => {
  using client = await resp();
  const before = await say(client, "config get slowlog-* latency-*");
  const wrong = [
    "slowlog-max-len -1",
    "slowlog-max-len 1e3",
    "slowlog-max-len 99999999999",
    "slowlog-log-slower-than -2",
    "slowlog-log-slower-than x",
    "latency-monitor-threshold -1",
    "latency-monitor-threshold 99999999999999999999",
    "slowlog-max-len 7 latency-monitor-threshold -1",
    "slowlog-log-slower-than 7 slowlog-max-len -1 latency-monitor-threshold 7",
    "slowlog-max-len 7 nothing 7",
    "slowlog-max-len",
  ];
  for (const settings of wrong) assertMatch(await say(client, `config set ${settings}`), /^-ERR /, settings);
  assertEquals(await say(client, "config get slowlog-* latency-*"), before);
  for (const { instruments } of servers) assertEquals(instruments.slowLog.maxCount, 128);
  assertEquals(await say(client, "config set latency-monitor-threshold 50"), OK);
  for (const { instruments } of servers) assertEquals(instruments.latency.thresholdMs, 50);
});

testEachRole("latency joins the events of all servers", async ({ resp, native, servers, name }) => {
  using client = await resp();
  using third = await resp(3);
  using other = await native();
  const row = (event: string, ...numbers: number[]) => {
    return `*4\r\n$${event.length}\r\n${event}\r\n${numbers.map((number) => `:${number}\r\n`).join("")}`;
  };
  for (const [i, { instruments: { latency } }] of servers.entries()) {
    latency.record("command", 100 + i, 1_000);
    latency.record("command", 50 + i, 2_000);
    latency.record("aof-fsync", 5, 3_000 + i);
  }
  const last = servers.length - 1;
  const latest = `*2\r\n${row("command", 2_000, 50 + last, 100 + last)}${row("aof-fsync", 3_000 + last, 5, 5)}`;
  for (const each of [client, third]) {
    assertEquals(await say(each, "latency latest"), latest);
    assertEquals(
      await say(each, "latency history command"),
      `*2\r\n*2\r\n:1000\r\n:${100 + last}\r\n*2\r\n:2000\r\n:${50 + last}\r\n`,
    );
    assertEquals(await say(each, "latency history nothing"), "*0\r\n");
    assertMatch(await say(each, "latency graph command"), new RegExp(`command - high ${100 + last} ms, low`));
    assertMatch(await say(each, "latency graph nothing"), /^-ERR No samples available for event 'nothing'\r/);
    assertMatch(await say(each, "latency doctor"), /command: 2 latency spikes/);
  }
  if (name === "proxy") {
    assertMatch(await say(client, "latency doctor"), /Server 127[^]*Server 127[^]*The proxy itself/);
  }
  assertEquals((await other.call("latency", "latest") as unknown[]).length, 2);
  assertEquals(await other.call("latency", "history", "command"), [[1_000, 100 + last], [2_000, 50 + last]]);
  assertMatch(await other.call("latency", "graph", "command") as string, /command - high/);
  assertEquals(await say(client, "latency reset aof-fsync nothing"), `:${servers.length}\r\n`);
  assertEquals(await say(client, "latency latest"), `*1\r\n${row("command", 2_000, 50 + last, 100 + last)}`);
  assertEquals(await say(client, "latency reset"), `:${servers.length}\r\n`);
  assertEquals(await say(client, "latency latest"), "*0\r\n");
  for (const wrong of ["latency", "latency history", "latency history a b", "latency graph", "latency nothing"]) {
    assertMatch(await say(client, wrong), /^-ERR /, wrong);
  }
});

/** Returns the calls of a command in a histogram. */
function callsOf(frame: Frame, name: string): number {
  const at = frame.items!.findIndex(({ body }) => body === name);
  return at < 0 ? 0 : Number(frame.items![at + 1]!.items![1]!.line);
}

testEachRole("latency histogram adds up the calls of all servers", async ({ resp, native }) => {
  using client = await resp();
  using third = await resp(3);
  using other = await native();
  for (let i = 0; i < 20; i++) await say(client, `set k${i} v`);
  for (const each of [client, third]) {
    const histogram = await each.call("latency", "histogram", "set", "GET", "nothing");
    assertEquals(callsOf(histogram, "set"), 20);
    const pairs = histogram.items![1]!.items![3]!.items!.map(({ line }) => Number(line));
    const counts = pairs.filter((_, i) => i % 2 === 1);
    assert(counts.length > 0);
    assertEquals(counts, counts.toSorted((a, b) => a - b));
    assert(counts.at(-1)! <= 20);
  }
  assert(callsOf(await client.call("latency", "histogram"), "set") === 20);
  const inNative = await other.call("latency", "histogram", "set") as Map<string, Map<string, unknown>>;
  assertEquals(inNative.get("set")!.get("calls"), 20);
});

/** Returns the text of a line of `monitor` without its time. */
function commandOf(line: string): string {
  return line.replace(/^\+[0-9]+\.[0-9]{6} \[0 [^\]]+\] /, "").replace("\r\n", "");
}

testEachRole("monitor shows the requests of all clients, without secrets", async ({ resp, native, name }) => {
  for (const version of [2, 3] as const) {
    using watching = await resp(version);
    using client = await resp();
    using other = await native();
    assertEquals(await say(watching, "monitor"), OK);
    await say(client, "set k v");
    await other.call("get", "k");
    await say(client, "auth default secret-word");
    await say(client, "hello 3 auth default secret-word setname me");
    await say(client, "config set requirepass secret-word");
    await say(client, "nosuch secret-word");
    await say(client, "auht secret-word");
    await say(client, "mget k a b c");
    await say(client, "multi");
    await say(client, "incr n");
    await say(client, "exec");
    await say(client, "ping last");
    const seen: string[] = [];
    while (seen.at(-1) !== '"ping" "last"') {
      const [line] = await readReplies(watching, 1);
      assertMatch(line!, /^\+\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "/);
      seen.push(commandOf(line!));
    }
    assertEquals(seen.filter((line) => line.includes("secret-word")), []);
    for (
      const expected of [
        '"set" "k" "v"',
        '"get" "k"',
        '"auth" "(redacted)" "(redacted)"',
        '"hello" "3" "auth" "(redacted)" "(redacted)" "setname" "me"',
        '"mget" "k" "a" "b" "c"',
        '"multi"',
        '"incr" "n"',
        '"exec"',
      ]
    ) {
      assertEquals(seen.filter((line) => line === expected).length, 1, `${name}: ${expected} in ${seen.join(", ")}`);
    }
    assertMatch(await factsOf(client), / flags=O /);
    await say(client, "client setname me");
    // A client that monitors may not use keys, and gets its own requests, too.
    await watching.send("*1\r\n$5\r\nreset\r\n");
    let last = "";
    while (last !== "+RESET\r\n") [last] = await readReplies(watching, 1) as [string];
    assertEquals(await say(watching, "get k"), "$1\r\nv\r\n");
  }
});

async function factsOf(client: RespClient): Promise<string> {
  return await ask(client, "client", "list", "flags", "O");
}

testEachRole("slowlog shows no secret of any command that has one", async ({ name, resp, native }) => {
  using client = await resp();
  using other = await native();
  await say(client, "config set slowlog-log-slower-than 0");
  const lines = [
    "auth secret-word",
    "auth default secret-word",
    "auth a b secret-word",
    "hello 3 auth default secret-word",
    "hello 2 auth default secret-word setname me",
    "hello 3 auht default secret-word",
    "config set requirepass secret-word",
    "config set masterauth secret-word slowlog-max-len 100",
    "config set secret-word secret-word",
    "command getkeys auth secret-word",
    "command getkeys auht secret-word",
    "acl setuser me >secret-word",
  ];
  for (const line of lines) {
    await say(client, line);
    await say(client, "multi");
    await say(client, line);
    await say(client, "exec");
    await other.call(...line.split(" "));
  }
  await say(client, "get last");
  const shown = await slowLines(client);
  assert(shown.includes("get last"));
  // A proxy authenticates its clients itself.
  assert(name === "proxy" || shown.includes("auth (redacted)"), shown.join(", "));
  assert(shown.includes("config set masterauth (redacted) slowlog-max-len 100") === (name === "server"));
  assertEquals(shown.filter((line) => line.includes("secret-word")), []);
});

testEachRole("a command that a pause holds back is observed once, when it runs", async ({ resp, role }) => {
  using client = await resp();
  using other = await resp();
  using watching = await resp();
  await say(client, "config set slowlog-log-slower-than 0");
  await say(watching, "monitor");
  await say(client, "client pause 600000 write");
  const { commands } = role.instruments;
  const position = COMMANDS.findIndex(({ name }) => name === "set");
  const before = commands.calls(position);
  await other.send("*3\r\n$3\r\nset\r\n$1\r\nk\r\n$1\r\nv\r\n");
  await until(async () => / flags=b /.test(await ask(client, "client", "list")), "the command is held back");
  await say(client, "client unpause");
  assertEquals(await readReplies(other, 1), [OK]);
  assertEquals(commands.calls(position), before + 1);
  await say(client, "ping last");
  const seen: string[] = [];
  while (seen.at(-1) !== '"ping" "last"') seen.push(commandOf((await readReplies(watching, 1))[0]!));
  assertEquals(seen.filter((line) => line.startsWith('"set"')), ['"set" "k" "v"']);
  assertEquals((await slowLines(client)).filter((line) => line.startsWith("set ")), ["set k v"]);
});

testEachRole("monitor is refused where it makes no sense, and restricts its client", async ({ resp, native }) => {
  using client = await resp();
  using other = await native();
  assertMatch(await other.call("monitor") as string, /^ERR monitor needs a connection that speaks RESP/);
  for (const line of ["multi", "monitor"]) await say(client, line);
  assertMatch(await say(client, "exec"), /^\*1\r\n-ERR MONITOR isn't allowed for DENY BLOCKING client\r/);
  assertMatch(await say(client, "monitor extra"), /^-ERR wrong number/);
  assertEquals(await say(client, "monitor"), OK);
  for (const line of ["get k", "set k v", "dbsize", "publish c m", "blpop l 0", "flushall"]) {
    assertMatch(await say(client, line), /^-ERR Replica can't interact with the keyspace\r/, line);
  }
});

testEachRole("monitor cuts off a client that does not read, and nothing is timed without one", async (tested) => {
  const { resp, role } = tested;
  using client = await resp();
  const lazy = await resp();
  await say(lazy, "client setname lazy");
  assertEquals(await say(lazy, "monitor"), OK);
  assertEquals(role.instruments.commands.timesAll, true);
  const lines = Math.ceil(3 * MESSAGES_MAX_BYTES / 100_000);
  const value = "\xff".repeat(1000);
  const batch = `*${22}\r\n$4\r\nmget\r\n${`$1000\r\n${value}\r\n`.repeat(21)}`;
  let sent = 0;
  await until(
    async () => {
      await client.send(batch.repeat(32));
      await readReplies(client, 32);
      sent += 32;
      return role.instruments.monitors.count === 0;
    },
    () => `the client is cut off after ${sent} of ${lines} requests`,
    60_000,
  );
  assertEquals(role.instruments.commands.timesAll, false);
  assertMatch(await say(client, "client list name lazy"), /^\$0\r/);
  lazy.close();
  // Its descriptor is freed later.
  await pause(2 * ABORT_DELAY_MS);
});

testEachRole("monitor ends with its connection", async ({ resp, role }) => {
  using client = await resp();
  const watching = await resp();
  await say(watching, "monitor");
  assertEquals(role.instruments.monitors.count, 1);
  watching.close();
  await until(() => role.instruments.monitors.count === 0, "the monitor is forgotten");
  assertEquals(await say(client, "ping"), "+PONG\r\n");
});

testEachRole("role and module list reply as a master without modules", async ({ resp, native }) => {
  using client = await resp();
  using other = await native();
  assertEquals(await say(client, "role"), "*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n");
  assertEquals(await other.call("role"), ["master", 0, []]);
  assertEquals(await say(client, "module list"), "*0\r\n");
  assertEquals(await other.call("module", "list"), []);
  assertMatch(await say(client, "module load /tmp/x.so"), /^-ERR MODULE command not allowed/);
});

/** Returns the names of the events that were recorded. */
async function eventsOf(client: RespClient): Promise<string[]> {
  return (await client.call("latency", "latest")).items!.map(({ items }) => items![0]!.body!);
}

testEachRole("latency records slow commands by their kind, and a process that was held up", async ({ resp, name }) => {
  using client = await resp();
  await say(client, "config set latency-monitor-threshold 5");
  // Both roles run in this process, so this holds up the proxy, too.
  await until(async () => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 40);
    await pause(1);
    return (await eventsOf(client)).includes("event-loop");
  }, "the loop was late");
  if (name === "proxy") return;
  await say(client, "debug sleep 0.02");
  assert((await eventsOf(client)).includes("command"));
  await say(client, "config set latency-monitor-threshold 0");
  await say(client, "latency reset");
  await say(client, "debug sleep 0.02");
  assertEquals(await eventsOf(client), []);
}, { enablesDebug: true });

Deno.test("latency records writes and syncs of a log on a slow disk", async () => {
  const dataPath = await Deno.makeTempDir({ prefix: "inmem-latency-" });
  // Every duration is long if the threshold is below 1 ms.
  for (const [fsync, sync] of [["always", "aof-fsync-always"], ["everysec", "aof-fsync"]] as const) {
    await withServers(1, async ([server]) => {
      using client = await RespClient.connect(server!.address.port);
      server!.instruments.latency.thresholdMs = 1e-6;
      await until(async () => {
        await say(client, "set k v");
        const events = await eventsOf(client);
        return events.includes("aof-write") && events.includes(sync) && events.includes("expire-cycle");
      }, `${sync} is recorded`);
    }, { dataPath: `${dataPath}/${fsync}`, fsync });
  }
  await Deno.remove(dataPath, { recursive: true });
});

Deno.test("the options of diagnosis hold from the start", async () => {
  await withServers(1, async ([server]) => {
    using client = await RespClient.connect(server!.address.port);
    assertEquals(server!.instruments.commands.timesAll, true);
    const settings = await client.call("config", "get", "slowlog-log-slower-than", "latency-monitor-threshold");
    assertEquals(
      new Set(settings.items!.map(({ body }) => body)),
      new Set([
        ...["slowlog-log-slower-than", "1000"],
        ...["latency-monitor-threshold", "7"],
      ]),
    );
    await say(client, "debug sleep 0.03");
    assertEquals((await slowLines(client))[0], "debug sleep 0.03");
    assert((await eventsOf(client)).includes("command"));
  }, { slowCommandMs: 1, latencyThresholdMs: 7, enablesDebug: true });
});
