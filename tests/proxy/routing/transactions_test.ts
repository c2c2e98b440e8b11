/** Tests transactions through the proxy in this process. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ReplyError } from "../../../src/errors.ts";
import { TRANSACTION_MAX_BYTES } from "../../../src/limits.ts";
import { QueuedRequests } from "../../../src/proxy/client/queued_requests.ts";
import type { FakeHandler } from "../../support/fake_server.ts";
import { pause } from "../../support/pause.ts";
import {
  ask,
  clustered,
  connectResp,
  echoing,
  readReplies,
  serverFact,
  withFakes,
  writeList,
} from "../../support/proxy_rig.ts";
import { framesOf } from "../../support/raw_client.ts";
import { encodeLines } from "../../support/resp_requests.ts";
import { until } from "../../support/until.ts";

const OK = "+OK\r\n";
const QUEUED = "+QUEUED\r\n";
const CURE = "give them a common {tag}, as in {user1}:name";
const CROSS_SLOT_WATCH = `-CROSSSLOT Keys in request don't hash to the same slot; ${CURE}\r\n`;
const CROSS_SLOT = CROSS_SLOT_WATCH.replace("\r\n", ", or send the pipeline without MULTI\r\n");
const ABORTED = "-EXECABORT Transaction discarded because of previous errors.\r\n";

Deno.test(
  "Proxy runs a transaction on the server of its keys, without a dedicated connection",
  clustered(3, async ({ proxy, connect, key }, servers) => {
    for (const version of [2, 3] as const) {
      using client = await connectResp(proxy, version);
      const nil = version === 2 ? "$-1\r\n" : "_\r\n";
      for (let i = 0; i < 3; i++) {
        const name = `{${key(i)}}${version}`;
        await client.send(
          encodeLines(`set ${name} 1`, "multi", `incr ${name}`, `get ${name}x`, `lpush ${name} a`, "ping", "exec"),
        );
        await client.send(encodeLines(`get ${name}`));
        assertEquals(await readReplies(client, 8), [
          OK,
          OK,
          QUEUED,
          QUEUED,
          QUEUED,
          QUEUED,
          `*4\r\n:2\r\n${nil}-WRONGTYPE Operation against a key holding the wrong kind of value\r\n+PONG\r\n`,
          "$1\r\n2\r\n",
        ]);
        assertEquals(servers[i]!.store.size, version - 1);
      }
      assertEquals(await ask(client, "multi"), OK);
      assertEquals(await ask(client, "exec"), "*0\r\n");
    }
    using native = await connect();
    await native.send(framesOf(["multi"], ["set", key(1), "v"], ["get", key(1)], ["exec"]));
    assertEquals(await native.replies(4), ["OK", "QUEUED", "QUEUED", [[0, "OK"], [0, "v"]]]);
    for (let i = 0; i < 3; i++) assertEquals(serverFact(proxy, i, "dedicated"), "0");
  }),
);

Deno.test(
  "Proxy mixes no request of another client into a transaction",
  clustered(2, async ({ proxy, key }) => {
    const name = key(0);
    const rounds = 200;
    const work = async () => {
      using client = await connectResp(proxy);
      await client.send(
        Array.from(
          { length: rounds },
          () => encodeLines("multi", `incr ${name}`, `incr ${name}`, `decr ${name}`, "exec"),
        )
          .join(""),
      );
      for (let i = 0; i < rounds; i++) {
        const replies = await readReplies(client, 5);
        const [first, second, third] = replies[4]!.split("\r\n:").slice(1).map(Number.parseFloat);
        assertEquals([second, third], [first! + 1, first!]);
      }
    };
    await Promise.all(Array.from({ length: 8 }, work));
    using client = await connectResp(proxy);
    assertEquals(await ask(client, "get", name), `$4\r\n${8 * rounds}\r\n`);
  }),
);

Deno.test(
  "Proxy refuses to run a transaction of which a part cannot be queued",
  clustered(3, async ({ proxy, key }, servers) => {
    using client = await connectResp(proxy);
    const reasons: [line: string, refusal: string][] = [
      [`get ${key(1)}`, CROSS_SLOT],
      [`mget {${key(0)}} ${key(2)}`, CROSS_SLOT],
      [`rename ${key(1)} ${key(2)}`, CROSS_SLOT],
      ["nosuch", "-ERR unknown command 'nosuch', with args beginning with: \r\n"],
      ["get", "-ERR wrong number of arguments for 'get' command\r\n"],
      ["save", "-ERR Command not allowed inside a transaction\r\n"],
      ["keys *", unusable("keys", "a transaction runs on one server, and it concerns all")],
      ["flushall", unusable("flushall", "a transaction runs on one server, and it concerns all")],
      ["dbsize", unusable("dbsize", "a transaction runs on one server, and it concerns all")],
      ["scan 0", unusable("scan", "a transaction runs on one server, and it concerns all")],
      ["lastsave", unusable("lastsave", "a transaction runs on one server, and it concerns all")],
      ["debug sleep 0", unusable("debug", "it would hold up all clients of the proxy")],
      ["client no-touch on", unusable("client", "servers do not know which of the proxy's connections is whose")],
      ["client id extra", "-ERR wrong number of arguments for 'client|id' command\r\n"],
    ];
    for (const [line, refusal] of reasons) {
      await client.send(
        encodeLines("multi", `set ${key(0)} v`, line, `set {${key(0)}}x v`, "exec", `exists ${key(0)}`),
      );
      assertEquals(await readReplies(client, 6), [OK, QUEUED, refusal, QUEUED, ABORTED, ":0\r\n"], line);
    }
    for (const server of servers) assertEquals(server.store.size, 0);
    assertEquals(await ask(client, "exec"), "-ERR EXEC without MULTI\r\n");
    assertEquals(await ask(client, "discard"), "-ERR DISCARD without MULTI\r\n");
    await client.send(
      encodeLines("multi", "multi", "watch a", "set a 1", "discard", "get a", "multi", "exec x", "exec"),
    );
    assertEquals(await readReplies(client, 9), [
      OK,
      "-ERR MULTI calls can not be nested\r\n",
      "-ERR WATCH inside MULTI is not allowed\r\n",
      QUEUED,
      OK,
      "$-1\r\n",
      OK,
      "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command\r\n",
      "-ERR EXEC without MULTI\r\n",
    ]);
  }),
);

function unusable(name: string, reason: string): string {
  return `-ERR '${name}' cannot be used through the proxy: ${reason}\r\n`;
}

Deno.test(
  "Proxy watches keys on a dedicated connection until the transaction ends",
  clustered(2, async ({ proxy, connect, key }) => {
    const name = key(0);
    using client = await connectResp(proxy);
    using other = await connectResp(proxy);
    using native = await connect();
    // The key is unchanged. All requests are in one write: what is sent on other connections must not overtake.
    await client.send(
      encodeLines(`set ${name} 1`, `watch ${name}`, `get ${name}`, "multi", `incr ${name}`, "exec", `get ${name}`),
    );
    assertEquals(await readReplies(client, 7), [
      OK,
      OK,
      "$1\r\n1\r\n",
      OK,
      QUEUED,
      "*1\r\n:2\r\n",
      "$1\r\n2\r\n",
    ]);
    // The key is changed by another client, by this one, and during the transaction.
    for (const changer of [other, client]) {
      assertEquals(await ask(client, "watch", name, `{${name}}x`), OK);
      assertEquals(await ask(changer, "set", name, "5"), OK);
      await client.send(encodeLines("multi", `set ${name} 9`, "exec"));
      assertEquals(await readReplies(client, 3), [OK, QUEUED, "*-1\r\n"]);
      assertEquals(await ask(client, "get", name), "$1\r\n5\r\n");
    }
    assertEquals(await ask(client, "watch", name), OK);
    assertEquals(await ask(client, "multi"), OK);
    assertEquals(await native.call("set", name, "6"), "OK");
    assertEquals(await ask(client, "exec"), "*-1\r\n");
    // After the end of the watch, changes have no effect.
    for (const end of ["unwatch", "discard", "reset"]) {
      assertEquals(await ask(client, "watch", name), OK);
      if (end === "discard") assertEquals(await ask(client, "multi"), OK);
      assertEquals((await ask(client, end))[0], "+");
      assertEquals(await ask(other, "set", name, "7"), OK);
      await client.send(encodeLines("multi", `get ${name}`, "exec"));
      assertEquals(await readReplies(client, 3), [OK, QUEUED, "*1\r\n$1\r\n7\r\n"]);
    }
    assertEquals(await ask(client, "watch", name), OK);
    assertEquals(await ask(client, "watch", key(1)), CROSS_SLOT_WATCH);
    assertEquals(await ask(client, "multi"), OK);
    assertEquals(await ask(client, "get", key(1)), CROSS_SLOT);
    assertEquals(await ask(client, "exec"), ABORTED);
    // At most one connection is kept for later use.
    assert(Number(serverFact(proxy, 0, "dedicated")) <= 1);
  }),
);

Deno.test(
  "Proxy runs a transaction of watched keys in the version that its client speaks by then",
  clustered(1, async ({ proxy }) => {
    using client = await connectResp(proxy, 2);
    using other = await connectResp(proxy, 2);
    for (const changes of [false, true]) {
      await client.send(encodeLines("hello 2", "watch k", "get k"));
      assertEquals((await readReplies(client, 3)).slice(1), [OK, "$-1\r\n"]);
      if (changes) assertEquals(await ask(other, "set", "k", "v"), OK);
      await client.send(encodeLines("hello 3", "multi", "hgetall {k}x", "get {k}x", "exec", "get {k}x"));
      const replies = await readReplies(client, 6);
      assertEquals(replies.slice(4), [changes ? "_\r\n" : "*2\r\n%0\r\n_\r\n", "_\r\n"]);
      // No other client gets a connection whose version differs from the one in which it was lent.
      await other.send(encodeLines("watch k", "multi", "get {k}x", "exec"));
      assertEquals((await readReplies(other, 4))[3], "*1\r\n$-1\r\n");
    }
  }),
);

Deno.test(
  "Proxy closes the dedicated connection of a client that disconnects while it watches",
  clustered(1, async ({ proxy, key }, [server]) => {
    const client = await connectResp(proxy, 3);
    assertEquals(await ask(client, "watch", key(0)), OK);
    assertEquals(server!.shared.watches.count, 1);
    client.close();
    await until(() => server!.shared.watches.count === 0, "the server forgets it");
    assertEquals(serverFact(proxy, 0, "dedicated"), "0");
  }),
);

Deno.test(
  "Proxy runs no transaction whose keys have changed their server since they were watched",
  clustered(2, async ({ proxy, key, path, addresses }) => {
    using client = await connectResp(proxy);
    const name = key(0);
    assertEquals(await ask(client, "watch", name), OK);
    await client.send(encodeLines("multi", `set ${name} v`));
    assertEquals(await readReplies(client, 2), [OK, QUEUED]);
    await writeList(path, addresses.slice(1));
    await until(() => proxy.members.length === 1, "the list is applied");
    assertEquals(await ask(client, "exec"), "*-1\r\n");
    assertEquals(await ask(client, "exists", name), ":0\r\n");
    await client.send(encodeLines(`watch ${name}`, "multi", `set ${name} v`, "exec"));
    assertEquals((await readReplies(client, 4)).at(-1), "*1\r\n+OK\r\n");
  }),
);

/** Replies as a server that runs nothing. */
function transacting(onExec: FakeHandler): FakeHandler {
  return (request, peer) => {
    if (request[0] === "multi" || request[0] === "watch") peer.reply("OK");
    else if (request[0] === "exec") onExec(request, peer);
    else if (request[0] === "get") echoing(request, peer);
    else peer.reply("QUEUED");
  };
}

Deno.test("Proxy repeats no transaction, and reports that its outcome is unknown", async () => {
  await withFakes([transacting((_request, peer) => void peer.close())], async ({ proxy }, [server]) => {
    using client = await connectResp(proxy);
    await client.send(encodeLines("get k", "multi", "set k v", "exec"));
    const [, , , lost] = await readReplies(client, 4);
    assertStringIncludes(lost!, "-UNKNOWN_OUTCOME ");
    await pause(20);
    assertEquals(server!.requests.filter(([name]) => name === "exec").length, 1);
  });
});

Deno.test("Proxy runs no transaction when the connection that watched is lost", async () => {
  let lose = () => {};
  const handler: FakeHandler = (request, peer) => {
    if (request[0] === "watch") lose = () => void peer.close();
    transacting((_request, peer) => peer.reply(["ran"]))(request, peer);
  };
  await withFakes([handler], async ({ proxy }, [server]) => {
    using client = await connectResp(proxy);
    assertEquals(await ask(client, "watch", "k"), OK);
    lose();
    await until(() => serverFact(proxy, 0, "dedicated") === "0", "the connection is gone");
    await client.send(encodeLines("multi", "set k v", "exec", "multi", "set k v", "exec"));
    const replies = await readReplies(client, 6);
    assertStringIncludes(replies[2]!, "-UNAVAILABLE ");
    assertStringIncludes(replies[2]!, "the connection that this client had for itself was lost");
    // The next transaction is not affected.
    assertEquals(replies[5], "*1\r\n+ran\r\n");
    assertEquals(server!.requests.filter(([name]) => name === "exec").length, 1);
  });
});

Deno.test("Proxy can watch again after a watch that has failed", async () => {
  let refuses = true;
  const handler: FakeHandler = (request, peer) => {
    if (request[0] === "watch" && refuses) void peer.close();
    else transacting((_request, peer) => peer.reply(["ran"]))(request, peer);
  };
  await withFakes([handler], async ({ proxy }) => {
    using client = await connectResp(proxy);
    assertStringIncludes(await ask(client, "watch", "k"), "-UNAVAILABLE ");
    refuses = false;
    await client.send(encodeLines("watch k", "multi", "set k v", "exec"));
    assertEquals((await readReplies(client, 4)).at(-1), "*1\r\n+ran\r\n");
  });
});

Deno.test("QueuedRequests keeps requests one after another, up to a bound", () => {
  const queue = new QueuedRequests();
  const bytes = new TextEncoder().encode("-first-second-");
  queue.add(bytes, 1, 5);
  queue.add(bytes, 7, 6);
  queue.add(bytes, 0, 0);
  const target = new Uint8Array(20);
  let length = 3;
  const sizes = [0, 1, 2].map((i) => {
    const size = queue.copyTo(i, target, length);
    length += size;
    return size;
  });
  assertEquals([sizes, queue.count, queue.bytes], [[5, 6, 0], 3, 11]);
  assertEquals(new TextDecoder().decode(target), "\0\0\0firstsecond\0\0\0\0\0\0");
  const large = new Uint8Array(TRANSACTION_MAX_BYTES / 2);
  queue.add(large, 0, large.length);
  assertThrows(() => queue.add(large, 0, large.length), ReplyError, "transaction exceeds 134217728 bytes");
  // Many short requests count for more than their bytes.
  const many = new QueuedRequests();
  assertThrows(() => {
    for (;;) many.add(bytes, 0, 1);
  }, ReplyError);
  assert(many.count > 500_000 && many.count < 530_000, String(many.count));
});
