/**
 * Tests clients that disconnect while they wait, with the real programs over TLS: they get no element and are
 * forgotten. The same holds for a proxy that is killed.
 *
 * The variable `GONE_TRIES` is the number of tries of each case, for a longer run.
 */

import { assertEquals } from "@std/assert";
import { amountOf, longOnly } from "../support/amount.ts";
import { type Launcher, type Role, systemTest } from "../support/launcher.ts";
import { PIPELINE, waitAndLeave, WAITING_COMMANDS } from "../support/leaving.ts";
import type { RawClient } from "../support/raw_client.ts";
import { encodeRequest } from "../support/resp_requests.ts";
import { until } from "../support/until.ts";

const TRIES = amountOf("GONE_TRIES", 2, 5);
/** The longest time until a disconnected client is forgotten, in ms. */
const FORGOTTEN_MAX_MS = 2_000;

/** Sends one request whose reply is a text, and returns the text. */
async function textOf(client: RawClient, ...words: string[]): Promise<string> {
  await client.send(encodeRequest(...words));
  let header = "";
  while (!header.endsWith("\r\n")) header += await client.readText(1);
  return (await client.readText(Number(header.slice(1)) + 2)).slice(0, -2);
}

/** Returns the number of clients that wait at a role. */
async function waitersOf(client: RawClient): Promise<number> {
  return Number(/^blocked_clients:(\d+)\r$/m.exec(await textOf(client, "info", "clients"))![1]);
}

/** Returns the commands of the clients that a role knows, except those of the caller. */
async function commandsOf(client: RawClient): Promise<string[]> {
  const lines = (await textOf(client, "client", "list")).trim().split("\n");
  return lines.map((line) => / cmd=(\S+)/.exec(line)![1]!).filter((name) => name !== "client|list");
}

async function leaveInVain(launcher: Launcher, role: Role, rest: string): Promise<void> {
  using other = await launcher.raw(role);
  for (const command of WAITING_COMMANDS) {
    for (let i = 0; i < TRIES; i++) {
      using client = await launcher.raw(role);
      await waitAndLeave(client, command, "FIN", rest, () => {
        return until(async () => await waitersOf(other) === 1, "it waits");
      });
      await other.send(encodeRequest("rpush", "{q}", "x") + encodeRequest("lrange", "{q}", "0", "-1"));
      await other.expect(":1\r\n*1\r\n$1\r\nx\r\n");
      const what = `${command[0]}, ${rest.length} bytes after it, try ${i}`;
      await until(
        async () => !(await commandsOf(other)).includes(command[0]!),
        `${what} is forgotten`,
        FORGOTTEN_MAX_MS,
      );
      assertEquals(await waitersOf(other), 0, what);
      await other.send(encodeRequest("del", "{q}", "{q}to"));
      await other.expect(":1\r\n");
    }
  }
}

systemTest(
  "a client that disconnects while it waits gets no element, at a server and through a proxy",
  async (launcher) => {
    const server = await launcher.server(["--no-persist"]);
    const proxy = await launcher.proxy(await launcher.serversFile([server.address]));
    for (const rest of ["", PIPELINE]) {
      for (const role of [server, proxy]) await leaveInVain(launcher, role, rest);
    }
  },
);

systemTest("a proxy that is killed gets no element for its clients", longOnly, async (launcher) => {
  const server = await launcher.server(["--no-persist"]);
  const file = await launcher.serversFile([server.address]);
  using other = await launcher.raw(server);
  for (let i = 0; i < Math.max(2, TRIES / 5); i++) {
    const proxy = await launcher.proxy(file);
    const clients: RawClient[] = [];
    for (const command of WAITING_COMMANDS) {
      const client = await launcher.raw(proxy);
      clients.push(client);
      await client.send(encodeRequest(...command));
    }
    await until(async () => await waitersOf(other) === clients.length, "they wait");
    launcher.forgive(proxy.process);
    await proxy.process.kill();
    await other.send(encodeRequest("rpush", "{q}", "1", "2", "3", "4", "5") + encodeRequest("llen", "{q}"));
    await other.expect(":5\r\n:5\r\n");
    await until(
      async () => (await commandsOf(other)).every((name) => !name.startsWith("b")),
      "forgotten",
      FORGOTTEN_MAX_MS,
    );
    assertEquals(await waitersOf(other), 0);
    await other.send(encodeRequest("del", "{q}"));
    await other.expect(":1\r\n");
    for (const client of clients) client.close();
  }
});
