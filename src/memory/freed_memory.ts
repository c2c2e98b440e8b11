/**
 * Returns the memory of large buffers to the system soon after they were freed.
 *
 * The garbage collector frees buffers only after seconds, and memory would exceed every limit meanwhile. Detaching a
 * buffer (`ArrayBuffer.transfer`) frees it immediately. But after the first detachment, the engine checks each access
 * to any typed array of the process for a detached buffer, and decoding a request permanently takes 13 % longer. So a
 * buffer stays attached, and its pages are returned:
 *
 * ```text
 * buffer   [ … page | page | page | page | … ]      madvise(MADV_DONTNEED) on the whole pages in it:
 *                   ▲ returned           ▲          they read as zeros, and take memory again when they are written
 * ```
 *
 * Returning a megabyte takes at least 0.1 ms, and many clients may end at the same time. So buffers wait in a queue,
 * and each turn of the event loop returns some of them.
 *
 * Where the C library cannot be called, buffers are detached. A program that has opened no {@linkcode FreedMemory},
 * such as a client, leaves them to the garbage collector.
 *
 * @module
 */

import {
  FREED_AT_ONCE_MIN_BYTES,
  FREED_QUEUE_MAX_BYTES,
  FREED_UNBORROWED_MIN_BYTES,
  FREEING_SLICE_MS,
} from "../limits.ts";
import { PLATFORM } from "../operating_system.ts";
import { runFor } from "../run_for.ts";

/** Linux's advice for `madvise` that a range's pages are not needed any more; the same on x86-64 and arm64. */
const MADV_DONTNEED = 4;
/** The largest page size of these systems, in bytes. Ranges between multiples of it consist of whole pages. */
const PAGE_MAX_BYTES = Deno.build.arch === "x86_64" ? 4 * 1024 : 64 * 1024;
/** The bytes that are returned between two readings of the clock. */
const PIECE_BYTES = 1024 * 1024;

const SYMBOLS = {
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
} as const;

/** The freed buffers of this process, and the C library. */
class FreedBuffers {
  readonly #library = Deno.dlopen(PLATFORM.library!.path, SYMBOLS);
  /** The queue of freed buffers. The next one is at `#first`; its bytes before `#offset` are returned already. */
  #waiting: ArrayBuffer[] = [];
  #first = 0;
  #offset = 0;
  #bytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The most bytes that may wait in the queue. */
  maxBytes = FREED_QUEUE_MAX_BYTES;

  add(buffer: ArrayBuffer): void {
    this.#waiting.push(buffer);
    this.#bytes += buffer.byteLength;
    // A longer queue would take many turns, in which the process uses too much memory.
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
    // Not after each buffer, since removing one moves all that wait.
    if (++this.#first * 2 < this.#waiting.length) return;
    this.#waiting.splice(0, this.#first);
    this.#first = 0;
  }

  /** Returns the whole pages of a piece to the system. A page that two pieces share may stay. */
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

/** The queue of this process; `undefined` while no {@linkcode FreedMemory} is open, `null` without the C library. */
let freed: FreedBuffers | null | undefined;
let usersCount = 0;

/**
 * While one is open, {@linkcode freeBuffer} returns memory to the system. A process may have several, such as one for
 * each server.
 */
export class FreedMemory implements Disposable {
  #isOpen = true;

  private constructor() {}

  /**
   * Begins to return memory to the system. Never throws: without the C library, freed buffers are detached.
   *
   * @param queueMaxBytes the most bytes of freed buffers that may wait for later turns; the smallest value of all open
   * ones applies
   */
  static open(queueMaxBytes: number = FREED_QUEUE_MAX_BYTES): FreedMemory {
    if (usersCount++ === 0) freed = openFreed();
    if (freed) freed.maxBytes = Math.min(freed.maxBytes, queueMaxBytes);
    return new FreedMemory();
  }

  /** Closes this one. The last one to close returns all buffers that wait. Idempotent. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (--usersCount > 0) return;
    freed?.close();
    freed = undefined;
  }
}

function openFreed(): typeof freed {
  if (!PLATFORM.has("freedPages")) return null;
  try {
    return new FreedBuffers();
  } catch {
    // There is no permission for FFI, or another C library.
    return null;
  }
}

/**
 * Returns the memory of a view's buffer to the system, if the buffer is large. Small ones are left to the garbage
 * collector. No code may use the buffer afterwards, and no write of it may be under way: it reads as zeros, or is
 * detached. A second call has no effect.
 */
export function freeBuffer({ buffer }: Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>): void {
  if (freed === undefined || buffer.byteLength < FREED_AT_ONCE_MIN_BYTES) return;
  free(buffer);
}

/** Does what {@linkcode freeBuffer} does, but also for smaller buffers. No code may borrow the buffer. */
export function freeUnborrowed({ buffer }: Uint8Array<ArrayBuffer>): void {
  if (freed === undefined || buffer.byteLength < FREED_UNBORROWED_MIN_BYTES) return;
  free(buffer);
}

function free(buffer: ArrayBuffer): void {
  if (freed === null) buffer.transfer(0);
  else freed!.add(buffer);
}

/** Returns the whole pages of a part of a buffer to the system immediately. The rest of the buffer stays in use. */
export function freePart(part: Uint8Array<ArrayBuffer>): void {
  freed?.returnPages(part);
}
