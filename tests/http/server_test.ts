/** Tests the server of HTTP as hostile clients use it, over real sockets. */

import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { EventStream } from "../../src/http/event_stream.ts";
import { type HttpHandler, textResponse } from "../../src/http/message.ts";
import { OutgoingBytes } from "../../src/http/outgoing_bytes.ts";
import { HttpServer, type HttpServerOptions } from "../../src/http/server.ts";
import { HttpSession } from "../../src/http/session.ts";
import { TimeShare } from "../../src/http/time_share.ts";
import {
  HTTP_BODY_MAX_BYTES,
  HTTP_DROPPED_MAX_BYTES,
  HTTP_HEAD_MAX_BYTES,
  HTTP_IDLE_TIMEOUT_MS,
  HTTP_REQUEST_TIMEOUT_MS,
  HTTP_RESPONSE_TIMEOUT_MS,
  HTTP_TIME_BURST_MS,
  HTTP_TIME_SHARE,
  LINGER_TIMEOUT_MS,
  SHUTDOWN_GRACE_MS,
} from "../../src/limits.ts";
import { listen, type ListenOptions } from "../../src/net/listener.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { HttpClient } from "../support/http_client.ts";
import { until } from "../support/until.ts";

/** A body that no socket's buffers take. */
const LARGE = new Uint8Array(16 * 1024 * 1024).fill(0x61);

interface Fixture {
  readonly server: HttpServer;
  readonly events: EventStream;
  /** The paths of the requests that were handled. */
  readonly handled: string[];
  readonly bugs: unknown[];
  readonly warnings: string[];
  /** Connects. The test does not have to close the connection. */
  connect(): Promise<HttpClient>;
}

/** Runs a test with a server, and stops it. */
async function withServer(
  run: (fixture: Fixture) => Promise<void>,
  { tls = {}, ...options }: Partial<HttpServerOptions> & { tls?: Partial<ListenOptions> } = {},
): Promise<void> {
  const clients: HttpClient[] = [];
  const bugs: unknown[] = [];
  const warnings: string[] = [];
  const handled: string[] = [];
  const events = new EventStream();
  const handle: HttpHandler = ({ path, body, method }) => {
    handled.push(path);
    if (path === "/events") return { events };
    if (path === "/large") return { status: 200, type: "text/plain", body: LARGE };
    return textResponse(200, method === "POST" ? `${body.length}` : "ok");
  };
  const server = new HttpServer({
    listener: listen({ hostname: "127.0.0.1", port: 0, ...tls }),
    handle,
    warn: (message) => warnings.push(message),
    reportBug: (error) => bugs.push(error),
    ...options,
  });
  const connect = async () => {
    const client = await HttpClient.connect(server.address);
    clients.push(client);
    return client;
  };
  try {
    await run({ server, events, handled, bugs, warnings, connect });
    assertEquals(bugs, []);
  } finally {
    for (const client of clients) client[Symbol.dispose]();
    await server.stop();
  }
}

/** A request of which the rest is missing. */
const HALF = "GET /ok HTTP/1.1\r\nHost: a\r\n";
const WHOLE = `${HALF}\r\n`;

Deno.test("a refused request ends its connection, and what comes after it is never a request", async () => {
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  const refused: [string, number][] = [
    ["POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\n", 400],
    ["POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501],
    ["POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501],
    ["POST /ok HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400],
    ["POST /ok HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 0\r\n\r\n", 400],
    ["GET /ok HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", 400],
    ["GET /ok HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 400],
    ["GET /ok HTTP/1.1\nHost: a\n\n", 400],
    ["BREW /ok HTTP/1.1\r\nHost: a\r\n\r\n", 405],
    [`GET /ok HTTP/1.1\r\nHost: a\r\nA: ${"b".repeat(HTTP_HEAD_MAX_BYTES)}\r\n\r\n`, 431],
    [`POST /ok HTTP/1.1\r\nHost: a\r\nContent-Length: ${HTTP_BODY_MAX_BYTES + 1}\r\n\r\n`, 413],
    ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
    ["*1\r\n$4\r\nping\r\n", 400],
    ["\0\0\0\x06\xff\xfe", 400],
  ];
  await withServer(async ({ connect, handled }) => {
    for (const [text, status] of refused) {
      const client = await connect();
      await client.send(text + smuggled);
      const answer = await client.read();
      assertEquals([answer?.status, answer?.headers.get("connection")], [status, "close"], JSON.stringify(text));
      assertEquals(await client.readToEnd(), 0, JSON.stringify(text));
    }
    assertEquals(handled, []);
  });
});

Deno.test("pipelined requests get their responses in order, and bodies are not requests", async () => {
  await withServer(async ({ connect, handled }) => {
    const client = await connect();
    const body = "GET /body HTTP/1.1\r\nHost: a\r\n\r\n";
    await client.send(
      `GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
        "HEAD /3 HTTP/1.1\r\nHost: a\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /5 HTTP/1.1",
    );
    assertEquals((await client.read())?.body, "ok\n");
    assertEquals((await client.read())?.body, `${body.length}\n`);
    assertEquals((await client.read(true))?.headers.get("content-length"), "3");
    assertEquals((await client.read())?.body, "ok\n");
    assertEquals(await client.readToEnd(), 0);
    assertEquals(handled, ["/1", "/2", "/3", "/4"]);
  });
});

Deno.test("a request is the same whether its bytes come one by one or together", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    for (const each of `POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc${HALF}`) await client.send(each);
    assertEquals((await client.read())?.body, "3\n");
    await client.send("\r\n");
    assertEquals((await client.read())?.status, 200);
  });
});

Deno.test("a connection that is late with a step is closed, each step with its deadline", async () => {
  const steps: [step: string, send: string, answers: number, deadlineMs: number][] = [
    ["the first request", "", 0, HTTP_REQUEST_TIMEOUT_MS],
    ["a head", HALF, 0, HTTP_REQUEST_TIMEOUT_MS],
    ["a body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab", 0, HTTP_REQUEST_TIMEOUT_MS],
    ["the next request", WHOLE, 1, HTTP_IDLE_TIMEOUT_MS],
    ["the next head", WHOLE + HALF, 1, HTTP_REQUEST_TIMEOUT_MS],
    ["reading", "GET /large HTTP/1.1\r\nHost: a\r\n\r\n", 0, HTTP_RESPONSE_TIMEOUT_MS],
    ["reading an event", "GET /events HTTP/1.1\r\nHost: a\r\n\r\n", 1, HTTP_RESPONSE_TIMEOUT_MS],
    ["the end of its side", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 1, LINGER_TIMEOUT_MS],
  ];
  for (const [step, send, answers, deadlineMs] of steps) {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using client = await HttpClient.connect(listener.addr);
    const events = new EventStream();
    let handled = 0;
    const session = new HttpSession(await listener.accept(), 1, {
      handle: ({ path }) => {
        handled++;
        if (path === "/events") return { events };
        return { status: 200, type: "text/plain", body: path === "/large" ? LARGE : "ok" };
      },
      timeShare: new TimeShare(),
      outgoing: new OutgoingBytes(),
      viewersMaxCount: 1,
      urgentPaths: new Set(),
      reportBug: (error) => {
        throw error;
      },
    });
    let isOver = false;
    const ended = session.run().then(() => isOver = true);
    await client.send(send);
    for (let count = 0; count < answers; count++) await client.read();
    if (step === "reading") await until(() => handled === 1, "the request is handled");
    if (step === "reading an event") events.send("a".repeat(LARGE.length));
    // The session has taken what was sent when it has nothing more to do in this turn.
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setTimeout(resolve, 0));
    session.sweep(performance.now() + deadlineMs - 1000);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert(!isOver, `${step}: closed too early`);
    session.sweep(performance.now() + deadlineMs + 1);
    await ended;
    assert(isOver, step);
  }
});

Deno.test("idle connections give up their places to new ones, and good clients are served", async () => {
  await withServer(async ({ server, connect }) => {
    const good = await connect();
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 100; count++) await connect();
      assertLess(server.connections.count, 65);
      // One that was idle for long may have lost its place; a new one is served.
      assertEquals((await (await connect()).request("/ok")).status, 200);
    }
    assertEquals(await good.readToEnd(), 0);
    assertGreater(server.connections.rejected, 200);
  });
});

Deno.test("a viewer keeps its place while others come and go", async () => {
  await withServer(async ({ events, connect }) => {
    const viewer = await connect();
    await viewer.request("/events");
    for (let count = 0; count < 150; count++) await connect();
    assertEquals((await (await connect()).request("/ok")).status, 200);
    events.send("still here");
    assertEquals(await viewer.readUntil("\n\n"), "data: still here\n\n");
  });
});

Deno.test("with few descriptors, viewers leave places for requests", async () => {
  await withServer(async ({ connect }) => {
    const viewer = await connect();
    assertEquals((await viewer.request("/events")).status, 200);
    for (let count = 0; count < 5; count++) assertEquals((await (await connect()).request("/events")).status, 503);
    for (let count = 0; count < 10; count++) assertEquals((await (await connect()).request("/ok")).status, 200);
  }, { connections: 6 });
});

Deno.test("unfinished TLS handshakes keep no client out", async () => {
  const authority = await makeAuthority(Date.now());
  const certificate = await makeServerCertificate(authority, ["127.0.0.1"], Date.now());
  await withServer(async ({ server, connect }) => {
    for (let count = 0; count < 120; count++) {
      const client = await connect();
      // Half of them begin with a handshake that never ends.
      if (count % 2 === 0) await client.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
    }
    using good = await HttpClient.connect(server.address, [authority.cert]);
    assertEquals((await good.request("/ok")).status, 200);
    using plain = await HttpClient.connect(server.address);
    await plain.send(WHOLE);
    // The TLS library sends an alert instead of a response.
    assertLess(await plain.readToEnd(), 16);
    assertEquals((await good.request("/ok")).status, 200);
  }, { tls: certificate });
});

Deno.test("a slow viewer misses events, and neither memory nor another viewer waits for it", async () => {
  await withServer(async ({ events, connect }) => {
    const slow = await connect();
    await slow.request("/events");
    const fast = await connect();
    await fast.request("/events");
    const data = "a".repeat(1024 * 1024);
    for (let count = 0; count < 20; count++) {
      events.send(data);
      await fast.readUntil("\n\n");
    }
    assertGreater(events.skipped, 5);
    assertEquals(events.count, 2);
    slow[Symbol.dispose]();
    await until(() => events.count === 1, "the slow viewer has left");
  });
});

Deno.test("a viewer that sends something is closed", async () => {
  await withServer(async ({ events, connect }) => {
    const viewer = await connect();
    await viewer.request("/events");
    await viewer.send(WHOLE);
    assertEquals(await viewer.readToEnd(), 0);
    await until(() => events.count === 0, "the viewer is gone");
  });
});

Deno.test("of a refused connection, little is read", async () => {
  await withServer(async ({ connect }) => {
    const client = await connect();
    await client.send("GET / HTTP/9.9\r\n\r\n");
    assertEquals((await client.read())?.status, 505);
    const piece = new Uint8Array(64 * 1024);
    let sent = 0;
    try {
      // The buffers of two sockets take a few megabytes.
      while (sent < 64 * HTTP_DROPPED_MAX_BYTES) {
        await client.send(piece);
        sent += piece.length;
      }
    } catch (error) {
      assert(error instanceof Error && error.name in Deno.errors, `${error}`);
    }
    assertLess(sent, 64 * HTTP_DROPPED_MAX_BYTES);
  });
});

Deno.test("stop() lets the response under way end, closes idle connections, and cuts off slow readers", async () => {
  const stillOpen: HttpClient[] = [];
  await withServer(async ({ server, events, connect, warnings }) => {
    const idle = await connect();
    await idle.request("/ok");
    const viewer = await connect();
    await viewer.request("/events");
    const half = await connect();
    await half.send(HALF);
    const slow = await connect();
    await slow.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    stillOpen.push(slow);
    await until(() => server.connections.count === 4, "all are served");
    const reader = await connect();
    await reader.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    assertEquals((await reader.readUntil("\r\n\r\n"))?.startsWith("HTTP/1.1 200"), true);
    const startedMs = performance.now();
    const stopped = server.stop();
    assertEquals([await idle.readToEnd(), await viewer.readToEnd(), await half.readToEnd()], [0, 0, 0]);
    assertLess(performance.now() - startedMs, SHUTDOWN_GRACE_MS / 2);
    assertEquals(events.count, 0);
    assertEquals(await reader.readToEnd(), LARGE.length);
    await stopped;
    const tookMs = performance.now() - startedMs;
    assert(tookMs >= SHUTDOWN_GRACE_MS - 100 && tookMs < 2 * SHUTDOWN_GRACE_MS, `${tookMs} ms`);
    assertEquals(warnings, ["Cut off clients whose requests were not finished (--metrics)"]);
  });
});

Deno.test("a flood of requests takes the share of the time that it may take, and urgent requests go first", async () => {
  let busyMs = 0;
  const work: HttpHandler = ({ path }) => {
    const startedMs = performance.now();
    while (path === "/work" && performance.now() - startedMs < 20);
    busyMs += performance.now() - startedMs;
    return textResponse(200, "ok");
  };
  await withServer(async ({ connect }) => {
    const floods = await Promise.all(Array.from({ length: 20 }, connect));
    for (const client of floods) await client.send("GET /work HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
    const good = await connect();
    const startedMs = performance.now();
    let slowestMs = 0;
    for (let count = 0; count < 5 || performance.now() - startedMs < 2000; count++) {
      const askedMs = performance.now();
      assertEquals((await good.request("/healthz")).status, 200);
      slowestMs = Math.max(slowestMs, performance.now() - askedMs);
    }
    // The burst, a tenth of the time, and two responses that began before the balance was used up.
    assertLess(busyMs, HTTP_TIME_BURST_MS + (performance.now() - startedMs) * HTTP_TIME_SHARE + 200);
    // 400 requests of 20 ms would be before it otherwise.
    assertLess(slowestMs, 4000);
  }, { handle: work, urgentPaths: new Set(["/healthz"]) });
});
