/**
 * Makes foreign text safe for a terminal: characters that a terminal would obey or not show become escapes.
 *
 * | function | for | line breaks |
 * |---|---|---|
 * | {@linkcode printable} | text of several lines, such as a message | stay |
 * | {@linkcode printableLine} | text on one line | become `\n` |
 * | {@linkcode quote} | a key or a value | become `\n`, and the text is in quotes |
 *
 * @module
 */

import { encodeText } from "../bytes.ts";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Matches bytes that are shown as they are in any case: printable ASCII without the quote and the backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

/**
 * Matches each character that a terminal would obey or not show. The joiners inside of emoji and some scripts do not
 * match.
 */
export const CONTROL = /(?![\u200c\u200d])[\p{C}\p{Zl}\p{Zp}]/gu;
const UNPRINTABLE = /(?![\u200c\u200d])[\p{C}\p{Zl}\p{Zp}"\\]/gu;

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ['"', '\\"'],
  ["\\", "\\\\"],
]);

/** Escapes the characters of foreign text that a terminal would obey. Line breaks stay. */
export function printable(text: string): string {
  return text.replace(CONTROL, (character) => character === "\n" ? character : escapeCharacter(character));
}

/** Escapes the characters of foreign text that a terminal would obey, line breaks too. */
export function printableLine(text: string): string {
  return text.replace(CONTROL, escapeCharacter);
}

/** Returns bytes in double quotes, so that typing the result at the prompt means the same bytes. */
export function quote(bytes: Uint8Array): string {
  let text: string;
  try {
    text = strictDecoder.decode(bytes);
  } catch {
    return quoteBinary(bytes);
  }
  return PLAIN.test(text) ? `"${text}"` : `"${text.replace(UNPRINTABLE, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES.get(character);
  if (short !== undefined) return short;
  let escaped = "";
  for (const byte of encodeText(character)) escaped += escapeByte(byte);
  return escaped;
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

function quoteBinary(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const printable = byte >= 0x20 && byte < 0x7f;
    parts.push(SHORT_ESCAPES.get(character) ?? (printable ? character : escapeByte(byte)));
  }
  return `"${parts.join("")}"`;
}
