import { assert, assertEquals, assertThrows } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { Command } from "../../src/command/context.ts";
import { RequestQueue } from "../../src/command/queue.ts";
import { ReplyError } from "../../src/errors.ts";
import { QUEUE_CHUNK_MAX_BYTES, TRANSACTION_MAX_BYTES } from "../../src/limits.ts";
import { Request } from "../../src/wire/request.ts";

function fill(request: Request, words: readonly string[]): Request {
  const bytes = encodeText(`?${words.join("?")}`);
  request.reset(bytes, words.length);
  let at = 1;
  words.forEach((word, i) => {
    request.starts[i] = at;
    request.lengths[i] = word.length;
    request.size += word.length;
    at += word.length + 1;
  });
  return request;
}

/** Makes a command. The queue distinguishes commands only by identity. */
function makeCommand(writes: boolean): Command {
  const specification = COMMANDS.find(({ name }) => name === "ping")!;
  return { writes, specification } as Command;
}

Deno.test("RequestQueue returns each request with its command, as it was queued", () => {
  const random = new Random(3);
  const commands = Array.from({ length: 200 }, (_, i) => makeCommand(i === 150));
  const transaction = new RequestQueue<Command>();
  const request = new Request();
  const queued = Array.from({ length: 2000 }, (_, i) => {
    const count = 1 + (i % 100 === 3 ? random.below(5000) : random.below(6));
    const words = Array.from({ length: count }, () => "w".repeat(random.below(i % 7 === 0 ? 3000 : 9)));
    return { command: commands[i < 1000 ? i % 100 : i % 200]!, words: words.slice(0, 200) };
  });
  queued.forEach(({ command, words }, i) => {
    transaction.add(command, fill(request, words));
    assertEquals(transaction.writes, i >= 1150);
  });
  assertEquals(transaction.count, queued.length);
  const loaded = new Request();
  for (const order of [queued.keys(), [5, 1999, 0, 1000, 1000, 999]]) {
    for (const index of order) {
      const { command, words } = queued[index]!;
      assert(transaction.load(index, loaded) === command);
      assertEquals(Array.from({ length: loaded.count }, (_, i) => loaded.text(i)), words);
      assertEquals(loaded.size, words.join("").length);
    }
  }
  transaction.free();
  assertEquals([transaction.count, transaction.size], [0, 0]);
});

Deno.test("RequestQueue stores a queued ping in 8 bytes, and refuses a request that would exceed its bound", () => {
  const transaction = new RequestQueue<Command>();
  const ping = makeCommand(false);
  const request = fill(new Request(), ["ping"]);
  for (let i = 0; i < 980_000; i++) transaction.add(ping, request);
  assert(transaction.size <= 8 * 980_000 + QUEUE_CHUNK_MAX_BYTES, String(transaction.size));
  const long = fill(new Request(), ["x".repeat(TRANSACTION_MAX_BYTES / 2)]);
  transaction.add(ping, long);
  assertThrows(() => transaction.add(ping, long), ReplyError, "transaction exceeds 134217728 bytes");
  assertEquals(transaction.count, 980_001);
  transaction.isSpoilt = true;
  transaction.add(ping, request);
  assertEquals([transaction.count, transaction.size], [0, 0], "none of it will run");
});
