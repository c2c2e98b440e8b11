/**
 * The library as examples see it when they run: it connects to the server of the test, whose address is the program's
 * first argument, wherever an example has the default address or none.
 *
 * @module
 */

import { type Client, connect as connectTo, type ConnectOptions } from "../../../src/mod.ts";

export * from "../../../src/mod.ts";

/** The address of a server in README and in the examples, at which a server listens by default. */
const DEFAULT_ADDRESS = "127.0.0.1:9443";

/** Connects as the library does, but to the server of the test. */
export function connect(options: ConnectOptions = {}): Promise<Client> {
  const { addr = DEFAULT_ADDRESS, hostname, port } = options;
  const isDefault = addr === DEFAULT_ADDRESS && hostname === undefined && port === undefined;
  return connectTo(isDefault ? { ...options, addr: Deno.args[0] } : options);
}
