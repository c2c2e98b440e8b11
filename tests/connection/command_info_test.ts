import { assert, assertEquals } from "@std/assert";
import { categoriesOf, flagsOf, keyUsesOf, NAMED_COMMANDS } from "../../src/catalog/command_facts.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { MemoryClient, Readable } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const allNames = COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]).sort();

function list(client: MemoryClient, ...filter: string[]): string[] {
  return (client.text("command", "list", ...filter) as string[]).toSorted();
}

testCommands("command and command info describe every command under each of its names", (makeClient) => {
  const client = makeClient();
  for (const request of [["command"], ["COMMAND", "INFO"]]) {
    const infos = client.text(...request) as Readable[][];
    assertEquals(infos.map(([name]) => name as string).sort(), allNames);
    for (const info of infos) assertEquals(info.length, 10);
  }
  assertEquals(client.text("command", "count"), allNames.length);
  assertEquals(list(client), allNames);
});

testCommands("command info shows arity, flags, keys, categories, tips and uses of keys", (makeClient) => {
  const client = makeClient();
  const index = (at: number) => [["type", "index"], ["spec", [["index", at]]]];
  const range = (last: number, step: number) => {
    return [["type", "range"], ["spec", [["lastkey", last], ["keystep", step], ["limit", 0]]]];
  };
  assertEquals(client.text("command", "info", "GET"), [[
    "get",
    2,
    ["readonly", "fast"],
    1,
    1,
    1,
    ["@read", "@string", "@fast"],
    [],
    [[["flags", ["RO", "access"]], ["begin_search", index(1)], ["find_keys", range(0, 1)]]],
    [],
  ]]);
  assertEquals(client.text("command", "info", "nope", "mset"), [null, [
    "mset",
    -3,
    ["write", "denyoom"],
    1,
    -1,
    2,
    ["@write", "@string", "@slow"],
    ["request_policy:multi_shard", "response_policy:all_succeeded"],
    [[["flags", ["OW", "update"]], ["begin_search", index(1)], ["find_keys", range(-1, 2)]]],
    [],
  ]]);
  const [lmove] = client.text("command", "info", "lmove") as Readable[][];
  assertEquals(lmove![8], [
    [["flags", ["RW", "access", "delete"]], ["begin_search", index(1)], ["find_keys", range(0, 1)]],
    [["flags", ["RW", "insert"]], ["begin_search", index(2)], ["find_keys", range(0, 1)]],
  ]);
  const [blpop] = client.text("command", "info", "blpop") as Readable[][];
  assertEquals(blpop!.slice(2, 7), [
    ["write", "blocking"],
    1,
    -2,
    1,
    ["@write", "@list", "@slow", "@blocking"],
  ]);
  const [ping] = client.text("command", "info", "ping") as Readable[][];
  assertEquals(ping!.slice(8), [[], []]);
});

testCommands("command docs shows summaries and arguments", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("command", "docs", "Strlen", "nope"), [["strlen", [
    ["summary", "Returns the length of a string in bytes, or 0 if the key is absent."],
    ["group", "string"],
    ["arguments", [[["name", "key"], ["type", "key"], ["key_spec_index", 0]]]],
  ]]]);
  assertEquals(client.text("command", "docs", "flushall"), [["flushall", [
    ["summary", "Removes all keys."],
    ["group", "generic"],
    ["arguments", [[
      ["name", "async-or-sync"],
      ["type", "oneof"],
      ["flags", ["optional"]],
      ["arguments", [
        [["name", "async"], ["type", "pure-token"], ["token", "ASYNC"]],
        [["name", "sync"], ["type", "pure-token"], ["token", "SYNC"]],
      ]],
    ]]],
  ]]]);
  assertEquals(client.text("command", "docs", "nope"), []);
  const all = client.text("command", "docs") as Readable[][];
  assertEquals(all.map(([name]) => name as string).sort(), allNames);
});

testCommands("command list filters by pattern and category", (makeClient) => {
  const client = makeClient();
  assertEquals(list(client, "FILTERBY", "PATTERN", "H*SET*"), ["hmset", "hset", "hsetnx"]);
  assertEquals(list(client, "filterby", "aclcat", "Hash"), [
    "hdel",
    "hexists",
    "hget",
    "hgetall",
    "hincrby",
    "hincrbyfloat",
    "hkeys",
    "hlen",
    "hmget",
    "hmset",
    "hrandfield",
    "hscan",
    "hset",
    "hsetnx",
    "hstrlen",
    "hvals",
  ]);
  assert(list(client, "filterby", "aclcat", "dangerous").includes("flushall"));
  assertEquals(list(client, "filterby", "aclcat", "nope"), []);
  assertEquals(list(client, "filterby", "module", "any"), []);
  const wrong = [["nope"], ["filterby"], ["filterby", "pattern"], ["filterby", "nope", "x"], [
    "filterby",
    "pattern",
    "x",
    "y",
  ]];
  for (const options of wrong) {
    assertEquals(client.refusal("command", "list", ...options), "ERR syntax error", options.join(" "));
  }
});

testCommands("command getkeys and getkeysandflags find the keys of a call", (makeClient) => {
  const client = makeClient();
  const cases: [string[], string[]][] = [
    [["get", "a"], ["a"]],
    [["MSET", "a", "1", "b", "2"], ["a", "b"]],
    [["blpop", "a", "b", "0"], ["a", "b"]],
    [["lmove", "a", "b", "LEFT", "RIGHT"], ["a", "b"]],
    [["object", "encoding", "a"], ["a"]],
    [["memory", "usage", "a"], ["a"]],
    [["set", "a", "b", "NX"], ["a"]],
  ];
  for (const [call, keys] of cases) assertEquals(client.text("command", "getkeys", ...call), keys);
  assertEquals(client.text("command", "getkeysandflags", "rename", "a", "b"), [
    ["a", ["RW", "access", "delete"]],
    ["b", ["OW", "update"]],
  ]);
  assertEquals(client.text("command", "getkeysandflags", "del", "a", "b"), [
    ["a", ["RM", "delete"]],
    ["b", ["RM", "delete"]],
  ]);
  for (const name of ["getkeys", "getkeysandflags"]) {
    const refusal = (...call: string[]) => client.refusal("command", name, ...call);
    assertEquals(refusal("nope", "a"), "ERR Invalid command specified");
    assertEquals(refusal("echo", "a"), "ERR The command has no key arguments");
    assertEquals(refusal("object", "help"), "ERR The command has no key arguments");
    assertEquals(refusal("get", "a", "b"), "ERR Invalid number of arguments specified for command");
    assertEquals(refusal("get"), `ERR wrong number of arguments for 'command|${name}' command`);
  }
});

testCommands("command refuses unknown subcommands", (makeClient) => {
  const client = makeClient();
  assertEquals(client.refusal("command", "nope"), "ERR unknown subcommand 'nope'. Try COMMAND HELP.");
  assertEquals(client.refusal("command", "count", "x"), "ERR wrong number of arguments for 'command|count' command");
  assert((client.text("command", "help") as string[]).includes("COUNT"));
});

Deno.test("flags, categories and uses of keys are consistent for every command", () => {
  for (const each of NAMED_COMMANDS) {
    const { name, specification: { firstKey, lastKey, writes } } = each;
    const flags = flagsOf(each);
    const categories = categoriesOf(each);
    assertEquals(new Set(categories).size, categories.length, name);
    assert(categories.includes("fast") !== categories.includes("slow"), name);
    assertEquals(flags.includes("write"), writes, name);
    assertEquals(categories.includes("write"), writes, name);
    assertEquals(flags.includes("readonly"), categories.includes("read"), name);
    for (const [access] of keyUsesOf(each)) assert(["RO", "RW", "OW", "RM"].includes(access!), name);
    assertEquals(keyUsesOf(each).length > 0, firstKey > 0, name);
    assert(keyUsesOf(each).length <= 1 || (firstKey === 1 && (lastKey === 2 || lastKey === -1)), name);
    if (!writes) { for (const [access] of keyUsesOf(each)) assertEquals(access, "RO", name); }
  }
});
