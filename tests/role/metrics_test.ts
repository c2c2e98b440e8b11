/** Tests the tables of metrics of both roles. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { type Metric, SECTIONS } from "../../src/metrics/metric.ts";
import { PROXY_METRICS } from "../../src/proxy/metrics.ts";
import { COMMAND_NAMES } from "../../src/role/command_metrics.ts";
import { SERVER_METRICS } from "../../src/server/metrics.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";

const TABLES: Readonly<Record<string, readonly Metric<never>[]>> = { server: SERVER_METRICS, proxy: PROXY_METRICS };

/**
 * Returns the names that rows have, without rows that have none. The field `role` is in two sections: in `replication`
 * it has the value that clients of Redis expect.
 */
function namesOf(rows: readonly Metric<never>[], property: "name" | "field"): string[] {
  return rows.flatMap((row) => {
    const name = (row as { readonly name?: string; readonly field?: string })[property];
    return name === undefined || ("section" in row && row.section === "replication") ? [] : [name];
  });
}

for (const [role, rows] of Object.entries(TABLES)) {
  Deno.test(`each metric of a ${role} has its own name`, () => {
    for (const property of ["name", "field"] as const) {
      const names = namesOf(rows, property);
      assert(names.length > 20, `expected many, found ${names.length}`);
      assertEquals(names.filter((name, index) => names.indexOf(name) !== index), []);
    }
  });

  Deno.test(`names of a ${role} follow the rules of Prometheus and of Redis`, () => {
    for (const row of rows) {
      assert("name" in row || "field" in row, row.help);
      if ("name" in row && row.name !== undefined) {
        assertMatch(row.name, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
        assertEquals(row.name.endsWith("_total"), row.type === "counter", row.name);
        assert(
          !/_(ms|milliseconds|us|kb|mb|percent|count|sum|bucket)(_|$)/.test(row.name),
          `${row.name} has base units`,
        );
        assert(row.type !== "text", `${row.name} is a number`);
      }
      if ("field" in row && row.field !== undefined) assertMatch(row.field, /^[a-z0-9_]+(\.[a-z_]+|_?[A-Z]+)?$/);
      if ("section" in row) assert(SECTIONS.includes(row.section));
      if ("labels" in row) {
        for (const label of row.labels) assertMatch(label, /^(?!le$|quantile$|job$|instance$)[a-z]+(_[a-z]+)*$/);
      }
    }
  });

  Deno.test(`the help of each metric of a ${role} is a sentence`, () => {
    for (const { help } of rows) assertMatch(help, /^[A-Z0-9`].*\.$/, help);
  });
}

const lacks = await redisVersion() === undefined ? " (ignored: redis-server is not on PATH)" : "";

Deno.test({
  name: `commands are called by Redis's names in metrics${lacks}`,
  ignore: lacks !== "",
  fn: async () => {
    await using redis = await RedisServer.start();
    using client = await RespClient.connect(redis.port);
    const known = new Set((await client.call("command", "list")).items!.map(({ body }) => body!));
    COMMANDS.forEach(({ since }, position) => {
      if (since !== undefined) assert(known.has(COMMAND_NAMES[position]!), `Redis has "${COMMAND_NAMES[position]}"`);
    });
  },
});

Deno.test("a metric that both roles have is of one type and has one help text", () => {
  const helps = new Map(SERVER_METRICS.flatMap((row) => "field" in row ? [[`${row.section} ${row.field}`, row]] : []));
  for (const row of PROXY_METRICS) {
    const other = "field" in row ? helps.get(`${row.section} ${row.field}`) : undefined;
    if (other !== undefined) assertEquals([row.type, row.help], [other.type, other.help]);
  }
});
