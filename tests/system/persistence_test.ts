/**
 * Tests what survives a restart, what prevents a start, and what a start never overwrites.
 *
 * kill_test.ts tests kills under load; disk_trouble_test.ts tests failing disks and damaged logs.
 */

import { assert, assertEquals, assertGreater, assertLessOrEqual, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { inmemCommand } from "../../cluster/role_process.ts";
import type { Client } from "../../src/mod.ts";
import { ReplyError } from "../../src/mod.ts";
import { longOnly } from "../support/amount.ts";
import { run, runInmem, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

/** Returns the files of a folder with their content, except the lock, whose content names a process. */
async function filesOf(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (isFile && !name.endsWith(".lock")) files.set(name, (await Deno.readFile(join(folder, name))).toBase64());
  }
  return files;
}

async function newestSnapshot(folder: string): Promise<string> {
  const names = [...(await filesOf(folder)).keys()].filter((name) => name.startsWith("snapshot-")).sort();
  assert(names.length > 0, `no snapshot in ${folder}`);
  return join(folder, names.at(-1)!);
}

/** Returns the fields of `info persistence`. */
async function persistenceOf(client: Client): Promise<Map<string, string>> {
  const lines = (await client.info("persistence")).split("\r\n").filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

/** Returns the server's refusal of a command, as `CODE message`. */
async function refusalOf(reply: Promise<unknown>): Promise<string> {
  const error = await reply.then(() => undefined, (error) => error);
  assert(error instanceof ReplyError, `expected a refusal, not ${error ?? "a reply"}`);
  return `${error.code} ${error.message}`;
}

/** Asserts that a start was refused as it should be: one line on standard error, no stack trace, status 1. */
function assertRefusedStart({ code, stderr }: { code: number; stderr: string }, pattern: RegExp): void {
  assertMatch(stderr, pattern);
  assertEquals(code, 1, stderr);
  const lines = stderr.trimEnd().split("\n").filter((line) => /Cannot|cannot/.test(line));
  assertEquals(lines.length, 1, `expected one clear line:\n${stderr}`);
  assert(!/^\s+at /m.test(stderr), `a stack trace is not for users:\n${stderr}`);
  assert(!stderr.includes("listening on"), stderr);
}

systemTest(
  "a server stopped with SIGTERM has all its keys after the next start, with their remaining TTLs",
  async (launcher) => {
    const data = launcher.newFolder();
    const first = await launcher.server(["--data", data]);
    const before = await launcher.connect(first);
    const binary = Uint8Array.of(0, 255, 0, 10);
    const count = 2_000;
    await Promise.all(Array.from({ length: count }, (_, index) => before.set(`key:${index}`, `value ${index}`)));
    await before.set(binary, new Uint8Array(1_000_000).fill(7));
    await before.set("", "");
    await before.rpush("list", "a", "", "c");
    await before.hset("hash", { field: "value", other: "" });
    await before.set("long", "x", { ttlMs: 3_600_000 });
    await before.expire("list", 1_000);
    await before.set("short", "x", { ttlMs: 1 });
    const ttlsBefore = [await before.pttl("long"), await before.pttl("list")];
    const readAtMs = Date.now();
    await before.close();
    assertEquals((await launcher.stop(first)).code, 0);

    const second = await launcher.server(["--data", data]);
    const after = await launcher.connect(second);
    // A key that has expired just now is removed when the wheel of deadlines next advances.
    await until(async () => await after.size() === count + 5, "the key with the short TTL is gone");
    const values = await Promise.all(Array.from({ length: count }, (_, index) => after.getText(`key:${index}`)));
    values.forEach((value, index) => assertEquals(value, `value ${index}`));
    assertEquals((await after.get(binary))?.length, 1_000_000);
    assertEquals(await after.getText(""), "");
    assertEquals(await after.text.lrange("list", 0, -1), ["a", "", "c"]);
    assertEquals(new Map(await after.text.hgetall("hash")), new Map([["field", "value"], ["other", ""]]));
    assertEquals(await after.getText("short"), null);
    assertEquals(await after.pttl("key:1"), -1);
    const ttlsAfter = [await after.pttl("long"), await after.pttl("list")];
    const elapsedMs = Date.now() - readAtMs;
    ttlsAfter.forEach((ttl, index) => {
      assertLessOrEqual(ttl, ttlsBefore[index]!);
      assertGreater(ttl, ttlsBefore[index]! - elapsedMs - 1_000);
    });
  },
);

systemTest("a kill loses no saved data, and --backup starts from a copy of it", async (launcher) => {
  const data = launcher.newFolder();
  const first = await launcher.server(["--data", data]);
  const client = await launcher.connect(first);
  await client.set("saved", "yes");
  await client.save();
  await client.set("later", "yes");
  client.disconnect();
  launcher.forgive(first.process);
  await first.process.kill();
  const copy = launcher.path("backup.inmem");
  await Deno.copyFile(await newestSnapshot(data), copy);

  const [second, third] = await Promise.all([
    launcher.server(["--data", data]),
    launcher.server(["--data", launcher.newFolder(), "--backup", copy]),
  ]);
  const [all, saved] = [await launcher.connect(second), await launcher.connect(third)];
  assertEquals([await all.getText("saved"), await all.getText("later"), await all.size()], ["yes", "yes", 2]);
  assertEquals([await saved.getText("saved"), await saved.getText("later"), await saved.size()], ["yes", null, 1]);
});

systemTest(
  "--backup replaces older data with a snapshot, keeps the old files, and is refused where newer data is",
  longOnly,
  async (launcher) => {
    const [data, other] = [launcher.newFolder(), launcher.newFolder()];
    const first = await launcher.server(["--data", data]);
    const client = await launcher.connect(first);
    await client.set("x", "old");
    await client.save();
    await client.set("x", "newer");
    await client.close();
    await launcher.stop(first);
    const before = await filesOf(data);
    const source = await launcher.connect(await launcher.server(["--data", other]));
    await source.set("x", "backup");
    await source.send(["save", "copy.inmem"]);
    const backup = ["--data", data, "--backup", join(other, "backups/copy.inmem")];

    const second = await launcher.server(backup);
    const restored = await launcher.connect(second);
    assertEquals(await restored.getText("x"), "backup");
    await restored.set("later", "yes");
    for (let i = 0; i < 3; i++) await restored.save();
    await restored.close();
    launcher.forgive(second.process);
    await second.process.kill();
    const after = await filesOf(data);
    for (const [name, content] of before) assertEquals(after.get(name), content, name);

    // A supervisor starts the server again with the same options.
    const start = ["server", "--addr", "127.0.0.1:0", ...launcher.identity];
    assertRefusedStart(
      await runInmem([...start, ...backup]),
      /^inmem: Cannot start from the backup ".*": ".*" in the data folder is newer.*leave --backup out.*inmem restore /,
    );
    assertEquals(await filesOf(data), after);
    const third = await launcher.connect(await launcher.server(["--data", data]));
    assertEquals([await third.getText("x"), await third.getText("later"), await third.size()], ["backup", "yes", 2]);
  },
);

systemTest("save PATH writes a file that --backup and inmem check read, and overwrites no file", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const client = await launcher.connect(server);
  await client.set("x", "42");
  await client.rpush("list", "a", "b");
  assertEquals(await client.send(["save", "copies/first.inmem"]), "OK");
  const path = join(data, "backups/copies/first.inmem");
  const good = await Deno.readFile(path);
  const again = await refusalOf(client.send(["save", "copies/first.inmem"]));
  assertMatch(again, /^ERR cannot save: there is a file ".*" already$/);
  assertEquals(await Deno.readFile(path), good);
  const names = (await Array.fromAsync(Deno.readDir(join(data, "backups/copies")))).map(({ name }) => name);
  assertEquals(names, ["first.inmem"]);

  const checked = await runInmem(["check", path]);
  assertEquals(checked.code, 0, checked.stderr);
  assertMatch(checked.stdout, /: 2 keys, [^]* is intact\n$/);
  const restored = await launcher.connect(await launcher.server(["--no-persist", "--backup", path]));
  assertEquals([await restored.getText("x"), await restored.text.lrange("list", 0, -1)], ["42", ["a", "b"]]);
});

systemTest(
  "save PATH writes only below the folder for backups, and never over the server's files",
  async (launcher) => {
    const [data, outside] = [launcher.newFolder(), launcher.newFolder("outside")];
    await Deno.mkdir(outside);
    // This is the worst case: the backups are beside the server's own files.
    const server = await launcher.server(["--data", data, "--backup-folder", data]);
    const client = await launcher.connect(server);
    await client.set("x", "\n\nssh-ed25519 AAAA\n\n");
    await Deno.symlink(outside, join(data, "link"));
    await Deno.symlink(join(outside, "dangling"), join(data, "dangling.inmem"));
    await Deno.writeTextFile(join(data, "file"), "");
    const before = [...(await filesOf(data)).keys()].sort();
    const names = [
      join(outside, "x"),
      "/etc/cron.d/inmem-test",
      "/proc/nowhere/x",
      "//x",
      "../x.inmem",
      "a/../../x.inmem",
      "a/..",
      "..",
      ".",
      "",
      "./x",
      "a//x",
      "x/",
      "link/x",
      "link",
      "dangling.inmem",
      "file/x",
      "inmem.lock",
      "INMEM.LOCK",
      "restore.unfinished",
      "snapshot-999999999999999.inmem",
      "snapshot-999999999999999.tmp",
      "log-000000000000900.inmem",
      "log-000000000000900.new",
      "log-000000000000001.inmem/x",
      "log-000000000000001.inmem.3.torn",
      "log-000000000000900.inmem.damaged",
      "a\nb",
      "a\0b",
      "\x1b[2J",
      "n".repeat(5_000),
    ];
    for (const name of names) assertMatch(await refusalOf(client.send(["save", name])), /^ERR cannot save: /, name);
    assertEquals([...(await filesOf(data)).keys()].sort(), before);
    assertEquals(await Array.fromAsync(Deno.readDir(outside)), []);
    for (const name of ["monday.inmem", "2026/..hidden", "snapshot.inmem", "log-book", "é"]) {
      assertEquals(await client.send(["save", name]), "OK", name);
      assert((await Deno.stat(join(data, name))).isFile, name);
    }
    // None of these files hinders the server.
    await client.save();
    assertEquals((await runInmem(["check", join(data, "monday.inmem")])).code, 0);
  },
);

systemTest(
  "a server without data on disk saves only to a folder that an option names",
  async (launcher) => {
    const folder = launcher.newFolder("backups");
    const [without, named] = await Promise.all([
      launcher.server(["--no-persist"]),
      launcher.server(["--no-persist", "--backup-folder", folder]),
    ]);
    const client = await launcher.connect(without);
    assertMatch(
      await refusalOf(client.send(["save", "x.inmem"])),
      /^ERR cannot save: this server has no folder for backups: start it with --backup-folder FOLDER$/,
    );
    const other = await launcher.connect(named);
    await other.set("a", "1");
    assertEquals(await other.send(["save", "x.inmem"]), "OK");
    assertEquals((await Deno.stat(folder)).mode! & 0o777, 0o700);
    assertMatch(await refusalOf(other.send(["save"])), /keeps nothing on disk/);
    assertEquals((await runInmem(["check", join(folder, "x.inmem")])).code, 0);
  },
);

systemTest("bgsave replies immediately, info reports progress, lastsave when it ended", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const client = await launcher.connect(server);
  const [rounds, keys] = [200, 1_000];
  for (let round = 0; round < rounds; round++) {
    const pairs = Array.from({ length: keys }, (_, index) => [`key:${round}:${index}`, "value"]);
    await client.send(["mset", ...pairs.flat()]);
  }
  assertEquals(await client.send(["lastsave"]), 0);
  const idle = await persistenceOf(client);
  assertEquals([idle.get("rdb_bgsave_in_progress"), idle.get("rdb_current_bgsave_time_sec")], ["0", "-1"]);
  assertEquals(idle.get("rdb_changes_since_last_save"), String(rounds * keys));

  const beforeMs = Date.now();
  const [begun, again] = await Promise.all([client.send(["bgsave"]), refusalOf(client.send(["bgsave"]))]);
  assertEquals(begun, "Background saving started");
  assertMatch(again, /already/);
  const seen: number[] = [];
  await until(async () => {
    const now = await persistenceOf(client);
    if (now.get("rdb_bgsave_in_progress") === "0") return true;
    assertEquals(now.get("current_save_keys_total"), String(rounds * keys));
    seen.push(Number(now.get("current_save_keys_processed")));
    return false;
  }, "the snapshot is done");
  assertGreater(new Set(seen).size, 1, `progress was to be seen: ${seen}`);
  assertEquals(seen, seen.toSorted((a, b) => a - b));
  assertLessOrEqual(seen.at(-1)!, rounds * keys);

  const done = await persistenceOf(client);
  assertEquals(done.get("last_save_keys"), String(rounds * keys));
  assertEquals([done.get("rdb_changes_since_last_save"), done.get("rdb_last_bgsave_status")], ["0", "ok"]);
  assertEquals(Number(done.get("last_save_bytes")), (await Deno.stat(await newestSnapshot(data))).size);
  const lastMs = Number(await client.send(["lastsave"])) * 1_000;
  assert(lastMs > beforeMs - 1_000 && lastMs <= Date.now(), `${lastMs} is when it was done`);
});

systemTest(
  "--snapshot-interval takes a snapshot after a change, and the log before it is removed",
  async (launcher) => {
    const data = launcher.newFolder();
    const server = await launcher.server(["--data", data, "--snapshot-interval", "1s"]);
    const client = await launcher.connect(server);
    await client.set("x", "42");
    const names = async () => {
      const all = (await Array.fromAsync(Deno.readDir(data))).map(({ name }) => name);
      return all.filter((name) => name.endsWith(".inmem")).sort();
    };
    assertEquals(await names(), ["log-000000000000001.inmem"]);
    await until(async () => (await names()).some((name) => name.startsWith("snapshot-")), "a snapshot", 5_000);
    await until(async () => !(await names()).includes("log-000000000000001.inmem"), "the old log is removed");
    // The new log gets this name when its header is on disk.
    await until(async () => (await names()).length === 2, "the new log has its name");
    await client.close();
  },
);

systemTest("only the last two snapshots are kept", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const client = await launcher.connect(server);
  for (let i = 0; i < 5; i++) {
    await client.set("round", i);
    await client.save();
  }
  assertEquals([...(await filesOf(data)).keys()].filter((name) => name.startsWith("snapshot-")).length, 2);
});

systemTest(
  "a damaged snapshot prevents the start although there is an older one, is named, and nothing is overwritten",
  async (launcher) => {
    const data = launcher.newFolder();
    const server = await launcher.server(["--data", data]);
    const client = await launcher.connect(server);
    await client.set("older", "snapshot");
    await client.save();
    await Promise.all(Array.from({ length: 99 }, (_, index) => client.set(`key:${index}`, "v".repeat(100))));
    await client.save();
    await client.close();
    await launcher.stop(server);
    const path = await newestSnapshot(data);
    const good = await Deno.readFile(path);
    const start = ["server", "--addr", "127.0.0.1:0", ...launcher.identity];

    const damages: Record<string, Uint8Array> = {
      "a bit in the middle": good.map((byte, index) => index === good.length >> 1 ? byte ^ 1 : byte),
      "a bit at the beginning": good.map((byte, index) => index === 0 ? byte ^ 1 : byte),
      "a cut": good.slice(0, good.length - 5),
      "an empty file": new Uint8Array(0),
      "bytes after its end": Uint8Array.from([...good, 0]),
    };
    for (const [what, bytes] of Object.entries(damages)) {
      await Deno.writeFile(path, bytes);
      const before = await filesOf(data);
      const outcome = await runInmem([...start, "--data", data]);
      assertRefusedStart(
        outcome,
        /^inmem: Cannot load damaged data: .* Nothing was changed; .*--repair, .*inmem restore FILE/,
      );
      assert(outcome.stderr.includes(path), `${what}: the message names the file: ${outcome.stderr}`);
      assertEquals(await filesOf(data), before, `${what}: nothing is overwritten`);
    }
    const backup = launcher.path("damaged.inmem");
    await Deno.writeFile(backup, damages["a cut"]!);
    assertRefusedStart(await runInmem([...start, "--no-persist", "--backup", backup]), /damaged\.inmem/);
    assertRefusedStart(await runInmem([...start, "--no-persist", "--backup", launcher.path("none")]), /none/);

    await Deno.writeFile(path, good);
    const again = await launcher.server(["--data", data]);
    assertEquals(await (await launcher.connect(again)).size(), 100);
  },
);

systemTest(
  "data that needs more than --max-memory is loaded in part, with a warning, and that part is kept",
  longOnly,
  async (launcher) => {
    const data = launcher.newFolder();
    const first = await launcher.server(["--data", data]);
    const client = await launcher.connect(first);
    const count = 10_000;
    const value = "v".repeat(1_000);
    // Half of the data is in a snapshot, the other half in the log.
    for (const half of [0, count / 2]) {
      await client.save();
      await Promise.all(Array.from({ length: count / 2 }, (_, index) => client.set(`key:${half + index}`, value)));
    }
    await client.close();
    await launcher.stop(first);
    const small = ["--data", data, "--max-memory", "4mb"];
    const start = ["server", "--addr", "127.0.0.1:0", ...launcher.identity];
    const refused = await runInmem([...start, ...small, "--eviction", "none"]);
    assertRefusedStart(refused, /Cannot load .*--max-memory.*--eviction/);

    const second = await launcher.server(small);
    const kept = await (await launcher.connect(second)).size();
    const lines = second.process.lines;
    assert(
      lines.some((line) => line.includes(`keys=${kept} `) && line.includes(`evicted=${count - kept} `)),
      lines.join("\n"),
    );
    assert(lines.some((line) => / warn .*--max-memory/.test(line)), lines.join("\n"));
    launcher.forgive(second.process);
    await second.process.kill();
    const third = await launcher.connect(await launcher.server(["--data", data]));
    assertEquals([await third.size(), await third.getText(`key:${count - 1}`)], [kept, value]);
  },
);

systemTest("a snapshot that cannot be written is refused and logged, and harms no data", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const client = await launcher.connect(server);
  await client.set("x", "42");
  await Deno.remove(data, { recursive: true });
  assertMatch(await refusalOf(client.save()), new RegExp(`^ERR cannot save: .*${data}`));
  assertEquals((await persistenceOf(client)).get("rdb_last_bgsave_status"), "err");
  assert(server.process.lines.some((line) => line.includes("Cannot save a snapshot")), server.process.lastLines());
  assertEquals(await client.getText("x"), "42");
  await Deno.mkdir(data);
  await client.save();
  assertEquals((await persistenceOf(client)).get("rdb_last_bgsave_status"), "ok");
  await client.close();
});

systemTest("a port in use prevents the start", async (launcher) => {
  const server = await launcher.server();
  const data = launcher.newFolder();
  const taken = ["--addr", server.address, ...launcher.identity];
  const file = await launcher.serversFile(["127.0.0.1:1"]);
  const [second, proxy] = await Promise.all([
    runInmem(["server", ...taken, "--data", data]),
    runInmem(["proxy", ...taken, "--servers", file, "--ca", launcher.certificates.authority]),
  ]);
  const port = server.address.split(":")[1]!;
  assertRefusedStart(second, new RegExp(`Cannot listen on .*${port}`));
  assertRefusedStart(proxy, new RegExp(`Cannot listen on .*${port}`));
  await (await launcher.connect(server)).ping();
});

systemTest("a data folder in use prevents the start", async (launcher) => {
  const data = launcher.newFolder();
  await launcher.server(["--data", data]);
  const second = await runInmem(["server", "--addr", "127.0.0.1:0", ...launcher.identity, "--data", data]);
  assertRefusedStart(second, new RegExp(`Cannot .*${data}`));
});

systemTest(
  "a key that is missing, unreadable, readable by the group, or of another certificate prevents the start",
  longOnly,
  async (launcher) => {
    const { cert, key } = launcher.certificates;
    const start = (certFile: string, keyFile: string) =>
      runInmem(["server", "--addr", "127.0.0.1:0", "--no-persist", "--cert", certFile, "--key", keyFile]);
    assertRefusedStart(await start(cert, launcher.path("nokey.pem")), /nokey\.pem/);
    assertRefusedStart(await start(launcher.path("nocert.pem"), key), /nocert\.pem/);
    assertRefusedStart(await start(key, key), /Cannot .*certificate/);
    assertRefusedStart(await start(cert, cert), /Cannot .*key/);
    for (const mode of [0o640, 0o604, 0o660]) {
      await Deno.chmod(key, mode);
      assertRefusedStart(await start(cert, key), /Cannot .*key .*mode is 0.*chmod 600/);
    }
    await Deno.chmod(key, 0o600);
    const folder = launcher.path("folder");
    await Deno.mkdir(folder);
    assertRefusedStart(await start(cert, folder), /folder/);
    const other = launcher.path("others");
    assertEquals((await runInmem(["certs", other])).code, 0);
    assertRefusedStart(await start(cert, join(other, "server.key")), /Cannot .*key/);
  },
);

systemTest("a data folder that cannot be made, and SSLKEYLOGFILE, prevent the start", async (launcher) => {
  const file = launcher.path("file");
  await Deno.writeTextFile(file, "");
  const start = ["server", "--addr", "127.0.0.1:0", ...launcher.identity];
  assertRefusedStart(await runInmem([...start, "--data", join(file, "data")]), /Cannot .*file\/data/);
  const logged = await run(inmemCommand(...start, "--no-persist"), {
    env: { SSLKEYLOGFILE: launcher.path("secrets") },
  });
  assertRefusedStart(logged, /SSLKEYLOGFILE/);
  // The runtime may create the file before our code runs, but nothing may be in it.
  assertEquals(await Deno.readTextFile(launcher.path("secrets")).catch(() => ""), "");
});

systemTest("SIGINT also stops a server and a proxy in order", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const proxy = await launcher.proxy(await launcher.serversFile([server.address]));
  await (await launcher.connect(proxy)).set("x", "42");
  for (const role of [proxy, server]) {
    role.process.signal("SIGINT");
    assertEquals((await role.process.status).code, 0, role.process.lastLines());
  }
  const again = await launcher.server(["--data", data]);
  assertEquals(await (await launcher.connect(again)).getText("x"), "42");
});
