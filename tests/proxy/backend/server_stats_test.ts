/** Tests the statistics of a proxy about its servers. */

import { assertEquals, assertGreater, assertLess, assertMatch } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { SERVER_STATS_FRESH_MS, SERVER_STATS_REPLY_WAIT_MS } from "../../../src/limits.ts";
import type { FakeHandler } from "../../support/fake_server.ts";
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

Deno.test("Proxy waits for a server's report once, and not again until it has come", async () => {
  let release: (() => void) | undefined;
  const silent: FakeHandler = (request, peer) => {
    if (request[0] !== "info") return peer.reply("OK");
    release = () => peer.reply(encodeText("used_memory:7\r\n"));
  };
  const quick: FakeHandler = (request, peer) => {
    peer.reply(request[0] === "info" ? encodeText("used_memory:5\r\n") : "OK");
  };
  await withFakes([silent, quick], async ({ proxy }) => {
    const startedMs = performance.now();
    await proxy.refresh();
    assertGreater(performance.now() - startedMs, SERVER_STATS_REPLY_WAIT_MS * 0.9);
    assertEquals(infoOf(proxy, "used_memory"), "5");
    assertEquals(proxy.refreshInfo(["memory"]), undefined);
    release!();
    await until(() => infoOf(proxy, "used_memory") === "12", "the late report is used");
  });
});

Deno.test("Proxy asks each server for one report a second, however many clients run info", async () => {
  let count = 0;
  const counting: FakeHandler = (request, peer) => {
    if (request[0] === "info") count++;
    peer.reply(request[0] === "info" ? encodeText("used_memory:5\r\n") : "OK");
  };
  await withFakes([counting], async ({ proxy, connect }) => {
    using first = await connect();
    using second = await connect();
    const startedMs = performance.now();
    const texts: unknown[] = [];
    for (let i = 0; i < 20; i++) texts.push(...await Promise.all([first.call("info"), second.call("info", "memory")]));
    for (const text of texts) assertMatch(String(text), /^used_memory:5\r$/m);
    assertLess(count, 3 + (performance.now() - startedMs) / SERVER_STATS_FRESH_MS);
    assertEquals(proxy.overview().usedBytes, 5);
  });
});
