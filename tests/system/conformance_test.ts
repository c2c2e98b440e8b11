/**
 * Sends the same valid and invalid requests to inmem and to the real redis-server, in RESP2 and RESP3, and compares the
 * replies byte by byte.
 *
 * The requests are in `tests/conformance/corpus/`. The parts of replies that are not compared are in `comparers.ts`,
 * and the accepted differences in `differences.ts`.
 */

import { assert, assertEquals, fail } from "@std/assert";
import { acceptsCount, COMMANDS } from "../../src/catalog/specification.ts";
import type { Logger } from "../../src/role/logger.ts";
import { startServer } from "../../src/server/main.ts";
import { comparable } from "../conformance/comparers.ts";
import { GROUPS, GUARDED_GROUPS } from "../conformance/corpus/mod.ts";
import { DIFFERENCES } from "../conformance/differences.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";
import { decodeFrame, type Frame } from "../support/resp_frames.ts";
import { Comparison, formatMismatch, Player, type Target, type Version } from "../conformance/runner.ts";
import { type Group, transcript } from "../conformance/transcript.ts";

/** The version that the corpus is made for. Other versions reply differently to some requests. */
const VERSION = /^7\.0\./;
const PASSWORD = "secret";
const VERSIONS: readonly Version[] = [2, 3];
/** Clients that must authenticate send `hello` themselves, so one run is sufficient. */
const GUARDED_VERSIONS: readonly Version[] = [2];
/** Options that make the replies of `config get` equal: one database, and the memory and eviction of `withInmem`. */
const AS_INMEM = ["--databases", "1", "--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru"];
/** The names of commands that redis-server does not have. */
const OWN_NAMES = ["lget", "remove", "size", "flush", "flushslots", "hotkeys", "bigkeys"];
/** The corpus uses `debug sleep`. With this `hz`, the server looks for expired timeouts every 2 ms. */
const REDIS_WORDS = ["--enable-debug-command", "yes", "--hz", "500", ...AS_INMEM];
/** The number of failures that are shown. After a first failure others often follow. */
const SHOWN_COUNT = 25;

const version = await redisVersion();
const lacks = version === undefined
  ? "redis-server is not on PATH"
  : VERSION.test(version)
  ? undefined
  : `redis-server is ${version}, not 7.0`;

const quiet: Logger = { info() {}, warn() {}, error: (message, fields) => console.error(message, fields) };

/** Defines a test that needs redis-server. */
function redisTest(name: string, body: (test: Deno.TestContext) => Promise<void>): void {
  Deno.test({
    name: lacks === undefined ? name : `${name} (ignored: ${lacks})`,
    ignore: lacks !== undefined,
    fn: body,
  });
}

/** Runs `body` against an inmem in this process. */
async function withInmem(password: string | undefined, body: (target: Target) => Promise<void>): Promise<void> {
  const dataPath = await Deno.makeTempDir({ prefix: "inmem-conformance-" });
  const server = await startServer({
    hostname: "127.0.0.1",
    port: 0,
    dataPath,
    memoryLimitBytes: 256 * 1024 * 1024,
    evicts: true,
    defaultTtlMs: 0,
    maxClients: 100,
    enablesDebug: true,
    logger: quiet,
    password,
  });
  try {
    await body({ port: server.address.port, password });
  } finally {
    await server.stop();
    await Deno.remove(dataPath, { recursive: true });
  }
}

function startRedis(password: string | undefined): Promise<RedisServer> {
  return RedisServer.start(...REDIS_WORDS, ...(password === undefined ? [] : ["--requirepass", password]));
}

/** Plays groups on both sides. Each is a step of the test and fails with its mismatches. */
async function playGroups(
  test: Deno.TestContext,
  groups: readonly Group[],
  versions: readonly Version[],
  comparison: Comparison,
): Promise<void> {
  for (const group of groups) {
    for (const version of versions) {
      await test.step(`${group.name}, RESP${version}`, async () => {
        const known = comparison.mismatches.length;
        for (const scenario of group.scenarios) await comparison.play(scenario, version);
        const found = comparison.mismatches.slice(known);
        const shown = found.slice(0, SHOWN_COUNT).map(formatMismatch).join("\n");
        if (found.length > 0) fail(`${found.length} replies differ from those of redis-server:\n${shown}`);
      });
    }
  }
}

redisTest("inmem replies byte by byte as redis-server does", async (test) => {
  const unseen = new Set(DIFFERENCES);
  const all = [[GROUPS, VERSIONS, undefined], [GUARDED_GROUPS, GUARDED_VERSIONS, PASSWORD]] as const;
  for (const [groups, versions, password] of all) {
    await withInmem(password, async (inmem) => {
      await using redis = await startRedis(password);
      using expected = await Player.open({ port: redis.port, password });
      using actual = await Player.open(inmem);
      const comparison = new Comparison(expected, actual, DIFFERENCES);
      await playGroups(test, groups, versions, comparison);
      assert(comparison.commands > 50);
      for (const difference of comparison.seen) unseen.delete(difference);
    });
  }
  await test.step("every listed difference occurs", () => {
    assertEquals([...unseen], []);
  });
});

redisTest("Comparison finds differences, and listed ones that do not occur", async () => {
  await using left = await startRedis(undefined);
  await using right = await RedisServer.start("--databases", "3");
  using expected = await Player.open(left);
  using actual = await Player.open(right);
  const scenario = {
    name: "databases",
    steps: transcript`set k v | get k
    config get databases
    debug sleep 0
    b> :raw "*x\r\n" => closed
    select 2`,
  };
  const meant = { scenario: "databases", step: "select 2", inmem: "+OK\\r\\n", reason: "" };
  const wrong = { scenario: "databases", step: "config get databases", inmem: "*0\\r\\n", reason: "" };
  const gone = { scenario: "databases", step: "set k v | get k", inmem: "", reason: "" };
  const text = { redis: "PONG", inmem: "PONK", reason: "" };
  const comparison = new Comparison(expected, actual, [meant, wrong, gone, text]);
  for (const version of VERSIONS) await comparison.play(scenario, version);

  const [first, second] = comparison.mismatches;
  assertEquals(comparison.mismatches.map(({ step, version }) => `${step.line} ${version}`), [
    "config get databases 2",
    "debug sleep 0 2",
    "config get databases 3",
    "debug sleep 0 3",
  ]);
  assertEquals(first!.expected, "*2\\r\\n$9\\r\\ndatabases\\r\\n$1\\r\\n1\\r\\n");
  assertEquals(first!.actual, "*2\\r\\n$9\\r\\ndatabases\\r\\n$1\\r\\n3\\r\\n");
  assert(
    formatMismatch(second!).includes("databases, RESP2: a> debug sleep 0\n  redis  +OK\\r\\n\n  inmem  -ERR DEBUG"),
  );
  assertEquals([...comparison.seen], [meant]);
  assertEquals(comparison.commands, 2 * 6);
});

/** Returns the frames of some bytes. */
function framesOf(text: string): Frame[] {
  const bytes = new TextEncoder().encode(text);
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const { frame, end } = decodeFrame(bytes, at, bytes.length)!;
    frames.push(frame);
    at = end;
  }
  return frames;
}

const isSame = (command: string, left: string, right: string) => {
  const words = command.split(" ").filter((word) => word !== "");
  return comparable(framesOf(left), words) === comparable(framesOf(right), words);
};

redisTest("commands of Redis are as old as their rows say", async () => {
  await using redis = await startRedis(undefined);
  using client = await RespClient.connect(redis.port);
  const { items: docs = [] } = await client.call("command", "docs");
  const since = new Map<string, string>();
  for (let i = 0; i < docs.length; i += 2) {
    const facts = docs[i + 1]!.items!.map(({ body }) => body);
    since.set(docs[i]!.body!, facts[facts.indexOf("since") + 1]!);
  }
  for (const command of COMMANDS) {
    const known = [command.name, ...command.aliases].find((name) => since.has(name));
    assertEquals(command.since, known === undefined ? undefined : since.get(known), command.name);
  }
});

Deno.test("the corpus contains every command, also with too few arguments", () => {
  const requests = [...GROUPS, ...GUARDED_GROUPS]
    .flatMap(({ scenarios }) => scenarios.flatMap(({ steps }) => steps.flatMap(({ commands }) => commands)));
  const isAsked = (name: string, isRight: (count: number) => boolean) =>
    requests.some(([word, ...rest]) => word!.toLowerCase() === name && isRight(rest.length + 1));
  for (const { name, aliases, arity } of COMMANDS) {
    for (const each of [name, ...aliases].filter((candidate) => !OWN_NAMES.includes(candidate))) {
      assert(isAsked(each, (count) => acceptsCount(arity, count)), `"${each}" is not asked for`);
      if (arity === -1) continue;
      assert(isAsked(each, (count) => !acceptsCount(arity, count)), `"${each}" is always asked for with its arguments`);
    }
  }
});

Deno.test("comparable() ignores order only where it is undefined", () => {
  const ab = "*2\r\n$1\r\na\r\n$1\r\nb\r\n";
  const ba = "*2\r\n$1\r\nb\r\n$1\r\na\r\n";
  assert(isSame("KEYS *", ab, ba));
  assert(!isSame("mget a b", ab, ba));
  assert(!isSame("hgetall h", ab, ba), "field and value are not to be swapped");
  assert(!isSame("keys *", ab, ab.replace("*", "~")));
  assert(!isSame("keys *", ab, "*1\r\n$1\r\na\r\n"));
  assert(isSame("hgetall h", "%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", "%2\r\n+b\r\n:2\r\n+a\r\n:1\r\n"));
  assert(!isSame("hgetall h", "%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", "%2\r\n+b\r\n:1\r\n+a\r\n:2\r\n"));
  assert(!isSame("get k", "$-1\r\n", "_\r\n"));
  assert(!isSame("get k", "$-1\r\n", "*-1\r\n"));
  assert(!isSame("keys *", "-ERR a\r\n", "-ERR b\r\n"));
  assert(!isSame("time", "-ERR 1\r\n", "-ERR 2\r\n"), "errors are compared whole");
});

Deno.test("comparable() ignores values of the moment", () => {
  assert(isSame("time", "*2\r\n$2\r\n10\r\n$1\r\n5\r\n", "*2\r\n$2\r\n11\r\n$2\r\n60\r\n"));
  assert(isSame("pttl k", ":99998\r\n", ":100000\r\n"));
  assert(!isSame("pttl k", ":-1\r\n", ":-2\r\n"));
  assert(!isSame("pttl k", ":100000\r\n", ":300000\r\n"));
  assert(!isSame("ttl k", ":99\r\n", ":100\r\n"));
  const message = (pattern: string) => `*4\r\n+pmessage\r\n+${pattern}\r\n+c\r\n+m\r\n`.replaceAll("+pm", "$8\r\npm");
  assert(isSame("", message("a") + message("b"), message("b") + message("a")));
  assert(!isSame("", message("a") + message("b"), message("b") + message("b")));
});

Deno.test("transcript() reads words, quotes, escapes, connections and expectations", () => {
  const steps = transcript`
    # nothing
    set k "two \"words\"\r\n\x00" ""

    b> get k | get ${"x".repeat(100)} => blocked
    c> :raw "*1\r\n" => closed
    :read 2
    :sleep 5
    :end
  `;
  assertEquals(
    steps.map(({ connection, kind, commands, raw, expects }) => [connection, kind, commands, raw, expects]),
    [
      ["a", "send", [["set", "k", 'two "words"\r\n\0', ""]], undefined, 1],
      ["b", "send", [["get", "k"], ["get", "x".repeat(100)]], undefined, "blocked"],
      ["c", "send", [], "*1\r\n", "closed"],
      ["a", "read", [], undefined, 2],
      ["a", "sleep", [], undefined, 0],
      ["a", "end", [], undefined, 0],
    ],
  );
  assertEquals(steps[1]!.line, "b> get k | get xxxxxxxx…(100 bytes) => blocked");
});
