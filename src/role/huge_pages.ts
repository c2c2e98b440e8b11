/**
 * Huge pages for the store's arena, prepared before they are needed.
 *
 * With gigabytes of data nearly every access also misses the processor's cache of the page table (TLB), and walking the
 * table costs as much as the access itself. With pages of 2 MiB instead of 4 KiB that cache covers 512 times as much
 * memory. Linux provides them where a program asks for them (`madvise`, its usual setting). Stores that fork for a
 * snapshot advise against them, since each written byte then copies two megabytes; this server never forks.
 *
 * The system clears a page when it is first touched. For a huge page that takes 0.2 ms, and 5 ms on a virtual machine
 * whose host has to find the memory first, so another thread touches the next pages in advance:
 *
 * ```text
 * arena    [ small pages | huge, in use … | huge, prepared   |  not touched yet   ]
 *            from 0        512 MiB        ▲ frontier          ▲ + 16 MiB
 * ```
 *
 * The beginning of the arena keeps small pages, so that a store of ordinary size takes no more memory than it uses.
 *
 * @module
 */

import { HUGE_PAGES_AHEAD_BYTES, HUGE_PAGES_FROM_BYTES } from "../limits.ts";
import { PLATFORM } from "../operating_system.ts";

// These numbers of Linux are the same on x86-64 and arm64.
/** Advice of madvise: this range may use huge pages. */
const MADV_HUGEPAGE = 14;
/** Advice of madvise: touch every page of this range without changing it. It exists since Linux 5.14. */
const MADV_POPULATE_WRITE = 23;
const HUGE_PAGE_BYTES = 2 * 1024 * 1024;

const SYMBOLS = {
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // This is the same function, called on another thread.
  madvise_beside: { name: "madvise", parameters: ["pointer", "usize", "i32"], result: "i32", nonblocking: true },
} as const;

/** The huge pages of one arena. Dispose of it before the arena is freed. */
export class HugePages implements AsyncDisposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  /** The reference keeps the memory where it is. */
  readonly #arena: Uint8Array<ArrayBuffer>;
  readonly #begin: bigint;
  /** Where the first page begins that is not prepared yet, in bytes from the arena's beginning. */
  #ready: number;
  #running: Promise<void> | undefined;
  #canPrepare = true;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>, arena: Uint8Array<ArrayBuffer>) {
    this.#library = library;
    this.#arena = arena;
    this.#begin = Deno.UnsafePointer.value(Deno.UnsafePointer.of(arena));
    // Beyond the first small pages, at an address that is a multiple of a huge page's size.
    const from = this.#begin + BigInt(HUGE_PAGES_FROM_BYTES);
    this.#ready = Number(roundUp(from, BigInt(HUGE_PAGE_BYTES)) - this.#begin);
  }

  /**
   * Requests huge pages for the part of an arena that should have them.
   *
   * @returns `undefined` when the arena is small or the system has no huge pages; small pages work as well, only slower
   */
  static for(arena: Uint8Array<ArrayBuffer>): HugePages | undefined {
    if (!PLATFORM.has("hugePages") || arena.length < HUGE_PAGES_FROM_BYTES + 2 * HUGE_PAGE_BYTES) return undefined;
    let library: Deno.DynamicLibrary<typeof SYMBOLS>;
    try {
      library = Deno.dlopen(PLATFORM.library!.path, SYMBOLS);
    } catch {
      // There is no permission for FFI, or the C library is another one.
      return undefined;
    }
    const pages = new HugePages(library, arena);
    if (pages.#advise()) return pages;
    library.close();
    return undefined;
  }

  #advise(): boolean {
    const length = this.#arena.length - this.#ready;
    return this.#library.symbols.madvise(this.#pointer(this.#ready), BigInt(length), MADV_HUGEPAGE) === 0;
  }

  /**
   * Prepares the next pages in the background if the arena's use has come close to them.
   *
   * @param frontier the end of the used part of the arena, in bytes
   */
  reach(frontier: number): void {
    const goal = Math.min(this.#arena.length, frontier + HUGE_PAGES_AHEAD_BYTES);
    if (frontier < HUGE_PAGES_FROM_BYTES || goal <= this.#ready) return;
    if (this.#canPrepare) this.#running ??= this.#prepare(goal).finally(() => this.#running = undefined);
  }

  async #prepare(goal: number): Promise<void> {
    // Only whole huge pages are prepared, so that the next range is aligned. The rest at the arena's end stays
    // unprepared.
    const wanted = Math.ceil((goal - this.#ready) / HUGE_PAGE_BYTES);
    const length = Math.min(wanted, Math.floor((this.#arena.length - this.#ready) / HUGE_PAGE_BYTES)) * HUGE_PAGE_BYTES;
    if (length === 0) return;
    const pointer = this.#pointer(this.#ready);
    this.#ready += length;
    // An older system, or one without memory, refuses. Pages are then cleared when they are touched, as usual.
    this.#canPrepare = await this.#library.symbols.madvise_beside(pointer, BigInt(length), MADV_POPULATE_WRITE) === 0;
  }

  #pointer(offset: number): Deno.PointerObject | null {
    return Deno.UnsafePointer.create(this.#begin + BigInt(offset));
  }

  /** Waits until the preparation of pages ends, and closes the C library. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#canPrepare = false;
    await this.#running;
    this.#library.close();
  }
}

function roundUp(value: bigint, multiple: bigint): bigint {
  return (value + multiple - 1n) / multiple * multiple;
}
