/**
 * Tests the replacement of a certificate while clients connect continuously: none is refused, and each new one gets the
 * new certificate.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { Clients } from "../../src/net/clients.ts";
import { connect } from "../../src/net/connector.ts";
import { listen, replaceListener } from "../../src/net/listener.ts";
import type { Socket } from "../../src/net/socket.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { pause } from "../support/pause.ts";

const HOSTNAME = "127.0.0.1";
const IDENTITIES = await Promise.all([0, 1].map(async () => {
  const authority = await makeAuthority(Date.now());
  const pair = await makeServerCertificate(authority, ["127.0.0.1", "::1"], Date.now());
  return { pair, authority: authority.cert };
}));
const AUTHORITIES = IDENTITIES.map(({ authority }) => authority);

/** Serves clients with sessions that send one byte and end with their peer. */
function serve(replacedMs: number, hostname = HOSTNAME, pair: { cert?: string; key?: string } = IDENTITIES[0]!.pair) {
  const warnings: string[] = [];
  const listener = listen({ hostname, port: 0, ...pair });
  const clients = new Clients({
    listener,
    maxCount: 10_000,
    replacedMs,
    open: (socket) => ({
      async run() {
        try {
          await socket.write(Uint8Array.of(1));
          while (await socket.read(new Uint8Array(16)) !== null);
        } catch {
          // The peer has left.
        }
        socket.close();
      },
      reject: () => Promise.resolve(),
      stop: () => {},
      abort: () => Promise.resolve(socket.close()),
      sweep: () => {},
    }),
    warn: (message, fields) => warnings.push(`${message} ${JSON.stringify(fields)}`),
  });
  return { clients, listener, port: listener.address.port, warnings };
}

async function greeted(port: number, caCerts: readonly string[], hostname = HOSTNAME): Promise<Socket> {
  const socket = await connect({ hostname, port, caCerts, timeoutMs: 20_000 });
  assertEquals(await socket.read(new Uint8Array(1)), 1);
  return socket;
}

/** Replaces the certificate `count` times while others connect without pause, and returns the number of connections. */
async function replaceUnderLoad(
  count: number,
  replacedMs: number,
  pauseMs: number,
  listened = HOSTNAME,
  hostname = listened,
): Promise<number> {
  const { clients, port, warnings } = serve(replacedMs, listened);
  const failures: unknown[] = [];
  let connected = 0;
  let ends = false;
  async function load(): Promise<void> {
    while (!ends) {
      try {
        (await greeted(port, AUTHORITIES, hostname)).close();
        connected++;
      } catch (error) {
        failures.push(error);
      }
    }
  }
  const kept = await greeted(port, [AUTHORITIES[0]!], hostname);
  const loads = Array.from({ length: 8 }, load);
  for (let round = 1; round <= count; round++) {
    const { pair, authority } = IDENTITIES[round % 2]!;
    clients.replaceCertificate(pair);
    (await greeted(port, [authority], hostname)).close();
    await pause(pauseMs);
  }
  // All replaced listeners are closed while the load continues.
  await pause(2 * replacedMs);
  ends = true;
  await Promise.all(loads);
  // An earlier connection still works.
  await kept.write(Uint8Array.of(1));
  kept.close();
  await clients.stop();
  assertEquals(failures, []);
  assertEquals(warnings, []);
  return connected;
}

Deno.test("Clients replaceCertificate() refuses no client, 30 times under load", async () => {
  assert(await replaceUnderLoad(30, 50, 0) > 30);
});

Deno.test("Clients replaceCertificate() refuses no client while many replaced listeners still accept", async () => {
  // Some listeners close among the others, so that the system's order of the remaining ones changes.
  await replaceUnderLoad(12, 300, 20);
});

Deno.test("Clients replaceCertificate() works on IPv6, and when listening on all addresses", async () => {
  await replaceUnderLoad(3, 30, 0, "::1");
  await replaceUnderLoad(3, 30, 0, "0.0.0.0", "127.0.0.1");
  await replaceUnderLoad(3, 30, 0, "::", "127.0.0.1");
  await replaceUnderLoad(3, 30, 0, "localhost", "127.0.0.1");
});

Deno.test("Clients replaceCertificate() changes nothing if the certificate is unusable", async () => {
  const { clients, port, warnings } = serve(50);
  for (let round = 0; round < 3; round++) {
    assertThrows(() => clients.replaceCertificate({ cert: "x", key: "y" }), StartError, "with another certificate");
    (await greeted(port, [AUTHORITIES[0]!])).close();
  }
  clients.replaceCertificate(IDENTITIES[1]!.pair);
  (await greeted(port, [AUTHORITIES[1]!])).close();
  await clients.stop();
  assertEquals(warnings, []);
});

Deno.test("Clients stop() also closes the replaced listeners, and frees the port", async () => {
  const { clients, port } = serve(60_000);
  for (const { pair } of [...IDENTITIES, ...IDENTITIES]) clients.replaceCertificate(pair);
  await clients.stop();
  listen({ hostname: HOSTNAME, port }).close();
});

Deno.test("a second listen() on the port is refused: before, during and after a replacement", async () => {
  const first = listen({ hostname: HOSTNAME, port: 0, ...IDENTITIES[0]!.pair });
  const { port } = first.address;
  const refused = () => assertThrows(() => listen({ hostname: HOSTNAME, port, ...IDENTITIES[1]!.pair }), StartError);
  refused();
  assertThrows(() => Deno.listen({ hostname: HOSTNAME, port, reusePort: true }), Deno.errors.AddrInUse);
  const second = replaceListener(first, IDENTITIES[1]!.pair);
  refused();
  first.close();
  await pause(20);
  refused();
  second.close();
  await pause(0);
});
