/** Tests `deno task cluster`, on free ports and in a temporary folder. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join, resolve } from "@std/path";
import { ROOT } from "../../cluster/role_process.ts";
import { certificatePaths } from "../../src/role/certs.ts";
import { longOnly } from "../support/amount.ts";
import { run, runInmem, serversJson } from "../support/launcher.ts";
import type { Outcome } from "../support/launcher.ts";
import { until } from "../support/until.ts";

/** The cluster program as a process, with its output, its children and its end. */
class ClusterProgram implements AsyncDisposable {
  readonly folder: string;
  stdout = "";
  stderr = "";
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;

  private constructor(folder: string, words: readonly string[]) {
    this.folder = folder;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        "--lock=deno.lock",
        "--frozen",
        "-P=cluster",
        "cluster/cluster.ts",
        ...words,
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, add: (text: string) => void) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) add(text);
    };
    this.status = Promise.all([
      this.#child.status,
      collect(this.#child.stdout, (text) => this.stdout += text),
      collect(this.#child.stderr, (text) => this.stderr += text),
    ]).then(([status]) => status);
  }

  static start(folder: string, words: readonly string[] = ["--port", "0"]): ClusterProgram {
    return new ClusterProgram(folder, [...words, "--directory", folder]);
  }

  /** Waits until the program has printed what to type next. */
  async ready(): Promise<void> {
    let ended = false;
    this.status.then(() => ended = true);
    await until(() => this.stdout.includes("Ctrl-C stops everything") || ended, "the cluster is ready", 60_000);
    assert(!ended, this.stderr);
  }

  get proxy(): string {
    return /A proxy listens on (\S+),/.exec(this.stdout)![1]!;
  }

  get servers(): string[] {
    return /for the servers on (.+)\.\n/.exec(this.stdout)![1]!.split(", ");
  }

  /** Runs `inmem client` against the proxy until it ends. */
  client(...words: string[]): Promise<Outcome> {
    const { authority } = certificatePaths(join(this.folder, "certs"));
    return runInmem(["client", "--addr", this.proxy, "--ca", authority, ...words]);
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // The process has already ended.
    }
    await this.status;
  }
}

async function isListening(address: string): Promise<boolean> {
  const [hostname = "", port] = address.split(":");
  try {
    (await Deno.connect({ hostname, port: Number(port) })).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("the cluster starts from nothing, serves, follows servers.json, stops in order and keeps its data", async (test) => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-cluster-" });
  try {
    await test.step("first run", async () => {
      await using cluster = ClusterProgram.start(folder);
      await cluster.ready();
      assertEquals(cluster.servers.length, 3);
      const listed = JSON.parse(await Deno.readTextFile(join(folder, "servers.json"))) as { addr: string }[];
      assertEquals(listed.map(({ addr }) => addr), cluster.servers);
      for (const name of ["ca.key", "server.key"]) {
        assertEquals((await Deno.stat(join(folder, "certs", name))).mode! & 0o777, 0o600);
      }
      for (const role of ["server1", "server2", "server3", "proxy  "]) {
        assertMatch(cluster.stderr, new RegExp(`^${role} \\| .*listening on`, "m"));
      }
      // The commands that it tells its user to type have all that they need. readme_walk_test.ts runs such commands.
      const [, address, authority] = /^ {2}export INMEM_ADDR=(\S+) INMEM_CA=(\S+)$/m.exec(cluster.stdout) ?? [];
      assertEquals(address, cluster.proxy, cluster.stdout);
      assertEquals(resolve(Deno.cwd(), authority!), certificatePaths(join(folder, "certs")).authority);
      assertMatch(cluster.stdout, /^ {2}\S.* client set greeting hello$/m);
      assertEquals((await cluster.client("set", "greeting", "hello")).stdout, "OK\n");
      const names = Array.from({ length: 30 }, (_, index) => `key:${index}`);
      assertEquals((await cluster.client("mset", ...names.flatMap((name) => [name, name]))).stdout, "OK\n");
      assertEquals((await cluster.client("size")).stdout, "31\n");

      const before = cluster.stderr.length;
      await Deno.writeTextFile(join(folder, "servers.json"), serversJson(cluster.servers.slice(0, 2)));
      await until(() => cluster.stderr.slice(before).includes("proxy"), "the proxy says that it follows the file");
      await until(async () => Number((await cluster.client("size")).stdout) < 31, "a server is out");
      await Deno.writeTextFile(join(folder, "servers.json"), serversJson(cluster.servers));
      await until(async () => (await cluster.client("size")).stdout === "31\n", "it is in again");

      const addresses = [cluster.proxy, ...cluster.servers];
      cluster.signal("SIGINT");
      assertEquals((await cluster.status).code, 0, cluster.stderr);
      for (const address of addresses) assertEquals(await isListening(address), false, address);
    });

    await test.step("second run, with the data of the first", async () => {
      const authority = await Deno.readTextFile(certificatePaths(join(folder, "certs")).authority);
      await using cluster = ClusterProgram.start(folder);
      await cluster.ready();
      assertEquals(await Deno.readTextFile(certificatePaths(join(folder, "certs")).authority), authority);
      // The new run has other free ports, so keys have other owners: all data is there, though a key may be on a server
      // where it is not looked for.
      assertEquals((await cluster.client("size")).stdout, "31\n");
      cluster.signal("SIGTERM");
      assertEquals((await cluster.status).code, 0, cluster.stderr);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test(
  "a role of the cluster that ends is reported and started again, and serves its keys again",
  longOnly,
  async (test) => {
    const folder = await Deno.makeTempDir({ prefix: "inmem-cluster-" });
    try {
      await using cluster = ClusterProgram.start(folder);
      await cluster.ready();
      const { authority } = certificatePaths(join(folder, "certs"));
      const names = Array.from({ length: 30 }, (_, index) => `key:${index}`);
      assertEquals((await cluster.client("mset", ...names.flatMap((name) => [name, name]))).stdout, "OK\n");
      /** Returns the process that listens at an address. */
      const processOf = async (address: string) => {
        const info = await runInmem(["client", "--addr", address, "--ca", authority, "info", "server"]);
        return Number(/process_id:([0-9]+)/.exec(info.stdout)?.[1]);
      };
      const ended = { SIGKILL: "signal SIGKILL", SIGTERM: "exit status 0" };
      const roles = [["server1", cluster.servers[0]!, "SIGKILL"], ["server2", cluster.servers[1]!, "SIGTERM"]] as const;
      for (const [name, address, signal] of [...roles, ["proxy", cluster.proxy, "SIGKILL"] as const]) {
        await test.step(`${name} by ${signal}`, async () => {
          const pid = await processOf(address);
          Deno.kill(pid, signal);
          const report = `\n${name} ended with ${ended[signal]}; it is started again in `;
          await until(() => cluster.stderr.includes(report), "its end is reported", 30_000);
          await until(() => cluster.stderr.includes(`\n${name} listens on ${address} again\n`), "it is back", 60_000);
          await until(async () => (await cluster.client("size")).stdout === "30\n", "its keys are served", 60_000);
          assertEquals((await cluster.client("mget", ...names)).stdout, names.map((key) => `${key}\n`).join(""));
          assert(await processOf(address) !== pid);
          const pages = [...cluster.stderr.matchAll(new RegExp(`^${name} +\\| .* on (https://\\S+)$`, "gm"))];
          assertEquals([pages.length, pages[0]?.[1]], [2, pages[1]?.[1]], "its page keeps its address");
        });
      }
      // A role that does not end in time is named when the user repeats Ctrl-C.
      const silent = await processOf(cluster.servers[2]!);
      Deno.kill(silent, "SIGSTOP");
      const waiting = `Waiting for server3 (process ${silent}): `;
      await until(
        () => {
          cluster.signal("SIGINT");
          return cluster.stderr.includes(waiting);
        },
        "the program names what it waits for",
        30_000,
      );
      Deno.kill(silent, "SIGCONT");
      assertEquals((await cluster.status).code, 0, cluster.stderr);
      for (const address of [cluster.proxy, ...cluster.servers]) {
        assertEquals(
          await isListening(address),
          false,
          address,
        );
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("the cluster continues while a role cannot start, and Ctrl-C stops it", longOnly, async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-cluster-" });
  try {
    await using cluster = ClusterProgram.start(folder, ["--port", "0", "--on-down", "remap"]);
    await cluster.ready();
    // A file in the place of a server's folder ends each of its starts.
    const { authority } = certificatePaths(join(folder, "certs"));
    const [first = ""] = cluster.servers;
    const info = await runInmem(["client", "--addr", first, "--ca", authority, "info", "server"]);
    Deno.kill(Number(/process_id:([0-9]+)/.exec(info.stdout)![1]), "SIGKILL");
    const data = join(folder, "data", "server1");
    await Deno.rename(data, `${data}.away`);
    await Deno.writeTextFile(data, "no folder");
    const reports = () => [...cluster.stderr.matchAll(/^server1 ended with exit status 1; .* in (.*) s$/mg)];
    await until(() => reports().length >= 2, "it is tried again", 60_000);
    const [firstWait = 0, secondWait = 0] = reports().map(([, secondWaits]) => Number(secondWaits));
    assert(secondWait > firstWait, `${firstWait} s, then ${secondWait} s`);
    // The other servers take over its keys.
    await until(async () => (await cluster.client("set", "key:1", "x")).code === 0, "the others take over", 30_000);
    await until(async () => (await cluster.client("set", "key:7", "x")).code === 0, "the others take over", 30_000);
    cluster.signal("SIGINT");
    assertEquals((await cluster.status).code, 0, cluster.stderr);
    for (const address of [cluster.proxy, ...cluster.servers]) assertEquals(await isListening(address), false, address);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the cluster keeps its ports and servers.json from run to run, and reports a port in use", async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-cluster-" });
  // Four consecutive ports that are free now, and four for pages.
  const port = await freePorts();
  try {
    const edited = serversJson([`127.0.0.1:${port + 1}`, `127.0.0.1:${port + 3}`]);
    await Deno.writeTextFile(join(folder, "servers.json"), edited);
    {
      await using cluster = ClusterProgram.start(folder, ["--port", String(port), "--servers", "2"]);
      await cluster.ready();
      assertEquals(cluster.servers, [`127.0.0.1:${port + 1}`, `127.0.0.1:${port + 2}`]);
      assertStringIncludes(cluster.stderr, `servers.json does not name 127.0.0.1:${port + 2}\n`);
      assertEquals(cluster.proxy, `127.0.0.1:${port}`);
      assertStringIncludes(cluster.stdout, `\n  https://127.0.0.1:${port + 10}/\n`);
      assertEquals(await Deno.readTextFile(join(folder, "servers.json")), edited, "its user's from the first run on");
    }
    using taken = Deno.listen({ hostname: "127.0.0.1", port: port + 2 });
    await using cluster = ClusterProgram.start(folder, ["--port", String(port)]);
    assertEquals((await cluster.status).code, 1);
    assertMatch(
      cluster.stderr,
      new RegExp(`server2 ended.*\n.*\n.*Cannot listen on 127\\.0\\.0\\.1:${taken.addr.port}`),
    );
    assertStringIncludes(cluster.stderr, "--port and --directory");
    assertStringIncludes(cluster.stderr, "end each by its process id");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/**
 * Returns the first of them. The system gives connections ports above these, so one of them may be taken at any
 * time.
 */
async function freePorts(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    const taken = await Promise.all(
      [0, 1, 2, 3, 10, 11, 12, 13].map((offset) => isListening(`127.0.0.1:${port + offset}`)),
    );
    if (!taken.includes(true)) return port;
  }
}

Deno.test("the cluster refuses wrong options with status 2 and has a help text", async () => {
  const start = (...words: string[]) =>
    run([
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-prompt",
      "--lock=deno.lock",
      "--frozen",
      "-P=cluster",
      "cluster/cluster.ts",
      ...words,
    ]);
  const [badPort, badChoice, unknown, help, ...badCounts] = await Promise.all(
    [
      ["--port", "x"],
      ["--on-down", "hide"],
      ["--nosuch"],
      ["--help"],
      ...["0", "10", "many"].map((count) => ["--servers", count]),
    ].map((words) => start(...words)),
  ) as [Outcome, Outcome, Outcome, Outcome, ...Outcome[]];
  for (const { code, stderr } of badCounts) {
    assertEquals(code, 2);
    assertMatch(stderr, /^Cannot start "[^"]*" servers: expected 1 to 9\n$/);
  }
  assertEquals([badPort.code, badChoice.code, unknown.code, help.code], [2, 2, 2, 0]);
  assertEquals(badChoice.stderr, 'Cannot use "hide" for --on-down: expected fail or remap\n');
  assertMatch(badPort.stderr, /^Cannot parse port "x": expected 0 to 65516\n$/);
  assertMatch(unknown.stderr, /^Cannot understand "--nosuch".*\n$/);
  assertStringIncludes(help.stdout, "--port");
});
