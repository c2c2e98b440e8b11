/**
 * Tests that a request for another than the only database closes the connection, and no later request runs: on a server
 * and through a proxy, in every protocol.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { RespClient } from "../support/resp_client.ts";
import { encodeFrame } from "../support/resp_frames.ts";
import { ask, clustered, connectResp, infoOf } from "../support/proxy_rig.ts";
import { framesOf, RawClient } from "../support/raw_client.ts";
import { encodeLines } from "../support/resp_requests.ts";

const REFUSAL =
  "ERR DB index is out of range: there is one database, 0; the connection is closed, so that nothing is written to the wrong database";

/** Returns all replies, up to the end of the connection. */
async function hear(port: number, version: 2 | 3, text: string, isBytewise = false): Promise<string> {
  using client = await RespClient.connect(port);
  if (version === 3) await client.call("hello", "3");
  if (isBytewise) { for (const character of text) await client.send(character); }
  else await client.send(text);
  return (await client.framesToEnd()).map(encodeFrame).join("");
}

Deno.test(
  "select of another database closes the connection, and no later request runs",
  clustered(1, async ({ proxy }, [server]) => {
    for (const { address: { port } } of [server!, proxy]) {
      for (const version of [2, 3] as const) {
        for (const isBytewise of [false, true]) {
          const sent: [text: string, before: string][] = [
            [encodeLines("select 1", "set k v"), ""],
            [encodeLines("set a 1", "select 0", "select 1", "set k v", "set k w"), "+OK\r\n+OK\r\n"],
            ["select 1\r\nset k v\r\n", ""],
            ['SELECT "15"' + "\r\nset k v\r\n", ""],
            [encodeLines("select -1", "set k v"), ""],
            [encodeLines("multi", "set k v", "select 1", "set k w", "exec"), "+OK\r\n+QUEUED\r\n"],
            [encodeLines("multi", "client getname", "select 1", "set k w", "exec"), "+OK\r\n+QUEUED\r\n"],
            [encodeLines("watch k", "multi", "set k v", "select 1", "exec"), "+OK\r\n+OK\r\n+QUEUED\r\n"],
            [encodeLines("multi", "nosuch", "select 1", "set k w", "exec", "set k v"), "+OK\r\n-ERR unknown"],
          ];
          for (const [text, before] of sent) {
            const heard = await hear(port, version, text, isBytewise);
            assert(heard.startsWith(before), heard);
            assert(heard.endsWith(`-${REFUSAL}\r\n`), `${text}: ${heard}`);
          }
          const heard = await hear(port, version, encodeLines("select abc", "set k v"), isBytewise);
          assert(heard.startsWith("-ERR value is not an integer or out of range: there is one database"), heard);
        }
      }
      using native = await RawClient.connect({ hostname: "127.0.0.1", port });
      await native.send(framesOf(["multi"], ["set", "k", "v"], ["select", "1"], ["exec"], ["set", "k", "w"]));
      assertEquals(await native.replies(3), ["OK", "QUEUED", REFUSAL]);
      assertEquals(await native.rest(), "");
    }
    using client = await connectResp(proxy);
    assertEquals(await ask(client, "exists", "k"), ":0\r\n");
    assertEquals(await ask(client, "get", "a"), "$1\r\n1\r\n");
    assertEquals(server!.shared.watches.count, 0);
    assertEquals(infoOf(proxy, "mem_clients_transaction"), "0");
  }),
);

Deno.test(
  "commands that name another database beside their key are refused, and the connection continues",
  clustered(1, async ({ proxy }, [server]) => {
    for (const { address: { port } } of [server!, proxy]) {
      using client = await RespClient.connect(port);
      assertEquals(await ask(client, "set", "k", "v"), "+OK\r\n");
      const refusal = "-ERR DB index is out of range\r\n";
      assertEquals(await ask(client, "swapdb", "0", "1"), refusal);
      assertEquals(await ask(client, "swapdb", "1", "1"), refusal);
      assertEquals(await ask(client, "copy", "k", "{k}2", "DB", "1"), refusal);
      assertEquals(await ask(client, "copy", "k", "{k}2", "DB", "0"), ":1\r\n");
      assertStringIncludes(await ask(client, "move", "k", "1"), "-ERR unknown command 'move'");
      assertEquals(await ask(client, "config", "get", "databases"), encodeFrameOf("databases", "1"));
      assertEquals(await ask(client, "del", "k", "{k}2"), ":2\r\n");
    }
  }),
);

function encodeFrameOf(...texts: string[]): string {
  return `*${texts.length}\r\n${texts.map((text) => `$${text.length}\r\n${text}\r\n`).join("")}`;
}
