/**
 * Waiting for something to become so.
 *
 * @module
 */

import { pause } from "./pause.ts";

/** A test that waits longer than this for something has failed, however busy the machine is. */
const TIMEOUT_MS = 20_000;
/** The first looks are this many to each ms of the pause before the next one, so that what is quick is seen at once. */
const LOOKS_PER_MS = 4;
const PAUSE_MAX_MS = 5;

/**
 * Waits until a condition holds. The condition is looked at once before anything is waited for, then in each turn of the
 * event loop, and then less and less often, down to every 5 ms.
 *
 * @param what says what is waited for, such as "the server refuses writes", in the error of a test that waited in vain; a
 *   function may add what was seen instead
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
