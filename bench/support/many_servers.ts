/**
 * A program that stands in for many inmem servers on other machines, for scrape.ts: `many_servers.ts COUNT`. It
 * prints their addresses as a list in JSON, and ends when its input does.
 *
 * One real server replies to each request once. The stand-ins repeat its replies, each with its own run id, so that
 * they use hardly any time of the machine that the proxy shares with them.
 *
 * @module
 */

import { startServer } from "../../src/server/server.ts";

const MEMORY_LIMIT_BYTES = 64 << 20;
const QUIET = { info() {}, warn() {}, error() {} };
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The replies of the real server, by request. */
class RecordedReplies {
  readonly #port: number;
  readonly #replies = new Map<string, Promise<string>>();

  constructor(port: number) {
    this.#port = port;
  }

  /** Returns the reply to a request. */
  of(request: string): Promise<string> {
    let reply = this.#replies.get(request);
    if (reply === undefined) this.#replies.set(request, reply = this.#ask(request));
    return reply;
  }

  async #ask(request: string): Promise<string> {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: this.#port });
    await connection.write(encoder.encode(request));
    const bytes = new Uint8Array(1 << 16);
    const size = await connection.read(bytes);
    return decoder.decode(bytes.subarray(0, size ?? 0));
  }
}

/** Replies to each read of a connection as to one request. */
async function serve(connection: Deno.Conn, replies: RecordedReplies, runId: string): Promise<void> {
  const bytes = new Uint8Array(1 << 16);
  for (let size = await connection.read(bytes); size !== null; size = await connection.read(bytes)) {
    const reply = await replies.of(decoder.decode(bytes.subarray(0, size)));
    await connection.write(encoder.encode(reply.replace(/[0-9a-f]{40}/g, runId)));
  }
}

async function listen(replies: RecordedReplies, runId: string, listener: Deno.Listener): Promise<void> {
  for await (const connection of listener) serve(connection, replies, runId).catch(() => connection.close());
}

if (import.meta.main) {
  const { address: { port } } = await startServer({
    hostname: "127.0.0.1",
    port: 0,
    memoryLimitBytes: MEMORY_LIMIT_BYTES,
    evicts: true,
    defaultTtlMs: 0,
    maxClients: 100,
    logger: QUIET,
  });
  const replies = new RecordedReplies(port);
  const addresses = Array.from({ length: Number(Deno.args[0]) }, (_, index) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    listen(replies, String(index).padStart(40, "0"), listener);
    return `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  });
  console.log(JSON.stringify(addresses));
  for await (const _ of Deno.stdin.readable);
  Deno.exit();
}
