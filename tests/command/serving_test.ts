/** Serving many waiting clients takes several turns, and still is atomic for other clients. */

import { assert, assertEquals } from "@std/assert";
import type { WaiterTurns } from "../../src/command/waiters.ts";
import { ReplyError } from "../../src/errors.ts";
import { Slices } from "../../src/role/slices.ts";
import { serveInTurns } from "../../src/server/waiting.ts";
import { type MemoryClient, readable } from "../support/memory_client.ts";
import { pause } from "../support/pause.ts";
import { type MakeClient, testCommands } from "../support/test_commands.ts";
import { until } from "../support/until.ts";

/** Turns of one step, which the test runs. */
class Turns implements WaiterTurns {
  readonly due: (() => void)[] = [];

  run(step: () => boolean): boolean {
    return step();
  }

  continueLater(serve: () => void): void {
    this.due.push(serve);
  }

  takeAll(): void {
    for (let serve = this.due.shift(); serve !== undefined; serve = this.due.shift()) serve();
  }
}

/** Clients of one store, whose waits are served in turns. */
class Scene {
  readonly clients: MemoryClient[];
  readonly turns = new Turns();
  /** The calls that were postponed to a later turn. */
  readonly later: (() => void)[] = [];

  constructor(makeClient: MakeClient, count: number) {
    const first = makeClient();
    const { store, shared } = first;
    this.clients = [first, ...Array.from({ length: count - 1 }, () => makeClient({ store, shared }))];
    shared.waiters.look = () => {};
    shared.waiters.later = (serve) => this.later.push(serve);
    shared.waiters.turns = this.turns;
  }

  /** Makes clients wait, in their order. */
  async wait(clients: readonly MemoryClient[], ...request: string[]): Promise<Promise<unknown>[]> {
    const replies = clients.map((client) => replyTo(client.wait(...request)));
    await Promise.resolve();
    for (const { client } of clients) assert(client.waiter !== undefined, "it does not wait");
    return replies;
  }
}

/** Returns the reply that a client gets in the end. */
async function replyTo(reply: ReturnType<MemoryClient["wait"]>): Promise<unknown> {
  const value = await reply;
  return value instanceof ReplyError ? `${value.code} ${value.message}` : readable(value);
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

testCommands(
  "a push to many waiting clients is atomic for other clients, although it serves them in turns",
  async (makeClient) => {
    const scene = new Scene(makeClient, 45);
    const [pusher, taker, eraser, other, bystander, ...crowd] = scene.clients;
    const { shared } = pusher!;
    const replies = await scene.wait(crowd, "blpop", "q", "0");
    const [unrelated] = await scene.wait([bystander!], "blpop", "k", "0");
    assertEquals(pusher!.text("rpush", "q", ...numbers(41)), 41);
    assert(shared.waiters.count > 20 && shared.waiters.count < 41, `${shared.waiters.count} still wait`);
    const taken = replyTo(taker!.wait("lpop", "q"));
    const length = replyTo(pusher!.wait("llen", "q"));
    // Other keys are free, and a client that waits for one is served immediately.
    assertEquals(other!.text("rpush", "k", "x"), 1);
    assertEquals(await unrelated, ["k", "x"]);
    const erased = replyTo(eraser!.wait("flush"));
    let order = "";
    for (const [name, reply] of Object.entries({ taken, erased, length })) void reply.then(() => order += `${name} `);
    scene.turns.due.shift()!();
    await Promise.resolve();
    assertEquals([order, shared.waiters.count > 0], ["", true]);
    scene.turns.takeAll();
    assertEquals(await Promise.all(replies), numbers(40).map((i) => ["q", i]));
    assertEquals([await taken, await length], ["40", 0]);
    await erased;
    assertEquals([shared.holds.count, scene.later.length], [0, 0]);
  },
);

testCommands(
  "a client that begins to wait while others are served gets the elements that are left",
  async (makeClient) => {
    const scene = new Scene(makeClient, 42);
    const [pusher, next, ...crowd] = scene.clients;
    const replies = await scene.wait(crowd, "brpop", "q", "0");
    pusher!.call("rpush", "q", ...numbers(41));
    const last = replyTo(next!.wait("blpop", "m", "q", "0"));
    scene.turns.takeAll();
    assertEquals(await Promise.all(replies), numbers(41).slice(1).reverse().map((i) => ["q", i]));
    assertEquals([await last, pusher!.text("exists", "q")], [["q", "0"], 0]);
  },
);

testCommands("clients that leave or are unblocked before their turn get nothing", async (makeClient) => {
  const scene = new Scene(makeClient, 42);
  const [pusher, other, ...crowd] = scene.clients;
  const replies = await scene.wait(crowd, "blpop", "q", "0");
  pusher!.call("rpush", "q", ...numbers(40));
  const gone = crowd[20]!;
  pusher!.shared.waiters.look = () => gone.client.waiter?.refuse(new ReplyError("ERR", "gone"));
  assertEquals(other!.text("client", "unblock", String(crowd[30]!.client.id)), 1);
  crowd[39]!.client.waiter!.expire();
  scene.turns.takeAll();
  const expected: unknown[] = numbers(37).map((i) => ["q", i]);
  expected.splice(20, 0, "ERR gone");
  expected.splice(30, 0, null);
  expected.push(null);
  assertEquals(await Promise.all(replies), expected);
  assertEquals(pusher!.text("lrange", "q", "0", "-1"), ["37", "38", "39"]);
  assertEquals([pusher!.shared.waiters.count, pusher!.shared.holds.count], [0, 0]);
});

testCommands(
  "waiting moves are served in turns, and so are clients that wait for the destinations",
  async (makeClient) => {
    const scene = new Scene(makeClient, 61);
    const [pusher, ...crowd] = scene.clients;
    const movers = await scene.wait(crowd.slice(0, 30), "blmove", "q", "to", "left", "right", "0");
    const takers = await scene.wait(crowd.slice(30), "blpop", "to", "0");
    pusher!.call("rpush", "q", ...numbers(30));
    scene.turns.takeAll();
    assertEquals(await Promise.all(movers), numbers(30));
    assertEquals(await Promise.all(takers), numbers(30).map((i) => ["to", i]));
    assertEquals([pusher!.store.size, pusher!.shared.holds.count], [0, 0]);
  },
);

testCommands("two keys that are served at the same time do not wait for each other forever", async (makeClient) => {
  const scene = new Scene(makeClient, 63);
  const [pusher, both, ...crowd] = scene.clients;
  const first = await scene.wait(crowd.slice(0, 20), "blpop", "q", "0");
  const second = await scene.wait(crowd.slice(20, 40), "blpop", "r", "0");
  const [shared] = await scene.wait([both!], "blpop", "q", "r", "0");
  const third = await scene.wait(crowd.slice(40, 50), "blpop", "q", "0");
  const fourth = await scene.wait(crowd.slice(50, 60), "blpop", "r", "0");
  pusher!.call("rpush", "q", ...numbers(31));
  pusher!.call("rpush", "r", ...numbers(31));
  assertEquals(pusher!.shared.holds.count, 2);
  for (let turns = 0; pusher!.shared.waiters.count > 0; turns++) {
    assert(turns < 100, "it goes on for ever");
    scene.turns.due.shift()?.();
    scene.later.shift()?.();
  }
  await Promise.all([...first, ...second, ...third, ...fourth]);
  const [key, element] = await shared as [string, string];
  // The list from which no element was taken still has one.
  const left = key === "q" ? "r" : "q";
  assertEquals([element, pusher!.text("llen", key), pusher!.text("lrange", left, "0", "-1")], ["20", 0, ["30"]]);
  scene.turns.takeAll();
  assertEquals(pusher!.shared.holds.count, 0);
});

testCommands(
  "a key is released when the next client has to be served in a later turn",
  async (makeClient) => {
    const scene = new Scene(makeClient, 41);
    const [pusher, ...crowd] = scene.clients;
    const replies = await scene.wait(crowd, "blpop", "q", "0");
    crowd[20]!.unread = true;
    pusher!.call("rpush", "q", ...numbers(40));
    assertEquals(pusher!.shared.holds.count, 1);
    scene.turns.takeAll();
    assertEquals([pusher!.shared.holds.count, scene.later.length, pusher!.text("llen", "q")], [0, 1, 20]);
    crowd[20]!.unread = false;
    scene.later.shift()!();
    scene.turns.takeAll();
    assertEquals(await Promise.all(replies), numbers(40).map((i) => ["q", i]));
  },
);

testCommands(
  "a push in steps serves waiting clients before other clients may take its elements",
  async (makeClient) => {
    const scene = new Scene(makeClient, 3);
    const [pusher, taker, waiter] = scene.clients;
    const replies = await scene.wait([waiter!], "blpop", "q", "0");
    pusher!.stepsASlice = 1;
    let taken: Promise<unknown> | undefined;
    pusher!.pausing = () => {
      taken ??= replyTo(taker!.wait("lpop", "q"));
    };
    assertEquals(await replyTo(pusher!.wait("rpush", "q", ...numbers(2_000))), 2_000);
    assertEquals(await Promise.all([...replies, taken]), [["q", "0"], "1"]);
  },
);

testCommands(
  "a key that expires while its waiting clients are served still exists for them",
  async (makeClient) => {
    const scene = new Scene(makeClient, 41);
    const [pusher, ...crowd] = scene.clients;
    const { store, shared } = pusher!;
    class ShortSlices extends Slices {
      override run(step: () => boolean): boolean {
        return step();
      }
    }
    serveInTurns(shared.waiters, { store, slices: new ShortSlices(), peerEnds: undefined, log: undefined });
    const replies = await scene.wait(crowd, "blpop", "q", "0");
    for (const line of ["multi", `rpush q ${numbers(40).join(" ")}`, "pexpire q 1", "exec"]) {
      pusher!.call(
        ...line.split(" "),
      );
    }
    assertEquals(shared.holds.count, 1);
    const { nowMs } = store;
    // Other clients' commands advance the clock.
    store.nowMs = nowMs + 1_000_000;
    assertEquals(await Promise.all(replies), numbers(40).map((i) => ["q", i]));
    // The key's timers have fired after this.
    await pause(2);
  },
);

testCommands("a client that was served does not wait any more, even before it is woken", async (makeClient) => {
  const scene = new Scene(makeClient, 3);
  const [pusher, other, client] = scene.clients;
  const { waiters } = pusher!.shared;
  const asleep: (() => void)[] = [];
  waiters.wake = (goOn) => asleep.push(goOn);
  const replies = await scene.wait([client!], "blpop", "q", "0");
  const { waiter } = client!.client;
  pusher!.call("rpush", "q", "x", "y");
  assertEquals([waiters.count, client!.client.waiter, asleep.length], [0, undefined, 1]);
  assertEquals(other!.text("client", "unblock", String(client!.client.id)), 0);
  waiter!.expire();
  waiter!.refuse(new ReplyError("ERR", "the server is stopping"));
  assertEquals(asleep.length, 1);
  asleep[0]!();
  assertEquals(await Promise.all(replies), [["q", "x"]]);
  assertEquals(pusher!.text("lrange", "q", "0", "-1"), ["y"]);
});

testCommands("many waits with the same deadline end in several turns, each once", async (makeClient) => {
  const scene = new Scene(makeClient, 41);
  const [pusher, ...crowd] = scene.clients;
  const { waiters } = pusher!.shared;
  const original = performance.now;
  const nowMs = original.call(performance);
  // All waits have the same deadline.
  performance.now = () => nowMs;
  let replies: Promise<unknown>[];
  try {
    replies = await scene.wait(crowd, "blpop", "q", "0.01");
  } finally {
    performance.now = original;
  }
  await until(() => waiters.count < 40, "the first waits end");
  assertEquals([waiters.count, scene.turns.due.length], [24, 1]);
  // Until their turn, these clients can still be served.
  pusher!.call("rpush", "q", "x");
  scene.turns.takeAll();
  const expected: unknown[] = crowd.map(() => null);
  expected[16] = ["q", "x"];
  assertEquals(await Promise.all(replies), expected);
  assertEquals([waiters.count, pusher!.text("exists", "q")], [0, 0]);
});

testCommands("a wait that was served has no timer any more", async (makeClient) => {
  const scene = new Scene(makeClient, 3);
  const [pusher, ...crowd] = scene.clients;
  // Otherwise the test would leave timers.
  const replies = await scene.wait(crowd, "blpop", "q", "1000");
  pusher!.call("rpush", "q", "x", "y");
  assertEquals(await Promise.all(replies), [["q", "x"], ["q", "y"]]);
});
