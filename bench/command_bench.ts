/**
 * Measures the command layer with the store, without a network. Every iteration runs `BATCH_COUNT` requests, since
 * calling the bench costs about as much as a command; divide its time by that number.
 *
 * - *one hot key of one byte*: the same request repeatedly, decoded once: the cost of a command itself.
 * - *with decoding*: the same, with each request decoded from its frame, as the server does.
 * - *at random*: read batches of the server over keys that are in no cache. Creating the frames is not measured.
 * - *one large set*: random members are taken from a set, which is filled again when it is empty.
 *
 * `INMEM_BENCH_SCALE=0.1` uses a tenth of the keys.
 */

import { encode, KeyedFrames, makeContext, Runner } from "./support/command_layer.ts";

const BATCH_COUNT = 1_000;
const SCALE = Number(Deno.env.get("INMEM_BENCH_SCALE") ?? 1);
const VALUE = "v".repeat(32);
/** The most elements of a pushed list. An endless list would measure something else. */
const PUSHES_MAX_COUNT = 1_000_000;

/** A command, the prefix of its keys, and its arguments after the key, for one byte and for ordinary sizes. */
type Case = readonly [name: string, prefix: string, hot: readonly string[], cold: readonly string[]];

const CASES: readonly Case[] = [
  ["get", "s", [], []],
  ["set", "s", ["v"], [VALUE]],
  ["lpush", "l", ["v"], ["x"]],
  ["lget", "r", ["0"], ["0"]],
  ["hset", "h", ["f", "v"], ["field", VALUE]],
  ["hget", "h", ["f"], ["field"]],
  ["sadd", "a", ["m"], ["member"]],
  ["sismember", "a", ["m"], ["member"]],
];

/** Returns a runner with one key of each type, of one byte each. */
function hotRunner(): Runner {
  const runner = new Runner(makeContext(512 * 1024 * 1024));
  runner.run(encode([["set", "s", "v"], ["rpush", "r", "v"], ["hset", "h", "f", "v"], ["sadd", "a", "m"]]));
  return runner;
}

/** Registers a bench of the commands on one key. */
function benchHot(group: string, run: (runner: Runner, frame: Uint8Array) => void): void {
  let runner: Runner | undefined;
  for (const [name, prefix, hot] of CASES) {
    const frame = encode([[name, prefix, ...hot]]);
    let pushed = 0;
    Deno.bench({
      name: `1,000 × ${name}, ${group}`,
      group,
      baseline: name === "get",
      fn() {
        runner ??= hotRunner();
        run(runner, frame);
        if (name === "lpush" && (pushed += BATCH_COUNT) % PUSHES_MAX_COUNT === 0) runner.run(encode([["remove", "l"]]));
      },
    });
  }
}

benchHot("one hot key of one byte", (runner, frame) => runner.repeat(frame, BATCH_COUNT));

const batches = new Map<Uint8Array, Uint8Array>();

benchHot("one hot key of one byte, with decoding", (runner, frame) => {
  let batch = batches.get(frame);
  if (batch === undefined) {
    batch = new Uint8Array(frame.length * BATCH_COUNT);
    for (let i = 0; i < BATCH_COUNT; i++) batch.set(frame, i * frame.length);
    batches.set(frame, batch);
  }
  runner.run(batch);
});

/** Creates a string, a list, a hash and a set for each of `keysCount` numbers. */
function fill(runner: Runner, keysCount: number): void {
  for (
    const [command, prefix, rest] of [
      ["set", "s", [VALUE]],
      ["rpush", "r", [VALUE, "x"]],
      ["hset", "h", ["field", VALUE, "other", "x"]],
      ["sadd", "a", ["member", "x"]],
    ] as const
  ) {
    const frames = new KeyedFrames(command, prefix, rest, BATCH_COUNT);
    let key = 0;
    for (let filled = 0; filled < keysCount; filled += BATCH_COUNT) {
      frames.fill(() => key++ % keysCount);
      runner.run(frames.bytes);
    }
  }
}

/** Registers a bench of the commands over many keys. */
function benchCold(group: string, keysCount: number, memoryLimitBytes: number): void {
  let runner: Runner | undefined;
  for (const [name, prefix, , cold] of CASES) {
    const frames = new KeyedFrames(name, prefix, cold, BATCH_COUNT);
    Deno.bench({
      name: `1,000 × ${name}, ${group}`,
      group,
      baseline: name === "get",
      fn(bench) {
        if (runner === undefined) {
          runner = new Runner(makeContext(memoryLimitBytes));
          fill(runner, keysCount);
        }
        frames.fill(() => (Math.random() * keysCount) | 0);
        bench.start();
        runner.run(frames.bytes);
        bench.end();
      },
    });
  }
}

benchCold("100 k keys at random", Math.ceil(100_000 * SCALE), 512 * 1024 * 1024);
benchCold("10 M keys at random", Math.ceil(10_000_000 * SCALE), 6 * 1024 * 1024 * 1024 * Math.max(SCALE, 0.05));

/** Registers a bench of `spop` on a set of many members. */
function benchPop(membersCount: number): void {
  let runner: Runner | undefined;
  const frame = encode([["spop", "a"]]);
  let left = 0;
  Deno.bench({
    name: `1,000 × spop, one large set`,
    group: "one large set",
    fn(bench) {
      runner ??= new Runner(makeContext(512 * 1024 * 1024));
      for (; left < BATCH_COUNT; left = membersCount) {
        for (let i = 0; i < membersCount; i += BATCH_COUNT) {
          const members = Array.from({ length: BATCH_COUNT }, (_, j) => `member:${i + j}`);
          runner.run(encode([["sadd", "a", ...members]]));
        }
      }
      bench.start();
      runner.repeat(frame, BATCH_COUNT);
      bench.end();
      left -= BATCH_COUNT;
    },
  });
}

benchPop(Math.ceil(1_000 * SCALE) * BATCH_COUNT);
