import { assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { decodeText } from "../../src/bytes.ts";
import { ReplyError } from "../../src/errors.ts";
import { TRANSACTION_ARGUMENTS_MAX_COUNT, TRANSACTION_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { decodeReply, type Value } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "Operation against a key holding the wrong kind of value";
const ABORTED = "EXECABORT Transaction discarded because of previous errors.";

testCommands("multi queues commands, and exec runs them and returns each reply", (makeClient) => {
  const client = makeClient();
  assertEquals(client.text("multi"), "OK");
  assertEquals(client.text("set", "a", "1"), "QUEUED");
  assertEquals(client.text("incr", "a"), "QUEUED");
  assertEquals(client.text("get", "absent"), "QUEUED");
  assertEquals(client.store.size, 0);
  assertEquals(client.text("exec"), [[0, "OK"], [0, 2], [0, null]]);
  assertEquals(client.text("get", "a"), "2");
  assertEquals(client.text("multi"), "OK");
  assertEquals(client.text("exec"), []);
});

testCommands("exec returns an error among the other replies, and runs the following commands", (makeClient) => {
  const client = makeClient();
  client.call("set", "a", "text");
  client.call("multi");
  client.call("lpush", "a", "x");
  client.call("incr", "a");
  client.call("append", "a", "!");
  assertEquals(client.text("exec"), [
    [1, "WRONGTYPE", WRONG_TYPE],
    [1, "ERR", "value is not an integer or out of range"],
    [0, 5],
  ]);
});

testCommands("a request that cannot be queued spoils the transaction", (makeClient) => {
  for (const bad of [["nothing"], ["get"], ["set", "a", new Uint8Array(VALUE_SIZE_MAX_BYTES + 1)]]) {
    const client = makeClient();
    client.call("multi");
    client.call("set", "a", "1");
    client.refusal(...bad);
    assertEquals(client.refusal("exec"), ABORTED);
    assertEquals(client.text("get", "a"), null);
    assertEquals(client.refusal("exec"), "ERR EXEC without MULTI");
  }
});

testCommands("an error of a command that is never queued does not spoil the transaction", (makeClient) => {
  const client = makeClient();
  assertEquals(client.refusal("discard"), "ERR DISCARD without MULTI");
  client.call("multi");
  assertEquals(client.refusal("multi"), "ERR MULTI calls can not be nested");
  assertEquals(client.refusal("watch", "a"), "ERR WATCH inside MULTI is not allowed");
  client.call("set", "a", "1");
  assertEquals(client.text("exec"), [[0, "OK"]]);
});

testCommands("discard drops the queued commands", (makeClient) => {
  const client = makeClient();
  client.call("multi");
  client.call("set", "a", "1");
  assertEquals(client.text("discard"), "OK");
  assertEquals(client.text("get", "a"), null);
});

testCommands("the size of a transaction is bounded", (makeClient) => {
  const client = makeClient();
  client.call("multi");
  const value = new Uint8Array(VALUE_SIZE_MAX_BYTES - 1024);
  client.call("set", "a", value);
  client.call("set", "a", value);
  assertEquals(client.refusal("set", "a", value), `ERR transaction exceeds ${TRANSACTION_MAX_BYTES} bytes`);
  assertEquals(client.refusal("exec"), ABORTED);
});

testCommands("exec runs nothing when a watched key was changed by another client", (makeClient) => {
  const client = makeClient();
  const other = makeClient({ store: client.store, shared: client.shared });
  const changes: (() => void)[] = [
    () => other.call("set", "a", "2"),
    () => other.call("remove", "a"),
    () => other.call("expire", "a", "100"),
    () => other.call("mset", "x", "1", "a", "3"),
    () => other.call("flush"),
    () => {
      other.call("multi");
      other.call("append", "a", "x");
      other.call("exec");
    },
    () => client.call("set", "a", "4"),
  ];
  for (const change of changes) {
    client.call("set", "a", "1");
    assertEquals(client.text("watch", "a", "b", "a"), "OK");
    change();
    client.call("multi");
    client.call("set", "c", "ran");
    assertEquals(client.text("exec"), null, String(change));
    assertEquals(client.text("get", "c"), null);
    assertEquals(client.shared.watches.count, 0);
  }
});

testCommands("exec runs when watched keys were only read, or others changed", (makeClient) => {
  const client = makeClient();
  const other = makeClient({ store: client.store, shared: client.shared });
  client.call("watch", "a", "b");
  other.call("get", "a");
  other.call("remove", "a");
  other.call("set", "c", "1");
  client.call("multi");
  client.call("set", "a", "1");
  assertEquals(client.text("exec"), [[0, "OK"]]);
  // The client's own transaction has ended the watch.
  client.call("set", "a", "2");
  client.call("multi");
  assertEquals(client.text("exec"), []);
});

testCommands("a watched key that expires has changed", (makeClient) => {
  const client = makeClient();
  client.call("set", "a", "1", "PX", "100");
  client.call("watch", "a");
  client.nowMs += 100;
  client.call("multi");
  assertEquals(client.text("exec"), null);
});

testCommands("unwatch and discard end a watch", (makeClient) => {
  const client = makeClient();
  for (const end of [["unwatch"], ["multi", "discard"]]) {
    client.call("watch", "a");
    client.call("set", "a", "1");
    for (const command of end) client.call(command);
    client.call("multi");
    assertEquals(client.text("exec"), []);
  }
});

testCommands("nothing waits in a transaction", (makeClient) => {
  const client = makeClient();
  client.call("multi");
  client.call("blpop", "l", "0");
  client.call("keys", "*");
  assertEquals(client.text("exec"), [[0, null], [0, []]]);
  client.call("multi");
  assertEquals(client.refusal("save"), "ERR Command not allowed inside a transaction");
  assertEquals(client.refusal("exec"), ABORTED);
});

testCommands("a waiting client is served when the transaction has ended", async (makeClient) => {
  const client = makeClient();
  const other = makeClient({ store: client.store, shared: client.shared });
  const waiting = other.wait("blpop", "l", "0");
  await Promise.resolve();
  client.call("multi");
  client.call("rpush", "l", "a");
  client.call("lpop", "l");
  client.call("rpush", "l", "b");
  assertEquals(client.text("exec"), [[0, 1], [0, "a"], [0, 1]]);
  assertEquals(await waiting, [new TextEncoder().encode("l"), new TextEncoder().encode("b")]);
});

testCommands("multi refuses a command of too many arguments, and accepts the longest one", async (makeClient) => {
  const client = makeClient();
  const most = TRANSACTION_ARGUMENTS_MAX_COUNT - 1;
  // Spreading that many arguments would exceed the stack.
  const replyTo = (count: number) => {
    const frame = client.run(["exists", ...Array.from({ length: count }, (_, i) => `k${i}`)]);
    return decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  };
  client.call("multi");
  assertEquals(replyTo(most), "QUEUED");
  assertEquals(await client.wait("exec"), [[0, 0]]);
  client.call("multi");
  const refusal = replyTo(most + 1);
  assertInstanceOf(refusal, ReplyError);
  assertEquals(refusal.message, `too many arguments for a command in a transaction: at most ${most}`);
  assertEquals(client.refusal("exec"), ABORTED);
});

testCommands(
  "a transaction that has begun runs completely even if writes are refused meanwhile",
  async (makeClient) => {
    const client = makeClient();
    client.stepsASlice = 1;
    client.pausing = () => {
      if (client.store.size > 0) client.shared.refusal = "the disk is full";
    };
    const count = 1_000;
    client.call("multi");
    for (let i = 0; i < count; i++) client.call(...(i % 2 === 0 ? ["set", `k${i}`, "v"] : ["rpush", `k${i}`, "v"]));
    const replies = await client.wait("exec") as [number, Value][];
    assertEquals(replies.filter(([status]) => status !== 0), []);
    assertEquals(client.store.size, count);
    assertEquals(client.refusal("set", "later", "v"), "MISCONF Writes are refused, reads are not: the disk is full");
    client.call("multi");
    client.call("set", "later", "v");
    assertMatch(client.refusal("exec"), /^EXECABORT .*MISCONF .*the disk is full/);
  },
);

testCommands(
  "client list shows the transaction that runs it, and the client as before after it",
  async (makeClient) => {
    const client = makeClient();
    const lineOf = (value: Value) => /flags=\S+|multi=\S+|cmd=\S+/g[Symbol.match](decodeText(value as Uint8Array));
    client.call("multi");
    client.call("set", "k", "v");
    client.call("client", "list");
    const replies = await client.wait("exec") as [number, Value][];
    assertEquals(lineOf(replies[1]![1]), ["flags=x", "multi=2", "cmd=exec"]);
    assertEquals(lineOf(client.call("client", "list")), ["flags=N", "multi=-1", "cmd=client|list"]);
  },
);
