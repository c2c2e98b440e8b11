/** Tests the program around the roles: its first argument, exit statuses, signals. It runs the real program. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inmemCommand, RoleProcess } from "../cluster/role_process.ts";
import configuration from "../deno.json" with { type: "json" };
import { ROLES } from "../src/main.ts";
import { run, runInmem } from "./support/launcher.ts";
import { framesOf, RawClient } from "./support/raw_client.ts";
import { until } from "./support/until.ts";

const LOCAL = ["server", "--addr", "127.0.0.1:0", "--no-persist", "--plaintext"];

/** Asserts one line on standard error, and nothing on standard output. */
async function assertRefused(words: readonly string[], code: number, message: string, env = {}): Promise<void> {
  const outcome = await runInmem(words, { env });
  assertEquals([outcome.code, outcome.stdout], [code, ""], outcome.stderr);
  assertMatch(outcome.stderr, /^inmem: [^\n]+\n$/);
  assertStringIncludes(outcome.stderr, message);
}

Deno.test("inmem explains itself without an argument, and its roles on demand", async () => {
  const [bare, help, role, option] = await Promise.all([
    runInmem([]),
    runInmem(["--help"]),
    runInmem(["help", "server"]),
    runInmem(["server", "-h"]),
  ]);
  assertStringIncludes(bare.stdout, "inmem client");
  assertEquals([bare.code, bare.stderr, help.stdout], [0, "", bare.stdout]);
  assertStringIncludes(role.stdout, "--max-memory");
  assertEquals([role.code, role.stderr, option.stdout], [0, "", role.stdout]);
});

Deno.test("inmem --version prints the version of deno.json", async () => {
  assertEquals((await runInmem(["--version"])).stdout, `inmem ${configuration.version}\n`);
});

Deno.test("inmem refuses unknown words, and suggests a similar one", async () => {
  await Promise.all([
    assertRefused(["srever"], 2, 'did you mean "inmem server"?'),
    assertRefused(["constructor"], 2, `expected ${Object.keys(ROLES).join(", ")} or help`),
    assertRefused(["help", "nosuch"], 2, 'Cannot run "nosuch"'),
  ]);
});

Deno.test("inmem server refuses options that are wrong or not safe with exit status 2", async () => {
  await Promise.all([
    assertRefused(["server", "--max-memroy", "1gb"], 2, "did you mean --max-memory?"),
    assertRefused(["server", "--max-memory", "lots"], 2, "--max-memory"),
    assertRefused(["server", "--addr", "127.0.0.1:99999"], 2, "expected 0 to 65535"),
    assertRefused(["server", "extra"], 2, 'Cannot use "extra"'),
    assertRefused(["server", "--addr", "0.0.0.0:0", "--no-persist"], 2, "without a password"),
    assertRefused(["server", "--addr", "0.0.0.0:0", "--plaintext", "--no-auth"], 2, "expected a loopback address"),
    assertRefused(["server", "--cert", "x.pem"], 2, "expected both or neither"),
    assertRefused(["server", "--plaintext", "--cert", "x.pem", "--key", "x.key"], 2, "expected one of them"),
    assertRefused(["server", "--no-auth", "--password-file", "x"], 2, "expected one of them"),
  ]);
});

Deno.test("inmem server refuses a password in the environment that is not text, on one line", async () => {
  const command = inmemCommand(...LOCAL).map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  const { code, stderr } = await run(["sh", "-c", `INMEM_PASSWORD="$(printf 'a\\377')" exec ${command}`]);
  assertEquals([code, stderr], [1, "inmem: Cannot use the password in INMEM_PASSWORD: expected UTF-8 text\n"]);
});

Deno.test("inmem server refuses with exit status 1 what the machine does not allow", async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-main-" });
  const taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  try {
    await Deno.writeTextFile(`${folder}/open.key`, "secret", { mode: 0o644 });
    await Deno.writeTextFile(`${folder}/cert.pem`, "not a certificate");
    const address = `127.0.0.1:${taken.addr.port}`;
    const pair = ["--cert", `${folder}/cert.pem`];
    await Promise.all([
      assertRefused(["server", "--addr", address, "--no-persist", "--plaintext"], 1, `Cannot listen on ${address}`),
      assertRefused(["server", ...pair, "--key", `${folder}/open.key`], 1, "chmod 600"),
      assertRefused(["server", ...pair, "--key", `${folder}/none.key`], 1, "no such file"),
      assertRefused([...LOCAL, "--password-file", `${folder}/none`], 1, "no such file"),
      assertRefused(LOCAL, 1, "SSLKEYLOGFILE", { SSLKEYLOGFILE: `${folder}/keys` }),
    ]);
  } finally {
    taken.close();
    await Deno.remove(folder, { recursive: true });
  }
});

async function withServer(run: (server: RoleProcess, address: Deno.NetAddr) => Promise<void>): Promise<void> {
  const server = new RoleProcess("server", LOCAL);
  try {
    const [hostname, port] = (await server.address()).split(":") as [string, string];
    await run(server, { hostname, port: Number(port), transport: "tcp" });
  } finally {
    await server.kill();
  }
}

Deno.test("inmem server logs once where it listens, and survives signals that are not a reason to end", () =>
  withServer(async (server, address) => {
    for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGXFSZ"] as const) server.signal(signal);
    using client = await RawClient.connect(address);
    for (let i = 0; i < 20; i++) assertEquals(await client.call("ping"), "PONG");
    assertEquals(server.lines.filter((line) => line.includes("listening on")).length, 1);
    server.signal("SIGINT");
    assertEquals((await server.status).code, 0);
    assertEquals(await client.rest(), "");
  }));

Deno.test("inmem server ends immediately on a second signal", () =>
  withServer(async (server, address) => {
    using client = await RawClient.connect(address);
    await client.call("set", "big", new Uint8Array(30_000_000));
    await client.send(framesOf(...Array.from({ length: 5 }, () => ["get", "big"])));
    // It waits for this client, which reads none of its replies.
    await client.socket.read(new Uint8Array(1));
    server.signal("SIGTERM");
    await until(() => server.lines.some((line) => line.includes("Stopping")), "the server says that it stops");
    const begunMs = performance.now();
    server.signal("SIGTERM");
    const { code, signal } = await server.status;
    assertEquals([code, signal], [143, null]);
    assert(performance.now() - begunMs < 3_000);
  }));
