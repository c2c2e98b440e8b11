import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { connectionSettings } from "../../src/client/client.ts";
import type { ConnectOptions } from "../../src/client/client.ts";
import { ConnectionError, ReplyError } from "../../src/errors.ts";
import { BULK_BATCH_BYTES, BULK_IN_FLIGHT_MAX_BYTES } from "../../src/limits.ts";
import type { BulkReply } from "../../src/load/bulk_reply.ts";
import { type BulkProtocol, BulkStream, type ReplyConsumer } from "../../src/load/bulk_stream.ts";
import type { Socket } from "../../src/net/socket.ts";
import { FakeServer } from "../support/fake_server.ts";
import type { FakeHandler } from "../support/fake_server.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

const PROTOCOLS: readonly BulkProtocol[] = ["native", "resp"];

/** Keeps what each reply says. */
class Collector implements ReplyConsumer {
  readonly texts: string[] = [];

  take(reply: BulkReply): void {
    const value = reply.value();
    if (value instanceof ReplyError) this.texts.push(`${value.code} ${value.message}`);
    else if (value instanceof Uint8Array) this.texts.push(new TextDecoder().decode(value));
    else this.texts.push(String(value));
  }
}

function echo(request: string[], peer: Parameters<FakeHandler>[1]): void {
  if (request[0] === "auth") request[1] === "right" ? peer.reply("OK") : peer.refuse("WRONGPASS", "no");
  else if (request[0] === "bad") peer.refuse("ERR", "no such thing");
  else if (request[0] === "cut") peer.close();
  else if (request[0] !== "silent") peer.reply(encodeText(request.slice(1).join(" ")));
}

async function open(
  server: { port: number },
  protocol: BulkProtocol,
  consumer: ReplyConsumer,
  options: ConnectOptions = {},
): Promise<BulkStream> {
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true, ...options });
  return await BulkStream.open(settings, protocol, consumer);
}

for (const protocol of PROTOCOLS) {
  Deno.test(`a bulk stream hands over the replies in order (${protocol})`, async () => {
    await using server = new FakeServer(echo);
    const consumer = new Collector();
    await using stream = await open(server, protocol, consumer);
    const expected: string[] = [];
    for (let i = 0; i < 20_000; i++) {
      if (!stream.hasRoom) await stream.room();
      const value = i % 1000 === 999 ? "x".repeat(i) : String(i);
      expected.push(i % 7 === 3 ? "ERR no such thing" : value);
      stream.add(i % 7 === 3 ? ["bad"] : ["echo", i % 2 === 0 ? value : encodeText(value)]);
    }
    await stream.drained();
    assertEquals(stream.lost, undefined);
    assertEquals(consumer.texts, expected);
    assertEquals([stream.addedCount, stream.writtenCount, stream.repliedCount], [20_000, 20_000, 20_000]);
  });

  Deno.test(`a bulk stream sends the next password when one is refused (${protocol})`, async () => {
    await using server = new FakeServer(echo);
    const consumer = new Collector();
    await using stream = await open(server, protocol, consumer, { password: ["wrong", "right"] });
    stream.add(["echo", "a"]);
    await stream.drained();
    assertEquals(consumer.texts, ["a"]);
    assertEquals(server.requests, [["auth", "wrong"], ["auth", "right"], ["echo", "a"]]);
    const refused = await assertRejects(() => open(server, protocol, consumer, { password: "wrong" }), ReplyError);
    assertEquals(refused.code, "WRONGPASS");
  });

  Deno.test(`a bulk stream says which requests were replied to when the connection is lost (${protocol})`, async () => {
    for (const before of [0, 1, 500]) {
      await using server = new FakeServer(echo);
      const consumer = new Collector();
      await using stream = await open(server, protocol, consumer);
      for (let i = 0; i < before; i++) stream.add(["echo", i]);
      for (const name of ["cut", "echo", "echo"]) stream.add([name]);
      await stream.drained();
      assertMatch(stream.lost!.message, /^Lost the connection to 127\.0\.0\.1:[0-9]+: the other side closed it$/);
      assert(stream.lost!.sent);
      assertEquals([consumer.texts.length, stream.repliedCount], [before, before]);
      assertEquals([stream.writtenCount, stream.addedCount], [before + 3, before + 3]);
      assert(!stream.hasRoom);
      await stream.room();
      stream.add(["echo"]);
      assertEquals(stream.addedCount, before + 3);
    }
  });

  Deno.test(`a bulk stream does not send requests after the loss (${protocol})`, async () => {
    await using server = new FakeServer(echo);
    const consumer = new Collector();
    await using stream = await open(server, protocol, consumer);
    stream.add(["cut"]);
    await stream.drained();
    assertEquals(stream.lost!.sent, true);
    await using idle = await open(server, protocol, consumer);
    await idle.close();
    assertEquals(idle.lost!.sent, false);
    assertEquals([idle.addedCount, idle.writtenCount], [0, 0]);
  });

  Deno.test(`a bulk stream refuses what is not a reply, and replies to nothing (${protocol})`, async () => {
    await using server = new FakeServer((request, peer) => peer.write(encodeText(request[1]!)));
    for (const noise of ["HTTP/1.1 400 Bad Request\r\n\r\n", "\x00\x00\x00\x00".repeat(10)]) {
      await using stream = await open(server, protocol, new Collector());
      stream.add(["say", noise]);
      await stream.drained();
      const name = protocol === "native" ? "inmem" : "Redis";
      assertEquals(
        stream.lost!.message,
        `Cannot understand ${stream.address}: its replies are not in the protocol of ${name}`,
      );
      assertEquals(stream.repliedCount, 0);
    }
    await using server2 = new FakeServer((_request, peer) => {
      peer.reply("one");
      peer.reply("two");
    });
    const consumer = new Collector();
    await using stream = await open(server2, protocol, consumer);
    stream.add(["say"]);
    await until(() => stream.lost !== undefined, "a reply without a request to be refused");
    assertEquals(consumer.texts, ["one"]);
  });

  Deno.test(`a bulk stream gives a silent server up, but not one that makes progress (${protocol})`, async () => {
    await using server = new FakeServer((request, peer) => {
      if (request[0] === "slow") peer.pause(60);
      echo(request, peer);
    });
    const consumer = new Collector();
    await using stream = await open(server, protocol, consumer, { timeoutMs: 150 });
    for (let i = 0; i < 5; i++) stream.add(["slow", i]);
    await stream.drained();
    assertEquals(consumer.texts, ["0", "1", "2", "3", "4"]);
    stream.add(["silent"], 200);
    const begunMs = performance.now();
    await stream.drained();
    assertMatch(stream.lost!.message, /^No answer from .* in time$/);
    // A timer may fire half a millisecond early.
    assert(performance.now() - begunMs >= 349, `gave up after ${performance.now() - begunMs} ms`);
    assertEquals(stream.repliedCount, 5);
  });

  Deno.test(`a bulk stream waits without end for a command that does (${protocol})`, async () => {
    const released = Promise.withResolvers<void>();
    await using server = new FakeServer((request, peer) => {
      if (request[0] === "blpop") peer.hold(released.promise);
      if (request[0] === "slow") peer.pause(60);
      echo(request, peer);
    });
    const consumer = new Collector();
    await using stream = await open(server, protocol, consumer, { timeoutMs: 20 });
    stream.add(["blpop", "0"], Infinity);
    stream.add(["echo", "a"]);
    await pause(60);
    released.resolve();
    await stream.drained();
    assertEquals([stream.lost, consumer.texts], [undefined, ["0", "a"]]);
    // The replies before may come together with that of the command that waits.
    stream.add(["slow"]);
    stream.add(["blpop", "1"], 1000);
    await stream.drained();
    assertEquals([stream.lost, consumer.texts.length], [undefined, 4]);
  });

  Deno.test(`a bulk stream does not read while its consumer is not ready (${protocol})`, async () => {
    await using server = new FakeServer(echo);
    const ready = Promise.withResolvers<void>();
    let takenCount = 0;
    await using stream = await open(server, protocol, {
      take: () => void takenCount++,
      taken: () => ready.promise,
    }, { timeoutMs: 30 });
    stream.add(["echo", "a"]);
    await until(() => takenCount === 1, "the first reply");
    stream.add(["echo", "b"]);
    await pause(80);
    // The server is not late: what it has sent is not read.
    assertEquals([takenCount, stream.lost], [1, undefined]);
    ready.resolve();
    await stream.drained();
    assertEquals([takenCount, stream.lost], [2, undefined]);
  });

  Deno.test(`a bulk stream can be closed in each state (${protocol})`, async () => {
    await using server = new FakeServer(echo);
    const never = new Promise<void>(() => {});
    const idle = await open(server, protocol, new Collector());
    await idle.close();
    await idle.close();
    const waiting = await open(server, protocol, new Collector());
    waiting.add(["silent"]);
    const drained = waiting.drained();
    await waiting.close();
    await drained;
    const held = await open(server, protocol, { take: () => {}, taken: () => never });
    held.add(["echo", "a"]);
    await held.drained();
    await held.close();
    const aborter = new AbortController();
    const aborted = await open(server, protocol, new Collector(), { signal: aborter.signal });
    aborted.add(["silent"]);
    aborter.abort();
    await aborted.drained();
    assertMatch(aborted.lost!.message, /was aborted$/);
    await aborted.close();
  });

  Deno.test(`a bulk stream passes on a bug of its consumer (${protocol})`, async () => {
    await using server = new FakeServer(echo);
    await using stream = await open(server, protocol, {
      take(): void {
        throw new TypeError("a bug");
      },
    });
    stream.add(["echo", "a"]);
    await assertRejects(() => stream.drained(), TypeError, "a bug");
    await assertRejects(() => stream.room(), TypeError, "a bug");
  });

  Deno.test(`a bulk stream adds nothing of a request that is refused (${protocol})`, async () => {
    await using server = new FakeServer(echo);
    const consumer = new Collector();
    await using stream = await open(server, protocol, consumer);
    if (protocol === "native") {
      let refused = 0;
      for (const request of [[], ["x", {} as unknown as string]]) {
        try {
          stream.add(request);
        } catch {
          refused++;
        }
      }
      assertEquals([refused, stream.addedCount], [2, 0]);
    }
    stream.addEncoded(
      protocol === "native"
        ? Uint8Array.from([0, 0, 0, 8, 0x92, 0xa4, 0x65, 0x63, 0x68, 0x6f, 0xa1, 0x61])
        : encodeText("*2\r\n$4\r\necho\r\n$1\r\na\r\n"),
      1,
    );
    await stream.drained();
    assertEquals([consumer.texts, stream.repliedCount], [["a"], 1]);
  });

  Deno.test(`a bulk stream bounds what is in flight (${protocol})`, async () => {
    const released = Promise.withResolvers<void>();
    await using server = new FakeServer((request, peer) => {
      peer.hold(released.promise);
      echo(request, peer);
    });
    const consumer = new Collector();
    await using stream = await open(server, protocol, consumer);
    stream.inFlightMaxCount = 10;
    let count = 0;
    while (stream.hasRoom) {
      stream.add(["echo", count++]);
      await pause(0);
    }
    assertEquals(count, 10);
    stream.inFlightMaxCount = Infinity;
    const value = new Uint8Array(BULK_BATCH_BYTES / 2);
    while (stream.hasRoom) {
      stream.add(["echo", value]);
      count++;
      await pause(0);
    }
    const mostCount = 10 + (BULK_IN_FLIGHT_MAX_BYTES + BULK_BATCH_BYTES) / value.length;
    assert(count <= mostCount, `${count} requests in flight, expected at most ${mostCount}`);
    released.resolve();
    await stream.drained();
    assertEquals([stream.repliedCount, consumer.texts.length], [count, count]);
    // A single request may be larger than all that is allowed.
    assert(stream.hasRoom);
    stream.add(["echo", new Uint8Array(BULK_IN_FLIGHT_MAX_BYTES + 1)]);
    await stream.drained();
    assertEquals(consumer.texts.at(-1)!.length, BULK_IN_FLIGHT_MAX_BYTES + 1);
  });
}

Deno.test("BulkStream.open() names the reason why there is no connection", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const refused = await assertRejects(() => open({ port }, "resp", new Collector()), ConnectionError);
  assertMatch(refused.message, /nobody listens/);
  // It accepts, and never replies to the password.
  await using server = new FakeServer(() => {});
  const options = { timeoutMs: 50, password: "x" };
  const silent = await assertRejects(() => open(server, "resp", new Collector(), options), ConnectionError);
  assertMatch(silent.message, /no answer within 50 ms$/);
  await using closing = new FakeServer((_request, peer) => void peer.close());
  const cut = await assertRejects(() => open(closing, "native", new Collector(), { password: "x" }), ConnectionError);
  assertMatch(cut.message, /the other side closed it$/);
});

/** A socket whose second write fails while its last replies can still be read. */
class HalfSocket implements Socket {
  readonly localAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 1 };
  readonly remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 2 };
  readonly #unread: Uint8Array[];
  readonly #first = Promise.withResolvers<void>();
  #writes = 0;

  constructor(unread: Uint8Array[]) {
    this.#unread = unread;
  }

  async read(target: Uint8Array): Promise<number | null> {
    await this.#first.promise;
    const next = this.#unread.shift();
    if (next === undefined) return null;
    target.set(next);
    return next.length;
  }

  write(source: Uint8Array): Promise<number> {
    if (this.#writes++ > 0) return Promise.reject(new Deno.errors.BrokenPipe("gone"));
    // The replies arrive while the second write fails.
    setTimeout(() => this.#first.resolve(), 5);
    return Promise.resolve(source.length);
  }

  close(): void {}
}

Deno.test("a bulk stream reads the last replies after a write has failed", async () => {
  const socket = new HalfSocket([encodeText("+a\r"), encodeText("\n+b\r\n")]);
  const settings = await connectionSettings({ addr: "127.0.0.1:1", plaintext: true });
  const consumer = new Collector();
  settings.open = () => Promise.resolve(socket);
  await using stream = await BulkStream.open(settings, "resp", consumer);
  stream.add(["one"]);
  stream.add(["two"]);
  stream.add(["three"]);
  await Promise.resolve();
  await pause(0);
  stream.add(["four"]);
  await stream.drained();
  assertEquals(consumer.texts, ["a", "b"]);
  assertEquals([stream.repliedCount, stream.writtenCount], [2, 4]);
});
