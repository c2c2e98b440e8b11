/**
 * Makes parameters of `config` with values and refusals as Redis has them.
 *
 * @module
 */

import type { Parameter } from "./configuration.ts";

/** How a parameter reads and changes what it stands for. */
export interface Access<T> {
  read(): T;
  /** Changes the value. Returns the reason if that fails. */
  change(value: T): string | undefined;
  readonly isOwn?: true;
}

/** The units of Redis, of which those without a `b` are powers of ten. */
const MEMORY_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1024,
  m: 1e6,
  mb: 1024 ** 2,
  g: 1e9,
  gb: 1024 ** 3,
};

/** A parameter that always has one value. */
export function fixed(value: string | number): Parameter {
  return { get: () => String(value) };
}

/** A parameter whose value is a whole number within bounds. */
export function integerParameter(least: number, largest: number, access: Access<number>): Parameter {
  return parameter(access, String, (text) => {
    if (!/^-?\d+$/.test(text)) return "argument couldn't be parsed into an integer";
    const value = Number(text);
    return isWithin(value, least, largest) ?? value;
  });
}

/** A parameter whose value is a number of bytes within bounds, shown without a unit. */
export function memoryParameter(least: number, largest: number, access: Access<number>): Parameter {
  return parameter(access, String, (text) => {
    const [, digits, unit] = /^(\d+)([a-z]*)$/.exec(text.toLowerCase()) ?? [];
    const factor = unit !== undefined && Object.hasOwn(MEMORY_UNITS, unit) ? MEMORY_UNITS[unit] : undefined;
    if (factor === undefined) return "argument must be a memory value";
    const value = Number(digits) * factor;
    return isWithin(value, least, largest) ?? value;
  });
}

/** A parameter whose value is one of several words, each with what it stands for. */
export function wordParameter<T>(words: Readonly<Record<string, T>>, access: Access<T>): Parameter {
  const names = Object.keys(words);
  return {
    ...access.isOwn && { isOwn: true },
    get: () => names.find((name) => words[name] === access.read())!,
    set: (text) => {
      const word = text.toLowerCase();
      if (Object.hasOwn(words, word)) return access.change(words[word]!);
      return `argument(s) must be one of the following: ${names.join(", ")}`;
    },
  };
}

/**
 * The parameter `save`: one pair of seconds and changes. A snapshot is taken after the time if anything has changed, so
 * the number of changes is always 1.
 */
export function saveParameter(access: Access<number>, largestMs: number): Parameter {
  return parameter(access, (ms) => ms === 0 ? "" : `${Math.ceil(ms / 1000)} 1`, (text) => {
    if (text.trim() === "") return 0;
    const [, seconds] = /^\s*(\d+)\s+1\s*$/.exec(text) ?? [];
    const ms = Number(seconds) * 1000;
    return seconds === undefined || ms === 0 || ms > largestMs ? "Invalid save parameters" : ms;
  });
}

/** @param parse returns the value, or why the text has none */
function parameter(
  { read, change, isOwn }: Access<number>,
  format: (value: number) => string,
  parse: (text: string) => number | string,
): Parameter {
  return {
    ...isOwn && { isOwn },
    get: () => format(read()),
    set: (text) => {
      const value = parse(text);
      return typeof value === "string" ? value : change(value);
    },
  };
}

function isWithin(value: number, least: number, largest: number): string | undefined {
  if (value >= least && value <= largest) return undefined;
  return `argument must be between ${least} and ${largest} inclusive`;
}
