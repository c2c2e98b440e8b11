/**
 * The table of the metrics of a server. The rows themselves are in role/, since a proxy joins many of them.
 *
 * @module
 */

import type { Metric } from "../metrics/metric.ts";
import { COMMAND_METRICS } from "../role/command_metrics.ts";
import { DATA_METRICS, type DataFacts } from "../role/data_metrics.ts";
import { KEY_METRICS, type KeyFacts } from "../role/key_metrics.ts";
import { PERSISTENCE_METRICS, type PersistenceFacts } from "../role/persistence_metrics.ts";
import { PROBLEM_METRICS, type ProblemsFacts } from "../role/problem_metrics.ts";
import { REDIS_METRICS } from "../role/redis_metrics.ts";
import type { RoleFacts } from "../role/role_facts.ts";
import { CLIENT_METRICS, MEMORY_METRICS, PROCESS_METRICS } from "../role/role_metrics.ts";

/** The facts that the metrics of a server are made from. */
export type ServerFacts = RoleFacts & DataFacts & PersistenceFacts & KeyFacts & ProblemsFacts;

/** The metrics of a server. */
export const SERVER_METRICS: readonly Metric<ServerFacts>[] = [
  ...PROCESS_METRICS,
  ...CLIENT_METRICS,
  ...COMMAND_METRICS,
  ...DATA_METRICS,
  ...MEMORY_METRICS,
  ...PERSISTENCE_METRICS,
  ...KEY_METRICS,
  ...REDIS_METRICS,
  ...PROBLEM_METRICS,
];
