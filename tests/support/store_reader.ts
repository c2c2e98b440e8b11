/**
 * Reads a store's content as texts with one character per byte, so that tests can compare it with strings, arrays,
 * maps and sets.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { EntryType } from "../../src/store/store.ts";
import type { Store } from "../../src/store/store.ts";

/** The value of a string, a list, a hash or a set. */
export type HeldValue = string | string[] | Map<string, string> | Set<string>;

const decoder = new TextDecoder("latin1");
const CHARACTERS = Array.from({ length: 256 }, (_, byte) => decoder.decode(Uint8Array.of(byte)));
/**
 * The longest text that is composed from characters, in bytes: tests read millions, and each call of the decoder takes
 * a µs.
 */
const SHORT_MAX_BYTES = 32;

/**
 * Asserts that two values are equal. Printing the difference of large ones is slow, so it happens only when they
 * differ.
 */
export function assertSameValue(actual: HeldValue, expected: HeldValue): void {
  if (!isSame(actual, expected)) assertEquals(actual, expected);
}

function isSame(actual: HeldValue, expected: HeldValue): boolean {
  if (Array.isArray(actual) && Array.isArray(expected)) {
    return actual.length === expected.length && actual.every((element, index) => element === expected[index]);
  }
  if (actual instanceof Map && expected instanceof Map) {
    return actual.size === expected.size && [...actual].every(([field, value]) => expected.get(field) === value);
  }
  if (actual instanceof Set && expected instanceof Set) {
    return actual.size === expected.size && actual.isSubsetOf(expected);
  }
  return actual === expected;
}

/** Reads one store. */
export class StoreReader {
  readonly #store: Store;
  #buffer = new Uint8Array(1 << 16);

  constructor(store: Store) {
    this.#store = store;
  }

  #text(length: number, copy: (target: Uint8Array) => void): string {
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(2 * length);
    copy(this.#buffer);
    if (length <= SHORT_MAX_BYTES) {
      let text = "";
      for (let i = 0; i < length; i++) text += CHARACTERS[this.#buffer[i]!];
      return text;
    }
    return decoder.decode(this.#buffer.subarray(0, length));
  }

  /** Returns the key of an entry. */
  key(entry: number): string {
    return this.#text(this.#store.keyLength(entry), (target) => this.#store.copyKey(entry, target, 0));
  }

  /** Returns the element at the cursor. */
  element(): string {
    return this.#text(this.#store.lists.elementLength(), (target) => this.#store.lists.copyElement(target, 0));
  }

  /** Returns the field at the cursor. */
  field(): string {
    return this.#text(this.#store.hashes.fieldLength(), (target) => this.#store.hashes.copyField(target, 0));
  }

  /** Returns the value of the field at the cursor. */
  fieldValue(): string {
    return this.#text(this.#store.hashes.valueLength(), (target) => this.#store.hashes.copyValue(target, 0));
  }

  /** Returns the member at the cursor. */
  member(): string {
    return this.#text(this.#store.sets.memberLength(), (target) => this.#store.sets.copyMember(target, 0));
  }

  /** Returns the value of an entry. */
  value(entry: number): HeldValue {
    const store = this.#store;
    switch (store.type(entry)) {
      case EntryType.String: {
        const length = store.strings.length(entry);
        return this.#text(length, (target) => store.strings.copy(entry, 0, target, 0, length));
      }
      case EntryType.List: {
        const list: string[] = [];
        for (let more = store.lists.seek(entry, 0); more; more = store.lists.next()) list.push(this.element());
        return list;
      }
      case EntryType.Hash: {
        const hash = new Map<string, string>();
        for (let more = store.hashes.first(entry); more; more = store.hashes.next()) {
          hash.set(this.field(), this.fieldValue());
        }
        return hash;
      }
      case EntryType.Set: {
        const set = new Set<string>();
        for (let more = store.sets.first(entry); more; more = store.sets.next()) set.add(this.member());
        return set;
      }
    }
  }
}
