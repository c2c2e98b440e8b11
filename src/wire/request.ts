/**
 * One request, as places in the read buffer it arrived in.
 *
 * ```text
 * bytes   … 93 a3 s e t a1 x a2 4 2 …          the connection's read buffer, borrowed
 * starts        [   2,      6,   8 ]           where each argument begins in it
 * lengths       [   3,      1,   2 ]           how long it is
 * ```
 *
 * The decoder fills the same object again and again, so a command costs no allocation. Argument 0 is the name of the
 * command. Everything is borrowed until the command returns: code that keeps bytes copies them.
 *
 * @module
 */

import { copyBytes, decodeText, equalsIgnoringCase, parseInteger } from "../bytes.ts";
import { READ_BUFFER_BATCH_BYTES } from "../limits.ts";
import { freeBuffer } from "../memory/freed_memory.ts";

const EMPTY = new Uint8Array(0);
const EMPTY_VIEW = new DataView(EMPTY.buffer);
/** The number of arguments that a new request has room for. */
const ARGUMENTS_INITIAL_COUNT = 16;
/** Room for more arguments than this is freed after use. */
const ARGUMENTS_KEEP_MAX_COUNT = 4096;

/** The arguments of the running request, borrowed from the read buffer. */
export class Request {
  /** The buffer that holds all arguments. Borrowed until the command returns. */
  bytes: Uint8Array = EMPTY;
  /** A view on {@linkcode bytes}, for copying eight bytes at a time. */
  dataView: DataView = EMPTY_VIEW;
  /** The number of arguments, including the name of the command. */
  count = 0;
  /** The sum of the lengths of all arguments, in bytes. */
  size = 0;
  /** The start of each argument in {@linkcode bytes}. */
  starts: Int32Array<ArrayBuffer> = new Int32Array(ARGUMENTS_INITIAL_COUNT);
  /** The length of each argument, in bytes. */
  lengths: Int32Array<ArrayBuffer> = new Int32Array(ARGUMENTS_INITIAL_COUNT);

  /** Begins a request of `count` arguments in `bytes`. The decoder then fills `starts` and `lengths`. */
  reset(bytes: Uint8Array, count: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.dataView = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.count = count;
    this.size = 0;
    if (count > this.starts.length) this.#makeRoom(2 ** Math.ceil(Math.log2(count)));
  }

  /** Releases a large buffer, and the room for many arguments, which would cost memory until the next request. */
  clear(): void {
    if (this.bytes.length > READ_BUFFER_BATCH_BYTES) {
      this.bytes = EMPTY;
      this.dataView = EMPTY_VIEW;
    }
    this.count = 0;
    this.size = 0;
    if (this.starts.length > ARGUMENTS_KEEP_MAX_COUNT) this.#makeRoom(ARGUMENTS_INITIAL_COUNT);
  }

  /** Releases the buffer, of any size. */
  release(): void {
    this.bytes = EMPTY;
    this.dataView = EMPTY_VIEW;
    this.clear();
  }

  /** Returns a separate request with copies of the arguments. */
  copy(): Request {
    const copy = new Request();
    const bytes = new Uint8Array(this.size);
    copy.reset(bytes, this.count);
    for (let i = 0; i < this.count; i++) {
      const length = this.lengths[i]!;
      copyBytes(this.bytes, this.starts[i]!, bytes, copy.size, length);
      copy.starts[i] = copy.size;
      copy.lengths[i] = length;
      copy.size += length;
    }
    return copy;
  }

  #makeRoom(count: number): void {
    freeBuffer(this.starts);
    freeBuffer(this.lengths);
    this.starts = new Int32Array(count);
    this.lengths = new Int32Array(count);
  }

  /** Returns the start of argument `index` in {@linkcode bytes}. `index` must be below `count`. */
  start(index: number): number {
    return this.starts[index]!;
  }

  /** Returns the length of argument `index`, in bytes. `index` must be below `count`. */
  length(index: number): number {
    return this.lengths[index]!;
  }

  /** Returns argument `index` as text: a new string, for the paths that are not hot. */
  text(index: number): string {
    return decodeText(this.bytes, this.starts[index]!, this.lengths[index]!);
  }

  /** Returns argument `index` as a view on the read buffer, borrowed until the command returns. */
  view(index: number): Uint8Array {
    const start = this.starts[index]!;
    return this.bytes.subarray(start, start + this.lengths[index]!);
  }

  /** Returns argument `index` as an integer, or `NaN` when it is not an integer. */
  integer(index: number): number {
    return parseInteger(this.bytes, this.starts[index]!, this.lengths[index]!);
  }

  /** Returns whether argument `index` is the ASCII word `lower`, in upper or lower case. */
  is(index: number, lower: string): boolean {
    return equalsIgnoringCase(this.bytes, this.starts[index]!, this.lengths[index]!, lower);
  }
}
