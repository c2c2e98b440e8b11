/**
 * Numbers like the `long double` of x86-64, with which Redis computes `incrbyfloat` and `hincrbyfloat`.
 *
 * The result of these commands is text that other programs compare and store, so it has to be equal to the last digit.
 * A `number` has 11 bits less, and would give `5010.60000000000036380` where Redis gives `5010.60000000000000009`. So
 * this module computes exactly, with integers, and rounds once, as the processor does.
 *
 * ```text
 * value = ± mantissa × 2^exponent        mantissa below 2^64, exponent -16445 … 16320
 * ```
 *
 * A sum takes microseconds, or tens of microseconds with thousands of digits.
 *
 * @module
 */

/** A finite number. */
export interface LongDouble {
  readonly isNegative: boolean;
  readonly mantissa: bigint;
  readonly exponent: number;
}

/** The result when a number is too large. */
export const INFINITE = "infinite";

const MANTISSA_BITS = 64;
const EXPONENT_MIN = -16445;
/** Numbers are below 2 to the power of this. */
const MAGNITUDE_MAX = 16384;
/** The exponent from which a power of 10 is too large for a number. */
const DECIMAL_EXPONENT_MAX = 4933;
/** The exponent at which a power of 10 is rounded to 0. */
const DECIMAL_EXPONENT_MIN = -4952;
/** The longest text that is read as a number. The bound is Redis's. */
export const LONG_DOUBLE_TEXT_MAX_LENGTH = 5119;
/** The most digits after the point in a formatted number. */
const FRACTION_DIGITS = 17;

const DECIMAL = /^([+-]?)(?:(\d+)(?:\.(\d*))?|\.(\d+))(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x(?:([0-9a-f]+)(?:\.([0-9a-f]*))?|\.([0-9a-f]+))(?:p([+-]?\d+))?$/i;
const INFINITY = /^[+-]?inf(?:inity)?$/i;

/**
 * Returns the number in `text`, which C's syntax allows to be decimal, hexadecimal (`0x1.8p3`), or `inf`.
 *
 * @returns `undefined` when the text is not a number, or when the number is too large or is rounded to 0
 */
export function parseLongDouble(text: string): LongDouble | typeof INFINITE | undefined {
  if (text.length > LONG_DOUBLE_TEXT_MAX_LENGTH) return undefined;
  if (INFINITY.test(text)) return INFINITE;
  const decimal = DECIMAL.exec(text);
  const match = decimal ?? HEXADECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fractionAfterWhole = "", fractionAlone = "", power = "0"] = match;
  const fraction = fractionAfterWhole + fractionAlone;
  const digits = (whole + fraction).replace(/^0+/, "");
  const isNegative = sign === "-";
  if (digits === "") return { isNegative, mantissa: 0n, exponent: 0 };
  const value = decimal === null
    ? fromHexadecimal(digits, Number(power) - 4 * fraction.length)
    : fromDecimal(digits, Number(power) - fraction.length);
  if (value === undefined || value === INFINITE || value.mantissa === 0n) return undefined;
  return { ...value, isNegative };
}

/** Returns `digits` × 10^`exponent`. */
function fromDecimal(digits: string, exponent: number): LongDouble | typeof INFINITE | undefined {
  const magnitude = digits.length + exponent;
  if (magnitude > DECIMAL_EXPONENT_MAX || magnitude < DECIMAL_EXPONENT_MIN) return undefined;
  const mantissa = BigInt(digits);
  return exponent < 0
    ? rounded(mantissa, 10n ** BigInt(-exponent), 0)
    : rounded(mantissa * 10n ** BigInt(exponent), 1n, 0);
}

/** Returns `digits` × 2^`exponent`. */
function fromHexadecimal(digits: string, exponent: number): LongDouble | typeof INFINITE | undefined {
  const magnitude = 4 * digits.length + exponent;
  if (magnitude > MAGNITUDE_MAX + 4 || magnitude < EXPONENT_MIN - 1) return undefined;
  return rounded(BigInt(`0x${digits}`), 1n, exponent);
}

/**
 * Returns the number nearest to `numerator` / `denominator` × 2^`exponent`. Of two that are equally near, it is the
 * even one.
 */
function rounded(numerator: bigint, denominator: bigint, exponent: number): LongDouble | typeof INFINITE {
  const difference = bitLength(numerator) - bitLength(denominator);
  // The quotient gets 64 or 65 bits; in the second case the division is repeated with one bit less.
  let shift = Math.max(difference - MANTISSA_BITS, EXPONENT_MIN - exponent);
  let mantissa = divideAndRound(numerator, denominator, shift);
  if (bitLength(mantissa) > MANTISSA_BITS) mantissa = divideAndRound(numerator, denominator, ++shift);
  if (bitLength(mantissa) + shift + exponent > MAGNITUDE_MAX) return INFINITE;
  return { isNegative: false, mantissa, exponent: shift + exponent };
}

/**
 * Returns `numerator` / `denominator` / 2^`shift`, rounded to the nearest integer. Of two that are equally near, it is
 * the even one.
 */
function divideAndRound(numerator: bigint, denominator: bigint, shift: number): bigint {
  if (shift < 0) numerator <<= BigInt(-shift);
  else denominator <<= BigInt(shift);
  const quotient = numerator / denominator;
  const twice = (numerator - quotient * denominator) * 2n;
  const isUp = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return isUp ? quotient + 1n : quotient;
}

function bitLength(value: bigint): number {
  if (value === 0n) return 0;
  const hexadecimal = value.toString(16);
  return (hexadecimal.length - 1) * 4 + (32 - Math.clz32(parseInt(hexadecimal[0]!, 16)));
}

/** Returns the rounded sum of two numbers. */
export function addLongDouble(a: LongDouble, b: LongDouble): LongDouble | typeof INFINITE {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = scaled(a, exponent) + scaled(b, exponent);
  if (sum === 0n) return { isNegative: false, mantissa: 0n, exponent: 0 };
  const value = rounded(sum < 0n ? -sum : sum, 1n, exponent);
  return value === INFINITE ? INFINITE : { ...value, isNegative: sum < 0n };
}

/** Returns a number in units of 2^`exponent`. */
function scaled(value: LongDouble, exponent: number): bigint {
  const magnitude = value.mantissa << BigInt(value.exponent - exponent);
  return value.isNegative ? -magnitude : magnitude;
}

/** Returns a number with up to 17 digits after the point, without an exponent and without trailing zeros. */
export function formatLongDouble(value: LongDouble): string {
  const units = divideAndRound(value.mantissa * 10n ** BigInt(FRACTION_DIGITS), 1n, -value.exponent);
  if (units === 0n) return "0";
  const digits = units.toString().padStart(FRACTION_DIGITS + 1, "0");
  const fraction = digits.slice(-FRACTION_DIGITS).replace(/0+$/, "");
  const whole = (value.isNegative ? "-" : "") + digits.slice(0, -FRACTION_DIGITS);
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
