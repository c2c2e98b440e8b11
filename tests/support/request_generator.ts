/**
 * Random requests of all commands on data, for comparing two stores.
 *
 * They come in phases, since different conditions find different mistakes: few keys whose type changes often, lists,
 * hashes and sets that grow large, large values, many keys.
 *
 * @module
 */

import type { Random } from "../../bench/support/random.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { START_MS } from "./memory_client.ts";

/**
 * The commands on data that are left out:
 *
 * - `scan`, `hscan` and `sscan`, whose cursors differ, and which are followed to their ends instead;
 * - commands whose result is random or depends on the arena;
 * - `size`, which counts expired keys until they are removed, and is compared after that.
 */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "scan",
  "hscan",
  "sscan",
  "randomkey",
  "object",
  "memory",
  "flush",
  "size",
]);
/** The groups whose keys are usually kept separate, so that large values develop. */
const KEYED_GROUPS = ["string", "list", "hash", "set"];
/** The names of the commands. Commands that add data occur more often. */
const NAMES = COMMANDS.filter(({ name, group, routing }) => {
  return [...KEYED_GROUPS, "key"].includes(group) && routing !== "wait" && !LEFT_OUT.has(name);
}).flatMap(({ name }) => {
  if (["lpush", "rpush", "hset", "append", "set", "sadd"].includes(name)) return [name, name, name, name];
  return [name];
});

/** The groups of the commands, by name. */
const GROUPS: ReadonlyMap<string, string> = new Map(COMMANDS.map(({ name, group }) => [name, group]));
/** The values from which the arguments of one phase are drawn. */
export interface Phase {
  readonly keys: readonly Argument[];
  /** The number of fields of a hash that are used, and of short members of a set. */
  readonly fields: number;
  /** The lengths of values, in bytes. */
  readonly lengths: readonly number[];
  /** Whether lists, hashes and sets usually grow; otherwise they are often removed. */
  readonly grows: boolean;
}

const KEYS: readonly Argument[] = [
  "",
  "a",
  "b",
  "key with spaces",
  "ключ",
  "{tag}x",
  "n1",
  "n2",
  "l1",
  "l2",
  "h1",
  "h2",
  "a1",
  "a2",
]
  .concat(Array.from({ length: 20 }, (_, i) => `k${i}`));
const LONG_KEY = new Uint8Array(3000).fill(0x6b);

/** The phases of a run, which come in any order. */
export const PHASES: readonly Phase[] = [
  { keys: KEYS, fields: 6, lengths: [0, 1, 3, 8, 20], grows: false },
  { keys: [...KEYS.slice(0, 8), LONG_KEY], fields: 40, lengths: [0, 1, 7, 8, 9, 63, 64, 65, 255, 256], grows: false },
  { keys: KEYS.slice(0, 6), fields: 3_000, lengths: [0, 2, 30], grows: true },
  { keys: KEYS.slice(0, 6), fields: 300, lengths: [0, 2, 30, 200, 2_000], grows: true },
  { keys: KEYS.slice(0, 6), fields: 8, lengths: [1, 500, 4_000, 20_000, 100_000], grows: false },
  { keys: Array.from({ length: 3_000 }, (_, i) => `many:${i}`), fields: 3, lengths: [1, 16, 32, 300], grows: false },
];

const NUMBERS = [0, 1, -1, 2, -2, 5, 10, -10, 100, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53 - 1)];
const FLOATS = ["0.1", "-0.1", "3.0e2", "1e-5", "12345.678", "-1e17", ".5", "1e300"];
const STRANGE = ["9223372036854775807", "-9223372036854775808", "9223372036854775808", "", "x", "1.5", "01", "-0"];

/** Yields the phases in random orders, without end. Each comes before any comes again. */
export function* shuffledPhases(random: Random): Generator<Phase, never> {
  for (;;) {
    const left = [...PHASES];
    while (left.length > 0) yield left.splice(random.below(left.length), 1)[0]!;
  }
}

/** Creates the requests of one phase. */
export class RequestGenerator {
  /** The group whose keys the present request usually uses; -1 for any. */
  #group = -1;

  constructor(readonly random: Random, readonly phase: Phase) {}

  #key(): Argument {
    const { keys } = this.phase;
    if (this.#group === -1 || this.random.chance(this.phase.grows ? 0.0005 : 0.03)) return this.random.pick(keys);
    const groups = KEYED_GROUPS.length;
    const own = this.random.below(Math.floor(keys.length / groups)) * groups + this.#group;
    return keys[own]!;
  }

  #field(): Argument {
    const number = this.random.below(this.phase.fields);
    return number === 0 ? "" : number % 7 === 0 ? `field ${number}`.padEnd(40 + number % 300, "f") : `f${number}`;
  }

  #value(): Argument {
    if (this.random.chance(0.3)) return this.#number();
    const bytes = new Uint8Array(this.random.pick(this.phase.lengths));
    bytes.fill(this.random.below(256));
    if (bytes.length > 0) bytes[0] = this.random.below(256);
    return bytes;
  }

  #number(): Argument {
    if (this.random.chance(0.05)) return this.random.pick(STRANGE);
    return this.random.chance(0.5) ? this.random.pick(NUMBERS) : this.random.below(300) - 100;
  }

  /** Returns one or more arguments: usually few, sometimes many. */
  #repeat(make: () => Argument | Argument[]): Argument[] {
    const count = this.random.chance(this.phase.grows ? 0.1 : 0.02)
      ? 1 + this.random.below(100)
      : 1 + this.random.below(4);
    return Array.from({ length: count }, make).flat();
  }

  #ttl(): Argument {
    return this.random.chance(0.1) ? this.#number() : 1 + this.random.below(5_000);
  }

  /** Returns a time in ms since 1970, within a run: past or future. */
  #moment(): number {
    return START_MS + this.random.below(60_000);
  }

  #float(): Argument {
    return this.random.chance(0.3) ? this.#number() : this.random.pick(FLOATS);
  }

  #ttlOption(): Argument[] {
    if (this.random.chance(0.2)) return ["PX", this.#ttl()];
    if (this.random.chance(0.05)) return ["EX", this.#number()];
    if (this.random.chance(0.05)) return ["PXAT", this.#moment()];
    return this.random.chance(0.05) ? ["EXAT", Math.floor(this.#moment() / 1000)] : [];
  }

  #conditions(): Argument[] {
    if (this.random.chance(0.5)) return [];
    const one = this.random.pick(["NX", "XX", "gt", "LT"]);
    return this.random.chance(0.8) ? [one] : [one, this.random.pick(["XX", "GT", "nope"])];
  }

  #setOptions(): Argument[] {
    const options: Argument[] = [];
    if (this.random.chance(0.2)) options.push(this.random.pick(["NX", "xx"]));
    if (this.random.chance(0.2)) options.push("GET");
    if (this.random.chance(0.2)) options.push("KEEPTTL");
    return [...options, ...this.#ttlOption()];
  }

  /** Returns one request, with the command's name first. Most are valid; some must be refused. */
  request(): Argument[] {
    const name = this.random.pick(NAMES);
    this.#group = KEYED_GROUPS.indexOf(GROUPS.get(name)!);
    // Commands that end keys usually end strings.
    if (name === "remove" || (this.phase.grows && /expire|ttl/.test(name))) this.#group = 0;
    // Commands that move values usually move them among keys of one group.
    if (/rename|copy/.test(name)) this.#group = this.random.below(KEYED_GROUPS.length);
    return [name, ...this.#arguments(name)];
  }

  #arguments(name: string): Argument[] {
    switch (GROUPS.get(name)) {
      case "string":
        return this.#stringArguments(name);
      case "list":
        return this.#listArguments(name);
      case "hash":
        return this.#hashArguments(name);
      case "set":
        return this.#setArguments(name);
      default:
        return this.#keyArguments(name);
    }
  }

  #stringArguments(name: string): Argument[] {
    switch (name) {
      case "set":
        return [this.#key(), this.#value(), ...this.#setOptions()];
      case "setex":
      case "psetex":
        return [this.#key(), this.#ttl(), this.#value()];
      case "getex":
        return [this.#key(), ...(this.random.chance(0.2) ? ["PERSIST"] : this.#ttlOption())];
      case "mget":
        return this.#repeat(() => this.#key());
      case "mset":
      case "msetnx":
        return this.#repeat(() => [this.#key(), this.#value()]);
      case "append":
      case "setnx":
      case "getset":
        return [this.#key(), this.#value()];
      case "getrange":
        return [this.#key(), this.#number(), this.#number()];
      case "setrange":
        // Sometimes there is a large gap.
        return [this.#key(), this.random.below(this.random.chance(0.02) ? 200_000 : 40), this.#value()];
      case "incrby":
      case "decrby":
        return [this.#key(), this.#number()];
      case "incrbyfloat":
        return [this.#key(), this.#float()];
      default:
        return [this.#key()];
    }
  }

  #listArguments(name: string): Argument[] {
    switch (name) {
      case "lpush":
      case "rpush":
      case "lpushx":
      case "rpushx":
        return [this.#key(), ...this.#repeat(() => this.#value())];
      case "lpop":
      case "rpop":
        if (this.random.chance(0.7)) return [this.#key()];
        return [this.#key(), this.random.chance(0.02) ? this.#number() : this.random.below(6)];
      case "lset":
        return [this.#key(), this.random.below(20) - 10, this.#value()];
      case "lget":
        return [this.#key(), this.#number()];
      case "lrange":
        return [this.#key(), this.#number(), this.#number()];
      case "linsert":
        return [this.#key(), this.random.pick(["BEFORE", "after"]), this.#value(), this.#value()];
      case "lrem":
        return [this.#key(), this.random.below(7) - 3, this.#value()];
      case "ltrim":
        if (this.random.chance(this.phase.grows ? 0.005 : 0.2)) return [this.#key(), this.#number(), this.#number()];
        return [this.#key(), this.random.below(4), -1 - this.random.below(4)];
      case "lpos":
        return [this.#key(), this.#value(), ...this.#positionOptions()];
      case "lmove":
        return [this.#key(), this.#key(), this.#end(), this.#end()];
      case "rpoplpush":
        return [this.#key(), this.#key()];
      default:
        return [this.#key()];
    }
  }

  #positionOptions(): Argument[] {
    const options: Argument[] = [];
    if (this.random.chance(0.3)) options.push("RANK", this.random.below(7) - 3);
    if (this.random.chance(0.3)) options.push("COUNT", this.random.below(4));
    if (this.random.chance(0.3)) options.push("MAXLEN", this.random.below(100));
    return options;
  }

  #end(): Argument {
    return this.random.pick(["LEFT", "right"]);
  }

  #hashArguments(name: string): Argument[] {
    switch (name) {
      case "hset":
      case "hmset":
        return [this.#key(), ...this.#repeat(() => [this.#field(), this.#value()])];
      case "hsetnx":
        return [this.#key(), this.#field(), this.#value()];
      case "hget":
      case "hexists":
      case "hstrlen":
        return [this.#key(), this.#field()];
      case "hmget":
      case "hdel":
        return [this.#key(), ...this.#repeat(() => this.#field())];
      case "hincrby":
        return [this.#key(), this.#field(), this.#number()];
      case "hincrbyfloat":
        return [this.#key(), this.#field(), this.#float()];
      case "hrandfield":
        // All fields are requested, so that the reply is not random.
        return [this.#key(), 100_000, "WITHVALUES"];
      default:
        return [this.#key()];
    }
  }

  /** Returns a member: usually one of few, so that sets have members in common. */
  #member(): Argument {
    if (this.random.chance(0.1)) return this.#value();
    return this.random.chance(0.3) ? this.random.below(this.phase.fields) : this.#field();
  }

  #setArguments(name: string): Argument[] {
    switch (name) {
      case "sadd":
      case "srem":
      case "smismember":
        return [this.#key(), ...this.#repeat(() => this.#member())];
      case "sismember":
        return [this.#key(), this.#member()];
      case "smove":
        return [this.#key(), this.#key(), this.#member()];
      case "srandmember":
      case "spop":
        // All members are requested, so that the reply and the effect are not random.
        return [this.#key(), name === "spop" && this.random.chance(this.phase.grows ? 0.9 : 0.5) ? 0 : 100_000];
      case "sinter":
      case "sunion":
      case "sdiff":
        return this.#someKeys();
      case "sinterstore":
      case "sunionstore":
      case "sdiffstore":
        return [this.#key(), ...this.#someKeys()];
      case "sintercard": {
        const keys = this.#someKeys();
        const limit = this.random.chance(0.3) ? ["LIMIT", this.random.below(10)] : [];
        return [this.random.chance(0.95) ? keys.length : this.random.below(4), ...keys, ...limit];
      }
      default:
        return [this.#key()];
    }
  }

  /** Returns a few keys, and sometimes more. */
  #someKeys(): Argument[] {
    return Array.from({ length: 1 + this.random.below(this.random.chance(0.1) ? 8 : 3) }, () => this.#key());
  }

  #keyArguments(name: string): Argument[] {
    switch (name) {
      case "exists":
      case "touch":
        return this.#repeat(() => this.#key());
      case "remove":
        return this.random.chance(0.5) ? [this.#key()] : this.#repeat(() => this.#key());
      case "rename":
      case "renamenx":
        return [this.#key(), this.#key()];
      case "copy":
        return [this.#key(), this.#key(), ...(this.random.chance(0.6) ? ["REPLACE"] : [])];
      case "expire":
        return [this.#key(), this.random.below(5) - 1, ...this.#conditions()];
      case "pexpire":
        return [this.#key(), this.#ttl(), ...this.#conditions()];
      case "expireat":
        return [this.#key(), Math.floor(this.#moment() / 1000), ...this.#conditions()];
      case "pexpireat":
        return [this.#key(), this.#moment(), ...this.#conditions()];
      case "ttl":
        return this.random.chance(0.8) ? [this.#key()] : [this.#key(), this.random.below(4)];
      case "keys":
        return [this.random.pick(["k*", "*11", "[a-l]?", "many:??", "ключ", "", this.random.chance(0.1) ? "*" : "?"])];
      default:
        return [this.#key()];
    }
  }
}
