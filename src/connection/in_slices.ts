/**
 * Runs long commands on the connection, such as `subscribe` with 100,000 names, in slices between which other clients'
 * commands run.
 *
 * @module
 */

import type { ConnectionContext } from "./context.ts";

/** The part of a context that runs slices, with pauses between them. */
export type Sliced = Pick<ConnectionContext, "slice" | "pause">;

/**
 * Calls `step` until it returns `true`; each step should take about a tenth of a millisecond. In a transaction, which
 * must not be interrupted, all steps are one slice.
 *
 * @returns a promise when more than one slice is needed; it rejects when the command should not continue
 */
export function inSlices(context: ConnectionContext, step: () => boolean): void | Promise<void> {
  if (context.client.executing) { while (!step()); }
  // Nearly all commands end in the first step, which needs no look at the clock.
  else if (!step() && !context.slice(step)) return pauseAndFinish(context, step);
}

async function pauseAndFinish(context: ConnectionContext, step: () => boolean): Promise<void> {
  await context.pause();
  await finishInSlices(context, step);
}

/** Calls `step` in slices until it returns `true`. Rejects when the command should not continue. */
export async function finishInSlices(context: Sliced, step: () => boolean): Promise<void> {
  while (!context.slice(step)) await context.pause();
}
