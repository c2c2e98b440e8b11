import { assertEquals, assertMatch } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { formatDouble } from "../../src/wire/double.ts";

/** Doubles, and their text in RESP3 of redis-server 7.0.15. */
const DOUBLES: [value: number, text: string][] = [
  [0, "0"],
  [-0, "-0"],
  [1, "1"],
  [-2.5, "-2.5"],
  [100, "100"],
  [0.1, "0.10000000000000001"],
  [3.141, "3.141"],
  [0.0001, "0.0001"],
  [0.00001234, "1.234e-05"],
  [1e15, "1000000000000000"],
  [1e16, "10000000000000000"],
  [1e17, "1e+17"],
  [99_999_999_999_999_990, "99999999999999984"],
  [99_999_999_999_999_999, "1e+17"],
  [123_456_789_012_345_680, "1.2345678901234568e+17"],
  [1e300, "1.0000000000000001e+300"],
  [Number.MAX_VALUE, "1.7976931348623157e+308"],
  [Number.MIN_VALUE, "4.9406564584124654e-324"],
  // The value is half way between two texts, and the even one is written.
  [1742881154773662.25, "1742881154773662.2"],
  [42372125385312.5625, "42372125385312.562"],
  [42372125385312.6875, "42372125385312.688"],
  [461062599636982.625, "461062599636982.62"],
  [461062599636982.375, "461062599636982.38"],
  [Infinity, "inf"],
  [-Infinity, "-inf"],
  [NaN, "nan"],
];

Deno.test("formatDouble() writes doubles as Redis does", () => {
  for (const [value, text] of DOUBLES) assertEquals(formatDouble(value), text);
});

Deno.test("formatDouble() writes text that parses to the same double", () => {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const view = new DataView(new ArrayBuffer(8));
  for (let i = 0; i < 20_000; i++) {
    const value = random.chance(0.5)
      ? (random.below(2 ** 32) - 2 ** 31) * 10 ** (random.below(40) - 20)
      : (view.setUint32(0, random.below(2 ** 32)), view.setUint32(4, random.below(2 ** 32)), view.getFloat64(0));
    if (!Number.isFinite(value)) continue;
    const text = formatDouble(value);
    assertEquals(Number(text), value);
    assertMatch(text, /^-?[0-9]+(\.[0-9]*[1-9])?(e[+-][0-9]{2,3})?$/);
  }
});
