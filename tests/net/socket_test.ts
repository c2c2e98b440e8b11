import { assert, assertEquals, assertInstanceOf, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { ConnectionError, StartError } from "../../src/errors.ts";
import { WRITE_TIMEOUT_MS } from "../../src/limits.ts";
import { abort } from "../../src/net/abort.ts";
import { connect } from "../../src/net/connector.ts";
import { acceptLoop, handshake, listen, type Listener, type ListenOptions } from "../../src/net/listener.ts";
import { type Socket, writeAll } from "../../src/net/socket.ts";
import type { ConnectOptions } from "../../src/net/socket_dialer.ts";
import { SystemSockets } from "../../src/net/system_socket.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

const authority = await makeAuthority(Date.now());
const server = await makeServerCertificate(authority, ["localhost", "127.0.0.1", "::1"], Date.now());
const hostname = "127.0.0.1";

/** Echoes everything that a client sends until it ends. */
async function echo(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> {
  await handshake(socket);
  const buffer = new Uint8Array(65_536);
  for (let count; (count = await socket.read(buffer)) !== null;) await writeAll(socket, buffer.subarray(0, count));
  socket.close();
}

interface Served {
  listener: Listener;
  port: number;
  errors: unknown[];
  loop: Promise<void>;
}

/** Runs a listener that passes each connection to `onConnection`, for the duration of `run`. */
async function withListener(
  options: Partial<ListenOptions>,
  onConnection: (socket: Deno.TcpConn | Deno.TlsConn) => Promise<void> | void,
  run: (served: Served) => Promise<void>,
): Promise<void> {
  const listener = listen({ hostname, port: 0, ...options });
  const errors: unknown[] = [];
  const served: Promise<void>[] = [];
  function serve(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> {
    const serving = (async () => await onConnection(socket))();
    served.push(serving.catch(() => {}));
    return serving;
  }
  const loop = acceptLoop(listener, { onConnection: serve, onError: (error) => errors.push(error) });
  try {
    await run({ listener, port: listener.address.port, errors, loop });
  } finally {
    listener.close();
    await loop;
    await Promise.all(served);
  }
}

async function roundTrip(socket: Socket, size: number): Promise<void> {
  const sent = Uint8Array.from({ length: size }, (_, index) => index * 7 + (index >>> 8));
  const received = new Uint8Array(size);
  const writing = writeAll(socket, sent);
  for (let end = 0; end < size;) {
    const count = await socket.read(received.subarray(end));
    if (count === null) throw new Error(`ended after ${end} bytes`);
    end += count;
  }
  await writing;
  assertEquals(received, sent);
}

async function failure(options: ConnectOptions): Promise<ConnectionError> {
  const error = await assertRejects(() => connect(options), ConnectionError);
  assert(!error.sent);
  return error;
}

/** Returns the number of descriptors of this process, including a constant number for the pipes to `ls`. */
function descriptorsCount(): number {
  const { stdout } = new Deno.Command("ls", { args: [`/proc/${Deno.pid}/fd`] }).outputSync();
  return new TextDecoder().decode(stdout).trim().split("\n").length;
}

Deno.test("connect() and listen() carry bytes over TLS and plaintext", async () => {
  await withListener(server, echo, async ({ listener, port, errors }) => {
    assert(listener.tls);
    assertEquals(listener.untuned, undefined);
    for (const host of ["127.0.0.1", "localhost", "LOCALHOST"]) {
      const socket = await connect({ hostname: host, port, caCerts: [authority.cert] });
      assertEquals(socket.remoteAddr.port, port);
      await roundTrip(socket, 1_000_000);
      socket.close();
    }
    assertEquals(errors, []);
  });
  await withListener({}, echo, async ({ listener, port }) => {
    assert(!listener.tls);
    const socket = await connect({ hostname, port, plaintext: true });
    await roundTrip(socket, 100_000);
    socket.close();
  });
});

Deno.test("connect() reaches localhost in every spelling", () =>
  withListener(server, echo, async ({ port }) => {
    for (const hostname of ["localhost", "LocalHost", "localhost.", "LOCALHOST."]) {
      const socket = await connect({ hostname, port, caCerts: [authority.cert] });
      await roundTrip(socket, 10);
      socket.close();
    }
  }));

Deno.test("listen() works on IPv6", async () => {
  await withListener({ ...server, hostname: "::1" }, echo, async ({ listener, port }) => {
    assertEquals(listener.untuned, undefined);
    for (const host of ["::1", "localhost"]) {
      const socket = await connect({ hostname: host, port, caCerts: [authority.cert] });
      await roundTrip(socket, 1_000);
      socket.close();
    }
  });
});

Deno.test("listen() sets the options that accepted sockets have", async () => {
  const accepted = Promise.withResolvers<Deno.TcpConn | Deno.TlsConn>();
  await withListener(server, (socket) => {
    accepted.resolve(socket);
    return handshake(socket);
  }, async ({ port }) => {
    const client = await connect({ hostname, port, caCerts: [authority.cert] });
    const socket = await accepted.promise;
    using sockets = SystemSockets.open();
    const descriptors = sockets.find([{ local: socket.localAddr, remote: socket.remoteAddr }]);
    assertEquals(descriptors.length, 1);
    const [descriptor = -1] = descriptors;
    assertEquals(sockets.getOption(descriptor, "TCP_NODELAY"), 1);
    assertEquals(sockets.getOption(descriptor, "SO_KEEPALIVE"), 1);
    assertEquals(sockets.getOption(descriptor, "TCP_USER_TIMEOUT"), WRITE_TIMEOUT_MS);
    const outgoing = sockets.find([{ local: client.localAddr, remote: client.remoteAddr }]);
    assertEquals(outgoing.length, 1);
    assertEquals(sockets.getOption(outgoing[0] ?? -1, "TCP_NODELAY"), 1);
    assertEquals(sockets.getOption(outgoing[0] ?? -1, "SO_KEEPALIVE"), 1);
    client.close();
    socket.close();
  });
});

Deno.test("listen() refuses a port in use, a foreign address and an unusable certificate", async () => {
  await withListener({}, echo, ({ port }) => {
    const error = assertThrows(() => listen({ hostname, port }), StartError);
    assertEquals(error.message, `Cannot listen on 127.0.0.1:${port}: another program uses that port`);
    return Promise.resolve();
  });
  assertThrows(() => listen({ hostname: "192.0.2.1", port: 0 }), StartError, "not an address of this machine");
  assertThrows(() => listen({ hostname: "no.invalid", port: 0 }), StartError, "that name has no address");
  assertThrows(() => listen({ hostname, port: 0, cert: "x", key: "y" }), StartError, "certificate");
});

Deno.test("connect() reports why the certificate is refused", async () => {
  const { cert: otherCa } = await makeAuthority(Date.now());
  const foreign = await makeServerCertificate(authority, ["cache.example"], Date.now());
  const old = await makeServerCertificate(authority, ["127.0.0.1"], Date.now() - 1_000 * 86_400_000);
  async function reason(certificate: Partial<ListenOptions>, options: Partial<ConnectOptions>): Promise<string> {
    let message = "";
    await withListener(certificate, echo, async ({ port, errors }) => {
      const error = await failure({ hostname, port, ...options });
      assertEquals(error.address, `127.0.0.1:${port}`);
      message = error.message;
      await until(() => errors.length === 1, "the server noticed");
      assertInstanceOf(errors[0], ConnectionError);
    });
    return message;
  }
  const caCerts = [authority.cert];
  assertMatch(await reason(server, {}), /^Cannot connect to 127\.0\.0\.1:\d+: its certificate is not trusted/);
  assertMatch(await reason(server, { caCerts: [otherCa] }), /its certificate is not trusted/);
  assertMatch(await reason(foreign, { caCerts }), /its certificate is not for "127\.0\.0\.1"/);
  assertMatch(await reason(server, { caCerts, serverName: "x.example" }), /its certificate is not for "x\.example"/);
  assertMatch(await reason(old, { caCerts }), /its certificate has expired/);
  await withListener(foreign, echo, async ({ port }) => {
    const socket = await connect({ hostname, port, caCerts, serverName: "cache.example" });
    await roundTrip(socket, 100);
    socket.close();
  });
});

Deno.test("connect() insecure accepts any certificate", async () => {
  const foreign = await makeServerCertificate(authority, ["cache.example"], Date.now());
  await withListener(foreign, echo, async ({ port }) => {
    const socket = await connect({ hostname, port, insecure: true });
    assertEquals(socket.remoteAddr.port, port);
    await roundTrip(socket, 10);
    await roundTrip(socket, 2_000_000);
    const reading = socket.read(new Uint8Array(1));
    socket.close();
    assertEquals(await reading, null);
  });
  const closed = Promise.withResolvers<void>();
  await withListener(foreign, async (socket) => {
    await handshake(socket);
    await writeAll(socket, new Uint8Array([7]));
    socket.close();
    closed.resolve();
  }, async ({ port }) => {
    const socket = await connect({ hostname, port, insecure: true });
    await closed.promise;
    assertEquals(await socket.read(new Uint8Array(8)), 1);
    assertEquals(await socket.read(new Uint8Array(8)), null);
    socket.close();
  });
});

/**
 * Returns the names that a client's first TLS record requests (RFC 6066, section 3); `undefined` without this
 * extension.
 */
function serverNameOf(hello: Uint8Array): string | undefined {
  const view = new DataView(hello.buffer, hello.byteOffset, hello.length);
  // The order is: record and handshake header, version, random, then three lists, each after its length.
  let at = 5 + 4 + 2 + 32;
  at += 1 + view.getUint8(at);
  at += 2 + view.getUint16(at);
  at += 1 + view.getUint8(at);
  const end = at + 2 + view.getUint16(at);
  for (at += 2; at < end; at += 4 + view.getUint16(at + 2)) {
    if (view.getUint16(at) === 0) {
      return new TextDecoder().decode(hello.subarray(at + 9, at + 4 + view.getUint16(at + 2)));
    }
  }
  return undefined;
}

Deno.test(
  "connect() sends the peer the requested name, and none for an address",
  { sanitizeResources: false },
  async () => {
    const cases: [options: Partial<ConnectOptions>, name: string | undefined][] = [
      [{}, undefined],
      [{ insecure: true }, undefined],
      [{ hostname: "::1", insecure: true }, undefined],
      [{ hostname: "localhost", insecure: true }, "localhost"],
      [{ hostname: "localhost" }, "localhost"],
      [{ serverName: "cache.example", insecure: true }, "cache.example"],
      [{ serverName: "cache.example" }, "cache.example"],
    ];
    for (const [options, name] of cases) {
      const hello = Promise.withResolvers<Uint8Array>();
      const read = async (socket: Deno.Conn) => {
        const buffer = new Uint8Array(4_096);
        hello.resolve(buffer.subarray(0, await socket.read(buffer) ?? 0));
        socket.close();
      };
      await withListener({ hostname: options.hostname === "::1" ? "::1" : hostname }, read, async ({ port }) => {
        await failure({ hostname, port, ...options });
      });
      assertEquals(serverNameOf(await hello.promise), name, JSON.stringify(options));
    }
  },
);

// Node's stream does not close Deno's object of a connection destroyed during its handshake, but its peer is
// disconnected.
Deno.test(
  "connect() insecure refuses a connection without TLS, and keeps its deadline",
  { sanitizeResources: false },
  async () => {
    await withListener(
      {},
      (socket) => writeAll(socket, new TextEncoder().encode("HTTP/1.0 400 \r\n")).then(() => socket.close()),
      async ({ port }) => {
        assertMatch((await failure({ hostname, port, insecure: true })).message, /it does not speak TLS/);
      },
    );
    const accepted: Deno.Conn[] = [];
    await withListener({}, (socket) => void accepted.push(socket), async ({ port }) => {
      const error = await failure({ hostname, port, insecure: true, timeoutMs: 100 });
      assertMatch(error.message, /no answer within 100 ms/);
      const buffer = new Uint8Array(4_096);
      while (await accepted[0]?.read(buffer).catch(() => null));
    });
    for (const socket of accepted) socket.close();
    const gone = listen({ hostname, port: 0 });
    gone.close();
    assertMatch((await failure({ hostname, port: gone.address.port, insecure: true })).message, /nobody listens there/);
  },
);

// A failed `Deno.connect` never closes the handle of its signal, which is small and ends with the process.
Deno.test("connect() reports why there is no connection", { sanitizeResources: false }, async () => {
  const gone = listen({ hostname, port: 0 });
  gone.close();
  const { port } = gone.address;
  assertEquals(
    (await failure({ hostname, port })).message,
    `Cannot connect to 127.0.0.1:${port}: nobody listens there`,
  );
  assertMatch(
    (await failure({ hostname: "localhost", port })).message,
    /^Cannot connect to localhost:.*nobody listens/,
  );
  assertMatch((await failure({ hostname: "no.invalid", port })).message, /that name has no address/);
  const text = new TextEncoder().encode("HTTP/1.0 400 Bad Request\r\n\r\n");
  await withListener({}, (socket) => writeAll(socket, text).then(() => socket.close()), async (served) => {
    assertMatch((await failure({ hostname, port: served.port })).message, /it does not speak TLS/);
  });
  await withListener({}, (socket) => socket.close(), async (served) => {
    assertMatch((await failure({ hostname, port: served.port })).message, /it (closed|reset) the connection/);
  });
});

Deno.test("connect() stops at its deadline or signal, and frees the descriptor", async () => {
  const accepted: Deno.Conn[] = [];
  await withListener({}, (socket) => void accepted.push(socket), async ({ port }) => {
    const before = descriptorsCount();
    const error = await failure({ hostname, port, timeoutMs: 100 });
    assertMatch(error.message, /no answer within 100 ms/);
    await until(() => descriptorsCount() === before + accepted.length, "the descriptor is free");
    const controller = new AbortController();
    const connecting = failure({ hostname, port, signal: controller.signal });
    await until(() => accepted.length === 2, "the second connection is there");
    controller.abort(new Error("told to stop"));
    assertMatch((await connecting).message, /told to stop/);
    await until(() => descriptorsCount() === before + accepted.length, "the second descriptor is free");
    assertMatch((await failure({ hostname, port, signal: AbortSignal.abort() })).message, /abort/);
  });
  for (const socket of accepted) socket.close();
});

Deno.test("handshake() that never finishes frees the descriptor", async () => {
  const failures: unknown[] = [];
  await withListener(
    server,
    (socket) => handshake(socket, 100).catch((error) => void failures.push(error)),
    async ({ port }) => {
      const before = descriptorsCount();
      const silent = await Promise.all(Array.from({ length: 50 }, () => Deno.connect({ hostname, port })));
      const half = await Promise.all(Array.from({ length: 50 }, () => Deno.connect({ hostname, port })));
      // These bytes begin a handshake record of 512 bytes.
      for (const socket of half) await writeAll(socket, new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc]));
      await until(() => failures.length === 100, "all handshakes have failed");
      await until(() => descriptorsCount() === before + 100, "the descriptors are free");
      for (const error of failures) {
        assertInstanceOf(error, ConnectionError);
        assertMatch(
          error.message,
          /^Cannot finish the TLS handshake with 127\.0\.0\.1:\d+: no handshake within 100 ms/,
        );
      }
      for (const socket of [...silent, ...half]) socket.close();
    },
  );
});

Deno.test("handshake() refuses another protocol immediately", async () => {
  const failed = Promise.withResolvers<unknown>();
  await withListener(server, (socket) => handshake(socket).catch(failed.resolve), async ({ port }) => {
    const socket = await Deno.connect({ hostname, port });
    await writeAll(socket, new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    const error = await failed.promise;
    assertInstanceOf(error, ConnectionError);
    assertMatch(error.message, /it does not speak TLS/);
    socket.close();
  });
});

Deno.test("abort() frees a connection whose peer reads nothing", async () => {
  const stuck = Promise.withResolvers<void>();
  await withListener(server, async (socket) => {
    await handshake(socket);
    const writing = writeAll(socket, new Uint8Array(64 * 1024 * 1024)).then(() => false, () => true);
    await pause(100);
    await abort(socket);
    assert(await writing);
    stuck.resolve();
  }, async ({ port, errors }) => {
    const before = descriptorsCount();
    const client = await connect({ hostname, port, caCerts: [authority.cert] });
    await stuck.promise;
    await until(() => descriptorsCount() === before + 1, "only the client's descriptor is open");
    client.close();
    assertEquals(errors, []);
  });
});

Deno.test("abort() disconnects only its own connection", async () => {
  await withListener(server, echo, async ({ port }) => {
    const [first, second] = await Promise.all([1, 2].map(() => connect({ hostname, port, caCerts: [authority.cert] })));
    assert(first !== undefined && second !== undefined);
    await abort(first);
    await abort(first);
    await roundTrip(second, 10_000);
    second.close();
  });
});

Deno.test("acceptLoop() continues after a failing handler and a failing accept", async () => {
  let isBroken = true;
  await withListener({}, async (socket) => {
    if (isBroken) throw new Error("broken");
    await echo(socket);
  }, async ({ listener, port, errors }) => {
    const lost = await connect({ hostname, port, plaintext: true });
    assertEquals(await lost.read(new Uint8Array(1)), null);
    lost.close();
    assertEquals(errors.map(String), ["Error: broken"]);
    isBroken = false;
    const socket = await connect({ hostname, port, plaintext: true });
    await roundTrip(socket, 100);
    socket.close();
    const delays: number[] = [];
    let failures = 0;
    listener.accept = () => {
      if (++failures === 4) listener.close();
      return Promise.reject(new Error("Too many open files"));
    };
    await acceptLoop(listener, { onConnection: () => {}, onError: (_, delayMs) => delays.push(delayMs) });
    assertEquals(delays, [5, 10, 20]);
  });
});

Deno.test("writeAll() writes the rest after a part", async () => {
  const written: number[] = [];
  const socket = {
    write(source: Uint8Array): Promise<number> {
      const part = source.subarray(0, 3);
      written.push(...part);
      return Promise.resolve(part.length);
    },
  };
  await writeAll(socket, Uint8Array.from({ length: 10 }, (_, index) => index));
  assertEquals(written, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
