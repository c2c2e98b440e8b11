/**
 * The slot of a key: the unit of ownership in a cluster, as in Redis Cluster.
 *
 * It is the CRC16 (XMODEM: polynomial 0x1021, initial value 0, not reflected) modulo 16384 of the bytes between the
 * first `{` and the first `}` after it. Without such a pair, or with nothing between, it is that of the whole key
 * (https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/).
 *
 * A set of slots is sent as a bitmap, in the form that Redis Cluster's nodes use among themselves: 2,048 bytes, with
 * bit (slot & 7) of byte (slot >> 3) for each slot.
 *
 * @module
 */

import { SLOTS_COUNT } from "./limits.ts";

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const crcTable = makeCrcTable();

function makeCrcTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let remainder = byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      remainder = remainder & 0x8000 ? (remainder << 1) ^ 0x1021 : remainder << 1;
    }
    table[byte] = remainder;
  }
  return table;
}

/** Returns the CRC16 (XMODEM) of `bytes[start, end)`. */
export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let i = start; i < end; i++) {
    crc = ((crc << 8) & 0xffff) ^ crcTable[(crc >>> 8) ^ bytes[i]!]!;
  }
  return crc;
}

/**
 * Returns the slot of the key `bytes[start, start + length)`, 0 to 16383, without an allocation.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { slotOf } from "./key_slot.ts";
 *
 * const key = new TextEncoder().encode("foo");
 * assertEquals(slotOf(key, 0, key.length), 12182);
 * ```
 */
export function slotOf(bytes: Uint8Array, start: number, length: number): number {
  const end = start + length;
  let open = start;
  while (open < end && bytes[open] !== OPEN_BRACE) open++;
  // Only the first opening brace and the first closing brace after it count.
  let close = open + 1;
  while (close < end && bytes[close] !== CLOSE_BRACE) close++;
  const tagged = close < end && close > open + 1;
  return (tagged ? crc16(bytes, open + 1, close) : crc16(bytes, start, end)) & (SLOTS_COUNT - 1);
}

/** The size of a bitmap of slots, in bytes. */
export const SLOT_BITMAP_BYTES = SLOTS_COUNT / 8;

/** Returns whether a slot is in the bitmap at `bytes[start, start + SLOT_BITMAP_BYTES)`. */
export function hasSlot(bytes: Uint8Array, start: number, slot: number): boolean {
  return (bytes[start + (slot >> 3)]! & 1 << (slot & 7)) !== 0;
}
