/**
 * Scripts that start servers: whatever ends them, the servers end first.
 *
 * @module
 */

import { messageOf, UsageError } from "../../src/errors.ts";

/** Signals that end a script, its servers first. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs a script, whose signal is aborted when the process is told to stop.
 *
 * @returns its exit status: 2 when it was called wrongly, 1 when it failed or was interrupted
 */
export async function runInterruptibly(script: (signal: AbortSignal) => Promise<void>): Promise<number> {
  const aborter = new AbortController();
  const interrupt = () => aborter.abort(new Error("Interrupted"));
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, interrupt);
  try {
    await script(aborter.signal);
    return 0;
  } catch (error) {
    console.error(messageOf(aborter.signal.aborted ? aborter.signal.reason : error));
    return error instanceof UsageError ? 2 : 1;
  } finally {
    for (const name of STOP_SIGNALS) Deno.removeSignalListener(name, interrupt);
  }
}
