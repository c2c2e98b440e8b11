import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { CorruptionError, StartError } from "../../src/errors.ts";
import { SNAPSHOT_BLOCK_BYTES } from "../../src/limits.ts";
import type { FsyncPolicy } from "../../src/log/append_log.ts";
import { BLOCK_HEADER_BYTES, FILE_HEADER_BYTES } from "../../src/log/block.ts";
import { BlockReader } from "../../src/log/block_reader.ts";
import { recover, type Recovered } from "../../src/log/recover.ts";
import { segmentPath, unfinishedPath } from "../../src/log/segment.ts";
import { Persistence, type PersistenceOptions } from "../../src/server/persistence.ts";
import { Replayer } from "../../src/server/replayer.ts";
import type { Store } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { differenceOf, makeStore, type State, stateOf, StoreChanger } from "../support/store_history.ts";
import { until } from "../support/until.ts";

const FOLDER = "/data";
const LOG = segmentPath(FOLDER, 1);
const NOW_MS = 1_765_432_100_000;
/** The number of bits that are flipped, one at a time. */
const FLIPS_COUNT = amountOf("FLIPS", 25, 1_000);
const seed = Number(Deno.env.get("SEED") ?? 20261125);

/** A server that keeps a store on simulated files. */
class Server {
  readonly store: Store;
  readonly persistence: Persistence;
  /** The contents of the store after each batch. */
  readonly states = new Map<number, State>([[0, new Map()]]);

  private constructor(store: Store, persistence: Persistence) {
    this.store = store;
    this.persistence = persistence;
  }

  static async start(files: SimulatedFiles, options: Partial<PersistenceOptions> = {}): Promise<Server> {
    const store = makeStore();
    return new Server(
      store,
      await Persistence.open(store, {
        path: FOLDER,
        backup: undefined,
        repair: false,
        fsync: "always",
        growthPercent: 0,
        intervalMs: 0,
        files,
        now: () => NOW_MS,
        ...options,
      }),
    );
  }

  get log() {
    return this.persistence.log!;
  }

  /** Runs a change of the store as a separate batch. */
  batch(run: (store: Store) => void): void {
    this.store.nowMs = NOW_MS;
    run(this.store);
    this.log.flush();
    this.states.set(this.log.batch, stateOf(this.store));
  }

  set(key: string, value: string): void {
    this.batch((store) => set(store, key, value));
  }

  async stop(): Promise<void> {
    await this.persistence.close();
  }
}

function set(store: Store, key: string, value: string): void {
  const [keyBytes, bytes] = [encodeText(key), encodeText(value)];
  const entry = store.find(keyBytes, 0, keyBytes.length);
  store.strings.set(keyBytes, 0, keyBytes.length, entry, bytes, 0, bytes.length, 0);
}

function append(store: Store, key: string, value: string): void {
  const [keyBytes, bytes] = [encodeText(key), encodeText(value)];
  store.strings.append(store.find(keyBytes, 0, keyBytes.length), bytes, 0, bytes.length);
}

function push(store: Store, key: string, element: string): void {
  const [keyBytes, bytes] = [encodeText(key), encodeText(element)];
  const entry = store.find(keyBytes, 0, keyBytes.length);
  store.lists.push(keyBytes, 0, keyBytes.length, entry, false, bytes, 0, bytes.length);
}

function remove(store: Store, key: string): void {
  const keyBytes = encodeText(key);
  store.remove(store.find(keyBytes, 0, keyBytes.length));
}

/**
 * Returns a folder with a log of `count` batches, each of which sets a different key. With `always`, each is synced
 * before the next.
 */
async function smallLog(
  count: number,
  fsync: FsyncPolicy = "always",
): Promise<{ files: SimulatedFiles; states: Map<number, State> }> {
  const files = new SimulatedFiles();
  const server = await Server.start(files, { fsync });
  for (let i = 1; i <= count; i++) {
    server.set(`k${i}`, `v${i}`);
    if (fsync === "always") await server.log.settled();
  }
  const left = files.copy();
  files.die();
  await server.stop();
  return { files: left, states: server.states };
}

/** Returns the path of a segment, which has its final name after its header is on disk. */
function pathOf(files: SimulatedFiles, first: number): string {
  const path = segmentPath(FOLDER, first);
  return files.stat(path) === undefined ? unfinishedPath(path) : path;
}

/** Returns where the blocks of a file begin, and where it ends. */
function blocksOf(files: SimulatedFiles, path: string): number[] {
  const kind = path.includes("/log-") ? "log" : "snapshot";
  const reader = new BlockReader(files.openToRead(path), path, kind);
  reader.readHeader();
  const offsets = [reader.offset];
  while (reader.next()) offsets.push(reader.offset);
  return offsets;
}

/** Reads folders into one store, which is faster than starting a server each time. */
class Reading {
  readonly #store = makeStore();

  async read(files: SimulatedFiles): Promise<{ state: State; result: Recovered } | CorruptionError | StartError> {
    const store = this.#store;
    store.clear();
    try {
      const result = await recover({ files, folder: FOLDER, target: new Replayer(store) });
      return { state: stateOf(store), result };
    } catch (error) {
      if (error instanceof CorruptionError || error instanceof StartError) return error;
      throw error;
    }
  }
}

function without(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const left = new Uint8Array(bytes.length - (to - from));
  left.set(bytes.subarray(0, from));
  left.set(bytes.subarray(to), from);
  return left;
}

function flip(bytes: Uint8Array, at: number, bit = 0): Uint8Array {
  const flipped = bytes.slice();
  flipped[at]! ^= 1 << bit;
  return flipped;
}

Deno.test("Persistence.open() starts with nothing in a new folder, and reports that there was nothing", async () => {
  const server = await Server.start(new SimulatedFiles());
  assertEquals([server.persistence.loaded, server.store.size], [undefined, 0]);
  await server.stop();
});

Deno.test("Persistence.open() loads a log cut at any byte of its last three batches", async () => {
  const { files, states } = await smallLog(6);
  const bytes = files.read(LOG);
  const offsets = blocksOf(files, LOG);
  assertEquals(offsets.length, 7);
  for (let length = offsets[3]!; length <= bytes.length; length++) {
    const image = new SimulatedFiles();
    image.put(LOG, bytes.subarray(0, length));
    const whole = offsets.filter((offset) => offset <= length).length - 1;
    const server = await Server.start(image);
    assertEquals(stateOf(server.store), states.get(whole), `${length} bytes`);
    assertEquals(server.persistence.loaded!.batches, whole);
    const isTorn = length > offsets[whole]!;
    const set = isTorn ? [`log-000000000000001.inmem.${whole + 1}.torn`] : [];
    assertEquals(image.list(FOLDER).filter((name) => name.endsWith(".torn")), set);
    assertEquals(server.persistence.loaded!.torn.length, isTorn ? 1 : 0);
    if (isTorn) {
      const { path, offset, bytes: size, batch } = server.persistence.loaded!.torn[0]!;
      assertEquals([path, offset, size, batch], [LOG, offsets[whole], length - offsets[whole]!, whole + 1]);
      assertEquals(image.read(`${LOG}.${whole + 1}.torn`), bytes.slice(offset, length));
      assertEquals(image.read(LOG), bytes.slice(0, offset));
    }
    // It continues from there, and the next start finds nothing torn.
    server.set("next", "one");
    const after = stateOf(server.store);
    await server.stop();
    const again = await Server.start(image);
    assertEquals([stateOf(again.store), again.persistence.loaded!.torn.length], [after, 0]);
    await again.stop();
  }
});

Deno.test("recover() notices every flipped bit of a log: as damage, or as a torn end in the last batch", async () => {
  const { files, states } = await smallLog(5);
  const bytes = files.read(LOG);
  const offsets = blocksOf(files, LOG);
  const reading = new Reading();
  for (let at = 0; at < bytes.length; at++) {
    const block = offsets.findLastIndex((offset) => offset <= at);
    const start = block < 0 ? 0 : offsets[block]!;
    for (let bit = 0; bit < 8; bit++) {
      const image = new SimulatedFiles();
      image.put(LOG, flip(bytes, at, bit));
      const read = await reading.read(image);
      const what = `bit ${bit} of byte ${at}`;
      if (block === 4) {
        assert(!(read instanceof Error), `${what}: ${read}`);
        assertEquals([read.state, read.result.batch], [states.get(4), 4], what);
        assertEquals(read.result.torn.map(({ offset }) => offset), [start], what);
      } else {
        assertInstanceOf(read, CorruptionError, what);
        assertEquals([read.path, read.offset], [LOG, start], what);
      }
    }
  }
});

Deno.test("recover() notices every flipped bit of a snapshot", async () => {
  const files = new SimulatedFiles();
  const server = await Server.start(files);
  server.batch((store) => {
    set(store, "a", "1");
    push(store, "b", "x");
  });
  await server.persistence.save();
  await server.stop();
  const path = `${FOLDER}/${files.list(FOLDER).find((name) => name.startsWith("snapshot"))}`;
  const bytes = files.read(path);
  const offsets = blocksOf(files, path);
  const reading = new Reading();
  const image = files.copy();
  const good = await reading.read(image);
  assert(!(good instanceof Error));
  assertEquals(good.state, server.states.get(1));
  for (let at = 0; at < bytes.length; at++) {
    const start = offsets.findLast((offset) => offset <= at) ?? 0;
    for (let bit = 0; bit < 8; bit++) {
      image.put(path, flip(bytes, at, bit));
      const read = await reading.read(image);
      assertInstanceOf(read, CorruptionError, `bit ${bit} of byte ${at}`);
      assertEquals([read.path, read.offset], [path, start], `bit ${bit} of byte ${at}`);
    }
  }
  for (let length = 0; length < bytes.length; length++) {
    image.put(path, bytes.subarray(0, length));
    assertInstanceOf(await reading.read(image), CorruptionError, `${length} bytes`);
  }
});

Deno.test(`recover() notices ${FLIPS_COUNT} flipped bits of a larger folder, and never returns a wrong value`, async () => {
  const random = new Random(seed);
  const files = new SimulatedFiles();
  const server = await Server.start(files, { fsync: "everysec" });
  const changer = new StoreChanger(server.store, random);
  const turn = async (index: number) => {
    server.store.nowMs = NOW_MS;
    changer.change();
    server.log.flush();
    server.states.set(server.log.batch, new Map(changer.state));
    if (index % 20 === 0) server.log.tick();
    if (index % 20 === 0) { for (let i = 0; i < 10; i++) await undefined; }
  };
  for (let i = 0; i < 300; i++) await turn(i);
  await server.persistence.save();
  for (let i = 0; i < 300; i++) await turn(i);
  const image = files.copy();
  const known = server.log.synced;
  await server.stop();
  // The segment before the snapshot was removed.
  const paths = image.list(FOLDER).map((name) => `${FOLDER}/${name}`);
  const sizes = paths.map((path) => image.read(path).length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  assert(total > 500_000, `${total} bytes`);
  const reading = new Reading();
  const outcomes = { damaged: 0, torn: 0 };
  for (let count = 0; count < FLIPS_COUNT; count++) {
    let at = random.below(total);
    const index = sizes.findIndex((size) => (at -= size) < 0);
    const path = paths[index]!;
    at += sizes[index]!;
    const bytes = image.read(path);
    image.put(path, flip(bytes, at, random.below(8)));
    const read = await reading.read(image);
    image.put(path, bytes);
    const what = `SEED=${seed}: byte ${at} of "${path}"`;
    if (read instanceof Error) {
      assertInstanceOf(read, CorruptionError, what);
      assertEquals(read.path, path, what);
      assert(read.offset <= at, what);
      outcomes.damaged++;
    } else {
      const { batch, torn } = read.result;
      assert(path.includes("log-") && torn.length === 1 && torn[0]!.offset <= at, what);
      assert(batch >= known, `${what}: batch ${batch} of ${known} that were on disk`);
      assertEquals(differenceOf(read.state, server.states.get(batch)!, 0), undefined, what);
      outcomes.torn++;
    }
  }
  assert(outcomes.damaged > FLIPS_COUNT / 10, JSON.stringify(outcomes));
});

Deno.test("recover() refuses a log without some batches in the middle", async () => {
  const { files } = await smallLog(6);
  const bytes = files.read(LOG);
  const offsets = blocksOf(files, LOG);
  const reading = new Reading();
  for (const [from, to] of [[0, 1], [1, 3], [3, 4]] as const) {
    files.put(LOG, without(bytes, offsets[from]!, offsets[to]!));
    const read = await reading.read(files);
    assertInstanceOf(read, CorruptionError);
    assert(read.message.includes(`expected number ${from + 1} here, not ${to + 1}`), read.message);
    assertEquals(read.offset, offsets[from]);
  }
});

Deno.test("recover() applies a doubled batch once", async () => {
  const { files, states } = await smallLog(3);
  const bytes = files.read(LOG);
  const [, second, third] = blocksOf(files, LOG);
  const doubled = new Uint8Array(bytes.length + third! - second!);
  doubled.set(bytes.subarray(0, third));
  doubled.set(bytes.subarray(second!), third);
  files.put(LOG, doubled);
  const read = await new Reading().read(files);
  assert(!(read instanceof Error));
  assertEquals(read.state, states.get(3));
});

Deno.test("recover() refuses damage that only the last batch distinguishes from a torn end", async () => {
  const files = new SimulatedFiles();
  const server = await Server.start(files);
  server.set("k1", "v");
  await server.log.settled();
  // Two batches are written during a sync; the third one says that they are on disk.
  const release = files.holdSyncs();
  server.set("k2", "v");
  server.set("k3", "v");
  const settled = server.log.settled();
  release();
  await settled;
  server.set("k4", "v");
  const image = files.copy();
  await server.stop();
  const offsets = blocksOf(image, LOG);
  image.put(LOG, flip(image.read(LOG), offsets[1]! + BLOCK_HEADER_BYTES));
  const read = await new Reading().read(image);
  assertInstanceOf(read, CorruptionError);
  assertEquals(read.offset, offsets[1]);
});

Deno.test("recover() treats a missing unsynced batch before others as a torn end", async () => {
  const { files, states } = await smallLog(6, "everysec");
  const bytes = files.read(LOG);
  const offsets = blocksOf(files, LOG);
  const holed = bytes.slice();
  holed.fill(0, offsets[2], offsets[3]);
  files.put(LOG, holed);
  const server = await Server.start(files, { fsync: "everysec" });
  assertEquals(stateOf(server.store), states.get(2));
  assertEquals(files.read(`${LOG}.3.torn`), holed.slice(offsets[2]));
  await server.stop();
});

/** Returns two segments: batches 1 to 3, then 4 to 6. */
async function twoSegments(synced: boolean): Promise<{ files: SimulatedFiles; states: Map<number, State> }> {
  const files = new SimulatedFiles();
  const server = await Server.start(files, { fsync: "everysec" });
  for (let i = 1; i <= 6; i++) {
    server.set(`k${i}`, "v");
    if (i !== 3) continue;
    server.log.rotate();
    if (synced) server.log.tick();
    for (let turns = 0; turns < 20; turns++) await undefined;
  }
  const image = files.copy();
  files.die();
  await server.stop();
  return { files: image, states: server.states };
}

Deno.test("recover() sets the segments after a torn one aside when it was not known to be on disk", async () => {
  const { files, states } = await twoSegments(false);
  const second = unfinishedPath(segmentPath(FOLDER, 4));
  const [bytes, rest] = [files.read(LOG), files.read(second)];
  const offsets = blocksOf(files, LOG);
  files.put(LOG, bytes.subarray(0, offsets[1]! + 10));
  const server = await Server.start(files);
  assertEquals(stateOf(server.store), states.get(1));
  assertEquals(files.read(`${LOG}.2.torn`), bytes.slice(offsets[1], offsets[1]! + 10));
  assertEquals(files.read(`${second}.2.torn`), rest);
  server.set("next", "one");
  const after = stateOf(server.store);
  await server.stop();
  const again = await Server.start(files);
  assertEquals(stateOf(again.store), after);
  await again.stop();
});

Deno.test("recover() refuses a torn segment when the next one says that it was on disk", async () => {
  const { files } = await twoSegments(true);
  const bytes = files.read(LOG);
  const offsets = blocksOf(files, LOG);
  files.put(LOG, bytes.subarray(0, offsets[1]! + 10));
  const read = await new Reading().read(files);
  assertInstanceOf(read, CorruptionError);
  assertEquals([read.path, read.offset], [LOG, offsets[1]]);
  files.put(LOG, bytes.subarray(0, offsets[1]));
  const missing = await new Reading().read(files);
  assertInstanceOf(missing, CorruptionError);
  assert(missing.message.includes("batches 2 to 3, which come before this file, are missing"), missing.message);
});

Deno.test("recover() continues in the next segment after the partial batch of a full one", async () => {
  const files = new SimulatedFiles();
  const server = await Server.start(files);
  server.set("k1", "v");
  files.fail({ call: "write", code: "EFBIG", path: /log-0+1\./, writes: 20 });
  server.set("k2", "v");
  await server.log.settled();
  server.set("k3", "v");
  await server.stop();
  assert(files.read(LOG).length > blocksOf(await smallLog(1).then(({ files }) => files), LOG)[1]!);
  const again = await Server.start(files);
  assertEquals([stateOf(again.store), again.persistence.loaded!.torn], [server.states.get(3), []]);
  await again.stop();
});

Deno.test("recover() uses the later server's version of a batch that two servers have written", async () => {
  const files = new SimulatedFiles();
  const first = await Server.start(files);
  for (const key of ["k1", "k2"]) {
    first.set(key, "v");
    await first.log.settled();
  }
  // The second server takes over the folder here. The first one has not noticed yet.
  const taken = files.copy();
  for (const key of ["a", "b", "c"]) first.set(key, "first");
  const firstLog = files.read(pathOf(files, 1));
  files.die();
  await first.stop();
  const second = await Server.start(taken);
  for (const key of ["x", "y"]) second.set(key, "second");
  const expected = stateOf(second.store);
  await second.stop();
  assertEquals(blocksOf(taken, segmentPath(FOLDER, 3)).length, 3);
  taken.put(LOG, firstLog);
  assertEquals(blocksOf(taken, LOG).length, 6);
  const read = await new Reading().read(taken);
  assert(!(read instanceof Error), String(read));
  assertEquals([read.state, read.result.batch], [expected, 4]);
});

Deno.test("Persistence.open() refuses damage, changes nothing, and names file, offset and remedies", async () => {
  const { files } = await smallLog(4);
  const bytes = flip(files.read(LOG), blocksOf(files, LOG)[1]! + BLOCK_HEADER_BYTES);
  files.put(LOG, bytes);
  const error = await assertRejects(() => Server.start(files), StartError, `file "${LOG}", offset`);
  assertInstanceOf(error.cause, CorruptionError);
  assert(error.message.includes("--repair"));
  assertEquals([files.list(FOLDER), files.read(LOG)], [["log-000000000000001.inmem"], bytes]);
});

Deno.test("Persistence.open() repairs a log: what is left out is listed, the rest is loaded and kept", async () => {
  const { files, states } = await smallLog(5);
  const offsets = blocksOf(files, LOG);
  const bytes = flip(files.read(LOG), offsets[1]! + BLOCK_HEADER_BYTES);
  files.put(LOG, bytes);
  const server = await Server.start(files, { repair: true });
  const expected = new Map(states.get(5));
  expected.delete("k2");
  assertEquals(stateOf(server.store), expected);
  const [left, ...others] = server.persistence.loaded!.damaged;
  assertEquals(others, []);
  assertEquals([left!.path, left!.offset, left!.bytes, left!.batch], [LOG, offsets[1], offsets[2]! - offsets[1]!, 2]);
  assertEquals(files.read(`${LOG}.damaged`), bytes);
  assert(!files.list(FOLDER).includes("log-000000000000001.inmem"));
  server.set("next", "one");
  const after = stateOf(server.store);
  await server.stop();
  const again = await Server.start(files);
  assertEquals([stateOf(again.store), again.persistence.loaded!.damaged], [after, []]);
  await again.stop();
});

Deno.test("Persistence.open() repairs a log whose header is damaged", async () => {
  for (const at of [0, 5, 13, 30, 37]) {
    const { files, states } = await smallLog(4);
    files.put(LOG, flip(files.read(LOG), at));
    assertInstanceOf(await new Reading().read(files), CorruptionError);
    const server = await Server.start(files, { repair: true });
    assertEquals(stateOf(server.store), states.get(4));
    const [left] = server.persistence.loaded!.damaged;
    assertEquals([left!.offset, left!.bytes], [0, FILE_HEADER_BYTES]);
    await server.stop();
  }
});

Deno.test("Persistence.open() continues in a new segment after a repair that could use nothing of one with the same name", async () => {
  const { files } = await smallLog(4);
  const offsets = blocksOf(files, LOG);
  let bytes: Uint8Array = files.read(LOG);
  for (const offset of offsets.slice(0, 3)) bytes = flip(bytes, offset + 40);
  files.put(LOG, bytes);
  const server = await Server.start(files, { repair: true });
  assertEquals([...stateOf(server.store).keys()], ["k4"]);
  server.set("since", "1");
  await server.stop();
  const again = await Server.start(files);
  assertEquals([...stateOf(again.store).keys()].sort(), ["k4", "since"]);
  await again.stop();

  // Now nothing of it is readable.
  for (const offset of offsets.slice(0, -1)) bytes = flip(bytes, offset + 41);
  const other = new SimulatedFiles();
  await other.makeFolder(FOLDER);
  other.put(LOG, flip(bytes, 3));
  const empty = await Server.start(other, { repair: true });
  empty.set("since", "2");
  await empty.stop();
  const last = await Server.start(other);
  assertEquals([...stateOf(last.store).keys()], ["since"]);
  await last.stop();
});

Deno.test("Persistence.open() repairs a log without one of its segments", async () => {
  const { files, states } = await twoSegments(true);
  await files.remove(LOG);
  assertInstanceOf(await new Reading().read(files), CorruptionError);
  const server = await Server.start(files, { repair: true });
  assertEquals([...stateOf(server.store).keys()].sort(), ["k4", "k5", "k6"]);
  assertEquals(server.persistence.loaded!.damaged.map(({ batch, bytes }) => [batch, bytes]), [[1, 0]]);
  server.set("since", "1");
  const after = stateOf(server.store);
  await server.stop();
  const again = await Server.start(files);
  assertEquals(stateOf(again.store), after);
  await again.stop();
  assertEquals(states.size, 7);
});

Deno.test("Persistence.open() repairs a log without some batches in the middle, and uses those after them", async () => {
  const { files, states } = await smallLog(5);
  const offsets = blocksOf(files, LOG);
  files.put(LOG, without(files.read(LOG), offsets[1]!, offsets[2]!));
  const server = await Server.start(files, { repair: true });
  const expected = new Map(states.get(5));
  expected.delete("k2");
  assertEquals(stateOf(server.store), expected);
  assertEquals(
    server.persistence.loaded!.damaged.map(({ offset, bytes, batch }) => [offset, bytes, batch]),
    [[offsets[1], 0, 2]],
  );
  await server.stop();
});

/** Returns a snapshot of several blocks, of five keys each. */
async function largeSnapshot(): Promise<{ files: SimulatedFiles; path: string; state: State }> {
  const files = new SimulatedFiles();
  const server = await Server.start(files);
  for (let i = 10; i < 30; i++) server.set(`k${i}`, `${i}`.repeat(SNAPSHOT_BLOCK_BYTES / 10));
  const state = stateOf(server.store);
  await server.persistence.save();
  await server.stop();
  const image = files.copy();
  const name = image.list(FOLDER).find((name) => name.startsWith("snapshot"))!;
  return { files: image, path: `${FOLDER}/${name}`, state };
}

Deno.test("Persistence.open() repairs a snapshot: only the damaged block is left out", async () => {
  const { files, path, state } = await largeSnapshot();
  const offsets = blocksOf(files, path);
  assertEquals(offsets.length, 6);
  const bytes = flip(files.read(path), offsets[2]! + 1_000);
  files.put(path, bytes);
  await assertRejects(() => Server.start(files), StartError, `offset ${offsets[2]}`);
  const server = await Server.start(files, { repair: true });
  const actual = stateOf(server.store);
  assertEquals(actual.size, state.size - 5);
  for (const [key, held] of actual) assertEquals(held, state.get(key), key);
  const [left] = server.persistence.loaded!.damaged;
  assertEquals([left!.path, left!.offset, left!.bytes], [path, offsets[2], offsets[3]! - offsets[2]!]);
  assertEquals(files.read(`${path}.damaged`), bytes);
  await server.stop();
  const again = await Server.start(files);
  assertEquals(stateOf(again.store), actual);
  await again.stop();
});

Deno.test("Persistence.open() repairs a snapshot without one of its blocks, and uses all after it", async () => {
  const { files, path, state } = await largeSnapshot();
  const offsets = blocksOf(files, path);
  files.put(path, without(files.read(path), offsets[2]!, offsets[3]!));
  await assertRejects(() => Server.start(files), StartError, "expected number 3 here, not 4");
  const server = await Server.start(files, { repair: true });
  const actual = stateOf(server.store);
  assertEquals(actual.size, state.size - 5);
  for (const [key, held] of actual) assertEquals(held, state.get(key), key);
  await server.stop();
});

Deno.test("Persistence.open() drops in a repair a value without its last part, and no complete one", async () => {
  const files = new SimulatedFiles();
  const server = await Server.start(files);
  const element = encodeText("x".repeat(1_000));
  const push = (name: string, count: number) => {
    const key = encodeText(name);
    for (let i = 0; i < count; i++) {
      const entry = server.store.find(key, 0, key.length);
      server.store.lists.push(key, 0, key.length, entry, false, element, 0, element.length);
    }
  };
  push("whole", 300);
  push("cut", 600);
  server.set("last", "1");
  const state = stateOf(server.store);
  await server.persistence.save();
  await server.stop();
  const name = files.list(FOLDER).find((each) => each.startsWith("snapshot"))!;
  const path = `${FOLDER}/${name}`;
  const offsets = blocksOf(files, path);
  // The closing block has only the closing record; the rest of "cut" is in the one before.
  files.put(path, flip(files.read(path), offsets.at(-3)! + 1_000));
  const repaired = await Server.start(files, { repair: true });
  assertEquals([...stateOf(repaired.store).keys()], ["whole"]);
  assertEquals(stateOf(repaired.store).get("whole"), state.get("whole"));
  assertEquals(repaired.persistence.loaded!.dropped, 1);
  await repaired.stop();
});

Deno.test("Persistence.open() drops in a repair a key that later records do not match", async () => {
  const changes: ((store: Store) => void)[] = [
    (store) => {
      set(store, "a", "xyz");
      push(store, "b", "element");
      push(store, "c", "element");
      set(store, "d", "kept");
    },
    // This batch is damaged.
    (store) => {
      set(store, "a", "");
      remove(store, "b");
      set(store, "b", "");
      push(store, "c", "another");
    },
    (store) => {
      append(store, "a", "y");
      append(store, "b", "z");
      push(store, "c", "third");
    },
  ];
  const files = new SimulatedFiles();
  const server = await Server.start(files);
  for (const change of changes) {
    server.batch(change);
    await server.log.settled();
  }
  // It says that the second batch was on disk.
  server.set("e", "kept too");
  await server.stop();
  const offsets = blocksOf(files, LOG);
  files.put(LOG, flip(files.read(LOG), offsets[1]! + BLOCK_HEADER_BYTES));
  const repaired = await Server.start(files, { repair: true });
  assertEquals(
    [...stateOf(repaired.store)].map(([key, { value }]) => `${key}: ${value}`).sort(),
    ["a: string y", "b: string z", "d: string kept", "e: string kept too"],
  );
  assertEquals([repaired.store.audit(), repaired.persistence.loaded!.dropped], [0, 3]);
  await repaired.stop();
});

Deno.test("Persistence.open() finds the old data, or all of a backup, after an interruption at any point", async () => {
  const source = await largeSnapshot();
  const { files, states } = await smallLog(4);
  files.put("/backup.d/b.inmem", source.files.read(source.path));
  const images: SimulatedFiles[] = [];
  files.onCall = () => void images.push(files.kill());
  const server = await Server.start(files, { backup: "/backup.d/b.inmem" });
  files.onCall = undefined;
  assertEquals(stateOf(server.store), source.state);
  await server.stop();
  const seen = new Set<number>();
  for (const image of [...images, files]) {
    const again = await Server.start(image);
    const actual = stateOf(again.store);
    assertEquals(actual, actual.size === 4 ? states.get(4) : source.state);
    seen.add(actual.size);
    again.set("next", "one");
    const after = stateOf(again.store);
    await again.stop();
    const third = await Server.start(image);
    assertEquals(stateOf(third.store), after);
    await third.stop();
  }
  assertEquals(seen, new Set([4, 20]));
});

Deno.test("Persistence.open() refuses a file of another version, and changes nothing", async () => {
  const { files } = await smallLog(3);
  // The header of the first version had its checksum elsewhere.
  const bytes = files.read(LOG);
  bytes[11] = 1;
  bytes.fill(0, 36, 40);
  files.put(LOG, bytes);
  await assertRejects(() => Server.start(files), StartError, "of version 1: this inmem reads versions 2 to 3");
  assertEquals(files.read(LOG), bytes);
});

Deno.test("Persistence.open() syncs what a killed server had only written", async () => {
  const files = new SimulatedFiles();
  const server = await Server.start(files, { fsync: "never" });
  for (let i = 1; i <= 5; i++) server.set(`k${i}`, "v");
  const image = files.kill();
  files.die();
  await server.stop();
  const again = await Server.start(image, { fsync: "never" });
  again.set("next", "one");
  const random = new Random(seed);
  for (let i = 0; i < 50; i++) {
    const left = await new Reading().read(image.crash(random));
    assert(!(left instanceof Error), `SEED=${seed}: ${left}`);
    assert(left.result.batch >= 5, `batch ${left.result.batch}`);
  }
  image.die();
  await again.stop();
});

Deno.test("Persistence.save() takes another snapshot when the current one has already ended", async () => {
  const files = new SimulatedFiles();
  const server = await Server.start(files);
  server.set("a", "1");
  const release = files.holdSyncs();
  const first = server.persistence.save();
  // All keys are captured, and the snapshot waits for the disk.
  await until(() => !server.persistence.isSaving || files.calls.create >= 3, "the snapshot's file is made");
  let renamed: Promise<void> | undefined;
  files.onCall = (call) => {
    if (call !== "rename" || renamed !== undefined) return;
    server.set("b", "2");
    renamed = server.persistence.save();
  };
  release();
  await first;
  await renamed;
  assert(renamed !== undefined && renamed !== first);
  assertEquals(server.persistence.status.lastSaveKeys, 2);
  await server.stop();
});

/** What may be left of a segment without its header. */
const HEADERLESS: Record<string, (bytes: Uint8Array) => Uint8Array> = {
  "nothing": () => new Uint8Array(0),
  "a part of its header": (bytes) => bytes.slice(0, FILE_HEADER_BYTES - 1),
  "zeros in the stead of its header": (bytes) => bytes.slice().fill(0, 0, FILE_HEADER_BYTES),
  "zeros only": (bytes) => new Uint8Array(bytes.length),
  "zeros, and less than a header of them": () => new Uint8Array(7),
  "a page of zeros": () => new Uint8Array(4096),
  "random bytes": (bytes) => bytes.map((_, index) => (index * 7919 + 13) & 0xff),
  "what follows its header": (bytes) => bytes.slice(FILE_HEADER_BYTES),
};

for (const [what, spoil] of Object.entries(HEADERLESS)) {
  Deno.test(`Persistence.open() refuses a log that is left with ${what}, and starts with --repair`, async () => {
    for (const withSnapshot of [false, true]) {
      const files = new SimulatedFiles();
      const server = await Server.start(files);
      server.set("saved", "1");
      if (withSnapshot) await server.persistence.save();
      server.set("logged", "1");
      await server.stop();
      const path = segmentPath(FOLDER, withSnapshot ? 2 : 1);
      const bytes = spoil(files.read(path));
      files.put(path, bytes);
      const before = files.list(FOLDER);
      const error = await assertRejects(() => Server.start(files), StartError, `file "${path}", offset 0`);
      assert(error.message.includes("Cannot read the header"), error.message);
      assert(error.message.includes("--repair") && error.message.includes("inmem restore"), error.message);
      assertEquals([files.list(FOLDER), files.read(path)], [before, bytes]);

      const repaired = await Server.start(files, { repair: true });
      assertEquals(repaired.persistence.loaded!.damaged[0]!.offset, 0);
      assertEquals(stateOf(repaired.store).has("saved"), withSnapshot);
      repaired.set("next", "1");
      const after = stateOf(repaired.store);
      await repaired.stop();
      const again = await Server.start(files);
      assertEquals(stateOf(again.store), after);
      await again.stop();
    }
  });

  Deno.test(`Persistence.open() starts with a log that was never finished and is left with ${what}`, async () => {
    for (const count of [0, 3]) {
      const { files, states } = await smallLog(count);
      const whole = files.read(LOG);
      files.put(unfinishedPath(segmentPath(FOLDER, count + 1)), spoil(whole));
      if (count === 0) await files.remove(LOG);
      const server = await Server.start(files);
      assertEquals(stateOf(server.store), states.get(count));
      server.set("next", "1");
      const after = stateOf(server.store);
      await server.stop();
      assert(files.list(FOLDER).every((name) => !name.endsWith(".new")), files.list(FOLDER).join(" "));
      const again = await Server.start(files);
      assertEquals(stateOf(again.store), after);
      await again.stop();
    }
  });
}

Deno.test("Persistence.open() refuses a lost header after a torn end, since it could say that the end was on disk", async () => {
  const { files } = await twoSegments(true);
  const second = segmentPath(FOLDER, 4);
  files.put(LOG, files.read(LOG).subarray(0, -5));
  files.put(second, new Uint8Array(0));
  await assertRejects(() => Server.start(files), StartError, `file "${second}", offset 0`);
});

Deno.test("Persistence.open() uses a segment that was not finished, and finishes it", async () => {
  const { files, states } = await smallLog(3);
  const bytes = files.read(LOG);
  await files.remove(LOG);
  files.put(unfinishedPath(LOG), bytes);
  const server = await Server.start(files);
  assertEquals(stateOf(server.store), states.get(3));
  assertEquals(files.list(FOLDER), [1, 4].map((first) => segmentPath("", first).slice(1)));
  await server.stop();
});

Deno.test("Persistence.open() starts on a full disk, refuses writes, and accepts them when there is room", async () => {
  for (const torn of [0, 2_000]) {
    const { files, states } = await smallLog(3);
    const whole = files.read(LOG);
    if (torn > 0) {
      const bytes = new Uint8Array(whole.length + torn);
      bytes.set(whole);
      files.put(LOG, bytes);
    }
    files.capacityBytes = files.usedBytes;
    files.fail({ call: "create", code: "ENOSPC" });
    const server = await Server.start(files);
    assertEquals(stateOf(server.store), states.get(3));
    assert(server.log.refusal?.includes("ENOSPC"), server.log.refusal);
    assertEquals(server.persistence.loaded!.tornLost.map(({ bytes }) => bytes), torn > 0 ? [torn] : []);
    assertEquals(files.list(FOLDER), ["log-000000000000001.inmem"]);
    assertEquals(files.read(LOG), whole);
    files.heal();
    files.capacityBytes = Infinity;
    await until(() => server.log.refusal === undefined, "writes are accepted");
    server.set("next", "1");
    await server.log.settled();
    const after = stateOf(server.store);
    await server.stop();
    const again = await Server.start(files);
    assertEquals(stateOf(again.store), after);
    await again.stop();
  }
});

Deno.test("Persistence.open() starts on a full disk although keys are evicted, and saves when there is room", async () => {
  const { files } = await smallLog(3);
  // The removal of an expired key is to be logged.
  const source = await Server.start(files);
  source.batch((store) => {
    const key = encodeText("brief");
    store.strings.set(key, 0, key.length, 0, key, 0, key.length, NOW_MS + 1);
  });
  await source.stop();
  files.capacityBytes = files.usedBytes;
  const server = await Server.start(files, { now: () => NOW_MS + 10_000 });
  assertEquals([...stateOf(server.store).keys()].sort(), ["k1", "k2", "k3"]);
  assert(server.log.refusal !== undefined);
  files.capacityBytes = Infinity;
  await until(() => server.log.refusal === undefined, "writes are accepted");
  await server.stop();
  const again = await Server.start(files);
  assertEquals([...stateOf(again.store).keys()].sort(), ["k1", "k2", "k3"]);
  await again.stop();
});

Deno.test("Persistence takes snapshots at its interval, regardless of the time of day", async () => {
  const files = new SimulatedFiles();
  let nowMs = NOW_MS;
  let elapsedMs = 0;
  const server = await Server.start(files, {
    intervalMs: 10_000,
    now: () => nowMs,
    monotonicNow: () => elapsedMs,
  });
  /** Returns the seconds of this clock until a snapshot was taken. */
  const secondsUntilSaved = async () => {
    server.set("k", String(elapsedMs));
    for (let seconds = 1; seconds < 60; seconds++) {
      elapsedMs += 1_000;
      nowMs += 1_000;
      const before = files.list(FOLDER).join();
      server.persistence.tick();
      await until(() => !server.persistence.isSaving, "the snapshot is done");
      if (files.list(FOLDER).join() !== before) return seconds;
    }
    return Infinity;
  };
  assertEquals(await secondsUntilSaved(), 11);
  const DAY_MS = 86_400_000;
  for (const jumpMs of [DAY_MS, -DAY_MS, -100 * 365 * DAY_MS, 100 * 365 * DAY_MS]) {
    nowMs += jumpMs;
    assertEquals(await secondsUntilSaved(), 11, `after ${jumpMs} ms`);
  }
  await server.stop();
});

Deno.test("Persistence counts the time before the start by the time of day, and never waits longer than the interval", async () => {
  for (const [agoMs, expected] of [[4_000, 7], [60_000, 1], [-86_400_000, 11]] as const) {
    const files = new SimulatedFiles();
    const first = await Server.start(files);
    first.set("a", "1");
    await first.persistence.save();
    await first.stop();
    let elapsedMs = 1_000_000;
    const server = await Server.start(files, {
      intervalMs: 10_000,
      now: () => NOW_MS + agoMs,
      monotonicNow: () => elapsedMs,
    });
    server.set("b", "2");
    const before = files.list(FOLDER).join();
    let seconds = 0;
    while (files.list(FOLDER).join() === before && seconds++ < 60) {
      elapsedMs += 1_000;
      server.persistence.tick();
      await until(() => !server.persistence.isSaving, "the snapshot is done");
    }
    assertEquals(seconds, expected, `${agoMs} ms ago`);
    await server.stop();
  }
});
