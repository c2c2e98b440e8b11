/**
 * A real Prometheus scrapes servers and a proxy, over TLS and with a password, and replies to every expression of the
 * dashboard and of the alerts. `promtool` checks the texts that it scrapes.
 */

import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { expressionsOf } from "../../cluster/dashboard.ts";
import { ROOT } from "../../cluster/role_process.ts";
import { tableRows } from "../support/markdown.ts";
import { pageOf } from "../support/project.ts";
import { type Launcher, metricsOf, type Role, systemTest } from "../support/launcher.ts";
import { PROMETHEUS, Prometheus, PROMTOOL, promtool, untilScraped } from "../support/prometheus.ts";

const PASSWORD = "correct horse";
const METRICS = ["--metrics", "127.0.0.1:0"];
const ENV = { INMEM_PASSWORD: PASSWORD };

/** What takes the place of Grafana's variables. */
const VARIABLES: readonly (readonly [RegExp, string])[] = [
  [/\$__rate_interval/g, "5s"],
  [/"\$(?:job|instance)"/g, `".*"`],
];

/** The panels that are empty while nothing is wrong. */
const EMPTY: ReadonlySet<string> = new Set(["Problems"]);

async function textOf(launcher: Launcher, role: Role, path: string, password?: string): Promise<Response> {
  const caCerts = [await Deno.readTextFile(launcher.certificates.authority)];
  using client = Deno.createHttpClient({ caCerts });
  const headers: HeadersInit = password === undefined ? {} : { Authorization: `Basic ${btoa(`default:${password}`)}` };
  const response = await fetch(new URL(path, role.process.page), { client, headers });
  return new Response(await response.text(), response);
}

systemTest("Prometheus scrapes both roles, and replies to every expression of dashboard and alerts", {
  ignore: PROMETHEUS === undefined || PROMTOOL === undefined,
}, async (launcher, test) => {
  const servers = await Promise.all(
    [1, 2].map(() => launcher.server([...METRICS, "--data", launcher.newFolder()], ENV)),
  );
  const file = await launcher.serversFile(servers.map(({ address }) => address));
  const proxy = await launcher.proxy(file, METRICS, ENV);
  const client = await launcher.connect(proxy, { password: PASSWORD });
  for (let index = 0; index < 50; index++) {
    await client.set(`key:${index}`, "value", { ttlMs: 1_000_000 });
    await client.get(`key:${index * 2}`);
  }

  for (const role of [servers[0]!, proxy]) {
    await test.step(`promtool accepts the metrics of the ${role.process.name}`, async () => {
      assertEquals((await textOf(launcher, role, "/metrics")).status, 401);
      assertEquals((await textOf(launcher, role, "/metrics", "wrong")).status, 401);
      const response = await textOf(launcher, role, "/metrics", PASSWORD);
      assertEquals(response.status, 200);
      assertStringIncludes(response.headers.get("Content-Type")!, "text/plain; version=0.0.4");
      assertEquals(await promtool(["check", "metrics"], await response.text()), "");
    });
  }

  await using prometheus = await Prometheus.start([
    {
      name: "inmem",
      targets: [proxy, ...servers].map(metricsOf),
      authority: launcher.certificates.authority,
      password: PASSWORD,
    },
  ], [join(ROOT, "cluster", "alerts.yml")]);
  await untilScraped(async () => (await prometheus.query("up == 1")).length === 3, "all three are scraped");

  await test.step("every panel of the dashboard shows something", async () => {
    let count = 0;
    for (const { title, expression } of expressionsOf()) {
      const query = VARIABLES.reduce((text, [variable, value]) => text.replace(variable, value), expression);
      // A rate needs two scrapes, between which something happened.
      const look = async () => {
        await client.get(`key:${count++ % 100}`);
        await assertRejects(() => client.send(["incr", "key:1"]));
        return (await prometheus.query(query)).length > 0 || EMPTY.has(title);
      };
      await untilScraped(look, `${title}: ${query}`);
    }
    assert(count > 30, `expected many expressions, found ${count}`);
  });

  await test.step("the queries of the page about clusters have no fault", async () => {
    const rows = tableRows(pageOf("cluster/README.md"), "question");
    assert(rows.length > 8, `expected several, found ${rows.length}`);
    for (const row of rows) await prometheus.query(row.at(-1)!.replaceAll("`", ""));
  });

  await test.step("the example of a configuration is one", async () => {
    const { lines } = pageOf("cluster/README.md").blocks.find(({ language }) => language === "yaml")!;
    const example = lines.join("\n").replace("alerts.yml", join(ROOT, "cluster", "alerts.yml"))
      .replace("inmem-ca.pem", launcher.certificates.authority)
      .replace("inmem-password", launcher.path("password"));
    await Deno.writeTextFile(launcher.path("password"), PASSWORD);
    await Deno.writeTextFile(launcher.path("prometheus.yml"), example);
    assertEquals(await promtool(["check", "config", launcher.path("prometheus.yml")]), "");
  });

  await test.step("no alert is pending while nothing is wrong", async () => {
    // On a busy machine the first commands are slow.
    assertEquals((await prometheus.alerts()).filter(({ name }) => name !== "InmemSlow"), []);
  });
});
