/**
 * The keys of a store: found, expired, renamed and removed, with values of any type.
 *
 * Every change is counted, and reported to the journals that are attached (journal.ts, journals.ts). A command changes
 * a value through the class of its type (`value/`), which uses `drop` here when the value became empty. What depends on
 * the type of a value goes through `types` (value/value_type.ts).
 *
 * **Removed values.** Removing a large value takes too many steps for one command. So its entry leaves the table and
 * all lists immediately, and its parts are freed later: by `freeRemoved`, which the server calls when it is idle, and
 * by room.ts when memory is needed.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { Effect, type EffectRow, EFFECTS, type EffectWriter } from "../effects.ts";
import { assert } from "../errors.ts";
import { FREED_AT_ONCE_MAX_COUNT, PREFETCH_KEYS_MIN_COUNT, PREFETCH_MAX_COUNT } from "../limits.ts";
import {
  EntryType,
  FLAG_DEADLINE,
  FLAG_DETACHED,
  HEADER_BYTES,
  keyLengthOf,
  type Kind,
  kindOf,
  TRAIT_CHAIN,
  TRAIT_PACKED,
  TRAIT_TREE,
  traitsOf,
  TYPES,
  type ValueTypeNumber,
} from "./block.ts";
import type { Entries } from "./entries.ts";
import type { Journal } from "./journal.ts";
import { Journals } from "./journals.ts";
import { Prefetcher } from "./prefetch.ts";
import { RandomStream } from "./random_stream.ts";
import type { RecencyList } from "./recency.ts";
import type { SnapshotCursor } from "./snapshot_cursor.ts";
import type { Table } from "./table.ts";
import type { ValueType, ValueTypes } from "./value/value_type.ts";

/** Keys that must not be evicted or expire while a long command is between two of its steps. */
export interface HeldKeys {
  /** Returns whether a key with this hash (`Store.keyHash`) may be one of the held keys. */
  holds(hash: number): boolean;
  /**
   * Returns whether a command other than the one whose step is running holds the key, so that it must not be removed
   * although it has expired.
   */
  spares(hash: number): boolean;
}

/**
 * The number of expired keys that are chosen at random and removed before the search ends: nearly all keys have expired
 * then.
 */
const EXPIRED_TRIES_MAX_COUNT = 100;

/** The keys of one store. `Store` is the only subclass. */
export abstract class Keyspace {
  /** The number of changes of data so far: writes, evictions, expiries. */
  changes = 0;
  /** The current time, in ms since 1970: an integer. The caller sets it. */
  nowMs = 0;
  /** Whether looking up a key makes it the most recently used. The caller sets it. */
  touches = true;
  /** The receiver of each change: all attached journals as one, or `undefined`. */
  journal: Journal | undefined;
  /** The keys that must not be removed now, or undefined when no long command is running. Its owner sets it. */
  held: HeldKeys | undefined;
  /** The types of value. */
  abstract readonly types: ValueTypes;
  /** The number of keys that have expired and were removed. */
  protected expiredKeys = 0;
  /** The number of keys that commands which read have found. The commands count it. */
  hits = 0;
  /** The number of keys that commands which read have not found. The commands count it. */
  misses = 0;
  readonly #entries: Entries;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #keys: Table;
  readonly #recency: RecencyList;
  readonly #prefetcher: Prefetcher;
  readonly #random = new RandomStream();
  readonly #effect = new Effect();
  #journals: readonly Journal[] = [];

  constructor(entries: Entries) {
    this.#entries = entries;
    this.#words = entries.words;
    this.#bytes = entries.bytes;
    this.#keys = entries.keys;
    this.#recency = entries.recency;
    this.#prefetcher = new Prefetcher(entries);
  }

  /** The number of keys, including those that have expired but were not removed yet. */
  get size(): number {
    return this.#keys.count;
  }

  /**
   * Returns the entry of a key and makes it the most recently used; 0 when the key is absent.
   *
   * Successive commands often use the same key, so the entry at the front of the recency list is compared first. That
   * costs a nanosecond or two when it is a different key, and saves hashing, searching and relinking when it is the
   * same.
   */
  find(key: Uint8Array, start: number, length: number): number {
    const newest = this.#recency.newest;
    let entry = newest;
    if (newest === 0 || !this.#isNamed(newest, key, start, length)) {
      entry = this.#keys.find(this.#entries.hashKey(key, start, length), key, start, length, 0, 0);
      if (entry === 0) return 0;
      if (this.touches) this.#recency.touch(entry);
    }
    if ((this.#words[entry * 2 + 3]! & FLAG_DEADLINE) === 0 || !this.hasExpired(entry)) return entry;
    this.#expireFound(entry);
    return 0;
  }

  /** Returns whether an entry has this key. Keys are compared from their ends, where they differ most. */
  #isNamed(entry: number, key: Uint8Array, start: number, length: number): boolean {
    const meta = this.#words[entry * 2 + 3]!;
    if ((meta & 0xffff) !== length) return false;
    const bytes = this.#bytes;
    const at = entry * 8 + HEADER_BYTES[meta >>> 24]!;
    for (let i = length - 1; i >= 0; i--) {
      if (bytes[at + i] !== key[start + i]) return false;
    }
    return true;
  }

  /**
   * Makes the processor load the memory that commands on the next few keys will need, all at the same time
   * (prefetch.ts). Changes nothing, and does nothing while there are so few keys that they are in the processor's
   * caches anyway.
   *
   * The hashes of these keys are kept: call `forgetAhead` before changing `bytes`.
   *
   * @param starts where key `i` begins in `bytes`, for every `step`-th `i` from `from` below `end`
   * @returns the next `i`; `end` or more when there is no need to call again
   */
  prefetch(
    bytes: Uint8Array,
    starts: Int32Array,
    lengths: Int32Array,
    from: number,
    end: number,
    step: number,
  ): number {
    if (this.#keys.count < PREFETCH_KEYS_MIN_COUNT) return end;
    const count = Math.min(PREFETCH_MAX_COUNT, Math.ceil((end - from) / step));
    this.forgetAhead();
    if (count > 1) this.#prefetcher.load(bytes, starts, lengths, from, count, step);
    return from + count * step;
  }

  /** Forgets the hashes that `prefetch` kept. To be called before the bytes that it was given change. */
  forgetAhead(): void {
    this.#entries.hashes.forget();
  }

  /** Whether there are enough keys for {@linkcode prefetch} to have an effect. */
  get isLarge(): boolean {
    return this.#keys.count >= PREFETCH_KEYS_MIN_COUNT;
  }

  /** Returns the entry of a key without making it the most recently used; 0 when the key is absent. */
  peek(key: Uint8Array, start: number, length: number): number {
    const entry = this.#keys.find(this.#entries.hashKey(key, start, length), key, start, length, 0, 0);
    if (entry === 0 || !this.hasExpired(entry)) return entry;
    this.#expireFound(entry);
    return 0;
  }

  /**
   * Returns the entry of a key; 0 when the key is absent or has expired. It changes nothing: an expired key is not
   * removed.
   */
  look(key: Uint8Array, start: number, length: number): number {
    const entry = this.#keys.find(this.#entries.hashKey(key, start, length), key, start, length, 0, 0);
    return entry === 0 || this.hasExpired(entry) ? 0 : entry;
  }

  /**
   * Removes an expired key, unless a long command uses it: the time of that command does not advance, so the key is
   * left to it.
   */
  #expireFound(entry: number): void {
    if (this.held === undefined || !this.held.spares(this.#words[entry * 2 + 2]! | 0)) this.#expire(entry);
  }

  readonly #expire = (entry: number): void => {
    this.expiredKeys++;
    this.reportRemoval(entry, false);
    this.drop(entry);
  };

  /** Makes a journal receive each change from now on. */
  attach(journal: Journal): void {
    this.#journals = [...this.#journals, journal];
    this.journal = Journals.join(this.#journals);
  }

  /** Ends that, if the journal is attached. */
  detach(journal: Journal): void {
    this.#journals = this.#journals.filter((each) => each !== journal);
    this.journal = Journals.join(this.#journals);
  }

  /**
   * Begins an effect on the key of an entry. It is the same object each time. The caller fills the slots of the row's
   * other items, and passes it to {@linkcode report}, or to the writer of a snapshot.
   *
   * @param before the length of the value before the effect
   */
  effect(row: EffectRow, entry: number, before = 0): Effect {
    const effect = this.#effect;
    effect.begin(row, entry);
    effect.setKey(this.#bytes, this.keyStart(entry), this.keyLength(entry), this.#entries.arena.view);
    effect.before = before;
    return effect;
  }

  /** Reports an effect to the journal. */
  report(effect: Effect): void {
    this.journal?.record(effect);
    effect.release();
  }

  /**
   * Reports that a key is removed. The caller then removes it with {@linkcode drop}.
   *
   * @param isAsked whether a command removes it; otherwise it has expired or is evicted
   */
  reportRemoval(entry: number, isAsked: boolean): void {
    if (this.journal === undefined) return;
    const effect = this.effect(EFFECTS.remove, entry);
    effect.isAsked = isAsked;
    this.report(effect);
  }

  /** Ends capturing a value for a snapshot: no value is partial any more. Writes the deadline of its key. */
  endCapture(entry: number, writer: EffectWriter): void {
    this.#entries.cursor.endPartial();
    const deadlineMs = this.deadline(entry);
    if (deadlineMs === 0) return;
    const effect = this.effect(EFFECTS.setDeadline, entry);
    effect.deadlineMs = deadlineMs;
    writer.write(effect);
  }

  /** Returns whether a long command holds this key ({@linkcode HeldKeys}). */
  isHeld(entry: number): boolean {
    return this.held !== undefined && this.held.holds(this.#words[entry * 2 + 2]! | 0);
  }

  /** Returns the 32-bit hash of a key, as a signed number. Equal keys have equal hashes. */
  keyHash(key: Uint8Array, start: number, length: number): number {
    return this.#entries.hashKey(key, start, length) | 0;
  }

  /** Returns the type of a key's value. */
  type(entry: number): ValueTypeNumber {
    return TYPES[this.#words[entry * 2 + 3]! >>> 27] as ValueTypeNumber;
  }

  /** Returns the type of value that blocks of a kind belong to. */
  typeOfKind(kind: Kind): ValueType {
    const type = TYPES[kind]!;
    assert(type !== EntryType.None, "a block belongs to no type of value");
    return this.types[type];
  }

  /** Returns the type of an entry's value, for what depends on it. */
  typeOf(entry: number): ValueType {
    return this.typeOfKind(kindOf(this.#words[entry * 2 + 3]!));
  }

  /** Returns when a key expires, in ms since 1970; 0: never. */
  deadline(entry: number): number {
    return this.#words[entry * 2 + 3]! & FLAG_DEADLINE ? this.#entries.deadlines.of(entry) : 0;
  }

  /** Returns whether a key has expired but was not removed yet. */
  hasExpired(entry: number): boolean {
    const deadlineMs = this.deadline(entry);
    return deadlineMs !== 0 && deadlineMs <= this.nowMs;
  }

  /** Sets when a key expires; 0: never, which needs no room. Returns its reference from now on. */
  setDeadline(entry: number, deadlineMs: number): number {
    this.changes++;
    if (this.journal !== undefined) {
      const effect = this.effect(EFFECTS.setDeadline, entry);
      effect.deadlineMs = deadlineMs;
      this.report(effect);
    }
    return this.#entries.setDeadline(entry, deadlineMs);
  }

  /** Removes a key. A large value is freed later, in steps. */
  remove(entry: number): void {
    this.reportRemoval(entry, true);
    this.drop(entry);
  }

  /**
   * Removes a key without a report to the journal. For types of value, whose change of the value was reported and
   * implies this removal, and for evictions.
   */
  drop(entry: number): void {
    this.changes++;
    const entries = this.#entries;
    if (entry === entries.cursor.partial) entries.cursor.endPartial();
    const meta = this.#words[entry * 2 + 3]!;
    entries.unlink(entry);
    if (traitsOf(meta) & (TRAIT_CHAIN | TRAIT_TREE)) {
      this.#words[entry * 2 + 3] = meta | FLAG_DETACHED;
      entries.garbage.add(entry);
      if (this.#words[entry * 2 + 4]! <= FREED_AT_ONCE_MAX_COUNT) this.freeRemoved(FREED_AT_ONCE_MAX_COUNT);
      return;
    }
    entries.freeBlob(entry);
    entries.arena.free(entry);
  }

  /**
   * Frees parts of large values that were removed before.
   *
   * @param budget the most steps to take, each of about half a microsecond: a leaf of a list or a set, a field of a
   * hash, or 64 KiB
   * @returns whether there are more
   */
  freeRemoved(budget: number): boolean {
    const garbage = this.#entries.garbage;
    while (garbage.oldest !== 0 && budget > 0) budget = this.typeOf(garbage.oldest).free(garbage.oldest, budget);
    return garbage.oldest !== 0;
  }

  /** Removes all keys. */
  clear(): void {
    this.changes++;
    this.#effect.begin(EFFECTS.clear);
    this.report(this.#effect);
    this.#entries.clear();
  }

  /** Returns the length of a key in bytes. */
  keyLength(entry: number): number {
    return keyLengthOf(this.#words[entry * 2 + 3]!);
  }

  /** Returns where a key begins in {@linkcode memory}. */
  keyStart(entry: number): number {
    return entry * 8 + HEADER_BYTES[this.#words[entry * 2 + 3]! >>> 24]!;
  }

  /** Copies a key to `target`. */
  copyKey(entry: number, target: Uint8Array, at: number): void {
    const meta = this.#words[entry * 2 + 3]!;
    copyBytes(this.#bytes, entry * 8 + HEADER_BYTES[meta >>> 24]!, target, at, keyLengthOf(meta));
  }

  /**
   * Visits a few keys, including expired ones, and returns the next cursor. A key that exists from the first call, with
   * cursor 0, until 0 is returned, is visited exactly once, regardless of other changes in the meantime.
   *
   * @param cursor an unsigned 32-bit integer
   * @param visit a function that must not change the store
   */
  scan(cursor: number, visit: (entry: number) => void): number {
    return this.#keys.scan(cursor, visit);
  }

  /**
   * Renames an entry to a key that must be absent. Its value, deadline and place in the order of use stay. Of a large
   * list, hash or set, only the entry is changed. Needs the room of a small command.
   *
   * @param key bytes that are not part of the store
   * @returns the entry
   */
  rename(entry: number, key: Uint8Array, keyStart: number, keyLength: number): number {
    this.changes++;
    if (this.journal !== undefined) {
      const effect = this.effect(EFFECTS.rename, entry);
      effect.setValue(key, keyStart, keyLength);
      this.report(effect);
    }
    const renamed = this.#entries.rename(entry, key, keyStart, keyLength);
    return this.typeOf(renamed).renamed(renamed);
  }

  /**
   * Returns a random key that has not expired, each with about the same probability; 0 when there is none.
   *
   * @param random a number in [0, 1)
   */
  randomEntry(random: number): number {
    this.#random.begin(random);
    for (let tries = 0; tries < EXPIRED_TRIES_MAX_COUNT; tries++) {
      const entry = this.#keys.choose(this.#random);
      if (entry === 0 || !this.hasExpired(entry)) return entry;
      this.#expireFound(entry);
    }
    return 0;
  }

  /** Returns whether an entry is a list, a hash or a set in one block. */
  isPacked(entry: number): boolean {
    return (traitsOf(this.#words[entry * 2 + 3]!) & TRAIT_PACKED) !== 0;
  }

  /** Returns the least recently used key, or 0. */
  oldest(): number {
    return this.#recency.oldest;
  }

  /** Returns the key that was used next after `entry`, or 0. */
  newer(entry: number): number {
    return this.#recency.newer(entry);
  }

  /**
   * Removes expired keys.
   *
   * @param budget the most steps to take, each of about half a microsecond: an expired key, or a key to look at again
   * later
   * @returns whether more keys are due
   */
  expireDue(budget: number): boolean {
    return this.#entries.deadlines.expire(this.nowMs, budget, this.#expire) === 0;
  }

  /**
   * Returns whether {@linkcode expireDue} may have something to do at `nowMs`, which is at most seconds in the future.
   */
  isDueAt(nowMs: number): boolean {
    return this.#entries.deadlines.isDueAt(nowMs);
  }

  /** The state of the snapshot that is being taken, which visits all keys between commands. */
  get snapshotCursor(): SnapshotCursor {
    return this.#entries.cursor;
  }
}
