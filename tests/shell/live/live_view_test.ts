import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { repeat } from "../../../src/shell/live/live_view.ts";
import { TestedView } from "../../support/live_tool.ts";

Deno.test("a wait ends with its result, its error, or the tool", async () => {
  const tested = new TestedView({});
  const { view } = tested;
  assertEquals(await view.orStopped(Promise.resolve(7)), 7);
  await assertRejects(() => view.orStopped(Promise.reject(new Error("refused"))), Error, "refused");
  const late = Promise.withResolvers<number>();
  const waits = [view.orStopped(late.promise), view.pause(1_000_000), view.orStopped(new Promise<number>(() => {}))];
  tested.stop();
  assertEquals(await Promise.all(waits), [undefined, undefined, undefined]);
  // An error that comes after the end is not an unhandled one.
  late.reject(new Error("too late"));
  assert(view.isOver);
  assertEquals(await view.orStopped(new Promise<number>(() => {})), undefined);
});

Deno.test("waits that have ended hold no memory", async () => {
  const { view } = new TestedView({});
  const wait = async (count: number) => {
    for (let i = 0; i < count; i++) await view.orStopped(Promise.resolve(new Uint8Array(16)));
  };
  await wait(1_000);
  const before = Deno.memoryUsage().heapUsed;
  await wait(200_000);
  assertLess(Deno.memoryUsage().heapUsed - before, 64 * 1024 * 1024);
});

Deno.test("repeat() runs steps until the duration is over or the tool shall end", async () => {
  const tested = new TestedView({});
  let count = 0;
  await repeat(tested.view, { intervalMs: 10, durationMs: 35 }, () => {
    count++;
    return Promise.resolve();
  });
  assert(count >= 1 && count <= 4);
  await repeat(tested.view, { intervalMs: 1_000_000 }, () => {
    tested.stop();
    return Promise.resolve();
  });
});
