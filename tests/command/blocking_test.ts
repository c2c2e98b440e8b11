import { assert, assertEquals } from "@std/assert";
import { Waiters } from "../../src/command/waiters.ts";
import { binaryBytes, binaryText } from "../../src/connection/binary_text.ts";
import { ReplyError } from "../../src/errors.ts";
import { BLOCKING_PUT_OFF_MAX_COUNT } from "../../src/limits.ts";
import { type MemoryClient, readable } from "../support/memory_client.ts";
import { type MakeClient, testCommands } from "../support/test_commands.ts";

/** Makes clients of one store. */
function makeClients(makeClient: MakeClient, count: number): MemoryClient[] {
  const first = makeClient();
  const { store, shared } = first;
  return [first, ...Array.from({ length: count - 1 }, () => makeClient({ store, shared }))];
}

/** Makes a client wait. `reply` resolves with its reply. */
async function begin(client: MemoryClient, ...request: string[]): Promise<{ readonly reply: Promise<unknown> }> {
  const reply = client.wait(...request).then((value) => {
    return value instanceof ReplyError ? `${value.code} ${value.message}` : readable(value);
  });
  await Promise.resolve();
  assert(client.client.waiter !== undefined, "it does not wait");
  return { reply };
}

testCommands(
  "blpop and brpop immediately take an element that exists, from the first key that has one",
  async (makeClient) => {
    const client = makeClient();
    client.call("rpush", "b", "1", "2", "3");
    assertEquals(client.text("blpop", "a", "b", "0"), ["b", "1"]);
    assertEquals(client.text("brpop", "b", "a", "1.5"), ["b", "3"]);
    assertEquals(client.text("blpop", "b", "0"), ["b", "2"]);
    assertEquals(client.text("exists", "b"), 0);
    assertEquals(await client.wait("blpop", "b", "0.01"), null);
    assertEquals(client.shared.waiters.count, 0);
  },
);

testCommands("blpop refuses wrong timeouts, counts and types", (makeClient) => {
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

testCommands("a push serves the clients that have waited longest, one per element", async (makeClient) => {
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

testCommands(
  "blmove and brpoplpush move elements, and serve clients that wait for the destination",
  async (makeClient) => {
    const [pusher, mover, popper] = makeClients(makeClient, 3);
    const moving = await begin(mover!, "blmove", "a", "b", "LEFT", "RIGHT", "0");
    const popping = await begin(popper!, "blpop", "b", "0");
    pusher!.call("rpush", "a", "1");
    assertEquals(await moving.reply, "1");
    assertEquals(await popping.reply, ["b", "1"]);
    pusher!.call("rpush", "a", "2", "3");
    assertEquals(pusher!.text("brpoplpush", "a", "b", "0"), "3");
    assertEquals(pusher!.text("lrange", "b", "0", "-1"), ["3"]);
  },
);

testCommands(
  "a change for a waiting client counts as a change of both keys for clients that watch them",
  async (makeClient) => {
    for (const watched of ["a", "b"]) {
      const [watcher, mover, pusher] = makeClients(makeClient, 3);
      const moving = await begin(mover!, "blmove", "a", "b", "LEFT", "RIGHT", "0");
      watcher!.call("watch", watched);
      pusher!.call("rpush", "a", "1");
      await moving.reply;
      watcher!.call("multi");
      assertEquals(watcher!.text("exec"), null, watched);
    }
  },
);

testCommands("a move to a key of another type is refused when an element arrives", async (makeClient) => {
  const [pusher, mover] = makeClients(makeClient, 2);
  const moving = await begin(mover!, "blmove", "a", "s", "LEFT", "LEFT", "0");
  pusher!.call("set", "s", "text");
  pusher!.call("rpush", "a", "1");
  assertEquals(await moving.reply, "WRONGTYPE Operation against a key holding the wrong kind of value");
  assertEquals(pusher!.text("lrange", "a", "0", "-1"), ["1"]);
});

testCommands(
  "a client keeps waiting while its key has another type or is absent",
  async (makeClient) => {
    const turnAway = [
      [["set", "l", "text"]],
      [["del", "l"], ["hset", "l", "f", "v"]],
      [["set", "s", "text"], ["rename", "s", "l"]],
      [["lpop", "l"]],
      [["pexpire", "l", "-1"]],
    ];
    for (const commands of turnAway) {
      for (
        const request of [["blpop", "l"], ["brpop", "l"], ["blmove", "l", "m", "left", "left"], [
          "brpoplpush",
          "l",
          "m",
        ]]
      ) {
        const [other, client] = makeClients(makeClient, 2);
        const waiting = await begin(client!, ...request, "0");
        other!.call("multi");
        other!.call("rpush", "l", "a");
        for (const command of commands) other!.call(...command);
        other!.call("exec");
        assertEquals(other!.shared.waiters.count, 1, `${request} after ${commands}`);
        other!.call("del", "l");
        other!.call("rpush", "l", "b");
        assertEquals(await waiting.reply, request[0]!.endsWith("pop") ? ["l", "b"] : "b");
        assertEquals(other!.shared.waiters.count, 0);
      }
    }
  },
);

testCommands("a client that waits for two keys gets the second when the first has another type", async (makeClient) => {
  const [other, client] = makeClients(makeClient, 2);
  const waiting = await begin(client!, "blpop", "q", "q2", "0");
  for (const line of ["multi", "rpush q a", "set q s", "rpush q2 b", "exec"]) other!.call(...line.split(" "));
  assertEquals(await waiting.reply, ["q2", "b"]);
  assertEquals(other!.text("get", "q"), "s");
});

testCommands("blpop parses its timeout like C", (makeClient) => {
  const client = makeClient();
  const times: Record<string, string | undefined> = {
    "9223372036854775": undefined,
    "9223372036854775.8": undefined,
    "9e15": undefined,
    "0x1": undefined,
    "0X1p-4": undefined,
    "-0": undefined,
    "-0.0001": undefined,
    "1e-400": undefined,
    "9223372036854776": "timeout is negative",
    "0x1p63": "timeout is negative",
    "1e4932": "timeout is negative",
    "inf": "timeout is negative",
    "-INFINITY": "timeout is negative",
    "-0x1": "timeout is negative",
    "1e5000": "timeout is not a float or out of range",
    "nan": "timeout is not a float or out of range",
    " 1": "timeout is not a float or out of range",
    "0x": "timeout is not a float or out of range",
    "1_0": "timeout is not a float or out of range",
    "1f": "timeout is not a float or out of range",
  };
  for (const [time, refusal] of Object.entries(times)) {
    if (refusal !== undefined) {
      assertEquals(client.refusal("blpop", "l", time), `ERR ${refusal}`, time);
    } else {
      client.call("rpush", "l", "x");
      assertEquals(client.text("blpop", "l", time), ["l", "x"], time);
    }
  }
});

testCommands("blpop waits for its timeout, in any notation", async (makeClient) => {
  const client = makeClient();
  for (const [time, ms] of [["0x.08", 31], ["0X1p-5", 31], ["3e-2", 30], ["+.03", 30], ["0.0301", 31]] as const) {
    const begunMs = performance.now();
    assertEquals(await client.wait("blpop", "l", time), null);
    const tookMs = performance.now() - begunMs;
    assert(tookMs > ms - 2, `${tookMs} ms for ${time}`);
  }
});

testCommands(
  "a client with unread requests is served in a later turn, and delays others only for a limited time",
  async (makeClient) => {
    const [pusher, busy, next] = makeClients(makeClient, 3);
    const { waiters } = pusher!.shared;
    const turns: (() => void)[] = [];
    waiters.later = (serve) => turns.push(serve);
    waiters.look = () => {};
    const first = await begin(busy!, "blpop", "l", "0");
    const second = await begin(next!, "blpop", "l", "0");
    busy!.unread = true;
    pusher!.call("rpush", "l", "1", "2");
    assertEquals([waiters.count, pusher!.text("llen", "l"), turns.length], [2, 2, 1]);
    turns.shift()!();
    assertEquals([waiters.count, turns.length], [2, 1]);
    busy!.unread = false;
    turns.shift()!();
    assertEquals([await first.reply, await second.reply, turns.length], [["l", "1"], ["l", "2"], 0]);
    // This client never stops sending.
    const third = await begin(busy!, "blpop", "l", "0");
    busy!.unread = true;
    pusher!.call("rpush", "l", "3");
    let count = 0;
    for (; waiters.count > 0; count++) turns.shift()!();
    assertEquals([await third.reply, count], [["l", "3"], BLOCKING_PUT_OFF_MAX_COUNT]);
  },
);

testCommands(
  "clients are not served immediately where the system cannot report who has disconnected",
  async (makeClient) => {
    const [pusher, client] = makeClients(makeClient, 2);
    const { waiters } = pusher!.shared;
    const turns: (() => void)[] = [];
    waiters.later = (serve) => turns.push(serve);
    const waiting = await begin(client!, "blpop", "l", "m", "0");
    for (const key of ["l", "m", "l"]) pusher!.call("rpush", key, "x");
    assertEquals([waiters.count, turns.length], [1, 1]);
    turns[0]!();
    assertEquals([await waiting.reply, pusher!.text("lrange", "l", "0", "-1")], [["l", "x"], ["x"]]);
    // A client that has stopped waiting gets nothing.
    const leaving = await begin(client!, "blpop", "n", "0");
    pusher!.call("rpush", "n", "x");
    client!.client.waiter!.expire();
    turns[1]!();
    assertEquals([await leaving.reply, pusher!.text("llen", "n")], [null, 1]);
  },
);

testCommands("clients that have disconnected leave before any client is served", async (makeClient) => {
  const [pusher, gone, staying] = makeClients(makeClient, 3);
  const { waiters } = pusher!.shared;
  const first = await begin(gone!, "blpop", "l", "0");
  const second = await begin(staying!, "brpop", "k", "l", "0");
  waiters.look = () => gone!.client.waiter?.refuse(new ReplyError("ERR", "gone"));
  pusher!.call("set", "other", "x");
  assertEquals(waiters.count, 2);
  pusher!.call("rpush", "l", "x");
  assertEquals([await first.reply, await second.reply], ["ERR gone", ["l", "x"]]);
  assertEquals(waiters.count, 0);
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

Deno.test("binaryText() gives different texts for different bytes, and binaryBytes() returns the bytes", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(binaryBytes(binaryText(bytes, 0, 256)), bytes);
  assertEquals(binaryText(bytes, 65, 3), "ABC");
});

Deno.test("Waiters.pushed() forgets a key that no client waits for", () => {
  const waiters = new Waiters();
  waiters.hold();
  waiters.pushed(Uint8Array.of(65), 0, 1);
  let served = 0;
  const waiter = waiters.wait(["A", "A"], 0, {
    serve: () => ++served > 0 ? "yes" : "no",
    expire: () => {},
    refuse: () => {},
    end: () => {},
  });
  assertEquals(waiters.count, 1);
  waiters.release();
  assertEquals([served, waiters.count], [0, 1]);
  waiters.pushed(Uint8Array.of(65), 0, 1);
  assertEquals([served, waiters.count], [1, 0]);
  assertEquals(waiters.leave(waiter), false);
});
