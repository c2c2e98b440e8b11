/**
 * Returns the memory of large buffers to the system at once.
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
 * A megabyte takes 0.1 ms, so what is longer is given back by another thread: many clients may end at once.
 *
 * Where the C library cannot be called, buffers are detached. In a program that has opened no {@linkcode FreedMemory}, such as
 * a client, they are left to the garbage collector.
 *
 * @module
 */

import { FREED_AT_ONCE_MIN_BYTES, FREED_BESIDE_MIN_BYTES } from "./limits.ts";

/** madvise: the pages of this range are not needed any more. The number of Linux, the same on x86-64 and arm64. */
const MADV_DONTNEED = 4;
/** What lies between multiples of this is whole pages: the largest that these systems have. */
const PAGE_MAX_BYTES = BigInt(Deno.build.arch === "x86_64" ? 4 * 1024 : 64 * 1024);

const SYMBOLS = {
  madvise: { parameters: ["pointer", "usize", "i32"], result: "i32" },
  // The same function, called on another thread.
  madvise_beside: { name: "madvise", parameters: ["pointer", "usize", "i32"], result: "i32", nonblocking: true },
} as const;

/** The C library, called on this thread and on others. */
class MemoryLibrary {
  readonly #library = Deno.dlopen("libc.so.6", SYMBOLS);
  /** Those under way, with what they are about: its memory must not get to others meanwhile. */
  readonly #calls = new Map<Promise<unknown>, ArrayBuffer>();

  /** Returns the whole pages of a buffer, which is kept until that is done. */
  returnPages(buffer: ArrayBuffer): void {
    const begin = Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(buffer)));
    const first = (begin + PAGE_MAX_BYTES - 1n) / PAGE_MAX_BYTES * PAGE_MAX_BYTES;
    const size = (begin + BigInt(buffer.byteLength)) / PAGE_MAX_BYTES * PAGE_MAX_BYTES - first;
    const pointer = Deno.UnsafePointer.create(first);
    const { symbols } = this.#library;
    if (buffer.byteLength < FREED_BESIDE_MIN_BYTES) {
      symbols.madvise(pointer, size, MADV_DONTNEED);
      return;
    }
    const call: Promise<unknown> = symbols.madvise_beside(pointer, size, MADV_DONTNEED).finally(() => {
      this.#calls.delete(call);
    });
    this.#calls.set(call, buffer);
  }

  async close(): Promise<void> {
    await Promise.all(this.#calls.keys());
    this.#library.close();
  }
}

/** The library, while somebody uses it; `null` where it cannot be called. */
let library: MemoryLibrary | null | undefined;
let usersCount = 0;

/** Has {@linkcode freeBuffer} return memory until it is disposed of. A process may have several, such as one a server. */
export class FreedMemory implements AsyncDisposable {
  #isOpen = true;

  private constructor() {}

  /** Never throws: see the module's comment for what is done where the C library cannot be called. */
  static open(): FreedMemory {
    if (usersCount++ === 0) library = openLibrary();
    return new FreedMemory();
  }

  /** Resolves when nothing is under way any more. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (--usersCount > 0) return;
    const last = library;
    library = undefined;
    await last?.close();
  }
}

function openLibrary(): typeof library {
  const { os, arch } = Deno.build;
  if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64")) return null;
  try {
    return new MemoryLibrary();
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
  if (library === undefined || buffer.byteLength < FREED_AT_ONCE_MIN_BYTES) return;
  if (library === null) buffer.transfer(0);
  else library.returnPages(buffer);
}
