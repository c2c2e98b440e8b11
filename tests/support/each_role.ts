/**
 * Runs a test against a server, and against a proxy before two servers, since clients should see no difference.
 *
 * @module
 */

import type { Role } from "../../src/connection/context.ts";
import type { Observed } from "../../src/metrics/overview.ts";
import type { ServingRole } from "../../src/role/serving_role.ts";
import type { ClientSession } from "../../src/net/clients.ts";
import type { Server, ServerSettings } from "../../src/server/main.ts";
import { withProxy, withServers } from "./proxy_rig.ts";
import { RawClient } from "./raw_client.ts";
import { RespClient } from "./resp_client.ts";

/** A role that is tested. */
export interface TestedRole {
  readonly name: "server" | "proxy";
  readonly role: ServingRole<ClientSession> & Role & Observed;
  /** The server itself, or those of the proxy. */
  readonly servers: readonly Server[];
  /** Connects a client that speaks a version of RESP. */
  resp(version?: 2 | 3): Promise<RespClient>;
  /** Connects a client that speaks the native protocol. */
  native(): Promise<RawClient>;
}

/** Defines one test for each role. */
export function testEachRole(
  name: string,
  run: (tested: TestedRole) => Promise<void>,
  settings: Partial<ServerSettings> = {},
): void {
  Deno.test(`${name} (server)`, () =>
    withServers(1, async (servers) => {
      await run(testedRole("server", servers[0]!, servers));
    }, settings));
  Deno.test(`${name} (proxy)`, () =>
    withServers(2, async (servers, addresses) => {
      await withProxy(addresses, ({ proxy }) => run(testedRole("proxy", proxy, servers)));
    }, settings));
}

function testedRole(
  name: "server" | "proxy",
  role: ServingRole<ClientSession> & Role & Observed,
  servers: readonly Server[],
): TestedRole {
  return {
    name,
    role,
    servers,
    resp: async (version = 2) => {
      const client = await RespClient.connect(role.address.port);
      if (version === 3) await client.call("hello", "3");
      return client;
    },
    native: () => RawClient.connect(role.address),
  };
}
