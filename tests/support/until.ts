/**
 * Waits for a condition.
 *
 * @module
 */

import { pause } from "./pause.ts";

/** The time after which a wait fails, in ms, also on a busy machine. */
const TIMEOUT_MS = 20_000;
/** The number of first looks for each ms of the next pause, so that quick events are seen immediately. */
const LOOKS_PER_MS = 4;
const PAUSE_MAX_MS = 5;

/**
 * Waits until a condition holds. It looks first before any wait, then in each task of the event loop, and then less and
 * less often, down to every 5 ms.
 *
 * @param what the awaited condition, such as "the server refuses writes", for the error of a wait that fails; a
 * function may add what was seen instead
 * @throws {Error} when the condition does not hold in time
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  timeoutMs = TIMEOUT_MS,
): Promise<void> {
  const endsMs = performance.now() + timeoutMs;
  for (let looks = 0; !(await condition()); looks++) {
    if (performance.now() > endsMs) {
      throw new Error(`Not within ${timeoutMs} ms: ${typeof what === "string" ? what : what()}`);
    }
    await pause(Math.min(Math.floor(looks / LOOKS_PER_MS), PAUSE_MAX_MS));
  }
}
