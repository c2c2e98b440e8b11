/**
 * Keys that long commands hold while they pause, so that each command still is one moment for all others.
 *
 * ```text
 * hgetall big   step ─ pause ─ step ─ pause ─ step        shares "big": others read it, whoever writes it waits
 * rpush list …  step ─ pause ─ step                        has "list" alone: whoever uses it waits
 * ```
 *
 * Nearly all commands end in their first step, and nobody holds anything: then a command looks at one field. A key is told
 * by its hash (`Store.keyHash`). Two keys may share one; then a command waits that need not. Many keys are a Bloom
 * filter of hashes, for which that happens to less than one key in 1,000.
 *
 * ```text
 * up to 32 keys     a map by hash: who shares it, who has it alone, who waits
 * more              a bitmap of 16 to 64 bits a key, 2 MiB at most
 * ```
 *
 * A held key is neither evicted nor expired meanwhile (`Store.held`). Whoever waits is let go when a hold that was in the way
 * ends, and looks again. A key that a writer waits for gives no new reader a place before that writer, so none waits for ever.
 * A flush waits for those alone that hold keys exclusively; a reader whose key it removes begins anew (long_command.ts).
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../catalog/specification.ts";
import type { HeldKeys, Store } from "../store/store.ts";
import type { Request } from "../wire/request.ts";

/** More keys than this are a bitmap. */
const LISTED_KEYS_MAX_COUNT = 32;
const BITMAP_BITS_PER_KEY = 64;
const BITMAP_MAX_BITS = 2 ** 24;
/**
 * Bits that are set for each key (the bitmap is a Bloom filter): with one alone, each other key would be taken for one of
 * 500,000 with a chance of 3 %, and whoever uses it would wait; with four it is less than 1 in 1,000.
 */
const BITS_PER_KEY_COUNT = 4;

/** The next hash in a row of hashes that have little in common. One-to-one, so nothing of the first is lost. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return hash ^ (hash >>> 15);
}

/** The keys of one command, or of a transaction. */
export class KeySet {
  /** Whether it stands for all keys that there are. */
  isEverything = false;
  /** Their hashes, while they are few. */
  readonly hashes: number[] = [];
  readonly #bitmap: Uint32Array | undefined;
  readonly #mask: number;

  /** @param count how many keys there will be at most */
  constructor(count: number) {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(1, count) * BITMAP_BITS_PER_KEY));
    const bits = Math.min(BITMAP_MAX_BITS, wanted);
    this.#bitmap = count > LISTED_KEYS_MAX_COUNT ? new Uint32Array(bits / 32) : undefined;
    this.#mask = bits - 1;
  }

  /** Whether the keys are many, so that they are not told one by one. */
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

  /** Adds the keys in arguments `[from, to)` of a request. Returns the argument at which the next call goes on. */
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

  /** Whether a key with that hash may be one of them. */
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

/** One command's hold, until {@linkcode release}. */
export class Hold {
  readonly keys: KeySet;
  /** Whether nobody else may use the keys; else others may read them. */
  readonly isExclusive: boolean;
  /** Whether a flush has removed keys that this shares: what was read of them is not of one moment any more. */
  isBroken = false;
  /** Writers that wait for it to end: while there are any, no further reader joins it. */
  writers = 0;
  readonly #holds: Holds;
  #ended: PromiseWithResolvers<void> | undefined;
  #isReleased = false;

  /** Use {@linkcode Holds.acquire}. */
  constructor(holds: Holds, keys: KeySet, isExclusive: boolean) {
    this.#holds = holds;
    this.keys = keys;
    this.isExclusive = isExclusive;
  }

  /** Resolves when it is released. */
  get ended(): Promise<void> {
    return (this.#ended ??= Promise.withResolvers()).promise;
  }

  /** Lets the keys go. Safe to call twice. */
  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#holds.release(this);
    this.#ended?.resolve();
  }
}

/** A key that is held by name. */
interface HeldKey {
  /** Those who hold it: one who has it alone, or all who share it. */
  readonly holders: Set<Hold>;
  /** Writers that wait for it: no further reader begins. */
  writers: number;
}

/** All holds of one server. */
export class Holds implements HeldKeys {
  /** How many there are: 0 nearly always. */
  count = 0;
  readonly #store: Store;
  readonly #keys = new Map<number, HeldKey>();
  /** Holds of many keys, or of everything. */
  readonly #large = new Set<Hold>();
  /** Who waits for everything: no further write begins before. */
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

  /** Holds one key alone, which is free. */
  acquireKey(key: Uint8Array): Hold {
    const keys = new KeySet(1);
    keys.add(this.#store.keyHash(key, 0, key.length));
    return this.acquire(keys, true);
  }

  /** Part of {@linkcode Hold}. */
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

  /** Runs a step of the command that has a hold: to it, the keys that it has alone are as any others. */
  runStep<T>(hold: Hold, step: () => T): T {
    this.#running = hold;
    try {
      return step();
    } finally {
      this.#running = undefined;
    }
  }

  /** Says that keys are removed that others may be reading: those begin anew. */
  breakShared(): void {
    for (const hold of this.#large) if (!hold.isExclusive) hold.isBroken = true;
    for (const { holders } of this.#keys.values()) {
      for (const hold of holders) if (!hold.isExclusive) hold.isBroken = true;
    }
  }

  /**
   * Returns a hold that a request has to wait for, or `undefined` when it may run.
   *
   * @param own a hold that is not in its way
   */
  inTheWay(specification: CommandSpecification, request: Request, own?: Hold): Hold | undefined {
    const { firstKey, keyStep, writes } = specification;
    if (writes && (firstKey === 0 || this.#waitForAll > 0)) {
      const found = this.#exclusive(own);
      if (found !== undefined) return found;
    }
    if (firstKey === 0) return undefined;
    const { bytes, starts, lengths } = request;
    const end = keysEnd(specification, request.count);
    for (let i = firstKey; i < end; i += keyStep) {
      const found = this.ofKey(this.#store.keyHash(bytes, starts[i]!, lengths[i]!), writes, own);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** As {@linkcode inTheWay}, of keys collected before. Two large sets are taken to have a key in common. */
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

  /** The hold of a key that whoever reads or writes it has to wait for, `own` aside. */
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

  /** Some hold of keys that nobody else may use, `own` aside. */
  #exclusive(own?: Hold): Hold | undefined {
    for (const hold of this.#large) if (hold.isExclusive) return hold;
    for (const { holders } of this.#keys.values()) {
      for (const hold of holders) if (hold !== own && hold.isExclusive) return hold;
    }
    return undefined;
  }

  /**
   * Waits for a hold to end. Meanwhile its keys give no new reader a place before a writer.
   *
   * @param wantsAll whether all keys are wanted, so that no command of many arguments begins before
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

/** Whether whoever reads or writes keys of a hold has to wait for it to end. */
function mustWait(hold: Hold, writes: boolean): boolean {
  return writes || hold.isExclusive || hold.writers > 0;
}
