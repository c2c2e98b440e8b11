/**
 * Attacks with one request on a large value, or with one.
 *
 * @module
 */

import type { Attack, Scaled } from "./attack.ts";
import { on, sends, SERVED } from "./attack.ts";
import type { Request } from "./attack_connection.ts";
import type { Load } from "./requests.ts";
import { filled, hash, inBatches, KB, keys, list, long, MB, names, set, tagged, text, wide } from "./requests.ts";

/** Returns attacks with one request on a large value, or with one. */
export function onLargeValues(n: Scaled): Attack[] {
  const large = (bytes: number) => filled(n(bytes));
  const half = n(500_000);
  const million = n(1e6);
  const row = (name: string, size: string, request: () => Request, load?: Load, sending = SERVED) =>
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
    row("smembers", "500 k members", () => ["smembers", "set"], set(half)),
    row(
      "sscan-max",
      "500 k members, count 1 M",
      () => ["sscan", "set", "0", "match", "*a".repeat(500), "count", "1000000"],
      set(half),
    ),
    row("spop-half", "of 500 k members", () => ["spop", "set", String(Math.ceil(half / 2))], set(half)),
    row("srandmember-half", "of 500 k members", () => ["srandmember", "set", String(Math.ceil(half / 2))], set(half)),
    ...["sinter", "sunion", "sdiff", "sinterstore", "sunionstore", "sdiffstore"].map((name) => {
      const load = () => [...set(half)(), ...set(half, "other", Math.ceil(half / 2))()];
      const destination = name.endsWith("store") ? ["set"] : [];
      return row(name, "2 x 500 k members", () => [name, ...destination, "set", "other"], load);
    }),
    row("copy-set", "500 k members", () => ["copy", "set", "other"], set(half)),
    row("del-set", "500 k members", () => ["del", "set"], set(half)),
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
    row("publish-60mb", "60 MB, no receiver", () => ["publish", "c", large(60 * MB)]),
    row("unknown-60mb", "a name of 60 MB", () => [large(60 * MB), "x"], undefined, {}),
    row("client-setname-60mb", "60 MB", () => ["client", "setname", large(60 * MB)], undefined, {}),
    row("auth-60mb", "60 MB", () => ["auth", large(60 * MB)], undefined, {}),
    row("keys-60mb", "a pattern of 60 MB", () => ["keys", large(60 * MB)], undefined, {}),
    row("inline-line", "60 KB of an inline command", () => [filled(n(60 * KB), 0x20)], undefined, {}),
  ];
}
