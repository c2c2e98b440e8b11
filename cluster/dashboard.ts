/**
 * The dashboard for Grafana, as rows of panels. `deno task pages` writes it to `grafana.json`, which an operator
 * imports.
 *
 * ```text
 * ROWS ── grafanaJson() ──► grafana.json
 *    └─── expressionsOf() ──► a test asks a real Prometheus each of them
 * ```
 *
 * The first screen says what is wrong and how clients are served. Each row after it is about one question, in the order
 * in which an operator on call asks them. A panel shows a program's own values by `instance`, and what a proxy knows of
 * its servers by `server`. Only the figures of the first screen are sums: over the proxies, or without any over the
 * servers, so that no request is counted twice.
 *
 * @module
 */

import type { Curves, Figure, Levels, Query, Row, Unit } from "./grafana_json.ts";

/** The programs that are chosen at the top of the dashboard. */
const CHOSEN = `job=~"$job",instance=~"$instance"`;

/** Returns a metric of the chosen programs; further conditions on labels may follow. */
function of(metric: string, conditions = ""): string {
  return `inmem_${metric}{${CHOSEN}${conditions && `,${conditions}`}}`;
}

/** Returns how much a counter grows in a second. */
function perSecond(metric: string, conditions?: string): string {
  return `rate(${of(metric, conditions)}[$__rate_interval])`;
}

/** Follows `and` or `unless`: whether a sample is from a proxy. */
const IS_PROXY = `on (job, instance) inmem_info{role="proxy"}`;

/**
 * Returns a sum over the proxies, or over the servers where there is no proxy.
 *
 * @param by the labels that are kept
 */
function sumForClients(expression: string, by = ""): string {
  return `sum${by} (${expression} and ${IS_PROXY}) or sum${by} (${expression})`;
}

/** Returns the time that a share of requests does not exceed, as clients of the proxies or servers see it. */
function quantile(share: number): string {
  const buckets = perSecond("command_duration_seconds_bucket");
  return `histogram_quantile(${share}, ${sumForClients(buckets, " by (le)")})`;
}

/**
 * Returns the share of keys that reads have found. It is left out while nothing is read.
 *
 * @param aggregate a function that joins the rates of several programs, such as `sum`
 * @param prefix `server_` for what a proxy knows of its servers
 */
function hitRatio(aggregate = "", prefix = ""): string {
  const hits = `${aggregate}(${perSecond(`${prefix}keyspace_hits_total`)})`;
  const misses = `${aggregate}(${perSecond(`${prefix}keyspace_misses_total`)})`;
  return `${hits} / (${hits} + ${misses} > 0)`;
}

/** Returns the used share of the memory limit. */
function memoryRatio(prefix = ""): string {
  return `${of(`${prefix}memory_used_bytes`)} / ${of(`${prefix}memory_limit_bytes`)}`;
}

/** Returns a figure of the first screen. */
function figure(title: string, help: string, unit: Unit, expression: string, levels?: Levels): Figure {
  const level = levels === undefined ? {} : { levels };
  return { type: "stat", title, help, size: [4, 4], unit, queries: [[expression]], ...level };
}

/** Returns a panel of curves, by default a third of a row. */
function curves(
  title: string,
  help: string,
  unit: Unit,
  queries: readonly Query[],
  { width = 8, stacked = false, max }: { width?: number; stacked?: boolean; max?: number } = {},
): Curves {
  const limit = max === undefined ? {} : { max };
  return { type: "timeseries", title, help, size: [width, 8], unit, queries, stacked, ...limit };
}

/** The rows of the dashboard. */
export const ROWS: readonly Row[] = [
  {
    title: "Now",
    panels: [
      {
        type: "table",
        title: "Problems",
        help: "What needs attention. An empty table is good.",
        size: [24, 6],
        unit: "short",
        queries: [[`${of("problem")} > 0`]],
      },
      figure(
        "Servers down",
        "Servers that a proxy cannot reach, or without a proxy, programs that cannot be scraped.",
        "short",
        `sum(1 - ${of("server_up")}) or sum(1 - up{${CHOSEN}})`,
        [1, 1],
      ),
      figure(
        "Requests a second",
        "Commands of all clients.",
        "reqps",
        sumForClients(perSecond("requests_total")),
      ),
      figure("p99", "The time that 99 of 100 commands do not exceed.", "s", quantile(0.99), [0.01, 0.1]),
      figure(
        "Hit ratio",
        "The share of keys that reading commands have found.",
        "percentunit",
        `${hitRatio("sum")} or ${hitRatio("sum", "server_")}`,
      ),
      figure(
        "Fullest memory",
        "The largest share of a server's memory limit that is in use.",
        "percentunit",
        `max(${memoryRatio()}) or max(${memoryRatio("server_")})`,
        [0.85, 0.95],
      ),
      figure(
        "Errors a second",
        "Commands that were replied to with an error.",
        "reqps",
        sumForClients(perSecond("error_replies_total")),
        [1, 100],
      ),
    ],
  },
  {
    title: "Cluster: which server is it?",
    panels: [
      {
        type: "state-timeline",
        title: "Servers",
        help: "Whether the proxies reach each server.",
        size: [24, 6],
        unit: "short",
        queries: [[`min by (server) (${of("server_up")})`, "{{server}}"]],
      },
      curves("Requests by server", "Requests that the proxies send to each server.", "reqps", [
        [`sum by (server) (${perSecond("server_requests_total")})`, "{{server}}"],
      ]),
      curves("p99 by server", "The time from the proxy's queue to the reply. One high curve is one slow server.", "s", [
        [`max by (server) (${of("server_latency_seconds", `percentile="99"`)})`, "{{server}}"],
      ]),
      curves(
        "Failed by server",
        "Requests without a reply. Their clients get UNAVAILABLE or UNKNOWN_OUTCOME.",
        "reqps",
        [
          [`sum by (server) (${perSecond("server_failures_total")})`, "{{server}}"],
        ],
      ),
      curves(
        "Slots by server",
        "The slots that each server owns. A step is a changed list, or a server that is down.",
        "short",
        [
          [`max by (server) (${of("server_slots")})`, "{{server}}"],
        ],
        { stacked: true },
      ),
      curves("Slots under way", "Slots that a stand-in serves, or that are being taken over.", "short", [
        [of("slots_lent"), "{{instance}}"],
      ]),
      curves("Keys by server", "A server with many more keys than others has a tag that many keys share.", "short", [
        [`max by (server) (${of("server_keys")})`, "{{server}}"],
      ]),
    ],
  },
  {
    title: "Latency: what is slow?",
    panels: [
      curves("Duration of commands", "As the clients of the proxies see it; without a proxy, of the servers.", "s", [
        [quantile(0.5), "p50"],
        [quantile(0.99), "p99"],
        [quantile(0.999), "p99.9"],
      ]),
      curves("p99 by command", "The ten slowest. A command that reads large values is slow by nature.", "s", [
        [
          `topk(10, histogram_quantile(0.99, ${
            sumForClients(perSecond("command_duration_seconds_bucket"), " by (le, command)")
          }))`,
          "{{command}}",
        ],
      ]),
      curves("p99 by program", "Compare a proxy with its servers: the difference is the proxy or the network.", "s", [
        [
          `histogram_quantile(0.99, sum by (le, instance) (${perSecond("command_duration_seconds_bucket")}))`,
          "{{instance}}",
        ],
      ]),
      {
        type: "heatmap",
        title: "Distribution",
        help: "How many commands took how long. Two bands are two kinds of requests.",
        size: [8, 8],
        unit: "s",
        queries: [[`sum by (le) (increase(${of("command_duration_seconds_bucket")}[$__rate_interval]))`, "{{le}}"]],
      },
      curves("Requests by command", "The ten most frequent commands.", "reqps", [
        [`topk(10, ${sumForClients(perSecond("command_calls_total"), " by (command)")})`, "{{command}}"],
      ]),
      curves(
        "Time by command",
        "Seconds in each second that servers spend on a command: what keeps them busy.",
        "percentunit",
        [
          [
            `topk(10, sum by (command) (${perSecond("command_duration_seconds_sum")} unless ${IS_PROXY}))`,
            "{{command}}",
          ],
        ],
      ),
      curves("Slow commands", "Commands that the slow log records. `slowlog get` shows them.", "reqps", [
        [perSecond("slow_commands_total"), "{{instance}}"],
      ]),
      curves(
        "Errors by code",
        "OOM is full memory, UNAVAILABLE a server that is down, NOAUTH a missing password.",
        "reqps",
        [
          [`sum by (code) (${perSecond("error_replies_total")})`, "{{code}}"],
        ],
      ),
      curves("Processor", "A program uses one core at most: at 100 % it is the bottleneck.", "percentunit", [
        [`sum by (instance) (${perSecond("process_cpu_seconds_total")})`, "{{instance}}"],
      ], { max: 1 }),
    ],
  },
  {
    title: "Memory: what fills it?",
    panels: [
      curves("Used share of the limit", "At 100 % keys are evicted, or writes are refused (OOM).", "percentunit", [
        [memoryRatio(), "{{instance}}"],
      ], { max: 1 }),
      curves("Memory for data", "What keys and values take.", "bytes", [
        [of("memory_used_bytes"), "{{instance}}"],
      ]),
      curves("Memory of the process", "What the system has given to each program.", "bytes", [
        [of("process_resident_memory_bytes"), "{{instance}}"],
      ]),
      curves(
        "Evicted keys",
        "Keys that made room for others. A high rate with a low hit ratio asks for memory.",
        "short",
        [
          [perSecond("keys_evicted_total"), "{{instance}}"],
        ],
      ),
      curves("Clients", "Connections. A curve at the limit refuses new ones.", "short", [
        [of("clients"), "{{instance}}"],
        [of("clients_limit"), "limit of {{instance}}"],
      ]),
      curves("Network", "Bytes from and to clients.", "Bps", [
        [perSecond("network_input_bytes_total"), "in {{instance}}"],
        [perSecond("network_output_bytes_total"), "out {{instance}}"],
      ]),
    ],
  },
  {
    title: "Keys: which are used?",
    panels: [
      curves("Hit ratio", "The share of keys that reading commands have found.", "percentunit", [
        [hitRatio(), "{{instance}}"],
      ], { max: 1 }),
      curves("Keys", "All keys of each server, and those of them that have a time to live.", "short", [
        [of("keys"), "{{instance}}"],
        [of("keys_with_ttl"), "with TTL, {{instance}}"],
      ]),
      curves(
        "Share of the hottest key",
        "At 20 % one key decides how busy its server is. `hotkeys` names it.",
        "percentunit",
        [
          [of("hot_key_ratio"), "{{instance}}"],
        ],
        { max: 1 },
      ),
      curves("Largest value", "Commands on a value of tens of MiB take long. `bigkeys` names its key.", "bytes", [
        [of("big_key_bytes"), "{{instance}}"],
      ]),
      curves("Expired keys", "Keys whose time to live has ended.", "short", [
        [perSecond("keys_expired_total"), "{{instance}}"],
      ]),
    ],
  },
  {
    title: "Persistence: is everything on disk?",
    panels: [
      curves("Writes refused", "1 while a server refuses writes, since its disk is full or fails.", "short", [
        [of("writes_refused"), "{{instance}}"],
      ], { max: 1 }),
      curves("Size of the log", "It grows until a snapshot replaces it.", "bytes", [
        [of("log_size_bytes"), "{{instance}}"],
      ]),
      curves("Age of the last snapshot", "A start reads the snapshot, and the log after it.", "s", [
        [`time() - ${of("snapshot_timestamp_seconds")}`, "{{instance}}"],
      ]),
    ],
  },
];

/** Returns every expression of the dashboard, with the title of its panel. */
export function expressionsOf(): { readonly title: string; readonly expression: string }[] {
  return ROWS.flatMap(({ panels }) =>
    panels.flatMap(({ title, queries }) => queries.map(([expression]) => ({ title, expression })))
  );
}
