/**
 * The simplest possible store, of maps and arrays. It is the oracle for tests of the real store, through its own calls
 * and through commands.
 *
 * It is stricter than the real store about its callers. A reference ends with the next write to its key and with
 * `room.make`, and the cursor with any write. Using either after that throws, where the real store might happen to
 * work. Memory is not modelled: `room.make` evicts nothing, and refuses everything when {@linkcode ModelStore.full} is
 * set. A test that knows how many keys the real store has evicted calls {@linkcode ModelStore.evict}.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { AssertionError, StoreFullError } from "../../src/errors.ts";
import type { Room } from "../../src/store/room.ts";
import { EntryType } from "../../src/store/store.ts";
import type { HeldKeys, Store, StoreStatistics, ValueTypeNumber } from "../../src/store/store.ts";
import type { Hashes } from "../../src/store/value/hash.ts";
import type { Lists } from "../../src/store/value/list.ts";
import type { Sets } from "../../src/store/value/set.ts";
import type { Strings } from "../../src/store/value/string.ts";
import type { ValueType } from "../../src/store/value/value_type.ts";

/** The methods that a value has for the store, and not for commands. */
type Internal = Exclude<keyof ValueType, "length">;
type PublicStrings = Omit<Pick<Strings, keyof Strings>, Internal>;
type PublicLists = Omit<Pick<Lists, keyof Lists>, Internal>;
type PublicHashes = Omit<Pick<Hashes, keyof Hashes>, Internal | "isLarge" | "seekField">;
type PublicSets = Omit<Pick<Sets, keyof Sets>, Internal | "isLarge" | "encoding">;
type PublicRoom = Pick<Room, keyof Room>;

/** The members of a store that commands use. */
interface PublicStore extends
  Omit<
    Pick<Store, keyof Store>,
    | "strings"
    | "lists"
    | "hashes"
    | "sets"
    | "room"
    | "types"
    | "typeOf"
    | "typeOfKind"
    | "drop"
    | "journal"
    | "attach"
    | "detach"
    | "effect"
    | "report"
    | "reportRemoval"
    | "endCapture"
    | "snapshotCursor"
    | "keyStart"
  > {
  readonly strings: PublicStrings;
  readonly lists: PublicLists;
  readonly hashes: PublicHashes;
  readonly sets: PublicSets;
  readonly room: PublicRoom;
  typeOf(entry: number): Pick<ValueType, "length">;
}

type Bytes = Uint8Array<ArrayBuffer>;

interface ModelEntry {
  key: string;
  /** The bucket of the entry in the order of `scan`. */
  bucket: number;
  reference: number;
  deadlineMs: number;
  value: Bytes | Bytes[] | Map<string, Bytes> | Set<string>;
}

type Cursor =
  | { readonly elements: readonly Bytes[]; index: number }
  | { readonly fields: readonly (readonly [string, Bytes])[]; index: number }
  | { readonly members: readonly string[]; index: number };

/** The number of buckets in the order of `scan`. */
const BUCKETS_COUNT = 64;

/** Returns bytes as a string with one character per byte, so that they can be the key of a `Map`. */
function keyOf(bytes: Uint8Array, start: number, length: number): string {
  let key = "";
  for (let i = start; i < start + length; i++) key += String.fromCharCode(bytes[i]!);
  return key;
}

function copyOf(bytes: Uint8Array, start: number, length: number): Bytes {
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(start, start + length));
  return copy;
}

function write(text: string, target: Uint8Array, at: number): void {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
}

function bucketOf(key: string): number {
  let hash = 0;
  for (let i = 0; i < key.length; i++) hash = (Math.imul(hash, 31) + key.charCodeAt(i)) | 0;
  return (hash >>> 0) % BUCKETS_COUNT;
}

function equals(value: Bytes, bytes: Uint8Array, start: number, length: number): boolean {
  if (value.length !== length) return false;
  for (let i = 0; i < length; i++) if (value[i] !== bytes[start + i]) return false;
  return true;
}

/** Returns a copy that shares only byte strings with the original, which are never changed in place. */
function cloneOf(value: ModelEntry["value"]): ModelEntry["value"] {
  if (value instanceof Map) return new Map(value);
  if (value instanceof Set) return new Set(value);
  return Array.isArray(value) ? [...value] : value;
}

/**
 * Returns whether two entries of one key, of which the first exists, have the same content for a reader from `nowMs`
 * on.
 */
function isSameEntry(a: ModelEntry, b: ModelEntry | undefined, nowMs: number): boolean {
  const isOver = a.deadlineMs !== 0 && a.deadlineMs <= nowMs;
  if (b === undefined) return isOver;
  if (a.deadlineMs !== b.deadlineMs) return isOver && b.deadlineMs !== 0 && b.deadlineMs <= nowMs;
  return isOver || isSameValue(a.value, b.value);
}

function isSameValue(a: ModelEntry["value"], b: ModelEntry["value"]): boolean {
  if (a === b) return true;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((element, i) => isSameValue(element, b[i]!));
  }
  if (a instanceof Set) return b instanceof Set && a.size === b.size && a.isSubsetOf(b);
  if (!(b instanceof Map) || a.size !== b.size) return false;
  return a.entries().every(([field, value]) => {
    const other = b.get(field);
    return other !== undefined && isSameValue(value, other);
  });
}

/** A store whose correctness is obvious. */
export class ModelStore implements PublicStore {
  /** Whether `room.make` refuses. */
  full = false;
  touches = true;
  changes = 0;
  nowMs = 0;
  held: HeldKeys | undefined;
  /** The keys in the order of their use, the least recently used first. */
  readonly #entries = new Map<string, ModelEntry>();
  /** The references that are valid now. */
  readonly #references = new Map<number, ModelEntry>();
  #nextReference = 1;
  #cursor: Cursor | undefined;
  #expired = 0;
  hits = 0;
  misses = 0;

  /** Returns a copy that shares no changeable data with this store. */
  clone(): ModelStore {
    const copy = new ModelStore();
    copy.full = this.full;
    copy.room.evicts = this.room.evicts;
    copy.changes = this.changes;
    copy.nowMs = this.nowMs;
    copy.#expired = this.#expired;
    copy.#nextReference = this.#nextReference;
    for (const [key, entry] of this.#entries) copy.#entries.set(key, { ...entry, value: cloneOf(entry.value) });
    return copy;
  }

  /**
   * Returns the keys whose content differs between two models. An expired key counts as absent.
   *
   * This is cheap if one is a clone of the other, since unchanged entries are the same object.
   */
  differentKeys(other: ModelStore, nowMs: number): string[] {
    const keys: string[] = [];
    for (const [key, entry] of this.#entries) {
      if (!isSameEntry(entry, other.#entries.get(key), nowMs)) keys.push(key);
    }
    for (const [key, entry] of other.#entries) {
      if (!this.#entries.has(key) && !isSameEntry(entry, undefined, nowMs)) keys.push(key);
    }
    return keys;
  }

  /** Returns the deadlines of all keys. */
  deadlines(): number[] {
    return this.#entries.values().map(({ deadlineMs }) => deadlineMs).filter((deadlineMs) => deadlineMs !== 0)
      .toArray();
  }

  /** Returns this model as the real store. The cast is needed only for private members. */
  asStore(): Store {
    return this as PublicStore as Store;
  }

  get size(): number {
    return this.#entries.size;
  }

  get statistics(): StoreStatistics {
    const deadlines = this.deadlines();
    const sumMs = deadlines.reduce((sum, deadlineMs) => sum + deadlineMs - this.nowMs, 0);
    return {
      usedBytes: 0,
      peakBytes: 0,
      startupBytes: 0,
      committedBytes: 0,
      limitBytes: 0,
      tableBytes: 0,
      accountBytes: 0,
      keys: this.size,
      keysWithDeadline: deadlines.length,
      meanTtlMs: Math.max(0, Math.round(sumMs / Math.max(1, deadlines.length))),
      evictedKeys: 0,
      expiredKeys: this.#expired,
      hits: this.hits,
      misses: this.misses,
    };
  }

  readonly isLarge = false;

  notePeak(): void {}

  set onGrowth(_callback: (frontier: number) => void) {}

  get memory(): Uint8Array<ArrayBuffer> {
    throw new AssertionError("a model has no arena");
  }

  prefetch(_bytes: Uint8Array, _starts: Int32Array, _lengths: Int32Array, _from: number, end: number): number {
    return end;
  }

  forgetAhead(): void {}

  readonly room: PublicRoom = {
    evicts: true,
    evictedKeys: 0,
    keptPages: 0,
    limitBytes: Infinity,
    limitMaxBytes: Infinity,
    limit: (): void => {},
    approachLimit: (): boolean => false,
    make: (bytes: number, count = 1): void => {
      if (!(bytes >= 0 && count >= 1)) throw new AssertionError(`room for ${bytes} bytes in ${count} arguments`);
      if (this.full) throw new StoreFullError();
      this.#references.clear();
      this.#cursor = undefined;
    },
    makePart: (_bytes: number, _count: number, beside = 0): boolean => {
      if (beside !== 0) this.touch(beside);
      return true;
    },
    makeBeside: (_bytes: number, _count: number, beside: number): void => {
      this.touch(beside);
      this.room.make(0);
    },
    keep: (): number => {
      return 0;
    },
    makeForCopy: (reference: number): number => {
      const entry = this.#entry(reference);
      this.#touch(entry);
      this.room.make(0);
      return this.#refer(entry);
    },
  };

  /** Makes a key the most recently used. */
  touch(reference: number): void {
    this.#touch(this.#entry(reference));
  }

  isHeld(reference: number): boolean {
    if (this.held === undefined) return false;
    const key = this.#entry(reference).key;
    const bytes = new Uint8Array(key.length);
    write(key, bytes, 0);
    return this.held.holds(this.keyHash(bytes, 0, bytes.length));
  }

  keyHash(bytes: Uint8Array, start: number, length: number): number {
    return bucketOf(keyOf(bytes, start, length));
  }

  resetStatistics(): void {
    this.#expired = 0;
  }

  /** Removes the least recently used keys. */
  evict(count: number): void {
    for (const entry of this.#entries.values()) {
      if (count-- === 0) return;
      this.#drop(entry);
    }
  }

  // These are the methods for keys.

  find(bytes: Uint8Array, start: number, length: number): number {
    const reference = this.peek(bytes, start, length);
    if (reference !== 0 && this.touches) this.#touch(this.#entry(reference));
    return reference;
  }

  look(bytes: Uint8Array, start: number, length: number): number {
    const entry = this.#entries.get(keyOf(bytes, start, length));
    const exists = entry !== undefined && (entry.deadlineMs === 0 || entry.deadlineMs > this.nowMs);
    return exists ? this.#refer(entry) : 0;
  }

  peek(bytes: Uint8Array, start: number, length: number): number {
    const entry = this.#entries.get(keyOf(bytes, start, length));
    if (entry === undefined) return 0;
    if (entry.deadlineMs !== 0 && entry.deadlineMs <= this.nowMs) {
      this.#expire(entry);
      return 0;
    }
    return this.#refer(entry);
  }

  type(reference: number): ValueTypeNumber {
    const { value } = this.#entry(reference);
    if (value instanceof Map) return EntryType.Hash;
    if (value instanceof Set) return EntryType.Set;
    return Array.isArray(value) ? EntryType.List : EntryType.String;
  }

  typeOf(reference: number): Pick<ValueType, "length"> {
    switch (this.type(reference)) {
      case EntryType.String:
        return this.strings;
      case EntryType.List:
        return this.lists;
      case EntryType.Hash:
        return this.hashes;
      case EntryType.Set:
        return this.sets;
    }
  }

  deadline(reference: number): number {
    return this.#entry(reference).deadlineMs;
  }

  setDeadline(reference: number, deadlineMs: number): number {
    const entry = this.#entry(reference);
    entry.deadlineMs = deadlineMs;
    return this.#changed(entry);
  }

  remove(reference: number): void {
    this.#drop(this.#entry(reference));
  }

  clear(): void {
    this.changes++;
    this.#cursor = undefined;
    this.#entries.clear();
    this.#references.clear();
  }

  keyLength(reference: number): number {
    return this.#entry(reference).key.length;
  }

  copyKey(reference: number, target: Uint8Array, at: number): void {
    write(this.#entry(reference).key, target, at);
  }

  scan(cursor: number, visit: (entry: number) => void): number {
    for (const entry of this.#entries.values()) {
      if (entry.bucket === cursor) visit(this.#refer(entry));
    }
    return cursor + 1 < BUCKETS_COUNT ? cursor + 1 : 0;
  }

  rename(reference: number, bytes: Uint8Array, start: number, length: number): number {
    const entry = this.#entry(reference);
    const key = keyOf(bytes, start, length);
    if (this.#entries.has(key)) throw new AssertionError("a key was given that is there");
    entry.key = key;
    entry.bucket = bucketOf(key);
    const inOrder = [...this.#entries.values()];
    this.#entries.clear();
    for (const each of inOrder) this.#entries.set(each.key, each);
    return this.#changed(entry);
  }

  copyEntry(reference: number, bytes: Uint8Array, start: number, length: number): number {
    const { value, deadlineMs } = this.#entry(reference);
    const made = this.#ensure(bytes, start, length, 0, cloneOf(value));
    made.deadlineMs = deadlineMs;
    return this.#changed(made);
  }

  randomEntry(random: number): number {
    const entries = [...this.#entries.values()].filter((entry) => !this.hasExpired(this.#refer(entry)));
    return entries.length === 0 ? 0 : this.#refer(entries[Math.floor(random * entries.length)]!);
  }

  entryBytes(): number {
    throw new AssertionError("a model has no arena");
  }

  estimateBytes(): number {
    // A model has no arena. Nothing depends on this number but the order of big keys.
    return 1;
  }

  isPacked(): boolean {
    throw new AssertionError("a model has no blocks");
  }

  oldest(): number {
    for (const entry of this.#entries.values()) return this.#refer(entry);
    return 0;
  }

  newer(reference: number): number {
    const { key } = this.#entry(reference);
    let passed = false;
    for (const entry of this.#entries.values()) {
      if (passed) return this.#refer(entry);
      passed = entry.key === key;
    }
    return 0;
  }

  hasExpired(reference: number): boolean {
    const { deadlineMs } = this.#entry(reference);
    return deadlineMs !== 0 && deadlineMs <= this.nowMs;
  }

  freeRemoved(): boolean {
    return false;
  }

  expireDue(budget: number): boolean {
    for (const entry of this.#entries.values()) {
      if (entry.deadlineMs === 0 || entry.deadlineMs > this.nowMs) continue;
      if (budget-- === 0) return true;
      this.#expire(entry);
    }
    return false;
  }

  isDueAt(nowMs: number): boolean {
    return this.#entries.values().some(({ deadlineMs }) => deadlineMs !== 0 && deadlineMs <= nowMs);
  }

  readonly strings: PublicStrings = {
    length: (reference: number): number => {
      return this.#string(reference).length;
    },
    copy: (reference: number, from: number, target: Uint8Array, at: number, length: number): void => {
      const value = this.#string(reference);
      if (from + length > value.length) throw new AssertionError("a string was read beyond its end");
      target.set(value.subarray(from, from + length), at);
    },
    set: (
      keyBytes: Uint8Array,
      keyStart: number,
      keyLength: number,
      reference: number,
      bytes: Uint8Array,
      start: number,
      length: number,
      deadlineMs: number,
    ): number => {
      const value = copyOf(bytes, start, length);
      const entry = this.#ensure(keyBytes, keyStart, keyLength, reference, value);
      entry.value = value;
      entry.deadlineMs = deadlineMs;
      return this.#changed(entry);
    },
    append: (reference: number, bytes: Uint8Array, start: number, length: number): number => {
      const value = this.#string(reference);
      const entry = this.#entry(reference);
      const joined = new Uint8Array(value.length + length);
      joined.set(value);
      joined.set(bytes.subarray(start, start + length), value.length);
      entry.value = joined;
      return this.#changed(entry);
    },
    overwrite: (reference: number, from: number, bytes: Uint8Array, start: number, length: number): number => {
      const value = this.#string(reference);
      const entry = this.#entry(reference);
      const overwritten = new Uint8Array(Math.max(value.length, from + length));
      overwritten.set(value);
      overwritten.set(bytes.subarray(start, start + length), from);
      entry.value = overwritten;
      return this.#changed(entry);
    },
  };

  readonly lists: PublicLists = {
    length: (reference: number): number => {
      return this.#list(reference).length;
    },
    push: (
      keyBytes: Uint8Array,
      keyStart: number,
      keyLength: number,
      reference: number,
      head: boolean,
      bytes: Uint8Array,
      start: number,
      length: number,
    ): number => {
      const element = copyOf(bytes, start, length);
      const list = reference === 0 ? [] : this.#list(reference);
      const entry = this.#ensure(keyBytes, keyStart, keyLength, reference, list);
      if (head) list.unshift(element);
      else list.push(element);
      return this.#changed(entry);
    },
    seek: (reference: number, index: number): boolean => {
      const elements = this.#list(reference);
      if (Number.isNaN(index)) throw new AssertionError(`index ${index}`);
      if (index < 0) index += elements.length;
      this.#cursor = { elements, index };
      return index >= 0 && index < elements.length;
    },
    next: (): boolean => {
      const cursor = this.#listCursor();
      return ++cursor.index < cursor.elements.length;
    },
    previous: (): boolean => {
      return --this.#listCursor().index >= 0;
    },
    elementEquals: (bytes: Uint8Array, start: number, length: number): boolean => {
      return equals(this.#element(), bytes, start, length);
    },
    elementLength: (): number => {
      return this.#element().length;
    },
    copyElement: (target: Uint8Array, at: number): void => {
      target.set(this.#element(), at);
    },
    copyElementPart: (from: number, target: Uint8Array, at: number, length: number): void => {
      target.set(this.#element().subarray(from, from + length), at);
    },
    set: (reference: number, index: number, bytes: Uint8Array, start: number, length: number): number => {
      const list = this.#list(reference);
      if (!(index >= 0 && index < list.length)) throw new AssertionError(`index ${index} of ${list.length}`);
      list[index] = copyOf(bytes, start, length);
      return this.#changed(this.#entry(reference));
    },
    pop: (reference: number, head: boolean): number => {
      const list = this.#list(reference);
      const entry = this.#entry(reference);
      if (head) list.shift();
      else list.pop();
      return this.#dropIfEmpty(entry, list.length);
    },
    insert: (reference: number, index: number, bytes: Uint8Array, start: number, length: number): number => {
      const list = this.#list(reference);
      if (!(index >= 0 && index <= list.length)) throw new AssertionError(`index ${index} of ${list.length}`);
      list.splice(index, 0, copyOf(bytes, start, length));
      return this.#changed(this.#entry(reference));
    },
    remove: (reference: number, index: number, count: number): number => {
      const list = this.#list(reference);
      if (!(index >= 0 && count >= 1 && index + count <= list.length)) {
        throw new AssertionError(`${count} elements from ${index} of ${list.length}`);
      }
      list.splice(index, count);
      return this.#dropIfEmpty(this.#entry(reference), list.length);
    },
    removeEqual: (
      reference: number,
      fromTail: boolean,
      most: number,
      bytes: Uint8Array,
      start: number,
      length: number,
    ): number => {
      if (!(most >= 1)) throw new AssertionError(`at most ${most} elements`);
      const list = this.#list(reference);
      const indexes = list.keys().filter((index) => equals(list[index]!, bytes, start, length)).toArray();
      const gone = fromTail ? indexes.slice(-most) : indexes.slice(0, most);
      if (gone.length === 0) return reference;
      for (const index of gone.reverse()) list.splice(index, 1);
      return this.#dropIfEmpty(this.#entry(reference), list.length);
    },
  };

  readonly hashes: PublicHashes = {
    added: false,
    removed: false,
    length: (reference: number): number => {
      return this.#hash(reference).size;
    },
    set: (
      keyBytes: Uint8Array,
      keyStart: number,
      keyLength: number,
      reference: number,
      fieldBytes: Uint8Array,
      fieldStart: number,
      fieldLength: number,
      bytes: Uint8Array,
      start: number,
      length: number,
    ): number => {
      const hash = reference === 0 ? new Map<string, Bytes>() : this.#hash(reference);
      const entry = this.#ensure(keyBytes, keyStart, keyLength, reference, hash);
      const field = keyOf(fieldBytes, fieldStart, fieldLength);
      this.hashes.added = !hash.has(field);
      hash.set(field, copyOf(bytes, start, length));
      return this.#changed(entry);
    },
    find: (reference: number, bytes: Uint8Array, start: number, length: number): boolean => {
      const field = keyOf(bytes, start, length);
      const value = this.#hash(reference).get(field);
      this.#cursor = { fields: value === undefined ? [] : [[field, value]], index: 0 };
      return value !== undefined;
    },
    seek: (reference: number, bytes: Uint8Array, start: number, length: number): boolean => {
      const fields = [...this.#hash(reference)];
      const index = fields.findIndex(([field]) => field === keyOf(bytes, start, length));
      this.#cursor = { fields, index };
      return index >= 0;
    },
    first: (reference: number): boolean => {
      const fields = [...this.#hash(reference)];
      this.#cursor = { fields, index: 0 };
      return fields.length > 0;
    },
    next: (): boolean => {
      const cursor = this.#hashCursor();
      return ++cursor.index < cursor.fields.length;
    },
    seekRandom: (reference: number, random: number): boolean => {
      const fields = [...this.#hash(reference)];
      this.#cursor = { fields, index: Math.floor(random * fields.length) };
      return true;
    },
    scan: (reference: number, cursor: number, visit: () => void): number => {
      for (const pair of this.#hash(reference)) {
        if (bucketOf(pair[0]) !== cursor) continue;
        this.#cursor = { fields: [pair], index: 0 };
        visit();
      }
      return cursor + 1 < BUCKETS_COUNT ? cursor + 1 : 0;
    },
    fieldLength: (): number => {
      return this.#pair()[0].length;
    },
    copyField: (target: Uint8Array, at: number): void => {
      write(this.#pair()[0], target, at);
    },
    valueLength: (): number => {
      return this.#pair()[1].length;
    },
    copyValue: (target: Uint8Array, at: number): void => {
      target.set(this.#pair()[1], at);
    },
    copyValuePart: (from: number, target: Uint8Array, at: number, length: number): void => {
      target.set(this.#pair()[1].subarray(from, from + length), at);
    },
    remove: (reference: number, bytes: Uint8Array, start: number, length: number): number => {
      const hash = this.#hash(reference);
      this.hashes.removed = hash.delete(keyOf(bytes, start, length));
      return this.hashes.removed ? this.#dropIfEmpty(this.#entry(reference), hash.size) : reference;
    },
  };

  readonly sets: PublicSets = {
    added: false,
    removed: false,
    length: (reference) => this.#set(reference).size,
    add: (keyBytes, keyStart, keyLength, reference, bytes, start, length) => {
      const set = reference === 0 ? new Set<string>() : this.#set(reference);
      const entry = this.#ensure(keyBytes, keyStart, keyLength, reference, set);
      const member = keyOf(bytes, start, length);
      this.sets.added = !set.has(member);
      if (!this.sets.added) return reference;
      set.add(member);
      return this.#changed(entry);
    },
    remove: (reference, bytes, start, length) => {
      const set = this.#set(reference);
      // The cursor moves, as it does in the real store.
      this.#cursor = undefined;
      this.sets.removed = set.delete(keyOf(bytes, start, length));
      return this.sets.removed ? this.#dropIfEmpty(this.#entry(reference), set.size) : reference;
    },
    has: (reference, bytes, start, length) => {
      this.#cursor = undefined;
      return this.#set(reference).has(keyOf(bytes, start, length));
    },
    first: (reference) => {
      const members = [...this.#set(reference)];
      this.#cursor = { members, index: 0 };
      return members.length > 0;
    },
    next: () => {
      const cursor = this.#setCursor();
      return ++cursor.index < cursor.members.length;
    },
    seek: (reference, bytes, start, length) => {
      const members = [...this.#set(reference)];
      const index = members.indexOf(keyOf(bytes, start, length));
      this.#cursor = { members, index };
      return index >= 0;
    },
    seekRandom: (reference, random) => {
      const members = [...this.#set(reference)];
      this.#cursor = { members, index: Math.floor(random * members.length) };
      return true;
    },
    scan: (reference, cursor, visit) => {
      for (const member of this.#set(reference)) {
        if (bucketOf(member) !== cursor) continue;
        const visited = { members: [member], index: 0 };
        this.#cursor = visited;
        visit();
        if (this.#cursor !== visited) throw new AssertionError("a visit of a scan has moved the cursor");
      }
      return cursor + 1 < BUCKETS_COUNT ? cursor + 1 : 0;
    },
    memberLength: () => this.#member().length,
    copyMember: (target, at) => write(this.#member(), target, at),
  };

  /** Returns 0, since this store cannot leak. */
  audit(): number {
    return 0;
  }

  // These manage references, the order of use, and the effects of a write.

  #entry(reference: number): ModelEntry {
    const entry = this.#references.get(reference);
    if (entry === undefined) throw new AssertionError(`reference ${reference} is used after its end`);
    return entry;
  }

  #refer(entry: ModelEntry): number {
    this.#references.set(entry.reference, entry);
    return entry.reference;
  }

  /** Ends the entry's reference, and returns the new one. */
  #changed(entry: ModelEntry): number {
    this.changes++;
    this.#cursor = undefined;
    this.#references.delete(entry.reference);
    entry.reference = this.#nextReference++;
    return this.#refer(entry);
  }

  #touch(entry: ModelEntry): void {
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
  }

  #ensure(
    bytes: Uint8Array,
    start: number,
    length: number,
    reference: number,
    value: ModelEntry["value"],
  ): ModelEntry {
    const key = keyOf(bytes, start, length);
    if (reference !== 0) {
      const entry = this.#entry(reference);
      if (entry.key !== key) throw new AssertionError("a reference was used with another key");
      return entry;
    }
    if (this.#entries.has(key)) throw new AssertionError("a key that is there was made again");
    const entry = { key, bucket: bucketOf(key), reference: this.#nextReference++, deadlineMs: 0, value };
    this.#entries.set(key, entry);
    return entry;
  }

  #drop(entry: ModelEntry): void {
    this.changes++;
    this.#cursor = undefined;
    this.#references.delete(entry.reference);
    this.#entries.delete(entry.key);
  }

  #dropIfEmpty(entry: ModelEntry, length: number): number {
    if (length > 0) return this.#changed(entry);
    this.#drop(entry);
    return 0;
  }

  #expire(entry: ModelEntry): void {
    this.#expired++;
    this.#drop(entry);
  }

  // These return values by type, and the cursor.

  #string(reference: number): Bytes {
    const { value } = this.#entry(reference);
    if (!(value instanceof Uint8Array)) throw new AssertionError("expected a string");
    return value;
  }

  #list(reference: number): Bytes[] {
    const { value } = this.#entry(reference);
    if (!Array.isArray(value)) throw new AssertionError("expected a list");
    return value;
  }

  #hash(reference: number): Map<string, Bytes> {
    const { value } = this.#entry(reference);
    if (!(value instanceof Map)) throw new AssertionError("expected a hash");
    return value;
  }

  #set(reference: number): Set<string> {
    const { value } = this.#entry(reference);
    if (!(value instanceof Set)) throw new AssertionError("expected a set");
    return value;
  }

  #listCursor(): Extract<Cursor, { elements: unknown }> {
    const cursor = this.#cursor;
    if (cursor === undefined || !("elements" in cursor)) throw new AssertionError("the cursor is on no list");
    return cursor;
  }

  #hashCursor(): Extract<Cursor, { fields: unknown }> {
    const cursor = this.#cursor;
    if (cursor === undefined || !("fields" in cursor)) throw new AssertionError("the cursor is on no hash");
    return cursor;
  }

  #setCursor(): Extract<Cursor, { members: unknown }> {
    const cursor = this.#cursor;
    if (cursor === undefined || !("members" in cursor)) throw new AssertionError("the cursor is on no set");
    return cursor;
  }

  #element(): Bytes {
    const { elements, index } = this.#listCursor();
    const element = elements[index];
    if (element === undefined) throw new AssertionError("the cursor is after the end of the list");
    return element;
  }

  #pair(): readonly [string, Bytes] {
    const { fields, index } = this.#hashCursor();
    const pair = fields[index];
    if (pair === undefined) throw new AssertionError("the cursor is after the end of the hash");
    return pair;
  }

  #member(): string {
    const { members, index } = this.#setCursor();
    const member = members[index];
    if (member === undefined) throw new AssertionError("the cursor is after the end of the set");
    return member;
  }
}
