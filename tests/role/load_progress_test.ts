import { assertEquals } from "@std/assert";
import { loadProgress } from "../../src/role/load_progress.ts";
import type { Logger } from "../../src/role/logger.ts";

const MB = 1024 * 1024;

/** Returns what is reported of a load of `totalBytes` that has reached `share` at each time. */
function tell(isTerminal: boolean, steps: readonly (readonly [ms: number, share: number])[]): string[] {
  const told: string[] = [];
  const logger: Logger = { info: (message) => told.push(message), warn() {}, error() {} };
  let nowMs = 0;
  const progress = loadProgress(logger, { isTerminal, write: (text) => told.push(text), now: () => nowMs });
  for (const [ms, share] of steps) {
    nowMs = ms;
    progress(share * 100 * MB, 100 * MB);
  }
  return told;
}

Deno.test("loadProgress() reports nothing for a load of less than a second", () => {
  const steps = [[10, 0.1], [500, 0.5], [990, 1]] as const;
  assertEquals(tell(false, steps), []);
  assertEquals(tell(true, steps.slice(0, 2)), []);
});

Deno.test("loadProgress() logs a line a second without a terminal", () => {
  const steps = [[999, 0.1], [1000, 0.2], [1001, 0.21], [1999, 0.3], [2000, 0.4], [3500, 1]] as const;
  assertEquals(tell(false, steps), [
    "Loading: 20%, 20mb of 100mb",
    "Loading: 40%, 40mb of 100mb",
    "Loading: 100%, 100mb of 100mb",
  ]);
});

Deno.test("loadProgress() updates a bar on a terminal, and removes it at the end", () => {
  const steps = [[500, 0.1], [1000, 0.25], [1050, 0.3], [1100, 0.5], [1110, 1]] as const;
  assertEquals(tell(true, steps), [
    `\r\x1b[KLoading [${"#".repeat(10)}${"-".repeat(30)}]  25%  25mb of 100mb`,
    `\r\x1b[KLoading [${"#".repeat(20)}${"-".repeat(20)}]  50%  50mb of 100mb`,
    "\r\x1b[K",
  ]);
});
