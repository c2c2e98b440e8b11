/**
 * Runs random commands on a store whose changes are recorded. The log, and each of many snapshots that were taken step
 * by step between these commands, must load into the same keys, values and deadlines.
 *
 * The commands run once with sufficient memory, and once with so little that keys are evicted and blocks move during a
 * snapshot. The loading store has sufficient memory, so that nothing is evicted a second time.
 *
 * `SEED=n` repeats a run; `FUZZ_OPERATIONS=n` makes it longer.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "@std/path";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { MEMORY_LIMIT_MIN_BYTES } from "../../src/limits.ts";
import { readSnapshot, recover } from "../../src/log/recover.ts";
import { SnapshotWriter } from "../../src/log/snapshot.ts";
import { systemFiles as files } from "../../src/log/system_files.ts";
import { Persistence } from "../../src/server/persistence.ts";
import { Replayer } from "../../src/server/replayer.ts";
import { SnapshotScan } from "../../src/server/snapshot_scan.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { amountOf, isLong } from "../support/amount.ts";
import { MemoryClient } from "../support/memory_client.ts";
import { PHASES, RequestGenerator, shuffledPhases } from "../support/request_generator.ts";
import { StoreReader } from "../support/store_reader.ts";

const OPERATIONS_COUNT = amountOf("FUZZ_OPERATIONS", 1_200, 20_000);
/** The number of operations of one phase. Each phase also runs in the short form. */
const PHASE_OPERATIONS = isLong ? 2_000 : 500;

/** Returns the content of a store, in the order of the keys' names. */
function contentsOf(store: Store): Map<string, unknown> {
  const reader = new StoreReader(store);
  const found: [string, unknown][] = [];
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
    const value = reader.value(entry);
    const plain = value instanceof Map
      ? [...value].sort(([a], [b]) => a < b ? -1 : 1)
      : value instanceof Set
      ? [...value].sort()
      : value;
    found.push([reader.key(entry), [store.type(entry), store.deadline(entry), plain]]);
  }
  return new Map(found.sort(([a], [b]) => a < b ? -1 : 1));
}

function assertSame(actual: Store, expected: Store): void {
  const [a, b] = [contentsOf(actual), contentsOf(expected)];
  assertEquals([...a.keys()], [...b.keys()]);
  // Printing the difference of large values takes very long.
  for (const [key, value] of b) {
    assert(JSON.stringify(a.get(key)) === JSON.stringify(value), `the value of "${key.slice(0, 50)}" differs`);
  }
  assertEquals(actual.audit(), 0, "bytes leaked");
}

function makeSpacious(): Store {
  return new Store({ memoryLimitBytes: 2 ** 30, evicts: false, seed: [3, 4] });
}

/** One store with its log and its snapshots. */
class Run {
  snapshots = 0;
  /** The number of snapshot steps between which commands ran. */
  steps = 0;
  readonly #folder: string;
  readonly #store: Store;
  readonly #client: MemoryClient;
  readonly #random: Random;
  #writer: SnapshotWriter | undefined;
  #scan: SnapshotScan | undefined;
  #path = "";

  constructor(folder: string, store: Store, random: Random) {
    this.#folder = folder;
    this.#store = store;
    this.#client = new MemoryClient({ store });
    this.#random = random;
  }

  async run(operationsCount: number): Promise<void> {
    const random = this.#random;
    const client = this.#client;
    const phases = shuffledPhases(random);
    let generator = new RequestGenerator(random, PHASES[0]!);
    for (let operation = 0; operation < operationsCount; operation++) {
      if (operation % PHASE_OPERATIONS === 0) {
        generator = new RequestGenerator(random, phases.next().value);
        if (random.chance(0.2)) client.run(["flush"]);
      }
      if (random.chance(0.05)) client.nowMs += random.chance(0.01) ? random.below(100_000) : random.below(50);
      if (random.chance(0.01)) this.#store.expireDue(10);
      const request = generator.request();
      this.#run(request);
      if (this.#scan === undefined) {
        if (random.chance(0.01)) this.#begin();
      } else if (random.chance(0.3)) {
        this.steps++;
        if (this.#scan.step()) await this.#end();
      }
    }
    while (this.#scan !== undefined) if (this.#scan.step()) await this.#end();
  }

  #run(request: readonly Argument[]): void {
    this.#client.run(request);
    for (const bug of this.#client.bugs) throw bug;
  }

  #begin(): void {
    this.#path = join(this.#folder, `walk-${++this.snapshots}`);
    this.#writer = new SnapshotWriter(files, this.#path, () => this.#client.nowMs);
    this.#scan = new SnapshotScan(this.#store, this.#writer);
    this.#store.attach(this.#scan);
  }

  async #end(): Promise<void> {
    this.#store.detach(this.#scan!);
    this.#scan = undefined;
    await this.#writer!.finish(this.#store.size, 0);
    const loaded = makeSpacious();
    const target = new Replayer(loaded);
    const { snapshot } = readSnapshot(this.#path, { files, target });
    assertEquals(snapshot?.keys, this.#store.size);
    assertSame(loaded, this.#store);
    await Deno.remove(this.#path);
  }
}

async function fuzz(store: Store): Promise<void> {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  const random = new Random(seed);
  const folder = await Deno.makeTempDir({ prefix: "inmem-replay-" });
  const path = join(folder, "data");
  const persistence = await Persistence.open(store, {
    path,
    backup: undefined,
    repair: false,
    fsync: "never",
    growthPercent: 0,
    intervalMs: 0,
  });
  try {
    const run = new Run(folder, store, random);
    await run.run(OPERATIONS_COUNT);
    assertGreater(run.snapshots, OPERATIONS_COUNT / 4_000);
    assertGreater(run.steps, 2 * run.snapshots);
    await persistence.close();
    const loaded = makeSpacious();
    await recover({ files, folder: path, target: new Replayer(loaded) });
    assertSame(loaded, store);
  } catch (error) {
    throw new Error(`Failed: repeat with SEED=${seed}`, { cause: error });
  } finally {
    await persistence.close().catch(() => {});
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the log, and snapshots taken between random commands, load into the same store", () => {
  return fuzz(new Store({ memoryLimitBytes: 2 ** 30, evicts: false, seed: [1, 2] }));
});

Deno.test("the log, and snapshots taken between random commands, load into the same store while keys are evicted", async () => {
  const store = new Store({ memoryLimitBytes: MEMORY_LIMIT_MIN_BYTES, evicts: true, seed: [1, 2] });
  await fuzz(store);
  assertGreater(store.statistics.evictedKeys, OPERATIONS_COUNT / 1_000);
});
