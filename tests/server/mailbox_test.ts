import { assertEquals } from "@std/assert";
import { startServer } from "../../src/server/main.ts";
import { RespClient } from "../support/resp_client.ts";
import { encodeCommand, encodeFrame } from "../support/resp_frames.ts";

const MESSAGE = "message\r\n$1\r\nc\r\n$1\r\nm\r\n";

/** Runs `body` with the port of a server. */
async function withServer(body: (port: number) => Promise<void>): Promise<void> {
  const server = await startServer({
    hostname: "127.0.0.1",
    port: 0,
    memoryLimitBytes: 16 * 1024 * 1024,
    evicts: true,
    defaultTtlMs: 0,
    maxClients: 100,
    logger: { info() {}, warn() {}, error: (message, fields) => console.error(message, fields) },
  });
  try {
    await body(server.address.port);
  } finally {
    await server.stop();
  }
}

Deno.test("Mailbox delivers what is published while its session writes", () =>
  withServer(async (port) => {
    for (let round = 0; round < 100; round++) {
      using listener = await RespClient.connect(port);
      using publisher = await RespClient.connect(port);
      await listener.call("HELLO", "3");
      await publisher.call("PING");
      // The message usually comes while the confirmation is being written.
      await listener.send(encodeCommand(["SUBSCRIBE", "c"]));
      while ((await publisher.call("PUBLISH", "c", "m")).line === "0");
      await listener.frame();
      assertEquals(encodeFrame(await listener.frame()), `>3\r\n$7\r\n${MESSAGE}`);
    }
  }));

Deno.test("Mailbox delivers what is published while its session waits for an element", () =>
  withServer(async (port) => {
    using listener = await RespClient.connect(port);
    using publisher = await RespClient.connect(port);
    await listener.call("HELLO", "3");
    await listener.send(["SUBSCRIBE c", "BLPOP l 0"].map((line) => encodeCommand(line.split(" "))).join(""));
    await listener.frame();
    while ((await publisher.call("PUBLISH", "c", "m")).line === "0");
    assertEquals(encodeFrame(await listener.frame()), `>3\r\n$7\r\n${MESSAGE}`);
    await publisher.call("RPUSH", "l", "x");
    assertEquals(encodeFrame(await listener.frame()), "*2\r\n$1\r\nl\r\n$1\r\nx\r\n");
  }));

Deno.test("Mailbox delivers many messages completely and in order, between replies", () =>
  withServer(async (port) => {
    using listener = await RespClient.connect(port);
    using publisher = await RespClient.connect(port);
    await listener.call("HELLO", "3");
    await listener.call("SUBSCRIBE", "c");
    const publishing = (async () => {
      for (let i = 0; i < 500; i++) await publisher.call("PUBLISH", "c", String(i));
    })();
    const heard: (string | undefined)[] = [];
    for (let i = 0; i < 500; i++) {
      await listener.send(encodeCommand(["PING"]));
      for (;;) {
        const { type, line, items } = await listener.frame();
        if (type === ">") heard.push(items![2]!.body);
        else {
          assertEquals(line, "PONG");
          break;
        }
      }
    }
    await publishing;
    while (heard.length < 500) heard.push((await listener.frame()).items![2]!.body);
    assertEquals(heard, Array.from({ length: 500 }, (_, i) => String(i)));
  }));
