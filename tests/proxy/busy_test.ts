/** Tests a proxy with slow servers: the proxy probes them, and no other client waits. */

import { assertEquals, assertLess, assertMatch } from "@std/assert";
import { ConnectionError } from "../../src/errors.ts";
import { BACKEND_SUSPECT_MS } from "../../src/limits.ts";
import { judgeBackend, openBackend } from "../../src/proxy/backend/backend.ts";
import { RespDialect } from "../../src/proxy/backend/resp_dialect.ts";
import { RespReply } from "../../src/wire/resp/reply_writer.ts";
import { FakeServer } from "../support/fake_server.ts";
import { echoing, infoOf, serverFact, withFakes, withServers } from "../support/proxy_rig.ts";
import { RawClient } from "../support/raw_client.ts";
import { Relay } from "../support/relay.ts";
import { until } from "../support/until.ts";

Deno.test("Proxy lets only the sender of a slow request wait for it", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let held = 0;
  await withFakes([(request, peer) => {
    if (request[1]!.startsWith("long")) {
      held++;
      peer.hold(promise);
    }
    echoing(request, peer);
  }], async ({ connect, proxy, log }) => {
    using patient = await connect();
    const long = patient.call("get", "long");
    await until(() => held === 1, "the request is with the server");
    const beganMs = performance.now();
    await until(() => serverFact(proxy, 0, "connections") === "2", "there is a connection for others");
    // This is longer than a server without a reply to a probe may be silent.
    while (performance.now() - beganMs < 6 * BACKEND_SUSPECT_MS) {
      using other = await connect();
      const askedMs = performance.now();
      assertEquals(await other.call("get", "short"), "short");
      assertLess(performance.now() - askedMs, BACKEND_SUSPECT_MS);
    }
    assertEquals([serverFact(proxy, 0, "state"), held], ["up", 1]);
    resolve();
    assertEquals(await long, "long");
    assertEquals(infoOf(proxy, "cluster_servers_up"), "1");
    assertEquals(log.lines.filter((line) => line.includes("is down")), []);
  });
});

/** Returns the judgement on the server at an address, after an attempt to connect. */
async function judge(address: string, plaintext = true): Promise<string> {
  const dialect = new RespDialect(2, () => Promise.reject(new Error("not asked for")), new RespReply(Infinity));
  const settings = { plaintext, connectTimeoutMs: 200, authority: "" };
  try {
    (await openBackend(dialect, address, settings, new AbortController().signal)).close();
    return "made";
  } catch (error) {
    return judgeBackend(error);
  }
}

Deno.test("judgeBackend() distinguishes lost servers from silent ones and from those that refuse", async () => {
  await withServers(1, async ([server], [address]) => {
    assertEquals(await judge(address!), "made");
    using relay = new Relay(address!);
    relay.hold();
    assertEquals(await judge(relay.address), "unknown");
    assertEquals(await judge(relay.address, false), "unknown");
    relay.release();
    // The relay does not speak TLS.
    assertEquals(await judge(relay.address, false), "gone");
    relay.target = undefined;
    assertEquals(await judge(relay.address), "gone");
    assertEquals(await judge(relay.address, false), "gone");
    using first = await RawClient.connect(server!.address);
    using second = await RawClient.connect(server!.address);
    for (const client of [first, second]) assertEquals(await client.call("ping"), "PONG");
    assertEquals(await judge(address!), "alive", "it has as many clients as it may");
  }, { maxClients: 2 });
  {
    await using other = new FakeServer((_request, peer) => peer.write(new Uint8Array([1, 2, 3, 4])));
    assertMatch(await judge(`127.0.0.1:${other.port}`), /^(made|gone)$/);
  }
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  assertEquals(await judge(`127.0.0.1:${listener.addr.port}`), "gone");
});

Deno.test("judgeBackend() does not blame the server for what this machine lacks", () => {
  const causes = [
    new Error("failed to lookup address information: Temporary failure in name resolution"),
    Object.assign(new Error("Too many open files (os error 24)"), { code: "EMFILE" }),
    Object.assign(new Error("Cannot assign requested address (os error 99)"), { code: "EADDRNOTAVAIL" }),
    new Deno.errors.TimedOut("no answer within 3000 ms"),
  ];
  for (const cause of causes) {
    assertEquals(judgeBackend(new ConnectionError("server:1", "Cannot connect", false, { cause })), "unknown");
  }
  for (const code of ["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"]) {
    const cause = Object.assign(new Error("os error"), { code });
    assertEquals(judgeBackend(new ConnectionError("server:1", "Cannot connect", false, { cause })), "gone");
  }
});
