/**
 * The state of a server at one moment, which has one entry about a server: itself.
 *
 * @module
 */

import { SLOTS_COUNT } from "../limits.ts";
import type { Overview, ServerOverview } from "../metrics/overview.ts";
import { problemsOf } from "../metrics/problems.ts";
import { roleOverview } from "../role/role_overview.ts";
import type { ServerFacts } from "./metrics.ts";

/** Returns the overview of a server. */
export function serverOverview(facts: ServerFacts): Overview {
  const { persistence, standoutKeys } = facts;
  const { usedBytes, limitBytes, keys, evictedKeys, expiredKeys, hits, misses } = facts.data;
  const role = roleOverview(facts);
  const data = { keys, usedBytes, limitBytes, evictedKeys, expiredKeys, hits, misses };
  const itself: ServerOverview = {
    address: role.address,
    state: "up",
    slots: SLOTS_COUNT,
    slotsLent: 0,
    ...data,
    evicts: facts.data.evicts,
    opsPerSecond: role.opsPerSecond,
    p50Ms: role.p50Ms,
    p99Ms: role.p99Ms,
    inputBytes: role.inputBytes,
    outputBytes: role.outputBytes,
    slowRequests: role.slowRequests,
    clients: role.clients,
    maxClients: role.maxClients,
    ...role.pausedForMs !== undefined && { pausedForMs: role.pausedForMs },
    ...persistence.refusal !== "" && { writesRefused: persistence.refusal },
    ...persistence.lastError !== "" && { lastSaveFailed: persistence.lastError },
    ...role.certificateExpiresInDays !== undefined && { certificateExpiresInDays: role.certificateExpiresInDays },
    ...standoutKeys,
    ageMs: 0,
  };
  const overview = { ...role, ...data, slotsUnderWay: 0, servers: [itself] };
  return { ...overview, problems: problemsOf(overview) };
}
