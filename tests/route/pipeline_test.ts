/** Tests long requests and replies on one connection to a server: in order, and without a copy. */

import { assert, assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { BACKEND_BATCH_MAX_BYTES, LONG_FRAME_BYTES } from "../../src/limits.ts";
import { FreedMemory } from "../../src/memory/freed_memory.ts";
import { RequestStream } from "../../src/route/backend_request.ts";
import { FlushQueue } from "../../src/route/flush_queue.ts";
import { Pipeline } from "../../src/route/pipeline.ts";
import type { PipelineEnd } from "../../src/route/pipeline.ts";
import { FakeRequest, FakeTransport, makeFraming, settle } from "../support/fake_transport.ts";

class Rig {
  readonly log: string[] = [];
  readonly ends: PipelineEnd[] = [];
  readonly transport = new FakeTransport();
  readonly framing = makeFraming([]);
  readonly stream = new RequestStream(this.framing);
  readonly pipeline = new Pipeline({
    address: "server:1",
    flushQueue: new FlushQueue(),
    clock: { nowMs: 0 },
    ended: (_pipeline, end) => this.ends.push(end),
    idle: () => {},
  }, this.framing);

  send(name: string, text = `${name}.`): void {
    this.stream.inFlight++;
    this.pipeline.send(this.stream, new FakeRequest(name, true, this.log), encodeText(text), 0, text.length);
  }

  sendOwned(name: string, text: string, unread = 0): Uint8Array {
    this.stream.inFlight++;
    const request = new FakeRequest(name, false, this.log);
    request.unread = unread;
    const bytes = encodeText(text);
    this.pipeline.sendOwned(this.stream, request, bytes, bytes.length);
    return bytes;
  }
}

Deno.test("Pipeline sends long requests in order, and frees their memory once they are written", async () => {
  const freed = FreedMemory.open();
  const rig = new Rig();
  rig.send("a");
  const long = rig.sendOwned("b", "x".repeat(LONG_FRAME_BYTES) + ".");
  rig.send("c");
  rig.pipeline.begin(rig.transport);
  await settle();
  assertEquals(rig.transport.writes.join(""), `a.${"x".repeat(LONG_FRAME_BYTES)}.c.`);
  freed[Symbol.dispose]();
  assertEquals(long[LONG_FRAME_BYTES / 2], 0, "its memory was returned");
  rig.transport.push("1.2.3.");
  await settle();
  assertEquals(rig.log, ["a=1.", "b=2.", "c=3."]);
  assertEquals([rig.pipeline.inFlight, rig.stream.inFlight], [0, 0]);
});

Deno.test("Pipeline puts large batches aside, so that nothing large is copied again", async () => {
  const rig = new Rig();
  const text = "y".repeat(BACKEND_BATCH_MAX_BYTES / 2) + ".";
  for (const name of "abcde") rig.send(name, text);
  rig.pipeline.begin(rig.transport);
  await settle();
  assert(rig.transport.writes.every((each) => each.length <= BACKEND_BATCH_MAX_BYTES));
  assertEquals(rig.transport.writes.join(""), text.repeat(5));
  rig.transport.push("1.2.3.4.5.");
  await settle();
  assertEquals(rig.log, ["a=1.", "b=2.", "c=3.", "d=4.", "e=5."]);
});

Deno.test("Pipeline discards the replies to all requests of a frame but the last", async () => {
  const rig = new Rig();
  rig.pipeline.begin(rig.transport);
  rig.send("a");
  rig.sendOwned("b", "multi.x.y.exec.", 3);
  rig.send("c");
  await settle();
  rig.transport.push("1.OK.QU");
  await settle();
  assertEquals(rig.log, ["a=1."]);
  rig.transport.push("EUED.QUEUED.ran.3.");
  await settle();
  assertEquals(rig.log, ["a=1.", "b=ran.", "c=3."]);
});

Deno.test("Pipeline reports what it has sent of several batches when its connection is lost", async () => {
  const rig = new Rig();
  rig.transport.blocked = true;
  rig.pipeline.begin(rig.transport);
  rig.send("a");
  await settle();
  const long = rig.sendOwned("b", "x".repeat(LONG_FRAME_BYTES) + ".");
  rig.send("c");
  rig.transport.lose();
  await settle();
  const [{ sent, unsent }] = rig.ends as [PipelineEnd];
  const names = (requests: PipelineEnd["sent"]) => requests.map((each) => (each as FakeRequest).name);
  assertEquals([names(sent), names(unsent)], [["a"], ["b", "c"]]);
  // It is sent again on another connection.
  assertEquals([unsent[0]!.batch!.bytes === long, long.length], [true, LONG_FRAME_BYTES + 1]);
});

Deno.test("Pipeline passes on the buffer of a long reply, and continues with the bytes after it", async () => {
  const rig = new Rig();
  rig.pipeline.begin(rig.transport);
  const owned: Uint8Array[] = [];
  for (const name of "abc") {
    const request = new FakeRequest(name, true, rig.log);
    request.succeedOwned = (bytes, start, end) => void owned.push(bytes.subarray(start, end));
    rig.stream.inFlight++;
    rig.pipeline.send(rig.stream, request, encodeText(`${name}.`), 0, 2);
  }
  await settle();
  const long = "z".repeat(LONG_FRAME_BYTES) + ".";
  rig.transport.push(`1.${long}3.`);
  await settle();
  assertEquals(rig.log, ["a=1.", "c=3."]);
  assertEquals(owned.map((bytes) => bytes.length), [long.length]);
});
