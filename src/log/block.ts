/**
 * Blocks: how records stand in a file, so that each bit of it is vouched for. Logs and snapshots are made of the same.
 *
 * ```text
 * file     header · block · block · …
 *
 * header   0  8  "INMEMLOG" or "INMEMSNP"
 *          8  4  version of the format: 2
 *         12  4  random, so that no two files begin alike
 *         16  8  when the file was made, ms since 1970
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
 * All numbers are big-endian. Beginning with the header's checksum makes a block noticed that came from another file, its
 * number one that is missing, doubled or moved. The count of blocks not known to be on disk tells a torn end from damage:
 * what a later block says was on disk cannot have been torn (recover.ts). The word at the beginning is there to find the
 * next block behind one that is damaged.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { encodeText } from "../bytes.ts";
import { read32, write32 } from "../wire/native/message_pack.ts";

/** The version of the format that is written, and the only one that is read. */
export const FORMAT_VERSION = 2;
/** Bytes of a file's header. */
export const FILE_HEADER_BYTES = 40;
/** Bytes before a block's payload. */
export const BLOCK_HEADER_BYTES = 32;

/** The first bytes of each kind of file. */
export const FILE_MAGIC: Readonly<Record<FileKind, Uint8Array>> = {
  log: encodeText("INMEMLOG"),
  snapshot: encodeText("INMEMSNP"),
};

/** `BLCK` */
export const BLOCK_MAGIC = 0x424c434b;
const UNKNOWN_MAX = 0xffffffff;
const WORD = 0x100000000;

/** What a file is. */
export type FileKind = "log" | "snapshot";

/** What a file's header says. */
export interface FileHeader {
  readonly createdMs: number;
  /** Number of its first block. */
  readonly first: number;
  /** Blocks before that one that were not known to be on disk when the file was made. */
  readonly unknown: number;
  /** Its checksum, with which those of its blocks begin. */
  readonly seed: number;
}

/** Makes a file's header; the caller owns its bytes. */
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

/** Fills in the header of the block in `block[0, length)`, whose payload is there. */
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

/** Makes a sealed block one of another file. */
export function resealBlock(block: Uint8Array, seed: number): void {
  write32(block, 28, blockChecksum(block, 0, block.length, seed));
}

/** The crc32 of the block in `bytes[start, end)`, its own place excluded. */
export function blockChecksum(bytes: Uint8Array, start: number, end: number, seed: number): number {
  return crc32(bytes.subarray(start + BLOCK_HEADER_BYTES, end), crc32(bytes.subarray(start, start + 28), seed));
}

/** Writes a big-endian integer below 2^53. */
function write64(target: Uint8Array, at: number, value: number): void {
  write32(target, at, Math.floor(value / WORD));
  write32(target, at + 4, value % WORD);
}

/** The big-endian integer at `at`; beyond 2^53 it is not exact. */
export function read64(bytes: Uint8Array, at: number): number {
  return read32(bytes, at) * WORD + read32(bytes, at + 4);
}
