/**
 * Tests a low limit of descriptors: `--max-clients` is lowered with a log line, and clients never take the descriptors
 * that a server needs for a snapshot, or a proxy to reach its servers.
 */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { parseAddress } from "../../src/address.ts";
import { longOnly } from "../support/amount.ts";
import { type Launcher, type Role, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

const FEW = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"];

/** Opens connections that send nothing. */
async function connectIdle(role: Role, count: number): Promise<Deno.TcpConn[]> {
  return await Promise.all(Array.from({ length: count }, () => Deno.connect({ ...parseAddress(role.address) })));
}

/** Returns the value of a field of `info`. */
async function field(client: Awaited<ReturnType<Launcher["connect"]>>, name: string): Promise<string | undefined> {
  return new RegExp(`^${name}:(.*)\r?$`, "m").exec(await client.info())?.[1];
}

function lowered({ process }: Role): number {
  const line = process.lines.find((each) => each.includes("--max-clients is"));
  assert(line !== undefined, process.lines.join("\n"));
  return Number(/--max-clients is ([0-9]+) instead of 10000: the system allows 64 descriptors/.exec(line)?.[1]);
}

systemTest(
  "a server with 64 descriptors lowers --max-clients, and saves while idle connections take the rest",
  async (launcher) => {
    const server = await launcher.server(["--data", launcher.newFolder()], {}, FEW);
    const client = await launcher.connect(server);
    const count = lowered(server);
    assertEquals(await field(client, "maxclients"), String(count));
    assertLessOrEqual(count, 32);
    const idle = await connectIdle(server, 100);
    await client.set("a", "1");
    for (let i = 0; i < 3; i++) assertEquals(await client.send(["save"]), "OK");
    assertEquals(await client.text.get("a"), "1");
    for (const each of idle) each.close();
    assert(!server.process.lines.some((line) => line.includes("Too many open files")), server.process.lines.join("\n"));
    const next = await launcher.connect(server);
    await next.ping();
  },
);

systemTest(
  "a proxy with 64 descriptors reaches a server that returns while idle connections take the rest",
  longOnly,
  async (launcher) => {
    const first = await launcher.server();
    const file = await launcher.serversFile([first.address]);
    const proxy = await launcher.proxy(file, [], {}, FEW);
    lowered(proxy);
    const client = await launcher.connect(proxy);
    await client.set("a", "1");
    const idle = await connectIdle(proxy, 60);
    await launcher.stop(first);
    const again = await launcher.server(["--addr", first.address]);
    // New connections arrive as fast as others are closed.
    idle.push(...await connectIdle(proxy, 60));
    await until(
      () => client.set("b", "2").then(() => true, () => false),
      "the proxy reaches the server again",
      20_000,
    );
    assertEquals(await client.text.get("b"), "2");
    for (const each of idle) each.close();
    assert(!proxy.process.lines.some((line) => line.includes("Too many open files")), proxy.process.lines.join("\n"));
    await launcher.stop(again);
  },
);
