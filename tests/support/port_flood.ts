/**
 * Floods a port of `--metrics` from a worker, so that the test's thread stays free to measure.
 *
 * @module
 */

import { encodeText } from "../../src/bytes.ts";
import { HttpClient } from "./http_client.ts";

/** The work of a worker. */
export interface Flood {
  readonly attack: keyof typeof ATTACKS;
  readonly hostname: string;
  readonly port: number;
  /** The authority of the port's certificate, in PEM. */
  readonly authority: string;
}

/** The attackers of each flood, which run at the same time. */
const ATTACKERS_COUNT = 8;

const REQUEST = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";

/** The attacks: each connects once. */
export const ATTACKS = {
  "connections without a handshake": async (flood: Flood) => {
    using connection = await Deno.connect(flood);
    await connection.write(encodeText("\x16"));
  },
  "handshakes": async (flood: Flood) => {
    using _client = await HttpClient.connect(flood, [flood.authority]);
  },
  "pipelined requests": async (flood: Flood) => {
    using client = await HttpClient.connect(flood, [flood.authority]);
    await client.send(REQUEST.repeat(20));
    for (let count = 0; count < 20; count++) await client.read();
  },
  "refused requests": async (flood: Flood) => {
    using client = await HttpClient.connect(flood, [flood.authority]);
    await client.send("GET / HTTP/1.1\n\n");
    await client.read();
  },
} as const;

async function attack(flood: Flood): Promise<never> {
  for (;;) await ATTACKS[flood.attack](flood).catch(() => {});
}

const scope = globalThis as unknown as { onmessage: (event: MessageEvent<Flood>) => void };
if ("WorkerGlobalScope" in globalThis) {
  scope.onmessage = ({ data }) => {
    for (let count = 0; count < ATTACKERS_COUNT; count++) attack(data);
  };
}
