/** Tests the statistics of a proxy about its servers. */

import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import type { Rig } from "../../support/proxy_rig.ts";
import {
  ask,
  clustered,
  connectResp,
  echoing,
  infoOf,
  serverFact,
  withFakes,
  withProxy,
} from "../../support/proxy_rig.ts";
import { until } from "../../support/until.ts";

/** Returns the facts about one server, by name, as a client receives them. */
async function factsOf({ connect }: Rig, position: number): Promise<Record<string, string>> {
  using client = await connect();
  const text = String(await client.call("info", "cluster"));
  const line = new RegExp(`^server${position}:(.*)\r$`, "m").exec(text)![1]!;
  return Object.fromEntries(line.split(",").map((fact) => fact.split("=")));
}

Deno.test(
  "Proxy info cluster reports the number of requests and their duration",
  clustered(2, async (rig) => {
    assertEquals(serverFact(rig.proxy, 0, "ops_per_sec"), "0");
    assertEquals("p50_ms" in await factsOf(rig, 0), false);
    using client = await connectResp(rig.proxy);
    for (let i = 0; i < 200; i++) await ask(client, "set", rig.key(0), "x");
    await until(() => Number(serverFact(rig.proxy, 0, "ops_per_sec")) > 0, "the sweep has counted them");
    const facts = await factsOf(rig, 0);
    const [p50Ms, p99Ms] = [Number(facts.p50_ms), Number(facts.p99_ms)];
    assertGreater(p50Ms, 0);
    assertLess(p99Ms, 5000);
    assertEquals(p50Ms <= p99Ms, true);
    const shares = [0, 1].map((position) => Number(serverFact(rig.proxy, position, "slots_percent")));
    assertEquals(Math.round(shares[0]! + shares[1]!), 100);
  }),
);

Deno.test(
  "Proxy info cluster requests the number of keys and the memory of the servers, and reports them",
  clustered(2, async (rig) => {
    using client = await connectResp(rig.proxy);
    for (let i = 0; i < 3; i++) await ask(client, "set", rig.key(1, i), "x");
    await until(async () => (await factsOf(rig, 0)).keys === "0", "the first server has replied");
    await until(async () => (await factsOf(rig, 1)).keys === "3", "the second has replied");
    const facts = await factsOf(rig, 1);
    assertGreater(Number(facts.used_memory), 0);
    assertLess(Number(facts.census_age_ms), 5000);
  }),
);

Deno.test("Proxy requests nothing from its servers unless a section shows it", async () => {
  const requests: string[] = [];
  await withFakes([(request, peer) => {
    requests.push(request.join(" "));
    echoing(request, peer);
  }], async (rig) => {
    using client = await rig.connect();
    for (const section of ["server", "clients", "replication", "cpu", "nosuch"]) await client.call("info", section);
    await client.call("get", "x");
    assertEquals(requests, ["get x"]);
    await client.call("info", "cluster");
    assertEquals(requests.slice(1), ["info server clients memory persistence stats keyspace"]);
    // Its reply has no usable value, so none is reported.
    assertEquals("keys" in await factsOf(rig, 0), false);
  });
});

Deno.test("Proxy info cluster reports why a server is down", async () => {
  await withProxy(["127.0.0.1:1"], async (rig) => {
    await factsOf(rig, 0);
    await until(() => serverFact(rig.proxy, 0, "state") === "down", "the server is found to be down");
    assertMatch(infoOf(rig.proxy, "server0")!, /,reason=[^,]+$/);
  });
});
