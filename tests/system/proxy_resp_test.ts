/**
 * Tests the real proxy before three real servers, over TLS, with RESP clients: beside the native protocol, while
 * `servers.json` changes, and while a server is lost.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { slotOf } from "../../src/key_slot.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { longOnly } from "../support/amount.ts";
import { type Launcher, type Role, serversJson, systemTest } from "../support/launcher.ts";
import { framesOf, type RawClient } from "../support/raw_client.ts";
import { encodeRequest } from "../support/resp_requests.ts";
import { until } from "../support/until.ts";

const PIPELINED_COUNT = 10_000;
const WORKERS_COUNT = 6;

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** Sends one request and verifies its reply. */
async function expectReply(client: RawClient, words: readonly string[], reply: string): Promise<void> {
  await client.send(encodeRequest(...words));
  await client.expect(reply);
}

/** Returns keys that the server at this position owns. */
function keysOf(addresses: readonly string[], position: number, count: number): string[] {
  const owners = ownersOf(addresses.map((address) => ({ address, weight: 1 })));
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++) {
    const key = encodeText(`key:${i}`);
    if (owners[slotOf(key, 0, key.length)] === position) keys.push(`key:${i}`);
  }
  return keys;
}

/** Connects a RESP3 client. */
async function connect(launcher: Launcher, proxy: Role): Promise<RawClient> {
  const client = await launcher.raw(proxy);
  await client.send("HELLO 3\r\n");
  await client.expect(
    "%7\r\n$6\r\nserver\r\n$5\r\ninmem\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:",
  );
  await readTo(client, "$7\r\nmodules\r\n*0\r\n");
  return client;
}

/** Reads up to this text. */
async function readTo(client: RawClient, end: string): Promise<string> {
  let text = "";
  while (!text.endsWith(end)) text += await client.readText(1);
  return text;
}

systemTest("RESP clients share a cluster with native ones, over TLS", async (launcher, test) => {
  const { proxy, servers } = await launcher.cluster();
  using native = await launcher.raw(proxy);
  using second = await launcher.raw(proxy);
  using third = await connect(launcher, proxy);
  using other = await connect(launcher, proxy);
  const keys = [0, 1, 2].map((i) => keysOf(servers.map(({ address }) => address), i, 1)[0]!);

  await test.step("values of all sizes pass between both protocols", async () => {
    for (const size of [0, 1, 100, 20_000, 200_000, 5_000_000]) {
      const value = "v".repeat(size);
      for (const key of keys) {
        await expectReply(second, ["set", key, value], "+OK\r\n");
        await expectReply(third, ["get", key], bulk(value));
        assertEquals(await native.call("get", key), value);
      }
    }
  });

  await test.step(`${PIPELINED_COUNT} requests of one write get replies in order`, async () => {
    const requests = Array.from({ length: PIPELINED_COUNT }, (_, i) => encodeRequest("set", `p:${i}`, `${i}`));
    const reading = third.expect("+OK\r\n".repeat(PIPELINED_COUNT));
    await third.send(requests.join(""));
    await reading;
    const names = Array.from({ length: PIPELINED_COUNT }, (_, i) => `p:${i}`);
    await second.send(encodeRequest("mget", ...names));
    await second.expect(`*${PIPELINED_COUNT}\r\n${names.map((_, i) => bulk(`${i}`)).join("")}`);
    await expectReply(second, ["unlink", ...names], `:${PIPELINED_COUNT}\r\n`);
  });

  await test.step("transactions, blocking commands and channels reach the right server", async () => {
    for (const key of keys) {
      await third.send(`watch ${key}\r\nmulti\r\nset ${key} 1\r\nincr ${key}\r\nexec\r\n`);
      await third.expect("+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:2\r\n");
      await third.send(`blpop {${key}}l 0\r\nping\r\n`);
      await until(async () => {
        return String(await native.call("info", "clients")).includes("blocked_clients:1\r\n");
      }, "it waits");
      assertEquals(await native.call("rpush", `{${key}}l`, "x"), 1);
      await third.expect(`*2\r\n${bulk(`{${key}}l`)}${bulk("x")}+PONG\r\n`);
      await expectReply(third, ["subscribe", key], `>3\r\n${bulk("subscribe")}${bulk(key)}:1\r\n`);
      await expectReply(other, ["publish", key, "m"], ":1\r\n");
      await third.expect(`>3\r\n${bulk("message")}${bulk(key)}${bulk("m")}`);
      await expectReply(third, ["unsubscribe", key], `>3\r\n${bulk("unsubscribe")}${bulk(key)}:0\r\n`);
    }
  });

  await test.step("each protocol ends a connection in its own way", async () => {
    await second.send(encodeRequest("quit"));
    assertEquals(await second.rest(), "+OK\r\n");
    await third.send("*1\r\n!\r\n");
    assertEquals(await third.rest(), "-ERR Protocol error: expected '$', got '!'\r\n");
    await native.send(framesOf(["get", keys[0]!]));
    assertEquals(await native.reply(), "2");
  });
});

systemTest(
  "RESP clients notice only by its keys that servers.json changes or a server is lost",
  longOnly,
  async (launcher) => {
    const { proxy, servers, file } = await launcher.cluster();
    const addresses = servers.map(({ address }) => address);
    const gone = keysOf(addresses, 2, 1)[0]!;
    let running = true;
    let rounds = 0;
    const work = async (worker: number) => {
      using client = await connect(launcher, proxy);
      const keys = [0, 1].map((position) => keysOf(addresses, position, WORKERS_COUNT)[worker]!);
      for (let round = 0; running; round++) {
        for (const key of keys) {
          await client.send(`set ${key} ${round}\r\nget ${key}\r\nmulti\r\nincr ${key}\r\nget ${key}\r\nexec\r\n`);
          await client.send(`rpush {${key}}l ${round}\r\nblpop {${key}}l 0\r\n`);
          const [before, after] = [String(round), String(round + 1)];
          await client.expect(`+OK\r\n${bulk(before)}+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:${after}\r\n${bulk(after)}`);
          await client.expect(`:1\r\n*2\r\n${bulk(`{${key}}l`)}${bulk(before)}`);
        }
        rounds++;
      }
    };
    const workers = Array.from({ length: WORKERS_COUNT }, (_, worker) => work(worker));
    const roundsMore = async () => {
      const wanted = rounds + 3 * WORKERS_COUNT;
      await until(() => rounds >= wanted, "the clients work");
    };
    using client = await connect(launcher, proxy);
    await expectReply(client, ["set", gone, "v"], "+OK\r\n");
    await roundsMore();
    for (const list of [addresses.slice(0, 2), addresses]) {
      await Deno.writeTextFile(file, serversJson(list));
      const expected = list.length === 2 ? "_\r\n" : bulk("v");
      await until(async () => {
        await client.send(encodeRequest("get", gone));
        const sign = await client.readText(1);
        const reply = sign + (await readTo(client, sign === "_" ? "\r\n" : "v\r\n"));
        return reply === expected;
      }, "the list is followed");
      await roundsMore();
    }
    launcher.forgive(servers[2]!.process);
    await servers[2]!.process.kill();
    await client.send(encodeRequest("get", gone));
    assert(/^-UNAVAILABLE server "127.0.0.1:[0-9]+": /.test(await readTo(client, "\r\n")));
    await roundsMore();
    await launcher.server(["--addr", addresses[2]!]);
    await until(async () => {
      await client.send(encodeRequest("set", gone, "w"));
      return (await readTo(client, "\r\n")) === "+OK\r\n";
    }, "the server is used again");
    running = false;
    await Promise.all(workers);
    assertGreater(rounds, 12 * WORKERS_COUNT);
  },
);
