/**
 * A `servers.json` that is replaced in all the ways there are, once in a while and a hundred times a second: each change is
 * applied in time, also amid others, and what is cut off anywhere changes nothing.
 *
 * `STORM_MS` is how long a storm lasts; a hundredth of it is how many changes are made one after another.
 */

import { assertEquals, assertLessOrEqual } from "@std/assert";
import { FOLLOWER_REPORT_INTERVAL_MS, FOLLOWER_REPORTS_MAX_COUNT } from "../../src/limits.ts";
import { amountOf } from "../support/amount.ts";
import { type Rewriting, REWRITINGS } from "../support/members_rewriting.ts";
import { APPLIED_MS, listOf, nowMs, Watching, withFolder } from "../support/members_watching.ts";
import { pause } from "../support/pause.ts";

const STORM_MS = amountOf("STORM_MS", 400, 1_000);
const CHANGES_COUNT = Math.ceil(STORM_MS / 100);
/** A hundred times a second. */
const INTERVAL_MS = 10;
/** What a file that comes and goes may say meanwhile: each report, and that it is over. */
const REPORTS_MAX_COUNT = 2 * (FOLLOWER_REPORTS_MAX_COUNT + Math.ceil(STORM_MS / FOLLOWER_REPORT_INTERVAL_MS));

/** What a test does in one folder: `write` replaces the content, which is followed from "a:1" on. */
type Run = (write: (text: string) => Promise<void>, following: Watching, way: string) => Promise<void>;

function inOneWay(way: string, run: Run): Promise<void> {
  const rewriting: Rewriting = REWRITINGS[way]!;
  return withFolder(async (folder) => {
    const { path, write } = rewriting(folder);
    await write(listOf("a:1"));
    await using following = new Watching(path, [{ address: "a:1", weight: 1 }]);
    await run(write, following, way);
  });
}

/** Runs a test on all ways side by side, in folders of their own. */
function inAllWays(run: Run, ways = Object.keys(REWRITINGS)): () => Promise<void> {
  return async () => {
    const outcomes = await Promise.allSettled(ways.map((way) => inOneWay(way, run)));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  };
}

/** In a storm of the others there would be no file most of the time. */
const STORMY = ["in place", "by rename", "deleted and made anew", "by links", "by a link to its folder"];

/** The n-th content, and how it is told. */
function contentOf(n: number): { text: string; list: string } {
  return { text: listOf("a:1", `b:${n}`), list: `a:1*1 b:${n}*1` };
}

Deno.test(
  `watchMembers() applies each of ${CHANGES_COUNT} changes in time, in whatever way they are made`,
  inAllWays(async (write, following) => {
    for (let n = 1; n <= CHANGES_COUNT; n++) {
      await write(contentOf(n).text);
      await following.until(contentOf(n).list);
    }
    assertEquals([following.lists.length, following.reports], [CHANGES_COUNT, []]);
  }),
);

Deno.test(
  `watchMembers() applies changes in time amid a storm of them, and the last one after it, for ${STORM_MS} ms`,
  inAllWays(async (write, following, way) => {
    const writtenMs: number[] = [];
    const begunMs = performance.now();
    for (let n = 1; performance.now() < begunMs + STORM_MS; n++) {
      await pause(begunMs + n * INTERVAL_MS - performance.now());
      await write(contentOf(n).text);
      writtenMs[n] = nowMs();
    }
    await following.until(contentOf(writtenMs.length - 1).list);

    // Each list, the one of before among them, has made way in time once it was replaced.
    [0, ...following.lists.map((list) => Number(/b:(\d+)/.exec(list)![1]))].forEach((n, i) => {
      const heldMs = (following.changedMs[i] ?? 0) - (writtenMs[n + 1] ?? 0);
      assertLessOrEqual(heldMs, APPLIED_MS, `${way}: content ${n} of ${writtenMs.length - 1} held ${heldMs} ms`);
    });
    assertLessOrEqual(following.reports.length, REPORTS_MAX_COUNT, following.reports.join("\n"));
  }, STORMY),
);

Deno.test("watchMembers() keeps the list while a content is cut off, at whatever byte, and says so once", async () => {
  const text = listOf("b:1", "c:2");
  const lengths = Array.from({ length: text.length }, (_, length) => length);
  // Reports tell that a content was read, so nothing has to be waited for at random.
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
