/**
 * The arena: all memory of the store, in one ArrayBuffer as large as the memory limit.
 *
 * One buffer makes the limit exact by construction: keys, values, links, deadlines and the hash tables lie in it, and
 * nothing of the data lies elsewhere. The system commits its pages when they are first touched, so a large limit
 * costs nothing until it is used.
 *
 * ```text
 * arena    [ page | page | page | … ]              64 KiB each
 * page     [ slot | slot | slot | … | tail ]       slots of one size class, or a table's buckets
 * slot     a block in use, or
 *          word 0  next free slot of the page (its unit in the page + 1; 0: none)
 *          word 3  0: free
 * ```
 *
 * A block is named by a *reference*: its distance from the arena's beginning in units of 8 bytes, 32 bits wide, so an
 * arena has at most 32 GiB. 0 names nothing (page 0 never holds blocks). Word 3 of every block in use has its kind in
 * the top four bits and is not 0.
 *
 * Why slots of size classes: same-size slots make every freed slot usable by every later block of the class. Classes
 * stand 8 bytes apart up to 128, then at most 7 % apart up to 5 KiB and 15 % up to 8 KiB; larger ones, of which few
 * fit a page, up to twice. What is freed in one class serves another by *compaction*: the blocks of the emptiest page
 * of a class move into free slots of its other pages, and the page is free for any class. Since a page's worth of slots
 * was freed before that, freeing costs at most one move a block, and no size mix can strand more than about a page
 * a class. (Slabs as in memcached, without its stranded pages.)
 *
 * @module
 */

import { assert } from "../errors.ts";

/** Size of a page, in bytes. */
export const PAGE_BYTES = 65_536;
/** Words (32 bits) of a page. */
export const PAGE_WORDS = PAGE_BYTES / 4;

/** Pages between two calls of `onGrowth`: a megabyte. */
const GROWTH_PAGES = 16;
const UNIT_BYTES = 8;
const PAGE_UNITS = PAGE_BYTES / UNIT_BYTES;
const PAGE_UNITS_SHIFT = 13;
const BLOCK_MIN_BYTES = 24;
/** Classes up to here are 8 bytes apart; above it they divide a page evenly. */
const FINE_MAX_BYTES = 128;
const CLASS_RATIO = 1.07;

/** Lists of pages per class: by thirds of free slots, 1 (few) to 3 (most). Full and current pages are in none. */
const LISTS_PER_CLASS = 4;
const NOT_LISTED = 0;
const NO_PAGE = -1;
const PAGE_FREE = 0xff;
const PAGE_TABLE = 0xfe;

/** Sizes that divide a page evenly, as far apart as the ratio allows, down to the fine ones. */
function makeClassSizes(): number[] {
  const sizes: number[] = [PAGE_BYTES];
  let size = PAGE_BYTES;
  for (let slots = 2; size > FINE_MAX_BYTES; slots++) {
    const smaller = Math.floor(PAGE_BYTES / slots / UNIT_BYTES) * UNIT_BYTES;
    if (size < sizes.at(-1)! && (smaller < FINE_MAX_BYTES || sizes.at(-1)! / smaller > CLASS_RATIO)) sizes.push(size);
    size = smaller;
  }
  for (let fine = FINE_MAX_BYTES; fine >= BLOCK_MIN_BYTES; fine -= UNIT_BYTES) {
    if (fine < sizes.at(-1)!) sizes.push(fine);
  }
  return sizes.reverse();
}

/** Block sizes that the arena hands out, in bytes, ascending. */
export const CLASS_SIZES: readonly number[] = makeClassSizes();
const CLASSES_COUNT = CLASS_SIZES.length;

/** Class that a block of a size goes to, by the size in units. */
const CLASS_BY_UNITS = Uint8Array.from({ length: PAGE_UNITS + 1 }, (_, units) => {
  return CLASS_SIZES.findIndex((size) => size >= units * UNIT_BYTES);
});

/** Told that a block's bytes now stand at `to`; whatever named it by `from` has to be mended at once. */
export type Moved = (from: number, to: number) => void;

/** Allocates blocks and pages in one buffer. Not for two owners at a time. */
export class Arena {
  /** The whole arena, as bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The same, for copying eight bytes at a time. */
  readonly view: DataView;
  /** The whole arena, as words; the word of reference `r` is `r * 2`. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** Pages in all. */
  readonly pageCount: number;
  /** Pages that nothing uses. */
  freePages: number;
  /** Bytes of the slots in use: what blocks take, rounding included. */
  usedBytes = 0;
  /** Pages that tables use. */
  tablePages = 0;
  /** Told each megabyte, when pages are used that never were before: how far those in use now reach, in bytes. */
  onGrowth: ((frontier: number) => void) | undefined;

  readonly #sizes = Uint32Array.from(CLASS_SIZES);
  readonly #units = Uint32Array.from(CLASS_SIZES, (size) => size / UNIT_BYTES);
  readonly #slots = Uint32Array.from(CLASS_SIZES, (size) => Math.floor(PAGE_BYTES / size));
  readonly #thirds = Float64Array.from(CLASS_SIZES, (size) => 3 / Math.floor(PAGE_BYTES / size));

  // Per class: the page that slots are taken from, the heads of its lists, its free slots.
  readonly #current = new Int32Array(CLASSES_COUNT);
  readonly #heads = new Int32Array(CLASSES_COUNT * LISTS_PER_CLASS);
  readonly #classFree = new Float64Array(CLASSES_COUNT);

  // Per page: class, list it is in, free slots, first freed slot (unit + 1), first never used unit, neighbours.
  readonly #pageClass: Uint8Array;
  readonly #pageList: Uint8Array;
  readonly #freeSlots: Uint16Array;
  readonly #freed: Uint16Array;
  readonly #fresh: Uint16Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  #freePageHead = NO_PAGE;
  #freshPages = 0;

  /**
   * @param limitBytes size of the arena, rounded down to whole pages
   * @throws {RangeError} when the system grants no buffer of that size
   */
  constructor(limitBytes: number) {
    this.pageCount = Math.floor(limitBytes / PAGE_BYTES);
    const buffer = new ArrayBuffer(this.pageCount * PAGE_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Uint32Array(buffer);
    this.freePages = this.pageCount;
    this.#pageClass = new Uint8Array(this.pageCount);
    this.#pageList = new Uint8Array(this.pageCount);
    this.#freeSlots = new Uint16Array(this.pageCount);
    this.#freed = new Uint16Array(this.pageCount);
    this.#fresh = new Uint16Array(this.pageCount);
    this.#next = new Int32Array(this.pageCount);
    this.#previous = new Int32Array(this.pageCount);
    this.clear();
  }

  /** Bytes that the account of pages takes, beside the arena. */
  get accountBytes(): number {
    const arrays = [
      this.#pageClass,
      this.#pageList,
      this.#freeSlots,
      this.#freed,
      this.#fresh,
      this.#next,
      this.#previous,
    ];
    return arrays.reduce((sum, array) => sum + array.byteLength, 0);
  }

  /** Frees everything. Every reference becomes invalid. */
  clear(): void {
    this.freePages = this.pageCount;
    this.usedBytes = 0;
    this.tablePages = 0;
    this.#current.fill(NO_PAGE);
    this.#heads.fill(NO_PAGE);
    this.#classFree.fill(0);
    this.#pageClass.fill(PAGE_FREE);
    this.#pageList.fill(NOT_LISTED);
    this.#freePageHead = NO_PAGE;
    this.#freshPages = 0;
  }

  /** The bytes that a block of `size` bytes really takes. */
  roundedSize(size: number): number {
    return this.#sizes[CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3]!]!;
  }

  /** The bytes of the block at `reference`, its slack included. */
  sizeAt(reference: number): number {
    return this.#sizes[this.#pageClass[reference >>> PAGE_UNITS_SHIFT]!]!;
  }

  /** The class that a block of `size` bytes gets, as a number below that of `CLASS_SIZES`. */
  classOf(size: number): number {
    return CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3]!;
  }

  /** Whether the block at `reference` is of the class that `size` bytes would get. */
  fits(reference: number, size: number): boolean {
    return this.#pageClass[reference >>> PAGE_UNITS_SHIFT] === CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3];
  }

  /** The largest block size that is at most `size`. */
  sizeBelow(size: number): number {
    let kind = CLASS_BY_UNITS[Math.min(PAGE_UNITS, (size + UNIT_BYTES - 1) >>> 3)]!;
    while (kind > 0 && this.#sizes[kind]! > size) kind--;
    return this.#sizes[kind]!;
  }

  /**
   * Takes a block of at least `size` bytes (1 to `PAGE_BYTES`). Its content is undefined: the caller sets word 3 to a
   * kind at once. There must be room: see `Store.makeRoom`.
   */
  allocate(size: number): number {
    assert(size <= PAGE_BYTES, "a block exceeds its page");
    let kind = CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3]!;
    let page = this.#current[kind]!;
    if (page === NO_PAGE || this.#freeSlots[page] === 0) {
      page = this.#choosePage(kind);
      kind = this.#pageClass[page]!;
    }
    this.#freeSlots[page]!--;
    this.#classFree[kind]!--;
    this.usedBytes += this.#sizes[kind]!;
    const freed = this.#freed[page]!;
    if (freed !== 0) {
      const reference = page * PAGE_UNITS + freed - 1;
      this.#freed[page] = this.words[reference * 2]!;
      return reference;
    }
    const unit = this.#fresh[page]!;
    this.#fresh[page] = unit + this.#units[kind]!;
    return page * PAGE_UNITS + unit;
  }

  /** Gives a block back. Its first words are overwritten at once. */
  free(reference: number): void {
    const page = reference >>> PAGE_UNITS_SHIFT;
    const kind = this.#pageClass[page]!;
    const word = reference * 2;
    this.words[word] = this.#freed[page]!;
    this.words[word + 3] = 0;
    this.#freed[page] = (reference & (PAGE_UNITS - 1)) + 1;
    const free = ++this.#freeSlots[page]!;
    this.#classFree[kind]!++;
    this.usedBytes -= this.#sizes[kind]!;
    if (page === this.#current[kind]) return;
    if (free === this.#slots[kind]!) {
      this.#unlist(page, kind);
      this.#releasePage(page, kind);
    } else {
      const list = Math.min(3, 1 + ((free * this.#thirds[kind]!) | 0));
      if (list !== this.#pageList[page]) {
        this.#unlist(page, kind);
        this.#enlist(page, kind, list);
      }
    }
  }

  /** Takes a whole page for a table, or answers -1 when there is none. Its content is undefined. */
  allocatePage(): number {
    if (this.freePages === 0) return NO_PAGE;
    const page = this.#takePage();
    this.#pageClass[page] = PAGE_TABLE;
    this.tablePages++;
    return page;
  }

  /** Gives a page of `allocatePage` back. */
  freePage(page: number): void {
    this.tablePages--;
    this.#pushFreePage(page);
  }

  /**
   * Frees one page by moving blocks, if some class has a page's worth of free slots. At most a page's blocks move.
   *
   * @returns whether a page became free
   */
  compact(moved: Moved): boolean {
    for (let kind = 0; kind < CLASSES_COUNT; kind++) {
      if (this.#classFree[kind]! >= this.#slots[kind]! && this.#compactClass(kind, moved)) return true;
    }
    return false;
  }

  /** As `compact`, for the class of a block of `size` bytes only, and only when it is well worth it. */
  compactAfterFree(size: number, moved: Moved): boolean {
    const kind = CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3]!;
    return this.#classFree[kind]! >= this.#slots[kind]! * 1.5 && this.#compactClass(kind, moved);
  }

  #compactClass(kind: number, moved: Moved): boolean {
    const current = this.#current[kind]!;
    if (current !== NO_PAGE && this.#freeSlots[current] === this.#slots[kind]) {
      this.#current[kind] = NO_PAGE;
      this.#releasePage(current, kind);
      return true;
    }
    const base = kind * LISTS_PER_CLASS;
    let page = NO_PAGE;
    for (let list = 3; list > 0 && page === NO_PAGE; list--) page = this.#heads[base + list]!;
    if (page === NO_PAGE) return false;
    const slots = this.#slots[kind]!;
    const free = this.#freeSlots[page]!;
    const live = slots - free;
    if (this.#classFree[kind]! - free < live) return false;
    this.#unlist(page, kind);
    // The page's own free slots must not be chosen for its blocks: they leave the count, and the page has no list.
    this.#classFree[kind]! -= free;
    const units = this.#units[kind]!;
    const end = this.#fresh[page]!;
    const size = this.#sizes[kind]!;
    for (let unit = 0; unit < end; unit += units) {
      const from = page * PAGE_UNITS + unit;
      if (this.words[from * 2 + 3]! >>> 28 === 0) continue;
      const to = this.allocate(size);
      assert(this.#pageClass[to >>> PAGE_UNITS_SHIFT] === kind, "compaction left its class");
      for (let word = 0; word < units * 2; word++) this.words[to * 2 + word] = this.words[from * 2 + word]!;
      moved(from, to);
    }
    this.usedBytes -= live * size;
    this.#pushFreePage(page);
    return true;
  }

  /** A page of `kind` with a free slot, which becomes the current one. */
  #choosePage(kind: number): number {
    const base = kind * LISTS_PER_CLASS;
    // Fullest pages first, so that the emptiest stay cheap to compact.
    for (let list = 1; list < LISTS_PER_CLASS; list++) {
      const page = this.#heads[base + list]!;
      if (page !== NO_PAGE) {
        this.#unlist(page, kind);
        this.#current[kind] = page;
        return page;
      }
    }
    if (this.freePages > 0) {
      const page = this.#takePage();
      this.#pageClass[page] = kind;
      this.#freeSlots[page] = this.#slots[kind]!;
      this.#freed[page] = 0;
      this.#fresh[page] = 0;
      this.#classFree[kind]! += this.#slots[kind]!;
      this.#current[kind] = page;
      return page;
    }
    // No page is left: a larger slot serves as well.
    for (let larger = kind + 1; larger < CLASSES_COUNT; larger++) {
      if (this.#classFree[larger]! > 0) {
        const current = this.#current[larger]!;
        return current !== NO_PAGE && this.#freeSlots[current]! > 0 ? current : this.#choosePage(larger);
      }
    }
    assert(false, "allocated without room");
  }

  #takePage(): number {
    this.freePages--;
    const page = this.#freePageHead;
    if (page !== NO_PAGE) {
      this.#freePageHead = this.#next[page]!;
      return page;
    }
    const fresh = this.#freshPages++;
    if (fresh % GROWTH_PAGES === 0) this.onGrowth?.(fresh * PAGE_BYTES);
    return fresh;
  }

  #releasePage(page: number, kind: number): void {
    this.#classFree[kind]! -= this.#slots[kind]!;
    this.#pushFreePage(page);
  }

  #pushFreePage(page: number): void {
    this.#pageClass[page] = PAGE_FREE;
    this.#pageList[page] = NOT_LISTED;
    this.#next[page] = this.#freePageHead;
    this.#freePageHead = page;
    this.freePages++;
  }

  #enlist(page: number, kind: number, list: number): void {
    const head = kind * LISTS_PER_CLASS + list;
    const first = this.#heads[head]!;
    this.#pageList[page] = list;
    this.#next[page] = first;
    this.#previous[page] = NO_PAGE;
    if (first !== NO_PAGE) this.#previous[first] = page;
    this.#heads[head] = page;
  }

  #unlist(page: number, kind: number): void {
    const list = this.#pageList[page]!;
    if (list === NOT_LISTED) return;
    const next = this.#next[page]!;
    const previous = this.#previous[page]!;
    if (next !== NO_PAGE) this.#previous[next] = previous;
    if (previous !== NO_PAGE) this.#next[previous] = next;
    else this.#heads[kind * LISTS_PER_CLASS + list] = next;
    this.#pageList[page] = NOT_LISTED;
  }
}
