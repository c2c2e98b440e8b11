/**
 * Splits a line into arguments, quoted as in redis-cli.
 *
 * ```text
 * set greeting "two words\n" 'it\'s' plain\n
 *     bare      escapes work  only \'  bare: a backslash is a backslash
 * ```
 *
 * Double quotes allow `\n \r \t \a \b`, `\xHH` (one byte), and a `\` before any other character, which means that
 * character. Lines are bytes, and therefore arguments are, too.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

/** A quote of the line is not closed, so that the line may continue. */
export class OpenQuoteError extends UsageError {}

const BACKSLASH = 0x5c;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;

/** The values of the letters after a backslash: \n \r \t \a \b. */
const ESCAPES: ReadonlyMap<number, number> = new Map([[0x6e, 10], [0x72, 13], [0x74, 9], [0x61, 7], [0x62, 8]]);

/** Returns whether a byte is a blank, tab, vertical tab, form feed, carriage return or line feed. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** Returns the value of a hexadecimal digit, or -1. */
function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/**
 * Returns the arguments of a line; none when it is blank.
 *
 * @param line borrowed until return
 * @param target the buffer that the arguments are views of; it is at least as long as the line
 * @throws {UsageError} when a quote is not closed, or closed in the middle of a word
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { tokenize } from "./tokenizer.ts";
 *
 * const words = tokenize(new TextEncoder().encode('set x "a\\x00b"'));
 * assertEquals(words.length, 3);
 * assertEquals(words[2], new Uint8Array([0x61, 0, 0x62]));
 * ```
 */
export function tokenize(line: Uint8Array, target: Uint8Array = new Uint8Array(line.length)): Uint8Array[] {
  const words: Uint8Array[] = [];
  // No argument is longer than its text, so all of them fit the target.
  let filled = 0;
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at]!)) at++;
    if (at === line.length) return words;
    const begin = filled;
    while (at < line.length && !isSpace(line[at]!)) {
      const byte = line[at]!;
      if (byte !== DOUBLE_QUOTE && byte !== SINGLE_QUOTE) {
        target[filled++] = byte;
        at++;
        continue;
      }
      const end = closingQuote(line, at);
      filled = byte === DOUBLE_QUOTE
        ? unescape(line, at + 1, end, target, filled)
        : unescapeSingle(line, at + 1, end, target, filled);
      at = end + 1;
    }
    words.push(target.subarray(begin, filled));
  }
}

/** Returns the position of the quote that closes the one at `open`. */
function closingQuote(line: Uint8Array, open: number): number {
  const quote = line[open]!;
  for (let at = open + 1; at < line.length; at++) {
    const byte = line[at]!;
    if (byte === quote) {
      if (at + 1 < line.length && !isSpace(line[at + 1]!)) {
        throw new UsageError(`Cannot read the line: the quote closed at column ${at + 1} must end its argument`);
      }
      return at;
    }
    const escapes = quote === DOUBLE_QUOTE || line[at + 1] === SINGLE_QUOTE;
    if (byte === BACKSLASH && escapes) at++;
  }
  throw new OpenQuoteError(`Cannot read the line: the quote opened at column ${open + 1} is never closed`);
}

function unescape(line: Uint8Array, start: number, end: number, target: Uint8Array, filled: number): number {
  for (let at = start; at < end; at++) {
    const byte = line[at]!;
    if (byte !== BACKSLASH) {
      target[filled++] = byte;
      continue;
    }
    const letter = line[++at]!;
    const high = letter === 0x78 ? hexDigit(line[at + 1]) : -1;
    const low = high >= 0 ? hexDigit(line[at + 2]) : -1;
    if (low >= 0) {
      target[filled++] = high << 4 | low;
      at += 2;
    } else {
      target[filled++] = ESCAPES.get(letter) ?? letter;
    }
  }
  return filled;
}

function unescapeSingle(line: Uint8Array, start: number, end: number, target: Uint8Array, filled: number): number {
  for (let at = start; at < end; at++) {
    if (line[at] === BACKSLASH && line[at + 1] === SINGLE_QUOTE) at++;
    target[filled++] = line[at]!;
  }
  return filled;
}
