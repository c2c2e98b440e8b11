/**
 * The programs that benches run as child processes: a free port for them, the wait until they reply, and their end.
 *
 * @module
 */

import { messageOf } from "../../src/errors.ts";
import { type Endpoint, RespConnection } from "./resp_connection.ts";
import { delay } from "./script.ts";

const POLL_MS = 20;
const STOP_TIMEOUT_MS = 5_000;

/** Returns a free port of loopback, for programs that cannot choose one themselves. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/**
 * Connects when the process replies. Fails when it ends.
 *
 * @param program its name, for the error
 */
export async function connectWithin(
  timeoutMs: number,
  program: string,
  endpoint: Endpoint,
  process: Deno.ChildProcess,
  signal: AbortSignal,
): Promise<RespConnection> {
  let ended = false;
  process.status.then(() => ended = true);
  for (const givesUpAtMs = performance.now() + timeoutMs;;) {
    await delay(POLL_MS, signal);
    let connection: RespConnection | undefined;
    try {
      connection = await RespConnection.connect(endpoint);
      await connection.run([["PING"]]);
      return connection;
    } catch (error) {
      connection?.close();
      if (ended || performance.now() >= givesUpAtMs) {
        throw new Error(`Cannot start ${program}: ${ended ? "it ended immediately" : messageOf(error)}`, {
          cause: error,
        });
      }
    }
  }
}

/** Ends a process: in order, or by force when that takes too long. It may have ended already. */
export async function endProcess(process: Deno.ChildProcess): Promise<void> {
  signalProcess(process, "SIGTERM");
  const timer = setTimeout(() => signalProcess(process, "SIGKILL"), STOP_TIMEOUT_MS);
  try {
    await process.status;
  } finally {
    clearTimeout(timer);
  }
}

function signalProcess(process: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    process.kill(signal);
  } catch {
    // The process has already ended.
  }
}
