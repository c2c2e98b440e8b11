/**
 * Buffers of one size that were used for a part of a long reply, and are kept for the next one.
 *
 * Fresh memory is dear: the system clears each page when it is first touched, so that filling a new buffer takes ten times as
 * long as filling one that was used before, and new buffers make the garbage collector run.
 *
 * A buffer has one owner. It is taken, and given back when its bytes were written or dropped; what it holds then is somebody's
 * data, so whoever takes one sends only what he has put there.
 *
 * @module
 */

import { REPLY_CHUNK_BYTES, SPARE_CHUNKS_MAX_COUNT } from "../limits.ts";
import { freeBuffer } from "./freed_memory.ts";

const spare = new Set<ArrayBuffer>();

/** A buffer of `size` bytes, whose contents are of no meaning. */
export function takeSpare(size: number): Uint8Array<ArrayBuffer> {
  if (size !== REPLY_CHUNK_BYTES) return new Uint8Array(size);
  for (const buffer of spare) {
    spare.delete(buffer);
    return new Uint8Array(buffer);
  }
  return new Uint8Array(size);
}

/** Gives back the buffer behind a view, whatever its size. No write of it may be under way. */
export function giveSpare(chunk: Uint8Array<ArrayBuffer>): void {
  const { buffer } = chunk;
  if (buffer.byteLength === REPLY_CHUNK_BYTES && spare.size < SPARE_CHUNKS_MAX_COUNT) spare.add(buffer);
  else if (!spare.has(buffer)) freeBuffer(chunk);
}
