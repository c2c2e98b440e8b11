/** Tests the filters of `client list` and `client kill` on server and proxy. */

import { assertEquals, assertMatch } from "@std/assert";
import { ABORT_DELAY_MS } from "../../src/limits.ts";
import { testEachRole } from "../support/each_role.ts";
import { pause } from "../support/pause.ts";
import { ask } from "../support/proxy_rig.ts";
import type { RespClient } from "../support/resp_client.ts";
import { until } from "../support/until.ts";

/** Returns the names of the clients that match, in their order. */
async function namesOf(client: RespClient, filters: string): Promise<string> {
  const list = await ask(client, "client", "list", ...filters.split(" ").filter((word) => word !== ""));
  return list.startsWith("-") ? list : [...list.matchAll(/ name=(\S+)/g)].map(([, name]) => name).join(" ");
}

testEachRole("client list chooses by every filter, and by its opposite", async ({ resp, native, role }) => {
  using one = await resp();
  // A client is listed from its first request on.
  await ask(one, "client", "setname", "one");
  using two = await resp(3);
  using three = await native();
  await ask(two, "client", "setname", "two");
  await three.call("client", "setname", "three");
  await ask(one, "client", "setinfo", "lib-name", "ioredis");
  await ask(one, "client", "setinfo", "lib-ver", "5.0");
  await ask(two, "client", "no-evict", "on");
  await ask(two, "subscribe", "c");
  const line = await ask(one, "client", "info");
  const [, id, address] = /id=(\d+) addr=(\S+)/.exec(line)!;
  const twoId = /id=(\d+)/.exec(await ask(two, "client", "info"))![1]!;
  const localAddress = `127.0.0.1:${role.address.port}`;
  const expected: Readonly<Record<string, string>> = {
    "": "one two three",
    "type pubsub": "two",
    "TYPE normal": "one three",
    "type replica": "",
    "not-type pubsub": "one three",
    "name two": "two",
    "not-name two": "one three",
    "name TWO": "",
    [`id ${twoId} ${id}`]: "two one",
    [`id ${id} ${id} skipme yes`]: "",
    [`id ${twoId} ${id} type normal`]: "one",
    [`not-id ${id} ${twoId}`]: "three",
    [`addr ${address}`]: "one",
    [`not-addr ${address}`]: "two three",
    [`laddr ${localAddress}`]: "one two three",
    "laddr 127.0.0.1:1": "",
    "ip 127.0.0.1": "one two three",
    "not-ip 127.0.0.1": "",
    "ip ::1": "",
    "lib-name ioredis": "one",
    "not-lib-name ioredis": "two three",
    "lib-ver 5.0 lib-name ioredis": "one",
    "user default": "one two three",
    "not-user default": "",
    "not-user nobody": "one two three",
    "skipme yes": "two three",
    "skipme no": "one two three",
    "flags P": "two",
    "flags eP": "two",
    "not-flags P": "one three",
    "flags N": "one three",
    "flags x": "",
    "db 0": "one two three",
    "db 1": "",
    "not-db 0": "",
    "maxage 100000": "",
    "idle 100000": "",
    "name one name two": "two",
    "name two not-flags P": "",
  };
  for (const [filters, names] of Object.entries(expected)) {
    assertEquals(await namesOf(one, filters), names, filters);
  }
});

testEachRole("client list and client kill refuse wrong filters", async ({ resp }) => {
  using client = await resp();
  const wrong: Readonly<Record<string, RegExp>> = {
    "foo bar": /^-ERR syntax error\r/,
    "name": /^-ERR (syntax error|No such client)\r/,
    "name a type": /^-ERR syntax error\r/,
    "not-maxage 1": /^-ERR syntax error\r/,
    "not-skipme yes": /^-ERR syntax error\r/,
    "skipme maybe": /^-ERR syntax error\r/,
    "type nothing": /^-ERR Unknown client type 'nothing'\r/,
    "user nobody": /^-ERR No such user 'nobody'\r/,
    "maxage 0": /^-ERR maxage should be greater than 0\r/,
    "maxage -5": /^-ERR maxage should be greater than 0\r/,
    "maxage 1.5": /^-ERR maxage is not an integer or out of range\r/,
    "idle x": /^-ERR idle is not an integer or out of range\r/,
    "flags Z": /^-ERR Unknown flags found in the provided filter: Z\r/,
    "flags ": /^-ERR Unknown flags found in the provided filter: \r/,
    "db x": /^-ERR value is not an integer or out of range\r/,
    "id x": /^-ERR (Invalid client ID|client-id should be greater than 0)\r/,
    "not-id x": /^-ERR (Invalid client ID|client-id should be greater than 0)\r/,
    "__proto__ x": /^-ERR syntax error\r/,
    "constructor x": /^-ERR syntax error\r/,
  };
  for (const [filters, error] of Object.entries(wrong)) {
    for (const subcommand of ["list", "kill"]) {
      assertMatch(await ask(client, "client", subcommand, ...filters.split(" ")), error, `${subcommand} ${filters}`);
    }
  }
});

testEachRole("client kill ends the clients that match all filters", async ({ resp }) => {
  using observer = await resp();
  const clients = await Promise.all(["a", "b", "c", "d"].map(async (name) => {
    const client = await resp();
    await ask(client, "client", "setname", name);
    return client;
  }));
  const id = /id=(\d+)/.exec(await ask(clients[3]!, "client", "info"))![1]!;
  assertEquals(await ask(observer, "client", "kill", "name", "a", "flags", "P"), ":0\r\n");
  assertEquals(await ask(observer, "client", "kill", "name", "a"), ":1\r\n");
  assertEquals(await ask(observer, "client", "kill", "id", id, "999999"), ":1\r\n");
  assertEquals(await ask(observer, "client", "kill", "not-name", "b", "not-name", "c", "maxage", "100000"), ":0\r\n");
  assertEquals(await ask(observer, "client", "kill", "not-name", "b"), ":1\r\n");
  await until(async () => await namesOf(observer, "not-name x") === "b", "only one is left");
  assertEquals(await ask(observer, "client", "kill", "not-name", "x"), ":1\r\n");
  for (const client of clients) {
    await client.framesToEnd();
    client.close();
  }
  // Their descriptors are freed later.
  await pause(2 * ABORT_DELAY_MS);
});
