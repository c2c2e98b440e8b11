/** Tests the proxy in this process with RESP clients. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ABORT_DELAY_MS } from "../../src/limits.ts";
import { RespClient } from "../support/resp_client.ts";
import { encodeFrame } from "../support/resp_frames.ts";
import type { FakeHandler, FakePeer } from "../support/fake_server.ts";
import { pause } from "../support/pause.ts";
import {
  ask,
  clustered,
  connectResp,
  echoing,
  infoOf,
  readReplies,
  serverFact,
  withFakes,
  withProxy,
  withServers,
} from "../support/proxy_rig.ts";
import { RawClient } from "../support/raw_client.ts";
import { encodeRequest } from "../support/resp_requests.ts";
import { until } from "../support/until.ts";

const MEGABYTE = 1024 * 1024;

Deno.test(
  "Proxy forwards requests in RESP2 and RESP3, and replies as the server wrote them",
  clustered(3, async ({ proxy, key }, servers) => {
    using second = await connectResp(proxy, 2);
    using third = await connectResp(proxy, 3);
    for (let i = 0; i < 3; i++) {
      assertEquals(await ask(second, "set", key(i), `value\r\n${i}`), "+OK\r\n");
      assertEquals(servers[i]!.store.size, 1);
      assertEquals(await ask(third, "GET", key(i)), `$8\r\nvalue\r\n${i}\r\n`);
      assertEquals(await ask(second, "get", key(i, 1)), "$-1\r\n");
      assertEquals(await ask(third, "get", key(i, 1)), "_\r\n");
      assertEquals(await ask(second, "hset", key(i, 2), "f", "v"), ":1\r\n");
      assertEquals(await ask(second, "hgetall", key(i, 2)), "*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
      assertEquals(await ask(third, "hgetall", key(i, 2)), "%1\r\n$1\r\nf\r\n$1\r\nv\r\n");
    }
    const wrongType = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    assertEquals(await ask(third, "incr", key(0, 2)), wrongType);
  }),
);

Deno.test(
  "Proxy has connections of each protocol to a server, and no more than it needs",
  clustered(1, async ({ proxy, connect }) => {
    using native = await connect();
    assertEquals(await native.call("set", "k", "v"), "OK");
    assertEquals(serverFact(proxy, 0, "connections"), "1");
    using second = await connectResp(proxy, 2);
    using third = await connectResp(proxy, 3);
    using another = await connectResp(proxy, 3);
    for (const client of [second, third, another]) assertEquals(await ask(client, "get", "k"), "$1\r\nv\r\n");
    assertEquals(await native.call("get", "k"), "v");
    assertEquals(serverFact(proxy, 0, "connections"), "3");
  }),
);

Deno.test(
  "Proxy splits and joins commands on many keys in RESP",
  clustered(3, async ({ proxy, key }, servers) => {
    using second = await connectResp(proxy, 2);
    using third = await connectResp(proxy, 3);
    const keys = Array.from({ length: 30 }, (_, i) => key(i % 3, Math.floor(i / 3)));
    assertEquals(await ask(second, "mset", ...keys.flatMap((each, i) => [each, `v${i}`])), "+OK\r\n");
    for (const server of servers) assertEquals(server.store.size, 10);
    const requested = [...keys.toReversed(), "absent", keys[0]!, keys[0]!];
    const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
    const values = [...keys.map((_, i) => bulk(`v${i}`)).reverse(), "nil", bulk("v0"), bulk("v0")];
    const joined = (nil: string) => `*${values.length}\r\n${values.join("").replace("nil", nil)}`;
    assertEquals(await ask(second, "MGET", ...requested), joined("$-1\r\n"));
    assertEquals(await ask(third, "mget", ...requested), joined("_\r\n"));
    assertEquals(await ask(second, "exists", ...keys, "absent", keys[5]!), ":31\r\n");
    assertEquals(await ask(third, "touch", ...keys.slice(0, 9)), ":9\r\n");
    assertEquals(await ask(second, "unlink", ...keys.slice(0, 10), "absent"), ":10\r\n");
    assertEquals(await ask(third, "DEL", keys[0]!, keys[10]!, keys[29]!), ":2\r\n");
    assertEquals(await ask(second, "dbsize"), ":18\r\n");
    const found = await third.call("keys", "*");
    assertEquals(found.items!.map(({ body }) => body).sort(), keys.slice(11, 29).sort());
    assert(keys.includes((await second.call("randomkey")).body!));
    assertEquals(await ask(second, "flushall"), "+OK\r\n");
    assertEquals(await ask(second, "randomkey"), "$-1\r\n");
    assertEquals(await ask(third, "randomkey"), "_\r\n");
  }),
);

Deno.test(
  "Proxy scans one server after another in RESP",
  clustered(3, async ({ proxy }) => {
    for (const version of [2, 3] as const) {
      using client = await connectResp(proxy, version);
      const expected = Array.from({ length: 300 }, (_, i) => `k${i}`);
      assertEquals(await ask(client, "mset", ...expected.flatMap((key) => [key, "v"])), "+OK\r\n");
      const found: string[] = [];
      let cursor = "0";
      do {
        const { items } = await client.call("scan", cursor, "COUNT", "20");
        cursor = items![0]!.body!;
        for (const { body } of items![1]!.items!) found.push(body!);
      } while (cursor !== "0");
      assertEquals([...new Set(found)].sort(), expected.toSorted());
      assertEquals(await ask(client, "scan", "x"), "-ERR invalid cursor\r\n");
      assertEquals(await ask(client, "scan", String(2 ** 53 - 1)), "*2\r\n$1\r\n0\r\n*0\r\n");
    }
  }),
);

Deno.test(
  "Proxy refuses keys of several slots where one server must execute the whole command",
  clustered(3, async ({ proxy }) => {
    using client = await connectResp(proxy);
    const cure = "give them a common {tag}, as in {user1}:name";
    const refusal = `-CROSSSLOT Keys in request don't hash to the same slot; ${cure}\r\n`;
    for (
      const words of [
        ["rename", "a", "b"],
        ["renamenx", "a", "b"],
        ["copy", "a", "b"],
        ["lmove", "a", "b", "LEFT", "RIGHT"],
        ["rpoplpush", "a", "b"],
        ["msetnx", "a", "1", "b", "2"],
        ["blpop", "a", "b", "0"],
        ["brpoplpush", "a", "b", "0"],
        ["watch", "a", "b"],
        ["sinterstore", "d", "a"],
        ["sintercard", "2", "a", "b"],
      ]
    ) assertEquals(await ask(client, ...words), refusal, words[0]);
    assertEquals(await ask(client, "msetnx", "{t}a", "1", "{t}b", "2"), ":1\r\n");
    assertEquals(await ask(client, "rename", "{t}a", "{t}c"), "+OK\r\n");
    assertEquals(await ask(client, "sintercard", "2", "{t}s", "{t}d", "LIMIT", "1"), ":0\r\n");
    assertEquals(await ask(client, "sintercard", "0", "a", "b"), "-ERR numkeys should be greater than 0\r\n");
    assertEquals(await ask(client, "mget", "{t}a", "{t}b", "{t}c"), "*3\r\n$-1\r\n$1\r\n2\r\n$1\r\n1\r\n");
  }),
);

Deno.test(
  "Proxy accepts inline requests, and forwards them unchanged",
  clustered(3, async ({ proxy, key }) => {
    using client = await connectResp(proxy);
    await client.send(`SET ${key(0)} "a \\x41 b"\n\r\n  get ${key(0)}\r\nmset ${key(1)} 'x y' ${key(2)} z\r\n`);
    await client.send(`*0\r\n*-1\r\nmget ${key(1)} ${key(2)} ${key(0)}\r\n`);
    assertEquals(await readReplies(client, 4), [
      "+OK\r\n",
      "$5\r\na A b\r\n",
      "+OK\r\n",
      "*3\r\n$3\r\nx y\r\n$1\r\nz\r\n$5\r\na A b\r\n",
    ]);
  }),
);

Deno.test(
  "Proxy replies to requests that arrive in pieces",
  clustered(2, async ({ proxy, key }) => {
    using client = await connectResp(proxy, 3);
    const text = encodeRequest("set", key(0), "x") + encodeRequest("mget", key(0), key(1)) + "ping\r\n" +
      encodeRequest("get", key(1));
    for (const piece of text) await client.send(piece);
    assertEquals(await readReplies(client, 4), ["+OK\r\n", "*2\r\n$1\r\nx\r\n_\r\n", "+PONG\r\n", "_\r\n"]);
  }),
);

Deno.test(
  "Proxy replies in order to 20,000 RESP requests of one write",
  clustered(3, async ({ proxy }) => {
    using client = await connectResp(proxy);
    const count = 20_000;
    const requests = Array.from({ length: count }, (_, i) => {
      return i % 2 ? encodeRequest("get", `k${i - 1}`) : encodeRequest("set", `k${i}`, `v${i}`);
    });
    const sending = client.send(requests.join(""));
    for (let i = 0; i < count; i += 2) {
      assertEquals(await readReplies(client, 2), ["+OK\r\n", `$${`v${i}`.length}\r\nv${i}\r\n`]);
    }
    await sending;
  }),
);

Deno.test(
  "Proxy forwards values of any bytes and sizes in RESP",
  clustered(2, async ({ proxy }) => {
    using client = await connectResp(proxy);
    const long = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("").repeat(20_000);
    for (const value of ["", "\r\n", "\0", "$-1\r\n", long]) {
      assertEquals(await ask(client, "set", "k", value), "+OK\r\n");
      assert((await client.call("get", "k")).body === value, `${value.length} bytes`);
    }
  }),
);

Deno.test(
  "Proxy changes the version between requests of one write",
  clustered(2, async ({ proxy, key }) => {
    using client = await connectResp(proxy);
    const each = encodeRequest("get", key(0)) + encodeRequest("mget", key(0), key(1));
    const words = ["hello 3", "hello 3 setname me", "hello 2", "reset", "hello 4", "hello x", "hello 3"];
    await client.send(each + words.map((line) => encodeRequest(...line.split(" ")) + each).join(""));
    const replies = await readReplies(client, 2 + words.length * 3);
    const old = ["$-1\r\n", "*2\r\n$-1\r\n$-1\r\n"];
    const recent = ["_\r\n", "*2\r\n_\r\n_\r\n"];
    assertEquals(replies.slice(0, 2), old);
    const expected: (readonly [RegExp, string[]])[] = [
      [/^%7\r\n.*proto\r\n:3\r\n/s, recent],
      [/^%7\r\n.*proto\r\n:3\r\n/s, recent],
      [/^\*14\r\n.*proto\r\n:2\r\n/s, old],
      [/^\+RESET\r\n$/, old],
      [/^-NOPROTO /, old],
      [/^-ERR Protocol version is not an integer/, old],
      [/^%7\r\n/, recent],
    ];
    expected.forEach(([pattern, others], i) => {
      const [greeting, ...rest] = replies.slice(2 + i * 3, 5 + i * 3);
      assert(pattern.test(greeting!), greeting);
      assertEquals(rest, others);
    });
  }),
);

Deno.test("Proxy keeps a client's order when it changes the version with requests in flight", async () => {
  let release = () => {};
  const holding: FakeHandler = (request, peer) => {
    if (request[2] === "held") peer.hold(new Promise((resolve) => release = resolve));
    echoing(request, peer);
  };
  await withFakes([holding], async ({ proxy }, [server]) => {
    using client = await connectResp(proxy);
    await client.send(
      encodeRequest("set", "k", "held") + encodeRequest("hello", "3") + encodeRequest("set", "k", "next"),
    );
    await until(() => server!.requests.length === 1, "the first request arrives");
    await pause(20);
    // The next request uses another connection, so it waits for the reply to the first.
    assertEquals(server!.requests.length, 1);
    release();
    const [first, greeting, second] = await readReplies(client, 3);
    assertEquals([first, second], ["$4\r\nheld\r\n", "$4\r\nnext\r\n"]);
    assertStringIncludes(greeting!, "%7\r\n");
    assertEquals(server!.connectionCount, 2);
  });
});

Deno.test("Proxy requires the password of a RESP client, and limits requests before authentication", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ proxy }) => {
      using client = await connectResp(proxy);
      const refusal = "-NOAUTH Authentication required.\r\n";
      assertEquals(await ask(client, "get", "k"), refusal);
      assertEquals(await ask(client, "ping"), refusal);
      assertStringIncludes(await ask(client, "hello", "3"), "-NOAUTH HELLO must be called with the client already");
      const wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
      assertEquals(await ask(client, "hello", "3", "auth", "default", "wrong"), wrong);
      assertEquals(await ask(client, "auth", "wrong"), wrong);
      assertEquals(await ask(client, "get", "k"), refusal);
      assertStringIncludes(await ask(client, "hello", "3", "auth", "default", "outer", "setname", "me"), "%7\r\n");
      assertEquals(await ask(client, "get", "k"), "_\r\n");
      assertEquals(await ask(client, "client", "getname"), "$2\r\nme\r\n");
      assertEquals(await ask(client, "reset"), "+RESET\r\n");
      assertEquals(await ask(client, "get", "k"), refusal);
      assertEquals(await ask(client, "auth", "outer"), "+OK\r\n");
      assertEquals(await ask(client, "get", "k"), "$-1\r\n");
      for (
        const [text, reason] of [
          ["*11\r\n", "unauthenticated multibulk length"],
          ["*2\r\n$4\r\nAUTH\r\n$16385\r\n", "unauthenticated bulk length"],
        ]
      ) {
        using client = await connectResp(proxy);
        await client.send(text!);
        assertEquals((await client.framesToEnd()).map(encodeFrame), [`-ERR Protocol error: ${reason}\r\n`]);
      }
    }, { password: "outer", backend: { plaintext: true, password: "inner" } }), { password: "inner" }));

Deno.test(
  "Proxy replies to the valid part of a write that ends in no protocol, sends an error, and closes",
  clustered(2, async ({ proxy }) => {
    for (
      const [text, reason] of [
        ["*1\r\n+PING\r\n", "expected '$', got '+'"],
        ["*x\r\n", "invalid multibulk length"],
        ["*1\r\n$-5\r\n", "invalid bulk length"],
        ['get "k\r\n', "unbalanced quotes in request"],
      ]
    ) {
      using client = await connectResp(proxy);
      await client.send(encodeRequest("set", "k", "v") + encodeRequest("get", "k") + text + "ping\r\n");
      assertEquals((await client.framesToEnd()).map(encodeFrame), [
        "+OK\r\n",
        "$1\r\nv\r\n",
        `-ERR Protocol error: ${reason}\r\n`,
      ]);
    }
    using browser = await connectResp(proxy);
    await browser.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nflushall\r\n");
    assertEquals((await browser.framesToEnd()).map(encodeFrame), ["-ERR this is no HTTP server\r\n"]);
  }),
);

Deno.test(
  "Proxy replies to quit after the earlier requests, and closes",
  clustered(2, async ({ proxy }) => {
    using client = await connectResp(proxy);
    await client.send(encodeRequest("set", "k", "v") + encodeRequest("get", "k") + encodeRequest("quit") + "ping\r\n");
    assertEquals((await client.framesToEnd()).map(encodeFrame), ["+OK\r\n", "$1\r\nv\r\n", "+OK\r\n"]);
  }),
);

Deno.test(
  "Proxy lists its clients by name, and kills them on request",
  clustered(1, async ({ proxy, connect }) => {
    using client = await connectResp(proxy, 3);
    using other = await connectResp(proxy);
    using native = await connect();
    assertEquals(await native.call("ping"), "PONG");
    assertEquals(await ask(client, "client", "setname", "first"), "+OK\r\n");
    assertEquals(await ask(client, "client", "setinfo", "lib-name", "tests"), "+OK\r\n");
    const { line: id } = await other.call("client", "id");
    const list = (await client.call("client", "list")).body!;
    assertEquals(list.split("\n").length, 4);
    assertStringIncludes(list, " name=first ");
    assertStringIncludes(list, ` laddr=127.0.0.1:${proxy.address.port} `);
    assertStringIncludes(list, "cmd=client user=default resp=2");
    assertEquals(await ask(client, "client", "kill", "id", id), ":1\r\n");
    assertEquals(await other.framesToEnd(), []);
    await until(() => infoOf(proxy, "connected_clients") === "2", "it is gone");
    assertEquals((await client.call("client", "list")).body!.split("\n").length, 3);
    assertEquals(
      await ask(client, "client", "no-touch", "on"),
      refusalOf(
        "client",
        "servers do not know which of the " +
          "proxy's connections is whose",
      ),
    );
    await pause(2 * ABORT_DELAY_MS);
  }),
);

function refusalOf(name: string, reason: string): string {
  return `-ERR '${name}' cannot be used through the proxy: ${reason}\r\n`;
}

Deno.test(
  "Proxy replies to commands on itself, and refuses those that have no meaning for it",
  clustered(2, async ({ proxy }, servers) => {
    using client = await connectResp(proxy, 3);
    assertEquals(await ask(client, "config", "get", "maxclients"), "%1\r\n$10\r\nmaxclients\r\n$3\r\n100\r\n");
    assertEquals(await ask(client, "select", "0"), "+OK\r\n");
    assertEquals(
      await ask(client, "save", "copy.inmem"),
      refusalOf("save", "with a path: each server would write a file of that name"),
    );
    assertEquals((await client.call("time")).items!.length, 2);
    assert(Number((await client.call("command", "count")).line) > 90);
    assertEquals(await ask(client, "command", "getkeys", "mset", "a", "1", "b", "2"), "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    assertStringIncludes((await client.call("info", "server")).body!, "role:proxy\r\n");
    assertEquals(await ask(client, "config", "resetstat"), "+OK\r\n");
    assertEquals(infoOf(proxy, "total_commands_processed"), "1");
    assertEquals(
      await ask(client, "debug", "sleep", "9"),
      refusalOf("debug", "it would hold up all clients of the proxy"),
    );
    for (const server of servers) assertEquals(server.commands, 0);
  }),
);

Deno.test("Proxy refuses in RESP with the errors of the server", () =>
  withServers(1, ([server], addresses) =>
    withProxy(addresses, async ({ proxy }) => {
      for (const version of [2, 3] as const) {
        using direct = await RespClient.connect(server!.address.port);
        using client = await RespClient.connect(proxy.address.port);
        if (version === 3) { for (const each of [direct, client]) await each.call("hello", "3"); }
        for (
          const line of [
            "nosuch a b",
            "get",
            "GET a b",
            "mset a 1 b",
            "ping a b",
            "scan x",
            "auth x",
            "auth nobody x",
            "client nosuch",
            "client getname x",
            "config",
            "exec",
            "discard",
            "exec x",
            "object encoding",
            "save",
          ]
        ) assertEquals(await ask(client, ...line.split(" ")), await ask(direct, ...line.split(" ")), line);
      }
    })));

Deno.test("Proxy replies to a RESP client in its order, regardless of the order of the servers", async () => {
  const slow: FakeHandler = (request, peer) => {
    if (Number(request[1]!.split(":")[1]) % 7 === 0) peer.pause(20);
    echoing(request, peer);
  };
  await withFakes([slow, echoing, echoing], async ({ proxy, key }) => {
    const count = 300;
    const run = async (client: RespClient, name: string) => {
      await client.send(
        Array.from({ length: count }, (_, i) => encodeRequest("set", key(i % 3, i % 20), `${name}${i}`)).join(""),
      );
      for (let i = 0; i < count; i++) assertEquals((await client.frame()).body, `${name}${i}`);
    };
    using first = await connectResp(proxy, 2);
    using second = await connectResp(proxy, 3);
    using third = await connectResp(proxy, 3);
    await Promise.all([run(first, "a"), run(second, "b"), run(third, "c")]);
  });
});

Deno.test("Proxy delivers no late reply to another request in RESP", async () => {
  const held: (() => void)[] = [];
  const stopped = new Set<FakePeer>();
  const stuck: FakeHandler = (request, peer) => {
    if (request.at(-1) === "late") stopped.add(peer);
    if (stopped.has(peer)) held.push(() => echoing(request, peer));
    else echoing(request, peer);
  };
  await withFakes([stuck, echoing], async ({ proxy, key }) => {
    using client = await connectResp(proxy);
    await client.send(
      encodeRequest("set", key(0), "late") + encodeRequest("get", key(0)) + encodeRequest("set", key(1), "x"),
    );
    const [late, behind, elsewhere] = await readReplies(client, 3);
    assertStringIncludes(late!, "-UNKNOWN_OUTCOME ");
    assertStringIncludes(behind!, "-UNAVAILABLE ");
    assertEquals(elsewhere, "$1\r\nx\r\n");
    await until(() => serverFact(proxy, 0, "state") === "up", "it is tried again");
    for (const reply of held) reply();
    for (let i = 0; i < 100; i++) assertEquals((await client.call("set", key(0), `c${i}`)).body, `c${i}`);
  }, { timeoutMs: 100 });
});

Deno.test("Proxy considers a connection lost when the server sends an invalid reply in RESP", async () => {
  const broken: FakeHandler = (_request, peer) => peer.write(new TextEncoder().encode("what is this\r\n"));
  await withFakes([broken, echoing], async ({ proxy, key }) => {
    using client = await connectResp(proxy);
    assertStringIncludes(await ask(client, "set", key(0), "v"), "-UNKNOWN_OUTCOME ");
    assertEquals(await ask(client, "set", key(1), "v"), "$1\r\nv\r\n");
  });
});

Deno.test("Proxy returns an error instead of a part in RESP when a server is missing or refuses", async () => {
  const full: FakeHandler = (request, peer) =>
    request[0] === "mget" ? peer.reply("QUEUED") : peer.refuse("ERR", "this one says no");
  const ok: FakeHandler = (request, peer) => request[0] === "mget" ? peer.reply(request.slice(1)) : peer.reply("OK");
  await withFakes([ok, full], async ({ proxy, key }, servers) => {
    using client = await connectResp(proxy);
    const note = "; 1 of 2 servers have carried out their part\r\n";
    assertEquals(await ask(client, "mset", key(0), "1", key(1), "2"), `-ERR this one says no${note}`);
    assertEquals(await ask(client, "dbsize"), "-ERR this one says no\r\n");
    assertStringIncludes(await ask(client, "mget", key(0), key(1)), "-ERR a server's reply is not as expected");
    await servers[1]![Symbol.asyncDispose]();
    assertStringIncludes(await ask(client, "dbsize"), `-UNAVAILABLE server "127.0.0.1:${servers[1]!.port}": `);
    assertStringIncludes(await ask(client, "mset", key(0), "1", key(1), "2"), note);
  });
});

Deno.test("Proxy bounds the memory for a RESP client that does not read", async () => {
  const value = new Uint8Array(256 * 1024);
  const large: FakeHandler = (_request, peer) => peer.reply(value);
  await withFakes([large], async ({ proxy }, [server]) => {
    using greedy = await RawClient.connect(proxy.address);
    using polite = await connectResp(proxy);
    const count = 5_000;
    const sending = greedy.send(Array.from({ length: count }, (_, i) => encodeRequest("get", `k${i}`)).join(""));
    await until(() => server!.requests.length > 10, "the first requests arrive");
    for (let i = 0; i < 20; i++) assertEquals((await polite.call("get", "x")).body!.length, value.length);
    await pause(200);
    assert(server!.requests.length < 400, `${server!.requests.length} requests were passed on`);
    greedy.close();
    await sending.catch(() => {});
    await until(() => infoOf(proxy, "connected_clients") === "1", "the client is gone");
  });
});

Deno.test("Proxy holds no more of a request than has arrived", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ proxy }) => {
      const before = Deno.memoryUsage().external;
      const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(proxy.address)));
      for (const client of clients) await client.send("*2\r\n$3\r\nget\r\n$60000000\r\nabc");
      using other = await connectResp(proxy);
      assertEquals(await ask(other, "ping"), "+PONG\r\n");
      const grown = Deno.memoryUsage().external - before;
      assert(grown < 20 * MEGABYTE, `${grown} bytes more`);
      for (const client of clients) client.close();
    })));
