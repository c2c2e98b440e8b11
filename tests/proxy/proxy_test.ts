/** Tests the proxy in this process, before real and fake servers, all of them in plaintext on loopback. */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { encodeText, write32 } from "../../src/bytes.ts";
import { UsageError } from "../../src/errors.ts";
import { slotOf } from "../../src/key_slot.ts";
import {
  ABORT_DELAY_MS,
  FRAME_SIZE_MAX_BYTES,
  FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  KEY_SIZE_MAX_BYTES,
} from "../../src/limits.ts";
import { proxyMain, startProxy } from "../../src/proxy/main.ts";
import { makeCertificates } from "../../src/role/certs.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { type FakeHandler, type FakePeer, FakeServer } from "../support/fake_server.ts";
import { pause } from "../support/pause.ts";
import {
  clustered,
  echoing,
  infoOf,
  LogLines,
  replyingToPings,
  serverFact,
  withFakes,
  withProxy,
  withServers,
  writeList,
} from "../support/proxy_rig.ts";
import { framesOf, RawClient } from "../support/raw_client.ts";
import { until } from "../support/until.ts";

const MEGABYTE = 1024 * 1024;

Deno.test(
  "Proxy forwards commands on one key to the owner, unchanged",
  clustered(3, async ({ key, connect }, servers) => {
    using client = await connect();
    for (let i = 0; i < 3; i++) {
      const before = servers.map((server) => server.store.size);
      assertEquals(await client.call("set", key(i), `Grüße 🦕 ${i}`), "OK");
      servers.forEach((server, j) => assertEquals(server.store.size, before[j]! + (i === j ? 1 : 0)));
      assertEquals(await client.call("GET", key(i)), `Grüße 🦕 ${i}`);
    }
    assertEquals(await client.call("rpush", key(1, 1), "a", "", "c"), 3);
    assertEquals(await client.call("lrange", key(1, 1), 0, -1), ["a", "", "c"]);
    assertEquals(await client.call("hset", key(2, 1), "f", "v"), 1);
    assertEquals(await client.call("hgetall", key(2, 1)), new Map([["f", "v"]]));
    assertEquals(
      await client.call("lpush", key(0), "x"),
      "WRONGTYPE Operation against a key holding the wrong kind of value",
    );
    assertEquals(await client.call("set", "", "the empty key"), "OK");
    assertEquals(await client.call("get", ""), "the empty key");
  }),
);

Deno.test(
  "Proxy forwards values of any bytes and sizes",
  clustered(2, async ({ connect }) => {
    using client = await connect();
    const binary = new Uint8Array(MEGABYTE).map((_, i) => i * 31 + (i >> 8));
    for (const value of [binary, new Uint8Array(0), Uint8Array.of(0, 0, 255)]) {
      await client.call("set", "k", value);
      await client.send(framesOf(["get", "k"], ["strlen", "k"]));
      const [got, length] = await client.replies(2);
      assertEquals(got, new TextDecoder().decode(value));
      assertEquals(length, value.length);
    }
  }),
);

Deno.test(
  "Proxy splits and joins commands on many keys",
  clustered(3, async ({ key, connect }, servers) => {
    using client = await connect();
    const keys = Array.from({ length: 30 }, (_, i) => key(i % 3, Math.floor(i / 3)));
    assertEquals(await client.call("mset", ...keys.flatMap((each, i) => [each, `v${i}`])), "OK");
    for (const server of servers) assertEquals(server.store.size, 10);
    // The values are in the order of the keys, some of which are absent, of another type, or repeated.
    await client.call("rpush", "list", "x");
    const requested = [...keys.toReversed(), "absent", "list", keys[0]!, keys[0]!];
    const expected = [...keys.map((_, i) => `v${i}`).reverse(), null, null, "v0", "v0"];
    assertEquals(await client.call("mget", ...requested), expected);
    assertEquals(await client.call("exists", ...keys, "absent", "list", keys[5]!), 32);
    assertEquals(await client.call("remove", ...keys.slice(0, 10), "absent"), 10);
    assertEquals(await client.call("DEL", keys[0]!, keys[1]!, keys[29]!), 1);
    // All keys are on one server, so the request is forwarded unchanged.
    assertEquals(await client.call("mget", key(1, 5), key(1, 6)), ["v16", "v19"]);
    assertEquals(await client.call("mset", "{tag}a", "1", "{tag}b", "2"), "OK");
    assertEquals(await client.call("mget", "{tag}b", "{tag}a"), ["2", "1"]);
  }),
);

Deno.test(
  "Proxy refuses a command on many keys before any of them is changed",
  clustered(3, async ({ key, connect }) => {
    using client = await connect();
    const long = "x".repeat(KEY_SIZE_MAX_BYTES + 1);
    assertEquals(await client.call("mset", key(0), "1", key(1)), "ERR wrong number of arguments for 'mset' command");
    assertEquals(await client.call("mset", key(0), "1", long, "2"), `ERR key exceeds ${KEY_SIZE_MAX_BYTES} bytes`);
    assertEquals(await client.call("size"), 0);
  }),
);

Deno.test(
  "Proxy sends size, keys and flush to all servers",
  clustered(3, async ({ connect }, servers) => {
    using client = await connect();
    const count = 3000;
    await client.send(framesOf(...Array.from({ length: count }, (_, i) => ["set", `k${i}`, "v"])));
    await client.replies(count);
    assertEquals(await client.call("size"), count);
    assertEquals(await client.call("dbsize"), count);
    for (const { store } of servers) {
      assert(store.size > count * 0.3 && store.size < count * 0.37, `${store.size} keys`);
    }
    const keys = await client.call("keys", "*") as string[];
    assertEquals(new Set(keys).size, count);
    assertEquals((await client.call("keys", "k1??") as string[]).length, 100);
    assertEquals(await client.call("flush"), "OK");
    assertEquals(await client.call("size"), 0);
    assertEquals(await client.call("keys", "*"), []);
  }),
);

/** Scans until the cursor is 0. */
async function scanAll(client: RawClient, ...options: string[]): Promise<{ keys: string[]; cursors: string[] }> {
  const keys: string[] = [];
  const cursors: string[] = [];
  let cursor = "0";
  do {
    const [next, found] = await client.call("scan", cursor, ...options) as [string, string[]];
    keys.push(...found);
    cursors.push(next);
    cursor = next;
  } while (cursor !== "0");
  return { keys, cursors };
}

Deno.test(
  "Proxy scans one server after another",
  clustered(3, async ({ connect }) => {
    using client = await connect();
    assertEquals((await scanAll(client)).keys, []);
    const expected = Array.from({ length: 500 }, (_, i) => `k${i}`);
    await client.call("mset", ...expected.flatMap((key) => [key, "v"]));
    const { keys, cursors } = await scanAll(client, "COUNT", "20");
    assertEquals([...new Set(keys)].sort(), expected.toSorted());
    assert(cursors.every((cursor) => Number.isSafeInteger(Number(cursor))), String(cursors));
    assertEquals(new Set((await scanAll(client, "MATCH", "k12*")).keys).size, 11);
    assertEquals((await scanAll(client, "TYPE", "list")).keys, []);
    assertEquals(await client.call("scan", "x"), "ERR invalid cursor");
    // This is the last possible cursor, as Redis reads it.
    assertEquals(await client.call("scan", "-1"), ["0", []]);
    assertEquals(await client.call("scan", "18446744073709551616"), "ERR invalid cursor");
    assertEquals(await client.call("scan", "0", "COUNT", "0"), "ERR syntax error");
    // There is nothing after the last server.
    assertEquals(await client.call("scan", String(2 ** 53 - 1)), ["0", []]);
  }),
);

Deno.test(
  "Proxy continues a scan while servers leave and join",
  clustered(4, async ({ proxy, path, addresses, connect }) => {
    using client = await connect();
    const expected = Array.from({ length: 400 }, (_, i) => `k${i}`);
    await client.call("mset", ...expected.flatMap((key) => [key, "v"]));
    const owners = ownersOf(addresses.map((address) => ({ address, weight: 1 })));
    const ownerOf = (key: string) => addresses[owners[slotOf(encodeText(key), 0, key.length)]!]!;
    const [cursor, first] = await client.call("scan", "0", "COUNT", "10") as [string, string[]];
    const scanned = ownerOf(first[0]!);
    // The server being scanned leaves: its cursor continues with the next server, and the other servers are scanned
    // completely.
    await writeList(path, addresses.filter((address) => address !== scanned));
    await until(() => proxy.members.length === 3, "the list is applied");
    const rest: string[] = [];
    for (let next = cursor; next !== "0";) {
      const [following, found] = await client.call("scan", next, "COUNT", "10") as [string, string[]];
      rest.push(...found);
      next = following;
    }
    assertEquals(rest.toSorted(), expected.filter((key) => ownerOf(key) !== scanned).toSorted());
  }),
);

Deno.test(
  "Proxy replies itself to ping, echo and info",
  clustered(2, async ({ proxy, connect, addresses }, servers) => {
    using client = await connect();
    // It asks its servers for the facts that it joins, and for nothing else.
    const info = await client.call("info") as string;
    const asked = servers.map(({ commands }) => commands);
    assertEquals(await client.call("ping"), "PONG");
    assertEquals(await client.call("PING", "hello"), "hello");
    assertEquals(await client.call("echo", "x"), "x");
    assertStringIncludes(info, "role:proxy\r\n");
    assertStringIncludes(info, `server1:addr=${addresses[1]},state=up,weight=1,slots=`);
    assertEquals((await client.call("info", "clients") as string).includes("role"), false);
    assertEquals(infoOf(proxy, "connected_clients"), "1");
    const slots = [0, 1].map((position) => Number(serverFact(proxy, position, "slots")));
    assertEquals(slots[0]! + slots[1]!, 16_384);
    assertEquals(servers.map(({ commands }) => commands), asked);
  }),
);

Deno.test("Proxy refuses with the errors of the server", () =>
  withServers(1, ([server], addresses) =>
    withProxy(addresses, async ({ connect }) => {
      using direct = await RawClient.connect(server!.address);
      using client = await connect();
      const requests = [
        ["nosuch"],
        ["NoSuch", "a", "b c", "\x01\n"],
        ["nosuch", "x".repeat(200), "y"],
        ["x".repeat(200)],
        [""],
        ["get"],
        ["GET", "a", "b"],
        ["Mset", "a"],
        ["mset", "a", "1", "b"],
        ["ping", "a", "b"],
        ["echo"],
        ["scan", "x"],
        ["scan", "0", "COUNT"],
        ["auth"],
        ["auth", "x"],
        ["auth", "default", "x"],
        ["auth", "nobody", "x"],
        ["auth", "a", "b", "c"],
        ["size", "x"],
        ["save"],
      ];
      for (const request of requests) {
        assertEquals(await client.call(...request), await direct.call(...request), request.join(" "));
      }
    })));

Deno.test("Proxy replies to each client in the order of its requests, regardless of the order of the servers", async () => {
  const slow: FakeHandler = (request, peer) => {
    if (Number(request[1]!.split(":")[1]) % 7 === 0) peer.pause(20);
    echoing(request, peer);
  };
  await withFakes([slow, echoing, echoing], async ({ connect, key }) => {
    const count = 300;
    const run = async (client: RawClient, name: string) => {
      const requests = Array.from({ length: count }, (_, i) => ["set", key(i % 3, i % 20), `${name}${i}`]);
      // Among them are some requests to which the proxy replies itself, and some that all servers execute.
      requests.splice(100, 0, ["echo", `${name}-echo`]);
      requests.splice(50, 0, ["mget", key(0), key(1), key(2)]);
      await client.send(framesOf(...requests));
      const replies = await client.replies(requests.length);
      assert(typeof replies[50] === "string" && replies[50].startsWith("ERR"), String(replies[50]));
      assertEquals(replies.toSpliced(50, 1), requests.toSpliced(50, 1).map((request) => request.at(-1)));
    };
    using first = await connect();
    using second = await connect();
    await Promise.all([run(first, "a"), run(second, "b")]);
  });
});

Deno.test(
  "Proxy replies in order to 20,000 requests of one write",
  clustered(3, async ({ connect }) => {
    using client = await connect();
    const count = 20_000;
    const requests = Array.from({ length: count }, (_, i) => i % 2 ? ["get", `k${i - 1}`] : ["set", `k${i}`, `v${i}`]);
    const sending = client.send(framesOf(...requests));
    const replies = await client.replies(count);
    await sending;
    for (let i = 0; i < count; i += 2) assertEquals([replies[i], replies[i + 1]], ["OK", `v${i}`]);
  }),
);

Deno.test("Proxy returns errors for the keys of a server that is killed with requests in flight, and for no others", async () => {
  let dying = false;
  const doomed: FakeHandler = (request, peer) => {
    if (!dying) echoing(request, peer);
  };
  await withFakes([doomed, echoing], async ({ connect, key, log }, servers) => {
    using client = await connect();
    using other = await connect();
    const lost = key(0);
    assertEquals(await client.call("set", lost, "1"), "1");
    dying = true;
    const requests = [["set", lost, "2"], ["get", lost], ["set", key(1), "3"]];
    await client.send(framesOf(...requests));
    await until(() => servers[0]!.requests.length >= 4, "the requests arrive");
    await servers[0]![Symbol.asyncDispose]();
    const [written, read, elsewhere] = await client.replies(3) as string[];
    assertStringIncludes(written!, `UNKNOWN_OUTCOME server "127.0.0.1:${servers[0]!.port}": `);
    assertStringIncludes(read!, "UNAVAILABLE ");
    assertStringIncludes(read!, "nobody listens there");
    assertEquals(elsewhere, "3");
    // The server is down: errors arrive immediately, and the other keys work.
    const begunMs = performance.now();
    for (let i = 0; i < 50; i++) {
      assertStringIncludes(await other.call("set", lost, "4") as string, "UNAVAILABLE ");
      assertEquals(await other.call("set", key(1), "5"), "5");
    }
    assert(performance.now() - begunMs < 1000, `${performance.now() - begunMs} ms`);
    assertEquals(log.lines.filter((line) => line.includes("is down")).length, 1);
    // The server has returned.
    await using revived = new FakeServer(replyingToPings(echoing), servers[0]!.port);
    await until(async () => await client.call("set", lost, "6") === "6", "the server is used again");
    assert(revived.requests.length > 0);
  });
});

Deno.test("Proxy repeats a read once on another connection", async () => {
  let failures = 1;
  const flaky: FakeHandler = (request, peer) => {
    if (request[0] === "get" && failures-- > 0) peer.close();
    else echoing(request, peer);
  };
  await withFakes([flaky], async ({ connect }, [server]) => {
    using client = await connect();
    assertEquals(await client.call("set", "k", "v"), "v");
    assertEquals(await client.call("get", "k"), "k");
    assertEquals(server!.requests.filter(([name]) => name === "get").length, 2);
  });
});

Deno.test("Proxy delivers no late reply to another request", async () => {
  const held: (() => void)[] = [];
  const stopped = new Set<FakePeer>();
  const stuck: FakeHandler = (request, peer) => {
    if (request.at(-1) === "late") stopped.add(peer);
    // Everything after it on this connection waits too, as it would at a server that has stopped.
    if (stopped.has(peer)) held.push(() => echoing(request, peer));
    else echoing(request, peer);
  };
  await withFakes([stuck, echoing], async ({ proxy, connect, key }) => {
    using client = await connect();
    using other = await connect();
    await client.send(framesOf(["set", key(0), "late"], ["get", key(0)], ["set", key(1), "x"]));
    const [late, behind, elsewhere] = await client.replies(3) as string[];
    assertStringIncludes(late!, "UNKNOWN_OUTCOME ");
    assertStringIncludes(late!, "no answer within 100 ms");
    assertStringIncludes(behind!, "UNAVAILABLE ");
    assertEquals(elsewhere, "x");
    await until(() => serverFact(proxy, 0, "state") === "up", "it is tried again");
    for (const reply of held) reply();
    for (let i = 0; i < 100; i++) {
      assertEquals(await client.call("set", key(0), `c${i}`), `c${i}`);
      assertEquals(await other.call("set", key(0), `o${i}`), `o${i}`);
    }
    assertEquals(serverFact(proxy, 0, "timeouts"), "1");
  }, { timeoutMs: 100 });
});

Deno.test("Proxy returns an error instead of a part when a server is missing", () =>
  withServers(2, async (_servers, addresses) => {
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const dead = `127.0.0.1:${closed.addr.port}`;
    closed.close();
    await withProxy([...addresses, dead], async ({ connect, key }) => {
      using client = await connect();
      const keys = [key(0), key(1), key(2)];
      for (const request of [["size"], ["keys", "*"], ["mget", ...keys], ["exists", ...keys]]) {
        const reply = await client.call(...request) as string;
        assertStringIncludes(reply, `UNAVAILABLE server "${dead}": `, request[0]);
        assert(!reply.includes("carried out"), reply);
      }
      for (const request of [["mset", ...keys.flatMap((each) => [each, "v"])], ["remove", ...keys], ["flush"]]) {
        const reply = await client.call(...request) as string;
        assertStringIncludes(reply, `UNAVAILABLE server "${dead}": `, request[0]);
        assertStringIncludes(reply, "; 2 of 3 servers have carried out their part");
      }
      let refused = "";
      for (let cursor = "0"; refused === "";) {
        const reply = await client.call("scan", cursor) as string | [string, string[]];
        if (typeof reply === "string") refused = reply;
        else assert((cursor = reply[0]) !== "0", "the scan has ended without the server that is down");
      }
      assertStringIncludes(refused, "UNAVAILABLE ");
    });
  }));

Deno.test("Proxy forwards the refusal of one server", async () => {
  const full: FakeHandler = (_request, peer) => peer.refuse("ERR", "this one says no");
  const ok: FakeHandler = (_request, peer) => peer.reply("OK");
  await withFakes([ok, full], async ({ connect, key }) => {
    using client = await connect();
    assertEquals(
      await client.call("mset", key(0), "1", key(1), "2"),
      "ERR this one says no; 1 of 2 servers have carried out their part",
    );
    assertEquals(await client.call("size"), "ERR this one says no");
  });
});

Deno.test("Proxy stops using a server that leaves the list, while others work without an error", () =>
  withServers(3, async (servers, addresses) => {
    await withProxy(addresses, async ({ proxy, path, connect, key, log }) => {
      const leaving = addresses[2]!;
      const remaining = addresses.slice(0, 2);
      let running = true;
      const workers = Array.from({ length: 8 }, async (_, worker) => {
        using client = await connect();
        for (let i = 0; running; i++) {
          const name = key(i % 2, worker);
          assertEquals(await client.call("set", name, `${i}`), "OK");
          assertEquals(await client.call("get", name), `${i}`);
        }
      });
      using client = await connect();
      await client.call("set", key(2), "v");
      for (
        const write of [
          (list: readonly string[]) => writeList(path, list),
          async (list: readonly string[]) => {
            await writeList(`${path}.new`, list);
            await Deno.rename(`${path}.new`, path);
          },
        ]
      ) {
        await write(remaining);
        await until(() => proxy.members.length === 2, "the server is out", 500);
        const before = servers[2]!.commands;
        for (let i = 0; i < 100; i++) await client.call("set", key(2, i), "v");
        assertEquals(servers[2]!.commands, before);
        await until(() => infoOf(proxy, "cluster_servers_draining") === "0", "its connections are closed");
        await write(addresses);
        await until(() => proxy.members.length === 3, "the server is in", 500);
        await client.call("set", key(2), "v");
        assert(servers[2]!.commands > before);
      }
      running = false;
      await Promise.all(workers);
      assertEquals(infoOf(proxy, "cluster_changes"), "4");
      assertEquals(log.lines.filter((line) => line.includes(`"${leaving}" gets no new requests`)).length, 2);
    });
  }));

Deno.test("Proxy lets requests in flight finish on a server that leaves the list", async () => {
  let release = () => {};
  const holding: FakeHandler = (request, peer) => {
    release = () => echoing(request, peer);
  };
  await withFakes([holding, echoing], async ({ proxy, path, addresses, connect, key }, servers) => {
    using client = await connect();
    await client.send(framesOf(["set", key(0), "held"]));
    await until(() => servers[0]!.requests.length === 2, "the request arrives");
    await writeList(path, addresses.slice(1));
    await until(() => proxy.members.length === 1, "the server is out");
    await client.send(framesOf(["set", key(0), "new"]));
    await until(() => servers[1]!.requests.length >= 2, "the next one goes to the other server");
    assertEquals(infoOf(proxy, "cluster_servers_draining"), "1");
    release();
    assertEquals(await client.replies(2), ["held", "new"]);
    await until(() => infoOf(proxy, "cluster_servers_draining") === "0", "the server is forgotten");
  });
});

Deno.test("Proxy keeps a client's order when a server leaves the list and returns with requests in flight", async () => {
  let release: (() => void) | undefined;
  const holding: FakeHandler = (request, peer) => {
    // Only the connection of the first request is delayed.
    if (release === undefined) peer.hold(new Promise((resolve) => release = resolve));
    echoing(request, peer);
  };
  await withFakes([holding, echoing], async ({ proxy, path, addresses, connect, key }, servers) => {
    using client = await connect();
    await client.send(framesOf(["set", key(0), "first"]));
    await until(() => release !== undefined, "the request arrives");
    await writeList(path, addresses.slice(1));
    await until(() => proxy.members.length === 1, "the server is out");
    await writeList(path, addresses);
    await until(() => proxy.members.length === 2, "the server is in");
    assertEquals(infoOf(proxy, "cluster_servers_draining"), "0");
    await client.send(framesOf(["set", key(0), "second"]));
    await until(() => servers[0]!.requests.some((request) => request.at(-1) === "second"), "the next one arrives");
    assertEquals(servers[0]!.connectionCount, 1);
    release!();
    assertEquals(await client.replies(2), ["first", "second"]);
  });
});

Deno.test(
  "Proxy keeps its routes when the list is bad, and reports it on one line",
  clustered(2, async ({ proxy, path, connect, log }) => {
    using client = await connect();
    await Deno.writeTextFile(path, '[{"addr":"127.0.0.1:70000"}]');
    const isTold = (line: string) => line.includes("the list known before stays in use");
    await until(() => log.lines.some(isTold), "it is logged");
    assertEquals(await client.call("set", "k", "v"), "OK");
    assertEquals(proxy.members.length, 2);
    await pause(250);
    assertEquals(log.lines.filter(isTold).length, 1);
    assertStringIncludes(log.lines.find(isTold)!, "server 1 of the list");
  }),
);

Deno.test("Proxy requires the password, and sends its own to the servers", () =>
  withServers(2, (_servers, addresses) =>
    withProxy(addresses, async ({ connect, key }) => {
      using client = await connect();
      assertEquals(await client.call("ping"), "PONG");
      assertEquals(await client.call("get", "k"), "NOAUTH Authentication required.");
      assertEquals(await client.call("nosuch"), "ERR unknown command 'nosuch', with args beginning with: ");
      const wrong = "WRONGPASS invalid username-password pair or user is disabled.";
      assertEquals(await client.call("auth", "wrong"), wrong);
      assertEquals(await client.call("auth", "nobody", "outer"), wrong);
      assertEquals(await client.call("auth", ""), wrong);
      // Later requests of the same write run authenticated.
      await client.send(framesOf(["get", "k"], ["auth", "outer"], ["mset", key(0), "1", key(1), "2"]));
      assertEquals(await client.replies(3), ["NOAUTH Authentication required.", "OK", "OK"]);
      using second = await connect();
      assertEquals(await second.call("auth", "default", "outer"), "OK");
      assertEquals(await second.call("get", key(0)), "1");
    }, { password: "outer", backend: { plaintext: true, password: "inner" } }), { password: "inner" }));

Deno.test("Proxy reports that a server refuses its password", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ connect }) => {
      using client = await connect();
      const reply = await client.call("get", "k") as string;
      assertStringIncludes(reply, `UNAVAILABLE server "${addresses[0]}": it refuses the proxy: WRONGPASS`);
    }, { backend: { plaintext: true, password: "wrong" } }), { password: "right" }));

Deno.test("Proxy considers a server down that requires a password which the proxy lacks, and reports it", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ connect, log }) => {
      using client = await connect();
      const expected = `server "${addresses[0]}": it refuses the proxy: NOAUTH it wants a password`;
      for (let i = 0; i < 3; i++) {
        assertStringIncludes(await client.call("get", "k") as string, `UNAVAILABLE ${expected}`);
        assertStringIncludes(await client.call("info", "cluster") as string, "state=down");
      }
      assertEquals(log.lines.filter((line) => line.includes("is up")), []);
      assertEquals(log.lines.filter((line) => line.includes("is down")).length, 1);
    }, { backend: { plaintext: true } }), { password: "right" }));

Deno.test("Proxy speaks TLS on both sides, and trusts no certificate of another authority", async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-proxy-" });
  try {
    const read = async (name: string) => {
      const { paths } = await makeCertificates(`${folder}/${name}`, []);
      const [cert, key, authority] = await Promise.all(
        [paths.cert, paths.key, paths.authority].map((path) => Deno.readTextFile(path)),
      );
      return { certificate: { cert: cert!, key: key! }, authority: authority! };
    };
    const ours = await read("ours");
    const others = await read("others");
    const run = (trusted: string, check: (client: RawClient) => Promise<void>) =>
      withServers(2, (_servers, addresses) =>
        withProxy(addresses, async ({ proxy }) => {
          using client = await RawClient.connect(proxy.address, [others.authority]);
          await check(client);
        }, { certificate: others.certificate, backend: { plaintext: false, authority: trusted } }), {
        certificate: ours.certificate,
      });
    await run(ours.authority, async (client) => {
      const requests = Array.from({ length: 1000 }, (_, i) => ["set", `k${i}`, "x".repeat(i)]);
      await client.send(framesOf(...requests));
      assertEquals(new Set(await client.replies(1000)), new Set(["OK"]));
      assertEquals(await client.call("size"), 1000);
    });
    await run(others.authority, async (client) => {
      assertStringIncludes(await client.call("set", "k", "v") as string, "its certificate is not trusted");
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("Proxy accepts only small frames before authentication", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ connect }) => {
      using client = await connect();
      await client.send(framesOf(["auth", "x".repeat(FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES)]));
      assertStringIncludes(await client.reply() as string, "expected at most 16384 before authentication");
      assertEquals(await client.rest(), "");
    }, { password: "secret" })));

/** Returns a frame's prefix that announces `length` bytes. */
function prefixOf(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  write32(bytes, 0, length);
  return bytes;
}

Deno.test(
  "Proxy replies to the requests before a frame that is too long, then closes",
  clustered(1, async ({ connect }) => {
    using client = await connect();
    await client.send(framesOf(["set", "k", "v"], ["get", "k"]));
    await client.send(prefixOf(FRAME_SIZE_MAX_BYTES + 1));
    const replies = await client.replies(3);
    assertEquals(replies.slice(0, 2), ["OK", "v"]);
    assertStringIncludes(String(replies[2]), `ERR Protocol error: frame of ${FRAME_SIZE_MAX_BYTES + 1} bytes`);
    assertEquals(await client.rest(), "");
  }),
);

Deno.test(
  "Proxy refuses a complete frame that is malformed, and continues",
  clustered(1, async ({ connect }) => {
    using client = await connect();
    const bad = [[], [0xc0], [0x90], [0x91], [0x92, 0xa1, 0x61], [0x91, 0x05], [0x91, 0xa1, 0x61, 0x00], [
      0xdd,
      255,
      255,
      255,
      255,
    ]];
    for (const body of bad) {
      await client.send(prefixOf(body.length));
      await client.send(Uint8Array.from(body));
      assertStringIncludes(String(await client.reply()), "ERR Protocol error: ");
    }
    assertEquals(await client.call("ping"), "PONG");
  }),
);

Deno.test(
  "Proxy sends a client of another protocol an error, and closes",
  clustered(1, async ({ connect }) => {
    for (const text of ["\x80\x01", "$4\r\nPING\r\n", " ping\r\n"]) {
      using client = await connect();
      await client.send(encodeText(text));
      assertEquals(await client.rest(), "-ERR this is neither the native protocol of inmem nor RESP\r\n");
    }
    using client = await connect();
    assertEquals(await client.call("ping"), "PONG");
  }),
);

Deno.test(
  "Proxy replies to everything that a client sent before it stopped sending",
  clustered(2, async ({ connect }) => {
    using client = await connect();
    await client.send(framesOf(["set", "k", "v"], ["get", "k"]));
    await client.socket.closeWrite();
    assertEquals(await client.replies(2), ["OK", "v"]);
    assertEquals(await client.rest(), "");
  }),
);

Deno.test("Proxy refuses clients beyond the limit", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ connect }) => {
      using first = await connect();
      assertEquals(await first.call("ping"), "PONG");
      using second = await connect();
      assertEquals(await second.call("ping"), "ERR max number of clients reached");
      assertEquals(await second.rest(), "");
      using third = await connect();
      await third.send("ping\r\n");
      assertEquals(await third.rest(), "-ERR max number of clients reached\r\n");
      assertEquals(await first.call("ping"), "PONG");
    }, { maxClients: 1 })));

Deno.test("Proxy bounds the memory for a client that does not read, and serves the others", async () => {
  const value = new Uint8Array(256 * 1024);
  const large: FakeHandler = (_request, peer) => peer.reply(value);
  await withFakes([large], async ({ proxy, connect }, [server]) => {
    using greedy = await connect();
    using polite = await connect();
    const count = 10_000;
    const sending = greedy.send(framesOf(...Array.from({ length: count }, (_, i) => ["get", `k${i}`])));
    await until(() => server!.requests.length > 10, "the first requests arrive");
    for (let i = 0; i < 20; i++) assertEquals((await polite.call("get", "x") as string).length, value.length);
    await pause(200);
    // These requests are held by the proxy, in two sockets, or were sent before the proxy knew the length of replies.
    assert(server!.requests.length < 400, `${server!.requests.length} requests were passed on`);
    for (let i = 0; i < 300; i++) assertEquals((await greedy.reply() as string).length, value.length);
    greedy.close();
    await sending.catch(() => {});
    await until(() => infoOf(proxy, "connected_clients") === "1", "the client is gone");
    assertEquals((await polite.call("get", "x") as string).length, value.length);
  });
});

Deno.test("Proxy refuses to hold more than the limit for a client, and serves the others", async () => {
  const value = new Uint8Array(MEGABYTE);
  let release: (() => void) | undefined;
  const holding: FakeHandler = (_request, peer) => void (release = () => peer.reply("first"));
  const large: FakeHandler = (request, peer) => request[0] === "set" ? echoing(request, peer) : peer.reply(value);
  await withFakes([holding, large], async ({ proxy, connect, key }, servers) => {
    using greedy = await connect();
    using polite = await connect();
    // The first reply does not arrive, so the others must be kept: four, and one more than the limit allows.
    await greedy.send(framesOf(["get", key(0)], ...Array(5).fill(["get", key(1)]), ["set", key(1), "short"]));
    await until(
      () => servers[1]!.requests.length >= 7 && serverFact(proxy, 1, "in_flight") === "0",
      "all have replies",
    );
    release!();
    assertEquals(await greedy.reply(), "first");
    for (let i = 0; i < 4; i++) assertEquals((await greedy.reply() as string).length, MEGABYTE);
    assertEquals(await greedy.reply(), `BUSY more than ${4 * MEGABYTE} bytes of replies wait to be read`);
    assertEquals(await greedy.reply(), "short");
    // The reply to a write must not be lost alone. This is another client, since the proxy now expects long replies of
    // the first.
    using taker = await connect();
    await taker.send(framesOf(["get", key(0)], ...Array(5).fill(["getdel", key(1)])));
    assertEquals(await taker.rest(), "");
    assertEquals(await polite.call("set", key(1), "v"), "v");
    // The proxy handles a closed connection slightly later.
    await pause(2 * ABORT_DELAY_MS);
  }, { repliesMaxBytes: 4 * MEGABYTE });
});

Deno.test("Proxy stops reading a client of a server that does not reply, and serves the others", async () => {
  let isReplying = false;
  const held: (() => void)[] = [];
  const slow: FakeHandler = (request, peer) => {
    const reply = () => echoing(["ok"], peer);
    if (isReplying || request[0] === "ping") reply();
    else held.push(reply);
  };
  await withFakes([slow, echoing], async ({ proxy, connect, key }) => {
    using client = await connect();
    using other = await connect();
    const count = 100;
    const value = new Uint8Array(MEGABYTE);
    let sentCount = 0;
    const sending = (async () => {
      for (; sentCount < count; sentCount++) await client.send(framesOf(["set", key(0), value]));
    })();
    await until(() => held.length >= 8, "the queue is full");
    for (let i = 0; i < 20; i++) assertEquals(await other.call("set", key(1), `${i}`), `${i}`);
    await pause(100);
    const inFlight = Number(serverFact(proxy, 0, "in_flight"));
    assert(inFlight >= 8 && inFlight <= 9, `${inFlight} in flight`);
    assert(sentCount < 40, `${sentCount} requests were taken`);
    isReplying = true;
    for (const reply of held) reply();
    assertEquals(await client.replies(count), Array(count).fill("ok"));
    await sending;
  });
});

Deno.test("Proxy completes requests in flight when it stops", async () => {
  const held: (() => void)[] = [];
  const holding: FakeHandler = (request, peer) => void held.push(() => echoing(request, peer));
  await withFakes([holding], async ({ proxy, connect }) => {
    using busy = await connect();
    using idle = await connect();
    assertEquals(await idle.call("ping"), "PONG");
    await busy.send(framesOf(["set", "k", "v"]));
    await until(() => held.length === 1, "the request arrives");
    const stopped = proxy.stop();
    assertEquals(await idle.rest(), "");
    // This request is too late, and does not harm those in flight.
    await busy.send(framesOf(["set", "k", "late"]));
    await pause(20);
    for (const reply of held) reply();
    assertEquals(await busy.reply(), "v");
    assertEquals(await busy.rest(), "");
    await stopped;
    await assertRejects(() => RawClient.connect(proxy.address));
  });
});

Deno.test("Proxy forgets a client that disconnects with requests in flight", async () => {
  const held: (() => void)[] = [];
  const holding: FakeHandler = (request, peer) =>
    request.at(-1) === "held" ? void held.push(() => echoing(request, peer)) : echoing(request, peer);
  await withFakes([holding], async ({ proxy, connect }) => {
    const leaving = await connect();
    await leaving.send(framesOf(["set", "a", "held"], ["set", "a", "held"]));
    await until(() => held.length === 2, "the requests arrive");
    leaving.close();
    await pause(20);
    for (const reply of held) reply();
    await until(() => infoOf(proxy, "connected_clients") === "0", "the client is gone");
    using next = await connect();
    for (let i = 0; i < 10; i++) assertEquals(await next.call("set", "a", `${i}`), `${i}`);
  });
});

Deno.test("startProxy() refuses a list that it cannot use", async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-proxy-" });
  const path = `${folder}/servers.json`;
  const start = (plaintext = true) =>
    startProxy({
      hostname: "127.0.0.1",
      port: 0,
      maxClients: 1,
      serversPath: path,
      connectionsMaxCount: 1,
      backend: { plaintext },
      logger: new LogLines(),
    });
  try {
    await assertRejects(() => start(), UsageError, "there is no such file");
    await Deno.writeTextFile(path, "[]");
    await assertRejects(() => start(), UsageError, "list of 0 servers");
    await writeList(path, ["192.0.2.1:9443"]);
    await assertRejects(() => start(), UsageError, "without TLS: expected a loopback address");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("proxyMain() refuses wrong options", async () => {
  const cases: [string[], string][] = [
    [["--conns", "0"], "--conns"],
    [["--nosuch"], "unknown option"],
    [["extra"], 'Cannot use "extra"'],
    [["--addr", "0.0.0.0:0", "--plaintext"], "loopback"],
    [["--ca", "x", "--servers-plaintext"], "expected one of them"],
    [["--plaintext", "--servers", "/nonexistent/servers.json"], "there is no such file"],
  ];
  for (const [argv, message] of cases) await assertRejects(() => proxyMain(argv), UsageError, message);
});
