/**
 * Waits for time to pass, for tests of what happens after a time.
 *
 * @module
 */

/** Resolves after a time. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
