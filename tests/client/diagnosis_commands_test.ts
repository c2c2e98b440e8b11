import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { type Client, connect, type Value } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { withClient } from "../support/fake_server.ts";
import { withServers } from "../support/proxy_rig.ts";

const v = encodeText("v");

/** A call, the request that it sends, a reply, and what the call returns then. */
type Example = [(client: Client) => Promise<unknown>, string, Value, unknown];

const EXAMPLES: Example[] = [
  [
    (client) => client.text.slowlog("get", 5),
    "slowlog get 5",
    [[7, 17, 12_000, [encodeText("get"), v], encodeText("a:1"), encodeText("me")]],
    [{ id: 7, timeMs: 17_000, durationUs: 12_000, words: ["get", "v"], address: "a:1", clientName: "me" }],
  ],
  [(client) => client.slowlog("get"), "slowlog get", [], []],
  [(client) => client.slowlog("get", -1), "slowlog get -1", [], []],
  [(client) => client.slowlog("len"), "slowlog len", 3, 3],
  [(client) => client.slowlog("reset"), "slowlog reset", "OK", undefined],
  [
    (client) => client.latency("latest"),
    "latency latest",
    [[encodeText("command"), 17, 20, 30]],
    [{ name: "command", timeMs: 17_000, latestMs: 20, longestMs: 30 }],
  ],
  [
    (client) => client.latency("history", "command"),
    "latency history command",
    [[17, 20]],
    [{ timeMs: 17_000, durationMs: 20 }],
  ],
  [(client) => client.latency("graph", "command"), "latency graph command", encodeText("x"), "x"],
  [(client) => client.latency("doctor"), "latency doctor", encodeText("x"), "x"],
  [(client) => client.latency("reset"), "latency reset", 0, 0],
  [(client) => client.latency("reset", "a", "b"), "latency reset a b", 2, 2],
  [
    (client) => client.latency("histogram", "get"),
    "latency histogram get",
    new Map([[
      encodeText("get"),
      new Map<Value, Value>([[encodeText("calls"), 5], [
        encodeText("histogram_usec"),
        new Map([[1, 2], [4, 5]]),
      ]]),
    ]]),
    new Map([["get", { calls: 5, atMostUs: new Map([[1, 2], [4, 5]]) }]]),
  ],
  [(client) => client.role(), "role", [encodeText("master"), 0, []], "master"],
  [(client) => client.client("pause", 100), "client pause 100", "OK", undefined],
  [(client) => client.client("pause", 100, "write"), "client pause 100 write", "OK", undefined],
  [(client) => client.client("unpause"), "client unpause", "OK", undefined],
  [
    (client) => client.client("list", { name: "me", ip: "::1", libraryName: "x", flags: "P", minAgeS: 5, minIdleS: 6 }),
    "client list NAME me IP ::1 LIB-NAME x FLAGS P MAXAGE 5 IDLE 6",
    encodeText(""),
    [],
  ],
  [
    (client) => client.client("kill", { id: 7, address: "a:1", localAddress: "b:2", type: "normal" }),
    "client kill ID 7 ADDR a:1 LADDR b:2 TYPE normal",
    1,
    1,
  ],
  [(client) => client.client("kill", { ids: [7, 8] }), "client kill ID 7 8", 2, 2],
];

Deno.test("Client methods of diagnosis send the command and convert its reply", async () => {
  let next = 0;
  await withClient((_request, peer) => peer.reply(EXAMPLES[next++]![2]), async (client, server) => {
    for (const [call, request, , result] of EXAMPLES) {
      assertEquals(await call(client), result, request);
      assertEquals(server.requests.at(-1)!.join(" "), request);
    }
  });
});

Deno.test("Client methods of diagnosis work with a real server", () =>
  withServers(1, async (_servers, [addr]) => {
    await using client = await connect({ addr: addr!, plaintext: true });
    assertEquals(await client.role(), "master");
    await client.config("set", { "slowlog-log-slower-than": 0, "latency-monitor-threshold": 1 });
    await client.set("k", "v");
    await client.slowlog("reset");
    await client.get("k");
    const [get] = (await client.text.slowlog("get")).filter(({ words }) => words[0] === "get");
    assertEquals(get!.words, ["get", "k"]);
    assert(Math.abs(get!.timeMs - Date.now()) < 60_000);
    assert(await client.slowlog("len") > 0);
    const histogram = await client.latency("histogram", "set");
    assertEquals(histogram.get("set")!.calls, 1);
    assertEquals([...histogram.get("set")!.atMostUs.values()], [1]);
    for (const { name, timeMs } of await client.latency("latest")) {
      assertEquals((await client.latency("history", name)).at(-1)!.timeMs, timeMs);
    }
    await assertRejects(() => client.latency("graph", "nothing"), ReplyError, "No samples");
    assertMatch(await client.latency("doctor"), /./);
    await client.client("pause", 60_000, "write");
    assertEquals(await client.text.get("k"), "v");
    await client.client("unpause");
    await client.set("k", "w");
    const id = await client.client("id");
    assertEquals((await client.client("list", { ids: [id], ip: "127.0.0.1" })).length, 1);
    assertEquals((await client.client("list", { id, minAgeS: 100_000 })).length, 0);
  }));
