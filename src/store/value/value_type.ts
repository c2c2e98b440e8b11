/**
 * Types of value: what the store needs to know of a value without knowing its type.
 *
 * Each type is a class in a file of this folder. Commands call its methods directly (`store.lists.push`). What is
 * done to values of any type (freeing, moving, copying, measuring) goes through this interface. `Store` has one table
 * of the types, `types`, that does not compile when a type or one of these methods is missing.
 *
 * @module
 */

import type { Effect, EffectWriter } from "../../effects.ts";
import { EntryType } from "../block.ts";
import type { Kind, ValueTypeNumber } from "../block.ts";

/** Stands for an entry when an effect names something that the value does not have. */
export const MISSING = -1;

/** The name of each type, as `type` shows it. */
export const TYPE_NAMES = {
  [EntryType.None]: "none",
  [EntryType.String]: "string",
  [EntryType.List]: "list",
  [EntryType.Hash]: "hash",
  [EntryType.Set]: "set",
} as const satisfies Record<EntryType, string>;

/** The name of a type. */
export type TypeName = (typeof TYPE_NAMES)[ValueTypeNumber];

/** The types of value of one store, by their numbers. */
export type ValueTypes = Readonly<Record<ValueTypeNumber, ValueType>>;

/** A type of value. An `entry` is that of a key with a value of the type. */
export interface ValueType {
  /** Returns the length of the value: bytes of a string, elements of a list, fields of a hash, members of a set. */
  length(entry: number): number;
  /** Returns the name that Redis has for the way in which the value is stored. */
  encoding(entry: number): string;
  /**
   * Adapts the entry after it was renamed: the room that its key leaves to the value may have changed. Needs the room
   * of a small command.
   *
   * @returns the entry's reference from now on
   */
  renamed(entry: number): number;
  /**
   * Frees parts of a large value that was removed, and finally its entry.
   *
   * @param budget the most steps to take, each of about half a microsecond
   * @returns the budget left; the entry is freed when it is above 0
   */
  free(entry: number, budget: number): number;
  /** Updates the references to a block of a value, other than its entry, that compaction has moved. */
  partMoved(kind: Kind, from: number, to: number): void;
  /** Updates a part of a value, other than its entry, of which compaction has moved the first piece of a blob. */
  pieceMoved(part: number, from: number, to: number): void;
  /**
   * Returns the bytes that a value takes in the arena beyond its entry.
   *
   * @param samples the number of parts that are measured, the others count as their average; 0: all
   */
  partsBytes(entry: number, samples: number): number;
  /** Estimates what {@linkcode partsBytes} returns, in a time that does not grow with the value. */
  estimatePartsBytes(entry: number): number;
  /** Returns the number of parts of a value that are found through the table of fields. */
  fieldsCount(entry: number): number;
  /** Visits the sizes of the blocks beyond the entry that a copy of the value takes. */
  measureCopy(entry: number, count: (size: number) => void): void;
  /** Copies an entry to an absent key, and returns the copy. Evicts and moves nothing. */
  copyEntry(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number;
  /**
   * Captures a small value for a snapshot, with the key's deadline (`Keyspace.endCapture`). A large value becomes the
   * partial one instead (snapshot_cursor.ts).
   *
   * @returns whether the value is captured; otherwise {@linkcode capturePart} follows
   */
  capture(entry: number, writer: EffectWriter): boolean;
  /**
   * Captures the next part of the partial value, in about 10 µs, and the key's deadline after the last part.
   *
   * @returns whether it was the last part
   */
  capturePart(entry: number, writer: EffectWriter): boolean;
  /**
   * Turns an effect on the partial value into one on the part of it that the snapshot has, and updates `capturedTo`.
   * It is called when the effect is reported.
   *
   * @param effect a copy of the effect, in which `before` is `capturedTo`
   * @returns whether it changes that part; otherwise what it changes is captured later
   */
  changesPart(effect: Effect): boolean;
  /**
   * Applies an effect, or one part of it, for which there is room. The value has the length that the effect expects.
   *
   * @param entry the key's entry, or 0 for an effect that creates its key; of any type if the effect replaces the value
   * @returns the entry from then on, 0 when the key was removed, or {@linkcode MISSING} when the effect names something
   * that the value does not have
   */
  apply(effect: Effect, entry: number): number;
}
