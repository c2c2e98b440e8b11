/**
 * The numbers in RDB files, and what they mean. Each key has the number of a type in front of it, and between the keys
 * there are operations.
 *
 * | file version | written by |
 * |---|---|
 * | 1 to 9 | Redis 1.3 to 6.2 |
 * | 10 | Redis 7.0 |
 * | 11 | Redis 7.2, Valkey 7.2 and 8 |
 * | 12 | Redis 7.4 and 8.0 |
 * | 80 | Valkey 9, whose files begin with another word, and have another meaning of type 22 |
 *
 * @module
 */

import type { ValueType } from "../entry_reader.ts";
import { Intset } from "./intset.ts";
import { Listpack } from "./listpack.ts";
import type { Packed } from "./packed.ts";
import { Ziplist } from "./ziplist.ts";
import { Zipmap } from "./zipmap.ts";

/** The last version of Redis that is known. */
export const REDIS_VERSION_MAX = 12;
/** The version of Valkey that is known. */
export const VALKEY_VERSION = 80;
/** The files of this version and of later ones end with a checksum. */
export const CHECKSUM_VERSION_MIN = 5;

/** The operations between keys. */
export const Operation = {
  SlotImport: 243,
  SlotInfo: 244,
  Function: 245,
  FunctionBeforeRelease: 246,
  ModuleAux: 247,
  Idle: 248,
  Frequency: 249,
  Aux: 250,
  ResizeDatabase: 251,
  DeadlineMs: 252,
  DeadlineSeconds: 253,
  SelectDatabase: 254,
  End: 255,
} as const;

/**
 * How a value is stored.
 *
 * | form | after the key |
 * |---|---|
 * | `plain` | a count, then as many elements, or fields with values |
 * | `packed` | one string, which is a packed collection |
 * | `nodes` | a count, then as many strings, each of which is a packed collection |
 * | `containers` | the same, with a number before each string: 1 if it is an element, 2 if it is a packed collection |
 * | `expiring` | the first deadline of a field, a count, then deadline, field and value |
 * | `expiring before release` | the same without the first deadline, and deadlines are absolute |
 * | `expiring in Valkey` | a count, then field, value and deadline |
 * | `packed expiring` | the first deadline, then a listpack of fields, values and deadlines |
 * | `packed expiring before release` | the same without the first deadline |
 */
export type Form =
  | "plain"
  | "packed"
  | "nodes"
  | "containers"
  | "expiring"
  | "expiring before release"
  | "expiring in Valkey"
  | "packed expiring"
  | "packed expiring before release";

/** How collections of a type number are stored. */
export interface Encoding {
  readonly type: ValueType;
  readonly form: Form;
  /** The reader of the packed collections. */
  readonly packed?: Packed;
}

/** The type number of strings. */
export const STRING_TYPE = 0;

/** The type number to which Valkey gave another meaning. */
const VALKEY_HASH_TYPE = 22;

/** The collections that inmem has, by type number. The readers of packed collections are shared. */
const ENCODINGS: ReadonlyMap<number, Encoding> = new Map<number, Encoding>([
  [1, { type: "list", form: "plain" }],
  [2, { type: "set", form: "plain" }],
  [4, { type: "hash", form: "plain" }],
  [9, { type: "hash", form: "packed", packed: new Zipmap() }],
  [10, { type: "list", form: "packed", packed: new Ziplist() }],
  [11, { type: "set", form: "packed", packed: new Intset() }],
  [13, { type: "hash", form: "packed", packed: new Ziplist() }],
  [14, { type: "list", form: "nodes", packed: new Ziplist() }],
  [16, { type: "hash", form: "packed", packed: new Listpack() }],
  [18, { type: "list", form: "containers", packed: new Listpack() }],
  [20, { type: "set", form: "packed", packed: new Listpack() }],
  [VALKEY_HASH_TYPE, { type: "hash", form: "expiring before release" }],
  [23, { type: "hash", form: "packed expiring before release", packed: new Listpack() }],
  [24, { type: "hash", form: "expiring" }],
  [25, { type: "hash", form: "packed expiring", packed: new Listpack() }],
]);

const VALKEY_HASH: Encoding = { type: "hash", form: "expiring in Valkey" };

/** Returns how a type number is stored; `undefined` when inmem does not have that type, or it is not known. */
export function encodingOf(number: number, version: number): Encoding | undefined {
  return number === VALKEY_HASH_TYPE && version === VALKEY_VERSION ? VALKEY_HASH : ENCODINGS.get(number);
}

/** The types that inmem does not have, by type number, with an article. */
const FOREIGN_TYPES: ReadonlyMap<number, string> = new Map([
  [3, "a sorted set"],
  [5, "a sorted set"],
  [6, "a value of a module"],
  [7, "a value of a module"],
  [12, "a sorted set"],
  [15, "a stream"],
  [17, "a sorted set"],
  [19, "a stream"],
  [21, "a stream"],
]);

/** Returns what a type number is that inmem does not have; `undefined` when it is not known. */
export function foreignType(number: number): string | undefined {
  return FOREIGN_TYPES.get(number);
}
