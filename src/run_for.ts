/**
 * Work in small steps, up to a time.
 *
 * @module
 */

/**
 * Calls `step` until it returns `false`, since there is no more to do, or until the time is up.
 *
 * @returns whether there is more to do
 */
export function runFor(durationMs: number, step: () => boolean): boolean {
  const endMs = performance.now() + durationMs;
  let isMore: boolean;
  do isMore = step(); while (isMore && performance.now() < endMs);
  return isMore;
}
