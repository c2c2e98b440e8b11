/** Tests which settings `config set` changes on server and proxy, and that the refusals are Redis's. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { proxyOptions, serverOptions } from "../../src/role/option_tables.ts";
import type { Option, OptionTable } from "../../src/role/options.ts";
import { testEachRole } from "../support/each_role.ts";
import { ask } from "../support/proxy_rig.ts";
import type { RespClient } from "../support/resp_client.ts";

/** Asks with words that are separated by `|`. */
function say(client: RespClient, line: string): Promise<string> {
  return ask(client, ...line.split("|"));
}

/** Returns the value of a setting. */
async function valueOf(client: RespClient, name: string): Promise<string> {
  const { items } = await client.call("config", "get", name);
  assertEquals(items!.length, 2, name);
  return items![1]!.body!;
}

const FAILED = (name: string) => `-ERR CONFIG SET failed (possibly related to argument '${name}') - `;

/** Settings of a server with a new value, what `config get` then shows, and the option with what it shows. */
const OF_SERVER: readonly [name: string, value: string, shown: string, option: string, text: string][] = [
  ["maxclients", "500", "500", "max-clients", "500"],
  ["MaxClients", "501", "501", "max-clients", "501"],
  ["maxmemory-clients", "5mb", "5242880", "max-client-memory", "5mb"],
  ["maxmemory-clients", "2000k", "2000000", "max-client-memory", "2000000"],
  ["maxmemory", "5mb", "5242880", "max-memory", "5mb"],
  ["maxmemory-policy", "noeviction", "noeviction", "eviction", "none"],
  ["maxmemory-policy", "ALLKEYS-LRU", "allkeys-lru", "eviction", "lru"],
  ["appendfsync", "no", "no", "fsync", "never"],
  ["appendfsync", "always", "always", "fsync", "always"],
  ["auto-aof-rewrite-percentage", "50", "50", "snapshot-growth", "50%"],
  ["slowlog-log-slower-than", "20000", "20000", "slow-command", "20ms"],
  ["latency-monitor-threshold", "7", "7", "latency-threshold", "7ms"],
];
const OF_PROXY = ["maxclients", "maxmemory-clients", "slowlog-log-slower-than", "latency-monitor-threshold"];

testEachRole("config set changes a setting by Redis's name and by the option's", async ({ name, resp }) => {
  using client = await resp();
  for (const [setting, value, shown, option, text] of OF_SERVER) {
    if (name === "proxy" && !OF_PROXY.includes(setting.toLowerCase())) {
      assertMatch(await say(client, `config|set|${setting}|${value}`), /^-ERR /);
      continue;
    }
    const before = await valueOf(client, option);
    assertEquals(await say(client, `config|set|${setting}|${value}`), "+OK\r\n", setting);
    assertEquals([await valueOf(client, setting), await valueOf(client, option)], [shown, text], setting);
    assertEquals(await say(client, `config|set|${option}|${before}`), "+OK\r\n", option);
    assertEquals(await valueOf(client, option), before);
    assertEquals(await say(client, `config|set|${option}|${text}`), "+OK\r\n", option);
    assertEquals(await valueOf(client, setting), shown);
  }
  assertEquals(await say(client, "config|rewrite"), "-ERR The server is running without a config file\r\n");
});

testEachRole("the options that the pages call live are those that can change", async ({ name, servers, resp }) => {
  using client = await resp();
  const { items } = await client.call("config", "get", "*");
  const shown = new Set(items!.map(({ body }) => body));
  const table: OptionTable = name === "server" ? serverOptions : proxyOptions;
  for (const [option, { isLive }] of Object.entries(table.options)) {
    // The parameter of Redis with this name is another one.
    if (option !== "timeout") assertEquals(shown.has(option), isLive ?? false, option);
  }
  const live = Object.entries<Option>(serverOptions.options).filter(([, { isLive }]) => isLive).map(([option]) =>
    option
  );
  assertEquals(Object.keys(servers[0]!.live).toSorted(), live.toSorted());
});

testEachRole("config set refuses as Redis does, and changes nothing", async ({ name, resp }) => {
  using client = await resp();
  const before = await say(client, "config|get|*");
  const integer = "argument couldn't be parsed into an integer\r\n";
  const cases: [settings: string, refused: string, reason: string][] = [
    ["maxclients|abc", "maxclients", integer],
    ["maxclients|5.5", "maxclients", integer],
    ["maxclients|", "maxclients", integer],
    ["maxclients|0", "maxclients", "argument must be between 1 and "],
    ["maxclients|-1", "maxclients", "argument must be between 1 and "],
    ["maxclients|5|maxclients|6", "maxclients", "duplicate parameter\r\n"],
    ["maxclients|5|MAXCLIENTS|6", "maxclients", "duplicate parameter\r\n"],
    ["maxmemory-clients|lots", "maxmemory-clients", "argument must be a memory value\r\n"],
    ["maxmemory-clients|1.5mb", "maxmemory-clients", "argument must be a memory value\r\n"],
    ["maxmemory-clients|-1", "maxmemory-clients", "argument must be a memory value\r\n"],
    ["maxmemory-clients|1e9", "maxmemory-clients", "argument must be a memory value\r\n"],
    ["maxmemory-clients|1", "maxmemory-clients", "argument must be between "],
    ["maxclients|50|maxmemory-clients|lots", "maxmemory-clients", "argument must be a memory value\r\n"],
    ["max-clients|lots", "max-clients", 'Cannot parse number "lots": expected 1 to 1000000'],
    ["max-client-memory|1kb", "max-client-memory", 'Cannot use size "1kb"'],
    ["slow-command|soon", "slow-command", 'Cannot parse duration "soon"'],
    ["databases|5", "databases", "can't set immutable config\r\n"],
    ["port|1", "port", "can't set immutable config\r\n"],
  ];
  if (name === "server") {
    cases.push(
      [
        "maxmemory-policy|x",
        "maxmemory-policy",
        "argument(s) must be one of the following: allkeys-lru, noeviction\r\n",
      ],
      ["maxmemory|lots", "maxmemory", "argument must be a memory value\r\n"],
      ["maxmemory|0", "maxmemory", "argument must be between 4194304 and "],
      ["max-memory|32gb", "max-memory", "argument must be at most "],
      ["appendfsync|x", "appendfsync", "argument(s) must be one of the following: everysec, always, no\r\n"],
      ["auto-aof-rewrite-percentage|-1", "auto-aof-rewrite-percentage", "argument must be between 0 and "],
      ["eviction|lfu", "eviction", 'Cannot use "eviction" "lfu": expected lru or none'],
      ["default-ttl|-1s", "default-ttl", "Cannot parse duration"],
    );
  } else {
    cases.push(["maxclients|50|slowlog-max-len|5", "maxclients", "it changes only the proxy"]);
  }
  for (const [settings, refused, reason] of cases) {
    const reply = await say(client, `config|set|${settings}`);
    assert(reply.startsWith(FAILED(refused) + reason), `${settings}: ${reply}`);
  }
  for (const unknown of ["nosuch|1", "__proto__|1", "maxclients|50|nosuch|1"]) {
    assertMatch(await say(client, `config|set|${unknown}`), /^-ERR Unknown option or number of arguments /, unknown);
  }
  assertMatch(await say(client, "config|set|maxclients"), /^-ERR wrong number of arguments/);
  assertMatch(await say(client, "config|rewrite|now"), /^-ERR wrong number of arguments/);
  assertEquals(await say(client, "config|get|*"), before);
});

testEachRole("the limits of a proxy's clients are its own", async ({ name, resp, servers }) => {
  using client = await resp();
  assertEquals(await say(client, "config|set|maxclients|77|max-client-memory|3mb"), "+OK\r\n");
  for (const { clientMemory, live } of servers) {
    assertEquals(clientMemory.limitBytes === 3 * 1024 ** 2, name === "server");
    assertEquals(live["max-clients"]!.read() === 77, name === "server");
  }
});

testEachRole("fewer clients than there are: those stay, and the next one is refused", async ({ resp }) => {
  using client = await resp();
  using second = await resp();
  assertEquals(await say(second, "ping"), "+PONG\r\n");
  assertEquals(await say(client, "config|set|maxclients|1"), "+OK\r\n");
  assertEquals(await say(second, "ping"), "+PONG\r\n");
  {
    using third = await resp();
    assertEquals(
      await third.call("ping").then(({ line }) => line, () => "closed"),
      "ERR max number of clients reached",
    );
  }
  assertEquals(await say(client, "config|set|maxclients|10"), "+OK\r\n");
  using fourth = await resp();
  assertEquals(await say(fourth, "ping"), "+PONG\r\n");
});

testEachRole("a time to live by default holds for open connections, too", async ({ name, resp, native }) => {
  if (name === "proxy") return;
  using client = await resp();
  using other = await native();
  await say(client, "set|before|v");
  assertEquals(await other.call("set", "other", "v"), "OK");
  assertEquals(await say(client, "config|set|default-ttl|1h"), "+OK\r\n");
  await say(client, "set|after|v");
  assertEquals(await other.call("rpush", "list", "v"), 1);
  for (const [key, hasTtl] of [["before", false], ["other", false], ["after", true], ["list", true]] as const) {
    assertEquals(Number((await say(client, `ttl|${key}`)).slice(1, -2)) > 0, hasTtl, key);
  }
  assertEquals(await say(client, "config|set|default-ttl|0"), "+OK\r\n");
  assertEquals(await valueOf(client, "default-ttl"), "0");
  assertEquals(await other.call("set", "later", "v"), "OK");
  assertEquals(await say(client, "ttl|later"), ":-1\r\n");
});
