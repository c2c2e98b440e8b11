/** A consumer of effects that is neither the log nor a snapshot: a second store that follows the first one. */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { type Effect, EFFECTS } from "../../src/effects.ts";
import { BLOCK_HEADER_BYTES } from "../../src/log/block.ts";
import { RecordDecoder } from "../../src/log/record.ts";
import { RecordWriter } from "../../src/log/record_writer.ts";
import { SnapshotWriter } from "../../src/log/snapshot.ts";
import { Replayer } from "../../src/server/replayer.ts";
import { SnapshotScan } from "../../src/server/snapshot_scan.ts";
import type { Journal } from "../../src/store/journal.ts";
import type { Store } from "../../src/store/store.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { differenceOf, makeStore, stateOf, StoreChanger } from "../support/store_history.ts";

const NOW_MS = 1_765_432_100_000;
const seed = Number(Deno.env.get("SEED") ?? 20261130);

/** A journal that applies each effect to another store. */
class Replica implements Journal {
  readonly store: Store = makeStore();
  /** The numbers of the effects that have arrived. */
  readonly numbers = new Set<number>();
  readonly #records = new RecordWriter();
  readonly #replayer = new RecordDecoder(new Replayer(this.store));

  record(effect: Effect): void {
    this.numbers.add(effect.row.number);
    this.#records.write(effect);
    this.#apply();
  }

  setString(_entry: number, ...effect: Parameters<RecordWriter["setString"]>): void {
    this.numbers.add(EFFECTS.setString.number);
    this.#records.setString(...effect);
    this.#apply();
  }

  listPush(
    _entry: number,
    before: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    ...element: [boolean, Uint8Array, number, number, DataView | undefined]
  ): void {
    this.numbers.add((element[0] ? EFFECTS.listPushHead : EFFECTS.listPushTail).number);
    this.#records.listPush(key, keyStart, keyLength, before, ...element);
    this.#apply();
  }

  hashSet(
    _entry: number,
    before: number,
    key: Uint8Array,
    keyStart: number,
    keyLength: number,
    ...field: [Uint8Array, number, number, Uint8Array, number, number, DataView | undefined]
  ): void {
    this.numbers.add(EFFECTS.hashSet.number);
    this.#records.hashSet(key, keyStart, keyLength, before, ...field);
    this.#apply();
  }

  #apply(): void {
    this.#replayer.decode(this.#records.buffer, BLOCK_HEADER_BYTES, this.#records.length);
    this.#records.reset();
  }
}

Deno.test(`a second store follows the first one, next to a snapshot of it, seed ${seed}`, async () => {
  const random = new Random(seed);
  const store = makeStore();
  store.nowMs = NOW_MS;
  const replica = new Replica();
  const files = new SimulatedFiles();
  await files.makeFolder("/data");
  const changer = new StoreChanger(store, random);
  let [scan, writer]: [SnapshotScan?, SnapshotWriter?] = [];
  let snapshots = 0;
  store.attach(replica);
  for (let round = 0; round < 800; round++) {
    if (scan === undefined && random.chance(0.05)) {
      writer = new SnapshotWriter(files, `/data/${snapshots}`, () => NOW_MS);
      scan = new SnapshotScan(store, writer);
      // It receives effects before or after the replica, which must not notice what it does with them.
      store.detach(replica);
      for (const journal of random.chance(0.5) ? [scan, replica] : [replica, scan]) store.attach(journal);
    }
    changer.change();
    if (random.chance(0.01)) store.clear();
    assertEquals(differenceOf(stateOf(replica.store), stateOf(store), 0), undefined, `round ${round}`);
    // A value stays partial for a while, so that effects on it arrive.
    if (scan !== undefined && random.chance(0.2) && scan.step()) {
      store.detach(scan);
      await writer!.abandon();
      scan = undefined;
      snapshots++;
    }
  }
  assert(snapshots > 1, `${snapshots} snapshots`);
  const missing = Object.values(EFFECTS).filter(({ number }) => !replica.numbers.has(number));
  assertEquals(missing.map(({ name }) => name), []);
  store.detach(replica);
  const before = stateOf(replica.store);
  changer.change();
  assertEquals(stateOf(replica.store), before);
  assertEquals(store.journal, scan);
});

Deno.test("Store.attach() makes journals receive each effect in their order, and detach() ends that", () => {
  const store = makeStore();
  const notes: string[] = [];
  const journal = (name: string): Journal => ({
    record: ({ row }) => notes.push(`${name} ${row.name}`),
    setString: () => notes.push(`${name} setString`),
    listPush: () => notes.push(`${name} listPush`),
    hashSet: () => notes.push(`${name} hashSet`),
  });
  const [key, value] = [encodeText("k"), encodeText("v")];
  const set = () => store.strings.set(key, 0, 1, store.find(key, 0, 1), value, 0, 1, 0);
  set();
  const [one, other] = [journal("one"), journal("other")];
  store.attach(one);
  set();
  store.attach(other);
  store.lists.push(encodeText("list"), 0, 4, 0, true, value, 0, 1);
  store.hashes.set(encodeText("hash"), 0, 4, 0, key, 0, 1, value, 0, 1);
  store.detach(one);
  store.detach(one);
  store.remove(store.find(key, 0, 1));
  store.detach(other);
  set();
  const both = ["listPush", "hashSet"].flatMap((effect) => [`one ${effect}`, `other ${effect}`]);
  assertEquals(notes, ["one setString", ...both, "other remove"]);
});
