/**
 * The part of an overview that every role has.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import type { Overview } from "../metrics/overview.ts";
import { daysUntil } from "./expiry.ts";
import type { RoleFacts } from "./role_facts.ts";
import { VERSION } from "./version.ts";

/** The properties of an overview that come from the role, and not from its data. */
export type RoleOverview = Omit<Overview, "slotsUnderWay" | "servers" | "problems">;

/** Returns the part of the overview that every role has. */
export function roleOverview(facts: RoleFacts): RoleOverview {
  const { certificateExpiresMs, authorityExpiresMs, instruments } = facts;
  return {
    role: facts.role,
    version: VERSION,
    runId: facts.runId,
    address: formatAddress(facts.address),
    nowMs: Date.now(),
    uptimeMs: Math.round(facts.uptimeMs),
    clients: facts.clients.count,
    maxClients: facts.maxClients,
    opsPerSecond: instruments.commandsRate.perSecond,
    p50Ms: instruments.quantileMs(0.5),
    p99Ms: instruments.quantileMs(0.99),
    slowRequests: instruments.slowLog.total,
    inputBytes: instruments.traffic.inputBytes,
    outputBytes: instruments.traffic.outputBytes,
    ...facts.pause.leftMs > 0 && { pausedForMs: facts.pause.leftMs },
    ...certificateExpiresMs !== undefined && { certificateExpiresInDays: daysUntil(certificateExpiresMs) },
    ...authorityExpiresMs !== undefined && { authorityExpiresInDays: daysUntil(authorityExpiresMs) },
  };
}
