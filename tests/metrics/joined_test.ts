import { assertEquals } from "@std/assert";
import { families } from "../../src/metrics/families.ts";
import { formatInfo } from "../../src/metrics/info_text.ts";
import { type JoinedFacts, joinedRows, parseReport } from "../../src/metrics/joined.ts";
import type { Metric, Total } from "../../src/metrics/metric.ts";

/** Returns a row whose value a proxy joins. */
function row(field: string, total: Total | undefined, type: "gauge" | "text" = "gauge"): Metric<unknown> {
  const section = field.startsWith("db0") ? "keyspace" : "stats";
  return { section, field, type, help: "A fact.", read: () => 0, ...total && { total } };
}

const ROWS = joinedRows<unknown>([
  row("summed", "sum"),
  row("greatest", "max"),
  row("least", "min"),
  row("policy", "same", "text"),
  row("status", "worst", "text"),
  row("error", "worst", "text"),
  row("own", undefined),
  { section: "stats", field: "tenfold", type: "gauge", help: "Derived.", derive: (of) => of("summed") * 10 },
  row("db0.keys", "sum"),
  row("db0.expires", "sum"),
  row("db0.avg_ttl", { meanBy: "db0.expires" }),
]);

const FIRST = "# Stats\r\nsummed:3\r\ngreatest:3\r\nleast:3\r\npolicy:a\r\nstatus:ok\r\nerror:\r\nown:1\r\n" +
  "\r\n# Keyspace\r\ndb0:keys=5,expires=3,avg_ttl=100\r\n";
const SECOND =
  "# Stats\r\nsummed:4\r\ngreatest:4\r\nleast:4\r\npolicy:b\r\nstatus:err\r\nerror:no: space\r\nown:1\r\n" +
  "\r\n# Keyspace\r\ndb0:keys=1,expires=1,avg_ttl=500\r\n";
const EMPTY = "# Stats\r\nsummed:0\r\ngreatest:9\r\n\r\n# Keyspace\r\n";

/** Returns the facts of servers that are all up. */
function factsOf(...texts: readonly string[]): JoinedFacts {
  const reports = texts.map(parseReport);
  return { reports, lastReports: reports };
}

/** Returns the joined text of some servers' `info`. */
function joined(...texts: readonly string[]): string {
  return formatInfo(ROWS, factsOf(...texts), []).match(/^[a-z0-9_]+:.*$/gm)?.join(" ") ?? "";
}

Deno.test("joinedRows() joins each field of the servers by its total, and derives the others from the result", () => {
  assertEquals(
    joined(FIRST, SECOND),
    "summed:7 greatest:4 least:3 policy:mixed status:err error:no: space tenfold:70 " +
      "db0:keys=6,expires=4,avg_ttl=200",
  );
});

Deno.test("joinedRows() leaves one server's values as they are", () => {
  assertEquals(
    joined(FIRST),
    "summed:3 greatest:3 least:3 policy:a status:ok error: tenfold:30 db0:keys=5,expires=3,avg_ttl=100",
  );
});

Deno.test("joinedRows() ignores servers that do not report a field", () => {
  assertEquals(
    joined(EMPTY, FIRST),
    "summed:3 greatest:9 least:3 policy:a status:ok error: tenfold:30 db0:keys=5,expires=3,avg_ttl=100",
  );
  assertEquals(joined(EMPTY), "summed:0 greatest:9 tenfold:0");
  assertEquals(joined(), "tenfold:0");
});

Deno.test("joinedRows() counts on with the last report of a server that is down, and forgets its other values", () => {
  const rows = joinedRows<unknown>([row("summed", "sum"), {
    section: "stats",
    field: "greatest",
    type: "counter",
    help: "A count.",
    total: "sum",
    read: () => 0,
  }]);
  const [up, down] = [FIRST, SECOND].map(parseReport);
  const text = formatInfo(rows, { reports: [up!], lastReports: [up!, down!] }, ["stats"]);
  assertEquals(text, "# Stats\r\nsummed:3\r\ngreatest:7\r\n");
});

Deno.test("joinedRows() has nothing for Prometheus, which would count servers twice", () => {
  const rows = joinedRows<unknown>([
    { section: "stats", field: "summed", name: "sums", type: "gauge", help: "A sum.", total: "sum", read: () => 0 },
  ]);
  assertEquals([...families(rows, factsOf(FIRST, SECOND))], []);
});

Deno.test("parseReport() reads what is not as expected as far as it can", () => {
  assertEquals([...parseReport("")], []);
  assertEquals([...parseReport("# Title\r\nno colon\r\na:b:c\r\n:x\r\ndb0:keys\r\n")], [
    ["a", "b:c"],
    ["", "x"],
    ["db0", "keys"],
  ]);
});
