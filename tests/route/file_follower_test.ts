import { assertEquals } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { FOLLOWER_RECENT_MS } from "../../src/limits.ts";
import { FileFollower } from "../../src/route/file_follower.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

/** Follows two files, whose texts it joins, and records the results. */
class Following {
  reads = 0;
  readonly applied: string[] = [];
  readonly reports: string[] = [];
  refuses = false;
  readonly follower: FileFollower<string>;

  constructor(paths: readonly string[], pollMs: number, watchedFolder?: string) {
    this.follower = new FileFollower<string>({
      paths,
      ...watchedFolder !== undefined && { watchedFolder },
      name: "what is followed",
      fallback: "all stays",
      pollMs,
      faultMs: 50,
      current: "",
      isSame: (one, other) => one === other,
      read: () => {
        this.reads++;
        try {
          if (!paths.every((path) => Deno.statSync(path).isFile)) return { fault: "Cannot read" };
          return { value: paths.map((path) => Deno.readTextFileSync(path)).join("+") };
        } catch {
          return { fault: "Cannot read" };
        }
      },
      apply: (value) => {
        if (this.refuses) throw new StartError("Cannot apply");
        if (this.applied.at(-1) !== value) this.applied.push(value);
      },
      report: (sentence) => this.reports.push(sentence),
    });
  }

  until(condition: () => boolean, what: string): Promise<void> {
    return until(condition, () => `${what}; ${this.applied}; ${this.reports}`);
  }
}

async function withFiles(
  pollMs: number,
  run: (following: Following, paths: [string, string]) => Promise<void>,
  watches = false,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-follow-" });
  await Deno.mkdir(`${folder}/other`);
  const paths: [string, string] = [`${folder}/a`, `${folder}/other/b`];
  for (const path of paths) await Deno.writeTextFile(path, "1");
  const following = new Following(paths, pollMs, watches ? folder : undefined);
  try {
    await following.until(() => following.applied.length === 1, "the first reading");
    await run(following, paths);
  } finally {
    await following.follower.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("FileFollower notices changes of files in several folders, even of the same length at the same time", () =>
  withFiles(100, async (following, [a, b]) => {
    for (let round = 2; round < 6; round++) {
      await Deno.writeTextFile(round % 2 === 0 ? a : b, `${round}`);
      await following.until(() => following.applied.at(-1)!.includes(`${round}`), `${round} is seen`);
    }
    assertEquals(following.reports, []);
  }));

Deno.test("FileFollower reads unchanged files only once, and immediately on reload", () =>
  withFiles(50, async (following, [a]) => {
    await pause(FOLLOWER_RECENT_MS + 500);
    const { reads } = following;
    await pause(500);
    assertEquals(following.reads, reads);
    following.follower.reload();
    await following.until(() => following.reads > reads, "it is read");
    await Deno.writeTextFile(a, "2");
    await following.until(() => following.applied.at(-1) === "2+1", "it is seen");
  }));

Deno.test("FileFollower reports a value that cannot be applied once, and again on reload", () =>
  withFiles(50, async (following, [a]) => {
    following.refuses = true;
    await Deno.writeTextFile(a, "2");
    await following.until(() => following.reports.length === 1, "it is reported");
    await pause(300);
    assertEquals(following.reports, ["Cannot apply; all stays"]);
    following.follower.reload();
    await following.until(() => following.reports.length === 2, "it is reported again");
    following.refuses = false;
    following.follower.reload();
    await following.until(() => following.applied.at(-1) === "2+1", "it is applied");
    assertEquals(following.reports.length, 2);
    await Deno.remove(a);
    await following.until(() => following.reports.length === 3, "the loss is reported");
    await Deno.writeTextFile(a, "3");
    await following.until(() => following.reports.length === 4, "the end of that is reported");
    assertEquals(following.reports.slice(2), ["Cannot read; all stays", "what is followed is valid again"]);
  }));

Deno.test("FileFollower finally applies a value that could not be applied before, without a change of its files", () =>
  withFiles(50, async (following, [a]) => {
    following.refuses = true;
    await Deno.writeTextFile(a, "2");
    await following.until(() => following.reports.length === 1, "it is reported");
    await pause(FOLLOWER_RECENT_MS + 500);
    following.refuses = false;
    await following.until(() => following.applied.at(-1) === "2+1", "it is applied");
    assertEquals(following.reports, ["Cannot apply; all stays", "what is followed is valid again"]);
  }));

Deno.test("FileFollower continues with named pipes beside its files, or in their place, and with replaced folders", () =>
  withFiles(50, async (following, [a, b]) => {
    const folder = b.slice(0, b.lastIndexOf("/"));
    for (let round = 2; round < 5; round++) {
      for (const path of [`${a}.pipe`, `${folder}/pipe`, a]) {
        await Deno.remove(path).catch(() => {});
        const { success } = await new Deno.Command("mkfifo", { args: [path] }).output();
        assertEquals(success, true);
      }
      await pause(150);
      await Deno.remove(a);
      await Deno.rename(folder, `${folder}-${round}`);
      await following.until(() => following.reports.length === 2 * round - 3, "the loss is reported");
      await Deno.mkdir(folder);
      for (const path of [a, b]) await Deno.writeTextFile(path, `${round}`);
      await following.until(() => following.applied.at(-1) === `${round}+${round}`, `${round} is seen`);
    }
  }));

Deno.test("FileFollower notices changes in its watched folder long before the next check", () =>
  withFiles(60_000, async (following, [a]) => {
    for (let round = 2; round < 5; round++) {
      // Editors replace files by renaming.
      await Deno.writeTextFile(`${a}.new`, `${round}`);
      await Deno.rename(`${a}.new`, a);
      await following.until(() => following.applied.at(-1) === `${round}+1`, `${round} is seen`);
    }
  }, true));

Deno.test("FileFollower follows a file whose folder does not exist yet", async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-follow-" });
  const path = `${folder}/later/a`;
  const following = new Following([path], 50, `${folder}/later`);
  try {
    await following.until(() => following.reports.length === 1, "it is missed");
    await Deno.mkdir(`${folder}/later`);
    await Deno.writeTextFile(path, "1");
    await following.until(() => following.applied.at(-1) === "1", "it is seen");
  } finally {
    await following.follower.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("FileFollower close() waits for the check that is under way, and applies nothing after it", async () => {
  const path = await Deno.makeTempFile({ prefix: "inmem-follow-" });
  const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const applied: string[] = [];
  const follower = new FileFollower<string>({
    paths: [path],
    name: "a file",
    fallback: "",
    pollMs: 50,
    faultMs: 50,
    current: "",
    isSame: () => false,
    read: async () => {
      begun.resolve();
      await released.promise;
      return { value: "1" };
    },
    apply: (value) => applied.push(value),
    report: () => {},
  });
  await begun.promise;
  let isClosed = false;
  const closing = follower.close().then(() => isClosed = true);
  // A timer comes after everything that is due.
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(isClosed, false);
  released.resolve();
  await closing;
  assertEquals(applied, []);
  await Deno.remove(path);
});
