/**
 * Attacks with many requests or many clients.
 *
 * @module
 */

import type { Attack, Scaled, Sending } from "./attack.ts";
import { amid, before, on, sends, SERVED } from "./attack.ts";
import type { Request } from "./attack_connection.ts";
import type { Load } from "./requests.ts";
import { filled, hash, keys, list, MB, names, repeat, text } from "./requests.ts";

/** Returns attacks with many requests or many clients. */
export function ofManyRequests(n: Scaled): Attack[] {
  const pipeline = (name: string, count: number, request: Request, load?: Load, sending: Sending = SERVED) =>
    on(
      "server",
      `pipeline-${name}`,
      `${count.toLocaleString("en")} requests`,
      sends(() => repeat(n(count), request), sending),
      load,
    );
  const atOnce = (name: string, clients: number, request: Request, load?: Load, sending: Sending = SERVED) =>
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
