/**
 * Tests pools over connections whose server the test plays, without sockets and with the test's own clock.
 *
 * A frame is one letter and a full stop here, since pools do not look into frames.
 */

import { assert, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import {
  BACKEND_IDLE_MS,
  BACKEND_LAST_IDLE_MS,
  BACKEND_QUEUE_MAX_BYTES,
  BACKEND_RETRY_MIN_MS,
  BACKEND_WRITE_BYTES,
  BACKEND_WRITE_WAIT_MS,
  PIPELINE_BUSY_LOAD,
} from "../../src/limits.ts";
import { RequestStream } from "../../src/route/backend_request.ts";
import { FlushQueue } from "../../src/route/flush_queue.ts";
import type { Framing } from "../../src/route/framing.ts";
import { Pool, type PoolOptions } from "../../src/route/pool.ts";
import { FakeRequest, FakeTransport, makeFraming, type Opening, settle } from "../support/fake_transport.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

/** The options of probes and of checks. */
interface Probing extends Pick<PoolOptions, "suspectAfterMs" | "probeTimeoutMs" | "judge"> {
  readonly checkIntervalMs?: number;
}

/** A pool with its clock, connections and reports. */
class Rig {
  readonly flushQueue = new FlushQueue();
  readonly clock = { nowMs: 0 };
  /** How requests were settled: `name=reply` or `name!sent`. */
  readonly log: string[] = [];
  readonly states: string[] = [];
  /** The connections that are being made, in order. The test settles them. */
  readonly opening: Opening[] = [];
  readonly pool: Pool;
  readonly framing: Framing = this.makeFraming();

  constructor(connectionsMaxCount = 1, probing: Probing = {}) {
    const { checkIntervalMs: intervalMs, ...silence } = probing;
    const check = intervalMs === undefined ? {} : { check: { framing: this.framing, intervalMs } };
    this.pool = new Pool("server:1", {
      connectionsMaxCount,
      timeoutMs: 1000,
      ...silence,
      ...check,
      flushQueue: this.flushQueue,
      clock: this.clock,
      report: (_address, state, reason) => this.states.push(reason === "" ? state : `${state}: ${reason}`),
    });
  }

  /** Another protocol. */
  makeFraming(): Framing {
    return makeFraming(this.opening);
  }

  /** Sends a read (lower case) or a write (upper case). */
  send(name: string, stream = new RequestStream(this.framing)): FakeRequest {
    const request = new FakeRequest(name, name === name.toLowerCase(), this.log);
    const frame = encodeText(`<${name}.>`);
    this.pool.send(stream, request, frame, 1, frame.length - 2);
    return request;
  }

  /** Completes the connection that is being made. */
  async connect(transport = new FakeTransport()): Promise<FakeTransport> {
    this.opening.shift()!.resolve(transport);
    await settle();
    return transport;
  }

  /** Makes connections busy until there are this many, then sends all replies. */
  async burst(count: number): Promise<FakeTransport[]> {
    const transports: FakeTransport[] = [];
    while (transports.length < count) {
      while (this.opening.length === 0) this.send("x");
      transports.push(await this.connect());
    }
    await settle();
    for (const transport of transports) transport.push("0.".repeat(transport.writes.join("").length / 2));
    await settle();
    assertEquals([this.pool.inFlight, this.pool.connections], [0, count]);
    this.log.length = 0;
    return transports;
  }

  /** Advances the clock and sweeps. */
  sweepAt(nowMs: number): void {
    this.clock.nowMs = nowMs;
    this.pool.sweep();
  }

  async refuse(reason: string): Promise<void> {
    this.opening.shift()!.reject(new Error(reason));
    await settle();
  }

  /** Waits for the next attempt to connect. */
  async untilOpening(): Promise<void> {
    await until(() => this.opening.length > 0, "it tries to connect");
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
  "Pool connects on demand and writes the requests of one turn together",
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
  "Pool refuses a reply that there is no room for, discards the rest of it, and serves what comes after it",
  withRig(async (rig) => {
    for (const name of ["a", "b", "C", "d"]) rig.send(name);
    const transport = await rig.connect();
    transport.push("1.much");
    await settle();
    assertEquals(rig.log, ["a=1."]);
    transport.full = true;
    transport.push(" more");
    await settle();
    assertEquals(rig.log, ["a=1.", "b!sent"]);
    assertEquals(transport.start, transport.end, "nothing of it is kept");
    transport.push(" and more.3");
    await settle();
    assertEquals(rig.log, ["a=1.", "b!sent", "C!sent"]);
    transport.full = false;
    transport.push(".4.");
    await settle();
    assertEquals(rig.log, ["a=1.", "b!sent", "C!sent", "d=4."]);
    assertEquals([rig.pool.inFlight, rig.pool.state, rig.pool.connections], [0, "up", 1]);
  }),
);

Deno.test(
  "Pool never has two writes in progress on one connection",
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
  "Pool ends a connection that sends an unexpected reply",
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
  "Pool does not repeat a read that its client sent before a write which may have been executed",
  withRig(async (rig) => {
    rig.send("x");
    const first = await rig.connect();
    first.push("0.");
    await settle();
    const stream = new RequestStream(rig.framing);
    const other = new RequestStream(rig.framing);
    for (const name of ["a", "B", "c"]) rig.send(name, stream);
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
  "Pool sends a write on another connection when no byte of it was sent",
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
  "Pool keeps the order of repeated requests, and sends later ones after them",
  withRig(async (rig) => {
    const stream = new RequestStream(rig.framing);
    rig.send("x", stream);
    const first = await rig.connect();
    first.push("0.");
    await settle();
    for (const name of "abc") rig.send(name, stream);
    await settle();
    first.lose("end");
    await settle();
    rig.send("d", stream);
    const second = await rig.connect();
    assertEquals(second.writes, ["a.b.c.d."]);
    assertEquals(stream.inFlight, 4);
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
    // This is the reply to the request that has failed.
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
  "Pool extends a request's deadline while the server replies to those before it",
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
  "Pool extends the deadline of a long request while its bytes are sent, and that of no request after it",
  withRig(async (rig) => {
    const frame = encodeText("x".repeat(2 * BACKEND_WRITE_BYTES) + ".");
    rig.pool.send(new RequestStream(rig.framing), new FakeRequest("A", false, rig.log), frame, 0, frame.length);
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
    // Bytes sent after it are not a sign of life: the system accepts them, whether the server reads or not.
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
  "Pool fails requests immediately while the server is down, and tries it itself",
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
  "Pool treats a server as down when a connection is lost before the first reply",
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
    // Both are busy now, and two is the limit.
    for (let i = 0; i < 3 * PIPELINE_BUSY_LOAD; i++) rig.send("d");
    assertEquals(rig.opening.length, 0);
    await settle();
    assert(Math.abs(first.writes.join("").length - second.writes.join("").length) <= 4);
  }, 2),
);

Deno.test(
  "Pool keeps a client on one connection while it has requests in flight",
  withRig(async (rig) => {
    const stream = new RequestStream(rig.framing);
    for (let i = 0; i <= PIPELINE_BUSY_LOAD; i++) rig.send("x");
    const first = await rig.connect();
    rig.send("y");
    rig.send("a", stream);
    const second = await rig.connect();
    rig.send("b", stream);
    await settle();
    assertEquals(second.writes, []);
    assert(first.writes.join("").endsWith("y.a.b."));
    first.push("1.".repeat(PIPELINE_BUSY_LOAD + 4));
    await settle();
    assertEquals(stream.inFlight, 0);
    rig.send("z");
    rig.send("c", stream);
    await settle();
    assert(first.writes.join("").endsWith("z."));
    assertEquals(second.writes, ["c."]);
  }, 2),
);

Deno.test(
  "Pool reports when a queue is full and when it is relieved",
  withRig(async (rig) => {
    const stream = new RequestStream(rig.framing);
    const frame = encodeText("x".repeat(BACKEND_QUEUE_MAX_BYTES / 2) + ".");
    const request = () => new FakeRequest("x", false, rig.log);
    assertEquals(rig.pool.send(stream, request(), frame, 0, frame.length), undefined);
    const congested = rig.pool.send(stream, request(), frame, 0, frame.length);
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
  "Pool relieves waiting clients when the connection is lost",
  withRig(async (rig) => {
    const frame = encodeText("x".repeat(BACKEND_QUEUE_MAX_BYTES) + ".");
    const congested = rig.pool.send(
      new RequestStream(rig.framing),
      new FakeRequest("x", false, rig.log),
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
  "Pool retire() lets requests in flight finish, then closes",
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
  "Pool retire() closes idle connections immediately, and one that is being made when it is made",
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
  "Pool restore() continues on the connection that has requests in flight, so that none overtakes them",
  withRig(async (rig) => {
    const stream = new RequestStream(rig.framing);
    rig.send("A", stream);
    const transport = await rig.connect();
    rig.pool.retire();
    rig.pool.restore();
    rig.send("b", stream);
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
  "Pool restore() connects again when no connection is left, after any earlier attempt",
  withRig(async (rig) => {
    rig.send("a");
    await rig.refuse("nobody listens there");
    await rig.untilOpening();
    // The trial is in progress when the server leaves the list and comes back.
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

const CHECKED = { checkIntervalMs: 100, suspectAfterMs: 200, probeTimeoutMs: 50 };

Deno.test(
  "Pool checks an idle server, and does not check one that replies to others",
  withRig(
    async (rig) => {
      rig.sweepAt(0);
      const transport = await rig.connect();
      await settle();
      assertEquals(transport.writes, ["?."]);
      rig.sweepAt(150);
      assertEquals(transport.writes, ["?."]);
      transport.push("1.");
      await settle();
      rig.sweepAt(200);
      await settle();
      assertEquals(transport.writes, ["?."]);
      rig.sweepAt(260);
      await settle();
      assertEquals(transport.writes, ["?.", "?."]);
      transport.push("1.");
      await settle();
      rig.send("a");
      await settle();
      rig.clock.nowMs = 380;
      transport.push("2.");
      await settle();
      rig.sweepAt(400);
      await settle();
      assertEquals(transport.writes, ["?.", "?.", "a."]);
      assertEquals(rig.log, ["a=2."]);
      // Only the requests of clients are counted.
      assertEquals([rig.pool.requests, rig.pool.failures, rig.pool.inFlight], [1, 0, 0]);
    },
    1,
    CHECKED,
  ),
);

Deno.test(
  "Pool finds that an idle server is down: gone, never there, or stopped",
  withRig(
    async (rig) => {
      rig.sweepAt(0);
      await rig.refuse("nobody listens there");
      assertEquals(rig.states, ["down: nobody listens there"]);
      await rig.untilOpening();
      const first = await rig.connect();
      assertEquals(rig.states.at(-1), "up");
      // The connection is lost, and no other can be made.
      first.lose();
      await settle();
      rig.sweepAt(300);
      await rig.refuse("nobody listens there");
      assertEquals(rig.states.at(-1), "down: nobody listens there");
      await rig.untilOpening();
      const second = await rig.connect();
      rig.sweepAt(500);
      await settle();
      assertEquals(second.writes, ["?."]);
      rig.sweepAt(750);
      assertEquals(rig.pool.state, "suspect");
      rig.sweepAt(801);
      await settle();
      assertEquals(rig.states.at(-1), "down: it is silent: no answer within 50 ms");
      assertEquals([rig.pool.requests, rig.pool.failures], [0, 0]);
    },
    1,
    CHECKED,
  ),
);

Deno.test(
  "Pool reports why a server stays down, once another reason has occurred twice",
  withRig(async (rig) => {
    rig.send("a");
    await rig.refuse("nobody listens there");
    const expected = ["down: nobody listens there"];
    for (const reason of ["wrong password", "nobody listens there", "wrong password", "wrong password"]) {
      assertEquals(rig.states, expected);
      await rig.untilOpening();
      await rig.refuse(reason);
    }
    expected.push("down: wrong password");
    assertEquals(rig.states, expected);
    await rig.untilOpening();
    await rig.refuse("wrong password");
    assertEquals([rig.states, rig.pool.problem], [expected, "wrong password"]);
    await rig.untilOpening();
    await rig.connect();
    assertEquals(rig.states, [...expected, "up"]);
  }),
);

Deno.test("FlushQueue flushes each object once a turn, including those scheduled meanwhile", async () => {
  const flushQueue = new FlushQueue();
  const flushed: string[] = [];
  const second = { scheduled: false, flush: () => void flushed.push("second") };
  const first = {
    scheduled: false,
    flush: () => {
      flushed.push("first");
      flushQueue.schedule(second);
    },
  };
  flushQueue.schedule(first);
  flushQueue.schedule(first);
  assertEquals(flushed, []);
  await settle();
  assertEquals(flushed, ["first", "second"]);
  flushQueue.schedule(first);
  await settle();
  assertEquals(flushed.length, 4);
});

Deno.test(
  "Pool sends the requests of each framing on separate connections",
  withRig(async (rig) => {
    const other = rig.makeFraming();
    const streams = [new RequestStream(rig.framing), new RequestStream(other)];
    rig.send("a", streams[0]);
    rig.send("b", streams[1]);
    rig.send("c", streams[0]);
    // Each framing has at least one connection, beyond the limit if necessary.
    assertEquals(rig.opening.length, 2);
    const first = await rig.connect();
    const second = await rig.connect();
    assertEquals([first.writes, second.writes], [["a.c."], ["b."]]);
    second.push("2.");
    first.push("1.3.");
    await settle();
    assertEquals(rig.log, ["b=2.", "a=1.", "c=3."]);
    // A repeated request stays in its framing.
    rig.send("d", streams[1]);
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
    const streams = [new RequestStream(rig.framing), new RequestStream(other)];
    const load = (stream: RequestStream) => {
      for (let i = 0; i <= PIPELINE_BUSY_LOAD; i++) rig.send("a", stream);
    };
    load(streams[0]!);
    await rig.connect();
    load(streams[1]!);
    await rig.connect();
    assertEquals(rig.opening.length, 0);
    // Another stream of a busy framing gets the third connection, and there is no fourth.
    rig.send("a", new RequestStream(other));
    assertEquals(rig.opening.length, 1);
    await rig.connect();
    rig.send("a", new RequestStream(rig.framing));
    assertEquals(rig.opening.length, 0);
    assertEquals(rig.pool.connections, 3);
  }, 3),
);

Deno.test(
  "Pool does not try a framing that the server refuses for each request, while another works",
  withRig(async (rig) => {
    rig.send("a");
    const transport = await rig.connect();
    transport.push("1.");
    await settle();
    const other = rig.makeFraming();
    rig.send("b", new RequestStream(other));
    await rig.refuse("it does not speak that");
    const refused = rig.send("c", new RequestStream(other));
    assertEquals(rig.log.slice(1), ["b!unsent", "c!unsent"]);
    assertEquals(refused.error!.message, 'server "server:1": it does not speak that');
    rig.send("d");
    await settle();
    assertEquals(transport.writes, ["a.", "d."]);
    assertEquals([rig.pool.state, rig.opening.length], ["up", 0]);
    // It is tried again later.
    await pause(BACKEND_RETRY_MIN_MS + 20);
    rig.send("e", new RequestStream(other));
    assertEquals(rig.opening.length, 1);
  }),
);

Deno.test(
  "Pool probes a silent server, and lets requests wait when it replies",
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
      // It is probed again, but not immediately.
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
      // No request waits, so silence is not a reason to probe.
      rig.clock.nowMs = 5000;
      rig.pool.sweep();
      assertEquals(rig.opening.length, 0);
    },
    1,
    { suspectAfterMs: 300, probeTimeoutMs: 60_000 },
  ),
);

Deno.test(
  "Pool treats a server as down that does not reply to a probe: requests fail, and are not sent again",
  withRig(
    async (rig) => {
      rig.send("a");
      rig.send("B");
      const transport = await rig.connect();
      await settle();
      rig.clock.nowMs = 400;
      rig.pool.sweep();
      rig.send("c", new RequestStream(rig.framing));
      rig.sweepAt(420);
      assertEquals(rig.pool.state, "suspect");
      rig.sweepAt(421);
      await settle();
      assertEquals(rig.log, ["a!sent", "B!sent", "c!sent"]);
      assertEquals(rig.states, ["down: it is silent: no answer within 20 ms"]);
      assert(transport.closed);
      assertEquals(rig.pool.timeouts, 1);
      const late = rig.send("d");
      assertEquals(late.error!.message, 'server "server:1": it is silent: no answer within 20 ms');
      // The probe was the first of the two; the second is the next attempt, which succeeds.
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
  "Pool treats a server as down whose port is closed, or belongs to another program",
  withRig(
    async (rig) => {
      rig.send("a");
      await rig.connect();
      rig.clock.nowMs = 400;
      rig.pool.sweep();
      await rig.refuse("connection refused");
      assertEquals(rig.states, ["down: it is silent: connection refused"]);
      assertEquals([rig.log, rig.pool.isGone], [["a!sent"], true]);
    },
    1,
    { suspectAfterMs: 300, probeTimeoutMs: 60_000 },
  ),
);

const SILENCE = { suspectAfterMs: 300, probeTimeoutMs: 100 };

Deno.test(
  "Pool sends no request after one that takes long, and uses its connection again after the reply",
  withRig(
    async (rig) => {
      const [stream, other] = [new RequestStream(rig.framing), new RequestStream(rig.framing)];
      rig.send("a", stream);
      const first = await rig.connect();
      rig.sweepAt(301);
      // Other requests use the connection of the probe.
      const second = await rig.connect();
      rig.send("b", other);
      // The same client's requests stay in order.
      rig.send("c", stream);
      await settle();
      assertEquals([first.writes, second.writes], [["a.", "c."], ["b."]]);
      // One is enough.
      second.push("4.");
      await settle();
      rig.sweepAt(301 + SILENCE.suspectAfterMs);
      assert((await rig.connect()).closed);
      assertEquals([rig.pool.connections, second.closed], [2, false]);
      first.push("1.2.");
      await settle();
      rig.sweepAt(650);
      rig.send("d");
      await settle();
      assertEquals(first.writes.at(-1), "d.");
      assertEquals([rig.log, rig.states], [["b=4.", "a=1.", "c=2."], []]);
    },
    3,
    SILENCE,
  ),
);

Deno.test(
  "Pool does not report a silent server as gone until its port is closed",
  withRig(
    async (rig) => {
      rig.send("a");
      await rig.connect();
      rig.sweepAt(301);
      rig.sweepAt(402);
      await settle();
      assertEquals(rig.states, ["down: it is silent: no answer within 100 ms"]);
      assertEquals(rig.pool.isGone, false);
      // The probe was the first; the second is an attempt to connect, which takes too long as well.
      rig.opening.shift();
      for (const [reason, isGone] of [["no answer", false], ["refused", true], ["no answer", true]] as const) {
        await rig.untilOpening();
        await rig.refuse(reason);
        assertEquals([rig.pool.state, rig.pool.isGone], ["down", isGone], reason);
      }
      await rig.untilOpening();
      await rig.connect();
      assertEquals([rig.pool.state, rig.pool.isGone], ["up", false]);
    },
    1,
    { ...SILENCE, judge: (error) => (error as Error).message === "refused" ? "gone" : "unknown" },
  ),
);

Deno.test(
  "Pool keeps a server when it could not probe it, or was refused another connection",
  withRig(
    async (rig) => {
      rig.send("a");
      const transport = await rig.connect();
      for (const [nowMs, reason] of [[301, "too many open files"], [601, "too many clients"]] as const) {
        rig.sweepAt(nowMs);
        assertEquals(rig.pool.state, "suspect");
        await rig.refuse(reason);
        assertEquals([rig.pool.state, rig.states, rig.log], ["up", [], []]);
      }
      transport.push("1.");
      await settle();
      assertEquals(rig.log, ["a=1."]);
    },
    1,
    { ...SILENCE, judge: (error) => (error as Error).message === "too many clients" ? "alive" : "unknown" },
  ),
);

Deno.test(
  "Pool counts a server's silence by its own clock, which does not advance while the process is delayed",
  withRig(
    async (rig) => {
      rig.send("a");
      await rig.connect();
      rig.sweepAt(301);
      await pause(3 * SILENCE.probeTimeoutMs);
      rig.sweepAt(401);
      await settle();
      assertEquals([rig.pool.state, rig.opening.length], ["suspect", 1]);
      await rig.connect();
      assertEquals([rig.pool.state, rig.states], ["up", []]);
    },
    1,
    SILENCE,
  ),
);

Deno.test(
  "Pool counts a server's silence from its last sign of life on any connection",
  withRig(
    async (rig) => {
      const [first, second] = await rig.burst(2) as [FakeTransport, FakeTransport];
      const [stream, other] = [new RequestStream(rig.framing), new RequestStream(rig.framing)];
      rig.send("a", stream);
      rig.send("b", other);
      await settle();
      assertEquals([first.writes.at(-1), second.writes.at(-1)], ["a.", "b."]);
      // While bytes arrive on one connection, the other one is not a reason to probe.
      rig.clock.nowMs = 250;
      second.push("2");
      await settle();
      rig.sweepAt(301);
      assertEquals(rig.pool.state, "up");
      rig.sweepAt(551);
      assertEquals(rig.pool.state, "suspect");
      rig.clock.nowMs = 640;
      second.push("2");
      await settle();
      for (const nowMs of [652, 740]) {
        rig.sweepAt(nowMs);
        await settle();
        assertEquals(rig.pool.state, "suspect");
      }
      rig.sweepAt(741);
      await settle();
      assertEquals(rig.states, ["down: it is silent: no answer within 100 ms"]);
    },
    2,
    SILENCE,
  ),
);

Deno.test(
  "Pool treats accepted bytes as a sign of life if they had to wait, and not if they were accepted immediately",
  withRig(
    async (rig) => {
      const [first, second] = await rig.burst(2) as [FakeTransport, FakeTransport];
      const stream = new RequestStream(rig.framing);
      rig.send("a");
      await settle();
      const frame = encodeText("x".repeat(2 * BACKEND_WRITE_BYTES) + ".");
      second.blocked = true;
      const begunMs = performance.now();
      rig.pool.send(stream, new FakeRequest("B", false, rig.log), frame, 0, frame.length);
      await settle();
      assertEquals([first.writes.at(-1), second.writes.at(-1)!.length], ["a.", BACKEND_WRITE_BYTES]);
      rig.sweepAt(301);
      assertEquals(rig.pool.state, "suspect");
      await pause(BACKEND_WRITE_WAIT_MS + 5);
      rig.clock.nowMs = 390;
      // The second piece is accepted after it had to wait, and the others immediately.
      second.unblock();
      await settle();
      assertEquals(second.writes.slice(-3).map((text) => text.length), [BACKEND_WRITE_BYTES, BACKEND_WRITE_BYTES, 1]);
      rig.sweepAt(490);
      await settle();
      assertEquals(rig.pool.state, "suspect");
      // The next piece may take as long as that one has waited, and half as long again for the transit.
      const silentMs = 390 + (performance.now() - begunMs);
      rig.clock.nowMs = silentMs + 90;
      rig.pool.send(stream, new FakeRequest("C", false, rig.log), frame, 0, frame.length);
      await settle();
      rig.sweepAt(silentMs + 101);
      await settle();
      assertEquals(rig.states, ["down: it is silent: no answer within 100 ms"]);
    },
    2,
    SILENCE,
  ),
);

Deno.test(
  "Pool gives the rest of a long request as much time to arrive as it takes at the pace of the part before",
  withRig(async (rig) => {
    const frame = encodeText("x".repeat(2 * BACKEND_WRITE_BYTES - 1) + ".");
    rig.pool.send(new RequestStream(rig.framing), new FakeRequest("A", false, rig.log), frame, 0, frame.length);
    const transport = new FakeTransport();
    transport.blocked = true;
    await rig.connect(transport);
    const waitMs = 10 * BACKEND_WRITE_WAIT_MS;
    await pause(waitMs);
    transport.unblock();
    await settle();
    // Half of it may be in transit, and the half before it took this long.
    rig.sweepAt(1000 + waitMs / 2);
    assertEquals(rig.log, []);
    rig.sweepAt(60_000);
    assertEquals(rig.log, ["A!sent"]);
  }),
);

Deno.test(
  "Pool does not treat a server as down that replies to probes when one of its requests takes too long",
  withRig(
    async (rig) => {
      rig.send("a");
      const transport = await rig.connect();
      for (const nowMs of [301, 602, 903]) {
        rig.sweepAt(nowMs);
        await rig.connect();
      }
      rig.sweepAt(1001);
      assertEquals([rig.log, rig.states, rig.pool.state], [["a!sent"], [], "up"]);
      assert(transport.closed);
      // No request has to wait until it is tried again.
      rig.send("b");
      const next = await rig.connect();
      next.push("2.");
      await settle();
      assertEquals([rig.log, rig.pool.timeouts], [["a!sent", "b=2."], 1]);
    },
    1,
    SILENCE,
  ),
);

Deno.test(
  "Pool that is retired or closed stops probing, and ignores late results",
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

Deno.test(
  "Pool ends a connection on which half of an unexpected reply arrives",
  withRig(async (rig) => {
    rig.send("a");
    const transport = await rig.connect();
    transport.push("1.2");
    await settle();
    assertEquals(rig.log, ["a=1."]);
    assert(transport.closed);
    // Its other half is not a reply to this request.
    transport.push(".");
    rig.send("b");
    await rig.untilOpening();
    const next = await rig.connect();
    next.push("3.");
    await settle();
    assertEquals(rig.log, ["a=1.", "b=3."]);
  }),
);

Deno.test(
  "Pool closes the idle connections of a burst, and the last one later",
  withRig(async (rig) => {
    const transports = await rig.burst(3);
    const closed = () => transports.map((transport) => transport.closed);
    rig.sweepAt(BACKEND_IDLE_MS);
    assertEquals(closed(), [false, false, false]);
    rig.sweepAt(BACKEND_IDLE_MS + 1);
    assertEquals(closed(), [false, true, true]);
    // Requests stay on their connections.
    rig.send("a");
    await settle();
    assertEquals([transports[0]!.writes.at(-1), rig.opening.length], ["a.", 0]);
    transports[0]!.push("1.");
    await settle();
    rig.sweepAt(BACKEND_IDLE_MS + 1 + BACKEND_LAST_IDLE_MS);
    assertEquals(closed(), [false, true, true]);
    rig.sweepAt(BACKEND_IDLE_MS + 2 + BACKEND_LAST_IDLE_MS);
    assertEquals(closed(), [true, true, true]);
    // That does not count as a failure, and the next request opens another one.
    const { state, failures, timeouts, connections } = rig.pool;
    assertEquals([state, failures, timeouts, connections, rig.states], ["up", 0, 0, 0, []]);
    rig.send("b");
    const next = await rig.connect();
    next.push("2.");
    await settle();
    assertEquals(rig.log, ["a=1.", "b=2."]);
  }, 3),
);

Deno.test(
  "Pool closes no connection that has a request in flight, or had one recently",
  withRig(async (rig) => {
    const stream = new RequestStream(rig.framing);
    const [first, second] = await rig.burst(2) as [FakeTransport, FakeTransport];
    rig.send("a");
    rig.send("b", stream);
    await settle();
    assertEquals([first.writes.at(-1), second.writes.at(-1)], ["a.", "b."]);
    first.push("1.");
    rig.clock.nowMs = 500;
    await settle();
    // Only the second one waits for its server. The first is surplus now, although it was opened first.
    for (const nowMs of [900, 1400]) {
      rig.sweepAt(nowMs);
      second.push("2");
      await settle();
    }
    second.push(".");
    rig.clock.nowMs = BACKEND_IDLE_MS;
    await settle();
    rig.sweepAt(BACKEND_IDLE_MS + 501);
    assertEquals([first.closed, second.closed], [true, false]);
    assertEquals(rig.log, ["a=1.", "b=22."]);
  }, 2),
);

Deno.test(
  "Pool loses no request of the turn in which an idle connection is closed",
  withRig(async (rig) => {
    const stream = new RequestStream(rig.framing);
    rig.send("X", stream);
    const transport = await rig.connect();
    transport.push("0.");
    await settle();
    // The request comes before, so that the connection is not idle.
    rig.clock.nowMs = BACKEND_LAST_IDLE_MS + 1;
    rig.send("A", stream);
    rig.pool.sweep();
    assert(!transport.closed);
    await settle();
    transport.push("1.");
    await settle();
    // The request comes after, so that it uses another connection.
    rig.sweepAt(3 * BACKEND_LAST_IDLE_MS);
    rig.send("B", stream);
    rig.send("C", stream);
    assert(transport.closed);
    const next = await rig.connect();
    assertEquals([transport.writes, next.writes], [["X.", "A."], ["B.C."]]);
    next.push("2.3.");
    await settle();
    assertEquals(rig.log, ["X=0.", "A=1.", "B=2.", "C=3."]);
  }),
);

Deno.test(
  "Pool keeps a connection of each framing, and closes one that was opened and never used",
  withRig(async (rig) => {
    const other = rig.makeFraming();
    rig.send("a", new RequestStream(other));
    const transports = [await rig.connect()];
    rig.send("b");
    transports.push(await rig.connect());
    for (let i = 0; i < PIPELINE_BUSY_LOAD; i++) rig.send("b");
    await settle();
    transports[0]!.push("1.");
    transports[1]!.push("2.".repeat(PIPELINE_BUSY_LOAD + 1));
    // The request for which a third one is opened has its reply before it is there.
    await settle();
    transports.push(await rig.connect());
    assertEquals([rig.pool.inFlight, rig.pool.connections], [0, 3]);
    rig.sweepAt(BACKEND_IDLE_MS + 1);
    assertEquals(transports.map(({ closed }) => closed), [false, false, true]);
    assertEquals([rig.pool.state, rig.states, transports[2]!.writes], ["up", [], []]);
    // Nor does that prevent others from being opened.
    for (let i = 0; i <= PIPELINE_BUSY_LOAD; i++) rig.send("c");
    assertEquals(rig.opening.length, 1);
  }, 3),
);

Deno.test(
  "Pool is not down, and fails nothing, when its server closes idle connections",
  withRig(async (rig) => {
    const stream = new RequestStream(rig.framing);
    for (let round = 0; round < 3; round++) {
      rig.send("A", stream);
      const transport = await rig.connect();
      transport.push("1.");
      await settle();
      transport.lose(round === 1 ? new Error("reset") : "end");
      await settle();
      assertEquals([rig.pool.connections, rig.pool.state, rig.opening.length], [0, "up", 0]);
    }
    // The same holds for one that was tried, replied, and was not used.
    rig.send("B", stream);
    await rig.refuse("nobody listens there");
    await rig.untilOpening();
    const trial = await rig.connect();
    trial.lose("end");
    await settle();
    assertEquals([rig.pool.state, rig.opening.length], ["up", 0]);
    rig.send("C", stream);
    const transport = await rig.connect();
    transport.push("2.");
    await settle();
    assertEquals(rig.log, ["A=1.", "A=1.", "A=1.", "B!unsent", "C=2."]);
    assertEquals([rig.pool.failures, rig.states], [1, ["down: nobody listens there", "up"]]);
  }),
);

Deno.test(
  "Pool sends an unsent write elsewhere when its server closes the idle connection",
  withRig(async (rig) => {
    rig.send("X");
    await rig.refuse("nobody listens there");
    await rig.untilOpening();
    // No request was sent on this connection, and its end arrives in the turn of the first one.
    const first = new FakeTransport();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    first.fill = () => promise;
    await rig.connect(first);
    resolve(false);
    rig.send("A");
    await settle();
    assertEquals(first.writes, []);
    const second = await rig.connect();
    second.push("1.");
    await settle();
    assertEquals([second.writes, rig.log, rig.pool.state], [["A."], ["X!unsent", "A=1."], "up"]);
  }),
);

Deno.test(
  "Pool that is down is tried in the framing of the last request, since its server may refuse another",
  withRig(async (rig) => {
    const other = rig.makeFraming();
    rig.send("a", new RequestStream(other));
    await rig.refuse("it does not speak that");
    rig.send("b");
    assertEquals(rig.log, ["a!unsent", "b!unsent"]);
    await rig.untilOpening();
    await rig.connect();
    rig.send("c");
    assertEquals([rig.pool.state, rig.opening.length], ["up", 0]);
  }),
);
