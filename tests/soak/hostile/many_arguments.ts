/**
 * Attacks with one request of many arguments.
 *
 * @module
 */

import { ARGUMENTS_MAX_COUNT } from "../../../src/limits.ts";
import type { Attack, Scaled, Sending } from "./attack.ts";
import { on, sends, SERVED } from "./attack.ts";
import type { Request } from "./attack_connection.ts";
import type { Load } from "./requests.ts";
import { hash, keys, list, names, repeat, wide } from "./requests.ts";

/** Returns attacks with one request of many arguments. */
export function ofManyArguments(n: Scaled): Attack[] {
  const many = () => names(n(1e6));
  const pairs = () => names(n(500_000)).flatMap((name) => [name, "v"]);
  const max = n(ARGUMENTS_MAX_COUNT - 10);
  const row = (name: string, size: string, request: () => Request, sending: Sending = {}, load?: Load) =>
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
    on("server", "exists-leaves", "1 M keys, leaves", sends(() => [["exists", ...many()]], { leavesAfterMs: 150 })),
    on("server", "mset-leaves", "500 k pairs, leaves", sends(() => [["mset", ...pairs()]], { leavesAfterMs: 150 })),
    on("tls", "exists-tls", "1 M keys", sends(() => [["exists", ...many()]], SERVED)),
  ];
}
