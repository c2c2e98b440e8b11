/**
 * Parses counts, sizes and durations as people write them.
 *
 * ```text
 * size      67108864   100kb   64mb   1.5gb        1kb = 1024 bytes; no unit: bytes
 * duration  500ms   30s   5m   1h   1d             no unit: seconds
 * percent   100%   100
 * ```
 *
 * @module
 */

import { UsageError } from "../errors.ts";

/** The allowed numbers, both ends included. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1024],
  ["kb", 1024],
  ["m", 1024 ** 2],
  ["mb", 1024 ** 2],
  ["g", 1024 ** 3],
  ["gb", 1024 ** 3],
]);

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["", 1_000],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/**
 * Parses a whole number.
 *
 * @throws {UsageError} when it is not a whole number, or out of range
 */
export function parseCount(text: string, range: Range = {}): number {
  const count = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(count) || !isWithin(count, range)) {
    throw new UsageError(`Cannot parse number "${text}": expected ${describeRange(range, String)}`);
  }
  return count;
}

/**
 * Parses a size, such as `64mb`.
 *
 * @returns bytes
 * @throws {UsageError} when it is not a size, or out of range
 */
export function parseSize(text: string, range: Range = {}): number {
  const size = parseQuantity(text, SIZE_UNITS);
  if (size === undefined) {
    throw new UsageError(`Cannot parse size "${text}": expected bytes, or such as 100kb, 64mb, 1.5gb`);
  }
  if (!isWithin(size, range)) {
    throw new UsageError(`Cannot use size "${text}": expected ${describeRange(range, formatSize)}`);
  }
  return size;
}

/**
 * Parses a duration, such as `30s`.
 *
 * @returns ms
 * @throws {UsageError} when it is not a duration, or out of range
 */
export function parseDuration(text: string, range: Range = {}): number {
  const duration = parseQuantity(text, DURATION_UNITS);
  if (duration === undefined) {
    throw new UsageError(`Cannot parse duration "${text}": expected seconds, or such as 500ms, 30s, 5m, 1h, 1d`);
  }
  if (!isWithin(duration, range)) {
    throw new UsageError(`Cannot use duration "${text}": expected ${describeRange(range, formatDuration)}`);
  }
  return duration;
}

/**
 * Parses a number of percent, such as `100%`.
 *
 * @throws {UsageError} when it is not a percentage, or out of range
 */
export function parsePercent(text: string, range: Range = {}): number {
  const match = /^([0-9]+)%?$/.exec(text);
  const percent = Number(match?.[1]);
  if (match === null || !isWithin(percent, range)) {
    throw new UsageError(`Cannot parse percent "${text}": expected ${describeRange(range, (value) => `${value}%`)}`);
  }
  return percent;
}

/** Formats a size with the largest unit that fits and at most one decimal, such as `64mb`. */
export function formatSize(size: number): string {
  for (const unit of ["gb", "mb", "kb"]) {
    const count = size / (SIZE_UNITS.get(unit) ?? 1);
    if (count >= 1) return `${Math.round(count * 10) / 10}${unit}`;
  }
  return `${size} bytes`;
}

/** Formats a size so that {@linkcode parseSize} returns the same number: `64mb`, or the bytes without a unit. */
export function formatSizeExactly(size: number): string {
  for (const unit of ["gb", "mb", "kb"]) {
    const count = size / (SIZE_UNITS.get(unit) ?? 1);
    if (count >= 1 && Number.isInteger(count)) return `${count}${unit}`;
  }
  return String(size);
}

/** Formats a duration with the largest unit of which it is a whole number, such as `90s`. */
export function formatDuration(duration: number): string {
  if (duration === 0) return "0";
  for (const unit of ["d", "h", "m", "s"]) {
    const count = duration / (DURATION_UNITS.get(unit) ?? 1);
    if (Number.isInteger(count)) return `${count}${unit}`;
  }
  return `${duration}ms`;
}

function parseQuantity(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = /^([0-9]+(?:\.[0-9]+)?)([a-z]*)$/.exec(text.toLowerCase());
  const unit = units.get(match?.[2] ?? "");
  if (match === null || unit === undefined) return undefined;
  const quantity = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(quantity) ? quantity : undefined;
}

function isWithin(value: number, { min = 0, max = Infinity }: Range): boolean {
  return value >= min && value <= max;
}

function describeRange({ min = 0, max }: Range, format: (value: number) => string): string {
  return max === undefined ? `${format(min)} or more` : `${format(min)} to ${format(max)}`;
}
