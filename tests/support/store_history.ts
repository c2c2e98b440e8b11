/**
 * Random changes of a small store, and its content after each batch of the log, which recovery must restore.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import type { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { StoreFullError } from "../../src/errors.ts";
import { EntryType, Store } from "../../src/store/store.ts";
import { StoreReader } from "./store_reader.ts";

/** The content of one key: a digest of the value, and the deadline. */
export interface Held {
  readonly deadlineMs: number;
  readonly value: string;
}

/** The content of a store, by key. */
export type State = ReadonlyMap<string, Held>;

const KEYS_COUNT = 28;
/** The largest value, which a snapshot takes in several parts, in bytes. */
const VALUE_MAX_BYTES = 150_000;
/**
 * The number of first keys that may have such values. The next keys have a long list, hash and set. These keys change
 * more often, since a snapshot takes several steps for each.
 */
const STRINGS_LARGE_COUNT = 3;
const KEYS_LARGE_COUNT = 6;

/** Returns a store that is large enough for {@linkcode StoreChanger}. */
export function makeStore(): Store {
  return new Store({ memoryLimitBytes: 8 * 1024 * 1024, evicts: false, seed: [1, 2] });
}

/** The longest text that is kept whole, so that a failure can be read. */
const SHOWN_MAX_LENGTH = 200;

/** Returns a text, or a digest of a long one. */
function digestOf(text: string): string {
  return text.length > SHOWN_MAX_LENGTH ? `${text.slice(0, 40)}… ${text.length} ${crc32(text)}` : text;
}

/** Returns the content of an entry. */
function heldBy(store: Store, reader: StoreReader, entry: number): Held {
  const value = reader.value(entry);
  let text: string;
  // Quoting makes the bytes of large items several times as long.
  if (typeof value === "string") text = `string ${digestOf(value)}`;
  else if (Array.isArray(value)) text = `list ${digestOf(JSON.stringify(value.map(digestOf)))}`;
  else if (value instanceof Set) text = `set ${digestOf(JSON.stringify([...value].sort().map(digestOf)))}`;
  else {
    const pairs = [...value].sort((a, b) => a[0] < b[0] ? -1 : 1).map((pair) => pair.map(digestOf));
    text = `hash ${digestOf(JSON.stringify(pairs))}`;
  }
  return { deadlineMs: store.deadline(entry), value: text };
}

/** Returns the content of a store, including expired keys that still exist. */
export function stateOf(store: Store): State {
  const reader = new StoreReader(store);
  const state = new Map<string, Held>();
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
    state.set(reader.key(entry), heldBy(store, reader, entry));
  }
  return state;
}

/** Returns the content of a key, also when it has expired and still exists. */
export function heldUnder(store: Store, name: string): Held | undefined {
  const key = encodeText(name);
  const { nowMs } = store;
  store.nowMs = 0;
  const entry = store.peek(key, 0, key.length);
  store.nowMs = nowMs;
  return entry === 0 ? undefined : heldBy(store, new StoreReader(store), entry);
}

/** Returns the difference of two states in keys that are not expired at that moment, or `undefined`. */
export function differenceOf(actual: State, expected: State, nowMs: number): string | undefined {
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    const [a, b] = [actual.get(key), expected.get(key)];
    const isOver = (held: Held | undefined) =>
      held === undefined || (held.deadlineMs !== 0 && held.deadlineMs <= nowMs);
    if (isOver(a) && isOver(b)) continue;
    if (a?.value !== b?.value || a?.deadlineMs !== b?.deadlineMs) {
      return `"${key}" is ${JSON.stringify(a)}, expected ${JSON.stringify(b)}`;
    }
  }
  return undefined;
}

function numberOf(name: string): number {
  return Number(name.slice("key:".length));
}

/** Changes a store at random, and keeps track of its content. */
export class StoreChanger {
  /** The content of the store after the last {@linkcode change}. */
  readonly state = new Map<string, Held>();
  readonly #store: Store;
  readonly #random: Random;
  readonly #reader: StoreReader;
  readonly #touched = new Set<string>();

  constructor(store: Store, random: Random) {
    this.#store = store;
    this.#random = random;
    this.#reader = new StoreReader(store);
    for (const [key, held] of stateOf(store)) this.state.set(key, held);
  }

  /** Makes a few changes, as the commands of one task do. */
  change(): void {
    for (let count = 1 + this.#random.below(5); count > 0; count--) {
      try {
        this.#store.room.make(VALUE_MAX_BYTES, 8);
        this.#step();
      } catch (error) {
        if (!(error instanceof StoreFullError)) throw error;
      }
    }
    this.look();
  }

  /** Removes expired keys. */
  expire(): void {
    while (this.#store.expireDue(1000));
    for (const key of this.state.keys()) this.#touched.add(key);
    this.look();
  }

  /** Updates the state of the touched keys. */
  look(): void {
    const store = this.#store;
    const { nowMs } = store;
    store.nowMs = 0;
    for (const name of this.#touched) {
      const key = encodeText(name);
      const entry = store.peek(key, 0, key.length);
      if (entry === 0) this.state.delete(name);
      else this.state.set(name, heldBy(store, this.#reader, entry));
    }
    store.nowMs = nowMs;
    this.#touched.clear();
  }

  #find(name: string): number {
    this.#touched.add(name);
    const key = encodeText(name);
    return this.#store.find(key, 0, key.length);
  }

  #name(): string {
    return `key:${this.#random.below(this.#random.chance(0.3) ? KEYS_LARGE_COUNT : KEYS_COUNT)}`;
  }

  #text(most = 40): Uint8Array<ArrayBuffer> {
    const random = this.#random;
    const dice = random.below(100);
    const length = random.below(dice < 80 ? most : dice < 97 ? 15 * most : 150 * most);
    const text = random.below(1e9).toString(36) + random.below(1e9).toString(36) + ".";
    return encodeText(text.repeat(Math.ceil(length / text.length)).slice(0, length));
  }

  /** Returns an element of a list. There are few different ones, so that some are equal. */
  #element(): Uint8Array<ArrayBuffer> {
    const { chance, below } = { chance: this.#random.chance(0.1), below: this.#random.below(6) };
    return chance ? this.#text() : encodeText(`element ${below}`);
  }

  #step(): void {
    const store = this.#store;
    const random = this.#random;
    const name = this.#name();
    const entry = this.#find(name);
    const dice = random.below(100);
    if (dice === 0 && random.chance(0.2)) {
      for (const key of this.state.keys()) this.#touched.add(key);
      return store.clear();
    }
    if (entry === 0) return this.#make(name, 0);
    if (dice < 8) return store.remove(entry);
    if (dice < 18) return void store.setDeadline(entry, random.chance(0.3) ? 0 : this.#deadline());
    if (dice < 24) return this.#move(name, entry, false);
    if (dice < 30) return this.#move(name, entry, true);
    switch (store.type(entry)) {
      case EntryType.String:
        return this.#changeString(name, entry);
      case EntryType.List:
        return this.#changeList(name, entry);
      case EntryType.Hash:
        return this.#changeHash(name, entry);
      case EntryType.Set:
        return this.#changeSet(name, entry);
    }
  }

  #deadline(): number {
    return this.#store.nowMs + 1 + this.#random.below(this.#random.chance(0.5) ? 3_000 : 1_000_000);
  }

  #make(name: string, entry: number): void {
    const number = numberOf(name);
    let kind = this.#random.below(4);
    if (number < STRINGS_LARGE_COUNT) kind = 0;
    else if (number < KEYS_LARGE_COUNT) kind = 1 + number - STRINGS_LARGE_COUNT;
    if (kind === 0) this.#setString(name, entry);
    else if (kind === 1) this.#push(name, entry);
    else if (kind === 2) this.#setFields(name, entry);
    else this.#addMembers(name, entry);
  }

  #setString(name: string, entry: number): void {
    const random = this.#random;
    const key = encodeText(name);
    const isLarge = random.chance(0.3) && numberOf(name) < STRINGS_LARGE_COUNT;
    const value = isLarge ? encodeText("large ".repeat(random.below(VALUE_MAX_BYTES / 6))) : this.#text();
    const deadlineMs = random.chance(0.3) ? this.#deadline() : 0;
    this.#store.strings.set(key, 0, key.length, entry, value, 0, value.length, deadlineMs);
  }

  #changeString(name: string, entry: number): void {
    const store = this.#store;
    const random = this.#random;
    const kind = random.below(4);
    const value = this.#text();
    if (kind === 0) return this.#setString(name, entry);
    if (kind === 1) return void store.strings.append(entry, value, 0, value.length);
    const length = store.strings.length(entry);
    if (kind === 2) {
      const part = random.chance(0.3) ? new Uint8Array(random.below(length + 20)).fill(0x78) : value;
      return void store.strings.overwrite(
        entry,
        random.below(Math.max(1, length + 20 - part.length)),
        part,
        0,
        part.length,
      );
    }
    // An append may mistake an empty string for an absent one.
    const key = encodeText(name);
    store.strings.set(key, 0, key.length, entry, value, 0, 0, random.chance(0.5) ? this.#deadline() : 0);
  }

  #push(name: string, entry: number): void {
    const key = encodeText(name);
    const count = this.#isMany(name) ? 1 + this.#random.below(700) : 1 + this.#random.below(4);
    for (let i = 0; i < count; i++) {
      const element = this.#element();
      const head = this.#random.chance(0.4);
      entry = this.#store.lists.push(key, 0, key.length, entry, head, element, 0, element.length);
    }
  }

  #changeList(name: string, entry: number): void {
    const store = this.#store;
    const random = this.#random;
    const length = store.lists.length(entry);
    const element = this.#element();
    switch (random.below(7)) {
      case 0:
        return void store.lists.set(entry, random.below(length), element, 0, element.length);
      case 1:
        return void store.lists.insert(entry, random.below(length + 1), element, 0, element.length);
      case 2: {
        const index = random.below(length);
        return void store.lists.remove(entry, index, 1 + random.below(Math.min(length - index, 40)));
      }
      case 3:
        return void store.lists.pop(entry, random.chance(0.5));
      case 4: {
        const most = random.chance(0.3) ? Infinity : 1 + random.below(3);
        return void store.lists.removeEqual(entry, random.chance(0.5), most, element, 0, element.length);
      }
      default:
        return length > 3000 ? store.remove(entry) : this.#push(name, entry);
    }
  }

  #isMany(name: string): boolean {
    return this.#random.chance(numberOf(name) < KEYS_LARGE_COUNT ? 0.3 : 0.02);
  }

  #field(name: string): Uint8Array<ArrayBuffer> {
    return encodeText(`field ${this.#random.below(numberOf(name) < KEYS_LARGE_COUNT ? 800 : 20)}`);
  }

  #setFields(name: string, entry: number): void {
    const random = this.#random;
    const key = encodeText(name);
    const count = this.#isMany(name) ? 1 + random.below(500) : 1 + random.below(4);
    for (let i = 0; i < count; i++) {
      const field = this.#field(name);
      const value = this.#text();
      entry = this.#store.hashes.set(
        key,
        0,
        key.length,
        entry,
        field,
        0,
        field.length,
        value,
        0,
        value.length,
      );
    }
  }

  #changeHash(name: string, entry: number): void {
    const random = this.#random;
    if (random.chance(0.5)) return this.#setFields(name, entry);
    const field = this.#field(name);
    this.#store.hashes.remove(entry, field, 0, field.length);
  }

  /** Returns a member of a set: an integer, a short text or, rarely, one that is in a blob. */
  #member(name: string): Uint8Array<ArrayBuffer> {
    const number = this.#random.below(numberOf(name) < KEYS_LARGE_COUNT ? 2_000 : 30);
    if (number % 3 === 0) return encodeText(String(number * 7_919 - 5_000));
    return encodeText(number % 50 === 1 ? `${"long ".repeat(number % 400)}${number}` : `member ${number}`);
  }

  #addMembers(name: string, entry: number): void {
    const key = encodeText(name);
    const count = this.#isMany(name) ? 1 + this.#random.below(700) : 1 + this.#random.below(4);
    for (let i = 0; i < count; i++) {
      const member = this.#member(name);
      entry = this.#store.sets.add(key, 0, key.length, entry, member, 0, member.length);
    }
  }

  #changeSet(name: string, entry: number): void {
    const random = this.#random;
    if (random.chance(0.5)) return this.#addMembers(name, entry);
    for (let left = this.#isMany(name) ? random.below(400) : 1; left > 0 && entry !== 0; left--) {
      const member = this.#member(name);
      entry = this.#store.sets.remove(entry, member, 0, member.length);
    }
  }

  /** Renames or copies a key to another, which is removed first. */
  #move(name: string, entry: number, copies: boolean): void {
    const store = this.#store;
    const other = this.#name();
    if (other === name) return;
    const there = this.#find(other);
    if (there !== 0) store.remove(there);
    const key = encodeText(other);
    // The removal may have moved nothing, but commands look the key up again, too.
    entry = this.#find(name);
    if (entry === 0) return;
    if (copies) store.copyEntry(store.room.makeForCopy(entry), key, 0, key.length);
    else store.rename(entry, key, 0, key.length);
  }
}
