/** Tests what a proxy counts of its clients' requests: calls, failures, latencies, codes of errors, bytes. */

import { assert, assertEquals } from "@std/assert";
import { commandNamed } from "../../src/catalog/command_facts.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { Instruments } from "../../src/metrics/instruments.ts";
import { clustered, echoing, withFakes } from "../support/proxy_rig.ts";
import { RespClient } from "../support/resp_client.ts";
import { until } from "../support/until.ts";

/** Returns `calls failed rejected timed` of each command that was called or rejected. */
function countsOf({ commands }: Instruments): Record<string, string> {
  const counts: Record<string, string> = {};
  for (const { name, position } of COMMANDS) {
    const calls = commands.calls(position);
    const [failed, rejected] = [commands.failed[position]!, commands.rejected[position]!];
    if (calls + rejected === 0) continue;
    counts[name] = `${calls} ${failed} ${rejected} ${commands.buckets(position).at(-1)}`;
  }
  return counts;
}

/** Requests of all kinds of routing, with errors of the proxy and of its servers. */
const CALLS = [
  "set a 1",
  "get a",
  "get a",
  "get none",
  "get",
  "nosuchcommand",
  "rpush list x",
  "get list",
  "incr list",
  "mset a 1 b 2 c 3 d 4 e 5",
  "mset a 1 b",
  "mget a b c d e list",
  "del b c d e none",
  "dbsize",
  "scan 0",
  "keys *",
  "randomkey",
  "ping",
  "echo hello",
  "config get maxmemory",
  "publish channel message",
  "sinter a b c d e f",
  "blpop list 0",
  "blpop a 0",
  "save",
  "watch a",
  "unwatch",
  "exec",
].map((call) => call.split(" "));

const WANTED = {
  set: "1 0 0 1",
  get: "4 1 1 4",
  rpush: "1 0 0 1",
  incr: "1 1 0 1",
  mset: "2 1 0 2",
  mget: "1 0 0 1",
  remove: "1 0 0 1",
  size: "1 0 0 1",
  scan: "1 0 0 1",
  keys: "1 0 0 1",
  randomkey: "1 0 0 1",
  ping: "1 0 0 1",
  echo: "1 0 0 1",
  config: "1 0 0 1",
  publish: "1 0 0 1",
  sinter: "1 1 0 1",
  // What waits is not timed.
  blpop: "2 1 0 0",
  save: "1 1 0 1",
  watch: "1 0 0 1",
  unwatch: "1 0 0 1",
  exec: "1 1 0 1",
};

Deno.test(
  "Proxy counts requests of all kinds by command, in both protocols",
  clustered(3, async ({ proxy, connect }) => {
    const { instruments } = proxy;
    {
      using client = await connect();
      for (const call of CALLS) await client.call(...call);
      assertEquals(countsOf(instruments), WANTED);
    }
    const codes = Object.fromEntries(instruments.errors.byCode);
    assertEquals(Object.keys(codes).sort(), ["CROSSSLOT", "ERR", "WRONGTYPE"]);
    const failures = Object.values(WANTED).flatMap((counts) => counts.split(" ").slice(1, 3).map(Number));
    // One error is about no command.
    assertEquals(instruments.errors.total, failures.reduce((sum, count) => sum + count, 1));
    proxy.resetStatistics();
    assertEquals([countsOf(instruments), instruments.errors.total], [{}, 0]);
    using resp = await RespClient.connect(proxy.address.port);
    for (const call of CALLS) await resp.call(...call);
    assertEquals(countsOf(instruments), WANTED);
    assertEquals(Object.fromEntries(instruments.errors.byCode), codes);
    for (const { position } of COMMANDS) {
      const us = instruments.commands.microseconds(position);
      assertEquals(us > 0, instruments.commands.histogram(position) !== undefined);
      assert(us < 5e6, `${us} µs`);
    }
    assert(instruments.quantileMs(0.5)! > 0);
  }),
);

Deno.test(
  "Proxy counts commands of a transaction as calls when they are queued, and a refused one as rejected",
  clustered(2, async ({ proxy, connect }) => {
    using client = await connect();
    for (const call of ["multi", "set a 1", "incr a", "incr a", "exec", "multi", "get", "exec"]) {
      await client.call(...call.split(" "));
    }
    assertEquals(countsOf(proxy.instruments), {
      multi: "2 0 0 2",
      set: "1 0 0 0",
      incr: "2 0 0 0",
      exec: "2 1 0 2",
      get: "0 0 1 0",
    });
  }),
);

Deno.test(
  "Proxy counts requests whose replies the client does not want",
  clustered(2, async ({ proxy }) => {
    using client = await RespClient.connect(proxy.address.port);
    await client.send("client reply off\r\nset a 1\r\nget a\r\nclient reply on\r\n");
    assertEquals(await client.frame(), await client.call("client", "reply", "on"));
    const { set, get } = countsOf(proxy.instruments);
    assertEquals([set, get], ["1 0 0 1", "1 0 0 1"]);
  }),
);

Deno.test("Proxy measures how long a server takes, and counts a lost server's requests as failed", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let asked = 0;
  await withFakes([(request, peer) => {
    asked++;
    peer.hold(promise);
    echoing(request, peer);
  }], async ({ proxy, connect }, [server]) => {
    const { instruments } = proxy;
    const position = commandNamed("get")!.specification.position;
    using client = await connect();
    const reply = client.call("get", "a");
    await until(() => asked === 1, "the server was asked");
    assertEquals(countsOf(instruments).get, "1 0 0 0");
    await new Promise((resolve) => setTimeout(resolve, 50));
    resolve();
    await reply;
    assertEquals(countsOf(instruments).get, "1 0 0 1");
    const us = instruments.commands.microseconds(position);
    assert(us > 50_000 && us < 5e6, `${us} µs`);
    await server![Symbol.asyncDispose]();
    await client.call("set", "a", "1").catch(() => {});
    assertEquals(countsOf(instruments).set, "1 1 0 1");
    assertEquals(instruments.errors.total, 1);
  });
});

Deno.test(
  "Proxy and server count the bytes between them and their clients",
  clustered(1, async ({ proxy }, [server]) => {
    using client = await RespClient.connect(proxy.address.port);
    const before = { ...proxy.instruments.traffic };
    const value = "x".repeat(300_000);
    await client.call("set", "k", value);
    await client.call("get", "k");
    const { inputBytes, outputBytes } = proxy.instruments.traffic;
    const request = `*3\r\n$3\r\nset\r\n$1\r\nk\r\n$300000\r\n${value}\r\n*2\r\n$3\r\nget\r\n$1\r\nk\r\n`;
    assertEquals(inputBytes - before.inputBytes, request.length);
    assertEquals(outputBytes - before.outputBytes, `+OK\r\n$300000\r\n${value}\r\n`.length);
    assert(server!.instruments.traffic.inputBytes >= request.length);
    assert(server!.instruments.traffic.outputBytes >= value.length);
  }),
);
