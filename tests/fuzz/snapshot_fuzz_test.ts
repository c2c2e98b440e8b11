/**
 * Takes snapshots step by step between random changes of a store. Each snapshot must load into the same content.
 *
 * Unlike the fuzzer of commands (replay_fuzz_test.ts), the changes are on few keys, whose values are so large that most
 * steps of a snapshot capture a part of a value.
 */

import { assertEquals, assertGreater } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { readSnapshot } from "../../src/log/recover.ts";
import { SnapshotWriter } from "../../src/log/snapshot.ts";
import { Replayer } from "../../src/server/replayer.ts";
import { SnapshotScan } from "../../src/server/snapshot_scan.ts";
import { EntryType } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { differenceOf, makeStore, stateOf, StoreChanger } from "../support/store_history.ts";

const seed = Number(Deno.env.get("SEED") ?? 20261130);
const SNAPSHOTS_COUNT = amountOf("SNAPSHOTS", 80, 2_000);
const NOW_MS = 1_765_432_100_000;

Deno.test(`snapshots that are taken between changes of large values load into the same store, seed ${seed}`, async () => {
  const random = new Random(seed);
  const store = makeStore();
  store.nowMs = NOW_MS;
  const changer = new StoreChanger(store, random);
  const files = new SimulatedFiles();
  files.makeFolder("/data");
  const partial: Record<number, number> = {};
  for (let i = 0; i < 200; i++) changer.change();
  for (let number = 0; number < SNAPSHOTS_COUNT; number++) {
    const path = `/data/snapshot-${number}`;
    const writer = new SnapshotWriter(files, path, () => NOW_MS);
    const scan = new SnapshotScan(store, writer);
    store.attach(scan);
    for (let isDone = false; !isDone; isDone = scan.step()) {
      const entry = store.snapshotCursor.partial;
      if (entry !== 0) partial[store.type(entry)] = (partial[store.type(entry)] ?? 0) + 1;
      while (random.chance(0.4)) changer.change();
    }
    store.detach(scan);
    const finished = writer.finish(store.size, 0);
    const expected = stateOf(store);
    await finished;
    const loaded = makeStore();
    readSnapshot(path, { files, target: new Replayer(loaded) });
    assertEquals(differenceOf(stateOf(loaded), expected, 0), undefined, `snapshot ${number}`);
    assertEquals(loaded.audit(), 0);
    files.remove(path);
  }
  assertEquals(store.audit(), 0);
  for (const type of [EntryType.String, EntryType.List, EntryType.Hash, EntryType.Set]) {
    assertGreater(partial[type] ?? 0, 0, `no value of type ${type} was captured in parts`);
  }
});
