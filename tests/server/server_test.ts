import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { encodeText, write32 } from "../../src/bytes.ts";
import { NotSavedError, StartError } from "../../src/errors.ts";
import { FRAME_SIZE_MAX_BYTES, FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES } from "../../src/limits.ts";
import { makeCertificates } from "../../src/role/certs.ts";
import type { Logger } from "../../src/role/logger.ts";
import { type Server, type ServerSettings, startServer } from "../../src/server/main.ts";
import { framesOf, RawClient } from "../support/raw_client.ts";
import { until } from "../support/until.ts";

const quiet: Logger = { info() {}, warn() {}, error() {} };

function start(settings: Partial<ServerSettings> = {}): Promise<Server> {
  return startServer({
    hostname: "127.0.0.1",
    port: 0,
    memoryLimitBytes: 64 * 1024 * 1024,
    evicts: true,
    defaultTtlMs: 0,
    maxClients: 100,
    logger: quiet,
    ...settings,
  });
}

/** Runs a test against a plaintext server without persistence. */
async function withServer(run: (server: Server) => Promise<void>, settings: Partial<ServerSettings> = {}) {
  const server = await start(settings);
  try {
    await run(server);
  } finally {
    await server.stop();
  }
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-server-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function infoOf(server: Server, name: string): string | undefined {
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(server.info([]))?.[1];
}

const clientsOf = (server: Server) => Number(infoOf(server, "connected_clients"));

Deno.test("Server serves values of several types", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    assertEquals(await client.call("set", "key with spaces", "Grüße 🦕"), "OK");
    assertEquals(await client.call("GET", "key with spaces"), "Grüße 🦕");
    assertEquals(await client.call("rpush", "list", "a", "", "c"), 3);
    assertEquals(await client.call("lrange", "list", 0, -1), ["a", "", "c"]);
    assertEquals(await client.call("hset", "hash", "f", "v"), 1);
    assertEquals(await client.call("hget", "hash", "f"), "v");
    assertEquals(await client.call("get", "absent"), null);
    assertEquals(await client.call("nosuch"), "ERR unknown command 'nosuch', with args beginning with: ");
    assertEquals(await client.call("size"), 3);
  }));

Deno.test("Server replies to 10,000 requests of one write in their order", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    const count = 10_000;
    const requests = Array.from({ length: count }, (_, i) => i % 2 ? ["get", `k${i - 1}`] : ["set", `k${i}`, `v${i}`]);
    const sending = client.send(framesOf(...requests));
    const replies = await client.replies(count);
    await sending;
    replies.forEach((reply, i) => assertEquals(reply, i % 2 ? `v${i - 1}` : "OK"));
    assertEquals(infoOf(server, "total_commands_processed"), String(count));
  }));

Deno.test("Server assembles frames that arrive byte by byte", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    (client.socket as Deno.TcpConn).setNoDelay(true);
    for (const byte of framesOf(["set", "a", "1"], ["get", "a"])) await client.send(Uint8Array.of(byte));
    assertEquals(await client.replies(2), ["OK", "1"]);
  }));

Deno.test("Server carries values of megabytes, and replies larger than one flush", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    const value = new Uint8Array(5_000_000).map((_, i) => 97 + i % 26);
    assertEquals(await client.call("set", "big", value), "OK");
    const sending = client.send(framesOf(...Array.from({ length: 5 }, () => ["get", "big"])));
    for (const reply of await client.replies(5)) assertEquals((reply as string).length, value.length);
    await sending;
  }));

Deno.test("Server refuses a frame that is too large with an error that names the limit, and closes", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    using innocent = await RawClient.connect(server.address);
    const frame = new Uint8Array(1_000_000);
    write32(frame, 0, FRAME_SIZE_MAX_BYTES + 1);
    await client.send(frame);
    assertStringIncludes(String(await client.reply()), `expected at most ${FRAME_SIZE_MAX_BYTES}`);
    assertEquals(await client.rest(), "");
    assertEquals(await innocent.call("ping"), "PONG");
  }));

Deno.test("Server refuses a malformed request in a whole frame, and continues", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    for (const payload of [[0xc0], [0x90], [0x91, 1], [0x92, 0xa4, 112], [0xdd, 255, 255, 255, 255], []]) {
      const frame = new Uint8Array([0, 0, 0, payload.length, ...payload]);
      await client.send(frame);
      assertStringIncludes(String(await client.reply()), "ERR Protocol error: Cannot read");
    }
    assertEquals(await client.call("ping"), "PONG");
    assertEquals(await client.call("size"), 0);
  }));

Deno.test("Server replies to clients of another protocol that it is not theirs, and closes", () =>
  withServer(async (server) => {
    const get = "-ERR wrong number of arguments for 'get' command\r\n";
    const http = "-ERR this is no HTTP server\r\n";
    for (
      const [text, answer] of [
        ["GET / HTTP/1.1\r\nHost: x\r\n\r\nflush\r\n", get + http],
        ["POST / HTTP/1.1\r\nflush\r\n", http],
        ["\x80\x81\x82", "-ERR this is neither the native protocol of inmem nor RESP\r\n"],
      ] as const
    ) {
      using client = await RawClient.connect(server.address);
      await client.send(encodeText(text));
      assertEquals(await client.rest(), answer);
    }
    await until(() => clientsOf(server) === 0, "all are closed");
  }));

Deno.test("Server survives half a frame and a client that leaves", () =>
  withServer(async (server) => {
    using innocent = await RawClient.connect(server.address);
    const frame = framesOf(["set", "a", "1"]);
    for (let length = 0; length < frame.length; length++) {
      const client = await RawClient.connect(server.address);
      await client.send(frame.subarray(0, length));
      client.close();
    }
    await until(() => clientsOf(server) === 1, "those who left are gone");
    assertEquals(await innocent.call("size"), 0);
  }));

Deno.test("Server requires a password if one is set", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    assertEquals(await client.call("ping"), "PONG");
    assertEquals(await client.call("get", "a"), "NOAUTH Authentication required.");
    assertStringIncludes(String(await client.call("auth", "wrong")), "WRONGPASS");
    assertStringIncludes(String(await client.call("auth", "somebody", "secret")), "WRONGPASS");
    assertStringIncludes(String(await client.call("auth", "")), "WRONGPASS");
    assertEquals(await client.call("get", "a"), "NOAUTH Authentication required.");
    assertEquals(await client.call("auth", "default", "secret"), "OK");
    assertEquals(await client.call("get", "a"), null);
    using second = await RawClient.connect(server.address);
    assertEquals(await second.call("size"), "NOAUTH Authentication required.");
  }, { password: "secret" }));

Deno.test("Server allows only small frames before authentication, and large ones after it in the same write", () =>
  withServer(async (server) => {
    const large = framesOf(["set", "a", new Uint8Array(FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES)]);
    using stranger = await RawClient.connect(server.address);
    await stranger.send(large);
    assertStringIncludes(String(await stranger.reply()), "expected at most 16384 before authentication");
    assertEquals(await stranger.rest(), "");
    using client = await RawClient.connect(server.address);
    await client.send(new Uint8Array([...framesOf(["auth", "secret"]), ...large]));
    assertEquals(await client.replies(2), ["OK", "OK"]);
  }, { password: "secret" }));

Deno.test("Server refuses clients beyond its limit, and has room again when one leaves", () =>
  withServer(async (server) => {
    const first = await RawClient.connect(server.address);
    using second = await RawClient.connect(server.address);
    assertEquals(await first.call("ping"), "PONG");
    assertEquals(await second.call("ping"), "PONG");
    using third = await RawClient.connect(server.address);
    assertEquals(await third.call("ping"), "ERR max number of clients reached");
    assertEquals(await third.rest(), "");
    first.close();
    await until(() => clientsOf(server) === 1, "the first has left");
    using fourth = await RawClient.connect(server.address);
    assertEquals(await fourth.call("ping"), "PONG");
    assertEquals(infoOf(server, "rejected_connections"), "1");
  }, { maxClients: 2 }));

Deno.test("Server replies over TLS, to one write and byte by byte, and survives bytes that are not TLS", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(`${folder}/certs`, []);
    const certificate = { cert: await Deno.readTextFile(paths.cert), key: await Deno.readTextFile(paths.key) };
    const authority = [await Deno.readTextFile(paths.authority)];
    await withServer(async (server) => {
      using stranger = await RawClient.connect(server.address);
      await stranger.send(encodeText("GET / HTTP/1.1\r\n\r\n"));
      using client = await RawClient.connect(server.address, authority);
      const requests = Array.from({ length: 10_000 }, (_, i) => ["set", `k${i}`, "x".repeat(i % 200)]);
      const sending = client.send(framesOf(...requests));
      assertEquals(new Set(await client.replies(10_000)), new Set(["OK"]));
      await sending;
      for (const byte of framesOf(["size"])) await client.send(Uint8Array.of(byte));
      assertEquals(await client.reply(), 10_000);
      await stranger.rest();
      await until(() => infoOf(server, "handshake_failures") === "1", "the handshake has failed");
    }, { certificate });
  }));

Deno.test("Server.stop() completes replies in progress, and ends idle connections", () =>
  withFolder(async (folder) => {
    const { paths } = await makeCertificates(`${folder}/certs`, []);
    const certificate = { cert: await Deno.readTextFile(paths.cert), key: await Deno.readTextFile(paths.key) };
    const authority = [await Deno.readTextFile(paths.authority)];
    const server = await start({ certificate });
    using idle = await RawClient.connect(server.address, authority);
    using busy = await RawClient.connect(server.address, authority);
    assertEquals(await idle.call("ping"), "PONG");
    assertEquals(await busy.call("set", "big", new Uint8Array(20_000_000)), "OK");
    const before = Number(infoOf(server, "total_commands_processed"));
    await busy.send(framesOf(["get", "big"]));
    await until(() => Number(infoOf(server, "total_commands_processed")) > before, "the command has begun");
    const stopping = server.stop();
    assertEquals((await busy.reply() as string).length, 20_000_000);
    assertEquals(await busy.rest(), "");
    assertEquals(await idle.rest(), "");
    await stopping;
    await assertRejects(() => RawClient.connect(server.address), Deno.errors.ConnectionRefused);
  }));

Deno.test("Server.stop() does not wait for clients that take no replies", () =>
  withFolder(async (folder) => {
    const server = await start({ dataPath: folder });
    using client = await RawClient.connect(server.address);
    assertEquals(await client.call("set", "big", new Uint8Array(10_000_000)), "OK");
    await client.send(framesOf(...Array.from({ length: 10 }, () => ["get", "big"])));
    await until(() => Number(infoOf(server, "total_commands_processed")) > 1, "the commands have begun");
    const begunMs = performance.now();
    await server.stop();
    assert(performance.now() - begunMs < 9_000);
    const next = await start({ dataPath: folder });
    assertEquals(next.store.size, 1);
    await next.stop();
  }));

Deno.test("Server.stop() ends walks over all keys with an error", () =>
  withServer(async (server) => {
    const clients = await Promise.all(Array.from({ length: 3 }, () => RawClient.connect(server.address)));
    // A walk without an end.
    server.store.scan = () => 1;
    for (const client of clients) await client.send(framesOf(["keys", "*"]));
    await until(() => Number(infoOf(server, "total_commands_processed")) === clients.length, "the walks have begun");
    const stopping = server.stop();
    for (const client of clients) {
      assertEquals(await client.reply(), "ERR the server is stopping");
      assertEquals(await client.rest(), "");
      client.close();
    }
    await stopping;
  }));

Deno.test("Server serves other clients during several walks over all keys, and after their clients leave", () =>
  withServer(async (server) => {
    const walkers = await Promise.all(Array.from({ length: 3 }, () => RawClient.connect(server.address)));
    using client = await RawClient.connect(server.address);
    const { scan } = server.store;
    server.store.scan = () => 1;
    for (const walker of walkers) await walker.send(framesOf(["keys", "*"]));
    await until(() => Number(infoOf(server, "total_commands_processed")) >= walkers.length, "the walks have begun");
    for (let i = 0; i < 20; i++) assertEquals(await client.call("set", `key:${i}`, ""), "OK");
    for (const walker of walkers) walker.close();
    await until(() => clientsOf(server) === 1, "those who left are gone");
    server.store.scan = scan;
    assertEquals((await client.call("keys", "*") as string[]).length, 20);
  }));

Deno.test("Server keeps keys of all types with their TTLs after a restart", () =>
  withFolder(async (folder) => {
    const dataPath = `${folder}/data`;
    const first = await start({ dataPath });
    const client = await RawClient.connect(first.address);
    await client.call("set", "plain", "x");
    await client.call("set", "brief", "x", "PX", 1);
    await client.call("set", "hour", "x", "EX", 3600);
    await client.call("set", new Uint8Array([0, 255]), new Uint8Array([0, 1, 0]));
    await client.call("set", "", "");
    await client.call("hset", "hash", "f", "v", "", "");
    await client.call("pexpire", "hash", 7_200_000);
    const elements = Array.from({ length: 200_000 }, (_, i) => `element ${i}`);
    for (let i = 0; i < elements.length; i += 1000) await client.call("rpush", "list", ...elements.slice(i, i + 1000));
    await client.call("set", "mega", "m".repeat(1_000_000));
    client.close();
    await first.stop();

    const second = await start({ dataPath });
    const again = await RawClient.connect(second.address);
    assertEquals(await again.call("size"), 7);
    assertEquals(await again.call("get", "plain"), "x");
    assertEquals(await again.call("get", "brief"), null);
    const left = await again.call("ttl", "hour") as number;
    assert(left > 3500 && left <= 3600, `${left} s`);
    assertEquals(await again.call("get", new Uint8Array([0, 255])), "\0\u0001\0");
    assertEquals(await again.call("get", ""), "");
    assertEquals(await again.call("hgetall", "hash"), new Map([["f", "v"], ["", ""]]));
    const hashLeft = await again.call("ttl", "hash") as number;
    assert(hashLeft > 7100 && hashLeft <= 7200, `${hashLeft} s`);
    assertEquals(await again.call("ttl", "list"), -1);
    assertEquals(await again.call("lrange", "list", 0, -1), elements);
    assertEquals((await again.call("get", "mega") as string).length, 1_000_000);
    again.close();
    await second.stop();
  }));

async function snapshotsIn(folder: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(folder)) if (/^snapshot-.*\.inmem$/.test(name)) names.push(name);
  return names.sort();
}

Deno.test("Server keeps the order of use in a snapshot", () =>
  withFolder(async (dataPath) => {
    const first = await start({ dataPath });
    const client = await RawClient.connect(first.address);
    for (const key of ["a", "b", "c", "d"]) await client.call("set", key, key);
    await client.call("get", "a");
    await client.call("lpush", "list", "x");
    await client.call("get", "c");
    await client.call("save");
    client.close();
    await first.stop();
    const second = await start({ dataPath });
    const { store } = second;
    const keys: string[] = [];
    for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
      const key = new Uint8Array(store.keyLength(entry));
      store.copyKey(entry, key, 0);
      keys.push(new TextDecoder().decode(key));
    }
    assertEquals(keys, ["b", "d", "a", "list", "c"]);
    await second.stop();
  }));

Deno.test("Server saves when asked, keeps two snapshots, and saves nothing when nothing has changed", () =>
  withFolder(async (dataPath) => {
    const server = await start({ dataPath });
    using client = await RawClient.connect(server.address);
    for (const value of ["1", "2", "3"]) {
      await client.call("set", "a", value);
      assertEquals(await client.call("save"), "OK");
    }
    const names = await snapshotsIn(dataPath);
    assertEquals(names.length, 2);
    assertEquals(infoOf(server, "rdb_changes_since_last_save"), "0");
    assertEquals(infoOf(server, "last_save_keys"), "1");
    await server.stop();
    assertEquals(await snapshotsIn(dataPath), names);
  }));

Deno.test("Server serves saves of many clients at the same time", () =>
  withFolder(async (dataPath) => {
    const server = await start({ dataPath });
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.connect(server.address)));
    const replies = await Promise.all(clients.map(async (client, i) => {
      await client.call("set", `k${i}`, "x");
      return await client.call("save");
    }));
    assertEquals(new Set(replies), new Set(["OK"]));
    for (const client of clients) client.close();
    assertEquals(infoOf(server, "rdb_changes_since_last_save"), "0");
    await server.stop();
  }));

Deno.test("Server continues when a snapshot cannot be written, reports it, and saves when it can again", () =>
  withFolder(async (folder) => {
    const dataPath = `${folder}/data`;
    const errors: string[] = [];
    const logger = { ...quiet, error: (message: string) => errors.push(message) };
    const server = await start({ dataPath, logger });
    using client = await RawClient.connect(server.address);
    await client.call("set", "a", "x");
    await Deno.rename(dataPath, `${folder}/elsewhere`);
    assertStringIncludes(String(await client.call("save")), "ERR cannot save: ");
    assertEquals(errors, ["Writes are refused, reads are not", "Cannot save a snapshot"]);
    assertEquals(infoOf(server, "rdb_last_bgsave_status"), "err");
    assertEquals(infoOf(server, "rdb_changes_since_last_save"), "1");
    assertEquals(await client.call("get", "a"), "x");
    await Deno.rename(`${folder}/elsewhere`, dataPath);
    assertEquals(await client.call("save"), "OK");
    assertEquals(infoOf(server, "rdb_last_bgsave_status"), "ok");
    await server.stop();
  }));

Deno.test("Server.stop() rejects when the log cannot be synced, and still releases everything", () =>
  withFolder(async (folder) => {
    const dataPath = `${folder}/data`;
    const server = await start({ dataPath });
    using client = await RawClient.connect(server.address);
    await client.call("set", "a", "x");
    await Deno.remove(dataPath, { recursive: true });
    await assertRejects(() => server.stop(), NotSavedError, dataPath);
    await (await start({ dataPath, port: server.address.port })).stop();
  }));

Deno.test("Server refuses to save without persistence", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    assertEquals(await client.call("save"), "ERR this server keeps nothing on disk");
    assertEquals(await client.call("ping"), "PONG");
  }));

Deno.test("startServer() refuses a damaged snapshot, names the place and the remedies, and changes no file", () =>
  withFolder(async (dataPath) => {
    const server = await start({ dataPath });
    using client = await RawClient.connect(server.address);
    for (const value of ["old", "new"]) {
      await client.call("set", "a", value);
      await client.call("save");
    }
    await server.stop();
    const [older, newest] = (await snapshotsIn(dataPath)).map((name) => `${dataPath}/${name}`) as [string, string];
    const bytes = await Deno.readFile(newest);
    bytes[50]! ^= 4;
    await Deno.writeFile(newest, bytes);

    const error = await assertRejects(() => start({ dataPath }), StartError, newest);
    assertStringIncludes(error.message, "offset 40");
    assertStringIncludes(error.message, `inmem check ${dataPath}`);
    assertEquals(await Deno.readFile(newest), bytes);
    assertEquals((await snapshotsIn(dataPath)).length, 2);

    await assertRejects(
      () => start({ dataPath, backupPath: older }),
      StartError,
      `"${newest}" in the data folder is newer`,
    );
    assertEquals((await snapshotsIn(dataPath)).length, 2, "what a person may still need is kept");
  }));

Deno.test("startServer() refuses a folder that another server uses, a missing backup, and a port in use", () =>
  withFolder(async (dataPath) => {
    const server = await start({ dataPath });
    await assertRejects(() => start({ dataPath }), StartError, "another inmem server");
    await assertRejects(() => start({ backupPath: `${dataPath}/none` }), StartError, `${dataPath}/none`);
    await assertRejects(() => start({ port: server.address.port }), StartError, "Cannot listen on 127.0.0.1:");
    await server.stop();
    await (await start({ dataPath })).stop();
  }));

Deno.test("startServer() refuses a snapshot that does not fit when eviction is off, and keeps the newest keys when on", () =>
  withFolder(async (dataPath) => {
    const server = await start({ dataPath });
    using client = await RawClient.connect(server.address);
    for (let i = 0; i < 200; i++) await client.call("set", `k${i}`, new Uint8Array(100_000));
    await client.call("rpush", "list", ...Array.from({ length: 1000 }, () => new Uint8Array(2_000)));
    await server.stop();
    const small = 8 * 1024 * 1024;
    await assertRejects(
      () => start({ dataPath, evicts: false, memoryLimitBytes: small }),
      StartError,
      "more than --max-memory",
    );
    const evicting = await start({ dataPath, memoryLimitBytes: small });
    using reader = await RawClient.connect(evicting.address);
    assertEquals(await reader.call("llen", "list"), 1000);
    assertEquals(await reader.call("exists", "k0", "k199"), 1);
    const { keys, expired, evicted } = evicting.loaded!;
    assert(evicted > 100, `${evicted} keys`);
    assertEquals([keys + evicted, expired, await reader.call("size")], [201, 0, keys]);
    await evicting.stop();
  }));

Deno.test("Server removes expired keys that no client reads", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    for (let i = 0; i < 1000; i++) await client.send(framesOf(["set", `k${i}`, "x", "PX", 50]));
    await client.replies(1000);
    await until(() => server.store.size === 0, "all keys have gone");
    assertEquals(infoOf(server, "expired_keys"), "1000");
  }));

Deno.test("Server gives keys the default TTL", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    await client.call("set", "a", "x");
    const left = await client.call("pttl", "a") as number;
    assert(left > 50_000 && left <= 60_000, `${left} ms`);
  }, { defaultTtlMs: 60_000 }));

Deno.test("Server reports facts about itself", () =>
  withServer(async (server) => {
    using client = await RawClient.connect(server.address);
    await client.call("set", "a", "x");
    const text = String(await client.call("info"));
    for (const title of ["Server", "Clients", "Memory", "Persistence", "Stats", "Keyspace"]) {
      assertStringIncludes(text, `# ${title}\r\n`);
    }
    assertStringIncludes(text, "role:server\r\n");
    assertStringIncludes(text, `tcp_port:${server.address.port}\r\n`);
    assertStringIncludes(text, "maxmemory_policy:allkeys-lru\r\n");
    assertStringIncludes(text, "db0:keys=1,expires=0,avg_ttl=0\r\n");
    const one = String(await client.call("info", "clients"));
    const lines = one.trimEnd().split("\r\n").map((line) => line.split(":"));
    assertEquals(lines.map(([name]) => name), [
      "# Clients",
      ...["connected_clients", "maxclients", "blocked_clients", "paused_actions", "paused_timeout_milliseconds"],
      ...["largest_client_id", "largest_client_memory"],
      ...["clients_closed_for_memory", "requests_refused_for_memory", "cluster_connections", "tracking_clients"],
    ]);
    assertEquals([lines[1]![1], lines[2]![1], lines[3]![1]], ["1", "100", "0"]);
    assertEquals(await client.call("info", "nosuch"), "");
  }));
