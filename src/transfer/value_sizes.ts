/**
 * The sizes that inmem accepts, for formats whose readers do not know them beforehand.
 *
 * @module
 */

import { ELEMENT_SIZE_MAX_BYTES, FIELD_SIZE_MAX_BYTES, KEY_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import type { EntryReader, ValueType } from "./entry_reader.ts";

const VALUE_MAX_BYTES: Readonly<Record<ValueType, number>> = {
  string: VALUE_SIZE_MAX_BYTES,
  list: ELEMENT_SIZE_MAX_BYTES,
  set: FIELD_SIZE_MAX_BYTES,
  hash: ELEMENT_SIZE_MAX_BYTES,
};

/** Returns what is too large in the present step of a reader; `undefined` when nothing is. */
export function tooLarge({ key, field, value, type }: EntryReader): string | undefined {
  if (key.length > KEY_SIZE_MAX_BYTES) return describe("the key", key.length, KEY_SIZE_MAX_BYTES);
  if (value.length > VALUE_MAX_BYTES[type]) return describe("the value", value.length, VALUE_MAX_BYTES[type]);
  if (type !== "hash" || field.length <= FIELD_SIZE_MAX_BYTES) return undefined;
  return describe("the field", field.length, FIELD_SIZE_MAX_BYTES);
}

function describe(what: string, size: number, most: number): string {
  return `${what} has ${size} bytes, and inmem accepts at most ${most}`;
}
