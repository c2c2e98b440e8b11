/**
 * Inline commands: a line of words, as a person types them.
 *
 * ```text
 * set key "two words\r\n\x00"  'it\'s'  plain        between double quotes: \n \r \t \b \a \xHH, any other byte after \ is itself
 *                                                    between single quotes: only \'
 * ```
 *
 * A closing quote must be followed by a blank or the end of the line. Words without quotes are not copied. The rules
 * are those of `sdssplitargs` in Redis, including the blanks: a vertical tab or form feed may separate words, but does
 * not end a word.
 *
 * @module
 */

import type { Request } from "../request.ts";
import { Byte } from "./bytes.ts";

const { CR, LF } = Byte;

const BACKSLASH = 0x5c;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Reads the words of the line `bytes[start, end)` into `request`, which borrows `bytes`, or a copy of the words when
 * there are quotes. A line without words makes a request without arguments.
 *
 * @returns `false` when a quote is not closed, or closed in the middle of a word
 */
export function splitInline(bytes: Uint8Array, start: number, end: number, request: Request): boolean {
  // Every word except the last takes at least two bytes.
  request.reset(bytes, (end - start + 1) >> 1);
  const { starts, lengths } = request;
  let count = 0;
  let at = start;
  for (;;) {
    while (at < end && isBlank(bytes[at]!)) at++;
    if (at === end) break;
    const begin = at;
    for (; at < end && !endsWord(bytes[at]!); at++) {
      if (bytes[at] === DOUBLE_QUOTE || bytes[at] === SINGLE_QUOTE) return splitQuoted(bytes, start, end, request);
    }
    starts[count] = begin;
    lengths[count++] = at - begin;
    request.size += at - begin;
  }
  request.count = count;
  return true;
}

/** Reads the words of a line with quotes into `request`, which owns the bytes; see {@linkcode splitInline}. */
function splitQuoted(bytes: Uint8Array, start: number, end: number, request: Request): boolean {
  const words = new Uint8Array(end - start);
  request.reset(words, (end - start + 1) >> 1);
  const { starts, lengths } = request;
  let count = 0;
  let filled = 0;
  let at = start;
  for (;;) {
    while (at < end && isBlank(bytes[at]!)) at++;
    if (at === end) break;
    starts[count] = filled;
    while (at < end && !endsWord(bytes[at]!)) {
      const byte = bytes[at]!;
      if (byte !== DOUBLE_QUOTE && byte !== SINGLE_QUOTE) {
        words[filled++] = byte;
        at++;
        continue;
      }
      const close = closingQuote(bytes, at, end);
      if (close === end || (close + 1 < end && !isBlank(bytes[close + 1]!))) return false;
      filled = byte === DOUBLE_QUOTE
        ? unescapeDouble(bytes, at + 1, close, words, filled)
        : unescapeSingle(bytes, at + 1, close, words, filled);
      at = close + 1;
      break;
    }
    lengths[count] = filled - starts[count]!;
    count++;
  }
  request.count = count;
  request.size = filled;
  return true;
}

/** Returns where the quote that opens at `at` is closed; `end` when it is not closed. */
function closingQuote(bytes: Uint8Array, at: number, end: number): number {
  const quote = bytes[at]!;
  for (at++; at < end && bytes[at] !== quote; at++) {
    // Only a byte that a backslash can escape is skipped: between single quotes, that is a quote.
    if (bytes[at] === BACKSLASH && at + 1 < end && (quote === DOUBLE_QUOTE || bytes[at + 1] === quote)) at++;
  }
  return at;
}

function unescapeSingle(bytes: Uint8Array, at: number, end: number, target: Uint8Array, filled: number): number {
  for (; at < end; at++) {
    if (bytes[at] === BACKSLASH && at + 1 < end && bytes[at + 1] === SINGLE_QUOTE) at++;
    target[filled++] = bytes[at]!;
  }
  return filled;
}

function unescapeDouble(bytes: Uint8Array, at: number, end: number, target: Uint8Array, filled: number): number {
  for (; at < end; at++) {
    let byte = bytes[at]!;
    if (byte === BACKSLASH && at + 1 < end) {
      byte = bytes[++at]!;
      if (byte === 0x78 && at + 2 < end && hexDigit(bytes[at + 1]!) >= 0 && hexDigit(bytes[at + 2]!) >= 0) {
        byte = hexDigit(bytes[at + 1]!) * 16 + hexDigit(bytes[at + 2]!);
        at += 2;
      } else {
        byte = unescape(byte);
      }
    }
    target[filled++] = byte;
  }
  return filled;
}

/** Returns the byte that a letter after a backslash means. */
function unescape(letter: number): number {
  switch (letter) {
    case 0x6e:
      return LF;
    case 0x72:
      return CR;
    case 0x74:
      return TAB;
    case 0x62:
      return 0x08;
    case 0x61:
      return 0x07;
    default:
      return letter;
  }
}

/** Returns the value of a hexadecimal digit; -1 for any other byte. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CR);
}

function endsWord(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CR || byte === LF;
}
