/** Tests `subscribe`, `psubscribe` and `monitor` of the client, against a server, a proxy, and peers that misbehave. */

import { assert, assertEquals, assertLess, assertMatch, assertRejects } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { connect } from "../../../src/client/client.ts";
import { ConnectionError, ReplyError } from "../../../src/errors.ts";
import { OUTPUT_QUEUE_MAX_BYTES } from "../../../src/limits.ts";
import type { Format } from "../../../src/shell/format.ts";
import { listen } from "../../../src/shell/live/listen.ts";
import { isListening } from "../../../src/shell/live/live_words.ts";
import { sourceOf } from "../../../src/shell/live/message_source.ts";
import type { MessageSource } from "../../../src/shell/live/message_stream.ts";
import { FakeServer } from "../../support/fake_server.ts";
import { TestedView } from "../../support/live_tool.ts";
import { clustered, withServers } from "../../support/proxy_rig.ts";
import { until } from "../../support/until.ts";

const BINARY = new Uint8Array([0xff, 0x00, 0x1b, 0x0a, 0x09]);

async function sourceAt(port: number, ...passwords: string[]): Promise<MessageSource> {
  return await sourceOf({
    address: `127.0.0.1:${port}`,
    plaintext: true,
    insecure: false,
    caFile: undefined,
    user: "default",
    passwords,
    timeoutMs: 0,
  });
}

/** Publishes messages to a listening tool, and returns what the tool has written until it was stopped. */
async function published(
  port: number,
  words: readonly string[],
  view: TestedView,
  messages: readonly (readonly [channel: string, message: string | Uint8Array])[],
): Promise<Uint8Array> {
  await using client = await connect({ addr: `127.0.0.1:${port}`, plaintext: true });
  const listening = listen(await sourceAt(port), words, view.view);
  const countOf = async () =>
    words[0] === "psubscribe"
      ? await client.pubsub("numpat")
      : (await client.pubsub("numsub", ...words.slice(1))).filter((count) => count > 0).length;
  await until(async () => await countOf() === words.length - 1, "the subscriptions");
  for (const [channel, message] of messages) {
    const before = view.bytes.length;
    assertEquals(await client.publish(channel, message), 1);
    await until(() => view.bytes.length > before, "the message");
  }
  await view.end(listening);
  // Ctrl-C does no harm to other connections.
  await client.ping();
  await until(async () => (await client.pubsub("channels")).length + await client.pubsub("numpat") === 0, "the end");
  return view.bytes;
}

Deno.test(
  "messages are exact when raw, from a server and through a proxy",
  clustered(2, async ({ proxy }, servers) => {
    for (const { port } of [proxy.address, servers[0]!.address]) {
      const bytes = await published(port, ["subscribe", "a", "b c"], new TestedView({}), [
        ["a", BINARY],
        ["b c", ""],
        ["a", "日本"],
      ]);
      assertEquals(bytes, new Uint8Array([...encodeText("a\t"), ...BINARY, ...encodeText("\nb c\t\na\t日本\n")]));
    }
  }),
);

Deno.test("messages are escaped on a terminal, and counted at the end", () =>
  withServers(1, async ([server]) => {
    const view = new TestedView({ format: "human", columns: 80 });
    await published(server!.address.port, ["psubscribe", "a*"], view, [["a\x1b[2J", BINARY], ["ab", "x y"]]);
    assertEquals(
      view.screen!.text,
      'Subscribed to "a*". Ctrl-C ends.\n"a\\x1b[2J" "\\xff\\x00\\x1b\\n\\t"\n"ab" "x y"\n(2 messages)',
    );
  }));

Deno.test("messages are lines of JSON, with the pattern if there is one", () =>
  withServers(1, async ([server]) => {
    const other = new TestedView({ format: "json" });
    await published(server!.address.port, ["psubscribe", "a*"], other, [["ab", BINARY], ["a", "x\ny"]]);
    assertEquals(other.json, [
      { pattern: "a*", channel: "ab", message: { base64: BINARY.toBase64() } },
      { pattern: "a*", channel: "a", message: "x\ny" },
    ]);
    const third = new TestedView({ format: "json" });
    await published(server!.address.port, ["subscribe", "message"], third, [["message", "subscribe"]]);
    assertEquals(third.json, [{ channel: "message", message: "subscribe" }]);
  }));

Deno.test(
  "monitor shows requests in each format, from a server and through a proxy",
  clustered(1, async ({ proxy }, servers) => {
    for (const { port } of [proxy.address, servers[0]!.address]) {
      for (const format of ["raw", "human", "json"] satisfies Format[]) {
        const view = new TestedView({ format, ...format === "human" && { columns: 200 } });
        await using client = await connect({ addr: `127.0.0.1:${port}`, plaintext: true });
        const listening = listen(await sourceAt(port), ["MONITOR"], view.view);
        await until(async () => {
          await client.send(["get", "a \x1b\n日"]);
          return view.text.includes("get");
        }, "a request");
        await view.end(listening);
        const line = view.text.split("\n").find((line) => line.includes("get"))!;
        if (format !== "json") {
          assertMatch(line, /^[0-9]+\.[0-9]{6} \[0 127\.0\.0\.1:[0-9]+\] "get" "a \\x1b\\n\\xe6\\x97\\xa5"$/);
          continue;
        }
        const { time, database, client: address, command } = JSON.parse(line);
        assertEquals([database, command], [0, ["get", "a \x1b\n日"]]);
        assert(Math.abs(Date.now() / 1000 - time) < 60);
        assertMatch(address, /^127\.0\.0\.1:[0-9]+$/);
      }
    }
  }),
);

Deno.test("passwords are sent in turn, and a refusal is one of the command's or of the password's", async () => {
  await using server = new FakeServer((request, peer) => {
    if (request[0] !== "auth") peer.refuse("NOAUTH", "Authentication required.");
    else if (request[1] === "right") peer.reply("OK");
    else peer.refuse("WRONGPASS", "invalid password");
  });
  const run = async (...passwords: string[]) => {
    return await listen(await sourceAt(server.port, ...passwords), ["subscribe", "a"], new TestedView({}).view);
  };
  await assertRejects(() => run("wrong", "right"), ReplyError, "Authentication required");
  assertEquals(server.requests, [["auth", "wrong"], ["auth", "right"], ["subscribe", "a"]]);
  const error = await assertRejects(() => run("wrong", "wrong too"), ReplyError);
  assertEquals(error.code, "WRONGPASS");
});

Deno.test("a lost connection and a peer that speaks otherwise are reported", async () => {
  for (
    const [bytes, expected] of [
      ["", "the other side closed it"],
      ["+OK\r\n", "the server ended it"],
      ["*3\r\n$7\r\nmess", "the other side closed it"],
      ["HTTP/1.1 400 Bad\r\n", "not in the protocol RESP"],
      ["*2147483647\r\n", "not in the protocol RESP"],
    ] as const
  ) {
    await using server = new FakeServer((_request, peer) => {
      peer.write(encodeText(bytes));
      peer.close();
    });
    const view = new TestedView({});
    const error = await assertRejects(
      async () => await listen(await sourceAt(server.port), ["monitor"], view.view),
      ConnectionError,
      expected,
    );
    assert(!error.sent, "nothing is said of effects");
  }
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assertRejects(
    async () => await listen(await sourceAt(port), ["monitor"], new TestedView({}).view),
    ConnectionError,
    "nobody listens",
  );
});

Deno.test("a slow output slows the server down, and what waits is bounded", async () => {
  const message = encodeText(`*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$100000\r\n${"x".repeat(100_000)}\r\n`);
  let writtenCount = 0;
  await using server = new FakeServer(async (_request, peer) => {
    for (; writtenCount < 500; writtenCount++) {
      peer.write(message);
      await peer.written();
    }
  });
  const view = new TestedView({});
  const release = view.block();
  const listening = listen(await sourceAt(server.port), ["subscribe", "a"], view.view);
  // All that the system and the client hold: less than half of the messages.
  let before = -1;
  await until(async () => {
    const isSame = writtenCount === before && writtenCount > 0;
    before = writtenCount;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isSame && writtenCount === before;
  }, "the server waits");
  assertLess(writtenCount * 100_000, OUTPUT_QUEUE_MAX_BYTES + 20_000_000);
  release();
  await until(() => writtenCount === 500, "the rest");
  await until(() => view.bytes.length === 500 * 100_003, "all messages");
  await view.end(listening);
});

Deno.test("Ctrl-C ends a tool whose output takes nothing, or that is still connecting", async () => {
  await using server = new FakeServer((_request, peer) => peer.write(encodeText("+OK\r\n".repeat(3) + "+x\r\n")));
  const view = new TestedView({});
  view.block();
  const listening = listen(await sourceAt(server.port), ["monitor"], view.view);
  await until(() => server.requests.length === 1, "the request");
  view.stop();
  await listening;
  using silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const other = new TestedView({});
  const connecting = listen(await sourceAt(silent.addr.port, "password"), ["monitor"], other.view);
  const peer = await silent.accept();
  other.stop();
  await connecting;
  peer.close();
});

Deno.test("the commands that listen are known by their rows in the catalog", () => {
  const texts = ["subscribe a", "PSUBSCRIBE a", "monitor", "subscribe", "unsubscribe a", "get a", "", "publish a b"];
  assertEquals(texts.map((text) => isListening(text.split(" "))), [true, true, true, true, false, false, false, false]);
});
