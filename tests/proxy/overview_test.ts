/** Tests the overview of both roles: the same facts, directly and through a proxy. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Overview, ServerOverview } from "../../src/metrics/overview.ts";
import { clustered, withProxy } from "../support/proxy_rig.ts";
import { RespClient } from "../support/resp_client.ts";
import { until } from "../support/until.ts";

/** The properties of a server that its own overview and that of a proxy have in common. */
const REPORTED = [
  ...["keys", "usedBytes", "limitBytes", "evicts", "hits", "misses", "evictedKeys", "expiredKeys", "slowRequests"],
  ...["maxClients"],
] as const;

function reported(server: ServerOverview): unknown[] {
  return REPORTED.map((name) => server[name as keyof ServerOverview]);
}

Deno.test(
  "overview() of a proxy has of its servers what they say of themselves",
  clustered(2, async (rig, servers) => {
    using client = await RespClient.connect(rig.proxy.address.port);
    using direct = await RespClient.connect(servers[0]!.address.port);
    using other = await RespClient.connect(servers[1]!.address.port);
    await direct.call("config", "set", "slowlog-log-slower-than", "0");
    await other.call("config", "set", "slowlog-log-slower-than", "-1");
    for (const position of [0, 1]) await client.call("set", rig.key(position), "x");
    await client.call("get", rig.key(0));
    await client.call("get", rig.key(0, 1));
    await direct.call("config", "set", "slowlog-log-slower-than", "-1");
    await rig.proxy.refresh();
    const overview = rig.proxy.overview();
    const own = servers.map((server) => server.overview().servers[0]!);
    assertEquals(overview.servers.map(reported), own.map(reported));
    assertEquals([overview.keys, overview.hits, overview.misses], [2, 1, 1]);
    assertEquals(overview.usedBytes, own[0]!.usedBytes! + own[1]!.usedBytes!);
    assertGreater(own[0]!.slowRequests!, 2);
    assertEquals(overview.servers.map(({ state, slotsLent }) => [state, slotsLent]), [["up", 0], ["up", 0]]);
    assertEquals(overview.servers[0]!.slots + overview.servers[1]!.slots, 16_384);
    assertEquals(overview.clients, 1);
    assertGreater(overview.inputBytes, 0);
    for (const { ageMs } of overview.servers) assert(ageMs! < 5_000, `${ageMs}`);
  }),
);

Deno.test(
  "overview() of a server is about itself",
  clustered(1, async (_, [server]) => {
    using client = await RespClient.connect(server!.address.port);
    await client.call("set", "a", "x");
    await until(() => server!.overview().opsPerSecond > 0, "the request is counted");
    const overview: Overview = server!.overview();
    const [itself] = overview.servers;
    assertEquals([overview.role, overview.slotsUnderWay, overview.servers.length], ["server", 0, 1]);
    assertEquals(itself!.address, overview.address);
    assertEquals([itself!.keys, itself!.state, itself!.slots], [1, "up", 16_384]);
    assertEquals(itself!.outputBytes, overview.outputBytes);
    assertEquals(JSON.parse(JSON.stringify(overview)).keys, 1);
  }),
);

Deno.test("overview() of a proxy leaves out what no server has reported", async () => {
  await withProxy(["127.0.0.1:1"], async ({ proxy }) => {
    await proxy.refresh();
    await until(() => proxy.overview().servers[0]!.state === "down", "the server is found to be down");
    const overview = proxy.overview();
    assertEquals([overview.keys, overview.usedBytes, overview.hits], [undefined, undefined, undefined]);
    assert(overview.servers[0]!.reason!.length > 0);
    assertEquals(overview.problems.map(({ kind }) => kind), ["server_down"]);
  });
});
