/**
 * Tests `inmem restore`: it puts a backup into a data folder once, completely or not at all, and older data is kept.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { segmentPath } from "../../src/log/segment.ts";
import { type Client, connect } from "../../src/mod.ts";
import { longOnly } from "../support/amount.ts";
import { serverWords } from "../support/kill_rounds.ts";
import { type Launcher, type Outcome, type Role, runInmem, systemTest } from "../support/launcher.ts";

async function start(launcher: Launcher, data: string, ...more: string[]): Promise<Role> {
  const process = launcher.start("server", [...serverWords(data), ...more]);
  return { process, address: await process.address() };
}

function open({ address }: Role): Promise<Client> {
  return connect({ addr: address, plaintext: true });
}

/** Returns the names in a folder, with the content of files. */
async function contents(folder: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && name !== "inmem.lock") found.set(name, await Deno.readFile(join(folder, name)));
  }
  return found;
}

function refused({ code, stdout, stderr }: Outcome, pattern: RegExp, expectedCode = 1): void {
  assertEquals([code, stdout], [expectedCode, ""], stderr);
  assertMatch(stderr, pattern);
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
}

/** Creates a data folder whose `x` is "new", and a backup from the time when it was "old". */
async function withBackup(launcher: Launcher): Promise<{ data: string; backup: string }> {
  const data = launcher.newFolder();
  const server = await start(launcher, data, "--fsync", "always");
  const client = await open(server);
  await client.set("x", "old");
  await client.send(["save", "monday.inmem"]);
  await client.set("x", "new");
  await client.set("later", "1");
  await client.save();
  await client.set("latest", "1");
  await client.close();
  await launcher.stop(server);
  return { data, backup: join(data, "backups/monday.inmem") };
}

async function valuesAfterStart(launcher: Launcher, data: string): Promise<(string | null)[]> {
  const server = await start(launcher, data);
  const client = await open(server);
  const values = await client.text.mget("x", "later", "latest", "since");
  await client.set("since", "1");
  await client.close();
  await launcher.stop(server);
  return values;
}

systemTest("inmem restore puts a backup into a new folder, and later starts use it", async (launcher) => {
  const { backup } = await withBackup(launcher);
  const target = launcher.newFolder();
  const { code, stdout, stderr } = await runInmem(["restore", backup, "--data", target]);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^restored {2}.*\/snapshot-[0-9]{15}\.inmem: 1 key, .*, taken 20.*Z\n$/);
  assertEquals((await Deno.stat(target)).mode! & 0o777, 0o700);
  for (const name of (await contents(target)).keys()) {
    assertEquals((await Deno.stat(join(target, name))).mode! & 0o777, 0o600, name);
  }
  assertEquals((await runInmem(["check", target])).code, 0);
  assertEquals(await valuesAfterStart(launcher, target), ["old", null, null, null]);
  assertEquals(await valuesAfterStart(launcher, target), ["old", null, null, "1"]);
});

systemTest(
  "inmem restore refuses a folder with data unless it may move the data aside, and keeps all of it",
  longOnly,
  async (launcher) => {
    const { data, backup } = await withBackup(launcher);
    const before = await contents(data);
    refused(
      await runInmem(["restore", backup, "--data", data]),
      /^inmem: Cannot restore into ".*": it holds data.*--move-aside/,
    );
    assertEquals(await contents(data), before);

    const { code, stdout } = await runInmem(["restore", backup, "--data", data, "--move-aside"]);
    assertEquals(code, 0);
    const aside = /^moved {5}the previous data to (.*)$/m.exec(stdout)![1]!;
    assertEquals(await contents(aside), before);
    assertEquals([...(await contents(data)).keys()].length, 1);
    assertEquals(await valuesAfterStart(launcher, data), ["old", null, null, null]);
    assertEquals(await valuesAfterStart(launcher, data), ["old", null, null, "1"]);
    // The folder that was moved aside is a data folder.
    assertEquals(await valuesAfterStart(launcher, aside), ["new", "1", "1", null]);
  },
);

systemTest("inmem restore replaces a folder whose data is damaged", async (launcher) => {
  const { data, backup } = await withBackup(launcher);
  for await (const { name } of Deno.readDir(data)) {
    if (/^(log|snapshot)-/.test(name)) await Deno.writeFile(join(data, name), new Uint8Array(50));
  }
  refused(await runInmem(serverWords(data)), new RegExp(`damaged.*"inmem restore FILE --data ${data} --move-aside"`));
  assertEquals((await runInmem(["restore", backup, "--data", data, "--move-aside"])).code, 0);
  assertEquals(await valuesAfterStart(launcher, data), ["old", null, null, null]);
});

systemTest(
  "inmem restore changes nothing if the file is damaged or not a backup, or the folder is in use",
  async (launcher) => {
    const { data, backup } = await withBackup(launcher);
    const good = await Deno.readFile(backup);
    const bad = launcher.path("bad.inmem");
    const damages: Record<string, Uint8Array> = {
      "a bit": good.map((byte, index) => index === good.length - 20 ? byte ^ 1 : byte),
      "a cut": good.slice(0, -1),
      "nothing": new Uint8Array(0),
      "zeros": new Uint8Array(good.length),
      "more": Uint8Array.from([...good, 0]),
      "a log": await Deno.readFile(segmentPath(data, 4)),
      "another file": new TextEncoder().encode("These are not the bytes that you are looking for."),
    };
    for (const [what, bytes] of Object.entries(damages)) {
      await Deno.writeFile(bad, bytes);
      const target = launcher.newFolder();
      const outcome = await runInmem(["restore", bad, "--data", target]);
      refused(outcome, /^inmem: Cannot restore ".*bad\.inmem": .*Nothing was changed/);
      assert(await Deno.stat(target).then(() => false, () => true), `${what}: a folder was made`);
    }
    refused(
      await runInmem(["restore", launcher.path("none"), "--data", data]),
      /^inmem: Cannot restore .*there is no such file/,
    );
    const server = await start(launcher, data);
    const before = await contents(data);
    for (const more of [[], ["--move-aside"]]) {
      refused(
        await runInmem(["restore", backup, "--data", data, ...more]),
        new RegExp(
          `^inmem: Cannot use the data folder .*another inmem server \\(process ${server.process.pid}\\) has it open`,
        ),
      );
    }
    assertEquals(await contents(data), before);
    refused(await runInmem(["restore", backup]), /expected --data FOLDER/, 2);
    refused(await runInmem(["restore"]), /expected a snapshot/, 2);
    refused(await runInmem(["restore", backup, backup, "--data", data]), /expected one snapshot/, 2);
  },
);

systemTest("an interrupted restore prevents the start, and can be repeated", async (launcher) => {
  const { data, backup } = await withBackup(launcher);
  // Half of the old files are moved, and the new file does not have its name yet.
  await Deno.mkdir(join(data, "replaced-20261130T000000.000Z"));
  for (const [name] of await contents(data)) {
    if (name.startsWith("snapshot-")) {
      await Deno.rename(join(data, name), join(data, "replaced-20261130T000000.000Z", name));
    }
  }
  await Deno.writeFile(join(data, "snapshot-000000000000001.tmp"), (await Deno.readFile(backup)).slice(0, 50));
  await Deno.writeTextFile(join(data, "restore.unfinished"), "");
  refused(
    await runInmem(serverWords(data)),
    /^inmem: Cannot use the data folder ".*": a restore into it was interrupted; run "inmem restore" once more/,
  );
  refused(await runInmem(["check", data]), /a restore into it was interrupted/, 2);
  assertEquals((await runInmem(["restore", backup, "--data", data, "--move-aside"])).code, 0);
  assertEquals(await valuesAfterStart(launcher, data), ["old", null, null, null]);
});

systemTest("a server that is started twice with --backup loads the backup once", longOnly, async (launcher) => {
  const { backup } = await withBackup(launcher);
  const target = launcher.newFolder();
  const server = await start(launcher, target, "--backup", backup);
  const client = await open(server);
  assertEquals(await client.getText("x"), "old");
  await client.set("since", "1");
  await client.close();
  await launcher.stop(server);
  const before = await contents(target);
  refused(
    await runInmem([...serverWords(target), "--backup", backup]),
    /^inmem: Cannot start from the backup ".*": ".*" in the data folder is newer\. Nothing was changed; leave --backup out/,
  );
  assertEquals(await contents(target), before);
  assertEquals(await valuesAfterStart(launcher, target), ["old", null, null, "1"]);
});

systemTest(
  "inmem restore completes an interrupted one, by the same command, from every step",
  longOnly,
  async (launcher) => {
    const { data, backup } = await withBackup(launcher);
    // Only the last step is missing: the mark still exists.
    const target = launcher.newFolder();
    assertEquals((await runInmem(["restore", backup, "--data", target])).code, 0);
    const mark = join(target, "restore.unfinished");
    await Deno.writeTextFile(mark, "");
    refused(await runInmem(serverWords(target)), /run "inmem restore" once more/);
    assertEquals((await runInmem(["restore", backup, "--data", target])).code, 0);
    assertEquals(await valuesAfterStart(launcher, target), ["old", null, null, null]);
    // A part of the old data is not moved yet.
    await Deno.writeTextFile(join(data, "restore.unfinished"), "");
    const { code, stdout } = await runInmem(["restore", backup, "--data", data]);
    assertEquals(code, 0);
    const aside = /moved {5}the previous data to (.*)/.exec(stdout)![1]!;
    assertEquals(await valuesAfterStart(launcher, data), ["old", null, null, null]);
    assertEquals(await valuesAfterStart(launcher, aside), ["new", "1", "1", null]);
  },
);

systemTest("save PATH names a file only when it is complete, and removes only its own files", async (launcher) => {
  const data = launcher.newFolder();
  const server = await start(launcher, data);
  const client = await open(server);
  await client.set("x", "old");
  await Deno.mkdir(join(data, "backups"));
  const other = join(data, `backups/a.inmem.${server.process.pid}.tmp`);
  await Deno.writeTextFile(other, "not ours");
  // A file that a killed server has left is removed.
  await Deno.writeTextFile(join(data, "backups/a.inmem.0123abcd.tmp"), "half");
  await client.send(["save", "a.inmem"]);
  assertEquals(await Deno.readTextFile(other), "not ours");
  assertEquals((await runInmem(["check", join(data, "backups/a.inmem")])).code, 0);
  for (const name of ["b.tmp", "B.TMP", "c.tmp/d", "a.inmem"]) {
    await assertRejects(() => client.send(["save", name]), Error, "cannot save");
  }
  assertEquals((await Array.fromAsync(Deno.readDir(join(data, "backups")))).length, 2);
  await client.close();
  await launcher.stop(server);
});
