/**
 * A proxy in the test's own process, before real or fake servers, all of them in plaintext on loopback.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { slotOf } from "../../src/key_slot.ts";
import { type Proxy, type ProxySettings, startProxy } from "../../src/proxy/main.ts";
import type { Logger } from "../../src/role/logger.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { type Server, type ServerSettings, startServer } from "../../src/server/main.ts";
import { RespClient } from "./resp_client.ts";
import { encodeFrame } from "./resp_frames.ts";
import { type FakeHandler, type FakePeer, FakeServer } from "./fake_server.ts";
import { pause } from "./pause.ts";
import { RawClient } from "./raw_client.ts";

const MEMORY_LIMIT_BYTES = 64 * 1024 * 1024;

/** A logger that keeps its lines. */
export class LogLines implements Logger {
  readonly lines: string[] = [];
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
}

/** The proxy and the tools of a test. */
export interface Rig {
  readonly proxy: Proxy;
  readonly addresses: readonly string[];
  readonly path: string;
  readonly log: LogLines;
  /** Returns a key that the server at this position owns, and another one for each `number`. */
  key(position: number, number?: number): string;
  connect(): Promise<RawClient>;
}

/** Runs a test with a proxy before servers at these addresses. */
export async function withProxy(
  addresses: readonly string[],
  run: (rig: Rig) => Promise<void>,
  settings: Partial<ProxySettings> = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-proxy-" });
  const path = `${folder}/servers.json`;
  const log = new LogLines();
  await writeList(path, addresses);
  const proxy = await startProxy({
    hostname: "127.0.0.1",
    port: 0,
    maxClients: 100,
    serversPath: path,
    connectionsMaxCount: 4,
    backend: { plaintext: true },
    logger: log,
    ...settings,
  });
  const owners = ownersOf(addresses.map((address) => ({ address, weight: 1 })));
  function key(position: number, number = 0): string {
    let found = 0;
    for (let i = 0;; i++) {
      const text = `key:${i}`;
      if (owners[slotOf(encodeText(text), 0, text.length)] === position && found++ === number) return text;
    }
  }
  try {
    await run({ proxy, addresses, path, log, key, connect: () => RawClient.connect(proxy.address) });
    assertEquals(log.lines.filter((line) => line.startsWith("error")), []);
  } finally {
    await proxy.stop();
    // Reads and connection attempts in progress at the stop end by themselves.
    await pause(20);
    await Deno.remove(folder, { recursive: true });
  }
}

export async function writeList(path: string, addresses: readonly string[]): Promise<void> {
  await Deno.writeTextFile(path, JSON.stringify(addresses.map((addr) => ({ addr }))));
}

/** Runs a test with real servers without persistence. */
export async function withServers(
  count: number,
  run: (servers: Server[], addresses: string[]) => Promise<void>,
  settings: Partial<ServerSettings> = {},
): Promise<void> {
  const servers: Server[] = [];
  try {
    for (let i = 0; i < count; i++) {
      servers.push(
        await startServer({
          hostname: "127.0.0.1",
          port: 0,
          memoryLimitBytes: MEMORY_LIMIT_BYTES,
          // There may be several of the largest messages and values at the same time.
          clientMemoryLimitBytes: 1024 * 1024 * 1024,
          evicts: true,
          defaultTtlMs: 0,
          maxClients: 100,
          logger: new LogLines(),
          ...settings,
        }),
      );
    }
    await run(servers, servers.map((server) => `127.0.0.1:${server.address.port}`));
  } finally {
    await Promise.all(servers.map((server) => server.stop()));
  }
}

/** Returns a test with real servers and a proxy before them. */
export function clustered(count: number, run: (rig: Rig, servers: Server[]) => Promise<void>): () => Promise<void> {
  return () => withServers(count, (servers, addresses) => withProxy(addresses, (rig) => run(rig, servers)));
}

/** Runs a test with fake servers. The rig replies to pings itself. */
export async function withFakes(
  handlers: readonly FakeHandler[],
  run: (rig: Rig, servers: FakeServer[]) => Promise<void>,
  settings: Partial<ProxySettings> = {},
): Promise<void> {
  const servers = handlers.map((handler) => new FakeServer(replyingToPings(handler)));
  try {
    await withProxy(servers.map(({ port }) => `127.0.0.1:${port}`), (rig) => run(rig, servers), settings);
  } finally {
    // A test may have disposed of a server before.
    for (const server of servers) await server[Symbol.asyncDispose]().catch(() => {});
  }
}

export function replyingToPings(handler: FakeHandler): FakeHandler {
  return (request, peer) => request[0] === "ping" ? peer.reply("PONG") : handler(request, peer);
}

/** Replies to each request with its last argument. */
export function echoing(request: string[], peer: FakePeer): void {
  peer.reply(encodeText(request.at(-1)!));
}

export function infoOf(proxy: Proxy, name: string): string | undefined {
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(proxy.info([]))?.[1];
}

/** Returns a fact about one server, from the proxy's `info`. */
export function serverFact(proxy: Proxy, position: number, name: string): string {
  return new RegExp(`(?:^|,)${name}=([^,]*)`).exec(infoOf(proxy, `server${position}`)!)![1]!;
}

/** Connects a client that speaks a version of RESP. */
export async function connectResp(proxy: Proxy, version: 2 | 3 = 2): Promise<RespClient> {
  const client = await RespClient.connect(proxy.address.port);
  if (version === 3) assertEquals((await client.call("hello", "3")).type, "%");
  return client;
}

/** Sends one request and returns the bytes of its reply. */
export async function ask(client: RespClient, ...words: string[]): Promise<string> {
  return encodeFrame(await client.call(...words));
}

/** Returns the bytes of `count` replies. */
export async function readReplies(client: RespClient, count: number): Promise<string[]> {
  const replies: string[] = [];
  while (replies.length < count) replies.push(encodeFrame(await client.frame()));
  return replies;
}
