/**
 * Records one request that is observed: for the clients that monitor, for the slow log, and for the histories of
 * latencies. Both roles call this for timed requests only.
 *
 * @module
 */

import type { CommandSpecification } from "../catalog/specification.ts";
import type { Instruments } from "../metrics/instruments.ts";
import type { Monitor } from "../metrics/monitors.ts";
import type { Request } from "../wire/request.ts";
import type { ClientState } from "./client_state.ts";

/**
 * Shows a request that has begun or run to the clients that monitor. As in Redis, they do not see the commands of
 * administrators, whose arguments may be secret.
 *
 * @param except a client that does not get the line
 * @returns the line, if there is one
 */
export function showRequest(
  { monitors }: Instruments,
  specification: CommandSpecification,
  request: Request,
  client: ClientState,
  except?: Monitor,
): Uint8Array | undefined {
  const { admin, group } = specification;
  if (admin !== undefined) {
    if (group === "server") return undefined;
    if (request.count > 1 && admin.subcommands?.some((name) => request.is(1, name)) === true) return undefined;
  }
  return monitors.note(request, client.address, performance.timeOrigin + performance.now(), except);
}

/** Records a request whose command has ended, if it took long. */
export function noteDuration(
  { slowLog, latency }: Instruments,
  specification: CommandSpecification,
  request: Request,
  client: ClientState,
  durationMs: number,
): void {
  // The commands of a transaction are recorded one by one, as in Redis.
  if (specification.transactionStep === "run") return;
  const isSlow = slowLog.thresholdUs >= 0 && durationMs * 1000 >= slowLog.thresholdUs;
  if (isSlow) slowLog.note(request, durationMs * 1000, client, Date.now());
  if (latency.thresholdMs === 0 || durationMs < latency.thresholdMs) return;
  const isFast = specification.fastNames.includes(specification.name);
  latency.note(isFast ? "fast-command" : "command", durationMs, Date.now());
}
