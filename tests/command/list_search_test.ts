import { assertEquals } from "@std/assert";
import type { MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER = "ERR value is not an integer or out of range";
const SYNTAX = "ERR syntax error";

function elements(client: MemoryClient, key = "l"): string {
  return (client.text("lrange", key, "0", "-1") as string[]).join(" ");
}

testCommands("linsert adds an element before or after the first equal one", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c", "b");
  assertEquals(client.text("linsert", "l", "BEFORE", "b", "x"), 5);
  assertEquals(client.text("linsert", "l", "after", "b", "y"), 6);
  assertEquals(client.text("linsert", "l", "before", "a", "first"), 7);
  assertEquals(elements(client), "first a x b y c b");
  client.call("rpush", "one", "1");
  assertEquals(client.text("linsert", "one", "after", "1", "last"), 2);
  assertEquals(elements(client, "one"), "1 last");
  assertEquals(client.text("linsert", "l", "before", "none", "x"), -1);
  assertEquals(client.text("linsert", "absent", "before", "a", "x"), 0);
  assertEquals(client.text("exists", "absent"), 0);
});

testCommands("linsert finds elements of any length in long lists", (makeClient) => {
  const client = makeClient();
  const long = "x".repeat(5_000);
  const all = Array.from({ length: 3_000 }, (_, i) => i % 7 === 0 ? `${i}`.repeat(50) : `${i}`);
  client.call("rpush", "l", ...all, long);
  assertEquals(client.text("linsert", "l", "before", long, "behind all"), 3_002);
  assertEquals(client.text("linsert", "l", "after", "700".repeat(50), "amid"), 3_003);
  assertEquals(client.text("lrange", "l", "699", "702"), ["699", "700".repeat(50), "amid", "701"]);
  assertEquals(client.text("lrange", "l", "-2", "-1"), ["behind all", long]);
});

testCommands("linsert refuses wrong words and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  assertEquals(client.refusal("linsert", "absent", "beside", "a", "x"), SYNTAX);
  assertEquals(client.refusal("linsert", "string", "before", "a", "x"), WRONG_TYPE);
  assertEquals(
    client.refusal("linsert", "l", "before", "a"),
    "ERR wrong number of arguments for 'linsert' command",
  );
});

testCommands("lrem removes from the head, from the tail, or all", (makeClient) => {
  const client = makeClient();
  const fill = () => {
    client.call("del", "l");
    client.call("rpush", "l", "a", "b", "a", "c", "a", "a");
  };
  const cases: [string, number, string][] = [
    ["1", 1, "b a c a a"],
    ["2", 2, "b c a a"],
    ["100", 4, "b c"],
    ["-1", 1, "a b a c a"],
    ["-3", 3, "a b c"],
    ["-9223372036854775808", 4, "b c"],
    ["0", 4, "b c"],
  ];
  for (const [count, removed, left] of cases) {
    fill();
    assertEquals(client.text("lrem", "l", count, "a"), removed, count);
    assertEquals(elements(client), left, count);
  }
  assertEquals(client.text("lrem", "l", "0", "none"), 0);
  assertEquals(client.text("lrem", "absent", "0", "a"), 0);
});

testCommands("lrem of the last elements removes the key", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "a", "a");
  assertEquals(client.text("lrem", "l", "0", "a"), 3);
  assertEquals(client.text("exists", "l"), 0);
});

testCommands("lrem refuses wrong counts and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  for (const count of ["x", "1.5", "", "9223372036854775808"]) {
    assertEquals(client.refusal("lrem", "absent", count, "a"), NOT_INTEGER);
  }
  assertEquals(client.refusal("lrem", "string", "0", "v"), WRONG_TYPE);
});

testCommands("ltrim keeps a range", (makeClient) => {
  const client = makeClient();
  const cases: [string, string, string][] = [
    ["0", "-1", "a b c d e"],
    ["1", "3", "b c d"],
    ["1", "-2", "b c d"],
    ["-3", "-1", "c d e"],
    ["-100", "0", "a"],
    ["4", "100", "e"],
    ["2", "2", "c"],
    ["3", "1", ""],
    ["5", "10", ""],
    ["0", "-100", ""],
  ];
  for (const [start, stop, left] of cases) {
    client.call("del", "l");
    client.call("rpush", "l", "a", "b", "c", "d", "e");
    assertEquals(client.text("ltrim", "l", start, stop), "OK");
    assertEquals(elements(client), left, `${start} ${stop}`);
    assertEquals(client.text("exists", "l"), left === "" ? 0 : 1);
  }
  assertEquals(client.text("ltrim", "absent", "0", "1"), "OK");
  assertEquals(client.text("exists", "absent"), 0);
});

testCommands("ltrim keeps a range of a long list", (makeClient) => {
  const client = makeClient();
  const all = Array.from({ length: 20_000 }, (_, i) => `element ${i}`);
  for (let i = 0; i < all.length; i += 1_000) client.call("rpush", "l", ...all.slice(i, i + 1_000));
  client.call("ltrim", "l", "1234", "-1001");
  assertEquals(client.text("lrange", "l", "0", "-1"), all.slice(1_234, 19_000));
  client.call("ltrim", "l", "-1", "-1");
  assertEquals(elements(client), "element 18999");
});

testCommands("ltrim refuses wrong numbers and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  assertEquals(client.refusal("ltrim", "absent", "x", "1"), NOT_INTEGER);
  assertEquals(client.refusal("ltrim", "absent", "1", "x"), NOT_INTEGER);
  assertEquals(client.refusal("ltrim", "string", "0", "1"), WRONG_TYPE);
});

testCommands("lpos replies with the index of an element, from either end", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "l", "a", "b", "c", "1", "2", "3", "c", "c");
  const cases: [string[], unknown][] = [
    [["c"], 2],
    [["none"], null],
    [["c", "RANK", "2"], 6],
    [["c", "rank", "-1"], 7],
    [["c", "RANK", "-3"], 2],
    [["c", "RANK", "4"], null],
    [["c", "COUNT", "2"], [2, 6]],
    [["c", "COUNT", "0"], [2, 6, 7]],
    [["c", "COUNT", "0", "RANK", "2"], [6, 7]],
    [["c", "COUNT", "2", "RANK", "-1"], [7, 6]],
    [["c", "COUNT", "0", "RANK", "-2"], [6, 2]],
    [["none", "COUNT", "1"], []],
    [["c", "MAXLEN", "2"], null],
    [["c", "MAXLEN", "3"], 2],
    [["c", "COUNT", "0", "MAXLEN", "7"], [2, 6]],
    [["c", "COUNT", "0", "RANK", "-2", "MAXLEN", "2"], [6]],
    [["c", "COUNT", "0", "MAXLEN", "0"], [2, 6, 7]],
    [["c", "RANK", "3", "RANK", "1"], 2],
  ];
  for (const [options, expected] of cases) {
    assertEquals(client.text("lpos", "l", ...options), expected as null, options.join(" "));
  }
  assertEquals(client.text("lpos", "absent", "c"), null);
  assertEquals(client.text("lpos", "absent", "c", "COUNT", "1"), []);
});

testCommands("lpos refuses wrong options and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  const cases: [string[], string][] = [
    [
      ["RANK", "0"],
      "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start " +
      "from the end of the list",
    ],
    [["RANK", "x"], NOT_INTEGER],
    [["COUNT", "-1"], "ERR COUNT can't be negative"],
    [["COUNT", "x"], "ERR COUNT can't be negative"],
    [["MAXLEN", "-1"], "ERR MAXLEN can't be negative"],
    [["MAXLEN", "1.5"], "ERR MAXLEN can't be negative"],
    [["COUNT"], SYNTAX],
    [["NOPE", "1"], SYNTAX],
  ];
  for (const [options, refusal] of cases) {
    for (const key of ["absent", "string"]) {
      assertEquals(client.refusal("lpos", key, "v", ...options), refusal, options.join(" "));
    }
  }
  assertEquals(client.refusal("lpos", "string", "v"), WRONG_TYPE);
});
