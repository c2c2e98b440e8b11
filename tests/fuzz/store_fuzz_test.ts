/**
 * Compares the store with plain maps: random operations over all types with deadlines, evictions and growth.
 *
 * The model keeps its keys in the order of use, so it knows exactly which keys eviction must have removed: the oldest.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { StoreFullError } from "../../src/errors.ts";
import { KEY_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { Store } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";
import { StoreReader } from "../support/store_reader.ts";
import type { HeldValue } from "../support/store_reader.ts";

type Held = { deadline: number; value: HeldValue };

/** A scan of one hash that is interleaved with other operations. */
interface HashScan {
  name: string;
  readonly hash: Map<string, string>;
  cursor: number;
  /** The fields that have existed since the scan began. */
  readonly required: Set<string>;
  readonly seen: Set<string>;
}

/** One run of the store beside its model. Values are Latin-1 strings, so that one character is one byte. */
class Run {
  readonly store: Store;
  readonly reader: StoreReader;
  readonly model = new Map<string, Held>();
  readonly #random: Random;
  #scan: HashScan | undefined;

  constructor(seed: number, limit: number, evicts: boolean) {
    this.#random = new Random(seed);
    this.store = new Store({ memoryLimitBytes: limit, evicts, seed: [seed, ~seed >>> 0] });
    this.store.nowMs = 1_700_000_000_000;
    this.reader = new StoreReader(this.store);
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  text(length: number): string {
    const letter = String.fromCharCode(97 + this.below(26));
    return (letter + this.below(1e9)).repeat(Math.ceil(length / 2)).slice(0, length);
  }

  /** Returns one of `keys` keys. Some have the maximum length, so that their block takes a whole page. */
  name(keys: number): string {
    const number = this.below(keys);
    const name = `key:${number}`;
    return number % 97 === 1 ? name.padEnd(KEY_SIZE_MAX_BYTES - number % 40, "k") : name;
  }

  /** Returns a length: mostly short, sometimes long, rarely very long. */
  someLength(longest: number): number {
    const dice = this.below(100);
    if (dice < 70) return this.below(40);
    if (dice < 95) return this.below(Math.min(longest, 600));
    return this.below(longest);
  }

  /** Moves a key to the end of the model's order. */
  touch(key: string, held: Held): void {
    this.model.delete(key);
    this.model.set(key, held);
  }

  /** Returns the store's entry of a key, whether or not it has expired; 0 when it is absent. */
  peek(name: string): number {
    const key = encodeText(name);
    const { nowMs } = this.store;
    this.store.nowMs = 0;
    const entry = this.store.peek(key, 0, key.length);
    this.store.nowMs = nowMs;
    return entry;
  }

  /** Removes from the model the keys that eviction removed from the store, which must be its oldest. */
  followEvictions(): void {
    for (const key of this.model.keys()) {
      if (this.model.size <= this.store.size) break;
      assertEquals(this.peek(key), 0, `"${key}" was the oldest, but another was evicted`);
      this.model.delete(key);
    }
    assertEquals(this.store.size, this.model.size);
  }

  /** Makes room as the dispatcher does. A store that refuses loses its oldest key, and the result is `false`. */
  makeRoom(bytes: number, count: number): boolean {
    const { store, model } = this;
    try {
      store.room.make(bytes, count);
    } catch (error) {
      assert(error instanceof StoreFullError);
      const oldest = model.keys().next();
      if (!oldest.done) {
        store.remove(this.peek(oldest.value));
        model.delete(oldest.value);
      }
      return false;
    }
    this.followEvictions();
    return true;
  }

  /** Returns the store's entry of a key, or 0 if it is absent or expired, and makes it the most recently used. */
  find(name: string): number {
    const key = encodeText(name);
    const known = this.model.get(name);
    if (known && known.deadline !== 0 && known.deadline <= this.store.nowMs) this.model.delete(name);
    const held = this.model.get(name);
    const entry = this.store.find(key, 0, key.length);
    assertEquals(entry !== 0, held !== undefined, name);
    if (held) this.touch(name, held);
    return entry;
  }

  /** Runs a command of many arguments of all sizes: `mset`, `lpush`, `rpush` or `hset`, some with a default TTL. */
  many(longest: number, keys: number): void {
    const { store, model } = this;
    const command = this.below(4);
    const name = this.name(keys);
    const wanted = this.below(5) === 0 ? this.below(5_000) : this.below(100);
    const items: { field: string; value: string }[] = [];
    // Together they have at most a megabyte, which the smallest store can hold.
    for (let size = 0; items.length < wanted && size < 1_000_000;) {
      const value = this.text(this.someLength(longest));
      // Few letters make few texts. The number distinguishes the fields of a large hash.
      const field = this.text(this.below(4)) + (command === 3 ? this.below(10_000) : "");
      items.push({ field: command === 0 ? this.name(keys) : field, value });
      size += value.length;
    }
    const paired = command === 0 || command === 3;
    const bytes = items.reduce(
      (sum, { field, value }) => sum + value.length + (paired ? field.length : 0),
      name.length,
    );
    if (items.length === 0 || !this.makeRoom(bytes, 2 + items.length * (paired ? 2 : 1))) return;
    const deadline = this.below(3) === 0 ? this.store.nowMs + 1 + this.below(100_000) : 0;
    if (command === 0) {
      for (const { field, value } of items) this.setMany(field, value, deadline);
      return;
    }
    const key = encodeText(name);
    let entry = this.find(name);
    const held = model.get(name);
    if (held && (command === 3 ? !(held.value instanceof Map) : !Array.isArray(held.value))) return;
    const made = held ?? { deadline, value: command === 3 ? new Map<string, string>() : [] };
    for (const { field, value } of items) {
      const [fieldBytes, valueBytes] = [encodeText(field), encodeText(value)];
      if (made.value instanceof Map) {
        entry = store.hashes.set(
          key,
          0,
          key.length,
          entry,
          fieldBytes,
          0,
          fieldBytes.length,
          valueBytes,
          0,
          valueBytes.length,
        );
        made.value.set(field, value);
      } else if (Array.isArray(made.value)) {
        entry = store.lists.push(key, 0, key.length, entry, command === 1, valueBytes, 0, valueBytes.length);
        if (command === 1) made.value.unshift(value);
        else made.value.push(value);
      }
    }
    if (!held && deadline !== 0) store.setDeadline(entry, deadline);
    this.touch(name, made);
  }

  setMany(name: string, value: string, deadline: number): void {
    const [key, bytes] = [encodeText(name), encodeText(value)];
    this.store.strings.set(key, 0, key.length, this.find(name), bytes, 0, bytes.length, deadline);
    this.touch(name, { deadline, value });
  }

  step(longest: number, keys: number): void {
    if (this.below(100) === 0) return this.many(longest, keys);
    if (this.below(3) === 0) return this.edit(longest, keys);
    const { store, model } = this;
    const name = this.name(keys);
    const key = encodeText(name);
    const op = this.below(20);
    const value = this.text(this.someLength(longest));
    const field = this.text(this.below(3) + (this.below(30) === 0 ? this.below(300) : 0));
    const bytes = encodeText(value);
    const fieldBytes = encodeText(field);
    if (!this.makeRoom(bytes.length + key.length + fieldBytes.length + 8, 4)) return;
    if (op === 0) {
      this.store.nowMs += this.below(2000);
      return this.expire();
    }
    let entry = this.find(name);
    const held = model.get(name);
    if (op < 5) {
      const deadline = this.below(3) === 0 ? this.store.nowMs + 1 + this.below(100_000) : 0;
      store.strings.set(key, 0, key.length, entry, bytes, 0, bytes.length, deadline);
      this.touch(name, { deadline, value });
    } else if (op < 6 && typeof held?.value === "string" && held.value.length < 1e6) {
      store.strings.append(entry, bytes, 0, bytes.length);
      held.value += value;
    } else if (op < 10 && (!held || Array.isArray(held.value))) {
      const head = this.below(2) === 0;
      store.lists.push(key, 0, key.length, entry, head, bytes, 0, bytes.length);
      const list = held ? held.value as string[] : [];
      if (head) list.unshift(value);
      else list.push(value);
      if (!held) this.touch(name, { deadline: 0, value: list });
    } else if (op < 12 && Array.isArray(held?.value)) {
      const head = this.below(2) === 0;
      const left = store.lists.pop(entry, head);
      if (head) held.value.shift();
      else held.value.pop();
      assertEquals(left === 0, held.value.length === 0);
      if (left === 0) model.delete(name);
    } else if (op < 13 && Array.isArray(held?.value)) {
      const index = this.below(held.value.length);
      entry = store.lists.set(entry, index, bytes, 0, bytes.length);
      held.value[index] = value;
      assert(store.lists.seek(entry, index));
      assertEquals(this.reader.element(), value);
    } else if (op < 16 && (!held || held.value instanceof Map)) {
      store.hashes.set(key, 0, key.length, entry, fieldBytes, 0, fieldBytes.length, bytes, 0, bytes.length);
      const hash = held ? held.value as Map<string, string> : new Map<string, string>();
      assertEquals(store.hashes.added, !hash.has(field));
      hash.set(field, value);
      if (!held) this.touch(name, { deadline: 0, value: hash });
    } else if (op < 17 && held?.value instanceof Map) {
      const fields = [...held.value.keys()];
      const target = fields[this.below(fields.length)]!;
      const targetBytes = encodeText(target);
      assert(store.hashes.find(entry, targetBytes, 0, targetBytes.length));
      assertEquals(this.reader.fieldValue(), held.value.get(target));
      const left = store.hashes.remove(entry, targetBytes, 0, targetBytes.length);
      assert(store.hashes.removed);
      held.value.delete(target);
      if (this.#scan?.hash === held.value) this.#scan.required.delete(target);
      assertEquals(left === 0, held.value.size === 0);
      if (left === 0) model.delete(name);
    } else if (op < 18 && held) {
      held.deadline = this.below(3) === 0 ? 0 : this.store.nowMs + 1 + this.below(1_000_000);
      store.setDeadline(entry, held.deadline);
    } else if (op < 19 && held) {
      store.remove(entry);
      model.delete(name);
    } else if (held) {
      assertEquals(store.deadline(entry), held.deadline);
      assertEquals(this.reader.value(entry), held.value, name);
    }
  }

  /** Changes the middle of values, and whole values. */
  edit(longest: number, keys: number): void {
    const name = this.name(keys);
    const value = this.below(3) === 0 ? "x".repeat(this.below(3)) : this.text(this.someLength(longest));
    const op = this.below(13);
    if (op === 0) return this.rename(name, this.name(keys));
    if (op === 1) return this.copy(name, this.name(keys));
    if (op === 2) return this.overwrite(name, value);
    if (op === 3) return this.choose();
    if (op === 4 || op === 5) return this.scanHash(name);
    if (!this.makeRoom(name.length + value.length + 8, 4)) return;
    const entry = this.find(name);
    const held = this.model.get(name);
    if (Array.isArray(held?.value)) this.editList(op, name, entry, held.value, value);
    else if (held?.value instanceof Map) this.chooseField(entry, held.value);
  }

  editList(op: number, name: string, entry: number, list: string[], value: string): void {
    const { store } = this;
    const bytes = encodeText(value);
    const index = this.below(list.length + 1);
    let left = entry;
    if (op < 9) {
      left = store.lists.insert(entry, index, bytes, 0, bytes.length);
      list.splice(index, 0, value);
      assert(store.lists.seek(left, index));
      assert(store.lists.elementEquals(bytes, 0, bytes.length));
    } else if (op < 11) {
      // Elements are taken from the head, the tail or the middle, and usually few.
      const from = [0, index, list.length - 1][this.below(3)]! % list.length;
      const most = list.length - from;
      const count = 1 + this.below(this.below(20) === 0 ? most : Math.min(most, 20));
      left = store.lists.remove(entry, from, count);
      list.splice(from, count);
    } else if (op < 12) {
      const target = this.below(4) === 0 ? value : list[index % list.length]!;
      const most = this.below(2) === 0 ? Infinity : 1 + this.below(3);
      const fromTail = this.below(2) === 0;
      const targetBytes = encodeText(target);
      left = store.lists.removeEqual(entry, fromTail, most, targetBytes, 0, targetBytes.length);
      const indexes = [...list.keys()].filter((i) => list[i] === target);
      for (const gone of fromTail ? indexes.slice(-most) : indexes.slice(0, most).reverse()) list.splice(gone, 1);
    } else {
      assertEquals(store.lists.seek(entry, index), index < list.length);
      let at = index;
      for (let more = at < list.length; more && at > index - 300; more = store.lists.previous()) {
        assertEquals(this.reader.element(), list[at--]);
      }
    }
    assertEquals(left === 0, list.length === 0);
    if (left === 0) this.model.delete(name);
    else assertEquals(store.lists.length(left), list.length);
    if (left !== 0 && this.below(20) === 0) assertEquals(this.reader.value(left), list);
  }

  /** Gives a key's value to another key, replacing any value of that key. */
  rename(from: string, to: string): void {
    if (from === to || !this.makeRoom(from.length + to.length, 3)) return;
    const present = this.find(to);
    const entry = this.find(from);
    if (entry === 0) return;
    if (present !== 0) this.store.remove(present);
    const key = encodeText(to);
    const renamed = this.store.rename(entry, key, 0, key.length);
    const held = this.model.get(from)!;
    this.model.delete(from);
    this.touch(to, held);
    if (this.#scan?.name === from) this.#scan.name = to;
    this.expectEntry(to, renamed, held);
  }

  /** Copies a key's value to another key, replacing any value of that key. */
  copy(from: string, to: string): void {
    const { store, model } = this;
    let entry = from === to ? 0 : this.find(from);
    if (entry === 0) return;
    try {
      entry = store.room.makeForCopy(entry);
    } catch (error) {
      assert(error instanceof StoreFullError);
      return this.followEvictions();
    }
    this.followEvictions();
    assertEquals(entry, this.peek(from));
    const present = this.peek(to);
    if (present !== 0) store.remove(present);
    const key = encodeText(to);
    const made = store.copyEntry(entry, key, 0, key.length);
    const held = model.get(from)!;
    this.touch(to, { deadline: held.deadline, value: cloneOf(held.value) });
    assertEquals(store.entryBytes(made, 0) > 0, true);
    if (this.below(4) === 0) assertEquals(this.reader.value(entry), held.value, from);
    this.expectEntry(to, made, held);
  }

  expectEntry(name: string, entry: number, held: Held): void {
    const { store } = this;
    assertEquals(entry, this.peek(name));
    assertEquals(this.reader.key(entry), name);
    assertEquals(store.deadline(entry), held.deadline);
    if (this.below(4) === 0) assertEquals(this.reader.value(entry), held.value, name);
  }

  /** Writes into a string, or after its end. */
  overwrite(name: string, value: string): void {
    const { model, store } = this;
    const before = model.get(name)?.value;
    if (typeof before !== "string" || before.length > 1e6) return;
    const from = this.below(before.length + (this.below(4) === 0 ? 3 * value.length : 2));
    const growth = Math.max(0, from + value.length - before.length);
    if (!this.makeRoom(name.length + growth, 4)) return;
    const entry = this.find(name);
    const held = model.get(name);
    if (typeof held?.value !== "string") return;
    const bytes = encodeText(value);
    const overwritten = store.strings.overwrite(entry, from, bytes, 0, bytes.length);
    held.value = before.slice(0, from).padEnd(from, "\0") + value + before.slice(from + value.length);
    this.expectEntry(name, overwritten, held);
  }

  /** Runs `randomkey`, which must return an existing key. */
  choose(): void {
    const { model, store } = this;
    const entry = store.randomEntry(this.below(1e9) / 1e9);
    // The expired keys that it encountered are removed.
    for (const [key, { deadline }] of model) {
      if (model.size === store.size) break;
      if (deadline !== 0 && deadline <= store.nowMs && this.peek(key) === 0) model.delete(key);
    }
    assertEquals(store.size, model.size);
    if (entry === 0) return;
    const held = model.get(this.reader.key(entry));
    assert(held !== undefined && (held.deadline === 0 || held.deadline > store.nowMs));
  }

  chooseField(entry: number, hash: Map<string, string>): void {
    const { store } = this;
    assert(store.hashes.seekRandom(entry, this.below(1e9) / 1e9));
    const field = this.reader.field();
    assertEquals(this.reader.fieldValue(), hash.get(field));
  }

  /** Begins a scan of a hash, or continues the one that was begun. */
  scanHash(name: string): void {
    const { store, model } = this;
    if (this.#scan === undefined || model.get(this.#scan.name)?.value !== this.#scan.hash) {
      const hash = model.get(name)?.value;
      if (!(hash instanceof Map)) return;
      this.#scan = { name, hash, cursor: 0, required: new Set(hash.keys()), seen: new Set() };
    }
    const scan = this.#scan;
    const entry = this.find(scan.name);
    if (entry === 0) return;
    scan.cursor = store.hashes.scan(entry, scan.cursor, () => {
      const field = this.reader.field();
      assertEquals(this.reader.fieldValue(), scan.hash.get(field));
      scan.seen.add(field);
    });
    if (scan.cursor !== 0) return;
    for (const field of scan.required) assert(scan.seen.has(field), `field "${field}" was not visited`);
    this.#scan = undefined;
  }

  /** Runs the wheel until nothing is due. Everything that is more than 128 ms overdue must be removed. */
  expire(): void {
    while (this.store.expireDue(50));
    if (this.below(2) === 0) { while (this.store.freeRemoved(50)); }
    const slot = Math.floor(this.store.nowMs / 128) * 128;
    for (const [key, { deadline }] of this.model) {
      if (deadline !== 0 && deadline < slot) this.model.delete(key);
    }
    assertEquals(this.store.size, this.model.size);
  }

  /** Compares everything. */
  check(): void {
    const { store, model } = this;
    assertEquals(store.audit(), 0, "the allocator's account differs from what is reachable");
    const scanned = new Set<string>();
    let cursor = 0;
    do {
      cursor = store.scan(cursor, (entry) => {
        const key = this.reader.key(entry);
        assert(!scanned.has(key), `"${key}" was visited twice`);
        scanned.add(key);
      });
    } while (cursor !== 0);
    assertEquals(scanned.size, model.size);
    const order = model.entries();
    for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
      const [key, held] = order.next().value!;
      assertEquals(this.reader.key(entry), key);
      assertEquals(store.deadline(entry), held.deadline);
      assertEquals(this.reader.value(entry), held.value);
      const [bytes, estimate] = [store.entryBytes(entry, 0), store.estimateBytes(entry)];
      assert(bytes >= key.length + contentSize(held.value));
      assert(store.isPacked(entry) ? estimate === bytes : estimate > 0 && estimate < Infinity);
    }
    const { committedBytes, limitBytes, usedBytes } = store.statistics;
    assert(committedBytes <= limitBytes && usedBytes <= committedBytes);
  }
}

/** Returns the number of bytes of all parts of a value. */
function contentSize(value: HeldValue): number {
  const parts = typeof value === "string" ? [value] : Array.isArray(value) ? value : [...value].flat();
  return parts.reduce((sum, part) => sum + part.length, 0);
}

function cloneOf(value: HeldValue): HeldValue {
  if (value instanceof Map) return new Map(value);
  if (value instanceof Set) return new Set(value);
  return Array.isArray(value) ? [...value] : value;
}

const seed = Number(Deno.env.get("SEED") ?? 20261123);
const steps = amountOf("STEPS", 4_000, 40_000);

for (
  const [name, limit, longest, keys, evicts] of [
    ["with room", 1 << 27, 20_000, 3_000, true],
    ["with few keys of many parts", 1 << 26, 5_000, 20, true],
    ["under eviction", 1 << 22, 3_000, 30_000, true],
    ["under eviction, large values", 1 << 24, 700_000, 3_000, true],
    ["full without eviction", 1 << 22, 2_000, 30_000, false],
  ] as const
) {
  Deno.test(`Store agrees with a model ${name}, seed ${seed}`, () => {
    const run = new Run(seed, limit, evicts);
    for (let i = 0; i < steps; i++) {
      run.step(longest, keys);
      if (i % Math.ceil(steps / 6) === 0) run.check();
    }
    run.check();
    run.store.clear();
    assertEquals(run.store.size, 0);
    assertEquals(run.store.audit(), 0);
  });
}
