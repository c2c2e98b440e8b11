/** Tests the command line: an error is reported in one line with exit status 2, before anything has happened. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { inmemCommand } from "../../cluster/role_process.ts";
import {
  certsOptions,
  clientOptions,
  proxyOptions,
  restoreOptions,
  serverOptions,
} from "../../src/role/option_tables.ts";
import { isLong, longOnly } from "../support/amount.ts";
import { run, runInmem, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

/** The number of programs that run at the same time. The machines of the tests have two cores. */
const AT_ONCE_COUNT = 3;

/** Wrong command lines, and the pattern that each message must match. */
const WRONG: readonly [words: string, says: RegExp][] = [
  ["nosuch", /"nosuch".*expected server, proxy, client, .*check, restore, certs/],
  ["sever", /did you mean "inmem server"/],
  ["server --nosuch", /--nosuch/],
  ["server --adr 127.0.0.1:0", /did you mean --addr/],
  ["server --addr", /--addr without a value/],
  ["server --addr 127.0.0.1", /"127.0.0.1": expected host:port/],
  ["server --addr 127.0.0.1:x", /port "x".*expected 0 to 65535/],
  ["server --addr 127.0.0.1:65536", /65536.*expected 0 to 65535/],
  ["server --addr 127.0.0.1:0 --addr 127.0.0.1:0", /--addr 2 times/],
  ["server --max-memory lots", /"lots".*--max-memory/],
  ["server --max-memory 1kb", /--max-memory/],
  ["server --max-memory 0", /--max-memory/],
  ["server --max-memory -5mb", /--max-memory/],
  ["server --max-memory 100tb", /--max-memory/],
  ["server --eviction fifo", /"fifo": expected lru or none/],
  ["server --default-ttl 0", /--default-ttl/],
  ["server --default-ttl -1s", /--default-ttl/],
  ["server --default-ttl soon", /"soon".*--default-ttl/],
  ["server --max-clients 0", /--max-clients/],
  ["server --max-clients 1.5", /"1.5".*--max-clients/],
  ["server --log-format xml", /"xml": expected text or json/],
  ["server --no-persist=maybe", /--no-persist "maybe": expected yes or no/],
  ["server extra", /"extra": expected options only/],
  ["server --addr 127.0.0.1:0 --cert only.pem", /--key/],
  ["server --addr 127.0.0.1:0 --key only.key", /--cert/],
  ["server --addr 0.0.0.0:0 --plaintext --no-auth", /plaintext.*loopback|loopback.*plaintext/i],
  ["server --addr 0.0.0.0:0 --no-persist", /password|--no-auth/],
  ["proxy --conns 0", /--conns/],
  ["proxy --conns many", /"many".*--conns/],
  ["proxy --conns 100000", /--conns/],
  ["proxy --addr :x", /port "x"/],
  ["proxy --addr 0.0.0.0:0 --plaintext --no-auth", /plaintext.*loopback|loopback.*plaintext/i],
  ["proxy --data x", /--data/],
  ["client --addr nowhere:99999 ping", /"99999" of "nowhere:99999".*--addr/],
  ["client --addr http://nowhere ping", /"http:\/\/nowhere"/],
  ["client --timeout never ping", /"never".*--timeout/],
  ["client --nosuch ping", /--nosuch/],
  ["client --password hunter2 ping", /--password/],
  ["client --ca /nonexistent/ca.pem ping", /\/nonexistent\/ca\.pem/],
  ["client help nosuch", /"nosuch"/],
  ["certs --host", /--host without a value/],
  ["certs a b", /"b"|one folder/i],
];

/** Returns all wrong command lines in the long form, and a random sixth of them for each role in the short form. */
function pickWrong(random: Random): typeof WRONG {
  if (isLong) return WRONG;
  const roles = Map.groupBy(WRONG, ([words]) => words.split(" ")[0]);
  return [...roles.values()].flatMap((items) => {
    const left = [...items];
    return Array.from({ length: Math.ceil(items.length / 6) }, () => left.splice(random.below(left.length), 1)[0]!);
  });
}

async function inTurns<Item>(items: readonly Item[], visit: (item: Item) => Promise<void>): Promise<void> {
  const rest = [...items];
  await Promise.all(Array.from({ length: AT_ONCE_COUNT }, async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await visit(item);
  }));
}

systemTest("a wrong option is reported in one line with the expected value, and status 2", async (launcher) => {
  const failures: string[] = [];
  const seed = pickSeed();
  console.log(`SEED=${seed}`);
  await inTurns(pickWrong(new Random(seed)), async ([words, says]) => {
    const { code, stdout, stderr } = await runInmem(words.split(" "), {
      env: { XDG_STATE_HOME: launcher.path("state") },
    });
    const lines = stderr.trimEnd().split("\n");
    if (code !== 2) failures.push(`inmem ${words}: status ${code}, expected 2: ${stderr}`);
    else if (lines.length !== 1 || stdout !== "") {
      failures.push(`inmem ${words}: expected one line:\n${stderr}${stdout}`);
    } else if (!says.test(lines[0]!)) failures.push(`inmem ${words}: "${lines[0]}" does not say ${says}`);
  });
  assertEquals(failures, [], failures.join("\n"));
  const made = await Array.fromAsync(Deno.readDir(launcher.folder));
  assert(!made.some(({ name }) => name === "state"), "a refused command line has made certificates");
});

Deno.test("the password cannot be given as an option", () => {
  for (const { options } of [serverOptions, proxyOptions, clientOptions, certsOptions]) {
    assert(!("password" in options));
  }
});

systemTest(
  "each role takes options from its environment variables, the program's permissions allow it",
  async (launcher) => {
    const env = { XDG_STATE_HOME: launcher.path("state") };
    const variables = {
      INMEM_SERVER_ADDR: "127.0.0.1:0",
      INMEM_SERVER_CERT: launcher.certificates.cert,
      INMEM_SERVER_KEY: launcher.certificates.key,
      INMEM_SERVER_NO_PERSIST: "yes",
      INMEM_SERVER_MAX_MEMORY: "64mb",
      INMEM_SERVER_SERVICE_HOST: "10.0.0.1",
    };
    const server = launcher.start("server", ["server", "--max-memory", "32mb"], { ...env, ...variables });
    const address = await server.address();
    const { code, stdout } = await runInmem(["client", "info", "memory"], {
      env: { ...env, INMEM_ADDR: address, INMEM_CA: launcher.certificates.authority, INMEM_JSON: "1" },
    });
    assertEquals(code, 0);
    assert(stdout.startsWith('"'), `INMEM_JSON: ${stdout}`);
    assert(stdout.includes(`maxmemory:${32 * 1024 * 1024}`), stdout);
    const cases: [words: string[], variable: string, status: number][] = [
      [["server"], "INMEM_SERVER_MAX_CLIENTS", 2],
      [["proxy"], "INMEM_PROXY_ADDR", 2],
      [["client", "ping"], "INMEM_TIMEOUT", 2],
      [["check"], "INMEM_CHECK_JSON", 2],
      [["server", "--help"], "INMEM_SERVER_MAX_CLIENTS", 0],
    ];
    await inTurns(cases, async ([words, variable, status]) => {
      const { code, stderr } = await runInmem(words, { env: { ...env, [variable]: "wrong" } });
      assertEquals(code, status, stderr);
      if (status > 0) assertMatch(stderr, new RegExp(`^inmem.*: Cannot .*\\b${variable}\\b.*\\n$`));
    });
  },
);

Deno.test("--help names every option of a role, with status 0", async () => {
  const tables = {
    server: serverOptions,
    proxy: proxyOptions,
    client: clientOptions,
    restore: restoreOptions,
    certs: certsOptions,
  };
  await inTurns(Object.entries(tables), async ([role, { options }]) => {
    const { code, stdout, stderr } = await runInmem([role, "--help"]);
    assertEquals([code, stderr], [0, ""], role);
    for (const name of Object.keys(options)) assert(stdout.includes(`--${name}`), `inmem ${role} --help: --${name}`);
    for (const line of stdout.split("\n")) assert(line.length <= 120, `longer than a terminal: ${line}`);
  });
});

Deno.test("inmem alone, help, --help and --version print and exit with status 0", async () => {
  const [alone, help, dashed, ofRole, version, ...versions] = await Promise.all(
    [
      ...[[], ["help"], ["--help"], ["help", "server"], ["--version"]],
      ...[["server", "--version"], ["client", "-V"], ["-V"], ["certs", "--version"]],
    ].map((words) => runInmem(words)),
  );
  for (const each of versions) assertEquals([each.code, each.stdout], [0, version!.stdout]);
  for (const each of [alone!, help!, dashed!]) {
    assertEquals([each.code, each.stderr], [0, ""]);
    for (const role of ["server", "proxy", "client", "check", "restore", "certs"]) {
      assert(each.stdout.includes(`inmem ${role}`));
    }
  }
  assert(ofRole!.stdout.includes("--max-memory"));
  assertMatch(version!.stdout, /^inmem [0-9]+\.[0-9]+\.[0-9]+/);
});

systemTest("options accept one dash, and a value after an equals sign", async (launcher) => {
  const { cert, key } = launcher.certificates;
  const words = ["server", "-addr=127.0.0.1:0", "-cert", cert, `-key=${key}`, "-no-persist", "-max-memory", "64mb"];
  const process = launcher.start("server", words);
  const address = await process.address();
  const { code, stdout } = await launcher.client({ address }, ["info", "memory"]);
  assertEquals(code, 0);
  assert(stdout.includes(`maxmemory:${64 * 1024 * 1024}`), stdout);
});

systemTest("exactly one line reports that a role listens, and JSON logs are JSON", async (launcher) => {
  const server = await launcher.server(["--log-format", "json"]);
  const proxy = await launcher.proxy(await launcher.serversFile([server.address]), ["--log-format", "json"]);
  for (const { process, address } of [server, proxy]) {
    assertEquals(process.lines.filter((line) => line.includes("listening on")).length, 1);
    assertMatch(address, /^127\.0\.0\.1:[1-9][0-9]*$/);
    for (const line of process.lines) assertEquals(typeof JSON.parse(line), "object", line);
  }
});

systemTest("a server without --cert creates a certificate, which its user's client trusts", async (launcher) => {
  const env = { XDG_STATE_HOME: launcher.path("state") };
  const process = launcher.start("server", ["server", "--addr", "127.0.0.1:0", "--no-persist"], env);
  const address = await process.address();
  const trusted = await run(inmemCommand("client", "--addr", address, "ping"), { env });
  assertEquals([trusted.code, trusted.stdout.trim()], [0, "PONG"], trusted.stderr);
  const stranger = await run(inmemCommand("client", "--addr", address, "ping"), {
    env: { XDG_STATE_HOME: launcher.path("stranger") },
  });
  assertEquals(stranger.code, 3, stranger.stderr);
  const insecure = await run(inmemCommand("client", "--addr", address, "--insecure", "ping"), {
    env: { XDG_STATE_HOME: launcher.path("stranger") },
  });
  assertEquals(insecure.code, 0, insecure.stderr);
  for await (const { name } of Deno.readDir(launcher.path("state", "inmem"))) {
    if (!name.endsWith(".key")) continue;
    assertEquals((await Deno.stat(launcher.path("state", "inmem", name))).mode! & 0o777, 0o600, name);
  }
});

systemTest("certs creates an authority once, and certificates for the given hosts", async (launcher) => {
  const { authority, authorityKey, key } = launcher.certificates;
  const first = await Deno.readTextFile(authority);
  for (const path of [authorityKey, key]) assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  const again = await runInmem(["certs", launcher.path("certs"), "--host", "db1.example", "--host", "10.0.0.7"]);
  assertEquals(again.code, 0, again.stderr);
  assertEquals(await Deno.readTextFile(authority), first, "clients go on trusting the authority they have");
  assert(again.stdout.includes("db1.example") && again.stdout.includes("10.0.0.7"), again.stdout);
  const server = await launcher.server();
  assertEquals((await launcher.client(server, ["ping"])).code, 0);
  const bad = await runInmem(["certs", launcher.path("bad"), "--host", "not a host"]);
  assertEquals(bad.code, 2, bad.stderr);
  assertEquals(await Deno.stat(launcher.path("bad")).then(() => true, () => false), false);
});

systemTest("--plaintext works without TLS on loopback, also through a proxy", longOnly, async (launcher) => {
  const server = await launcher.server(["--plaintext"]);
  const file = await launcher.serversFile([server.address]);
  const proxy = launcher.start("proxy", [
    ...["proxy", "--addr", "127.0.0.1:0", "--plaintext", "--servers-plaintext", "--servers", file],
  ]);
  const address = await proxy.address();
  const plain = (at: string, ...words: string[]) => runInmem(["client", "--addr", at, "--plaintext", ...words]);
  assertEquals((await plain(address, "set", "x", "42")).stdout.trim(), "OK");
  assertEquals((await plain(server.address, "get", "x")).stdout.trim(), "42");
  const [overTls, beyond] = await Promise.all([
    launcher.client(server, ["ping"]),
    runInmem(["client", "--addr", "192.0.2.1:9443", "--plaintext", "ping"]),
  ]);
  assertEquals(overTls.code, 3, overTls.stderr);
  assertEquals(beyond.code, 2, beyond.stderr);
  await until(async () => (await plain(address, "ping")).code === 0, "both go on");
});
