/**
 * Tests a `servers.json` that is replaced in all possible ways, occasionally and a hundred times a second: each change
 * is applied in time, even among others, and truncated content changes nothing.
 *
 * `STORM_MS` is the length of a storm; a hundredth of it is the number of changes that are made one after another.
 */

import { assertEquals, assertLessOrEqual } from "@std/assert";
import { FOLLOWER_REPORT_INTERVAL_MS, FOLLOWER_REPORTS_MAX_COUNT } from "../../src/limits.ts";
import { amountOf } from "../support/amount.ts";
import { type Rewriting, type RewritingName, REWRITINGS } from "../support/members_rewriting.ts";
import { APPLIED_MS, listOf, nowMs, Watching, withFolder } from "../support/members_watching.ts";
import { pause } from "../support/pause.ts";

const STORM_MS = amountOf("STORM_MS", 400, 1_000);
const CHANGES_COUNT = Math.ceil(STORM_MS / 100);
/** The time between two changes: a hundred per second. */
const INTERVAL_MS = 10;
/** The most reports about a file that appears and disappears: each fault, and its end. */
const REPORTS_MAX_COUNT = 2 * (FOLLOWER_REPORTS_MAX_COUNT + Math.ceil(STORM_MS / FOLLOWER_REPORT_INTERVAL_MS));

/** A test in one folder. `write` replaces the content, which begins with "a:1" and is followed. */
type Run = (write: (text: string) => Promise<void>, following: Watching, way: RewritingName) => Promise<void>;

function inOneWay(way: RewritingName, run: Run): Promise<void> {
  const rewriting: Rewriting = REWRITINGS[way];
  return withFolder(async (folder) => {
    const { path, write } = rewriting(folder);
    await write(listOf("a:1"));
    await using following = new Watching(path, [{ address: "a:1", weight: 1 }]);
    await run(write, following, way);
  });
}

/** Runs a test in all ways of replacing, concurrently, in separate folders. */
function inAllWays(run: Run, ways = Object.keys(REWRITINGS) as RewritingName[]): () => Promise<void> {
  return async () => {
    const outcomes = await Promise.allSettled(ways.map((way) => inOneWay(way, run)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  };
}

/** The ways for a storm. With the others there would be no file most of the time. */
const STORMY: RewritingName[] = [
  "in place",
  "by rename",
  "deleted and written again",
  "by links",
  "by a link to its folder",
];

/** Returns the n-th content, and its list. */
function contentOf(n: number): { text: string; list: string } {
  return { text: listOf("a:1", `b:${n}`), list: `a:1*1 b:${n}*1` };
}

Deno.test(
  `watchMembers() applies each of ${CHANGES_COUNT} changes in time, however they are made`,
  inAllWays(async (write, following) => {
    for (let n = 1; n <= CHANGES_COUNT; n++) {
      await write(contentOf(n).text);
      await following.until(contentOf(n).list);
    }
    assertEquals([following.lists.length, following.reports], [CHANGES_COUNT, []]);
  }),
);

Deno.test(
  `watchMembers() applies changes in time during a storm of them, and the last one after it, for ${STORM_MS} ms`,
  inAllWays(async (write, following, way) => {
    const writtenMs: number[] = [];
    const begunMs = performance.now();
    for (let n = 1; performance.now() < begunMs + STORM_MS; n++) {
      await pause(begunMs + n * INTERVAL_MS - performance.now());
      await write(contentOf(n).text);
      writtenMs[n] = nowMs();
    }
    await following.until(contentOf(writtenMs.length - 1).list);

    // Each list, including the first, is replaced in time after the next one was written.
    [0, ...following.lists.map((list) => Number(/b:(\d+)/.exec(list)![1]))].forEach((n, i) => {
      const heldMs = (following.changedMs[i] ?? 0) - (writtenMs[n + 1] ?? 0);
      assertLessOrEqual(heldMs, APPLIED_MS, `${way}: content ${n} of ${writtenMs.length - 1} held ${heldMs} ms`);
    });
    assertLessOrEqual(following.reports.length, REPORTS_MAX_COUNT, following.reports.join("\n"));
  }, STORMY),
);

Deno.test("watchMembers() keeps the list while content is truncated at any byte, and reports that once", async () => {
  const text = listOf("b:1", "c:2");
  const lengths = Array.from({ length: text.length }, (_, length) => length);
  // Reports show that content was read, so the test waits for nothing else.
  const one = (length: number) =>
    inOneWay("in place", async (write, following) => {
      await write(text.slice(0, length));
      await following.untilSo(() => following.reports.length === 1, "it is reported", 2 * APPLIED_MS);
      assertEquals(following.lists, []);
      await write(text);
      await following.until("b:1*1 c:2*1");
      assertEquals(following.reports.map((sentence) => sentence.includes("is valid again")), [false, true]);
    });
  const all = inOneWay("in place", async (write, following) => {
    for (const length of lengths) {
      await write(text.slice(0, length));
      await pause(INTERVAL_MS);
    }
    assertEquals(following.lists, []);
    await write(text);
    await following.until("b:1*1 c:2*1");
  });
  await Promise.all([all, ...lengths.map(one)]);
});
