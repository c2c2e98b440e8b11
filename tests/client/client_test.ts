import { assert, assertEquals, assertFalse, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { Client, connect } from "../../src/client/client.ts";
import type { Value } from "../../src/client/client.ts";
import { ConnectionError, ProtocolError, ReplyError, UsageError } from "../../src/errors.ts";
import { FakeServer, withClient } from "../support/fake_server.ts";
import type { FakeHandler, FakePeer } from "../support/fake_server.ts";
import { until } from "../support/until.ts";

/** A server that replies to every request with the request itself, as data. */
function echo(request: string[], peer: Parameters<FakeHandler>[1]): void {
  peer.reply(encodeText(request.join(" ")));
}

/** Collects the outcome of a promise, so that no rejection is unhandled meanwhile. */
async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    return `resolved to ${await promise}`;
  } catch (error) {
    return error;
  }
}

Deno.test("Client send() matches pipelined replies in order", async () => {
  await withClient(echo, async (client) => {
    const requests = Array.from({ length: 10_000 }, (_, index) => client.send(["echo", index]));
    const replies = await Promise.all(requests);
    assertEquals(
      replies.map((reply) => new TextDecoder().decode(reply as Uint8Array)),
      requests.map((_, index) => `echo ${index}`),
    );
  });
});

Deno.test("Client send() copies the bytes it is given", async () => {
  await withClient(echo, async (client) => {
    const bytes = encodeText("before");
    const reply = client.text.echo(bytes);
    bytes.fill(0);
    assertEquals(await reply, "echo before");
  });
});

Deno.test("Client send() rejects with ReplyError and continues", async () => {
  await withClient((request, peer) => {
    if (request[0] === "get") peer.refuse("WRONGTYPE", "wrong kind");
    else peer.reply("OK");
  }, async (client, server) => {
    const error = await assertRejects(() => client.get("x"), ReplyError, "wrong kind");
    assertEquals(error.code, "WRONGTYPE");
    assertEquals(await client.send(["set", "x", "1"]), "OK");
    assertEquals(server.connectionCount, 1);
  });
});

Deno.test("Client send() refuses a request that cannot be sent and sends the rest", async () => {
  await withClient(echo, async (client) => {
    const before = client.text.echo("1");
    await assertRejects(() => client.send([]), RangeError);
    // @ts-expect-error an object is not an argument
    await assertRejects(() => client.send(["echo", {}]), TypeError);
    const after = client.text.echo("2");
    assertEquals([await before, await after], ["echo 1", "echo 2"]);
  });
});

Deno.test("Client never delivers a late reply to another request", async () => {
  let slowPeer: FakePeer | undefined;
  const release = Promise.withResolvers<void>();
  await withClient((request, peer) => {
    if (request[1] === "slow") {
      slowPeer = peer;
      peer.hold(release.promise);
    }
    peer.reply(encodeText(request[1] === "slow" ? "late" : "in time"));
  }, async (client, server) => {
    const slow = failureOf(client.send(["get", "slow"]));
    const behind = failureOf(client.send(["get", "fast"]));
    const error = await slow;
    assertInstanceOf(error, ConnectionError);
    assertStringIncludes(error.message, "No answer");
    assert(error.sent);
    assertInstanceOf(await behind, ConnectionError);
    assertEquals(await client.text.get("fast"), "in time");
    assertEquals(server.connectionCount, 2);
    release.resolve();
    await slowPeer!.written();
    assertEquals(await client.text.get("fast"), "in time");
  }, { timeoutMs: 150 });
});

Deno.test("Client waits for a command as long as the command itself waits", async () => {
  let waitsCount = 0;
  await withClient((request, peer) => {
    if (request[0] === "get") return peer.reply(encodeText(request.join(" ")));
    // Like a server, this one begins with a wait when the one before has ended.
    peer.pause(300 * ++waitsCount);
    peer.reply([encodeText("queue"), encodeText("job")]);
  }, async (client, server) => {
    const waiting = ["60", "0", "1e9", "0x1p4"].map((time) => client.send(["blpop", "queue", time]));
    const behind = [client.text.get("a"), client.text.get("b")];
    for (const reply of await Promise.all(waiting)) assertEquals((reply as Value[]).length, 2);
    assertEquals(await Promise.all(behind), ["get a", "get b"]);
    waitsCount = 0;
    assertEquals(await client.text.blpop("queue", 60_000), ["queue", "job"]);
    assertEquals(await client.text.brpop(["queue"], 0), ["queue", "job"]);
    assertEquals(server.connectionCount, 1);
  }, { timeoutMs: 200 });
});

Deno.test("Client gives up a command that takes longer than it specified, and the requests after it", async () => {
  await withClient(() => {}, async (client) => {
    const beganMs = performance.now();
    const errors = await Promise.all([["blpop", "queue", "0.2"], ["get", "a"]].map((words) => {
      return failureOf(client.send(words));
    }));
    for (const error of errors) assertInstanceOf(error, ConnectionError);
    assertStringIncludes((errors[0] as Error).message, "No answer");
    const elapsedMs = performance.now() - beganMs;
    assert(elapsedMs >= 298, `gave up after ${elapsedMs} ms`);
  }, { timeoutMs: 100 });
});

Deno.test("Client gives up a request that is after a wait which has ended", async () => {
  await withClient((request, peer) => {
    if (request[0] === "blpop") peer.reply(null);
  }, async (client) => {
    const waiting = client.send(["blpop", "queue", "0"]);
    const behind = failureOf(client.send(["get", "a"]));
    assertEquals(await waiting, null);
    assertInstanceOf(await behind, ConnectionError);
  }, { timeoutMs: 100 });
});

Deno.test("Client notices that a server ends while a command waits without a limit", async () => {
  await withClient((request, peer) => {
    if (request[0] === "blpop") peer.close();
  }, async (client) => {
    const error = await assertRejects(() => client.send(["blpop", "queue", "0"]), ConnectionError, "closed it");
    assert(error.sent);
  }, { timeoutMs: 0 });
});

Deno.test("Client send() decodes the replies in the reply to exec", async () => {
  const replies: Value[] = [
    [[0, "OK"], [1, "WRONGTYPE", "wrong kind"], [0, null], [0, [encodeText("a"), null]], [0, new Map([["f", 1]])]],
    [],
    null,
    Array.from({ length: 100_000 }, (_, index) => [0, index]),
    [7],
    ["OK"],
    [[0, "OK"], [2, "OK"]],
  ];
  await withClient((_request, peer) => peer.reply(replies.shift()!), async (client, server) => {
    const [ok, refusal, ...others] = await client.send(["exec"]) as Value[];
    assertEquals(ok, "OK");
    assertInstanceOf(refusal, ReplyError);
    assertEquals([refusal.code, refusal.message], ["WRONGTYPE", "wrong kind"]);
    assertEquals(others, [null, [encodeText("a"), null], new Map([["f", 1]])] as Value[]);
    assertEquals(await client.send(["EXEC"]), []);
    assertEquals(await client.send([encodeText("exec")]), null);
    const many = await client.send([encodeText("eXec")]) as number[];
    assertEquals([many.length, many[0], many.at(-1)], [100_000, 0, 99_999]);
    for (let i = 0; i < 3; i++) await assertRejects(() => client.send(["exec"]), ProtocolError, "expected [0, value]");
    assertEquals(server.connectionCount, 1);
  });
});

Deno.test("Client send() does not decode what looks like replies in other commands", async () => {
  await withClient((_request, peer) => peer.reply([[0, 1], [1, "ERR", "x"]]), async (client) => {
    assertEquals(await client.send(["lrange", "x", 0, -1]), [[0, 1], [1, "ERR", "x"]]);
  });
});

Deno.test("Client auth() keeps a password only after the server has accepted it", async () => {
  const replies = ["OK", "QUEUED"];
  await withClient((request, peer) => {
    if (request[0] === "quit") peer.close();
    else peer.reply(request[0] === "auth" ? replies.shift() ?? "OK" : "OK");
  }, async (client, server) => {
    await client.auth("right");
    await client.auth("queued");
    await failureOf(client.send(["quit"]));
    await client.send(["ping"]);
    const passwords = server.requests.filter(([name]) => name === "auth").map(([, password]) => password);
    assertEquals(passwords, ["right", "queued", "right"]);
  });
});

Deno.test("Client rejects requests in flight when the connection is lost, and repeats none", async () => {
  await withClient((request, peer) => {
    if (request[0] === "incr") peer.close();
    else peer.reply(request.length);
  }, async (client, server) => {
    const answered = client.send(["ping"]);
    const lost = ["a", "b", "c"].map((key) => failureOf(client.send(["incr", key])));
    assertEquals(await answered, 1);
    for (const error of await Promise.all(lost)) {
      assertInstanceOf(error, ConnectionError);
      assert(error.sent);
    }
    assertEquals(await client.send(["ping"]), 1);
    assertEquals(server.requests.filter(([name, key]) => name === "incr" && key === "a").length, 1);
    assertEquals(server.connectionCount, 2);
  });
});

Deno.test("Client does not accept half a reply", async () => {
  await withClient((_request, peer) => {
    peer.write(new Uint8Array([0, 0, 0, 5, 0x92, 0x00]));
    peer.close();
  }, async (client) => {
    await assertRejects(() => client.send(["ping"]), ConnectionError, "closed it");
  });
});

Deno.test("Client accepts a reply that arrives byte by byte", async () => {
  await withClient((_request, peer) => {
    for (const byte of [0, 0, 0, 4, 0x92, 0x00, 0xa1, 0x78]) peer.write(new Uint8Array([byte]));
  }, async (client) => {
    assertEquals(await client.send(["ping"]), "x");
  });
});

for (
  const [what, bytes] of [
    ["another protocol's bytes", encodeText("HTTP/1.1 400 Bad Request\r\n\r\n")],
    ["a frame that is not a reply", new Uint8Array([0, 0, 0, 1, 0xc0])],
    ["malformed MessagePack", new Uint8Array([0, 0, 0, 2, 0x92, 0xc1])],
    ["an empty frame", new Uint8Array([0, 0, 0, 0])],
  ] as const
) {
  Deno.test(`Client closes a connection that replies with ${what}`, async () => {
    await withClient((_request, peer) => peer.write(bytes), async (client) => {
      const error = await assertRejects(() => client.send(["ping"]), ConnectionError, "not in the protocol");
      assertInstanceOf(error.cause, ProtocolError);
      assertFalse(client.connected);
    });
  });
}

Deno.test("Client closes a connection that sends an unexpected reply", async () => {
  await withClient((_request, peer) => {
    peer.reply("first");
    peer.reply("second");
  }, async (client, server) => {
    assertEquals(await client.send(["ping"]), "first");
    await until(() => !client.connected, "the connection is given up");
    assertEquals(await client.send(["ping"]), "first");
    assertEquals(server.connectionCount, 2);
  });
});

Deno.test("Client authenticates each connection before all requests", async () => {
  await withClient((request, peer) => {
    if (request[0] === "auth") peer.reply("OK");
    else if (request[0] === "quit") peer.close();
    else peer.reply(1);
  }, async (client, server) => {
    await client.send(["ping"]);
    await failureOf(client.send(["quit"]));
    await Promise.all([client.send(["ping"]), client.send(["size"])]);
    assertEquals(server.requests, [["auth", "secret"], ["ping"], ["quit"], ["auth", "secret"], ["ping"], ["size"]]);
  }, { password: "secret" });
});

Deno.test("Client sends the second of two passwords when the first is refused, on the same connection", async () => {
  await withClient((request, peer) => {
    if (request[0] === "quit") peer.close();
    else if (request[0] === "auth" && request[1] !== "old") peer.refuse("WRONGPASS", "no");
    else peer.reply("OK");
  }, async (client, server) => {
    await client.send(["ping"]);
    await failureOf(client.send(["quit"]));
    await client.send(["ping"]);
    const greeting = [["auth", "new"], ["auth", "old"], ["ping"]];
    assertEquals(server.requests, [...greeting, ["quit"], ...greeting]);
    assertEquals(server.connectionCount, 2);
  }, { password: ["new", "old"] });
});

Deno.test("connect() tries no other password when it is refused for another reason, or all are refused", async () => {
  for (const [code, count] of [["ERR", 1], ["WRONGPASS", 2]] as const) {
    await using server = new FakeServer((_request, peer) => peer.refuse(code, "no"));
    const options = { addr: `127.0.0.1:${server.port}`, plaintext: true, password: ["a", new Uint8Array([98])] };
    assertEquals((await assertRejects(() => connect(options), ReplyError)).code, code);
    assertEquals(server.requests.length, count);
  }
});

Deno.test("connect() rejects with ReplyError when the password is refused", async () => {
  await using server = new FakeServer((_request, peer) => peer.refuse("WRONGPASS", "no"));
  const options = { addr: `127.0.0.1:${server.port}`, plaintext: true, password: "wrong" };
  const error = await assertRejects(() => connect(options), ReplyError);
  assertEquals(error.code, "WRONGPASS");
});

Deno.test("connect() gives up a server that does not reply to the password", async () => {
  await using server = new FakeServer(() => {});
  const options = { addr: `127.0.0.1:${server.port}`, plaintext: true, password: "x", timeoutMs: 40 };
  await assertRejects(() => connect(options), ConnectionError, "within 40 ms");
});

Deno.test("connect() rejects with ConnectionError when no server listens", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const options = { hostname: "127.0.0.1", port, plaintext: true };
  const error = await assertRejects(() => connect(options), ConnectionError, "nobody listens");
  assertFalse(error.sent);
  assertEquals(error.address, `127.0.0.1:${port}`);
});

Deno.test("connect() refuses options that make no sense", async () => {
  await assertRejects(() => connect({ addr: "nonsense" }), UsageError);
  await assertRejects(() => connect({ addr: "127.0.0.1:0" }), UsageError, "1 to 65535");
  await assertRejects(() => connect({ addr: "a:1", port: 1 }), TypeError);
  await assertRejects(() => connect({ addr: "192.0.2.1:1", plaintext: true }), UsageError, "without TLS");
  await assertRejects(() => connect({ timeoutMs: -1 }), RangeError);
  await assertRejects(() => connect({ timeoutMs: NaN }), RangeError);
  await assertRejects(() => connect({ caFile: "/nonexistent/ca.pem" }), UsageError, "no such file");
});

Deno.test("Client waits between failed attempts to reconnect, and reports what was not sent", async () => {
  let port = 0;
  let client: Client;
  {
    await using server = new FakeServer(echo);
    port = server.port;
    client = await connect({ addr: `127.0.0.1:${port}`, plaintext: true });
    await client.send(["ping"]);
  }
  await until(() => !client.connected, "the connection is given up");
  const begun = performance.now();
  for (let i = 0; i < 3; i++) {
    const error = await assertRejects(() => client.send(["ping"]), ConnectionError, "nobody listens");
    assertFalse(error.sent);
  }
  // The attempts follow immediately, after 50 ms, and after 100 ms. Each of the two timers may fire up to a millisecond
  // early.
  const elapsedMs = performance.now() - begun;
  assert(elapsedMs >= 148, `three attempts in ${elapsedMs} ms`);
  await using _server = new FakeServer(echo, port);
  assertEquals(await client.text.echo("again"), "echo again");
  await client.close();
});

Deno.test("Client close() waits for replies, then refuses requests", async () => {
  await using server = new FakeServer((_request, peer) => setTimeout(() => peer.reply(7), 20));
  const client = await connect({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const replies = Promise.all([client.incr("a"), client.incr("a")]);
  await client.close();
  assertEquals(await replies, [7, 7]);
  const error = await assertRejects(() => client.send(["ping"]), ConnectionError, "closed");
  assertFalse(error.sent);
  await client.close();
});

Deno.test("Client disconnect() rejects requests in flight and connects again", async () => {
  await withClient((request, peer) => {
    if (request[0] !== "wait") peer.reply(1);
  }, async (client, server) => {
    const waiting = failureOf(client.send(["wait"]));
    await until(() => server.requests.length > 0, "the request has arrived");
    client.disconnect();
    assertInstanceOf(await waiting, ConnectionError);
    assertEquals(await client.send(["ping"]), 1);
    assertEquals(server.connectionCount, 2);
  });
});

Deno.test("connect() signal closes the client", async () => {
  const aborter = new AbortController();
  await withClient(() => {}, async (client) => {
    const waiting = failureOf(client.send(["get", "x"]));
    aborter.abort(new Error("enough"));
    const error = await waiting;
    assertInstanceOf(error, ConnectionError);
    assertEquals((error.cause as Error).message, "enough");
    await assertRejects(() => client.send(["get", "x"]), ConnectionError, "closed");
  }, { signal: aborter.signal });
  await assertRejects(() => connect({ signal: aborter.signal }), Error, "enough");
});

Deno.test("Client room() resolves while little is in flight, and after the connection is lost", async () => {
  await withClient(() => {}, async (client) => {
    await client.room();
    const bytes = new Uint8Array(70 * 1024 * 1024);
    const requests = [0, 1, 2, 3].map((index) => failureOf(client.send(["set", index, bytes])));
    const refused = await failureOf(client.send(["set", "z", "1"]));
    assertInstanceOf(refused, ConnectionError);
    assertStringIncludes(refused.message, "wait for replies");
    let hasRoom = false;
    const room = client.room().then(() => hasRoom = true);
    await Promise.resolve();
    assertFalse(hasRoom);
    client.disconnect();
    for (const error of await Promise.all(requests)) assertInstanceOf(error, ConnectionError);
    await room;
  });
});

Deno.test("Client text refuses replies that are not UTF-8, and keeps a byte order mark", async () => {
  const replies = [new Uint8Array([0xff]), encodeText("\ufeffx")];
  await withClient((_request, peer) => peer.reply(replies.shift()!), async (client) => {
    await assertRejects(() => client.text.get("k"), TypeError, "not UTF-8");
    assertEquals(await client.text.get("k"), "\ufeffx");
  });
});
