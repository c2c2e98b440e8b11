/**
 * Attacks that once held a server for seconds, ended it, or lost data.
 *
 * @module
 */

import { TRANSACTION_ARGUMENTS_MAX_COUNT } from "../../../src/limits.ts";
import type { Action, Attack, Scaled } from "./attack.ts";
import { inActs, on, rests, sends, SERVED } from "./attack.ts";
import type { Request } from "./attack_connection.ts";
import { filled, hash, inBatches, keys, list, long, MB, names, repeat, tagged, text, wide } from "./requests.ts";
import {
  endsWaits,
  fuzzes,
  goneWaiters,
  leavesLosing,
  messagesOfOthers,
  ownMessage,
  remapLoses,
  silentSubscriber,
} from "./scenes.ts";

/** Closes the connection while the requests run or still arrive. */
const LEAVES = { leavesAfterMs: 300 };

/** Returns the attacks that once held a server for seconds, ended it, or lost data. */
export function inFindings(n: Scaled): Attack[] {
  const pattern = "?".repeat(1000);
  const patterns = (count: number, length: number) => names(count, pattern.slice(0, length - 6));
  const values = (count: number): Request[] => [["mget", ...wide(count, "text")]];
  const ping: Request = ["ping"];
  const queued = (count: number, request: Request, last = "discard") => [["multi"], ...repeat(count, request), [last]];
  const bulk = (): Request => ["set", "half", filled(n(20 * MB))];
  const half = (): Request => ["set", "half", filled(n(60 * MB))];
  const wideOnes = (): Request[] => {
    const many = names(n(TRANSACTION_ARGUMENTS_MAX_COUNT - 2));
    const four = [["exists", ...many], ["mset", ...many], ["hset", "h", ...many], ["rpush", "l", ...many]];
    return [...four, ...four, ...four, ...four];
  };
  return [
    on("server", "rest", "the observer alone", rests(1_000)),
    // These attack the queue of a transaction.
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
    on("server", "multi-wide", "16 x 64 k arguments", sends(() => [["multi"], ...wideOnes(), ["exec"]])),
    on("data", "multi-wide-data", "16 x 64 k arguments, a log", sends(() => [["multi"], ...wideOnes(), ["exec"]])),
    on("server", "multi-wide-leaves", "16 x 64 k, leaves", sends(() => [["multi"], ...wideOnes(), ["exec"]], LEAVES)),
    // These use names, patterns and messages of channels.
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
      "subscribe-leave",
      "20 x 100 k, leave",
      sends(() => [["subscribe", ...names(n(100_000))]], { clients: 20, leavesAfterMs: 4_000 }),
    ),
    on(
      "server",
      "watch-leave",
      "100 x 5 k, leave",
      sends(() => [["watch", ...names(n(5_000))]], { clients: 100, leavesAfterMs: 3_000 }),
    ),
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
    // These have counts that the data does not bound.
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
    // This command holds the server by design, unless it is disabled.
    on("server", "debug-sleep", "30 s", sends(() => [["debug", "sleep", "30"]], { refused: true })),
    on(
      "server",
      "debug-sleep-infinity",
      "Infinity",
      sends(() => [["debug", "sleep", "Infinity"]], { leavesAfterMs: 1_000 }),
    ),
    // These use watched keys and clients that wait.
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
    inActs("server", "waiters-served", "4 k wait, rpush of 4 k", endsWaits(n(4_000), "push")),
    inActs("data", "waiters-served-data", "4 k wait, a log", endsWaits(n(4_000), "push")),
    inActs("server", "waiters-unblocked", "4 k, client unblock of each", endsWaits(n(4_000), "unblock")),
    inActs("server", "waiters-late", "4 k, times up together", endsWaits(n(4_000), "timeout")),
    // These use several clients.
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
    // These send batches of cheap requests.
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
    // This one sends random frames.
    on("server", "fuzz", "40 k frames", fuzzes(n(400), 100)),
    on("proxy", "fuzz-proxy", "40 k frames", fuzzes(n(400), 100)),
    on("tls", "fuzz-tls", "20 k frames", fuzzes(n(200), 100)),
  ];

  /** Sends a request without its last byte. */
  function halves(clients: number, request: () => Request): Action {
    return sends(() => [request()], { clients, readsNothingForMs: 5_000, holdsBack: 1 });
  }
}
