/**
 * A program that runs many inmem servers in one process, for scrape.ts: `many_servers.ts COUNT`. It prints their
 * addresses as a list in JSON, and ends when its input does.
 *
 * @module
 */

import { startServer } from "../../src/server/server.ts";

const MEMORY_LIMIT_BYTES = 8 << 20;
const QUIET = { info() {}, warn() {}, error() {} };

if (import.meta.main) {
  const servers = await Promise.all(Array.from({ length: Number(Deno.args[0]) }, () => {
    return startServer({
      hostname: "127.0.0.1",
      port: 0,
      memoryLimitBytes: MEMORY_LIMIT_BYTES,
      evicts: true,
      defaultTtlMs: 0,
      maxClients: 10,
      logger: QUIET,
    });
  }));
  console.log(JSON.stringify(servers.map(({ address }) => `127.0.0.1:${address.port}`)));
  for await (const _ of Deno.stdin.readable);
  Deno.exit();
}
