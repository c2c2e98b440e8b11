/**
 * Reads the blocks of a file one after another, and verifies each before returning any of it (block.ts draws them).
 *
 * The file is read in large pieces, since a log's blocks are small. A length is not trusted until the checksum confirms
 * it: a long block is first verified piece by piece, so that a damaged length costs no memory.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { CorruptionError, StartError } from "../errors.ts";
import { LOG_READ_BYTES } from "../limits.ts";
import { read32, write32 } from "../bytes.ts";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  blockChecksum,
  FILE_HEADER_BYTES,
  FILE_MAGIC,
  type FileHeader,
  type FileKind,
  FORMAT_VERSION,
  FORMAT_VERSION_MIN,
  read64,
} from "./block.ts";
import type { LogFile } from "./files.ts";

const NAMES: Readonly<Record<FileKind, string>> = { log: "a log", snapshot: "a snapshot" };
/** The largest number of a block: numbers up to this are exact. */
const NUMBER_MAX = Number.MAX_SAFE_INTEGER;

/** A reader of the blocks of one file. */
export class BlockReader {
  readonly path: string;
  readonly size: number;
  /** The position of the block that is read next, or that was found damaged, in bytes. */
  offset = 0;
  /** The file's header, after it was read. */
  header: FileHeader = { createdMs: 0, first: 0, unknown: 0, seed: 0 };

  // The block that was read last: its position in the file, its number, when it was written, how many blocks right
  // before it were not known to be on disk, and the bounds of its records in `bytes[start, end)`.
  blockOffset = 0;
  number = 0;
  writtenMs = 0;
  unknown = 0;
  start = 0;
  end = 0;

  readonly #file: LogFile;
  readonly #kind: FileKind;
  /** The bytes `[#from, #to)` of the file. */
  #window: Uint8Array<ArrayBuffer>;
  #from = 0;
  #to = 0;

  /** @param file an open file at any position; the caller closes it */
  constructor(file: LogFile, path: string, kind: FileKind) {
    this.#file = file;
    this.#kind = kind;
    this.path = path;
    this.size = file.statSync().size;
    this.#window = new Uint8Array(Math.min(LOG_READ_BYTES, Math.max(FILE_HEADER_BYTES, this.size)));
  }

  /** The buffer with the records at [{@linkcode start}, {@linkcode end}); borrowed until the next block is read. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#window;
  }

  /**
   * Reads the file's header.
   *
   * @throws {CorruptionError} when it is damaged
   * @throws {StartError} when the file has another version
   */
  readHeader(): void {
    if (this.size < FILE_HEADER_BYTES) throw this.damage("Cannot read the header: the file is too short for it");
    const at = this.#need(0, FILE_HEADER_BYTES);
    const bytes = this.#window;
    const hasMagic = FILE_MAGIC[this.#kind].every((byte, index) => bytes[at + index] === byte);
    const version = read32(bytes, at + 8);
    const seed = crc32(bytes.subarray(at, at + 36));
    const stored = read32(bytes, at + 36);
    // The first version had a shorter header, but a flipped bit can make version 3 look like it.
    if (hasMagic && stored !== seed && version === 1 && stored !== currentSeed(bytes, at)) {
      throw this.#wrongVersion(version);
    }
    if (!hasMagic || stored !== seed) {
      this.#guessSeed(stored, seed);
      throw this.damage(
        hasMagic
          ? "Cannot read the header: its checksum is wrong"
          : `Cannot read the header: expected ${NAMES[this.#kind]} of inmem`,
      );
    }
    if (version < FORMAT_VERSION_MIN || version > FORMAT_VERSION) throw this.#wrongVersion(version);
    this.header = {
      createdMs: read64(bytes, at + 16),
      first: read64(bytes, at + 24),
      unknown: read32(bytes, at + 32),
      seed,
    };
    this.offset = FILE_HEADER_BYTES;
  }

  /** Chooses the seed with which blocks can be read, so that they count although the header is damaged. */
  #guessSeed(stored: number, computed: number): void {
    this.header = { ...this.header, seed: stored };
    if (!this.skip(FILE_HEADER_BYTES)) this.header = { ...this.header, seed: computed };
    this.offset = 0;
  }

  #wrongVersion(version: number): StartError {
    const reads = `this inmem reads versions ${FORMAT_VERSION_MIN} to ${FORMAT_VERSION}`;
    const advice = version > FORMAT_VERSION
      ? "start the inmem that wrote it, or a newer one"
      : "start the inmem that wrote it, and copy the data from there";
    return new StartError(
      `Cannot read "${this.path}", ${NAMES[this.#kind]} of version ${version}: ${reads}; ${advice}`,
    );
  }

  /**
   * Reads the next block.
   *
   * @returns whether there was one; otherwise the file ends at `offset`
   * @throws {CorruptionError} when the block is damaged; `offset` is its beginning
   */
  next(): boolean {
    if (this.offset === this.size) return false;
    const problem = this.#read(this.offset);
    if (problem !== undefined) throw this.damage(`Cannot read a block: ${problem}`);
    return true;
  }

  /**
   * Finds the next valid block at or after `from`, and reads it.
   *
   * @param from a position in bytes
   * @returns whether there is one
   */
  skip(from: number): boolean {
    let at = from;
    while (at + BLOCK_HEADER_BYTES < this.size) {
      // The window is searched before it is moved. Moving it for each block would read the file many times.
      const held = at >= this.#from && at + 4 <= this.#to ? this.#to - at : 0;
      const length = held > 0 ? held : Math.min(LOG_READ_BYTES, this.size - at);
      const start = this.#need(at, length);
      const found = indexOfMagic(this.#window, start, start + length);
      if (found === -1) {
        at += length - 3;
        continue;
      }
      at += found - start;
      if (this.#read(at) === undefined) return true;
      at++;
    }
    return false;
  }

  /** Returns an error with the path and the position of the block. */
  damage(message: string, cause?: unknown): CorruptionError {
    return new CorruptionError(this.path, this.offset, message, { cause });
  }

  /** Reads the block at `offset`, or returns why it cannot be read. */
  #read(offset: number): string | undefined {
    const left = this.size - offset;
    if (left <= BLOCK_HEADER_BYTES) return `${left} bytes are left in the file`;
    let at = this.#need(offset, BLOCK_HEADER_BYTES);
    if (read32(this.#window, at) !== BLOCK_MAGIC) return "it does not begin as one";
    const length = BLOCK_HEADER_BYTES + read32(this.#window, at + 4);
    if (length === BLOCK_HEADER_BYTES || length > left) return `${left} bytes are left in the file, it has ${length}`;
    if (length > LOG_READ_BYTES && !this.#isGood(offset, length)) return "its checksum is wrong";
    at = this.#need(offset, length);
    const bytes = this.#window;
    if (read32(bytes, at + 28) !== blockChecksum(bytes, at, at + length, this.header.seed)) {
      return "its checksum is wrong";
    }
    this.number = read64(bytes, at + 8);
    if (this.number > NUMBER_MAX) return "its number is too large";
    this.writtenMs = read64(bytes, at + 16);
    this.unknown = read32(bytes, at + 24);
    this.start = at + BLOCK_HEADER_BYTES;
    this.end = at + length;
    this.blockOffset = offset;
    this.offset = offset + length;
    return undefined;
  }

  /** Returns whether the checksum of a long block is right, without keeping the block in memory. */
  #isGood(offset: number, length: number): boolean {
    const at = this.#need(offset, BLOCK_HEADER_BYTES);
    const expected = read32(this.#window, at + 28);
    let sum = crc32(this.#window.subarray(at, at + 28), this.header.seed);
    for (let done = BLOCK_HEADER_BYTES; done < length;) {
      const count = Math.min(LOG_READ_BYTES, length - done);
      const start = this.#need(offset + done, count);
      sum = crc32(this.#window.subarray(start, start + count), sum);
      done += count;
    }
    return sum === expected;
  }

  /**
   * Loads `length` bytes from `offset` on, which the file must have, into the window. Returns their position in the
   * window.
   */
  #need(offset: number, length: number): number {
    if (offset >= this.#from && offset + length <= this.#to) return offset - this.#from;
    const size = Math.max(length, Math.min(LOG_READ_BYTES, this.size - offset));
    // The memory that one long block needed is released.
    if (size > this.#window.length || this.#window.length > Math.max(size, 2 * LOG_READ_BYTES)) {
      this.#window = new Uint8Array(size);
    }
    this.#from = this.#to = offset;
    this.#file.seekSync(offset, 0);
    while (this.#to < offset + size) {
      const count = this.#file.readSync(this.#window.subarray(this.#to - offset, size));
      if (count === null) throw this.damage("Cannot read on: the file has become shorter");
      this.#to += count;
    }
    return 0;
  }
}

/** Returns the position of a block's first word in `bytes[start, end)`; -1 when there is none. */
function indexOfMagic(bytes: Uint8Array, start: number, end: number): number {
  for (let at = bytes.indexOf(BLOCK_MAGIC >>> 24, start); at >= 0 && at + 4 <= end;) {
    if (read32(bytes, at) === BLOCK_MAGIC) return at;
    at = bytes.indexOf(BLOCK_MAGIC >>> 24, at + 1);
  }
  return -1;
}

/** Returns the checksum that the file header at `at` would have if its version were the current one. */
function currentSeed(bytes: Uint8Array, at: number): number {
  const header = bytes.slice(at, at + 36);
  write32(header, 8, FORMAT_VERSION);
  return crc32(header);
}
