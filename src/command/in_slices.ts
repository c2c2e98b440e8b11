/**
 * Commands on the connection that take long, such as `subscribe` with 100,000 names: in slices that other clients' commands
 * run between.
 *
 * @module
 */

import type { ConnectionContext } from "./connection_context.ts";

/**
 * Calls `step`, which is to take about a tenth of a millisecond, until it says that all is done. In a transaction, which
 * nothing may come between, that is one slice.
 *
 * @returns a promise when it takes more than one slice; it rejects when there is no reason to go on
 */
export function inSlices(context: ConnectionContext, step: () => boolean): void | Promise<void> {
  if (context.client.executing) { while (!step()); }
  // Nearly all are done after one step, which needs no clock.
  else if (!step() && !context.slice(step)) return finish(context, step);
}

async function finish(context: ConnectionContext, step: () => boolean): Promise<void> {
  do await context.pause(); while (!context.slice(step));
}
