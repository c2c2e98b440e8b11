/** Tests connecting to names with several addresses, and deadlines with any behaviour of name servers. */

import { assertEquals, assertGreaterOrEqual, assertLess, assertMatch, assertRejects } from "@std/assert";
import { connect as connectClient } from "../../src/client/client.ts";
import { ConnectionError } from "../../src/errors.ts";
import { connect } from "../../src/net/connector.ts";
import type { ConnectOptions } from "../../src/net/socket_dialer.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { NameServer } from "../support/name_server.ts";
import { NAME_SERVER_HOST, NamesSpace } from "../support/names_space.ts";
import { until } from "../support/until.ts";

const space = NamesSpace.enter(import.meta.url);

/** A new name for each test, since all callers share a lookup that hangs. */
let name = "";
let namesCount = 0;

/** A time far below the 10 s that the system waits for name servers, and far above what a busy machine needs. */
const SOON_MS = 4_000;

/** Accepts connections at some addresses, on one port, and closes everything at the end. */
class Ports implements Disposable {
  readonly port: number;
  readonly accepted: Deno.Conn[] = [];
  readonly #listeners: Deno.Listener[] = [];

  /**
   * Listens at the first address.
   *
   * @param handle handles a connection; without it, the connection stays open
   */
  constructor(first: string, handle?: (connection: Deno.Conn) => void) {
    this.port = this.listen(first, handle);
  }

  listen(hostname: string, handle?: (connection: Deno.Conn) => void, tls?: { cert: string; key: string }): number {
    const where = { hostname, port: this.port ?? 0 };
    const listener = tls === undefined ? Deno.listen(where) : Deno.listenTls({ ...where, ...tls });
    this.#listeners.push(listener);
    void this.#accept(listener, handle ?? (() => {}));
    return (listener.addr as Deno.NetAddr).port;
  }

  async #accept(listener: Deno.Listener, handle: (connection: Deno.Conn) => void): Promise<void> {
    for await (const connection of listener) {
      this.accepted.push(connection);
      // A failed handshake is reported to its client.
      if ("handshake" in connection) (connection as Deno.TlsConn).handshake().catch(() => {});
      handle(connection);
    }
  }

  /** Opens an address that neither accepts nor refuses connections: its queue is full, and nothing accepts. */
  async blackHole(hostname: string): Promise<void> {
    this.#listeners.push(Deno.listen({ hostname, port: this.port, tcpBacklog: 1 }));
    for (let isFull = false; !isFull;) {
      try {
        this.accepted.push(await Deno.connect({ hostname, port: this.port, signal: AbortSignal.timeout(300) }));
      } catch {
        isFull = true;
      }
    }
  }

  [Symbol.dispose](): void {
    for (const each of [...this.#listeners, ...this.accepted]) {
      try {
        each.close();
      } catch {
        // The test has closed it.
      }
    }
  }
}

/** Connects and closes, and returns the address that was reached, and the time. */
async function reach(
  options: Partial<ConnectOptions> & { port: number },
): Promise<{ address: string; tookMs: number }> {
  const begunMs = performance.now();
  const socket = await connect({ hostname: name, plaintext: true, timeoutMs: SOON_MS, ...options });
  const tookMs = performance.now() - begunMs;
  socket.close();
  return { address: socket.remoteAddr.hostname, tookMs };
}

/** Returns the error of a failed connection, and the time. */
async function failure(
  options: Partial<ConnectOptions> & { port: number },
): Promise<{ message: string; tookMs: number }> {
  const begunMs = performance.now();
  const error = await assertRejects(() => reach(options), ConnectionError);
  return { message: error.message, tookMs: performance.now() - begunMs };
}

function descriptorsCount(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Defines a test without sanitizers: a lookup that hangs continues for 10 s after its test. */
function namesTest(title: string, body: (space: NamesSpace, names: NameServer) => Promise<void>): void {
  if (space === undefined) return;
  Deno.test({
    name: title,
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      name = `multi${++namesCount}.test`;
      using names = new NameServer(NAME_SERVER_HOST);
      await space.writeHosts();
      await body(space, names);
    },
  });
}

namesTest("connect() tries ::1 and 127.0.0.1, in either order of the name's addresses", async (space) => {
  for (const lines of [[`::1 ${name}`, `127.0.0.1 ${name}`], [`127.0.0.1 ${name}`, `::1 ${name}`]]) {
    await space.writeHosts(...lines);
    for (const only of ["127.0.0.1", "::1"]) {
      using ports = new Ports(only);
      const { address, tookMs } = await reach({ port: ports.port });
      assertEquals(address, only);
      assertLess(tookMs, SOON_MS);
    }
  }
});

namesTest("connect() continues after addresses that refuse", async (space) => {
  await space.writeHosts(`127.0.0.2 ${name}`, `127.0.0.3 ${name}`, `127.0.0.4 ${name}`);
  for (const only of ["127.0.0.2", "127.0.0.3", "127.0.0.4"]) {
    using ports = new Ports(only);
    assertEquals((await reach({ port: ports.port })).address, only);
  }
});

namesTest("connect() continues after 250 ms of silence", async (space) => {
  await space.writeHosts(`127.0.0.2 ${name}`, `127.0.0.3 ${name}`);
  using ports = new Ports("127.0.0.3");
  await ports.blackHole("127.0.0.2");
  const before = descriptorsCount();
  const { address, tookMs } = await reach({ port: ports.port });
  assertEquals(address, "127.0.0.3");
  assertGreaterOrEqual(tookMs, 200);
  assertLess(tookMs, SOON_MS);
  // The abandoned connection is closed. The accepted one stays in this process.
  await until(() => descriptorsCount() <= before + 1, "its sockets are closed");
});

namesTest("connect() names every address, and why it is unusable", async (space) => {
  await space.writeHosts(`127.0.0.2 ${name}`, `127.0.0.3 ${name}`, `::1 ${name}`);
  using ports = new Ports("127.0.0.9");
  await ports.blackHole("127.0.0.3");
  const { port } = ports;
  const { message, tookMs } = await failure({ port, timeoutMs: 1_000 });
  assertLess(tookMs, 1_000 + SOON_MS);
  assertEquals(
    message,
    `Cannot connect to ${name}:${port}: no answer within 1000 ms; ::1: nobody listens there; ` +
      "127.0.0.2: nobody listens there",
  );
  await space.writeHosts(`127.0.0.2 ${name}`, `127.0.0.4 ${name}`);
  assertEquals(
    (await failure({ port })).message,
    `Cannot connect to ${name}:${port}: 127.0.0.2: nobody listens there; 127.0.0.4: nobody listens there`,
  );
});

namesTest("connect() tries many addresses of one name, and names some", async (space) => {
  const all = Array.from({ length: 20 }, (_, i) => `127.0.1.${i + 1}`);
  await space.writeHosts(...all.map((address) => `${address} ${name}`));
  using ports = new Ports("127.0.1.20");
  assertEquals((await reach({ port: ports.port })).address, "127.0.1.20");
  const { message } = await failure({ port: 1 });
  assertEquals(message.split(";").length, 9);
  assertMatch(message, /; and 12 more addresses$/);
});

namesTest("connect() distinguishes a name without an address from unavailable name servers", async (_space, names) => {
  assertMatch((await failure({ port: 1 })).message, /: that name has no address$/);
  names.addresses.set(name, []);
  assertMatch((await failure({ port: 1 })).message, /: that name has no address$/);
  names.isBroken = true;
  assertMatch((await failure({ port: 1 })).message, /: no name server has answered$/);
});

namesTest("connect() follows a name that appears, moves and vanishes", async (_space, names) => {
  using ports = new Ports("127.0.0.2");
  const { port } = ports;
  ports.listen("127.0.0.3");
  await failure({ port });
  for (const address of ["127.0.0.2", "127.0.0.3", "127.0.0.2"]) {
    names.addresses.set(name, [address]);
    assertEquals((await reach({ port })).address, address);
  }
  names.addresses.delete(name);
  await failure({ port });
});

namesTest("connect() needs no reply about IPv6", async (_space, names) => {
  names.addresses.set(name, ["127.0.0.2"]);
  names.ignoresIpv6 = true;
  using ports = new Ports("127.0.0.2");
  const { address, tookMs } = await reach({ port: ports.port });
  assertEquals(address, "127.0.0.2");
  assertLess(tookMs, SOON_MS);
});

namesTest("connect() keeps its deadline while no name server replies", async (_space, names) => {
  names.isSilent = true;
  for (const insecure of [false, true]) {
    const { message, tookMs } = await failure({ port: 1, timeoutMs: 500, plaintext: false, insecure });
    assertMatch(message, /: no answer within 500 ms; the lookup of its name has not ended$/);
    assertLess(tookMs, SOON_MS);
  }
  const begunMs = performance.now();
  await assertRejects(() => connectClient({ addr: `${name}:1`, timeoutMs: 500 }), ConnectionError, "within 500 ms");
  await assertRejects(() => connectClient({ addr: `${name}:1`, signal: AbortSignal.timeout(300) }));
  assertLess(performance.now() - begunMs, SOON_MS);
});

namesTest("connect() continues to an address whose TLS handshake succeeds", async (space) => {
  await space.writeHosts(`127.0.0.2 ${name}`, `127.0.0.3 ${name}`);
  const authority = await makeAuthority(Date.now());
  const good = await makeServerCertificate(authority, [name], Date.now());
  const other = await makeServerCertificate(authority, ["other.test"], Date.now());
  const tls: Partial<ConnectOptions> = { plaintext: false, caCerts: [authority.cert] };
  const text = new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n");
  const odd: [what: string, handle: (connection: Deno.Conn) => void, reason: RegExp][] = [
    ["closes", (connection) => connection.close(), /127\.0\.0\.2: it (closed|reset) the connection/],
    ["is silent", () => {}, /127\.0\.0\.2: no TLS handshake within \d+ ms/],
    ["does not speak TLS", (connection) => void connection.write(text), /127\.0\.0\.2: it does not speak TLS/],
  ];
  for (const [what, handle, reason] of odd) {
    using ports = new Ports("127.0.0.2", handle);
    const { port } = ports;
    const { message } = await failure({ ...tls, port, timeoutMs: 2_000 });
    assertMatch(message, reason, what);
    assertMatch(message, /127\.0\.0\.3: nobody listens there/, what);
    ports.listen("127.0.0.3", undefined, good);
    assertEquals((await reach({ ...tls, port })).address, "127.0.0.3", what);
    assertEquals((await reach({ ...tls, port, plaintext: false, insecure: true })).address, "127.0.0.3", what);
  }
  using ports = new Ports("127.0.0.9");
  const { port } = ports;
  ports.listen("127.0.0.2", undefined, other);
  assertMatch((await failure({ ...tls, port })).message, /127\.0\.0\.2: its certificate is not for "multi\d+\.test"/);
  ports.listen("127.0.0.3", undefined, good);
  assertEquals((await reach({ ...tls, port })).address, "127.0.0.3");
});

namesTest("connect() leaves no descriptor open", async (space, names) => {
  await space.writeHosts(`127.0.0.2 ${name}`, `::1 ${name}`);
  using ports = new Ports("127.0.0.2", (connection) => connection.close());
  const before = descriptorsCount();
  for (let i = 0; i < 20; i++) {
    await failure({ port: ports.port, plaintext: false });
    await failure({ hostname: "nosuch.test", port: ports.port });
  }
  names.isSilent = true;
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => failure({ hostname: `slow${i}.test`, port: 1, timeoutMs: 100 })),
  );
  // The sockets of hanging lookups belong to the system.
  await until(() => descriptorsCount() <= before + 16, "their sockets are closed");
});

namesTest("connect() needs no name server for names in /etc/hosts", async (space, names) => {
  await space.writeHosts(`127.0.0.2 ${name}`);
  names.isSilent = true;
  using ports = new Ports("127.0.0.2");
  // This holds for any number of hanging names.
  const hanging = Array.from({ length: 12 }, (_, i) => failure({ hostname: `slow${i}.test`, port: 1, timeoutMs: 300 }));
  await Promise.all(hanging);
  const { address, tookMs } = await reach({ port: ports.port, timeoutMs: 30_000 });
  assertEquals(address, "127.0.0.2");
  console.log(`with 12 names that hang, another one took ${Math.round(tookMs)} ms`);
  for (let i = 0; i < 10; i++) assertLess((await reach({ port: ports.port })).tookMs, SOON_MS);
});
