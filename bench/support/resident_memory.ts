/**
 * What a process really occupies of the machine's memory: the kernel's account (Linux), which includes the allocator's
 * slack, the runtime and everything else that no program counts by itself.
 *
 * @module
 */

import { delay } from "./script.ts";

const POLL_MS = 50;
/** A process that never gets quiet is read after this time all the same. */
const SETTLE_TIMEOUT_MS = 30_000;
/** Changes below this are no change: a few pages come and go in any process that answers a timer. */
const QUIET_BYTES = 128 * 1024;

/** Resident bytes of a process now. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const found = /^VmRSS:\s*([0-9]+) kB$/m.exec(status);
  if (found === null) throw new Error(`Cannot read the resident memory of process ${pid}: expected a line VmRSS`);
  return Number(found[1]) * 1024;
}

/**
 * Resident bytes of a process once they have stopped changing: allocators give memory back some time after it was freed.
 *
 * @param quietMs how long they have to stay the same
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
