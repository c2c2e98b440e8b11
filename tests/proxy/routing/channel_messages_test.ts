/** Tests large messages, many names and patterns, and slow clients: through the proxy and at the server. */

import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { Channels } from "../../../src/connection/channels.ts";
import { ClientState } from "../../../src/connection/client_state.ts";
import {
  ABORT_DELAY_MS,
  CHANNEL_SIZE_MAX_BYTES,
  MESSAGES_MAX_BYTES,
  PATTERN_SIZE_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
} from "../../../src/limits.ts";
import type { Server } from "../../../src/server/main.ts";
import { amountOf, isLong, longOnly } from "../../support/amount.ts";
import { type FakePeer, FakeServer } from "../../support/fake_server.ts";
import { pause } from "../../support/pause.ts";
import { clustered, infoOf, type Rig, withFakes, withProxy } from "../../support/proxy_rig.ts";
import { RawClient } from "../../support/raw_client.ts";
import { until } from "../../support/until.ts";

const MEBIBYTE = 1024 * 1024;

/**
 * The sizes of messages, which in MiB are also those of transactions. One transaction may have more than the limit for
 * messages waiting for a client.
 */
const SIZES = isLong ? [31 * MEBIBYTE, 33 * MEBIBYTE, VALUE_SIZE_MAX_BYTES] : [33 * MEBIBYTE];
const TRANSACTIONS = isLong ? [[33], [60], [40, 40, 40]] : [[33, 1]];

/** The number of channels of one client: more than one slice can process. */
const CHANNELS_COUNT = amountOf("CHANNELS", 10_000, 20_000);

/** The address to which a test connects. */
type Target = { hostname: string; port: number };

/** Registers a test that runs with the server as its target, and with the proxy. */
function both(name: string, run: (target: Target, rig: Rig, servers: Server[]) => Promise<void>): void {
  for (const role of ["Server", "Proxy"]) {
    Deno.test(
      `${role} ${name}`,
      clustered(1, (rig, servers) => run((role === "Server" ? servers[0]! : rig.proxy).address, rig, servers)),
    );
  }
}

async function connect(target: Target, version: 2 | 3 = 2): Promise<RawClient> {
  const client = await RawClient.connect(target);
  if (version === 2) return client;
  await client.send("hello 3\r\nping\r\n");
  let text = "";
  while (!text.endsWith("+PONG\r\n")) text += await client.readText(1);
  return client;
}

function bulk(text: string | number): string {
  return typeof text === "number" ? `:${text}\r\n` : `$${text.length}\r\n${text}\r\n`;
}

function push(version: 2 | 3, ...items: (string | number)[]): string {
  return `${version === 2 ? "*" : ">"}${items.length}\r\n${items.map(bulk).join("")}`;
}

function request(...words: string[]): string {
  return `*${words.length}\r\n${words.map(bulk).join("")}`;
}

/** Sends a request and verifies its reply. */
async function ask(client: RawClient, words: string[], reply: string): Promise<void> {
  await client.send(request(...words));
  await client.expect(reply);
}

/** Reads a message whose payload is one letter, `size` times. */
async function readLong(client: RawClient, version: 2 | 3, letter: string, size: number): Promise<void> {
  await client.expect(`${push(version, "message", "c").replace("2", "3")}$${size}\r\n`);
  const text = await client.readText(size + 2);
  assert(text[0] === letter && text[size - 1] === letter && text.endsWith("\r\n"), `${size} times ${letter}`);
}

both("delivers messages up to the largest one to a client that reads, in both versions", async (target) => {
  using second = await connect(target, 2);
  using third = await connect(target, 3);
  using publisher = await connect(target);
  await ask(second, ["subscribe", "c"], push(2, "subscribe", "c", 1));
  await ask(third, ["subscribe", "c"], push(3, "subscribe", "c", 1));
  for (const [index, size] of SIZES.entries()) {
    const letter = "abc"[index]!;
    const publishing = publisher.send(request("publish", "c", letter.repeat(size)));
    await Promise.all([readLong(second, 2, letter, size), readLong(third, 3, letter, size)]);
    await publishing;
    await publisher.expect(":2\r\n");
  }
  if (!isLong) return;
  // The messages are sent one after another, while the client reads.
  const size = 40 * MEBIBYTE;
  const publishing = (async () => {
    for (const letter of "xyz") await publisher.send(request("publish", "c", letter.repeat(size)));
    await publisher.expect(":2\r\n:2\r\n:2\r\n");
  })();
  const reading = [second, third].map(async (client, i) => {
    for (const letter of "xyz") await readLong(client, i === 0 ? 2 : 3, letter, size);
  });
  await Promise.all([publishing, ...reading]);
});

Deno.test(
  "Server delivers a client's messages to itself from a transaction, regardless of their size",
  clustered(1, async (_rig, [server]) => {
    for (const version of [2, 3] as const) {
      using client = await connect(server!.address, version);
      for (const mebibytes of TRANSACTIONS) {
        const sizes = mebibytes.map((size) => size * MEBIBYTE);
        await client.send(request("multi") + request("subscribe", "c"));
        for (const size of sizes) await client.send(request("publish", "c", "x".repeat(size)));
        await client.send(request("exec") + request("unsubscribe", "c") + request("echo", "end"));
        await client.expect("+OK\r\n+QUEUED\r\n" + "+QUEUED\r\n".repeat(sizes.length));
        await client.expect(
          `*${sizes.length + 1}\r\n${push(version, "subscribe", "c", 1)}${":1\r\n".repeat(sizes.length)}`,
        );
        for (const size of sizes) await readLong(client, version, "x", size);
        await client.expect(`${push(version, "unsubscribe", "c", 0)}$3\r\nend\r\n`);
      }
    }
  }),
);

both("brings all that one transaction publishes to a client that reads", async (target, _rig, [server]) => {
  using listener = await connect(target, 3);
  using publisher = await connect(server!.address);
  await ask(listener, ["subscribe", "c"], push(3, "subscribe", "c", 1));
  const count = 100;
  // Together these are nearly the limit for messages waiting for a client.
  const size = Math.ceil(0.9 * MESSAGES_MAX_BYTES / count);
  await publisher.send(request("multi"));
  for (let i = 0; i < count; i++) await publisher.send(request("publish", "c", "x".repeat(size)));
  await publisher.send(request("exec"));
  for (let i = 0; i < count; i++) await readLong(listener, 3, "x", size);
  await publisher.expect(`+OK\r\n${"+QUEUED\r\n".repeat(count)}*${count}\r\n${":1\r\n".repeat(count)}`);
});

Deno.test(
  "Proxy loses no message of one client because of another's large one",
  longOnly,
  clustered(1, async ({ proxy, log }, [server]) => {
    for (const target of [server!.address, proxy.address]) {
      using large = await connect(proxy.address, 3);
      using third = await connect(proxy.address, 3);
      using second = await connect(proxy.address, 2);
      using publisher = await connect(target);
      await ask(large, ["subscribe", "c"], push(3, "subscribe", "c", 1));
      await ask(third, ["subscribe", "d"], push(3, "subscribe", "d", 1));
      await ask(second, ["psubscribe", "d*"], push(2, "psubscribe", "d*", 1));
      const words = Array.from({ length: 200 }, (_, i) => `m${i}`);
      const small = words.map((word) => request("publish", "d", word)).join("");
      const publishing = publisher.send(request("publish", "c", "x".repeat(VALUE_SIZE_MAX_BYTES)) + small);
      await Promise.all([
        publishing,
        readLong(large, 3, "x", VALUE_SIZE_MAX_BYTES),
        third.expect(words.map((word) => push(3, "message", "d", word)).join("")),
        second.expect(words.map((word) => push(2, "pmessage", "d*", "d", word)).join("")),
      ]);
    }
    assert([...server!.shared.clients.values()].some(({ isKept, subscriptions }) => isKept && subscriptions > 0));
    assertEquals([log.lines, infoOf(proxy, "channel_links_lost")], [[], "0"]);
  }),
);

Deno.test(
  "Proxy disconnects one client that does not read, and others miss no message",
  clustered(1, async ({ proxy, log }, [server]) => {
    const deaf = await connect(proxy.address);
    using bystander = await connect(proxy.address);
    using publisher = await connect(server!.address);
    await ask(deaf, ["client", "setname", "deaf"], "+OK\r\n");
    await ask(deaf, ["subscribe", "c"], push(2, "subscribe", "c", 1));
    await ask(bystander, ["subscribe", "d"], push(2, "subscribe", "d", 1));
    const size = 8 * MEBIBYTE;
    const cut = () => infoOf(proxy, "client_output_buffer_limit_disconnections") === "1";
    for (let i = 0; !cut(); i++) {
      assert(i * size < 2 * MESSAGES_MAX_BYTES, "it is not disconnected");
      await publisher.send(request("publish", "c", "x".repeat(size)) + request("publish", "d", `${i}`));
      assert((await publisher.readText(8)).endsWith(":1\r\n"));
      await bystander.expect(push(2, "message", "d", `${i}`));
    }
    assertEquals(log.lines, ["warn Disconnected a client that does not read its messages"]);
    assertEquals(infoOf(proxy, "channel_links_lost"), "0");
    deaf.close();
    await pause(2 * ABORT_DELAY_MS);
  }),
);

both("refuses names and patterns that are too long, also in a transaction", async (target) => {
  using client = await connect(target, 3);
  const [name, pattern] = ["n".repeat(CHANNEL_SIZE_MAX_BYTES), "p".repeat(PATTERN_SIZE_MAX_BYTES)];
  await ask(client, ["subscribe", name], push(3, "subscribe", name, 1));
  await ask(client, ["psubscribe", pattern], push(3, "psubscribe", pattern, 2));
  await client.send(request("publish", name, "x"));
  const message = push(3, "message", name, "x");
  const text = await client.readText(message.length + 4);
  assert(text === `${message}:1\r\n` || text === `:1\r\n${message}`);
  await ask(client, ["unsubscribe"], push(3, "unsubscribe", name, 1));
  await ask(client, ["punsubscribe"], push(3, "punsubscribe", pattern, 0));
  const tooLong = `-ERR channel name exceeds ${CHANNEL_SIZE_MAX_BYTES} bytes\r\n`;
  const tooLongPattern = `-ERR pattern exceeds ${PATTERN_SIZE_MAX_BYTES} bytes\r\n`;
  const cases: [string[], string][] = [
    [["publish", name + "n", "x"], tooLong],
    [["subscribe", "a", name + "n"], tooLong],
    [["unsubscribe", "a", name + "n"], tooLong],
    [["pubsub", "numsub", "a", name + "n"], tooLong],
    [["psubscribe", "a", pattern + "p"], tooLongPattern],
    [["punsubscribe", pattern + "p"], tooLongPattern],
    [["pubsub", "channels", pattern + "p"], tooLongPattern],
  ];
  for (const [words, refusal] of cases) await ask(client, words, refusal);
  // The refused commands have had no effect.
  await ask(client, ["pubsub", "numpat"], ":0\r\n");
  await ask(client, ["pubsub", "channels"], "*0\r\n");
  for (const [words, refusal] of cases) {
    await client.send(request("multi") + request(...words));
    await client.expect("+OK\r\n");
    const reply = await client.readText(refusal.length);
    // Of these commands, the proxy allows only `publish` in a transaction.
    if (!reply.startsWith("-ERR 'p")) assert(reply === refusal || reply.startsWith("-ERR"), reply);
    await client.send(request("discard") + request("echo", "synchronized"));
    let rest = "";
    while (!rest.endsWith("synchronized\r\n")) rest += await client.readText(1);
  }
  await ask(client, ["pubsub", "numpat"], ":0\r\n");
});

both("carries out long commands on channels in slices, in order", async (target, _rig, servers) => {
  const count = CHANNELS_COUNT;
  using listener = await connect(target, 3);
  using other = await connect(target);
  const names = Array.from({ length: count }, (_, i) => `channel:${i}`);
  await listener.send(request("subscribe", ...names) + request("echo", "end"));
  // Other clients are served meanwhile, and messages come after the confirmation.
  await until(() => servers[0]!.shared.channels.count(names[0]!) === 1, "it has begun", 20_000);
  await ask(other, ["echo", "meanwhile"], bulk("meanwhile"));
  await listener.expect(names.map((name, i) => push(3, "subscribe", name, i + 1)).join("") + bulk("end"));
  await ask(other, ["publish", names[count - 1]!, "x"], ":1\r\n");
  await listener.expect(push(3, "message", names[count - 1]!, "x"));
  await other.send(request("pubsub", "numsub", ...names, "none") + request("echo", "end"));
  await other.expect(
    `*${2 * count + 2}\r\n${names.map((name) => bulk(name) + ":1\r\n").join("")}${bulk("none")}:0\r\n${bulk("end")}`,
  );
  const last = `${count - 1}`;
  await other.send(request("pubsub", "channels", `*:${last.slice(0, -1)}[0-9]`) + request("echo", "end"));
  const found = (await other.readText(5 + 10 * bulk(`channel:${last}`).length)).split("\r\n");
  assertEquals([found[0], found.filter((line) => line.startsWith(`channel:${last.slice(0, -1)}`)).length], ["*10", 10]);
  await other.expect(bulk("end"));
  await listener.send(request("unsubscribe") + request("subscribe", names[1]!) + request("echo", "end"));
  await listener.expect(names.map((name, i) => push(3, "unsubscribe", name, count - 1 - i)).join(""));
  await listener.expect(push(3, "subscribe", names[1]!, 1) + bulk("end"));
  await until(() => [...servers[0]!.shared.channels.names].length === 1, "the others are forgotten", 20_000);
});

both("forgets a client that disconnects with many channels, and sends it nothing", async (target, _rig, servers) => {
  const count = 5_000;
  using other = await connect(target);
  const listener = await connect(target, 3);
  const names = Array.from({ length: count }, (_, i) => `channel:${i}`);
  await listener.send(request("subscribe", ...names));
  await listener.expect(names.map((name, i) => push(3, "subscribe", name, i + 1)).join(""));
  // When the first channel is forgotten, a client sees none of the others.
  await listener.send("reset\r\n");
  await listener.expect("+RESET\r\n");
  await ask(
    other,
    ["pubsub", "numsub", names[0]!, names[count - 1]!],
    `*4\r\n${bulk(names[0]!)}:0\r\n${bulk(names[count - 1]!)}:0\r\n`,
  );
  // A message on its way from the server could reach a client that subscribes at the proxy meanwhile.
  if (target.port === servers[0]!.address.port) await ask(other, ["publish", names[count - 1]!, "x"], ":0\r\n");
  await ask(listener, ["subscribe", names[count - 1]!], push(2, "subscribe", names[count - 1]!, 1));
  await until(() => [...servers[0]!.shared.channels.names].length === 1, "the others are forgotten", 20_000);
  await ask(other, ["publish", names[count - 1]!, "y"], ":1\r\n");
  await listener.expect(push(2, "message", names[count - 1]!, "y"));
  listener.close();
  await until(() => [...servers[0]!.shared.channels.names].length === 0, "all are forgotten");
});

Deno.test("Channels uses little more memory for a pattern than its bytes", () => {
  const channels = new Channels();
  const client = new ClientState(1, "", "", { kill() {}, deliver() {} }, true);
  const count = 20_000;
  const before = Deno.memoryUsage().external;
  for (let i = 0; i < count; i++) {
    channels.subscribePattern(client, `${i}:`.padEnd(500, "?") + "[a-z]".repeat(100));
  }
  // This is the memory of typed arrays, collected or not.
  assertLessOrEqual(Deno.memoryUsage().external - before, 1.5 * count * 1000);
  const search = channels.search(encodeText("19999:".padEnd(599, "x")))!;
  while (!search.step());
  assertEquals(search.found.length, 0);
  const match = channels.search(encodeText("19999:".padEnd(600, "x")))!;
  while (!match.step());
  assertEquals(match.found.map(({ name }) => name.slice(0, 6)), ["19999:"]);
});

Deno.test("Proxy keeps a connection on which others listen when a server does not confirm, or refuses", async () => {
  await withFakes([
    ([name, argument], peer) => {
      if (name === "client") peer.refuse("ERR", "unknown subcommand");
      if (name !== "subscribe") return;
      if (argument === "a") peer.write(encodeText(push(3, "subscribe", "a", 1)));
      if (argument === "c") peer.refuse("ERR", "not this one");
      if (argument !== "a") peer.write(encodeText(push(3, "message", "a", argument!)));
    },
  ], async ({ proxy, log }, [server]) => {
    using first = await connect(proxy.address);
    using second = await connect(proxy.address);
    await ask(first, ["subscribe", "a"], push(2, "subscribe", "a", 1));
    for (const [channel, reason] of [["b", "no answer within 100 ms"], ["c", "ERR not this one"]] as const) {
      await second.send(request("subscribe", channel));
      let reply = "";
      while (!reply.endsWith("\r\n")) reply += await second.readText(1);
      assert(reply.startsWith("-UNAVAILABLE server ") && reply.endsWith(`: ${reason}\r\n`), reply);
      await first.expect(push(2, "message", "a", channel));
    }
    await until(() => server!.requests.some(([name]) => name === "unsubscribe"), "it listens to b no more");
    assertEquals(infoOf(proxy, "channel_links_lost"), "0");
    assertEquals(log.lines.filter((line) => line.includes("may be missed")), []);
  }, { timeoutMs: 100 });
});

Deno.test("Proxy probes a silent server, and accepts any reply", async () => {
  const peers = new Set<FakePeer>();
  let pings = 0;
  const fake = new FakeServer(([name], peer) => {
    if (name === "hello") return peer.reply(new Map([["proto", 3]]));
    if (name === "client") return peer.reply("OK");
    if (name === "subscribe") {
      peers.add(peer);
      return peer.write(encodeText(push(3, "subscribe", "a", 1)));
    }
    if (name !== "ping") return;
    if (!peers.has(peer)) return peer.reply("PONG");
    pings++;
    if (pings === 1) peer.refuse("ERR", "MISCONF cannot save");
    else peer.write(encodeText(`+PONG\r\n${push(3, "message", "a", "there")}`));
  });
  try {
    await withProxy([`127.0.0.1:${fake.port}`], async ({ proxy }) => {
      using client = await connect(proxy.address);
      await ask(client, ["subscribe", "a"], push(2, "subscribe", "a", 1));
      await client.expect(push(2, "message", "a", "there"));
      assertEquals([peers.size, infoOf(proxy, "channel_links_lost")], [1, "0"]);
    });
  } finally {
    await fake[Symbol.asyncDispose]();
  }
});
