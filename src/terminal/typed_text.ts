/**
 * Text as it is typed: bytes that may not be UTF-8, and clusters of characters that a terminal shows as one.
 *
 * The line editor works on strings, and a command takes bytes. A byte that is not part of valid UTF-8 therefore becomes
 * one lone surrogate, U+DC80 to U+DCFF (as in Python's `surrogateescape`), and later that byte again, so typed or
 * pasted bytes are never changed. Such a byte is shown as `\xe9`. A character that a terminal would obey or not show is
 * shown as `^I` or `<U+2028>`.
 *
 * A *cluster* is what the cursor passes in one step: an extended grapheme cluster of Unicode. Terminals show the rarer
 * ones with different widths; {@linkcode Cluster.isPlain} marks the clusters for which they agree.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { characterWidth } from "./character_width.ts";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The surrogate of the byte 0x80 is this plus 0x80; the others follow. */
const RAW_BYTE_BASE = 0xdc00;
// With the flag `u` a surrogate of a pair does not match.
const RAW_BYTE = /[\udc80-\udcff]/u;
const RAW_BYTES = /([\udc80-\udcff])/u;

/** Matches a character that a terminal would obey rather than show, or not show at all. */
const UNPRINTABLE = /^[\p{Cc}\p{Cf}\p{Cn}\p{Cs}\p{Zl}\p{Zp}]/u;

const EMOJI = /^\p{Extended_Pictographic}/u;
const ZERO_WIDTH_JOINER = "\u200d";
/** Matches skin tones, which change the emoji before them. */
const EMOJI_MODIFIER = /[\u{1f3fb}-\u{1f3ff}]/u;

/** The most characters that are segmented at a time. */
const RUN_MAX_CHARACTERS = 1_024;

/** The splitter of text, made on first use: it loads tables for 25 ms, which a single command does not need. */
let segmenter: Intl.Segmenter | undefined;

function clustersIn(text: string): Intl.Segments {
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return segmenter.segment(text);
}

/** Returns the text of `bytes`, from which {@linkcode encodeTyped} makes the same bytes. */
export function decodeTyped(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeInvalid(bytes);
  }
}

function decodeInvalid(bytes: Uint8Array): string {
  const parts: string[] = [];
  let validStart = 0;
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (validStart < at) parts.push(strictDecoder.decode(bytes.subarray(validStart, at)));
    parts.push(String.fromCharCode(RAW_BYTE_BASE + bytes[at]!));
    validStart = ++at;
  }
  parts.push(strictDecoder.decode(bytes.subarray(validStart)));
  return parts.join("");
}

/** Returns the bytes of a text from {@linkcode decodeTyped}. */
export function encodeTyped(text: string): Uint8Array {
  if (text.isWellFormed()) return encodeText(text);
  const parts = text.split(RAW_BYTES).map((part) => {
    return RAW_BYTE.test(part) ? Uint8Array.of(part.charCodeAt(0) - RAW_BYTE_BASE) : encodeText(part);
  });
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Returns the length of the UTF-8 sequence at `at`.
 *
 * @returns 0 when it is not valid, -1 when `bytes` ends within it
 */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  // The second byte excludes overlong forms, surrogates and numbers beyond U+10FFFF.
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return -1;
    if (byte < (i === 1 ? low : 0x80) || byte > (i === 1 ? high : 0xbf)) return 0;
  }
  return length;
}

/** Returns how many bytes at the end of `bytes` begin a character whose other bytes may still arrive. */
export function unfinishedLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const at = bytes.length - length;
    if (bytes[at]! >= 0xc0) return sequenceLength(bytes, at) === -1 ? length : 0;
    if (bytes[at]! < 0x80) return 0;
  }
  return 0;
}

/** One cluster of a text. */
export interface Cluster {
  /** The position of the cluster in the text. */
  readonly start: number;
  readonly end: number;
  /** The text that is written to the terminal for the cluster. */
  readonly shown: string;
  /** The number of columns of `shown`. */
  readonly columns: number;
  /** Whether every terminal shows it in that number of columns. */
  readonly isPlain: boolean;
}

/** Calls `visit` for each cluster of `text` from `start`, which must be the start of one, up to `end`. */
export function visitClusters(text: string, start: number, end: number, visit: (cluster: Cluster) => void): void {
  for (let at = start; at < end;) {
    const columns = standaloneColumns(text, at);
    if (columns > 0) {
      visit({ start: at, end: at + 1, shown: text[at]!, columns, isPlain: true });
      at++;
      continue;
    }
    const runEnd = Math.min(end, endOfRun(text, at));
    if (runEnd === at + 1) {
      visit(makeCluster(text[at]!, at));
      at++;
      continue;
    }
    let length = 0;
    for (const { segment, index } of clustersIn(text.slice(at, runEnd))) {
      const from = at + index;
      visit(makeCluster(segment, from));
      length = index + segment.length;
    }
    at += length;
  }
}

/** Returns the columns of the character at `at` if it is printable and certainly a separate cluster, otherwise 0. */
function standaloneColumns(text: string, at: number): number {
  const columns = simpleColumns(text.charCodeAt(at));
  if (columns === 0 || at + 1 === text.length) return columns;
  const next = text.charCodeAt(at + 1);
  return next < 0x300 || simpleColumns(next) > 0 ? columns : 0;
}

/** Returns the columns of printable ASCII, kana, Chinese characters and Hangul syllables: most of what is typed. */
function simpleColumns(unit: number): number {
  if (unit < 0x7f) return unit >= 0x20 ? 1 : 0;
  const isWide = (unit >= 0x4e00 && unit <= 0x9fff) || (unit >= 0xac00 && unit <= 0xd7a3) ||
    (unit >= 0x3041 && unit <= 0x3096) || (unit >= 0x30a1 && unit <= 0x30fa);
  return isWide ? 2 : 0;
}

/** Returns where a run that has to be segmented ends: before a character that is certainly a separate cluster. */
function endOfRun(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && at - start < RUN_MAX_CHARACTERS && standaloneColumns(text, at) === 0) at++;
  return isWithinPair(text, at) ? at + 1 : at;
}

function isWithinPair(text: string, at: number): boolean {
  return /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(at - 1, at + 1));
}

function makeCluster(segment: string, start: number): Cluster {
  const end = start + segment.length;
  if (UNPRINTABLE.test(segment)) {
    const shown = escapeUnprintable(segment);
    return { start, end, shown, columns: shown.length, isPlain: true };
  }
  const isEmoji = EMOJI.test(segment);
  let columns = 0;
  for (const character of segment) {
    // Characters that are joined to an emoji become part of it.
    if (isEmoji && character === ZERO_WIDTH_JOINER) break;
    if (columns === 0 || !EMOJI_MODIFIER.test(character)) columns += characterWidth(character);
  }
  const isPlain = segment.length === 1 && segment < "\u1100";
  return { start, end, shown: segment, columns, isPlain };
}

function escapeUnprintable(segment: string): string {
  let shown = "";
  for (const character of segment) {
    const point = character.codePointAt(0)!;
    if (!UNPRINTABLE.test(character)) shown += character;
    else if (point < 0x20) shown += `^${String.fromCharCode(point + 0x40)}`;
    else if (point === 0x7f) shown += "^?";
    else if (RAW_BYTE.test(character)) shown += `\\x${(point - RAW_BYTE_BASE).toString(16)}`;
    else shown += `<U+${point.toString(16).toUpperCase().padStart(4, "0")}>`;
  }
  return shown;
}

/** Returns the start of the cluster before `at`, or 0. */
export function previousCluster(text: string, at: number): number {
  if (at <= 1 || simpleColumns(text.charCodeAt(at - 1)) > 0) return Math.max(0, at - 1);
  let start = Math.max(0, at - 1);
  while (start > 0 && at - start < RUN_MAX_CHARACTERS && simpleColumns(text.charCodeAt(start)) === 0) start--;
  if (isWithinPair(text, start)) start--;
  let last = start;
  for (const { index } of clustersIn(text.slice(start, at))) last = start + index;
  return last;
}

/** Returns the end of the cluster at `at`, or the text's end. */
export function nextCluster(text: string, at: number): number {
  if (at >= text.length) return text.length;
  if (standaloneColumns(text, at) > 0) return at + 1;
  const [first] = clustersIn(text.slice(at, endOfRun(text, at)));
  return at + (first?.segment.length ?? 1);
}

/** Returns the columns of a text on one row. */
export function columnsOf(text: string): number {
  let sum = 0;
  visitClusters(text, 0, text.length, ({ columns }) => {
    sum += columns;
  });
  return sum;
}

/**
 * Returns a text that has at most `columns` columns on one row. The mark `…` replaces what is cut.
 *
 * @param text text without characters that a terminal would obey, as `printable_text.ts` makes it
 */
export function cutToColumns(text: string, columns: number): string {
  if (text.length <= columns && /^[ -~]*$/.test(text)) return text;
  let used = 0;
  let end = 0;
  let endWithMark = 0;
  // The work depends on the columns, not on the text.
  const seen = Math.min(text.length, columns * 8 + RUN_MAX_CHARACTERS);
  visitClusters(text, 0, seen, (cluster) => {
    if (used > columns) return;
    used += cluster.columns;
    if (used <= columns) end = cluster.end;
    if (used < columns) endWithMark = cluster.end;
  });
  if (end === text.length) return text;
  return columns < 1 ? "" : text.slice(0, endWithMark) + "…";
}

/** Returns a text with spaces after it up to `columns` columns. */
export function padToColumns(text: string, columns: number): string {
  return text + " ".repeat(Math.max(0, columns - columnsOf(text)));
}
