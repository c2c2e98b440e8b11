/**
 * Clients that begin to wait for an element and then disconnect. The end of their connection is sent before the
 * element.
 *
 * @module
 */

import type { RawClient } from "./raw_client.ts";
import { encodeRequest } from "./resp_requests.ts";

/** How a connection ends: in order, or by a reset. */
export type Leaving = "FIN" | "RST";

/** Commands that wait for an element of `{q}` without a timeout. Those that move it put it into `{q}to`. */
export const WAITING_COMMANDS: readonly (readonly string[])[] = [
  ["blpop", "{q}", "0"],
  ["brpop", "{q}x", "{q}", "0"],
  ["blmove", "{q}", "{q}to", "left", "right", "0"],
  ["brpoplpush", "{q}", "{q}to", "0"],
];

/** Requests of 100 kB, more than a session reads at a time. */
export const PIPELINE = encodeRequest("ping").repeat(7_200);

/**
 * Sends `command`, further requests after it, and the end of the connection.
 *
 * @param waits resolves when the client waits
 * @returns when the system has sent everything. The client must be closed then
 */
export async function waitAndLeave(
  client: RawClient,
  command: readonly string[],
  leaving: Leaving,
  behind: string,
  waits: () => Promise<void>,
): Promise<void> {
  // A system resets a connection that is closed with unread bytes, such as the reply to this request.
  if (leaving === "RST") await client.send(encodeRequest("ping"));
  await client.send(encodeRequest(...command));
  await waits();
  await client.send(behind);
  if (leaving === "RST") client.close();
  else await client.socket.closeWrite();
}
