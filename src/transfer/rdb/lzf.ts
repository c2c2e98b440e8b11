/**
 * Decompresses LZF, the compression of strings in RDB files.
 *
 * ```text
 * 000nnnnn  n+1 bytes            the next n+1 bytes are data
 * nnnooooo  oooooooo             a repetition of n+2 bytes that begin o+1 bytes before, if n is 1 to 6
 * 111ooooo  nnnnnnnn  oooooooo   the same of n+9 bytes
 * ```
 *
 * A repetition may overlap with what it makes: a repeated byte is a repetition that begins one byte before.
 *
 * @module
 */

/**
 * Decompresses `source[start, start + length)` to the first `size` bytes of `target`.
 *
 * @returns whether the data is valid, and makes exactly `size` bytes
 */
export function decompressLzf(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  size: number,
): boolean {
  const end = start + length;
  let from = start;
  let to = 0;
  while (from < end) {
    const control = source[from++]!;
    if (control < 0x20) {
      const count = control + 1;
      if (from + count > end || to + count > size) return false;
      for (let i = 0; i < count; i++) target[to++] = source[from++]!;
      continue;
    }
    let count = (control >> 5) + 2;
    if (count === 9) {
      if (from >= end) return false;
      count += source[from++]!;
    }
    if (from >= end) return false;
    let reference = to - ((control & 0x1f) << 8) - source[from++]! - 1;
    if (reference < 0 || to + count > size) return false;
    for (let i = 0; i < count; i++) target[to++] = target[reference++]!;
  }
  return to === size;
}
