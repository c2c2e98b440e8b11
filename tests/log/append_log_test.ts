import { assert, assertEquals, assertInstanceOf, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { NotSavedError } from "../../src/errors.ts";
import {
  LOG_HOLD_MAX_MS,
  LOG_SYNC_LAG_MAX_MS,
  LOG_UNWRITTEN_MAX_BYTES,
  PLACE_HOLD_MAX_MS,
  PLACE_LOOK_WRITING_MS,
} from "../../src/limits.ts";
import { AppendLog, type FsyncPolicy } from "../../src/log/append_log.ts";
import { BlockReader } from "../../src/log/block_reader.ts";
import { DataFolder } from "../../src/log/folder.ts";
import { segmentPath, unfinishedPath } from "../../src/log/segment.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { until } from "../support/until.ts";

const FOLDER = "/data";

/** A log on simulated files, and a clock. */
class Rig {
  readonly files: SimulatedFiles;
  nowMs = 1_765_432_100_000;
  /** The calls of `onRefusal`. */
  readonly refusals: (string | undefined)[] = [];
  readonly log: AppendLog;

  constructor(policy: FsyncPolicy, next = 1, folder?: DataFolder) {
    const files = this.files = folder === undefined ? new SimulatedFiles() : folder.files as SimulatedFiles;
    this.log = new AppendLog({ files, folder: FOLDER, policy, next, now: () => this.nowMs, place: folder?.place });
    this.log.onRefusal = (refusal) => this.refusals.push(refusal);
  }

  /** Adds one effect. */
  set(key: string, value = "v"): void {
    const [keyBytes, bytes] = [encodeText(key), encodeText(value)];
    this.log.writes++;
    this.log.records.setString(keyBytes, 0, keyBytes.length, 0, bytes, 0, bytes.length, undefined);
  }

  /** Writes one effect as a separate batch. */
  write(key: string, value?: string): void {
    this.set(key, value);
    this.log.flush();
  }

  /** Returns the numbers of the valid batches of a segment, each with its count of batches not known to be on disk. */
  batches(first: number): [number: number, unknown: number][] {
    return batchesOf(this.files, first);
  }

  /** The segments, by the number of their first batch. */
  get segments(): number[] {
    return this.files.list(FOLDER).map((name) => Number(/^log-([0-9]{15})\.(?:inmem|new)$/.exec(name)![1]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.files.die();
    await this.log.close().catch(() => {});
  }
}

/** Returns the path of a segment, which has its final name after its header is on disk. */
function pathOf(files: SimulatedFiles, first: number): string {
  const path = segmentPath(FOLDER, first);
  return files.stat(path) === undefined ? unfinishedPath(path) : path;
}

function batchesOf(files: SimulatedFiles, first: number): [number: number, unknown: number][] {
  const path = pathOf(files, first);
  const reader = new BlockReader(files.openToRead(path), path, "log");
  reader.readHeader();
  assertEquals(reader.header.first, first);
  const found: [number, number][] = [];
  for (let at = reader.offset; reader.skip(at); at = reader.offset) found.push([reader.number, reader.unknown]);
  return found;
}

/** Returns an object whose `state` shows whether a promise is pending, resolved or rejected. */
function watch(promise: Promise<void>): { readonly state: string } {
  const watched = { state: "pending" };
  promise.then(() => watched.state = "resolved", (error) => watched.state = `rejected: ${error.name}`);
  return watched;
}

/** Waits until all microtasks have run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 30; i++) await undefined;
}

for (const policy of ["everysec", "never"] as const) {
  Deno.test(`AppendLog.settled() resolves with ${policy} after the batch is written, and syncs nothing`, async () => {
    await using rig = new Rig(policy);
    rig.set("a");
    assert(rig.log.mustWait(0));
    await rig.log.settled();
    assert(!rig.log.mustWait(0));
    assertEquals(rig.batches(1), [[1, 0]]);
    assertEquals(rig.files.calls.sync, 0);
    assertEquals(rig.log.synced, 0);
  });
}

Deno.test("AppendLog.settled() resolves with always after the batch and its file's name are on disk", async () => {
  await using rig = new Rig("always");
  const release = rig.files.holdSyncs();
  rig.set("a");
  const settled = watch(rig.log.settled());
  await settle();
  assertEquals([settled.state, rig.log.mustWait(0)], ["pending", true]);
  assertEquals(rig.batches(1), [[1, 0]]);
  release();
  await until(() => settled.state === "resolved", "it is settled");
  assertEquals([rig.files.calls.sync, rig.files.calls.syncFolder, rig.log.synced], [1, 1, 1]);
  rig.set("b");
  await rig.log.settled();
  // The name exists already.
  assertEquals([rig.files.calls.sync, rig.files.calls.syncFolder], [2, 1]);
});

Deno.test("AppendLog.settled() shares one batch among all callers of one turn", async () => {
  await using rig = new Rig("everysec");
  const waiting = ["a", "b", "c"].map((key) => {
    rig.set(key);
    return rig.log.settled();
  });
  assertEquals(new Set(waiting).size, 1);
  await Promise.all(waiting);
  assertEquals([rig.log.batch, rig.batches(1).length, rig.files.calls.write], [1, 1, 2]);
});

Deno.test("AppendLog.settled() shares one sync among all batches written during another sync", async () => {
  await using rig = new Rig("always");
  const release = rig.files.holdSyncs();
  const waiting: ReturnType<typeof watch>[] = [];
  for (const key of ["a", "b", "c", "d"]) {
    rig.set(key);
    waiting.push(watch(rig.log.settled()));
    await settle();
  }
  assertEquals(rig.batches(1), [[1, 0], [2, 1], [3, 2], [4, 3]]);
  assertEquals(waiting.map(({ state }) => state), Array(4).fill("pending"));
  release();
  await until(() => waiting.every(({ state }) => state === "resolved"), "all are settled");
  assertEquals([rig.log.syncs, rig.log.synced], [2, 4]);
});

Deno.test("AppendLog.settled() resolves in the order of batches", async () => {
  await using rig = new Rig("always");
  const order: number[] = [];
  const waiting: Promise<void>[] = [];
  for (let i = 0; i < 5; i++) {
    rig.set(`key ${i}`);
    waiting.push(rig.log.settled().then(() => void order.push(i)));
    for (let turns = i; turns > 0; turns--) await undefined;
  }
  await Promise.all(waiting);
  assertEquals(order, [0, 1, 2, 3, 4]);
});

Deno.test("AppendLog.settled() waits for the sync of other commands' effects that a reader has seen", async () => {
  await using rig = new Rig("always");
  const release = rig.files.holdSyncs();
  rig.set("a");
  const writer = watch(rig.log.settled());
  await settle();
  assert(rig.log.mustWait(rig.log.writes), "a reader may tell of what is not on disk");
  const reader = watch(rig.log.settled());
  release();
  await until(() => reader.state === "resolved", "the reader may go on");
  assertEquals([writer.state, rig.log.batch], ["resolved", 1]);
});

Deno.test("AppendLog.tick() syncs with everysec only if something was written", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  rig.write("b");
  rig.log.tick();
  await settle();
  assertEquals([rig.log.synced, rig.log.syncs], [2, 1]);
  rig.log.tick();
  await settle();
  assertEquals(rig.log.syncs, 1);
});

Deno.test("AppendLog.tick() writes with never, and syncs a new segment once for its header", async () => {
  await using rig = new Rig("never");
  rig.set("a");
  for (let ticks = 0; ticks < 3; ticks++) {
    rig.log.tick();
    await settle();
    rig.set("b");
  }
  assertEquals([rig.batches(1).length, rig.files.calls.sync, rig.log.synced], [3, 1, 0]);
  assertEquals(rig.files.list(FOLDER), ["log-000000000000001.inmem"]);
});

Deno.test("AppendLog.settled() waits with everysec when a sync takes far too long", async () => {
  await using rig = new Rig("everysec");
  const release = rig.files.holdSyncs();
  rig.write("a");
  rig.log.tick();
  rig.nowMs += LOG_SYNC_LAG_MAX_MS;
  rig.set("b");
  await rig.log.settled();
  rig.nowMs++;
  rig.set("c");
  const settled = watch(rig.log.settled());
  await settle();
  assertEquals(settled.state, "pending");
  release();
  await until(() => settled.state === "resolved", "it is settled");
});

Deno.test("AppendLog refuses writes while a batch cannot be written, keeps it, and continues when there is room", async () => {
  await using rig = new Rig("always");
  rig.set("a");
  await rig.log.settled();
  rig.files.capacityBytes = rig.files.usedBytes;
  const before = rig.log.writes;
  rig.set("b");
  const held = watch(rig.log.settled());
  await settle();
  assertEquals(held.state, "pending");
  assertEquals(rig.refusals, ["the log cannot be written: simulated ENOSPC"]);
  assertEquals(rig.log.refusal, rig.refusals[0]);
  assert(rig.log.unwrittenBytes > 0);
  assert(rig.log.mustWait(before), "whose effects these are has to wait");
  assert(!rig.log.mustWait(rig.log.writes), "others read on");
  rig.files.capacityBytes = Infinity;
  await until(() => held.state === "resolved", "what was held goes on");
  assertEquals([rig.log.refusal, rig.refusals.length, rig.refusals[1]], [undefined, 2, undefined]);
  assertEquals(rig.batches(1), [[1, 0], [2, 0]]);
  assertEquals([rig.log.synced, rig.log.unwrittenBytes, rig.log.mustWait(before)], [2, 0, false]);
});

Deno.test("AppendLog writes the rest of a batch that was partly written when the disk became full", async () => {
  for (let room = 0; room < 56; room += 5) {
    await using rig = new Rig("everysec");
    rig.write("a");
    const size = rig.files.usedBytes;
    rig.files.capacityBytes = size + room;
    rig.write("b", "something longer");
    assertEquals(rig.files.usedBytes, size + room);
    assertEquals(rig.batches(1).length, 1);
    rig.write("c");
    rig.files.capacityBytes = Infinity;
    rig.log.tick();
    await settle();
    assertEquals(rig.batches(1), [[1, 0], [2, 1], [3, 2]], `${room} bytes`);
    assertEquals(rig.log.refusal, undefined);
  }
});

Deno.test("AppendLog.settled() rejects when a batch could not be written for too long, and may write it later", async () => {
  await using rig = new Rig("everysec");
  rig.files.fail({ call: "write", code: "EIO" });
  rig.set("a");
  const first = watch(rig.log.settled());
  await settle();
  rig.nowMs += 1;
  rig.set("b");
  const second = rig.log.settled();
  const outcome = watch(second);
  rig.nowMs += LOG_HOLD_MAX_MS - 1;
  await until(() => first.state !== "pending", "the first is settled");
  assertEquals([first.state, outcome.state], ["rejected: NotSavedError", "pending"]);
  rig.nowMs += 1;
  await assertRejects(() => second, NotSavedError, "simulated EIO");
  rig.files.heal();
  await until(() => rig.log.refusal === undefined, "writes are accepted");
  assertEquals(rig.batches(1), [[1, 0], [2, 1]]);
});

Deno.test("AppendLog continues in another segment when a file has reached the system's size limit", async () => {
  await using rig = new Rig("always");
  rig.set("a");
  await rig.log.settled();
  rig.files.fail({ call: "write", code: "EFBIG", path: /log-0+1\./, writes: 20 });
  rig.set("b");
  const held = watch(rig.log.settled());
  await settle();
  assertEquals([held.state, rig.log.refusal], ["pending", "the log cannot be written: simulated EFBIG"]);
  await until(() => held.state === "resolved", "what was held goes on");
  assertEquals(rig.segments, [1, 2]);
  assertEquals([rig.batches(1), rig.batches(2)], [[[1, 0]], [[2, 0]]]);
  assertEquals([rig.log.synced, rig.log.refusal], [2, undefined]);
});

Deno.test("AppendLog does not sync after a failed sync, until a snapshot contains everything", async () => {
  await using rig = new Rig("always");
  rig.files.fail({ call: "sync", code: "EIO", times: 1 });
  const before = rig.log.writes;
  rig.set("a");
  const first = watch(rig.log.settled());
  await until(() => rig.log.refusal !== undefined, "writes are refused");
  assertEquals(rig.refusals, ["the log cannot be synced: simulated EIO"]);
  assert(rig.log.mustRebase);
  assert(rig.log.mustWait(before) && !rig.log.mustWait(rig.log.writes));
  // An effect of an expired key, for example, is sealed, but not written after the batch whose sync failed.
  rig.write("b");
  const second = watch(rig.log.settled());
  const syncs = rig.files.calls.sync;
  for (let i = 0; i < 3; i++) {
    rig.log.tick();
    await settle();
  }
  assertEquals([rig.files.calls.sync, rig.batches(1)], [syncs, [[1, 0]]]);
  rig.log.captured(0);
  await settle();
  assertEquals([first.state, rig.log.mustRebase], ["pending", true], "an older snapshot does not help");
  rig.log.captured(1);
  await settle();
  assertEquals([first.state, second.state], ["resolved", "resolved"]);
  assertEquals([rig.log.mustRebase, rig.log.refusal, rig.log.synced], [false, undefined, 2]);
  assertEquals(rig.segments, [1, 2]);
  assertEquals(rig.batches(2), [[2, 1]]);
});

Deno.test("AppendLog writes the header of a segment without a batch again after a failed sync", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  rig.log.rotate();
  const path = pathOf(rig.files, 2);
  const header = rig.files.read(path);
  rig.files.fail({ call: "sync", code: "EIO", times: 1 });
  rig.log.tick();
  await until(() => rig.log.mustRebase, "the log asks for a snapshot");
  rig.log.captured(rig.log.mark());
  assertEquals([rig.segments, rig.files.read(path).length], [[1, 2], header.length]);
  assertNotEquals(rig.files.read(path), header);
  rig.write("b");
  assertEquals([rig.log.refusal, rig.batches(2)], [undefined, [[2, 0]]]);
});

Deno.test("AppendLog.captured() abandons a segment whose last batch is torn", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  rig.files.capacityBytes = rig.files.usedBytes + 10;
  rig.write("b");
  assert(rig.log.refusal !== undefined);
  const captured = rig.log.mark();
  rig.write("c");
  rig.files.capacityBytes = Infinity;
  rig.log.captured(captured);
  assertEquals([rig.log.refusal, rig.segments], [undefined, [1, 3]]);
  assertEquals([rig.batches(1), rig.batches(3)], [[[1, 0]], [[3, 2]]]);
  await rig.log.close();
});

Deno.test("AppendLog.captured() writes nothing after a torn batch when it cannot begin a segment", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  const size = rig.files.usedBytes + 10;
  rig.files.capacityBytes = size;
  rig.write("b");
  const captured = rig.log.mark();
  rig.files.capacityBytes = Infinity;
  rig.files.fail({ call: "create", code: "EMFILE" });
  let error: unknown;
  try {
    rig.log.captured(captured);
  } catch (thrown) {
    error = thrown;
  }
  assertInstanceOf(error, Error);
  rig.write("c");
  rig.log.tick();
  await settle();
  assertEquals(rig.files.usedBytes, size);
  assert(rig.log.refusal !== undefined && rig.log.mustRebase);
  rig.files.heal();
  rig.log.captured(rig.log.mark());
  rig.write("d");
  assertEquals([rig.log.refusal, rig.segments, rig.batches(4)], [undefined, [1, 4], [[4, 0]]]);
});

Deno.test("AppendLog.captured() during a sync does not make it fail", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  rig.log.rotate();
  rig.write("b");
  rig.files.capacityBytes = rig.files.usedBytes + 10;
  const release = rig.files.holdSyncs();
  rig.write("c");
  rig.log.tick();
  await settle();
  const captured = rig.log.mark();
  rig.files.capacityBytes = Infinity;
  rig.log.captured(captured);
  assertEquals(rig.segments, [1, 2, 4]);
  release();
  await settle();
  assertEquals([rig.log.refusal, rig.log.mustRebase, rig.log.synced], [undefined, false, 3]);
  rig.write("d");
  rig.log.tick();
  await settle();
  assertEquals(rig.log.synced, 4);
});

Deno.test("AppendLog keeps unwritten batches up to its limit, and then needs a snapshot", async () => {
  await using rig = new Rig("everysec");
  rig.files.fail({ call: "write", code: "EIO" });
  const value = "x".repeat(LOG_UNWRITTEN_MAX_BYTES / 8);
  for (let i = 0; i < 8; i++) {
    assert(!rig.log.mustRebase);
    rig.write(`key ${i}`, value);
  }
  assert(rig.log.mustRebase);
  assertEquals(rig.log.unwrittenBytes, 0);
  assert(rig.log.mustWait(0), "those are not saved either");
  const held = watch(rig.log.settled());
  rig.files.heal();
  rig.log.tick();
  await settle();
  assertEquals(held.state, "pending");
  rig.log.captured(rig.log.mark());
  await settle();
  assertEquals([held.state, rig.log.refusal, rig.log.mustWait(0)], ["resolved", undefined, false]);
});

Deno.test("AppendLog.rotate() begins a segment with the next batch, and syncs the one before first", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  rig.log.rotate();
  rig.write("b");
  rig.log.rotate();
  rig.log.rotate();
  assertEquals(rig.segments, [1, 2, 3]);
  assertEquals([rig.batches(1), rig.batches(2), rig.batches(3)], [[[1, 0]], [[2, 1]], []]);
  const synced: string[] = [];
  rig.files.onCall = (call, path) => void (call === "sync" && synced.push(path));
  rig.log.tick();
  await settle();
  assertEquals(synced, [1, 2, 3].map((first) => unfinishedPath(segmentPath(FOLDER, first))));
  assertEquals(rig.files.list(FOLDER), [1, 2, 3].map((first) => segmentPath(FOLDER, first).slice(FOLDER.length + 1)));
  assertEquals(rig.log.synced, 2);
});

Deno.test("AppendLog.rotate() continues with the segment when it cannot begin another", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  rig.files.capacityBytes = rig.files.usedBytes + 20;
  let error: unknown;
  try {
    rig.log.rotate();
  } catch (thrown) {
    error = thrown;
  }
  assertInstanceOf(error, Error);
  await settle();
  rig.files.capacityBytes = Infinity;
  rig.write("b");
  assertEquals([rig.log.refusal, rig.segments, rig.batches(1)], [undefined, [1], [[1, 0], [2, 1]]]);
  rig.log.rotate();
  assertEquals(rig.segments, [1, 3]);
});

Deno.test("AppendLog.rotate() does nothing while the log fails", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  rig.files.fail({ call: "write", code: "EIO" });
  rig.write("b");
  rig.log.rotate();
  assertEquals(rig.segments, [1]);
});

Deno.test("AppendLog.captured() closes unnecessary segments, even with never", async () => {
  await using rig = new Rig("never");
  rig.write("a");
  const captured = rig.log.mark();
  rig.log.rotate();
  rig.write("b");
  rig.log.captured(captured);
  const synced: string[] = [];
  rig.files.onCall = (call, path) => void (call === "sync" && synced.push(path));
  await rig.log.close();
  assertEquals(synced, [unfinishedPath(segmentPath(FOLDER, 2))]);
});

Deno.test("AppendLog.close() syncs everything with any policy, and resolves all waits", async () => {
  for (const policy of ["always", "everysec", "never"] as const) {
    await using rig = new Rig(policy);
    rig.set("a");
    await rig.log.settled();
    rig.set("b");
    const held = watch(rig.log.settled());
    await rig.log.close();
    await settle();
    assertEquals([held.state, rig.log.synced], ["resolved", 2], policy);
    await rig.log.close();
  }
});

Deno.test("AppendLog.close() waits for a running sync, and syncs what was written after it began", async () => {
  await using rig = new Rig("always");
  const release = rig.files.holdSyncs();
  rig.set("a");
  const first = watch(rig.log.settled());
  await settle();
  rig.set("b");
  const second = watch(rig.log.settled());
  const closed = rig.log.close();
  release();
  await closed;
  await settle();
  assertEquals([first.state, second.state, rig.log.synced, rig.log.syncs], ["resolved", "resolved", 2, 2]);
});

Deno.test("AppendLog.close() rejects when the last batches are not on disk", async () => {
  for (const call of ["write", "sync"] as const) {
    await using rig = new Rig("always");
    rig.files.fail({ call, code: "EIO" });
    rig.set("a");
    const held = watch(rig.log.settled());
    await assertRejects(() => rig.log.close(), NotSavedError, "simulated EIO");
    await settle();
    assertEquals(held.state, "rejected: NotSavedError", call);
  }
});

Deno.test("AppendLog continues after earlier batches, and records that they are on disk", async () => {
  await using rig = new Rig("always", 42);
  rig.set("a");
  await rig.log.settled();
  assertEquals([rig.segments, rig.batches(42), rig.log.batch, rig.log.synced], [[42], [[42, 0]], 42, 42]);
});

Deno.test("holdWriters() delays only replies to commands that have written, until its promise resolves", async () => {
  await using rig = new Rig("everysec");
  rig.write("a");
  const before = rig.log.writes;
  assertEquals(rig.log.mustWait(before), false);
  const caughtUp = Promise.withResolvers<void>();
  rig.log.holdWriters(caughtUp.promise);
  assertEquals(rig.log.mustWait(before), false, "who only reads does not wait");
  rig.set("b");
  assertEquals(rig.log.mustWait(before), true);
  const writer = watch(rig.log.settled(before));
  const reader = watch(rig.log.settled(rig.log.writes));
  await settle();
  assertEquals([writer.state, reader.state], ["pending", "resolved"]);
  assertEquals(rig.log.mustWait(before), true, "it is written, and waits all the same");
  caughtUp.resolve();
  await settle();
  assertEquals([writer.state, rig.log.mustWait(before)], ["resolved", false]);
  // A promise that resolves does not end the delay of a later one.
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  rig.log.holdWriters(first.promise);
  rig.log.holdWriters(second.promise);
  first.resolve();
  await settle();
  assertEquals(rig.log.mustWait(-1), true);
  second.resolve();
  await settle();
  assertEquals(rig.log.mustWait(-1), false);
});

/** Returns a log whose place is checked. */
async function withPlace(policy: FsyncPolicy): Promise<Rig> {
  const files = new SimulatedFiles();
  await files.makeFolder(FOLDER);
  return new Rig(policy, 1, await DataFolder.open(files, FOLDER));
}

Deno.test("AppendLog acknowledges nothing while its folder is another one, and continues when it is back", async () => {
  await using rig = await withPlace("always");
  rig.set("a");
  await rig.log.settled();
  const release = rig.files.holdSyncs();
  rig.set("b");
  const held = watch(rig.log.settled());
  await settle();
  const putBack = rig.files.replaceFolder(FOLDER);
  release();
  await until(() => rig.log.refusal !== undefined, "writes are refused");
  assert(rig.log.refusal!.includes("it was replaced by another one"), rig.log.refusal);
  assertEquals([held.state, rig.log.synced, rig.log.mustRebase, rig.log.needsSnapshot], ["pending", 1, false, false]);
  // Effects that no command asked for, such as those of expired keys, are kept and not written.
  const writes = rig.files.calls.write;
  rig.write("c");
  assertEquals([rig.files.calls.write, rig.log.unwrittenBytes > 0], [writes, true]);
  putBack();
  rig.log.check();
  await until(() => held.state === "resolved", "what was held goes on");
  assertEquals([rig.log.refusal, rig.batches(1).length], [undefined, 3]);
  assertEquals(rig.refusals.map((refusal) => typeof refusal), ["string", "undefined"]);
});

for (const policy of ["everysec", "never"] as const) {
  Deno.test(`AppendLog with ${policy} acknowledges nothing that it writes after its folder was removed`, async () => {
    await using rig = await withPlace(policy);
    rig.set("a");
    await rig.log.settled();
    const putBack = rig.files.replaceFolder(FOLDER);
    rig.nowMs += PLACE_LOOK_WRITING_MS;
    rig.set("b");
    const held = watch(rig.log.settled());
    await settle();
    assertEquals([held.state, rig.log.refusal?.includes("it was replaced by another one")], ["pending", true]);
    putBack();
    rig.log.check();
    await until(() => held.state === "resolved", "what was held goes on");
    assertEquals([rig.log.refusal, rig.batches(1).length], [undefined, 2]);
  });
}

Deno.test("AppendLog rejects waits for a missing folder sooner than waits for a full disk", async () => {
  await using rig = await withPlace("everysec");
  rig.files.replaceFolder(FOLDER);
  rig.log.check();
  rig.set("a");
  const held = watch(rig.log.settled());
  await settle();
  assertEquals(held.state, "pending");
  rig.nowMs += PLACE_HOLD_MAX_MS;
  await until(() => held.state !== "pending", "what was held goes on");
  assertEquals(held.state, "rejected: NotSavedError");
});

Deno.test("AppendLog.readmit() accepts writes again after a snapshot contains the data of a removed file", async () => {
  await using rig = await withPlace("everysec");
  rig.write("a");
  const before = rig.log.mark();
  rig.write("b");
  rig.files.unlink(unfinishedPath(segmentPath(FOLDER, 1)));
  rig.log.check();
  assert(rig.log.refusal!.includes("was removed or renamed by somebody else"), rig.log.refusal);
  assert(rig.log.mustRebase && rig.log.needsSnapshot);
  // A snapshot from before the removal was noticed does not count, even if a person asked for it.
  rig.log.captured(before);
  rig.log.readmit();
  assert(rig.log.refusal !== undefined && rig.log.mustRebase);
  rig.log.captured(rig.log.mark());
  assertEquals([rig.log.mustRebase, rig.segments], [false, [3]]);
  rig.log.check();
  assert(rig.log.refusal !== undefined, "no person has asked");
  rig.log.readmit();
  assertEquals(rig.log.refusal, undefined);
  rig.write("c");
  assertEquals(rig.batches(3).map(([number]) => number), [3]);
});

Deno.test("AppendLog.rotate() begins no segment in a folder that was replaced since the last check", async () => {
  await using rig = await withPlace("always");
  rig.set("a");
  await rig.log.settled();
  const putBack = rig.files.replaceFolder(FOLDER);
  assertThrows(() => rig.log.rotate(), Error, "was replaced by another one");
  await until(() => rig.segments.length === 0, "all segments are gone");
  putBack();
  rig.set("b");
  await rig.log.settled();
  assertEquals([rig.segments, rig.batches(1).length, rig.log.refusal], [[1], 2, undefined]);
});

Deno.test("AppendLog with always acknowledges nothing after its lock was removed, since another server may have one", async () => {
  const files = new SimulatedFiles();
  await files.makeFolder(FOLDER);
  const folder = await DataFolder.open(files, FOLDER);
  await using rig = new Rig("always", 1, folder);
  rig.set("a");
  await rig.log.settled();
  folder.close();
  rig.set("b");
  const held = watch(rig.log.settled());
  await until(() => rig.log.refusal !== undefined, "writes are refused");
  assert(rig.log.refusal!.includes("the lock file"), rig.log.refusal);
  assertEquals([held.state, rig.log.synced], ["pending", 1]);
});
