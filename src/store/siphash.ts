/**
 * HalfSipHash-1-3: a keyed hash of bytes to 32 bits.
 *
 * It is keyed, so that a client that does not know the seed cannot choose keys of the same bucket. It consists of
 * 32-bit additions, rotations and exclusive ors, which JavaScript compiles to single instructions. It has one round a
 * word and three at the end, as in other hash tables (Rust's and Python's choice for the 64-bit form).
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", and its reference implementation.
 *
 * @module
 */

/**
 * Returns the hash of `bytes[start, start + length)` as a signed 32-bit integer, which calls pass without boxing it.
 *
 * @param k0 the first word of the seed
 * @param k1 the second word of the seed
 */
export function halfSipHash(bytes: Uint8Array, start: number, length: number, k0: number, k1: number): number {
  let v0 = k0 | 0;
  let v1 = k1 | 0;
  let v2 = 0x6c796765 ^ k0;
  let v3 = 0x74656462 ^ k1;
  let at = start;
  const whole = start + (length & ~3);
  // There is one round for every word, the last of which has the remaining bytes and the length; then three to finish.
  for (let left = (length >>> 2) + 4; left > 0; left--) {
    let word = 0;
    if (at < whole) {
      word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
      at += 4;
      v3 ^= word;
    } else if (left === 4) {
      word = length << 24;
      const rest = length & 3;
      if (rest > 0) word |= bytes[at]!;
      if (rest > 1) word |= bytes[at + 1]! << 8;
      if (rest > 2) word |= bytes[at + 2]! << 16;
      v3 ^= word;
    } else if (left === 3) {
      v2 ^= 0xff;
    }
    v0 = (v0 + v1) | 0;
    v1 = (v1 << 5) | (v1 >>> 27);
    v1 ^= v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = (v3 << 8) | (v3 >>> 24);
    v3 ^= v2;
    v0 = (v0 + v3) | 0;
    v3 = (v3 << 7) | (v3 >>> 25);
    v3 ^= v0;
    v2 = (v2 + v1) | 0;
    v1 = (v1 << 13) | (v1 >>> 19);
    v1 ^= v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}
