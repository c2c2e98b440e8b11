/**
 * Waiting that can be called off.
 *
 * @module
 */

/**
 * Resolves after a while.
 *
 * @throws the signal's reason, as soon as it is aborted
 */
export async function delay(timeMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  function abort(): void {
    reject(signal.reason);
  }
  const timer = setTimeout(resolve, timeMs);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
