import { assertEquals } from "@std/assert";
import { families } from "../../src/metrics/families.ts";
import type { Metric } from "../../src/metrics/metric.ts";

interface Facts {
  readonly waitedMs: number;
  readonly keys: number | undefined;
  readonly calls: ReadonlyMap<string, number>;
}

const ROWS: readonly Metric<Facts>[] = [
  { section: "server", field: "mode", name: "mode", type: "text", help: "The mode.", read: () => "standalone" },
  {
    section: "stats",
    field: "waited_ms",
    name: "waited_seconds_total",
    type: "counter",
    help: "The time waited.",
    scale: 0.001,
    read: ({ waitedMs }) => waitedMs,
  },
  { section: "keyspace", name: "keys", type: "gauge", help: "The keys.", read: ({ keys }) => keys },
  {
    section: "stats",
    name: "doubled_seconds",
    type: "gauge",
    help: "Twice the time waited.",
    derive: (of) => 2 * of("waited_ms"),
  },
  {
    section: "commandstats",
    field: "cmdstat_COMMAND",
    type: "lines",
    help: "The calls of a command.",
    lines: ({ calls }) => calls,
  },
  {
    name: "calls_total",
    type: "counter",
    help: "The calls of a command.",
    labels: ["command"],
    samples: ({ calls }) => [...calls].map(([command, value]) => ({ labels: { command }, value })),
  },
  {
    name: "call_seconds",
    type: "histogram",
    help: "The durations of calls.",
    labels: ["command"],
    bounds: [0.5],
    distributions: ({ calls }) => {
      return [...calls].map(([command, count]) => ({ labels: { command }, counts: [count], count, sum: count / 4 }));
    },
  },
];

Deno.test("families() has a family for each row with a name and a value, in base units", () => {
  const found = [...families(ROWS, { waitedMs: 1500, keys: 3, calls: new Map([["get", 4]]) })];
  assertEquals(found, [
    {
      name: "inmem_waited_seconds_total",
      type: "counter",
      help: "The time waited.",
      labels: [],
      samples: [{ labels: {}, value: 1.5 }],
    },
    { name: "inmem_keys", type: "gauge", help: "The keys.", labels: [], samples: [{ labels: {}, value: 3 }] },
    {
      name: "inmem_doubled_seconds",
      type: "gauge",
      help: "Twice the time waited.",
      labels: [],
      samples: [{ labels: {}, value: 3000 }],
    },
    {
      name: "inmem_calls_total",
      type: "counter",
      help: "The calls of a command.",
      labels: ["command"],
      samples: [{ labels: { command: "get" }, value: 4 }],
    },
    {
      name: "inmem_call_seconds",
      type: "histogram",
      help: "The durations of calls.",
      labels: ["command"],
      bounds: [0.5],
      distributions: [{ labels: { command: "get" }, counts: [4], count: 4, sum: 1 }],
    },
  ]);
});

Deno.test("families() leaves out what is not known", () => {
  const found = [...families(ROWS, { waitedMs: 0, keys: undefined, calls: new Map() })];
  assertEquals(found.map(({ name }) => name), ["inmem_waited_seconds_total", "inmem_doubled_seconds"]);
});
