/** Tests `client pause`, `client unpause` and `client reply` on server and proxy. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { ABORT_DELAY_MS, EXPIRY_INTERVAL_MS } from "../../src/limits.ts";
import { testEachRole, type TestedRole } from "../support/each_role.ts";
import { pause } from "../support/pause.ts";
import { ask, readReplies } from "../support/proxy_rig.ts";
import { framesOf } from "../support/raw_client.ts";
import type { RespClient } from "../support/resp_client.ts";
import { encodeCommand, encodeFrame } from "../support/resp_frames.ts";
import { until } from "../support/until.ts";

const OK = "+OK\r\n";

/** Sends commands in one write, each as words with blanks between them. */
async function sendAll(client: RespClient, ...commands: readonly string[]): Promise<void> {
  await client.send(commands.map((command) => encodeCommand(command.split(" "))).join(""));
}

async function factsOf(client: RespClient, ...filters: readonly string[]): Promise<string> {
  return await ask(client, "client", "list", ...filters);
}

async function idOf(client: RespClient): Promise<string> {
  return (await ask(client, "client", "id")).slice(1, -2);
}

/** Waits until the client with this number is held back, or not listed any more. */
async function whenHeld(observer: RespClient, id: string): Promise<void> {
  await until(async () => / flags=[A-Za-z]*b/.test(await factsOf(observer, "id", id)), `client ${id} is held back`);
}

async function whenGone(observer: RespClient, id: string): Promise<void> {
  await until(async () => !(await factsOf(observer, "id", id)).includes("id="), `client ${id} is gone`);
}

testEachRole("client reply drops replies and keeps the order of the others", async ({ resp }) => {
  for (const version of [2, 3] as const) {
    using client = await resp(version);
    const keys = Array.from({ length: 8 }, (_, i) => `k${i}`);
    await sendAll(client, "client reply off", ...keys.map((key) => `set ${key} ${key}`), "nosuch", "get");
    await sendAll(client, ...keys.map((key) => `get ${key}`), "mget k0 k1 k2 k3", "client reply on");
    await sendAll(client, "client reply skip", ...keys.map((key) => `get ${key}`), "client reply skip", "ping");
    await sendAll(client, "client reply skip", "mset k0 a k1 b k2 c", "client reply skip", "dbsize", "get k1");
    const expected = [OK, ...keys.slice(1).map((key) => `$2\r\n${key}\r\n`), "$1\r\nb\r\n"];
    assertEquals(await readReplies(client, expected.length), expected);
  }
});

testEachRole(
  "client reply survives long replies, commands that wait and a client that ends its side",
  async (tested) => {
    using client = await tested.resp();
    using other = await tested.resp();
    const long = "x".repeat(1_000_000);
    assertEquals(await ask(client, "set", "long", long), OK);
    await sendAll(client, "client reply skip", "get long", "client reply skip", "blpop l 0", "ping");
    const id = await idOf(other);
    await until(async () => / flags=b /.test(await factsOf(other, "not-id", id)), "the client waits");
    assertEquals(await ask(other, "rpush", "l", "element"), ":1\r\n");
    assertEquals(await readReplies(client, 1), ["+PONG\r\n"]);
    assertEquals(await ask(other, "exists", "l"), ":0\r\n");
    await sendAll(client, "client reply off", "set last 1", "get long", "quit");
    assertEquals(await client.framesToEnd(), []);
    assertEquals(await ask(other, "get", "last"), "$1\r\n1\r\n");

    using leaving = await tested.native();
    await leaving.send(encodeCommand(["client", "reply", "off"]) + encodeCommand(["set", "last", "2"]));
    await leaving.socket.closeWrite();
    assertEquals((await leaving.readToEnd()).length, 0);
    assertEquals(await ask(other, "get", "last"), "$1\r\n2\r\n");
  },
);

testEachRole(
  "client reply is refused where a missing reply could be mistaken for another",
  async ({ resp, native }) => {
    using client = await resp();
    await sendAll(client, "multi", "client reply off", "client reply skip", "client reply on", "set k v", "exec");
    const refused = "-ERR CLIENT REPLY cannot change what a transaction replies\r\n";
    const queued = ["+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+QUEUED\r\n"];
    assertEquals(await readReplies(client, 6), [OK, ...queued, `*4\r\n${refused}${refused}${OK}${OK}`]);
    await sendAll(client, "client reply off", "multi", "client reply on", "exec", "client reply on", "ping");
    assertEquals(await readReplies(client, 2), [OK, "+PONG\r\n"]);

    using other = await native();
    const inNative = "ERR each request of the native protocol has a reply";
    assertEquals(await other.call("client", "reply", "off"), inNative);
    assertEquals(await other.call("client", "reply", "skip"), inNative);
    assertEquals(await other.call("client", "reply", "on"), "OK");
    assertEquals(await other.call("ping"), "PONG");
  },
);

testEachRole("client reply lets messages and confirmations through", async ({ resp }) => {
  for (const version of [2, 3] as const) {
    using client = await resp(version);
    using other = await resp();
    const sign = version === 2 ? "*" : ">";
    await sendAll(client, "client reply off", "subscribe c");
    assertEquals(await readReplies(client, 1), [`${sign}3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n`]);
    assertEquals(await ask(other, "publish", "c", "m"), ":1\r\n");
    assertEquals(await readReplies(client, 1), [`${sign}3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n`]);
    await sendAll(client, "ping", "reset");
    assertEquals(await readReplies(client, 1), ["+RESET\r\n"]);
  }
});

/** Runs `act` while the clients of a role are paused, and ends the pause. */
async function paused(observer: RespClient, kind: string, act: () => Promise<void>): Promise<void> {
  assertEquals(await ask(observer, "client", "pause", "600000", kind), OK);
  await act();
  assertEquals(await ask(observer, "client", "unpause"), OK);
}

testEachRole("client pause holds back commands, and no replies before them", async ({ resp, native }) => {
  using observer = await resp();
  using client = await resp(3);
  using other = await native();
  await other.call("client", "setname", "native");
  await ask(observer, "set", "a", "1");
  const id = await idOf(client);
  await paused(observer, "write", async () => {
    await sendAll(client, "get a", "ping", "mget a b", "incr a", "get a", "ping");
    // Two replies leave although the client's next request is held back.
    assertEquals(await readReplies(client, 3), ["$1\r\n1\r\n", "+PONG\r\n", "*2\r\n$1\r\n1\r\n_\r\n"]);
    await other.send(framesOf(["get", "a"], ["incr", "a"], ["get", "a"]));
    assertEquals(await other.reply(), "1");
    await whenHeld(observer, id);
    await until(async () => / flags=b /.test(await factsOf(observer, "name", "native")), "the other one is held back");
    assertMatch(await ask(observer, "info", "clients"), /blocked_clients:2\r/);
    assertEquals(await ask(observer, "get", "a"), "$1\r\n1\r\n");
  });
  const [count] = await readReplies(client, 3);
  const [nativeCount] = await other.replies(2);
  // Both ran, in either order.
  assert(count === ":2\r\n" && nativeCount === 3 || count === ":3\r\n" && nativeCount === 2, `${count} ${nativeCount}`);
  assertEquals(await ask(observer, "get", "a"), "$1\r\n3\r\n");
});

testEachRole("client pause of all commands can be ended", async ({ resp }) => {
  using observer = await resp();
  using client = await resp();
  using third = await resp();
  assertEquals(await ask(observer, "client", "pause", "600000"), OK);
  await sendAll(client, "multi", "ping", "exec");
  await sendAll(third, "get a");
  // Every command of the observer is held back, too, but for these.
  assertEquals(await ask(observer, "client", "pause", "1", "write"), OK);
  assertEquals(await ask(observer, "client", "unpause"), OK);
  assertEquals(await readReplies(client, 3), [OK, "+QUEUED\r\n", "*1\r\n+PONG\r\n"]);
  assertEquals(await readReplies(third, 1), ["$-1\r\n"]);
});

testEachRole("client pause does not keep clients that leave, are killed, or send what is wrong", async ({ resp }) => {
  using observer = await resp();
  const [leaving, killed, wrong] = [await resp(), await resp(), await resp()];
  const ids = [await idOf(leaving), await idOf(killed)] as const;
  await paused(observer, "write", async () => {
    await sendAll(leaving, "set k 1");
    await sendAll(killed, "set k 2");
    for (const id of ids) await whenHeld(observer, id);
    leaving.close();
    await whenGone(observer, ids[0]);
    assertEquals(await ask(observer, "client", "unblock", ids[1]), ":0\r\n");
    assertEquals(await ask(observer, "client", "kill", "id", ids[1]), ":1\r\n");
    await killed.framesToEnd();
    await sendAll(wrong, "set k", "nosuch", "get k");
    const [arity, unknown, value] = await readReplies(wrong, 3);
    assertMatch(arity!, /^-ERR wrong number/);
    assertMatch(unknown!, /^-ERR unknown command/);
    assertEquals(value, "$-1\r\n");
  });
  assertEquals(await ask(observer, "get", "k"), "$-1\r\n");
  for (const client of [leaving, killed, wrong]) client.close();
  // The descriptor of the killed client is freed later.
  await pause(2 * ABORT_DELAY_MS);
});

testEachRole("client pause is a problem that info, metrics and the overview show", async ({ resp, role }) => {
  using observer = await resp();
  const seen = () => ({
    problems: role.overview().problems.map(({ kind }) => kind),
    seconds: [...role.families()].flatMap((family) => {
      if (family.name !== "inmem_clients_paused_seconds" || family.type === "histogram") return [];
      return family.samples.map(({ value }) => Math.ceil(value));
    }),
  });
  assertMatch(await ask(observer, "info", "clients"), /paused_actions:none\r\npaused_timeout_milliseconds:0\r/);
  assertEquals(seen(), { problems: [], seconds: [0] });
  await paused(observer, "write", async () => {
    assertMatch(await ask(observer, "info", "clients"), /paused_actions:write\r\npaused_timeout_milliseconds:\d{6}\r/);
    assertEquals(seen(), { problems: ["clients_paused"], seconds: [600] });
  });
  assertEquals(seen(), { problems: [], seconds: [0] });
});

testEachRole("client pause holds back transactions that write, and messages that are published", async ({ resp }) => {
  using observer = await resp();
  using writing = await resp();
  using reading = await resp();
  using publishing = await resp();
  using listening = await resp();
  await ask(listening, "subscribe", "c");
  await sendAll(writing, "multi", "set k 1");
  assertEquals(await readReplies(writing, 2), [OK, "+QUEUED\r\n"]);
  const id = await idOf(publishing);
  await paused(observer, "write", async () => {
    await sendAll(writing, "exec");
    await sendAll(publishing, "publish c m");
    await sendAll(reading, "multi", "get k", "exec");
    assertEquals((await readReplies(reading, 3)).at(-1), "*1\r\n$-1\r\n");
    await whenHeld(observer, id);
    await until(async () => / flags=xb /.test(await factsOf(observer)), "the transaction is held back");
  });
  assertEquals(await readReplies(writing, 1), [`*1\r\n${OK}`]);
  assertEquals(await readReplies(publishing, 1), [":1\r\n"]);
  assertEquals(await readReplies(listening, 1), ["*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"]);
});

testEachRole(
  "client pause ends by itself, and a role that stops refuses what it holds",
  async ({ resp, role, servers }) => {
    using client = await resp();
    await sendAll(client, "client pause 20 all", "client pause 10 write", "ping");
    assertEquals(await readReplies(client, 3), [OK, OK, "+PONG\r\n"]);
    const id = await idOf(client);
    using observer = await resp();
    assertEquals(await ask(observer, "client", "pause", "600000", "write"), OK);
    await sendAll(client, "set k v");
    await whenHeld(observer, id);
    await role.stop();
    assertMatch((await client.framesToEnd()).map(encodeFrame).join(""), /^-ERR the (server|proxy) is stopping\r\n$/);
    // An operator who pauses the clients and stops the role must find no write after the pause.
    for (const { store } of servers) assertEquals(store.size, 0);
  },
);

testEachRole("client pause lets many held commands continue in their order", async ({ resp }: TestedRole) => {
  using observer = await resp();
  const clients = await Promise.all(Array.from({ length: 80 }, () => resp()));
  await paused(observer, "write", async () => {
    for (const client of clients) await sendAll(client, "incr a", "get b");
    await until(async () => (await factsOf(observer)).split(" flags=b ").length === 81, "all are held back");
  });
  const replies = await Promise.all(clients.map((client) => readReplies(client, 2)));
  assertEquals(new Set(replies.map(([count]) => count)).size, 80);
  for (const client of clients) client.close();
});

testEachRole("client pause stops the removal of expired keys on the server", async ({ name, resp, servers }) => {
  if (name === "proxy") return;
  using client = await resp();
  const { store } = servers[0]!;
  await sendAll(client, "psetex e 1 v", "client pause 600000 write");
  await readReplies(client, 2);
  const endsMs = Date.now() + 3 * EXPIRY_INTERVAL_MS;
  await until(() => Date.now() > endsMs, "expired keys would have been removed");
  assertEquals(store.size, 1);
  await ask(client, "client", "unpause");
  await until(() => store.size === 0, "the key is removed");
});
