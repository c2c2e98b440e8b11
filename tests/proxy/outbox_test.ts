import { assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { Outbox } from "../../src/proxy/outbox.ts";
import { Turn } from "../../src/route/turn.ts";

/** An outbox whose writes wait for the test, and what became of them. */
function makeOutbox() {
  const writes: string[] = [];
  const waiting: PromiseWithResolvers<void>[] = [];
  const outbox = new Outbox({
    write: (bytes) => {
      writes.push(decodeText(bytes));
      const write = Promise.withResolvers<void>();
      waiting.push(write);
      return write.promise;
    },
    written: () => writes.push("written"),
    broken: () => writes.push("broken"),
  }, new Turn());
  const append = (text: string) => outbox.append(encodeText(text), 0, text.length);
  const settle = async (error?: Error) => {
    const write = waiting.shift();
    if (error === undefined) write?.resolve();
    else write?.reject(error);
    await new Promise((resolve) => setTimeout(resolve, 0));
  };
  return { outbox, writes, append, settle };
}

Deno.test("Outbox writes what a turn has collected at once, and what comes meanwhile after that", async () => {
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

Deno.test("Outbox discard() forgets what was collected, and ends with the write under way", async () => {
  const { outbox, writes, append, settle } = makeOutbox();
  append("a");
  await settle();
  append("b");
  outbox.discard();
  assertEquals(outbox.size, 1);
  await settle(new Error("closed"));
  assertEquals([writes, outbox.size], [["a", "broken"], 0]);
});
