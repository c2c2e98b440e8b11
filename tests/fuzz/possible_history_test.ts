import { assertEquals, assertRejects } from "@std/assert";
import type { Argument } from "../../src/wire/request_writer.ts";
import type { Operation } from "../support/interleaving.ts";
import { MemoryClient, START_MS } from "../support/memory_client.ts";
import { type Begun, PossibleHistory } from "../support/possible_history.ts";

/** Runs a request, and returns it with its reply. */
async function done(client: MemoryClient, request: readonly Argument[], since: number): Promise<Begun> {
  const { waitsCount } = client;
  const frame = await client.waitForFrame(request);
  const operation: Operation = { requests: [request], client, frame, hasWaited: client.waitsCount > waitsCount };
  return { operation, since, sinceMs: START_MS };
}

Deno.test("PossibleHistory keeps all states that replies allow, and drops those that a later reply contradicts", async () => {
  const client = new MemoryClient();
  const history = new PossibleHistory(START_MS, () => true);
  const writes = [await done(client, ["set", "key", "1"], 0), await done(client, ["set", "key", "2"], 0)];
  await history.accept(writes);
  assertEquals(history.possibleCount, 2);
  await history.accept([await done(client, ["get", "other"], 2)]);
  assertEquals(history.possibleCount, 2);
  await history.accept([await done(client, ["get", "key"], 2)]);
  assertEquals(history.possibleCount, 1);
  client.call("set", "key", "1");
  const contradicts = await done(client, ["get", "key"], 2);
  await assertRejects(() => history.accept([contradicts]), Error, "no order explains");
});

Deno.test("PossibleHistory lets a read see each moment since it began, and none before", async () => {
  const client = new MemoryClient();
  const history = new PossibleHistory(START_MS, () => true);
  const absent = await done(client, ["get", "key"], 0);
  await history.accept([await done(client, ["set", "key", "1"], 0), await done(client, ["set", "other", "2"], 0)]);
  assertEquals(history.possibleCount, 1, "both orders leave the same");
  await history.accept([absent]);
  history.forgetBefore(history.index, START_MS);
  await assertRejects(() => history.accept([absent]), Error, "no order explains");
});

Deno.test("PossibleHistory compares with the store when replies allow several states", async () => {
  const client = new MemoryClient();
  const calls: (readonly string[])[] = [];
  const history = new PossibleHistory(START_MS, (model, keys) => {
    calls.push(keys);
    return new MemoryClient({ store: model.asStore() }).text("get", "key") === client.text("get", "key");
  });
  await history.accept([await done(client, ["set", "other", "0"], 0)]);
  assertEquals(calls, []);
  await history.accept([await done(client, ["set", "key", "2"], 1), await done(client, ["set", "key", "1"], 1)]);
  assertEquals(calls, [["key"], ["key"]]);
  assertEquals(history.possibleCount, 1);
  assertEquals(history.keep((model) => new MemoryClient({ store: model.asStore() }).text("get", "key") === "2"), false);
  assertEquals(history.keep((model) => new MemoryClient({ store: model.asStore() }).text("get", "key") === "1"), true);
});
