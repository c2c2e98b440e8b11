import { assertEquals } from "@std/assert";
import { formatHuman, formatInfo, sectionsOf } from "../../src/metrics/info_text.ts";
import { type Metric, type Section, SECTIONS } from "../../src/metrics/metric.ts";

interface Facts {
  readonly bytes: number;
  readonly keys: number;
  readonly error?: string;
}

/** Returns a row of a section with a fixed value. */
function row(section: Section, field: string, value: string | number): Metric<Facts> {
  return { section, field, type: "text", help: "A fact.", read: () => value };
}

const ROWS: readonly Metric<Facts>[] = [
  row("stats", "calls", 7),
  row("server", "mode", "standalone"),
  { section: "memory", field: "used", type: "gauge", help: "Bytes.", human: true, read: ({ bytes }) => bytes },
  { section: "memory", field: "half", type: "gauge", help: "Half of it.", derive: (of) => of("used") / 2 },
  { section: "memory", field: "error", type: "text", help: "An error.", read: ({ error }) => error },
  { section: "stats", name: "hidden", type: "gauge", help: "Only for Prometheus.", read: () => 1 },
  {
    section: "commandstats",
    field: "cmdstat_COMMAND",
    type: "lines",
    help: "Calls.",
    lines: () => [["cmdstat_get", "calls=1"], ["cmdstat_set", "calls=2"]],
  },
  row("cpu", "used_cpu_sys", "0.5"),
  { section: "keyspace", field: "db0.keys", name: "keys", type: "gauge", help: "Keys.", read: ({ keys }) => keys },
  { section: "keyspace", field: "db0.expires", type: "gauge", help: "Keys with a TTL.", read: () => 0 },
];

Deno.test("formatInfo() writes the requested sections in the order of Redis", () => {
  const some = "# Server\r\nmode:standalone\r\n\r\n# Memory\r\nused:1572864\r\nused_human:1.50M\r\nhalf:786432\r\n";
  const facts = { bytes: 1_572_864, keys: 3 };
  assertEquals(formatInfo(ROWS, facts, ["memory", "nosuch", "server", "memory"]), some);
  assertEquals(formatInfo(ROWS, facts, ["cpu"]), "# CPU\r\nused_cpu_sys:0.5\r\n");
  const calls = "# Commandstats\r\ncmdstat_get:calls=1\r\ncmdstat_set:calls=2\r\n";
  assertEquals(formatInfo(ROWS, facts, ["commandstats"]), calls);
  assertEquals(formatInfo(ROWS, facts, ["nosuch"]), "");
  assertEquals(formatInfo(ROWS, facts, ["constructor"]), "");
});

Deno.test("formatInfo() writes one line for the parts of a field, and none if all of them are 0", () => {
  assertEquals(formatInfo(ROWS, { bytes: 0, keys: 3 }, ["keyspace"]), "# Keyspace\r\ndb0:keys=3,expires=0\r\n");
  assertEquals(formatInfo(ROWS, { bytes: 0, keys: 0 }, ["keyspace"]), "# Keyspace\r\n");
});

Deno.test("formatInfo() keeps a value on its line, and leaves out what is not known", () => {
  const text = (facts: Facts) => formatInfo(ROWS, facts, ["memory"]).split("\r\n").slice(4, -1);
  assertEquals(text({ bytes: 0, keys: 0 }), []);
  assertEquals(text({ bytes: 0, keys: 0, error: "no\r\nused:9" }), ["error:no used:9"]);
});

Deno.test("sectionsOf() leaves out the statistics of commands unless they or all sections are wanted", () => {
  const usual = SECTIONS.filter((section) => section !== "commandstats" && section !== "latencystats");
  assertEquals(sectionsOf([]), usual);
  assertEquals(sectionsOf(["default"]), usual);
  assertEquals(sectionsOf(["default", "latencystats"]).length, usual.length + 1);
  for (const names of [["all"], ["everything"], ["stats", "all"]]) assertEquals(sectionsOf(names), [...SECTIONS]);
  assertEquals(sectionsOf(["keyspace", "cpu"]), ["cpu", "keyspace"]);
});

Deno.test("formatHuman() writes sizes as Redis does", () => {
  const sizes = [0, 1023, 1024, 1536, 1_048_576, 1.5 * 2 ** 30, 2 ** 40, 2 ** 50];
  assertEquals(sizes.map(formatHuman), [
    "0B",
    "1023B",
    "1.00K",
    "1.50K",
    "1.00M",
    "1.50G",
    "1.00T",
    "1.00P",
  ]);
});
