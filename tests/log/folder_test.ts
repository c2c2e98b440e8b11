import { assertEquals, assertRejects } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { DataFolder } from "../../src/log/folder.ts";
import { segmentPath } from "../../src/log/segment.ts";
import { systemFiles } from "../../src/log/system_files.ts";
import { Persistence } from "../../src/server/persistence.ts";
import { Store } from "../../src/store/store.ts";

async function withFolder(run: (path: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "inmem-folder-" });
  try {
    await run(`${parent}/data`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function open(path: string): Promise<DataFolder> {
  return DataFolder.open(systemFiles, path);
}

/** Writes a snapshot to the folder as persistence does. */
async function write(folder: DataFolder, nowMs: number, text: string, batch = 0): Promise<void> {
  const { temporary, path } = await folder.nextSnapshot(nowMs);
  await Deno.writeTextFile(temporary, text, { createNew: true });
  await folder.publish(temporary, path);
  await folder.removeOld(batch);
}

async function contents(folder: DataFolder): Promise<string[]> {
  return await Promise.all((await folder.snapshots()).map(({ path }) => Deno.readTextFile(path)));
}

async function namesIn(path: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(path), ({ name }) => name)).sort();
}

async function modeOf(path: string): Promise<number> {
  return (await Deno.stat(path)).mode! & 0o777;
}

Deno.test("DataFolder.open() creates a folder and files that only their owner can read", () =>
  withFolder(async (path) => {
    const deep = `${path}/deep`;
    const store = new Store({ memoryLimitBytes: 8 * 1024 * 1024, evicts: false, seed: [1, 2] });
    const persistence = await Persistence.open(store, {
      path: deep,
      backup: undefined,
      repair: false,
      fsync: "always",
      growthPercent: 0,
      intervalMs: 0,
    });
    const key = new TextEncoder().encode("k");
    store.strings.set(key, 0, 1, 0, key, 0, 1, 0);
    await persistence.log!.settled();
    await persistence.save();
    const names = await namesIn(deep);
    assertEquals(names.map((name) => name.replace(/[0-9]{15}/, "#")), [
      "inmem.lock",
      "log-#.inmem",
      "snapshot-#.inmem",
    ]);
    assertEquals([await modeOf(path), await modeOf(deep)], [0o700, 0o700]);
    for (const name of names) assertEquals(await modeOf(`${deep}/${name}`), 0o600, name);
    await persistence.close();
  }));

Deno.test("DataFolder.open() refuses a folder that is in use, and names the process", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    assertEquals(await Deno.readTextFile(`${path}/inmem.lock`), `${Deno.pid}\n`);
    await assertRejects(() => open(path), StartError, `process ${Deno.pid}`);
    folder.close();
    (await open(path)).close();
  }));

Deno.test("DataFolder.open() refuses a path that is not a folder", () =>
  withFolder(async (path) => {
    await Deno.writeTextFile(path, "a file");
    await assertRejects(() => open(path), StartError, path);
  }));

Deno.test("DataFolder.open() removes only what an interrupted snapshot left", () =>
  withFolder(async (path) => {
    await Deno.mkdir(path);
    const temporary = "snapshot-000000000000007.tmp";
    const kept = [
      "log-000000000000001.inmem",
      "log-000000000000001.inmem.3.torn",
      "notes.tmp",
      "snapshot-000000000000006.inmem",
      "snapshot-7.tmp",
    ];
    for (const name of [temporary, ...kept]) await Deno.writeTextFile(`${path}/${name}`, "half");
    const folder = await open(path);
    assertEquals(await namesIn(path), ["inmem.lock", ...kept]);
    assertEquals((await folder.snapshots()).map(({ number }) => number), [6]);
    assertEquals((await folder.segments()).map(({ number }) => number), [1]);
    folder.close();
  }));

Deno.test("DataFolder.nextSnapshot() numbers snapshots in order even if the clock is set back; the last two stay", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    for (const [now, text] of [[1000, "a"], [2000, "b"], [500, "c"], [500, "d"]] as const) {
      await write(folder, now, text);
    }
    assertEquals(await contents(folder), ["d", "c"]);
    assertEquals((await folder.snapshots()).map(({ number }) => number), [2002, 2001]);
    folder.close();
  }));

Deno.test("DataFolder.publish() and removeOld() do not change a folder that has replaced theirs", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    await write(folder, 1, "mine");
    const { temporary, path: target } = await folder.nextSnapshot(2);
    await Deno.rename(path, `${path}-moved`);
    const other = await open(path);
    for (const number of [3, 4, 5]) await write(other, number, "theirs", 0);
    for (const name of ["log-000000000000001.inmem", "log-000000000000002.inmem"]) {
      await Deno.writeTextFile(`${path}/${name}`, "theirs");
    }
    await Deno.writeTextFile(temporary, "mine");
    const before = await namesIn(path);
    await assertRejects(() => folder.publish(temporary, target), StartError, "replaced by another one");
    await folder.removeOld(1_000);
    assertEquals(await namesIn(path), before);
    other.close();
    folder.close();
  }));

Deno.test("DataFolder.nextSnapshot() refuses a folder that was replaced, since another server may own it", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    await write(folder, 1, "mine");
    await Deno.rename(path, `${path}-moved`);
    await assertRejects(() => folder.nextSnapshot(2), StartError, path);
    const other = await open(path);
    await write(other, 3, "theirs");
    await assertRejects(() => folder.nextSnapshot(4), StartError, "replaced by another one");
    other.close();
    await assertRejects(() => folder.nextSnapshot(5), StartError, "replaced by another one");
    assertEquals(await contents(other), ["theirs"]);
    await Deno.remove(path, { recursive: true });
    await Deno.rename(`${path}-moved`, path);
    await write(folder, 6, "mine again");
    assertEquals(await contents(folder), ["mine again", "mine"]);
    folder.close();
  }));

Deno.test("DataFolder.retake() continues in an empty folder of the same name, and locks it", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    assertEquals(await folder.retake(), false);
    await Deno.remove(path, { recursive: true });
    await assertRejects(() => folder.retake(), StartError, "is gone: it was removed or renamed");
    await Deno.mkdir(path);
    await assertRejects(() => write(folder, 1, "x"), StartError, "replaced by another one");
    assertEquals(await folder.retake(), true);
    await write(folder, 1, "x");
    assertEquals(await contents(folder), ["x"]);
    await assertRejects(() => open(path), StartError, `process ${Deno.pid}`);
    folder.close();
    (await open(path)).close();
  }));

Deno.test("DataFolder.retake() refuses a folder that a server has used, and any while the first one exists", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    await Deno.rename(path, `${path}-moved`);
    await Deno.mkdir(path);
    await assertRejects(() => folder.retake(), StartError, "that one still exists: move it back");
    await Deno.remove(`${path}-moved`, { recursive: true });
    const names = [
      "inmem.lock",
      "snapshot-000000000000001.inmem",
      "log-000000000000001.inmem",
      "log-000000000000001.new",
    ];
    for (const name of names) {
      await Deno.writeTextFile(`${path}/${name}`, "");
      await assertRejects(() => folder.retake(), StartError, `in this one there is "${name}"`);
      assertEquals(await namesIn(path), [name]);
      await Deno.remove(`${path}/${name}`);
    }
    assertEquals(await folder.retake(), true);
    folder.close();
  }));

Deno.test("DataFolder.retake() creates a removed lock again, and takes none from another server", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    await Deno.remove(`${path}/inmem.lock`);
    await assertRejects(() => folder.nextSnapshot(1), StartError, "was removed, and another server could start there");
    assertEquals(await folder.retake(), false);
    await assertRejects(() => open(path), StartError, `process ${Deno.pid}`);
    await write(folder, 1, "x");
    await Deno.remove(`${path}/inmem.lock`);
    const other = await open(path);
    await assertRejects(() => folder.retake(), StartError, "was replaced by another one");
    other.close();
    await assertRejects(() => folder.retake(), StartError, "was replaced by another one");
    folder.close();
  }));

Deno.test("DataFolder.nextSnapshot() refuses a number that does not fit into its names", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    const last = `${path}/snapshot-999999999999999.inmem`;
    await Deno.writeTextFile(last, "last");
    await assertRejects(() => folder.nextSnapshot(1), Error, last);
    assertEquals(await contents(folder), ["last"]);
    folder.close();
  }));

Deno.test("DataFolder.snapshots() includes links, so that no start ignores their targets", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    await Deno.writeTextFile(`${path}/elsewhere`, "linked");
    await Deno.symlink(`${path}/elsewhere`, `${path}/snapshot-000000000000007.inmem`);
    assertEquals(await contents(folder), ["linked"]);
    folder.close();
  }));

Deno.test("DataFolder.open() locks the target of a link", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    await Deno.symlink(path, `${path}-link`);
    await assertRejects(() => open(`${path}-link`), StartError, `process ${Deno.pid}`);
    folder.close();
    const linked = await open(`${path}-link`);
    await write(linked, 1, "x");
    assertEquals(await contents(linked), ["x"]);
    linked.close();
  }));

Deno.test("DataFolder.protect() keeps the files that existed at the start", () =>
  withFolder(async (path) => {
    const first = await open(path);
    for (const text of ["old", "damaged"]) await write(first, 1, text);
    for (const number of [1, 5]) await Deno.writeTextFile(segmentPath(path, number), "log");
    first.close();
    const second = await open(path);
    await second.protect();
    await Deno.writeTextFile(segmentPath(path, 9), "log");
    await Deno.writeTextFile(segmentPath(path, 12), "log");
    for (const text of ["x", "y", "z"]) await write(second, 1, text, 100);
    assertEquals(await contents(second), ["z", "y", "damaged", "old"]);
    assertEquals((await second.segments()).map(({ number }) => number), [1, 5, 12]);
    second.close();
  }));

Deno.test("DataFolder.protect() keeps the given files", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    for (const number of [1, 5, 9]) await Deno.writeTextFile(segmentPath(path, number), "log");
    await folder.protect([segmentPath(path, 5)]);
    await folder.removeOld(100);
    assertEquals((await folder.segments()).map(({ number }) => number), [5, 9]);
    folder.close();
  }));

Deno.test("DataFolder.removeOld() removes segments whose batches a snapshot contains, but never the last one", () =>
  withFolder(async (path) => {
    const folder = await open(path);
    const numbers = async () => (await folder.segments()).map(({ number }) => number);
    for (const number of [1, 10, 20, 30]) await Deno.writeTextFile(segmentPath(path, number), "log");
    await folder.removeOld(8);
    assertEquals(await numbers(), [1, 10, 20, 30]);
    await folder.removeOld(9);
    assertEquals(await numbers(), [10, 20, 30]);
    await folder.removeOld(29);
    assertEquals(await numbers(), [30]);
    await folder.removeOld(1_000);
    assertEquals(await numbers(), [30]);
    folder.close();
  }));

Deno.test("Persistence.open() releases the folder when it cannot start", () =>
  withFolder(async (path) => {
    await Deno.mkdir(path);
    const snapshot = `${path}/snapshot-000000000000001.inmem`;
    await Deno.writeTextFile(snapshot, "damaged");
    const store = new Store({ memoryLimitBytes: 8 * 1024 * 1024, evicts: false, seed: [1, 2] });
    const starting = Persistence.open(store, {
      path,
      backup: undefined,
      repair: false,
      fsync: "always",
      growthPercent: 0,
      intervalMs: 0,
    });
    await assertRejects(() => starting, StartError, snapshot);
    const folder = await open(path);
    assertEquals(await contents(folder), ["damaged"]);
    folder.close();
  }));
