/** Tests transactions through the proxy in which it replies to some requests itself. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ABORT_DELAY_MS } from "../../../src/limits.ts";
import { RespClient } from "../../support/resp_client.ts";
import { encodeFrame } from "../../support/resp_frames.ts";
import type { FakeHandler } from "../../support/fake_server.ts";
import { pause } from "../../support/pause.ts";
import {
  ask,
  clustered,
  connectResp,
  infoOf,
  readReplies,
  serverFact,
  withFakes,
  withProxy,
  withServers,
} from "../../support/proxy_rig.ts";
import { framesOf } from "../../support/raw_client.ts";
import { encodeLines } from "../../support/resp_requests.ts";
import { until } from "../../support/until.ts";

const OK = "+OK\r\n";
const QUEUED = "+QUEUED\r\n";

/** The requests that are sent to a server and to a proxy before it. Both must reply with the same bytes. */
const CONVERSATIONS: readonly (readonly string[])[] = [
  ["multi", "client getname", "exec"],
  ["multi", "hello 3", "exec", "hgetall h", "get absent"],
  ["multi", "hello 2", "exec", "hgetall h", "get absent"],
  ["multi", "hset h f v", "hello 3", "hgetall h", "get {h}no", "hello 2", "hgetall h", "hello 4", "exec", "hgetall h"],
  ["multi", "auth wrong", "auth default any", "client setname me", "set h{h} 1", "exec", "client getname"],
  ["multi", "client setname me", "nosuch", "exec", "client getname"],
  ["multi", "client setname me", "discard", "client getname"],
  ["multi", "config get databases", "swapdb 0 0", "command getkeys get k", "info nosuch", "exec"],
  ["multi", "client no-evict on", "client unblock 99", "client nosuch", "exec"],
  ["watch h", "multi", "client setname me", "hello 3", "hgetall h", "exec", "client getname", "hgetall h"],
  ["watch h", "hset h f changed", "multi", "client setname me", "hello 3", "exec", "client getname", "hgetall h"],
  ["multi", "subscribe c d", "ping", "hgetall h", "psubscribe p*", "exec", "ping", "unsubscribe c", "hgetall h"],
  ["multi", "select 0", "client getname", "echo text", "ping", "time x", "exec"],
  ["multi", "client getname", "incr h", "lpush h 1", "exec"],
  ["multi", "mset a{h} 0 q", "client getname", "exec"],
];

/** Returns all replies of a target, without the parts that differ for each connection. */
async function hear(
  port: number,
  version: 2 | 3,
  conversation: readonly string[],
  isBytewise: boolean,
): Promise<string> {
  using client = await RespClient.connect(port);
  await client.call("hello", String(version));
  await client.call("del", "h", "h{h}", "a{h}");
  await client.call("hset", "h", "f", "v");
  const text = encodeLines(...conversation, "reset", "quit");
  if (isBytewise) { for (const character of text) await client.send(character); }
  else await client.send(text);
  return (await client.framesToEnd()).map(encodeFrame).join("").replace(/(id\r\n:)[0-9]+/g, "$1-");
}

Deno.test(
  "Proxy replies to its own commands in a transaction immediately, byte by byte as a server does",
  clustered(1, async ({ proxy }, [server]) => {
    for (const version of [2, 3] as const) {
      for (const conversation of CONVERSATIONS) {
        for (const isBytewise of [false, true]) {
          const [expected, actual] = await Promise.all(
            [server!, proxy].map(({ address }) => hear(address.port, version, conversation, isBytewise)),
          );
          assertEquals(actual, expected, `RESP${version}: ${conversation.join(" | ")}`);
          assert(expected!.endsWith("+RESET\r\n+OK\r\n"), expected);
        }
      }
    }
    // At most one connection of each version is left, on which keys were watched.
    assert(Number(serverFact(proxy, 0, "dedicated")) <= 2);
  }),
);

Deno.test(
  "Proxy replies to its own commands in a transaction in the native protocol",
  clustered(2, async ({ connect, key }) => {
    using client = await connect();
    const name = key(0);
    await client.send(
      framesOf(
        ["multi"],
        ["set", name, "v"],
        ["client", "getname"],
        ["memory", "stats"],
        ["client", "setname", "me"],
        ["client", "getname"],
        ["client", "setname", "a b"],
        ["auth", "default", "any"],
        ["hello", "3"],
        ["subscribe", "c"],
        ["lrange", `{${name}}l`, "0", "-1"],
        ["get", name],
        ["exec"],
      ),
    );
    const replies = await client.replies(13);
    const items = replies.at(-1) as [number, ...unknown[]][];
    assertEquals(replies.slice(0, -1), ["OK", ...Array(11).fill("QUEUED")]);
    assertEquals(items.map(([status]) => status), [0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0]);
    assertEquals([items[1], items[4], items[9], items[10]], [[0, null], [0, "me"], [0, []], [0, "v"]]);
    assertStringIncludes(String(items[7]), "NOPROTO");
    // This transaction contains nothing for a server.
    await client.send(framesOf(["multi"], ["client", "getname"], ["exec"], ["get", name]));
    assertEquals(await client.replies(4), ["OK", "QUEUED", [[0, "me"]], "v"]);
  }),
);

Deno.test(
  "Proxy applies `hello` in a transaction to no other client",
  clustered(1, async ({ proxy }) => {
    using other = await connectResp(proxy, 2);
    await other.call("hset", "h", "f", "v");
    for (let round = 0; round < 3; round++) {
      using client = await connectResp(proxy, 2);
      await client.send(encodeLines("multi", "hello 3", "hgetall h", "exec", "hgetall h"));
      const replies = await readReplies(client, 5);
      assert(replies[3]!.endsWith("%1\r\n$1\r\nf\r\n$1\r\nv\r\n"), replies[3]);
      assertEquals(replies[4], "%1\r\n$1\r\nf\r\n$1\r\nv\r\n");
      assertEquals(await ask(other, "hgetall", "h"), "*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
      await other.send(encodeLines("watch h", "multi", "hgetall h", "exec"));
      assertEquals((await readReplies(other, 4))[3], "*1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    }
  }),
);

Deno.test(
  "Proxy runs a transaction with thousands of commands for itself, and releases their memory",
  clustered(1, async ({ proxy }) => {
    using client = await connectResp(proxy);
    const value = "x".repeat(40_000);
    assertEquals(await ask(client, "set", "k", value), OK);
    const requests: string[] = [];
    for (let i = 0; i < 3000; i++) {
      requests.push(i % 3 === 0 ? "get {k}n" : i % 3 === 1 ? "client getname" : `client setname n${i}`);
      if (i % 500 === 0) requests.push("get k");
    }
    await client.send(encodeLines("multi", ...requests, "exec"));
    const replies = await readReplies(client, requests.length + 2);
    assert(replies.slice(1, -1).every((reply) => reply === QUEUED));
    const expected = requests.map((request, i) => {
      if (request === "get {k}n") return "$-1\r\n";
      if (request === "get k") return `$${value.length}\r\n${value}\r\n`;
      if (request !== "client getname") return OK;
      const name = requests.slice(0, i).findLast((each) => each.startsWith("client setname"))?.split(" ")[2];
      return name === undefined ? "$-1\r\n" : `$${name.length}\r\n${name}\r\n`;
    });
    assert(replies.at(-1) === `*${requests.length}\r\n${expected.join("")}`);
    // The buffers of the connections remain. No transaction adds to them.
    const held = () =>
      ["request", "transaction", "objects"].map((kind) => Number(infoOf(proxy, `mem_clients_${kind}`)));
    const before = held();
    assertEquals(before.slice(1), [0, 0]);
    for (let round = 0; round < 3; round++) {
      await client.send(encodeLines("multi", ...requests, "exec"));
      await readReplies(client, requests.length + 2);
    }
    await until(() => String(held()) === String(before), "its memory is given back");
  }),
);

Deno.test(
  "Proxy ends a client that kills itself in a transaction, after the reply",
  clustered(1, async ({ proxy }) => {
    using client = await connectResp(proxy);
    const { line } = await client.call("client", "id");
    await client.send(encodeLines("multi", `client kill id ${line} skipme no`, "set k v", "exec", "set l v"));
    const frames = await client.framesToEnd();
    assertEquals(frames.map(encodeFrame).slice(3), ["*2\r\n:1\r\n+OK\r\n"]);
    using other = await connectResp(proxy);
    assertEquals([await ask(other, "exists", "k"), await ask(other, "exists", "l")], [":1\r\n", ":0\r\n"]);
  }),
);

Deno.test("Proxy executes no command for itself if the server has not run the transaction", async () => {
  let reply: FakeHandler = (_request, peer) => void peer.close();
  const handler: FakeHandler = (request, peer) => {
    if (request[0] === "multi") peer.reply("OK");
    else if (request[0] === "exec") reply(request, peer);
    else peer.reply("QUEUED");
  };
  await withFakes([handler], async ({ proxy }) => {
    using client = await connectResp(proxy);
    for (const hello of [[], ["hello 3"]]) {
      reply = (_request, peer) => void peer.close();
      await client.send(encodeLines("multi", "set k v", "client setname me", ...hello, "exec", "client getname"));
      const lost = (await readReplies(client, 5 + hello.length)).slice(-2);
      assertStringIncludes(lost[0]!, "-UNKNOWN_OUTCOME ");
      assertEquals(lost[1], "$-1\r\n");
      // The reply has fewer items than requests, so it is not a reply to this transaction.
      reply = (_request, peer) => peer.reply([]);
      await client.send(encodeLines("multi", "set k v", "client getname", ...hello, "exec", "ping"));
      const short = (await readReplies(client, 5 + hello.length)).slice(-2);
      assertStringIncludes(short[0]!, "-ERR a server's reply is not as expected");
      assertEquals(short[1], "+PONG\r\n");
    }
  });
});

Deno.test(
  "Proxy sends no message of a channel before the reply to `exec`",
  clustered(1, async ({ proxy }) => {
    using publisher = await connectResp(proxy);
    const messages = encodeLines(...Array.from({ length: 50 }, () => "publish c m"));
    let isDone = false;
    const publishing = (async () => {
      while (!isDone) {
        await publisher.send(messages);
        await readReplies(publisher, 50);
      }
    })();
    try {
      for (const [version, requests] of [[2, ["subscribe c"]], [3, ["subscribe c", "hello 2"]]] as const) {
        for (const count of [0, 0, 0, 0, 6000]) {
          using client = await connectResp(proxy, version);
          const more = new Array<string>(count).fill("lrange {c}k 0 -1");
          await client.send(encodeLines("multi", ...requests, ...more, "exec"));
          const replies = await readReplies(client, 2 + requests.length + count);
          assertEquals(replies.slice(0, 2), [OK, QUEUED]);
          assertEquals(replies.at(-1)!.split("\r\n", 1), [`*${requests.length + count}`]);
          // They follow, in the version that the client speaks by then.
          assertEquals(await readReplies(client, 2), Array(2).fill("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"));
        }
      }
    } finally {
      isDone = true;
      await publishing;
    }
    using client = await connectResp(proxy);
    await until(async () => await ask(client, "pubsub", "numsub", "c") === "*2\r\n$1\r\nc\r\n:0\r\n", "all have left");
    assertEquals(Number(infoOf(proxy, "mem_clients_messages")), 0);
  }),
);

Deno.test(
  "Proxy shows in client list the transaction that runs it, as a server does",
  clustered(1, async ({ proxy }, [server]) => {
    for (const { address } of [server!, proxy]) {
      using client = await RespClient.connect(address.port);
      for (const words of [["multi"], ["set", "k", "v"], ["client", "list"]]) await client.call(...words);
      const facts = async (words: string[]) => encodeFrame(await client.call(...words)).match(/(flags|multi|cmd)=\S+/g);
      assertEquals(await facts(["exec"]), ["flags=x", "multi=2", "cmd=exec"]);
      assertEquals((await facts(["client", "list"]))!.slice(-3), ["flags=N", "multi=-1", "cmd=client|list"]);
    }
  }),
);

Deno.test(
  "Proxy serves other clients while it executes thousands of commands for itself",
  clustered(1, async ({ proxy }) => {
    using client = await connectResp(proxy);
    using other = await connectResp(proxy);
    for (const request of ["client id", "hello 3", "client list"]) {
      const count = 6_000;
      await client.send(encodeLines("multi") + encodeLines(request).repeat(count));
      await readReplies(client, count + 1);
      let isAnswered = false;
      await client.send(encodeLines("exec"));
      const replied = client.frame().then((frame) => {
        isAnswered = true;
        return frame;
      });
      let pings = 0;
      while (!isAnswered) {
        await other.call("ping");
        pings++;
      }
      assertEquals((await replied).items?.length, count);
      assert(pings > 3, `${request}: ${pings} pings got a reply meanwhile`);
    }
  }),
);

Deno.test("Proxy counts its own replies to a transaction as the client's memory", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ proxy, log }) => {
      using client = await connectResp(proxy);
      using other = await connectResp(proxy);
      await client.send(encodeLines("multi") + encodeLines("command docs").repeat(1000) + encodeLines("exec"));
      await until(() => infoOf(proxy, "connected_clients") === "1", "it is disconnected", 20_000);
      await pause(2 * ABORT_DELAY_MS);
      assertEquals(log.lines.filter((line) => line.includes("Closed a client")).length, 1);
      assertEquals(await ask(other, "ping"), "+PONG\r\n");
    }, { clientMemoryLimitBytes: 8 * 1024 * 1024 })));

Deno.test("Proxy counts and delays wrong passwords of `hello` in a transaction as those of `auth`", () =>
  withServers(1, (_servers, addresses) =>
    withProxy(addresses, async ({ proxy, log }) => {
      using client = await connectResp(proxy);
      await client.call("auth", "secret");
      const guess = "hello 3 auth default no";
      const guesses = [guess, "auth no"];
      const startedMs = performance.now();
      await client.send(encodeLines("multi", ...guesses, ...guesses, ...guesses, ...guesses, guess, "ping", "exec"));
      const first = (await readReplies(client, 12)).at(-1)!;
      assertEquals(first.split("WRONGPASS").length, 10);
      // The last password would be right.
      await client.send(encodeLines("multi", guess, "hello 3 auth default secret", "set k v", "exec", "get k"));
      const items = (await client.framesToEnd()).at(-1)!.items!.map((item) => item.line);
      assert(performance.now() - startedMs > 3000, "they were not held back");
      assertEquals(items.map((line) => line.slice(0, 9)), ["WRONGPASS", "WRONGPASS", "OK"]);
      assertEquals(log.lines.filter((line) => line.includes("Wrong password")).length, 1);
    }, { password: "secret", backend: { plaintext: true, password: "secret" } }), { password: "secret" }));
