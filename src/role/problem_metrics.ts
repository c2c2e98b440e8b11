/**
 * The metric of problems, on which alerts are based (metrics/problems.ts).
 *
 * @module
 */

import type { Metric } from "../metrics/metric.ts";
import type { Problem } from "../metrics/overview.ts";

/** The facts about problems. */
export interface ProblemsFacts {
  /** Returns the present problems. */
  readonly problems: () => readonly Problem[];
}

/** The metric of problems. */
export const PROBLEM_METRICS: readonly Metric<ProblemsFacts>[] = [
  {
    name: "problem",
    type: "gauge",
    help: "1 for each present problem. The subject is an address, or a key as text.",
    labels: ["kind", "severity", "subject"],
    *samples({ problems }) {
      for (const { kind, severity, subject } of problems()) yield { labels: { kind, severity, subject }, value: 1 };
    },
  },
];
