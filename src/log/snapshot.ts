/**
 * Snapshots: all keys at one moment, in one file that vouches for each of its bits.
 *
 * ```text
 * file     header · block · block · … · closing block
 *
 * header   0  8  "INMEMSNP"
 *          8  4  version of the format: 1
 *         12  4  zero
 *         16  8  when the snapshot was taken, ms since 1970
 *         24  4  zero
 *         28  4  crc32 of bytes 0 to 27
 *
 * block    0  4  length of the payload
 *          4  4  its place in the file: 0, 1, 2 …
 *          8  4  crc32 of bytes 0 to 7 and the payload, begun with the header's crc32
 *         12  …  payload: whole records (record.ts)
 * ```
 *
 * All numbers are big-endian. The place makes a block that is missing, doubled or moved noticed, and beginning with
 * the header's crc32 one that came from another snapshot; the closing record says how many keys there are and where
 * it stands, and nothing may follow it, so a cut at any byte is noticed as well.
 *
 * A block holds about 1 MiB, or one record that is larger. Writer and reader hold one block at a time. The writer is
 * synchronous: a caller that walks over the store in one go gets a point in time for nothing, at the price of a pause
 * as long as the writing; the append-only log's issue makes it incremental on the same format.
 *
 * snapshot_reader.ts reads it.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { encodeText } from "../bytes.ts";
import { assert } from "../errors.ts";
import { FIELD_SIZE_MAX_BYTES, KEY_SIZE_MAX_BYTES, SNAPSHOT_BLOCK_BYTES, VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import {
  Form,
  HEADER_MAX_BYTES,
  write32,
  writeArrayHeader,
  writeBinHeader,
  writeInteger,
} from "../wire/message_pack.ts";
import { RecordType } from "./record.ts";

/** The version of the format that this module writes, and the only one it reads. */
export const SNAPSHOT_VERSION = 1;
/** Bytes of the file's header. */
export const SNAPSHOT_HEADER_BYTES = 32;
/** Bytes before a block's payload. */
export const BLOCK_HEADER_BYTES = 12;

/** The first bytes of a snapshot. */
export const SNAPSHOT_MAGIC: Uint8Array = encodeText("INMEMSNP");
/** No record is larger: a hash's field and value in a record that also names the key. */
const RECORD_MAX_BYTES = KEY_SIZE_MAX_BYTES + FIELD_SIZE_MAX_BYTES + VALUE_SIZE_MAX_BYTES + 6 * HEADER_MAX_BYTES;
/** No payload is larger: what is collected before the largest record that is still put behind it. */
export const BLOCK_PAYLOAD_MAX_BYTES = SNAPSHOT_BLOCK_BYTES + RECORD_MAX_BYTES;

/** Where a snapshot's bytes go; `Deno.FsFile` is such. */
export interface SnapshotSink {
  /** Takes some of `bytes`, at least one, which it does not keep. @returns how many */
  writeSync(bytes: Uint8Array): number;
}

/** What a snapshot says of itself. */
export interface SnapshotSummary {
  /** Keys in it, those whose deadline has passed included. */
  readonly keys: number;
  /** When it was taken, in ms since 1970. */
  readonly createdMs: number;
  readonly sizeBytes: number;
}

/**
 * Writes one snapshot. Lengths are told first; the caller then copies the bytes into {@linkcode buffer} at the places
 * told back, which hold until the next call.
 *
 * @example
 * ```ts
 * const writer = new SnapshotWriter(file, Date.now());
 * writer.string(0, 3, 5);
 * writer.buffer.set(encodeText("key"), writer.keyAt);
 * writer.buffer.set(encodeText("value"), writer.valueAt);
 * const { keys, sizeBytes } = writer.finish();
 * ```
 */
export class SnapshotWriter {
  /** The block being filled. Replaced when it grows, so read it after each call. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(SNAPSHOT_BLOCK_BYTES + BLOCK_HEADER_BYTES);
  /** Where the key, or the field of a hash, belongs. */
  keyAt = 0;
  /** Where the value or the element belongs. */
  valueAt = 0;
  readonly #sink: SnapshotSink;
  readonly #createdMs: number;
  readonly #seed: number;
  /** Bytes of {@linkcode buffer} that are filled. */
  #length = BLOCK_HEADER_BYTES;
  /** Bytes of the file that were written. */
  #offset = 0;
  #blocks = 0;
  #keys = 0;
  /** Where the record of a list or hash begins, whose head is filled in when it is complete; 0 outside. */
  #recordAt = 0;
  /** Items of that record. */
  #items = 0;
  /** Elements or fields that the list or hash still lacks. */
  #missing = 0;

  /**
   * Begins a snapshot and writes its header.
   *
   * @param sink gets the bytes; opening, syncing and closing it is the caller's business
   * @param createdMs when the snapshot is taken, in ms since 1970
   */
  constructor(sink: SnapshotSink, createdMs: number) {
    this.#sink = sink;
    this.#createdMs = createdMs;
    const header = new Uint8Array(SNAPSHOT_HEADER_BYTES);
    header.set(SNAPSHOT_MAGIC);
    write32(header, 8, SNAPSHOT_VERSION);
    write32(header, 16, Math.floor(createdMs / 0x100000000));
    write32(header, 20, createdMs % 0x100000000);
    this.#seed = crc32(header.subarray(0, 28));
    write32(header, 28, this.#seed);
    this.#write(header);
  }

  /** A string; copy the key to {@linkcode keyAt} and the value to {@linkcode valueAt}. Deadline in ms, 0 for none. */
  string(deadlineMs: number, keyLength: number, valueLength: number): void {
    this.#beginRecord(keyLength + valueLength);
    this.#length = writeArrayHeader(this.buffer, this.#length, 4);
    this.#head(RecordType.String, deadlineMs, keyLength);
    this.valueAt = writeBinHeader(this.buffer, this.#length, valueLength);
    this.#length = this.valueAt + valueLength;
  }

  /** A list of `count` elements, at least one; copy the key to {@linkcode keyAt}. */
  beginList(deadlineMs: number, keyLength: number, count: number): void {
    this.#beginAggregate(RecordType.List, deadlineMs, keyLength, count);
  }

  /** A hash of `count` fields, at least one; copy the key to {@linkcode keyAt}. */
  beginHash(deadlineMs: number, keyLength: number, count: number): void {
    this.#beginAggregate(RecordType.Hash, deadlineMs, keyLength, count);
  }

  /** The next element of the list, from head to tail; copy it to {@linkcode valueAt}. */
  element(length: number): void {
    this.#item(length + HEADER_MAX_BYTES);
    this.valueAt = writeBinHeader(this.buffer, this.#length, length);
    this.#length = this.valueAt + length;
    this.#items += 1;
    if (this.#missing === 0) this.#endRecord();
  }

  /** A field of the hash; copy it to {@linkcode keyAt} and its value to {@linkcode valueAt}. */
  field(fieldLength: number, valueLength: number): void {
    this.#item(fieldLength + valueLength + 2 * HEADER_MAX_BYTES);
    this.keyAt = writeBinHeader(this.buffer, this.#length, fieldLength);
    this.valueAt = writeBinHeader(this.buffer, this.keyAt + fieldLength, valueLength);
    this.#length = this.valueAt + valueLength;
    this.#items += 2;
    if (this.#missing === 0) this.#endRecord();
  }

  /** Writes the closing block. The file still has to be synced. Nothing may be called afterwards. */
  finish(): SnapshotSummary {
    assert(this.#missing === 0, "a snapshot ends inside a list or hash");
    this.#flush();
    const offset = this.#offset;
    this.#length = writeArrayHeader(this.buffer, this.#length, 3);
    this.#integer(RecordType.End);
    this.#integer(this.#keys);
    this.#integer(offset);
    this.#flush();
    return { keys: this.#keys, createdMs: this.#createdMs, sizeBytes: this.#offset };
  }

  #beginRecord(size: number): void {
    assert(this.#missing === 0, "a record begins inside a list or hash");
    const needed = size + 5 * HEADER_MAX_BYTES;
    if (this.#length + needed > SNAPSHOT_BLOCK_BYTES) this.#flush();
    this.#grow(needed);
    this.#keys++;
  }

  #beginAggregate(type: RecordType, deadlineMs: number, keyLength: number, count: number): void {
    assert(count > 0, "a list or hash without elements is no key");
    this.#beginRecord(keyLength);
    this.#recordAt = this.#length;
    this.#length += 5;
    this.#head(type, deadlineMs, keyLength);
    this.#integer(count);
    this.#items = 4;
    this.#missing = count;
  }

  #head(type: RecordType, deadlineMs: number, keyLength: number): void {
    this.#integer(type);
    this.#integer(deadlineMs);
    this.keyAt = writeBinHeader(this.buffer, this.#length, keyLength);
    this.#length = this.keyAt + keyLength;
  }

  /** Makes room for `size` bytes of the list or hash; in a new block when this one is full. */
  #item(size: number): void {
    assert(this.#missing > 0, "a list or hash has more elements than it announced");
    this.#missing--;
    const fresh = this.#items === 1 && this.#recordAt === BLOCK_HEADER_BYTES;
    if (this.#length + size > SNAPSHOT_BLOCK_BYTES && !fresh) {
      this.#endRecord();
      this.#flush();
      this.#recordAt = this.#length;
      this.#length += 5;
      this.#integer(RecordType.More);
      this.#items = 1;
    }
    this.#grow(size);
  }

  #endRecord(): void {
    this.buffer[this.#recordAt] = Form.Array32;
    write32(this.buffer, this.#recordAt + 1, this.#items);
  }

  #integer(value: number): void {
    this.#length = writeInteger(this.buffer, this.#length, value);
  }

  #grow(size: number): void {
    const needed = this.#length + size;
    if (needed <= this.buffer.length) return;
    const grown = new Uint8Array(needed);
    grown.set(this.buffer.subarray(0, this.#length));
    this.buffer = grown;
  }

  /** Writes the block, unless it is empty, and begins the next one. */
  #flush(): void {
    if (this.#length === BLOCK_HEADER_BYTES) return;
    const buffer = this.buffer;
    write32(buffer, 0, this.#length - BLOCK_HEADER_BYTES);
    write32(buffer, 4, this.#blocks++);
    write32(buffer, 8, blockChecksum(buffer, this.#length, this.#seed));
    this.#write(buffer.subarray(0, this.#length));
    this.#length = BLOCK_HEADER_BYTES;
    // What one large value needed is given back.
    if (buffer.length > SNAPSHOT_BLOCK_BYTES * 2) {
      this.buffer = new Uint8Array(SNAPSHOT_BLOCK_BYTES + BLOCK_HEADER_BYTES);
    }
  }

  #write(bytes: Uint8Array): void {
    for (let written = 0; written < bytes.length;) written += this.#sink.writeSync(bytes.subarray(written));
    this.#offset += bytes.length;
  }
}

/** The crc32 of the block in `block[0, length)`, its own place excluded. */
export function blockChecksum(block: Uint8Array, length: number, seed: number): number {
  return crc32(block.subarray(BLOCK_HEADER_BYTES, length), crc32(block.subarray(0, 8), seed));
}
