import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  AUTHENTICATION_TIMEOUT_MS,
  LINGER_TIMEOUT_MS,
  PARTIAL_FRAME_MIN_BYTES_PER_MS,
  PARTIAL_FRAME_TIMEOUT_MS,
  WRITE_TIMEOUT_MS,
} from "../../src/limits.ts";
import { Session, type SessionHost } from "../../src/server/session.ts";
import { write32 } from "../../src/wire/message_pack.ts";
import { makeStore } from "../support/memory_client.ts";
import { framesOf, RawClient } from "../support/raw_client.ts";

class Host implements SessionHost {
  readonly store = makeStore();
  readonly defaultTtlMs = 0;
  readonly bugs: unknown[] = [];
  commands = 0;
  saving = Promise.withResolvers<void>();
  constructor(readonly passwordRequired = false) {}
  authenticate(_user: string, password: string): boolean {
    return password === "secret";
  }
  info(): string {
    return "";
  }
  save(): Promise<void> {
    return this.saving.promise;
  }
  /** Waits until `count` commands were begun. */
  async ran(count: number): Promise<void> {
    while (this.commands < count) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  reportBug(error: unknown): void {
    this.bugs.push(error);
  }
}

/** Runs a test with one session and its client on loopback; the session has to have ended by itself or by the test. */
async function withSession(
  run: (client: RawClient, session: Session, host: Host) => Promise<void>,
  host = new Host(),
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = RawClient.connect(listener.addr);
  const session = new Session(await listener.accept(), host);
  const running = session.run();
  using client = await connecting;
  try {
    await run(client, session, host);
  } finally {
    client.close();
    await running;
    listener.close();
  }
  assertEquals(host.bugs, []);
}

/** Whether the server has ended the connection; waits for bytes or the end. */
async function ended(client: RawClient): Promise<boolean> {
  return await client.rest() === "";
}

/**
 * Lets bytes cross the loopback interface where nothing tells that they have. Were it too short, the tests that use it
 * would pass all the same: what is not under way yet is not cut off either.
 */
function arrive(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

/** Shows that the connection works. */
async function settle(client: RawClient): Promise<void> {
  assertEquals(await client.call("ping"), "PONG");
}

Deno.test("Session.sweep() leaves an idle connection alone for ever", () =>
  withSession(async (client, session) => {
    await settle(client);
    for (let hours = 1; hours < 100; hours++) session.sweep(performance.now() + hours * 3_600_000);
    await settle(client);
  }));

Deno.test("Session.sweep() cuts off a frame that does not go on", () =>
  withSession(async (client, session, host) => {
    await settle(client);
    await client.send(framesOf(["ping"], ["set", "a", "1"]).subarray(0, 20));
    assertEquals(await client.reply(), "PONG");
    const nowMs = performance.now();
    session.sweep(nowMs);
    session.sweep(nowMs + PARTIAL_FRAME_TIMEOUT_MS - 1);
    assertEquals(host.commands, 2);
    session.sweep(nowMs + PARTIAL_FRAME_TIMEOUT_MS + 1000);
    assert(await ended(client));
    assertEquals(host.store.size, 0);
  }));

Deno.test("Session.sweep() gives a large frame more time, and a next frame its own", () =>
  withSession(async (client, session, host) => {
    const value = new Uint8Array(10_000_000);
    const frame = framesOf(["set", "a", value]);
    await client.send(frame.subarray(0, 9_900_000));
    await arrive();
    const nowMs = performance.now();
    session.sweep(nowMs);
    session.sweep(nowMs + PARTIAL_FRAME_TIMEOUT_MS + 2_000_000 / PARTIAL_FRAME_MIN_BYTES_PER_MS);
    await client.send(frame.subarray(9_900_000));
    assertEquals(await client.reply(), "OK");
    assertEquals(host.store.size, 1);
    session.sweep(nowMs + 3_700_000 - 1);
    await client.send(frame.subarray(0, 10));
    await arrive();
    session.sweep(nowMs + 3_700_000);
    session.sweep(nowMs + 3_700_000 + PARTIAL_FRAME_TIMEOUT_MS - 1000);
    await client.send(frame.subarray(10));
    assertEquals(await client.reply(), "OK");
  }));

Deno.test("Session.sweep() cuts off who does not authenticate, whatever else it sends", () =>
  withSession(async (client, session) => {
    await settle(client);
    session.sweep(performance.now() + AUTHENTICATION_TIMEOUT_MS - 1000);
    await settle(client);
    session.sweep(performance.now() + AUTHENTICATION_TIMEOUT_MS + 1000);
    assert(await ended(client));
  }, new Host(true)));

Deno.test("Session.sweep() leaves who has authenticated alone", () =>
  withSession(async (client, session) => {
    assertEquals(await client.call("auth", "secret"), "OK");
    session.sweep(performance.now() + 3_600_000);
    await settle(client);
  }, new Host(true)));

Deno.test("Session.sweep() cuts off who takes no replies, and not who takes some", () =>
  withSession(async (client, session, host) => {
    assertEquals(await client.call("set", "a", new Uint8Array(30_000_000)), "OK");
    await client.send(framesOf(["get", "a"]));
    await host.ran(2);
    await arrive();
    const nowMs = performance.now();
    session.sweep(nowMs);
    session.sweep(nowMs + WRITE_TIMEOUT_MS - 1);
    assertEquals((await client.reply() as string).length, 30_000_000);
    await client.send(framesOf(["get", "a"]));
    await host.ran(3);
    await arrive();
    session.sweep(nowMs + 100_000);
    session.sweep(nowMs + 100_000 + WRITE_TIMEOUT_MS + 1);
    assert((await client.rest()).length < 30_000_000);
  }));

Deno.test("Session.sweep() ends a refused connection whose peer does not leave", () =>
  withSession(async (client, session) => {
    const frame = new Uint8Array(100);
    write32(frame, 0, 0x1fffffff);
    await client.send(frame);
    assertStringIncludes(String(await client.reply()), "frame of 536870911 bytes");
    assert(await ended(client), "it is told that nothing more comes");
    const nowMs = performance.now();
    session.sweep(nowMs);
    session.sweep(nowMs + LINGER_TIMEOUT_MS + 1);
    // The connection is gone now: the session has ended although this side is still open.
  }));

Deno.test("Session runs nothing while a command waits, and then goes on in order", () =>
  withSession(async (client, session, host) => {
    await client.send(framesOf(["set", "a", "1"], ["save"], ["set", "a", "2"], ["get", "a"]));
    await host.ran(2);
    session.sweep(performance.now() + 3_600_000);
    assertEquals(host.commands, 2);
    host.saving.resolve();
    assertEquals(await client.replies(4), ["OK", "OK", "OK", "2"]);
  }));

Deno.test("Session.stop() waits for a command that waits, answers it and ends", () =>
  withSession(async (client, session, host) => {
    await client.send(framesOf(["save"], ["set", "a", "2"]));
    await host.ran(1);
    session.stop();
    host.saving.resolve();
    assertEquals(await client.replies(2), ["OK", "OK"]);
    assert(await ended(client));
  }));

Deno.test("Session.reject() says why, also to a client that has sent already", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connecting = RawClient.connect(listener.addr);
  const session = new Session(await listener.accept(), new Host());
  using client = await connecting;
  await client.send(framesOf(["ping"]));
  const rejecting = session.reject("no room");
  assertEquals(await client.reply(), "ERR no room");
  assert(await ended(client));
  client.close();
  await rejecting;
  listener.close();
});
