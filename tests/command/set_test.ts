import { assert, assertEquals } from "@std/assert";
import { FIELD_SIZE_MAX_BYTES, LONG_ARGUMENTS_COUNT, LONG_ITEMS_COUNT } from "../../src/limits.ts";
import { MemoryClient, type Readable } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

/** Returns the items of a reply, sorted. */
function sorted(items: Readable): string[] {
  return (items as string[]).toSorted();
}

/** Returns the members of a set, sorted. */
function membersOf(client: MemoryClient, key: string): string[] {
  return sorted(client.text("smembers", key));
}

/** Returns `count` different members. */
function many(count: number, prefix = "m"): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

testCommands("sadd replies with the number of new members, and srem with that of removed ones", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("sadd", "a", "x", "y", "x"), 2);
  assertEquals(client.text("sadd", "a", "y", "z"), 1);
  assertEquals(membersOf(client, "a"), ["x", "y", "z"]);
  assertEquals(client.text("scard", "a"), 3);
  assertEquals(client.text("srem", "a", "x", "x", "nothing"), 1);
  assertEquals(client.text("srem", "absent", "x"), 0);
  assertEquals(client.text("srem", "a", "y", "z", "x"), 2);
  assertEquals(client.text("exists", "a"), 0);
  assertEquals([client.text("scard", "a"), client.text("smembers", "a")], [0, []]);
});

testCommands(
  "sets have any bytes as members, and integers only if they are written as Redis writes them",
  (makeClient) => {
    const client = makeClient();
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    client.call("sadd", "a", "", all, "1", "01", "-0", "0", "+1", " 1", "-1", "140737488355327", "140737488355328");
    assertEquals(client.text("scard", "a"), 11);
    assertEquals(client.text("smismember", "a", "", all, "1", "01", "001", "-0", "00", "-1"), [1, 1, 1, 1, 0, 1, 0, 1]);
    assertEquals(client.text("sismember", "a", "140737488355328"), 1);
    assertEquals(client.text("srem", "a", "0"), 1);
    assertEquals(client.text("sismember", "a", "-0"), 1);
  },
);

testCommands("sadd and smove bound the size of members", (makeClient) => {
  const client = makeClient();
  const longest = new Uint8Array(FIELD_SIZE_MAX_BYTES);
  const tooLong = new Uint8Array(FIELD_SIZE_MAX_BYTES + 1);
  assertEquals(client.text("sadd", "a", longest, "x"), 2);
  assertEquals(client.text("sismember", "a", longest), 1);
  const refusal = `ERR member exceeds ${FIELD_SIZE_MAX_BYTES} bytes`;
  assertEquals(client.refusal("sadd", "a", "new", tooLong), refusal);
  assertEquals(client.refusal("sadd", "a", ...many(LONG_ARGUMENTS_COUNT), tooLong), refusal);
  assertEquals(client.refusal("smove", "a", "b", tooLong), refusal);
  // No client can have added this member.
  assertEquals([client.text("sismember", "a", tooLong), client.text("srem", "a", tooLong)], [0, 0]);
  assertEquals(client.text("smismember", "a", tooLong, longest), [0, 1]);
});

testCommands("smove moves a member, and creates and removes sets", (makeClient) => {
  const client = makeClient({ defaultTtlMs: 5_000 });
  client.call("sadd", "a", "x", "y");
  client.call("persist", "a");
  assertEquals(client.text("smove", "a", "b", "x"), 1);
  assertEquals([membersOf(client, "a"), membersOf(client, "b")], [["y"], ["x"]]);
  assertEquals([client.text("pttl", "a"), client.text("pttl", "b")], [-1, 5_000]);
  assertEquals(client.text("smove", "a", "b", "x"), 0);
  assertEquals([client.text("smove", "a", "a", "y"), client.text("smove", "a", "a", "x")], [1, 0]);
  assertEquals(client.text("smove", "a", "b", "y"), 1);
  assertEquals([client.text("exists", "a"), membersOf(client, "b")], [0, ["x", "y"]]);
  client.call("set", "s", "v");
  assertEquals(client.refusal("smove", "b", "s", "x"), WRONG_TYPE);
  assertEquals(client.refusal("smove", "s", "b", "x"), WRONG_TYPE);
  assertEquals(client.text("smove", "absent", "s", "x"), 0);
});

testCommands("new sets get the default TTL, and changed ones keep theirs", (makeClient) => {
  const client = makeClient({ defaultTtlMs: 5_000 });
  client.call("sadd", "a", "x");
  assertEquals(client.text("pttl", "a"), 5_000);
  client.call("persist", "a");
  client.call("sadd", "a", "y");
  client.call("srem", "a", "x");
  assertEquals(client.text("pttl", "a"), -1);
  client.call("sunionstore", "a", "a");
  assertEquals(client.text("pttl", "a"), 5_000);
});

testCommands("commands on sets refuse other types, whichever key has them", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "v");
  client.call("sadd", "a", "x");
  const calls = ["sadd s x", "srem s x", "smembers s", "sismember s x", "smismember s x", "scard s", "spop s"];
  calls.push("spop s 1", "spop s 0", "srandmember s", "srandmember s 1", "sscan s 0", "sintercard 2 a s");
  for (const name of ["sinter", "sunion", "sdiff", "sinterstore d", "sunionstore d", "sdiffstore d"]) {
    calls.push(`${name} s`, `${name} a s`, `${name} s a`, `${name} absent s`, `${name} a absent s`);
  }
  for (const call of calls) assertEquals(client.refusal(...call.split(" ")), WRONG_TYPE, call);
  client.call("set", "other", "v");
  assertEquals(client.refusal("sunionstore", "other", "a", "s"), WRONG_TYPE);
  assertEquals(client.text("get", "other"), "v");
});

testCommands("sinter, sunion and sdiff combine sets of any size", (makeClient) => {
  const client = makeClient();
  const sets: Record<string, Set<string>> = {
    a: new Set(["1", "2", "3", "x", "y"]),
    b: new Set(["2", "3", "4", "y", "z"]),
    c: new Set(many(900)),
    d: new Set([...many(900).slice(700), "3", "y", ...many(300, "")]),
    e: new Set(many(20, "")),
    absent: new Set(),
  };
  for (const [key, members] of Object.entries(sets)) if (members.size > 0) client.call("sadd", key, ...members);
  const keys = Object.keys(sets);
  const chosen = [...keys.map((key) => [key]), ...keys.flatMap((first) => keys.map((second) => [first, second]))];
  chosen.push(["a", "b", "d"], ["d", "c", "c"], keys, keys.toReversed(), [...keys, ...keys], [
    "c",
    "d",
    "e",
    "a",
    "b",
    "c",
  ]);
  for (const each of chosen) {
    const [first, ...rest] = each.map((key) => sets[key]!);
    const expected = {
      inter: rest.reduce((left, right) => left.intersection(right), first!),
      union: rest.reduce((left, right) => left.union(right), first!),
      diff: rest.reduce((left, right) => left.difference(right), first!),
    };
    for (const [operation, members] of Object.entries(expected)) {
      const found = client.text(`s${operation}`, ...each);
      assertEquals(sorted(found), [...members].sort(), `${operation} ${each}`);
      assertEquals(client.text(`s${operation}store`, "stored", ...each), members.size);
      assertEquals(membersOf(client, "stored"), [...members].sort(), `${operation} ${each}`);
      assertEquals(client.text("exists", "stored"), members.size > 0 ? 1 : 0);
    }
    assertEquals(client.text("sintercard", each.length, ...each), expected.inter.size);
    assertEquals(client.text("sintercard", each.length, ...each, "limit", 2), Math.min(2, expected.inter.size));
  }
});

testCommands("a stored combination replaces what the destination holds, also one of the sets", (makeClient) => {
  const client = makeClient();
  const stored = (name: string, ...keys: string[]): string[] => {
    client.call("flushall");
    client.call("sadd", "a", "1", "2", "3");
    client.call("sadd", "b", "3", "4");
    client.call("rpush", "list", "v");
    client.call("pexpire", keys[0]!, 1_000);
    const count = client.text(name, ...keys);
    const members = membersOf(client, keys[0]!);
    assertEquals(count, members.length);
    assertEquals(client.text("pttl", keys[0]!), members.length === 0 ? -2 : -1);
    return members;
  };
  assertEquals(stored("sinterstore", "a", "a", "b"), ["3"]);
  assertEquals(stored("sunionstore", "b", "a", "b"), ["1", "2", "3", "4"]);
  assertEquals(stored("sdiffstore", "a", "a", "b"), ["1", "2"]);
  assertEquals(stored("sdiffstore", "b", "a", "b"), ["1", "2"]);
  assertEquals(stored("sdiffstore", "a", "a", "a"), []);
  assertEquals(stored("sunionstore", "list", "a"), ["1", "2", "3"]);
  assertEquals(stored("sinterstore", "list", "a", "absent"), []);
  assertEquals(stored("sunionstore", "list", "absent"), []);
});

testCommands("sintercard refuses wrong numbers of keys and limits before it looks at the keys", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "v");
  const numkeys = "ERR numkeys should be greater than 0";
  for (const count of ["0", "-1", "x", "1.5", ""]) assertEquals(client.refusal("sintercard", count, "s"), numkeys);
  assertEquals(client.refusal("sintercard", "3", "s", "s"), "ERR Number of keys can't be greater than number of args");
  assertEquals(client.refusal("sintercard", "1", "s", "nope", "1"), "ERR syntax error");
  assertEquals(client.refusal("sintercard", "1", "s", "limit"), "ERR syntax error");
  for (const limit of ["-1", "x"]) {
    assertEquals(client.refusal("sintercard", "1", "s", "limit", limit), "ERR LIMIT can't be negative");
  }
});

testCommands("long calls of one set give the replies of short ones", (makeClient) => {
  const client = makeClient();
  const members = many(LONG_ITEMS_COUNT + 1_000);
  assertEquals(client.text("sadd", "a", ...members, ...members), members.length);
  assertEquals(membersOf(client, "a"), members.toSorted());
  assertEquals(client.text("smismember", "a", ...members, "x"), [...members.map(() => 1), 0]);
  assertEquals(client.text("srem", "a", ...members.slice(1_000), "x"), members.length - 1_000);
  assertEquals(membersOf(client, "a"), members.slice(0, 1_000).toSorted());
  assertEquals(client.text("srem", "a", ...members), 1_000);
  assertEquals(client.text("exists", "a"), 0);
});

testCommands("combinations of sets with the longest members end", (makeClient) => {
  const client = makeClient();
  const members = many(40).map((member) => member.padEnd(FIELD_SIZE_MAX_BYTES, "."));
  const keys = many(8, "k");
  for (const [i, key] of keys.entries()) client.call("sadd", key, ...members.slice(0, 30 + i));
  for (const count of [2, 8]) {
    const chosen = keys.slice(0, count);
    assertEquals((client.text("sinter", ...chosen) as string[]).length, 30);
    assertEquals((client.text("sunion", ...chosen) as string[]).length, 29 + count);
    assertEquals((client.text("sdiff", ...chosen.toReversed()) as string[]).length, 1);
    assertEquals(client.text("sunionstore", "stored", ...chosen), 29 + count);
  }
});

testCommands("combinations of very many sets look up each member", (makeClient) => {
  const client = makeClient();
  const keys = many(LONG_ARGUMENTS_COUNT + 200, "k");
  for (const [i, key] of keys.entries()) client.call("sadd", key, "all", `own${i}`, `some${i % 7}`);
  assertEquals(client.text("sinter", ...keys), ["all"]);
  assertEquals((client.text("sunion", ...keys) as string[]).length, 1 + keys.length + 7);
  assertEquals(sorted(client.text("sdiff", ...keys)), ["own0"]);
  assertEquals(client.text("sunionstore", "k3", ...keys), 1 + keys.length + 7);
  assertEquals(client.text("scard", "k3"), 1 + keys.length + 7);
  client.call("set", keys.at(-1)!, "v");
  assertEquals(client.refusal("sunion", ...keys), WRONG_TYPE);
  assertEquals(client.refusal("sinterstore", "k3", ...keys), WRONG_TYPE);
});

testCommands("commands on keys know sets of any size", (makeClient) => {
  const client = makeClient();
  for (const count of [3, 2_000]) {
    client.call("flushall");
    const members = many(count);
    client.call("sadd", "a", ...members);
    client.call("rpush", "list", "v");
    assertEquals([client.text("type", "a"), client.text("exists", "a")], ["set", 1]);
    let found: string[] = [];
    let cursor = "0";
    do {
      const [next, keys] = client.text("scan", cursor, "type", "SET", "count", "1000") as [string, string[]];
      found = found.concat(keys);
      cursor = next;
    } while (cursor !== "0");
    assertEquals(found, ["a"]);
    client.call("pexpire", "a", "5000");
    assertEquals(client.text("copy", "a", "list", "replace"), 1);
    assertEquals(membersOf(client, "list"), members.toSorted());
    assertEquals(client.text("pttl", "list"), 5_000);
    client.call("sadd", "list", "own");
    assertEquals([client.text("sismember", "a", "own"), client.text("sismember", "list", "own")], [0, 1]);
    client.call("rename", "a", "b");
    assertEquals(membersOf(client, "b"), members.toSorted());
    client.nowMs += 5_000;
    assertEquals([client.text("smembers", "b"), client.text("exists", "list")], [[], 0]);
  }
});

Deno.test("object encoding and memory usage show how sets are stored", () => {
  const client = new MemoryClient();
  client.call("sadd", "a", "1", "-5", "140737488355327");
  assertEquals(client.text("object", "encoding", "a"), "intset");
  const small = client.call("memory", "usage", "a") as number;
  client.call("sadd", "a", "x");
  assertEquals(client.text("object", "encoding", "a"), "listpack");
  client.call("sadd", "a", ...many(1_000));
  assertEquals(client.text("object", "encoding", "a"), "hashtable");
  assert(client.call("memory", "usage", "a", "samples", "0") as number > 10 * small);
  assertEquals(client.text("object", "refcount", "a"), 1);
});

testCommands("a watched set prevents a transaction when it has changed, and only then", (makeClient) => {
  const client = makeClient();
  const other = makeClient({ store: client.store, shared: client.shared });
  const aborts = (...call: string[]): boolean => {
    client.call("flushall");
    client.call("sadd", "a", "x", "y");
    client.call("sadd", "b", "z");
    client.call("watch", "a");
    other.call(...call);
    client.call("multi");
    client.call("ping");
    return client.text("exec") === null;
  };
  for (const call of ["sadd a z", "srem a x", "spop a", "spop a 5", "smove a b x", "smove b a z", "sunionstore a b"]) {
    assert(aborts(...call.split(" ")), call);
  }
  for (const call of ["sadd a x", "srem a z", "spop a 0", "smove a b z", "sinterstore c a b", "smembers a"]) {
    assert(!aborts(...call.split(" ")), call);
  }
});
