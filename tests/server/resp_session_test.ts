import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { MESSAGES_MAX_BYTES } from "../../src/limits.ts";
import { ReadAhead } from "../../src/net/read_ahead.ts";
import { Session } from "../../src/server/session.ts";
import { RawClient } from "../support/raw_client.ts";
import { TestHost } from "../support/session_host.ts";
import { until } from "../support/until.ts";

/** Waits until `count` clients wait for an element. */
function waiting(host: TestHost, count: number): Promise<void> {
  return until(() => host.shared.waiters.count === count, `${count} clients wait`);
}

/** Runs a test with some connections to one server. */
async function withClients(
  count: number,
  run: (clients: RawClient[], host: TestHost, sessions: Session[]) => Promise<void>,
  passwordRequired = false,
): Promise<void> {
  const host = new TestHost(passwordRequired);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const clients: RawClient[] = [];
  const sessions: Session[] = [];
  const running: Promise<void>[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const { client, session, running: ends } = await host.connect(listener);
      clients.push(client);
      sessions.push(session);
      running.push(ends);
    }
    await run(clients, host, sessions);
  } finally {
    for (const client of clients) client.close();
    await Promise.all(running);
    listener.close();
  }
  assertEquals(host.bugs, []);
  assertEquals([host.shared.clients.size, host.shared.waiters.count, host.shared.watches.count], [0, 0, 0]);
  assertEquals([...host.shared.channels.names], []);
}

Deno.test("Session replies to RESP, including inline commands and a pipeline", () =>
  withClients(1, async ([client]) => {
    await client!.send(
      "PING\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n42\r\n\r\nget a\r\n*2\r\n$4\r\nincr\r\n$1\r\na\r\n",
    );
    await client!.expect("+PONG\r\n+OK\r\n$2\r\n42\r\n:43\r\n");
    await client!.send("nothing 1 2\n");
    await client!.expect("-ERR unknown command 'nothing', with args beginning with: '1' '2' \r\n");
  }));

Deno.test("Session replies to all of 10,000 commands in one write", () =>
  withClients(1, async ([client]) => {
    const text = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n".repeat(10_000);
    const sending = client!.send(text);
    await client!.expect(Array.from({ length: 10_000 }, (_, i) => `:${i + 1}\r\n`).join(""));
    await sending;
  }));

Deno.test("Session speaks the version that hello chooses, even in the middle of a batch", () =>
  withClients(1, async ([client], host) => {
    await client!.send("client no-touch on\r\nclient no-touch off\r\n");
    await client!.expect("+OK\r\n+OK\r\n");
    await client!.send("get a\r\nhello 3\r\nget a\r\nreset\r\nget a\r\n");
    await client!.expect(
      "$-1\r\n%7\r\n$6\r\nserver\r\n$5\r\ninmem\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n",
    );
    await client!.expect("$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n");
    await client!.expect("$7\r\nmodules\r\n*0\r\n_\r\n+RESET\r\n$-1\r\n");
    assertEquals(host.shared.clients.get(1)!.version, 2);
  }));

Deno.test("Session reports a protocol error after all replies before it, and closes", () =>
  withClients(1, async ([client]) => {
    await client!.send("ping\r\n*1\r\n:4\r\nping\r\nping\r\n");
    assertEquals(await client!.rest(), "+PONG\r\n-ERR Protocol error: expected '$', got ':'\r\n");
  }));

Deno.test("Session limits what an unauthenticated client can send", () =>
  withClients(2, async ([first, second]) => {
    await first!.send(`*2\r\n$4\r\nauth\r\n$${20_000}\r\n`);
    assertEquals(await first!.rest(), "-ERR Protocol error: unauthenticated bulk length\r\n");
    await second!.send("*11\r\n");
    assertEquals(await second!.rest(), "-ERR Protocol error: unauthenticated multibulk length\r\n");
  }, true));

Deno.test("Session authenticates by auth and by hello", () =>
  withClients(2, async ([first, second]) => {
    await first!.send("get a\r\nauth secret\r\nget a\r\n");
    await first!.expect("-NOAUTH Authentication required.\r\n+OK\r\n$-1\r\n");
    await second!.send("hello 3 auth default wrong\r\nhello 2 auth default secret\r\n");
    await second!.expect("-WRONGPASS invalid username-password pair or user is disabled.\r\n*14\r\n");
    await second!.send("quit\r\nping\r\n");
    assertStringIncludes(await second!.rest(), "*0\r\n+OK\r\n");
  }, true));

Deno.test("Session takes a large value in many pieces", () =>
  withClients(1, async ([client], host) => {
    const size = 5_000_000;
    const value = "x".repeat(size);
    await client!.send(`*3\r\n$3\r\nset\r\n$1\r\na\r\n$${size}\r\n`);
    for (let at = 0; at < size; at += 999_999) await client!.send(value.slice(at, at + 999_999));
    await client!.send("\r\n");
    await client!.expect("+OK\r\n");
    await client!.send("strlen a\r\n");
    await client!.expect(`:${size}\r\n`);
    assertEquals(host.store.size, 1);
  }));

Deno.test("Session writes its replies before it waits, and the others afterwards", () =>
  withClients(2, async ([waiter, pusher], host) => {
    await waiter!.send("set a 1\r\nblpop l 0\r\nget a\r\n");
    await waiter!.expect("+OK\r\n");
    await waiting(host, 1);
    await pusher!.send("rpush l x y\r\nlrange l 0 -1\r\n");
    await pusher!.expect(":2\r\n*1\r\n$1\r\ny\r\n");
    await waiter!.expect("*2\r\n$1\r\nl\r\n$1\r\nx\r\n$1\r\n1\r\n");
    await waiter!.send("blpop none 0.01\r\n");
    await waiter!.expect("*-1\r\n");
    await waiter!.send("brpoplpush none l 0.01\r\n");
    await waiter!.expect("*-1\r\n");
  }));

Deno.test("Session stops waiting when its client leaves, and takes no element for it", () =>
  withClients(2, async ([waiter, pusher], host) => {
    await waiter!.send("blpop l 0\r\n");
    await waiting(host, 1);
    waiter!.close();
    await waiting(host, 0);
    await pusher!.send("rpush l x\r\nlrange l 0 -1\r\n");
    await pusher!.expect(":1\r\n*1\r\n$1\r\nx\r\n");
  }));

for (const later of ["", "ping\r\n".repeat(100_000)]) {
  Deno.test(`Session runs nothing for a client that left while it waited, not even ${later.length} later bytes`, () =>
    withClients(2, async ([waiter, other], host) => {
      await waiter!.send("ping\r\nblpop l 0\r\n");
      await waiter!.expect("+PONG\r\n");
      await waiting(host, 1);
      await waiter!.send(`set k v\r\n${later}`);
      await waiter!.socket.closeWrite();
      assertEquals(await waiter!.rest(), "");
      await until(() => host.shared.clients.size === 0, "the client is gone");
      await other!.send("exists k\r\n");
      await other!.expect(":0\r\n");
    }));
}

Deno.test("Session disconnects a client that sends too much after a blocking command, and serves the others", () =>
  withClients(3, async ([greedy, modest, other], host) => {
    host.readAhead = new ReadAhead(300_000);
    for (const client of [greedy, modest]) await client!.send("blpop l 0\r\n");
    await waiting(host, 2);
    await modest!.send("ping\r\n".repeat(20_000));
    greedy!.send("ping\r\n".repeat(2_000_000)).catch(() => {});
    await greedy!.expect("-ERR more than ");
    assertStringIncludes(await greedy!.rest(), " bytes wait behind this command\r\n");
    await other!.send("rpush l x y\r\n");
    await other!.expect(":2\r\n");
    await modest!.expect(`*2\r\n$1\r\nl\r\n$1\r\nx\r\n${"+PONG\r\n".repeat(20_000)}`);
    assertEquals(host.readAhead.leftBytes, 300_000);
  }));

Deno.test("Session ends a wait once, with the first of several causes", () =>
  withClients(2, async ([waiter, other], host) => {
    await waiter!.send("blpop l 0\r\nping\r\n");
    await waiting(host, 1);
    // All three are in one turn, and only the first counts.
    await other!.send("client unblock 1\r\nclient unblock 1 error\r\nrpush l x\r\n");
    await other!.expect(":1\r\n");
    await waiter!.expect("*-1\r\n+PONG\r\n");
    await waiter!.send("blpop m 0.02\r\nping\r\n");
    await waiter!.expect("*-1\r\n+PONG\r\n");
    assertEquals([host.shared.waiters.count, host.shared.clients.size], [0, 2]);
  }));

Deno.test("Session ends a wait when it is stopped, killed or unblocked", () =>
  withClients(4, async ([stopped, killed, unblocked, other], host, sessions) => {
    for (const client of [stopped, killed, unblocked]) await client!.send("blpop l 0\r\n");
    await waiting(host, 3);
    await other!.send("client unblock 3 error\r\nclient kill id 2\r\n");
    await other!.expect(":1\r\n:1\r\n");
    await unblocked!.expect("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n");
    await killed!.readToEnd();
    sessions[0]!.stop();
    assertEquals(await stopped!.rest(), "-ERR the server is stopping\r\n");
  }));

/** Serves a client that waits for `l`, without waking it. Returns a function that wakes it. */
async function serveAsleep(other: RawClient, host: TestHost): Promise<() => void> {
  await waiting(host, 1);
  const { waiters } = host.shared;
  const asleep: (() => void)[] = [];
  waiters.wake = (goOn) => asleep.push(goOn);
  await other.send("rpush l x\r\n");
  await other.expect(":1\r\n");
  assertEquals([waiters.count, asleep.length], [0, 1]);
  return asleep[0]!;
}

const SERVED = "*2\r\n$1\r\nl\r\n$1\r\nx\r\n";

Deno.test("Session.stop() wakes a client that was served, which gets its element", () =>
  withClients(2, async ([waiter, other], host, sessions) => {
    await waiter!.send("blpop l 0\r\n");
    const wake = await serveAsleep(other!, host);
    sessions[0]!.stop();
    wake();
    assertEquals(await waiter!.rest(), SERVED);
  }));

Deno.test("Session replies to a client that ended its side after it was served, and runs what it sent before", () =>
  withClients(2, async ([waiter, other], host) => {
    const ends = Promise.withResolvers<void>();
    host.readAhead = new class extends ReadAhead {
      override async watch(...args: Parameters<ReadAhead["watch"]>) {
        const result = await super.watch(...args);
        if (result === "ended") ends.resolve();
        return result;
      }
    }();
    await waiter!.send("blpop l 0\r\nset k v\r\n");
    const wake = await serveAsleep(other!, host);
    await waiter!.socket.closeWrite();
    await ends.promise;
    wake();
    assertEquals(await waiter!.rest(), `${SERVED}+OK\r\n`);
  }));

Deno.test("Session runs nothing after a wait of a client that was killed after it was served", () =>
  withClients(2, async ([waiter, other], host) => {
    await waiter!.send("blpop l 0\r\nset k v\r\n");
    const wake = await serveAsleep(other!, host);
    await other!.send("client kill id 1\r\n");
    await other!.expect(":1\r\n");
    wake();
    await waiter!.readToEnd();
    await until(() => host.shared.clients.size === 1, "one client is left");
    await other!.send("exists k l\r\n");
    await other!.expect(":0\r\n");
  }));

Deno.test("Session writes a message after the reply to a wait that ended before it", () =>
  withClients(2, async ([waiter, other], host) => {
    await waiter!.send("hello 3\r\nsubscribe c\r\nblpop l 0\r\n");
    const wake = await serveAsleep(other!, host);
    await other!.send("publish c m\r\nping\r\n");
    await other!.expect(":1\r\n+PONG\r\n");
    wake();
    await waiter!.send("quit\r\n");
    const rest = await waiter!.rest();
    assertStringIncludes(rest, `${SERVED}>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n`);
  }));

Deno.test("Session ends when its client kills itself, after the reply to that", () =>
  withClients(1, async ([client]) => {
    await client!.send("multi\r\nclient kill id 1 skipme no\r\nping\r\nexec\r\nping\r\n");
    assertEquals(await client!.rest(), "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:1\r\n+PONG\r\n");
  }));

Deno.test("Session delivers messages to clients that are idle, write or wait for an element", () =>
  withClients(3, async ([idle, busy, publisher], host) => {
    await idle!.send("subscribe news other\r\n");
    await idle!.expect("*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$5\r\nother\r\n:2\r\n");
    await busy!.send("hello 3\r\npsubscribe n*\r\nblpop l 0\r\n");
    await waiting(host, 1);
    await publisher!.send("publish news one\r\npublish news two\r\npublish nobody three\r\n");
    await publisher!.expect(":2\r\n:2\r\n:1\r\n");
    await idle!.expect(
      "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\none\r\n*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$3\r\ntwo\r\n",
    );
    await idle!.send("get a\r\nping\r\nunsubscribe\r\nget a\r\n");
    await idle!.expect(
      "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\r\n",
    );
    await idle!.expect("*2\r\n$4\r\npong\r\n$0\r\n\r\n*3\r\n$11\r\nunsubscribe\r\n$4\r\nnews\r\n:1\r\n");
    await idle!.expect("*3\r\n$11\r\nunsubscribe\r\n$5\r\nother\r\n:0\r\n$-1\r\n");
    await publisher!.send("rpush l x\r\n");
    await publisher!.expect(":1\r\n");
    const text = await (busy!.send("quit\r\n"), busy!.rest());
    const message = (channel: string, word: string) => {
      return `>4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$${channel.length}\r\n${channel}\r\n$${word.length}\r\n${word}\r\n`;
    };
    const messages = message("news", "one") + message("news", "two") + message("nobody", "three");
    assert(
      text.endsWith(`>3\r\n$10\r\npsubscribe\r\n$2\r\nn*\r\n:1\r\n${messages}*2\r\n$1\r\nl\r\n$1\r\nx\r\n+OK\r\n`),
      text,
    );
  }));

Deno.test("Session delivers a message that a client publishes to itself before the reply to that", () =>
  withClients(1, async ([client]) => {
    await client!.send("hello 3\r\nsubscribe c\r\npublish c x\r\nping\r\n");
    await client!.send("multi\r\npublish c y\r\nexec\r\n");
    const text = await (client!.send("quit\r\n"), client!.rest());
    const message = (word: string) => `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n${word}\r\n`;
    assertStringIncludes(text, `>3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n${message("x")}:1\r\n+PONG\r\n`);
    // The message is not among the replies of a transaction.
    assertStringIncludes(text, "+OK\r\n+QUEUED\r\n*1\r\n:1\r\n");
    assertStringIncludes(text, message("y"));
  }));

Deno.test("Session disconnects a listener that does not read, and logs that", () =>
  withClients(2, async ([listener, publisher], host) => {
    await listener!.send("subscribe c\r\n");
    await listener!.expect("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    await publisher!.send("ping\r\n");
    await publisher!.expect("+PONG\r\n");
    const size = 8_000_000;
    const message = `*3\r\n$7\r\npublish\r\n$1\r\nc\r\n$${size}\r\n${"x".repeat(size)}\r\n`;
    // The socket takes some megabytes, the server holds MESSAGES_MAX_BYTES.
    let count = 0;
    while (host.shared.clients.size === 2) {
      assert(count++ * size < 2 * MESSAGES_MAX_BYTES, `${count} messages are held`);
      await publisher!.send(message);
      assert((await publisher!.readText(4)).startsWith(":"));
    }
    assert(count * size > MESSAGES_MAX_BYTES, `${count} messages were too many`);
    assertEquals(host.disconnections.count, 1);
  }));

Deno.test("Session holds more messages for a client with `client no-evict on`", () =>
  withClients(2, async ([listener, publisher], host) => {
    await listener!.send("client no-evict on\r\nsubscribe c\r\n");
    await listener!.expect("+OK\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    const size = 8_000_000;
    const message = `*3\r\n$7\r\npublish\r\n$1\r\nc\r\n$${size}\r\n${"x".repeat(size)}\r\n`;
    const count = Math.ceil(1.5 * MESSAGES_MAX_BYTES / size);
    for (let i = 0; i < count; i++) {
      await publisher!.send(message);
      await publisher!.expect(":1\r\n");
    }
    for (let i = 0; i < count; i++) {
      await listener!.expect(`*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$${size}\r\n`);
      assertEquals((await listener!.readText(size + 2)).length, size + 2);
    }
    assertEquals(host.disconnections.count, 0);
  }));

Deno.test("Session writes messages before the replies to later commands, and after those to earlier ones", () =>
  withClients(2, async ([listener, publisher], host) => {
    const message = (word: string) => `>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n${word}\r\n`;
    await listener!.send("hello 3\r\nsubscribe c\r\nping\r\n");
    while (!(await listener!.readText(1)).startsWith("+"));
    await listener!.expect("PONG\r\n");
    // While `save` waits, a message comes; the commands after `save` run later.
    await listener!.send("echo before\r\nsave\r\nunsubscribe c\r\nping\r\n");
    await until(() => listener !== undefined && host.commands >= 5, "five commands have run");
    await publisher!.send("publish c 1\r\npublish c 2\r\n");
    await publisher!.expect(":1\r\n:1\r\n");
    host.saving.resolve();
    const unsubscribed = ">3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n";
    await listener!.expect(`$6\r\nbefore\r\n+OK\r\n${message("1")}${message("2")}${unsubscribed}+PONG\r\n`);
  }));

Deno.test("Session delivers what a transaction publishes to its client between its reply and the next one", () =>
  withClients(1, async ([client]) => {
    await client!.send(
      "multi\r\nsubscribe c\r\npublish c x\r\npublish c y\r\nexec\r\nunsubscribe c\r\nget k\r\n",
    );
    const message = (word: string) => `*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n${word}\r\n`;
    await client!.expect(
      "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n:1\r\n:1\r\n" +
        `${message("x")}${message("y")}*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n$-1\r\n`,
    );
  }));

Deno.test("Session.reject() writes the reason in the client's protocol", async () => {
  const host = new TestHost(false);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = RawClient.connect(listener.addr);
  const session = new Session(await listener.accept(), host);
  const rejecting = session.reject("max number of clients reached");
  using client = await connecting;
  await client.send("ping\r\n");
  assertEquals(await client.rest(), "-ERR max number of clients reached\r\n");
  client.close();
  await rejecting;
  listener.close();
});
