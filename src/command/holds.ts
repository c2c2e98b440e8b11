/**
 * Keys that long commands hold while they pause, so that each command still appears atomic to all others.
 *
 * ```text
 * hgetall big   step ─ pause ─ step ─ pause ─ step        shares "big": other commands read it, writers wait
 * rpush list …  step ─ pause ─ step                       holds "list" exclusively: all other commands on it wait
 * ```
 *
 * Nearly all commands end in their first step, and nothing is held: then a command checks a single field. A key is
 * represented by its hash (`Store.keyHash`). When two keys have the same hash, a command may wait without need. Many
 * keys are kept in a Bloom filter of hashes, in which fewer than one other key in 1,000 seems to be held.
 *
 * ```text
 * up to 32 keys     a map by hash: the holders, shared or exclusive, and the number of waiting writers
 * more              a bitmap of 16 to 64 bits per key, 2 MiB at most
 * ```
 *
 * A held key is neither evicted nor expired (`Store.held`). When a hold ends, the commands that wait for it are woken
 * and check again. A writer does not wait forever: while it waits for a key, no new reader may share that key. A flush
 * waits only for exclusive holds; a reader whose key it removes starts again (long_command.ts).
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../catalog/specification.ts";
import type { HeldKeys, Store } from "../store/store.ts";
import type { Request } from "../wire/request.ts";

/** The most keys that are listed by hash; more are kept in a bitmap. */
const LISTED_KEYS_MAX_COUNT = 32;
const BITMAP_BITS_PER_KEY = 64;
const BITMAP_MAX_BITS = 2 ** 24;
/**
 * The number of bits that are set for each key in the bitmap, which is a Bloom filter. With one bit, any other key
 * would seem to be among 500,000 held keys with a probability of 3 %, and its commands would wait; with four bits, with
 * less than 1 in 1,000.
 */
const BITS_PER_KEY_COUNT = 4;

/**
 * Returns the next hash in a sequence of almost independent hashes. The function is one-to-one, so no information is
 * lost.
 */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return hash ^ (hash >>> 15);
}

/** The keys of one command or of one transaction. */
export class KeySet {
  /** Whether the set contains every key of the store. */
  isEverything = false;
  /** The hashes of the keys, while they are few. */
  readonly hashes: number[] = [];
  readonly #bitmap: Uint32Array | undefined;
  readonly #mask: number;

  /** @param count the highest number of keys that will be added */
  constructor(count: number) {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, count) * BITMAP_BITS_PER_KEY));
    const bits = Math.min(BITMAP_MAX_BITS, wanted);
    this.#bitmap = count > LISTED_KEYS_MAX_COUNT ? new Uint32Array(bits / 32) : undefined;
    this.#mask = bits - 1;
  }

  /** Whether the keys are too many to list, so that they are in a bitmap. */
  get isBitmap(): boolean {
    return this.#bitmap !== undefined;
  }

  /** Adds a key by its hash. */
  add(hash: number): void {
    const bitmap = this.#bitmap;
    if (bitmap === undefined) {
      this.hashes.push(hash);
      return;
    }
    for (let i = 0; i < BITS_PER_KEY_COUNT; i++) {
      bitmap[(hash & this.#mask) >>> 5]! |= 1 << (hash & 31);
      hash = mix(hash);
    }
  }

  /** Adds the keys in arguments `[from, to)` of a request. Returns the argument at which the next call continues. */
  addKeys(
    store: Store,
    { firstKey, keyStep }: CommandSpecification,
    request: Request,
    from: number,
    to: number,
  ): number {
    const { bytes, starts, lengths } = request;
    let i = Math.max(from, firstKey);
    for (; i < to; i += keyStep) this.add(store.keyHash(bytes, starts[i]!, lengths[i]!));
    return i;
  }

  /** Returns whether a key with this hash may be in the set. */
  holds(hash: number): boolean {
    if (this.isEverything) return true;
    const bitmap = this.#bitmap;
    if (bitmap === undefined) return this.hashes.includes(hash);
    for (let i = 0; i < BITS_PER_KEY_COUNT; i++) {
      if ((bitmap[(hash & this.#mask) >>> 5]! & (1 << (hash & 31))) === 0) return false;
      hash = mix(hash);
    }
    return true;
  }
}

/** The hold of one command, which lasts until {@linkcode release}. */
export class Hold {
  readonly keys: KeySet;
  /** Whether no other command may use the keys. Otherwise other commands may read them. */
  readonly isExclusive: boolean;
  /** Whether a flush has removed keys of this shared hold, so that a read of them is not atomic any more. */
  isBroken = false;
  /** The number of writers that wait for this hold to end. While there are any, no new reader may share its keys. */
  writers = 0;
  readonly #holds: Holds;
  #ended: PromiseWithResolvers<void> | undefined;
  #isReleased = false;

  /** Only {@linkcode Holds.acquire} calls this. */
  constructor(holds: Holds, keys: KeySet, isExclusive: boolean) {
    this.#holds = holds;
    this.keys = keys;
    this.isExclusive = isExclusive;
  }

  /** Resolves when the hold is released. */
  get ended(): Promise<void> {
    return (this.#ended ??= Promise.withResolvers()).promise;
  }

  /** Releases the keys. Safe to call twice. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#holds.release(this);
    this.#ended?.resolve();
  }
}

/** A held key that is listed by its hash. */
interface HeldKey {
  /** The holds of the key: one exclusive hold, or all holds that share it. */
  readonly holders: Set<Hold>;
  /** The number of writers that wait for the key. While there are any, no new reader begins. */
  writers: number;
}

/** All holds of one server. */
export class Holds implements HeldKeys {
  /** The number of holds; nearly always 0. */
  count = 0;
  readonly #store: Store;
  readonly #keys = new Map<number, HeldKey>();
  /** Holds of many keys, or of every key. */
  readonly #large = new Set<Hold>();
  /** The number of commands that wait for all keys. Until they run, no new write begins. */
  #waitForAll = 0;
  /** The hold of the command whose step is running. */
  #running: Hold | undefined;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Holds keys that {@linkcode inTheWay} has just found free. */
  acquire(keys: KeySet, isExclusive: boolean): Hold {
    const hold = new Hold(this, keys, isExclusive);
    if (keys.isBitmap || keys.isEverything) this.#large.add(hold);
    for (const hash of keys.hashes) {
      const held = this.#keys.get(hash);
      if (held === undefined) this.#keys.set(hash, { holders: new Set([hold]), writers: 0 });
      else held.holders.add(hold);
    }
    this.count++;
    this.#store.held = this;
    return hold;
  }

  /** Holds one free key exclusively. */
  acquireKey(key: Uint8Array): Hold {
    const keys = new KeySet(1);
    keys.add(this.#store.keyHash(key, 0, key.length));
    return this.acquire(keys, true);
  }

  /** Removes a hold. Only {@linkcode Hold.release} calls this. */
  release(hold: Hold): void {
    this.#large.delete(hold);
    for (const hash of hold.keys.hashes) {
      const held = this.#keys.get(hash);
      held?.holders.delete(hold);
      if (held?.holders.size === 0 && held.writers === 0) this.#keys.delete(hash);
    }
    if (--this.count === 0) this.#store.held = undefined;
  }

  holds(hash: number): boolean {
    const held = this.#keys.get(hash);
    if (held !== undefined && held.holders.size > 0) return true;
    for (const { keys } of this.#large) if (keys.holds(hash)) return true;
    return false;
  }

  spares(hash: number): boolean {
    const running = this.#running;
    if (running !== undefined && running.isExclusive && running.keys.holds(hash)) return false;
    return this.holds(hash);
  }

  /**
   * Runs a step of the command with this hold. The step may use the command's exclusively held keys like any other key.
   */
  runStep<T>(hold: Hold, step: () => T): T {
    this.#running = hold;
    try {
      return step();
    } finally {
      this.#running = undefined;
    }
  }

  /** Marks all shared holds as broken, because a flush removes their keys: those readers start again. */
  breakShared(): void {
    for (const hold of this.#large) if (!hold.isExclusive) hold.isBroken = true;
    for (const { holders } of this.#keys.values()) {
      for (const hold of holders) if (!hold.isExclusive) hold.isBroken = true;
    }
  }

  /**
   * Returns a hold that a request has to wait for, or `undefined` when the request may run.
   *
   * @param own the request's own hold, which is ignored
   */
  inTheWay(specification: CommandSpecification, request: Request, own?: Hold): Hold | undefined {
    const { firstKey, keyStep, writes } = specification;
    if (writes && (firstKey === 0 || this.#waitForAll > 0)) {
      const found = this.#exclusive(own);
      if (found !== undefined) return found;
    }
    if (firstKey === 0) return undefined;
    const { bytes, starts, lengths } = request;
    const end = keysEnd(specification, request);
    for (let i = firstKey; i < end; i += keyStep) {
      const found = this.ofKey(this.#store.keyHash(bytes, starts[i]!, lengths[i]!), writes, own);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Returns a hold that a command with these keys has to wait for, like {@linkcode inTheWay}. Two bitmaps are assumed
   * to have a key in common.
   */
  inTheWayOf(keys: KeySet, writes: boolean): Hold | undefined {
    if (this.count === 0) return undefined;
    if (keys.isEverything || (writes && this.#waitForAll > 0)) {
      const found = this.#exclusive();
      if (found !== undefined) return found;
    }
    for (const hash of keys.hashes) {
      const found = this.ofKey(hash, writes);
      if (found !== undefined) return found;
    }
    if (!keys.isBitmap) return undefined;
    for (const hold of this.#large) if (mustWait(hold, writes)) return hold;
    for (const [hash, held] of this.#keys) {
      if (!keys.holds(hash)) continue;
      for (const hold of held.holders) if (writes || held.writers > 0 || hold.isExclusive) return hold;
    }
    return undefined;
  }

  /** Returns a hold that a reader or writer of this key has to wait for, ignoring `own`. */
  ofKey(hash: number, writes: boolean, own?: Hold): Hold | undefined {
    const held = this.#keys.get(hash);
    if (held !== undefined) {
      const isAwaited = writes || held.writers > 0;
      for (const hold of held.holders) if (hold !== own && (isAwaited || hold.isExclusive)) return hold;
    }
    for (const hold of this.#large) {
      if (mustWait(hold, writes) && hold.keys.holds(hash)) return hold;
    }
    return undefined;
  }

  /** Returns any exclusive hold, ignoring `own`. */
  #exclusive(own?: Hold): Hold | undefined {
    for (const hold of this.#large) if (hold.isExclusive) return hold;
    for (const { holders } of this.#keys.values()) {
      for (const hold of holders) if (hold !== own && hold.isExclusive) return hold;
    }
    return undefined;
  }

  /**
   * Waits for a hold to end. Meanwhile, if the caller writes, no new reader may share the hold's keys.
   *
   * @param wantsAll whether the caller wants all keys, so that no command of many arguments begins before it
   */
  async waitFor(hold: Hold, writes: boolean, wantsAll: boolean): Promise<void> {
    if (wantsAll) this.#waitForAll++;
    if (writes) hold.writers++;
    const waitedFor = writes ? hold.keys.hashes.map((hash) => this.#keys.get(hash)) : [];
    for (const held of waitedFor) if (held !== undefined) held.writers++;
    await hold.ended;
    if (wantsAll) this.#waitForAll--;
    waitedFor.forEach((held, i) => {
      if (held === undefined) return;
      held.writers--;
      const hash = hold.keys.hashes[i]!;
      if (held.writers === 0 && held.holders.size === 0 && this.#keys.get(hash) === held) this.#keys.delete(hash);
    });
  }
}

/** Returns whether a reader or writer of the hold's keys has to wait for the hold to end. */
function mustWait(hold: Hold, writes: boolean): boolean {
  return writes || hold.isExclusive || hold.writers > 0;
}
