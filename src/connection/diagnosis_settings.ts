/**
 * The settings of what both roles observe, for `config get` and `config set`.
 *
 * @module
 */

import { SLOW_LOG_MAX_COUNT } from "../limits.ts";
import type { Instruments } from "../metrics/instruments.ts";
import type { Configuration } from "./configuration.ts";
import { integerParameter } from "./parameter_kinds.ts";

/** The largest threshold: larger integers are not exact. */
const THRESHOLD_MAX = Number.MAX_SAFE_INTEGER;

/** Returns the settings by their names in Redis. */
export function diagnosisSettings(instruments: Instruments): Configuration {
  const { slowLog, latency } = instruments;
  return {
    "slowlog-log-slower-than": integerParameter(-1, THRESHOLD_MAX, {
      read: () => slowLog.thresholdUs,
      change: (value) => {
        slowLog.thresholdUs = value;
        return void instruments.followThresholds();
      },
    }),
    "slowlog-max-len": integerParameter(0, SLOW_LOG_MAX_COUNT, {
      read: () => slowLog.maxCount,
      change: (value) => void (slowLog.maxCount = value),
    }),
    "latency-monitor-threshold": integerParameter(0, THRESHOLD_MAX, {
      read: () => latency.thresholdMs,
      change: (value) => {
        latency.thresholdMs = value;
        return void instruments.followThresholds();
      },
    }),
  };
}
