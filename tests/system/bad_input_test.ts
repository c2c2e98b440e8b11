/**
 * Sends bytes that our clients never send, to a server and to a proxy. Each connection gets a clear error where the
 * protocol allows one, and is closed where framing is lost. No other connection is affected.
 */

import { assert, assertEquals, assertInstanceOf, assertMatch, assertStringIncludes } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { encodeText, write32 } from "../../src/bytes.ts";
import { ReplyError } from "../../src/errors.ts";
import { FRAME_SIZE_MAX_BYTES, FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES } from "../../src/limits.ts";
import { decodeReply, type Value } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { longOnly } from "../support/amount.ts";
import { concat, fromHex, toHex } from "../support/hex.ts";
import { Launcher, systemTest } from "../support/launcher.ts";
import type { Role } from "../support/launcher.ts";
import type { RawClient } from "../support/raw_client.ts";
import { until } from "../support/until.ts";

function frameOf(...request: Argument[]): Uint8Array {
  const writer = new NativeRequestWriter();
  writer.add(request);
  return writer.take();
}

/** Returns a frame of the given bytes. */
function framed(hex: string): Uint8Array {
  const body = fromHex(hex);
  const frame = new Uint8Array(FRAME_PREFIX_BYTES + body.length);
  write32(frame, 0, body.length);
  frame.set(body, FRAME_PREFIX_BYTES);
  return frame;
}

function prefix(length: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_PREFIX_BYTES);
  write32(bytes, 0, length);
  return bytes;
}

/** Returns all replies in the bytes that were read. */
function repliesIn(bytes: Uint8Array): (Value | ReplyError)[] {
  const replies: (Value | ReplyError)[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = at + FRAME_PREFIX_BYTES + frameLength(bytes, at);
    assert(end <= bytes.length, `a reply is cut: ${toHex(bytes.subarray(0, 200))}`);
    replies.push(decodeReply(bytes, at + FRAME_PREFIX_BYTES, end));
    at = end;
  }
  return replies;
}

async function readReply(connection: RawClient): Promise<Value | ReplyError> {
  const [reply] = repliesIn(await connection.readFrame());
  return reply!;
}

function assertProtocolError(reply: Value | ReplyError | undefined, what: string): void {
  assertInstanceOf(reply, ReplyError, what);
  assertEquals(reply.code, "ERR", what);
  assertMatch(reply.message, /protocol error/i, what);
}

/** Frames that are complete but not a request. */
const MALFORMED: Record<string, string> = {
  "an empty frame": "",
  "an empty array": "90",
  "nil": "c0",
  "a map": "81 a1 61 a1 62",
  "a str": "a4 70 69 6e 67",
  "an integer as argument": "92 a3 67 65 74 05",
  "a nested array": "92 a3 67 65 74 91 a1 61",
  "a count beyond the frame": "93 a3 67 65 74 a1 61",
  "a count of 4 G": "dd ff ff ff ff a3 67 65 74",
  "a length beyond the frame": "92 a3 67 65 74 c6 ff ff ff ff 61",
  "bytes after the request": "91 a4 70 69 6e 67 00",
  "the byte that MessagePack never uses": "c1",
  "random bytes": "8f 3b 19 cc fe",
};

/** The first bytes of other protocols. */
const FOREIGN: Record<string, Uint8Array> = {
  "HTTP": encodeText("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
  "HTTP in lower case": encodeText("post / http/1.1\r\n\r\n"),
  "memcached's binary": fromHex("80 00 00 03 00 00 00 00"),
  "bytes above 0x7f": new Uint8Array(100).fill(0xff),
  "white space": encodeText("  \r\n"),
};

systemTest("bad bytes affect only their sender", async (launcher, test) => {
  const { servers, proxy } = await launcher.cluster();
  for (const [name, role] of Object.entries({ server: servers[0]!, proxy })) {
    await test.step(name, (inner) => exercise(inner, launcher, role));
  }
});

async function exercise(test: Deno.TestContext, launcher: Launcher, role: Role): Promise<void> {
  // This client works during the whole test.
  const witness = await launcher.connect(role);
  await witness.set("witness", "untouched");
  const check = async () => assertEquals(await witness.getText("witness"), "untouched");

  await test.step("a malformed frame gets an error, and the next one runs", async () => {
    using connection = await launcher.raw(role);
    for (const [what, hex] of Object.entries(MALFORMED)) {
      await connection.send(concat(framed(hex), frameOf("ping")));
      assertProtocolError(await readReply(connection), what);
      assertEquals(await readReply(connection), "PONG", `the request after ${what}`);
    }
    await check();
  });

  await test.step("requests before an oversized frame get replies, then the error, then the connection ends", async () => {
    for (const length of [FRAME_SIZE_MAX_BYTES + 1, 0x1fffffff]) {
      using connection = await launcher.raw(role);
      await connection.send(concat(frameOf("ping"), frameOf("echo", "x"), prefix(length), frameOf("ping")));
      const replies = repliesIn(await connection.readToEnd());
      assertEquals(replies.length, 3, `length ${length}`);
      assertEquals(replies.slice(0, 2), ["PONG", encodeText("x")]);
      assertInstanceOf(replies[2], ReplyError);
      assertEquals(replies[2].code, "ERR");
      await check();
    }
  });

  await test.step("an announced frame that does not arrive uses no memory, and no other client waits for it", async () => {
    using connection = await launcher.raw(role);
    await connection.send(concat(frameOf("ping"), prefix(FRAME_SIZE_MAX_BYTES), Uint8Array.of(0x92)));
    assertEquals(await readReply(connection), "PONG");
    await check();
  });

  await test.step("half a frame and the end of the connection run nothing", async () => {
    const frame = frameOf("set", "witness", "changed");
    for (const cut of [1, 3, 4, 5, frame.length - 1]) {
      using connection = await launcher.raw(role);
      await connection.send(frame.subarray(0, cut));
    }
    await check();
  });

  await test.step("a frame may arrive byte by byte", async () => {
    using connection = await launcher.raw(role);
    for (const byte of frameOf("echo", "slowly")) await connection.send(Uint8Array.of(byte));
    assertEquals(await readReply(connection), encodeText("slowly"));
  });

  await test.step("connections of other protocols are closed immediately", async () => {
    for (const [what, bytes] of Object.entries(FOREIGN)) {
      using connection = await launcher.raw(role);
      await connection.send(bytes);
      const received = new TextDecoder().decode(await connection.readToEnd(5_000));
      assertMatch(received, /^(-ERR .*\r\n)+$/, what);
    }
    await check();
  });

  await test.step("a connection without TLS is closed", async () => {
    const [hostname = "", port] = role.address.split(":");
    for (const bytes of [encodeText("GET / HTTP/1.1\r\n\r\n"), frameOf("ping"), new Uint8Array(1000)]) {
      const plain = await Deno.connect({ hostname, port: Number(port) });
      try {
        await plain.write(bytes);
        const buffer = new Uint8Array(1000);
        let read = 0;
        // A TLS alert may arrive first.
        for (let count = await plain.read(buffer); count !== null; count = await plain.read(buffer)) read += count;
        assert(read < 100, `${read} bytes before authentication`);
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      } finally {
        plain.close();
      }
    }
    await check();
  });

  await test.step("random bytes do no harm", async () => {
    const seed = pickSeed();
    console.log(`seed ${seed}`);
    const random = new Random(seed);
    for (let round = 0; round < 60; round++) {
      using connection = await launcher.raw(role);
      const bytes = random.bytes(1 + random.below(2_000));
      // Half of the inputs are a frame, so that the decoder sees them.
      if (random.chance(0.5)) write32(bytes, 0, bytes.length < 4 ? 0 : bytes.length - 4);
      else bytes[0] = random.below(0x20);
      await connection.send(bytes).catch(() => {});
    }
    await check();
  });

  await test.step("pipelined requests get replies in order, over many writes", async () => {
    using connection = await launcher.raw(role);
    const count = 5_000;
    const all = concat(...Array.from({ length: count }, (_, index) => frameOf("echo", String(index))));
    const sending = (async () => {
      for (let at = 0; at < all.length; at += 1_009) await connection.send(all.subarray(at, at + 1_009));
    })();
    for (let index = 0; index < count; index++) {
      assertEquals(await readReply(connection), encodeText(String(index)));
    }
    await sending;
  });
}

systemTest(
  "before authentication a frame has at most 16 KiB, and the connection lives 5 s",
  longOnly,
  async (launcher) => {
    const password = launcher.path("password");
    await Deno.writeTextFile(password, "secret", { mode: 0o600 });
    const server = await launcher.server(["--password-file", password]);
    const proxy = await launcher.proxy(await launcher.serversFile([server.address]), ["--password-file", password]);
    await Promise.all([server, proxy].map(async (role) => {
      using silent = await launcher.raw(role);
      using talking = await launcher.raw(role);
      await talking.send(frameOf("ping"));
      const began = performance.now();
      const cutOff = [silent, talking].map((each) => each.readToEnd(9_000).then(() => performance.now() - began));
      {
        using large = await launcher.raw(role);
        await large.send(concat(frameOf("ping"), prefix(FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES + 1)));
        const replies = repliesIn(await large.readToEnd());
        assertEquals(replies[0], "PONG");
        assertInstanceOf(replies[1], ReplyError);
      }
      {
        using client = await launcher.raw(role);
        const large = new Uint8Array(FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES * 2);
        await client.send(concat(frameOf("get", "x"), frameOf("auth", "wrong"), frameOf("auth", "secret")));
        const [first, second, third] = [await readReply(client), await readReply(client), await readReply(client)];
        assertInstanceOf(first, ReplyError);
        assertInstanceOf(second, ReplyError);
        assertEquals([first.code, second.code, third], ["NOAUTH", "WRONGPASS", "OK"]);
        await client.send(frameOf("set", "x", large));
        assertEquals(await readReply(client), "OK");
        for (const lived of await Promise.all(cutOff)) {
          assert(lived > 3_000 && lived < 8_500, `the connection was closed after ${lived} ms`);
        }
        await client.send(frameOf("strlen", "x"));
        assertEquals(await readReply(client), large.length);
      }
    }));
  },
);

systemTest("connections beyond --max-clients get an error, and freed capacity is used", async (launcher) => {
  const server = await launcher.server(["--max-clients", "2"]);
  const first = await launcher.connect(server);
  const second = await launcher.connect(server);
  {
    using third = await launcher.raw(server);
    // The server chooses the protocol of the error when the client has sent its first bytes.
    await third.send(frameOf("ping"));
    const [reply] = repliesIn(await third.readToEnd());
    assertInstanceOf(reply, ReplyError);
    assertStringIncludes(reply.message, "max number of clients");
  }
  await first.set("x", "42");
  await second.close();
  await until(async () => {
    using another = await launcher.raw(server);
    await another.send(frameOf("get", "x"));
    const reply = await readReply(another).catch(() => undefined);
    return reply instanceof Uint8Array;
  }, "a third client is served once the second has left");
});
