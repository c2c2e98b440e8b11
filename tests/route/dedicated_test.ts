/** Tests lent connections, over connections whose server the test plays. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { ConnectionError } from "../../src/errors.ts";
import { DEDICATED_CONNECTIONS_MAX_COUNT, DEDICATED_IDLE_MAX_COUNT, DEDICATED_IDLE_MAX_MS } from "../../src/limits.ts";
import { RequestStream } from "../../src/route/backend_request.ts";
import type { DedicatedStream } from "../../src/route/dedicated.ts";
import { FlushQueue } from "../../src/route/flush_queue.ts";
import type { Framing } from "../../src/route/framing.ts";
import { Pool } from "../../src/route/pool.ts";
import { FakeRequest, FakeTransport, makeFraming, type Opening, settle } from "../support/fake_transport.ts";

/** A pool, and what is sent on its lent connections. */
class Rig {
  readonly clock = { nowMs: 0 };
  readonly log: string[] = [];
  readonly opening: Opening[] = [];
  readonly framing: Framing = makeFraming(this.opening);
  readonly pool = new Pool("server:1", {
    connectionsMaxCount: 1,
    timeoutMs: 1000,
    flushQueue: new FlushQueue(),
    clock: this.clock,
    report: () => {},
  });

  send(stream: DedicatedStream, name: string, extraTimeoutMs?: number): FakeRequest {
    const request = new FakeRequest(name, true, this.log);
    const frame = encodeText(`${name}.`);
    stream.send(request, frame, 0, frame.length, extraTimeoutMs);
    return request;
  }

  async connect(): Promise<FakeTransport> {
    const transport = new FakeTransport();
    this.opening.shift()!.resolve(transport);
    await settle();
    return transport;
  }
}

function withRig(run: (rig: Rig) => Promise<void>): () => Promise<void> {
  return async () => {
    const rig = new Rig();
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
  "Dedicated lends each client a separate connection, beside those of the pool",
  withRig(async (rig) => {
    const streams = [rig.pool.dedicate(rig.framing), rig.pool.dedicate(rig.framing)];
    rig.send(streams[0]!, "a");
    rig.send(streams[1]!, "b");
    rig.send(streams[0]!, "c");
    const frame = encodeText("d.");
    rig.pool.send(new RequestStream(rig.framing), new FakeRequest("d", true, rig.log), frame, 0, frame.length);
    const transports = [await rig.connect(), await rig.connect(), await rig.connect()];
    assertEquals(transports.map(({ writes }) => writes), [["a.c."], ["b."], ["d."]]);
    transports[1]!.push("2.");
    transports[0]!.push("1.3.");
    await settle();
    assertEquals(rig.log, ["b=2.", "a=1.", "c=3."]);
    assertEquals([rig.pool.connections, rig.pool.dedicated], [1, 2]);
  }),
);

Deno.test(
  "Dedicated lends a returned connection again, for the same protocol, and closes it after a while",
  withRig(async (rig) => {
    const stream = rig.pool.dedicate(rig.framing);
    rig.send(stream, "a");
    const transport = await rig.connect();
    transport.push("1.");
    await settle();
    stream.giveBack();
    const other = rig.pool.dedicate(makeFraming(rig.opening));
    assertEquals(rig.opening.length, 1);
    const again = rig.pool.dedicate(rig.framing);
    assertEquals(rig.opening.length, 1);
    rig.send(again, "b");
    await settle();
    assertEquals(transport.writes, ["a.", "b."]);
    transport.push("2.");
    await settle();
    again.giveBack();
    // The second call has no effect, since another client may have the connection.
    again.giveBack();
    rig.clock.nowMs = DEDICATED_IDLE_MAX_MS;
    rig.pool.sweep();
    assert(!transport.closed);
    rig.clock.nowMs++;
    rig.pool.sweep();
    assert(transport.closed);
    assertEquals(rig.pool.dedicated, 1);
    other.drop();
    assertEquals(rig.pool.dedicated, 0);
  }),
);

Deno.test(
  "Dedicated refuses a stream that has returned its connection, although another client has it",
  withRig(async (rig) => {
    const stale = rig.pool.dedicate(rig.framing);
    const transport = await rig.connect();
    stale.giveBack();
    const holder = rig.pool.dedicate(rig.framing);
    assertEquals(rig.opening.length, 0);
    rig.send(stale, "a");
    assertEquals(rig.log, ["a!unsent"]);
    stale.giveBack();
    stale.drop();
    rig.pool.dedicate(rig.framing);
    assertEquals([rig.opening.length, transport.closed], [1, false]);
    rig.send(holder, "b");
    await settle();
    transport.push("1.");
    await settle();
    assertEquals([transport.writes, rig.log], [["b."], ["a!unsent", "b=1."]]);
  }),
);

Deno.test(
  "Dedicated does not reuse a connection with a reply outstanding: after a deadline, a drop, or half of one",
  withRig(async (rig) => {
    const late = rig.pool.dedicate(rig.framing);
    rig.send(late, "a");
    const transports = [await rig.connect()];
    rig.clock.nowMs = 1001;
    rig.pool.sweep();
    late.giveBack();
    const dropped = rig.pool.dedicate(rig.framing);
    rig.send(dropped, "b");
    transports.push(await rig.connect());
    dropped.drop();
    dropped.giveBack();
    const half = rig.pool.dedicate(rig.framing);
    rig.send(half, "c");
    transports.push(await rig.connect());
    transports[2]!.push("3.4");
    await settle();
    half.giveBack();
    const next = rig.pool.dedicate(rig.framing);
    rig.send(next, "d");
    transports.push(await rig.connect());
    assertEquals(transports.map(({ closed }) => closed), [true, true, true, false]);
    transports.forEach((transport, i) => transport.push(`${i}.`));
    await settle();
    assertEquals(rig.log, ["a!sent", "b!sent", "c=3.", "d=3."]);
  }),
);

Deno.test(
  "Dedicated closes a returned connection that owes a reply, or is one too many",
  withRig(async (rig) => {
    const busy = rig.pool.dedicate(rig.framing);
    rig.send(busy, "a");
    const transport = await rig.connect();
    busy.giveBack();
    assert(transport.closed);
    assertEquals(rig.log, ["a!sent"]);
    const streams = Array.from({ length: DEDICATED_IDLE_MAX_COUNT + 1 }, () => rig.pool.dedicate(rig.framing));
    for (const _ of streams) await rig.connect();
    for (const stream of streams) stream.giveBack();
    assertEquals(rig.pool.dedicated, DEDICATED_IDLE_MAX_COUNT);
  }),
);

Deno.test(
  "Dedicated repeats nothing on another connection, and fails requests after the loss",
  withRig(async (rig) => {
    const stream = rig.pool.dedicate(rig.framing);
    rig.send(stream, "x");
    const transport = await rig.connect();
    transport.push("0.");
    await settle();
    transport.blocked = true;
    rig.send(stream, "a");
    await settle();
    rig.send(stream, "b");
    transport.lose();
    await settle();
    const late = rig.send(stream, "c");
    assertEquals(rig.log, ["x=0.", "a!sent", "b!unsent", "c!unsent"]);
    assertEquals(late.error!.message, 'server "server:1": the connection that this client had for itself was lost');
    assertEquals(rig.opening.length, 0);
    assertEquals([rig.pool.dedicated, stream.inFlight], [0, 0]);
    stream.giveBack();
    assertEquals(rig.pool.dedicated, 0);
  }),
);

Deno.test(
  "Dedicated reports why a connection cannot be made",
  withRig(async (rig) => {
    const stream = rig.pool.dedicate(rig.framing);
    const request = rig.send(stream, "a");
    rig.opening.shift()!.reject(new Error("nobody listens there"));
    await settle();
    assertEquals(rig.log, ["a!unsent"]);
    assertEquals(request.error!.message, 'server "server:1": nobody listens there');
  }),
);

Deno.test(
  "Dedicated gives a request that waits for an event the time that it specifies",
  withRig(async (rig) => {
    const patient = rig.pool.dedicate(rig.framing);
    const endless = rig.pool.dedicate(rig.framing);
    rig.send(patient, "a", 5000);
    rig.send(endless, "b", Infinity);
    await rig.connect();
    await rig.connect();
    rig.clock.nowMs = 6000;
    rig.pool.sweep();
    assertEquals(rig.log, []);
    rig.clock.nowMs = 6001;
    rig.pool.sweep();
    assertEquals(rig.log, ["a!sent"]);
    rig.clock.nowMs = 1e9;
    rig.pool.sweep();
    assertEquals(rig.log, ["a!sent"]);
    // Once no request waits for an event, the server gets as long as any other from then on.
    endless.pipeline.extraTimeoutMs = 0;
    rig.clock.nowMs += 1000;
    rig.pool.sweep();
    assertEquals(rig.log, ["a!sent"]);
    rig.clock.nowMs++;
    rig.pool.sweep();
    assertEquals(rig.log, ["a!sent", "b!sent"]);
  }),
);

Deno.test(
  "Dedicated refuses to lend more than the limit",
  withRig(async (rig) => {
    const streams = Array.from(
      { length: DEDICATED_CONNECTIONS_MAX_COUNT },
      () => rig.pool.dedicate(rig.framing),
    );
    assertThrows(() => rig.pool.dedicate(rig.framing), ConnectionError, "have a connection for themselves already");
    streams[0]!.drop();
    rig.pool.dedicate(rig.framing);
    await settle();
  }),
);

Deno.test(
  "Pool lends nothing while its server is down, and ends lent connections",
  withRig(async (rig) => {
    const stream = rig.pool.dedicate(rig.framing);
    rig.send(stream, "a", Infinity);
    await rig.connect();
    const frame = encodeText("b.");
    rig.pool.send(new RequestStream(rig.framing), new FakeRequest("b", false, rig.log), frame, 0, frame.length);
    rig.opening.shift()!.reject(new Error("nobody listens there"));
    await settle();
    assertEquals(rig.pool.state, "down");
    assertEquals(rig.log, ["a!sent", "b!unsent"]);
    assertThrows(() => rig.pool.dedicate(rig.framing), ConnectionError, "nobody listens there");
  }),
);

Deno.test(
  "Pool that is retired lets waiting requests finish, and closes idle connections",
  withRig(async (rig) => {
    const [waiting, watching, idle] = [1, 2, 3].map(() => rig.pool.dedicate(rig.framing));
    rig.send(waiting!, "a", Infinity);
    const transports = [await rig.connect(), await rig.connect(), await rig.connect()];
    idle!.giveBack();
    rig.pool.retire();
    assertEquals(transports.map(({ closed }) => closed), [false, true, true]);
    assert(!rig.pool.closed);
    assertThrows(() => rig.pool.dedicate(rig.framing), ConnectionError, "removed");
    transports[0]!.push("1.");
    await settle();
    assertEquals(rig.log, ["a=1."]);
    assert(transports[0]!.closed && rig.pool.closed);
    rig.send(watching!, "b");
    assertEquals(rig.log, ["a=1.", "b!unsent"]);
    rig.pool.restore();
    rig.pool.dedicate(rig.framing);
    assertEquals(rig.pool.dedicated, 1);
  }),
);
