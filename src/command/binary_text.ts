/**
 * Bytes as text of one character a byte, for keys of maps: any two runs of bytes stay two.
 *
 * @module
 */

/** The bytes `[start, start + length)` as text of one character a byte, which tells any two keys apart. */
export function binaryText(bytes: Uint8Array, start: number, length: number): string {
  let text = "";
  for (let i = start; i < start + length; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

/** The bytes of a text that {@linkcode binaryText} made. */
export function binaryBytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
