/**
 * Pools over connections that the test plays the server of: no socket, no clock but the test's own.
 *
 * A frame is one letter and a full stop here, since pools do not look into frames.
 */

import { assert, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import {
  BACKEND_QUEUE_MAX_BYTES,
  BACKEND_RETRY_MIN_MS,
  BACKEND_WRITE_BYTES,
  PIPELINE_BUSY_LOAD,
} from "../../src/limits.ts";
import { Lane } from "../../src/route/exchange.ts";
import type { Framing } from "../../src/route/framing.ts";
import { Pool, type PoolOptions } from "../../src/route/pool.ts";
import { Turn } from "../../src/route/turn.ts";
import { FakeExchange, FakeTransport, makeFraming, type Opening, settle } from "../support/fake_transport.ts";

/** Whether and how a silent server is asked whether it is there. */
type Probing = Pick<PoolOptions, "suspectAfterMs" | "probeTimeoutMs">;

/** A pool and everything around it. */
class Rig {
  readonly turn = new Turn();
  readonly clock = { nowMs: 0 };
  /** How exchanges were settled: `name=reply` or `name!sent`. */
  readonly log: string[] = [];
  readonly states: string[] = [];
  /** Connections being made, in order: the test settles them. */
  readonly opening: Opening[] = [];
  readonly pool: Pool;
  readonly framing: Framing = this.makeFraming();

  constructor(connectionsMaxCount = 1, probing: Probing = {}) {
    this.pool = new Pool("server:1", {
      connectionsMaxCount,
      timeoutMs: 1000,
      ...probing,
      turn: this.turn,
      clock: this.clock,
      report: (_address, state, reason) => this.states.push(reason === "" ? state : `${state}: ${reason}`),
    });
  }

  /** One more protocol. */
  makeFraming(): Framing {
    return makeFraming(this.opening);
  }

  /** Sends a read (lower case) or a write (upper case). */
  send(name: string, lane = new Lane(this.framing)): FakeExchange {
    const exchange = new FakeExchange(name, name === name.toLowerCase(), this.log);
    const frame = encodeText(`<${name}.>`);
    this.pool.send(lane, exchange, frame, 1, frame.length - 2);
    return exchange;
  }

  /** Lets the connection that is being made succeed. */
  async connect(transport = new FakeTransport()): Promise<FakeTransport> {
    this.opening.shift()!.resolve(transport);
    await settle();
    return transport;
  }

  async refuse(reason: string): Promise<void> {
    this.opening.shift()!.reject(new Error(reason));
    await settle();
  }

  /** Waits for the next try to connect. */
  async untilOpening(): Promise<void> {
    const deadlineMs = performance.now() + 5000;
    while (this.opening.length === 0) {
      assert(performance.now() < deadlineMs, "no try to connect within 5 s");
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

/** Runs a test on a pool, and closes it. */
function withRig(
  run: (rig: Rig) => Promise<void>,
  connectionsMaxCount = 1,
  probing: Probing = {},
): () => Promise<void> {
  return async () => {
    const rig = new Rig(connectionsMaxCount, probing);
    try {
      await run(rig);
    } finally {
      for (const opening of rig.opening) opening.reject(new Error("the test is over"));
      rig.pool.close();
      await settle();
    }
  };
}

Deno.test(
  "Pool connects on demand and writes what one turn has collected at once",
  withRig(async (rig) => {
    assertEquals(rig.opening.length, 0);
    rig.send("a");
    rig.send("B");
    assertEquals(rig.opening.length, 1);
    const transport = await rig.connect();
    rig.send("c");
    rig.send("d");
    assertEquals(transport.writes, ["a.B."]);
    await settle();
    assertEquals(transport.writes, ["a.B.", "c.d."]);
  }),
);

Deno.test(
  "Pool matches replies to requests by their order",
  withRig(async (rig) => {
    for (const name of "abcd") rig.send(name);
    const transport = await rig.connect();
    transport.push("1.2.3");
    await settle();
    assertEquals(rig.log, ["a=1.", "b=2."]);
    transport.push(".4.");
    await settle();
    assertEquals(rig.log, ["a=1.", "b=2.", "c=3.", "d=4."]);
    assertEquals(rig.pool.inFlight, 0);
  }),
);

Deno.test(
  "Pool never has two writes under way on one connection",
  withRig(async (rig) => {
    rig.send("a");
    const transport = new FakeTransport();
    transport.blocked = true;
    await rig.connect(transport);
    rig.send("b");
    await settle();
    rig.send("c");
    await settle();
    assertEquals(transport.writes, ["a."]);
    transport.unblock();
    await settle();
    assertEquals(transport.writes, ["a.", "b.c."]);
  }),
);

Deno.test(
  "Pool ends a connection that sends what nobody has asked for",
  withRig(async (rig) => {
    rig.send("a");
    const transport = await rig.connect();
    transport.push("1.2.");
    await settle();
    assertEquals(rig.log, ["a=1."]);
    assert(transport.closed);
  }),
);

Deno.test(
  "Pool repeats a read once when its connection is lost, and never a write that was sent",
  withRig(async (rig) => {
    rig.send("x");
    const first = await rig.connect();
    first.push("0.");
    await settle();
    for (const name of ["a", "B", "c"]) rig.send(name);
    await settle();
    first.lose();
    await settle();
    assertEquals(rig.log, ["x=0.", "B!sent"]);
    const second = await rig.connect();
    assertEquals(second.writes, ["a.c."]);
    second.push("1.");
    await settle();
    second.lose();
    await settle();
    assertEquals(rig.log, ["x=0.", "B!sent", "a=1.", "c!sent"]);
  }),
);

Deno.test(
  "Pool does not repeat a read that its client sent before a write which may have been run",
  withRig(async (rig) => {
    rig.send("x");
    const first = await rig.connect();
    first.push("0.");
    await settle();
    const lane = new Lane(rig.framing);
    const other = new Lane(rig.framing);
    for (const name of ["a", "B", "c"]) rig.send(name, lane);
    rig.send("d", other);
    await settle();
    first.lose();
    await settle();
    assertEquals(rig.log, ["x=0.", "a!sent", "B!sent"]);
    const second = await rig.connect();
    assertEquals(second.writes, ["c.d."]);
  }),
);

Deno.test(
  "Pool sends a write on another connection when no byte of it had left",
  withRig(async (rig) => {
    rig.send("x");
    const first = await rig.connect();
    first.push("0.");
    await settle();
    first.blocked = true;
    rig.send("A");
    await settle();
    rig.send("B");
    await settle();
    first.lose();
    await settle();
    assertEquals(rig.log, ["x=0.", "A!sent"]);
    const second = await rig.connect();
    assertEquals(second.writes, ["B."]);
  }),
);

Deno.test(
  "Pool keeps the order of what it repeats, and sends later requests behind it",
  withRig(async (rig) => {
    const lane = new Lane(rig.framing);
    rig.send("x", lane);
    const first = await rig.connect();
    first.push("0.");
    await settle();
    for (const name of "abc") rig.send(name, lane);
    await settle();
    first.lose("end");
    await settle();
    rig.send("d", lane);
    const second = await rig.connect();
    assertEquals(second.writes, ["a.b.c.d."]);
    assertEquals(lane.inFlight, 4);
  }),
);

Deno.test(
  "Pool ends a connection that misses a deadline, so that no late reply reaches another request",
  withRig(async (rig) => {
    rig.send("a");
    rig.send("B");
    const first = await rig.connect();
    rig.clock.nowMs = 900;
    rig.send("c");
    await settle();
    rig.pool.sweep();
    assertEquals(rig.log, []);
    rig.clock.nowMs = 1001;
    rig.pool.sweep();
    assertEquals(rig.log, ["a!sent", "B!sent", "c!sent"]);
    assert(first.closed);
    // The reply that nobody waits for any more.
    first.push("1.2.3.");
    await rig.untilOpening();
    const second = await rig.connect();
    rig.send("d");
    await settle();
    second.push("4.");
    await settle();
    assertEquals(rig.log.slice(3), ["d=4."]);
    assertEquals(rig.pool.timeouts, 1);
  }),
);

Deno.test(
  "Pool gives a request time while the server answers those before it",
  withRig(async (rig) => {
    for (const name of "abc") rig.send(name);
    const transport = await rig.connect();
    rig.clock.nowMs = 900;
    transport.push("1.");
    await settle();
    rig.clock.nowMs = 1800;
    // Half a reply is a sign of life too.
    transport.push("2");
    await settle();
    rig.clock.nowMs = 2800;
    rig.pool.sweep();
    assertEquals(rig.log, ["a=1."]);
    rig.clock.nowMs = 2801;
    rig.pool.sweep();
    assertEquals(rig.log, ["a=1.", "b!sent", "c!sent"]);
  }),
);

Deno.test(
  "Pool gives a long request time while its bytes leave, and none behind it while they do not",
  withRig(async (rig) => {
    const frame = encodeText("x".repeat(2 * BACKEND_WRITE_BYTES) + ".");
    rig.pool.send(new Lane(rig.framing), new FakeExchange("A", false, rig.log), frame, 0, frame.length);
    const transport = new FakeTransport();
    transport.blocked = true;
    await rig.connect(transport);
    for (const nowMs of [900, 1800]) {
      rig.clock.nowMs = nowMs;
      rig.pool.sweep();
      transport.unblock();
      transport.blocked = true;
      await settle();
    }
    assertEquals(transport.writes.map((text) => text.length), [BACKEND_WRITE_BYTES, BACKEND_WRITE_BYTES, 1]);
    rig.clock.nowMs = 2700;
    transport.unblock();
    await settle();
    // What leaves behind it is no sign of life: the system takes it, whatever the server does.
    rig.clock.nowMs = 3600;
    rig.send("b");
    await settle();
    assertEquals(transport.writes.at(-1), "b.");
    assertEquals(rig.log, []);
    rig.clock.nowMs = 3701;
    rig.pool.sweep();
    assertEquals(rig.log, ["A!sent", "b!sent"]);
  }),
);

Deno.test(
  "Pool fails requests at once while the server is down, and tries it by itself",
  withRig(async (rig) => {
    const waiting = rig.send("A");
    await rig.refuse("nobody listens there");
    assertEquals(rig.log, ["A!unsent"]);
    assertEquals(waiting.error!.message, 'server "server:1": nobody listens there');
    assertEquals(rig.pool.state, "down");
    rig.send("b");
    assertEquals(rig.log, ["A!unsent", "b!unsent"]);
    await rig.untilOpening();
    // A request does not wait for the trial.
    rig.send("c");
    assertEquals(rig.log.at(-1), "c!unsent");
    await rig.refuse("nobody listens there");
    await rig.untilOpening();
    const transport = await rig.connect();
    assertEquals(rig.pool.state, "up");
    rig.send("d");
    await settle();
    assertEquals(transport.writes, ["d."]);
    assertEquals(rig.states, ["down: nobody listens there", "up"]);
  }),
);

Deno.test(
  "Pool takes a connection that is lost before the first reply for a server that is down",
  withRig(async (rig) => {
    rig.send("a");
    const transport = await rig.connect();
    transport.lose("end");
    await settle();
    assertEquals(rig.log, ["a!sent"]);
    assertEquals(rig.states, ["down: it closed the connection"]);
  }),
);

Deno.test(
  "Pool opens another connection when all are busy, and uses the least loaded",
  withRig(async (rig) => {
    rig.send("a");
    const first = await rig.connect();
    assertEquals(rig.opening.length, 0);
    for (let i = 0; i < PIPELINE_BUSY_LOAD; i++) rig.send("b");
    assertEquals(rig.opening.length, 1);
    const second = await rig.connect();
    rig.send("c");
    await settle();
    assertEquals(second.writes, ["c."]);
    // Both are busy now, and two is all there may be.
    for (let i = 0; i < 3 * PIPELINE_BUSY_LOAD; i++) rig.send("d");
    assertEquals(rig.opening.length, 0);
    await settle();
    assert(Math.abs(first.writes.join("").length - second.writes.join("").length) <= 4);
  }, 2),
);

Deno.test(
  "Pool keeps a client on one connection while it has requests in flight",
  withRig(async (rig) => {
    const lane = new Lane(rig.framing);
    for (let i = 0; i <= PIPELINE_BUSY_LOAD; i++) rig.send("x");
    const first = await rig.connect();
    rig.send("y");
    rig.send("a", lane);
    const second = await rig.connect();
    rig.send("b", lane);
    await settle();
    assertEquals(second.writes, []);
    assert(first.writes.join("").endsWith("y.a.b."));
    first.push("1.".repeat(PIPELINE_BUSY_LOAD + 4));
    await settle();
    assertEquals(lane.inFlight, 0);
    rig.send("z");
    rig.send("c", lane);
    await settle();
    assert(first.writes.join("").endsWith("z."));
    assertEquals(second.writes, ["c."]);
  }, 2),
);

Deno.test(
  "Pool tells when a queue is full and when it is relieved",
  withRig(async (rig) => {
    const lane = new Lane(rig.framing);
    const frame = encodeText("x".repeat(BACKEND_QUEUE_MAX_BYTES / 2) + ".");
    const exchange = () => new FakeExchange("x", false, rig.log);
    assertEquals(rig.pool.send(lane, exchange(), frame, 0, frame.length), undefined);
    const congested = rig.pool.send(lane, exchange(), frame, 0, frame.length);
    assert(congested !== undefined);
    let relieved = 0;
    congested.whenRelieved(() => relieved++);
    const transport = await rig.connect();
    transport.push("1.");
    await settle();
    assertEquals(relieved, 0);
    transport.push("2.");
    await settle();
    assertEquals(relieved, 1);
    congested.whenRelieved(() => relieved++);
    assertEquals(relieved, 2);
  }),
);

Deno.test(
  "Pool relieves those that wait when the connection is lost",
  withRig(async (rig) => {
    const frame = encodeText("x".repeat(BACKEND_QUEUE_MAX_BYTES) + ".");
    const congested = rig.pool.send(
      new Lane(rig.framing),
      new FakeExchange("x", false, rig.log),
      frame,
      0,
      frame.length,
    );
    let relieved = 0;
    congested!.whenRelieved(() => relieved++);
    await rig.refuse("nobody listens there");
    assertEquals(relieved, 1);
  }),
);

Deno.test(
  "Pool retire() lets what is in flight finish, then closes",
  withRig(async (rig) => {
    rig.send("a");
    const transport = await rig.connect();
    rig.pool.retire();
    assert(!transport.closed);
    assertEquals(rig.pool.closed, false);
    transport.push("1.");
    await settle();
    assertEquals(rig.log, ["a=1."]);
    assert(transport.closed);
    assert(rig.pool.closed);
    const late = rig.send("b");
    assertEquals(rig.log.at(-1), "b!unsent");
    assert(late.error!.message.includes("removed"));
  }),
);

Deno.test(
  "Pool retire() closes idle connections at once, and one that is being made when it is made",
  withRig(async (rig) => {
    rig.send("a");
    rig.pool.retire();
    const transport = await rig.connect();
    assertEquals(transport.writes, ["a."]);
    transport.push("1.");
    await settle();
    assertEquals(rig.log, ["a=1."]);
    assert(transport.closed);
  }),
);

Deno.test(
  "Pool restore() goes on with the connection that has requests in flight, so that none overtakes them",
  withRig(async (rig) => {
    const lane = new Lane(rig.framing);
    rig.send("A", lane);
    const transport = await rig.connect();
    rig.pool.retire();
    rig.pool.restore();
    rig.send("b", lane);
    await settle();
    assertEquals(transport.writes, ["A.", "b."]);
    transport.push("1.2.");
    await settle();
    assertEquals(rig.log, ["A=1.", "b=2."]);
    assert(!transport.closed);
    assertEquals([rig.pool.state, rig.pool.closed], ["up", false]);
  }),
);

Deno.test(
  "Pool restore() connects anew when nothing is left, whatever was being tried before",
  withRig(async (rig) => {
    rig.send("a");
    await rig.refuse("nobody listens there");
    await rig.untilOpening();
    // The trial is under way when the server leaves the list and comes back.
    const trial = rig.opening.shift()!;
    rig.pool.retire();
    assert(rig.pool.closed);
    rig.pool.restore();
    rig.send("b");
    const abandoned = new FakeTransport();
    trial.resolve(abandoned);
    const transport = await rig.connect();
    assert(abandoned.closed);
    assertEquals(transport.writes, ["b."]);
  }),
);

Deno.test("Turn flushes each once a turn, those asked for meanwhile too", async () => {
  const turn = new Turn();
  const flushed: string[] = [];
  const second = { scheduled: false, flush: () => void flushed.push("second") };
  const first = {
    scheduled: false,
    flush: () => {
      flushed.push("first");
      turn.schedule(second);
    },
  };
  turn.schedule(first);
  turn.schedule(first);
  assertEquals(flushed, []);
  await settle();
  assertEquals(flushed, ["first", "second"]);
  turn.schedule(first);
  await settle();
  assertEquals(flushed.length, 4);
});

Deno.test(
  "Pool sends the requests of each framing on connections of their own",
  withRig(async (rig) => {
    const other = rig.makeFraming();
    const lanes = [new Lane(rig.framing), new Lane(other)];
    rig.send("a", lanes[0]);
    rig.send("b", lanes[1]);
    rig.send("c", lanes[0]);
    // One at least for each, whatever the limit.
    assertEquals(rig.opening.length, 2);
    const first = await rig.connect();
    const second = await rig.connect();
    assertEquals([first.writes, second.writes], [["a.c."], ["b."]]);
    second.push("2.");
    first.push("1.3.");
    await settle();
    assertEquals(rig.log, ["b=2.", "a=1.", "c=3."]);
    // What is repeated stays in its framing.
    rig.send("d", lanes[1]);
    await settle();
    second.lose();
    await settle();
    const third = await rig.connect();
    assertEquals([first.writes, third.writes], [["a.c."], ["d."]]);
    assertEquals(rig.pool.connections, 2);
  }),
);

Deno.test(
  "Pool counts the connections of all framings against its limit",
  withRig(async (rig) => {
    const other = rig.makeFraming();
    const lanes = [new Lane(rig.framing), new Lane(other)];
    const load = (lane: Lane) => {
      for (let i = 0; i <= PIPELINE_BUSY_LOAD; i++) rig.send("a", lane);
    };
    load(lanes[0]!);
    await rig.connect();
    load(lanes[1]!);
    await rig.connect();
    assertEquals(rig.opening.length, 0);
    // Another lane of a busy framing gets the third, and the fourth does not come.
    rig.send("a", new Lane(other));
    assertEquals(rig.opening.length, 1);
    await rig.connect();
    rig.send("a", new Lane(rig.framing));
    assertEquals(rig.opening.length, 0);
    assertEquals(rig.pool.connections, 3);
  }, 3),
);

Deno.test(
  "Pool does not try a framing for each request that the server refuses, while another works",
  withRig(async (rig) => {
    rig.send("a");
    const transport = await rig.connect();
    transport.push("1.");
    await settle();
    const other = rig.makeFraming();
    rig.send("b", new Lane(other));
    await rig.refuse("it does not speak that");
    const refused = rig.send("c", new Lane(other));
    assertEquals(rig.log.slice(1), ["b!unsent", "c!unsent"]);
    assertEquals(refused.error!.message, 'server "server:1": it does not speak that');
    rig.send("d");
    await settle();
    assertEquals(transport.writes, ["a.", "d."]);
    assertEquals([rig.pool.state, rig.opening.length], ["up", 0]);
    // It is tried again later.
    await new Promise((resolve) => setTimeout(resolve, BACKEND_RETRY_MIN_MS + 20));
    rig.send("e", new Lane(other));
    assertEquals(rig.opening.length, 1);
  }),
);

Deno.test(
  "Pool asks a server that is silent whether it is there, and lets requests wait on when it is",
  withRig(
    async (rig) => {
      rig.send("a");
      const transport = await rig.connect();
      rig.clock.nowMs = 300;
      rig.pool.sweep();
      assertEquals([rig.pool.state, rig.opening.length], ["up", 0]);
      rig.clock.nowMs = 301;
      rig.pool.sweep();
      rig.pool.sweep();
      assertEquals([rig.pool.state, rig.opening.length], ["suspect", 1]);
      const asked = await rig.connect();
      assert(asked.closed);
      assertEquals([asked.writes, rig.pool.state, rig.states, rig.log], [[], "up", [], []]);
      // It is asked again, but not at once.
      rig.clock.nowMs = 600;
      rig.pool.sweep();
      assertEquals(rig.opening.length, 0);
      rig.clock.nowMs = 601;
      rig.pool.sweep();
      assertEquals(rig.opening.length, 1);
      await rig.connect();
      transport.push("1.");
      await settle();
      assertEquals([rig.log, rig.pool.timeouts], [["a=1."], 0]);
      // Nobody waits, and silence is no reason to ask.
      rig.clock.nowMs = 5000;
      rig.pool.sweep();
      assertEquals(rig.opening.length, 0);
    },
    1,
    { suspectAfterMs: 300, probeTimeoutMs: 60_000 },
  ),
);

Deno.test(
  "Pool gives a server up that does not answer a probe: requests fail, and are not sent again",
  withRig(
    async (rig) => {
      rig.send("a");
      rig.send("B");
      const transport = await rig.connect();
      await settle();
      rig.clock.nowMs = 400;
      rig.pool.sweep();
      rig.send("c", new Lane(rig.framing));
      assertEquals(rig.pool.state, "suspect");
      while (rig.pool.state === "suspect") await settle();
      assertEquals(rig.log, ["a!sent", "B!sent", "c!sent"]);
      assertEquals(rig.states, ["down: it is silent: no answer within 20 ms"]);
      assert(transport.closed);
      assertEquals(rig.pool.timeouts, 1);
      const late = rig.send("d");
      assertEquals(late.error!.message, 'server "server:1": it is silent: no answer within 20 ms');
      // The probe was the first of the two; the second is the next try, which brings it back.
      rig.opening.shift();
      await rig.untilOpening();
      await rig.connect();
      assertEquals([rig.states.at(-1), rig.pool.state], ["up", "up"]);
    },
    1,
    { suspectAfterMs: 300, probeTimeoutMs: 20 },
  ),
);

Deno.test(
  "Pool gives up a server whose port somebody else answers on, or nobody",
  withRig(
    async (rig) => {
      rig.send("a");
      await rig.connect();
      rig.clock.nowMs = 400;
      rig.pool.sweep();
      await rig.refuse("connection refused");
      assertEquals(rig.states, ["down: it is silent: connection refused"]);
      assertEquals(rig.log, ["a!sent"]);
    },
    1,
    { suspectAfterMs: 300, probeTimeoutMs: 60_000 },
  ),
);

Deno.test(
  "Pool that is retired or closed asks no more, and takes no notice of what is answered",
  withRig(
    async (rig) => {
      rig.send("a");
      const transport = await rig.connect();
      rig.clock.nowMs = 400;
      rig.pool.sweep();
      const probe = rig.opening.shift()!;
      rig.pool.retire();
      assertEquals(rig.pool.state, "draining");
      probe.reject(new Error("refused"));
      await settle();
      assertEquals([rig.states, rig.log], [["draining"], []]);
      transport.push("1.");
      await settle();
      assertEquals(rig.log, ["a=1."]);
    },
    1,
    { suspectAfterMs: 300, probeTimeoutMs: 60_000 },
  ),
);
