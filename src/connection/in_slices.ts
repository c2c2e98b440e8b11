/**
 * Commands on the connection that take long, such as `subscribe` with 100,000 names: in slices that other clients' commands
 * run between.
 *
 * @module
 */

import type { ConnectionContext } from "./context.ts";

/** What takes slices, and pauses between them. */
export type Sliced = Pick<ConnectionContext, "slice" | "pause">;

/**
 * Calls `step`, which is to take about a tenth of a millisecond, until it says that all is done. In a transaction, which
 * nothing may come between, that is one slice.
 *
 * @returns a promise when it takes more than one slice; it rejects when there is no reason to go on
 */
export function inSlices(context: ConnectionContext, step: () => boolean): void | Promise<void> {
  if (context.client.executing) { while (!step()); }
  // Nearly all are done after one step, which needs no clock.
  else if (!step() && !context.slice(step)) return pauseAndFinish(context, step);
}

async function pauseAndFinish(context: ConnectionContext, step: () => boolean): Promise<void> {
  await context.pause();
  await finishInSlices(context, step);
}

/** Calls `step` in slices until it says that all is done. Rejects when there is no reason to go on. */
export async function finishInSlices(context: Sliced, step: () => boolean): Promise<void> {
  while (!context.slice(step)) await context.pause();
}
