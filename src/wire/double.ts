/**
 * Doubles as text, as Redis 7.0 writes them: C's `%.17g`.
 *
 * ```text
 * 3.5                       exponents from -4 to 16 are written out, others not: 1e+17, 1.5e-05
 * 0.10000000000000001       17 digits, which tell every double from its neighbours; zeros at the end are left out
 * inf  -inf  nan
 * ```
 *
 * @module
 */

const DIGITS_COUNT = 17;

/** The text of a double. ASCII. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0";
  // Always of the form "-1.2345678901234567e+21".
  const [mantissa, power] = value.toExponential(DIGITS_COUNT - 1).split("e") as [string, string];
  const exponent = Number(power);
  if (exponent >= -4 && exponent < DIGITS_COUNT) return withoutZeros(value.toFixed(DIGITS_COUNT - 1 - exponent));
  return `${withoutZeros(mantissa)}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** Leaves out what says nothing behind the point. */
function withoutZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
