/**
 * The data that servers are loaded with to measure its memory: the same keys, fields and bytes for each server.
 *
 * Values are letters and digits of a pool that is created once, so each costs the loader a view instead of its
 * characters.
 *
 * @module
 */

import { Random } from "./random.ts";

const POOL_LENGTH = 1 << 16;
const POOL_SEED = 7;
const ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789";
/** The distance between the texts of neighbouring numbers in the pool. It is odd and large, so that they differ. */
const POOL_STRIDE = 40_503;

const LIST_ELEMENTS_COUNT = 100;
/** The number of elements by which lists grow, alternately, as they do in practice. */
const LIST_PUSHED_COUNT = 10;
const SET_MEMBERS_COUNT = 1_000;
const SET_ADDED_COUNT = 20;

/** The keys of one kind, and the commands that create them. */
export interface Load {
  readonly name: string;
  readonly keysCount: number;
  /** The number of resident bytes per key that inmem may use for each of redis-server's. */
  readonly wantedRatio: number;
  /** The number of commands that create a key, numbered from 0. All keys get their first, then all their second. */
  readonly commandsPerKey: number;
  /** Returns command `part` of a key. */
  command(key: number, part: number): readonly string[];
}

/** The loads at their full size. */
export const LOADS: readonly Load[] = [
  {
    name: "strings of 32 B",
    keysCount: 1_000_000,
    wantedRatio: 0.65,
    commandsPerKey: 1,
    command: (key) => ["SET", keyName(key), text(key, 32)],
  },
  {
    name: "strings of 200 B",
    keysCount: 1_000_000,
    wantedRatio: 0.8,
    commandsPerKey: 1,
    command: (key) => ["SET", keyName(key), text(key, 200)],
  },
  {
    name: "hashes of 5 fields",
    keysCount: 200_000,
    wantedRatio: 1,
    commandsPerKey: 1,
    command: (key) => ["HSET", keyName(key), ...hashFields(key)],
  },
  {
    name: `lists of ${LIST_ELEMENTS_COUNT} × 10 B`,
    keysCount: 10_000,
    wantedRatio: 1,
    commandsPerKey: LIST_ELEMENTS_COUNT / LIST_PUSHED_COUNT,
    command: (key, part) => ["RPUSH", keyName(key), ...listElements(key, part)],
  },
  {
    name: "sets of 5 members",
    keysCount: 200_000,
    wantedRatio: 0.5,
    commandsPerKey: 1,
    command: (key) => ["SADD", keyName(key), ...setMembers(key)],
  },
  {
    name: `sets of ${SET_MEMBERS_COUNT} × 16 B`,
    keysCount: 1_000,
    wantedRatio: 0.5,
    commandsPerKey: SET_MEMBERS_COUNT / SET_ADDED_COUNT,
    command: (key, part) => ["SADD", keyName(key), ...longSetMembers(key, part)],
  },
];

/** Returns the name of a key, of 16 bytes. */
function keyName(key: number): string {
  return `key:${String(key).padStart(12, "0")}`;
}

function hashFields(key: number): string[] {
  const plan = ["free", "team", "business"][key % 3]!;
  const seenAt = 1_700_000_000 + key * 17;
  return [
    "name",
    text(key, 10),
    "city",
    text(key * 3, 7),
    "plan",
    plan,
    "seen",
    String(seenAt),
    "score",
    `${key % 997}`,
  ];
}

function listElements(key: number, part: number): string[] {
  const first = key * LIST_ELEMENTS_COUNT + part * LIST_PUSHED_COUNT;
  return Array.from({ length: LIST_PUSHED_COUNT }, (_, index) => text(first + index, 10));
}

/** Returns the members of a small set: tags, a short text and two integers. */
function setMembers(key: number): string[] {
  const plan = ["free", "team", "business"][key % 3]!;
  return [plan, "active", text(key, 8), `${key % 997}`, `${1_000_000 + key}`];
}

function longSetMembers(key: number, part: number): string[] {
  const first = key * SET_MEMBERS_COUNT + part * SET_ADDED_COUNT;
  return Array.from({ length: SET_ADDED_COUNT }, (_, index) => `member:${String(first + index).padStart(9, "0")}`);
}

const pool = makePool();

function makePool(): string {
  const random = new Random(POOL_SEED);
  return Array.from({ length: POOL_LENGTH }, () => ALPHABET[random.below(ALPHABET.length)]).join("");
}

/** Returns a text that depends on the number. */
function text(number: number, length: number): string {
  const start = number * POOL_STRIDE % (POOL_LENGTH - length);
  return pool.slice(start, start + length);
}
