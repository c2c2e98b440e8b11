/** Tests the proxy before redis-servers: it forwards RESP clients, and its own requests are in RESP as well. */

import { assertEquals, assertGreater, assertMatch } from "@std/assert";
import { BACKEND_CHECK_INTERVAL_MS } from "../../../src/limits.ts";
import { RedisServer, redisVersion } from "../../conformance/redis_server.ts";
import { pause } from "../../support/pause.ts";
import { ask, connectResp, infoOf, serverFact, withProxy } from "../../support/proxy_rig.ts";
import { until } from "../../support/until.ts";

const lacks = await redisVersion() === undefined ? " (ignored: redis-server is not on PATH)" : "";

Deno.test({
  name: `Proxy works before redis-servers: it sees them up, counts their keys, and lends them no slots${lacks}`,
  ignore: lacks !== "",
  fn: async () => {
    await using second = await RedisServer.start();
    const first = await RedisServer.start();
    const addresses = [first, second].map(({ port }) => `127.0.0.1:${port}`);
    await withProxy(addresses, async ({ proxy, key, log }) => {
      await until(() => [0, 1].every((i) => serverFact(proxy, i, "connections") === "1"), "they are connected to");
      // Successful checks are not logged. A failed one would be logged by now.
      await pause(2 * BACKEND_CHECK_INTERVAL_MS);
      using client = await connectResp(proxy);
      for (const position of [0, 1]) assertEquals(await ask(client, "set", key(position), "v"), "+OK\r\n");
      assertEquals(await ask(client, "mget", key(0), key(1)), "*2\r\n$1\r\nv\r\n$1\r\nv\r\n");
      assertEquals(await ask(client, "dbsize"), ":2\r\n");
      await proxy.refresh();
      assertEquals(proxy.info(["cluster"]).match(/,keys=1,/g)?.length, 2);
      assertEquals(infoOf(proxy, "db0"), "keys=2,expires=0,avg_ttl=0");
      assertGreater(Number(serverFact(proxy, 0, "used_memory")), 0);
      assertEquals([0, 1].map((position) => serverFact(proxy, position, "state")), ["up", "up"]);
      assertEquals(log.lines, []);
      // They cannot be flushed of slots, so they cannot take over slots.
      await first[Symbol.asyncDispose]();
      await until(() => log.lines.some((line) => line.includes("cannot be flushed of slots")), "it is logged");
      assertMatch(await ask(client, "get", key(0)), /^-UNAVAILABLE server/);
      assertEquals(await ask(client, "get", key(1)), "$1\r\nv\r\n");
    }, { onDown: "remap" });
  },
});
