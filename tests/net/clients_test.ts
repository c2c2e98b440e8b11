import { assertEquals, assertLess } from "@std/assert";
import { REJECTED_CLIENTS_MAX_COUNT, SHUTDOWN_GRACE_MS } from "../../src/limits.ts";
import { Clients, type ClientSession } from "../../src/net/clients.ts";
import { listen, type ListenOptions } from "../../src/net/listener.ts";
import { SystemSockets } from "../../src/net/system_socket.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { until } from "../support/until.ts";

/** A session that does nothing until the test or the clients end it, and records the calls of its methods. */
class FakeSession implements ClientSession {
  readonly calls: string[] = [];
  readonly #ended = Promise.withResolvers<void>();
  constructor(readonly socket: Deno.TcpConn | Deno.TlsConn) {}

  #until(call: string): Promise<void> {
    this.calls.push(call);
    return this.#ended.promise;
  }

  #end(call: string): Promise<void> {
    this.calls.push(call);
    this.end();
    return this.#ended.promise;
  }

  end(): void {
    if (this.socket.readable) this.socket.close();
    this.end = () => {};
    this.#ended.resolve();
  }

  fail(error: Error): void {
    this.#ended.reject(error);
  }

  run = () => this.#until("run");
  reject = (message: string) => this.#until(`reject: ${message}`);
  stop = () => this.#end("stop");
  abort = () => this.#end("abort");
  sweep = () => void (this.calls.at(-1) === "sweep" || this.calls.push("sweep"));
}

interface Fixture {
  readonly clients: Clients<FakeSession>;
  readonly sessions: FakeSession[];
  readonly warnings: string[];
  readonly port: number;
  /** Connects, and waits until the connection is accepted. The test does not have to close it. */
  connect(): Promise<Deno.TcpConn>;
}

/** Runs a test with the clients of a listener, and stops them at the end. */
async function withClients(
  maxCount: number,
  run: (fixture: Fixture) => Promise<void>,
  options: Partial<ListenOptions> = {},
  maxConnections = Infinity,
): Promise<void> {
  const sessions: FakeSession[] = [];
  const warnings: string[] = [];
  const connections: Deno.TcpConn[] = [];
  const listener = listen({ hostname: "127.0.0.1", port: 0, ...options });
  const clients = new Clients<FakeSession>({
    listener,
    maxCount,
    maxConnections,
    open: (socket) => {
      const session = new FakeSession(socket);
      sessions.push(session);
      return session;
    },
    warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
  });
  const connect = async () => {
    const { accepted } = clients;
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: listener.address.port });
    connections.push(connection);
    await until(() => clients.accepted > accepted, "the connection is accepted");
    return connection;
  };
  try {
    await run({ clients, sessions, warnings, port: listener.address.port, connect });
  } finally {
    await clients.stop();
    for (const connection of connections) connection.close();
  }
}

Deno.test("Clients runs a session for each connection, and counts the served ones", () =>
  withClients(10, async ({ clients, sessions, connect }) => {
    await connect();
    await connect();
    await until(() => clients.count === 2, "2 sessions run");
    assertEquals(sessions.map(({ calls }) => calls), [["run"], ["run"]]);
    sessions[0]!.end();
    await until(() => clients.count === 1, "1 sessions run");
    assertEquals([clients.accepted, clients.rejected, clients.handshakeFailures], [2, 0, 0]);
  }));

/** Connects and resets immediately, `count` times, as some health checks do. */
async function resetConnections(port: number, count: number): Promise<void> {
  const library = Deno.dlopen("libc.so.6", {
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  });
  const [SOL_SOCKET, SO_LINGER] = [1, 13];
  const [isOn, seconds] = [1, 0];
  try {
    using sockets = SystemSockets.open();
    for (let i = 0; i < count; i++) {
      const socket = await Deno.connect({ hostname: "127.0.0.1", port });
      const [descriptor] = sockets.find([{ local: socket.localAddr, remote: socket.remoteAddr }]);
      const linger = new Uint8Array(Int32Array.of(isOn, seconds).buffer);
      assertEquals(library.symbols.setsockopt(descriptor!, SOL_SOCKET, SO_LINGER, linger, linger.length), 0);
      socket.close();
    }
  } finally {
    library.close();
  }
}

for (const isTls of [false, true]) {
  Deno.test(`Clients serves a client immediately after 40 connections that were reset before, ${isTls ? "TLS" : "plaintext"}`, async () => {
    const authority = await makeAuthority(Date.now());
    const { cert, key } = await makeServerCertificate(authority, ["localhost", "127.0.0.1"], Date.now());
    const listener = listen({ hostname: "127.0.0.1", port: 0, ...isTls && { cert, key } });
    const { port } = listener.address;
    // Nothing accepts yet, so all of these connections are reset by then.
    await resetConnections(port, 40);
    const warnings: string[] = [];
    const sessions: FakeSession[] = [];
    const open = (socket: Deno.TcpConn | Deno.TlsConn) => {
      const session = new FakeSession(socket);
      sessions.push(session);
      return session;
    };
    const beganMs = performance.now();
    const clients = new Clients<FakeSession>({
      listener,
      maxCount: 100,
      open,
      warn: (message) => warnings.push(message),
    });
    const good = isTls
      ? await Deno.connectTls({ hostname: "localhost", port, caCerts: [authority.cert] })
      : await Deno.connect({ hostname: "127.0.0.1", port });
    const { port: goodPort } = good.localAddr as Deno.NetAddr;
    await until(
      () => sessions.some(({ socket }) => socket.remoteAddr.port === goodPort),
      "the good client has a session",
    );
    // It took 33 s when each of them caused a pause.
    assertLess(performance.now() - beganMs, 5_000);
    assertEquals(warnings, []);
    assertEquals(clients.lost + clients.handshakeFailures + clients.accepted >= 41, true);
    for (const session of sessions) session.end();
    await clients.stop();
    good.close();
  });
}

Deno.test("Clients accepts no more than its total number of connections, and continues when one is closed", () =>
  withClients(
    2,
    async ({ clients, sessions, connect, port }) => {
      // Two are served, one gets an error, and the others are closed without one, two at a time.
      for (let i = 0; i < 2; i++) await connect();
      const others = await Promise.all(Array.from({ length: 20 }, () => Deno.connect({ hostname: "127.0.0.1", port })));
      await until(() => clients.accepted >= 4, "4 connections are accepted");
      assertEquals(clients.count, 2);
      // All but those that get the error are closed, one after another. The accept loop still runs.
      await until(() => clients.accepted === 22, "22 connections are accepted");
      assertEquals(clients.rejected, 20);
      assertEquals(sessions.filter(({ calls }) => calls[0]!.startsWith("reject")).length, 1);
      for (const other of others) other.close();
      for (const session of sessions) session.end();
      await until(() => clients.count === 0, "0 sessions run");
      await connect();
      await until(() => clients.count === 1, "1 sessions run");
    },
    {},
    5,
  ));

Deno.test("Clients logs failed accepts in one line per interval, with their number", async () => {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  const warnings: string[] = [];
  let failures = 0;
  const accept = listener.accept.bind(listener);
  listener.accept = () => ++failures > 4 ? accept() : Promise.reject(new Error("Too many open files (os error 24)"));
  const clients = new Clients<FakeSession>({
    listener,
    maxCount: 1,
    open: (socket) => new FakeSession(socket),
    warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
  });
  await until(() => failures > 4, "it has tried again and again");
  assertEquals(warnings, [`Cannot accept a connection {"error":"Too many open files (os error 24)"}`]);
  await clients.stop();
});

Deno.test("Clients rejects excess clients, and serves again when one leaves", () =>
  withClients(1, async ({ clients, sessions, connect }) => {
    for (let i = 0; i < 3; i++) await connect();
    await until(() => sessions.length === 3, "3 sessions have begun");
    const rejection = ["reject: max number of clients reached"];
    assertEquals(sessions.map(({ calls }) => calls), [["run"], rejection, rejection]);
    assertEquals([clients.count, clients.accepted, clients.rejected], [1, 3, 2]);
    sessions[0]!.end();
    await until(() => clients.count === 0, "0 sessions run");
    await connect();
    await until(() => clients.count === 1, "1 sessions run");
    assertEquals(sessions[3]!.calls, ["run"]);
  }));

Deno.test("Clients closes without an error when enough excess clients are getting one", () =>
  withClients(1, async ({ clients, sessions, connect }) => {
    for (let i = 0; i < REJECTED_CLIENTS_MAX_COUNT + 3; i++) await connect();
    await until(() => sessions.length === REJECTED_CLIENTS_MAX_COUNT + 3, "those that are rejected have sessions");
    assertEquals(sessions.map(({ calls }) => calls[0]!.split(":")[0]), [
      "run",
      ...Array<string>(REJECTED_CLIENTS_MAX_COUNT).fill("reject"),
      "abort",
      "abort",
    ]);
    assertEquals(clients.rejected, REJECTED_CLIENTS_MAX_COUNT + 2);
  }));

Deno.test("Clients sweeps served and rejected clients", () =>
  withClients(1, async ({ sessions, connect }) => {
    await connect();
    await connect();
    await until(
      () => sessions.length === 2 && sessions.every(({ calls }) => calls.at(-1) === "sweep"),
      "both sessions are swept",
    );
  }));

Deno.test("Clients.stop() ends all sessions, stops accepting, and may be called twice", () =>
  withClients(1, async ({ clients, sessions, warnings, connect }) => {
    const connection = await connect();
    await connect();
    await until(() => sessions.length === 2, "2 sessions have begun");
    await Promise.all([clients.stop(), clients.stop()]);
    assertEquals(sessions.map(({ calls }) => calls.filter((call) => call === "stop").length), [1, 1]);
    assertEquals([clients.count, warnings], [0, []]);
    const { hostname, port } = connection.remoteAddr;
    const refused = await Deno.connect({ hostname, port }).then((late) => late.close(), (error) => error);
    assertEquals(refused instanceof Deno.errors.ConnectionRefused, true);
  }));

Deno.test("Clients reports a session that fails, and continues", () =>
  withClients(10, async ({ clients, sessions, warnings, connect }) => {
    const connection = await connect();
    await until(() => clients.count === 1, "1 sessions run");
    sessions[0]!.fail(new Error("of a test"));
    await until(() => clients.count === 0, "0 sessions run");
    assertEquals(await connection.read(new Uint8Array(1)), null);
    assertEquals(warnings.length, 1);
    assertEquals(warnings[0]!.includes("of a test"), true, warnings[0]);
    await connect();
    await until(() => clients.count === 1, "1 sessions run");
  }));

Deno.test("Clients counts failed handshakes, opens no session for them, and stops during others", async () => {
  const authority = await makeAuthority(Date.now());
  const { cert, key } = await makeServerCertificate(authority, ["127.0.0.1"], Date.now());
  await withClients(10, async ({ clients, sessions, connect }) => {
    await (await connect()).write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
    await until(() => clients.handshakeFailures === 1, "the handshake fails");
    for (let i = 0; i < 5; i++) await connect();
    const begunMs = performance.now();
    await clients.stop();
    assertEquals(performance.now() - begunMs < SHUTDOWN_GRACE_MS / 2, true, "it waited for their deadline");
    assertEquals([sessions.length, clients.accepted], [0, 6]);
  }, { cert, key });
});
