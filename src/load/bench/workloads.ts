/**
 * The commands that `inmem bench` sends, as data: the words of a request, and the reply that is expected.
 *
 * ```text
 * word        is sent as
 * KEY         inmem-bench:string:000001234        the key's number has nine digits
 * VALUE       000001234xxxxxxxxxxxxxxxxxxxxxxx    the key's number and filling, as long as --size
 * member      m:000000007                         how many requests with this key came before
 * ```
 *
 * A value follows from its key, and no two connections share a key. So the reply to each request is known exactly, and
 * is checked.
 *
 * @module
 */

/** The kind of data under a key. Commands on the same kind work on the same keys. */
export type Family = "string" | "counter" | "list" | "hash" | "record" | "set" | "range";

/**
 * The reply that is expected.
 *
 * | | |
 * |---|---|
 * | `ok` | `OK` |
 * | `pong` | `PONG` |
 * | `value` | the value of the key |
 * | `count` | how many requests came with this key, this one included |
 * | `new` | 1, since the member is new |
 * | `field` | 1 for the first ten requests with this key, then 0 |
 * | `popped` | the value of the key if the list has elements left, otherwise nil |
 * | `range` | a hundred times the value of the key |
 */
export type Expected = "ok" | "pong" | "value" | "count" | "new" | "field" | "popped" | "range";

/** One command of the benchmark. */
export interface Workload {
  readonly name: string;
  readonly family: Family;
  /** The words of a request: `KEY`, `VALUE` and `member` stand for what the page above says. */
  readonly words: readonly string[];
  readonly expected: Expected;
  /** The workload that is run for each key before, so that the command finds data. */
  readonly before?: Workload;
  /** Whether that is done each time, since the command uses the data up. */
  readonly usesUp?: true;
  readonly help: string;
}

/** The number of fields of a hash. */
export const FIELDS_COUNT = 10;
/** The number of keys of an `mset`. */
const MSET_COUNT = 10;
/** The number of elements that each list has before `lpop` and `rpop`. */
export const POPPED_COUNT = 10;
/** The number of elements that `lrange_100` reads. */
export const RANGE_COUNT = 100;

const fillStrings: Workload = {
  name: "fill",
  family: "string",
  words: ["set", "KEY", "VALUE"],
  expected: "ok",
  help: "",
};

const fillLists: Workload = {
  name: "fill",
  family: "list",
  words: ["rpush", "KEY", ...Array.from({ length: POPPED_COUNT }, () => "VALUE")],
  expected: "count",
  help: "",
};

const fillHashes: Workload = {
  name: "fill",
  family: "record",
  words: ["hset", "KEY", "field", "VALUE"],
  expected: "new",
  help: "",
};

const fillRanges: Workload = {
  name: "fill",
  family: "range",
  words: ["rpush", "KEY", ...Array.from({ length: RANGE_COUNT }, () => "VALUE")],
  expected: "count",
  help: "",
};

/** The workloads, in the order in which they are run if none is named. */
export const WORKLOADS: readonly Workload[] = [
  { name: "ping", family: "string", words: ["ping"], expected: "pong", help: "does nothing" },
  { name: "set", family: "string", words: ["set", "KEY", "VALUE"], expected: "ok", help: "stores a value" },
  {
    name: "get",
    family: "string",
    words: ["get", "KEY"],
    expected: "value",
    before: fillStrings,
    help: "reads a value, each of which is compared",
  },
  { name: "incr", family: "counter", words: ["incr", "KEY"], expected: "count", help: "adds 1 to a counter" },
  { name: "lpush", family: "list", words: ["lpush", "KEY", "VALUE"], expected: "count", help: "adds to a list" },
  { name: "rpush", family: "list", words: ["rpush", "KEY", "VALUE"], expected: "count", help: "adds to a list" },
  {
    name: "lpop",
    family: "list",
    words: ["lpop", "KEY"],
    expected: "popped",
    before: fillLists,
    usesUp: true,
    help: "takes from a list of ten elements; nil when it has none left",
  },
  {
    name: "rpop",
    family: "list",
    words: ["rpop", "KEY"],
    expected: "popped",
    before: fillLists,
    usesUp: true,
    help: "takes from the other end",
  },
  { name: "sadd", family: "set", words: ["sadd", "KEY", "member"], expected: "new", help: "adds a member to a set" },
  {
    name: "hset",
    family: "hash",
    words: ["hset", "KEY", "member", "VALUE"],
    expected: "field",
    help: "stores one of ten fields of a hash",
  },
  {
    name: "hget",
    family: "record",
    words: ["hget", "KEY", "field"],
    expected: "value",
    before: fillHashes,
    help: "reads a field",
  },
  {
    name: "lrange_100",
    family: "range",
    words: ["lrange", "KEY", "0", String(RANGE_COUNT - 1)],
    expected: "range",
    before: fillRanges,
    help: "reads a list of a hundred elements",
  },
  {
    name: "mset",
    family: "string",
    words: ["mset", ...Array.from({ length: MSET_COUNT }, (_, i) => [i === 0 ? "KEY" : `KEY:${i}`, "VALUE"]).flat()],
    expected: "ok",
    help: "stores ten values at once",
  },
];

/** The names of the workloads that are run if none is named. */
export const DEFAULT_NAMES: readonly string[] = ["ping", "set", "get", "incr", "lpush", "lpop", "sadd", "hset", "hget"];
