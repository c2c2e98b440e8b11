import { assert, assertEquals, assertRejects } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { DataFolder } from "../../src/log/folder.ts";

async function withFolder(run: (path: string) => Promise<void>): Promise<void> {
  const parent = await Deno.makeTempDir({ prefix: "inmem-folder-" });
  try {
    await run(`${parent}/data`);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
}

function put(text: string): (file: Deno.FsFile) => void {
  return (file) => void file.writeSync(new TextEncoder().encode(text));
}

async function contents(folder: DataFolder): Promise<string[]> {
  return await Promise.all((await folder.snapshots()).map(({ path }) => Deno.readTextFile(path)));
}

Deno.test("DataFolder.open() makes a folder that only its owner can read", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(`${path}/deep`);
    await folder.write(1, put("x"));
    assertEquals((await Deno.stat(`${path}/deep`)).mode! & 0o777, 0o700);
    for await (const { name } of Deno.readDir(`${path}/deep`)) {
      assertEquals((await Deno.stat(`${path}/deep/${name}`)).mode! & 0o777, 0o600, name);
    }
    folder.close();
  }));

Deno.test("DataFolder.open() refuses a folder that is open, and names the process", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    await assertRejects(() => DataFolder.open(path), StartError, `process ${Deno.pid}`);
    folder.close();
    (await DataFolder.open(path)).close();
  }));

Deno.test("DataFolder.open() refuses what is no folder", () =>
  withFolder(async (path) => {
    await Deno.writeTextFile(path, "a file");
    await assertRejects(() => DataFolder.open(path), StartError, path);
  }));

Deno.test("DataFolder.open() removes what an interrupted snapshot left, and nothing else", () =>
  withFolder(async (path) => {
    await Deno.mkdir(path);
    const temporary = `${path}/snapshot-000000000000007.tmp`;
    const kept = [`${path}/snapshot-000000000000006.inmem`, `${path}/notes.tmp`, `${path}/snapshot-7.tmp`];
    for (const name of [temporary, ...kept]) await Deno.writeTextFile(name, "half");
    const folder = await DataFolder.open(path);
    for (const name of kept) await Deno.stat(name);
    await assertRejects(() => Deno.stat(temporary), Deno.errors.NotFound);
    assertEquals((await folder.snapshots()).map(({ number }) => number), [6]);
    folder.close();
  }));

Deno.test("DataFolder.write() keeps the last two, in order even when the clock goes back", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    for (const [now, text] of [[1000, "a"], [2000, "b"], [500, "c"], [500, "d"]] as const) {
      await folder.write(now, put(text));
    }
    assertEquals(await contents(folder), ["d", "c"]);
    assertEquals((await folder.snapshots()).map(({ number }) => number), [2002, 2001]);
    folder.close();
  }));

Deno.test("DataFolder.write() leaves everything as it was when writing fails", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    await folder.write(1, put("good"));
    const full = () => {
      throw new Error("no space left");
    };
    await assertRejects(() => folder.write(2, full), Error, "no space left");
    assertEquals(await contents(folder), ["good"]);
    const names: string[] = [];
    for await (const { name } of Deno.readDir(path)) names.push(name);
    assert(names.every((name) => !name.endsWith(".tmp")), names.join());
    folder.close();
  }));

Deno.test("DataFolder.write() refuses a folder that was replaced, which another server may own", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    await folder.write(1, put("mine"));
    await Deno.rename(path, `${path}-moved`);
    await assertRejects(() => folder.write(2, put("nowhere")), StartError, path);
    const other = await DataFolder.open(path);
    await other.write(3, put("theirs"));
    await assertRejects(() => folder.write(4, put("mine")), StartError, "replaced by another one");
    other.close();
    await assertRejects(() => folder.write(5, put("mine")), StartError, "replaced by another one");
    assertEquals(await contents(other), ["theirs"]);
    await Deno.remove(path, { recursive: true });
    await Deno.rename(`${path}-moved`, path);
    await folder.write(6, put("mine again"));
    assertEquals(await contents(folder), ["mine again", "mine"]);
    folder.close();
  }));

Deno.test("DataFolder.write() goes on in a folder that was emptied by hand, and locks it anew", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    await Deno.remove(path, { recursive: true });
    await Deno.mkdir(path);
    await folder.write(1, put("x"));
    assertEquals(await contents(folder), ["x"]);
    await assertRejects(() => DataFolder.open(path), StartError, `process ${Deno.pid}`);
    folder.close();
    (await DataFolder.open(path)).close();
  }));

Deno.test("DataFolder.write() refuses a number that its names have no room for, rather than hide the snapshot", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    const last = `${path}/snapshot-999999999999999.inmem`;
    await Deno.writeTextFile(last, "last");
    await assertRejects(() => folder.write(1, put("x")), Error, last);
    assertEquals(await contents(folder), ["last"]);
    folder.close();
  }));

Deno.test("DataFolder.snapshots() counts links, so that no start goes without what they lead to", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    await Deno.writeTextFile(`${path}/elsewhere`, "linked");
    await Deno.symlink(`${path}/elsewhere`, `${path}/snapshot-000000000000007.inmem`);
    assertEquals(await contents(folder), ["linked"]);
    folder.close();
  }));

Deno.test("DataFolder.open() locks what a link leads to", () =>
  withFolder(async (path) => {
    const folder = await DataFolder.open(path);
    await Deno.symlink(path, `${path}-link`);
    await assertRejects(() => DataFolder.open(`${path}-link`), StartError, `process ${Deno.pid}`);
    folder.close();
    const linked = await DataFolder.open(`${path}-link`);
    await linked.write(1, put("x"));
    assertEquals(await contents(linked), ["x"]);
    linked.close();
  }));

Deno.test("DataFolder.spare() keeps what was there at start", () =>
  withFolder(async (path) => {
    const first = await DataFolder.open(path);
    for (const text of ["old", "damaged"]) await first.write(1, put(text));
    first.close();
    const second = await DataFolder.open(path);
    await second.spare();
    for (const text of ["x", "y", "z"]) await second.write(1, put(text));
    assertEquals(await contents(second), ["z", "y", "damaged", "old"]);
    second.close();
  }));
