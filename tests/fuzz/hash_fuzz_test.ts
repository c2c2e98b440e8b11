/**
 * Runs interleaved scans of one large hash while fields are added, removed, added again and moved.
 *
 * Every field that exists during a whole scan must be visited, and only once if nothing was removed. The fields near
 * those that were visited last are removed often, because a scan continues with them.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { Store } from "../../src/store/store.ts";
import { StoreReader } from "../support/store_reader.ts";

const KEY = encodeText("hash");
const FIELDS_COUNT = 1_000;
const SCANS_COUNT = 5;
/** The number of recently visited fields of which some are removed. */
const RECENT_COUNT = 30;

interface Scan {
  cursor: number;
  /** The fields that have existed since the scan began. */
  readonly required: Set<string>;
  /** The number of visits of each field. */
  readonly visits: Map<string, number>;
  /** Whether a field was removed since the scan began. */
  isDisturbed: boolean;
}

/** A hash in a store beside its model. */
class Run {
  readonly store: Store;
  readonly reader: StoreReader;
  readonly hash = new Map<string, string>();
  readonly scans: Scan[] = [];
  finished = 0;
  readonly #random: Random;
  readonly #recent: string[] = [];
  #made = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.store = new Store({ memoryLimitBytes: 1 << 23, evicts: false, seed: [seed, ~seed >>> 0] });
    this.reader = new StoreReader(this.store);
    for (let i = 0; i < FIELDS_COUNT; i++) this.set(`field:${this.#made++}`);
    for (let i = 0; i < SCANS_COUNT; i++) this.scans.push(this.begin());
  }

  below(count: number): number {
    return this.#random.below(count);
  }

  find(): number {
    return this.store.find(KEY, 0, KEY.length);
  }

  begin(): Scan {
    return { cursor: 0, required: new Set(this.hash.keys()), visits: new Map(), isDisturbed: false };
  }

  /** Values of other lengths move the field's entry. */
  set(field: string): void {
    const value = "v".repeat(this.below(this.below(10) === 0 ? 500 : 20));
    const [fieldBytes, bytes] = [encodeText(field), encodeText(value)];
    this.store.room.make(KEY.length + field.length + value.length, 4);
    const entry = this.find();
    this.store.hashes.set(KEY, 0, KEY.length, entry, fieldBytes, 0, fieldBytes.length, bytes, 0, bytes.length);
    this.hash.set(field, value);
  }

  remove(field: string): void {
    const bytes = encodeText(field);
    if (this.hash.size === 1 || !this.hash.delete(field)) return;
    this.store.hashes.remove(this.find(), bytes, 0, bytes.length);
    assert(this.store.hashes.removed);
    for (const scan of this.scans) {
      scan.required.delete(field);
      scan.isDisturbed = true;
    }
  }

  /** Returns a field that a scan has just visited or is about to visit, or any field. */
  pick(): string {
    const recent = this.#recent[this.below(4 * RECENT_COUNT)];
    if (recent !== undefined && this.hash.has(recent)) {
      const fields = [...this.hash.keys()];
      return fields[Math.max(0, fields.indexOf(recent) - this.below(3))]!;
    }
    return [...this.hash.keys()][this.below(this.hash.size)]!;
  }

  go(scan: Scan): void {
    const { store } = this;
    scan.cursor = store.hashes.scan(this.find(), scan.cursor, () => {
      const field = this.reader.field();
      assertEquals(this.reader.fieldValue(), this.hash.get(field));
      scan.visits.set(field, (scan.visits.get(field) ?? 0) + 1);
      this.#recent.push(field);
    });
    this.#recent.splice(0, this.#recent.length - RECENT_COUNT);
    if (scan.cursor !== 0) return;
    for (const field of scan.required) assert(scan.visits.has(field), `"${field}" was not visited`);
    if (!scan.isDisturbed) assertEquals(Math.max(...scan.visits.values()), 1);
    this.scans[this.scans.indexOf(scan)] = this.begin();
    this.finished++;
  }

  /**
   * Runs one step.
   *
   * @param removes whether fields are removed as well
   */
  step(removes: boolean): void {
    const op = this.below(10);
    if (op < 6) {
      this.go(this.scans[this.below(SCANS_COUNT)]!);
    } else if (op < 7 && this.hash.size < 2 * FIELDS_COUNT) {
      this.set(`field:${this.#made++}`);
    } else if (op < 8) {
      this.set(this.pick());
    } else if (removes) {
      const field = this.pick();
      this.remove(field);
      if (this.below(2) === 0) this.set(field);
    }
  }
}

const seed = Number(Deno.env.get("SEED") ?? 20261125);
const steps = Math.ceil(Number(Deno.env.get("STEPS") ?? 60_000) / 6);

for (const [name, removes] of [["fields are made", false], ["fields are made and removed", true]] as const) {
  Deno.test(`Store hashScan() visits the lasting fields while ${name}, seed ${seed}`, () => {
    const run = new Run(seed);
    for (let i = 0; i < steps; i++) run.step(removes);
    assert(run.finished > 0 || steps < 10_000, "no scan came to its end");
    assertEquals(run.store.audit(), 0);
  });
}
