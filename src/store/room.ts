/**
 * Room: making memory free for a command before it runs, by eviction and compaction.
 *
 * Only `make` and its variants evict keys and move blocks. A command that may need memory first calls one of them with
 * the number of bytes that it adds. All it does afterwards finds room, so references stay valid while it runs, and a
 * refused command has changed nothing. An operation that needs more room than the bytes of its arguments documents
 * that.
 *
 * There are two thresholds of free pages. Below the *comfortable* one, each command evicts about as much as it adds.
 * Below the *necessary* one, eviction and compaction continue until it is reached.
 *
 * @module
 */

import { StoreFullError } from "../errors.ts";
import { FREEING_STEPS_COUNT } from "../limits.ts";
import { type Arena, CLASS_SIZES, PAGE_BYTES } from "./arena.ts";
import { KIND_PIECE, kindOf, TRAIT_BLOB, TRAIT_KEY, traitsOf } from "./block.ts";
import type { Copier } from "./copy.ts";
import type { Entries } from "./entries.ts";
import type { Keyspace } from "./keyspace.ts";
import type { RecencyList } from "./recency.ts";

/**
 * Free pages that any small command may need: one for each class of which it allocates blocks.
 *
 * - `hset` of three fields, the last of which turns a packed hash into a large one, needs the most: two packed sizes,
 *   the HASH entry, fields of 11 classes up to 512 bytes, the last field, and two pages of the table.
 * - Inserting into a list needs at most 8: the entry and the first leaf and directory of a list that becomes large, a
 *   leaf that has grown, two new leaves, two directories and a piece.
 * - Adding a member to a set that becomes large needs at most 17: two packed sizes, the SET entry, its leaves of up to
 *   9 classes, a leaf that is split, and two nodes.
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

/** Returns the number of free pages that small commands do not use in a store of `pages` pages. */
function comfortablePages(pages: number): number {
  return Math.min(PAGES_COMFORTABLE_MAX, Math.max(PAGES_COMFORTABLE_MIN, Math.floor(pages / PAGES_COMFORTABLE_SHARE)));
}

/** The room of one store. */
export class Room {
  /** Whether the least recently used keys are evicted for new ones. */
  evicts: boolean;
  /** The number of keys that were evicted. */
  evictedKeys = 0;
  readonly #keyspace: Keyspace;
  readonly #entries: Entries;
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #recency: RecencyList;
  readonly #copier: Copier;
  /** The number of free pages that small commands do not use, including those that are kept. */
  #pagesComfortable: number;
  /** The most pages that the store may take. */
  #limitPages: number;
  /** The number of pages that long commands keep free for their next steps. */
  #pagesKept = 0;
  /** Whether eviction skips the most recently used key. */
  #keepsNewest = false;

  constructor(keyspace: Keyspace, entries: Entries, copier: Copier, evicts: boolean) {
    this.evicts = evicts;
    this.#keyspace = keyspace;
    this.#entries = entries;
    this.#arena = entries.arena;
    this.#words = entries.words;
    this.#recency = entries.recency;
    this.#copier = copier;
    this.#limitPages = entries.arena.pageCount;
    this.#pagesComfortable = comfortablePages(this.#limitPages);
  }

  /** The most bytes that the store may take: whole pages. */
  get limitBytes(): number {
    return this.#limitPages * PAGE_BYTES;
  }

  /** The largest limit: the size of the arena. */
  get limitMaxBytes(): number {
    return this.#arena.pageCount * PAGE_BYTES;
  }

  /**
   * Changes the limit, up to {@linkcode limitMaxBytes}. A lower one takes effect as {@linkcode approachLimit} makes
   * room.
   */
  limit(bytes: number): void {
    const pages = Math.min(Math.floor(bytes / PAGE_BYTES), this.#arena.pageCount);
    this.#pagesComfortable += comfortablePages(pages) - comfortablePages(this.#limitPages);
    this.#limitPages = pages;
    if (pages > this.#arena.usablePages) this.#arena.changeUsable(pages - this.#arena.usablePages);
  }

  /**
   * Takes pages out of use while there are more than the limit allows. For that it moves blocks, and evicts a few keys
   * if eviction is on. Without eviction, all free pages are taken, so that writes are refused as long as the data
   * exceeds the limit.
   *
   * @returns whether a further call would get nearer to the limit
   */
  approachLimit(): boolean {
    const arena = this.#arena;
    const kept = () => this.evicts ? this.#pagesComfortable : this.#pagesKept;
    for (let left = ROOM_STEPS_COUNT; arena.usablePages > this.#limitPages;) {
      const spare = Math.min(arena.freePages - kept(), arena.usablePages - this.#limitPages);
      if (spare > 0) arena.changeUsable(-spare);
      else if (left <= 0) return true;
      else if (this.#freeRemoved() || arena.compact(this.#moved)) left -= PAGE_STEPS;
      else if (this.evicts && this.#evict()) left--;
      else return false;
    }
    return false;
  }

  /**
   * Makes room for a command that adds `bytes` in `count` arguments. To be called before the command's first look-up.
   *
   * @throws {StoreFullError} when there cannot be room; keys were removed for it only if eviction is on
   */
  make(bytes: number, count = 1): void {
    const spare = this.#arena.freePages - this.#pagesComfortable;
    if (spare >= 0 && bytes < SMALL_BYTES && count <= SMALL_ARGUMENTS) return;
    // Nearly always there is more than enough room, and then the exact amount need not be computed.
    if (spare >= mostPagesFor(bytes, count)) return;
    this.#reclaim(bytes, count, pagesFor(bytes, count), 0);
  }

  /**
   * Does a part of {@linkcode Room.make}, for a command that adds much data. Evicts and moves a little, and throws
   * nothing.
   *
   * @param beside an entry of which `bytes` are a copy, so that it becomes the most recently used and is not evicted; 0
   * for none
   * @returns whether `make` has little left to do: there is room, or there cannot be any
   */
  makePart(bytes: number, count: number, beside = 0): boolean {
    const arena = this.#arena;
    const extra = pagesFor(bytes, count);
    const comfortable = this.#pagesComfortable + extra;
    const necessary = PAGES_NECESSARY + extra + this.#pagesKept + pagesBeside(bytes, beside);
    if (necessary > arena.usablePages - arena.tablePages) return true;
    this.#keepBeside(beside);
    try {
      for (let left = ROOM_STEPS_COUNT; arena.freePages < comfortable;) {
        if (left <= 0) return false;
        if (this.#freeRemoved() || arena.compact(this.#moved)) left -= PAGE_STEPS;
        else if (this.evicts && this.#evict()) left--;
        else return true;
      }
    } finally {
      this.#keepsNewest = false;
    }
    return true;
  }

  /**
   * Makes the rest of the room for a copy after {@linkcode Room.makePart}.
   *
   * @throws {StoreFullError} when there cannot be room
   */
  makeBeside(bytes: number, count: number, beside: number): void {
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
  keep(bytes: number, count: number, kept: number): number {
    const pages = bytes === 0 && count === 0 ? 0 : pagesFor(bytes, count);
    this.#pagesKept += pages - kept;
    this.#pagesComfortable += pages - kept;
    return pages;
  }

  /** The number of pages kept for commands: 0 when no command is between two of its steps. */
  get keptPages(): number {
    return this.#pagesKept;
  }

  /**
   * Makes room for `Store.copyEntry` of `entry`, which becomes the most recently used and is not evicted. Other entries
   * may be evicted or moved.
   *
   * @returns the entry's reference from now on
   * @throws {StoreFullError} when both values together exceed the limit
   */
  makeForCopy(entry: number): number {
    const pages = this.#copier.measure(entry);
    const tablePages = Math.ceil(this.#copier.fields * COPIED_FIELD_BYTES / PAGE_BYTES);
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
    if (necessary > arena.usablePages - arena.tablePages - kept) throw new StoreFullError();
    if (this.evicts) {
      const goal = arena.usedBytes - bytes - count * ENTRY_OVERHEAD_BYTES;
      while (arena.usedBytes > goal && (this.#freeRemoved() || this.#evict()));
    }
    while (arena.freePages < necessary) {
      if (arena.compact(this.#moved) || this.#freeRemoved()) continue;
      if (!this.evicts || !this.#evict()) throw new StoreFullError();
    }
  }

  /** Removes the least recently used key; returns `false` when there is none. */
  #evict(): boolean {
    let entry = this.#recency.oldest;
    if (this.#keyspace.held !== undefined) entry = this.#oldestNotHeld();
    if (entry === 0 || (this.#keepsNewest && entry === this.#recency.newest)) return false;
    const size = this.#arena.sizeAt(entry);
    this.evictedKeys++;
    this.#keyspace.reportRemoval(entry, false);
    this.#keyspace.drop(entry);
    this.#arena.compactAfterFree(size, this.#moved);
    return true;
  }

  /** Returns the least recently used key that is not held, or 0. Older, held keys become the most recently used. */
  #oldestNotHeld(): number {
    const recency = this.#recency;
    const newest = recency.newest;
    for (let left = this.#keyspace.size; left > 0; left--) {
      const entry = recency.oldest;
      if (!this.#keyspace.isHeld(entry)) return entry;
      recency.touch(entry);
      if (this.#keepsNewest && entry !== newest) recency.touch(newest);
    }
    return 0;
  }

  /** Frees some parts of removed values; returns `false` when there are none. */
  #freeRemoved(): boolean {
    if (this.#entries.garbage.oldest === 0) return false;
    this.#keyspace.freeRemoved(FREEING_STEPS_COUNT);
    return true;
  }

  /** Updates the references to a block that compaction has moved. */
  readonly #moved = (from: number, to: number): void => {
    const meta = this.#words[to * 2 + 3]!;
    if (traitsOf(meta) & TRAIT_KEY) return this.#entries.moved(from, to);
    if (kindOf(meta) === KIND_PIECE) return this.#pieceMoved(from, to);
    const kind = kindOf(meta);
    this.#keyspace.typeOfKind(kind).partMoved(kind, from, to);
  };

  /** Updates the neighbours and the owner of a piece of a blob. */
  #pieceMoved(from: number, to: number): void {
    const owner = this.#entries.blobs.moved(to);
    if (owner === 0) return;
    const meta = this.#words[owner * 2 + 3]!;
    if (traitsOf(meta) & TRAIT_BLOB) this.#entries.pieceMoved(owner, to);
    else this.#keyspace.typeOfKind(kindOf(meta)).pieceMoved(owner, from, to);
  }
}
