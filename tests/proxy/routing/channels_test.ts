/** Tests channels through the proxy in this process. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { startServer } from "../../../src/server/main.ts";
import type { RespClient } from "../../support/resp_client.ts";
import { encodeFrame } from "../../support/resp_frames.ts";
import type { FakeHandler, FakePeer } from "../../support/fake_server.ts";
import {
  ask,
  clustered,
  connectResp,
  infoOf,
  LogLines,
  readReplies,
  withFakes,
  withProxy,
  withServers,
  writeList,
} from "../../support/proxy_rig.ts";
import { RawClient } from "../../support/raw_client.ts";
import { until } from "../../support/until.ts";

const MEGABYTE = 1024 * 1024;

/** Returns a push, which in RESP2 is an array. */
function push(version: 2 | 3, ...items: (string | number | null)[]): string {
  const texts = items.map((item) => {
    if (item === null) return version === 2 ? "$-1\r\n" : "_\r\n";
    return typeof item === "number" ? `:${item}\r\n` : `$${item.length}\r\n${item}\r\n`;
  });
  return `${version === 2 ? "*" : ">"}${items.length}\r\n${texts.join("")}`;
}

async function next(client: RespClient): Promise<string> {
  return encodeFrame(await client.frame());
}

Deno.test(
  "Proxy delivers messages to its subscribers in their protocols, and counts them",
  clustered(3, async ({ proxy, connect }, servers) => {
    using second = await connectResp(proxy, 2);
    using third = await connectResp(proxy, 3);
    using native = await connect();
    using publisher = await connectResp(proxy);
    const channels = ["news", "sports", "weather", "other"];
    await second.send(`subscribe ${channels.join(" ")}\r\n`);
    for (let i = 0; i < 4; i++) assertEquals(await next(second), push(2, "subscribe", channels[i]!, i + 1));
    assertEquals(await ask(third, "subscribe", "news"), push(3, "subscribe", "news", 1));
    assertEquals(await ask(third, "psubscribe", "*e*"), push(3, "psubscribe", "*e*", 2));
    for (const channel of channels) {
      const count = channel === "news" ? 3 : channel.includes("e") ? 2 : 1;
      assertEquals(await ask(publisher, "publish", channel, "hello"), `:${count}\r\n`);
      assertEquals(await next(second), push(2, "message", channel, "hello"));
      if (channel === "news") assertEquals(await next(third), push(3, "message", "news", "hello"));
      if (channel.includes("e")) assertEquals(await next(third), push(3, "pmessage", "*e*", channel, "hello"));
    }
    assertEquals(await native.call("publish", "news", "native"), 3);
    assertEquals(await native.call("publish", "nobody", "native"), 0);
    assertStringIncludes(String(await native.call("subscribe", "news")), "needs a connection that speaks RESP");
    // One connection to each server is sufficient if its channels have subscribers.
    for (const server of servers) {
      const listening = [...server.shared.clients.values()].filter(({ subscriptions }) => subscriptions > 0);
      assertEquals(listening.length, 1);
    }
    assertEquals((await publisher.call("pubsub", "channels")).items!.length, 4);
    assertEquals(await ask(publisher, "pubsub", "numsub", "news", "x"), "*4\r\n$4\r\nnews\r\n:2\r\n$1\r\nx\r\n:0\r\n");
    assertEquals(await ask(publisher, "pubsub", "numpat"), ":1\r\n");
  }),
);

Deno.test(
  "Proxy unsubscribes from channels without clients",
  clustered(2, async ({ proxy }, servers) => {
    using client = await connectResp(proxy);
    const leaving = await connectResp(proxy);
    using publisher = await connectResp(proxy, 3);
    const heard = () => servers.flatMap(({ shared }) => [...shared.channels.names]).sort();
    assertEquals(await ask(client, "subscribe", "a"), push(2, "subscribe", "a", 1));
    assertEquals(await ask(leaving, "subscribe", "a"), push(2, "subscribe", "a", 1));
    assertEquals(await ask(leaving, "subscribe", "b"), push(2, "subscribe", "b", 2));
    assertEquals(await ask(leaving, "psubscribe", "p*"), push(2, "psubscribe", "p*", 3));
    assertEquals(heard(), ["a", "b"]);
    assertEquals(servers.map(({ shared }) => shared.channels.patternCount), [1, 1]);
    leaving.close();
    await until(
      () => heard().length === 1 && servers.every(({ shared }) => shared.channels.patternCount === 0),
      "gone",
    );
    assertEquals(await ask(publisher, "publish", "b", "x"), ":0\r\n");
    assertEquals(await ask(publisher, "publish", "a", "x"), ":1\r\n");
    assertEquals(await next(client), push(2, "message", "a", "x"));
    assertEquals(await ask(client, "unsubscribe"), push(2, "unsubscribe", "a", 0));
    assertEquals(await ask(publisher, "publish", "a", "x"), ":0\r\n");
    assertEquals(await ask(client, "get", "k"), "$-1\r\n");
    // This happens repeatedly, without losing a message.
    for (let i = 0; i < 20; i++) {
      assertEquals(await ask(client, "subscribe", "a"), push(2, "subscribe", "a", 1));
      assertEquals(await ask(publisher, "publish", "a", `${i}`), ":1\r\n");
      assertEquals(await next(client), push(2, "message", "a", `${i}`));
      if (i % 2) assertEquals(await ask(client, "reset"), "+RESET\r\n");
      else assertEquals(await ask(client, "unsubscribe", "a"), push(2, "unsubscribe", "a", 0));
    }
  }),
);

Deno.test(
  "Proxy restricts a RESP2 client with subscriptions, and allows a RESP3 client everything",
  clustered(2, async ({ proxy }) => {
    using second = await connectResp(proxy, 2);
    using third = await connectResp(proxy, 3);
    for (const client of [second, third]) await ask(client, "subscribe", "a");
    const refusal =
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed " +
      "in this context\r\n";
    assertEquals(await ask(second, "get", "k"), refusal);
    assertEquals(await ask(second, "ping"), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    assertEquals(await ask(third, "get", "k"), "_\r\n");
    assertEquals(await ask(third, "ping"), "+PONG\r\n");
    assertEquals((await third.call("hello", "2")).type, "*");
    assertEquals(await ask(third, "get", "k"), refusal);
  }),
);

Deno.test("Proxy disconnects only the clients that may miss messages of a lost server", () =>
  withServers(1, async (_servers, addresses) => {
    const settings = {
      hostname: "127.0.0.1",
      memoryLimitBytes: 64 * MEGABYTE,
      evicts: true,
      defaultTtlMs: 0,
      maxClients: 100,
      logger: new LogLines(),
    };
    let server = await startServer({ ...settings, port: 0 });
    const { port } = server.address;
    await withProxy([`127.0.0.1:${port}`, ...addresses], async ({ proxy, key, log }) => {
      using listener = await connectResp(proxy);
      using publisher = await connectResp(proxy);
      assertEquals(await ask(listener, "subscribe", key(1)), push(2, "subscribe", key(1), 1));
      const losing = await RawClient.connect(proxy.address);
      await losing.send(`subscribe ${key(0)} ${key(1)}\r\n`);
      const confirmed = push(2, "subscribe", key(0), 1) + push(2, "subscribe", key(1), 2);
      await losing.expect(confirmed);
      const matching = await RawClient.connect(proxy.address);
      await matching.send("psubscribe *\r\n");
      await matching.expect(push(2, "psubscribe", "*", 1));
      assertEquals(await ask(publisher, "publish", key(0), "last"), ":2\r\n");
      await server.stop();
      // Messages that were sent before arrive, and the connection ends in order.
      assertEquals(await losing.rest(), push(2, "message", key(0), "last"));
      assertEquals(await matching.rest(), push(2, "pmessage", "*", key(0), "last"));
      losing.close();
      matching.close();
      assertEquals([infoOf(proxy, "channel_links_lost"), infoOf(proxy, "channel_links_lost_disconnections")], [
        "1",
        "2",
      ]);
      await until(
        () => log.lines.includes(`warn Disconnected the subscribers of server "127.0.0.1:${port}"`),
        "the log says so",
      );
      assertStringIncludes(await ask(publisher, "publish", key(0), "x"), "-UNAVAILABLE ");
      assertEquals(await ask(publisher, "publish", key(1), "x"), ":1\r\n");
      assertEquals(await next(listener), push(2, "message", key(1), "x"));
      using late = await connectResp(proxy);
      assertStringIncludes(await ask(late, "subscribe", key(1), key(0)), `-UNAVAILABLE server "127.0.0.1:${port}": `);
      assertStringIncludes(await ask(late, "psubscribe", "*"), "-UNAVAILABLE ");
      // This client has no subscription, not even to a channel that still works.
      assertEquals(await ask(late, "get", key(1)), "$-1\r\n");
      server = await startServer({ ...settings, port });
      try {
        // The client subscribes again, and receives all messages again.
        await until(async () => (await ask(late, "subscribe", key(0))).startsWith("*3"), "it is listened to again");
        // Connections for requests may take slightly longer to return.
        await until(async () => await ask(publisher, "publish", key(0), "y") === ":1\r\n", "it is published to again");
        assertEquals(await next(late), push(2, "message", key(0), "y"));
        assertEquals(await ask(late, "unsubscribe"), push(2, "unsubscribe", key(0), 0));
        assertEquals(await ask(late, "psubscribe", "*"), push(2, "psubscribe", "*", 1));
      } finally {
        await server.stop();
      }
    });
  }));

Deno.test(
  "Proxy moves subscriptions to the new servers of their slots when the list changes",
  clustered(3, async ({ proxy, path, addresses, key }, servers) => {
    using listener = await connectResp(proxy, 3);
    using publisher = await connectResp(proxy);
    const channels = Array.from({ length: 30 }, (_, i) => key(i % 3, Math.floor(i / 3)));
    for (const channel of channels) await ask(listener, "subscribe", channel);
    await ask(listener, "psubscribe", "key:*");
    const heard = () => servers.map(({ shared }) => [...shared.channels.names].length);
    assertEquals(heard(), [10, 10, 10]);
    for (const list of [addresses.slice(0, 2), addresses.slice(1), addresses]) {
      await writeList(path, list);
      await until(() => proxy.members.length === list.length, "the list is applied");
      const isUsed = (i: number) => list.includes(addresses[i]!);
      await until(() => {
        const counts = heard();
        return counts[0]! + counts[1]! + counts[2]! === 30 && counts.every((count, i) => isUsed(i) === (count > 0)) &&
          servers.every(({ shared }, i) => shared.channels.patternCount === (isUsed(i) ? 1 : 0));
      }, "it listens at the new owners");
      for (const channel of channels) {
        assertEquals(await ask(publisher, "publish", channel, "x"), ":2\r\n");
        const both = await readReplies(listener, 2);
        assertEquals(both.sort(), [
          push(3, "message", channel, "x"),
          push(3, "pmessage", "key:*", channel, "x"),
        ]);
      }
    }
  }),
);

Deno.test("Proxy limits the time that a server may take to confirm a subscription, as for other requests", async () => {
  let isSilent = true;
  const peers = new Set<FakePeer>();
  const silent: FakeHandler = (request, peer) => {
    if (request[0] === "subscribe") peers.add(peer);
    if (!isSilent) peer.write(new TextEncoder().encode(push(3, "subscribe", request[1]!, 1)));
  };
  await withFakes([silent], async ({ proxy }) => {
    using client = await connectResp(proxy);
    assertStringIncludes(await ask(client, "subscribe", "a"), "no answer within 100 ms");
    isSilent = false;
    assertEquals(await ask(client, "subscribe", "a"), push(2, "subscribe", "a", 1));
    assertEquals(peers.size, 2);
  }, { timeoutMs: 100 });
});
