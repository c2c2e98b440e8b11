import { assertEquals } from "@std/assert";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_FLOAT = "ERR value is not a valid float";
const NOT_FINITE = "ERR increment would produce NaN or Infinity";

testCommands("incrbyfloat adds as Redis does, and keeps the TTL", (makeClient) => {
  const client = makeClient();
  client.call("set", "x", "10.50", "PX", "5000");
  assertEquals(client.text("incrbyfloat", "x", "0.1"), "10.6");
  assertEquals(client.text("incrbyfloat", "x", "-5"), "5.6");
  assertEquals(client.text("get", "x"), "5.6");
  assertEquals(client.text("pttl", "x"), 5000);
  client.call("set", "y", "5.0e3");
  assertEquals(client.text("incrbyfloat", "y", "2.0e2"), "5200");
  assertEquals(client.text("incrbyfloat", "new", "3"), "3");
  assertEquals(client.text("incr", "new"), 4);
});

testCommands("incrbyfloat refuses a text that is not a number", (makeClient) => {
  const client = makeClient();
  client.call("rpush", "list", "a");
  for (const value of ["", "x", " 1", "1 ", "nan", "1e", "0x", "1e5000", "1".repeat(5120)]) {
    assertEquals(client.refusal("incrbyfloat", "absent", value), NOT_FLOAT, value);
    client.call("set", "x", value);
    assertEquals(client.refusal("incrbyfloat", "x", "1"), NOT_FLOAT, value);
    assertEquals(client.text("get", "x"), value);
  }
  assertEquals(client.refusal("incrbyfloat", "absent", new Uint8Array(1_000_000).fill(0x31)), NOT_FLOAT);
  assertEquals(client.refusal("incrbyfloat", "absent", "inf"), NOT_FINITE);
  client.call("set", "x", "1e4932");
  assertEquals(client.refusal("incrbyfloat", "x", "1e4932"), NOT_FINITE);
  assertEquals(client.refusal("incrbyfloat", "list", "1"), WRONG_TYPE);
  assertEquals(client.text("exists", "absent"), 0);
});

testCommands("hincrbyfloat adds to a field", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("hincrbyfloat", "h", "f", "10.50"), "10.5");
  assertEquals(client.text("hincrbyfloat", "h", "f", "0.1"), "10.6");
  assertEquals(client.text("hincrbyfloat", "h", "g", "-1e-1"), "-0.1");
  assertEquals(client.text("hmget", "h", "f", "g"), ["10.6", "-0.1"]);
  assertEquals(client.text("hlen", "h"), 2);
});

testCommands("hincrbyfloat refuses a text that is not a number", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "1");
  client.call("hset", "h", "f", "abc", "empty", "", "long", "1".repeat(6000), "much", "1e4932");
  for (const field of ["f", "empty", "long"]) {
    assertEquals(client.refusal("hincrbyfloat", "h", field, "1"), "ERR hash value is not a float", field);
  }
  assertEquals(client.refusal("hincrbyfloat", "h", "f", "abc"), NOT_FLOAT);
  assertEquals(client.refusal("hincrbyfloat", "h", "new", "-inf"), "ERR value is NaN or Infinity");
  assertEquals(client.refusal("hincrbyfloat", "h", "much", "1e4932"), NOT_FINITE);
  assertEquals(client.refusal("hincrbyfloat", "string", "f", "1"), WRONG_TYPE);
  assertEquals(client.text("hlen", "h"), 4);
});
