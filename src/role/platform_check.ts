/**
 * Refuses to start a role on a system where it cannot run, and logs what it does differently on this one.
 *
 * @module
 */

import { StartError } from "../errors.ts";
import { PLATFORM, type Platform } from "../operating_system.ts";
import type { Logger } from "./logger.ts";

/**
 * Checks the system once, at the start of a role. On Linux nothing is logged; elsewhere one line names every
 * difference.
 *
 * @throws {StartError} where servers and proxies do not run
 */
export function checkPlatform(role: string, logger: Pick<Logger, "info">, platform: Platform = PLATFORM): void {
  if (!platform.has("roles")) {
    throw new StartError(
      `Cannot run a ${role} on ${platform.title}: expected Linux or macOS; run it in a container or a virtual ` +
        `machine, and reach it from here with "inmem client"`,
    );
  }
  const differences = platform.differences();
  if (differences.length === 0) return;
  logger.info(`Running on ${platform.title}, which lacks something`, { differences: differences.join("; ") });
}
