/** Tests the routes of the live page, on a server and on a proxy before two servers. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { formatAddress } from "../../src/address.ts";
import { Client } from "../../src/client/client.ts";
import type { HttpRequest, HttpResponse } from "../../src/http/message.ts";
import {
  KEY_SIZE_MAX_BYTES,
  PAGE_EVENT_INTERVAL_MS,
  PAGE_ITEM_MAX_BYTES,
  PAGE_STRING_MAX_BYTES,
} from "../../src/limits.ts";
import type { Overview } from "../../src/metrics/overview.ts";
import { memorySockets } from "../../src/net/memory_socket.ts";
import { ASSETS } from "../../src/page/assets.ts";
import { LivePage } from "../../src/page/live_page.ts";
import { RouteTable } from "../../src/page/routes.ts";
import { type Server, startServer } from "../../src/server/main.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";
import { LogLines, withProxy, withServers } from "../support/proxy_rig.ts";

const ROLE = undefined as never;

/** A page with the client that makes its data. */
interface Rig {
  readonly client: Client;
  /** Returns the status of a response and its data. */
  get(path: string, query?: Readonly<Record<string, string>>): Promise<{ status: number; data: Data }>;
  post(path: string, body: unknown): Promise<{ status: number; data: Data }>;
}

// deno-lint-ignore no-explicit-any
type Data = any;

/** Runs a test on the page of a server, and on that of a proxy. */
async function onPages(run: (rig: Rig) => Promise<void>, canEdit = false): Promise<void> {
  const server = await startServer({
    hostname: "127.0.0.1",
    port: 0,
    password: "secret",
    maxClients: 10,
    memoryLimitBytes: 64 * 1024 * 1024,
    evicts: true,
    defaultTtlMs: 0,
    logger: new LogLines(),
  });
  await runOn(server, canEdit, run).finally(() => server.stop());
  await withServers(2, async (servers) => {
    const addresses = servers.map(({ address }) => formatAddress(address));
    await withProxy(addresses, ({ proxy }) => runOn(proxy, canEdit, run));
  });
}

async function runOn(
  role: Pick<Server, "openInternal" | "overview">,
  canEdit: boolean,
  run: (rig: Rig) => Promise<void>,
) {
  const page = new LivePage({
    openInternal: () => role.openInternal(),
    overview: () => role.overview(),
    refresh: () => Promise.resolve(),
  }, canEdit);
  const routes = new RouteTable(page.routes);
  const client = new Client({
    address: "the role",
    open: () => Promise.resolve(role.openInternal()),
    passwords: [],
    timeoutMs: 10_000,
    signal: undefined,
  });
  async function request(method: "GET" | "POST", path: string, query: string, body: string) {
    const request = { method, path, query, body: new TextEncoder().encode(body) } as unknown as HttpRequest;
    const route = routes.find(request);
    return dataOf("serve" in route ? await route.serve(ROLE, request) : route);
  }
  try {
    await run({
      client,
      get: (path, query = {}) => request("GET", path, new URLSearchParams(query).toString(), ""),
      post: (path, body) => request("POST", path, "", typeof body === "string" ? body : JSON.stringify(body)),
    });
  } finally {
    await client.close();
    await page.close();
  }
}

function dataOf(response: HttpResponse): { status: number; data: Data } {
  assert("body" in response);
  const { status, type, body } = response;
  return { status, data: type === "application/json" ? JSON.parse(body as string) : body };
}

function encode(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}

function decode(text: string): string {
  return new TextDecoder().decode(Uint8Array.fromBase64(text));
}

Deno.test("/api/keys finds keys by pattern and type, until the cursor is 0, and names without a scan", async () => {
  await onPages(async ({ client, get }) => {
    const names = Array.from({ length: 2000 }, (_, i) => `key:${i}`);
    await Promise.all(names.map((name) => client.set(name, "v")));
    await client.rpush("list:1", "a");
    await client.send(["set", Uint8Array.of(0xff, 0), "binary"]);
    async function findAll(match: string, type = ""): Promise<string[]> {
      const found: string[] = [];
      let cursor = "0";
      do {
        const { status, data } = await get("/api/keys", { cursor, match: encode(match), type });
        assertEquals(status, 200);
        found.push(...data.keys);
        cursor = data.cursor;
      } while (cursor !== "0");
      return found;
    }
    assertEquals(new Set((await findAll("key:*")).map(decode)), new Set(names));
    assertEquals((await findAll("*")).length, names.length + 2);
    assertEquals((await findAll("*", "list")).map(decode), ["list:1"]);
    assertEquals(await findAll("key:17"), [encode("key:17")]);
    assertEquals(await findAll("key:17", "list"), []);
    assertEquals(await findAll("nothing"), []);
    const name = Uint8Array.of(0xff, 0).toBase64();
    assertEquals((await get("/api/keys", { match: name })).data, { cursor: "0", keys: [name] });
  });
});

Deno.test("/api/key shows values of every type in parts of bounded size", async () => {
  await onPages(async ({ client, get, post }) => {
    const long = "x".repeat(PAGE_ITEM_MAX_BYTES + 1);
    const elements = Array.from({ length: 250 }, (_, i) => i === 3 ? long : `element ${i}`);
    await client.set("string", "<script>alert(1)</script>", { ttlMs: 100_000 });
    await client.set("long", "y".repeat(PAGE_STRING_MAX_BYTES + 1));
    await client.set("", "the empty key");
    await client.rpush("list", ...elements);
    await client.hset("hash", elements.map((element, i) => [`field ${i}`, element] as const));
    await client.sadd("set", ...elements);
    await client.sadd("numbers", "1", "2");
    async function read(name: string): Promise<{ first: Data; items: Data[] }> {
      const { status, data: first } = await get("/api/key", { name: encode(name) });
      assertEquals(status, 200);
      const items = [...first.part.items];
      for (let { cursor } = first.part; cursor !== "0" && first.type !== "string";) {
        const { data } = await get("/api/key", { name: encode(name), cursor });
        items.push(...data.part.items);
        cursor = data.part.cursor;
      }
      return { first, items };
    }
    const string = await read("string");
    assertEquals([string.first.type, string.first.elements, string.first.canEdit], ["string", 25, false]);
    assert(string.first.ttlMs > 90_000 && string.first.ttlMs <= 100_000);
    assertEquals(decode(string.items[0].value), "<script>alert(1)</script>");
    const cut = await read("long");
    assertEquals([cut.first.part.cursor, decode(cut.items[0].value).length], ["more", PAGE_STRING_MAX_BYTES]);
    assertEquals(decode((await read("")).items[0].value), "the empty key");

    const shown = elements.map((element) => element.slice(0, PAGE_ITEM_MAX_BYTES));
    const list = await read("list");
    assertEquals(list.first.part.items.length, 100);
    assertEquals(list.items.map(({ value }) => decode(value)), shown);
    assertEquals(list.items.map(({ index }) => index), shown.map((_, i) => i));
    assertEquals(list.items.map(({ isValueCut }) => isValueCut), shown.map((_, i) => i === 3));
    const hash = await read("hash");
    assertEquals(
      new Map(hash.items.map(({ field, value }) => [decode(field), decode(value)])),
      new Map(shown.map((value, i) => [`field ${i}`, value])),
    );
    assertEquals(new Set((await read("set")).items.map(({ value }) => decode(value))), new Set(shown));
    assertEquals((await read("numbers")).items.map(({ value }) => decode(value)).sort(), ["1", "2"]);
    assertEquals((await read("nothing")).first.type, "none");
    // A name that is too long for a URL is in a body.
    const longName = "n".repeat(KEY_SIZE_MAX_BYTES);
    await client.rpush(longName, ...elements);
    const { data } = await post("/api/key", { name: encode(longName), cursor: "200" });
    assertEquals(data.part.items.length, 50);
  });
});

Deno.test("changes are refused unless they are allowed", async () => {
  await onPages(async ({ client, post }) => {
    await client.set("key", "old");
    const name = encode("key");
    for (
      const [path, body] of [
        ["/api/delete", { name }],
        ["/api/expire", { name, seconds: 10 }],
        ["/api/expire", { name, seconds: null }],
        ["/api/set", { name, value: encode("new") }],
      ] as const
    ) {
      const { status, data } = await post(path, body);
      assertEquals(status, 403, path);
      assertStringIncludes(data.error, "--metrics-edit");
    }
    assertEquals([await client.getText("key"), await client.pttl("key")], ["old", -1]);
  });
});

Deno.test("with --metrics-edit keys are deleted, expire, and get other strings", async () => {
  await onPages(async ({ client, get, post }) => {
    const binary = Uint8Array.of(0xff, 0, 0xfe);
    await client.set(binary, "old", { ttlMs: 100_000 });
    const name = binary.toBase64();
    assertEquals((await get("/api/key", { name })).data.canEdit, true);
    assertEquals((await post("/api/set", { name, value: encode("new\0") })).status, 200);
    assertEquals(await client.getText(binary), "new\0");
    const ttlMs = await client.pttl(binary);
    assert(ttlMs > 90_000, "it keeps its time to live");
    assertEquals((await post("/api/expire", { name, seconds: null })).status, 200);
    assertEquals(await client.pttl(binary), -1);
    assertEquals((await post("/api/expire", { name, seconds: 50 })).status, 200);
    assert(await client.pttl(binary) > 0);
    assertEquals((await post("/api/delete", { name })).status, 200);
    for (const [path, body] of [["delete", {}], ["expire", { seconds: 5 }], ["set", { value: "" }]] as const) {
      const { status, data } = await post(`/api/${path}`, { name, ...body });
      assertEquals([status, data.error], [400, "there is no such key any more"], path);
    }
    assertEquals(await client.exists(binary), 0);
  }, true);
});

Deno.test("wrong requests are refused with a reason, and change nothing", async () => {
  await onPages(async ({ client, get, post }) => {
    await client.set("key", "value");
    const name = encode("key");
    const refused: [Promise<{ status: number; data: Data }>, string][] = [
      [get("/api/key", { name: "%%%" }), "base64"],
      [get("/api/keys", { match: "\u{1f600}" }), "base64"],
      [get("/api/keys", { match: encode("*"), cursor: "x" }), "cursor"],
      [post("/api/set", "{"), "JSON"],
      [post("/api/set", "null"), "JSON"],
      [post("/api/set", { name }), "value"],
      [post("/api/set", { name: 5, value: "" }), "name"],
      [post("/api/expire", { name, seconds: 0 }), "seconds"],
      [post("/api/expire", { name, seconds: "5" }), "seconds"],
      [post("/api/expire", { name, seconds: 1e300 }), "seconds"],
      [post("/api/expire", { name }), "seconds"],
    ];
    for (const [reply, reason] of refused) {
      const { status, data } = await reply;
      assertEquals(status, 400);
      assertStringIncludes(data.error, reason);
    }
    assertEquals([await client.getText("key"), await client.pttl("key")], ["value", -1]);
  }, true);
});

Deno.test("/api/clients shows clients, and the page's own connection by its name", async () => {
  await onPages(async ({ client, get }) => {
    await client.client("setname", "worker");
    await client.send(["client", "setinfo", "lib-name", "deno"]);
    await get("/api/clients");
    const { data } = await get("/api/clients");
    assertEquals(data.count, data.clients.length);
    const worker = data.clients.find(({ name }: Data) => name === "worker");
    assertEquals([worker.address, worker.protocol, worker.library], ["127.0.0.1:0", "native", "deno"]);
    assert(data.clients.some(({ name }: Data) => name === "page"));
  });
});

Deno.test("/api/history has the step of the start", async () => {
  await onPages(async ({ get }) => {
    await until(async () => (await get("/api/history")).data.times.length > 0, "there is a step");
    const { status, data } = await get("/api/history");
    assertEquals(status, 200);
    assertEquals([data.stepMs, data.times.length, data.series.clients.length], [5000, 1, 1]);
  });
});

Deno.test("/events makes an event a second while somebody views, and none otherwise", async () => {
  let overviews = 0;
  let refreshes = 0;
  const page = new LivePage({
    openInternal: () => memorySockets()[0],
    overview: () => ({ ...OVERVIEW, nowMs: ++overviews }),
    refresh: () => Promise.resolve(void refreshes++),
  }, false);
  try {
    await until(() => overviews === 1, "the history has its first step");
    const route = page.routes.find(({ path }) => path === "/events")!;
    const response = await route.serve(ROLE, undefined as unknown as HttpRequest);
    assert("events" in response);
    const written: string[] = [];
    const viewer = {
      write: (bytes: Uint8Array) => Promise.resolve(void written.push(new TextDecoder().decode(bytes))),
    };
    assert(response.events.add(viewer, "HEAD "));
    // The first one comes immediately, with the newest step of the history.
    const event: Data = JSON.parse(written[0]!.replace(/^HEAD data: /, ""));
    assertEquals([event.overview, event.sample.timeMs], [{ ...OVERVIEW, nowMs: overviews }, overviews - 1]);
    await until(() => written.length === 3, "two more events have come");
    response.events.remove(viewer);
    const refreshed = refreshes;
    await pause(2 * PAGE_EVENT_INTERVAL_MS);
    assertEquals(written.length, 3);
    assert(refreshes <= refreshed + 1, "only a step of the history may have needed fresh values");
  } finally {
    await page.close();
  }
});

const OVERVIEW: Overview = {
  role: "server",
  version: "0.1.0",
  runId: "run",
  address: "127.0.0.1:9443",
  nowMs: 0,
  uptimeMs: 0,
  clients: 0,
  maxClients: 10,
  opsPerSecond: 0,
  inputBytes: 0,
  outputBytes: 0,
  slotsUnderWay: 0,
  servers: [],
  problems: [],
};

Deno.test("the files load only each other, and contain no script or style that the policy forbids", () => {
  const paths = new Set(ASSETS.map(({ path }) => path));
  for (const { path, type, text } of ASSETS) {
    assert(text.length > 0, path);
    if (path.includes("uplot")) continue;
    const references = [
      ...text.matchAll(/\b(?:src|href)="([^"#]+)"/g),
      ...text.matchAll(/^(?:import|export) .*\bfrom "([^"]+)"/gm),
    ].map(([, reference]) => reference!).filter((reference) => reference !== "data:," && reference !== "/metrics");
    for (const reference of references) {
      const target = new URL(reference, `http://page${path}`).pathname;
      assert(paths.has(target), `${path} refers to "${reference}"`);
    }
    assert(
      !/\bstyle="|<style|\bon\w+="|<script>|innerHTML|outerHTML|insertAdjacentHTML|document\.write/.test(text),
      path,
    );
    assert(/\b(html|css|javascript); charset=utf-8$/.test(type), type);
    if (!type.includes("javascript")) continue;
    assert(!/\beval\(|new Function\(/.test(text), path);
  }
});
