/**
 * How a file of keys is read, regardless of its format: step by step, without an object for a key or a value.
 *
 * ```text
 * String                                  a key with its whole value
 * Begin   Part  Part  Part  …  End        a key whose value comes in parts: elements, fields, or parts of a string
 * Unsupported                             something that inmem does not have; it is left out if the caller goes on
 * NeedsInput                              await advance(), then go on
 * Done                                    the end of the file
 * ```
 *
 * The reader describes the present step in its properties. Its spans are valid until the next step, the key of a value
 * in parts until its `End`.
 *
 * A reader throws an {@linkcode InputError} for any fault of the file. The error names the position.
 *
 * @module
 */

import { InmemError } from "../errors.ts";
import { Span } from "./span.ts";

/** The steps of a reader. */
export const Step = { NeedsInput: 0, String: 1, Begin: 2, Part: 3, End: 4, Unsupported: 5, Done: 6 } as const;
/** One of {@linkcode Step}. */
export type Step = typeof Step[keyof typeof Step];

/** The types of values. */
export type ValueType = "string" | "list" | "set" | "hash";

/** The deadline of a key that has none. */
export const NO_DEADLINE = -1;

/** A file or a pipe contains what cannot be imported. */
export class InputError extends InmemError {
  override readonly name = "InputError";
  /**
   * @param problem the fault
   * @param where its position, such as `file "dump.rdb", offset 17`
   */
  constructor(readonly problem: string, readonly where: string, options?: ErrorOptions) {
    super("INPUT", `${problem} (${where})`, options);
  }
}

/** Reads the keys of a file. */
export abstract class EntryReader {
  /** The key: of `String`, of `Begin` and until `End`, and of `Unsupported` if it is known. */
  readonly key: Span = new Span();
  /** The field of a `Part` of a hash. */
  readonly field: Span = new Span();
  /** The value of a `String`, or of a `Part`: an element, the value of a field, or a part of a string. */
  readonly value: Span = new Span();
  /** The type of the value. */
  type: ValueType = "string";
  /** When the key expires, in ms since 1970, or {@linkcode NO_DEADLINE}. */
  deadlineMs = NO_DEADLINE;
  /** The number of the database, as Redis counts them. */
  database = 0;
  /** The name of what is `Unsupported`, with an article, such as `a sorted set`. */
  unsupported = "";

  /** Moves to the next step. */
  abstract next(): Step;
  /**
   * Gets more input, after `NeedsInput`.
   *
   * @throws {InputError} when the input ends too early
   * @throws {UsageError} when it cannot be read
   */
  abstract advance(): Promise<void>;
  /** The position of the present key in the input, in the unit of the format: bytes, or lines. */
  abstract get keyPosition(): number;
  /** Returns a position for messages, such as `file "dump.rdb", offset 17`. */
  abstract describe(position: number): string;
  /** The number of bytes of the input that are used. */
  abstract get usedBytes(): number;
}
