/**
 * Keeps buffers that were used for parts of long replies, to use them again. All have the same size.
 *
 * The system clears each page of fresh memory when it is first accessed. So filling a new buffer takes ten times as
 * long as filling a used one, and new buffers make the garbage collector run.
 *
 * A buffer has one owner, who takes it, and returns it after its bytes are written or dropped. A returned buffer still
 * holds a client's data. So its next owner sends only the bytes that it has written itself.
 *
 * @module
 */

import { REPLY_CHUNK_BYTES, SPARE_CHUNKS_MAX_COUNT } from "../limits.ts";
import { freeBuffer } from "./freed_memory.ts";

const spare = new Set<ArrayBuffer>();

/** Returns a buffer of `size` bytes with arbitrary contents. */
export function takeSpare(size: number): Uint8Array<ArrayBuffer> {
  if (size !== REPLY_CHUNK_BYTES) return new Uint8Array(size);
  for (const buffer of spare) {
    spare.delete(buffer);
    return new Uint8Array(buffer);
  }
  return new Uint8Array(size);
}

/** Returns a view's buffer, of any size, to the kept ones, or frees it. No write of it may be under way. */
export function giveSpare(chunk: Uint8Array<ArrayBuffer>): void {
  const { buffer } = chunk;
  if (buffer.byteLength === REPLY_CHUNK_BYTES && spare.size < SPARE_CHUNKS_MAX_COUNT) spare.add(buffer);
  else if (!spare.has(buffer)) freeBuffer(chunk);
}
