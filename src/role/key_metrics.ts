/**
 * The metrics of single keys that stand out: the one that is used most, and the one with the largest value.
 *
 * There is one key of each kind, so a name is a line of `info` and no label, whose number would not be bounded.
 *
 * @module
 */

import type { Metric } from "../metrics/metric.ts";
import type { BigKeyOverview, HotKeyOverview } from "../metrics/overview.ts";

/** The facts about keys that stand out. */
export interface KeyFacts {
  readonly standoutKeys: {
    readonly hotKey?: HotKeyOverview;
    readonly bigKey?: BigKeyOverview;
  };
}

/** The metrics of single keys. */
export const KEY_METRICS: readonly Metric<KeyFacts>[] = [
  {
    section: "stats",
    field: "hot_key",
    type: "text",
    help: "The key that is used most at present.",
    read: ({ standoutKeys: { hotKey } }) => hotKey?.name,
  },
  {
    section: "stats",
    field: "hot_key_requests_per_sec",
    name: "hot_key_requests_per_second",
    type: "gauge",
    help: "The requests a second that use the key that is used most.",
    total: "max",
    read: ({ standoutKeys: { hotKey } }) => hotKey && Math.round(hotKey.requestsPerSecond),
  },
  {
    section: "stats",
    field: "hot_key_share",
    name: "hot_key_ratio",
    type: "gauge",
    help: "The part of all uses of keys that are of the key that is used most, from 0 to 1.",
    total: "max",
    read: ({ standoutKeys: { hotKey } }) => hotKey && Math.round(hotKey.share * 1000) / 1000,
  },
  {
    section: "stats",
    field: "big_key",
    type: "text",
    help: "The key with the largest value.",
    read: ({ standoutKeys: { bigKey } }) => bigKey?.name,
  },
  {
    section: "stats",
    field: "big_key_type",
    type: "text",
    help: "The type of that value.",
    read: ({ standoutKeys: { bigKey } }) => bigKey?.type,
  },
  {
    section: "stats",
    field: "big_key_bytes",
    name: "big_key_bytes",
    type: "gauge",
    help: "The bytes that the key with the largest value takes.",
    total: "max",
    read: ({ standoutKeys: { bigKey } }) => bigKey?.bytes,
  },
  {
    section: "stats",
    field: "big_key_elements",
    name: "big_key_elements",
    type: "gauge",
    help: "The elements of the largest value; 1 for a string.",
    total: "max",
    read: ({ standoutKeys: { bigKey } }) => bigKey?.elements,
  },
];
