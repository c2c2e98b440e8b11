/**
 * Cursors of a `scan` over many servers.
 *
 * ```text
 * cursor    52        32 31             0
 *           [ tag : 21 ][ position : 32 ]       a decimal number below 2^53, so that it is exact everywhere
 * ```
 *
 * `position` is the server's own cursor, and `tag` identifies the server by a hash of its address: 1 +
 * FNV-1a-64(address) modulo (2^21 - 1). Servers are visited in the order of their tags. So a cursor is complete: the
 * proxy stores nothing, any proxy can continue with it, and it stays valid when the list changes. If its server has
 * left the list, the server with the next tag is next, and no other server is visited twice or left out. A tag is never
 * 0, so only the first and the last cursor are 0.
 *
 * If two servers of a list have the same hash (1 in 200,000 lists of five), the later address gets the next free tag.
 * Only when one of those two leaves, a scan in progress may miss or repeat a part of the other.
 *
 * @module
 */

import { hashAddress } from "../../route/slots.ts";

const TAG_MAX = 2 ** 21 - 1;
const POSITIONS = 2 ** 32;

/** Returns a unique tag for each address, 1 to 2^21 - 1, regardless of their order. */
export function makeTags(addresses: readonly string[]): Map<string, number> {
  const tags = new Map<string, number>();
  const taken = new Set<number>();
  for (const address of [...addresses].sort()) {
    let tag = 1 + Number(hashAddress(address) % BigInt(TAG_MAX));
    while (taken.has(tag)) tag = tag % TAG_MAX + 1;
    taken.add(tag);
    tags.set(address, tag);
  }
  return tags;
}

/** Returns the cursor that continues at `position`, a server's own cursor below 2^32. */
export function encodeCursor(tag: number, position: number): number {
  return tag * POSITIONS + position;
}

/** Returns whether a server's own cursor fits. */
export function isPosition(value: number): boolean {
  return value >= 0 && value < POSITIONS;
}

/** Returns the tag in a cursor, which is a non-negative integer. */
export function tagOf(cursor: number): number {
  return Math.floor(cursor / POSITIONS);
}

/** Returns the server's own cursor in a cursor. */
export function positionOf(cursor: number): number {
  return cursor % POSITIONS;
}
