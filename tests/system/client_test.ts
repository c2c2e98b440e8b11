/**
 * `inmem client` as a person and a script meet it.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { COMMANDS } from "../../src/command/specification.ts";
import { Launcher, runInmem, systemTest } from "../support/launcher.ts";
import type { Role, RunOptions } from "../support/launcher.ts";

/** Runs the client and holds what it printed and its status. */
class Expecter {
  constructor(readonly launcher: Launcher, readonly role: Role) {}

  async expect(
    words: readonly string[],
    code: number,
    stdout: string | RegExp,
    stderr: string | RegExp = "",
  ): Promise<void> {
    await this.#hold(words, {}, code, stdout, stderr);
  }

  async piped(
    stdin: string,
    words: readonly string[],
    code: number,
    stdout: string | RegExp,
    stderr: string | RegExp = "",
  ) {
    await this.#hold(words, { stdin }, code, stdout, stderr);
  }

  async #hold(
    words: readonly string[],
    options: RunOptions,
    code: number,
    stdout: string | RegExp,
    stderr: string | RegExp,
  ): Promise<void> {
    const outcome = await this.launcher.client(this.role, words, options);
    const what = `inmem client ${words.join(" ")}\n${options.stdin ?? ""}\n${outcome.stdout}\n${outcome.stderr}`;
    assertEquals(outcome.code, code, what);
    for (const [got, expected] of [[outcome.stdout, stdout], [outcome.stderr, stderr]] as const) {
      if (typeof expected === "string") assertEquals(got, expected, what);
      else assertMatch(got, expected, what);
    }
  }
}

systemTest("inmem client", async (launcher, test) => {
  const { proxy } = await launcher.cluster();
  const client = new Expecter(launcher, proxy);

  await test.step("runs one command, its arguments as they are typed", async () => {
    await client.expect(["set", "greeting", "hello world ☃"], 0, "OK\n");
    await client.expect(["get", "greeting"], 0, "hello world ☃\n");
    await client.expect(["GET", "nobody"], 0, "\n");
    await client.expect(["incrby", "n", "-5"], 0, "-5\n");
    await client.expect(["rpush", "list", "a", "b c", "--json"], 0, "3\n");
    await client.expect(["lrange", "list", "0", "-1"], 0, "a\nb c\n--json\n");
    await client.expect(["set", "-key", "-value"], 0, "OK\n");
    await client.expect(["get", "-key"], 0, "-value\n");
    await client.expect(["set", "", ""], 0, "OK\n");
    await client.expect(["exists", ""], 0, "1\n");
  });

  await test.step("answers JSON when asked", async () => {
    await client.expect(["--json", "get", "greeting"], 0, '"hello world ☃"\n');
    await client.expect(["--json", "get", "nobody"], 0, "null\n");
    await client.expect(["--json", "lrange", "list", "0", "-1"], 0, '["a","b c","--json"]\n');
    await client.expect(["--json", "hset", "h", "f", "v"], 0, "1\n");
    await client.expect(["--json", "hgetall", "h"], 0, '{"f":"v"}\n');
    await client.expect(["--json", "get", "list"], 1, /^{"error":{"code":"WRONGTYPE","message":".+"}}\n$/);
  });

  await test.step("exits with 1 when the server refuses", async () => {
    await client.expect(["get", "list"], 1, "", /^WRONGTYPE /);
    await client.expect(["nosuch"], 1, "", /^ERR unknown command/);
    await client.expect(["get"], 1, "", /^ERR wrong number of arguments/);
  });

  await test.step("runs piped lines in order, quoted as in a shell", async () => {
    const lines = [
      'set "a key" "two\\nlines"',
      "get 'a key'",
      "",
      '  set bin "\\x00\\xff"  ',
      "strlen bin",
      "set it 'it\\'s'",
      "get it",
      'set empty ""',
      "strlen empty",
      "set unicode ☃",
      "get unicode",
    ];
    await client.piped(lines.join("\n") + "\n", [], 0, "OK\ntwo\nlines\nOK\n2\nOK\nit's\nOK\n0\nOK\n☃\n");
    await client.piped("ping\r\nget unicode", [], 0, "PONG\n☃\n");
    await client.piped("", [], 0, "");
    await client.piped('get bin\nget "a key"\n', ["--json"], 0, '{"base64":"AP8="}\n"two\\nlines"\n');
    await client.piped("ping\nexit\nping\n", [], 0, "PONG\n");
  });

  await test.step("goes on behind a refused line, and exits with 1", async () => {
    await client.piped(
      'incr list\nping\nset "open\nping\n',
      [],
      1,
      "PONG\nPONG\n",
      /line 1: WRONGTYPE[^]*line 3: .*never closed/,
    );
  });

  await test.step("pipes many commands", async () => {
    const count = 20_000;
    const sets = Array.from({ length: count }, (_, index) => `set piped:${index} ${index}\n`).join("");
    await client.piped(sets, [], 0, "OK\n".repeat(count));
    const gets = Array.from({ length: count }, (_, index) => `get piped:${index}\n`).join("");
    await client.piped(gets, [], 0, Array.from({ length: count }, (_, index) => `${index}\n`).join(""));
  });

  await test.step("carries a megabyte on one line", async () => {
    const value = "m".repeat(1_000_000);
    await client.piped(`set megabyte ${value}\nget megabyte\n`, [], 0, `OK\n${value}\n`);
  });

  await test.step("explains every command without a server", async () => {
    const all = await runInmem(["client", "help"]);
    assertEquals(all.code, 0);
    for (const { name } of COMMANDS) assert(new RegExp(`\\b${name}\\b`).test(all.stdout), `help names ${name}`);
    const one = await runInmem(["client", "help", "set"]);
    assert(one.stdout.includes("KEEPTTL"), one.stdout);
  });

  await test.step("exits with 3 when there is no connection, and says why", async () => {
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    const nobody = await runInmem(["client", "--addr", `127.0.0.1:${port}`, "ping"]);
    assertEquals(nobody.code, 3, nobody.stderr);
    assertMatch(nobody.stderr, new RegExp(`^inmem client: .*127\\.0\\.0\\.1:${port}.*\n$`));
    const untrusted = await runInmem(["client", "--addr", proxy.address, "ping"], {
      env: { XDG_STATE_HOME: launcher.path("nowhere") },
    });
    assertEquals(untrusted.code, 3, untrusted.stderr);
    assertEquals(untrusted.stderr.trimEnd().split("\n").length, 1, untrusted.stderr);
    const piped = await runInmem(["client", "--addr", `127.0.0.1:${port}`], { stdin: "ping\n" });
    assertEquals(piped.code, 3, piped.stderr);
  });

  await test.step("gives up after --timeout on a server that does not answer", async () => {
    const silent = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    try {
      const began = performance.now();
      const outcome = await runInmem([
        "client",
        "--addr",
        `127.0.0.1:${silent.addr.port}`,
        "--timeout",
        "500ms",
        "ping",
      ]);
      assertEquals(outcome.code, 3, outcome.stderr);
      assert(performance.now() - began < 6_000);
    } finally {
      silent.close();
    }
  });
});

systemTest(
  "a password is asked for by server and proxy, and given from a file or the environment",
  async (launcher, test) => {
    const password = "correct horse ☃";
    const [right, wrong] = [launcher.path("right"), launcher.path("wrong")];
    await Deno.writeTextFile(right, `${password}\n`, { mode: 0o600 });
    await Deno.writeTextFile(wrong, "wrong\n", { mode: 0o600 });
    const server = await launcher.server(["--password-file", right]);
    const file = await launcher.serversFile([server.address]);
    const proxy = await launcher.proxy(file, ["--password-file", right]);
    for (const [name, role] of Object.entries({ server, proxy })) {
      await test.step(name, async () => {
        const client = new Expecter(launcher, role);
        await client.expect(["get", "x"], 1, "", /^NOAUTH /);
        await client.expect(["size"], 1, "", /^NOAUTH /);
        await client.expect(["ping"], 0, "PONG\n");
        await client.expect(["--password-file", wrong, "ping"], 1, "", /WRONGPASS/);
        await client.expect(["--password-file", right, "set", "x", "42"], 0, "OK\n");
        await client.expect(["--password-file", right, "get", "x"], 0, "42\n");
        const byEnvironment = await launcher.client(role, ["get", "x"], { env: { INMEM_PASSWORD: password } });
        assertEquals([byEnvironment.code, byEnvironment.stdout], [0, "42\n"], byEnvironment.stderr);
        await client.piped("get x\nauth wrong\nget x\n", [], 1, "", /NOAUTH[^]*WRONGPASS[^]*NOAUTH/);
        await client.piped(`auth default "${password}"\nget x\n`, [], 0, "OK\n42\n");
      });
    }
    await test.step("a password file that others can read, or an empty one, is refused", async () => {
      await Deno.chmod(wrong, 0o644);
      const start = ["server", "--addr", "127.0.0.1:0", "--no-persist", ...launcher.identity, "--password-file"];
      const readable = await runInmem([...start, wrong]);
      assertEquals(readable.code, 1, readable.stderr);
      assertMatch(readable.stderr, /Cannot use the password file .*chmod 600/);
      const empty = launcher.path("empty");
      await Deno.writeTextFile(empty, "", { mode: 0o600 });
      const refused = await runInmem([...start, empty]);
      assertEquals(refused.code, 1, refused.stderr);
    });
  },
);
