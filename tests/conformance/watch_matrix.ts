/**
 * Writes, some of which change nothing, and whether redis-server 7.0.15 counts each as a change of a watched key.
 *
 * `watch_matrix_test.ts` runs the table against inmem alone. The conformance test runs it against both servers.
 *
 * @module
 */

import { type Step, transcript } from "./transcript.ts";

/**
 * The keys before each command: a string, one with a TTL, lists of one and of two elements, and a hash. `n` is absent.
 */
export const WATCHED: readonly string[] = [
  "set s 1",
  "set e 1 pxat 4102444800000",
  "rpush l a",
  "rpush m a a",
  "hset h f 1",
];

/** A watched key, a command of another client, and whether `exec` then discards the transaction. */
export type WatchedCommand = readonly [key: string, command: string, aborts: boolean];

/** The expected result of each write. */
export const WATCH_MATRIX: readonly WatchedCommand[] = [
  ["s", "set s 1", true],
  ["s", "set s 1 keepttl", true],
  ["s", "set s 1 xx", true],
  ["s", "set s 2 nx", false],
  ["s", "set s 1 get", true],
  ["s", "set s 2 nx get", false],
  ["s", "set s 1 ex 0", false],
  ["s", "setnx s 2", false],
  ["s", "getset s 1", true],
  ["s", "mset s 1", true],
  ["s", "msetnx s 2", false],
  ["s", "setex s 0 1", false],
  ["s", 'append s ""', true],
  ["n", 'append n ""', true],
  ["s", 'setrange s 0 ""', false],
  ["s", "setrange s 0 1", true],
  ["n", 'setrange n 0 ""', false],
  ["n", 'setrange n 5 ""', false],
  ["s", "incrby s 0", true],
  ["s", "decrby s 0", true],
  ["s", "incrbyfloat s 0", true],
  ["s", "getex s", false],
  ["s", "getex s persist", false],
  ["e", "getex e persist", true],
  ["e", "getex e pxat 4102444800000", true],
  ["s", "getex s exat 1", true],
  ["n", "getex n exat 1", false],
  ["n", "getdel n", false],
  ["n", "del n", false],
  ["n", "unlink n", false],
  ["s", "touch s", false],
  ["s", "persist s", false],
  ["n", "persist n", false],
  ["e", "pexpireat e 4102444800000", true],
  ["e", "pexpireat e 4102444800000 nx", false],
  ["e", "pexpireat e 4102444800000 xx", true],
  ["e", "pexpireat e 4102444800000 gt", false],
  ["e", "pexpireat e 4102444800000 lt", false],
  ["s", "pexpireat s 4102444800000 xx", false],
  ["s", "pexpireat s 4102444800000 gt", false],
  ["n", "expire n 10", false],
  ["n", "expire n -1", false],
  ["n", "pexpireat n 1", false],
  ["s", "expire s -1", true],
  ["n", "set n v exat 1", true],
  ["n", "set n v pxat 1", true],
  ["n", "set n v nx exat 1", true],
  ["n", "set n v xx exat 1", false],
  ["n", "set n v get pxat 1", true],
  ["s", "set s v exat 1", true],
  ["s", "set s v nx exat 1", false],
  ["s", "rename s s", false],
  ["s", "renamenx s s", false],
  ["n", "rename n s", false],
  ["e", "renamenx s e", false],
  ["s", "renamenx s e", false],
  ["e", "copy s e", false],
  ["s", "copy s s", false],
  ["n", "copy n s", false],
  ["l", "ltrim l 0 -1", true],
  ["l", "ltrim l -100 100", true],
  ["m", "ltrim m 0 -1", true],
  ["n", "ltrim n 0 -1", false],
  ["s", "ltrim s 0 -1", false],
  ["l", "lset l 0 a", true],
  ["l", "lset l 5 a", false],
  ["l", "lrem l 0 x", false],
  ["n", "lrem n 0 x", false],
  ["l", "linsert l before x y", false],
  ["n", "linsert n before x y", false],
  ["l", "lmove l l left right", true],
  ["l", "lmove l l left left", true],
  ["l", "lmove l l right right", true],
  ["m", "lmove m m left left", true],
  ["m", "lmove m m left right", true],
  ["l", "rpoplpush l l", true],
  ["m", "rpoplpush m m", true],
  ["l", "blmove l l left right 1", true],
  ["m", "blmove m m left left 1", true],
  ["l", "brpoplpush l l 1", true],
  ["l", "lmove n l left left", false],
  ["n", "lmove n n left left", false],
  ["l", "lpop l 0", false],
  ["l", "rpop l 0", false],
  ["n", "lpop n", false],
  ["n", "rpop n 2", false],
  ["n", "lpushx n 1", false],
  ["n", "rpushx n 1", false],
  ["s", "lpush s a", false],
  ["s", "hset s a b", false],
  ["l", "incr l", false],
  ["h", "hset h f 1", true],
  ["h", "hmset h f 1", true],
  ["h", "hsetnx h f 2", false],
  ["h", "hdel h x", false],
  ["n", "hdel n x", false],
  ["h", "hincrby h f 0", true],
  ["h", "hincrbyfloat h f 0", true],
  ["n", "flushall", false],
  ["s", "flushall", true],
  ["n", "flushdb", false],
  ["s", "swapdb 0 0", false],
  ["s", "get s", false],
  ["l", "lrange l 0 -1", false],
  ["h", "hgetall h", false],
];

/** Returns the words of a command of the table. */
export function wordsOf(command: string): string[] {
  return command.split(" ").map((word) => word === '""' ? "" : word);
}

/** The steps of a scenario that runs the table. */
export const WATCH_STEPS: readonly Step[] = WATCH_MATRIX.flatMap(([key, command]) => {
  const lines = [
    "b> flushall",
    ...WATCHED.map((each) => `b> ${each}`),
    `watch ${key}`,
    `b> ${command}`,
    "multi",
    "ping",
  ];
  return transcript(Object.assign([], { raw: [[...lines, "exec"].join("\n")] }));
});
