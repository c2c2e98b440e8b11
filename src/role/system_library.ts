/**
 * Asks the C library for facts: files below `/proc` and `/sys` on Linux, and how many files a process may open.
 *
 * Deno lets only a program with every permission read below `/proc` and `/sys`. Where the library cannot be called
 * (another system, no permission for FFI, another C library) the facts are unknown, and each caller decides what to do.
 *
 * @module
 */

import { SYSTEM_FILE_MAX_BYTES } from "../limits.ts";
import { type CLibrary, PLATFORM } from "../operating_system.ts";

const SYMBOLS = {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

/** The number of Linux; other systems have no files below `/proc`. */
const O_RDONLY_CLOEXEC = 0o2000000;
const READ_BYTES = 64 * 1024;

/** The C library, opened for a moment. */
export class SystemLibrary implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #numbers: CLibrary;

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>, numbers: CLibrary) {
    this.#library = library;
    this.#numbers = numbers;
  }

  /** Returns the library; `undefined` where it cannot be called. */
  static open(): SystemLibrary | undefined {
    const { library } = PLATFORM;
    if (library === undefined) return undefined;
    try {
      return new SystemLibrary(Deno.dlopen(library.path, SYMBOLS), library);
    } catch {
      return undefined;
    }
  }

  /** Returns the text of a file; `undefined` when it cannot be read, or is longer than SYSTEM_FILE_MAX_BYTES. */
  readFile(path: string): string | undefined {
    const { open, read, close } = this.#library.symbols;
    const descriptor = open(new TextEncoder().encode(`${path}\0`), O_RDONLY_CLOEXEC);
    if (descriptor < 0) return undefined;
    try {
      const decoder = new TextDecoder();
      const piece = new Uint8Array(READ_BYTES);
      let text = "";
      for (let total = 0; total <= SYSTEM_FILE_MAX_BYTES;) {
        const size = Number(read(descriptor, piece, BigInt(piece.length)));
        if (size < 0) return undefined;
        if (size === 0) return text + decoder.decode();
        text += decoder.decode(piece.subarray(0, size), { stream: true });
        total += size;
      }
      return undefined;
    } finally {
      close(descriptor);
    }
  }

  /**
   * Returns how many descriptors the process may have (`ulimit -n`); `undefined` when the system does not report it.
   */
  descriptorLimit(): number | undefined {
    const limits = new BigUint64Array(2);
    if (this.#library.symbols.getrlimit(this.#numbers.RLIMIT_NOFILE, new Uint8Array(limits.buffer)) !== 0) {
      return undefined;
    }
    // The largest number means no limit.
    return limits[0]! > BigInt(Number.MAX_SAFE_INTEGER) ? Infinity : Number(limits[0]);
  }

  [Symbol.dispose](): void {
    this.#library.close();
  }
}
