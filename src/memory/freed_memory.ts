/**
 * Returns the memory of large buffers to the system soon after they were freed.
 *
 * Left to the garbage collector, freed buffers stay for seconds, and memory would pass every limit meanwhile. Detaching one
 * (`ArrayBuffer.transfer`) frees it at once, but from the first time on the engine checks at each access to any typed array
 * of the process whether its buffer is still there: decoding a request takes 13 % longer then, for good. So a buffer stays
 * what it is, and its pages are given back:
 *
 * ```text
 * buffer   [ … page | page | page | page | … ]      madvise(MADV_DONTNEED) on the whole pages in it:
 *                   ▲ given back         ▲          they read as zeros, and take memory again when they are written
 * ```
 *
 * A megabyte takes 0.1 ms at least, and many clients may end at once: so buffers stand in a queue, of which each turn of the
 * event loop returns some.
 *
 * Where the C library cannot be called, buffers are detached. In a program that has opened no {@linkcode FreedMemory}, such as
 * a client, they are left to the garbage collector.
 *
 * @module
 */

import {
  FREED_AT_ONCE_MIN_BYTES,
  FREED_QUEUE_MAX_BYTES,
  FREED_UNBORROWED_MIN_BYTES,
  FREEING_SLICE_MS,
} from "../limits.ts";
import { runFor } from "../run_for.ts";

/** madvise: the pages of this range are not needed any more. The number of Linux, the same on x86-64 and arm64. */
const MADV_DONTNEED = 4;
/** What lies between multiples of this is whole pages: the largest that these systems have. */
const PAGE_MAX_BYTES = Deno.build.arch === "x86_64" ? 4 * 1024 : 64 * 1024;
/** So much is returned between two looks at the clock. */
const PIECE_BYTES = 1024 * 1024;

const SYMBOLS = {
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
} as const;

/** The buffers that were freed in this process, and the C library. */
class FreedBuffers {
  readonly #library = Deno.dlopen("libc.so.6", SYMBOLS);
  /** The next of them is at `#first`, and is returned from `#offset` on. */
  #waiting: ArrayBuffer[] = [];
  #first = 0;
  #offset = 0;
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Bytes that may wait in the queue. */
  maxBytes = FREED_QUEUE_MAX_BYTES;

  add(buffer: ArrayBuffer): void {
    this.#waiting.push(buffer);
    this.#bytes += buffer.byteLength;
    // It would take many turns, in which more memory is used than there should be.
    while (this.#bytes > this.maxBytes) this.#returnPiece();
    if (this.#bytes > 0) this.#timer ??= setTimeout(() => this.#returnSome(), 0);
  }

  #returnSome(): void {
    this.#timer = undefined;
    const isMore = runFor(FREEING_SLICE_MS, () => {
      this.#returnPiece();
      return this.#bytes > 0;
    });
    if (isMore) this.#timer = setTimeout(() => this.#returnSome(), 0);
  }

  #returnPiece(): void {
    const buffer = this.#waiting[this.#first]!;
    const size = Math.min(PIECE_BYTES, buffer.byteLength - this.#offset);
    this.returnPages(new Uint8Array(buffer, this.#offset, size));
    this.#offset += size;
    this.#bytes -= size;
    if (this.#offset < buffer.byteLength) return;
    this.#offset = 0;
    // Not at each buffer, since it moves all that wait.
    if (++this.#first * 2 < this.#waiting.length) return;
    this.#waiting.splice(0, this.#first);
    this.#first = 0;
  }

  /** Returns the whole pages of a piece. One page between two pieces may stay. */
  returnPages(piece: Uint8Array<ArrayBuffer>): void {
    const address = Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(piece)));
    const begin = Math.ceil(address / PAGE_MAX_BYTES) * PAGE_MAX_BYTES - address;
    const end = Math.floor((address + piece.length) / PAGE_MAX_BYTES) * PAGE_MAX_BYTES - address;
    if (end <= begin) return;
    const pointer = Deno.UnsafePointer.of(piece.subarray(begin));
    this.#library.symbols.madvise(pointer, BigInt(end - begin), MADV_DONTNEED);
  }

  close(): void {
    clearTimeout(this.#timer);
    while (this.#bytes > 0) this.#returnPiece();
    this.#library.close();
  }
}

/** `undefined` while nobody wants memory returned, `null` where the C library cannot be called. */
let freed: FreedBuffers | null | undefined;
let usersCount = 0;

/** Has {@linkcode freeBuffer} return memory until it is disposed of. A process may have several, such as one a server. */
export class FreedMemory implements Disposable {
  #isOpen = true;

  private constructor() {}

  /**
   * Never throws: see the module's comment for what is done where the C library cannot be called.
   *
   * @param queueMaxBytes freed buffers that may wait for later turns; the least that was asked for counts
   */
  static open(queueMaxBytes: number = FREED_QUEUE_MAX_BYTES): FreedMemory {
    if (usersCount++ === 0) freed = openFreed();
    if (freed) freed.maxBytes = Math.min(freed.maxBytes, queueMaxBytes);
    return new FreedMemory();
  }

  /** The last one returns what was freed before. Idempotent. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (--usersCount > 0) return;
    freed?.close();
    freed = undefined;
  }
}

function openFreed(): typeof freed {
  const { os, arch } = Deno.build;
  if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64")) return null;
  try {
    return new FreedBuffers();
  } catch {
    // No permission for FFI, or another C library.
    return null;
  }
}

/**
 * Returns the memory of the buffer behind a view to the system, if it is large; small ones are left to the garbage collector.
 * Nobody may use the buffer afterwards, and no write of it may be under way: it reads as zeros, or is detached. Harmless when
 * it is called twice.
 */
export function freeBuffer({ buffer }: Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>): void {
  if (freed === undefined || buffer.byteLength < FREED_AT_ONCE_MIN_BYTES) return;
  free(buffer);
}

/** As {@linkcode freeBuffer}, of a buffer that certainly nobody borrows: it is returned from a smaller size on. */
export function freeUnborrowed({ buffer }: Uint8Array<ArrayBuffer>): void {
  if (freed === undefined || buffer.byteLength < FREED_UNBORROWED_MIN_BYTES) return;
  free(buffer);
}

function free(buffer: ArrayBuffer): void {
  if (freed === null) buffer.transfer(0);
  else freed!.add(buffer);
}

/** As {@linkcode freeBuffer}, of a part of a buffer, at once. The rest of it is still in use. */
export function freePart(part: Uint8Array<ArrayBuffer>): void {
  freed?.returnPages(part);
}
