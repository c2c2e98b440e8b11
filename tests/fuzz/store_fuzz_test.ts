/**
 * The store against plain maps: random operations over all types with deadlines, evictions and growth.
 *
 * The model keeps its keys in the order of use, so it knows exactly which keys eviction must have taken: the oldest.
 */

import { assert, assertEquals } from "@std/assert";
import { EntryType, Store } from "../../src/store/store.ts";
import { encodeText } from "../../src/bytes.ts";
import { StoreFullError } from "../../src/errors.ts";
import { KEY_SIZE_MAX_BYTES } from "../../src/limits.ts";
import { Random } from "../support/random.ts";

type Held = { deadline: number; value: string | string[] | Map<string, string> };

/** One run of the store beside its model. Values are Latin-1 strings, so that one character is one byte. */
class Run {
  readonly store: Store;
  readonly model = new Map<string, Held>();
  readonly #random: Random;
  #buffer = new Uint8Array(1 << 22);

  constructor(seed: number, limit: number, evicts: boolean) {
    this.#random = new Random(seed);
    this.store = new Store({ memoryLimitBytes: limit, evicts, seed: [seed, ~seed >>> 0] });
    this.store.nowMs = 1_700_000_000_000;
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  text(length: number): string {
    const letter = String.fromCharCode(97 + this.below(26));
    return (letter + this.below(1e9)).repeat(Math.ceil(length / 2)).slice(0, length);
  }

  /** One of `keys` keys. Some are as long as keys may be, about half a page, so that their block takes a whole one. */
  name(keys: number): string {
    const number = this.below(keys);
    const name = `key:${number}`;
    return number % 97 === 1 ? name.padEnd(KEY_SIZE_MAX_BYTES - number % 40, "k") : name;
  }

  /** A length: mostly short, sometimes long, rarely very long. */
  someLength(longest: number): number {
    const dice = this.below(100);
    if (dice < 70) return this.below(40);
    if (dice < 95) return this.below(Math.min(longest, 600));
    return this.below(longest);
  }

  read(length: number, copy: (target: Uint8Array) => void): string {
    copy(this.#buffer);
    let text = "";
    for (let i = 0; i < length; i++) text += String.fromCharCode(this.#buffer[i]!);
    return text;
  }

  /** What the store holds at an entry. */
  held(entry: number): Held["value"] {
    const store = this.store;
    switch (store.type(entry)) {
      case EntryType.String: {
        const length = store.stringLength(entry);
        return this.read(length, (target) => store.copyString(entry, 0, target, 0, length));
      }
      case EntryType.List: {
        const list: string[] = [];
        for (let more = store.listSeek(entry, 0); more; more = store.listNext()) {
          list.push(this.read(store.elementLength(), (target) => store.copyElement(target, 0)));
        }
        return list;
      }
      default: {
        const hash = new Map<string, string>();
        for (let more = store.hashFirst(entry); more; more = store.hashNext()) {
          const field = this.read(store.fieldLength(), (target) => store.copyField(target, 0));
          hash.set(field, this.read(store.valueLength(), (target) => store.copyValue(target, 0)));
        }
        return hash;
      }
    }
  }

  /** Moves a key to the end of the model's order. */
  touch(key: string, held: Held): void {
    this.model.delete(key);
    this.model.set(key, held);
  }

  /** The store's entry of a key, whether or not it has expired; 0 when it is absent. */
  peek(name: string): number {
    const key = encodeText(name);
    const { nowMs } = this.store;
    this.store.nowMs = 0;
    const entry = this.store.peek(key, 0, key.length);
    this.store.nowMs = nowMs;
    return entry;
  }

  /** Takes from the model what eviction took from the store: its oldest keys, and no others. */
  followEvictions(): void {
    for (const key of this.model.keys()) {
      if (this.model.size <= this.store.size) break;
      assertEquals(this.peek(key), 0, `"${key}" was the oldest, but another was evicted`);
      this.model.delete(key);
    }
    assertEquals(this.store.size, this.model.size);
  }

  /** Makes room as the dispatcher does. A store that refuses loses its oldest key, and `false` is answered. */
  makeRoom(bytes: number, count: number): boolean {
    const { store, model } = this;
    try {
      store.makeRoom(bytes, count);
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

  /** The store's entry of a key, made the most recently used here as there; 0 when it is absent or has expired. */
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

  /** A command of many arguments of all sizes: `mset`, `lpush`, `rpush` or `hset`, some with a default TTL. */
  many(longest: number, keys: number): void {
    const { store, model } = this;
    const command = this.below(4);
    const name = this.name(keys);
    const wanted = this.below(5) === 0 ? this.below(5_000) : this.below(100);
    const items: { field: string; value: string }[] = [];
    // Together at most a megabyte: the smallest store holds that.
    for (let size = 0; items.length < wanted && size < 1_000_000;) {
      const value = this.text(this.someLength(longest));
      // Few letters make few texts: the number keeps the fields of a large hash apart.
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
        entry = store.hashSet(
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
      } else if (typeof made.value !== "string") {
        entry = store.listPush(key, 0, key.length, entry, command === 1, valueBytes, 0, valueBytes.length);
        if (command === 1) made.value.unshift(value);
        else made.value.push(value);
      }
    }
    if (!held && deadline !== 0) store.setDeadline(entry, deadline);
    this.touch(name, made);
  }

  setMany(name: string, value: string, deadline: number): void {
    const [key, bytes] = [encodeText(name), encodeText(value)];
    this.store.setString(key, 0, key.length, this.find(name), bytes, 0, bytes.length, deadline);
    this.touch(name, { deadline, value });
  }

  step(longest: number, keys: number): void {
    if (this.below(100) === 0) return this.many(longest, keys);
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
      store.setString(key, 0, key.length, entry, bytes, 0, bytes.length, deadline);
      this.touch(name, { deadline, value });
    } else if (op < 6 && typeof held?.value === "string" && held.value.length < 1e6) {
      store.appendString(entry, bytes, 0, bytes.length);
      held.value += value;
    } else if (op < 10 && (!held || Array.isArray(held.value))) {
      const head = this.below(2) === 0;
      store.listPush(key, 0, key.length, entry, head, bytes, 0, bytes.length);
      const list = held ? held.value as string[] : [];
      if (head) list.unshift(value);
      else list.push(value);
      if (!held) this.touch(name, { deadline: 0, value: list });
    } else if (op < 12 && Array.isArray(held?.value)) {
      const head = this.below(2) === 0;
      const left = store.listPop(entry, head);
      if (head) held.value.shift();
      else held.value.pop();
      assertEquals(left === 0, held.value.length === 0);
      if (left === 0) model.delete(name);
    } else if (op < 13 && Array.isArray(held?.value)) {
      const index = this.below(held.value.length);
      entry = store.listSet(entry, index, bytes, 0, bytes.length);
      held.value[index] = value;
      assert(store.listSeek(entry, index));
      assertEquals(this.read(store.elementLength(), (target) => store.copyElement(target, 0)), value);
    } else if (op < 16 && (!held || held.value instanceof Map)) {
      store.hashSet(key, 0, key.length, entry, fieldBytes, 0, fieldBytes.length, bytes, 0, bytes.length);
      const hash = held ? held.value as Map<string, string> : new Map<string, string>();
      assertEquals(store.added, !hash.has(field));
      hash.set(field, value);
      if (!held) this.touch(name, { deadline: 0, value: hash });
    } else if (op < 17 && held?.value instanceof Map) {
      const fields = [...held.value.keys()];
      const target = fields[this.below(fields.length)]!;
      const targetBytes = encodeText(target);
      assert(store.hashFind(entry, targetBytes, 0, targetBytes.length));
      assertEquals(this.read(store.valueLength(), (to) => store.copyValue(to, 0)), held.value.get(target));
      const left = store.hashRemove(entry, targetBytes, 0, targetBytes.length);
      assert(store.removed);
      held.value.delete(target);
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
      assertEquals(this.held(entry), held.value, name);
    }
  }

  /** Runs the wheel until nothing is due; what is more than 128 ms overdue must be gone. */
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
        const key = this.read(store.keyLength(entry), (target) => store.copyKey(entry, target, 0));
        assert(!scanned.has(key), `"${key}" was visited twice`);
        scanned.add(key);
      });
    } while (cursor !== 0);
    assertEquals(scanned.size, model.size);
    const order = model.entries();
    for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
      const [key, held] = order.next().value!;
      assertEquals(this.read(store.keyLength(entry), (target) => store.copyKey(entry, target, 0)), key);
      assertEquals(store.deadline(entry), held.deadline);
      assertEquals(this.held(entry), held.value);
    }
    const { committedBytes, limitBytes, usedBytes } = store.statistics;
    assert(committedBytes <= limitBytes && usedBytes <= committedBytes);
  }
}

const seed = Number(Deno.env.get("SEED") ?? 20261123);
const steps = Number(Deno.env.get("STEPS") ?? 60_000);

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
