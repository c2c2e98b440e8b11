/**
 * The options of `inmem client` that choose a live tool, and those of the tools.
 *
 * @module
 */

import { LIVE_INTERVAL_MAX_MS, LIVE_INTERVAL_MIN_MS, SCAN_PAGE_MAX_COUNT, TOP_KEYS_MAX_COUNT } from "../limits.ts";
import type { Option } from "./options.ts";

/** The rows of these options. The aliases are redis-cli's names. */
export const liveOptions = {
  stat: {
    kind: "flag",
    onlyTyped: true,
    help: "show keys, memory, clients and requests, in a line for each --interval",
  },
  latency: {
    kind: "flag",
    onlyTyped: true,
    help: "time COMMAND again and again, or else ping, and show how long its replies take",
  },
  "latency-history": {
    kind: "flag",
    onlyTyped: true,
    help: "like --latency, but a line for each --interval, 15s by default",
  },
  scan: { kind: "flag", onlyTyped: true, help: "print the names of all keys, one per line" },
  "big-keys": {
    kind: "flag",
    onlyTyped: true,
    aliases: ["bigkeys"],
    help: "read through all keys and show those with the most bytes or elements of each type",
  },
  "mem-keys": {
    kind: "flag",
    onlyTyped: true,
    aliases: ["memkeys"],
    help: "read through all keys and show those that take the most memory",
  },
  "hot-keys": {
    kind: "flag",
    onlyTyped: true,
    aliases: ["hotkeys"],
    help: "show the keys that most requests use; with --interval again and again",
  },
  pattern: {
    kind: "text",
    valueName: "GLOB",
    onlyTyped: true,
    help: "only keys that match, for --scan, --big-keys and --mem-keys",
    absent: "all keys",
  },
  type: {
    kind: "text",
    valueName: "TYPE",
    onlyTyped: true,
    help: "only keys of this type, for --scan, --big-keys and --mem-keys",
    absent: "all types",
  },
  count: {
    kind: "count",
    min: 1,
    max: SCAN_PAGE_MAX_COUNT,
    onlyTyped: true,
    help: "how many keys the server visits for each reply of --scan, --big-keys and --mem-keys",
    absent: "1000",
  },
  top: {
    kind: "count",
    min: 1,
    max: TOP_KEYS_MAX_COUNT,
    onlyTyped: true,
    help: "how many keys --big-keys shows of each type, and --mem-keys and --hot-keys in all",
    absent: "10",
  },
  interval: {
    kind: "duration",
    aliases: ["i"],
    min: LIVE_INTERVAL_MIN_MS,
    max: LIVE_INTERVAL_MAX_MS,
    onlyTyped: true,
    help: "the time between two reports of a tool that goes on, or between two parts of one that reads all keys",
    absent: "1s, or no pause",
  },
  duration: {
    kind: "duration",
    min: LIVE_INTERVAL_MIN_MS,
    max: LIVE_INTERVAL_MAX_MS,
    onlyTyped: true,
    help: "how long --stat, --latency and --hot-keys with --interval go on",
    absent: "until Ctrl-C",
  },
} as const satisfies Readonly<Record<string, Option>>;
