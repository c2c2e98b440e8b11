/**
 * Bytes as text of one character a byte, for keys of maps: any two runs of bytes stay two.
 *
 * Both directions take time in proportion to the length. Text that grows by one character at a time would be a tree of as
 * many nodes, of 30 bytes each, that the engine has to flatten before it can look it up.
 *
 * `TextDecoder("latin1")` is no way to do it: it decodes windows-1252, where 0x80 to 0x9f are other characters.
 *
 * @module
 */

/** Up to this many bytes, eight characters at a time are faster than a view; measured break-even is near 100. */
const SHORT_MAX_BYTES = 64;
/** Arguments that one call may have: far below what the stack takes. */
const ARGUMENTS_COUNT = 8192;

/** The bytes `[start, start + length)` as text of one character a byte, which tells any two keys apart. */
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
    // `apply` takes anything that has a length and elements, such as a typed array.
    text += String.fromCharCode.apply(undefined, part as unknown as number[]);
  }
  return text;
}

/** The bytes of a text that {@linkcode binaryText} made. */
export function binaryBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
