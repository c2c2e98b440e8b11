/** Tests blocking commands through the proxy in this process. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { ABORT_DELAY_MS } from "../../../src/limits.ts";
import { ReadAhead } from "../../../src/net/read_ahead.ts";
import { encodeFrame } from "../../support/resp_frames.ts";
import type { FakeHandler, FakePeer } from "../../support/fake_server.ts";
import { pause } from "../../support/pause.ts";
import {
  ask,
  clustered,
  connectResp,
  infoOf,
  readReplies,
  type Rig,
  serverFact,
  withFakes,
  withProxy,
  withServers,
  writeList,
} from "../../support/proxy_rig.ts";
import { framesOf } from "../../support/raw_client.ts";
import { encodeLines, encodeRequest } from "../../support/resp_requests.ts";
import { until } from "../../support/until.ts";

/** Waits until `count` clients wait. */
async function waiting({ proxy }: Rig, count: number): Promise<void> {
  await until(() => infoOf(proxy, "blocked_clients") === String(count), `${count} clients wait`);
}

Deno.test(
  "Proxy lets a client wait for an element without delaying others",
  clustered(3, async (rig) => {
    const { proxy, connect, key } = rig;
    using second = await connectResp(proxy, 2);
    using third = await connectResp(proxy, 3);
    using native = await connect();
    using other = await connectResp(proxy);
    const list = key(0);
    // An existing element is taken immediately, and later requests get their replies after it.
    assertEquals(await ask(other, "rpush", list, "a", "b"), ":2\r\n");
    await second.send(encodeLines(`blpop ${key(0, 1)} 0.01`, `brpop ${list} 0`, `llen ${list}`, "ping"));
    const taken = `*2\r\n$${list.length}\r\n${list}\r\n$1\r\nb\r\n`;
    assertEquals(await readReplies(second, 4), ["*-1\r\n", taken, ":1\r\n", "+PONG\r\n"]);
    assertEquals(await ask(third, "blpop", key(0, 1), "0.01"), "_\r\n");
    assertEquals(await ask(third, "blmove", list, `{${list}}to`, "left", "right", "0"), "$1\r\na\r\n");
    // The client that waits longest is served first, in any protocol.
    await native.send(framesOf(["blpop", list, "0"], ["ping"]));
    await waiting(rig, 1);
    await second.send(encodeLines(`blpop ${list} 0`, "ping"));
    await waiting(rig, 2);
    await third.send(encodeLines(`brpoplpush ${list} {${list}}to 0`, "ping"));
    await waiting(rig, 3);
    for (let i = 0; i < 20; i++) assertEquals(await ask(other, "set", `{${list}}x`, "v"), "+OK\r\n");
    assertEquals(await ask(other, "rpush", list, "1", "2", "3"), ":3\r\n");
    assertEquals(await native.replies(2), [[list, "1"], "PONG"]);
    assertEquals(await readReplies(second, 2), [taken.replace("$1\r\nb", "$1\r\n2"), "+PONG\r\n"]);
    assertEquals(await readReplies(third, 2), ["$1\r\n3\r\n", "+PONG\r\n"]);
    await waiting(rig, 0);
  }),
);

Deno.test(
  "Proxy reuses one connection for one wait after another",
  clustered(1, async ({ proxy, key }, [server]) => {
    using client = await connectResp(proxy);
    using other = await connectResp(proxy);
    for (let i = 0; i < 30; i++) {
      assertEquals(await ask(other, "rpush", key(0), `${i}`), ":1\r\n");
      assertStringIncludes(await ask(client, "blpop", key(0), "0"), `\r\n${i}\r\n`);
    }
    assertEquals(serverFact(proxy, 0, "dedicated"), "1");
    assert(server!.shared.clients.size <= 3, `${server!.shared.clients.size} connections`);
  }),
);

Deno.test(
  "Proxy cancels the wait of a client that disconnects, so that no element is lost",
  clustered(1, async (rig, [server]) => {
    const { proxy, key } = rig;
    using other = await connectResp(proxy);
    for (const leave of ["close", "kill"]) {
      const client = await connectResp(proxy);
      const { line: id } = await client.call("client", "id");
      await client.send(encodeRequest("blpop", key(0), "0"));
      await waiting(rig, 1);
      assertEquals(server!.shared.waiters.count, 1);
      if (leave === "close") client.close();
      else assertEquals(await ask(other, "client", "kill", "id", id), ":1\r\n");
      await until(() => server!.shared.waiters.count === 0, "the server knows");
      await waiting(rig, 0);
      assertEquals(await ask(other, "rpush", key(0), "x"), ":1\r\n");
      assertEquals(await ask(other, "lpop", key(0)), "$1\r\nx\r\n");
      client.close();
    }
    await pause(2 * ABORT_DELAY_MS);
  }),
);

Deno.test(
  "Proxy unblocks a client on request",
  clustered(1, async (rig) => {
    const { proxy, key } = rig;
    using client = await connectResp(proxy);
    using other = await connectResp(proxy);
    const { line: id } = await client.call("client", "id");
    await client.send(encodeRequest("blpop", key(0), "0"));
    await waiting(rig, 1);
    assertEquals(await ask(other, "client", "unblock", id), ":1\r\n");
    assertEquals(encodeFrame(await client.frame()), "*-1\r\n");
    await client.send(encodeRequest("blpop", key(0), "0"));
    await waiting(rig, 1);
    assertEquals(await ask(other, "client", "unblock", id, "error"), ":1\r\n");
    assertEquals(encodeFrame(await client.frame()), "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    assertEquals(await ask(other, "client", "unblock", id), ":0\r\n");
    assertEquals(await ask(client, "ping"), "+PONG\r\n");
  }),
);

Deno.test("Proxy lends no connection to which an unblocking is still on its way", async () => {
  const peers: FakePeer[] = [];
  const unblocked: string[] = [];
  let id = 0;
  const handler: FakeHandler = (request, peer) => {
    if (request[0] === "blpop") peers.push(peer);
    else if (request[1] === "id") peer.reply(++id);
    else if (request[1] === "unblock") unblocked.push(request[2]!);
  };
  await withFakes([handler], async (rig) => {
    using client = await connectResp(rig.proxy);
    using other = await connectResp(rig.proxy);
    const { line } = await client.call("client", "id");
    const wait = async (count: number) => {
      await client.send(encodeRequest("blpop", rig.key(0), "0"));
      await until(() => peers.length === count, "it waits");
    };
    await wait(1);
    await waiting(rig, 1);
    await other.call("client", "unblock", line);
    await until(() => unblocked.length === 1, "the server gets the request to unblock it");
    // The element was already on its way.
    peers[0]!.reply(["k", "x"]);
    await client.frame();
    await wait(2);
    assert(peers[1] !== peers[0]);
    peers[1]!.reply(["k", "y"]);
    await client.frame();
    await wait(3);
    assert(peers[2] === peers[1]);
  });
});

Deno.test("Proxy repeats an unblocking that a server received before it had begun to wait", async () => {
  const unblockings: string[] = [];
  let waiter: FakePeer | undefined;
  const handler: FakeHandler = (request, peer) => {
    if (request[0] === "blpop") waiter = peer;
    else if (request[1] === "id") peer.reply(7);
    else if (request[1] === "unblock") {
      unblockings.push(request[2]!);
      peer.reply(unblockings.length < 4 ? 0 : 1);
      if (unblockings.length === 4) waiter!.reply(null);
    } else peer.reply("OK");
  };
  await withFakes([handler], async (rig) => {
    const client = await connectResp(rig.proxy);
    using other = await connectResp(rig.proxy);
    await client.send(encodeRequest("blpop", rig.key(0), "0"));
    await waiting(rig, 1);
    client.close();
    assertEquals(await ask(other, "rpush", rig.key(0), "x"), "+OK\r\n");
    assertEquals(unblockings, ["7", "7", "7", "7"]);
  });
});

Deno.test("Proxy delays writes no longer than its deadline for a server that does not unblock", async () => {
  const handler: FakeHandler = (request, peer) => {
    if (request[1] === "id") peer.reply(7);
    else if (request[1] === "unblock") peer.reply(1);
    else if (request[0] === "rpush") peer.reply(1);
  };
  await withFakes([handler], async (rig) => {
    const client = await connectResp(rig.proxy);
    using other = await connectResp(rig.proxy);
    await client.send(encodeRequest("blpop", rig.key(0), "0"));
    await waiting(rig, 1);
    client.close();
    assertEquals(await ask(other, "rpush", rig.key(0), "x"), ":1\r\n");
    assertEquals(infoOf(rig.proxy, "blocked_clients"), "0");
  }, { timeoutMs: 100 });
});

Deno.test("Proxy logs that an element cannot be put back", async () => {
  for (const dialect of [0, 2, 3] as const) {
    let waiter: FakePeer | undefined;
    let pushed: string[] = [];
    const handler: FakeHandler = (request, peer) => {
      if (request[0] === "brpop") waiter = peer;
      else if (request[1] === "id") peer.reply(7);
      else if (request[1] === "unblock") {
        waiter!.reply(["k", "x y"].map((text) => encodeText(text)));
        peer.reply(0);
      } else if (request[0] === "rpush") {
        pushed = request;
        peer.refuse("ERR", "no room");
      }
    };
    await withFakes([handler], async (rig) => {
      if (dialect === 0) {
        using client = await rig.connect();
        await client.send(framesOf(["brpop", "k", "0"]));
        await waiting(rig, 1);
      } else {
        using client = await connectResp(rig.proxy, dialect);
        await client.send(encodeRequest("brpop", "k", "0"));
        await waiting(rig, 1);
      }
      await until(() => rig.log.lines.some((line) => line.startsWith("warn Cannot put back")), "it is logged");
      assertEquals(pushed, ["rpush", "k", "x y"]);
    });
  }
});

Deno.test(
  "Proxy disconnects a client that sends too much after a blocking command, and cancels its wait",
  clustered(1, async (rig, [server]) => {
    Object.assign(rig.proxy, { readAhead: new ReadAhead(300_000) });
    using client = await connectResp(rig.proxy);
    await client.send(encodeRequest("blpop", rig.key(0), "0"));
    await waiting(rig, 1);
    client.send(encodeRequest("ping").repeat(200_000)).catch(() => {});
    assertStringIncludes(encodeFrame(await client.frame()), " bytes wait behind this command\r\n");
    await until(() => server!.shared.waiters.count === 0, "the server gives it up");
  }),
);

Deno.test("Proxy ends waits with an error when it stops", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async (rig) => {
      using client = await connectResp(rig.proxy);
      await client.send(encodeLines(`blpop ${rig.key(0)} 0`, "ping"));
      await waiting(rig, 1);
      const stopped = rig.proxy.stop();
      assertEquals((await client.framesToEnd()).map(encodeFrame), ["-ERR the proxy is stopping\r\n"]);
      await stopped;
    })));

Deno.test(
  "Proxy moves a wait to the slot's new server when the list of servers changes",
  clustered(2, async (rig, servers) => {
    const { proxy, path, addresses, key, connect } = rig;
    using client = await connectResp(proxy);
    using native = await connect();
    using other = await connectResp(proxy);
    await client.send(encodeRequest("blpop", key(0), "0"));
    await native.send(framesOf(["blpop", key(0, 1), "0"]));
    await waiting(rig, 2);
    await writeList(path, addresses.slice(1));
    await until(() => servers[1]!.shared.waiters.count === 2, "they wait at the other server");
    assertEquals(servers[0]!.shared.waiters.count, 0);
    assertEquals(await ask(other, "rpush", key(0), "x"), ":1\r\n");
    assertStringIncludes(encodeFrame(await client.frame()), "$1\r\nx\r\n");
    assertEquals(await ask(other, "rpush", key(0, 1), "y"), ":1\r\n");
    assertEquals(await native.reply(), [key(0, 1), "y"]);
    await until(() => infoOf(proxy, "cluster_servers_draining") === "0", "the server that left is forgotten");
  }),
);

Deno.test("Proxy reports that the outcome of a wait is unknown when its connection is lost", async () => {
  const handler: FakeHandler = (request, peer) => {
    if (request[0] === "client") peer.reply(7);
    else if (request[0] === "blpop") void peer.close();
  };
  await withFakes([handler], async ({ proxy }) => {
    using client = await connectResp(proxy);
    assertStringIncludes(await ask(client, "blpop", "k", "0"), "-UNKNOWN_OUTCOME ");
    assertEquals(await ask(client, "ping"), "+PONG\r\n");
    assertEquals(infoOf(proxy, "blocked_clients"), "0");
  });
});

Deno.test("Proxy waits for a command's own timeout, and no longer for a server that does not reply", async () => {
  const silent: FakeHandler = (request, peer) => {
    if (request[0] === "client" && request[1] === "id") peer.reply(7);
  };
  await withFakes([silent], async ({ proxy }) => {
    using client = await connectResp(proxy);
    const begunMs = performance.now();
    assertStringIncludes(await ask(client, "blpop", "k", "0.3"), "no answer within 100 ms");
    const tookMs = performance.now() - begunMs;
    assert(tookMs >= 300, `${tookMs} ms`);
  }, { timeoutMs: 100 });
});

Deno.test("Proxy refuses to wait at a server that is down", () =>
  withServers(1, async (_servers, addresses) => {
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const dead = `127.0.0.1:${closed.addr.port}`;
    closed.close();
    await withProxy([...addresses, dead], async ({ proxy, key }) => {
      using client = await connectResp(proxy);
      for (let i = 0; i < 3; i++) {
        assertStringIncludes(await ask(client, "blpop", key(1), "0"), `-UNAVAILABLE server "${dead}": `);
        assertStringIncludes(await ask(client, "get", key(1)), `-UNAVAILABLE server "${dead}": `);
      }
      assertEquals(await ask(client, "blpop", key(0), "0.01"), "*-1\r\n");
    });
  }));

Deno.test(
  "Proxy replies immediately to a blocking command in a transaction",
  clustered(1, async ({ proxy, key }) => {
    using client = await connectResp(proxy);
    await client.send(encodeLines("multi", `blpop ${key(0)} 0`, `rpush ${key(0)} a`, `blpop ${key(0)} 0`, "exec"));
    const replies = await readReplies(client, 5);
    assertEquals(replies.slice(1, 4), Array(3).fill("+QUEUED\r\n"));
    assertStringIncludes(replies[4]!, "*3\r\n*-1\r\n:1\r\n*2\r\n");
  }),
);
