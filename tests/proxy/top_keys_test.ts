import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { BIG_KEY_PROBLEM_ELEMENTS_COUNT } from "../../src/limits.ts";
import { ask, clustered, connectResp } from "../support/proxy_rig.ts";
import { until } from "../support/until.ts";

Deno.test(
  "the proxy joins the hot and the big keys of its servers",
  clustered(3, async ({ connect, key, proxy }) => {
    using client = await connect();
    assertEquals(await client.call("bigkeys"), []);
    assertEquals(await client.call("hotkeys"), []);
    const [a, b, c] = [key(0), key(1), key(2)];
    await client.call("set", a, "x".repeat(1000));
    await client.call("rpush", b, ...Array(2000).fill("element"));
    await client.call("sadd", c, "x".repeat(20_000));
    for (let i = 0; i < 30; i++) {
      await client.call("get", a);
      if (i % 2 === 0) await client.call("llen", b);
      if (i % 3 === 0) await client.call("scard", c);
    }
    const rows = await client.call("bigkeys") as [string, number, number, string][];
    assertEquals(rows.map(([name, , elements, type]) => [name, elements, type]), [
      [c, 1, "set"],
      [b, 2000, "list"],
      [a, 1, "string"],
    ]);
    const names = async (...words: (string | number)[]) => {
      return (await client.call(...words as [string]) as unknown[][]).map(([name]) => name);
    };
    assertEquals(await names("bigkeys", 2), [c, b]);
    assertEquals(await names("bigkeys", 1, "elements"), [b]);
    assertEquals(await names("bigkeys", 0), []);
    assertEquals(await names("hotkeys"), [a, b, c]);
    assertEquals(await names("hotkeys", 1), [a]);
    assertEquals(await client.call("hotkeys", "x"), "ERR value is not an integer or out of range");
    assertEquals(await client.call("bigkeys", -1), "ERR value is out of range, must be positive");
    assertEquals(await client.call("bigkeys", 1, "type"), "ERR syntax error");
    for (const version of [2, 3] as const) {
      using resp = await connectResp(proxy, version);
      assertEquals(await ask(resp, "bigkeys", "1", "ELEMENTS"), await ask(resp, "BIGKEYS", "1", "elements"));
      assertStringIncludes(await ask(resp, "bigkeys", "1", "ELEMENTS"), `*1\r\n*4\r\n$${b!.length}\r\n${b}\r\n`);
      assertMatch(await ask(resp, "hotkeys", "1"), new RegExp(`^\\*1\r\n\\*2\r\n\\$\\d+\r\n${a}\r\n:\\d+\r\n$`));
    }
  }),
);

Deno.test(
  "the proxy shows what the other servers know while one is down, and no part of what must be whole",
  clustered(2, async ({ connect, key }, servers) => {
    using client = await connect();
    await client.call("set", key(0), "v");
    for (const name of ["slowlog-log-slower-than", "latency-monitor-threshold"]) {
      assertEquals(await client.call("config", "set", name, 0), "OK");
    }
    await client.call("get", key(0));
    await servers[1]!.stop();
    await until(async () => Array.isArray(await client.call("bigkeys")), "the server is known to be down");
    assertEquals((await client.call("bigkeys") as unknown[][]).map(([name]) => name), [key(0)]);
    for (const words of [["hotkeys"], ["slowlog", "get"], ["latency", "latest"]]) {
      assert(Array.isArray(await client.call(...words as [string])), words.join(" "));
    }
    assert((await client.call("slowlog", "get") as unknown[]).length > 0);
    assertMatch(String(await client.call("latency", "doctor")), /^(?!UNAVAILABLE)/);
    for (const words of [["keys", "*"], ["dbsize"], ["slowlog", "reset"], ["latency", "reset"]]) {
      assertMatch(String(await client.call(...words as [string])), /^UNAVAILABLE /, words.join(" "));
    }
    await servers[0]!.stop();
    await until(async () => !Array.isArray(await client.call("bigkeys")), "no server replies");
    assertMatch(String(await client.call("bigkeys")), /^UNAVAILABLE /);
  }),
);

Deno.test(
  "a proxy's own requests to its servers do not use keys",
  clustered(2, async ({ connect, proxy }) => {
    using client = await connect();
    for (let i = 0; i < 20; i++) {
      proxy.info(["everything"]);
      await client.call("ping");
    }
    assertEquals(await client.call("hotkeys"), []);
  }),
);

Deno.test(
  "a proxy knows the keys that stand out on each server, and their problems",
  clustered(2, async ({ connect, key, proxy }) => {
    using client = await connect();
    await client.call("set", key(1), "v");
    for (let i = 0; i < 9; i++) await client.call("get", key(0));
    const elements = Array<string>(BIG_KEY_PROBLEM_ELEMENTS_COUNT / 10).fill("x");
    for (let i = 0; i < 10; i++) await client.call("rpush", key(0), ...elements);
    await proxy.refresh();
    const { servers, problems } = proxy.overview();
    assertEquals(servers.map(({ hotKey, bigKey }) => [hotKey?.name, bigKey?.name, bigKey?.type]), [
      [key(0), key(0), "list"],
      [undefined, key(1), "string"],
    ]);
    assertEquals(problems.filter(({ kind }) => kind === "big_key").map(({ subject }) => subject), [key(0)]);
    assertMatch(proxy.info(["stats"]), /^big_key_elements:500000\r$/m);
    const family = [...proxy.families()].find(({ name }) => name === "inmem_problem");
    assert(family?.type === "gauge" && family.samples.some(({ labels }) => labels["subject"] === key(0)));
  }),
);
