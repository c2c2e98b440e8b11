/** Tests that a server under two addresses counts once, and that a proxy does not count as a server. */

import {
  assert,
  assertEquals,
  assertLess,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { ConnectionError } from "../../../src/errors.ts";
import { slotOf } from "../../../src/key_slot.ts";
import { type Entry, Identities, parseIdentity } from "../../../src/proxy/backend/identities.ts";
import type { Proxy } from "../../../src/proxy/main.ts";
import { ownersOf } from "../../../src/route/slots.ts";
import { type FakeHandler, FakeServer } from "../../support/fake_server.ts";
import {
  ask,
  clustered,
  connectResp,
  infoOf,
  readReplies,
  type Rig,
  serverFact,
  withProxy,
  withServers,
  writeList,
} from "../../support/proxy_rig.ts";
import { Relay } from "../../support/relay.ts";
import { until } from "../../support/until.ts";

/** Creates entries that log the calls of their methods. */
function makeEntries(addresses: readonly string[], log: string[]): Entry[] {
  return addresses.map((address) => ({
    address,
    expel: (reason) => void log.push(`expel ${address}: ${reason}`),
    reconnect: (reason) => void log.push(`reconnect ${address}: ${reason}`),
  }));
}

const OWN = "0".repeat(40);

function makeIdentities(cluster: { pools: Entry[] }, log: string[] = []): Identities {
  return new Identities(OWN, cluster, (address) => void log.push(`lose ${address}`));
}

const R1 = { runId: "1".repeat(40), isProxy: false };
const R2 = { runId: "2".repeat(40), isProxy: false };
const NONE = { runId: undefined, isProxy: false };

Deno.test("Identities assigns a server to the first entry of the list, whichever connects first", () => {
  const log: string[] = [];
  const identities = makeIdentities({ pools: makeEntries(["a:1", "b:1", "c:1"], log) }, log);
  const refuses = (address: string, reason: string, who = R1) =>
    assertThrows(() => identities.admit(address, who), ConnectionError, reason);
  identities.admit("b:1", R1);
  identities.admit("c:1", R2);
  // A reply that has already come through "b:1" must not be joined with a second reply to the same request.
  refuses("a:1", 'it was in use as "b:1"');
  assertEquals(log, ['expel b:1: it is the same server as "a:1": expected each server once in the list', "lose b:1"]);
  identities.admit("a:1", R1);
  identities.admit("a:1", R1);
  for (let i = 0; i < 2; i++) refuses("b:1", 'it is the same server as "a:1"');
  assertEquals(["a:1", "b:1", "c:1"].map((address) => identities.isMistaken(address)), [false, true, false]);
  refuses("c:1", 'it is the same server as "a:1"');
  assertEquals(log.length, 2);
});

Deno.test("Identities accepts an entry that leads to another server, and ends its connections to the previous one", () => {
  const log: string[] = [];
  const pools = makeEntries(["a:1", "b:1"], log);
  const identities = makeIdentities({ pools }, log);
  identities.admit("a:1", R1);
  assertThrows(() => identities.admit("b:1", R1), ConnectionError, 'the same server as "a:1"');
  identities.admit("b:1", R2);
  assertEquals([identities.isMistaken("b:1"), log], [false, []]);
  identities.admit("b:1", { ...R2, runId: "3".repeat(40) });
  assertEquals(log, ["reconnect b:1: its address leads to another server now", "lose b:1"]);
});

Deno.test("Identities forgets entries that have left the list", () => {
  const cluster = { pools: makeEntries(["a:1", "b:1"], []) };
  const identities = makeIdentities(cluster);
  identities.admit("a:1", R1);
  assertThrows(() => identities.admit("b:1", R1), ConnectionError);
  cluster.pools = makeEntries(["b:1"], []);
  identities.admit("b:1", R1);
  cluster.pools = makeEntries(["b:1", "a:1"], []);
  assertThrows(() => identities.admit("a:1", R1), ConnectionError, 'the same server as "b:1"');
});

Deno.test("Identities refuses proxies, first of all itself; it cannot distinguish servers without a run id", () => {
  const identities = makeIdentities({ pools: makeEntries(["a:1", "b:1"], []) });
  assertThrows(
    () => identities.admit("a:1", { runId: OWN, isProxy: true }),
    ConnectionError,
    "it is this proxy itself",
  );
  assertThrows(() => identities.admit("a:1", { ...R1, isProxy: true }), ConnectionError, "it is a proxy");
  assert(identities.isMistaken("a:1"));
  for (const address of ["a:1", "b:1", "a:1"]) identities.admit(address, NONE);
  assert(!identities.isMistaken("a:1"));
});

Deno.test("parseIdentity() reads the replies of servers of any kind", () => {
  const id = "0123456789abcdef0123456789abcdef01234567";
  assertEquals(parseIdentity(`# Server\r\nrole:proxy\r\nrun_id:${id}\r\n`), { runId: id, isProxy: true });
  assertEquals(parseIdentity(`redis_version:7.0.15\nrun_id:${id}\n`), { runId: id, isProxy: false });
  for (const text of ["", "run_id:\r\n", "master_run_id:5\r\n", "run_id:a b\r\n", `x run_id:${id}`]) {
    assertEquals(parseIdentity(text), NONE, text);
  }
});

Deno.test("info has a run id of 40 hex digits, different for each server and proxy", () =>
  withServers(2, async (servers, addresses) => {
    await withProxy(addresses, ({ proxy }) => {
      const ids = [...servers, proxy].map((role) => /^run_id:([0-9a-f]{40})\r$/m.exec(role.info(["server"]))?.[1]);
      assertEquals(new Set(ids).size, 3);
      assertEquals(ids.includes(undefined), false);
      return Promise.resolve();
    });
  }));

function isDown(proxy: Proxy, position: number): boolean {
  return serverFact(proxy, position, "state") === "down";
}

/**
 * Returns what the log says of a server that is down, and removes it: the rig fails a test that leaves errors in the
 * log.
 */
function takeErrors({ log }: Rig): string[] {
  const errors = log.lines.filter((line) => line.startsWith("error"));
  log.lines.length = 0;
  return errors;
}

/** Runs a test with one server under two addresses. */
function withAlias(run: (rig: Rig) => Promise<void>, settings = {}): () => Promise<void> {
  return () =>
    withServers(1, async (_servers, [address]) => {
      const port = address!.split(":")[1];
      await withProxy([address!, `localhost:${port}`], run, settings);
    });
}

Deno.test(
  "Proxy never counts, finds or sends anything twice if the list has one server twice",
  withAlias(async (rig) => {
    const { proxy, key } = rig;
    using client = await connectResp(proxy);
    // These requests run before either entry has connected: every reply must be right.
    const counts: string[] = [];
    for (let i = 0; i < 50; i++) {
      await ask(client, "set", key(0, i), "x");
      await ask(client, "set", key(1, i), "x");
      counts.push(await ask(client, "dbsize"));
    }
    for (const [i, count] of counts.entries()) assertMatch(count, new RegExp(`^(-UNAVAILABLE .*|:${i + 1})\r\n$`));
    await until(() => isDown(proxy, 1), "the second entry is down");
    assertEquals(serverFact(proxy, 0, "state"), "up");
    assertMatch(
      serverFact(proxy, 1, "reason"),
      /^it is the same server as "127\.0\.0\.1:\d+": expected each server once/,
    );
    for (const words of [["keys", "*"], ["dbsize"]]) {
      assertMatch(await ask(client, ...words), /^-UNAVAILABLE server "localhost:\d+": it is the same server as/);
    }
    assertEquals(await ask(client, "get", key(0)), "$1\r\nx\r\n");
    assertMatch(await ask(client, "get", key(1)), /^-UNAVAILABLE/);
    assertEquals(takeErrors(rig).map((line) => line.replace(/\d+/g, "N")), ['error Server "localhost:N" is down']);
  }),
);

Deno.test(
  "Proxy sends a message once to a client with a pattern when the list gets a second address of a server",
  clustered(1, async (rig) => {
    const { proxy, path, addresses } = rig;
    const listed = [...addresses, `localhost:${addresses[0]!.split(":")[1]}`];
    const owners = ownersOf(listed.map((address) => ({ address, weight: 1 })));
    const channels = Array.from({ length: 100 }, (_, i) => `c${i}`)
      .filter((name) => owners[slotOf(encodeText(name), 0, name.length)] === 0);
    using listener = await connectResp(proxy);
    using client = await connectResp(proxy);
    await listener.send("psubscribe c*\r\n");
    assertMatch((await readReplies(listener, 1))[0]!, /psubscribe/);
    await writeList(path, listed);
    await until(() => infoOf(proxy, "server1") !== undefined && isDown(proxy, 1), "the second entry is down");
    for (const channel of channels) assertEquals(await ask(client, "publish", channel, `to ${channel}`), ":1\r\n");
    const messages = await readReplies(listener, channels.length);
    assertEquals(messages.map((each) => /to (c\d+)\r\n$/.exec(each)?.[1]), channels);
    // A new subscriber gets an error, since it would miss the messages of the other slots.
    using late = await connectResp(proxy);
    assertMatch(await ask(late, "psubscribe", "c*"), /^-UNAVAILABLE server "localhost:\d+": it is the same server as/);
    assertEquals(await ask(client, "publish", channels[0]!, "last"), ":1\r\n");
    assertMatch((await readReplies(listener, 1))[0]!, /last\r\n$/);
    takeErrors(rig);
  }),
);

Deno.test("Proxy considers a second address of a server a mistake, and continues when the list is right again", () =>
  withServers(2, async (_servers, [first, second]) => {
    await withProxy([first!, second!], async (rig) => {
      const { proxy, path } = rig;
      using client = await connectResp(proxy);
      for (let i = 0; i < 20; i++) assertEquals(await ask(client, "set", `k${i}`, "x"), "+OK\r\n");
      assertEquals(await ask(client, "dbsize"), ":20\r\n");
      const alias = `localhost:${first!.split(":")[1]}`;
      await writeList(path, [first!, second!, alias]);
      await until(() => infoOf(proxy, "server2") !== undefined && isDown(proxy, 2), "the third entry is down");
      assertEquals([isDown(proxy, 0), isDown(proxy, 1)], [false, false]);
      assertMatch(await ask(client, "dbsize"), /^-UNAVAILABLE/);
      await writeList(path, [first!, second!]);
      await until(() => infoOf(proxy, "server2") === undefined, "the list is right");
      assertEquals(await ask(client, "dbsize"), ":20\r\n");
      for (let i = 0; i < 20; i++) assertEquals(await ask(client, "get", `k${i}`), "$1\r\nx\r\n");
      // The server is accepted under its other name alone.
      await writeList(path, [second!, alias]);
      await until(async () => await ask(client, "dbsize") === ":20\r\n", "the server is there by another name");
      assertEquals(takeErrors(rig).length, 1);
    });
  }));

Deno.test(
  "Remap gives the slots of a server's second address to others, so that all keys can be used",
  withAlias(async (rig) => {
    const { proxy, key } = rig;
    await until(() => isDown(proxy, 1), "the second entry is down");
    await until(() => serverFact(proxy, 0, "slots") === "16384", "the first entry has all slots");
    using client = await connectResp(proxy);
    for (let i = 0; i < 20; i++) {
      for (const position of [0, 1]) assertEquals(await ask(client, "set", key(position, i), "x"), "+OK\r\n");
    }
    assertEquals(await ask(client, "dbsize"), ":40\r\n");
    takeErrors(rig);
  }, { onDown: "remap" }),
);

Deno.test(
  "Proxy does not accept itself as a server of its list, and waits for nothing there",
  clustered(1, async (rig) => {
    const { proxy, path, addresses } = rig;
    using client = await connectResp(proxy);
    assertEquals(await ask(client, "set", "a", "x"), "+OK\r\n");
    const own = [`127.0.0.1:${proxy.address.port}`, `localhost:${proxy.address.port}`];
    await writeList(path, [...addresses, ...own]);
    await until(() => infoOf(proxy, "server2") !== undefined && isDown(proxy, 1) && isDown(proxy, 2), "both are down");
    for (const position of [1, 2]) assertMatch(serverFact(proxy, position, "reason"), /^it is this proxy itself/);
    const begunMs = performance.now();
    const replies: string[] = [];
    for (let i = 0; i < 100; i++) replies.push(await ask(client, "set", `k${i}`, "x"));
    assertLess(performance.now() - begunMs, 5_000);
    assertEquals(new Set(replies.map((reply) => reply.slice(0, 12))), new Set(["+OK\r\n", "-UNAVAILABLE"]));
    // The proxy connects to it repeatedly, and it stays down.
    const failures = () => Number(infoOf(proxy, "total_connections_received"));
    const before = failures();
    await until(() => failures() >= before + 4, "it was tried again", 20_000);
    assert(isDown(proxy, 1) && isDown(proxy, 2));
    assertEquals(rig.log.lines.filter((line) => line.includes("up again")), []);
    assertEquals(takeErrors(rig).length, 2);
  }),
);

Deno.test(
  "Proxies in each other's list do not forward in a loop",
  clustered(1, async (first) => {
    await withProxy([...first.addresses, `127.0.0.1:${first.proxy.address.port}`], async (second) => {
      await writeList(first.path, [...first.addresses, `127.0.0.1:${second.proxy.address.port}`]);
      for (const { proxy } of [first, second]) {
        await until(() => infoOf(proxy, "server1") !== undefined && isDown(proxy, 1), "the other proxy is down");
        assertMatch(serverFact(proxy, 1, "reason"), /^it is a proxy: expected a server/);
        using client = await connectResp(proxy);
        const replies = new Set<string>();
        for (let i = 0; i < 50; i++) replies.add((await ask(client, "set", `k${i}`, "x")).slice(0, 12));
        assertEquals(replies, new Set(["+OK\r\n", "-UNAVAILABLE"]));
      }
      assertNotEquals(takeErrors(second).length, 0);
    });
    assertNotEquals(takeErrors(first).length, 0);
  }),
);

Deno.test("Proxy ends its connections to a server when its address leads to another one", () =>
  withServers(2, async (_servers, [first, second]) => {
    using relay = new Relay(first!);
    await withProxy([relay.address], async ({ proxy, connect }) => {
      using native = await connect();
      assertEquals(await native.call("set", "a", "on the first"), "OK");
      // Existing connections continue, and new ones lead to another server.
      relay.target = second;
      using resp = await connectResp(proxy, 3);
      assertEquals(await ask(resp, "set", "a", "on the second"), "+OK\r\n");
      assertEquals(await native.call("get", "a"), "on the second");
      assertEquals(serverFact(proxy, 0, "state"), "up");
    });
  }));

Deno.test("Proxy assigns a server to the first entry, and disconnects clients that listened through the other", () =>
  withServers(1, async (_servers, [address]) => {
    using relay = new Relay(address!);
    relay.hold();
    await withProxy([relay.address, address!], async (rig) => {
      const { proxy, key } = rig;
      using client = await connectResp(proxy);
      await until(async () => await ask(client, "set", key(1), "x") === "+OK\r\n", "the second entry is in use");
      using listener = await connectResp(proxy);
      assertMatch(await ask(listener, "subscribe", key(1)), /subscribe/);
      relay.release();
      await until(() => isDown(proxy, 1) && serverFact(proxy, 0, "state") === "up", "the first entry has the server");
      assertMatch(serverFact(proxy, 1, "reason"), /^it is the same server as/);
      // This client can receive no more messages, so the proxy ends its connection.
      await assertRejects(async () => {
        for (;;) await listener.frame();
      });
      assertEquals(await ask(client, "get", key(0)), "$-1\r\n");
      assertEquals(takeErrors(rig).length, 1);
    }, { backend: { plaintext: true, connectTimeoutMs: 300 } });
  }));

Deno.test("Proxy uses servers that do not identify themselves, but not one whose identification does not end", async () => {
  await using server = new FakeServer((_request, peer) => peer.reply("OK"));
  const addresses = [`127.0.0.1:${server.port}`];
  const identities: FakeHandler[] = [
    (_request, peer) => peer.refuse("ERR", "unknown command 'info'"),
    (_request, peer) => peer.reply(null),
    (_request, peer) => peer.reply(["a", 1]),
    (_request, peer) => peer.reply(7),
  ];
  for (const identify of identities) {
    server.identify = identify;
    await withProxy(addresses, async ({ connect, proxy }) => {
      using native = await connect();
      assertEquals(await native.call("set", "a", "x"), "OK");
      using resp = await connectResp(proxy, 3);
      assertEquals(await ask(resp, "set", "a", "x"), "+OK\r\n");
    });
  }
  server.identify = (_request, peer) => peer.write(encodeText(`$1000000\r\n${"x".repeat(100_000)}`));
  await withProxy(addresses, async ({ proxy }) => {
    await until(() => isDown(proxy, 0), "it is down");
    assertMatch(serverFact(proxy, 0, "reason"), /^it greets with more than 65536 bytes/);
  });
});
