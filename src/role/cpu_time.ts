/**
 * The time that this process has used of the processor.
 *
 * @module
 */

import { cpuUsage } from "node:process";

/** Times of the processor, in seconds. */
export interface CpuTime {
  /** The time in the program itself, all its threads together. */
  readonly userSeconds: number;
  /** The time in the operating system on behalf of the program. */
  readonly systemSeconds: number;
}

/** Returns the time that this process has used since its start. */
export function cpuTime(): CpuTime {
  const { user, system } = cpuUsage();
  return { userSeconds: user / 1e6, systemSeconds: system / 1e6 };
}
