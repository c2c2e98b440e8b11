/**
 * What survives a restart, what stops a start, and what a start never overwrites.
 */

import { assert, assertEquals, assertGreater, assertLessOrEqual, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { inmemCommand } from "../../cluster/role_process.ts";
import { run, runInmem, systemTest, until } from "../support/launcher.ts";

/** The files of a folder with their content, except the lock, whose content names a process. */
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

/** One line on standard error, no stack trace, status 1: how a start that cannot be is told. */
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
    assertEquals(await after.size(), count + 5);
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

systemTest("save writes a snapshot that a kill does not take away, and --backup starts from it", async (launcher) => {
  const data = launcher.newFolder();
  const first = await launcher.server(["--data", data]);
  const client = await launcher.connect(first);
  await client.set("saved", "yes");
  await client.save();
  await client.set("later", "lost");
  client.disconnect();
  launcher.forgive(first.process);
  await first.process.kill();
  const snapshot = await newestSnapshot(data);
  const copy = launcher.path("backup.inmem");
  await Deno.copyFile(snapshot, copy);

  const [second, third] = await Promise.all([
    launcher.server(["--data", data]),
    launcher.server(["--data", launcher.newFolder(), "--backup", copy]),
  ]);
  for (const role of [second, third]) {
    const each = await launcher.connect(role);
    assertEquals([await each.getText("saved"), await each.getText("later"), await each.size()], ["yes", null, 1]);
  }
});

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

systemTest("a damaged snapshot stops the start with its path, and nothing is overwritten", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const client = await launcher.connect(server);
  await Promise.all(Array.from({ length: 100 }, (_, index) => client.set(`key:${index}`, "v".repeat(100))));
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
    "bytes behind its end": Uint8Array.from([...good, 0]),
  };
  for (const [what, bytes] of Object.entries(damages)) {
    await Deno.writeFile(path, bytes);
    const before = await filesOf(data);
    const outcome = await runInmem([...start, "--data", data]);
    assertRefusedStart(outcome, /Cannot /);
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
});

systemTest("a snapshot that needs more than --max-memory is loaded in part, with a warning", async (launcher) => {
  const data = launcher.newFolder();
  const first = await launcher.server(["--data", data]);
  const client = await launcher.connect(first);
  const count = 10_000;
  await Promise.all(Array.from({ length: count }, (_, index) => client.set(`key:${index}`, "v".repeat(1_000))));
  await client.close();
  await launcher.stop(first);
  const second = await launcher.server(["--data", data, "--max-memory", "4mb"]);
  const kept = await (await launcher.connect(second)).size();
  const lines = second.process.lines;
  assert(lines.some((line) => line.includes(`keys=${kept} expired=0 evicted=${count - kept}`)), lines.join("\n"));
  assert(lines.some((line) => / warn .*--max-memory/.test(line)), lines.join("\n"));
});

systemTest("a server whose last snapshot cannot be written says so, and ends with status 1", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const client = await launcher.connect(server);
  await client.set("x", "42");
  await client.close();
  await Deno.remove(data, { recursive: true });
  launcher.forgive(server.process);
  assertEquals((await launcher.stop(server)).code, 1);
  const lines = server.process.lines;
  assert(lines.some((line) => line.includes("Cannot stop in order") && line.includes(data)), lines.join("\n"));
});

systemTest("a port in use stops the start", async (launcher) => {
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

systemTest("a data folder in use stops the start", async (launcher) => {
  const data = launcher.newFolder();
  await launcher.server(["--data", data]);
  const second = await runInmem(["server", "--addr", "127.0.0.1:0", ...launcher.identity, "--data", data]);
  assertRefusedStart(second, new RegExp(`Cannot .*${data}`));
});

systemTest(
  "a key that is missing, unreadable, readable by the group, or of another certificate stops the start",
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

systemTest("a data folder that cannot be made, and SSLKEYLOGFILE, stop the start", async (launcher) => {
  const file = launcher.path("file");
  await Deno.writeTextFile(file, "");
  const start = ["server", "--addr", "127.0.0.1:0", ...launcher.identity];
  assertRefusedStart(await runInmem([...start, "--data", join(file, "data")]), /Cannot .*file\/data/);
  const logged = await run(inmemCommand(...start, "--no-persist"), {
    env: { SSLKEYLOGFILE: launcher.path("secrets") },
  });
  assertRefusedStart(logged, /SSLKEYLOGFILE/);
  // The runtime may make the file before any code of ours runs; nothing may be in it.
  assertEquals(await Deno.readTextFile(launcher.path("secrets")).catch(() => ""), "");
});

systemTest("SIGINT ends a server and a proxy in order as well", async (launcher) => {
  const data = launcher.newFolder();
  const server = await launcher.server(["--data", data]);
  const proxy = await launcher.proxy(await launcher.serversFile([server.address]));
  await (await launcher.connect(proxy)).set("x", "42");
  for (const role of [proxy, server]) {
    role.process.signal("SIGINT");
    assertEquals((await role.process.status).code, 0, role.process.lastLines());
  }
  await until(async () => (await filesOf(data)).size > 0, "the snapshot of the end");
  const again = await launcher.server(["--data", data]);
  assertEquals(await (await launcher.connect(again)).getText("x"), "42");
});
