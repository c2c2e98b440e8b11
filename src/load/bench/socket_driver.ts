/**
 * Moves the bytes of lanes through the runtime's sockets: with TLS or without, on every system.
 *
 * @module
 */

import { type Socket, writeAll } from "../../net/socket.ts";
import type { Lane } from "./lane.ts";

/** Runs the lane of one connection until its run is over. */
export async function driveSocket(lane: Lane, socket: Socket): Promise<void> {
  let nowMs = performance.now();
  while (lane.prepare(nowMs)) {
    const writing = writeAll(socket, lane.outgoing);
    // Reading fails for the same reason, and first.
    writing.catch(() => {});
    while (lane.waitingCount > 0) {
      const count = await socket.read(lane.incoming);
      if (count === null) throw new Deno.errors.UnexpectedEof();
      nowMs = lane.commit(count);
    }
    await writing;
  }
}
