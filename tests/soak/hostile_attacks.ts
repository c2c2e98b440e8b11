/**
 * The attacks, a line each.
 *
 * ```text
 * on("server", "exists", "1 M keys", sends(() => [["exists", ...names(n(1e6))]], { served: true }))
 *     place     name      size        what is done: attack.ts has the kinds, hostile_scenes.ts those in several acts
 * ```
 *
 * Sizes are those that the limits allow at most (limits.ts), or those at which a server was once held for seconds.
 * Where `served` is set, a refusal is a failure as well; elsewhere it is a remedy as good as any.
 *
 * @module
 */

import { COMMANDS, type CommandSpecification } from "../../src/command/specification.ts";
import { ARGUMENTS_MAX_COUNT } from "../../src/limits.ts";
import type { Request } from "../support/hostile/attack_connection.ts";
import {
  amid,
  type Attack,
  before,
  filled,
  inBatches,
  names,
  repeat,
  rests,
  sends,
} from "../support/hostile/attack.ts";
import type { Sending } from "../support/hostile/attack.ts";
import type { Place } from "../support/hostile/battlefield.ts";
import { fuzzes, goneWaiters, leavesLosing, messagesOfOthers, ownMessage, remapLoses } from "./hostile_scenes.ts";
import { silentSubscriber } from "./hostile_scenes.ts";

const MB = 1024 * 1024;
const KB = 1024;
const SERVED: Sending = { served: true };
/** Commands of the sweep that are left out: they end or change the connection, or hold the server by design. */
const NOT_SWEPT: ReadonlySet<string> = new Set(["multi", "exec", "discard", "reset", "quit", "debug"]);

/** Returns all attacks; `scale` is a factor for their sizes. */
export function attacks(scale = 1): Attack[] {
  const n = (count: number) => Math.max(1, Math.round(count * scale));
  const rows = [...inFindings(n), ...ofManyArguments(n), ...onLargeValues(n), ...ofMany(n), ...sweep(n)];
  const repeated = rows.map(({ name }) => name).find((name, i, all) => all.indexOf(name) !== i);
  if (repeated !== undefined) throw new Error(`Two attacks have the name "${repeated}"`);
  return rows;
}

type Scaled = (count: number) => number;

function on(place: Place, name: string, size: string, run: Attack["run"], load: Attack["load"] = () => []): Attack {
  return { place, name, size, run, load };
}

const hash = (count: number) => () => inBatches(["hset", "hash"], names(count).flatMap((name) => [name, "v"]));
const list = (count: number) => () => inBatches(["rpush", "list"], names(count, "e"));
const keys = (count: number) => () => inBatches(["mset"], names(count).flatMap((name) => [name, "v"]));
const text = (bytes: number) => () => [["set", "text", filled(bytes)]];
const long = (count: number, bytes: number) => () =>
  repeat(count / 100, ["rpush", "long", ...wide(100, filled(bytes))]);
const wide = <T>(count: number, item: T): T[] => new Array<T>(count).fill(item);

/** What once held a server for seconds, ended it, or lost data. */
function inFindings(n: Scaled): Attack[] {
  const pattern = "?".repeat(1000);
  const patterns = (count: number, length: number) => names(count, pattern.slice(0, length - 6));
  const values = (count: number): Request[] => [["mget", ...wide(count, "text")]];
  const ping: Request = ["ping"];
  const queued = (count: number, request: Request, last = "discard") => [["multi"], ...repeat(count, request), [last]];
  const bulk = (): Request => ["set", "half", filled(n(20 * MB))];
  const half = (): Request => ["set", "half", filled(n(60 * MB))];
  return [
    on("server", "rest", "the observer alone", rests(1_000)),
    // Transactions: what is queued.
    on("server", "multi-ping", "980 k queued", sends(() => queued(n(980_000), ping))),
    on("heap", "multi-ping-heap", "980 k, heap of 700 MB", sends(() => queued(n(980_000), ping))),
    on("heap", "multi-ping-heap-6", "6 x 980 k, heap of 700 MB", sends(() => queued(n(980_000), ping), { clients: 6 })),
    on("server", "multi-exec", "500 k ping", sends(() => queued(n(500_000), ping, "exec"))),
    on(
      "small",
      "multi-set",
      "12 x 20 k of 1 kB",
      sends(() => queued(n(20_000), ["set", "k", filled(1000)]), { clients: 12 }),
    ),
    on(
      "proxy",
      "multi-set-proxy",
      "12 x 20 k of 1 kB",
      sends(() => queued(n(20_000), ["set", "k", filled(1000)]), { clients: 12 }),
    ),
    on(
      "small",
      "multi-set-held",
      "6 x 20 MB, never run",
      sends(() => [["multi"], ...repeat(n(20_000), ["set", "k", filled(1000)])], {
        clients: 6,
        readsNothingForMs: 6_000,
      }),
    ),
    on(
      "server",
      "multi-lpos",
      "100 on 1 M",
      sends(() => queued(n(100), ["lpos", "list", "no"], "exec"), SERVED),
      list(n(1e6)),
    ),
    on(
      "server",
      "multi-keys",
      "20 on 500 k",
      sends(() => queued(20, ["keys", "no*"], "exec"), SERVED),
      keys(n(500_000)),
    ),
    on(
      "server",
      "multi-exists",
      "50 x 20 k keys",
      sends(() => queued(50, ["exists", ...names(n(20_000))], "exec"), SERVED),
    ),
    on(
      "server",
      "multi-hgetall",
      "20 on 500 k",
      sends(() => queued(20, ["hgetall", "hash"], "exec")),
      hash(n(500_000)),
    ),
    // Channels: names, patterns, messages.
    on("server", "publish-name", "60 MB", sends(() => [["publish", filled(n(60 * MB)), "x"]])),
    on("heap", "publish-name-heap", "60 MB, heap of 700 MB", sends(() => [["publish", filled(n(60 * MB)), "x"]])),
    on("server", "subscribe-name", "60 MB", sends(() => [["subscribe", filled(n(60 * MB))]], { resp3: true })),
    on("server", "unsubscribe-name", "60 MB", sends(() => [["unsubscribe", filled(n(60 * MB))]], { resp3: true })),
    on(
      "server",
      "subscribe-names",
      "8 of 30 MB",
      sends(() => names(8).map((name) => ["subscribe", tagged(name, n(30 * MB))]), { resp3: true }),
    ),
    on(
      "server",
      "subscribe-many",
      "100 k, and unsubscribe",
      sends(() => [["subscribe", ...names(n(100_000))], ["unsubscribe"]], { resp3: true }),
    ),
    on("server", "subscribe-1m", "1 M", sends(() => [["subscribe", ...names(n(1e6))]], { resp3: true })),
    on("server", "unsubscribe-1m", "1 M", sends(() => [["unsubscribe", ...names(n(1e6))]], { resp3: true })),
    on(
      "server",
      "psubscribe",
      "20 k of 1,000 B",
      sends(() => [...inBatches(["psubscribe"], patterns(n(20_000), 1000), 2_000)], { resp3: true }),
    ),
    on(
      "server",
      "psubscribe-one",
      "10 k of 900 B in one",
      sends(() => [["psubscribe", ...patterns(n(10_000), 900)]], { resp3: true }),
    ),
    on(
      "server",
      "psubscribe-publish",
      "20 k, 20 publish",
      sends(
        () => [
          ...inBatches(["psubscribe"], patterns(n(20_000), 1000), 2_000),
          ...repeat(20, ["publish", "c".repeat(1000), "x"]),
        ],
        { resp3: true },
      ),
    ),
    on(
      "server",
      "psubscribe-stars",
      "20 k of 100 stars",
      sends(
        () => [["psubscribe", ...names(n(20_000), "*a".repeat(50))], ...repeat(20, ["publish", "a".repeat(1000), "x"])],
        { resp3: true },
      ),
    ),
    on("server", "psubscribe-1m", "1 M short", sends(() => [["psubscribe", ...names(n(1e6))]], { resp3: true })),
    on("server", "punsubscribe-1m", "1 M short", sends(() => [["punsubscribe", ...names(n(1e6))]], { resp3: true })),
    on("server", "publish-own", "33 MB in multi", ownMessage(n(33 * MB))),
    on("server", "messages-others", "33 MB", messagesOfOthers(n(33 * MB), n(200))),
    on("proxy", "messages-others-proxy", "33 MB", messagesOfOthers(n(33 * MB), n(200))),
    on("server", "subscriber-silent", "20 k of 10 kB", silentSubscriber(n(20_000), 10_000, 1)),
    on("proxy", "subscriber-silent-proxy", "20 k of 10 kB", silentSubscriber(n(20_000), 10_000, 1)),
    on("server", "subscriber-silent-40", "40, 4 k of 10 kB", silentSubscriber(n(4_000), 10_000, 40)),
    // Counts that data do not bound.
    on("server", "hrandfield-1m", "-1 M of 500 k", sends(() => [["hrandfield", "hash", "-1000000"]]), hash(n(500_000))),
    on(
      "server",
      "hrandfield-50m",
      "-50 M of 500 k",
      sends(() => [["hrandfield", "hash", `-${n(50e6)}`]]),
      hash(n(500_000)),
    ),
    on(
      "server",
      "hrandfield-max",
      "-9e18 of 1",
      sends(() => [["hset", "tiny", "", ""], ["hrandfield", "tiny", "-9000000000000000000"]]),
    ),
    on(
      "server",
      "hrandfield-values",
      "-1e9 withvalues of 1",
      sends(() => [["hset", "tiny", "f", "v"], ["hrandfield", "tiny", "-1000000000", "withvalues"]]),
    ),
    on(
      "server",
      "hrandfield-leaves",
      "-50 M, leaves",
      sends(() => [["hrandfield", "hash", `-${n(50e6)}`]], { leavesAfterMs: 100 }),
      hash(n(500_000)),
    ),
    on(
      "server",
      "hrandfield-8",
      "8 x -1 M of 200 k",
      sends(() => [["hrandfield", "hash", "-1000000"]], { clients: 8 }),
      hash(n(200_000)),
    ),
    on(
      "server",
      "hrandfield-all",
      "500 k of 500 k",
      sends(() => [["hrandfield", "hash", "500000"]], SERVED),
      hash(n(500_000)),
    ),
    on(
      "server",
      "hrandfield-native",
      "-1 M of 500 k, native",
      sends(() => [["hrandfield", "hash", "-1000000"]], { protocol: "native" }),
      hash(n(500_000)),
    ),
    on(
      "proxy",
      "hrandfield-proxy",
      "-20 M of 1",
      sends(() => [["hset", "tiny", "", ""], ["hrandfield", "tiny", `-${n(20e6)}`]]),
    ),
    on("remap", "remap-busy", "hrandfield -20 M", remapLoses(n(5_000), ["hrandfield", "{hang}h", `-${n(20e6)}`])),
    on("remap", "remap-large", "mget of 480 MB", remapLoses(n(5_000), ["mget", ...wide(8, "{hang}text")], n(60 * MB))),
    on("server", "debug-sleep", "30 s", sends(() => [["debug", "sleep", "30"]])),
    on(
      "server",
      "debug-sleep-infinity",
      "Infinity",
      sends(() => [["debug", "sleep", "Infinity"]], { leavesAfterMs: 1_000 }),
    ),
    // Watches, waiters.
    on("server", "watch-5k", "5 k keys", sends(() => [["watch", ...names(n(5_000))]])),
    on("server", "watch-40k", "40 k keys", sends(() => [["watch", ...names(n(40_000))]])),
    on("server", "watch-1m", "1 M keys", sends(() => [["watch", ...names(n(1e6))]])),
    on("server", "watch-20", "20 x 10 k keys", sends(() => [["watch", ...names(n(10_000))]], { clients: 20 })),
    on(
      "server",
      "watch-set",
      "20 x 10 k, and all set",
      sends(() => [["watch", ...names(n(10_000))], ["mset", ...names(n(20_000))]], { clients: 20 }),
    ),
    on(
      "server",
      "blpop-500k",
      "500 k keys, leaves",
      sends(() => [["blpop", ...names(n(500_000)), "0"]], { leavesAfterMs: 4_000 }),
    ),
    on("server", "blpop-1m-time", "1 M keys, 0.01 s", sends(() => [["blpop", ...names(n(1e6)), "0.01"]])),
    on(
      "server",
      "blpop-20",
      "20 x 50 k keys, leave",
      sends(() => [["blpop", ...names(n(50_000)), "0"]], { clients: 20, leavesAfterMs: 3_000 }),
    ),
    on("server", "waiters-gone", "15 x blpop, closed", goneWaiters(15)),
    on("proxy", "waiters-gone-proxy", "15 x blpop, closed", goneWaiters(15)),
    on("server", "waiter-leaves", "100 kB after blpop", leavesLosing(7_200)),
    on("proxy", "waiter-leaves-proxy", "100 kB after blpop", leavesLosing(7_200)),
    on("server", "waiter-leaves-4mb", "4 MB after blpop", leavesLosing(n(290_000))),
    on(
      "server",
      "waiters-served",
      "4 k wait, rpush of 4 k",
      before(n(4_000), ["blpop", "q", "0"], sends(() => [["rpush", "q", ...names(n(4_000))]], SERVED)),
    ),
    // Clients together.
    on(
      "server",
      "slow-lrange-25",
      "25 x 100 MB, unread",
      sends(() => [["lrange", "long", "0", "-1"]], { clients: 25, readsNothingForMs: 8_000 }),
      long(n(10_000), 10_000),
    ),
    on(
      "server",
      "slow-mget-2",
      "2 x 960 MB, unread",
      sends(() => values(n(15)), { clients: 2, readsNothingForMs: 8_000 }),
      text(n(64 * MB)),
    ),
    on(
      "server",
      "slow-pipeline",
      "10 k get of 10 kB, unread",
      sends(() => repeat(n(10_000), ["get", "text"]), { readsNothingForMs: 5_000 }),
      text(10_000),
    ),
    on("server", "uploads-60", "60 x 20 MB, half", halves(60, bulk)),
    on("server", "uploads-6", "6 x 60 MB, half", halves(6, half)),
    on("proxy", "uploads-6-proxy", "6 x 60 MB, half", halves(6, half)),
    on("tls", "uploads-6-tls", "6 x 60 MB, half", halves(6, half)),
    on("server", "uploads-args", "60 x 1 M arguments, half", halves(60, () => ["mset", ...names(n(1e6))])),
    // Batches of cheap requests.
    on("server", "lpos-300", "300 on 1 M", sends(() => repeat(n(300), ["lpos", "list", "no"]), SERVED), list(n(1e6))),
    on(
      "server",
      "lpos-300-native",
      "300 on 1 M, native",
      sends(() => repeat(n(300), ["lpos", "list", "no"]), { served: true, protocol: "native" }),
      list(n(1e6)),
    ),
    on(
      "server",
      "lpos-20",
      "20 x 100 on 1 M",
      sends(() => repeat(n(100), ["lpos", "list", "no"]), { served: true, clients: 20 }),
      list(n(1e6)),
    ),
    // Random frames.
    on("server", "fuzz", "40 k frames", fuzzes(n(400), 100)),
    on("proxy", "fuzz-proxy", "40 k frames", fuzzes(n(400), 100)),
    on("tls", "fuzz-tls", "20 k frames", fuzzes(n(200), 100)),
  ];

  /** All of a request but its last byte. */
  function halves(clients: number, request: () => Request): Attack["run"] {
    return sends(() => [request()], { clients, readsNothingForMs: 5_000, holdsBack: 1 });
  }
}

/** A name of so many bytes. */
function tagged(name: string, bytes: number): Uint8Array {
  const found = filled(Math.max(bytes, name.length));
  found.set(new TextEncoder().encode(name));
  return found;
}

/** One request of many arguments. */
function ofManyArguments(n: Scaled): Attack[] {
  const many = () => names(n(1e6));
  const pairs = () => names(n(500_000)).flatMap((name) => [name, "v"]);
  const max = n(ARGUMENTS_MAX_COUNT - 10);
  const row = (name: string, size: string, request: () => Request, sending: Sending = {}, load?: Attack["load"]) =>
    on("server", name, size, sends(() => [request()], sending), load);
  return [
    row("exists", "1 M keys", () => ["exists", ...many()], SERVED, keys(n(500_000))),
    row(
      "exists-native",
      "1 M keys, native",
      () => ["exists", ...many()],
      { served: true, protocol: "native" },
      keys(n(500_000)),
    ),
    row("touch", "1 M keys", () => ["touch", ...many()], SERVED, keys(n(500_000))),
    row("del", "1 M keys", () => ["del", ...many()], SERVED, keys(n(500_000))),
    row("unlink", "1 M keys", () => ["unlink", ...many()], SERVED, keys(n(500_000))),
    row("del-same", "1 M, the same", () => ["del", ...wide(max, "k")], { served: true }),
    row("mget-many", "1 M keys", () => ["mget", ...many()], SERVED, keys(n(500_000))),
    row("mset", "500 k pairs", () => ["mset", ...pairs()], SERVED),
    row("mset-native", "500 k pairs, native", () => ["mset", ...pairs()], { served: true, protocol: "native" }),
    row("msetnx", "500 k pairs", () => ["msetnx", ...pairs()], SERVED),
    row("mset-same", "500 k pairs, the same", () => ["mset", ...wide(n(1e6), "k")], SERVED),
    row("hset", "500 k pairs", () => ["hset", "h", ...pairs()], SERVED),
    row("hmget", "1 M fields", () => ["hmget", "hash", ...many()], SERVED, hash(n(500_000))),
    row("hdel", "1 M fields", () => ["hdel", "hash", ...many()], SERVED, hash(n(500_000))),
    row("rpush", "1 M elements", () => ["rpush", "l", ...many()], SERVED),
    row("lpush", "1 M elements", () => ["lpush", "l", ...many()], SERVED),
    row("rpushx", "1 M elements", () => ["rpushx", "list", ...many()], SERVED, list(10)),
    row("command-docs", "100 k names", () => ["command", "docs", ...wide(n(100_000), "get")]),
    row("command-info", "1 M names", () => ["command", "info", ...wide(n(1e6), "get")]),
    row("command-getkeys", "1 M keys", () => ["command", "getkeys", "mget", ...many()]),
    row("command-getkeysandflags", "1 M keys", () => ["command", "getkeysandflags", "mset", ...many()]),
    row("config-get", "100 k x *", () => ["config", "get", ...wide(n(100_000), "*")]),
    row("config-get-long", "100 k x 100 stars", () => ["config", "get", ...wide(n(100_000), "*a".repeat(100))]),
    row("client-list-id", "1 M ids", () => ["client", "list", "id", ...wide(n(1e6), "1")]),
    row("client-kill", "500 k filters", () => ["client", "kill", ...wide(n(500_000), ["id", "999999"]).flat()]),
    row("pubsub-numsub", "1 M channels", () => ["pubsub", "numsub", ...many()]),
    row("object-many", "1 M keys", () => ["object", "encoding", ...many()]),
    row("memory-many", "1 M keys", () => ["memory", "usage", ...many()]),
    row("info-sections", "1 M sections", () => ["info", ...wide(n(1e6), "server")]),
    row("hello-many", "1 M options", () => ["hello", "3", ...wide(n(1e6), "setname")]),
    row("set-options", "1 M options", () => ["set", "k", "v", ...wide(n(1e6), "keepttl")]),
    row(
      "lpos-options",
      "500 k options",
      () => ["lpos", "list", "e1", ...wide(n(500_000), ["rank", "1"]).flat()],
      {},
      list(10),
    ),
    row("scan-options", "500 k options", () => ["scan", "0", ...wide(n(500_000), ["match", "*a".repeat(100)]).flat()]),
    on("data", "mset-data", "500 k pairs, with a log", sends(() => [["mset", ...pairs()]], SERVED)),
    on("data", "del-data", "1 M keys, with a log", sends(() => [["del", ...many()]], SERVED), keys(n(500_000))),
    on("data", "rpush-data", "1 M, with a log", sends(() => [["rpush", "l", ...many()]], SERVED)),
    on("proxy", "mset-proxy", "500 k pairs", sends(() => [["mset", ...pairs()]], SERVED)),
    on("proxy", "mget-proxy", "1 M keys", sends(() => [["mget", ...many()]], SERVED), keys(n(100_000))),
    on("proxy", "exists-proxy", "1 M keys", sends(() => [["exists", ...many()]], SERVED), keys(n(100_000))),
    on("proxy", "del-proxy", "1 M keys", sends(() => [["del", ...many()]], SERVED), keys(n(100_000))),
    on("proxy", "watch-proxy", "40 k keys of a slot", sends(() => [["watch", ...names(n(40_000), "{t}")]])),
    on("proxy", "subscribe-proxy", "1 M", sends(() => [["subscribe", ...many()]], { resp3: true })),
    on(
      "proxy",
      "psubscribe-proxy",
      "10 k of 900 B",
      sends(() => [["psubscribe", ...names(n(10_000), "?".repeat(894))]], { resp3: true }),
    ),
    on(
      "proxy",
      "multi-ping-proxy",
      "980 k queued",
      sends(() => [["multi"], ...repeat(n(980_000), ["ping"]), ["discard"]]),
    ),
    on("tls", "exists-tls", "1 M keys", sends(() => [["exists", ...many()]], SERVED)),
  ];
}

/** One request on a large value, or with one. */
function onLargeValues(n: Scaled): Attack[] {
  const large = (bytes: number) => filled(n(bytes));
  const half = n(500_000);
  const million = n(1e6);
  const row = (name: string, size: string, request: () => Request, load?: Attack["load"], sending = SERVED) =>
    on("server", name, size, sends(() => [request()], sending), load);
  const values = (count: number): Request => ["mget", ...wide(n(count), "text")];
  return [
    row("mget-960mb", "15 x 64 MB", () => values(15), text(n(64 * MB)), {}),
    row("mget-1280mb", "20 x 64 MB, too large", () => values(20), text(n(64 * MB)), {}),
    row("mget-64gb", "1,000 x 64 MB, too large", () => values(1_000), text(n(64 * MB)), {}),
    row("mget-1m", "1 M x 1 kB", () => ["mget", ...wide(million, "text")], text(1_000), {}),
    on(
      "server",
      "mget-native",
      "15 x 64 MB, native",
      sends(() => [values(15)], { protocol: "native" }),
      text(n(64 * MB)),
    ),
    on("tls", "mget-tls", "15 x 64 MB, TLS", sends(() => [values(15)]), text(n(64 * MB))),
    on(
      "server",
      "mget-leaves",
      "15 x 64 MB, leaves",
      sends(() => [values(15)], { leavesAfterMs: 200 }),
      text(n(64 * MB)),
    ),
    row(
      "hmget-960mb",
      "15 x 64 MB",
      () => ["hmget", "h", ...wide(n(15), "f")],
      () => [["hset", "h", "f", large(64 * MB)]],
      {},
    ),
    row("lrange-100mb", "10 k x 10 kB", () => ["lrange", "long", "0", "-1"], long(n(10_000), 10_000)),
    on(
      "tls",
      "lrange-100mb-tls",
      "10 k x 10 kB, TLS",
      sends(() => [["lrange", "long", "0", "-1"]], SERVED),
      long(n(10_000), 10_000),
    ),
    on(
      "server",
      "lrange-leaves",
      "10 k x 10 kB, leaves",
      sends(() => [["lrange", "long", "0", "-1"]], { leavesAfterMs: 30 }),
      long(n(10_000), 10_000),
    ),
    row("lrange-1m", "1 M", () => ["lrange", "list", "0", "-1"], list(million)),
    row("lpos-1m", "1 M, a miss", () => ["lpos", "list", "no"], list(million)),
    row("lpos-long", "10 k x 10 kB, a miss", () => ["lpos", "long", filled(10_000, 0x6d)], long(n(10_000), 10_000)),
    row(
      "lpos-all",
      "1 M, all found",
      () => ["lpos", "same", "e", "count", "0"],
      () => inBatches(["rpush", "same"], wide(million, "e")),
    ),
    row("lrem-1m", "1 M, a miss", () => ["lrem", "list", "0", "no"], list(million)),
    row(
      "lrem-all",
      "1 M, all removed",
      () => ["lrem", "same", "0", "e"],
      () => inBatches(["rpush", "same"], wide(million, "e")),
    ),
    row(
      "lrem-half",
      "1 M, each second",
      () => ["lrem", "same", "0", "e"],
      () => inBatches(["rpush", "same"], wide(half, ["e", "f"]).flat()),
    ),
    row("linsert-1m", "1 M, a miss", () => ["linsert", "list", "before", "no", "x"], list(million)),
    row("lset-middle", "1 M, in the middle", () => ["lset", "list", String(half), "x"], list(million)),
    row("lset-60mb", "60 MB in a list of 1 M", () => ["lset", "list", "5", large(60 * MB)], list(million)),
    row("ltrim-1m", "1 M", () => ["ltrim", "list", "1", "1"], list(million)),
    row("lpop-1m", "1 M", () => ["lpop", "list", String(million)], list(million)),
    row("rpop-long", "10 k x 10 kB", () => ["rpop", "long", String(n(10_000))], long(n(10_000), 10_000)),
    row("hgetall", "500 k fields", () => ["hgetall", "hash"], hash(half)),
    row("hkeys", "500 k fields", () => ["hkeys", "hash"], hash(half)),
    row("hvals", "500 k fields", () => ["hvals", "hash"], hash(half)),
    row(
      "hscan-max",
      "500 k fields, count 1 M",
      () => ["hscan", "hash", "0", "match", "*a".repeat(500), "count", "1000000"],
      hash(half),
    ),
    row(
      "hgetall-long",
      "100 x 1 MB",
      () => ["hgetall", "h"],
      () => names(100).map((name) => ["hset", "h", name, large(MB)]),
    ),
    row("copy-hash", "500 k fields", () => ["copy", "hash", "other"], hash(half)),
    row("copy-list", "1 M", () => ["copy", "list", "other"], list(million)),
    row("copy-64mb", "64 MB", () => ["copy", "text", "other"], text(n(64 * MB))),
    row("copy-long", "10 k x 10 kB", () => ["copy", "long", "other"], long(n(10_000), 10_000)),
    row(
      "copy-replace",
      "500 k fields by as many",
      () => ["copy", "hash", "list", "replace"],
      () => [...hash(half)(), ...list(million)()],
    ),
    on("data", "copy-data", "500 k fields, with a log", sends(() => [["copy", "hash", "other"]], SERVED), hash(half)),
    row(
      "rename-hash",
      "500 k fields over 1 M",
      () => ["rename", "hash", "list"],
      () => [...hash(half)(), ...list(million)()],
    ),
    row("del-hash", "500 k fields", () => ["del", "hash"], hash(half)),
    row("set-over-list", "1 M", () => ["set", "list", "x"], list(million)),
    row("memory-usage", "500 k fields, all", () => ["memory", "usage", "hash", "samples", "0"], hash(half)),
    row("memory-usage-list", "1 M, all", () => ["memory", "usage", "list", "samples", "0"], list(million)),
    row("object-encoding", "500 k fields", () => ["object", "encoding", "hash"], hash(half)),
    row("keys", "500 k, a miss", () => ["keys", "no*"], keys(half)),
    row("keys-all", "500 k", () => ["keys", "*"], keys(half)),
    row("keys-stars", "500 k, 200 stars", () => ["keys", "*a".repeat(200)], keys(half)),
    row(
      "scan-max",
      "500 k, count 1 M, 500 stars",
      () => ["scan", "0", "match", "*a".repeat(500), "count", "1000000"],
      keys(half),
    ),
    row("randomkey", "500 k", () => ["randomkey"], keys(half)),
    row("set-60mb", "60 MB", () => ["set", "k", large(60 * MB)]),
    on("tls", "set-60mb-tls", "60 MB, TLS", sends(() => [["set", "k", large(60 * MB)]], SERVED)),
    on("proxy", "set-60mb-proxy", "60 MB", sends(() => [["set", "k", large(60 * MB)]], SERVED)),
    on("data", "set-60mb-data", "60 MB, with a log", sends(() => [["set", "k", large(60 * MB)]], SERVED)),
    row("set-60mb-over", "60 MB over 60 MB", () => ["set", "text", large(60 * MB)], text(n(60 * MB))),
    row("getset-60mb", "60 MB for 60 MB", () => ["getset", "text", large(60 * MB)], text(n(60 * MB))),
    row("get-64mb", "64 MB", () => ["get", "text"], text(n(64 * MB))),
    on(
      "server",
      "get-64mb-native",
      "64 MB, native",
      sends(() => [["get", "text"]], { served: true, protocol: "native" }),
      text(n(64 * MB)),
    ),
    on("tls", "get-64mb-tls", "64 MB, TLS", sends(() => [["get", "text"]], SERVED), text(n(64 * MB))),
    on("proxy", "get-64mb-proxy", "64 MB", sends(() => [["get", "text"]], SERVED), text(n(64 * MB))),
    row("getdel-64mb", "64 MB", () => ["getdel", "text"], text(n(64 * MB))),
    row("getrange-64mb", "64 MB", () => ["getrange", "text", "0", "-1"], text(n(64 * MB))),
    row("strlen-64mb", "64 MB", () => ["strlen", "text"], text(n(64 * MB))),
    row("incr-64mb", "64 MB", () => ["incr", "text"], text(n(64 * MB)), {}),
    row("incrbyfloat-60mb", "60 MB of digits", () => ["incrbyfloat", "k", filled(n(60 * MB), 0x31)], undefined, {}),
    row("expire-60mb", "60 MB of digits", () => ["expire", "k", filled(n(60 * MB), 0x31)], undefined, {}),
    row("echo-60mb", "60 MB", () => ["echo", large(60 * MB)]),
    row("ping-60mb", "60 MB", () => ["ping", large(60 * MB)]),
    row("setrange-64mb", "at the end of 64 MB", () => ["setrange", "k", String(n(64 * MB) - 1), "x"]),
    row("setrange-60mb", "60 MB", () => ["setrange", "text", "100", large(60 * MB)], text(n(60 * MB))),
    row("append-60mb", "60 MB", () => ["append", "k", large(60 * MB)]),
    row("append-to-60mb", "1 B to 60 MB", () => ["append", "text", "x"], text(n(60 * MB))),
    row("rpush-60mb", "60 MB", () => ["rpush", "l", large(60 * MB)]),
    row("hset-60mb", "60 MB", () => ["hset", "h", "f", large(60 * MB)]),
    row("hset-fields-32kb", "3 k fields of 32 KB", () => [
      "hset",
      "h",
      ...names(n(3_000)).flatMap((name) => [tagged(name, n(32 * KB)), "v"]),
    ]),
    row(
      "hgetall-fields-32kb",
      "3 k fields of 32 KB",
      () => ["hgetall", "h"],
      () => names(n(3_000)).map((name) => ["hset", "h", tagged(name, n(32 * KB)), "v"]),
    ),
    row("mset-60mb", "2 x 60 MB", () => ["mset", "a", large(60 * MB), "b", large(60 * MB)]),
    row("publish-60mb", "60 MB, to nobody", () => ["publish", "c", large(60 * MB)]),
    row("unknown-60mb", "a name of 60 MB", () => [large(60 * MB), "x"], undefined, {}),
    row("client-setname-60mb", "60 MB", () => ["client", "setname", large(60 * MB)], undefined, {}),
    row("auth-60mb", "60 MB", () => ["auth", large(60 * MB)], undefined, {}),
    row("keys-60mb", "a pattern of 60 MB", () => ["keys", large(60 * MB)], undefined, {}),
    row("inline-line", "60 KB of an inline command", () => [filled(n(60 * KB), 0x20)], undefined, {}),
  ];
}

/** Many requests, or many clients. */
function ofMany(n: Scaled): Attack[] {
  const pipeline = (name: string, count: number, request: Request, load?: Attack["load"], sending: Sending = SERVED) =>
    on(
      "server",
      `pipeline-${name}`,
      `${count.toLocaleString("en")} requests`,
      sends(() => repeat(n(count), request), sending),
      load,
    );
  const atOnce = (name: string, clients: number, request: Request, load?: Attack["load"], sending: Sending = SERVED) =>
    on("server", `clients-${name}`, `${clients} clients`, sends(() => [request], { ...sending, clients }), load);
  const tenth = n(100_000);
  return [
    pipeline("get", 500_000, ["get", "k"]),
    pipeline("set", 500_000, ["set", "k", "v"]),
    pipeline("ping", 1_000_000, ["ping"]),
    pipeline("unknown", 300_000, ["nosuch"], undefined, {}),
    pipeline("lget-middle", 20_000, ["lget", "list", String(n(500_000))], list(n(1e6))),
    pipeline("linsert", 300, ["linsert", "list", "before", "no", "x"], list(n(1e6))),
    pipeline("lrem", 300, ["lrem", "list", "0", "no"], list(n(1e6))),
    pipeline("hgetall", 50, ["hgetall", "hash"], hash(tenth)),
    pipeline("hkeys", 50, ["hkeys", "hash"], hash(tenth)),
    pipeline("lrange", 50, ["lrange", "list", "0", "-1"], list(tenth)),
    pipeline("keys", 20, ["keys", "no*"], keys(n(500_000))),
    pipeline("scan", 2_000, ["scan", "0", "count", "10000", "match", "no"], keys(n(500_000))),
    pipeline("hscan", 2_000, ["hscan", "hash", "0", "count", "10000", "match", "no"], hash(n(500_000))),
    pipeline("hrandfield", 300, ["hrandfield", "hash", "1000"], hash(tenth)),
    pipeline("hrandfield-any", 300, ["hrandfield", "hash", "-10000"], hash(tenth)),
    pipeline("copy", 50, ["copy", "hash", "other", "replace"], hash(tenth)),
    pipeline("exists-1k", 2_000, ["exists", ...names(1_000)]),
    pipeline("mget-1k", 1_000, ["mget", ...names(1_000)]),
    pipeline("mset-1k", 1_000, ["mset", ...names(1_000)]),
    pipeline("info", 5_000, ["info"]),
    pipeline("command", 300, ["command"], undefined, {}),
    pipeline("command-docs", 300, ["command", "docs"], undefined, {}),
    pipeline("config-get", 5_000, ["config", "get", "*"]),
    pipeline("client-list", 5_000, ["client", "list"]),
    pipeline("memory-usage", 1_000, ["memory", "usage", "hash", "samples", "0"], hash(tenth)),
    pipeline("memory-stats", 3_000, ["memory", "stats"]),
    pipeline("getrange", 300, ["getrange", "text", "0", "1000000"], text(n(2 * MB))),
    pipeline("setrange", 3_000, ["setrange", "text", "1000000", "x"], text(n(2 * MB))),
    pipeline("append", 100_000, ["append", "k", "x".repeat(100)]),
    pipeline("watch", 300_000, ["watch", "a", "b", "c"]),
    pipeline("publish", 300_000, ["publish", "c", "x"]),
    pipeline("subscribe", 100_000, ["subscribe", "c"], undefined, { resp3: true }),
    pipeline("multi-exec", 1, ["multi"], undefined, { leavesAfterMs: 500 }),
    pipeline("hello", 100_000, ["hello", "2"]),
    pipeline("auth", 20_000, ["auth", "wrong"], undefined, {}),
    pipeline("rename", 100_000, ["rename", "text", "text"], text(10)),
    pipeline("lmove", 200_000, ["lmove", "list", "list", "left", "right"], list(n(1e6))),
    pipeline("blpop-time", 100, ["blpop", "q", "0.001"]),
    pipeline("dbsize", 300_000, ["dbsize"]),
    on(
      "server",
      "pipeline-ping-native",
      "1 M requests, native",
      sends(() => repeat(n(1e6), ["ping"]), { served: true, protocol: "native" }),
    ),
    on("proxy", "pipeline-get-proxy", "300 k requests", sends(() => repeat(n(300_000), ["get", "k"]), SERVED)),
    on(
      "proxy",
      "pipeline-lpos-proxy",
      "300 on 1 M",
      sends(() => repeat(n(300), ["lpos", "list", "no"]), SERVED),
      list(n(1e6)),
    ),
    atOnce("hgetall", 50, ["hgetall", "hash"], hash(tenth)),
    atOnce("lrange", 50, ["lrange", "list", "0", "-1"], list(tenth)),
    atOnce("keys", 100, ["keys", "no*"], keys(n(500_000))),
    atOnce("keys-all", 20, ["keys", "*"], keys(tenth)),
    atOnce("exists", 20, ["exists", ...names(tenth)]),
    atOnce("mset", 20, ["mset", ...names(tenth)]),
    atOnce("get-8mb", 50, ["get", "text"], text(n(8 * MB)), {}),
    atOnce("set-8mb", 30, ["set", "k", filled(n(8 * MB))], undefined, {}),
    atOnce("copy", 20, ["copy", "hash", "other", "replace"], hash(tenth)),
    atOnce("command-docs", 50, ["command", "docs"], undefined, {}),
    on(
      "server",
      "clients-keys-leave",
      "100 clients, leave",
      sends(() => [["keys", "*"]], { clients: 100, leavesAfterMs: 100 }),
      keys(n(500_000)),
    ),
    on(
      "server",
      "crowd-client-list",
      "4 k clients",
      amid(n(4_000), sends(() => repeat(20, ["client", "list"]), SERVED)),
    ),
    on(
      "server",
      "crowd-client-kill",
      "4 k clients",
      amid(n(4_000), sends(() => [["client", "kill", "type", "normal", "skipme", "yes", "addr", "1.2.3.4:5"]], {})),
    ),
    on(
      "server",
      "crowd-publish",
      "4 k listen, 20 messages",
      before(n(4_000), ["subscribe", "c"], sends(() => repeat(20, ["publish", "c", "x".repeat(1000)]), SERVED)),
    ),
    on(
      "server",
      "crowd-publish-pattern",
      "4 k by a pattern, 20",
      before(n(4_000), ["psubscribe", "c*"], sends(() => repeat(20, ["publish", "c", "x".repeat(1000)]), SERVED)),
    ),
    on(
      "server",
      "crowd-publish-1mb",
      "500 listen, 20 of 1 MB",
      before(n(500), ["subscribe", "c"], sends(() => repeat(20, ["publish", "c", filled(n(MB))]))),
    ),
    on(
      "server",
      "crowd-watch",
      "4 k watch one key",
      before(n(4_000), ["watch", "k"], sends(() => repeat(20, ["set", "k", "v"]), SERVED)),
    ),
  ];
}

/** Every command: as many arguments as there may be, and as long ones as there may be. */
function sweep(n: Scaled): Attack[] {
  const swept = COMMANDS.filter(({ name }) => !NOT_SWEPT.has(name));
  return [
    ...swept.filter(({ arity }) => arity < 0).map((each) => {
      // One of the two counts fits commands that take pairs.
      const requests = () => [0, 1].map((less) => [each.name, ...names(n(ARGUMENTS_MAX_COUNT - 1 - less))]);
      return on("server", `wide-${each.name}`, "1 M arguments, and one less", sends(requests, { resp3: true }));
    }),
    ...swept.filter(({ arity }) => Math.abs(arity) > 1).map((each) => {
      const requests = () => [lengthy(each, n, 0), lengthy(each, n, 1)];
      return on("server", `long-${each.name}`, "arguments of up to 60 MB", sends(requests, { resp3: true }));
    }),
  ];
}

/** The fewest arguments that a command takes, all but the first few of them as long as a request may be. */
function lengthy({ name, arity }: CommandSpecification, n: Scaled, shortOnes: number): Request {
  const count = Math.abs(arity) - 1;
  const short = Math.min(shortOnes, count);
  const bytes = Math.min(60, Math.floor(120 / Math.max(count - short, 1)));
  return [name, ...names(short), ...wide(count - short, filled(n(bytes * MB)))];
}
