/**
 * The store: keys with strings, lists, hashes and sets, deadlines, and exact LRU eviction under a memory limit.
 *
 * All data is in one arena as large as the limit (arena.ts). No JavaScript object exists per key, so a hundred million
 * keys cost the garbage collector nothing, and the limit cannot be exceeded. Reading order of this folder:
 *
 * | file | what |
 * |---|---|
 * | arena.ts | pages, size classes, compaction |
 * | block.ts | what a block contains, and the traits of each kind of block |
 * | siphash.ts, table.ts | from a key to its entry |
 * | recency.ts, deadlines.ts | which entry is removed next |
 * | entries.ts | one entry: created, reshaped, moved, unlinked |
 * | blob.ts, chain.ts | what large values consist of: pieces of bytes, and linked parts |
 * | value/ | a file for each type of value: string.ts, list.ts, hash.ts, set.ts; value_type.ts is what they have in common |
 * | keyspace.ts | all keys: found, expired, renamed, removed |
 * | room.ts | eviction and compaction before a command |
 * | copy.ts, random_stream.ts | copies of values, and random choices |
 * | snapshot_cursor.ts, journal.ts | visiting all keys between commands, and reporting changes |
 *
 * A command makes room (`store.room.make`), looks its keys up (`store.find`), and reads or changes values through the
 * class of their type (`store.lists.push`).
 *
 * **Time.** The store has no clock: its owner sets `nowMs`. (A time in ms has more than 32 bits, so passing it with
 * each call would box it each time.) An expired key is removed when it is looked up, or by `expireDue`.
 *
 * **References.** An entry is a positive number; 0 means an absent key. An entry is valid until room is made again,
 * until `remove`, or until the next change of its key, which returns the entry to use from then on. Cursors are valid
 * until the next change.
 *
 * **Journals.** The store reports each change to the journals that are attached (journal.ts, journals.ts).
 *
 * The store is not safe for concurrent use. It never waits.
 *
 * @module
 */

import { EFFECTS } from "../effects.ts";
import { Arena, PAGE_BYTES } from "./arena.ts";
import { EntryType } from "./block.ts";
import { Copier } from "./copy.ts";
import { Entries } from "./entries.ts";
import { Keyspace } from "./keyspace.ts";
import { Room } from "./room.ts";
import { Hashes } from "./value/hash.ts";
import { Lists } from "./value/list.ts";
import { Sets } from "./value/set.ts";
import { Strings } from "./value/string.ts";
import type { ValueTypes } from "./value/value_type.ts";

export { EntryType };
export type { ValueTypeNumber } from "./block.ts";
export type { HeldKeys } from "./keyspace.ts";

/** The options of a {@linkcode Store}. */
export interface StoreOptions {
  /** The memory for everything the store holds, its tables included, in bytes. */
  readonly memoryLimitBytes: number;
  /**
   * Whether the least recently used keys are evicted for new ones. Otherwise, writes are refused when the store is
   * full.
   */
  readonly evicts: boolean;
  /** Two random 32-bit words. A client that does not know them cannot choose colliding keys. */
  readonly seed: readonly [number, number];
}

/** Sizes in bytes, and counts since the start. */
export interface StoreStatistics {
  /** The size of the data: arena slots in use, and tables. */
  readonly usedBytes: number;
  /** The most that `usedBytes` was when it was looked at. */
  readonly peakBytes: number;
  /** The `usedBytes` of the store before it had any key. */
  readonly startupBytes: number;
  /** The size of the pages in use: `usedBytes` and the free slots between them. */
  readonly committedBytes: number;
  readonly limitBytes: number;
  /** The size of the tables of keys and fields. */
  readonly tableBytes: number;
  /** The size of the allocator's own tables, which are outside the limit: less than 0.04 % of it. */
  readonly accountBytes: number;
  readonly keys: number;
  readonly keysWithDeadline: number;
  /** The mean time to live of the keys that have one, in ms; 0 when there is none. */
  readonly meanTtlMs: number;
  readonly evictedKeys: number;
  readonly expiredKeys: number;
  readonly hits: number;
  readonly misses: number;
}

/** The bytes that an entry takes in a table on average while the table grows. */
const PLACE_BYTES = 9;

/**
 * A database of keys with strings, lists, hashes and sets in one arena, with deadlines and LRU eviction. Not safe for
 * concurrent use.
 */
export class Store extends Keyspace {
  readonly strings: Strings;
  readonly lists: Lists;
  readonly hashes: Hashes;
  readonly sets: Sets;
  readonly types: ValueTypes;
  readonly room: Room;
  readonly #entries: Entries;
  readonly #arena: Arena;
  readonly #copier: Copier;
  readonly #startupBytes: number;
  #peakBytes = 0;

  /**
   * @throws {RangeError} when the system does not grant a buffer of that size
   */
  constructor(options: StoreOptions) {
    const entries = new Entries(new Arena(options.memoryLimitBytes), options.seed);
    super(entries);
    this.#entries = entries;
    this.#arena = entries.arena;
    this.strings = new Strings(this, entries);
    this.lists = new Lists(this, entries);
    this.hashes = new Hashes(this, entries);
    this.sets = new Sets(this, entries);
    this.types = {
      [EntryType.String]: this.strings,
      [EntryType.List]: this.lists,
      [EntryType.Hash]: this.hashes,
      [EntryType.Set]: this.sets,
    };
    this.#copier = new Copier(entries, this);
    this.room = new Room(this, entries, this.#copier, options.evicts);
    this.#startupBytes = this.#usedBytes;
  }

  /** The arena's memory, for advising the system about it. Only the store reads or changes its contents. */
  get memory(): Uint8Array<ArrayBuffer> {
    return this.#arena.bytes;
  }

  /**
   * The function called after each megabyte of the arena that is used for the first time, with the bytes used so far.
   */
  set onGrowth(callback: (frontier: number) => void) {
    this.#arena.onGrowth = callback;
  }

  /** Sets the counts of evicted and expired keys to zero. */
  resetStatistics(): void {
    this.room.evictedKeys =
      this.expiredKeys =
      this.hits =
      this.misses =
        0;
  }

  /** Looks how many bytes are used now, for the peak. It is called several times a second. */
  notePeak(): void {
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
  }

  get #usedBytes(): number {
    return this.#arena.usedBytes + this.#arena.tablePages * PAGE_BYTES;
  }

  /** The current sizes and counts, as a new object. */
  get statistics(): StoreStatistics {
    const arena = this.#arena;
    const { deadlines } = this.#entries;
    this.notePeak();
    return {
      usedBytes: this.#usedBytes,
      peakBytes: this.#peakBytes,
      startupBytes: this.#startupBytes,
      committedBytes: (arena.usablePages - arena.freePages) * PAGE_BYTES,
      limitBytes: this.room.limitBytes,
      tableBytes: arena.tablePages * PAGE_BYTES,
      accountBytes: arena.accountBytes,
      keys: this.size,
      keysWithDeadline: deadlines.count,
      meanTtlMs: Math.max(0, Math.round(deadlines.meanMs - this.nowMs)),
      evictedKeys: this.room.evictedKeys,
      expiredKeys: this.expiredKeys,
      hits: this.hits,
      misses: this.misses,
    };
  }

  /**
   * Copies an entry with its deadline to another key, which must be absent and becomes the most recently used. Needs
   * the room that `room.makeForCopy` makes. The room of a small command suffices for a packed value (`isPacked`) and
   * for a string of up to 4 KiB.
   *
   * @returns the copy's entry; the original's entry stays valid
   */
  copyEntry(entry: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    this.changes++;
    if (this.journal !== undefined) {
      const effect = this.effect(EFFECTS.copy, entry);
      effect.setValue(key, keyStart, keyLength);
      this.report(effect);
    }
    const make = () => this.#copier.copy(entry, key, keyStart, keyLength);
    return this.#entries.cursor.copying(entry, make);
  }

  /**
   * Returns the bytes that a key and its value take: their blocks in the arena, rounding included, and 9 for each place
   * in a table.
   *
   * @param samples the number of parts (leaves of a list or a set, fields of a hash) that are measured in a large
   * value; the others count as their average. 0: all
   */
  entryBytes(entry: number, samples: number): number {
    return this.#blockBytes(entry, samples) + (1 + this.typeOf(entry).fieldsCount(entry)) * PLACE_BYTES;
  }

  /**
   * Estimates what {@linkcode entryBytes} returns. It takes a microsecond or a few, however large the value is. Values
   * of one block are exact.
   */
  estimateBytes(entry: number): number {
    const type = this.typeOf(entry);
    return this.#arena.sizeAt(entry) + type.estimatePartsBytes(entry) + (1 + type.fieldsCount(entry)) * PLACE_BYTES;
  }

  /** Returns the bytes of an entry's blocks. */
  #blockBytes(entry: number, samples: number): number {
    return this.#arena.sizeAt(entry) + this.typeOf(entry).partsBytes(entry, samples);
  }

  /**
   * Compares the bytes that all entries take with the allocator's count. For tests: it visits everything.
   *
   * @returns the bytes in use by the allocator's count less the bytes reachable: 0 unless there is a leak
   */
  audit(): number {
    let reachable = 0;
    for (const list of [this.#entries.recency, this.#entries.garbage]) {
      for (let entry = list.oldest; entry !== 0; entry = list.newer(entry)) {
        reachable += this.#blockBytes(entry, 0);
      }
    }
    return this.#arena.usedBytes - reachable;
  }
}
