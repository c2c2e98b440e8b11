import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { MessageQueue, SharedBytes } from "../../src/memory/message_queue.ts";
import { amountOf } from "../support/amount.ts";

const decoder = new TextDecoder();

Deno.test("MessageQueue take() returns every byte in order, and reports incomplete messages", () => {
  const random = new Random(pickSeed());
  for (let round = 0; round < amountOf("QUEUE_ROUNDS", 30, 200); round++) {
    const queue = new MessageQueue();
    let expected = "";
    let taken = "";
    let messages = 0;
    /** The ends of messages and replies, in bytes from the beginning. */
    const ends = new Set([0]);
    for (let i = 0; i < 300; i++) {
      const length = random.pick([1, 5, 100, 1024, 1025, 16 * 1024, 16 * 1024 + 1, 200_000]);
      const text = String.fromCharCode(97 + random.below(26)).repeat(random.below(length) + 1);
      const action = random.below(10);
      if (action < 4 || (action < 6 && length < 2000)) {
        queue.put(encodeText(text), undefined);
      } else if (action === 6) {
        queue.put(encodeText(text), new SharedBytes(encodeText(text)));
        expected += text;
        messages += text.length;
      } else if (action === 7) {
        queue.putReplies(encodeText(text));
        messages -= text.length;
      } else {
        if (random.below(3) === 0) queue.seal();
        for (let times = random.below(30); times > 0; times--) {
          const bytes = queue.take(random.pick([64 * 1024, 256 * 1024, 3000]));
          if (bytes === undefined) break;
          taken += decoder.decode(bytes);
          if (!queue.isWithin) assert(ends.has(taken.length), "a message ends here");
        }
        continue;
      }
      expected += text;
      messages += text.length;
      ends.add(expected.length);
      assertEquals(queue.size, expected.length - taken.length);
    }
    assertLessOrEqual(queue.messagesSize, queue.size);
    for (let bytes = queue.take(100_000); bytes !== undefined; bytes = queue.take(100_000)) {
      taken += decoder.decode(bytes);
    }
    assert(taken === expected, "all bytes, in order");
    assertEquals([queue.size, queue.messagesSize, queue.agedSize, queue.isWithin], [0, 0, 0, false]);
    assert(messages >= 0);
  }
});

Deno.test("MessageQueue keeps the given bytes, and joins many small messages", () => {
  const queue = new MessageQueue();
  const long = new Uint8Array(5000).fill(1);
  queue.put(long, undefined);
  assert(queue.take(1_000_000) === long, "not copied");
  for (let i = 0; i < 6400; i++) queue.put(new Uint8Array(10).fill(i), undefined);
  const pieces: number[] = [];
  for (let bytes = queue.take(640); bytes !== undefined; bytes = queue.take(640)) pieces.push(bytes.length);
  // These are a hundred joined pieces of 64 messages each.
  assertEquals(pieces, new Array(100).fill(640));
});

Deno.test("MessageQueue agedSize counts what arrived before the client could have read it", () => {
  const queue = new MessageQueue();
  queue.put(new Uint8Array(100), new SharedBytes(new Uint8Array(50_000)));
  queue.putReplies(new Uint8Array(7));
  assertEquals([queue.agedSize, queue.messagesSize, queue.size], [0, 50_100, 50_107]);
  queue.age();
  queue.put(new Uint8Array(10), undefined);
  assertEquals(queue.agedSize, 50_100);
  queue.take(20_000);
  assertEquals([queue.agedSize, queue.isWithin], [50_000, true]);
  while (queue.messagesSize > 10) queue.take(20_000);
  assertEquals([queue.agedSize, queue.size, queue.isWithin], [0, 17, false]);
  queue.age();
  assertEquals(queue.agedSize, 10);
  queue.clear();
  assertEquals([queue.size, queue.agedSize, queue.take(10)], [0, 0, undefined]);
});

Deno.test("MessageQueue reports the total size of several queues", () => {
  let shared = 0;
  const share = (bytes: number) => shared += bytes;
  const queues = Array.from({ length: 3 }, () => new MessageQueue(share));
  const tail = new SharedBytes(new Uint8Array(50_000));
  for (const queue of queues) queue.put(new Uint8Array(10), tail);
  assertEquals(shared, 100_000, "two of the three are charged for what is there once");
  queues[0]!.clear();
  assertEquals(shared, 50_000);
  while (queues[1]!.take(20_000) !== undefined);
  assertEquals(shared, 0);
  queues[2]!.clear();
  queues[2]!.clear();
  assertEquals(shared, 0);
});
