/**
 * Follows files that a role was started with, while people and programs replace them in whatever way: the list of servers,
 * certificates, passwords.
 *
 * The files are looked at in intervals: when their size, times or identity has changed, they are read. So it does not matter how
 * they are replaced (in place, by renaming, by links that are swapped, with their whole folder), nor on what file system they
 * are. Times are coarse, so what was changed in the last moment is read again later.
 *
 * The folder of the list of servers is watched as well, which tells of most changes sooner. It is watched once only, and no
 * other folder is: the runtime opens whatever appears in a watched folder, so a named pipe there stops the thread that tells of
 * changes for good, and the main thread with the next folder that it begins to watch.
 *
 * A content that is of no use changes nothing. It may be half of what is being written, be it half of a file or one of two
 * files that belong together, so it is soon read again, and reported only when it stays the same, and once; and where many
 * such follow each other, only some of them. It is read again now and then though the files stay the same, since the reason may
 * be of the moment, such as that the process has no descriptor left.
 *
 * @module
 */

import { InmemError } from "../errors.ts";
import {
  FOLLOWER_DEBOUNCE_MS,
  FOLLOWER_FAULT_INTERVAL_MS,
  FOLLOWER_RECENT_MS,
  FOLLOWER_REPORT_INTERVAL_MS,
  FOLLOWER_REPORTS_MAX_COUNT,
  FOLLOWER_RETRY_MS,
} from "../limits.ts";
import { TokenBucket } from "./token_bucket.ts";

/** What a reading has found: a value, or why there is none. */
export type Reading<T> = { readonly value: T } | {
  /** A sentence without its full stop. */
  readonly fault: string;
  /** Tells one bad content from another with the same fault. */
  readonly content?: string;
};

/** What is followed, and who is told. */
export interface FollowOptions<T> {
  /** The files, which need not exist at the moment. */
  readonly paths: readonly string[];
  /** How they are called in reports, such as `"servers.json"`. */
  readonly name: string;
  /** What goes on while they are of no use, as the end of a report. */
  readonly fallback: string;
  /** A folder that is watched, so that changes in it are seen sooner. A process has one at most. */
  readonly watchedFolder?: string;
  /** How often they are looked at, in ms. */
  readonly pollMs: number;
  /** How long a content of no use has to stay the same until it is reported, in ms. */
  readonly faultMs: number;
  /** What is in use when it begins. */
  readonly current: T;
  /** Whether two values are alike, so that the second one is not applied. */
  readonly isSame: (one: T, other: T) => boolean;
  /** Reads and checks them. Rejects never. */
  readonly read: () => Promise<Reading<T>> | Reading<T>;
  /** Takes a value other than the one in use. May throw an `InmemError` when it cannot be used here and now. */
  readonly apply: (value: T) => void;
  /** Takes a sentence for contents that are of no use, and when there is one of use again after that. */
  readonly report: (sentence: string) => void;
}

/** See the module's comment. Follows until it is closed. */
export class FileFollower<T> {
  readonly #options: FollowOptions<T>;
  /** What was applied last. */
  #used: T;
  #closed = false;

  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = Infinity;
  #running = false;
  /** Whether the next look reads the files though they look the same. */
  #mustRead = true;
  /** What the files looked like when they were read last; "" when that says nothing. */
  #stamp = "";

  #watcher: Deno.FsWatcher | undefined;

  /** When they were read last. */
  #readMs = 0;
  /** The fault found by the last reading, "" when there was none. */
  #fault = "";
  #faultSinceMs = 0;
  /** The one reported last, "" when there was a content of use since. */
  #reported = "";
  readonly #reports = new TokenBucket(FOLLOWER_REPORTS_MAX_COUNT, FOLLOWER_REPORT_INTERVAL_MS);

  constructor(options: FollowOptions<T>) {
    this.#options = options;
    this.#used = options.current;
    if (options.watchedFolder !== undefined) this.#watch(options.watchedFolder);
    this.#schedule(0);
  }

  /** Reads the files now, and reports what is wrong with them even if that was reported before. */
  reload(): void {
    this.#fault = "";
    this.#reported = "";
    this.#mustRead = true;
    this.#schedule(0);
  }

  /** Stops following; nobody is told anything after it. Idempotent. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    try {
      this.#watcher?.close();
    } catch {
      // It has ended by itself.
    }
  }

  async #watch(folder: string): Promise<void> {
    try {
      this.#watcher = Deno.watchFs(folder, { recursive: false });
      for await (const event of this.#watcher) {
        // Our own readings are events, too.
        if (event.kind === "access") continue;
        this.#mustRead = true;
        this.#schedule(FOLLOWER_DEBOUNCE_MS);
      }
    } catch {
      // The folder is not there or has gone, or the system allows no more watches: looking at intervals goes on.
    }
  }

  /** Looks in `delayMs` at the latest. */
  #schedule(delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    if (this.#closed || dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#look(), delayMs);
  }

  async #look(): Promise<void> {
    this.#dueMs = Infinity;
    if (this.#running) return this.#schedule(FOLLOWER_RETRY_MS);
    this.#running = true;
    const { paths, read, pollMs } = this.#options;
    try {
      if (this.#isFaultDue || this.#mustRead || await stampOf(paths) !== this.#stamp || this.#stamp === "") {
        this.#mustRead = false;
        this.#readMs = performance.now();
        // That comes first: what changes behind the reading makes another one.
        this.#stamp = await stampOf(paths);
        const reading = await read();
        if (!this.#closed) this.#take(reading);
      }
    } finally {
      this.#running = false;
    }
    // All followers look at the same moments: to wake an idle process costs more than to look.
    this.#schedule(pollMs - performance.now() % pollMs);
  }

  /** Whether a fault is to be looked into again: it may be one of the moment, as when there is no descriptor left. */
  get #isFaultDue(): boolean {
    if (this.#fault === "") return false;
    return this.#fault !== this.#reported || performance.now() - this.#readMs >= FOLLOWER_FAULT_INTERVAL_MS;
  }

  #take(reading: Reading<T>): void {
    const { name, fallback, faultMs, report } = this.#options;
    const { fault, content } = "value" in reading ? this.#apply(reading.value) : reading;
    if (fault === "") {
      if (this.#reported !== "") report(`${name} is valid again`);
      this.#fault = this.#reported = "";
      return;
    }
    // The content belongs to the comparison: another bad content with the same fault is another mistake.
    const seen = `${fault}\n${content}`;
    const nowMs = performance.now();
    if (seen !== this.#fault) {
      this.#fault = seen;
      this.#faultSinceMs = nowMs;
    }
    if (nowMs - this.#faultSinceMs < faultMs) return this.#schedule(FOLLOWER_RETRY_MS);
    if (seen === this.#reported || !this.#reports.take(nowMs)) return;
    this.#reported = seen;
    report(`${fault}; ${fallback}`);
  }

  /** Has a value applied; what stands against that is a fault of the files, too. */
  #apply(value: T): { fault: string; content?: string } {
    try {
      if (!this.#options.isSame(this.#used, value)) this.#options.apply(value);
      this.#used = value;
      return { fault: "" };
    } catch (error) {
      if (!(error instanceof InmemError)) throw error;
      return { fault: error.message };
    }
  }
}

/** What files look like without being read; "" when one has just been changed, and may be once more within the same tick. */
async function stampOf(paths: readonly string[]): Promise<string> {
  const parts = await Promise.all(paths.map(async (path) => {
    try {
      const { dev, ino, size, mode, uid, mtime, ctime } = await Deno.stat(path);
      const [changedMs, movedMs] = [mtime?.getTime() ?? 0, ctime?.getTime() ?? 0];
      if (Math.abs(Date.now() - Math.max(changedMs, movedMs)) < FOLLOWER_RECENT_MS) return "";
      return [dev, ino, size, mode, uid, changedMs, movedMs].join(" ");
    } catch (error) {
      return (error as Error).name;
    }
  }));
  return parts.includes("") ? "" : parts.join("\n");
}
