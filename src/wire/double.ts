/**
 * Doubles as text, in the format of Redis 7.0: C's `%.17g`.
 *
 * ```text
 * 3.5                       exponents from -4 to 16 are written out, others not: 1e+17, 1.5e-05
 * 0.10000000000000001       17 digits distinguish every double from its neighbours; zeros at the end are omitted
 * inf  -inf  nan
 * ```
 *
 * @module
 */

const DIGITS_COUNT = 17;
/** The additional digits that show whether a double is half way between two texts. */
const HALF_DIGITS_COUNT = 24;

/** Returns the text of a double. ASCII. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "nan";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return `${sign}inf`;
  // Always of the form "1.2345678901234567e+21".
  const [mantissa, power] = rounded(magnitude).split("e") as [string, string];
  const digits = mantissa.replace(".", "");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= DIGITS_COUNT) {
    const exponentDigits = String(Math.abs(exponent)).padStart(2, "0");
    return `${sign}${withPoint(digits, 1)}e${exponent < 0 ? "-" : "+"}${exponentDigits}`;
  }
  if (exponent < 0) return sign + withPoint("0".repeat(-exponent) + digits, 1);
  return sign + withPoint(digits, exponent + 1);
}

/** Rounds to even when a double is half way between two texts, as C does; JavaScript rounds up. */
function rounded(magnitude: number): string {
  const [longer, power] = magnitude.toExponential(DIGITS_COUNT - 1 + HALF_DIGITS_COUNT).split("e") as [string, string];
  const kept = longer.slice(0, DIGITS_COUNT + 1);
  const isHalf = /^50*$/.test(longer.slice(DIGITS_COUNT + 1));
  if (isHalf && Number(kept.at(-1)) % 2 === 0) return `${kept}e${power}`;
  return magnitude.toExponential(DIGITS_COUNT - 1);
}

/** Inserts the point after `count` digits, and omits zeros at the end of the fraction. */
function withPoint(digits: string, count: number): string {
  const fraction = digits.slice(count).replace(/0+$/, "");
  return digits.slice(0, count) + (fraction === "" ? "" : `.${fraction}`);
}
