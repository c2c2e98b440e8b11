/**
 * The store: keys with strings, lists and hashes, deadlines, and exact LRU eviction under a memory limit.
 *
 * All data is in one arena as large as the limit (arena.ts). No JavaScript object exists per key, so a hundred million
 * keys cost the garbage collector nothing, and the limit cannot be exceeded. Reading order of this folder:
 *
 * | file | what |
 * |---|---|
 * | arena.ts | pages, size classes, compaction |
 * | block.ts | what a block contains |
 * | siphash.ts, table.ts | from a key to its entry |
 * | recency.ts, deadlines.ts | which entry is removed next |
 * | entries.ts | one entry: created, reshaped, moved, removed |
 * | blob.ts, packed.ts, list.ts, list_parts.ts, list_edit.ts, hash.ts | values |
 * | copy.ts, random_stream.ts | copies of values, and random choices |
 * | snapshot_cursor.ts, journal.ts | visiting all keys between commands, and reporting changes |
 *
 * **Room.** Only `makeRoom` and `makeRoomForCopy` evict keys and move blocks. A command that may need memory first
 * calls one of them with the number of bytes that it adds. All it does afterwards finds room, so references stay valid
 * while it runs, and a refused command has changed nothing. An operation that needs more room than the bytes of its
 * arguments documents that. There are two thresholds of free pages. Below the comfortable one, each command evicts
 * about as much as it adds. Below the necessary one, eviction and compaction continue until it is reached.
 *
 * **Time.** The store has no clock: its owner sets `nowMs`. (A time in ms has more than 32 bits, so passing it with
 * each call would box it each time.) An expired key is removed when it is looked up, or by `expireDue`.
 *
 * **References.** An entry is a positive number; 0 means an absent key. An entry is valid until the next `makeRoom` or
 * `remove`, or until the next change of its key, which returns the entry to use from then on. Cursors are valid until
 * the next change.
 *
 * **Journal.** The store reports each change to its `journal` (journal.ts).
 *
 * The store is not safe for concurrent use. It never waits.
 *
 * @module
 */

import { copyBytes, copyViewed } from "../bytes.ts";
import { StoreFullError } from "../errors.ts";
import {
  FREED_AT_ONCE_MAX_COUNT,
  FREEING_STEPS_COUNT,
  PREFETCH_KEYS_MIN_COUNT,
  PREFETCH_MAX_COUNT,
} from "../limits.ts";
import { Arena, CLASS_SIZES, PAGE_BYTES } from "./arena.ts";
import {
  EntryType,
  FLAG_DEADLINE,
  FLAG_DETACHED,
  HEADER_BYTES,
  keyLengthOf,
  KIND_DIRECTORY,
  KIND_HASH,
  KIND_LEAF,
  KIND_LIST,
  KIND_PIECE,
  KIND_STRING_BLOB,
  KIND_STRING_SHORT,
  kindOf,
  SHORT_MAX_BYTES,
  topOf,
  TRAIT_CHAIN,
  TRAIT_INLINE,
  TRAIT_PACKED,
  traitsOf,
  TYPES,
  withShortLength,
} from "./block.ts";
import { Copier } from "./copy.ts";
import { Entries } from "./entries.ts";
import { Hashes } from "./hash.ts";
import type { Journal } from "./journal.ts";
import { Lists } from "./list.ts";
import { ListEditor } from "./list_edit.ts";
import { ListParts } from "./list_parts.ts";
import { Prefetcher } from "./prefetch.ts";
import { RandomStream } from "./random_stream.ts";
import type { RecencyList } from "./recency.ts";
import type { SnapshotCursor } from "./snapshot_cursor.ts";
import type { Table } from "./table.ts";

export { EntryType };

/** Keys that must not be evicted or expire while a long command is between two of its steps. */
export interface HeldKeys {
  /** Returns whether a key with this hash (`Store.keyHash`) may be one of the held keys. */
  holds(hash: number): boolean;
  /**
   * Returns whether a command other than the one whose step is running holds the key, so that it must not be removed
   * although it has expired.
   */
  spares(hash: number): boolean;
}

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
  /** The size of the pages in use: `usedBytes` and the free slots between them. */
  readonly committedBytes: number;
  readonly limitBytes: number;
  /** The size of the tables of keys and fields. */
  readonly tableBytes: number;
  /** The size of the allocator's own tables, which are outside the limit: less than 0.04 % of it. */
  readonly accountBytes: number;
  readonly keys: number;
  readonly keysWithDeadline: number;
  readonly evictedKeys: number;
  readonly expiredKeys: number;
}

const SHORT_HEADER_BYTES = HEADER_BYTES[topOf(KIND_STRING_SHORT, 0)]!;

/**
 * Free pages that any small command may need: one for each class of which it allocates blocks.
 *
 * - `hset` of three fields, the last of which turns a packed hash into a large one, needs the most: two packed sizes,
 *   the HASH entry, fields of 11 classes up to 512 bytes, the last field, and two pages of the table.
 * - Inserting into a list needs at most 8: the entry and the first leaf and directory of a list that becomes large, a
 *   leaf that has grown, two new leaves, two directories and a piece.
 * - Renaming needs 6: two sizes of the entry, two pieces of a value that no longer fits in the entry, and two pages of
 *   the table.
 */
const PAGES_NECESSARY = 18;
const PAGES_COMFORTABLE_MIN = 20;
/** The comfortable number of free pages is the number of all pages divided by this. */
const PAGES_COMFORTABLE_SHARE = 128;
const PAGES_COMFORTABLE_MAX = 64;
/** A command that adds fewer bytes than this needs no pages beyond the necessary ones. */
const SMALL_BYTES = 4096;
const SMALL_ARGUMENTS = 8;
/**
 * The bytes that a large value takes for each byte of data (blob.ts), without its last piece, which counts as short
 * data.
 */
const LARGE_FACTOR = PAGE_BYTES / (PAGE_BYTES - 16);
/**
 * The most bytes that shorter data takes for each of its bytes: a key just above half a page takes a page, and a leaf
 * may have room for two elements, but not for three.
 */
const SHORT_FACTOR = 2;
/** The most keys that are evicted in one step of making room: 50 µs. */
const ROOM_STEPS_COUNT = 128;
/** The number of those evictions that take as long as compacting a page or freeing a part of a large value. */
const PAGE_STEPS = 64;
/** The bytes that a small entry takes in addition to its key and value, for estimating how much to evict. */
const ENTRY_OVERHEAD_BYTES = 24;

/**
 * The most bytes that a field of a large hash takes in the table, in addition to its block: see `Table`, overflowing
 * buckets.
 */
const COPIED_FIELD_BYTES = 24;
/** The bytes that an entry takes in a table on average while the table grows. */
const PLACE_BYTES = 9;
/**
 * The number of expired keys that are chosen at random and removed before the search ends: nearly all keys have expired
 * then.
 */
const EXPIRED_TRIES_MAX_COUNT = 100;

/** Returns the number of pages that `bytes` in `count` arguments may need beyond the necessary ones. */
function pagesFor(bytes: number, count: number): number {
  let pages = 0;
  if (bytes >= SMALL_BYTES) {
    const short = Math.min(bytes, count * PAGE_BYTES);
    pages = Math.ceil((bytes * LARGE_FACTOR + short * (SHORT_FACTOR - LARGE_FACTOR)) / PAGE_BYTES) + 1;
  }
  if (count > SMALL_ARGUMENTS) {
    const overhead = count * ENTRY_OVERHEAD_BYTES;
    // Twice: an entry may first be created without its deadline, and again with it.
    pages += Math.ceil(2 * overhead / PAGE_BYTES) + Math.min(count, classesWithin(2 * (bytes + overhead)));
  }
  return pages;
}

/** Returns the least number of pages that an entry takes whose copy has `bytes`. */
function pagesBeside(bytes: number, entry: number): number {
  return entry === 0 ? 0 : Math.floor(bytes / PAGE_BYTES);
}

/** Returns a number of pages that is at least that of {@linkcode pagesFor}, with fewer steps. */
function mostPagesFor(bytes: number, count: number): number {
  return (SHORT_FACTOR * (bytes + count * ENTRY_OVERHEAD_BYTES)) / PAGE_BYTES + CLASS_SIZES.length + 4;
}

/** Returns the largest number of size classes that blocks of `bytes` in total can have. */
function classesWithin(bytes: number): number {
  let classes = 0;
  for (let left = bytes; left > 0 && classes < CLASS_SIZES.length; classes++) left -= CLASS_SIZES[classes]!;
  return classes;
}

/**
 * A database of keys with strings, lists and hashes in one arena, with deadlines and LRU eviction. Not safe for
 * concurrent use.
 */
export class Store {
  /** The number of changes of data so far: writes, evictions, expiries. */
  changes = 0;
  /** The current time, in ms since 1970: an integer. The caller sets it. */
  nowMs = 0;
  /** Whether looking up a key makes it the most recently used. The caller sets it. */
  touches = true;
  /** Whether the least recently used keys are evicted for new ones. */
  evicts: boolean;
  /** The receiver of each change. */
  journal: Journal | undefined;
  /** The keys that must not be removed now, or undefined when no long command is running. Its owner sets it. */
  held: HeldKeys | undefined;
  readonly #entries: Entries;
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  readonly #keys: Table;
  readonly #recency: RecencyList;
  readonly #prefetcher: Prefetcher;
  readonly #lists: Lists;
  readonly #listParts: ListParts;
  readonly #listEditor: ListEditor;
  readonly #hashes: Hashes;
  readonly #copier: Copier;
  readonly #random = new RandomStream();
  readonly #pagesComfortableAlone: number;
  /** The number of pages that long commands keep free for their next steps. */
  #pagesKept = 0;
  /** Whether eviction skips the most recently used key. */
  #keepsNewest = false;
  #evictedKeys = 0;
  #expiredKeys = 0;

  /**
   * @throws {RangeError} when the system does not grant a buffer of that size
   */
  constructor(options: StoreOptions) {
    this.#arena = new Arena(options.memoryLimitBytes);
    this.#entries = new Entries(this.#arena, options.seed);
    this.#words = this.#arena.words;
    this.#bytes = this.#arena.bytes;
    this.#view = this.#arena.view;
    this.#keys = this.#entries.keys;
    this.#recency = this.#entries.recency;
    this.#prefetcher = new Prefetcher(this.#entries);
    this.#listParts = new ListParts(this.#entries);
    this.#lists = new Lists(this.#entries, this.#listParts);
    this.#listEditor = new ListEditor(this.#entries, this.#lists, this.#listParts);
    this.#hashes = new Hashes(this.#entries);
    this.#copier = new Copier(this.#entries, this.#listParts, this.#hashes);
    this.evicts = options.evicts;
    const share = Math.floor(this.#arena.pageCount / PAGES_COMFORTABLE_SHARE);
    this.#pagesComfortableAlone = Math.min(PAGES_COMFORTABLE_MAX, Math.max(PAGES_COMFORTABLE_MIN, share));
  }

  /** The number of free pages that small commands do not use. */
  get #pagesComfortable(): number {
    return this.#pagesComfortableAlone + this.#pagesKept;
  }

  /** The number of keys, including those that have expired but were not removed yet. */
  get size(): number {
    return this.#keys.count;
  }

  /** The arena's memory, for advising the system about it. Only the store reads or changes its contents. */
  get memory(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /**
   * The function called after each megabyte of the arena that is used for the first time, with the bytes used so far.
   */
  set onGrowth(callback: (frontier: number) => void) {
    this.#arena.onGrowth = callback;
  }

  /** Sets the counts of evicted and expired keys to zero. */
  resetStatistics(): void {
    this.#evictedKeys = this.#expiredKeys = 0;
  }

  /** The current sizes and counts, as a new object. */
  get statistics(): StoreStatistics {
    const arena = this.#arena;
    const tableBytes = arena.tablePages * PAGE_BYTES;
    return {
      usedBytes: arena.usedBytes + tableBytes,
      committedBytes: (arena.pageCount - arena.freePages) * PAGE_BYTES,
      limitBytes: arena.pageCount * PAGE_BYTES,
      tableBytes,
      accountBytes: arena.accountBytes,
      keys: this.size,
      keysWithDeadline: this.#entries.deadlines.count,
      evictedKeys: this.#evictedKeys,
      expiredKeys: this.#expiredKeys,
    };
  }

  // Room.

  /**
   * Makes room for a command that adds `bytes` in `count` arguments. To be called before the command's first look-up.
   *
   * @throws {StoreFullError} when there cannot be room; keys were removed for it only if eviction is on
   */
  makeRoom(bytes: number, count = 1): void {
    const spare = this.#arena.freePages - this.#pagesComfortable;
    if (spare >= 0 && bytes < SMALL_BYTES && count <= SMALL_ARGUMENTS) return;
    // Nearly always there is more than enough room, and then the exact amount need not be computed.
    if (spare >= mostPagesFor(bytes, count)) return;
    this.#reclaim(bytes, count, pagesFor(bytes, count), 0);
  }

  /**
   * Does a part of {@linkcode makeRoom}, for a command that adds much data. Evicts and moves a little, and throws
   * nothing.
   *
   * @param beside an entry of which `bytes` are a copy, so that it becomes the most recently used and is not evicted; 0
   * for none
   * @returns whether `makeRoom` has little left to do: there is room, or there cannot be any
   */
  makeRoomPart(bytes: number, count: number, beside = 0): boolean {
    const arena = this.#arena;
    const extra = pagesFor(bytes, count);
    const comfortable = this.#pagesComfortable + extra;
    const necessary = PAGES_NECESSARY + extra + this.#pagesKept + pagesBeside(bytes, beside);
    if (necessary > arena.pageCount - arena.tablePages) return true;
    this.#keepBeside(beside);
    try {
      for (let left = ROOM_STEPS_COUNT; arena.freePages < comfortable;) {
        if (left <= 0) return false;
        if (this.#dismantle(FREEING_STEPS_COUNT) || arena.compact(this.#moved)) left -= PAGE_STEPS;
        else if (this.evicts && this.#evict()) left--;
        else return true;
      }
    } finally {
      this.#keepsNewest = false;
    }
    return true;
  }

  /**
   * Makes the rest of the room for a copy after {@linkcode makeRoomPart}.
   *
   * @throws {StoreFullError} when there cannot be room
   */
  makeRoomBeside(bytes: number, count: number, beside: number): void {
    this.#keepBeside(beside);
    try {
      this.#reclaim(bytes, count, pagesFor(bytes, count), pagesBeside(bytes, beside));
    } finally {
      this.#keepsNewest = false;
    }
  }

  #keepBeside(beside: number): void {
    if (beside === 0) return;
    this.#recency.touch(beside);
    this.#keepsNewest = true;
  }

  /**
   * Keeps pages free for a command that has made room and uses it in steps. Other commands cannot use those pages.
   *
   * @param bytes the bytes that the command will still add, in `count` arguments; 0 and 0 when it has ended
   * @param kept the number of pages that this method returned before; 0 at first
   * @returns the number of pages that are kept now
   */
  keepRoom(bytes: number, count: number, kept: number): number {
    const pages = bytes === 0 && count === 0 ? 0 : pagesFor(bytes, count);
    this.#pagesKept += pages - kept;
    return pages;
  }

  /** The number of pages kept for commands: 0 when no command is between two of its steps. */
  get keptPages(): number {
    return this.#pagesKept;
  }

  /**
   * Makes room for `copyEntry` of `entry`, which becomes the most recently used and is not evicted. Other entries may
   * be evicted or moved.
   *
   * @returns the entry's reference from now on
   * @throws {StoreFullError} when both values together exceed the limit
   */
  makeRoomForCopy(entry: number): number {
    const words = this.#words;
    const pages = this.#copier.measure(entry);
    const fields = kindOf(words[entry * 2 + 3]!) === KIND_HASH ? words[entry * 2 + 4]! : 0;
    const tablePages = Math.ceil(fields * COPIED_FIELD_BYTES / PAGE_BYTES);
    this.#recency.touch(entry);
    this.#keepsNewest = true;
    try {
      this.#reclaim(this.#copier.bytes, 1, pages + tablePages, pages);
    } finally {
      this.#keepsNewest = false;
    }
    return this.#recency.newest;
  }

  /**
   * Evicts and compacts until enough pages are free.
   *
   * @param extra the number of pages that are needed beyond the necessary ones
   * @param kept the number of pages that cannot be freed
   */
  #reclaim(bytes: number, count: number, extra: number, kept: number): void {
    const arena = this.#arena;
    const comfortable = this.#pagesComfortable + extra;
    const necessary = PAGES_NECESSARY + extra + this.#pagesKept;
    if (arena.freePages >= comfortable) return;
    if (necessary > arena.pageCount - arena.tablePages - kept) throw new StoreFullError();
    if (this.evicts) {
      const goal = arena.usedBytes - bytes - count * ENTRY_OVERHEAD_BYTES;
      while (arena.usedBytes > goal && (this.#dismantle(FREEING_STEPS_COUNT) || this.#evict()));
    }
    while (arena.freePages < necessary) {
      if (arena.compact(this.#moved) || this.#dismantle(FREEING_STEPS_COUNT)) continue;
      if (!this.evicts || !this.#evict()) throw new StoreFullError();
    }
  }

  /** Removes the least recently used key; returns `false` when there is none. */
  #evict(): boolean {
    let entry = this.#recency.oldest;
    if (this.held !== undefined) entry = this.#oldestNotHeld();
    if (entry === 0 || (this.#keepsNewest && entry === this.#recency.newest)) return false;
    const size = this.#arena.sizeAt(entry);
    this.#evictedKeys++;
    this.journal?.remove(entry, false);
    this.#drop(entry);
    this.#arena.compactAfterFree(size, this.#moved);
    return true;
  }

  /** Returns the least recently used key that is not held, or 0. Older, held keys become the most recently used. */
  #oldestNotHeld(): number {
    const recency = this.#recency;
    const newest = recency.newest;
    for (let left = this.size; left > 0; left--) {
      const entry = recency.oldest;
      if (!this.isHeld(entry)) return entry;
      recency.touch(entry);
      if (this.#keepsNewest && entry !== newest) recency.touch(newest);
    }
    return 0;
  }

  /** Returns whether a long command holds this key ({@linkcode HeldKeys}). */
  isHeld(entry: number): boolean {
    return this.held !== undefined && this.held.holds(this.#words[entry * 2 + 2]! | 0);
  }

  /** Returns the 32-bit hash of a key, as a signed number. Equal keys have equal hashes. */
  keyHash(key: Uint8Array, start: number, length: number): number {
    return this.#entries.hashKey(key, start, length) | 0;
  }

  /** Frees some parts of removed values; returns `false` when there are none. */
  #dismantle(budget: number): boolean {
    const garbage = this.#entries.garbage;
    if (garbage.oldest === 0) return false;
    while (garbage.oldest !== 0 && budget > 0) {
      const entry = garbage.oldest;
      const list = kindOf(this.#words[entry * 2 + 3]!) === KIND_LIST;
      budget = list ? this.#lists.dismantle(entry, budget) : this.#hashes.dismantle(entry, budget);
    }
    return true;
  }

  /** Updates the references to a block that compaction has moved. */
  readonly #moved = (from: number, to: number): void => {
    switch (kindOf(this.#words[to * 2 + 3]!)) {
      case KIND_PIECE: {
        const owner = this.#entries.blobs.moved(to);
        if (owner === 0) return;
        if (kindOf(this.#words[owner * 2 + 3]!) === KIND_LEAF) this.#listParts.pieceMoved(owner, from, to);
        else this.#entries.pieceMoved(owner, to);
        return;
      }
      case KIND_LEAF:
        return this.#listParts.leafMoved(from, to);
      case KIND_DIRECTORY:
        return this.#listParts.directoryMoved(to);
      default:
        return this.#entries.moved(from, to);
    }
  };

  // Keys.

  /**
   * Returns the entry of a key and makes it the most recently used; 0 when the key is absent.
   *
   * Successive commands often use the same key, so the entry at the front of the recency list is compared first. That
   * costs a nanosecond or two when it is a different key, and saves hashing, searching and relinking when it is the
   * same.
   */
  find(key: Uint8Array, start: number, length: number): number {
    const newest = this.#recency.newest;
    let entry = newest;
    if (newest === 0 || !this.#isNamed(newest, key, start, length)) {
      entry = this.#keys.find(this.#entries.hashKey(key, start, length), key, start, length, 0, 0);
      if (entry === 0) return 0;
      if (this.touches) this.#recency.touch(entry);
    }
    if ((this.#words[entry * 2 + 3]! & FLAG_DEADLINE) === 0 || !this.hasExpired(entry)) return entry;
    this.#expireFound(entry);
    return 0;
  }

  /** Returns whether an entry has this key. Keys are compared from their ends, where they differ most. */
  #isNamed(entry: number, key: Uint8Array, start: number, length: number): boolean {
    const meta = this.#words[entry * 2 + 3]!;
    if ((meta & 0xffff) !== length) return false;
    const bytes = this.#bytes;
    const at = entry * 8 + HEADER_BYTES[meta >>> 24]!;
    for (let i = length - 1; i >= 0; i--) {
      if (bytes[at + i] !== key[start + i]) return false;
    }
    return true;
  }

  /**
   * Makes the processor load the memory that commands on the next few keys will need, all at the same time
   * (prefetch.ts). Changes nothing, and does nothing while there are so few keys that they are in the processor's
   * caches anyway.
   *
   * The hashes of these keys are kept: call `forgetAhead` before changing `bytes`.
   *
   * @param starts where key `i` begins in `bytes`, for every `step`-th `i` from `from` below `end`
   * @returns the next `i`; `end` or more when there is no need to call again
   */
  prefetch(
    bytes: Uint8Array,
    starts: Int32Array,
    lengths: Int32Array,
    from: number,
    end: number,
    step: number,
  ): number {
    if (this.#keys.count < PREFETCH_KEYS_MIN_COUNT) return end;
    const count = Math.min(PREFETCH_MAX_COUNT, Math.ceil((end - from) / step));
    this.forgetAhead();
    if (count > 1) this.#prefetcher.load(bytes, starts, lengths, from, count, step);
    return from + count * step;
  }

  /** Forgets the hashes that `prefetch` kept. To be called before the bytes that it was given change. */
  forgetAhead(): void {
    this.#entries.hashes.forget();
  }

  /** Whether there are enough keys for {@linkcode prefetch} to have an effect. */
  get isLarge(): boolean {
    return this.#keys.count >= PREFETCH_KEYS_MIN_COUNT;
  }

  /** Returns the entry of a key without making it the most recently used; 0 when the key is absent. */
  peek(key: Uint8Array, start: number, length: number): number {
    const entry = this.#keys.find(this.#entries.hashKey(key, start, length), key, start, length, 0, 0);
    if (entry === 0 || !this.hasExpired(entry)) return entry;
    this.#expireFound(entry);
    return 0;
  }

  /**
   * Removes an expired key, unless a long command uses it: the time of that command does not advance, so the key is
   * left to it.
   */
  #expireFound(entry: number): void {
    if (this.held === undefined || !this.held.spares(this.#words[entry * 2 + 2]! | 0)) this.#expire(entry);
  }

  readonly #expire = (entry: number): void => {
    this.#expiredKeys++;
    this.journal?.remove(entry, false);
    this.#drop(entry);
  };

  /** Returns the type of a key's value. */
  type(entry: number): EntryType {
    return TYPES[kindOf(this.#words[entry * 2 + 3]!)]!;
  }

  /** Returns when a key expires, in ms since 1970; 0: never. */
  deadline(entry: number): number {
    return this.#words[entry * 2 + 3]! & FLAG_DEADLINE ? this.#entries.deadlines.of(entry) : 0;
  }

  /** Returns whether a key has expired but was not removed yet. */
  hasExpired(entry: number): boolean {
    const deadlineMs = this.deadline(entry);
    return deadlineMs !== 0 && deadlineMs <= this.nowMs;
  }

  /** Sets when a key expires; 0: never, which needs no room. Returns its reference from now on. */
  setDeadline(entry: number, deadlineMs: number): number {
    this.changes++;
    this.journal?.setDeadline(entry, deadlineMs);
    return this.#entries.setDeadline(entry, deadlineMs);
  }

  /** Removes a key. A large value is freed later, in steps. */
  remove(entry: number): void {
    this.journal?.remove(entry, true);
    this.#drop(entry);
  }

  #drop(entry: number): void {
    this.changes++;
    const entries = this.#entries;
    if (entry === entries.cursor.partial) entries.cursor.endPartial();
    const meta = this.#words[entry * 2 + 3]!;
    entries.unlink(entry);
    if (traitsOf(meta) & TRAIT_CHAIN) {
      this.#words[entry * 2 + 3] = meta | FLAG_DETACHED;
      entries.garbage.add(entry);
      if (this.#words[entry * 2 + 4]! <= FREED_AT_ONCE_MAX_COUNT) this.#dismantle(FREED_AT_ONCE_MAX_COUNT);
      return;
    }
    entries.freeBlob(entry);
    this.#arena.free(entry);
  }

  /** Removes all keys. */
  clear(): void {
    this.changes++;
    this.journal?.clear();
    this.#entries.clear();
  }

  /** Returns the length of a key in bytes. */
  keyLength(entry: number): number {
    return keyLengthOf(this.#words[entry * 2 + 3]!);
  }

  /** Returns where a key begins in {@linkcode memory}. */
  keyStart(entry: number): number {
    return entry * 8 + HEADER_BYTES[this.#words[entry * 2 + 3]! >>> 24]!;
  }

  /** Copies a key to `target`. */
  copyKey(entry: number, target: Uint8Array, at: number): void {
    const meta = this.#words[entry * 2 + 3]!;
    copyBytes(this.#bytes, entry * 8 + HEADER_BYTES[meta >>> 24]!, target, at, keyLengthOf(meta));
  }

  /**
   * Visits a few keys, including expired ones, and returns the next cursor. A key that exists from the first call, with
   * cursor 0, until 0 is returned, is visited exactly once, regardless of other changes in the meantime.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit a function that must not change the store
   */
  scan(cursor: number, visit: (entry: number) => void): number {
    return this.#keys.scan(cursor, visit);
  }

  /**
   * Renames an entry to a key that must be absent. Its value, deadline and place in the order of use stay. Of a large
   * list or hash, only the entry is changed. Needs the room of a small command.
   *
   * @param key bytes that are not part of the store
   * @returns the entry
   */
  rename(entry: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    this.changes++;
    this.journal?.rename(entry, key, keyStart, keyLength);
    return this.#entries.rename(entry, key, keyStart, keyLength);
  }

  /**
   * Copies an entry with its deadline to another key, which must be absent and becomes the most recently used. Needs
   * the room that `makeRoomForCopy` makes. The room of a small command suffices for a packed value (`isPacked`) and for
   * a string of up to 4 KiB.
   *
   * @returns the copy's entry; the original's entry stays valid
   */
  copyEntry(entry: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    this.changes++;
    this.journal?.copy(entry, key, keyStart, keyLength);
    const make = () => this.#copier.copy(entry, key, keyStart, keyLength);
    return this.#entries.cursor.copying(entry, make);
  }

  /**
   * Returns a random key that has not expired, each with about the same probability; 0 when there is none.
   *
   * @param random a number in [0, 1)
   */
  randomEntry(random: number): number {
    this.#random.begin(random);
    for (let tries = 0; tries < EXPIRED_TRIES_MAX_COUNT; tries++) {
      const entry = this.#keys.choose(this.#random);
      if (entry === 0 || !this.hasExpired(entry)) return entry;
      this.#expireFound(entry);
    }
    return 0;
  }

  /**
   * Returns the bytes that a key and its value take: their blocks in the arena, rounding included, and 9 for each place
   * in a table.
   *
   * @param samples the number of parts (leaves of a list, fields of a hash) that are measured in a large value; the
   * others count as their average. 0: all
   */
  entryBytes(entry: number, samples: number): number {
    const words = this.#words;
    const fields = kindOf(words[entry * 2 + 3]!) === KIND_HASH ? words[entry * 2 + 4]! : 0;
    return this.#blockBytes(entry, samples) + (1 + fields) * PLACE_BYTES;
  }

  /** Returns the bytes of an entry's blocks. */
  #blockBytes(entry: number, samples: number): number {
    const size = this.#arena.sizeAt(entry);
    switch (kindOf(this.#words[entry * 2 + 3]!)) {
      case KIND_LIST:
        return size + this.#lists.partsBytes(entry, samples);
      case KIND_HASH:
        return size + this.#hashes.partsBytes(entry, samples);
      default:
        return size + this.#entries.blobs.bytes(this.#entries.firstPiece(entry));
    }
  }

  /** Returns whether an entry is a list or a hash in one block. */
  isPacked(entry: number): boolean {
    return (traitsOf(this.#words[entry * 2 + 3]!) & TRAIT_PACKED) !== 0;
  }

  /** Returns the least recently used key, or 0. */
  oldest(): number {
    return this.#recency.oldest;
  }

  /** Returns the key that was used next after `entry`, or 0. */
  newer(entry: number): number {
    return this.#recency.newer(entry);
  }

  /**
   * Removes expired keys.
   *
   * @param budget the most steps to take, each of about half a microsecond: an expired key, or a key to look at again
   * later
   * @returns whether more keys are due
   */
  expireDue(budget: number): boolean {
    return this.#entries.deadlines.expire(this.nowMs, budget, this.#expire) === 0;
  }

  /**
   * Returns whether {@linkcode expireDue} may have something to do at `nowMs`, which is at most seconds in the future.
   */
  isDueAt(nowMs: number): boolean {
    return this.#entries.deadlines.isDueAt(nowMs);
  }

  /**
   * Frees parts of large values that were removed before.
   *
   * @param budget the most steps to take, each of about half a microsecond: a leaf of a list, a field of a hash, or 64
   * KiB
   * @returns whether there are more
   */
  freeRemoved(budget: number): boolean {
    this.#dismantle(budget);
    return this.#entries.garbage.oldest !== 0;
  }

  // Strings.

  /** Returns the length of a string in bytes. */
  stringLength(entry: number): number {
    return this.#entries.valueLength(entry);
  }

  /**
   * Copies bytes `[from, from + length)` of a string.
   *
   * @param view a view of `target`, if there is one: it makes copying a few bytes faster
   */
  copyString(entry: number, from: number, target: Uint8Array, at: number, length: number, view?: DataView): void {
    const meta = this.#words[entry * 2 + 3]!;
    if (traitsOf(meta) & TRAIT_INLINE) {
      const start = entry * 8 + HEADER_BYTES[meta >>> 24]! + (meta & 0xffff) + from;
      copyViewed(this.#bytes, this.#view, start, target, view, at, length);
    } else {
      this.#entries.copyValue(entry, from, target, at, length);
    }
  }

  /**
   * Sets a string.
   *
   * @param entry the key's entry, of any type, or 0
   * @param deadlineMs when the key expires; 0: never
   * @param view a view of `value`, if there is one: it makes copying a short value faster
   * @returns the entry
   */
  setString(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    entry: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    deadlineMs: number,
    view?: DataView,
  ): number {
    this.changes++;
    if (this.journal !== undefined) {
      this.journal.setString(entry, key, keyStart, keyLength, deadlineMs, value, valueStart, valueLength, view);
    }
    const entries = this.#entries;
    const words = this.#words;
    if (entry !== 0) {
      const meta = words[entry * 2 + 3]!;
      // Most writes replace a short string with one of about the same size.
      if (
        kindOf(meta) === KIND_STRING_SHORT && deadlineMs === 0 && valueLength <= SHORT_MAX_BYTES &&
        this.#arena.fits(entry, SHORT_HEADER_BYTES + keyLength + valueLength)
      ) {
        words[entry * 2 + 3] = withShortLength(meta, valueLength);
        const at = entry * 8 + SHORT_HEADER_BYTES + keyLength;
        copyViewed(value, view, valueStart, this.#bytes, this.#view, at, valueLength);
        return entry;
      }
      if (TYPES[kindOf(meta)] === EntryType.String) {
        if (this.deadline(entry) !== deadlineMs) entry = entries.setDeadline(entry, deadlineMs);
        return entries.replaceValue(entry, value, valueStart, valueLength);
      }
      this.#drop(entry);
    }
    const kind = entries.stringKind(deadlineMs !== 0, keyLength, valueLength);
    const inlineSize = kind === KIND_STRING_BLOB ? 0 : valueLength;
    const made = entries.create(kind, key, keyStart, keyLength, deadlineMs, inlineSize);
    entries.writeValue(made, value, valueStart, valueLength);
    return made;
  }

  /** Appends to a string. Returns its entry from now on. */
  appendString(entry: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.appendString(entry, source, start, length);
    return this.#entries.appendValue(entry, source, start, length);
  }

  /**
   * Overwrites a string from byte `from` on. Zero bytes fill a gap between its end and `from`. Needs the room of the
   * bytes by which the string grows. Returns its entry from now on.
   */
  overwriteString(entry: number, from: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.overwriteString(entry, from, source, start, length);
    return this.#entries.overwriteValue(entry, from, source, start, length);
  }

  // Lists.

  /** Returns the number of elements. */
  listLength(entry: number): number {
    return this.#lists.length(entry);
  }

  /**
   * Adds an element at the head or the tail of a list. Creates an absent list (`entry` 0). `view` is used as in
   * `setString`. Returns the list's entry.
   */
  listPush(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    entry: number,
    head: boolean,
    source: Uint8Array,
    start: number,
    length: number,
    view?: DataView,
  ): number {
    this.changes++;
    if (this.journal !== undefined) {
      this.journal.listPush(entry, key, keyStart, keyLength, head, source, start, length, view);
    }
    return entry === 0
      ? this.#lists.create(key, keyStart, keyLength, source, start, length)
      : this.#lists.push(entry, head, source, start, length, view);
  }

  /**
   * Puts the cursor on the element at `index`; a negative index counts from the end. Returns `false` if there is none.
   */
  listSeek(entry: number, index: number): boolean {
    return this.#lists.seek(entry, index);
  }

  /** Moves the cursor one element towards the tail; returns `false` after the last. */
  listNext(): boolean {
    return this.#lists.next();
  }

  /** Moves the cursor one element towards the head; returns `false` before the first. */
  listPrevious(): boolean {
    return this.#lists.previous();
  }

  /** Returns whether the element at the cursor equals these bytes. */
  elementEquals(other: Uint8Array, start: number, length: number): boolean {
    return this.#lists.isElement(this.#lists.at, other, start, length);
  }

  /** Returns the length of the element at the cursor. */
  elementLength(): number {
    return this.#lists.elementLength();
  }

  /** Copies the element at the cursor; `view` is used as in `copyString`. */
  copyElement(target: Uint8Array, at: number, view?: DataView): void {
    this.#lists.copyElement(target, at, view);
  }

  /** Copies bytes `[from, from + length)` of the element at the cursor. */
  copyElementPart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#lists.copyElementPart(from, target, at, length);
  }

  /** Replaces the element at `index`, which must exist. Returns the list's entry. */
  listSet(entry: number, index: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.listSet(entry, index, source, start, length);
    return this.#lists.set(entry, index, source, start, length);
  }

  /**
   * Removes the first or the last element. Returns the list's entry, or 0 when the list became empty and its key was
   * removed.
   */
  listPop(entry: number, head: boolean): number {
    this.changes++;
    this.journal?.listRemove(entry, head ? 0 : this.#lists.length(entry) - 1, 1);
    if (this.#lists.pop(entry, head) !== 0) return entry;
    this.#drop(entry);
    return 0;
  }

  /**
   * Inserts an element before the one at `index`, which is 0 to the list's length. Needs the room of a push. Returns
   * the list's entry from now on.
   */
  listInsert(entry: number, index: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.listInsert(entry, index, source, start, length);
    return this.#listEditor.insert(entry, index, source, start, length);
  }

  /**
   * Removes elements `[index, index + count)`, which must exist. Whole leaves between them are freed immediately or,
   * when there are many, later in steps. Needs no room. Returns the list's entry, or 0 when the list became empty and
   * its key was removed.
   */
  listRemove(entry: number, index: number, count: number): number {
    this.changes++;
    this.journal?.listRemove(entry, index, count);
    if (count < this.#lists.length(entry)) {
      this.#listEditor.remove(entry, index, count);
      return entry;
    }
    this.#drop(entry);
    return 0;
  }

  /**
   * Removes elements that equal these bytes, in one pass, and at most `most` of them: the first ones, or the last ones
   * (`fromTail`). Needs no room. The change of the list's length is the number removed.
   *
   * @param most 1 or more; `Infinity` for all
   * @returns the list's entry, or 0 when the list became empty and its key was removed
   */
  listRemoveEqual(
    entry: number,
    fromTail: boolean,
    most: number,
    other: Uint8Array,
    start: number,
    length: number,
  ): number {
    const before = this.#lists.length(entry);
    this.journal?.listRemoveEqual(entry, fromTail, most, other, start, length);
    const count = this.#listEditor.removeEqual(entry, fromTail, most, other, start, length);
    if (count === 0) return entry;
    this.changes++;
    this.journal?.listRemovedEqual(entry, before, fromTail, count, other, start, length);
    if (count < before) return entry;
    this.#drop(entry);
    return 0;
  }

  // Hashes.

  /** Whether the last `hashSet` created a field. */
  get added(): boolean {
    return this.#hashes.added;
  }

  /** Whether the last `hashRemove` found its field. */
  get removed(): boolean {
    return this.#hashes.removed;
  }

  /** Returns the number of fields. */
  hashLength(entry: number): number {
    return this.#hashes.length(entry);
  }

  /**
   * Sets a field of a hash. Creates an absent hash (`entry` 0). `view`, of the value, is used as in `setString`.
   * Returns the hash's entry; `added` is set.
   */
  hashSet(
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    entry: number,
    field: Uint8Array,
    fieldStart: number,
    fieldLength: number,
    value: Uint8Array,
    valueStart: number,
    valueLength: number,
    view?: DataView,
  ): number {
    this.changes++;
    const hashes = this.#hashes;
    if (entry === 0) entry = hashes.create(key, keyStart, keyLength, fieldLength + valueLength);
    entry = hashes.set(entry, field, fieldStart, fieldLength, value, valueStart, valueLength, view);
    if (this.journal !== undefined) {
      const before = hashes.length(entry) - (hashes.added ? 1 : 0);
      this.journal.hashSet(entry, before, field, fieldStart, fieldLength, value, valueStart, valueLength, view);
    }
    return entry;
  }

  /** Puts the cursor on a field; returns `false` when it is absent. */
  hashFind(entry: number, field: Uint8Array, start: number, length: number): boolean {
    return this.#hashes.find(entry, field, start, length);
  }

  /**
   * Puts the cursor on a field so that {@linkcode hashNext} can continue from it; returns `false` when it is absent.
   */
  hashSeek(entry: number, field: Uint8Array, start: number, length: number): boolean {
    return this.#hashes.seek(entry, field, start, length);
  }

  /** Puts the cursor on the first field. */
  hashFirst(entry: number): boolean {
    return this.#hashes.first(entry);
  }

  /** Moves the cursor to the next field, after `hashFirst` or `hashSeek`; returns `false` after the last. */
  hashNext(): boolean {
    return this.#hashes.next();
  }

  /**
   * Puts the cursor on a random field, each with about the same probability. In a hash of n fields, where large hashes
   * have m in all, this takes n / 4 or 5 m / n steps, whichever is fewer. For many fields, it is faster to visit all.
   *
   * @param random a number in [0, 1)
   * @returns `true`: a hash has a field
   */
  hashSeekRandom(entry: number, random: number): boolean {
    this.#random.begin(random);
    this.#hashes.choose(entry, this.#random);
    return true;
  }

  /**
   * Visits a few fields with the cursor on each, and returns the next cursor. A field that exists from the first call,
   * with cursor 0, until 0 is returned, is visited regardless of other changes in the meantime: once, unless fields are
   * removed. All fields of a packed hash are visited in one call.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit a function that must not change the store
   */
  hashScan(entry: number, cursor: number, visit: () => void): number {
    return this.#hashes.scan(entry, cursor, visit);
  }

  /** Returns the length of the field at the cursor. */
  fieldLength(): number {
    return this.#hashes.fieldLength();
  }

  /** Copies the field at the cursor; `view` is used as in `copyString`. */
  copyField(target: Uint8Array, at: number, view?: DataView): void {
    this.#hashes.copyField(target, at, view);
  }

  /** Returns the length of the value at the cursor. */
  valueLength(): number {
    return this.#hashes.valueLength();
  }

  /** Copies the value at the cursor; `view` is used as in `copyString`. */
  copyValue(target: Uint8Array, at: number, view?: DataView): void {
    this.#hashes.copyValue(target, at, view);
  }

  /** Copies bytes `[from, from + length)` of the value at the cursor. */
  copyValuePart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#hashes.copyValuePart(from, target, at, length);
  }

  /**
   * Removes a field and sets `removed`. Returns the hash's entry, or 0 when the hash became empty and its key was
   * removed.
   */
  hashRemove(entry: number, field: Uint8Array, start: number, length: number): number {
    const left = this.#hashes.remove(entry, field, start, length);
    if (!this.removed) return entry;
    this.changes++;
    this.journal?.hashRemove(entry, this.#hashes.length(entry) + 1, field, start, length);
    if (left !== 0) return left;
    this.#drop(entry);
    return 0;
  }

  // Snapshots: visiting all keys between commands (snapshot_cursor.ts).

  /** The state of the snapshot that is being taken. */
  get snapshotCursor(): SnapshotCursor {
    return this.#entries.cursor;
  }

  /** Whether the snapshot has captured the field that the last `hashSet` or `hashRemove` found or created. */
  get isFieldCaptured(): boolean {
    return this.#hashes.epoch === this.#entries.cursor.epoch;
  }

  /** Returns whether a hash is large, so that its fields are captured one by one. */
  isLargeHash(entry: number): boolean {
    return kindOf(this.#words[entry * 2 + 3]!) === KIND_HASH;
  }

  /** Puts the cursor on a field that the snapshot has reached. */
  hashSeekField(entry: number, field: number): void {
    this.#hashes.seekField(entry, field);
  }

  // Accounting.

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
