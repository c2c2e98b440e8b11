/**
 * Decodes frames of RESP2 and RESP3 into trees, and encodes these into the same bytes. All tests that read replies use
 * this decoder. It is separate from `src/wire`, which it verifies, and refuses everything that is not exactly as the
 * protocol specifies.
 *
 * ```text
 * *2\r\n$1\r\na\r\n:1\r\n   →   { type: "*", line: "2", items: [{ type: "$", line: "1", body: "a" }, { type: ":", line: "1" }] }
 * ```
 *
 * Text has one character per byte.
 *
 * @module
 */

/** One reply or push. */
export interface Frame {
  /** The first byte of the frame. */
  readonly type: string;
  /** The first line without its type. */
  readonly line: string;
  /** The bytes after the line, of `$`, `=` and `!`. */
  readonly body?: string;
  /**
   * The elements of an aggregate. A map has its keys and values alternately; attributes have theirs, and then the value
   * that they belong to.
   */
  readonly items?: readonly Frame[];
}

/** A frame, and the position of the next one. */
export interface Decoded {
  readonly frame: Frame;
  readonly end: number;
}

const CR = 0x0d;
const LF = 0x0a;
const LINES = "+-:,_#(";
const BULKS = "$=!";
const AGGREGATES = "*~>%|";

/** The forms of the line, for the types whose line is not arbitrary text. */
const FORMS: Readonly<Record<string, RegExp>> = {
  ":": /^(0|-?[1-9][0-9]*)$/,
  "#": /^[tf]$/,
  "_": /^$/,
  // Only these two types have -1, for no value.
  "$": /^(-1|0|[1-9][0-9]*)$/,
  "*": /^(-1|0|[1-9][0-9]*)$/,
};
const COUNT = /^(0|[1-9][0-9]*)$/;

/**
 * Decodes the frame at `start`, or returns `undefined` while the frame is incomplete. No byte at `end` or after it is
 * read.
 *
 * @throws {Error} when the bytes are not a frame
 */
export function decodeFrame(bytes: Uint8Array, start = 0, end = bytes.length): Decoded | undefined {
  const lineEnd = bytes.indexOf(CR, start);
  if (lineEnd < 0 || lineEnd + 1 >= end) return undefined;
  const type = String.fromCharCode(bytes[start]!);
  const line = binaryText(bytes, start + 1, lineEnd);
  if (bytes[lineEnd + 1] !== LF || line.includes("\n")) throw new Error(`No line: ${escape(type + line)}`);
  let at = lineEnd + 2;
  const isLine = LINES.includes(type);
  if (!isLine && !BULKS.includes(type) && !AGGREGATES.includes(type)) {
    throw new Error(`No type: ${escape(type + line)}`);
  }
  const form = FORMS[type] ?? (isLine ? undefined : COUNT);
  if (form !== undefined && !form.test(line)) throw new Error(`No frame: ${escape(type + line)}`);
  if (isLine || line === "-1") return { frame: { type, line }, end: at };
  const count = Number(line);
  if (BULKS.includes(type)) {
    if (end < at + count + 2) return undefined;
    if (bytes[at + count] !== CR || bytes[at + count + 1] !== LF) throw new Error(`No end of ${type}${line}`);
    return { frame: { type, line, body: binaryText(bytes, at, at + count) }, end: at + count + 2 };
  }
  const items: Frame[] = [];
  for (let missing = itemsCount(type, count); missing > 0; missing--) {
    const item = decodeFrame(bytes, at, end);
    if (item === undefined) return undefined;
    items.push(item.frame);
    at = item.end;
  }
  return { frame: { type, line, items }, end: at };
}

/** Returns the number of frames in an aggregate. */
function itemsCount(type: string, count: number): number {
  if (type === "|") return 2 * count + 1;
  return type === "%" ? 2 * count : count;
}

/** Returns the bytes of a frame as text. */
export function encodeFrame({ type, line, body, items }: Frame): string {
  const tail = body !== undefined ? `${body}\r\n` : items?.map(encodeFrame).join("") ?? "";
  return `${type}${line}\r\n${tail}`;
}

/** Returns a request as clients send it. */
export function encodeCommand(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** Returns bytes as text with one character per byte. */
export function binaryText(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = "";
  for (let at = start; at < end; at += 8192) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 8192)));
  }
  return text;
}

/** Returns the bytes of a text with one character per byte. */
export function binaryBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Returns text for display: on one line, with every byte visible, and cut in the middle when it is long. */
export function escape(text: string, maxLength = 2_000): string {
  const whole = text.length <= maxLength ? text : `${text.slice(0, maxLength / 2)}…${text.slice(-maxLength / 2)}`;
  return whole
    .replaceAll("\\", "\\\\")
    .replaceAll("\r", "\\r")
    .replaceAll("\n", "\\n")
    .replace(/[^ -~…]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
