/** Tests that the harness of Prometheus and `promtool` works with the real programs, and that it finds faults. */

import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { PROMETHEUS, Prometheus, PROMTOOL, promtool } from "./support/prometheus.ts";

const GOOD = "# HELP a_total Counts.\n# TYPE a_total counter\na_total 1\n";

Deno.test("promtool() says nothing about a good text, and what is wrong with a bad one", {
  ignore: PROMTOOL === undefined,
}, async () => {
  assertEquals(await promtool(["check", "metrics"], GOOD), "");
  assertStringIncludes(await promtool(["check", "metrics"], GOOD.replaceAll("a_total", "a")), "_total");
  assertMatch(await promtool(["check", "metrics"], "a{ 1\n"), /error|expected/);
});

Deno.test("Prometheus scrapes, says why it cannot, and evaluates alerts", {
  ignore: PROMETHEUS === undefined,
}, async () => {
  await using target = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => new Response(GOOD));
  const rules = await Deno.makeTempFile({ suffix: ".yml" });
  const rule = { alert: "Counted", expr: "a_total > 0", for: "1h", annotations: { summary: "It is {{ $value }}." } };
  await Deno.writeTextFile(rules, JSON.stringify({ groups: [{ name: "g", rules: [rule] }] }));
  const address = `127.0.0.1:${target.addr.port}`;
  try {
    const jobs = [{ name: "good", targets: [address] }, { name: "gone", targets: ["127.0.0.1:1"] }];
    await using prometheus = await Prometheus.start(jobs, [rules]);
    assertEquals((await prometheus.until("a_total"))[0]?.value, 1);
    assertEquals((await prometheus.until(`up{job="gone"} == 0`))[0]?.metric["instance"], "127.0.0.1:1");
    const targets = await prometheus.targets();
    assertEquals(targets[address], "");
    assertStringIncludes(targets["127.0.0.1:1"]!, "refused");
    await prometheus.until(`ALERTS{alertname="Counted"}`);
    const [alert] = await prometheus.alerts();
    assert(alert !== undefined, "an alert");
    assertEquals([alert.name, alert.state, alert.annotations["summary"]], ["Counted", "pending", "It is 1."]);
    await assertRejects(() => prometheus.query("a_total{"), Error, "a_total{");
  } finally {
    await Deno.remove(rules);
  }
});
