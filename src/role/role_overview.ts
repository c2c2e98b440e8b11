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
  const { certificateExpiresMs, authorityExpiresMs } = facts;
  return {
    role: facts.role,
    version: VERSION,
    runId: facts.runId,
    address: formatAddress(facts.address),
    nowMs: Date.now(),
    uptimeMs: Math.round(facts.uptimeMs),
    clients: facts.clients.count,
    maxClients: facts.maxClients,
    ...certificateExpiresMs !== undefined && { certificateExpiresInDays: daysUntil(certificateExpiresMs) },
    ...authorityExpiresMs !== undefined && { authorityExpiresInDays: daysUntil(authorityExpiresMs) },
  };
}
