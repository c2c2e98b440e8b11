/**
 * Blocks: the format of records in a file, in which a checksum covers every bit. Logs and snapshots share it.
 *
 * ```text
 * file     header · block · block · …
 *
 * header   0  8  "INMEMLOG" or "INMEMSNP"
 *          8  4  version of the format: 3
 *         12  4  random, so that no two files begin alike
 *         16  8  when the file was created, ms since 1970
 *         24  8  number of its first block
 *         32  4  blocks before that one which were not known to be on disk then
 *         36  4  crc32 of bytes 0 to 35
 *
 * block    0  4  "BLCK"
 *          4  4  length of the payload in bytes, at least 1
 *          8  8  number: one more than that of the block before
 *         16  8  when it was written, ms since 1970
 *         24  4  blocks right before this one that were not known to be on disk then
 *         28  4  crc32 of bytes 0 to 27 and the payload, begun with the header's crc32
 *         32  …  payload: whole records (record.ts)
 * ```
 *
 * All numbers are big-endian. Each part reveals a kind of fault:
 *
 * - The checksum begins with that of the file's header, which reveals a block of another file.
 * - The number reveals a block that is missing, doubled or moved.
 * - The count of blocks not known to be on disk distinguishes a torn end from damage: a block that was on disk
 *   according to a later one cannot have been torn (recover.ts).
 * - The word at the beginning allows finding the next block after a damaged one.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { encodeText, read32, write32 } from "../bytes.ts";

/** The version of the format that is written. */
export const FORMAT_VERSION = 3;
/** The oldest version that is read. It has the same files, but no records of sets. */
export const FORMAT_VERSION_MIN = 2;
/** The size of a file's header, in bytes. */
export const FILE_HEADER_BYTES = 40;
/** The size of a block's header, in bytes. */
export const BLOCK_HEADER_BYTES = 32;

/** The first bytes of each kind of file. */
export const FILE_MAGIC: Readonly<Record<FileKind, Uint8Array>> = {
  log: encodeText("INMEMLOG"),
  snapshot: encodeText("INMEMSNP"),
};

/** The first word of a block: `BLCK` in ASCII. */
export const BLOCK_MAGIC = 0x424c434b;
const UNKNOWN_MAX = 0xffffffff;
const WORD = 0x100000000;

/** The kind of a file. */
export type FileKind = "log" | "snapshot";

/** The contents of a file's header. */
export interface FileHeader {
  readonly createdMs: number;
  /** The number of its first block. */
  readonly first: number;
  /** The number of blocks before the first that were not known to be on disk when the file was created. */
  readonly unknown: number;
  /** The header's checksum, with which those of the file's blocks begin. */
  readonly seed: number;
}

/** Returns a new file header and its checksum; the caller owns the bytes. */
export function encodeFileHeader(
  kind: FileKind,
  createdMs: number,
  first: number,
  unknown: number,
): { readonly bytes: Uint8Array<ArrayBuffer>; readonly seed: number } {
  const bytes = new Uint8Array(FILE_HEADER_BYTES);
  bytes.set(FILE_MAGIC[kind]);
  write32(bytes, 8, FORMAT_VERSION);
  crypto.getRandomValues(bytes.subarray(12, 16));
  write64(bytes, 16, createdMs);
  write64(bytes, 24, first);
  write32(bytes, 32, Math.min(unknown, UNKNOWN_MAX));
  const seed = crc32(bytes.subarray(0, 36));
  write32(bytes, 36, seed);
  return { bytes, seed };
}

/** Fills in the header of the block in `block[0, length)`, which already has its payload. */
export function sealBlock(
  block: Uint8Array,
  length: number,
  number: number,
  writtenMs: number,
  unknown: number,
  seed: number,
): void {
  write32(block, 0, BLOCK_MAGIC);
  write32(block, 4, length - BLOCK_HEADER_BYTES);
  write64(block, 8, number);
  write64(block, 16, writtenMs);
  write32(block, 24, Math.min(unknown, UNKNOWN_MAX));
  write32(block, 28, blockChecksum(block, 0, length, seed));
}

/** Updates the checksum of a sealed block for another file. */
export function resealBlock(block: Uint8Array, seed: number): void {
  write32(block, 28, blockChecksum(block, 0, block.length, seed));
}

/** Returns the crc32 of the block in `bytes[start, end)`, without the checksum's own bytes. */
export function blockChecksum(bytes: Uint8Array, start: number, end: number, seed: number): number {
  return crc32(bytes.subarray(start + BLOCK_HEADER_BYTES, end), crc32(bytes.subarray(start, start + 28), seed));
}

/** Writes a big-endian integer below 2^53. */
function write64(target: Uint8Array, at: number, value: number): void {
  write32(target, at, Math.floor(value / WORD));
  write32(target, at + 4, value % WORD);
}

/** Returns the big-endian integer at `at`; above 2^53 it is not exact. */
export function read64(bytes: Uint8Array, at: number): number {
  return read32(bytes, at) * WORD + read32(bytes, at + 4);
}
