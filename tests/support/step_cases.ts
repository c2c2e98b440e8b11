/**
 * Every command at its largest: with as many arguments as a request may have, and on the largest values.
 *
 * A case is one burst of requests by one client. `scale` 1 is the largest that the limits allow; the suite takes less.
 *
 * @module
 */

import { COMMANDS } from "../../src/command/specification.ts";
import { ARGUMENTS_MAX_COUNT, FIELD_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";

/** A word of a request; many of one length take less memory as a function of their number. */
export type Word = string | Uint8Array;

/** One case. */
export interface StepCase {
  /** Of a command of the table. */
  readonly command: string;
  /** What is large about it. */
  readonly what: string;
  /** Requests that make what it needs. */
  readonly before?: readonly (readonly Word[])[];
  readonly requests: readonly (readonly Word[])[];
  /** Replies, where they are not as many as requests: a subscription has one for each channel. */
  readonly replies?: number;
  /** Requests by another client afterwards, so that the next case finds what this one found. */
  readonly after?: readonly (readonly Word[])[];
}

/** How large the cases are. */
export interface StepSizes {
  /** Arguments of one request. */
  readonly args: number;
  /** Elements of a list, fields of a hash. */
  readonly items: number;
  /** Bytes of a value. */
  readonly value: number;
}

/** The sizes of a scale: 1 is what the limits allow, and collections of a million elements. */
export function sizesFor(scale: number): StepSizes {
  return {
    args: Math.floor((ARGUMENTS_MAX_COUNT - 8) * scale),
    items: Math.floor(1_000_000 * scale),
    value: Math.floor((VALUE_SIZE_MAX_BYTES - 64) * scale),
  };
}

const CHUNK_COUNT = 10_000;

/** The requests that make a list or hash of `count` items. */
function many(count: number, request: (from: number, to: number) => Word[]): Word[][] {
  const requests: Word[][] = [];
  for (let from = 0; from < count; from += CHUNK_COUNT) {
    requests.push(request(from, Math.min(count, from + CHUNK_COUNT)));
  }
  return requests;
}

function range(from: number, to: number, make: (i: number) => Word[]): Word[] {
  const words: Word[] = [];
  for (let i = from; i < to; i++) words.push(...make(i));
  return words;
}

/** All cases. Every command of the table has one; those that none of these is about have their plain form. */
export function stepCases({ args, items, value }: StepSizes): StepCase[] {
  const big = new Uint8Array(value).fill(0x61);
  const keys = range(0, args, (i) => [`k${i}`]);
  const pairs = range(0, args / 2, (i) => [`k${i}`, "v"]);
  const fields = range(0, args / 2, (i) => [`f${i}`, "v"]);
  const list = many(items, (from, to) => ["rpush", "list", ...range(from, to, (i) => [`e${i % 1000}`])]);
  const hash = many(items / 2, (from, to) => ["hset", "hash", ...range(from, to, (i) => [`field${i}`, `v${i}`])]);
  const longs = Math.max(2, Math.floor(items / 100));
  const long = new Uint8Array(10_000).fill(0x62);
  const longList = many(longs, (from, to) => ["rpush", "longs", ...range(from, to, () => [long])].slice(0, 1002));
  const flush = [["flushall"]];
  const field = new Uint8Array(FIELD_SIZE_MAX_BYTES).fill(0x66);
  const c = (command: string, what: string, requests: Word[][], rest: Partial<StepCase> = {}): StepCase => ({
    command,
    what,
    requests,
    ...rest,
  });
  const cases: StepCase[] = [
    // Many arguments.
    c("mset", "keys", [["mset", ...pairs]]),
    c("mset", "keys that are there", [["mset", ...pairs]]),
    c("msetnx", "keys, one of them there", [["msetnx", ...pairs]]),
    c("mget", "keys", [["mget", ...keys]]),
    c("exists", "keys", [["exists", ...keys]]),
    c("touch", "keys", [["touch", ...keys]]),
    c("remove", "keys", [["unlink", ...keys]]),
    c("msetnx", "absent keys", [["msetnx", ...pairs]], { after: flush }),
    c("hset", "fields", [["hset", "h", ...fields]]),
    c("hset", "fields that are there", [["hset", "h", ...fields]]),
    c("hmset", "fields", [["hmset", "h", ...fields]]),
    c("hmget", "fields", [["hmget", "h", ...keys]]),
    c("hdel", "fields", [["hdel", "h", ...range(0, args, (i) => [`f${i}`])]], { after: flush }),
    c("lpush", "elements", [["lpush", "l", ...keys]]),
    c("lpushx", "elements", [["lpushx", "l", ...keys]]),
    c("rpush", "elements", [["rpush", "l", ...keys]]),
    c("rpushx", "elements", [["rpushx", "l", ...keys]], { after: flush }),
    c("blpop", "keys", [["blpop", ...keys, "0.01"]]),
    c("brpop", "keys", [["brpop", ...keys, "0.01"]]),
    c("watch", "keys", [["watch", ...keys], ["multi"], ["exec"]]),
    c("unwatch", "keys", [["watch", ...keys], ["unwatch"]]),
    c("command", "names: info", [["command", "info", ...range(0, args, () => ["get"])]]),
    c("command", "names: docs", [["command", "docs", ...range(0, args, () => ["get"])]]),
    c("command", "keys: getkeys", [["command", "getkeys", "mget", ...keys]]),
    c("command", "keys: getkeysandflags", [["command", "getkeysandflags", "mget", ...keys]]),
    c("config", "patterns", [["config", "get", ...range(0, args, () => ["*"])]]),
    c("config", "settings", [["config", "set", ...range(0, args / 2, () => ["maxmemory-policy", "allkeys-lru"])]]),
    c("client", "ids: list", [["client", "list", "id", ...range(0, args, () => ["1"])]]),
    c("client", "filters: kill", [["client", "kill", ...range(0, args / 2, () => ["id", "99999999"])]]),
    c("info", "sections", [["info", ...range(0, args, () => ["server"])]]),
    c("pubsub", "channels: numsub", [["pubsub", "numsub", ...keys]]),
    c("ping", "wrong count", [["ping", ...keys]]),
    c("get", "wrong count", [["get", ...keys]]),
    c("lpos", "options", [["lpos", "l", "x", ...range(0, args / 2, () => ["rank", "1"])]]),
    c("set", "options", [["set", "k", "v", ...range(0, args, () => ["xx"])]]),
    c("scan", "options", [["scan", "0", ...range(0, args / 2, () => ["match", "*"])]]),
    c("hscan", "options", [["hscan", "h", "0", ...range(0, args / 2, () => ["match", "*"])]]),
    c("copy", "options", [["copy", "a", "b", ...range(0, args, () => ["replace"])]]),
    c("memory", "options", [["memory", "usage", "a", ...range(0, args / 2, () => ["samples", "1"])]]),
    // Large lists.
    c("lrange", "elements", [["lrange", "list", "0", "-1"]], { before: list }),
    c("lpos", "no match", [["lpos", "list", "nosuch"]]),
    c("lpos", "all that match", [["lpos", "list", "e7", "count", "0", "rank", "-1"]]),
    c("lpos", "no match, 300 times", range(0, 300, () => [""]).map(() => ["lpos", "list", "nosuch"])),
    c("linsert", "no match", [["linsert", "list", "before", "nosuch", "x"]]),
    c("lrem", "no match", [["lrem", "list", "0", "nosuch"]]),
    c("lrem", "every thousandth", [["lrem", "list", "0", "e5"]]),
    c("lrem", "from the tail", [["lrem", "list", "-100", "e6"]]),
    c("copy", "a list", [["copy", "list", "list2"]]),
    c("rename", "a list", [["rename", "list2", "list3"]]),
    c("renamenx", "a list", [["renamenx", "list3", "list2"]]),
    c("ltrim", "a list", [["ltrim", "list2", "10", "20"]]),
    c("lpop", "elements", [["lpop", "list", String(items / 2)]]),
    c("rpop", "elements", [["rpop", "list", String(items)]]),
    c("lrange", "long elements", [["lrange", "longs", "0", "-1"]], { before: longList }),
    c("lpos", "long elements", [["lpos", "longs", new Uint8Array(10_000).fill(0x62, 0, 9_999)]]),
    c("lrem", "long elements that are equal", [["lrem", "longs", "0", long]], { after: flush }),
    // Large hashes.
    c("hgetall", "fields", [["hgetall", "hash"]], { before: hash }),
    c("hkeys", "fields", [["hkeys", "hash"]]),
    c("hvals", "fields", [["hvals", "hash"]]),
    c("hrandfield", "any", [["hrandfield", "hash", String(-items)]]),
    c("hrandfield", "any, with values", [["hrandfield", "hash", String(-items / 4), "withvalues"]]),
    c("hrandfield", "different", [["hrandfield", "hash", String(items / 3)]]),
    c("hrandfield", "all", [["hrandfield", "hash", String(items)]]),
    c("hrandfield", "too many", [["hrandfield", "hash", "-9000000000000000000"]]),
    c("hrandfield", "of one field", [["hset", "one", "", ""], ["hrandfield", "one", String(-items * 2)]]),
    c("hscan", "count", [["hscan", "hash", "0", "count", "1000000", "match", "*".repeat(1000)]]),
    c("copy", "a hash", [["copy", "hash", "hash2"]]),
    c("memory", "all samples", [["memory", "usage", "hash", "samples", "0"]]),
    c("object", "of a hash", [["object", "encoding", "hash"]]),
    c("remove", "a hash", [["del", "hash", "hash2"]], { after: flush }),
    c("hset", "the longest field", [["hset", "h", field, big], ["hget", "h", field], ["hgetall", "h"], ["hvals", "h"]]),
    c("hincrbyfloat", "a long value", [["hincrbyfloat", "h", field, "1"], ["hstrlen", "h", field]], { after: flush }),
    // Long strings.
    c("set", "a long value", [["set", "big", big]]),
    c("set", "a long value anew, and get", [["set", "big", big, "get"]]),
    c("get", "a long value", [["get", "big"]]),
    c("getrange", "a long value", [["getrange", "big", "1", "-2"]]),
    c("strlen", "a long value", [["strlen", "big"]]),
    c("getset", "a long value", [["getset", "big", big]]),
    c("getex", "a long value", [["getex", "big", "ex", "1000"]]),
    c("setrange", "the middle of a long value", [["setrange", "big", String(value >> 1), "x"]]),
    c("incr", "a long value", [["incr", "big"]]),
    c("incrbyfloat", "a long value", [["incrbyfloat", "big", "1"]]),
    c("copy", "a long value", [["copy", "big", "big2"]]),
    c("mget", "long values", [["mget", "big", "big2", "big"]]),
    c("getdel", "a long value", [["getdel", "big2"]]),
    c("setnx", "a long value", [["setnx", "nx", big]]),
    c("setex", "a long value", [["setex", "nx", "100", big]]),
    c("psetex", "a long value", [["psetex", "nx", "100000", big]]),
    c("mset", "a long value", [["mset", "nx", big, "b", "c"]]),
    c("append", "a long value", [["set", "a", "x"], ["append", "a", big.subarray(0, value - 8)]]),
    c("setrange", "behind the end", [["setrange", "gap", String(value - 1), "x"]]),
    c("setrange", "a long value", [["setrange", "gap", "0", big]]),
    c("echo", "a long value", [["echo", big]]),
    c("ping", "a long value", [["ping", big]], { after: flush }),
    c("lpush", "a long element", [["lpush", "l", big], ["lindex", "l", "0"], ["lrange", "l", "0", "-1"]]),
    c("lset", "a long element", [["lset", "l", "0", big]]),
    c("linsert", "a long element", [["linsert", "l", "before", big, big]]),
    c("lmove", "a long element", [["lmove", "l", "m", "left", "right"], ["rpoplpush", "m", "l"]]),
    c("blmove", "a long element", [["blmove", "l", "m", "left", "left", "1"], ["brpoplpush", "m", "l", "1"]]),
    c("blpop", "a long element", [["blpop", "l", "1"]]),
    c("lpop", "a long element", [["lpop", "l"]], { after: flush }),
    c("publish", "a long message", [["publish", "c", big]]),
    c("subscribe", "a long name", [["subscribe", big]]),
    // Many keys.
    c("set", "makes room for much", [["set", "big", big]], {
      before: many(items, (from, to) => ["mset", ...range(from, to, (i) => [`key:${i}`, `value ${i}`])]),
    }),
    c("keys", "all keys", [["keys", "*"]]),
    c("keys", "no match", [["keys", "*".repeat(200) + "x"]]),
    c("scan", "count", [["scan", "0", "count", "1000000", "match", "*".repeat(500)]]),
    c("scan", "20 times", range(0, 20, () => [""]).map(() => ["scan", "0", "count", "1000000"])),
    c("randomkey", "keys", [["randomkey"]]),
    c("flushslots", "keys", [["flushslots", "0", new Uint8Array(2048).fill(255)]]),
    c("exec", "no matches", [["multi"], ...range(0, 20, () => [""]).map(() => ["keys", "nosuch*"]), ["exec"]]),
    c("flush", "keys", [["flushall"]]),
    // Transactions and pipelines.
    c("exec", "pings", [["multi"], ...range(0, args / 2, () => [""]).map(() => ["ping"]), ["exec"]]),
    c("exec", "sets", [["multi"], ...range(0, args / 4, (i) => [`t${i}`]).map((key) => ["set", key, "v"]), ["exec"]]),
    c("discard", "pings", [["multi"], ...range(0, args / 4, () => [""]).map(() => ["ping"]), ["discard"]]),
    c("set", "a pipeline", range(0, args / 4, (i) => [`p${i}`]).map((key) => ["set", key, "v"]), { after: flush }),
    // Channels.
    c("subscribe", "channels", [["subscribe", ...keys.slice(0, args / 8)]], { replies: Math.floor(args / 8) }),
    c("psubscribe", "patterns", [["psubscribe", ...patterns(args / 64)]], { replies: 1 }),
  ];
  const known = new Set(cases.map(({ command }) => command));
  for (const { name, arity } of COMMANDS) {
    if (known.has(name) || name === "debug" || name === "quit") continue;
    const words = range(0, Math.max(0, Math.abs(arity) - 1), () => ["1"]);
    cases.push(c(name, "plain", [[name, ...words]]));
  }
  return cases;
}

function patterns(count: number): Word[] {
  return range(0, count, (i) => [`${i}${"?".repeat(900)}`]);
}
