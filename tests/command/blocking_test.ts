import { assert, assertEquals } from "@std/assert";
import { ReplyError } from "../../src/errors.ts";
import { binaryBytes, binaryText } from "../../src/command/binary_text.ts";
import { Waiters } from "../../src/command/waiters.ts";
import { type MemoryClient, readable } from "../support/memory_client.ts";
import { type MakeClient, testCommands } from "../support/test_commands.ts";

/** Clients of one store. */
function makeClients(makeClient: MakeClient, count: number): MemoryClient[] {
  const first = makeClient();
  const { store, shared } = first;
  return [first, ...Array.from({ length: count - 1 }, () => makeClient({ store, shared }))];
}

/** Lets a client wait; `reply` is what it is told in the end. */
async function begin(client: MemoryClient, ...request: string[]): Promise<{ readonly reply: Promise<unknown> }> {
  const reply = client.wait(...request).then((value) => {
    return value instanceof ReplyError ? `${value.code} ${value.message}` : readable(value);
  });
  await Promise.resolve();
  assert(client.client.waiter !== undefined, "it does not wait");
  return { reply };
}

testCommands("blpop and brpop take at once what is there, from the first key that has it", async (makeClient) => {
  const client = makeClient();
  client.call("rpush", "b", "1", "2", "3");
  assertEquals(client.text("blpop", "a", "b", "0"), ["b", "1"]);
  assertEquals(client.text("brpop", "b", "a", "1.5"), ["b", "3"]);
  assertEquals(client.text("blpop", "b", "0"), ["b", "2"]);
  assertEquals(client.text("exists", "b"), 0);
  assertEquals(await client.wait("blpop", "b", "0.01"), null);
  assertEquals(client.shared.waiters.count, 0);
});

testCommands("blpop refuses what it cannot wait with", (makeClient) => {
  const client = makeClient();
  client.call("set", "s", "1");
  assertEquals(client.refusal("blpop", "l", "x"), "ERR timeout is not a float or out of range");
  assertEquals(client.refusal("blpop", "l", "-1"), "ERR timeout is negative");
  assertEquals(client.refusal("blpop", "l", ""), "ERR timeout is not a float or out of range");
  assertEquals(
    client.refusal("blpop", "s", "0"),
    "WRONGTYPE Operation against a key holding the wrong kind of value",
  );
  assertEquals(client.refusal("blmove", "a", "b", "up", "left", "0"), "ERR syntax error");
});

testCommands("a push serves who waits longest, and only as many as there are elements", async (makeClient) => {
  const [pusher, a, b, c] = makeClients(makeClient, 4);
  const waits = [await begin(a!, "blpop", "x", "l", "0"), await begin(b!, "brpop", "l", "0")];
  waits.push(await begin(c!, "blpop", "l", "0"));
  assertEquals(pusher!.shared.waiters.count, 3);
  assertEquals(pusher!.text("rpush", "l", "1", "2"), 2);
  assertEquals(await waits[0]!.reply, ["l", "1"]);
  assertEquals(await waits[1]!.reply, ["l", "2"]);
  assertEquals(pusher!.shared.waiters.count, 1);
  assertEquals(pusher!.text("lpush", "l", "3"), 1);
  assertEquals(await waits[2]!.reply, ["l", "3"]);
  assertEquals(pusher!.text("exists", "l"), 0);
  assertEquals(pusher!.shared.waiters.count, 0);
});

testCommands("blmove and brpoplpush move, and serve who waits for where they move to", async (makeClient) => {
  const [pusher, mover, popper] = makeClients(makeClient, 3);
  const moving = await begin(mover!, "blmove", "a", "b", "LEFT", "RIGHT", "0");
  const popping = await begin(popper!, "blpop", "b", "0");
  pusher!.call("rpush", "a", "1");
  assertEquals(await moving.reply, "1");
  assertEquals(await popping.reply, ["b", "1"]);
  pusher!.call("rpush", "a", "2", "3");
  assertEquals(pusher!.text("brpoplpush", "a", "b", "0"), "3");
  assertEquals(pusher!.text("lrange", "b", "0", "-1"), ["3"]);
});

testCommands("what is served to who waits counts as a change of both keys to who watches them", async (makeClient) => {
  for (const watched of ["a", "b"]) {
    const [watcher, mover, pusher] = makeClients(makeClient, 3);
    const moving = await begin(mover!, "blmove", "a", "b", "LEFT", "RIGHT", "0");
    watcher!.call("watch", watched);
    pusher!.call("rpush", "a", "1");
    await moving.reply;
    watcher!.call("multi");
    assertEquals(watcher!.text("exec"), null, watched);
  }
});

testCommands("a move to a key of another type is refused when it could be made", async (makeClient) => {
  const [pusher, mover] = makeClients(makeClient, 2);
  const moving = await begin(mover!, "blmove", "a", "s", "LEFT", "LEFT", "0");
  pusher!.call("set", "s", "text");
  pusher!.call("rpush", "a", "1");
  assertEquals(await moving.reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
  assertEquals(pusher!.text("lrange", "a", "0", "-1"), ["1"]);
});

testCommands("client unblock ends a wait", async (makeClient) => {
  const [other, a, b] = makeClients(makeClient, 3);
  const first = await begin(a!, "blpop", "l", "0");
  const second = await begin(b!, "blmove", "l", "m", "left", "left", "0");
  assertEquals(other!.text("client", "unblock", String(a!.client.id), "ERROR"), 1);
  assertEquals(await first.reply, "UNBLOCKED client unblocked via CLIENT UNBLOCK");
  assertEquals(other!.text("client", "unblock", String(b!.client.id)), 1);
  assertEquals(await second.reply, null);
  assertEquals(other!.text("client", "unblock", String(b!.client.id)), 0);
  assertEquals(
    other!.refusal("client", "unblock", "1", "never"),
    "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
  );
});

Deno.test("binaryText() tells any bytes apart, and binaryBytes() brings them back", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(binaryBytes(binaryText(bytes, 0, 256)), bytes);
  assertEquals(binaryText(bytes, 65, 3), "ABC");
});

Deno.test("Waiters.pushed() forgets a key that nobody waits for", () => {
  const waiters = new Waiters();
  waiters.hold();
  waiters.pushed(Uint8Array.of(65), 0, 1);
  let served = 0;
  const waiter = waiters.wait(["A", "A"], 0, {
    serve: () => ++served > 0 ? "yes" : "no",
    expire: () => {},
    refuse: () => {},
  });
  assertEquals(waiters.count, 1);
  waiters.release();
  assertEquals([served, waiters.count], [0, 1]);
  waiters.pushed(Uint8Array.of(65), 0, 1);
  assertEquals([served, waiters.count], [1, 0]);
  assertEquals(waiters.leave(waiter), false);
});
