/**
 * A request as people read it: its words, cut, and without its secrets.
 *
 * The modules of this folder know no commands. The owner gives them a function that finds the secret words of a request
 * (catalog/secrets.ts).
 *
 * @module
 */

import { copyBytes, encodeText } from "../bytes.ts";

/** The places of a request's words in a buffer. Word 0 is the command's name. */
export interface Words {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
}

/** Returns whether the word at this index is, or may be, a secret. */
export type IsSecret = (index: number) => boolean;

/** Returns the function that finds the secrets of a request; `undefined` if it has none. */
export type FindSecrets = (words: Words) => IsSecret | undefined;

/** The text in place of a secret, as in Redis. */
export const REDACTED: Uint8Array = encodeText("(redacted)");

/** Returns a copy of the word at `index`, of at most `maxBytes` bytes and a remark about the rest. */
export function cutWord({ bytes, starts, lengths }: Words, index: number, maxBytes: number): Uint8Array {
  const [start, length] = [starts[index]!, lengths[index]!];
  if (length <= maxBytes) return bytes.slice(start, start + length);
  const remark = encodeText(`... (${length - maxBytes} more bytes)`);
  const cut = new Uint8Array(maxBytes + remark.length);
  copyBytes(bytes, start, cut, 0, maxBytes);
  cut.set(remark, maxBytes);
  return cut;
}

/**
 * Returns copies of a request's words. Of more than `maxCount` words, the last one says how many there are in addition.
 */
export function cutWords(
  words: Words,
  isSecret: IsSecret | undefined,
  maxCount: number,
  maxBytes: number,
): Uint8Array[] {
  const { count } = words;
  const copiedCount = count > maxCount ? maxCount - 1 : count;
  const copies: Uint8Array[] = [];
  for (let index = 0; index < copiedCount; index++) {
    copies.push(isSecret?.(index) === true ? REDACTED : cutWord(words, index, maxBytes));
  }
  if (count > maxCount) copies.push(encodeText(`... (${count - copiedCount} more arguments)`));
  return copies;
}
