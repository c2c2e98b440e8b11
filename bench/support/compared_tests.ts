/**
 * What is compared: tests of redis-benchmark, and how many times as fast as redis-server inmem has to be in each.
 *
 * @module
 */

/** Commands that a client sends before it reads. */
export const PIPELINES = [1, 16, 64] as const;
/** The pipeline at which inmem is held against the runtime's ceiling, and the share that it has to reach. */
export const CEILING_PIPELINE = 64;
export const CEILING_ASKED = 0.7;

/** Keys below this number are read and written at random, unless a run is only to be tried. */
export const KEYS_COUNT = 100_000;
export const VALUE_BYTES = 32;

/** What a server holds when a test begins. */
export type Dataset = "strings" | "counters" | "fields" | "nothing";

/** One test. */
export interface ComparedTest {
  /** As people call it. */
  readonly name: string;
  /** What redis-benchmark runs for it, the test itself last: `LPOP` needs a list. */
  readonly tests: string;
  readonly dataset: Dataset;
  /** Requests a second, inmem ÷ redis, that are asked at each pipeline at which it is run. */
  readonly asked: ReadonlyMap<number, number>;
  /** Whether a reply is as short as the ceiling program's. */
  readonly hasCeiling: boolean;
}

/** Commands on one value of 32 bytes. */
const SHORT = { asked: new Map([[1, 1.0], [16, 1.6], [64, 2.2]]), hasCeiling: true };
/** Commands on many. */
const LONG = { asked: new Map([[16, 1.3]]), hasCeiling: false };

/** All tests, in the order in which they are run and told. */
export const COMPARED_TESTS: readonly ComparedTest[] = [
  { name: "SET", tests: "set", dataset: "strings", ...SHORT },
  { name: "GET", tests: "get", dataset: "strings", ...SHORT },
  { name: "INCR", tests: "incr", dataset: "counters", ...SHORT },
  { name: "LPUSH", tests: "lpush", dataset: "nothing", ...SHORT },
  { name: "RPUSH", tests: "rpush", dataset: "nothing", ...SHORT },
  { name: "LPOP", tests: "lpush,lpop", dataset: "nothing", ...SHORT },
  { name: "HSET", tests: "hset", dataset: "fields", ...SHORT },
  // redis-benchmark fills the list by itself.
  { name: "LRANGE_100", tests: "lrange_100", dataset: "nothing", ...LONG },
  { name: "MSET of 10 keys", tests: "mset", dataset: "strings", ...LONG },
];

/** The commands that make a dataset of so many keys or fields, with the names that redis-benchmark gives them. */
export function* commandsOf(dataset: Dataset, keysCount: number): Generator<readonly string[]> {
  if (dataset === "nothing") return;
  const value = "x".repeat(VALUE_BYTES);
  for (let key = 0; key < keysCount; key++) {
    const number = String(key).padStart(12, "0");
    if (dataset === "strings") yield ["SET", `key:${number}`, value];
    else if (dataset === "counters") yield ["SET", `counter:${number}`, "0"];
    else yield ["HSET", "myhash", `element:${number}`, value];
  }
}
