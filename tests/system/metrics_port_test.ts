/** Tests the port of `--metrics` of the real program: its rules, its life, and what floods of it do to clients. */

import { assert, assertEquals, assertLess, assertLessOrEqual, assertStringIncludes } from "@std/assert";
import { parseAddress } from "../../src/address.ts";
import type { Client } from "../../src/client/client.ts";
import { encodeText } from "../../src/bytes.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { HttpClient } from "../support/http_client.ts";
import { type Launcher, RoleProcess, run, runInmem, systemTest } from "../support/launcher.ts";
import { ATTACKS, type Flood } from "../support/port_flood.ts";
import { until } from "../support/until.ts";

const PORT = ["--metrics", "127.0.0.1:0"];

/** Waits until a program's port listens, and returns its address. */
async function portOf(process: RoleProcess): Promise<{ hostname: string; port: number }> {
  const find = () =>
    process.lines.map((line) => /live page and metrics on https?:\/\/([^/]+)\//.exec(line)?.[1]).find((each) => each);
  await until(() => find() !== undefined, () => `the port listens${process.lastLines()}`);
  return parseAddress(find()!);
}

/** Sends one request on a new connection. */
async function get(
  launcher: Launcher,
  process: RoleProcess,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; body: string }> {
  const authority = await Deno.readTextFile(launcher.certificates.authority);
  using client = await HttpClient.connect(await portOf(process), [authority]);
  const { status, body } = await client.request(path, { headers });
  return { status, body };
}

systemTest("server and proxy serve metrics over TLS, and say when they are not ready", async (launcher) => {
  const server = await launcher.server(PORT);
  const proxy = await launcher.proxy(await launcher.serversFile([server.address]), PORT);
  const client = await launcher.connect(proxy);
  await client.set("a", "1");
  for (const { process } of [server, proxy]) {
    assertEquals(await get(launcher, process, "/healthz"), { status: 200, body: "ok\n" });
    assertEquals((await get(launcher, process, "/readyz")).status, 200);
    const { status, body } = await get(launcher, process, "/metrics");
    assertEquals(status, 200);
    assertStringIncludes(body, "\n# TYPE inmem_uptime_seconds gauge\n".trimStart());
  }
  await launcher.stop(server);
  await until(
    async () => (await get(launcher, proxy.process, "/readyz")).body === "no server is up\n",
    "the proxy says that no server is up",
  );
  assertEquals((await get(launcher, proxy.process, "/healthz")).status, 200);
});

systemTest("the port is open before the data is loaded, and says so", async (launcher) => {
  const data = launcher.newFolder();
  const first = await launcher.server(["--data", data]);
  const client = await launcher.connect(first);
  const value = "x".repeat(100);
  for (let round = 0; round < 40; round++) {
    const pairs = Array.from({ length: 5000 }, (_, index) => [`key:${round}:${index}`, value]).flat();
    await client.send(["mset", ...pairs]);
  }
  await client.close();
  await launcher.stop(first);
  const second = launcher.start("server", [
    "server",
    "--addr",
    "127.0.0.1:0",
    ...launcher.identity,
    "--data",
    data,
    ...PORT,
  ]);
  const seen = new Set<string>();
  await until(async () => {
    const { status, body } = await get(launcher, second, "/readyz");
    seen.add(`${status} ${body.trim()}`);
    if (status === 503) assertEquals((await get(launcher, second, "/healthz")).status, 200);
    return status === 200;
  }, "the server is ready");
  assertEquals([...seen], ["503 it is loading its data", "200 ok"]);
  await second.address();
});

systemTest("an unsafe or impossible --metrics is refused before anything runs", async (launcher) => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const inUse = `127.0.0.1:${taken.addr.port}`;
  const data = launcher.newFolder();
  const file = await launcher.serversFile(["127.0.0.1:1"]);
  const roles = { server: ["--data", data], proxy: ["--servers", file, "--ca", launcher.certificates.authority] };
  const cases: [words: string[], code: number, message: string][] = [
    [["--metrics", "0.0.0.0:0"], 2, "Cannot listen on 0.0.0.0:0 without a password"],
    [["--metrics", "[::]:0"], 2, "Cannot listen on [::]:0 without a password"],
    [["--metrics", "0.0.0.0:0", "--plaintext"], 2, "Cannot listen on 0.0.0.0:0 with --plaintext"],
    [["--addr", "127.0.0.1:9", "--metrics", "127.0.0.1:9"], 2, "Cannot use 127.0.0.1:9 for --addr and for --metrics"],
    [["--addr", "127.0.0.1:9", "--metrics", ":9", "--no-auth"], 2, "for --addr and for --metrics: expected two ports"],
    [["--metrics", "nonsense"], 2, "--metrics"],
    [["--metrics", inUse], 1, `Cannot listen on ${inUse}: another program uses that port`],
    [["--metrics", "192.0.2.1:0", "--no-auth"], 1, "that is not an address of this machine"],
  ];
  await Promise.all(
    Object.entries(roles).map(async ([role, words]) => {
      for (const [options, code, message] of cases) {
        const where = options.includes("--addr") ? [] : ["--addr", "127.0.0.1:0"];
        const identity = options.includes("--plaintext") ? [] : launcher.identity;
        const outcome = await runInmem([role, ...words, ...where, ...identity, ...options]);
        assertEquals([outcome.code, outcome.stdout], [code, ""], outcome.stderr);
        assertStringIncludes(outcome.stderr, message);
      }
    }),
  );
  // When the other port is in use, the port of --metrics is closed again.
  const outcome = await runInmem(["server", "--no-persist", "--addr", inUse, ...launcher.identity, ...PORT]);
  assertEquals(outcome.code, 1, outcome.stderr);
  assertStringIncludes(outcome.stderr, `Cannot listen on ${inUse}: another program uses that port`);
});

systemTest("the port follows certificates and passwords of its role", async (launcher) => {
  const authorities = [await makeAuthority(Date.now()), await makeAuthority(Date.now())] as const;
  const folder = launcher.newFolder();
  await Deno.mkdir(folder);
  const [cert, key, password] = ["server.pem", "server.key", "password"].map((name) => `${folder}/${name}`);
  const write = async (authority: typeof authorities[number], word: string) => {
    const pair = await makeServerCertificate(authority, ["127.0.0.1"], Date.now());
    await Deno.writeTextFile(cert!, pair.cert);
    await Deno.writeTextFile(key!, pair.key, { mode: 0o600 });
    await Deno.writeTextFile(password!, word, { mode: 0o600 });
  };
  await write(authorities[0], "old");
  const { process } = await launcher.server([
    ...["--cert", cert!, "--key", key!, "--password-file", password!, "--metrics", "127.0.0.1:0"],
  ]);
  const status = async (authority: typeof authorities[number], word: string) => {
    try {
      using client = await HttpClient.connect(await portOf(process), [authority.cert]);
      return (await client.request("/metrics", { headers: { authorization: `Basic ${btoa(`:${word}`)}` } })).status;
    } catch (error) {
      assert(error instanceof Error);
      return error.message;
    }
  };
  assertEquals(await status(authorities[0], "old"), 200);
  assertEquals(await status(authorities[0], "new"), 401);
  await write(authorities[1], "new");
  process.signal("SIGHUP");
  await until(async () => await status(authorities[1], "new") === 200, "the port has the new certificate and password");
  assertEquals(await status(authorities[1], "old"), 401);
  assertStringIncludes(`${await status(authorities[0], "new")}`, "invalid peer certificate");
});

/** Returns the number of descriptors that a process has open. */
function descriptorsOf(process: RoleProcess): number {
  return [...Deno.readDirSync(`/proc/${process.pid}/fd`)].length;
}

/** The descriptors of the clients of a test, and of connections that are closed in this moment. */
const SLACK_COUNT = 20;

systemTest(
  "1,000 idle connections to the port take neither clients nor descriptors from the role",
  async (launcher) => {
    const server = await launcher.server([...PORT, "--max-clients", "5"]);
    const address = await portOf(server.process);
    const before = descriptorsOf(server.process);
    const idle: Deno.TcpConn[] = [];
    try {
      for (let count = 0; count < 1000; count++) {
        idle.push(await Deno.connect(address));
        if (count % 100 === 0) assertLessOrEqual(descriptorsOf(server.process), before + 96 + SLACK_COUNT);
      }
      const clients = await Promise.all(Array.from({ length: 5 }, () => launcher.connect(server)));
      for (const client of clients) await client.ping();
      assertEquals(/^connected_clients:(.*)\r$/m.exec(await clients[0]!.info())?.[1], "5");
      assertLessOrEqual(descriptorsOf(server.process), before + 96 + SLACK_COUNT);
      assertEquals((await get(launcher, server.process, "/healthz")).status, 200);
    } finally {
      for (const each of idle) each.close();
    }
  },
);

systemTest(
  "a program stops immediately although viewers, half requests and slow readers are connected",
  async (launcher) => {
    const server = await launcher.server([...PORT, "--plaintext"]);
    const address = await portOf(server.process);
    const open: Deno.TcpConn[] = [];
    try {
      const texts = ["", "GET /metrics HTTP/1.1\r\n", "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n", "\x16\x03"];
      for (const text of texts) {
        const connection = await Deno.connect(address);
        open.push(connection);
        await connection.write(encodeText(text));
      }
      const startedMs = performance.now();
      assertEquals((await launcher.stop(server)).code, 0);
      assertLess(performance.now() - startedMs, 4000);
    } finally {
      for (const each of open) each.close();
    }
  },
);

/** Returns the median of round trips to a role, in ms. */
async function medianOf(client: Client, count: number): Promise<number> {
  const tookMs: number[] = [];
  for (let round = 0; round < count; round++) {
    const startedMs = performance.now();
    await client.set("a", "1");
    tookMs.push(performance.now() - startedMs);
  }
  return tookMs.sort((left, right) => left - right)[count >> 1]!;
}

/** Returns the processor time that a process has taken, in ms. Linux counts it in steps of 10 ms. */
async function processorMs(process: RoleProcess): Promise<number> {
  const { stdout } = await run(["cat", `/proc/${process.pid}/stat`]);
  const fields = stdout.replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

systemTest("floods of the port do not hold up the clients of the role", async (launcher) => {
  const { process, address } = await launcher.server(PORT);
  const { hostname, port } = await portOf(process);
  const authority = await Deno.readTextFile(launcher.certificates.authority);
  const client = await launcher.connect({ address });
  const quietMs = await medianOf(client, 300);
  for (const attack of Object.keys(ATTACKS) as (keyof typeof ATTACKS)[]) {
    const worker = new Worker(new URL("../support/port_flood.ts", import.meta.url), { type: "module" });
    try {
      const accepted = async () => Number((await get(launcher, process, "/metrics")).body.length);
      worker.postMessage({ attack, hostname, port, authority } satisfies Flood);
      assert(await accepted() > 0);
      const [startedMs, usedMs] = [performance.now(), await processorMs(process)];
      const attackedMs = await medianOf(client, 300);
      const healthMs = await timeOf(async () => {
        assertEquals((await get(launcher, process, "/healthz")).status, 200);
      });
      const share = (await processorMs(process) - usedMs) / (performance.now() - startedMs);
      assertLess(attackedMs, quietMs + 50, `${attack}: quiet ${quietMs} ms`);
      assertLess(healthMs, 10_000, attack);
      assertLess(share, 0.9, attack);
    } finally {
      worker.terminate();
    }
  }
});

async function timeOf(run: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await run();
  return performance.now() - startedMs;
}
