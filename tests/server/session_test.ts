import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decodeText, write32 } from "../../src/bytes.ts";
import {
  AUTHENTICATION_TIMEOUT_MS,
  LINGER_TIMEOUT_MS,
  PARTIAL_FRAME_MIN_BYTES_PER_MS,
  PARTIAL_FRAME_TIMEOUT_MS,
  WRITE_TIMEOUT_MS,
} from "../../src/limits.ts";
import { Slices } from "../../src/role/slices.ts";
import { Session } from "../../src/server/session.ts";
import { pause } from "../support/pause.ts";
import { framesOf, RawClient } from "../support/raw_client.ts";
import { TestHost } from "../support/session_host.ts";
import { until } from "../support/until.ts";

/** Slices of one step each, which are counted. */
class ShortSlices extends Slices {
  count = 0;
  override run(step: () => boolean): boolean {
    this.count++;
    return step();
  }
}

class Host extends TestHost {
  override readonly slices: ShortSlices;
  constructor(passwordRequired = false) {
    const slices = new ShortSlices();
    super(passwordRequired, slices);
    this.slices = slices;
  }
  /** Waits until `count` commands have begun. */
  ran(count: number): Promise<void> {
    return until(() => this.commands >= count, `${count} commands have run`);
  }
  /** Waits until a command has paused `count` more times. */
  paused(count: number): Promise<void> {
    const last = this.slices.count + count;
    return until(() => this.slices.count >= last, `${last} slices have ended`);
  }
  /** Waits until a long value, which is about to be read, is in its reply. */
  async replied(): Promise<void> {
    await until(() => this.store.held !== undefined, "a command holds the store");
    await until(() => this.store.held === undefined, "the store is free again");
  }
  /** Makes a walk over all keys endless. */
  walkForEver(): void {
    this.store.scan = () => 1;
  }
}

/** Runs a test with one session and its client on loopback. The session must have ended by itself or by the test. */
async function withSession(
  run: (client: RawClient, session: Session, host: Host) => Promise<void>,
  host = new Host(),
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { client, session, running } = await host.connect(listener);
  try {
    await run(client, session, host);
  } finally {
    client.close();
    await running;
    listener.close();
  }
  assertEquals(host.bugs, []);
}

/** Returns whether the server has ended the connection; waits for bytes or the end. */
async function ended(client: RawClient): Promise<boolean> {
  return await client.rest() === "";
}

/**
 * Waits until bytes have probably crossed the loopback interface, when nothing shows that they have. If it were too
 * short, the tests that use it would still pass: data that has not been sent is not cut off either.
 */
function arrive(): Promise<void> {
  return pause(100);
}

/** Checks that the connection works. */
async function settle(client: RawClient): Promise<void> {
  assertEquals(await client.call("ping"), "PONG");
}

Deno.test("Session.sweep() never ends an idle connection", () =>
  withSession(async (client, session) => {
    await settle(client);
    for (let hours = 1; hours < 100; hours++) session.sweep(performance.now() + hours * 3_600_000);
    await settle(client);
  }));

Deno.test("Session.sweep() ends a connection whose frame does not continue", () =>
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

Deno.test("Session.sweep() ends the connection of a client that does not authenticate, regardless of what else it sends", () =>
  withSession(async (client, session) => {
    await settle(client);
    session.sweep(performance.now() + AUTHENTICATION_TIMEOUT_MS - 1000);
    await settle(client);
    session.sweep(performance.now() + AUTHENTICATION_TIMEOUT_MS + 1000);
    assert(await ended(client));
  }, new Host(true)));

Deno.test("Session.sweep() does not end the connection of an authenticated client", () =>
  withSession(async (client, session) => {
    assertEquals(await client.call("auth", "secret"), "OK");
    session.sweep(performance.now() + 3_600_000);
    await settle(client);
  }, new Host(true)));

Deno.test("Session.sweep() ends the connection of a client that takes no replies, and not of one that takes some", () =>
  withSession(async (client, session, host) => {
    assertEquals(await client.call("set", "a", new Uint8Array(30_000_000)), "OK");
    await client.send(framesOf(["get", "a"]));
    await host.replied();
    const nowMs = performance.now();
    session.sweep(nowMs);
    session.sweep(nowMs + WRITE_TIMEOUT_MS - 1);
    assertEquals((await client.reply() as string).length, 30_000_000);
    await client.send(framesOf(["get", "a"]));
    await host.replied();
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
    // The session has ended although this side of the connection is still open.
  }));

Deno.test("Session does not report a client that leaves during a write before a blocking command as a bug", async () => {
  for (const ends of ["client", "session"]) {
    await withSession(async (client, session, host) => {
      const value = "x".repeat(30_000_000);
      await client.send(framesOf(["set", "a", value]));
      assertEquals(await client.reply(), "OK");
      await client.send(framesOf(["get", "a"], ["blpop", "nothing", "0"]));
      await host.replied();
      // The system does not take all bytes, so the write is in progress.
      if (ends === "client") client.close();
      else await session.abort();
    });
  }
});

Deno.test("Session runs nothing while a command waits, and then continues in order", () =>
  withSession(async (client, session, host) => {
    await client.send(framesOf(["set", "a", "1"], ["save"], ["set", "a", "2"], ["get", "a"]));
    await host.ran(2);
    session.sweep(performance.now() + 3_600_000);
    assertEquals(host.commands, 2);
    host.saving.resolve();
    assertEquals(await client.replies(4), ["OK", "OK", "OK", "2"]);
  }));

Deno.test("Session.stop() waits for a blocking command, replies to it and ends", () =>
  withSession(async (client, session, host) => {
    await client.send(framesOf(["save"], ["set", "a", "2"]));
    await host.ran(1);
    session.stop();
    host.saving.resolve();
    assertEquals(await client.replies(2), ["OK", "OK"]);
    assert(await ended(client));
  }));

Deno.test("Session runs no other command while one pauses, and then continues in order", () =>
  withSession(async (client, _session, host) => {
    const keys = Array.from({ length: 20_000 }, (_, i) => `key:${i}`);
    for (const key of keys) await client.send(framesOf(["set", key, ""]));
    await client.replies(keys.length);
    // More bytes come than the read buffer has room for, in pieces, while the pattern is still borrowed.
    await client.send(framesOf(["keys", "key:1*"], ["remove", ...keys.slice(0, 10)]));
    await host.paused(2);
    const commands = host.commands;
    const sending = client.send(framesOf(...keys.map((key) => ["exists", key])));
    await host.paused(2);
    assertEquals(host.commands, commands);
    const found = await client.reply() as string[];
    assertEquals(found.sort(), keys.filter((key) => key.startsWith("key:1")).sort());
    assertEquals(await client.reply(), 10);
    assertEquals(await client.replies(keys.length), keys.map((_, i) => i < 10 ? 0 : 1));
    await sending;
  }));

Deno.test("Session reads ahead no further than a batch while a command pauses", () =>
  withSession(async (client, session, host) => {
    host.walkForEver();
    await client.send(framesOf(["keys", "*"]));
    let sent = false;
    const frame = framesOf(["set", "a", new Uint8Array(64_000_000)]);
    const sending = client.send(frame).then(() => sent = true, () => {});
    await host.paused(100);
    assert(!sent, "it is as slow as what it waits for");
    await session.abort();
    await sending;
  }));

Deno.test("Session lets other sessions' commands run while one pauses", async () => {
  const host = new Host();
  host.walkForEver();
  await withSession(async (walking) => {
    await walking.send(framesOf(["keys", "*"]));
    await host.paused(1);
    await withSession(async (client) => {
      for (let i = 0; i < 10; i++) {
        await settle(client);
        await host.paused(1);
      }
    }, host);
  }, host);
});

Deno.test("Session ends a command that pauses after its client has left", async () => {
  for (const leave of ["close", "closeWrite"]) {
    const host = new Host();
    host.walkForEver();
    await withSession(async (client) => {
      await settle(client);
      // The next command does not hide the end.
      await client.send(framesOf(["keys", "*"], ["ping"]));
      await host.paused(2);
      if (leave === "closeWrite") {
        await client.socket.closeWrite();
        assertEquals(await client.replies(2), ["ERR the connection was ended meanwhile", "PONG"]);
        assert(await ended(client));
      } else {
        client.close();
      }
    }, host);
    // It has ended by itself, or the test would not get here.
  }
});

Deno.test("Session.stop() ends a command that pauses with an error, replies to the next one and ends", () =>
  withSession(async (client, session, host) => {
    host.walkForEver();
    await client.send(framesOf(["set", "a", "1"], ["keys", "*"], ["get", "a"]));
    await host.paused(2);
    session.stop();
    assertEquals(await client.replies(3), ["OK", "ERR the server is stopping", "1"]);
    assert(await ended(client));
  }));

Deno.test("Session.abort() ends a command that pauses", () =>
  withSession(async (client, session, host) => {
    host.walkForEver();
    await client.send(framesOf(["keys", "*"]));
    await host.paused(2);
    // A client that waits is idle, not slow.
    session.sweep(performance.now() + 3_600_000);
    await host.paused(2);
    await session.abort();
    assert(await ended(client));
  }));

Deno.test("Session serves other clients while it writes much, and keeps the bytes in order", () =>
  withSession(async (client, _session, host) => {
    const value = new Uint8Array(3_000_000).map((_, i) => i % 251);
    assertEquals(await client.call("set", "a", value), "OK");
    assertEquals(await client.call("set", "b", value.subarray(0, 100_000)), "OK");
    let turns = 0;
    const next = host.slices.next.bind(host.slices);
    host.slices.next = () => {
      turns++;
      return next();
    };
    const names = Array.from({ length: 12 }, (_, i) => i % 3 === 0 ? "a" : "b");
    await client.send(framesOf(["mget", ...names], ...names.map((name) => ["get", name])));
    const expected = { a: decodeText(value), b: decodeText(value, 0, 100_000) };
    const all = names.map((name) => expected[name as "a" | "b"]);
    const [first, ...others] = await client.replies(13) as [string[], ...string[]];
    assert(first.every((each, i) => each === all[i]) && others.every((each, i) => each === all[i]));
    assert(turns >= 4, `${turns} turns`);
  }));

Deno.test("Session.reject() writes the reason, even to a client that has already sent bytes", async () => {
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
