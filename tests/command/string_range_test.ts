import { assertEquals } from "@std/assert";
import { VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { makeStore, MemoryClient } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INTEGER = "ERR value is not an integer or out of range";
const TOO_LONG = `ERR string exceeds maximum allowed size (${VALUE_SIZE_MAX_BYTES} bytes)`;

testCommands("getrange replies with a part, counted from either end", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "Hello World");
  const cases: [string, string, string][] = [
    ["0", "4", "Hello"],
    ["-5", "-1", "World"],
    ["0", "-1", "Hello World"],
    ["6", "6", "W"],
    ["0", "9223372036854775807", "Hello World"],
    ["-9223372036854775808", "3", "Hell"],
    ["5", "2", ""],
    ["-1", "-5", ""],
    ["11", "20", ""],
    ["-100", "-50", "H"],
    ["-50", "-100", ""],
    ["0", "-100", "H"],
  ];
  for (const [start, end, expected] of cases) {
    assertEquals(client.text("getrange", "s", start, end), expected, `${start} ${end}`);
    assertEquals(client.text("substr", "s", start, end), expected);
  }
  assertEquals(client.text("getrange", "absent", "0", "-1"), "");
  client.call("set", "empty", "");
  assertEquals(client.text("getrange", "empty", "0", "-1"), "");
});

testCommands("getrange refuses wrong numbers and types", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "list", "a");
  assertEquals(client.refusal("getrange", "absent", "a", "1"), NOT_INTEGER);
  assertEquals(client.refusal("getrange", "absent", "1", "9223372036854775808"), NOT_INTEGER);
  assertEquals(client.refusal("getrange", "list", "0", "1"), WRONG_TYPE);
  assertEquals(client.refusal("substr", "s"), "ERR wrong number of arguments for 'substr' command");
});

testCommands("setrange overwrites, grows and pads with zero bytes", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "Hello World", "PX", "5000");
  assertEquals(client.text("setrange", "s", "6", "Redis"), 11);
  assertEquals(client.text("get", "s"), "Hello Redis");
  assertEquals(client.text("setrange", "s", "9", "uce"), 12);
  assertEquals(client.text("get", "s"), "Hello Reduce");
  assertEquals(client.text("setrange", "s", "14", "!"), 15);
  assertEquals(client.text("get", "s"), "Hello Reduce\0\0!");
  assertEquals(client.text("pttl", "s"), 5000);
  assertEquals(client.text("setrange", "new", "2", "x"), 3);
  assertEquals(client.call("get", "new"), Uint8Array.of(0, 0, 0x78));
  assertEquals(client.text("setrange", "big", "100000", "x"), 100_001);
  assertEquals(client.call("getrange", "big", "99998", "-1"), Uint8Array.of(0, 0, 0x78));
  assertEquals(client.text("setrange", "big", "50000", "y".repeat(60_000)), 110_000);
  assertEquals(client.text("getrange", "big", "49999", "50001"), "\0yy");
});

testCommands("setrange with an empty value changes nothing", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "abc");
  assertEquals(client.text("setrange", "s", "100", ""), 3);
  assertEquals(client.text("setrange", "absent", String(VALUE_SIZE_MAX_BYTES * 10), ""), 0);
  assertEquals(client.text("exists", "absent"), 0);
});

testCommands("setrange refuses wrong offsets and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "abc");
  client.call("rpush", "list", "a");
  assertEquals(client.refusal("setrange", "s", "-1", "x"), "ERR offset is out of range");
  assertEquals(client.refusal("setrange", "s", "x", "x"), NOT_INTEGER);
  assertEquals(client.refusal("setrange", "list", "0", "x"), WRONG_TYPE);
  assertEquals(client.refusal("setrange", "list", "0", ""), WRONG_TYPE);
  for (const offset of [VALUE_SIZE_MAX_BYTES, "9223372036854775807"]) {
    assertEquals(client.refusal("setrange", "s", offset, "x"), TOO_LONG);
    assertEquals(client.refusal("setrange", "absent", offset, "x"), TOO_LONG);
  }
});

Deno.test("setrange makes room for its padding by evicting other keys", () => {
  const client = new MemoryClient({ store: makeStore(8 * 1024 * 1024) });
  for (let i = 0; i < 100; i++) client.call("set", `k${i}`, new Uint8Array(70_000));
  assertEquals(client.text("setrange", "new", "4000000", "x"), 4_000_001);
  assertEquals(client.text("strlen", "new"), 4_000_001);
  assertEquals(client.text("setrange", "new", "5000000", "x"), 5_000_001);
  assertEquals(client.text("getrange", "new", "4000000", "4000000"), "x");
  assertEquals(client.store.audit(), 0);
});
