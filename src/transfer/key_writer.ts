/**
 * How an export writes keys, in any format: a key with its value in one or several parts.
 *
 * @module
 */

import type { ValueType } from "./entry_reader.ts";

/** A key that is exported. */
export interface ExportedKey {
  readonly key: Uint8Array;
  readonly type: ValueType;
  /** When it expires, in ms since 1970; `undefined` for never. */
  readonly deadlineMs: number | undefined;
}

/** A field with its value, an element, or bytes of a string; a field is there only in a hash. */
export interface ExportedPart {
  readonly field?: Uint8Array;
  readonly value: Uint8Array;
}

/** Formats keys for a file. */
export interface KeyWriter {
  /** The beginning of the file. */
  readonly header: string;
  /** The largest part of a string; `undefined` when it has to be in one part. */
  readonly stringPartMaxBytes: number | undefined;
  /**
   * Returns bytes for the file.
   *
   * @param isFirst whether they are the first parts of the value
   * @param isLast whether they are the last ones
   */
  format(key: ExportedKey, parts: readonly ExportedPart[], isFirst: boolean, isLast: boolean): Uint8Array;
}
