/**
 * Protects the secrets of TLS from being written to a file.
 *
 * @module
 */

import { StartError } from "../errors.ts";

/**
 * Refuses to run while `SSLKEYLOGFILE` is set: the TLS library would write the secrets of every connection there, and
 * cannot be configured not to.
 *
 * @throws {StartError}
 */
export function refuseKeyLogging(): void {
  const path = Deno.env.get("SSLKEYLOGFILE");
  if (path === undefined || path === "") return;
  throw new StartError(
    `Cannot start while SSLKEYLOGFILE is set: the secrets of every connection would be written to "${path}"; unset it`,
  );
}
