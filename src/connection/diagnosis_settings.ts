/**
 * The settings of what both roles observe, for `config get` and `config set`.
 *
 * @module
 */

import { SLOW_LOG_MAX_COUNT } from "../limits.ts";
import type { Instruments } from "../metrics/instruments.ts";
import type { Configuration, Parameter } from "./configuration.ts";

/** The largest threshold: larger integers are not exact. */
const THRESHOLD_MAX = Number.MAX_SAFE_INTEGER;

/** Returns the settings by their names in Redis. */
export function diagnosisSettings(instruments: Instruments): Configuration {
  const { slowLog, latency } = instruments;
  return {
    "slowlog-log-slower-than": integer(-1, THRESHOLD_MAX, () => slowLog.thresholdUs, (value) => {
      slowLog.thresholdUs = value;
      instruments.followThresholds();
    }),
    "slowlog-max-len": integer(0, SLOW_LOG_MAX_COUNT, () => slowLog.maxCount, (value) => {
      slowLog.maxCount = value;
    }),
    "latency-monitor-threshold": integer(0, THRESHOLD_MAX, () => latency.thresholdMs, (value) => {
      latency.thresholdMs = value;
      instruments.followThresholds();
    }),
  };
}

function integer(least: number, largest: number, get: () => number, set: (value: number) => void): Parameter {
  return {
    get: () => String(get()),
    set: (text) => {
      if (!/^-?\d+$/.test(text)) return "argument couldn't be parsed into an integer";
      const value = Number(text);
      if (value < least || value > largest) return `argument must be between ${least} and ${largest} inclusive`;
      set(value);
      return undefined;
    },
  };
}
