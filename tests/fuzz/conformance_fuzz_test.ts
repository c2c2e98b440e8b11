/**
 * Sends the same random commands to redis-server, to an inmem server and to a proxy before another one: unusual
 * numbers, empty texts, options in any order and twice, too few and too many arguments, in transactions and outside, in
 * RESP2 and RESP3. All replies are compared, and the content of the keys afterwards.
 *
 * The accepted differences are in `MEANT`, with their reasons. Without a redis-server of the right version, nothing is
 * compared.
 */

import { assertEquals } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { startProxy } from "../../src/proxy/main.ts";
import type { Logger } from "../../src/role/logger.ts";
import { startServer } from "../../src/server/main.ts";
import { comparable } from "../conformance/comparers.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";
import { encodeCommand, escape } from "../support/resp_frames.ts";
import { amountOf } from "../support/amount.ts";

const ROUNDS = amountOf("CONFORMANCE_ROUNDS", 30, 2000);
const COMMANDS_COUNT = 25;

const KEYS = ["{t}s", "{t}i", "{t}e", "{t}l", "{t}m", "{t}h", "{t}g", "{t}a", "{t}b", "{t}n", "{t}o", "{t}"];
/** The initial content of the keys. `{t}n`, `{t}o` and `{t}` are absent. */
const SETUP = [
  "flushall",
  "set {t}s text",
  "set {t}i 10",
  "set {t}e v pxat 4102444800000",
  "rpush {t}l a b c a 1",
  "rpush {t}m x",
  "hset {t}h f 1 g text F x",
  "hset {t}g f 5",
  "sadd {t}a 1 10 a text x",
  "sadd {t}b 1 -1 10 100",
].map((line) => line.split(" "));
const NUMBERS =
  ("0 1 -1 2 -2 3 100 -100 9223372036854775807 -9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809 " +
    "2147483648 -2147483648 4294967296 9007199254740993 abc 1.5 1e3 +1 -0 01 0x10 NaN inf -inf 99999999999999999999999 --1 -")
    .split(" ").concat("", "  ", " 1", "1 ", "1\n");
/** The numbers without those for which redis-server would reply without an end. */
const COUNTS = NUMBERS
  .filter((number) => number.length < 8 || !/^-[0-9]+$/.test(number) || BigInt(number) < -(2n ** 63n) + 1n);
/** The numbers without those with which `spop` takes some members, so that the rest would be random. */
const ALL_OR_NONE = NUMBERS.filter((number) => !/^[1-3]$/.test(number));
const FLOATS = [
  ...NUMBERS,
  ..."0.1 -0.1 3.0e3 1e400 1e-400 0x1p3 infinity 1e17 0.30000000000000004 5e-324 .5 5. . 1_0".split(" "),
];
const VALUES = ["", "a", "b", "c", "x", "1", "10", "-1", "two words", "\r\n", "\xff", "3.14", "A".repeat(45), "text"];
const FIELDS = ["f", "g", "F", "h", "", "1"];
/** Times, none of which passes before the comparison is done. */
const TIMES =
  ("0 -1 100000 4102444800 4102444800000 9223372036854775 9223372036854776 -9223372036854775808 281474976710656 " +
    "9223372036854775807 abc 1.5 01 +5 -0").split(" ").concat("");
/** Timeouts that end immediately: no client may wait for long. */
const TIMEOUTS = ["0.01", "-1", "abc", "", "1e-3", "nan", "-inf", "0x.01", "1e400", " 1"];

/**
 * The forms of the commands. Each word is a literal or one of these:
 *
 * - `K` is a key, `N` a number, `C` one that no reply is too large for, `A` one with which `spop` takes all members or
 *   none, `R` a number with a fraction, `V` a value, `F` a field, `T` a time, `W` a timeout, `~` an empty word.
 * - `a|b` is one of both.
 * - `…` repeats the previous part.
 * - Brackets contain options, of which some are taken in any order.
 */
const FORMS = `
set K V [nx] [xx] [get] [keepttl] [persist] [foo] [ex T] [px T] [exat T] [pxat T] [ex]
get K; getset K V; getdel K; setnx K V; setex K T V; psetex K T V; mget K …; mset K V …; msetnx K V …; strlen K
getex K [persist] [nx] [ex T] [px T] [exat T] [pxat T] [px]
getrange K N N; substr K N N; setrange K 0|1|5|-1|abc|100|1.5 V; append K V; incr K; decr K; incrby K N; decrby K N
incrbyfloat K R; lpush K V …; rpush K V …; lpushx K V …; rpushx K V …; lpop K; lpop K N; rpop K; rpop K N; lset K N V
lindex K N; lrange K N N; llen K; linsert K before|AFTER|foo V V; lrem K N V; ltrim K N N
lpos K V [rank N] [count N] [maxlen N] [rank] [foo 1]
lmove K K left|RIGHT|up left|right|~; rpoplpush K K; blpop K W; blpop K K W; brpop K W; brpoplpush K K W
blmove K K left|RIGHT|up left|right W
hset K F V …; hmset K F V …; hsetnx K F V; hget K F; hmget K F …; hdel K F …; hgetall K; hlen K; hexists K F; hstrlen K F
hkeys K; hvals K; hincrby K F N; hincrbyfloat K F R; hscan K 0|~|-1|abc|00 [match *|f*|[|?] [count 100|0|-1|abc] [match] [foo]
sadd K V …; srem K V …; smembers K; sismember K V; smismember K V …; scard K; smove K K V; spop K A; srandmember K C
sscan K 0|~|abc|00 [match *|1*|[|?] [count 100|0|-1|abc] [match] [foo]; sinter K …; sunion K …; sdiff K …
sinterstore K K …; sunionstore K K …; sdiffstore K K …; sintercard 1 K; sintercard 2 K K [limit N]; sintercard N K K [limit N] [foo]
del K …; unlink K …; exists K …; touch K …; rename K K; renamenx K K; type K; pttl K; pexpiretime K; persist K
copy K K [replace] [db 0|1|-1|abc|~] [db] [foo]
expire K T [nx] [xx] [gt] [lt] [foo]; pexpire K T [nx] [xx] [gt] [lt]; expireat K T [nx] [xx] [gt] [lt]
pexpireat K T [nx] [XX] [gt] [lt]; keys *|{t}?|[|{t}[a-f]|{t}[^a-f]|{t}[f-a]|~
ping; ping V; echo V; select 0; swapdb 0|1|abc|~ 0|1|abc|~; dbsize; discard; watch K; unwatch; publish {t}c V; pubsub numsub V
client getname; client setname V; client no-evict on|off|foo; client unblock 0|-1|abc|9223372036854775807; client kill id 0|-1|abc|9223372036854775807|9223372036854775808; client list id 0|-1|abc|9223372036854775807|9223372036854775808
client kill type foo|master; client foo V; config get databases|nosuch; config set nosuch V; config foo
command getkeys get V; command getkeys foo|ping; hello 1|4|abc|~; hello 2 foo; hello 3 setname; auth V; auth V V; foo V; ~ V
`.split(/[;\n]/).map((form) => form.trim()).filter((form) => form !== "");

/** The accepted differences: functions of the reply of redis-server, the reply of inmem, and the request. */
const MEANT: readonly ((redis: string, inmem: string, isProxy: boolean, words: readonly string[]) => boolean)[] = [
  // The keys are in several slots, since arguments have changed places; or the command concerns all servers.
  (_redis, inmem, isProxy) => isProxy && /CROSSSLOT|through the proxy|EXECABORT/.test(inmem),
  // There is no transaction that the error could discard.
  (redis, _inmem, _isProxy, words) => redis.startsWith("-EXECABORT") && words.length > 1,
  // inmem has one database, and closes the connection of a client that requests another.
  (_redis, inmem) => inmem.includes("there is one database"),
  // redis-server counts keys whose deadline has passed until it removes them, which is after the whole pipeline.
  (redis, inmem, _isProxy, [name]) => /^dbsize$/i.test(name!) && countOf(redis) > countOf(inmem),
  // As newer versions, inmem takes several numbers of clients, which 7.0 calls a syntax error.
  (_redis, _inmem, _isProxy, words) => /^client kill id( -?\d+){2}/i.test(words.join(" ")),
];

/** Returns the number in the escaped reply of an integer. */
function countOf(reply: string): number {
  return Number(/^:([0-9]+)/.exec(reply)?.[1]);
}

function makeCommand(random: Random): string[] {
  const one = <T>(choices: readonly T[]): T => choices[random.below(choices.length)]!;
  const word = (kind: string): string => {
    switch (kind) {
      case "K":
        return one(KEYS);
      case "N":
        return one(NUMBERS);
      case "C":
        return one(COUNTS);
      case "A":
        return one(ALL_OR_NONE);
      case "R":
        return one(FLOATS);
      case "V":
        return one(VALUES);
      case "F":
        return one(FIELDS);
      case "T":
        return one(TIMES);
      case "W":
        return one(TIMEOUTS);
    }
    const choice = one(kind.split("|"));
    return choice === "~" ? "" : choice;
  };
  const form = one(FORMS);
  const start = form.search(/ \[[a-zX]/);
  const fixed = (start < 0 ? form : form.slice(0, start)).split(" ");
  const options = start < 0
    ? []
    : [...form.slice(start).matchAll(/\[([a-zX][^ \]]*(?: [^\]]*)?)\]/gi)].map(([, option]) => option!);
  const [name, ...kinds] = fixed;
  const repeated = kinds.filter((kind) => kind !== "…");
  const times = kinds.includes("…") ? 1 + random.below(4) : 1;
  let words: string[] = [];
  // A key before pairs is not repeated.
  const head = repeated.length === 3
    ? 1
    : name!.endsWith("push") || name!.endsWith("pushx") || /^h[a-z]*(get|del)$/.test(name!)
    ? 1
    : 0;
  const [first, rest] = kinds.includes("…") ? [repeated.slice(0, head), repeated.slice(head)] : [repeated, []];
  words.push(...first.map(word));
  if (rest.length > 0) { for (let i = 0; i < times; i++) words.push(...rest.map(word)); }
  for (let left = options.length > 0 ? random.below(4) : 0; left > 0; left--) {
    words.push(...one(options).split(" ").map(word));
  }
  // Blocking commands keep their last argument, which limits the wait.
  const waits = /^b/.test(name!);
  const change = random.below(20);
  // Without a count, `spop` takes one member.
  if (change === 0 && name !== "spop") words = words.slice(0, random.below(words.length + 1));
  else if (change === 1) words.push(waits ? "abc" : one(VALUES));
  else if (change === 2 && !waits && words.length > 1 && !/^(config|client)$/.test(name!)) words.reverse();
  const spelled = random.below(3) === 0 ? name!.toUpperCase() : name!;
  return [spelled === "~" ? "" : spelled, ...words];
}

/** Returns the comparable replies to `commands`, and the content of the keys after them. */
async function hear(port: number, version: number, commands: readonly string[][]): Promise<[string[], string]> {
  using client = await RespClient.connect(port);
  await client.call("hello", String(version));
  for (const words of SETUP) await client.call(...words);
  await client.send(commands.map(encodeCommand).join(""));
  const replies: string[] = [];
  let queued: (readonly string[])[] = [];
  for (const words of commands) {
    const frame = await client.frame();
    if (frame.line === "QUEUED") queued.push(words);
    const isRun = words[0] === "exec" && frame.items?.length === queued.length;
    const reply = isRun
      ? frame.items!.map((item, i) => comparable([item], queued[i]!)).join("")
      : comparable([frame], words);
    if (words[0]!.toLowerCase() === "discard" && frame.line === "OK") queued = [];
    // `hello` names the server that replies, and errors of inmem are UTF-8.
    const alike = reply.replaceAll("$6\r\nserver\r\n$5\r\nredis", "$6\r\nserver\r\n$5\r\ninmem");
    replies.push(escape(alike.replaceAll("\xef\xbf\xbd", "\xff")));
  }
  using other = await RespClient.connect(port);
  let held = "";
  for (const key of KEYS) {
    const { line: type } = await other.call("type", key);
    const read =
      { string: ["get", key], list: ["lrange", key, "0", "-1"], hash: ["hgetall", key], set: ["smembers", key] }[type];
    const value = read === undefined ? "" : comparable([await other.call(...read)], read);
    held += escape(`${key} ${type} ${value} ${(await other.call("ttl", key)).line.slice(0, 7)}`) + "\n";
  }
  return [replies, held];
}

const quiet: Logger = { info() {}, warn() {}, error: (message, fields) => console.error(message, fields) };
const ROLE = { hostname: "127.0.0.1", port: 0, maxClients: 100, logger: quiet } as const;
const STORE = { memoryLimitBytes: 64 * 1024 * 1024, evicts: true, defaultTtlMs: 0 } as const;

async function withAll(
  body: (ports: readonly [redis: number, server: number, proxy: number]) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-conformance-" });
  const stops: (() => Promise<void>)[] = [];
  try {
    const ports: number[] = [];
    for (let i = 0; i < 2; i++) {
      const server = await startServer({ ...ROLE, ...STORE });
      stops.unshift(() => server.stop());
      ports.push(server.address.port);
    }
    const serversPath = `${folder}/servers.json`;
    await Deno.writeTextFile(serversPath, JSON.stringify([{ addr: `127.0.0.1:${ports[1]}` }]));
    const proxy = await startProxy({ ...ROLE, serversPath, connectionsMaxCount: 4, backend: { plaintext: true } });
    stops.unshift(() => proxy.stop());
    const asInmem = ["--databases", "1", "--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru", "--hz", "500"];
    await using redis = await RedisServer.start(...asInmem);
    await body([redis.port, ports[0]!, proxy.address.port]);
  } finally {
    for (const stop of stops) await stop();
    await Deno.remove(folder, { recursive: true });
  }
}

const version = await redisVersion();
const ignore = version === undefined || !version.startsWith("7.0.");
const note = ignore ? ` (ignored: redis-server 7.0 is not on PATH)` : "";

Deno.test({
  name:
    `random commands with unusual arguments get the replies of redis-server, from a server and through a proxy${note}`,
  ignore,
  fn: async () => {
    const seed = pickSeed();
    console.log(`seed ${seed}`);
    const random = new Random(seed);
    await withAll(async (ports) => {
      for (let round = 0; round < ROUNDS; round++) {
        const commands = Array.from({ length: COMMANDS_COUNT }, () => makeCommand(random));
        if (random.below(4) === 0) {
          commands.unshift(["multi"]);
          commands.push(["exec"]);
        }
        const resp = 2 + random.below(2);
        const [redis, ...others] = await Promise.all(ports.map((port) => hear(port, resp, commands)));
        for (const [i, [replies, held]] of others.entries()) {
          let hasRefused = false;
          for (const [position, words] of commands.entries()) {
            const [expected, actual] = [redis![0][position]!, replies[position]!];
            if (expected === actual) continue;
            const isMeant = MEANT.some((isSo) => isSo(expected, actual, i === 1, words));
            const line = words.map((word) => JSON.stringify(word)).join(" ");
            const before = commands.slice(0, position).map((each) => each.join(" ")).join("\n  ");
            const where = `round ${round}, RESP${resp}, ${i === 0 ? "server" : "proxy"}: ${line}\nbehind\n  ${before}`;
            if (!isMeant) assertEquals(actual, expected, where);
            // A command that the proxy has refused has changed nothing there, so its keys differ from here on.
            hasRefused = i === 1;
            if (hasRefused) break;
          }
          if (!hasRefused) {
            assertEquals(
              held,
              redis![1],
              `round ${round}: ${commands.map((each) => each.join(" ")).join("\n  ")}`,
            );
          }
        }
      }
    });
  },
});
