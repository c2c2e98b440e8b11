/**
 * Tests the messages, the service and the exit status of the real program when its data folder is removed or moved, is
 * covered by a mount, is used by two servers, or contains something other than files.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { listSegments, listSnapshots } from "../../src/log/folder.ts";
import { systemFiles } from "../../src/log/system_files.ts";
import { type Client, connect, ReplyError } from "../../src/mod.ts";
import { longOnly } from "../support/amount.ts";
import { AcknowledgedLoad } from "../support/acknowledged_load.ts";
import { MOUNTS, runOrFail, testWhere, withDisk } from "../support/disks.ts";
import { serverWords } from "../support/kill_rounds.ts";
import { type Launcher, type Outcome, type Role, runInmem, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

/** The longest time until a server notices a change, in ms, on a machine that is nearly idle. */
const NOTICE_MAX_MS = 2_000;
const MEBIBYTE = 1024 * 1024;

async function start(launcher: Launcher, data: string, ...more: string[]): Promise<Role> {
  const process = launcher.start("server", [...serverWords(data), ...more]);
  return { process, address: await process.address() };
}

function open({ address }: Role): Promise<Client> {
  return connect({ addr: address, plaintext: true });
}

/** Returns the refusal of a write, or `undefined` when the write is done. */
async function refusedWrite(client: Client, key = "probe"): Promise<string | undefined> {
  try {
    await client.set(key, "x");
    return undefined;
  } catch (error) {
    assert(error instanceof ReplyError, String(error));
    return `${error.code} ${error.message}`;
  }
}

async function refusalOf(sent: Promise<unknown>): Promise<string> {
  try {
    return `no refusal: ${await sent}`;
  } catch (error) {
    assert(error instanceof ReplyError, String(error));
    return `${error.code} ${error.message}`;
  }
}

async function isRefusing(client: Client): Promise<boolean> {
  return (await client.info("persistence")).includes("aof_last_write_status:err");
}

/** Asserts that a start was refused with one line, without waiting. */
function startRefused({ code, stderr, stdout }: Outcome, pattern: RegExp, expectedCode = 1): void {
  assertEquals([code, stdout], [expectedCode, ""], stderr);
  assertMatch(stderr, pattern);
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
}

for (const policy of ["always", "everysec"] as const) {
  systemTest(
    `a server with --fsync ${policy} whose folder was removed reports it once, serves reads, and ends with status 1`,
    async (launcher) => {
      const data = launcher.newFolder();
      const server = await start(launcher, data, "--fsync", policy);
      const client = await open(server);
      await client.set("a", "1");
      await Deno.remove(data, { recursive: true });
      const removedMs = performance.now();
      await until(() => isRefusing(client), "it is noticed");
      assert(performance.now() - removedMs < NOTICE_MAX_MS, `after ${performance.now() - removedMs} ms`);
      for (let i = 0; i < 3; i++) assertMatch(await refusedWrite(client) ?? "OK", /^MISCONF .* is gone/);
      assertMatch(await refusalOf(client.send(["save"])), /^ERR cannot save: .* is gone/);
      assertMatch(await refusedWrite(client) ?? "OK", /^MISCONF .* is gone/);
      assertEquals(await client.getText("a"), "1");
      assertMatch(await client.info("persistence"), /^log_last_error:the data folder .* is gone/m);
      await client.close();
      launcher.forgive(server.process);
      assertEquals((await launcher.stop(server)).code, 1);
      const errors = server.process.lines.filter((line) => line.includes(" error "));
      assertEquals(errors.map((line) => /Writes are refused|Cannot save|Cannot stop in order/.exec(line)?.[0]), [
        "Writes are refused",
        "Cannot save",
        "Cannot stop in order",
      ]);
      // The server created nothing in its place.
      assertEquals(await Array.fromAsync(Deno.readDir(launcher.folder), ({ name }) => name), ["certs"]);
    },
  );
}

for (const kind of ["tmpfs", "bind"] as const) {
  testWhere(
    MOUNTS,
    "root to mount",
    `a server whose folder a ${kind} mount covers refuses writes until it is unmounted`,
    async (launcher) => {
      const data = launcher.newFolder();
      const server = await start(launcher, data, "--fsync", "always");
      const client = await open(server);
      await client.set("a", "1");
      const other = launcher.newFolder("other");
      await Deno.mkdir(other);
      if (kind === "tmpfs") await runOrFail("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", data);
      else await runOrFail("mount", "--bind", other, data);
      try {
        await until(() => isRefusing(client), "it is noticed");
        const reason = kind === "tmpfs" ? /another file system is mounted there/ : /is not the one that was opened/;
        assertMatch(await refusedWrite(client) ?? "OK", reason);
        // The covered folder would reappear with older data.
        assertMatch(await refusalOf(client.send(["save"])), /^ERR cannot save: .*that one still exists/);
        assertEquals(await Array.fromAsync(Deno.readDir(data)), []);
      } finally {
        await runOrFail("umount", "--lazy", data);
      }
      await until(async () => !await isRefusing(client), "it is back");
      assertEquals(await refusedWrite(client, "b"), undefined);
      await client.close();
      await launcher.stop(server);
      const again = await open(await start(launcher, data));
      assertEquals([await again.getText("a"), await again.getText("b"), await again.size()], ["1", "x", 2]);
      await again.close();
    },
  );
}

systemTest("if two servers start at the same time on one folder by two paths, one starts", async (launcher) => {
  for (const isThere of [false, true]) {
    const data = launcher.newFolder();
    const link = `${data}-link`;
    if (isThere) await Deno.mkdir(data);
    await Deno.symlink(data, link);
    const paths = isThere ? [data, link] : [data, data];
    const roles = paths.map((path) => launcher.start("server", serverWords(path)));
    const started = await Promise.allSettled(roles.map((role) => role.address()));
    const [winner, ...others] = started.flatMap(({ status }, index) => status === "fulfilled" ? [index] : []);
    assertEquals(others, []);
    const loser = roles[1 - winner!]!;
    launcher.forgive(loser);
    assertEquals((await loser.status).code, 1);
    assertMatch(
      loser.lines.join("\n"),
      /another inmem server( \(process [0-9]+\))? has it open/,
    );
  }
});

systemTest("where a file is expected, anything else is refused with its kind", longOnly, async (launcher) => {
  const data = launcher.newFolder();
  await Deno.mkdir(data);
  const fifo = launcher.path("fifo");
  await runOrFail("mkfifo", fifo);
  const names = [
    "log-000000000000001.inmem",
    "log-000000000000001.new",
    "snapshot-000000000000001.inmem",
    "inmem.lock",
  ];
  for (const name of names) {
    const path = join(data, name);
    await Deno.rename(fifo, path);
    startRefused(await runInmem(serverWords(data)), /^inmem: Cannot .*is a FIFO: expected a file/);
    startRefused(await runInmem(["check", data]), /^inmem: Cannot (load|check) /, 2);
    await Deno.rename(path, fifo);
  }
  for (const [path, kind] of [[fifo, "a FIFO"], ["/dev/zero", "a device"], [data, "a folder"]] as const) {
    const pattern = new RegExp(`^inmem: Cannot .*is ${kind}: expected a file`);
    startRefused(await runInmem([...serverWords(launcher.newFolder()), "--backup", path]), pattern);
    startRefused(await runInmem(["restore", path, "--data", launcher.newFolder()]), pattern);
    if (path !== data) startRefused(await runInmem(["check", path]), pattern, 2);
  }
});

systemTest("a data folder that cannot be made is refused with the obstacle", async (launcher) => {
  const path = launcher.newFolder();
  await Deno.symlink("nowhere", path);
  startRefused(
    await runInmem(serverWords(path)),
    /Cannot make the data folder ".*": it is a link to "nowhere", where there is no folder/,
  );
  await Deno.remove(path);
  await Deno.symlink(path, path);
  startRefused(await runInmem(serverWords(path)), /Cannot make the data folder ".*": /);
  await Deno.remove(path);
  await Deno.writeTextFile(path, "");
  startRefused(
    await runInmem(serverWords(path)),
    /Cannot make the data folder ".*": there is something other than a folder/,
  );
  startRefused(await runInmem(serverWords(`${path}/below`)), /Cannot make the data folder ".*": /);
});

testWhere(
  MOUNTS,
  "root to mount a small file system",
  "a server starts where there are no inodes left, and serves reads",
  async (launcher) => {
    await withDisk(launcher, 4 * MEBIBYTE, async (disk) => {
      const data = join(disk, "data");
      const first = await start(launcher, data);
      const client = await open(first);
      await client.set("a", "1");
      await client.close();
      await launcher.stop(first);
      let made = 0;
      for (; made < 1_000; made++) {
        try {
          await Deno.writeTextFile(join(disk, `file-${made}`), "");
        } catch {
          break;
        }
      }
      assert(made < 1_000, "there are inodes without end");
      const server = await start(launcher, data);
      const again = await open(server);
      assertEquals(await again.getText("a"), "1");
      assertMatch(await refusedWrite(again) ?? "OK", /^MISCONF .*No space left/);
      for (let i = 0; i < made; i++) await Deno.remove(join(disk, `file-${i}`));
      await until(async () => await refusedWrite(again) === undefined, "writes are accepted");
      await again.close();
      await launcher.stop(server);
    }, "nr_inodes=60");
  },
);

testWhere(
  MOUNTS,
  "root to mount a small file system",
  "a disk that fills up while a snapshot is written keeps no part of it",
  async (launcher) => {
    await withDisk(launcher, 4 * MEBIBYTE, async (disk) => {
      const data = join(disk, "data");
      const server = await start(launcher, data);
      const client = await open(server);
      for (let i = 0; i < 24; i++) {
        await client.set(`key:${i}`, crypto.getRandomValues(new Uint8Array(65_536)).toString().slice(0, 100_000));
      }
      for (const command of [["save"], ["save", "copy.inmem"]]) {
        assertMatch(await refusalOf(client.send(command)), /^ERR cannot save: .*No space left/);
      }
      const names = async (path: string) => await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
      assertEquals((await names(data)).filter((name) => !/^log-|^inmem\.lock$|^backups$/.test(name)), []);
      assertEquals(await names(join(data, "backups")), []);
      assertEquals(await refusedWrite(client), undefined);
      await client.close();
      await launcher.stop(server);
      const second = await start(launcher, data);
      const again = await open(second);
      assertEquals(await again.size(), 25);
      await again.close();
      await launcher.stop(second);
    });
  },
);

systemTest(
  "a log of zeros, or an empty one, prevents the start with path and offset, and check finds it damaged",
  async (launcher) => {
    const data = launcher.newFolder();
    const server = await start(launcher, data, "--fsync", "always");
    const client = await open(server);
    await client.set("a", "1");
    await client.close();
    await launcher.stop(server);
    const path = join(data, "log-000000000000001.inmem");
    const { size } = await Deno.stat(path);
    for (const bytes of [new Uint8Array(size), new Uint8Array(0), new Uint8Array(39)]) {
      await Deno.writeFile(path, bytes);
      startRefused(
        await runInmem(serverWords(data)),
        /^inmem: Cannot load damaged data: Cannot read the header: .*log-000000000000001\.inmem", offset 0\).*--repair/,
      );
      assertEquals(await Deno.readFile(path), bytes);
      const checked = await runInmem(["check", data]);
      assertEquals(checked.code, 1, checked.stderr);
      assertMatch(checked.stdout, /^damaged .* at offset 0/m);
    }
  },
);

for (const policy of ["always", "everysec"] as const) {
  systemTest(
    `with --fsync ${policy} nothing acknowledged is lost when the folder is moved away, back and away under load`,
    async (launcher) => {
      const seed = pickSeed();
      console.log(`SEED=${seed}`);
      const data = launcher.newFolder();
      const load = new AcknowledgedLoad(new Random(seed), 8);
      const server = await start(launcher, data, "--fsync", policy);
      const observer = await open(server);
      const writing = load.run(() => open(server));
      await until(() => load.acknowledged > 200, "some writes");
      for (let round = 1; round <= 2; round++) {
        await Deno.rename(data, `${data}-moved`);
        await until(() => isRefusing(observer), "writes are refused");
        const before = load.acknowledged;
        if (round === 2) break;
        await Deno.rename(`${data}-moved`, data);
        await until(() => load.acknowledged > before + 200, "all writers go on");
      }
      await observer.close();
      launcher.forgive(server.process);
      await server.process.kill();
      await writing;
      const client = await open(await start(launcher, `${data}-moved`));
      assertEquals(await load.verify(client), []);
      await client.close();
    },
  );
}

systemTest(
  "with --fsync always nothing is acknowledged after the folder is removed under load",
  longOnly,
  async (launcher) => {
    const [writers, inFlightMost] = [8, 4];
    const seed = pickSeed();
    console.log(`SEED=${seed}`);
    const data = launcher.newFolder();
    const load = new AcknowledgedLoad(new Random(seed), writers);
    const server = await start(launcher, data, "--fsync", "always");
    const observer = await open(server);
    const stop = new AbortController();
    const writing = load.run(() => open(server), stop.signal);
    await until(() => load.acknowledged > 200, "some writes");
    // A rename removes the folder in one step, unlike `rm -r`: writes between the steps of the latter still count as
    // acknowledged.
    await Deno.rename(data, `${data}-gone`);
    const before = load.acknowledged;
    await Deno.remove(`${data}-gone`, { recursive: true });
    await until(() => isRefusing(observer), "writes are refused");
    // A writer without a request in flight is refused, and would continue forever.
    stop.abort();
    await writing;
    // These writes were in flight when the folder was removed.
    assert(
      load.acknowledged - before <= writers * inFlightMost,
      `${load.acknowledged - before} more were acknowledged`,
    );
    assertMatch(await refusedWrite(observer) ?? "OK", /^MISCONF/);
    await observer.close();
    launcher.forgive(server.process);
    assertEquals((await launcher.stop(server)).code, 1);
  },
);

systemTest(
  "with --fsync always nothing acknowledged is lost when the log is truncated under load and the server is then killed",
  longOnly,
  async (launcher) => {
    const seed = pickSeed();
    console.log(`SEED=${seed}`);
    const data = launcher.newFolder();
    const load = new AcknowledgedLoad(new Random(seed), 8);
    const server = await start(launcher, data, "--fsync", "always");
    const writing = load.run(() => open(server));
    await until(() => load.acknowledged > 200, "some writes");
    await Deno.truncate((await listSegments(systemFiles, data)).at(-1)!.path, 100);
    await until(() => (load.refused.get("MISCONF") ?? 0) > 0, "writes are refused");
    await until(async () => (await listSnapshots(systemFiles, data)).length > 0, "all is saved");
    launcher.forgive(server.process);
    await server.process.kill();
    await writing;
    const client = await open(await start(launcher, data));
    assertEquals(await load.verify(client), []);
    await client.close();
  },
);
