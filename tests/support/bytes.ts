/**
 * Compares long values, for tests that do it often.
 *
 * @module
 */

/** Returns whether two arrays have the same bytes. It compares four at a time where both begin at a whole word. */
export function equalBytes(bytes: Uint8Array, others: Uint8Array): boolean {
  if (bytes.length !== others.length) return false;
  const wordsCount = (bytes.byteOffset | others.byteOffset) % 4 === 0 ? bytes.length >>> 2 : 0;
  if (wordsCount > 0) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, wordsCount);
    const otherWords = new Int32Array(others.buffer, others.byteOffset, wordsCount);
    for (let i = 0; i < wordsCount; i++) if (words[i] !== otherWords[i]) return false;
  }
  for (let i = 4 * wordsCount; i < bytes.length; i++) if (bytes[i] !== others[i]) return false;
  return true;
}
