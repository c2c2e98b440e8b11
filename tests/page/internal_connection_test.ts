/** Tests the connection within the process, by which the page runs commands, on a server and through a proxy. */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { formatAddress } from "../../src/address.ts";
import { Client } from "../../src/client/client.ts";
import { ConnectionError } from "../../src/errors.ts";
import type { Socket } from "../../src/net/socket.ts";
import { type Server, startServer } from "../../src/server/main.ts";
import { LogLines, withProxy } from "../support/proxy_rig.ts";
import { RawClient } from "../support/raw_client.ts";
import { until } from "../support/until.ts";

/** The part of a role that this file uses. */
interface Role {
  readonly address: Deno.NetAddr;
  openInternal(): Socket;
  stop(): Promise<void>;
  info(sections: readonly string[]): string;
}

function startTestServer(maxClients: number): Promise<Server> {
  return startServer({
    hostname: "127.0.0.1",
    port: 0,
    password: "secret",
    maxClients,
    memoryLimitBytes: 64 * 1024 * 1024,
    evicts: true,
    defaultTtlMs: 0,
    logger: new LogLines(),
  });
}

/** Runs a test on a server, and on a proxy before one, both of which have a password and allow one client. */
async function onBothRoles(run: (role: Role) => Promise<void>): Promise<void> {
  const alone = await startTestServer(1);
  await run(alone).finally(() => alone.stop());
  const server = await startTestServer(100);
  try {
    await withProxy([formatAddress(server.address)], ({ proxy }) => run(proxy), {
      password: "secret",
      maxClients: 1,
      connectionsMaxCount: 1,
      backend: { plaintext: true, password: ["secret"] },
    });
  } finally {
    await server.stop();
  }
}

function openClient(role: Role): Client {
  return new Client({
    address: "this process",
    open: () => Promise.resolve(role.openInternal()),
    passwords: [],
    timeoutMs: 10_000,
    signal: undefined,
  });
}

/** Returns the number of clients that a role counts. */
function clientsOf(role: Role): number {
  return Number(/^connected_clients:(\d+)/m.exec(role.info(["clients"]))?.[1]);
}

Deno.test("openInternal() runs commands without a password, and without a place among the clients", async () => {
  await onBothRoles(async (role) => {
    await using client = openClient(role);
    await client.set("key", "value");
    assertEquals(await client.getText("key"), "value");
    assertEquals(clientsOf(role), 0);
    // The one place for a client is free, and there a password is still required.
    using raw = await RawClient.connect(role.address);
    assertEquals(await raw.call("get", "key"), "NOAUTH Authentication required.");
    assertEquals(clientsOf(role), 1);
    const addresses = (await client.client("list")).map((facts) => facts.get("addr"));
    assertEquals(addresses.filter((address) => address === "127.0.0.1:0").length, 1);
  });
});

Deno.test("openInternal() carries large values and many requests at the same time", async () => {
  await onBothRoles(async (role) => {
    await using client = openClient(role);
    const large = new Uint8Array(3 * 1024 * 1024).map((_, i) => i * 7);
    await client.set("large", large);
    const values = await Promise.all(Array.from({ length: 5 }, () => client.get("large")));
    for (const value of values) assertEquals(value, large);
    const replies = await Promise.all(Array.from({ length: 5000 }, (_, i) => client.text.echo(String(i))));
    assertEquals(replies, replies.map((_, i) => String(i)));
  });
});

Deno.test("openInternal() ends like a connection: when its client closes it, when it is killed, and with the role", async () => {
  await onBothRoles(async (role) => {
    const client = openClient(role);
    const first = await client.client("id");
    await client.close();
    const second = openClient(role);
    await until(async () => {
      return !(await second.client("list")).some((facts) => facts.get("id") === String(first));
    }, "the first has ended");
    const id = await second.client("id");
    assert(id > first);
    await second.send(["client", "kill", "id", id, "skipme", "no"]).catch(() => {});
    // The next request opens another connection.
    await until(async () => await second.client("id").catch(() => id) > id, "another connection is open");
    const waiting = second.send(["blpop", "nothing", "0"]);
    const refused = assertRejects(() => waiting);
    await until(() => role.info(["clients"]).includes("blocked_clients:1"), "the command waits");
    await role.stop();
    await refused;
    assertThrows(() => role.openInternal(), Deno.errors.ConnectionRefused, "is stopping");
    await assertRejects(() => second.client("id"), ConnectionError);
    await second.close();
  });
});
