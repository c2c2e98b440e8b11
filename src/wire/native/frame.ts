/**
 * Frames: how messages of the native protocol follow one another on a connection. PROTOCOL.md in the folder above
 * specifies every byte.
 *
 * ```text
 * frame    length:u32 big-endian · one MessagePack array of `length` bytes
 * request  [command, argument, …]                      every item is str or bin; see request_decoder.ts, request_writer.ts
 * reply    [0, value] or [1, code, message]            see reply_writer.ts, reply_reader.ts
 * ```
 *
 * @module
 */

import { read32 } from "../../bytes.ts";

/** The size of the length prefix, in bytes. */
export const FRAME_PREFIX_BYTES = 4;

/** Returns the length in the prefix at `start`, which must have arrived. The length excludes the prefix. */
export function frameLength(bytes: Uint8Array, start: number): number {
  return read32(bytes, start);
}
