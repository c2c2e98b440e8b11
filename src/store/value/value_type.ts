/**
 * Types of value: what the store needs to know of a value without knowing its type.
 *
 * Each type is a class in a file of this folder. Commands call its methods directly (`store.lists.push`). What is
 * done to values of any type (freeing, moving, copying, measuring) goes through this interface. `Store` has one table
 * of the types, `types`, that does not compile when a type or one of these methods is missing.
 *
 * @module
 */

import { EntryType } from "../block.ts";
import type { Kind, ValueTypeNumber } from "../block.ts";

/** The name of each type, as `type` shows it. */
export const TYPE_NAMES = {
  [EntryType.None]: "none",
  [EntryType.String]: "string",
  [EntryType.List]: "list",
  [EntryType.Hash]: "hash",
} satisfies Record<EntryType, string>;

/** The types of value of one store, by their numbers. */
export type ValueTypes = Readonly<Record<ValueTypeNumber, ValueType>>;

/** A type of value. An `entry` is that of a key with a value of the type. */
export interface ValueType {
  /** Returns the length of the value: bytes of a string, elements of a list, fields of a hash. */
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
  /** Returns the number of parts of a value that are found through the table of fields. */
  fieldsCount(entry: number): number;
  /** Visits the sizes of the blocks beyond the entry that a copy of the value takes. */
  measureCopy(entry: number, count: (size: number) => void): void;
  /** Copies an entry to an absent key, and returns the copy. Evicts and moves nothing. */
  copyEntry(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number;
}
