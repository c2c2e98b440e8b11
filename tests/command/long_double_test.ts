import { assert, assertEquals } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { addLongDouble, formatLongDouble, INFINITE, parseLongDouble } from "../../src/command/long_double.ts";

/** Returns the text of a sum; `"infinite"` or `undefined` without one. */
function sum(a: string, b: string): string | undefined {
  const [x, y] = [parseLongDouble(a), parseLongDouble(b)];
  if (x === undefined || y === undefined) return undefined;
  if (x === INFINITE || y === INFINITE) return INFINITE;
  const total = addLongDouble(x, y);
  return total === INFINITE ? INFINITE : formatLongDouble(total);
}

Deno.test("addLongDouble() computes like redis-server 7.0.15 on x86-64", () => {
  const cases: [string, string, string | undefined][] = [
    ["10.5", "0.1", "10.6"],
    ["10.6", "5.0e3", "5010.60000000000000009"],
    ["3.0", "1e2", "103"],
    ["0.1", "0.2", "0.3"],
    ["17179869184", "1.5", "17179869185.5"],
    ["17179869185.5", "-1.23456789012345678", "17179869184.26543211005628109"],
    ["0", "0x10", "16"],
    ["16", "0x1.8p3", "28"],
    ["28", "+5", "33"],
    ["33", ".5", "33.5"],
    ["33.5", "5.", "38.5"],
    ["0", "-0", "0"],
    ["0", "1e-4950", "0"],
    ["0", "-1e-20", "0"],
    ["0", "1e-17", "0.00000000000000001"],
    ["0", "5e-18", "0"],
    ["0", "-1e-17", "-0.00000000000000001"],
    ["9007199254740993", "0", "9007199254740993"],
    ["18446744073709551615", "0", "18446744073709551615"],
    ["18446744073709551616", "1", "18446744073709551616"],
    ["1", "-1", "0"],
    ["0", "inf", INFINITE],
    ["0", "-Infinity", INFINITE],
    ["1e4932", "1e4932", INFINITE],
    ["0", "1e4933", undefined],
    ["0", "1e-4960", undefined],
    ["0", "nan", undefined],
  ];
  for (const [a, b, expected] of cases) assertEquals(sum(a, b), expected, `${a} + ${b}`);
  assertEquals(
    sum("0", "1e300"),
    "100000000000000000000899732407955919387052394427329074793826008232126564659618093575584915208375049719035" +
      "037250861427483590359255618467298391309626052074864628732713564184365329408425510760601678972665293237" +
      "0030551382947620994540294772781889620606179267611627097410650567187386105690089424915104006144",
  );
  assertEquals(sum("1e4931", "1e4931")!.length, 4932);
});

Deno.test("parseLongDouble() accepts only numbers in C's syntax", () => {
  for (const text of ["0", "-0", "+1", "1.", ".1", "1e5", "1E+5", "1.5e-5", "0e99999", "0xaP1", "0x.8", "0X1.8"]) {
    assert(parseLongDouble(text) !== undefined, text);
  }
  const wrong = ["", " 1", "1 ", "1\n", "1\0", "-", ".", "e5", "1e", "1e+", "0x", "0x.p1", "1,5", "--1", "1_0", "١"];
  for (const text of wrong) assertEquals(parseLongDouble(text), undefined, JSON.stringify(text));
});

Deno.test("parseLongDouble() bounds the length and the magnitude of numbers", () => {
  assert(parseLongDouble("1".repeat(4932)) !== undefined);
  assertEquals(parseLongDouble("0".repeat(5120)), undefined);
  for (const text of [`1e${"9".repeat(1000)}`, `1e-${"9".repeat(1000)}`, `0x1p${"9".repeat(1000)}`, "1".repeat(4934)]) {
    assertEquals(parseLongDouble(text), undefined);
  }
  // The expression does not backtrack.
  const started = performance.now();
  assertEquals(parseLongDouble("1".repeat(5000) + "x"), undefined);
  assert(performance.now() - started < 100);
});

Deno.test("addLongDouble() is exact when 64 bits suffice, and formatLongDouble() can be parsed again", () => {
  const random = new Random(pickSeed());
  console.log(`seed ${random.seed}`);
  for (let i = 0; i < 2_000; i++) {
    // The numbers are multiples of 2^-16 below 2^46: sums need at most 63 bits, and 16 digits after the point.
    const [a, b] = [0, 0].map(() => (random.below(2 ** 30) * 2 ** 16 + random.below(2 ** 16)) / 2 ** 16);
    const text = sum(a!.toFixed(16), (-b!).toFixed(16))!;
    assertEquals(Number(text), a! - b!, `${a} - ${b}`);
    assertEquals(sum(text, "0"), text);
  }
});
