import { assert, assertEquals } from "@std/assert";
import { Peer, PeerEnds } from "../../src/net/peer_ends.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { pause } from "../support/pause.ts";

const hostname = "127.0.0.1";

/** Both ends of a connection, and the watched peer of the first. */
interface Pair {
  readonly own: Deno.TcpConn | Deno.TlsConn;
  readonly other: Deno.TcpConn | Deno.TlsConn;
  readonly peer: Peer;
}

/** Runs a test with `count` connections, and with the indexes of those whose end was reported, in order. */
async function withPairs(
  count: number,
  run: (ends: PeerEnds, pairs: readonly Pair[], reported: number[]) => Promise<void> | void,
  host = hostname,
): Promise<void> {
  const listener = Deno.listen({ hostname: host, port: 0 });
  const reported: number[] = [];
  const pairs: Pair[] = [];
  const ends = PeerEnds.open();
  try {
    for (let i = 0; i < count; i++) {
      const connecting = Deno.connect({ hostname: host, port: listener.addr.port });
      const own = await listener.accept();
      const peer = new Peer(own, () => reported.push(i));
      ends.add(peer);
      pairs.push({ own, other: await connecting, peer });
    }
    await run(ends, pairs, reported);
  } finally {
    ends[Symbol.dispose]();
    ends[Symbol.dispose]();
    for (const { own, other } of pairs) for (const socket of [own, other]) closeOnce(socket);
    listener.close();
  }
}

function closeOnce(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch (error) {
    assert(error instanceof Deno.errors.BadResource);
  }
}

Deno.test("PeerEnds look() reports an end immediately, once, and only of watched connections", () =>
  withPairs(4, async (ends, pairs, reported) => {
    for (const { peer } of pairs.slice(0, 3)) assert(ends.watch(peer));
    ends.look();
    assertEquals(reported, []);
    pairs[2]!.other.close();
    await pairs[1]!.other.closeWrite();
    pairs[3]!.other.close();
    ends.look();
    assertEquals(reported.sort(), [1, 2]);
    ends.look();
    assertEquals(reported.length, 2);
    // This connection has ended before it was watched.
    assert(ends.watch(pairs[3]!.peer));
    ends.look();
    assertEquals(reported, [1, 2, 3]);
  }));

Deno.test("PeerEnds look() reports an end after unread bytes, and no end for bytes alone", () =>
  withPairs(2, async (ends, pairs, reported) => {
    for (const { peer, other } of pairs) {
      ends.watch(peer);
      await other.write(new Uint8Array(50_000));
    }
    ends.look();
    assertEquals(reported, []);
    assert(ends.hasInput(pairs[0]!.peer));
    pairs[0]!.other.close();
    ends.look();
    assertEquals(reported, [0]);
    assertEquals(await pairs[1]!.own.read(new Uint8Array(100_000)), 50_000);
    assert(!ends.hasInput(pairs[1]!.peer));
  }));

Deno.test("PeerEnds look() reports a reset connection", () =>
  withPairs(1, async (ends, [pair], reported) => {
    ends.watch(pair!.peer);
    await pair!.own.write(new Uint8Array(1));
    // Closing with a byte unread resets the connection.
    pair!.other.close();
    ends.look();
    assertEquals(reported, [0]);
  }));

Deno.test("PeerEnds watch() returns false for a connection that was reset before", () =>
  withPairs(1, async (ends, [pair], reported) => {
    await pair!.own.write(new Uint8Array(1));
    pair!.other.close();
    assertEquals(ends.watch(pair!.peer), false);
    assertEquals(ends.watch(pair!.peer), false);
    ends.look();
    assertEquals([reported, ends.hasInput(pair!.peer)], [[], false]);
  }));

Deno.test("PeerEnds look() reports no removed connection, even if its descriptor is reused", () =>
  withPairs(3, async (ends, pairs, reported) => {
    for (const { peer } of pairs) ends.watch(peer);
    for (let i = 0; i < 2; i++) {
      ends.remove(pairs[i]!.peer);
      ends.remove(pairs[i]!.peer);
    }
    pairs[0]!.other.close();
    ends.look();
    pairs[1]!.own.close();
    pairs[1]!.other.close();
    // These connections get the free descriptors.
    await withPairs(5, async (others, newPairs, newReported) => {
      for (const { peer } of newPairs) {
        ends.add(peer);
        assert(ends.watch(peer));
      }
      newPairs[4]!.other.close();
      ends.look();
      assertEquals([reported, newReported], [[], [4]]);
      others.look();
      await pause(0);
    });
    pairs[2]!.other.close();
    ends.look();
    assertEquals(reported, [2]);
  }));

Deno.test("PeerEnds look() reports all of many ends, and sees each watched one among many others", () =>
  withPairs(300, (ends, pairs, reported) => {
    for (let i = pairs.length - 1; i >= 0; i -= 2) assert(ends.watch(pairs[i]!.peer));
    for (const { other } of pairs) other.close();
    ends.look();
    assertEquals(reported.sort((a, b) => a - b), Array.from({ length: 150 }, (_, i) => 2 * i + 1));
  }));

Deno.test("PeerEnds look() forgets a connection that is removed while it reports another", async () => {
  await withPairs(1, (ends, [first], reported) =>
    withPairs(1, (_, [second]) => {
      const peer: Peer = new Peer(second!.own, () => ends.remove(first!.peer));
      ends.add(peer);
      ends.watch(peer);
      ends.watch(first!.peer);
      second!.other.close();
      first!.other.close();
      ends.look();
      assertEquals(reported, []);
    }));
});

Deno.test("PeerEnds finds a connection whose descriptor was another's, and one with a port of another", () =>
  withPairs(6, async (_, pairs) => {
    const ends = PeerEnds.open();
    const reported: string[] = [];
    // Both ends of each connection have descriptors here, but only some of those of one side are known.
    const peers = pairs.map(({ own }, i) => new Peer(own, () => reported.push(`own ${i}`)));
    for (const peer of peers.slice(0, 3)) ends.add(peer);
    assert(ends.watch(peers[2]!));
    // A connection of another owner is closed, and a new one gets its descriptor.
    pairs[4]!.own.close();
    pairs[4]!.other.close();
    const listener = Deno.listen({ hostname, port: 0 });
    const connecting = Deno.connect({ hostname, port: listener.addr.port });
    const own = await listener.accept();
    const other = await connecting;
    const late = new Peer(own, () => reported.push("late"));
    ends.add(late);
    assert(ends.watch(late));
    // This is a connection to a port that a client also has.
    const twin = Deno.listen({ hostname: "127.0.0.2", port: pairs[0]!.other.localAddr.port });
    const twinOther = await Deno.connect({ hostname: "127.0.0.2", port: twin.addr.port });
    const twinOwn = await twin.accept();
    assert(ends.watch(peers[0]!));
    assert(ends.watch(peers[1]!));
    twinOwn.close();
    ends.look();
    assertEquals(reported, []);
    for (const socket of [pairs[0]!.other, pairs[1]!.other, other]) socket.close();
    ends.look();
    assertEquals(reported.sort(), ["late", "own 0", "own 1"]);
    ends[Symbol.dispose]();
    for (const each of [own, listener, twin, twinOther]) each.close();
  }));

Deno.test("PeerEnds watches IPv6 as well", () =>
  withPairs(2, (ends, pairs, reported) => {
    for (const { peer } of pairs) assert(ends.watch(peer));
    pairs[1]!.other.close();
    ends.look();
    assertEquals(reported, [1]);
  }, "::1"));

Deno.test("PeerEnds look() reports the end of a connection with TLS, regardless of unread bytes", async () => {
  const authority = await makeAuthority(Date.now());
  const certificate = await makeServerCertificate(authority, [hostname], Date.now());
  const listener = Deno.listenTls({ hostname, port: 0, ...certificate });
  const connecting = Deno.connectTls({ hostname, port: listener.addr.port, caCerts: [authority.cert] });
  const own = await listener.accept();
  const handshake = own.handshake();
  const other = await connecting;
  await handshake;
  const ends = PeerEnds.open();
  let reported = 0;
  const peer = new Peer(own, () => reported++);
  ends.add(peer);
  assert(ends.watch(peer));
  await other.write(new Uint8Array(30_000));
  ends.look();
  assertEquals(reported, 0);
  await other.closeWrite();
  ends.look();
  assertEquals(reported, 1);
  ends[Symbol.dispose]();
  // After the end nothing is reported, and nothing breaks.
  assertEquals(ends.watch(new Peer(own, () => reported++)), false);
  ends.look();
  for (const each of [own, other, listener]) each.close();
});
