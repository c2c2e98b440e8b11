/**
 * The metrics of the requests of clients: numbers, durations, bytes and errors.
 *
 * A proxy counts the requests of its clients. A duration begins when a request arrives and ends with its reply, so it
 * includes the time in the servers.
 *
 * Commands are labels for Prometheus. Their number is bounded, since only commands of the catalog are counted, and one
 * that was never called has no sample.
 *
 * @module
 */

import { COMMANDS } from "../catalog/specification.ts";
import { BUCKET_BOUNDS_US } from "../metrics/command_stats.ts";
import type { Distribution, Metric, Sample } from "../metrics/metric.ts";
import type { RoleFacts } from "./role_facts.ts";

/** The percentiles that are shown, as Redis names them. */
const PERCENTILES: readonly (readonly [name: string, fraction: number])[] = [
  ["p50", 0.5],
  ["p99", 0.99],
  ["p99.9", 0.999],
];

/** The names that Redis has for commands whose own name here is another. Both names are accepted. */
const REDIS_NAMES: Readonly<Record<string, string>> = {
  remove: "del",
  size: "dbsize",
  flush: "flushall",
  lget: "lindex",
};

/** The names of the commands as Redis has them, in the order of the catalog. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.map(({ name }) => REDIS_NAMES[name] ?? name);

/** The numbers and times of requests. */
const REQUEST_METRICS: readonly Metric<RoleFacts>[] = [
  {
    section: "stats",
    field: "total_commands_processed",
    name: "requests_total",
    type: "counter",
    help: "The number of requests.",
    read: ({ commands }) => commands,
  },
  {
    section: "stats",
    field: "instantaneous_ops_per_sec",
    name: "requests_per_second",
    type: "gauge",
    help: "The number of requests a second, in the last seconds.",
    read: ({ instruments }) => Math.round(instruments.commandsRate.perSecond),
  },
  {
    name: "request_latency_seconds",
    type: "gauge",
    help: "The time for a request that a part of the requests of the last 10 to 20 s did not exceed.",
    labels: ["percentile"],
    *samples({ instruments }) {
      for (const [name, fraction] of PERCENTILES) {
        const ms = instruments.quantileMs(fraction);
        if (ms !== undefined) yield { labels: { percentile: name.slice(1) }, value: ms / 1000 };
      }
    },
  },
  {
    section: "stats",
    field: "slow_commands",
    name: "slow_commands_total",
    type: "counter",
    help: "The number of commands that the slow log has recorded.",
    read: ({ instruments }) => instruments.slowLog.total,
  },
  {
    section: "stats",
    field: "total_net_input_bytes",
    name: "network_input_bytes_total",
    type: "counter",
    help: "The bytes that clients have sent.",
    read: ({ instruments }) => instruments.traffic.inputBytes,
  },
  {
    section: "stats",
    field: "total_net_output_bytes",
    name: "network_output_bytes_total",
    type: "counter",
    help: "The bytes that were sent to clients.",
    read: ({ instruments }) => instruments.traffic.outputBytes,
  },
  {
    section: "stats",
    field: "instantaneous_input_kbps",
    type: "gauge",
    help: "The KiB a second that clients send, in the last seconds.",
    read: ({ instruments }) => (instruments.inputRate.perSecond / 1024).toFixed(2),
  },
  {
    section: "stats",
    field: "instantaneous_output_kbps",
    type: "gauge",
    help: "The KiB a second that clients are sent, in the last seconds.",
    read: ({ instruments }) => (instruments.outputRate.perSecond / 1024).toFixed(2),
  },
  {
    section: "stats",
    field: "total_error_replies",
    type: "counter",
    help: "The number of replies that were errors.",
    read: ({ instruments }) => instruments.errors.total,
  },
  {
    section: "errorstats",
    field: "errorstat_CODE",
    type: "lines",
    help: "The number of replies that were errors with a code.",
    *lines({ instruments }) {
      for (const [code, count] of instruments.errors.byCode) yield [`errorstat_${code}`, `count=${count}`] as const;
    },
  },
  {
    name: "error_replies_total",
    type: "counter",
    help: "The number of replies that were errors, by code.",
    labels: ["code"],
    *samples({ instruments }) {
      for (const [code, value] of instruments.errors.byCode) yield { labels: { code }, value };
    },
  },
];

/** The metrics of each command. */
const EACH_COMMAND_METRICS: readonly Metric<RoleFacts>[] = [
  {
    section: "commandstats",
    field: "cmdstat_COMMAND",
    type: "lines",
    help: "The calls of a command; their time in microseconds; those that were refused before and while they ran.",
    *lines({ instruments: { commands } }) {
      for (const position of usedCommands(commands)) {
        const calls = commands.calls(position);
        const usec = Math.round(commands.microseconds(position));
        const each = (calls === 0 ? 0 : usec / calls).toFixed(2);
        const ends = `rejected_calls=${commands.rejected[position]},failed_calls=${commands.failed[position]}`;
        yield [
          `cmdstat_${COMMAND_NAMES[position]}`,
          `calls=${calls},usec=${usec},usec_per_call=${each},${ends}`,
        ] as const;
      }
    },
  },
  {
    section: "latencystats",
    field: "latency_percentiles_usec_COMMAND",
    type: "lines",
    help: "The microseconds that 50, 99 and 99.9 percent of the calls of a command did not exceed.",
    *lines({ instruments: { commands } }) {
      for (const position of usedCommands(commands)) {
        const histogram = commands.histogram(position);
        if (histogram === undefined) continue;
        const parts = PERCENTILES.map(([name, fraction]) => {
          return `${name}=${((histogram.quantile(fraction) ?? 0) * 1000).toFixed(3)}`;
        });
        yield [`latency_percentiles_usec_${COMMAND_NAMES[position]}`, parts.join(",")] as const;
      }
    },
  },
  {
    name: "command_calls_total",
    type: "counter",
    help: "The number of calls of a command.",
    labels: ["command"],
    samples: ({ instruments: { commands } }) => samplesOf(commands, (position) => commands.calls(position)),
  },
  {
    name: "command_failures_total",
    type: "counter",
    help: "The number of calls of a command that ran and failed.",
    labels: ["command"],
    samples: ({ instruments: { commands } }) => samplesOf(commands, (position) => commands.failed[position]!),
  },
  {
    name: "command_rejections_total",
    type: "counter",
    help: "The number of calls of a command that were refused before they ran.",
    labels: ["command"],
    samples: ({ instruments: { commands } }) => samplesOf(commands, (position) => commands.rejected[position]!),
  },
  {
    name: "command_duration_seconds",
    type: "histogram",
    help: "The time that calls of a command took, estimated from a sample when there are many calls.",
    labels: ["command"],
    bounds: BUCKET_BOUNDS_US.map((us) => us / 1e6),
    *distributions({ instruments: { commands } }): Generator<Distribution> {
      for (const position of usedCommands(commands)) {
        if (commands.histogram(position) === undefined) continue;
        const counts = commands.buckets(position);
        const sum = commands.microseconds(position) / 1e6;
        yield { labels: { command: COMMAND_NAMES[position]! }, counts, count: counts.at(-1)!, sum };
      }
    },
  },
];

/** The metrics of the time of the processor. */
const CPU_METRICS: readonly Metric<RoleFacts>[] = [
  {
    section: "cpu",
    field: "used_cpu_sys",
    type: "counter",
    help: "The seconds that the operating system has worked for this process.",
    read: ({ cpu }) => cpu.systemSeconds.toFixed(6),
  },
  {
    section: "cpu",
    field: "used_cpu_user",
    type: "counter",
    help: "The seconds that this process itself has used the processor, all its threads together.",
    read: ({ cpu }) => cpu.userSeconds.toFixed(6),
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "The time that this process has used the processor.",
    labels: ["mode"],
    samples: ({ cpu }) => [
      { labels: { mode: "system" }, value: cpu.systemSeconds },
      { labels: { mode: "user" }, value: cpu.userSeconds },
    ],
  },
];

/** The metrics of the requests of clients. */
export const COMMAND_METRICS: readonly Metric<RoleFacts>[] = [
  ...REQUEST_METRICS,
  ...EACH_COMMAND_METRICS,
  ...CPU_METRICS,
];

type Commands = RoleFacts["instruments"]["commands"];

/** Returns the positions of the commands that were called, successfully or not. */
function* usedCommands(commands: Commands): Generator<number> {
  for (let position = 0; position < commands.count; position++) {
    const isUsed = commands.calls(position) > 0 || commands.rejected[position]! > 0 || commands.failed[position]! > 0;
    if (isUsed) yield position;
  }
}

function* samplesOf(commands: Commands, valueOf: (position: number) => number): Generator<Sample> {
  for (const position of usedCommands(commands)) {
    yield { labels: { command: COMMAND_NAMES[position]! }, value: valueOf(position) };
  }
}
