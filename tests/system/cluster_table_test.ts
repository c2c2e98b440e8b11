/** Tests `inmem client cluster`: the servers behind a proxy, as people and programs see them. */

import { assert, assertEquals, assertGreater, assertMatch } from "@std/assert";
import { longOnly } from "../support/amount.ts";
import { systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

const KEYS_COUNT = 300;

systemTest("inmem client cluster shows the servers behind a proxy", longOnly, async (launcher, test) => {
  const { servers, proxy } = await launcher.cluster();
  const client = await launcher.connect(proxy);
  await Promise.all(Array.from({ length: KEYS_COUNT }, (_, index) => client.set(`key:${index}`, "value")));

  await test.step("prints a table", async () => {
    const { code, stdout, stderr } = await launcher.client(proxy, ["cluster"]);
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    const [heading, ...rows] = stdout.trimEnd().split("\n");
    const lines = rows.slice(0, -1);
    assertEquals(
      heading!.split(/ +/),
      ["server", "state", "weight", "slots", "lent", "keys", "memory", "ops/s", "p50", "p99", "errors", "connections"],
    );
    assertEquals(lines.length, 3);
    lines.forEach((line, index) => {
      assert(line.startsWith(servers[index]!.address), line);
      assertMatch(
        line,
        / up +1 +3[0-9]\.[0-9]{2} % +0 +[0-9]+ +[0-9.]+[km]b +[0-9]+( +[0-9]+\.[0-9]{2} ms){2} +0 +[0-9]+$/,
      );
      assertEquals(line.length, heading!.length);
    });
    assertMatch(rows.at(-1)!, new RegExp(`^total +3/3 up +3 +100\\.00 % +0 +${KEYS_COUNT} `));
  });

  await test.step("prints one line of JSON", async () => {
    const { code, stdout } = await launcher.client(proxy, ["--json", "cluster"]);
    assertEquals(code, 0);
    assertEquals(stdout.trimEnd().split("\n").length, 1);
    const rows = JSON.parse(stdout).servers;
    assertEquals(rows.map(({ address }: { address: string }) => address), servers.map(({ address }) => address));
    let keys = 0;
    for (const row of rows) {
      keys += row.keys;
      assertGreater(row.usedMemory, 0);
      assertGreater(row.p50Ms, 0);
      assert(row.p99Ms >= row.p50Ms);
      assertEquals({ state: row.state, errors: row.errors, reason: row.reason }, {
        state: "up",
        errors: 0,
        reason: null,
      });
    }
    assertEquals(keys, KEYS_COUNT);
  });

  await test.step("accepts --json also after the word, and refuses other arguments", async () => {
    const { code, stdout } = await launcher.client(proxy, ["CLUSTER", "--json"]);
    assertEquals({ code, count: JSON.parse(stdout).servers.length }, { code: 0, count: 3 });
    const wrong = await launcher.client(proxy, ["cluster", "--addr", "x:1"]);
    assertEquals({ code: wrong.code, stdout: wrong.stdout }, { code: 2, stdout: "" });
    assertMatch(wrong.stderr, /^inmem client: Cannot run "cluster" with these arguments: expected --json, --watch/);
  });

  await test.step("works among other commands from a pipe", async () => {
    const { code, stdout } = await launcher.client(proxy, ["--json"], { stdin: "get key:1\ncluster\nping\n" });
    assertEquals(code, 0);
    assertMatch(stdout, /^"value"\n\{"servers":\[\{.*\}\]\}\n"PONG"\n$/);
  });

  await test.step("shows a killed server as down, with the reason", async () => {
    const [, killed] = servers;
    launcher.forgive(killed!.process);
    killed!.process.signal("SIGKILL");
    await killed!.process.status;
    await until(async () => {
      const { stdout } = await launcher.client(proxy, ["cluster"]);
      return /^\S+ +down .* - +- /m.test(stdout) && stdout.includes(`\n\n${killed!.address} is down: `);
    }, "the killed server is shown as down");
    const { stdout } = await launcher.client(proxy, ["--json", "cluster"]);
    const rows = JSON.parse(stdout).servers;
    assertEquals(rows.map(({ state }: { state: string }) => state), ["up", "down", "up"]);
    assertEquals(rows[1].keys, null);
    assertEquals(typeof rows[1].reason, "string");
  });

  await test.step("reports in one line that a server is not a proxy", async () => {
    const { code, stdout, stderr } = await launcher.client(servers[0]!, ["cluster"]);
    assertEquals({ code, stdout }, { code: 1, stdout: "" });
    assertMatch(stderr, /^ERR \S+ is not a proxy: it has no servers to show\n$/);
    const json = await launcher.client(servers[0]!, ["--json", "cluster"]);
    assertEquals(json.code, 1);
    assertEquals(JSON.parse(json.stdout).error.code, "ERR");
  });
});
