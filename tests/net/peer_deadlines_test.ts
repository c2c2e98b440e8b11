import { assertEquals } from "@std/assert";
import {
  AUTHENTICATION_TIMEOUT_MS,
  LINGER_TIMEOUT_MS,
  PARTIAL_FRAME_MIN_BYTES_PER_MS,
  PARTIAL_FRAME_TIMEOUT_MS,
  WRITE_TIMEOUT_MS,
} from "../../src/limits.ts";
import { PeerDeadlines } from "../../src/net/peer_deadlines.ts";

/** A connection whose state the test sets, swept at times after its start. */
class Swept {
  authenticated = true;
  partialBytes = 0;
  requests = 0;
  isWriting = false;
  writes = 0;
  readonly deadlines = new PeerDeadlines();
  readonly #startMs = performance.now();

  at(ms: number): string | undefined {
    const { authenticated, partialBytes, requests, isWriting, writes } = this;
    return this.deadlines.overdue(this.#startMs + ms, authenticated, partialBytes, requests, isWriting, writes);
  }
}

Deno.test("PeerDeadlines overdue() lets an idle connection be", () => {
  const swept = new Swept();
  for (let hours = 0; hours < 100; hours++) assertEquals(swept.at(hours * 3_600_000), undefined);
});

Deno.test("PeerDeadlines overdue() names a client that does not authenticate, regardless of its requests", () => {
  const swept = new Swept();
  swept.authenticated = false;
  assertEquals(swept.at(AUTHENTICATION_TIMEOUT_MS - 1), undefined);
  swept.requests++;
  swept.writes++;
  assertEquals(swept.at(AUTHENTICATION_TIMEOUT_MS + 1), "authentication");
});

Deno.test("PeerDeadlines overdue() gives each request its time, and a large one more", () => {
  const swept = new Swept();
  swept.partialBytes = 10;
  assertEquals(swept.at(0), undefined);
  assertEquals(swept.at(PARTIAL_FRAME_TIMEOUT_MS - 1), undefined);
  swept.requests++;
  assertEquals(swept.at(PARTIAL_FRAME_TIMEOUT_MS + 10), undefined);
  assertEquals(swept.at(2 * PARTIAL_FRAME_TIMEOUT_MS + 9), undefined);
  assertEquals(swept.at(2 * PARTIAL_FRAME_TIMEOUT_MS + 11), "request");
  swept.partialBytes = 1000 * PARTIAL_FRAME_MIN_BYTES_PER_MS;
  assertEquals(swept.at(2 * PARTIAL_FRAME_TIMEOUT_MS + 1009), undefined);
  assertEquals(swept.at(2 * PARTIAL_FRAME_TIMEOUT_MS + 1011), "request");
  // While the connection waits for something else, the client is not late.
  swept.partialBytes = 0;
  assertEquals(swept.at(10 * PARTIAL_FRAME_TIMEOUT_MS), undefined);
});

Deno.test("PeerDeadlines overdue() names a client that takes no replies, and not one that takes some", () => {
  const swept = new Swept();
  swept.isWriting = true;
  assertEquals(swept.at(0), undefined);
  assertEquals(swept.at(WRITE_TIMEOUT_MS - 1), undefined);
  swept.writes++;
  assertEquals(swept.at(WRITE_TIMEOUT_MS + 10), undefined);
  assertEquals(swept.at(2 * WRITE_TIMEOUT_MS + 11), "reading");
  swept.isWriting = false;
  assertEquals(swept.at(2 * WRITE_TIMEOUT_MS + 12), undefined);
});

Deno.test("PeerDeadlines overdue() bounds the time in which a refused client ends its side", () => {
  const swept = new Swept();
  swept.deadlines.linger();
  assertEquals(swept.at(LINGER_TIMEOUT_MS - 1), undefined);
  // The deadline begins a little later than the connection.
  assertEquals(swept.at(LINGER_TIMEOUT_MS + 1000), "end");
});
