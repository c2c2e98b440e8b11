/**
 * The arena: all memory of the store, in one ArrayBuffer as large as the memory limit.
 *
 * One buffer makes the limit exact by construction: keys, values, links, deadlines and the hash tables are in it, and
 * no data is elsewhere. The operating system commits its pages when they are first used, so a large limit costs nothing
 * until it is reached.
 *
 * ```text
 * arena    [ page | page | page | … ]              64 KiB each
 * page     [ slot | slot | slot | … | tail ]       slots of one size class, or a table's buckets
 * slot     a block in use, or
 *          word 0  next free slot of the page (its unit in the page + 1; 0: none)
 *          word 3  0: free
 * ```
 *
 * A *reference* names a block: its distance from the beginning of the arena in units of 8 bytes. References have 32
 * bits, so an arena has at most 32 GiB. 0 names nothing (page 0 never contains blocks). Word 3 of every block in use
 * has its kind in the top five bits and is not 0.
 *
 * Why size classes: slots of one size can be reused by every later block of the class. Classes are 8 bytes apart up to
 * 128, at most 7 % apart up to 5 KiB (5 % between 1 and 1.5 KiB), and 15 % up to 8 KiB. Larger ones, of which few fit
 * into a page, are up to a factor of two apart. Memory freed in one class becomes usable for another by *compaction*:
 * the blocks of the emptiest page of a class move into free slots of its other pages, and the page becomes free for any
 * class. A page's worth of slots was freed before that, so freeing costs at most one move a block, and no mix of sizes
 * can waste more than about a page a class. (These are memcached's slabs, without its stranded pages.)
 *
 * @module
 */

import { assert } from "../errors.ts";

/** The size of a page, in bytes. */
export const PAGE_BYTES = 65_536;
/** The size of a page, in words of 32 bits. */
export const PAGE_WORDS = PAGE_BYTES / 4;

/** The number of pages between two calls of `onGrowth`: a megabyte. */
const GROWTH_PAGES = 16;
const UNIT_BYTES = 8;
const PAGE_UNITS = PAGE_BYTES / UNIT_BYTES;
const PAGE_UNITS_SHIFT = 13;
const BLOCK_MIN_BYTES = 24;
/** The bits of word 3 below the kind of a block (block.ts). */
const KIND_SHIFT = 27;
/** The largest class size, in bytes, of those that are 8 bytes apart. Larger classes divide a page evenly. */
const FINE_MAX_BYTES = 128;
const CLASS_RATIO = 1.07;
/** The bounds of the sizes whose classes are closer together, for packed lists of about a hundred elements. */
const CLOSE_MIN_BYTES = 1024;
const CLOSE_MAX_BYTES = 1536;
const CLOSE_CLASS_RATIO = 1.05;

/**
 * The number of lists of pages in a class. Lists 1 (few) to 3 (most) are the thirds of free slots. Full and current
 * pages are in none.
 */
const LISTS_PER_CLASS = 4;
const NOT_LISTED = 0;
const NO_PAGE = -1;
const NO_CLASS = -1;
const PAGE_FREE = 0xff;
const PAGE_TABLE = 0xfe;

/**
 * Returns the class sizes: sizes that divide a page evenly, as far apart as the ratio allows, and below them the fine
 * ones.
 */
function makeClassSizes(): number[] {
  const sizes: number[] = [PAGE_BYTES];
  let size = PAGE_BYTES;
  for (let slots = 2; size > FINE_MAX_BYTES; slots++) {
    const smaller = Math.floor(PAGE_BYTES / slots / UNIT_BYTES) * UNIT_BYTES;
    const isClose = size >= CLOSE_MIN_BYTES && size < CLOSE_MAX_BYTES;
    const ratio = isClose ? CLOSE_CLASS_RATIO : CLASS_RATIO;
    if (size < sizes.at(-1)! && (smaller < FINE_MAX_BYTES || sizes.at(-1)! / smaller > ratio)) sizes.push(size);
    size = smaller;
  }
  for (let fine = FINE_MAX_BYTES; fine >= BLOCK_MIN_BYTES; fine -= UNIT_BYTES) {
    if (fine < sizes.at(-1)!) sizes.push(fine);
  }
  return sizes.reverse();
}

/** The block sizes that the arena allocates, in bytes, ascending. */
export const CLASS_SIZES: readonly number[] = makeClassSizes();
const CLASSES_COUNT = CLASS_SIZES.length;

/** The class of a block, by its size in units. */
const CLASS_BY_UNITS = Uint8Array.from({ length: PAGE_UNITS + 1 }, (_, units) => {
  return CLASS_SIZES.findIndex((size) => size >= units * UNIT_BYTES);
});

/**
 * A function that is called after a block's bytes were moved to `to`. It must immediately update all references to
 * `from`.
 */
export type Moved = (from: number, to: number) => void;

/** An allocator of blocks and pages in one buffer. Not safe for use by two owners. */
export class Arena {
  /** The whole arena, as bytes. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The whole arena, for copying eight bytes at a time. */
  readonly view: DataView;
  /** The whole arena, as words; the word of reference `r` is `r * 2`. */
  readonly words: Uint32Array<ArrayBuffer>;
  /** The number of all pages. */
  readonly pageCount: number;
  /** The number of pages that may be used: all, or fewer while the limit is lower than at the start. */
  usablePages: number;
  /** The number of usable pages that nothing uses. */
  freePages: number;
  /** The bytes of the slots in use: what blocks take, rounding included. */
  usedBytes = 0;
  /** The number of pages that tables use. */
  tablePages = 0;
  /** The function called after each megabyte of pages that are used for the first time, with the bytes used so far. */
  onGrowth: ((frontier: number) => void) | undefined;

  readonly #sizes = Uint32Array.from(CLASS_SIZES);
  readonly #units = Uint32Array.from(CLASS_SIZES, (size) => size / UNIT_BYTES);
  readonly #slots = Uint32Array.from(CLASS_SIZES, (size) => Math.floor(PAGE_BYTES / size));
  readonly #thirds = Float64Array.from(CLASS_SIZES, (size) => 3 / Math.floor(PAGE_BYTES / size));

  // Per class: the page that slots are taken from, the heads of its lists, its number of free slots.
  readonly #current = new Int32Array(CLASSES_COUNT);
  readonly #heads = new Int32Array(CLASSES_COUNT * LISTS_PER_CLASS);
  readonly #classFree = new Float64Array(CLASSES_COUNT);

  /** The class whose current page became empty last. */
  #emptied = NO_CLASS;

  // Per page: class, its list, number of free slots, first freed slot (unit + 1), first unit that was never used,
  // neighbours.
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
   * @param limitBytes the size of the arena, rounded down to whole pages
   * @throws {RangeError} when the system does not grant a buffer of that size
   */
  constructor(limitBytes: number) {
    this.pageCount = Math.floor(limitBytes / PAGE_BYTES);
    const buffer = new ArrayBuffer(this.pageCount * PAGE_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Uint32Array(buffer);
    this.usablePages = this.pageCount;
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

  /** The size of the tables of pages, which are outside the arena. */
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

  /**
   * Makes `count` more pages usable. A negative `count` makes fewer usable, and that number of pages has to be free.
   */
  changeUsable(count: number): void {
    this.usablePages += count;
    this.freePages += count;
  }

  /** Frees all blocks and pages. Every reference becomes invalid. */
  clear(): void {
    this.freePages = this.usablePages;
    this.usedBytes = 0;
    this.tablePages = 0;
    this.#current.fill(NO_PAGE);
    this.#heads.fill(NO_PAGE);
    this.#classFree.fill(0);
    this.#pageClass.fill(PAGE_FREE);
    this.#pageList.fill(NOT_LISTED);
    this.#emptied = NO_CLASS;
    this.#freePageHead = NO_PAGE;
    this.#freshPages = 0;
  }

  /** Returns the bytes that a block of `size` bytes really takes. */
  roundedSize(size: number): number {
    return this.#sizes[CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3]!]!;
  }

  /** Returns the size of the block at `reference`, its slack included. */
  sizeAt(reference: number): number {
    return this.#sizes[this.#pageClass[reference >>> PAGE_UNITS_SHIFT]!]!;
  }

  /** Returns the class of a block of `size` bytes, as an index of `CLASS_SIZES`. */
  classOf(size: number): number {
    return CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3]!;
  }

  /** Returns whether the block at `reference` is of the class of a block of `size` bytes. */
  fits(reference: number, size: number): boolean {
    return this.#pageClass[reference >>> PAGE_UNITS_SHIFT] === CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3];
  }

  /** Returns whether a block of `size` bytes can be allocated without another page. */
  hasSlot(size: number): boolean {
    return this.#classFree[CLASS_BY_UNITS[(size + UNIT_BYTES - 1) >>> 3]!]! > 0;
  }

  /** Returns the largest block size that is at most `size`. */
  sizeBelow(size: number): number {
    let kind = CLASS_BY_UNITS[Math.min(PAGE_UNITS, (size + UNIT_BYTES - 1) >>> 3)]!;
    while (kind > 0 && this.#sizes[kind]! > size) kind--;
    return this.#sizes[kind]!;
  }

  /**
   * Allocates a block of at least `size` bytes (1 to `PAGE_BYTES`). Its content is undefined: the caller immediately
   * sets word 3 to a kind. There must be room: `Room.make` ensures it.
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

  /** Frees a block. Its first words are overwritten immediately. */
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
    if (page === this.#current[kind]) {
      if (free === this.#slots[kind]!) this.#keepEmpty(kind);
      return;
    }
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

  /**
   * Keeps the current page of a class, which became empty, for its next block, and releases the one that was kept
   * before. So blocks that grow through many classes do not leave a page in each.
   */
  #keepEmpty(kind: number): void {
    const before = this.#emptied;
    this.#emptied = kind;
    if (before === kind || before === NO_CLASS) return;
    const page = this.#current[before]!;
    if (page === NO_PAGE || this.#freeSlots[page] !== this.#slots[before]) return;
    this.#current[before] = NO_PAGE;
    this.#releasePage(page, before);
  }

  /** Allocates a whole page for a table; returns -1 when there is none. Its content is undefined. */
  allocatePage(): number {
    if (this.freePages === 0) return NO_PAGE;
    const page = this.#takePage();
    this.#pageClass[page] = PAGE_TABLE;
    this.tablePages++;
    return page;
  }

  /** Frees a page that `allocatePage` returned. */
  freePage(page: number): void {
    this.tablePages--;
    this.#pushFreePage(page);
  }

  /**
   * Frees one page by moving blocks, if some class has a page's worth of free slots. Moves at most the blocks of one
   * page.
   *
   * @returns whether a page became free
   */
  compact(moved: Moved): boolean {
    for (let kind = 0; kind < CLASSES_COUNT; kind++) {
      if (this.#classFree[kind]! >= this.#slots[kind]! && this.#compactClass(kind, moved)) return true;
    }
    return false;
  }

  /**
   * Frees a page of the class of a block of `size` bytes, like `compact`, if 1.5 pages' worth of its slots are free.
   */
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
    // The page's own free slots must not be chosen for its blocks: they leave the count, and the page is in no list.
    this.#classFree[kind]! -= free;
    const units = this.#units[kind]!;
    const end = this.#fresh[page]!;
    const size = this.#sizes[kind]!;
    for (let unit = 0; unit < end; unit += units) {
      const from = page * PAGE_UNITS + unit;
      if (this.words[from * 2 + 3]! >>> KIND_SHIFT === 0) continue;
      const to = this.allocate(size);
      assert(this.#pageClass[to >>> PAGE_UNITS_SHIFT] === kind, "compaction left its class");
      for (let word = 0; word < units * 2; word++) this.words[to * 2 + word] = this.words[from * 2 + word]!;
      moved(from, to);
    }
    this.usedBytes -= live * size;
    this.#pushFreePage(page);
    return true;
  }

  /** Returns a page of `kind` with a free slot, which becomes the current page. */
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
    // No page is left: a slot of a larger class is used.
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
