/**
 * Bytes as text of one character per byte, for the keys of maps. Different bytes give different texts.
 *
 * Both directions take time in proportion to the length. A text that is built one character at a time would be a tree
 * with one node of 30 bytes per character, which the engine has to flatten before it can look the text up.
 *
 * `TextDecoder("latin1")` does not give such texts: it decodes windows-1252, in which 0x80 to 0x9f are other
 * characters.
 *
 * @module
 */

/** The most bytes for which eight characters at a time are faster than a view. The measured break-even is near 100. */
const SHORT_MAX_BYTES = 64;
/** The number of arguments of one call, which is far below the limit of the stack. */
const ARGUMENTS_COUNT = 8192;

/** Returns the bytes `[start, start + length)` as text of one character per byte. */
export function binaryText(bytes: Uint8Array, start: number, length: number): string {
  if (length > SHORT_MAX_BYTES) return longText(bytes, start, start + length);
  const end = start + length;
  let text = "";
  let i = start;
  for (; i + 8 <= end; i += 8) {
    text += String.fromCharCode(
      bytes[i]!,
      bytes[i + 1]!,
      bytes[i + 2]!,
      bytes[i + 3]!,
      bytes[i + 4]!,
      bytes[i + 5]!,
      bytes[i + 6]!,
      bytes[i + 7]!,
    );
  }
  for (; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function longText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += ARGUMENTS_COUNT) {
    const part = bytes.subarray(at, Math.min(end, at + ARGUMENTS_COUNT));
    // `apply` accepts anything that has a length and elements, such as a typed array.
    text += String.fromCharCode.apply(undefined, part as unknown as number[]);
  }
  return text;
}

/** Returns the bytes of a text that {@linkcode binaryText} returned. */
export function binaryBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
