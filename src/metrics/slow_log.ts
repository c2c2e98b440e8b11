/**
 * The slow log: the last commands that took longer than a threshold, for `slowlog get`.
 *
 * ```text
 * note ──► [ 41 | 42 | 43 | 44 ]        the oldest entry leaves when there are too many, or when they need too much memory
 *            oldest        newest
 * ```
 *
 * Entries have the form of Redis's: at most 32 words of at most 128 bytes, and `(redacted)` in place of each secret.
 * Nothing here is called for a command below the threshold.
 *
 * @module
 */

import {
  SLOW_LOG_ENTRY_BYTES,
  SLOW_LOG_MAX_BYTES,
  SLOW_LOG_WORD_MAX_BYTES,
  SLOW_LOG_WORDS_MAX_COUNT,
} from "../limits.ts";
import { cutWords, type FindSecrets, type Words } from "./request_words.ts";

/** The threshold at the start, in microseconds, as in Redis. */
const THRESHOLD_DEFAULT_US = 10_000;
/** The most entries at the start, as in Redis. */
const LENGTH_DEFAULT_COUNT = 128;

/** The client whose command was slow. */
export interface SlowClient {
  /** The address of the client, as `host:port`. */
  readonly address: string;
  readonly name: string;
}

/** One slow command. */
export interface SlowEntry {
  /** A number that no other entry has had since the start. */
  readonly id: number;
  /** The time at which the command ended, in ms since 1970. */
  readonly timeMs: number;
  readonly durationUs: number;
  readonly words: readonly Uint8Array[];
  readonly address: string;
  readonly name: string;
}

/** The slow log of one role. */
export class SlowLog {
  /**
   * The duration from which a command is slow, in microseconds. 0 means that every command is, and a negative number
   * that none is.
   */
  thresholdUs = THRESHOLD_DEFAULT_US;
  readonly #findSecrets: FindSecrets;
  readonly #entries: SlowEntry[] = [];
  #bytes = 0;
  #maxCount = LENGTH_DEFAULT_COUNT;
  #nextId = 0;

  /** @param findSecrets finds the words of a request that must not be shown */
  constructor(findSecrets: FindSecrets) {
    this.#findSecrets = findSecrets;
  }

  /** The most entries. */
  get maxCount(): number {
    return this.#maxCount;
  }

  set maxCount(maxCount: number) {
    this.#maxCount = maxCount;
    this.#trim();
  }

  /** The number of entries. */
  get count(): number {
    return this.#entries.length;
  }

  /** The number of commands that were added since the start. */
  get total(): number {
    return this.#nextId;
  }

  /**
   * Adds a command, if it is slow.
   *
   * @param words borrowed until return
   * @param nowMs the present in ms since 1970
   */
  note(words: Words, durationUs: number, client: SlowClient, nowMs: number): void {
    if (this.thresholdUs < 0 || durationUs < this.thresholdUs || this.#maxCount === 0) return;
    const shown = cutWords(words, this.#findSecrets(words), SLOW_LOG_WORDS_MAX_COUNT, SLOW_LOG_WORD_MAX_BYTES);
    const { address, name } = client;
    const entry = {
      id: this.#nextId++,
      timeMs: nowMs,
      durationUs: Math.round(durationUs),
      words: shown,
      address,
      name,
    };
    this.#entries.push(entry);
    this.#bytes += sizeOf(entry);
    this.#trim();
  }

  /** Returns the newest entries, the newest first. */
  newest(count: number): SlowEntry[] {
    return this.#entries.slice(Math.max(0, this.#entries.length - count)).reverse();
  }

  /** Forgets all entries. */
  clear(): void {
    this.#entries.length = this.#bytes = 0;
  }

  #trim(): void {
    let removed = 0;
    while (this.#entries.length - removed > this.#maxCount || this.#bytes > SLOW_LOG_MAX_BYTES) {
      this.#bytes -= sizeOf(this.#entries[removed++]!);
    }
    if (removed > 0) this.#entries.splice(0, removed);
  }
}

/** Returns the memory of an entry, in bytes. */
function sizeOf({ words, name }: SlowEntry): number {
  return words.reduce(
    (size, word) => size + SLOW_LOG_ENTRY_BYTES / 4 + word.length,
    SLOW_LOG_ENTRY_BYTES + name.length,
  );
}
