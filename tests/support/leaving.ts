/**
 * Clients that begin to wait for an element and then leave, their end being sent before the element is.
 *
 * @module
 */

import type { RawClient } from "./raw_client.ts";
import { encodeRequest } from "./resp_requests.ts";

/** How a connection ends: in order, or by a reset. */
export type Leaving = "FIN" | "RST";

/** A command that waits for an element of `{q}` without end; the ones that move put it into `{q}to`. */
export const WAITING_COMMANDS: readonly (readonly string[])[] = [
  ["blpop", "{q}", "0"],
  ["brpop", "{q}x", "{q}", "0"],
  ["blmove", "{q}", "{q}to", "left", "right", "0"],
  ["brpoplpush", "{q}", "{q}to", "0"],
];

/** Requests of 100 kB, more than a session reads at once. */
export const PIPELINE = encodeRequest("ping").repeat(7_200);

/**
 * Sends `command`, `behind` it more, and the end of the connection.
 *
 * @param waits resolves when the client waits
 * @returns when the system has sent all of it. The client is to be closed then
 */
export async function waitAndLeave(
  client: RawClient,
  command: readonly string[],
  leaving: Leaving,
  behind: string,
  waits: () => Promise<void>,
): Promise<void> {
  // A system resets a connection that is closed while something is unread, as the answer to this is.
  if (leaving === "RST") await client.send(encodeRequest("ping"));
  await client.send(encodeRequest(...command));
  await waits();
  await client.send(behind);
  if (leaving === "RST") client.close();
  else await client.socket.closeWrite();
}
