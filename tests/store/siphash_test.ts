import { assert, assertEquals } from "@std/assert";
import { halfSipHash } from "../../src/store/siphash.ts";

const MASK = 0xffffffffn;

/** Returns HalfSipHash as its paper specifies it, in big integers and with any numbers of rounds: the oracle. */
function oracle(bytes: Uint8Array, k0: bigint, k1: bigint, rounds: number, finalRounds: number): bigint {
  const rotate = (value: bigint, bits: bigint) => ((value << bits) | (value >> (32n - bits))) & MASK;
  let [v0, v1, v2, v3] = [k0, k1, 0x6c796765n ^ k0, 0x74656462n ^ k1];
  const mix = () => {
    v0 = (v0 + v1) & MASK;
    v1 = rotate(v1, 5n) ^ v0;
    v0 = rotate(v0, 16n);
    v2 = (v2 + v3) & MASK;
    v3 = rotate(v3, 8n) ^ v2;
    v0 = (v0 + v3) & MASK;
    v3 = rotate(v3, 7n) ^ v0;
    v2 = (v2 + v1) & MASK;
    v1 = rotate(v1, 13n) ^ v2;
    v2 = rotate(v2, 16n);
  };
  const padded = new Uint8Array(Math.floor(bytes.length / 4) * 4 + 4);
  padded.set(bytes);
  padded[padded.length - 1] = bytes.length;
  for (let at = 0; at < padded.length; at += 4) {
    const word = BigInt(new DataView(padded.buffer).getUint32(at, true));
    v3 ^= word;
    for (let i = 0; i < rounds; i++) mix();
    v0 ^= word;
  }
  v2 ^= 0xffn;
  for (let i = 0; i < finalRounds; i++) mix();
  return v1 ^ v3;
}

Deno.test("the oracle returns the reference vectors of HalfSipHash-2-4", () => {
  const expected = [0x5b9f35a9, 0xb85a4727, 0x03a662fa];
  for (let length = 0; length < expected.length; length++) {
    const input = Uint8Array.from({ length }, (_, i) => i);
    assertEquals(oracle(input, 0x03020100n, 0x07060504n, 2, 4), BigInt(expected[length]!));
  }
});

Deno.test("halfSipHash() is HalfSipHash-1-3 for every length and position", () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 197 + 11) & 0xff);
  for (let length = 0; length < 280; length++) {
    const start = length % 7;
    const [k0, k1] = [0x9e3779b9 + length, 0x7f4a7c15 ^ length];
    assertEquals(
      BigInt(halfSipHash(bytes, start, length, k0 >>> 0, k1 >>> 0) >>> 0),
      oracle(bytes.subarray(start, start + length), BigInt(k0 >>> 0), BigInt(k1 >>> 0), 1, 3),
      `length ${length}`,
    );
  }
});

Deno.test("halfSipHash() spreads similar keys evenly under every seed", () => {
  for (const seed of [0, 1, 0xffffffff]) {
    const buckets = new Uint32Array(256);
    const key = new Uint8Array(8);
    for (let i = 0; i < 100_000; i++) {
      new DataView(key.buffer).setUint32(4, i);
      const hash = halfSipHash(key, 0, 8, seed, ~seed >>> 0);
      buckets[hash & 0xff]!++;
    }
    const expected = 100_000 / 256;
    const squares = buckets.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
    assert(squares > 150 && squares < 400, `chi-squared of 255 degrees of freedom: ${squares}`);
  }
});
