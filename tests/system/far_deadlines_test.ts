/** Tests that deadlines beyond 53 bits outlive restarts, in the log and in a snapshot, to the exact millisecond. */

import { assert, assertEquals } from "@std/assert";
import { startServer } from "../../src/server/main.ts";
import { RespClient } from "../support/resp_client.ts";

const DEADLINES = [
  "4102444800000",
  "281474976710655",
  "281474976710656",
  "9007199254740991",
  "9007199254740993",
  "9223372036854775807",
];

Deno.test("deadlines of up to 64 bits are the same after restarts", async () => {
  const dataPath = await Deno.makeTempDir({ prefix: "inmem-deadlines-" });
  const start = () =>
    startServer({
      hostname: "127.0.0.1",
      port: 0,
      dataPath,
      memoryLimitBytes: 16 * 1024 * 1024,
      evicts: true,
      defaultTtlMs: 0,
      maxClients: 100,
      logger: { info() {}, warn() {}, error: (message, fields) => console.error(message, fields) },
    });
  try {
    let deadlines: string[] = [];
    // The data comes from the log alone, from a snapshot alone, or from both.
    for (const [round, saves] of [false, true, false].entries()) {
      const server = await start();
      try {
        using client = await RespClient.connect(server.address.port);
        const ask = async (...words: string[]) => (await client.call(...words)).line;
        if (round > 0) assertEquals(await readDeadlines(ask), deadlines);
        for (const [i, ms] of DEADLINES.entries()) {
          assertEquals(await ask("set", `k${i}`, "v", "pxat", ms), "OK");
          await ask("rpush", `l${i}`, "a");
          assertEquals(await ask("pexpireat", `l${i}`, ms), "1");
        }
        deadlines = await readDeadlines(ask);
        for (const [i, ms] of deadlines.slice(0, DEADLINES.length).entries()) {
          const off = BigInt(ms) - BigInt(DEADLINES[i]!);
          assert(off <= 512n && off > -1024n, `${ms} for ${DEADLINES[i]}`);
        }
        if (saves) assertEquals(await ask("save"), "OK");
      } finally {
        await server.stop();
      }
    }
  } finally {
    await Deno.remove(dataPath, { recursive: true });
  }
});

async function readDeadlines(ask: (...words: string[]) => Promise<string>): Promise<string[]> {
  const deadlines: string[] = [];
  for (const kind of ["k", "l"]) {
    for (let i = 0; i < DEADLINES.length; i++) deadlines.push(await ask("pexpiretime", `${kind}${i}`));
  }
  return deadlines;
}
