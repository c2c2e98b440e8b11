/**
 * Notices within a minute that the machine at the other end is gone, where a connection may be silent for hours.
 *
 * The system probes a silent connection after two hours unless it is told otherwise, and Deno cannot tell it otherwise.
 * So it is told by the C library, where that can be called; elsewhere it stays at two hours.
 *
 * @module
 */

import { KEEP_ALIVE_IDLE_S, KEEP_ALIVE_INTERVAL_S, KEEP_ALIVE_PROBES_MAX_COUNT } from "../limits.ts";
import type { Socket } from "./socket.ts";
import { SO_KEEPALIVE, SystemSockets, TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL } from "./system_socket.ts";

/**
 * Has the system probe the peer of a connection often, as long as nothing is sent or received.
 *
 * @returns whether it does; `false` on another system, and without the permission for FFI, which is not asked for
 */
export function probeOften({ localAddr, remoteAddr }: Socket): boolean {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  try {
    using sockets = SystemSockets.open();
    const descriptors = sockets.find([{ local: localAddr, remote: remoteAddr }]);
    return descriptors.length > 0 && descriptors.every((descriptor) => {
      return sockets.setOption(descriptor, TCP_KEEPIDLE, KEEP_ALIVE_IDLE_S) &&
        sockets.setOption(descriptor, TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL_S) &&
        sockets.setOption(descriptor, TCP_KEEPCNT, KEEP_ALIVE_PROBES_MAX_COUNT) &&
        sockets.setOption(descriptor, SO_KEEPALIVE, 1);
    });
  } catch {
    return false;
  }
}
