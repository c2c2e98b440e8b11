/**
 * Tests what a server does and reports when a disk is full, limited or read-only, when others use its folder, and when
 * files are torn, damaged or of another version.
 */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { crc32 } from "node:zlib";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { encodeFileHeader, FORMAT_VERSION } from "../../src/log/block.ts";
import { listSegments } from "../../src/log/folder.ts";
import { systemFiles } from "../../src/log/system_files.ts";
import { type Client, connect, ReplyError } from "../../src/mod.ts";
import { isLong } from "../support/amount.ts";
import { AcknowledgedLoad } from "../support/acknowledged_load.ts";
import { canRun, fillDisk, MOUNTS, runOrFail, testWhere, withDisk } from "../support/disks.ts";
import { serverWords } from "../support/kill_rounds.ts";
import { type Launcher, type Outcome, type Role, runInmem, systemTest } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

const MEBIBYTE = 1024 * 1024;
/** The longest time until writes are accepted again after space was freed, in ms. */
const RESUME_MAX_MS = 5_000;
/** The longest time in which a server ends after SIGTERM, in ms. */
const STOP_MAX_MS = 10_000;

const LIMITS = await canRun("prlimit", "--version");

/** Starts a server without TLS. */
async function start(launcher: Launcher, data: string, ...more: string[]): Promise<Role> {
  const process = launcher.start("server", [...serverWords(data), ...more]);
  return { process, address: await process.address() };
}

/** Kills a server, without failing the test. */
async function kill(launcher: Launcher, { process }: Role): Promise<void> {
  launcher.forgive(process);
  await process.kill();
}

/** Runs the program where its start must be refused. */
function startRefused(data: string, ...more: string[]): Promise<Outcome> {
  return runInmem([...serverWords(data), ...more]);
}

function open({ address }: Role): Promise<Client> {
  return connect({ addr: address, plaintext: true });
}

/** Returns the only line that a refused start prints, apart from progress of loading on a slow machine. */
function refusalOf({ code, stderr, stdout }: Outcome, expectedCode = 1): string {
  assertEquals(code, expectedCode, stderr);
  assertEquals(stdout, "");
  const lines = stderr.trimEnd().split("\n").filter((line) => !line.includes(" info Loading: "));
  assertEquals(lines.length, 1, `expected one line:\n${stderr}`);
  assertMatch(lines[0]!, /^inmem: Cannot /);
  return lines[0]!;
}

/** Returns whether the server refuses writes with a message that says why. */
async function refusesWrites(client: Client): Promise<boolean> {
  const info = await client.info("persistence");
  const isRefusing = info.includes("aof_last_write_status:err");
  assertEquals(/^log_last_error:.*No space left on device/m.test(info), isRefusing, info);
  return isRefusing;
}

/** Returns the refusal of a write, or `undefined` when the write is done. */
async function refusedWrite(client: Client): Promise<string | undefined> {
  try {
    await client.set("probe", "x");
    return undefined;
  } catch (error) {
    assert(error instanceof ReplyError, String(error));
    return `${error.code} ${error.message}`;
  }
}

/** Sets keys one after another, each in a separate batch. */
async function setInTurn(client: Client, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await client.set(`key:${i}`, `value ${i}`);
}

async function newestSegment(data: string): Promise<string> {
  return (await listSegments(systemFiles, data)).at(-1)!.path;
}

/** Flips a bit in the middle of a file. */
async function damage(path: string): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[bytes.length >> 1]! ^= 1;
  await Deno.writeFile(path, bytes);
}

function check(...words: string[]): Promise<Outcome> {
  return runInmem(["check", ...words]);
}

for (const policy of isLong ? ["always", "everysec"] as const : ["everysec"] as const) {
  testWhere(
    MOUNTS,
    "root to mount a small file system",
    `a full disk makes a server with --fsync ${policy} refuse writes, not reads, and nothing acknowledged is lost`,
    (launcher) =>
      withDisk(launcher, 16 * MEBIBYTE, async (disk) => {
        const seed = pickSeed();
        console.log(`SEED=${seed}`);
        const data = join(disk, "data");
        const load = new AcknowledgedLoad(new Random(seed));
        const server = await start(launcher, data, "--fsync", policy);
        const client = await open(server);
        await client.set("constant", "there");
        await client.set("probe", "x");
        const writing = load.run(() => open(server));
        await until(() => load.acknowledged > 500, "some writes");

        let ballast = await fillDisk(disk);
        await until(() => refusesWrites(client), "writes are refused on a full disk");
        assertMatch(await refusedWrite(client) ?? "", /^MISCONF .*No space left on device/);
        assertEquals(await client.getText("constant"), "there");
        await Deno.remove(ballast);
        const freedMs = performance.now();
        await until(async () => await refusedWrite(client) === undefined, "writes are accepted again", RESUME_MAX_MS);
        assertLess(performance.now() - freedMs, RESUME_MAX_MS);
        assert(!await refusesWrites(client));
        const before = load.acknowledged;
        await until(() => load.acknowledged > before + 500, "all writers go on");

        // The disk is full again, and the server is killed in this state.
        ballast = await fillDisk(disk);
        await until(() => refusesWrites(client), "writes are refused again");
        await kill(launcher, server);
        await Promise.all([writing, client.close()]);
        // The end of the log is torn as well, and there is no space for a copy of it.
        await Deno.writeTextFile(await newestSegment(data), "BLCK", { append: true }).catch(() => {});
        await fillDisk(disk);
        const again = await start(launcher, data, "--fsync", policy);
        const after = await open(again);
        assertEquals(await after.getText("constant"), "there");
        // Cutting the torn end off may have freed a little space, which the first writes take.
        await until(async () => await refusedWrite(after) !== undefined, "writes are refused after the start");
        assertMatch(await refusedWrite(after) ?? "", /^MISCONF .*No space left on device/);
        assert(await refusesWrites(after));
        assertEquals(again.process.lines.filter((line) => line.includes("Writes are refused")).length, 1);
        await Deno.remove(ballast);
        await until(async () => await refusedWrite(after) === undefined, "writes are accepted", RESUME_MAX_MS);
        await after.send(["del", "constant", "probe"]);
        assertEquals(await load.verify(after), []);
        await after.close();
        await launcher.stop(again);
      }),
  );
}

testWhere(
  MOUNTS,
  "root to mount a small file system",
  "a write is not acknowledged on a full disk though a later command waits, and SIGTERM then ends with status 1",
  (launcher) =>
    withDisk(launcher, 4 * MEBIBYTE, async (disk) => {
      const server = await start(launcher, join(disk, "data"), "--backup-folder", launcher.path("elsewhere"));
      const [client, other] = [await open(server), await open(server)];
      await other.set("constant", "there");
      const ballast = await fillDisk(disk);
      // Both requests leave in one write. The snapshot is on another disk, and is done long before the write.
      let isAcknowledged = false;
      const set = client.set("x", "v".repeat(100_000)).then(() => isAcknowledged = true);
      const saved = client.send(["save", "copy.inmem"]);
      await until(() => refusesWrites(other), "writes are refused");
      await until(() => server.process.lines.some((line) => line.includes("Writes are refused")), "it is logged");
      await pause(300);
      assert(!isAcknowledged, "an acknowledged write is nowhere");
      await Deno.remove(ballast);
      await Promise.all([set, saved]);
      assert(isAcknowledged);

      await fillDisk(disk);
      client.set("y", "v".repeat(100_000)).catch(() => {});
      await until(() => refusesWrites(other), "writes are refused again");
      launcher.forgive(server.process);
      assertEquals((await launcher.stop(server)).code, 1);
      const lines = server.process.lines.filter((line) => line.includes("Cannot stop in order"));
      assertEquals(lines.length, 1, server.process.lastLines());
      assertMatch(lines[0]!, /No space left on device/);
      await Promise.all([client.close(), other.close()]);
    }),
);

testWhere(LIMITS, "prlimit", "a log continues in a new file where file sizes are limited", async (launcher) => {
  const limitBytes = 256 * 1024;
  const seed = pickSeed();
  console.log(`SEED=${seed}`);
  const data = launcher.newFolder();
  const load = new AcknowledgedLoad(new Random(seed));
  const server = await start(launcher, data, "--fsync", "always");
  await runOrFail("prlimit", `--pid=${server.process.pid}`, `--fsize=${limitBytes}`);
  const writing = load.run(() => open(server));
  await until(async () => (await listSegments(systemFiles, data)).length >= 4, "some segments", 20_000);
  await kill(launcher, server);
  await writing;
  for (const { path } of await listSegments(systemFiles, data)) {
    assertLessOrEqual((await Deno.stat(path)).size, limitBytes);
  }
  const client = await open(await start(launcher, data));
  assertEquals(await load.verify(client), []);
  await client.close();
});

testWhere(
  MOUNTS,
  "root to mount a small file system",
  "a read-only data folder stops the start with one clear line",
  (launcher) =>
    withDisk(launcher, MEBIBYTE, async (disk) => {
      const data = join(disk, "data");
      await runOrFail("mount", "-o", "remount,ro", disk);
      assertMatch(
        refusalOf(await startRefused(data)),
        new RegExp(`Cannot make the data folder "${data}": .*[Rr]ead-only`),
      );
      await runOrFail("mount", "-o", "remount,rw", disk);
      const server = await start(launcher, data);
      await launcher.stop(server);
      await runOrFail("mount", "-o", "remount,ro", disk);
      assertMatch(
        refusalOf(await startRefused(data)),
        new RegExp(`Cannot write in the data folder "${data}": .*[Rr]ead-only`),
      );
    }),
);

systemTest("a second server on a data folder reports which process uses it", async (launcher) => {
  const data = launcher.newFolder();
  const server = await start(launcher, data);
  const client = await open(server);
  await client.set("x", "42");
  const line = refusalOf(await startRefused(data));
  assertMatch(line, new RegExp(`"${data}".*process ${server.process.pid}\\)`));
  assertEquals(await client.getText("x"), "42");
  await client.set("x", "43");
  await client.close();
});

systemTest("only the owner can read the data folder and its files", async (launcher) => {
  const data = launcher.newFolder();
  const server = await start(launcher, data);
  const client = await open(server);
  await client.set("x", "42");
  await client.save();
  await client.send(["save", "deep/copy.inmem"]);
  await client.close();
  await kill(launcher, server);
  await Deno.writeTextFile(await newestSegment(data), "BLCK", { append: true });
  await kill(launcher, await start(launcher, data));
  const mode = async (path: string) => ((await Deno.stat(path)).mode! & 0o777).toString(8);
  assertEquals(await mode(data), "700");
  for (const folder of ["backups", "backups/deep"]) assertEquals(await mode(join(data, folder)), "700");
  assertEquals(await mode(join(data, "backups/deep/copy.inmem")), "600");
  const names = (await Array.fromAsync(Deno.readDir(data))).filter(({ isFile }) => isFile).map(({ name }) => name);
  assert(names.some((name) => name.endsWith(".torn")), names.join(", "));
  assertGreater(names.length, 3);
  for (const name of names) assertEquals(await mode(join(data, name)), "600", name);
});

systemTest("a log and a snapshot of another version are refused with its number", async (launcher) => {
  const data = launcher.newFolder();
  await Deno.mkdir(data);
  const path = join(data, "log-000000000000001.inmem");
  const { bytes } = encodeFileHeader("log", Date.now(), 1, 0);
  const header = new DataView(bytes.buffer);
  header.setUint32(8, FORMAT_VERSION + 1);
  header.setUint32(36, crc32(bytes.subarray(0, 36)));
  await Deno.writeFile(path, bytes);
  const checked = await check(data);
  for (const outcome of [await startRefused(data), await startRefused(data, "--repair"), checked]) {
    // Data that cannot be read is not reported as damaged.
    const line = refusalOf(outcome, outcome === checked ? 2 : 1);
    assert(line.includes(path), line);
    assertMatch(
      line,
      new RegExp(`version ${FORMAT_VERSION + 1}: .* to ${FORMAT_VERSION}; start the inmem that wrote it`),
    );
  }
  assertEquals(await Deno.readFile(path), bytes);

  await Deno.remove(path);
  const former = join(data, "snapshot-001700000000000.inmem");
  header.setUint32(8, 1);
  await Deno.writeFile(former, new Uint8Array([...new TextEncoder().encode("INMEMSNP"), ...bytes.subarray(8)]));
  assertMatch(refusalOf(await startRefused(data)), /snapshot of version 1: /);
});

systemTest(
  "a torn end of the log is cut off, kept in a file and logged, and inmem check reports it before",
  async (launcher) => {
    const data = launcher.newFolder();
    const first = await start(launcher, data, "--fsync", "always");
    const client = await open(first);
    await setInTurn(client, 20);
    const busy = await check(data);
    assertMatch(refusalOf(busy, 2), new RegExp(`process ${first.process.pid}\\)`));
    await client.close();
    await kill(launcher, first);

    const intact = await check(data);
    assertEquals(intact.code, 0, intact.stdout);
    assertMatch(intact.stdout, /20 batches[^]*is intact\n$/);
    const path = await newestSegment(data);
    assertEquals((await check(path)).code, 0);

    // Only the beginning of this batch is in the file. Everything acknowledged is before it.
    const whole = await Deno.readFile(path);
    await Deno.writeFile(path, Uint8Array.from([...whole, ...whole.subarray(40, 60)]));
    const torn = await check(data, "--json");
    assertEquals(torn.code, 1);
    const findings = JSON.parse(torn.stdout);
    assertEquals([findings.intact, findings.log.batches, findings.damaged], [false, 20, []]);
    assertEquals(findings.torn.length, 1);
    const { offset, bytes } = findings.torn[0];
    assertEquals([findings.torn[0].path, offset, bytes], [path, whole.length, 20]);
    const described = await check(path);
    assertEquals(described.code, 1);
    assertMatch(described.stdout, /^torn .* 20 bytes: [^]*is torn at the end, as a crash leaves it/m);

    const second = await start(launcher, data);
    const lines = second.process.lines.filter((line) => line.includes(" warn ") && line.includes("torn"));
    assertEquals(lines.length, 1, second.process.lastLines());
    assert(lines[0]!.includes(`path=${path} offset=${whole.length} bytes=20`), lines[0]);
    const kept = /kept=(\S+)/.exec(lines[0]!)![1]!;
    assertEquals(await Deno.readFile(kept), whole.slice(40, 60));
    assertEquals(await Deno.readFile(path), whole);
    const after = await open(second);
    assertEquals([await after.size(), await after.getText("key:19")], [20, "value 19"]);
    await after.close();
    await kill(launcher, second);
    assertEquals((await check(data)).code, 0);
  },
);

systemTest(
  "damage in the log prevents the start, and --repair starts from the intact part and reports the rest",
  async (launcher) => {
    const data = launcher.newFolder();
    const first = await start(launcher, data, "--fsync", "always");
    const client = await open(first);
    await setInTurn(client, 100);
    await client.close();
    await kill(launcher, first);
    const path = await newestSegment(data);
    await damage(path);
    const damaged = await Deno.readFile(path);

    const line = refusalOf(await startRefused(data));
    assert(line.includes(path), line);
    assertMatch(line, /damaged.*offset [0-9]+.*inmem check .*--repair.*inmem restore FILE/);
    assertEquals(await Deno.readFile(path), damaged);
    const findings = await check(data);
    assertEquals(findings.code, 1);
    assertMatch(findings.stdout, /^damaged .*checksum[^]*is damaged: a server starts with --repair/m);
    const json = JSON.parse((await check(path, "--json")).stdout);
    assertEquals([json.intact, json.damaged.length, json.log.batches], [false, 1, 99]);

    const second = await start(launcher, data, "--repair");
    const errors = second.process.lines.filter((each) => each.includes(" error "));
    assertEquals(errors.length, 1, second.process.lastLines());
    assertMatch(errors[0]!, /left out.*offset=[0-9]+ bytes=[0-9]+ reason=.*kept=/);
    const after = await open(second);
    assertEquals(await after.size(), 99);
    await after.set("later", "x");
    await after.close();
    await kill(launcher, second);
    assertEquals(await Deno.readFile(/kept=(\S+)/.exec(errors[0]!)![1]!), damaged);

    const third = await open(await start(launcher, data));
    assertEquals([await third.size(), await third.getText("later")], [100, "x"]);
    await third.close();
  },
);

systemTest("inmem check reports what a snapshot contains, and which file is not inmem's", async (launcher) => {
  const data = launcher.newFolder();
  const server = await start(launcher, data);
  const client = await open(server);
  await setInTurn(client, 10);
  await client.rpush("list", "a", "b");
  const copy = join(data, "backups/copy.inmem");
  await client.send(["save", "copy.inmem"]);
  await client.close();
  const good = await check(copy, "--json");
  assertEquals(good.code, 0, good.stdout + good.stderr);
  const findings = JSON.parse(good.stdout);
  assertEquals([findings.intact, findings.snapshots.length, findings.snapshots[0].keys], [true, 1, 11]);
  await damage(copy);
  assertEquals((await check(copy)).code, 1);

  const other = launcher.path("other.txt");
  await Deno.writeTextFile(other, "This is none of inmem's files, whatever it is.");
  assertMatch(refusalOf(await check(other), 2), /other\.txt": expected a snapshot or a log of inmem/);
  const empty = launcher.newFolder("empty");
  await Deno.mkdir(empty);
  assertMatch(refusalOf(await check(empty), 2), /no snapshot and no log/);
  assertMatch(refusalOf(await check(launcher.path("nowhere")), 2), /nowhere/);
  assertEquals((await check()).code, 2);
  assertEquals((await check(copy, data)).code, 2);
});

for (const policy of isLong ? ["always", "everysec", "never"] as const : ["everysec"] as const) {
  systemTest(
    `SIGTERM under load stops a server with --fsync ${policy} in order, and nothing is lost`,
    async (launcher) => {
      const seed = pickSeed();
      console.log(`SEED=${seed}`);
      const data = launcher.newFolder();
      const load = new AcknowledgedLoad(new Random(seed));
      const server = await start(launcher, data, "--fsync", policy);
      const writing = load.run(() => open(server));
      await until(() => load.acknowledged > 1_000, "some writes");
      const saver = await open(server);
      await saver.send(["bgsave"]);
      const stopMs = performance.now();
      const { code } = await launcher.stop(server);
      assertEquals(code, 0, server.process.lastLines());
      assertLess(performance.now() - stopMs, STOP_MAX_MS);
      await writing;
      await saver.close();
      assertEquals((await check(data)).code, 0);
      const client = await open(await start(launcher, data));
      assertEquals(await load.verify(client), []);
      await client.close();
    },
  );
}

systemTest("a key that expires while no server runs does not reappear", async (launcher) => {
  const data = launcher.newFolder();
  const first = await start(launcher, data);
  const client = await open(first);
  const ttlMs = 400;
  await client.set("logged", "x", { ttlMs });
  await client.rpush("list", "a");
  await client.pexpire("list", ttlMs);
  await client.set("kept", "x", { ttlMs: 3_600_000 });
  await client.set("saved", "x", { ttlMs });
  await client.save();
  await client.set("logged", "y", { ttlMs });
  // A key that no client reads is removed up to 128 ms late.
  const overMs = Date.now() + ttlMs + 150;
  await client.close();
  await kill(launcher, first);
  await until(() => Date.now() > overMs, "the time has passed");
  for (let round = 0; round < 2; round++) {
    const server = await start(launcher, data);
    const loaded = server.process.lines.find((line) => line.includes("Loaded"));
    assertMatch(loaded ?? "", round === 0 ? / keys=1 .*expired=3 / : / keys=1 .*expired=0 /);
    const after = await open(server);
    assertEquals(await after.text.mget("logged", "saved", "kept"), [null, null, "x"]);
    assertEquals(await after.text.lrange("list", 0, -1), []);
    assertEquals(await after.size(), 1);
    await after.close();
    await kill(launcher, server);
  }
});
