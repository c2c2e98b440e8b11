/**
 * Measures the memory that a process really occupies: the kernel's account (Linux), which includes the allocator's
 * slack, the runtime and everything that programs do not count themselves.
 *
 * @module
 */

import { delay } from "./script.ts";

const POLL_MS = 50;
/** The time after which a process is read even if it has not settled, in ms. */
const SETTLE_TIMEOUT_MS = 30_000;
/** The size below which a change is ignored, in bytes: a few pages come and go in any process with a timer. */
const QUIET_BYTES = 128 * 1024;

/** Returns the present resident bytes of a process. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const found = /^VmRSS:\s*([0-9]+) kB$/m.exec(status);
  if (found === null) throw new Error(`Cannot read the resident memory of process ${pid}: expected a line VmRSS`);
  return Number(found[1]) * 1024;
}

/**
 * Returns the resident bytes of a process when they have stopped changing: allocators return memory some time after it
 * was freed.
 *
 * @param quietMs how long they must stay the same
 * @throws the signal's reason, when it is aborted before
 */
export async function settledResidentBytes(pid: number, quietMs: number, signal: AbortSignal): Promise<number> {
  const givesUpAtMs = performance.now() + SETTLE_TIMEOUT_MS;
  let reference = await residentBytes(pid);
  let quietSinceMs = performance.now();
  for (;;) {
    await delay(POLL_MS, signal);
    const bytes = await residentBytes(pid);
    const nowMs = performance.now();
    if (Math.abs(bytes - reference) > QUIET_BYTES) {
      reference = bytes;
      quietSinceMs = nowMs;
    }
    if (nowMs - quietSinceMs >= quietMs || nowMs >= givesUpAtMs) return bytes;
  }
}
