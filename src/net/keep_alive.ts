/**
 * Detects within a minute that the peer's machine is gone, on connections that may be silent for hours.
 *
 * By default the system probes a silent connection after two hours, and Deno has no option to change that. So the
 * option is set through the C library. Where the library cannot be called, the default remains.
 *
 * @module
 */

import { KEEP_ALIVE_IDLE_S, KEEP_ALIVE_INTERVAL_S, KEEP_ALIVE_PROBES_MAX_COUNT } from "../limits.ts";
import type { Socket } from "./socket.ts";
import { SystemSockets } from "./system_socket.ts";

/**
 * Makes the system probe the peer of a connection often while nothing is sent or received.
 *
 * @returns whether the options are set; `false` where the C library is not called, and without the permission for FFI,
 * which the function does not request
 */
export function probeOften({ localAddr, remoteAddr }: Socket): boolean {
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return false;
  try {
    using sockets = SystemSockets.open();
    const descriptors = sockets.find([{ local: localAddr, remote: remoteAddr }]);
    return descriptors.length > 0 && descriptors.every((descriptor) => {
      return sockets.setOption(descriptor, "TCP_KEEPIDLE", KEEP_ALIVE_IDLE_S) &&
        sockets.setOption(descriptor, "TCP_KEEPINTVL", KEEP_ALIVE_INTERVAL_S) &&
        sockets.setOption(descriptor, "TCP_KEEPCNT", KEEP_ALIVE_PROBES_MAX_COUNT) &&
        sockets.setOption(descriptor, "SO_KEEPALIVE", 1);
    });
  } catch {
    return false;
  }
}
