import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { ReplyError } from "../../src/errors.ts";
import { ELEMENT_SIZE_MAX_BYTES, KEY_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { MemoryClient } from "../support/memory_client.ts";
import { ModelStore } from "../support/model_store.ts";
import { testCommands } from "../support/test_commands.ts";

testCommands("execute() finds commands by any of their names, in any case", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("SeT", "x", "1"), "OK");
  assertEquals(client.text("GET", "x"), "1");
  assertEquals(client.text("dbsize"), 1);
  assertEquals(client.text("DEL", "x"), 1);
});

testCommands("execute() refuses an unknown command and quotes it", (makeClient) => {
  const client = makeClient();
  assertEquals(
    client.refusal("foo", "a", "b"),
    "ERR unknown command 'foo', with args beginning with: 'a' 'b' ",
  );
  assertEquals(client.refusal("foo"), "ERR unknown command 'foo', with args beginning with: ");
  assertEquals(client.refusal(""), "ERR unknown command '', with args beginning with: ");
  assertEquals(
    client.refusal("a\r\nb", "c\0d"),
    "ERR unknown command 'a  b', with args beginning with: 'c d' ",
  );
});

testCommands("execute() bounds the quotation of an unknown command", (makeClient) => {
  const client = makeClient();
  assertEquals(
    client.refusal("n".repeat(1000), "x".repeat(100), "y".repeat(100), "z"),
    `ERR unknown command '${"n".repeat(128)}', with args beginning with: '${"x".repeat(100)}' '${"y".repeat(25)}' `,
  );
});

testCommands("execute() refuses a wrong number of arguments and quotes the name that was used", (makeClient) => {
  const client = makeClient();
  assertEquals(client.refusal("get"), "ERR wrong number of arguments for 'get' command");
  assertEquals(client.refusal("GET", "a", "b"), "ERR wrong number of arguments for 'get' command");
  assertEquals(client.refusal("lindex", "a"), "ERR wrong number of arguments for 'lindex' command");
  assertEquals(client.refusal("set", "a"), "ERR wrong number of arguments for 'set' command");
});

testCommands("execute() refuses every command with too few arguments", (makeClient) => {
  const client = makeClient();
  for (const { name, arity } of COMMANDS) {
    const count = Math.abs(arity) - 1;
    if (count === 0) continue;
    const request = [name, ...Array<string>(count - 1).fill("1")];
    assertEquals(client.refusal(...request), `ERR wrong number of arguments for '${name}' command`);
  }
});

testCommands("execute() runs only open commands before authentication", (makeClient) => {
  const client = makeClient({ password: "secret" });
  for (const { name, arity, open } of COMMANDS) {
    if (open) continue;
    // Every command with subcommands has `help`; for others it is an ordinary argument.
    const request = [name, ...Array<string>(Math.abs(arity) - 1).fill("help")];
    // As in Redis, an error of `exec` says that the transaction was discarded.
    const prefix = name === "exec" ? "EXECABORT Transaction discarded because of: " : "";
    assertEquals(client.refusal(...request), `${prefix}NOAUTH Authentication required.`, name);
  }
  assertEquals(client.text("ping"), "PONG");
  assertEquals(client.text("auth", "secret"), "OK");
  assertEquals(client.text("set", "a", "1"), "OK");
});

testCommands("execute() bounds the size of keys", (makeClient) => {
  const client = makeClient();
  const longest = new Uint8Array(KEY_SIZE_MAX_BYTES);
  const tooLong = new Uint8Array(KEY_SIZE_MAX_BYTES + 1);
  const refusal = `ERR key exceeds ${KEY_SIZE_MAX_BYTES} bytes`;
  assertEquals(client.text("set", longest, "v"), "OK");
  assertEquals(client.text("get", longest), "v");
  assertEquals(client.call("keys", "*"), [longest]);
  assertEquals(client.refusal("get", tooLong), refusal);
  assertEquals(client.refusal("set", tooLong, "v"), refusal);
  assertEquals(client.refusal("mset", "a", "1", tooLong, "2"), refusal);
  assertEquals(client.refusal("mget", "a", tooLong), refusal);
  assertEquals(client.refusal("remove", longest, "a", tooLong), refusal);
  assertEquals(client.refusal("hset", tooLong, "f", "v"), refusal);
  // An argument that is not a key may be longer.
  assertEquals(client.text("mset", "a", tooLong, "b", tooLong), "OK");
  assertEquals(client.text("hset", "h", longest, tooLong), 1);
  assertEquals(client.text("echo", tooLong), "\0".repeat(tooLong.length));
});

testCommands("execute() bounds the size of values", (makeClient) => {
  const client = makeClient();
  const tooLong = new Uint8Array(VALUE_SIZE_MAX_BYTES + 1);
  assertEquals(client.refusal("set", "a", tooLong), `ERR value exceeds ${VALUE_SIZE_MAX_BYTES} bytes`);
  const element = tooLong.subarray(0, ELEMENT_SIZE_MAX_BYTES + 1);
  const refusal = `ERR value exceeds ${ELEMENT_SIZE_MAX_BYTES} bytes`;
  assertEquals(client.refusal("rpush", "a", "1", element), refusal);
  assertEquals(client.refusal("hset", "a", "f", element), refusal);
  assertEquals(client.text("set", "a", element), "OK");
});

Deno.test("execute() refuses only commands that may use more memory when the store is full", () => {
  const store = new ModelStore();
  const client = new MemoryClient({ store: store.asStore() });
  client.call("mset", "s", "1", "gone", "1");
  client.call("rpush", "l", "a", "b");
  client.call("hset", "h", "f", "1");
  store.full = true;
  const refusal = "OOM command not allowed when used memory > 'maxmemory'.";
  assertEquals(client.refusal("set", "s", "2"), refusal);
  assertEquals(client.refusal("append", "s", "2"), refusal);
  assertEquals(client.refusal("incr", "s"), refusal);
  assertEquals(client.refusal("lpush", "l", "c"), refusal);
  assertEquals(client.refusal("hset", "h", "f", "2"), refusal);
  assertEquals(client.text("get", "s"), "1");
  assertEquals(client.text("remove", "gone"), 1);
  assertEquals(client.text("lpop", "l"), "a");
  assertEquals(client.text("hdel", "h", "f"), 1);
  assertEquals(client.text("flush"), "OK");
});

Deno.test("execute() replies to a bug with an error without details, and reports it", async () => {
  const store = new ModelStore();
  const client = new MemoryClient({ store: store.asStore() });
  const bug = new TypeError("a detail");
  store.find = () => {
    throw bug;
  };
  assertEquals(client.refusal("get", "x"), "ERR internal error");
  client.saving = () => Promise.reject(bug);
  const answer = await client.wait("save");
  assert(answer instanceof ReplyError);
  assertEquals(answer.message, "internal error");
  assertEquals(client.bugs, [bug, bug]);
  // The connection still works.
  assertEquals(client.text("ping"), "PONG");
});
