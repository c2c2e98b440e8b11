/**
 * Tests that clients that disconnect while they wait get no element and are forgotten: at a server, and through a proxy
 * before it.
 *
 * The variable `GONE_TRIES` is the number of tries of each case, for a longer run.
 */

import { assertEquals } from "@std/assert";
import type { Server } from "../../src/server/main.ts";
import { RespClient } from "../support/resp_client.ts";
import { encodeFrame } from "../support/resp_frames.ts";
import { amountOf } from "../support/amount.ts";
import { type Leaving, PIPELINE, waitAndLeave, WAITING_COMMANDS } from "../support/leaving.ts";
import { ask, clustered, connectResp, infoOf, type Rig, withProxy, withServers } from "../support/proxy_rig.ts";
import { RawClient } from "../support/raw_client.ts";
import { encodeRequest } from "../support/resp_requests.ts";
import { until } from "../support/until.ts";

const TRIES = amountOf("GONE_TRIES", 4, 25);
/** The longest time until a disconnected client is forgotten, in ms. */
const FORGOTTEN_MAX_MS = 2_000;

/** A role to which clients connect. */
interface Target {
  readonly address: { hostname: string; port: number };
  /** Returns the number of clients in `client list`. */
  clients(): number;
}

async function leaveInVain(target: Target, server: Server, leaving: Leaving, rest: string): Promise<void> {
  using other = await RespClient.connect(target.address.port);
  await other.call("ping");
  const clients = target.clients();
  for (const command of WAITING_COMMANDS) {
    for (let i = 0; i < TRIES; i++) {
      using client = await RawClient.connect(target.address);
      await waitAndLeave(client, command, leaving, rest, () => {
        return until(() => server.shared.waiters.count === 1, "it waits");
      });
      await other.send(encodeRequest("rpush", "{q}", "x") + encodeRequest("lrange", "{q}", "0", "-1"));
      const what = `${command[0]}, ${leaving}, ${rest.length} bytes after it, try ${i}`;
      assertEquals(await twoReplies(other), [":1\r\n", "*1\r\n$1\r\nx\r\n"], what);
      await until(() => target.clients() === clients, `${what} is forgotten`, FORGOTTEN_MAX_MS);
      assertEquals(server.shared.waiters.count, 0, what);
      assertEquals(await ask(other, "del", "{q}", "{q}to"), ":1\r\n", what);
    }
  }
}

async function twoReplies(client: RespClient): Promise<string[]> {
  return [encodeFrame(await client.frame()), encodeFrame(await client.frame())];
}

for (const leaving of ["FIN", "RST"] as const) {
  for (const [how, rest] of [["", ""], [", 100 kB after its command", PIPELINE]] as const) {
    Deno.test(`Server gives no element to a client that has disconnected (${leaving}${how})`, () =>
      withServers(1, async ([server]) => {
        const { address, shared } = server!;
        await leaveInVain({ address, clients: () => shared.clients.size }, server!, leaving, rest);
      }));

    Deno.test(
      `Proxy lets no element be given to a client that has disconnected (${leaving}${how})`,
      clustered(1, async ({ proxy }, [server]) => {
        const { address, connections } = proxy;
        await leaveInVain({ address, clients: () => connections.clients.size }, server!, leaving, rest);
        assertEquals(infoOf(proxy, "blocked_clients"), "0");
      }),
    );
  }
}

/** Lets a client wait through the proxy, and disconnects it. */
async function leaveProxy({ proxy }: Rig, server: Server, command: readonly string[], leaving: Leaving): Promise<void> {
  using client = await RawClient.connect(proxy.address);
  await waitAndLeave(client, command, leaving, "", () => until(() => server.shared.waiters.count === 1, "it waits"));
}

Deno.test(
  "Proxy puts back an element that was pushed directly to the server, for a client that has disconnected",
  clustered(1, async (rig, [server]) => {
    using other = await RespClient.connect(server!.address.port);
    const all = "*3\r\n$1\r\nx\r\n$1\r\ny\r\n$1\r\nz\r\n";
    for (const leaving of ["FIN", "RST"] as const) {
      for (const command of ["blpop", "brpop"]) {
        for (let i = 0; i < TRIES; i++) {
          await leaveProxy(rig, server!, [command, "{q}", "0"], leaving);
          assertEquals(await ask(other, "rpush", "{q}", "x", "y", "z"), ":3\r\n");
          await until(async () => await ask(other, "lrange", "{q}", "0", "-1") === all, `${command} is undone`);
          await until(() => server!.shared.waiters.count === 0, "no client waits");
          await other.call("del", "{q}");
        }
      }
    }
  }),
);

Deno.test(
  "Proxy delays only writes to the slot of a client that has disconnected",
  clustered(1, async (rig, [server]) => {
    using other = await connectResp(rig.proxy);
    using second = await connectResp(rig.proxy);
    for (let i = 0; i < TRIES; i++) {
      await leaveProxy(rig, server!, ["blpop", "{q}", "0"], "FIN");
      // The writes are in a transaction, by a move, and by another name for the key.
      await other.send(
        encodeRequest("multi") + encodeRequest("rpush", "{q}", "1") + encodeRequest("exec") + encodeRequest("ping"),
      );
      await second.send(encodeRequest("set", "other", "v") + encodeRequest("get", "other"));
      const replies = [];
      for (let j = 0; j < 4; j++) replies.push(encodeFrame(await other.frame()));
      assertEquals(replies, ["+OK\r\n", "+QUEUED\r\n", "*1\r\n:1\r\n", "+PONG\r\n"]);
      assertEquals(await twoReplies(second), ["+OK\r\n", "$1\r\nv\r\n"]);
      await leaveProxy(rig, server!, ["blpop", "{q}y", "0"], "FIN");
      assertEquals(await ask(other, "rename", "{q}", "{q}y"), "+OK\r\n");
      await leaveProxy(rig, server!, ["blpop", "{q}", "0"], "FIN");
      assertEquals(await ask(other, "lmove", "{q}y", "{q}", "left", "left"), "$1\r\n1\r\n");
      assertEquals(await ask(other, "lpop", "{q}"), "$1\r\n1\r\n");
    }
  }),
);

Deno.test(
  "Proxy serves a client that still waits after others have disconnected",
  clustered(1, async (rig, [server]) => {
    using other = await connectResp(rig.proxy);
    for (let i = 0; i < TRIES; i++) {
      const gone = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(rig.proxy.address)));
      for (const client of gone) await client.send(encodeRequest("blpop", "{q}", "0"));
      await until(() => server!.shared.waiters.count === 5, "they wait");
      using staying = await connectResp(rig.proxy);
      await staying.send(encodeRequest("blpop", "{q}", "0"));
      await until(() => server!.shared.waiters.count === 6, "one more waits");
      for (const client of gone) client.close();
      assertEquals(await ask(other, "rpush", "{q}", "x"), ":1\r\n");
      assertEquals(encodeFrame(await staying.frame()), "*2\r\n$3\r\n{q}\r\n$1\r\nx\r\n");
      assertEquals(server!.shared.waiters.count, 0);
    }
  }),
);

Deno.test("Proxy that stops leaves no wait for clients that have disconnected", () =>
  withServers(1, async ([server], addresses) => {
    await withProxy(addresses, (rig) => leaveProxy(rig, server!, ["blpop", "{q}", "0"], "FIN"));
    await until(() => server!.shared.waiters.count === 0, "no client waits");
  }));
