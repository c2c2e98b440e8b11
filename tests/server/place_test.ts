/**
 * A data folder that disappears while a server runs, or whose files are changed by another program: writes are refused
 * within two seconds, with the reason, and all that was acknowledged is in a file.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { NotSavedError } from "../../src/errors.ts";
import type { FsyncPolicy } from "../../src/log/append_log.ts";
import type { Logger } from "../../src/role/logger.ts";
import { type Server, type ServerSettings, startServer } from "../../src/server/main.ts";
import { pause } from "../support/pause.ts";
import { RawClient } from "../support/raw_client.ts";
import { until } from "../support/until.ts";

/**
 * The longest time after which a server says that it refuses writes. The test machine may be slow, the server is not.
 */
const NOTICE_MAX_MS = 2_000;

/** A server in this process on a real folder, and a client. */
class Rig {
  readonly root: string;
  readonly data: string;
  readonly errors: string[] = [];
  readonly infos: string[] = [];
  server!: Server;
  client!: RawClient;

  private constructor(root: string) {
    this.root = root;
    this.data = `${root}/data`;
  }

  static async open(fsync: FsyncPolicy = "everysec", settings: Partial<ServerSettings> = {}): Promise<Rig> {
    const rig = new Rig(await Deno.makeTempDir({ prefix: "inmem-place-" }));
    await rig.start(fsync, settings);
    assertEquals(await rig.client.call("set", "a", "1"), "OK");
    return rig;
  }

  async start(fsync: FsyncPolicy = "everysec", settings: Partial<ServerSettings> = {}): Promise<void> {
    this.server = await startServer(this.settings(fsync, settings));
    this.client = await RawClient.connect(this.server.address);
  }

  settings(fsync: FsyncPolicy = "everysec", settings: Partial<ServerSettings> = {}): ServerSettings {
    const logger: Logger = {
      info: (message) => {
        if (message !== "Admin command") this.infos.push(message);
      },
      warn() {},
      error: (message, fields) => void this.errors.push(`${message}: ${fields?.["reason"] ?? fields?.["error"]}`),
    };
    return {
      hostname: "127.0.0.1",
      port: 0,
      dataPath: this.data,
      memoryLimitBytes: 16 * 1024 * 1024,
      evicts: true,
      defaultTtlMs: 0,
      maxClients: 100,
      fsync,
      logger,
      ...settings,
    };
  }

  info(name: string): string | undefined {
    return new RegExp(`^${name}:(.*)\r$`, "m").exec(this.server.info([]))?.[1];
  }

  /** Waits until writes are refused for a reason, which is logged once. */
  async refused(reason: RegExp): Promise<void> {
    await until(() => this.info("aof_last_write_status") === "err", "writes are refused", NOTICE_MAX_MS);
    assertMatch(String(await this.client.call("set", "b", "2")), /^MISCONF Writes are refused, reads are not: /);
    assertMatch(String(await this.client.call("set", "b", "2")), reason);
    assertEquals([await this.client.call("get", "a"), await this.client.call("get", "b")], ["1", null]);
    assertMatch(this.info("log_last_error")!, reason);
    assertEquals(this.errors.filter((line) => line.startsWith("Writes are refused")).length, 1, this.errors.join("\n"));
    assertMatch(this.errors[0]!, reason);
  }

  async accepted(): Promise<void> {
    await until(() => this.info("aof_last_write_status") === "ok", "writes are accepted");
    assertEquals(await this.client.call("set", "c", "3"), "OK");
    assertEquals(this.infos, ["Writes are accepted again"]);
  }

  /** Stops the server, which ends with an error while its place is not its own. */
  async stopFails(): Promise<void> {
    this.client.close();
    await assertRejects(() => this.server.stop(), NotSavedError);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.server.stop();
  }

  /** Returns the keys that a start finds. */
  async keysAfterStart(path = this.data): Promise<string[]> {
    const server = await startServer({ ...this.settings(), dataPath: path });
    using client = await RawClient.connect(server.address);
    const keys = await client.call("keys", "*") as string[];
    await server.stop();
    return keys.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await this.server.stop().catch(() => {});
    await Deno.remove(this.root, { recursive: true });
  }

  /** Returns the name of the newest snapshot; empty when there is none. */
  async newestSnapshot(): Promise<string> {
    const names = await Array.fromAsync(Deno.readDir(this.data), ({ name }) => name);
    return names.filter((name) => SNAPSHOT.test(name)).sort().at(-1) ?? "";
  }

  async file(pattern: RegExp): Promise<string> {
    for await (const { name } of Deno.readDir(this.data)) if (pattern.test(name)) return `${this.data}/${name}`;
    throw new Error(`there is no file like ${pattern}`);
  }
}

const LOG = /^log-.*\.inmem$/;
const SNAPSHOT = /^snapshot-.*\.inmem$/;

/** Ways to lose a place, each with the reason that the server reports. */
const LOSSES: Record<string, { lose: (rig: Rig) => Promise<void>; reason: RegExp }> = {
  "removed": {
    lose: ({ data }) => Deno.remove(data, { recursive: true }),
    reason: /the data folder ".*\/data" is gone: it was removed or renamed/,
  },
  "renamed": {
    lose: ({ data }) => Deno.rename(data, `${data}-moved`),
    reason: /the data folder ".*\/data" is gone/,
  },
  "removed with the folder above it": {
    lose: async ({ root }) => {
      await Deno.remove(root, { recursive: true });
      await Deno.writeTextFile(root, "a file");
    },
    reason: /the data folder ".*\/data" is gone/,
  },
  "replaced by an empty one": {
    lose: async ({ data }) => {
      await Deno.rename(data, `${data}-moved`);
      await Deno.mkdir(data);
    },
    reason: /is not the one that was opened: it was replaced by another one/,
  },
  "replaced by a copy of it": {
    lose: async ({ data }) => {
      await Deno.rename(data, `${data}-moved`);
      await Deno.mkdir(data);
      for await (const { name } of Deno.readDir(`${data}-moved`)) {
        await Deno.copyFile(`${data}-moved/${name}`, `${data}/${name}`);
      }
    },
    reason: /it was replaced by another one/,
  },
  "replaced by a link to another one": {
    lose: async ({ data, root }) => {
      await Deno.remove(data, { recursive: true });
      await Deno.mkdir(`${root}/other`);
      await Deno.symlink(`${root}/other`, data);
    },
    reason: /it was replaced by another one/,
  },
  "replaced by a link that leads nowhere": {
    lose: async ({ data }) => {
      await Deno.remove(data, { recursive: true });
      await Deno.symlink("nowhere", data);
    },
    reason: /is gone/,
  },
  "replaced by a loop of links": {
    lose: async ({ data }) => {
      await Deno.remove(data, { recursive: true });
      await Deno.symlink("data", data);
    },
    reason: /cannot be checked: .*symbolic links/,
  },
  "replaced by a file": {
    lose: async ({ data }) => {
      await Deno.remove(data, { recursive: true });
      await Deno.writeTextFile(data, "");
    },
    reason: /it was replaced by another one/,
  },
  "without its lock": {
    lose: ({ data }) => Deno.remove(`${data}/inmem.lock`),
    reason: /the lock file ".*inmem\.lock" was removed, and another server could start there/,
  },
  "with another lock": {
    lose: async ({ data }) => {
      await Deno.remove(`${data}/inmem.lock`);
      await Deno.writeTextFile(`${data}/inmem.lock`, "1\n");
    },
    reason: /the lock file ".*inmem\.lock" was replaced by another one/,
  },
  "emptied": {
    lose: async ({ data }) => {
      for await (const { name } of Deno.readDir(data)) await Deno.remove(`${data}/${name}`);
    },
    reason: /the lock file ".*" was removed/,
  },
};

for (const [what, { lose, reason }] of Object.entries(LOSSES)) {
  for (const fsync of what === "removed" ? ["always", "everysec", "never"] as const : ["everysec"] as const) {
    Deno.test(`Server with --fsync ${fsync} refuses writes within 2 s when its folder is ${what}`, async () => {
      await using rig = await Rig.open(fsync);
      await lose(rig);
      await rig.refused(reason);
      // The server leaves the remedy to a person, and logs nothing more.
      await pause(100);
      assertEquals(rig.errors.length, 1, rig.errors.join("\n"));
      await rig.stopFails();
      if (what.includes("removed with")) {
        await Deno.remove(rig.root);
        await Deno.mkdir(rig.root);
      }
    });
  }
}

Deno.test("Server with --fsync always acknowledges no write after its folder was removed, and does when it is back", async () => {
  await using rig = await Rig.open("always");
  await Deno.rename(rig.data, `${rig.root}/x`);
  let reply: unknown;
  const writing = rig.client.call("set", "later", "1").then((value) => reply = value);
  using other = await RawClient.connect(rig.server.address);
  await until(() => rig.info("log_batches_synced") !== rig.info("log_batches"), "it is written");
  assertEquals(await other.call("get", "a"), "1");
  await until(() => rig.info("aof_last_write_status") === "err", "writes are refused", NOTICE_MAX_MS);
  assertEquals(reply, undefined);
  await Deno.rename(`${rig.root}/x`, rig.data);
  await writing;
  assertEquals(reply, "OK");
  await rig.accepted();
  await rig.stop();
  assertEquals(await rig.keysAfterStart(), ["a", "c", "later"]);
});

Deno.test("Server with --fsync always closes the connection of a write that was in progress when its folder was removed", async () => {
  await using rig = await Rig.open("always");
  await Deno.remove(rig.data, { recursive: true });
  const outcome = await rig.client.call("set", "b", "2").catch((error) => error);
  // Whether it will last is unknown: it ran before the removal was noticed.
  assert(outcome instanceof Error || String(outcome).startsWith("MISCONF"), String(outcome));
  using other = await RawClient.connect(rig.server.address);
  assertMatch(String(await other.call("set", "b", "2")), /^MISCONF .* is gone/);
  await rig.stopFails();
});

Deno.test("Server accepts writes again when its folder is back, even if another server ran meanwhile", async () => {
  await using rig = await Rig.open();
  await Deno.rename(rig.data, `${rig.root}/x`);
  await rig.refused(/is gone/);
  const other = await startServer(rig.settings());
  await pause(600);
  assertMatch(String(await rig.client.call("set", "b", "2")), /replaced by another one/);
  assertMatch(String(await rig.client.call("save")), /^ERR cannot save: .*replaced by another one/);
  await other.stop();
  assertMatch(String(await rig.client.call("save")), /^ERR cannot save: .*replaced by another one/);
  await Deno.rename(rig.data, `${rig.root}/y`);
  await Deno.rename(`${rig.root}/x`, rig.data);
  await rig.accepted();
  await rig.stop();
  assertEquals(await rig.keysAfterStart(), ["a", "c"]);
});

Deno.test("Server never accepts writes again after another server has started on the same folder", async () => {
  await using rig = await Rig.open();
  await Deno.remove(`${rig.data}/inmem.lock`);
  const other = await startServer(rig.settings());
  using client = await RawClient.connect(other.address);
  await client.call("set", "theirs", "1");
  await client.call("save");
  await until(() => rig.info("aof_last_write_status") === "err", "writes are refused", NOTICE_MAX_MS);
  assertMatch(String(await rig.client.call("save")), /^ERR cannot save: .*another server may own the folder/);
  await other.stop();
  assertMatch(String(await rig.client.call("bgsave")), /Background saving started/);
  await until(() => rig.info("rdb_last_bgsave_status") === "err", "it fails");
  assertMatch(String(await rig.client.call("set", "b", "2")), /^MISCONF .*another server may own the folder/);
  await rig.stopFails();
  assertEquals(await rig.keysAfterStart(), ["a", "theirs"]);
});

Deno.test("Server continues in an empty folder of the same name when a person asks for a snapshot", async () => {
  for (const fsync of ["always", "never"] as const) {
    await using rig = await Rig.open(fsync);
    await Deno.remove(rig.data, { recursive: true });
    await rig.refused(/is gone/);
    assertMatch(String(await rig.client.call("save")), /^ERR cannot save: .*is gone/);
    await Deno.mkdir(rig.data);
    assertMatch(String(await rig.client.call("set", "b", "2")), /^MISCONF/);
    assertEquals(await rig.client.call("save"), "OK");
    await until(() => rig.info("aof_last_write_status") === "ok", "writes are accepted");
    assertEquals(await rig.client.call("set", "c", "3"), "OK");
    await rig.stop();
    assertEquals(await rig.keysAfterStart(), ["a", "c"]);
  }
});

Deno.test("Server takes no other folder while the one that it has opened exists, which has all the data", async () => {
  await using rig = await Rig.open("everysec");
  await Deno.rename(rig.data, `${rig.root}/x`);
  await Deno.mkdir(rig.data);
  await until(() => rig.info("aof_last_write_status") === "err", "writes are refused", NOTICE_MAX_MS);
  assertMatch(String(await rig.client.call("save")), /^ERR cannot save: .*that one still exists: move it back/);
  assertMatch(String(await rig.client.call("set", "b", "2")), /^MISCONF/);
  assertEquals(await Array.fromAsync(Deno.readDir(rig.data)), []);
  await rig.stopFails();
  assertEquals(await rig.keysAfterStart(`${rig.root}/x`), ["a"]);
});

Deno.test("Server creates a removed lock again when a person asks for a snapshot", async () => {
  await using rig = await Rig.open("always");
  await Deno.remove(`${rig.data}/inmem.lock`);
  await rig.refused(/was removed/);
  assertEquals(await rig.client.call("save"), "OK");
  await rig.accepted();
  await assertRejects(() => startServer(rig.settings()), Error, `process ${Deno.pid}`);
  await rig.stop();
  assertEquals(await rig.keysAfterStart(), ["a", "c"]);
});

/** Changes of a server's files by another program, each with the reason that the server reports. */
const CHANGES: Record<string, { change: (rig: Rig) => Promise<void>; reason: RegExp }> = {
  "its log removed": {
    change: async (rig) => Deno.remove(await rig.file(LOG)),
    reason: /the log ".*inmem" was removed or renamed by somebody else/,
  },
  "its log cut to nothing": {
    change: async (rig) => Deno.truncate(await rig.file(LOG)),
    reason: /the log ".*" was changed by somebody else: expected [0-9]+ bytes, not 0/,
  },
  "its log cut in the middle": {
    change: async (rig) => Deno.truncate(await rig.file(LOG), 50),
    reason: /expected [0-9]+ bytes, not 50/,
  },
  "its log cut while it writes": {
    change: async (rig) => {
      await Deno.truncate(await rig.file(LOG));
      // The next write makes the file non-empty again.
      await rig.client.call("set", "d", "4");
    },
    reason: /was changed by somebody else/,
  },
  "something written to its log": {
    change: async (rig) => Deno.writeTextFile(await rig.file(LOG), "garbage", { append: true }),
    reason: /was changed by somebody else/,
  },
  "its log replaced": {
    change: async (rig) => {
      const path = await rig.file(LOG);
      await Deno.copyFile(path, `${rig.root}/copy`);
      await Deno.rename(`${rig.root}/copy`, path);
    },
    reason: /the log ".*" was replaced by somebody else/,
  },
  "its snapshot removed": {
    change: async (rig) => Deno.remove(await rig.file(SNAPSHOT)),
    reason: /the snapshot ".*" was removed or renamed by somebody else/,
  },
  "its snapshot cut": {
    change: async (rig) => Deno.truncate(await rig.file(SNAPSHOT), 50),
    reason: /the snapshot ".*" was changed by somebody else/,
  },
  "all its files but the lock removed": {
    change: async (rig) => {
      for await (const { name } of Deno.readDir(rig.data)) {
        if (name !== "inmem.lock") await Deno.remove(`${rig.data}/${name}`);
      }
    },
    reason: /the log ".*" was removed/,
  },
};

for (const [what, { change, reason }] of Object.entries(CHANGES)) {
  Deno.test(`Server with ${what} immediately saves all its data, and refuses writes until a person saves`, async () => {
    await using rig = await Rig.open();
    if (what.includes("snapshot")) await rig.client.call("save");
    const before = await rig.newestSnapshot();
    await change(rig);
    await rig.refused(reason);
    assertMatch(rig.info("log_last_error")!, /run the command "save" to allow writes again/);
    // The next process finds all data, even if this one is killed.
    await until(async () => (await rig.newestSnapshot()) > before, "a snapshot is taken");
    assertMatch(String(await rig.client.call("set", "b", "2")), /^MISCONF/);
    await until(() => rig.info("rdb_bgsave_in_progress") === "0", "the previous log is removed");
    await Deno.mkdir(`${rig.root}/image`);
    for await (const { name, isFile } of Deno.readDir(rig.data)) {
      if (isFile) await Deno.copyFile(`${rig.data}/${name}`, `${rig.root}/image/${name}`);
    }
    assert((await rig.keysAfterStart(`${rig.root}/image`)).includes("a"));
    assertEquals(await rig.client.call("save"), "OK");
    await rig.accepted();
    await rig.stop();
    const keys = await rig.keysAfterStart();
    assertEquals(keys.filter((key) => key !== "d"), ["a", "c"]);
    assertEquals(keys.includes("d"), what.includes("while it writes"));
  });
}

Deno.test("Server.stop() fails when files were changed and no person has asked for a snapshot since", async () => {
  await using rig = await Rig.open();
  await Deno.remove(await rig.file(LOG));
  // No wait is needed: stopping checks once more.
  await rig.stopFails();
});

Deno.test("Server saves to a separate folder for backups when the data folder is gone", async () => {
  const backupFolder = await Deno.makeTempDir({ prefix: "inmem-backups-" });
  try {
    await using rig = await Rig.open("everysec", { backupFolder });
    await Deno.remove(rig.data, { recursive: true });
    await rig.refused(/is gone/);
    assertEquals(await rig.client.call("save", "rescue.inmem"), "OK");
    assert((await Deno.stat(`${backupFolder}/rescue.inmem`)).size > 0);
    await rig.stopFails();
  } finally {
    await Deno.remove(backupFolder, { recursive: true });
  }
});

Deno.test("Server creates no folder for backups in place of its data folder", async () => {
  await using rig = await Rig.open();
  await Deno.remove(rig.data, { recursive: true });
  assertMatch(String(await rig.client.call("save", "x.inmem")), /^ERR cannot save: .*is gone/);
  await assertRejects(() => Deno.stat(rig.data), Deno.errors.NotFound);
});

Deno.test("Server refuses writes while it has no rights to its folder", {
  // Permissions do not restrict root.
  ignore: Deno.uid() === 0,
}, async () => {
  await using rig = await Rig.open();
  await Deno.chmod(rig.data, 0o000);
  await rig.refused(/cannot be checked: .*[Pp]ermission/);
  await Deno.chmod(rig.data, 0o700);
  await rig.accepted();
  await rig.stop();
});
