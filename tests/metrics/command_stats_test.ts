import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { BUCKET_BOUNDS_US, CommandStats } from "../../src/metrics/command_stats.ts";

/** Makes calls that take `durationMs` each, as the dispatcher counts them. Returns how many were timed. */
function call(stats: CommandStats, position: number, count: number, durationMs: number): number {
  let timed = 0;
  for (let i = 0; i < count; i++) {
    if (--stats.untilTimed[position]! > 0) continue;
    stats.begin(position);
    stats.add(position, durationMs, stats.claim(position));
    timed++;
  }
  return timed;
}

/** Returns how many calls the histogram of a command has. */
function counted(stats: CommandStats, position: number): number {
  return stats.buckets(position).at(-1)!;
}

Deno.test("CommandStats times every call while there are few, and counts each command separately", () => {
  const stats = new CommandStats(3);
  for (let round = 0; round < 100; round++) {
    assertEquals(call(stats, 0, 10, 0.01), 10);
    assertEquals(call(stats, 2, 1, 0.5), 1);
    stats.sweep();
  }
  assertEquals([0, 1, 2].map((position) => stats.calls(position)), [1000, 0, 100]);
  assertEquals([0, 1, 2].map((position) => counted(stats, position)), [1000, 0, 100]);
  assertAlmostEquals(stats.microseconds(0), 10_000, 1e-6);
  assertAlmostEquals(stats.microseconds(2), 50_000, 1e-6);
  assertEquals(stats.histogram(1), undefined);
});

Deno.test("CommandStats counts all calls exactly, and times only some of many", () => {
  const stats = new CommandStats(2);
  let calls = 0;
  for (let round = 0; round < 20; round++) {
    // From 1 to 200,000 calls between two sweeps, up and down.
    const count = Math.floor(10 ** (5.3 * Math.abs(Math.sin(round))));
    const timed = call(stats, 1, count, 0.002);
    calls += count;
    assertEquals(stats.calls(1), calls);
    assert(timed <= 16 + 16 * Math.log2(1 + count / 16), `${timed} of ${count} were timed`);
    stats.sweep();
    assertEquals(stats.calls(1), calls);
  }
  // What is not represented yet is less than a stride.
  assert(counted(stats, 1) <= calls && counted(stats, 1) > calls * 0.8, `${counted(stats, 1)} of ${calls}`);
});

Deno.test("CommandStats weighs slow calls among many fast ones as often as they are", () => {
  const stats = new CommandStats(1);
  // One call in 100 is slow, at places that do not keep step with any stride.
  let random = 1;
  for (let round = 0; round < 300; round++) {
    for (let i = 0; i < 5000; i++) {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      call(stats, 0, 1, random < 2 ** 32 / 100 ? 3 : 0.003);
    }
    stats.sweep();
  }
  const slow = counted(stats, 0) - stats.histogram(0)!.countUpTo(2.048);
  assertAlmostEquals(slow / counted(stats, 0), 0.01, 0.003);
});

Deno.test("CommandStats times the next call of a command that was fast for long and then rests", () => {
  const stats = new CommandStats(1);
  for (let round = 0; round < 5; round++) {
    call(stats, 0, 100_000, 0.001);
    stats.sweep();
  }
  stats.sweep();
  assertEquals(call(stats, 0, 3, 5), 3);
});

Deno.test("CommandStats timesAll times every call, however many there are", () => {
  const stats = new CommandStats(1);
  call(stats, 0, 50_000, 0.001);
  stats.sweep();
  stats.timesAll = true;
  assertEquals(call(stats, 0, 50_000, 0.001), 50_000);
  stats.sweep();
  assertEquals(call(stats, 0, 50_000, 0.001), 50_000);
  stats.timesAll = false;
  stats.sweep();
  assert(call(stats, 0, 50_000, 0.001) < 1000);
  assertEquals(stats.calls(0), 200_000);
});

Deno.test("CommandStats isolateNext() times a call for itself, and does not delay the others", () => {
  const stats = new CommandStats(1);
  call(stats, 0, 50_000, 0.001);
  stats.sweep();
  let timed = 0;
  for (let i = 0; i < 1000; i++) {
    timed += call(stats, 0, 100, 0.001);
    stats.isolateNext(0);
    assertEquals(call(stats, 0, 1, 10), 1);
  }
  assert(timed > 5, `${timed} of the others were timed`);
  assertEquals(counted(stats, 0) - stats.histogram(0)!.countUpTo(8.192), 1000);
  assertEquals(stats.calls(0), 50_000 + 101_000);
});

Deno.test("CommandStats represents each call once when calls pause or are refused", () => {
  const stats = new CommandStats(1);
  call(stats, 0, 10, 0.001);
  // A timed call pauses, and another one runs meanwhile.
  stats.untilTimed[0]! -= 1;
  stats.begin(0);
  stats.claimOne(0);
  call(stats, 0, 1, 0.001);
  stats.add(0, 20, 1);
  assertEquals([stats.calls(0), counted(stats, 0)], [12, 12]);
  // A call that is not timed pauses.
  stats.sweep();
  call(stats, 0, 100_000, 0.001);
  stats.sweep();
  stats.untilTimed[0]! -= 1;
  stats.claimOne(0);
  stats.add(0, 20, 1);
  // A timed call is refused.
  while (--stats.untilTimed[0]! > 0);
  stats.begin(0);
  stats.rejectCounted(0);
  stats.reject(0);
  assertEquals(stats.rejected[0], 2);
  const calls = stats.calls(0);
  call(stats, 0, 1_000_000, 0.001);
  assertEquals(stats.calls(0), calls + 1_000_000);
  stats.isolateNext(0);
  call(stats, 0, 1, 0.001);
  stats.timesAll = true;
  call(stats, 0, 1, 0.001);
  assertEquals(counted(stats, 0), stats.calls(0));
});

Deno.test("CommandStats buckets() are cumulative, with bounds that are exact", () => {
  const stats = new CommandStats(1);
  assertEquals([...stats.buckets(0)], new Array(BUCKET_BOUNDS_US.length + 1).fill(0));
  for (const boundUs of BUCKET_BOUNDS_US) call(stats, 0, 1, boundUs / 1000 * 0.999);
  call(stats, 0, 2, 60_000);
  const expected = BUCKET_BOUNDS_US.map((_, i) => i + 1);
  assertEquals([...stats.buckets(0)], [...expected, expected.length + 2]);
});

Deno.test("CommandStats reset() sets everything to zero, in the middle of a countdown", () => {
  const stats = new CommandStats(1);
  call(stats, 0, 12_345, 0.001);
  stats.sweep();
  call(stats, 0, 7, 0.001);
  stats.failed[0]! += 1;
  stats.reject(0);
  stats.reset();
  assertEquals([stats.calls(0), stats.microseconds(0), counted(stats, 0)], [0, 0, 0]);
  assertEquals([stats.failed[0], stats.rejected[0]], [0, 0]);
  stats.timesAll = true;
  call(stats, 0, 1, 0.001);
  assertEquals([stats.calls(0), counted(stats, 0)], [1, 1]);
  // A call that began before the reset is refused after it.
  stats.reset();
  stats.rejectCounted(0);
  assertEquals(stats.calls(0), 0);
  stats.reset();
  stats.timesAll = false;
  call(stats, 0, 1000, 0.001);
  assertEquals(stats.calls(0), 1000);
  assert(counted(stats, 0) <= 1000);
});
