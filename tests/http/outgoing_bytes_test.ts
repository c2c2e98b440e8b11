import { assertEquals } from "@std/assert";
import { OutgoingBytes } from "../../src/http/outgoing_bytes.ts";

/** A connection that records that it was closed. */
class FakeWriter {
  aborted = 0;
  abort(): void {
    this.aborted++;
  }
}

Deno.test("OutgoingBytes closes the connections that take longest when responses take too much", () => {
  const outgoing = new OutgoingBytes(100);
  const [first, second, third] = [new FakeWriter(), new FakeWriter(), new FakeWriter()];
  outgoing.begin(first, 60);
  outgoing.begin(second, 40);
  assertEquals([outgoing.bytes, first.aborted, second.aborted], [100, 0, 0]);
  outgoing.begin(third, 30);
  assertEquals([outgoing.bytes, first.aborted, second.aborted, third.aborted], [70, 1, 0, 0]);
  // The end of a closed connection counts nothing any more.
  outgoing.end(first);
  assertEquals(outgoing.bytes, 70);
  outgoing.end(second);
  outgoing.end(third);
  assertEquals(outgoing.bytes, 0);
});

Deno.test("OutgoingBytes lets a single response be larger than the bound", () => {
  const outgoing = new OutgoingBytes(100);
  const [first, second] = [new FakeWriter(), new FakeWriter()];
  outgoing.begin(first, 10);
  outgoing.begin(second, 1000);
  assertEquals([outgoing.bytes, first.aborted, second.aborted], [1000, 1, 0]);
});
