/**
 * Keys as text, for places that show text only: lines of `info`, labels of metrics, problems.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { KEY_TEXT_MAX_BYTES } from "../limits.ts";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Characters that break lines, that are invisible, or that change how others are shown; and the backslash. */
const UNPRINTABLE = /(?! )[\p{C}\p{Z}\\]/gu;

/**
 * Returns a key as printable text in one line. Bytes that are not UTF-8, backslashes, and characters that cannot be
 * seen become `\x` and two digits for each byte. A long key is cut, and ends in `…`.
 */
export function keyText(key: Uint8Array): string {
  let end = Math.min(key.length, KEY_TEXT_MAX_BYTES);
  // A character of UTF-8 has at most three bytes after its first one.
  for (let back = 0; back < 3 && end < key.length && (key[end]! & 0xc0) === 0x80; back++) end--;
  const text = textOf(key.subarray(0, end));
  return end < key.length ? `${text}…` : text;
}

function textOf(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes).replace(UNPRINTABLE, escapeCharacter);
  } catch {
    return Array.from(bytes, textOfByte).join("");
  }
}

function escapeCharacter(character: string): string {
  return Array.from(encodeText(character), escapeByte).join("");
}

function textOfByte(byte: number): string {
  const isPrintable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
  return isPrintable ? String.fromCharCode(byte) : escapeByte(byte);
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}
