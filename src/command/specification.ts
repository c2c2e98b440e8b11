/**
 * The commands as data: names, arity, keys, routing and help, without the code that runs them.
 *
 * One table drives dispatch and the check of arity (`table.ts` adds the code), the proxy's routing, the client's
 * completion and `help`, and README's list of commands. Meanings are those of Redis where Redis has the name.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { assert } from "../errors.ts";

/** What a command works on; `help` lists by it. */
export type Group = "string" | "list" | "hash" | "key" | "server";

/**
 * What the proxy does with a command.
 *
 * | routing | to which servers | answer |
 * |---|---|---|
 * | `key` | the owner of its key | that server's, untouched |
 * | `sum` | owners of its keys, each with its own keys | the sum of the integers |
 * | `values` | owners of its keys, each with its own keys | the values in the order asked |
 * | `pairs` | owners of its keys, each with its own pairs | `OK` |
 * | `total` | all | the sum of the integers |
 * | `merge` | all | the arrays one behind another |
 * | `every` | all | `OK` |
 * | `scan` | one after another | a cursor that names server and position |
 * | `local` | none: the proxy answers | its own |
 */
export type Routing = "key" | "sum" | "values" | "pairs" | "total" | "merge" | "every" | "scan" | "local";

/** One command. Positions count from the command's name, which is 0. */
export interface CommandSpecification {
  readonly name: string;
  /** Further names with the same meaning. */
  readonly aliases: readonly string[];
  readonly group: Group;
  /** Arguments, the name included: exactly `arity`, or at least `-arity` when negative. */
  readonly arity: number;
  /** Position of the first key; 0 for commands without. */
  readonly firstKey: number;
  /** Position of the last key; -1 for the last argument. */
  readonly lastKey: number;
  /** Distance between keys: 1, or 2 where values stand between them. */
  readonly keyStep: number;
  /** Whether it may change data. */
  readonly writes: boolean;
  /** Whether it may need memory, so that it is refused when the store is full. */
  readonly grows: boolean;
  /** Whether it may run before authentication. */
  readonly open: boolean;
  readonly routing: Routing;
  /** Its arguments, as `help` shows them. */
  readonly syntax: string;
  /** One sentence. */
  readonly summary: string;
}

interface Row {
  aliases?: readonly string[];
  keys?: readonly [first: number, last: number, step: number];
  writes?: boolean;
  grows?: boolean;
  open?: boolean;
  routing?: Routing;
}

function command(
  group: Group,
  name: string,
  arity: number,
  syntax: string,
  summary: string,
  row: Row = {},
): CommandSpecification {
  const [firstKey, lastKey, keyStep] = row.keys ?? (group === "server" ? [0, 0, 0] : [1, 1, 1]);
  return {
    name,
    aliases: row.aliases ?? [],
    group,
    arity,
    firstKey,
    lastKey,
    keyStep,
    writes: row.writes ?? false,
    grows: row.grows ?? false,
    open: row.open ?? false,
    routing: row.routing ?? (group === "server" ? "local" : "key"),
    syntax,
    summary,
  };
}

const NO_KEYS = [0, 0, 0] as const;
const ALL_KEYS = [1, -1, 1] as const;
const PAIRS = [1, -1, 2] as const;
const GROWS = { writes: true, grows: true };
const WRITES = { writes: true };

/** Every command of inmem, by group. */
export const COMMANDS: readonly CommandSpecification[] = [
  command("string", "get", 2, "key", "The value of a string, or nil."),
  command(
    "string",
    "set",
    -3,
    "key value [EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL] [NX | XX] [GET]",
    "Sets a string, whatever the key held. NX: only if absent. XX: only if present. GET: answers the old value.",
    GROWS,
  ),
  command("string", "mget", -2, "key [key …]", "The values of several strings; nil for what is absent or no string.", {
    keys: ALL_KEYS,
    routing: "values",
  }),
  command("string", "mset", -3, "key value [key value …]", "Sets several strings.", {
    ...GROWS,
    keys: PAIRS,
    routing: "pairs",
  }),
  command("string", "getdel", 2, "key", "The value of a string, which is removed.", WRITES),
  command("string", "strlen", 2, "key", "The length of a string in bytes; 0 when absent."),
  command("string", "append", 3, "key value", "Appends to a string, or sets it; answers its length in bytes.", GROWS),
  command("string", "incr", 2, "key", "Adds 1 to a number, or sets it to 1; answers the sum.", GROWS),
  command("string", "decr", 2, "key", "Subtracts 1 from a number, or sets it to -1; answers the difference.", GROWS),
  command("string", "incrby", 3, "key integer", "Adds to a number, or sets it; answers the sum.", GROWS),

  command("list", "lpush", -3, "key element [element …]", "Puts elements at the head; answers the length.", GROWS),
  command("list", "rpush", -3, "key element [element …]", "Puts elements at the tail; answers the length.", GROWS),
  command("list", "lpop", -2, "key [count]", "Takes one element, or up to `count`, from the head.", WRITES),
  command("list", "rpop", -2, "key [count]", "Takes one element, or up to `count`, from the tail.", WRITES),
  command("list", "lset", 4, "key index element", "Replaces an element; -1 is the last.", GROWS),
  command("list", "lget", 3, "key index", "The element at an index, or nil; -1 is the last.", { aliases: ["lindex"] }),
  command("list", "lrange", 4, "key start stop", "The elements from start to stop, both included; -1 is the last."),
  command("list", "llen", 2, "key", "The number of elements; 0 when absent."),

  command(
    "hash",
    "hset",
    -4,
    "key field value [field value …]",
    "Sets fields; answers how many of them are new.",
    GROWS,
  ),
  command("hash", "hget", 3, "key field", "The value of a field, or nil."),
  command("hash", "hmget", -3, "key field [field …]", "The values of several fields; nil for what is absent."),
  command("hash", "hdel", -3, "key field [field …]", "Removes fields; answers how many there were.", WRITES),
  command("hash", "hgetall", 2, "key", "All fields with their values."),
  command("hash", "hlen", 2, "key", "The number of fields; 0 when absent."),
  command("hash", "hexists", 3, "key field", "1 if the field is there, else 0."),
  command("hash", "hkeys", 2, "key", "All fields."),
  command("hash", "hvals", 2, "key", "All values."),
  command(
    "hash",
    "hincrby",
    4,
    "key field integer",
    "Adds to the number in a field, or sets it; answers the sum.",
    GROWS,
  ),

  command("key", "remove", -2, "key [key …]", "Removes keys; answers how many there were.", {
    ...WRITES,
    aliases: ["del"],
    keys: ALL_KEYS,
    routing: "sum",
  }),
  command("key", "exists", -2, "key [key …]", "How many of the keys are there; one named twice counts twice.", {
    keys: ALL_KEYS,
    routing: "sum",
  }),
  command("key", "type", 2, "key", "string, list, hash or none."),
  command(
    "key",
    "ttl",
    -2,
    "key [seconds]",
    "The seconds a key has left (-1: no TTL, -2: no key), or sets them as `expire` does.",
    GROWS,
  ),
  command("key", "pttl", 2, "key", "The milliseconds a key has left; -1: no TTL, -2: no key."),
  command("key", "expire", 3, "key seconds", "Lets a key end after a time; answers 1, or 0 if it is absent.", GROWS),
  command("key", "pexpire", 3, "key ms", "As `expire`, in milliseconds.", GROWS),
  command("key", "persist", 2, "key", "Takes a key's TTL away; answers 1, or 0 if it had none.", WRITES),
  command("key", "keys", 2, "pattern", "All keys that match a glob pattern: * ? [a-z] \\", {
    keys: NO_KEYS,
    routing: "merge",
  }),
  command(
    "key",
    "scan",
    -2,
    "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    "Some keys and the cursor to go on with; begin with 0, until it is 0 again.",
    { keys: NO_KEYS, routing: "scan" },
  ),
  command("key", "size", 1, "", "The number of keys.", { aliases: ["dbsize"], keys: NO_KEYS, routing: "total" }),
  command("key", "flush", 1, "", "Removes all keys.", {
    ...WRITES,
    aliases: ["flushall", "flushdb"],
    keys: NO_KEYS,
    routing: "every",
  }),

  command("server", "ping", -1, "[text]", "PONG, or the text.", { open: true }),
  command("server", "echo", 2, "text", "The text."),
  command(
    "server",
    "info",
    -1,
    "[section …]",
    "Facts about the server: server clients memory persistence stats keyspace.",
  ),
  command("server", "auth", -2, "[user] password", "Authenticates this connection; the only user is `default`.", {
    open: true,
  }),
  command("server", "save", 1, "", "Writes a snapshot to disk, and answers when it is there.", { routing: "every" }),
];

/** Slots of a {@linkcode CommandIndex} for each name, so that few share one. */
const SLOTS_PER_NAME = 8;
const SLOT_WORDS = 4;
/** Letters of a name that one word holds. */
const FIRST_LETTERS = 4;

/**
 * Finds a command by its name, whatever its case, without allocating.
 *
 * Names are letters, so `byte | 0x20` is their lower case, and nothing else turns into a letter by it. The first four
 * letters and the length choose a slot of an open-addressed table, and nearly always settle it; of longer names the other
 * letters are compared as well.
 *
 * ```text
 * slot     first four letters · length of the name · position of the command + 1 (0: free) · where the letters begin
 * letters  getsetmgetlindex…
 * ```
 */
export class CommandIndex {
  readonly #slots: Int32Array;
  readonly #letters: Uint8Array;
  readonly #shift: number;
  // The command found last, if its first letters are all it has: commands of one kind often come in a row.
  #lastFirst = 0;
  #lastLength = 0;
  #lastPosition = -1;

  /** @param commands the table to find in; `find` answers positions in it */
  constructor(commands: readonly CommandSpecification[] = COMMANDS) {
    const names = commands.flatMap(({ name, aliases }, position) => {
      return [name, ...aliases].map((each) => ({ position, letters: encodeText(each) }));
    });
    const bits = Math.ceil(Math.log2(names.length * SLOTS_PER_NAME));
    this.#slots = new Int32Array(2 ** bits * SLOT_WORDS);
    this.#letters = new Uint8Array(names.reduce((sum, { letters }) => sum + letters.length, 0));
    this.#shift = 32 - bits;
    let offset = 0;
    for (const { position, letters } of names) {
      assert(
        letters.every((letter) => letter >= 0x61 && letter <= 0x7a),
        `command ${position} has a name of no letters`,
      );
      this.#letters.set(letters, offset);
      this.#add(position, offset, letters.length);
      offset += letters.length;
    }
  }

  #add(position: number, offset: number, length: number): void {
    const first = firstLetters(this.#letters, offset, length);
    let at = (spread(first, length) >>> this.#shift) * SLOT_WORDS;
    while (this.#slots[at + 2] !== 0) at = (at + SLOT_WORDS) & (this.#slots.length - 1);
    this.#slots.set([first, length, position + 1, offset], at);
  }

  /** The position of the command named by `bytes[start, start + length)`, or -1. */
  find(bytes: Uint8Array, start: number, length: number): number {
    if (length === 0) return -1;
    const slots = this.#slots;
    const first = firstLetters(bytes, start, length);
    if (first === this.#lastFirst && length === this.#lastLength) return this.#lastPosition;
    let at = (spread(first, length) >>> this.#shift) * SLOT_WORDS;
    for (; slots[at + 2] !== 0; at = (at + SLOT_WORDS) & (slots.length - 1)) {
      if (slots[at] !== first || slots[at + 1] !== length) continue;
      const letters = this.#letters;
      const offset = slots[at + 3]!;
      let i = FIRST_LETTERS;
      while (i < length && (bytes[start + i]! | 0x20) === letters[offset + i]) i++;
      if (i < length) continue;
      const position = slots[at + 2]! - 1;
      if (length <= FIRST_LETTERS) {
        this.#lastFirst = first;
        this.#lastLength = length;
        this.#lastPosition = position;
      }
      return position;
    }
    return -1;
  }
}

/** Up to four letters of a name in lower case, as one word. */
function firstLetters(bytes: Uint8Array, start: number, length: number): number {
  let word = bytes[start]!;
  if (length > 1) word |= bytes[start + 1]! << 8;
  if (length > 2) word |= bytes[start + 2]! << 16;
  if (length > 3) word |= bytes[start + 3]! << 24;
  return word | 0x20202020;
}

/** Spreads names over the slots; the product's upper bits depend on all letters. */
function spread(first: number, length: number): number {
  return Math.imul(first ^ (length << 12), 0x9e3779b1);
}

/**
 * Whether a command may be called with `count` arguments, its name included.
 *
 * @param arity as in its specification
 */
export function acceptsCount(arity: number, count: number): boolean {
  return arity >= 0 ? count === arity : count >= -arity;
}
