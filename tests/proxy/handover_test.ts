/**
 * Tests clients that wait or listen while slots change their server, and other events at a bad moment: every client
 * gets the right reply.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { RespClient } from "../support/resp_client.ts";
import { encodeFrame } from "../support/resp_frames.ts";
import {
  ask,
  clustered,
  connectResp,
  infoOf,
  type Rig,
  serverFact,
  withProxy,
  withServers,
  writeList,
} from "../support/proxy_rig.ts";
import { framesOf } from "../support/raw_client.ts";
import { Relay } from "../support/relay.ts";
import { encodeRequest } from "../support/resp_requests.ts";
import { until } from "../support/until.ts";

/** A delay after which a relay's bytes practically never arrive, until it is set to 0. */
const FAR_MS = 60_000;
const ECHOES_COUNT = 3_000;

/** Starts a proxy before two servers, each through a relay. */
function withRelays(run: (rig: Rig, relays: readonly [Relay, Relay]) => Promise<void>): Promise<void> {
  return withServers(2, async (_servers, real) => {
    using first = new Relay(real[0]!);
    using second = new Relay(real[1]!);
    await withProxy([first.address, second.address], (rig) => run(rig, [first, second]));
  });
}

/** Replaces the list, and waits until the proxy follows it. */
async function follow({ proxy, path }: Rig, text: string): Promise<void> {
  const changes = Number(infoOf(proxy, "cluster_changes"));
  await Deno.writeTextFile(path, text);
  await until(() => Number(infoOf(proxy, "cluster_changes")) > changes, "the list is followed");
}

/** Assigns nearly all slots to one of two servers. */
function lean(rig: Rig, position: number): Promise<void> {
  const weights = [1, 1].map((weight, i) => i === position ? 1_000_000 : weight);
  return follow(rig, JSON.stringify(rig.addresses.map((addr, i) => ({ addr, weight: weights[i] }))));
}

Deno.test(
  "Proxy accepts each request of a pipeline that fills its buffer, although one of them waits",
  clustered(1, async ({ proxy, connect }) => {
    const words = [["echo", "first"], ["blpop", "q", "0.01"]];
    for (let i = 0; i < ECHOES_COUNT; i++) words.push(["echo", `e${i}`]);
    using client = await RespClient.connect(proxy.address.port);
    await client.send(words.map((each) => encodeRequest(...each)).join(""));
    assertEquals([encodeFrame(await client.frame()), encodeFrame(await client.frame())], [
      "$5\r\nfirst\r\n",
      "*-1\r\n",
    ]);
    for (let i = 0; i < ECHOES_COUNT; i++) assertEquals((await client.frame()).body, `e${i}`);
    using native = await connect();
    await native.send(framesOf(...words));
    const expected = ["first", null, ...words.slice(2).map(([, word]) => word)];
    assertEquals(await native.replies(words.length), expected);
  }),
);

Deno.test("Proxy confirms a subscription while its channel moves, whichever server confirms first", () =>
  withRelays(async (rig, [first]) => {
    using both = await connectResp(rig.proxy, 3);
    await both.call("psubscribe", "unheard*");
    await lean(rig, 0);
    const channel = rig.key(1);
    using client = await connectResp(rig.proxy, 3);
    first.delayMs = 300;
    await client.send(encodeRequest("subscribe", channel));
    await until(() => first.heldCount > 0, "the request is on its way");
    await lean(rig, 1);
    assertStringIncludes(encodeFrame(await client.frame()), channel);
    first.delayMs = 0;
    assertEquals(await ask(both, "publish", channel, "x"), ":1\r\n");
    assertStringIncludes(encodeFrame(await client.frame()), "x");
  }));

Deno.test("Proxy keeps listening to a channel that has returned from a server that is then lost", () =>
  withRelays(async (rig, [, second]) => {
    using other = await connectResp(rig.proxy, 3);
    await other.call("psubscribe", "unheard*");
    await lean(rig, 0);
    const channel = rig.key(1);
    using listener = await connectResp(rig.proxy, 3);
    await listener.call("subscribe", channel);
    second.delayMs = FAR_MS;
    await lean(rig, 1);
    await lean(rig, 0);
    second.cut();
    second.delayMs = 0;
    // Clients that listened at that server are disconnected, as they may have missed messages. The channel has another
    // server.
    await until(() => infoOf(rig.proxy, "channel_links_lost_disconnections") === "1", "the loss is noticed");
    // The proxy opens the lost connection again.
    await until(() => serverFact(rig.proxy, 1, "connections") !== "0", "the server is back");
    using publisher = await connectResp(rig.proxy, 3);
    assertEquals(await ask(publisher, "publish", channel, "x"), ":1\r\n");
    assertStringIncludes(encodeFrame(await listener.frame()), "x");
  }));

Deno.test("Proxy unblocks a client on request, although the slot changes its server meanwhile", () =>
  withRelays(async (rig, [first]) => {
    using client = await rig.connect();
    using waiter = await rig.connect();
    const id = await waiter.call("client", "id");
    const popped = waiter.call("blpop", rig.key(0), "0");
    await until(() => infoOf(rig.proxy, "blocked_clients") === "1", "it waits");
    first.delayMs = 300;
    assertEquals(await client.call("client", "unblock", String(id)), 1);
    await lean(rig, 1);
    assertEquals(await popped, null);
  }));

Deno.test("Proxy moves a wait whose server leaves the list before it has sent its client id", () =>
  withRelays(async (rig, [first, second]) => {
    using client = await rig.connect();
    using waiter = await rig.connect();
    const key = rig.key(0);
    first.delayMs = 200;
    const popped = waiter.call("blpop", key, "0");
    await until(() => serverFact(rig.proxy, 0, "dedicated") === "1", "a connection is lent to it");
    await writeList(rig.path, [second.address]);
    await until(() => infoOf(rig.proxy, "cluster_servers") === "1", "the list is followed");
    await until(() => infoOf(rig.proxy, "cluster_servers_draining") === "0", "the server is released");
    await client.call("rpush", key, "x");
    assertEquals(await popped, [key, "x"]);
  }));

Deno.test("Proxy connects to a lost server in its earlier protocol, although clients send requests that it refuses", async () => {
  let isAway = false;
  const open = new Set<Deno.Conn>();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  /** Replies OK to RESP, and closes the connection on anything else, as redis-server does. */
  const serve = async (peer: Deno.Conn) => {
    const bytes = new Uint8Array(4096);
    open.add(peer);
    try {
      for (let count; !isAway && (count = await peer.read(bytes)) !== null && bytes[0] === 0x2a;) {
        const requests = new TextDecoder().decode(bytes.subarray(0, count)).split("*").length - 1;
        await peer.write(encodeText("+OK\r\n".repeat(requests)));
      }
    } catch {
      // The connection was closed below.
    }
    if (open.delete(peer)) peer.close();
  };
  const serving = (async () => {
    for await (const peer of listener) void serve(peer);
  })();
  await withProxy([`127.0.0.1:${listener.addr.port}`], async (rig) => {
    using native = await rig.connect();
    using client = await connectResp(rig.proxy);
    assertEquals(await ask(client, "get", "k"), "+OK\r\n");
    isAway = true;
    for (const peer of open) {
      open.delete(peer);
      peer.close();
    }
    await until(() => serverFact(rig.proxy, 0, "state") === "down", "it is down");
    isAway = false;
    await until(async () => {
      assertMatch(String(await native.call("get", "k")), /^UN/);
      return await ask(client, "get", "k") === "+OK\r\n";
    }, "it is up again");
  });
  listener.close();
  await serving;
});
