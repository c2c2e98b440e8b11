import { assertEquals, assertGreater } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { LOG_WRITE_BYTES } from "../../src/limits.ts";
import { recover } from "../../src/log/recover.ts";
import { Persistence } from "../../src/server/persistence.ts";
import { Replayer } from "../../src/server/replayer.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { drain, Interleaving, type Operation } from "../support/interleaving.ts";
import type { MemoryClient } from "../support/memory_client.ts";
import { pause } from "../support/pause.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { differenceOf, stateOf } from "../support/store_history.ts";

const FOLDER = "/data";

function makeStore(): Store {
  return new Store({ memoryLimitBytes: 128 * 1024 * 1024, evicts: false, seed: [1, 2] });
}

/** A store that is kept on simulated files, and its clients. */
class Rig {
  readonly files = new SimulatedFiles();
  readonly store = makeStore();
  readonly random = new Random(1);
  persistence!: Persistence;
  all!: Interleaving;

  static async open(): Promise<Rig> {
    const rig = new Rig();
    rig.persistence = await Persistence.open(rig.store, {
      path: FOLDER,
      backup: undefined,
      repair: false,
      fsync: "always",
      growthPercent: 0,
      intervalMs: 0,
      files: rig.files,
      now: () => rig.all?.clock.nowMs ?? 0,
    });
    rig.all = new Interleaving(rig.store, rig.persistence.log);
    return rig;
  }

  async begin(client: MemoryClient, ...requests: (readonly Argument[])[]): Promise<Operation> {
    const operation = this.all.begin(client, requests);
    await drain();
    return operation;
  }

  async step(): Promise<void> {
    this.all.step(this.random);
    await drain();
  }

  finish(): Promise<void> {
    return this.all.finish(this.random, () => Promise.resolve());
  }

  /** Returns the store that a start loads after the process was killed. */
  async load(): Promise<Store> {
    const loaded = makeStore();
    await recover({ files: this.files.kill(), folder: FOLDER, target: new Replayer(loaded) });
    return loaded;
  }

  async loadKeys(): Promise<number> {
    this.persistence.log!.flush();
    return (await this.load()).size;
  }

  async close(): Promise<void> {
    this.all.assertReleased();
    await this.persistence.close();
    assertEquals(differenceOf(stateOf(await this.load()), stateOf(this.store), this.all.clock.nowMs), undefined);
  }
}

function turn(): Promise<void> {
  return pause(0);
}

Deno.test("a long command enters the log when it has ended, after the effects of others", async () => {
  const rig = await Rig.open();
  const [writer, other] = [rig.all.makeClient(1), rig.all.makeClient(Infinity)];
  const writing = await rig.begin(writer, ["set", "long", new Uint8Array(3_000_000)]);
  for (let i = 0; writing.frame === undefined; i++) {
    await rig.begin(other, ["set", `other${i}`, "x"]);
    assertEquals(await rig.loadKeys(), i + 1);
    await rig.step();
  }
  assertGreater(await rig.loadKeys(), 5);
  await rig.close();
});

Deno.test("a long command that replaces an expired key is in the log completely", async () => {
  const rig = await Rig.open();
  const [writer, other] = [rig.all.makeClient(1), rig.all.makeClient(Infinity)];
  other.call("set", "long", "old", "PX", 10);
  rig.all.clock.nowMs += 20;
  const writing = await rig.begin(writer, ["set", "long", new Uint8Array(3_000_000)]);
  assertEquals(writing.frame, undefined);
  assertEquals(await rig.loadKeys(), 0);
  await rig.finish();
  assertEquals(await rig.loadKeys(), 1);
  await rig.close();
});

Deno.test("a batch that takes several turns to be written precedes later ones, and survives a rotation", async () => {
  const rig = await Rig.open();
  const [writer, other] = [rig.all.makeClient(1), rig.all.makeClient(Infinity)];
  await rig.begin(writer, ["set", "long", new Uint8Array(3 * LOG_WRITE_BYTES)]);
  await rig.finish();
  const log = rig.persistence.log!;
  log.flush();
  assertGreater(log.unwrittenBytes, 0);
  await rig.begin(other, ["set", "later", "x"]);
  // After a kill in the middle, neither is there: what was not written was not acknowledged.
  const early = makeStore();
  await recover({ files: rig.files.kill(), folder: FOLDER, target: new Replayer(early) });
  assertEquals(early.size, 0);
  const saving = rig.persistence.save();
  await rig.begin(other, ["append", "long", "!"]);
  await saving;
  await log.settled();
  assertEquals((await rig.load()).size, 2);
  await rig.close();
});

Deno.test("a snapshot waits for long commands, but not for those that would begin meanwhile", async () => {
  const rig = await Rig.open();
  const other = rig.all.makeClient(Infinity);
  for (let i = 0; i < 10; i++) other.call("rpush", "list", ...new Array(500).fill("x"));
  const writers = [rig.all.makeClient(1), rig.all.makeClient(1), rig.all.makeClient(1)];
  const long = (i: number): Argument[] => {
    return [["set", `key${i}`, new Uint8Array(1_500_000)], ["copy", "list", `key${i}`, "REPLACE"]][i % 2]!;
  };
  const running: (Operation | undefined)[] = [undefined, undefined, undefined];
  let isSaved = false;
  let saving: Promise<void> | undefined;
  for (let i = 0; !isSaved; i++) {
    assertGreater(3_000, i, "the snapshot does not come to its moment");
    for (const [place, client] of writers.entries()) {
      if (running[place] === undefined || running[place].frame !== undefined) {
        running[place] = await rig.begin(client, long(i + place));
      }
      if (place === i % 3 && rig.all.pausedCount > 0) await rig.step();
    }
    if (i === 5) saving = rig.persistence.save().then(() => void (isSaved = true));
    await turn();
  }
  await saving;
  await rig.finish();
  await rig.close();
});

Deno.test("a group that is closed twice is in the log once", async () => {
  const rig = await Rig.open();
  const log = rig.persistence.log!;
  const key = encodeText("k");
  const from = log.position;
  rig.store.lists.push(key, 0, 1, 0, false, key, 0, 1);
  const group = log.openGroup(from, 0);
  assertEquals(log.openGroups, 1);
  group.close();
  group.close();
  assertEquals(log.openGroups, 0);
  log.flush();
  assertEquals((await rig.load()).size, 1);
  await rig.close();
});
