/**
 * The options of `inmem bench`.
 *
 * @module
 */

import {
  BENCH_CLIENTS_MAX_COUNT,
  BENCH_DURATION_MAX_MS,
  BENCH_KEYS_MAX_COUNT,
  BENCH_PIPELINE_MAX_COUNT,
  BENCH_REQUESTS_MAX_COUNT,
  BENCH_ROUNDS_MAX_COUNT,
  BENCH_VALUE_MAX_BYTES,
} from "../limits.ts";
import type { OptionTable } from "./options.ts";
import { targetOptions } from "./target_options.ts";

/** The options of `inmem bench`. */
export const benchOptions = {
  usage: "inmem bench [OPTIONS]",
  variablePrefix: "INMEM_",
  summary:
    "Loads a server, inmem or any other that is compatible with Redis, checks every reply, and prints rates and " +
    "latencies. It uses keys that begin with inmem-bench: only, and deletes them before and after. " +
    "Exit status: 0 done, 1 a reply was wrong or refused, 2 wrong usage, 3 no connection.",
  options: {
    ...targetOptions,
    tests: {
      kind: "text",
      valueName: "NAMES",
      aliases: ["t"],
      onlyTyped: true,
      default: "ping,set,get,incr,lpush,lpop,sadd,hset,hget",
      help: "the tests, separated by commas",
    },
    clients: {
      kind: "count",
      default: "50",
      min: 1,
      max: BENCH_CLIENTS_MAX_COUNT,
      onlyTyped: true,
      help: "the number of connections",
    },
    pipeline: {
      kind: "count",
      default: "1",
      min: 1,
      max: BENCH_PIPELINE_MAX_COUNT,
      onlyTyped: true,
      help: "the number of requests that each connection sends together",
    },
    duration: {
      kind: "duration",
      default: "3s",
      min: 1,
      max: BENCH_DURATION_MAX_MS,
      onlyTyped: true,
      help: "how long each test is",
    },
    requests: {
      kind: "count",
      min: 1,
      max: BENCH_REQUESTS_MAX_COUNT,
      onlyTyped: true,
      help: "the number of requests of each test, instead of a duration",
      absent: "as many as --duration allows",
    },
    size: {
      kind: "size",
      default: "32b",
      min: 1,
      max: BENCH_VALUE_MAX_BYTES,
      onlyTyped: true,
      help: "the size of values",
    },
    keys: {
      kind: "count",
      default: "100000",
      min: 1,
      max: BENCH_KEYS_MAX_COUNT,
      onlyTyped: true,
      help: "the number of keys of each kind, at least one for each connection",
    },
    protocol: {
      kind: "text",
      choices: ["resp", "native"],
      default: "resp",
      onlyTyped: true,
      help: "the protocol: Redis's, or inmem's own",
    },
    compare: {
      kind: "server",
      onlyTyped: true,
      help: "a second server, such as redis://127.0.0.1:6379, which is loaded in turn with the first",
      absent: "none",
    },
    rounds: {
      kind: "count",
      default: "3",
      min: 1,
      max: BENCH_ROUNDS_MAX_COUNT,
      onlyTyped: true,
      help: "how often each test is repeated with --compare; the figures are those of the median",
    },
    keep: { kind: "flag", onlyTyped: true, help: "leave the keys on the server" },
    json: { kind: "flag", help: "print a line of JSON for each test" },
    csv: { kind: "flag", onlyTyped: true, help: "print CSV" },
    help: { kind: "flag", help: "print this text" },
  },
} as const satisfies OptionTable;
