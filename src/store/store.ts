/**
 * The store: keys with strings, lists and hashes, deadlines, and exact LRU under a memory limit.
 *
 * Everything lies in one arena as large as the limit (arena.ts), and no JavaScript object exists per key, so a hundred
 * million keys cost the garbage collector nothing, and the limit cannot be exceeded. Reading order of this folder:
 *
 * | file | what |
 * |---|---|
 * | arena.ts | pages, size classes, compaction |
 * | block.ts | what lies in a block |
 * | siphash.ts, table.ts | from a key to its entry |
 * | recency.ts, deadlines.ts | which entry goes next |
 * | entries.ts | one entry: made, reshaped, moved, removed |
 * | blob.ts, packed.ts, list.ts, list_parts.ts, list_edit.ts, hash.ts | values |
 * | copy.ts, random_stream.ts | copies of values, and choosing by chance |
 * | snapshot_cursor.ts, journal.ts | visiting all keys beside commands, and telling of changes |
 *
 * **Room.** `makeRoom` and `makeRoomForCopy` are the only places that evict keys and move blocks. A command that may need
 * memory calls one first, with the bytes it brings; whatever the command does then finds room, so references stay valid
 * while it runs, and a refused command has changed nothing. What needs more than the command brings says so. Two thresholds
 * of free pages: below the comfortable one, each command evicts about as much as it brings; below the necessary one,
 * eviction and compaction go on until it is reached.
 *
 * **Time.** The store has no clock: its owner sets `nowMs`. (Handed over with each call, a time in ms would be boxed each
 * time: it has more than 32 bits.) An expired key is removed when it is looked at, or by `expireDue`.
 *
 * **References.** An entry is a positive number, 0 for an absent key. It is valid until the next `makeRoom`, `remove`, or
 * change of that key, which answers the one to use from then on. Cursors are valid until the next change.
 *
 * **Journal.** Whoever is `journal` is told of each change (journal.ts).
 *
 * Not for concurrent use; it never waits.
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
  FLAG_DEADLINE,
  FLAG_DETACHED,
  HEADER_BYTES,
  keyLengthOf,
  KIND_DIRECTORY,
  KIND_HASH,
  KIND_HASH_PACKED,
  KIND_LEAF,
  KIND_LIST,
  KIND_LIST_PACKED,
  KIND_PIECE,
  KIND_STRING,
  KIND_STRING_BLOB,
  KIND_STRING_SHORT,
  kindOf,
  SHORT_MAX_BYTES,
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

/** What a key holds. */
export const EntryType = { None: 0, String: 1, List: 2, Hash: 3 } as const;
/** One of the numbers of {@linkcode EntryType}. */
export type EntryType = (typeof EntryType)[keyof typeof EntryType];

/** Keys that must neither be evicted nor expire while a long command is between two of its steps. */
export interface HeldKeys {
  /** Whether a key with that hash (`Store.keyHash`) may be one of them. */
  holds(hash: number): boolean;
  /** Whether others than the command whose step is running hold it, so that it must not be removed since its time has come. */
  spares(hash: number): boolean;
}

/** How a store is made. */
export interface StoreOptions {
  /** Bytes of memory for everything the store holds, its tables included. */
  readonly memoryLimitBytes: number;
  /** Whether the least recently used keys make room for new ones; else writes are refused when the store is full. */
  readonly evicts: boolean;
  /** Two random 32-bit words: who does not know them cannot choose colliding keys. */
  readonly seed: readonly [number, number];
}

/** Sizes in bytes, and counts since the start. */
export interface StoreStatistics {
  /** Slots in use and tables: what the data takes. */
  readonly usedBytes: number;
  /** Pages in use: `usedBytes` and free slots between them. */
  readonly committedBytes: number;
  readonly limitBytes: number;
  /** Tables of keys and fields. */
  readonly tableBytes: number;
  /** What the allocator's account of its pages takes, beside the limit: less than 0.04 % of it. */
  readonly accountBytes: number;
  readonly keys: number;
  readonly keysWithDeadline: number;
  readonly evictedKeys: number;
  readonly expiredKeys: number;
}

/** What an entry holds, by its kind. */
const TYPE_BY_KIND = Uint8Array.of(
  EntryType.None,
  EntryType.String,
  EntryType.String,
  EntryType.String,
  EntryType.List,
  EntryType.List,
  EntryType.Hash,
  EntryType.Hash,
) as Uint8Array & Record<number, EntryType>;

const SHORT_HEADER_BYTES = HEADER_BYTES[KIND_STRING_SHORT << 4]!;

/**
 * Free pages that any small command may need, a page for each class that it takes blocks of. The most has an `hset` of three
 * fields, the last of which makes a packed hash a large one: two packed sizes, the HASH entry, fields of 11 classes
 * out of 512 bytes, the last field, and two pages of the table. Inserting into a list takes at most the entry and the first
 * leaf and directory of one that gets large, a leaf that grew, two new leaves, two directories and a piece: 8. Renaming
 * takes two sizes of the entry, two pieces of a value that no longer lies in it, and two pages of the table: 6.
 */
const PAGES_NECESSARY = 18;
const PAGES_COMFORTABLE_MIN = 20;
/** The comfortable share of free pages is one in so many. */
const PAGES_COMFORTABLE_SHARE = 128;
const PAGES_COMFORTABLE_MAX = 64;
/** A command that brings less than this needs no pages of its own beyond the necessary ones. */
const SMALL_BYTES = 4096;
const SMALL_ARGUMENTS = 8;
/** What a large value takes for each of its bytes, its last piece left out: see blob.ts. That one counts as short data. */
const LARGE_FACTOR = PAGE_BYTES / (PAGE_BYTES - 16);
/** What shorter data takes at most: a key just above half a page has a page, and a leaf may hold two elements, not three. */
const SHORT_FACTOR = 2;
/** Keys that are evicted in one step of making room: 50 µs. */
const ROOM_STEPS_COUNT = 128;
/** As many of them as a page that is compacted, or a part of a large value that is freed, takes. */
const PAGE_STEPS = 64;
/** Bytes that a small entry takes beside its key and value, for estimating how much to evict. */
const ENTRY_OVERHEAD_BYTES = 24;

/** What a field of a large hash takes at most in the table beside its block: see `Table`, and overflowing buckets. */
const COPIED_FIELD_BYTES = 24;
/** What an entry takes in a table on average while it grows. */
const PLACE_BYTES = 9;
/** Expired keys that are chosen by chance and removed before no other is looked for: nearly all have expired. */
const EXPIRED_TRIES_MAX_COUNT = 100;

/** Pages that `bytes` in `count` arguments may need beyond the necessary ones. */
function pagesFor(bytes: number, count: number): number {
  let pages = 0;
  if (bytes >= SMALL_BYTES) {
    const short = Math.min(bytes, count * PAGE_BYTES);
    pages = Math.ceil((bytes * LARGE_FACTOR + short * (SHORT_FACTOR - LARGE_FACTOR)) / PAGE_BYTES) + 1;
  }
  if (count > SMALL_ARGUMENTS) {
    const overhead = count * ENTRY_OVERHEAD_BYTES;
    // Twice: an entry may first be made without its deadline, and again with it.
    pages += Math.ceil(2 * overhead / PAGE_BYTES) + Math.min(count, classesWithin(2 * (bytes + overhead)));
  }
  return pages;
}

/** Pages at least that an entry takes of which `bytes` are a copy. */
function pagesBeside(bytes: number, entry: number): number {
  return entry === 0 ? 0 : Math.floor(bytes / PAGE_BYTES);
}

/** At least as many as {@linkcode pagesFor} answers, with less ado. */
function mostPagesFor(bytes: number, count: number): number {
  return (SHORT_FACTOR * (bytes + count * ENTRY_OVERHEAD_BYTES)) / PAGE_BYTES + CLASS_SIZES.length + 4;
}

/** How many size classes blocks of `bytes` in all can be of. */
function classesWithin(bytes: number): number {
  let classes = 0;
  for (let left = bytes; left > 0 && classes < CLASS_SIZES.length; classes++) left -= CLASS_SIZES[classes]!;
  return classes;
}

/** The data. See the module's comment. */
export class Store {
  /** Counts every change of data: writes, evictions, expiries. */
  changes = 0;
  /** The time, in ms since 1970: an integer. Whoever calls sees to it. */
  nowMs = 0;
  /** Whether looking a key up makes it the most recently used. Whoever calls sees to it. */
  touches = true;
  /** See {@linkcode StoreOptions}. */
  evicts: boolean;
  /** Is told of each change. */
  journal: Journal | undefined;
  /** Keys that are spared, while there are any. Whoever sets it sees to it. */
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
  /** Pages that long commands have made free for themselves. */
  #pagesKept = 0;
  /** Whether eviction spares the most recently used key. */
  #keepsNewest = false;
  #evictedKeys = 0;
  #expiredKeys = 0;

  /**
   * @throws {RangeError} when the system grants no buffer of that size
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

  /** Free pages that small commands leave alone. */
  get #pagesComfortable(): number {
    return this.#pagesComfortableAlone + this.#pagesKept;
  }

  /** Keys, those included that have expired and were not looked at since. */
  get size(): number {
    return this.#keys.count;
  }

  /** The arena, for telling the system how to treat its memory. What it holds is nobody's business but the store's. */
  get memory(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  /** Has somebody told each megabyte how far into the arena the store has come for the first time, in bytes. */
  set onGrowth(callback: (frontier: number) => void) {
    this.#arena.onGrowth = callback;
  }

  /** Sets the counts of evicted and expired keys to zero. */
  resetStatistics(): void {
    this.#evictedKeys = this.#expiredKeys = 0;
  }

  /** Sizes and counts, as a new object. */
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
   * Makes sure that a command which brings `bytes` in `count` arguments finds room. Called before its first look-up.
   *
   * @throws {StoreFullError} when that cannot be; no key was removed for it unless eviction is on
   */
  makeRoom(bytes: number, count = 1): void {
    const spare = this.#arena.freePages - this.#pagesComfortable;
    if (spare >= 0 && bytes < SMALL_BYTES && count <= SMALL_ARGUMENTS) return;
    // Nearly always there is more than enough, and then it need not be known how much exactly.
    if (spare >= mostPagesFor(bytes, count)) return;
    this.#reclaim(bytes, count, pagesFor(bytes, count), 0);
  }

  /**
   * As {@linkcode makeRoom}, a part of it, for a command that brings much. Evicts and moves a little, and throws nothing.
   *
   * @param beside an entry that becomes the most recently used and stays, whatever else has to go, since `bytes` are a copy of
   * it; 0 for none
   * @returns whether `makeRoom` has little left to do: there is room, or there can be none
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

  /** The rest of what {@linkcode makeRoomPart} does for a copy. @throws {StoreFullError} when there can be no room */
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
   * Keeps room for a command that has made it, and uses it in steps: others find that much less.
   *
   * @param bytes what the command still brings, in `count` arguments; 0 and 0 when it has ended
   * @param kept what this has returned before; 0 at first
   * @returns pages that are kept now
   */
  keepRoom(bytes: number, count: number, kept: number): number {
    const pages = bytes === 0 && count === 0 ? 0 : pagesFor(bytes, count);
    this.#pagesKept += pages - kept;
    return pages;
  }

  /** Pages that commands keep: 0 when none is between two of its steps. */
  get keptPages(): number {
    return this.#pagesKept;
  }

  /**
   * Makes room for `copyEntry` of what `entry` holds. That entry, which becomes the most recently used, stays whatever
   * else has to go; others may be evicted or moved.
   *
   * @returns the entry's reference from now on
   * @throws {StoreFullError} when the limit does not hold both
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
   * @param extra pages that are needed beyond the necessary ones
   * @param kept pages that cannot be freed
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

  /** Removes the least recently used key; `false` when there is none. */
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

  /** The least recently used key that is not held, or 0. Held ones that are older are used more recently then. */
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

  /** Whether a key is held: see {@linkcode HeldKeys}. */
  isHeld(entry: number): boolean {
    return this.held !== undefined && this.held.holds(this.#words[entry * 2 + 2]! | 0);
  }

  /** A number that is the same for the same key, and for others by chance: 32 bits, signed. */
  keyHash(key: Uint8Array, start: number, length: number): number {
    return this.#entries.hashKey(key, start, length) | 0;
  }

  /** Frees some parts of removed values; `false` when there are none. */
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

  /** Mends what names a block that compaction has moved. */
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
   * The entry of a key, which becomes the most recently used, or 0.
   *
   * Commands on one key often come in a row, so the entry at the front of the recency list is compared first: it costs a
   * nanosecond or two when it is another one, and saves hashing, searching and relinking when it is not.
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

  /** Whether an entry is that of a key. Keys are compared from their ends, where they differ most. */
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
   * Has the processor load what commands on the next few keys will need, all at the same time: see prefetch.ts. Changes
   * nothing, and does nothing while the keys are so few that they are in the processor's caches anyway.
   *
   * Their hashes are known from then on: before `bytes` are changed, `forgetAhead` is to be called.
   *
   * @param starts where key `i` begins in `bytes`, for every `step`-th `i` from `from` below `end`
   * @returns the `i` to go on with; `end` or more when there is no need to call again
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

  /** Says that the bytes which `prefetch` was given may change. */
  forgetAhead(): void {
    this.#entries.hashes.forget();
  }

  /** Whether the keys are so many that {@linkcode prefetch} does anything. */
  get isLarge(): boolean {
    return this.#keys.count >= PREFETCH_KEYS_MIN_COUNT;
  }

  /** The entry of a key, or 0, without using it. */
  peek(key: Uint8Array, start: number, length: number): number {
    const entry = this.#keys.find(this.#entries.hashKey(key, start, length), key, start, length, 0, 0);
    if (entry === 0 || !this.hasExpired(entry)) return entry;
    this.#expireFound(entry);
    return 0;
  }

  /** Removes a key whose time has come. One that a long command uses, whose clock stands still, is left to it. */
  #expireFound(entry: number): void {
    if (this.held === undefined || !this.held.spares(this.#words[entry * 2 + 2]! | 0)) this.#expire(entry);
  }

  readonly #expire = (entry: number): void => {
    this.#expiredKeys++;
    this.journal?.remove(entry, false);
    this.#drop(entry);
  };

  /** What a key holds. */
  type(entry: number): EntryType {
    return TYPE_BY_KIND[this.#words[entry * 2 + 3]! >>> 28]!;
  }

  /** When a key expires, in ms since 1970; 0: never. */
  deadline(entry: number): number {
    return this.#words[entry * 2 + 3]! & FLAG_DEADLINE ? this.#entries.deadlines.of(entry) : 0;
  }

  /** Whether a key's time has come, though nobody has looked for it since. */
  hasExpired(entry: number): boolean {
    const deadlineMs = this.deadline(entry);
    return deadlineMs !== 0 && deadlineMs <= this.nowMs;
  }

  /** Sets when a key expires; 0: never, which needs no room. Answers its reference from now on. */
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
    if (entry === entries.cursor.partial) entries.cursor.close();
    const meta = this.#words[entry * 2 + 3]!;
    const kind = kindOf(meta);
    entries.unlink(entry);
    if (kind === KIND_LIST || kind === KIND_HASH) {
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

  /** The length of a key in bytes. */
  keyLength(entry: number): number {
    return keyLengthOf(this.#words[entry * 2 + 3]!);
  }

  /** Where a key begins in {@linkcode memory}. */
  keyStart(entry: number): number {
    return entry * 8 + HEADER_BYTES[this.#words[entry * 2 + 3]! >>> 24]!;
  }

  /** Copies a key. */
  copyKey(entry: number, target: Uint8Array, at: number): void {
    const meta = this.#words[entry * 2 + 3]!;
    copyBytes(this.#bytes, entry * 8 + HEADER_BYTES[meta >>> 24]!, target, at, keyLengthOf(meta));
  }

  /**
   * Visits a few keys, those included that have expired, and answers the cursor to go on with. A key that is there from
   * the first call, with cursor 0, until 0 is answered is visited exactly once, whatever else happens meanwhile.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit must not change the store
   */
  scan(cursor: number, visit: (entry: number) => void): number {
    return this.#keys.scan(cursor, visit);
  }

  /**
   * Gives an entry another key, which must be absent. Value, deadline and place in the order of use stay; of a large list
   * or hash nothing is touched but the entry. Needs the room of a small command.
   *
   * @param key not part of the store
   * @returns the entry
   */
  rename(entry: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    this.changes++;
    this.journal?.rename(entry, key, keyStart, keyLength);
    return this.#entries.rename(entry, key, keyStart, keyLength);
  }

  /**
   * Copies an entry with its deadline to another key, which must be absent and becomes the most recently used. Needs the
   * room that `makeRoomForCopy` makes, or that of a small command for what `isPacked` and for a string of up to 4 KiB.
   *
   * @returns the copy's entry; that of the original stays valid
   */
  copyEntry(entry: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    this.changes++;
    this.journal?.copy(entry, key, keyStart, keyLength);
    const make = () => this.#copier.copy(entry, key, keyStart, keyLength);
    return this.#entries.cursor.copying(entry, make);
  }

  /**
   * Some key that has not expired, each about as likely as any other; 0 when there is none.
   *
   * @param random in [0, 1)
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
   * Bytes that a key and its value take in the arena: its blocks, rounding included, and 9 for each place in a table.
   *
   * @param samples parts (leaves of a list, fields of a hash) that are measured, for large ones; the others count as their
   *   average. 0: all
   */
  entryBytes(entry: number, samples: number): number {
    const words = this.#words;
    const fields = kindOf(words[entry * 2 + 3]!) === KIND_HASH ? words[entry * 2 + 4]! : 0;
    return this.#blockBytes(entry, samples) + (1 + fields) * PLACE_BYTES;
  }

  /** Bytes of an entry's blocks. */
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

  /** Whether an entry is a list or a hash in one block. */
  isPacked(entry: number): boolean {
    const kind = kindOf(this.#words[entry * 2 + 3]!);
    return kind === KIND_LIST_PACKED || kind === KIND_HASH_PACKED;
  }

  /** The least recently used key, or 0. */
  oldest(): number {
    return this.#recency.oldest;
  }

  /** The key used next after that, or 0. */
  newer(entry: number): number {
    return this.#recency.newer(entry);
  }

  /**
   * Removes keys whose time has come.
   *
   * @param budget most steps to take, each about half a microsecond: a key that has expired, or one to look at again later
   * @returns whether more is due
   */
  expireDue(budget: number): boolean {
    return this.#entries.deadlines.expire(this.nowMs, budget, this.#expire) === 0;
  }

  /** Whether {@linkcode expireDue} may have something to do at `nowMs`, which is seconds ahead at most. */
  isDueAt(nowMs: number): boolean {
    return this.#entries.deadlines.isDueAt(nowMs);
  }

  /**
   * Frees parts of large values that were removed before.
   *
   * @param budget most steps to take, each about half a microsecond: a leaf of a list, a field of a hash, or 64 KiB
   * @returns whether there are more
   */
  freeRemoved(budget: number): boolean {
    this.#dismantle(budget);
    return this.#entries.garbage.oldest !== 0;
  }

  // Strings.

  /** The length of a string in bytes. */
  stringLength(entry: number): number {
    return this.#entries.valueLength(entry);
  }

  /**
   * Copies bytes `[from, from + length)` of a string.
   *
   * @param view of `target`, if it is at hand: short runs are copied faster then
   */
  copyString(entry: number, from: number, target: Uint8Array, at: number, length: number, view?: DataView): void {
    const meta = this.#words[entry * 2 + 3]!;
    if (meta >>> 28 <= KIND_STRING) {
      const start = entry * 8 + HEADER_BYTES[meta >>> 24]! + (meta & 0xffff) + from;
      copyViewed(this.#bytes, this.#view, start, target, view, at, length);
    } else {
      this.#entries.copyValue(entry, from, target, at, length);
    }
  }

  /**
   * Sets a string.
   *
   * @param entry what the key holds, of any type, or 0
   * @param deadlineMs when it expires; 0: never
   * @param view of `value`, if it is at hand: short values are copied faster then
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
      // Most writes replace a short string by one of about the same size.
      if (
        meta >>> 28 === KIND_STRING_SHORT && deadlineMs === 0 && valueLength <= SHORT_MAX_BYTES &&
        this.#arena.fits(entry, SHORT_HEADER_BYTES + keyLength + valueLength)
      ) {
        words[entry * 2 + 3] = withShortLength(meta, valueLength);
        const at = entry * 8 + SHORT_HEADER_BYTES + keyLength;
        copyViewed(value, view, valueStart, this.#bytes, this.#view, at, valueLength);
        return entry;
      }
      if (meta >>> 28 <= KIND_STRING_BLOB) {
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

  /** Appends to a string. Answers its entry from now on. */
  appendString(entry: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.appendString(entry, source, start, length);
    return this.#entries.appendValue(entry, source, start, length);
  }

  /**
   * Writes into a string from byte `from` on, whatever it holds there; what is missing before it becomes zero bytes. Needs
   * the room of the bytes by which the string grows. Answers its entry from now on.
   */
  overwriteString(entry: number, from: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.overwriteString(entry, from, source, start, length);
    return this.#entries.overwriteValue(entry, from, source, start, length);
  }

  // Lists.

  /** The number of elements. */
  listLength(entry: number): number {
    return this.#lists.length(entry);
  }

  /**
   * Adds an element at the head or the tail of a list; an absent one (`entry` 0) is made. `view` as in `setString`. Answers
   * its entry.
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

  /** Puts the cursor on the element at `index`, counted from behind the last when negative; `false` if there is none. */
  listSeek(entry: number, index: number): boolean {
    return this.#lists.seek(entry, index);
  }

  /** Moves the cursor one towards the tail; `false` behind the last. */
  listNext(): boolean {
    return this.#lists.next();
  }

  /** Moves the cursor one towards the head; `false` before the first. */
  listPrevious(): boolean {
    return this.#lists.previous();
  }

  /** Whether the element at the cursor is those bytes. */
  elementEquals(other: Uint8Array, start: number, length: number): boolean {
    return this.#lists.isElement(this.#lists.at, other, start, length);
  }

  /** Length of the element at the cursor. */
  elementLength(): number {
    return this.#lists.elementLength();
  }

  /** Copies the element at the cursor; `view` as in `copyString`. */
  copyElement(target: Uint8Array, at: number, view?: DataView): void {
    this.#lists.copyElement(target, at, view);
  }

  /** Copies bytes `[from, from + length)` of the element at the cursor. */
  copyElementPart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#lists.copyElementPart(from, target, at, length);
  }

  /** Replaces the element at `index`, which is there. Answers the list's entry. */
  listSet(entry: number, index: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.listSet(entry, index, source, start, length);
    return this.#lists.set(entry, index, source, start, length);
  }

  /** Removes the first or the last element. Answers the list's entry, or 0 when it got empty, and its key is gone. */
  listPop(entry: number, head: boolean): number {
    this.changes++;
    this.journal?.listRemove(entry, head ? 0 : this.#lists.length(entry) - 1, 1);
    if (this.#lists.pop(entry, head) !== 0) return entry;
    this.#drop(entry);
    return 0;
  }

  /**
   * Inserts an element before the one at `index`, which is 0 to the list's length. Needs the room of a push. Answers the
   * list's entry from now on.
   */
  listInsert(entry: number, index: number, source: Uint8Array, start: number, length: number): number {
    this.changes++;
    this.journal?.listInsert(entry, index, source, start, length);
    return this.#listEditor.insert(entry, index, source, start, length);
  }

  /**
   * Removes elements `[index, index + count)`, which are there. Whole leaves between go at once or, when they are many,
   * are freed later, in steps. Needs no room. Answers the list's entry, or 0 when it got empty, and its key is gone.
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
   * Removes elements that are those bytes, in one walk, and at most `most` of them: the first ones, or the last ones
   * (`fromTail`). Needs no room. How many they were shows in the list's length.
   *
   * @param most 1 at least; `Infinity` for all
   * @returns the list's entry, or 0 when it got empty, and its key is gone
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

  /** Whether the last `hashSet` made a field. */
  get added(): boolean {
    return this.#hashes.added;
  }

  /** Whether the last `hashRemove` found its field. */
  get removed(): boolean {
    return this.#hashes.removed;
  }

  /** The number of fields. */
  hashLength(entry: number): number {
    return this.#hashes.length(entry);
  }

  /**
   * Sets a field of a hash; an absent hash (`entry` 0) is made. `view` of the value as in `setString`. Answers its entry; see
   * `added`.
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

  /** Puts the cursor on a field; `false` when it is absent. */
  hashFind(entry: number, field: Uint8Array, start: number, length: number): boolean {
    return this.#hashes.find(entry, field, start, length);
  }

  /** As {@linkcode hashFind}, where {@linkcode hashNext} shall go on from that field. */
  hashSeek(entry: number, field: Uint8Array, start: number, length: number): boolean {
    return this.#hashes.seek(entry, field, start, length);
  }

  /** Puts the cursor on the first field. */
  hashFirst(entry: number): boolean {
    return this.#hashes.first(entry);
  }

  /** Moves the cursor, after `hashFirst` or `hashSeek`, on; `false` behind the last. */
  hashNext(): boolean {
    return this.#hashes.next();
  }

  /**
   * Puts the cursor on some field, each about as likely as any other. In a hash of n fields, where large hashes have m in
   * all, that takes n / 4 or 5 m / n steps, whichever is less; for many fields at a time, walking over all is quicker.
   *
   * @param random in [0, 1)
   * @returns whether there is a field: a hash has one
   */
  hashSeekRandom(entry: number, random: number): boolean {
    this.#random.begin(random);
    this.#hashes.choose(entry, this.#random);
    return true;
  }

  /**
   * Visits a few fields with the cursor on each, and answers the cursor to go on with. A field that is there from the
   * first call, with cursor 0, until 0 is answered is visited, whatever else happens meanwhile: once, unless fields are
   * removed. Packed hashes are visited in one go.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit must not change the store
   */
  hashScan(entry: number, cursor: number, visit: () => void): number {
    return this.#hashes.scan(entry, cursor, visit);
  }

  /** Length of the field at the cursor. */
  fieldLength(): number {
    return this.#hashes.fieldLength();
  }

  /** Copies the field at the cursor; `view` as in `copyString`. */
  copyField(target: Uint8Array, at: number, view?: DataView): void {
    this.#hashes.copyField(target, at, view);
  }

  /** Length of the value at the cursor. */
  valueLength(): number {
    return this.#hashes.valueLength();
  }

  /** Copies the value at the cursor; `view` as in `copyString`. */
  copyValue(target: Uint8Array, at: number, view?: DataView): void {
    this.#hashes.copyValue(target, at, view);
  }

  /** Copies bytes `[from, from + length)` of the value at the cursor. */
  copyValuePart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#hashes.copyValuePart(from, target, at, length);
  }

  /** Removes a field. Answers the hash's entry, or 0 when it got empty, and its key is gone; see `removed`. */
  hashRemove(entry: number, field: Uint8Array, start: number, length: number): number {
    const left = this.#hashes.remove(entry, field, start, length);
    if (!this.removed) return entry;
    this.changes++;
    this.journal?.hashRemove(entry, this.#hashes.length(entry) + 1, field, start, length);
    if (left !== 0) return left;
    this.#drop(entry);
    return 0;
  }

  // Walking over all keys, beside commands: see snapshot_cursor.ts.

  /** The walk, for those who cover the keys and keep what changes meanwhile. */
  get snapshotCursor(): SnapshotCursor {
    return this.#entries.cursor;
  }

  /** Whether that walk has covered the field that the last `hashSet` or `hashRemove` found or made. */
  get isFieldCovered(): boolean {
    return this.#hashes.parity === this.#entries.cursor.epoch;
  }

  /** Whether a hash is one whose fields are covered one by one. */
  isLargeHash(entry: number): boolean {
    return kindOf(this.#words[entry * 2 + 3]!) === KIND_HASH;
  }

  /** Puts the cursor on a field that the walk has come to. */
  hashSeekField(entry: number, field: number): void {
    this.#hashes.seekField(entry, field);
  }

  // Accounting.

  /**
   * Sums what every entry takes, and compares it with what the allocator says. For tests: it visits everything.
   *
   * @returns bytes in use by the allocator's account less bytes reachable: 0 unless there is a leak
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
