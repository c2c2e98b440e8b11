/** Sends every command through the proxy of three servers, over TLS, with values of every kind. */

import { assert, assertEquals, assertGreater, assertInstanceOf, assertLessOrEqual, assertRejects } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { CommandSpecification } from "../../src/catalog/specification.ts";
import type { Client } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { FIELD_SIZE_MAX_BYTES, KEY_SIZE_MAX_BYTES } from "../../src/limits.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import type { Value } from "../../src/wire/native/reply_reader.ts";
import { concat, toHex } from "../support/hex.ts";
import { systemTest } from "../support/launcher.ts";

const VALUES: Record<string, Uint8Array<ArrayBuffer>> = {
  "a Unicode value": encodeText("naïve ☃ ключ 🎈 \u202e \ufeff"),
  "a value of 1 MB": new Random(1).bytes(1_000_000),
  "a value with NUL bytes": Uint8Array.of(0, 0, 255, 13, 10, 0, 128, 0),
  "an empty value": new Uint8Array(0),
};

const KEYS: Record<string, string> = {
  "a key with spaces": " a key  with spaces ",
  "a Unicode key": "ключ ☃ 🎈",
  "a key with NUL bytes": "\0\0\x01",
  "an empty key": "",
};

/** Sends commands and remembers which ones. */
class Sender {
  readonly used = new Set<string>();
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  send(...request: Argument[]): Promise<Value> {
    this.used.add(String(request[0]).toLowerCase());
    return this.#client.send(request);
  }

  /** Sends a command and verifies its reply. */
  async expect(reply: Value, ...request: Argument[]): Promise<void> {
    const got = await this.send(...request);
    assertEquals(brief(got), brief(reply), request.map((each) => brief(each as Value)).join(" "));
  }
}

/** Returns values in a form that a failed comparison can print. Printing a megabyte of bytes would take minutes. */
function brief(value: Value): unknown {
  if (value instanceof Uint8Array) {
    if (value.length <= 64) return `bytes ${toHex(value)}`;
    let sum = 0;
    for (const byte of value) sum = (Math.imul(sum, 31) + byte) | 0;
    return `${value.length} bytes, sum ${sum}`;
  }
  if (Array.isArray(value)) return value.map(brief);
  if (value instanceof Map) return [...value].map(([field, each]) => [brief(field), brief(each)]);
  return value;
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return encodeText(text);
}

async function assertBetween(number: Promise<Value>, least: number, most: number): Promise<void> {
  const value = await number;
  assert(typeof value === "number" && value >= least && value <= most, `${String(value)} is not ${least} to ${most}`);
}

async function exerciseStrings(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const other = `${key}:other`;
  await sender.expect("OK", "set", key, value);
  await sender.expect(value, "get", key);
  await sender.expect(value.length, "strlen", key);
  await sender.expect(null, "set", key, "lost", "NX");
  await sender.expect(null, "set", other, "lost", "xx");
  await sender.expect(null, "get", other);
  await sender.expect(value, "set", key, "second", "GET");
  await sender.expect("OK", "set", key, value, "PX", 60_000);
  await sender.expect("OK", "set", key, value, "KEEPTTL");
  await assertBetween(sender.send("pttl", key), 1, 60_000);
  await sender.expect("OK", "set", key, value, "EX", 100, "XX");
  await assertBetween(sender.send("ttl", key), 99, 100);
  await sender.expect("OK", "set", key, value);
  await sender.expect(-1, "pttl", key);
  await sender.expect(value.length * 2, "append", key, value);
  await sender.expect(concat(value, value), "get", key);
  await sender.expect("OK", "mset", key, value, other, value, `${key}:third`, "3");
  await sender.expect([value, null, value, bytes("3")], "mget", key, `${key}:none`, other, `${key}:third`);
  await sender.expect(value, "getdel", key);
  await sender.expect(null, "getdel", key);
  await sender.expect(1, "incr", key);
  await sender.expect(41, "incrby", key, 40);
  await sender.expect(40, "decr", key);
  await sender.expect(35, "decrby", key, 5);
  await sender.expect(bytes("35.5"), "incrbyfloat", key, "0.5");
  await sender.expect("OK", "set", key, "9223372036854775806");
  await sender.expect(9223372036854775807n, "incr", key);
  await sender.expect(3, "del", key, other, `${key}:third`, `${key}:none`);
}

async function exerciseStringForms(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const other = `{${key}}:other`;
  await sender.expect(1, "setnx", key, "first");
  await sender.expect(0, "setnx", key, "second");
  await sender.expect(bytes("first"), "getset", key, value);
  await sender.expect("OK", "setex", key, 100, value);
  await sender.expect("OK", "psetex", key, 5_000, value);
  await assertBetween(sender.send("pttl", key), 1, 5_000);
  await sender.expect(value, "getex", key, "PERSIST");
  await sender.expect(-1, "ttl", key);
  await sender.expect(value.slice(1, 4), "getrange", key, 1, 3);
  await sender.expect(value.slice(0, 1), "substr", key, 0, 0);
  await sender.expect(value.length + 5, "setrange", key, value.length + 2, "end");
  await sender.expect(concat(value, Uint8Array.of(0, 0), bytes("end")), "get", key);
  await sender.expect(0, "msetnx", key, "x", `{${key}}:third`, "x");
  await sender.expect(1, "msetnx", other, value, `{${key}}:third`, value);
  await sender.expect(value, "get", other);
  await sender.expect(3, "unlink", key, other, `{${key}}:third`);
}

async function exerciseLists(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const [x, head] = [bytes("x"), bytes("head")];
  await sender.expect(3, "rpush", key, value, "x", value);
  await sender.expect(4, "lpush", key, "head");
  await sender.expect(4, "llen", key);
  await sender.expect(head, "lget", key, 0);
  await sender.expect(value, "lindex", key, -1);
  await sender.expect(null, "lget", key, 4);
  await sender.expect([head, value, x, value], "lrange", key, 0, -1);
  await sender.expect([value, x], "lrange", key, -3, 2);
  await sender.expect("OK", "lset", key, 0, value);
  await sender.expect(value, "lpop", key);
  await sender.expect(value, "rpop", key);
  await sender.expect([x, value], "rpop", key, 5);
  await sender.expect(0, "exists", key);
  await sender.expect(null, "lpop", key);
  await sender.expect(0, "llen", key);
}

async function exerciseListForms(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const [x, y, last] = [bytes("x"), bytes("y"), bytes("last")];
  const other = `{${key}}:other`;
  await sender.expect(0, "lpushx", key, value);
  await sender.expect(3, "rpush", key, "x", value, "x");
  await sender.expect(4, "rpushx", key, "last");
  await sender.expect(5, "lpushx", key, "x");
  await sender.expect(6, "linsert", key, "BEFORE", value, "y");
  await sender.expect([x, x, y, value, x, last], "lrange", key, 0, -1);
  await sender.expect(3, "lpos", key, value);
  await sender.expect([4, 1], "lpos", key, "x", "RANK", -1, "COUNT", 2);
  await sender.expect(2, "lrem", key, -2, "x");
  await sender.expect("OK", "ltrim", key, 1, -1);
  await sender.expect([y, value, last], "lrange", key, 0, -1);
  await sender.expect(last, "lmove", key, other, "RIGHT", "LEFT");
  await sender.expect(value, "rpoplpush", key, other);
  await sender.expect(value, "blmove", other, key, "LEFT", "RIGHT", 1);
  await sender.expect(last, "brpoplpush", other, key, 1);
  await sender.expect([last, y, value], "lrange", key, 0, -1);
  await sender.expect([bytes(key), value], "brpop", other, key, 1);
  await sender.expect([bytes(key), last], "blpop", other, key, 1);
  await sender.expect(1, "del", key);
}

async function exerciseHashes(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const [f, x] = [bytes("field"), bytes("x")];
  const name = value.slice(0, FIELD_SIZE_MAX_BYTES);
  await sender.expect(2, "hset", key, name, "x", "field", value);
  await sender.expect(0, "hset", key, "field", value);
  await sender.expect(x, "hget", key, name);
  await sender.expect([value, null, x], "hmget", key, "field", "none", name);
  await sender.expect(2, "hlen", key);
  await sender.expect(1, "hexists", key, name);
  await sender.expect(0, "hexists", key, "none");
  const all = await sender.send("hgetall", key);
  assertInstanceOf(all, Map);
  const order = (pairs: unknown) => (pairs as unknown[]).map(String).sort();
  assertEquals(order(brief(all)), order(brief(new Map<Value, Value>([[name, x], [f, value]]))));
  assertEquals(order(brief(await sender.send("hkeys", key))), order(brief([name, f])));
  assertEquals(order(brief(await sender.send("hvals", key))), order(brief([x, value])));
  await sender.expect(5, "hincrby", key, "count", 5);
  await sender.expect(-2, "hincrby", key, "count", -7);
  await sender.expect(3, "hdel", key, name, "field", "none", "count");
  await sender.expect(0, "exists", key);
  await sender.expect(new Map(), "hgetall", key);
}

async function exerciseHashForms(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const [f, g] = [bytes("f"), bytes("g")];
  await sender.expect("OK", "hmset", key, "f", value);
  await sender.expect(0, "hsetnx", key, "f", "lost");
  await sender.expect(1, "hsetnx", key, "g", "1.5");
  await sender.expect(value.length, "hstrlen", key, "f");
  await sender.expect(bytes("1.75"), "hincrbyfloat", key, "g", "0.25");
  await sender.expect(1, "hdel", key, "g");
  await sender.expect(f, "hrandfield", key);
  await sender.expect([[f, value]], "hrandfield", key, 5, "WITHVALUES");
  await sender.expect([bytes("0"), [f, value]], "hscan", key, 0, "MATCH", "f*");
  await sender.expect(1, "hset", key, "g", "");
  await sender.expect([bytes("0"), [g, bytes("")]], "hscan", key, 0, "MATCH", "g");
  await sender.expect(1, "del", key);
}

/** Keys of several sets share the tag `{key}`. */
async function exerciseSets(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const member = value.slice(0, FIELD_SIZE_MAX_BYTES);
  const [one, other, stored] = [`{${key}}one`, `{${key}}other`, `{${key}}stored`];
  const sorted = async (...request: Argument[]) =>
    (brief(await sender.send(...request)) as unknown[]).map(String).sort();
  const members = (...all: Value[]) => (brief(all) as unknown[]).map(String).sort();
  const [x, y] = [bytes("x"), bytes("y")];
  await sender.expect(2, "sadd", one, member, "x", "x");
  await sender.expect(2, "sadd", other, "x", "y");
  await sender.expect(2, "scard", one);
  await sender.expect(1, "sismember", one, member);
  await sender.expect([1, 0], "smismember", one, "x", "none");
  assertEquals(await sorted("smembers", one), members(member, x));
  await sender.expect([x], "sinter", one, other);
  await sender.expect(1, "sintercard", 2, one, other, "LIMIT", 5);
  assertEquals(await sorted("sunion", one, other), members(member, x, y));
  await sender.expect([member], "sdiff", one, other);
  await sender.expect(3, "sunionstore", stored, one, other);
  await sender.expect(1, "sdiffstore", stored, stored, other);
  await sender.expect([member], "smembers", stored);
  await sender.expect(member, "srandmember", stored);
  await sender.expect([bytes("0"), [member]], "sscan", stored, 0);
  await sender.expect(1, "smove", other, stored, "y");
  await sender.expect(1, "sinterstore", stored, other, one);
  await sender.expect(x, "spop", stored);
  await sender.expect([], "spop", stored, 5);
  await sender.expect(2, "srem", one, member, "x", "none");
  await sender.expect(1, "remove", one, other);
}

async function exerciseKeyForms(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const other = `{${key}}:other`;
  const moment = Math.floor(Date.now() / 1000) + 1_000;
  await sender.expect("OK", "set", key, value);
  await sender.expect(1, "touch", key, `${key}:none`);
  await sender.expect(1, "expireat", key, moment);
  await sender.expect(moment, "expiretime", key);
  await sender.expect(0, "pexpireat", key, moment * 1000 + 5, "LT");
  await sender.expect(1, "pexpireat", key, moment * 1000 + 5, "GT");
  await sender.expect(moment * 1000 + 5, "pexpiretime", key);
  await sender.expect(1, "copy", key, other);
  await sender.expect(0, "renamenx", key, other);
  await sender.expect("OK", "rename", key, other);
  await sender.expect(1, "renamenx", other, key);
  await sender.expect(value, "get", key);
  const encoding = await sender.send("object", "encoding", key);
  assert(["raw", "embstr"].includes(new TextDecoder().decode(encoding as Uint8Array)));
  await assertBetween(sender.send("memory", "usage", key), value.length, value.length * 2 + 200_000);
  await sender.expect(1, "expire", key, 0);
  await sender.expect(0, "exists", key, other);
}

async function exerciseKeys(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  const other = `${key}:other`;
  await sender.expect("none", "type", key);
  await sender.expect(-2, "ttl", key);
  await sender.expect("OK", "set", key, value);
  await sender.expect("string", "type", key);
  await sender.expect(1, "lpush", other, value);
  await sender.expect("list", "type", other);
  await sender.expect(3, "exists", key, other, key, `${key}:none`);
  await sender.expect(1, "ttl", key, 100);
  await assertBetween(sender.send("ttl", key), 99, 100);
  await sender.expect(1, "expire", key, 200);
  await assertBetween(sender.send("pttl", key), 199_000, 200_000);
  await sender.expect(1, "pexpire", key, 5_000);
  await assertBetween(sender.send("pttl", key), 1, 5_000);
  await sender.expect(1, "persist", key);
  await sender.expect(0, "persist", key);
  await sender.expect(-1, "ttl", key);
  await sender.expect(0, "expire", `${key}:none`, 100);
  await sender.expect(2, "remove", key, other);
  await sender.expect(value, "echo", value);
  await sender.expect(value, "ping", value);
}

async function exerciseAll(sender: Sender, key: string, value: Uint8Array<ArrayBuffer>): Promise<void> {
  await exerciseStrings(sender, key, value);
  await exerciseLists(sender, key, value);
  await exerciseHashes(sender, key, value);
  await exerciseKeys(sender, key, value);
  await exerciseHashForms(sender, key, value);
  // The keys of one command must share a slot, and no tag has the slot of the empty key.
  const tag = key === "" ? "tag" : key;
  await exerciseStringForms(sender, tag, value);
  await exerciseListForms(sender, tag, value);
  await exerciseSets(sender, tag, value);
  await exerciseKeyForms(sender, tag, value);
}

/** Sends the commands that all servers execute, to an empty cluster. They leave it empty. */
async function exerciseCluster(sender: Sender): Promise<void> {
  await sender.expect("OK", "flush");
  const names = Array.from({ length: 300 }, (_, index) => `user:${index}`);
  await sender.expect("OK", "mset", ...names.flatMap((name) => [name, name]), "other", 1);
  await sender.expect(301, "size");
  await sender.expect(301, "dbsize");
  await sender.expect([bytes("other")], "keys", "o[st]h?r");
  const sorted = (list: Value) => (list as Uint8Array[]).map((each) => new TextDecoder().decode(each)).sort();
  assertEquals(sorted(await sender.send("keys", "user:*")), names.toSorted());
  const seen = new Set<string>();
  let cursor: Argument = "0";
  let calls = 0;
  do {
    const reply = await sender.send("scan", cursor, "MATCH", "user:*", "COUNT", 50) as [
      Uint8Array<ArrayBuffer>,
      Value[],
    ];
    cursor = reply[0];
    for (const name of sorted(reply[1])) seen.add(name);
    assertLessOrEqual(++calls, 1000);
  } while (new TextDecoder().decode(cursor) !== "0");
  assertEquals([...seen].sort(), names.toSorted());
  await sender.expect("OK", "save");
  await sender.expect("OK", "flushdb");
  await sender.expect(0, "size");
  await sender.expect(null, "randomkey");
  await sender.expect("OK", "set", "one", 1);
  await sender.expect(bytes("one"), "randomkey");
  await sender.expect("OK", "flushall");
  await sender.expect([], "keys", "*");
  await sender.expect("PONG", "ping");
  const info = await sender.send("info");
  assertInstanceOf(info, Uint8Array);
  assertGreater(info.length, 50);
  await assertRejects(() => sender.send("auth", "wrong"), ReplyError);
}

const WRONG: readonly [code: string, includes: string, ...request: Argument[]][] = [
  ["ERR", "unknown command 'nosuch'", "nosuch", "key"],
  ["ERR", "unknown command ''", ""],
  ["ERR", "wrong number of arguments", "get"],
  ["ERR", "wrong number of arguments", "get", "a", "b"],
  ["ERR", "wrong number of arguments", "set", "string"],
  ["ERR", "wrong number of arguments", "mset", "a", "1", "b"],
  ["ERR", "wrong number of arguments", "hset", "hash", "f", "1", "g"],
  ["ERR", "wrong number of arguments", "size", "x"],
  ["WRONGTYPE", "wrong kind of value", "get", "list"],
  ["WRONGTYPE", "wrong kind of value", "lpush", "string", "x"],
  ["WRONGTYPE", "wrong kind of value", "hset", "list", "f", "v"],
  ["WRONGTYPE", "wrong kind of value", "append", "hash", "x"],
  ["WRONGTYPE", "wrong kind of value", "incr", "list"],
  ["WRONGTYPE", "wrong kind of value", "sadd", "hash", "x"],
  ["WRONGTYPE", "wrong kind of value", "sinter", "list"],
  ["ERR", "index out of range", "lset", "list", 3, "x"],
  ["ERR", "index out of range", "lset", "list", -4, "x"],
  ["ERR", "no such key", "lset", "none", 0, "x"],
  ["ERR", "not an integer", "lget", "list", "one"],
  ["ERR", "not an integer", "lrange", "list", "0", "1.5"],
  ["ERR", "not an integer", "incr", "string"],
  ["ERR", "not an integer", "incrby", "number", "1e3"],
  ["ERR", "not an integer", "incrby", "number", "9223372036854775808"],
  ["ERR", "overflow", "incrby", "number", "9223372036854775807"],
  ["ERR", "not an integer", "hincrby", "hash", "f", "1"],
  ["ERR", "invalid expire time", "set", "string", "x", "EX", 0],
  ["ERR", "invalid expire time", "set", "string", "x", "PX", -1],
  ["ERR", "not an integer", "set", "string", "x", "EX", "soon"],
  ["ERR", "syntax error", "set", "string", "x", "NX", "XX"],
  ["ERR", "syntax error", "set", "string", "x", "EX"],
  ["ERR", "syntax error", "set", "string", "x", "nonsense"],
  ["ERR", "invalid expire time", "expire", "string", "9223372036854775807"],
  ["ERR", "unsupported option", "pexpire", "string", 5, "soon"],
  ["ERR", "invalid expire time", "ttl", "string", "-1"],
  ["ERR", "no such key", "rename", "{string}:none", "string"],
  ["ERR", "objects are the same", "copy", "string", "string"],
  ["ERR", "offset is out of range", "setrange", "string", -1, "x"],
  ["ERR", "not a valid float", "incrbyfloat", "string", 1],
  ["ERR", "rank can't be zero", "lpos", "list", "a", "RANK", 0],
  ["ERR", "unknown subcommand", "object", "colour", "string"],
  ["ERR", "key exceeds", "set", "k".repeat(KEY_SIZE_MAX_BYTES + 1), "x"],
  ["ERR", "member exceeds", "sadd", "new", "k".repeat(FIELD_SIZE_MAX_BYTES + 1)],
  ["ERR", "field exceeds", "hset", "hash", "f", "1", "k".repeat(FIELD_SIZE_MAX_BYTES + 1), "x"],
  ["ERR", "cursor", "scan", "abc"],
];

/** Returns the content of the keys that {@linkcode WRONG} uses. It must be equal before and after. */
async function state(sender: Sender): Promise<unknown> {
  const string = await sender.send("get", "string");
  const number = await sender.send("get", "number");
  const list = await sender.send("lrange", "list", 0, -1);
  const hash = await sender.send("hgetall", "hash");
  const ttls = [
    await sender.send("pttl", "string"),
    await sender.send("pttl", "list"),
    await sender.send("pttl", "hash"),
  ];
  return brief([string, number, list, hash, ...ttls, await sender.send("size")]);
}

async function refuseAll(sender: Sender): Promise<void> {
  await sender.send("flush");
  await sender.send("mset", "string", "text", "number", 5);
  await sender.send("rpush", "list", "a", "b", "c");
  await sender.send("hset", "hash", "f", "v");
  const before = await state(sender);
  for (const [code, includes, ...request] of WRONG) {
    const what = JSON.stringify(request).slice(0, 100);
    const error = await assertRejects(() => sender.send(...request), ReplyError, undefined, what);
    assertEquals(error.code, code, `${what}: ${error.message}`);
    assert(error.message.toLowerCase().includes(includes), `${what}: "${error.message}" does not say "${includes}"`);
    assertEquals(await state(sender), before, `${what} was refused and has changed something`);
  }
}

systemTest("every command works through the proxy, with every kind of key and value", async (launcher, test) => {
  const { proxy } = await launcher.cluster(true);
  const sender = new Sender(await launcher.connect(proxy));
  for (const [what, value] of Object.entries(VALUES)) {
    await test.step(what, async () => {
      await exerciseAll(sender, "key", value);
    });
  }
  for (const [what, key] of Object.entries(KEYS)) {
    await test.step(what, async () => {
      await exerciseAll(sender, key, bytes("value"));
    });
  }
  await test.step("commands that all servers execute", () => exerciseCluster(sender));
  await test.step("every command on data was sent", () => {
    const isOnData = ({ group, routing }: CommandSpecification) =>
      ["string", "list", "hash", "set", "key"].includes(group) && routing !== "local";
    const known = COMMANDS.filter(isOnData);
    for (const name of known.flatMap(({ name, aliases }) => [name, ...aliases])) assert(sender.used.has(name), name);
  });
  await test.step("a refused command changes nothing and does not affect other commands", () => refuseAll(sender));
});

systemTest("a refused command changes nothing on a server either", async (launcher) => {
  const server = await launcher.server();
  await refuseAll(new Sender(await launcher.connect(server)));
});
