import { assertEquals, assertGreaterOrEqual, assertLess } from "@std/assert";
import { decodeText, encodeText } from "../../../src/bytes.ts";
import { FREED_AT_ONCE_MIN_BYTES, REPLY_HOLD_MAX_BYTES, REPLY_HOLD_MS } from "../../../src/limits.ts";
import { ClientMemory } from "../../../src/memory/client_memory.ts";
import { FreedMemory } from "../../../src/memory/freed_memory.ts";
import { Outbox } from "../../../src/proxy/client/outbox.ts";
import { ReplyOrder } from "../../../src/proxy/client/reply_order.ts";
import { ReplyPlace } from "../../../src/proxy/client/reply_place.ts";
import { WriteCoalescer } from "../../../src/proxy/client/write_coalescer.ts";
import { FlushQueue } from "../../../src/route/flush_queue.ts";
import { pause } from "../../support/pause.ts";
import { until } from "../../support/until.ts";

/** A place whose reply the test brings. */
class Place extends ReplyPlace {
  override refuse(): void {}
  override succeed(): void {}
  override fail(): void {}
}

/** Creates an outbox whose writes wait for the test, and records their outcome. */
function makeOutbox() {
  const writes: string[] = [];
  const more = { expected: false };
  const waiting: PromiseWithResolvers<void>[] = [];
  const outbox = new Outbox(
    {
      write: (bytes) => {
        writes.push(decodeText(bytes));
        const write = Promise.withResolvers<void>();
        waiting.push(write);
        return write.promise;
      },
      get expectsMore() {
        return more.expected;
      },
      written: () => writes.push("written"),
      broken: () => writes.push("broken"),
    },
    new FlushQueue(),
    new WriteCoalescer(),
  );
  const append = (text: string) => outbox.append(encodeText(text), 0, text.length);
  const settle = async (error?: Error) => {
    const write = waiting.shift();
    if (error === undefined) write?.resolve();
    else write?.reject(error);
    await pause(0);
  };
  return { outbox, writes, append, settle, more };
}

Deno.test("Outbox writes the replies of one tick in one write, and later ones after it", async () => {
  const { outbox, writes, append, settle } = makeOutbox();
  append("a");
  append("b");
  await settle();
  append("c");
  assertEquals([writes, outbox.size, outbox.writing], [["ab"], 3, true]);
  await settle();
  await settle();
  assertEquals([writes, outbox.size, outbox.writing], [["ab", "c", "written"], 0, false]);
});

Deno.test("Outbox discard() forgets unwritten replies, and ends with the write in progress", async () => {
  const { outbox, writes, append, settle } = makeOutbox();
  append("a");
  await settle();
  append("b");
  outbox.discard();
  assertEquals(outbox.size, 1);
  await settle(new Error("closed"));
  assertEquals([writes, outbox.size], [["a", "broken"], 0]);
});

Deno.test("Outbox holds replies until the expected ones have come, and writes them together", async () => {
  const { writes, append, settle, more } = makeOutbox();
  more.expected = true;
  append("a");
  await settle();
  append("b");
  await settle();
  assertEquals(writes, []);
  more.expected = false;
  append("c");
  await settle();
  assertEquals(writes, ["abc"]);
  // The same holds for replies that come during a write.
  more.expected = true;
  append("d");
  await settle();
  append("e");
  more.expected = false;
  append("f");
  await settle();
  assertEquals(writes, ["abc", "written", "def"]);
  await settle();
});

Deno.test("Outbox writes held replies after a time although more are expected, and holds the next ones again", async () => {
  const { writes, append, settle, more } = makeOutbox();
  more.expected = true;
  for (const text of ["a", "b"]) {
    append(text);
    const sinceMs = performance.now();
    await until(() => writes.at(-1) === text, "it is written");
    assertGreaterOrEqual(performance.now() - sinceMs, REPLY_HOLD_MS * 0.9);
    await settle();
  }
  assertEquals(writes, ["a", "written", "b", "written"]);
});

Deno.test("Outbox does not hold long replies", async () => {
  const { writes, append, settle, more } = makeOutbox();
  more.expected = true;
  append("x".repeat(REPLY_HOLD_MAX_BYTES));
  await settle();
  assertEquals(writes[0]!.length, REPLY_HOLD_MAX_BYTES);
  await settle();
});

Deno.test("ReplyOrder expects more while replies to the same batch of requests are missing", () => {
  const { outbox } = makeOutbox();
  const order = new ReplyOrder(outbox, () => new Place());
  const open = () => order.open();
  const replyTo = (pending: Place) => order.take(pending, encodeText("+\r\n"), 0, 3);
  const [a, b] = [open(), open()];
  replyTo(a);
  // The requests are not a batch yet: the next one may be read much later.
  assertEquals(order.expectsMore, false);
  order.endBatch();
  assertEquals(order.expectsMore, true);
  // Later requests belong to the next batch.
  const c = open();
  order.endBatch();
  replyTo(b);
  assertEquals(order.expectsMore, false);
  order.endBatch();
  assertEquals(order.expectsMore, true);
  replyTo(c);
  assertEquals([order.expectsMore, order.inFlight], [false, 0]);
  replyTo(open());
  assertEquals(order.expectsMore, false);
});

Deno.test("Outbox writes long replies in order without a copy, and charges what it holds", async () => {
  const freed = FreedMemory.open();
  const memory = new ClientMemory({ limitBytes: Infinity });
  const written: Uint8Array[] = [];
  const owner = {
    write: (bytes: Uint8Array) => {
      written.push(bytes);
      return Promise.resolve();
    },
    expectsMore: false,
    written: () => {},
    broken: () => {},
  };
  const outbox = new Outbox(owner, new FlushQueue(), new WriteCoalescer(), memory.openShared());
  const long = new Uint8Array(FREED_AT_ONCE_MIN_BYTES + 2).fill(0x78).subarray(1, -1);
  outbox.append(encodeText("a"), 0, 1);
  outbox.appendOwned(long);
  outbox.append(encodeText("b"), 0, 1);
  assertEquals(outbox.size, long.length + 2);
  assertGreaterOrEqual(memory.usedBytes, long.length + 2);
  await pause(0);
  assertEquals(written.map((bytes) => bytes.buffer === long.buffer), [false, true, false]);
  assertEquals([outbox.size, outbox.writing], [0, false]);
  // The buffers of short replies are kept for later ones.
  assertLess(memory.usedBytes, FREED_AT_ONCE_MIN_BYTES);
  outbox.appendOwned(new Uint8Array(FREED_AT_ONCE_MIN_BYTES));
  outbox.discard();
  assertEquals([outbox.size, memory.usedBytes], [0, 0]);
  freed[Symbol.dispose]();
  assertEquals(long[long.length / 2], 0, "its memory was returned");
});

Deno.test("ReplyOrder ends without an error if taking a reply closes its own client", () => {
  const LIMIT = 100_000;
  // The reply that exceeds the limit is the first, one that was kept, or the place of one more request.
  for (const sizes of [[LIMIT * 2, 3, 3], [3, 3, LIMIT * 2], [LIMIT / 2, LIMIT / 2, LIMIT / 2, 3]]) {
    for (const takesLast of [false, true]) {
      const memory = new ClientMemory({ limitBytes: LIMIT });
      let kills = 0;
      const kill = () => {
        kills++;
        order.discard();
        outbox.discard();
      };
      const account = memory.open({ id: 1, address: "client", name: "", isKept: false, connection: { kill } });
      const owner = { write: () => Promise.withResolvers<void>().promise, expectsMore: false };
      const outbox = new Outbox(
        { ...owner, written: () => {}, broken: () => {} },
        new FlushQueue(),
        new WriteCoalescer(),
        account,
      );
      const order = new ReplyOrder(outbox, () => new Place(), account);
      const pending = sizes.map(() => order.open());
      order.open();
      const places = [...sizes.keys()];
      if (takesLast) places.reverse();
      for (const place of places) order.take(pending[place]!, new Uint8Array(sizes[place]!), 0, sizes[place]!);
      assertEquals([kills, memory.usedBytes], [1, 0], `${sizes} ${takesLast}`);
    }
  }
});

Deno.test("ReplyOrder accepts one more request if its place closes its own client", () => {
  const memory = new ClientMemory({ limitBytes: 1_000 });
  const account = memory.open({
    id: 1,
    address: "client",
    name: "",
    isKept: false,
    connection: { kill: () => order.discard() },
  });
  const order = new ReplyOrder(makeOutbox().outbox, () => new Place(), account);
  for (let count = 0; count < 100; count++) order.open();
  assertEquals(account.isClosed, true);
});

Deno.test("kept replies and outgrown buffers return their memory immediately from 16 KiB on", async () => {
  const freed = FreedMemory.open();
  const { outbox, settle } = makeOutbox();
  const order = new ReplyOrder(outbox, () => new Place());
  const pending = [order.open(), order.open()];
  const reply = new Uint8Array(60_000).fill(0x78);
  order.take(pending[1]!, reply, 0, reply.length);
  const kept = pending[1]!.reply;
  order.take(pending[0]!, encodeText("+\r\n"), 0, 3);
  await settle();
  freed[Symbol.dispose]();
  assertEquals([kept.length, kept[30_000]], [60_000, 0]);
});
