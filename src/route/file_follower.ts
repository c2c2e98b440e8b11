/**
 * Follows files that a role was started with, while people and programs replace them in any way: the list of servers,
 * certificates, passwords.
 *
 * The files are checked at intervals and read when their size, times or identity have changed. It therefore does not
 * matter how they are replaced (in place, by renaming, by swapping links, with their whole folder), or on which file
 * system they are. Times are coarse, so a file that changed a moment ago is read again later.
 *
 * The folder of the list of servers is also watched, which reports most changes sooner. It is watched only once, and no
 * other folder is. The runtime opens each file that appears in a watched folder, so a named pipe there permanently
 * stops the thread that reports changes, and the main thread with the next folder that it begins to watch.
 *
 * Invalid content changes nothing. It may be half written: half of a file, or one of two files that belong together.
 *
 * - It is soon read again, and reported once, only if it stays the same.
 * - If many invalid contents follow each other, only some are reported.
 * - It is read again from time to time although the files stay the same, since the reason may be temporary, such as a
 *   lack of descriptors.
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

/** The result of reading the files: a value, or why there is none. */
export type Reading<T> = { readonly value: T } | {
  /** A sentence without its full stop. */
  readonly fault: string;
  /** Distinguishes two invalid contents with the same fault. */
  readonly content?: string;
};

/** The files that are followed, and what to do with their values. */
export interface FollowOptions<T> {
  /** The files, which need not exist at the moment. */
  readonly paths: readonly string[];
  /** The name of the files in reports, such as `"servers.json"`. */
  readonly name: string;
  /** The consequence of invalid content, as the end of a report. */
  readonly fallback: string;
  /** A folder that is watched, so that changes in it are noticed sooner. A process may watch only one. */
  readonly watchedFolder?: string;
  /** How often the files are checked, in ms. */
  readonly pollMs: number;
  /** How long invalid content has to stay the same until it is reported, in ms. */
  readonly faultMs: number;
  /** The value in use at the beginning. */
  readonly current: T;
  /** Returns whether two values are equivalent, so that the second one is not applied. */
  readonly isSame: (one: T, other: T) => boolean;
  /** Reads and checks the files. It never rejects. */
  readonly read: () => Promise<Reading<T>> | Reading<T>;
  /** Applies a changed value. It may throw an `InmemError` if the value cannot be used now. */
  readonly apply: (value: T) => void;
  /** Reports a sentence about invalid content, and about the first valid content after that. */
  readonly report: (sentence: string) => void;
}

/** Follows files until it is closed. */
export class FileFollower<T> {
  readonly #options: FollowOptions<T>;
  /** The value that was applied last. */
  #used: T;
  #closed = false;

  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = Infinity;
  /** The check that is under way. */
  #looking: Promise<void> | undefined;
  /** Whether the next check reads the files even if they look the same. */
  #mustRead = true;
  /** The state of the files when they were read last; "" when it is not reliable. */
  #stamp = "";

  #watcher: Deno.FsWatcher | undefined;

  /** When the files were read last. */
  #readMs = 0;
  /** The fault of the last reading, "" when there was none. */
  #fault = "";
  #faultSinceMs = 0;
  /** The fault that was reported last, "" when the content was valid since. */
  #reported = "";
  readonly #reports = new TokenBucket(FOLLOWER_REPORTS_MAX_COUNT, FOLLOWER_REPORT_INTERVAL_MS);

  constructor(options: FollowOptions<T>) {
    this.#options = options;
    this.#used = options.current;
    if (options.watchedFolder !== undefined) this.#watch(options.watchedFolder);
    this.#schedule(0);
  }

  /** Reads the files now, and reports faults even if they were reported before. */
  reload(): void {
    this.#fault = "";
    this.#reported = "";
    this.#mustRead = true;
    this.#schedule(0);
  }

  /**
   * Stops following. Nothing is applied or reported after it. Idempotent.
   *
   * @returns when a check that is under way has ended
   */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    try {
      this.#watcher?.close();
    } catch {
      // The watcher has already ended.
    }
    await this.#looking;
  }

  async #watch(folder: string): Promise<void> {
    try {
      this.#watcher = Deno.watchFs(folder, { recursive: false });
      for await (const event of this.#watcher) {
        // Reading the files causes events, too.
        if (event.kind === "access") continue;
        this.#mustRead = true;
        this.#schedule(FOLLOWER_DEBOUNCE_MS);
      }
    } catch {
      // The folder does not exist or has gone, or the system allows no more watches. The checks at intervals continue.
    }
  }

  /** Schedules a check in at most `delayMs`. */
  #schedule(delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    if (this.#closed || dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(this.#begin, delayMs);
  }

  /** Begins a check, or postpones it while another one is under way. */
  readonly #begin = (): void => {
    this.#dueMs = Infinity;
    if (this.#looking !== undefined) return this.#schedule(FOLLOWER_RETRY_MS);
    this.#looking = this.#look().finally(() => this.#looking = undefined);
  };

  async #look(): Promise<void> {
    const { paths, read, pollMs } = this.#options;
    if (this.#isFaultDue || this.#mustRead || await stampOf(paths) !== this.#stamp || this.#stamp === "") {
      this.#mustRead = false;
      this.#readMs = performance.now();
      // The state is recorded first, so that a change after the reading causes another one.
      this.#stamp = await stampOf(paths);
      const reading = await read();
      if (!this.#closed) this.#take(reading);
    }
    // All followers check at the same moments: waking an idle process costs more than checking.
    this.#schedule(pollMs - performance.now() % pollMs);
  }

  /** Whether a fault should be checked again, since its reason may be temporary, such as a lack of descriptors. */
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
    // The content is part of the comparison: another invalid content with the same fault is another mistake.
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

  /** Applies a value. If it cannot be used, that is a fault of the files, too. */
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

/**
 * Returns the state of files without reading them; "" when one changed a moment ago and may change again in the same
 * tick.
 */
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
