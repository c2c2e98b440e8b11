import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { Client, Commands, connect, Sender, type Value } from "../../src/client/client.ts";
import { ProtocolError, ReplyError } from "../../src/errors.ts";
import * as mod from "../../src/mod.ts";
import { withClient } from "../support/fake_server.ts";
import { withServers } from "../support/proxy_rig.ts";
import { until } from "../support/until.ts";

/** Commands without a method, since they need an exclusive connection, or are not for programs. */
const WITHOUT_METHOD: Readonly<Record<string, string>> = {
  multi: "other callers' requests would be queued too",
  exec: "as multi",
  discard: "as multi",
  watch: "other callers' transactions would be concerned too",
  unwatch: "as watch",
  subscribe: "the native protocol has no place for messages",
  unsubscribe: "as subscribe",
  psubscribe: "as subscribe",
  punsubscribe: "as subscribe",
  hello: "it chooses a version of RESP, which the client does not speak",
  select: "there is one database",
  swapdb: "there is one database",
  reset: "it takes the connection's authentication away from under other callers",
  quit: "close() ends the connection, once everything is answered",
  command: "it describes the commands to clients that do not know them",
  debug: "it is for tests",
  flushslots: "it is for proxies: slots are none of a client's business",
  bgrewriteaof: "bgsave() does the same",
  monitor: "as subscribe",
  module: "there are no modules",
};

Deno.test("Client has a typed method for each command that makes sense on a shared connection", () => {
  const names = COMMANDS.map(({ name }) => name);
  for (const name of Object.keys(WITHOUT_METHOD)) assert(names.includes(name), `${name} is no command`);
  for (const name of names) {
    // deno-lint-ignore no-explicit-any -- a name that comes from a table
    const kind = typeof (Client.prototype as any)[name];
    assertEquals(kind, Object.hasOwn(WITHOUT_METHOD, name) ? "undefined" : "function", name);
  }
});

Deno.test("Groups of typed methods know nothing of each other", () => {
  const groups = Object.entries(mod).filter(([name]) => name.endsWith("Commands") && name !== "Commands");
  assert(groups.length > 1);
  const names = groups.flatMap(([, group]) => {
    const { prototype } = group as typeof Sender;
    assert(Object.getPrototypeOf(prototype) === Sender.prototype);
    return Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
  });
  assertEquals(new Set(names).size, names.length);
  assertEquals(Object.getOwnPropertyNames(Commands.prototype).sort(), ["constructor", ...names].sort());
});

Deno.test("Client methods send the command and convert its reply", async () => {
  const bytes = encodeText("v");
  const replies: Record<string, unknown> = {
    get: bytes,
    mget: [bytes, null],
    set: "OK",
    mset: "OK",
    incr: 3,
    lrange: [bytes, bytes],
    lpop: [bytes],
    lset: "OK",
    hgetall: new Map([[encodeText("f"), bytes]]),
    hexists: 1,
    hset: 2,
    hmget: [null, bytes],
    type: "list",
    expire: 0,
    info: encodeText("# Server\r\n"),
  };
  await withClient((request, peer) => peer.reply(replies[request[0]!] as never), async (client, server) => {
    assertEquals(await client.get("k"), bytes);
    assertEquals(await client.getText("k"), "v");
    assertEquals(await client.text.mget("a", "b"), ["v", null]);
    assertEquals(await client.set("k", "v", { ttlMs: 1500, onlyIf: "absent" }), true);
    assertEquals(await client.set("k", 5n, { keepTtl: true, onlyIf: "present" }), true);
    await client.mset({ a: 1, b: "x" });
    await client.mset(new Map([["c", "y"]]));
    assertEquals(await client.incr("n"), 3);
    assertEquals(await client.text.lrange("l"), ["v", "v"]);
    assertEquals(await client.text.lpop("l", 2), ["v"]);
    await client.lset("l", -1, "v");
    assertEquals(await client.hgetall("h"), new Map([["f", bytes]]));
    assertEquals(await client.hexists("h", "f"), true);
    assertEquals(await client.hset("h", [["f", 1], [bytes, bytes]]), 2);
    assertEquals(await client.text.hmget("h", "a", "b"), [null, "v"]);
    assertEquals(await client.type("l"), "list");
    assertEquals(await client.expire("l", 5), false);
    assertEquals(await client.info("server"), "# Server\r\n");
    assertEquals(server.requests.map((request) => request.join(" ")), [
      "get k",
      "get k",
      "mget a b",
      "set k v PX 1500 NX",
      "set k 5 KEEPTTL XX",
      "mset a 1 b x",
      "mset c y",
      "incr n",
      "lrange l 0 -1",
      "lpop l 2",
      "lset l -1 v",
      "hgetall h",
      "hexists h f",
      "hset h f 1 v v",
      "hmget h a b",
      "type l",
      "expire l 5",
      "info server",
    ]);
  });
});

/** A typed call, the request that it sends, the reply, and the result. */
type Example = [
  call: (client: Client) => Promise<unknown>,
  request: string,
  reply: Value,
  result: unknown,
];

const v = encodeText("v");
const f = encodeText("f");

const STRINGS: Example[] = [
  [(client) => client.set("k", "v", { deadlineMs: 9 }), "set k v PXAT 9", "OK", true],
  [(client) => client.setnx("k", "v"), "setnx k v", 0, false],
  [(client) => client.setex("k", 5, "v"), "setex k 5 v", "OK", undefined],
  [(client) => client.psetex("k", 5, "v"), "psetex k 5 v", "OK", undefined],
  [(client) => client.text.getset("k", "w"), "getset k w", v, "v"],
  [(client) => client.getset("k", "w"), "getset k w", null, null],
  [(client) => client.text.getex("k"), "getex k", v, "v"],
  [(client) => client.getex("k", { ttlMs: 5 }), "getex k PX 5", v, v],
  [(client) => client.getex("k", { deadlineMs: 5 }), "getex k PXAT 5", null, null],
  [(client) => client.getex("k", { persist: true }), "getex k PERSIST", v, v],
  [(client) => client.msetnx({ a: 1, b: 2 }), "msetnx a 1 b 2", 1, true],
  [(client) => client.text.getrange("k"), "getrange k 0 -1", v, "v"],
  [(client) => client.text.getrange("k", 1, 2), "getrange k 1 2", v, "v"],
  [(client) => client.setrange("k", 3, "v"), "setrange k 3 v", 4, 4],
  [(client) => client.decrby("n", 3n), "decrby n 3", -3, -3],
  [(client) => client.incrbyfloat("n", 0.1), "incrbyfloat n 0.1", encodeText("3.1"), 3.1],
  [(client) => client.incrbyfloat("n", 1e300), "incrbyfloat n 1e+300", encodeText("inf"), Infinity],
];

const LISTS: Example[] = [
  [(client) => client.lpushx("l", "a", "b"), "lpushx l a b", 3, 3],
  [(client) => client.rpushx("l", "a"), "rpushx l a", 0, 0],
  [(client) => client.linsert("l", "e", { before: "p" }), "linsert l BEFORE p e", 2, 2],
  [(client) => client.linsert("l", "e", { after: 0 }), "linsert l AFTER 0 e", -1, -1],
  [(client) => client.lrem("l", -2, "e"), "lrem l -2 e", 2, 2],
  [(client) => client.ltrim("l", 1, -1), "ltrim l 1 -1", "OK", undefined],
  [(client) => client.lpos("l", "e"), "lpos l e", 0, 0],
  [(client) => client.lpos("l", "e", { rank: -1, maxLength: 9 }), "lpos l e RANK -1 MAXLEN 9", null, null],
  [(client) => client.lpos("l", "e", { rank: 2, count: 0 }), "lpos l e RANK 2 COUNT 0", [1, 3], [1, 3]],
  [(client) => client.text.lmove("a", "b", { from: "head", to: "tail" }), "lmove a b LEFT RIGHT", v, "v"],
  [(client) => client.text.rpoplpush("a", "b"), "rpoplpush a b", null, null],
  [(client) => client.text.blpop("a", 0), "blpop a 0", [f, v], ["f", "v"]],
  [(client) => client.blpop(["a", encodeText("b")], 1500), "blpop a b 1.5", [f, v], [f, v]],
  [(client) => client.brpop(encodeText("a"), 10), "brpop a 0.01", null, null],
  [
    (client) => client.text.blmove("a", "b", { from: "tail", to: "head", timeoutMs: 20 }),
    "blmove a b RIGHT LEFT 0.02",
    v,
    "v",
  ],
  [(client) => client.text.brpoplpush("a", "b", 3000), "brpoplpush a b 3", null, null],
];

const HASHES: Example[] = [
  [(client) => client.hmset("h", { f: 1 }), "hmset h f 1", "OK", undefined],
  [(client) => client.hsetnx("h", "f", "v"), "hsetnx h f v", 1, true],
  [(client) => client.hstrlen("h", "f"), "hstrlen h f", 1, 1],
  [(client) => client.hincrbyfloat("h", "f", -0.5), "hincrbyfloat h f -0.5", encodeText("2.5"), 2.5],
  [(client) => client.text.hrandfield("h"), "hrandfield h", f, "f"],
  [(client) => client.text.hrandfield("h", -2), "hrandfield h -2", [f, f], ["f", "f"]],
  [
    (client) => client.text.hrandfield("h", 2, { withValues: true }),
    "hrandfield h 2 WITHVALUES",
    [[f, v], [v, f]],
    [["f", "v"], ["v", "f"]],
  ],
];

const SETS: Example[] = [
  [(client) => client.sadd("a", "x", encodeText("y"), 5), "sadd a x y 5", 2, 2],
  [(client) => client.srem("a", "x", 5n), "srem a x 5", 1, 1],
  [(client) => client.text.smembers("a"), "smembers a", [f, v], ["f", "v"]],
  [(client) => client.sismember("a", "x"), "sismember a x", 1, true],
  [(client) => client.smismember("a", "x", 5), "smismember a x 5", [1, 0], [true, false]],
  [(client) => client.scard("a"), "scard a", 3, 3],
  [(client) => client.text.spop("a"), "spop a", v, "v"],
  [(client) => client.spop("a"), "spop a", null, null],
  [(client) => client.spop("a", 2), "spop a 2", [f, v], [f, v]],
  [(client) => client.text.srandmember("a"), "srandmember a", v, "v"],
  [(client) => client.text.srandmember("a", -2), "srandmember a -2", [f, f], ["f", "f"]],
  [(client) => client.smove("a", "b", "x"), "smove a b x", 0, false],
  [(client) => client.text.sinter("a", "b"), "sinter a b", [v], ["v"]],
  [(client) => client.sinterstore("d", "a", "b"), "sinterstore d a b", 1, 1],
  [(client) => client.sintercard(["a", "b"]), "sintercard 2 a b", 7, 7],
  [(client) => client.sintercard(["a"], { limit: 5 }), "sintercard 1 a LIMIT 5", 5, 5],
  [(client) => client.sunion("a", encodeText("b")), "sunion a b", [v, f], [v, f]],
  [(client) => client.sunionstore("d", "a"), "sunionstore d a", 2, 2],
  [(client) => client.text.sdiff("a"), "sdiff a", [], []],
  [(client) => client.sdiffstore("d", "a", "b"), "sdiffstore d a b", 0, 0],
];

const KEYS: Example[] = [
  [(client) => client.touch("a", "b"), "touch a b", 2, 2],
  [(client) => client.rename("a", "b"), "rename a b", "OK", undefined],
  [(client) => client.renamenx("a", "b"), "renamenx a b", 0, false],
  [(client) => client.copy("a", "b"), "copy a b", 1, true],
  [(client) => client.copy("a", "b", { replace: true }), "copy a b REPLACE", 0, false],
  [(client) => client.expire("k", 5, { onlyIf: "absent" }), "expire k 5 NX", 1, true],
  [(client) => client.pexpire("k", 5, { onlyIf: "present" }), "pexpire k 5 XX", 0, false],
  [(client) => client.expireat("k", 5, { onlyIf: "later" }), "expireat k 5 GT", 1, true],
  [(client) => client.pexpireat("k", 5, { onlyIf: "earlier" }), "pexpireat k 5 LT", 1, true],
  [(client) => client.expiretime("k"), "expiretime k", -1, -1],
  [(client) => client.pexpiretime("k"), "pexpiretime k", 7, 7],
  [(client) => client.text.randomkey(), "randomkey", v, "v"],
  [(client) => client.object("encoding", "k"), "object encoding k", v, "v"],
  [(client) => client.object("encoding", "k"), "object encoding k", null, null],
  [(client) => client.object("refcount", "k"), "object refcount k", 1, 1],
  [(client) => client.memory("usage", "k", { samples: 0 }), "memory usage k SAMPLES 0", 64, 64],
  [(client) => client.memory("usage", "k"), "memory usage k", null, null],
  [(client) => client.memory("stats"), "memory stats", new Map([[v, encodeText("1.5")]]), new Map([["v", 1.5]])],
  [(client) => client.memory("doctor"), "memory doctor", v, "v"],
  [(client) => client.memory("purge"), "memory purge", "OK", undefined],
];

const SERVER: Example[] = [
  [(client) => client.time(), "time", [encodeText("17"), encodeText("250000")], 17_250],
  [(client) => client.config("get", "a*", "b"), "config get a* b", new Map([[f, v]]), new Map([["f", "v"]])],
  [(client) => client.config("set", { maxclients: 5 }), "config set maxclients 5", "OK", undefined],
  [(client) => client.config("resetstat"), "config resetstat", "OK", undefined],
  [(client) => client.client("id"), "client id", 7, 7],
  [(client) => client.client("getname"), "client getname", null, null],
  [(client) => client.client("setname", "me"), "client setname me", "OK", undefined],
  [
    (client) => client.client("info"),
    "client info",
    encodeText("id=7 name=a=b user=\n"),
    new Map([["id", "7"], ["name", "a=b"], ["user", ""]]),
  ],
  [
    (client) => client.client("list", { ids: [7, 8] }),
    "client list ID 7 8",
    encodeText("id=7\nid=8\n"),
    [new Map([["id", "7"]]), new Map([["id", "8"]])],
  ],
  [(client) => client.client("list"), "client list", encodeText(""), []],
  [(client) => client.client("unblock", 7), "client unblock 7", 0, false],
  [(client) => client.client("unblock", 7, "error"), "client unblock 7 error", 1, true],
  [(client) => client.publish("c", "m"), "publish c m", 2, 2],
  [(client) => client.text.pubsub("channels"), "pubsub channels", [v], ["v"]],
  [(client) => client.text.pubsub("channels", "a*"), "pubsub channels a*", [], []],
  [(client) => client.pubsub("numsub", "f", "v"), "pubsub numsub f v", [f, 1, v, 0], [1, 0]],
  [(client) => client.pubsub("numpat"), "pubsub numpat", 3, 3],
];

for (const [group, examples] of Object.entries({ STRINGS, LISTS, HASHES, SETS, KEYS, SERVER })) {
  Deno.test(`Client methods send the command and convert its reply: ${group.toLowerCase()}`, async () => {
    let next = 0;
    await withClient((_request, peer) => peer.reply(examples[next++]![2]), async (client, server) => {
      for (const [call, request, , result] of examples) {
        assertEquals(await call(client), result, request);
        assertEquals(server.requests.at(-1)!.join(" "), request);
      }
    });
  });
}

Deno.test("Client set() returns whether it was set, or the old value", async () => {
  await withClient((request, peer) => {
    peer.reply(request.includes("GET") ? encodeText("old") : request.includes("NX") ? null : "OK");
  }, async (client) => {
    assertEquals(await client.set("k", "v"), true);
    assertEquals(await client.set("k", "v", { onlyIf: "absent" }), false);
    assertEquals(await client.text.set("k", "v", { get: true }), "old");
    await assertRejects(() => client.set("k", "v", { ttlMs: 0 }), RangeError);
    await assertRejects(() => client.set("k", "v", { ttlMs: 1.5 }), RangeError);
    await assertRejects(() => client.set("k", "v", { deadlineMs: 0 }), RangeError);
    await assertRejects(() => client.set("k", "v", { ttlMs: 1, keepTtl: true }), TypeError);
    await assertRejects(() => client.set("k", "v", { ttlMs: 1, deadlineMs: 1 }), TypeError);
    await assertRejects(() => client.getex("k", { ttlMs: 1, persist: true }), TypeError);
  });
});

Deno.test("Client methods send no request for no keys", async () => {
  await withClient(() => {}, async (client, server) => {
    assertEquals(await client.mget(), []);
    assertEquals(await client.remove(), 0);
    assertEquals(await client.exists(), 0);
    assertEquals(await client.hmget("h"), []);
    assertEquals([await client.sadd("a"), await client.srem("a"), await client.smismember("a")], [0, 0, []]);
    assertEquals(await client.hset("h", {}), 0);
    await client.mset({});
    assertEquals(await client.msetnx({}), true);
    await client.hmset("h", {});
    assertEquals(await client.touch(), 0);
    assertEquals(await client.config("get"), new Map());
    await client.config("set", {});
    assertEquals(server.requests, []);
  });
});

Deno.test("Client scan() follows the cursor to its end", async () => {
  const pages: Record<string, [string, string[]]> = { "0": ["17", ["a", "b"]], "17": ["1:5", []], "1:5": ["0", ["c"]] };
  await withClient((request, peer) => {
    const [cursor, keys] = pages[request[1]!]!;
    peer.reply([encodeText(cursor), keys.map(encodeText)]);
  }, async (client, server) => {
    const found: string[] = [];
    for await (const key of client.text.scan({ match: "*", count: 2, type: "string" })) found.push(key);
    assertEquals(found, ["a", "b", "c"]);
    assertEquals(server.requests[1], ["scan", "17", "MATCH", "*", "COUNT", "2", "TYPE", "string"]);
  });
});

Deno.test("Client hscan() follows the cursor to its end", async () => {
  const pages: Record<string, Value> = { "0": [encodeText("9"), [f, v, v, f]], "9": [encodeText("0"), []] };
  await withClient((request, peer) => peer.reply(pages[request[2]!]!), async (client, server) => {
    assertEquals(await Array.fromAsync(client.text.hscan("h", { match: "*", count: 2 })), [["f", "v"], ["v", "f"]]);
    assertEquals(server.requests.map((request) => request.join(" ")), [
      "hscan h 0 MATCH * COUNT 2",
      "hscan h 9 MATCH * COUNT 2",
    ]);
    await assertRejects(() => client.hscan("h", { count: 0 }).next(), RangeError);
  });
});

Deno.test("Client blpop() and similar methods refuse an invalid time", async () => {
  await withClient(() => {}, async (client, server) => {
    for (const timeoutMs of [-1, NaN, Infinity]) {
      await assertRejects(() => client.blpop("a", timeoutMs), RangeError);
      await assertRejects(() => client.brpop("a", timeoutMs), RangeError);
      await assertRejects(() => client.blmove("a", "b", { from: "head", to: "tail", timeoutMs }), RangeError);
      await assertRejects(() => client.brpoplpush("a", "b", timeoutMs), RangeError);
    }
    assertEquals(server.requests, []);
  });
});

Deno.test("Client incrbyfloat() refuses a reply that is not a number", async () => {
  const replies = [encodeText(""), encodeText("x"), null];
  await withClient((_request, peer) => peer.reply(replies.shift()!), async (client) => {
    for (let i = 0; i < 3; i++) await assertRejects(() => client.incrbyfloat("n", 1), ProtocolError);
  });
});

Deno.test("Client methods refuse integers beyond 2^53, and replies of another kind", async () => {
  const replies = [2n ** 60n, "OK", 2n ** 60n];
  await withClient((_request, peer) => peer.reply(replies.shift()!), async (client) => {
    await assertRejects(() => client.incr("n"), RangeError, "bigint");
    await assertRejects(() => client.incr("n"), ProtocolError, "expected an integer");
    assertEquals(await client.send(["incr", "n"]), 2n ** 60n);
  });
});

/** Runs a test with two clients of a real server in this process. */
function withServer(run: (client: Commands<string>, other: Client) => Promise<void>): Promise<void> {
  return withServers(1, async (_servers, [addr]) => {
    await using client = await connect({ addr: addr!, plaintext: true });
    await using other = await connect({ addr: addr!, plaintext: true });
    await run(client.text, other);
  });
}

Deno.test("Client methods on strings and keys work with a real server", () =>
  withServer(async (client) => {
    assertEquals(await client.msetnx({ a: 1, b: "xyz" }), true);
    assertEquals(await client.msetnx({ a: 2, c: 3 }), false);
    assertEquals(await client.setnx("a", 2), false);
    assertEquals(await client.getset("a", 10.5), "1");
    assertEquals(await client.incrbyfloat("a", 0.1), 10.6);
    assertEquals(await client.decrby("n", 5), -5);
    assertEquals(await client.getrange("b", -2), "yz");
    assertEquals(await client.setrange("b", 1, "__"), 3);
    const deadlineMs = Date.now() + 60_000;
    assertEquals(await client.getex("b", { deadlineMs }), "x__");
    assertEquals(await client.pexpiretime("b"), deadlineMs);
    assertEquals(await client.pexpireat("b", deadlineMs + 1, { onlyIf: "earlier" }), false);
    assertEquals(await client.expireat("b", Math.ceil(deadlineMs / 1000) + 1, { onlyIf: "later" }), true);
    assertEquals(await client.copy("b", "c"), true);
    assertEquals(await client.getex("c", { persist: true }), "x__");
    assertEquals(await client.expiretime("c"), -1);
    await client.set("gone", "x", { deadlineMs: 1 });
    await client.setex("s", 100, "v");
    await client.psetex("p", 100_000, "v");
    assertEquals([await client.exists("gone", "s", "p"), await client.ttl("p")], [2, 100]);
    assertEquals(await client.renamenx("s", "p"), false);
    await client.rename("s", "t");
    await assertRejects(() => client.rename("s", "t"), ReplyError, "no such key");
    assertEquals(await client.touch("s", "t"), 1);
    assertEquals(typeof await client.randomkey(), "string");
    assertEquals(await client.object("encoding", "n"), "int");
    assertEquals(await client.object("refcount", "nothing"), null);
    assert((await client.memory("usage", "n", { samples: 0 }))! > 0);
    const stats = await client.memory("stats");
    assertEquals(stats.get("keys.count"), await client.size());
    assertEquals(typeof stats.get("dataset.percentage"), "number");
    await client.memory("purge");
    assertStringIncludes(await client.memory("doctor"), "memory");
  }));

Deno.test("Client methods on lists and hashes work with a real server", () =>
  withServer(async (client) => {
    assertEquals(await client.rpushx("l", "x"), 0);
    await client.rpush("l", "a", "b", "c", "b");
    assertEquals(await client.linsert("l", "B", { before: "b" }), 5);
    assertEquals(await client.linsert("l", "Z", { after: "z" }), -1);
    assertEquals(await client.lpos("l", "b", { rank: -1 }), 4);
    assertEquals(await client.lpos("l", "b", { count: 0, maxLength: 3 }), [2]);
    assertEquals(await client.lrem("l", -1, "b"), 1);
    assertEquals(await client.lmove("l", "m", { from: "head", to: "tail" }), "a");
    assertEquals(await client.rpoplpush("l", "m"), "c");
    await client.ltrim("l", 1, -1);
    assertEquals([await client.lrange("l"), await client.lrange("m")], [["b"], ["c", "a"]]);
    assertEquals(await client.brpop(["none", "m"], 0), ["m", "a"]);
    assertEquals(await client.blmove("none", "m", { from: "head", to: "head", timeoutMs: 1 }), null);
    assertEquals(await client.brpoplpush("none", "m", 1), null);

    await client.hmset("h", { a: 1, b: 2 });
    assertEquals(await client.hsetnx("h", "a", 3), false);
    assertEquals(await client.hincrbyfloat("h", "a", 0.25), 1.25);
    assertEquals(await client.hstrlen("h", "a"), 4);
    const all = [["a", "1.25"], ["b", "2"]];
    assertEquals((await client.hrandfield("h", 5, { withValues: true })).sort(), all);
    assertEquals((await client.hrandfield("h", -5)).length, 5);
    assert(["a", "b"].includes((await client.hrandfield("h"))!));
    assertEquals((await Array.fromAsync(client.hscan("h"))).sort(), all);
    assertEquals(await Array.fromAsync(client.hscan("h", { match: "b" })), [["b", "2"]]);
  }));

Deno.test("Client methods on sets work with a real server", () =>
  withServer(async (client) => {
    assertEquals(await client.sadd("a", "x", "y", 1, 2), 4);
    await client.sadd("b", "y", "z", 2);
    assertEquals(await client.type("a"), "set");
    assertEquals((await client.smembers("a")).sort(), ["1", "2", "x", "y"]);
    assertEquals(await client.smismember("a", "x", "z"), [true, false]);
    assertEquals((await client.sinter("a", "b")).sort(), ["2", "y"]);
    assertEquals((await client.sunion("a", "b")).sort(), ["1", "2", "x", "y", "z"]);
    assertEquals(await client.sdiff("b", "a"), ["z"]);
    assertEquals(await client.sintercard(["a", "b"], { limit: 1 }), 1);
    assertEquals([await client.sunionstore("c", "a", "b"), await client.scard("c")], [5, 5]);
    assertEquals((await Array.fromAsync(client.sscan("c", { match: "[xyz]" }))).sort(), ["x", "y", "z"]);
    assertEquals((await client.srandmember("c", -7)).length, 7);
    assertEquals([await client.smove("a", "b", "x"), await client.sismember("b", "x")], [true, true]);
    assertEquals([(await client.spop("c", 9)).length, await client.spop("c"), await client.exists("c")], [5, null, 0]);
    await assertRejects(() => client.sinter(), ReplyError, "wrong number of arguments");
  }));

Deno.test("Client methods on the server work with a real one", () =>
  withServer(async (client, other) => {
    assert(Math.abs(await client.time() - Date.now()) < 60_000);
    await client.config("set", { "maxmemory-policy": "noeviction" });
    const settings = new Map([["databases", "1"], ["maxmemory-policy", "noeviction"]]);
    assertEquals(await client.config("get", "databases", "maxmemory-p*"), settings);
    await assertRejects(() => client.config("set", { databases: 2 }), ReplyError, "immutable");
    await client.config("resetstat");

    await client.rpush("queue", "a", "b", "c");
    await client.set("long", "x".repeat(100_000));
    for (let i = 0; i < 9; i++) await client.get("long");
    assertEquals((await client.hotkeys()).map(({ key }) => key), ["long"]);
    assert((await client.hotkeys(1))[0]!.requestsPerSecond >= 1);
    assertEquals((await client.bigkeys()).map(({ key, elements }) => [key, elements]), [["long", 1], ["queue", 3]]);
    const [longest] = await client.bigkeys(1, "elements");
    assertEquals([longest!.key, longest!.type, longest!.bytes < 1000], ["queue", "list", true]);

    await client.client("setname", "first");
    assertEquals(await client.client("getname"), "first");
    const id = await client.client("id");
    assertEquals((await client.client("info")).get("name"), "first");
    const listed = await other.client("list", { ids: [id] });
    assertEquals(listed.map((facts) => facts.get("id")), [String(id)]);
    assertEquals((await other.client("list")).length, 2);
    assertEquals(await client.publish("nobody", "hears"), 0);
    assertEquals(await client.pubsub("channels"), []);
    assertEquals(await client.pubsub("numsub", "a", "b"), [0, 0]);
    assertEquals(await client.pubsub("numpat"), 0);

    assertEquals(await client.lastsave(), 0);
    await assertRejects(() => client.bgsave(), ReplyError, "keeps nothing on disk");

    const waiting = client.blpop("l", 0);
    await until(async () => await other.client("unblock", id) === true, "the client waits");
    assertEquals(await waiting, null);
    assertEquals(await other.client("kill", { id }), 1);
    await until(async () => (await other.client("list", { ids: [id] })).length === 0, "the client is gone");
  }));
