/**
 * Reads snapshots, whose format snapshot.ts draws.
 *
 * Loading is one pass: each block is verified before anything of it is given away. Who gives the records to a store
 * throws that store away when the reader throws.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { CorruptionError, ProtocolError, StartError } from "../errors.ts";
import { SNAPSHOT_BLOCK_BYTES } from "../limits.ts";
import { read32 } from "../wire/message_pack.ts";
import { RecordDecoder } from "./record.ts";
import type { RecordTarget } from "./record.ts";
import {
  BLOCK_HEADER_BYTES,
  BLOCK_PAYLOAD_MAX_BYTES,
  blockChecksum,
  SNAPSHOT_HEADER_BYTES,
  SNAPSHOT_MAGIC,
  SNAPSHOT_VERSION,
} from "./snapshot.ts";
import type { SnapshotSummary } from "./snapshot.ts";

/** Where a snapshot's bytes come from; `Deno.FsFile` is such. */
export interface SnapshotSource {
  /** Fills some of `target`. @returns how many bytes, or `null` at the end */
  readSync(target: Uint8Array): number | null;
}

/**
 * Verifies a snapshot and gives its records to `target`.
 *
 * When it throws, what the target got is the beginning of a damaged snapshot and must not be used.
 *
 * @param source the file, at its beginning
 * @param sizeBytes the size of the file
 * @param path names the file in errors
 * @throws {CorruptionError} where the first block begins that is not as it was written
 * @throws {StartError} when the snapshot is of another version
 */
export function readSnapshot(
  source: SnapshotSource,
  sizeBytes: number,
  path: string,
  target: RecordTarget,
): SnapshotSummary {
  return new SnapshotReader(source, sizeBytes, path, target).read();
}

class SnapshotReader {
  readonly #source: SnapshotSource;
  readonly #size: number;
  readonly #path: string;
  readonly #decoder: RecordDecoder;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(SNAPSHOT_HEADER_BYTES);
  #offset = 0;
  #seed = 0;

  constructor(source: SnapshotSource, size: number, path: string, target: RecordTarget) {
    this.#source = source;
    this.#size = size;
    this.#path = path;
    this.#decoder = new RecordDecoder(target);
  }

  read(): SnapshotSummary {
    const createdMs = this.#header();
    const decoder = this.#decoder;
    for (let place = 0; !decoder.ended; place++) this.#block(place);
    const { ended } = decoder;
    if (this.#offset !== this.#size) throw this.#damage("Cannot read behind the closing block: expected nothing there");
    return { keys: ended.keys, createdMs, sizeBytes: this.#size };
  }

  #header(): number {
    if (this.#size < SNAPSHOT_HEADER_BYTES) throw this.#damage("Cannot read the header: the file is too short for it");
    const header = this.#buffer;
    this.#fill(0, SNAPSHOT_HEADER_BYTES);
    if (!SNAPSHOT_MAGIC.every((byte, index) => header[index] === byte)) {
      throw this.#damage(`Cannot read the header: expected a snapshot of inmem`);
    }
    this.#seed = crc32(header.subarray(0, 28));
    if (read32(header, 28) !== this.#seed) throw this.#damage("Cannot read the header: its checksum is wrong");
    const version = read32(header, 8);
    if (version !== SNAPSHOT_VERSION) {
      throw new StartError(
        `Cannot read "${this.#path}", a snapshot of version ${version}: this inmem reads version ${SNAPSHOT_VERSION}`,
      );
    }
    this.#offset = SNAPSHOT_HEADER_BYTES;
    return read32(header, 16) * 0x100000000 + read32(header, 20);
  }

  #block(place: number): void {
    const left = this.#size - this.#offset - BLOCK_HEADER_BYTES;
    if (left <= 0) throw this.#damage("Cannot read on: the file ends before its closing block");
    this.#fill(0, BLOCK_HEADER_BYTES);
    const payload = read32(this.#buffer, 0);
    // The length is not verified yet, so it may neither cost memory nor lead beyond the file.
    if (payload === 0 || payload > BLOCK_PAYLOAD_MAX_BYTES || payload > left) {
      throw this.#damage(`Cannot read a block of ${payload} bytes: ${left} are left in the file`);
    }
    const length = BLOCK_HEADER_BYTES + payload;
    this.#grow(length);
    this.#fill(BLOCK_HEADER_BYTES, length);
    if (read32(this.#buffer, 8) !== blockChecksum(this.#buffer, length, this.#seed)) {
      throw this.#damage("Cannot read a block: its checksum is wrong");
    }
    if (read32(this.#buffer, 4) !== place) throw this.#damage(`Cannot read a block: expected block ${place} here`);
    try {
      this.#decoder.decode(this.#buffer, BLOCK_HEADER_BYTES, length);
    } catch (error) {
      if (error instanceof ProtocolError) throw this.#damage(error.message, error);
      throw error;
    }
    const { ended, keys } = this.#decoder;
    if (ended && (ended.keys !== keys || ended.offset !== this.#offset)) {
      throw this.#damage(`Cannot accept ${keys} keys: the closing block says ${ended.keys}`);
    }
    this.#offset += length;
  }

  /** Makes room for a block of `size` bytes; what one large value needed is given back. */
  #grow(size: number): void {
    const keep = SNAPSHOT_BLOCK_BYTES * 2;
    if (size <= this.#buffer.length && (this.#buffer.length <= keep || size > keep)) return;
    // Nearly all blocks of a large file are about this long, so that the buffer is replaced once and no more.
    const usual = Math.min(this.#size, SNAPSHOT_BLOCK_BYTES + BLOCK_HEADER_BYTES);
    const grown = new Uint8Array(Math.max(size, usual));
    grown.set(this.#buffer.subarray(0, BLOCK_HEADER_BYTES));
    this.#buffer = grown;
  }

  #fill(start: number, end: number): void {
    while (start < end) {
      const count = this.#source.readSync(this.#buffer.subarray(start, end));
      if (count === null) throw this.#damage("Cannot read on: the file has become shorter");
      start += count;
    }
  }

  #damage(message: string, cause?: unknown): CorruptionError {
    return new CorruptionError(this.#path, this.#offset, message, { cause });
  }
}
