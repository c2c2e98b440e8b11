/**
 * Runs work in small steps for a limited time.
 *
 * @module
 */

/**
 * Calls `step` until it returns `false`, since nothing is left to do, or until the time is over.
 *
 * @returns whether anything is left to do
 */
export function runFor(durationMs: number, step: () => boolean): boolean {
  const endMs = performance.now() + durationMs;
  let isMore: boolean;
  do isMore = step(); while (isMore && performance.now() < endMs);
  return isMore;
}
