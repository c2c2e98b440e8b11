/**
 * Changes several sets in a small store, beside plain sets: members of all kinds are added and removed, keys are
 * copied, renamed, given deadlines and evicted, and compaction moves their blocks.
 *
 * Meanwhile, each set is scanned. A member that exists during a whole scan must be visited exactly once, however many
 * buckets the set got or lost.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { StoreFullError } from "../../src/errors.ts";
import { Store } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";

const KEYS_COUNT = 6;
/** The number of filler strings. Their sizes change, so that pages become sparse and are compacted. */
const FILLERS_COUNT = 8_000;
const FILLER_MAX_BYTES = 4_000;
/** The sizes of sets towards which they grow and shrink. */
const GOALS = [30, 60, 700, 6_000];
const STEPS_PER_CHECK = 4_000;

const decoder = new TextDecoder("latin1");

interface Scan {
  cursor: number;
  /** The members that have existed since the scan began. */
  readonly required: Set<string>;
  /** The members that were visited and have existed since then. */
  readonly visited: Set<string>;
}

interface ModelSet {
  readonly members: Set<string>;
  deadlineMs: number;
  goal: number;
  scan: Scan;
}

/** Sets in a store beside their models. */
class Run {
  readonly store: Store;
  readonly models = new Map<string, ModelSet>();
  finishedScans = 0;
  evicted = 0;
  expired = 0;
  readonly #random: Random;
  readonly #bytes = new Uint8Array(1 << 16);

  constructor(seed: number, evicts: boolean) {
    this.#random = new Random(seed);
    this.store = new Store({ memoryLimitBytes: 10 << 20, evicts, seed: [seed, ~seed >>> 0] });
    this.store.nowMs = 1;
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  #keyBytes(name: string): Uint8Array {
    return encodeText(name);
  }

  find(name: string): number {
    const key = this.#keyBytes(name);
    return this.store.find(key, 0, key.length);
  }

  /** Returns a member: an integer, a short text, a long one or one in a blob. Texts have one byte per character. */
  member(range: number): string {
    const number = this.below(range);
    switch (number % 7) {
      case 0:
        return String(number);
      case 1:
        return String(-number * 0x1_0001);
      case 2:
        return String(number * 0x1234_5678);
      case 3:
        return `0${number}`;
      case 4:
        return `${"x".repeat(number % 60)}${number}`;
      case 5:
        return number % 20 === 5 ? "\xff".repeat(200 + number % 400) + number : `member:${number}`;
      default:
        return `${number}:member`;
    }
  }

  /** Forgets the sets whose keys have expired or were evicted. */
  #notice(): void {
    for (const [name, model] of this.models) {
      const key = this.#keyBytes(name);
      const isDue = model.deadlineMs !== 0 && model.deadlineMs <= this.store.nowMs;
      const entry = this.store.peek(key, 0, key.length);
      if (isDue) assertEquals(entry, 0);
      if (entry !== 0) continue;
      assert(isDue || this.store.room.evicts, `"${name}" has disappeared`);
      if (isDue) this.expired++;
      else this.evicted++;
      this.models.delete(name);
    }
  }

  #makeRoom(bytes: number, count: number): boolean {
    try {
      this.store.room.make(bytes, count);
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      return false;
    } finally {
      this.#notice();
    }
    return true;
  }

  add(name: string, member: string): void {
    const { store } = this;
    const [key, bytes] = [this.#keyBytes(name), encodeLatin1(member)];
    if (!this.#makeRoom(key.length + bytes.length, 2)) return;
    let model = this.models.get(name);
    const entry = store.find(key, 0, key.length);
    assertEquals(entry === 0, model === undefined);
    const view = this.below(2) === 0 ? new DataView(bytes.buffer) : undefined;
    const after = store.sets.add(key, 0, key.length, entry, bytes, 0, bytes.length, view);
    assertEquals(after, this.find(name));
    if (model === undefined) {
      model = { members: new Set(), deadlineMs: 0, goal: GOALS[this.below(GOALS.length)]!, scan: newScan([]) };
      this.models.set(name, model);
    }
    assertEquals(store.sets.added, !model.members.has(member));
    model.members.add(member);
  }

  remove(name: string, member: string): void {
    const model = this.models.get(name);
    if (model === undefined) return;
    const bytes = encodeLatin1(member);
    const after = this.store.sets.remove(this.find(name), bytes, 0, bytes.length);
    assertEquals(this.store.sets.removed, model.members.delete(member));
    assertEquals(after, this.find(name));
    assertEquals(after === 0, model.members.size === 0);
    if (after === 0) this.models.delete(name);
    model.scan.required.delete(member);
    model.scan.visited.delete(member);
  }

  /** Returns the member at the store's cursor. */
  #current(): string {
    const { sets } = this.store;
    const length = sets.memberLength();
    sets.copyMember(this.#bytes, 0);
    return decoder.decode(this.#bytes.subarray(0, length));
  }

  /** Takes one step of the scan of a set. */
  scan(model: ModelSet, entry: number): void {
    const { scan } = model;
    scan.cursor = this.store.sets.scan(entry, scan.cursor, () => {
      const member = this.#current();
      assert(model.members.has(member), `"${member}" was visited and does not exist`);
      if (!scan.required.has(member)) return;
      assert(!scan.visited.has(member), `"${member}" was visited twice`);
      scan.visited.add(member);
    });
    if (scan.cursor !== 0) return;
    for (const member of scan.required) assert(scan.visited.has(member), `"${member}" was not visited`);
    model.scan = newScan(model.members);
    this.finishedScans++;
  }

  copy(from: string, to: string): void {
    const model = this.models.get(from);
    if (model === undefined || this.models.has(to)) return;
    const { store } = this;
    let entry: number;
    try {
      entry = store.room.makeForCopy(this.find(from));
    } catch (error) {
      if (!(error instanceof StoreFullError)) throw error;
      return;
    } finally {
      this.#notice();
    }
    const key = this.#keyBytes(to);
    assertEquals(store.copyEntry(entry, key, 0, key.length), this.find(to));
    this.models.set(to, { ...model, members: new Set(model.members), scan: newScan(model.members) });
  }

  rename(from: string, to: string): void {
    if (this.models.has(to) || !this.models.has(from) || !this.#makeRoom(100, 2)) return;
    const model = this.models.get(from);
    if (model === undefined) return;
    const key = this.#keyBytes(to);
    this.store.rename(this.find(from), key, 0, key.length);
    this.models.delete(from);
    this.models.set(to, model);
  }

  setDeadline(name: string): void {
    if (!this.#makeRoom(100, 2)) return;
    const model = this.models.get(name);
    if (model === undefined) return;
    model.deadlineMs = this.below(4) > 0 ? 0 : this.store.nowMs + 1 + this.below(2_000);
    this.store.setDeadline(this.find(name), model.deadlineMs);
  }

  /** Sets a filler string, or removes it if the store is full. */
  fill(): void {
    const key = this.#keyBytes(`filler:${this.below(FILLERS_COUNT)}`);
    const length = this.below(FILLER_MAX_BYTES);
    const isRemoved = !this.#makeRoom(key.length + length, 3);
    const entry = this.store.find(key, 0, key.length);
    if (isRemoved && entry !== 0) this.store.remove(entry);
    if (isRemoved) return;
    this.store.strings.set(key, 0, key.length, entry, this.#bytes, 0, length, 0);
  }

  /** Sets filler strings until all sets are evicted. */
  evictAll(): void {
    for (let left = 20 * FILLERS_COUNT; left > 0 && this.models.size > 0; left--) this.fill();
    assertEquals(this.models.size, 0);
  }

  /** Asserts that a random member is one. */
  random(model: ModelSet, entry: number): void {
    assert(this.store.sets.seekRandom(entry, this.below(1 << 20) / (1 << 20)));
    assert(model.members.has(this.#current()));
  }

  has(model: ModelSet, entry: number, member: string): void {
    const bytes = encodeLatin1(member);
    assertEquals(this.store.sets.has(entry, bytes, 0, bytes.length), model.members.has(member));
  }

  /** Runs one step. */
  step(): void {
    const name = `set:${this.below(KEYS_COUNT)}`;
    const other = `set:${this.below(KEYS_COUNT)}`;
    const model = this.models.get(name);
    const size = model?.members.size ?? 0;
    const goal = model?.goal ?? 1;
    const member = this.member(goal * 2);
    const op = this.below(1_000);
    // Sets are rarely used, so that they are evicted at times.
    this.store.touches = this.below(20_000) === 0;
    if (op < 500) {
      // Sets grow until they have reached their goal, and shrink until they are far below it.
      if (model !== undefined && size > goal) model.goal = GOALS[this.below(GOALS.length)]!;
      if (size > goal * 0.8 || this.below(4) === 0) this.remove(name, member);
      else this.add(name, member);
    } else if (op < 650 && model !== undefined) {
      this.scan(model, this.find(name));
    } else if (op < 750 && model !== undefined) {
      this.has(model, this.find(name), member);
    } else if (op < 800 && model !== undefined) {
      this.random(model, this.find(name));
    } else if (op < 960) {
      this.fill();
    } else if (op < 970) {
      this.store.nowMs += this.below(100);
      this.store.expireDue(10);
      this.#notice();
    } else if (op < 980) {
      this.store.freeRemoved(this.below(100));
    } else if (op < 985) {
      this.setDeadline(name);
    } else if (op < 988) {
      this.copy(name, other);
    } else if (op < 991) {
      this.rename(name, other);
    } else if (op < 992 && model !== undefined) {
      this.store.remove(this.find(name));
      this.models.delete(name);
    }
  }

  /** Compares all sets with their models. */
  check(): void {
    this.#notice();
    for (const [name, { members }] of this.models) {
      const entry = this.find(name);
      assertEquals(this.store.sets.length(entry), members.size);
      const found = new Set<string>();
      for (let more = this.store.sets.first(entry); more; more = this.store.sets.next()) found.add(this.#current());
      assertEquals(found.size, members.size);
      for (const member of members) assert(found.has(member), `"${member}" is absent`);
    }
    assertEquals(this.store.audit(), 0);
  }
}

function newScan(members: Iterable<string>): Scan {
  return { cursor: 0, required: new Set(members), visited: new Set() };
}

function encodeLatin1(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const seed = Number(Deno.env.get("SEED") ?? 20261130);
const steps = amountOf("STEPS", 60_000, 3_000_000);

for (const evicts of [true, false]) {
  Deno.test(`Sets equal plain sets in a store that ${evicts ? "evicts" : "refuses"}, seed ${seed}`, () => {
    const run = new Run(seed, evicts);
    for (let i = 0; i < steps; i++) {
      run.step();
      if (i % STEPS_PER_CHECK === 0) run.check();
    }
    run.check();
    if (steps < 50_000) return;
    assert(run.finishedScans > 10, "few scans came to their end");
    assert(run.expired > 0, "no set has expired");
    if (!evicts) return;
    run.add("set:0", "member");
    run.evictAll();
    assert(run.evicted > 0, "no set was evicted");
    run.check();
  });
}
