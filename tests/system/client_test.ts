/** Tests `inmem client` as people and scripts use it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { inmemCommand } from "../../cluster/role_process.ts";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { amountOf, longOnly } from "../support/amount.ts";
import { Launcher, ROOT, runInmem, systemTest } from "../support/launcher.ts";
import type { Role, RunOptions } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

/** Runs the client and verifies its output and its status. */
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

systemTest("inmem client", longOnly, async (launcher, test) => {
  const { proxy } = await launcher.cluster();
  const client = new Expecter(launcher, proxy);

  await test.step("runs one command, with its arguments as typed", async () => {
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

  await test.step("prints JSON with --json", async () => {
    await client.expect(["--json", "get", "greeting"], 0, '"hello world ☃"\n');
    await client.expect(["--json", "get", "nobody"], 0, "null\n");
    await client.expect(["--json", "help", "get"], 0, /^"get key\\n[^\n]+"\n$/);
    await client.expect(["--json", "lrange", "list", "0", "-1"], 0, '["a","b c","--json"]\n');
    await client.expect(["--json", "hset", "h", "f", "v"], 0, "1\n");
    await client.expect(["--json", "hgetall", "h"], 0, '{"f":"v"}\n');
    await client.expect(["--json", "get", "list"], 1, /^{"error":{"code":"WRONGTYPE","message":".+"}}\n$/);
  });

  await test.step("exits with 1 when the server refuses the command", async () => {
    await client.expect(["get", "list"], 1, "", /^WRONGTYPE /);
    await client.expect(["nosuch"], 1, "", /^ERR unknown command/);
    await client.expect(["get"], 1, "", "ERR wrong number of arguments for 'get' command\nusage: get key\n");
    await client.expect(["--json", "get"], 1, /^{"error":[^\n]+}\n$/);
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
    await client.piped("\ufeffset bom 1\r\nget bom", [], 0, "OK\n1\n");
    await client.piped('get bin\nget "a key"\n', ["--json"], 0, '{"base64":"AP8="}\n"two\\nlines"\n');
    await client.piped("ping\nexit\nping\n", [], 0, "PONG\n");
  });

  await test.step("continues after a refused line, and exits with 1", async () => {
    await client.piped(
      'incr list\nping\nset "open\nping\n',
      [],
      1,
      "PONG\nPONG\n",
      /line 1: WRONGTYPE[^]*line 3: .*never closed/,
    );
  });

  await test.step("pipes many commands", async () => {
    const count = amountOf("PIPED", 4_000, 20_000);
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

  await test.step("exits with 3 when it cannot connect, and says why", async () => {
    const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = closed.addr;
    closed.close();
    const refused = await runInmem(["client", "--addr", `127.0.0.1:${port}`, "ping"]);
    assertEquals(refused.code, 3, refused.stderr);
    assertMatch(refused.stderr, new RegExp(`^inmem client: .*127\\.0\\.0\\.1:${port}.*\n$`));
    const untrusted = await runInmem(["client", "--addr", proxy.address, "ping"], {
      env: { XDG_STATE_HOME: launcher.path("nowhere") },
    });
    assertEquals(untrusted.code, 3, untrusted.stderr);
    assertEquals(untrusted.stderr.trimEnd().split("\n").length, 1, untrusted.stderr);
    const piped = await runInmem(["client", "--addr", `127.0.0.1:${port}`], { stdin: "ping\n" });
    assertEquals(piped.code, 3, piped.stderr);
  });

  await test.step("gives up after --timeout when a server does not reply", async () => {
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
  "inmem client shows transactions, blocking commands and lists, of a server and of a proxy",
  longOnly,
  async (launcher, test) => {
    const server = await launcher.server(["--enable-debug-command"]);
    const proxy = await launcher.proxy(await launcher.serversFile([server.address]));
    for (const [name, role] of Object.entries({ server, proxy })) {
      const client = new Expecter(launcher, role);

      await test.step(`${name}: a transaction's replies, also refusals`, async () => {
        const lines = ["rpush {t}l a", "multi", "set {t}a 1", "incr {t}l", "lrange {t}l 0 -1", "get {t}none", "exec"];
        const refused = "WRONGTYPE Operation against a key holding the wrong kind of value";
        const begin = "1\nOK\nQUEUED\nQUEUED\nQUEUED\nQUEUED\n";
        const input = lines.join("\n") + "\n";
        await client.expect(["flush"], 0, "OK\n");
        await client.piped(input, [], 1, `${begin}OK\n\na\n\n`, `line 7, reply 2: ${refused}\n`);
        await client.piped(
          "del {t}l\n" + input,
          ["--json"],
          1,
          /\n\["OK",{"error":{"code":"WRONGTYPE",[^\n]+}},\["a"\],null\]\n$/,
        );
        await client.piped("multi\nexec\n", ["--json"], 0, '"OK"\n[]\n');
        await client.piped(
          "watch w\nset w 1\nmulti\nget w\nexec\n",
          ["--json"],
          0,
          '"OK"\n"OK"\n"OK"\n"QUEUED"\nnull\n',
        );
        await client.piped(
          "multi\nnosuch\nexec\n",
          [],
          1,
          "OK\n",
          /^line 2: ERR unknown [^\n]+\nhint: [^\n]+\nline 3: EXECABORT /,
        );
        await client.piped("multi\nblpop {t}q 100\nexec\n", ["--timeout", "2s", "--json"], 0, /\[null\]\n$/);
        await client.expect(["exec"], 1, "", "ERR EXEC without MULTI\n");
      });

      await test.step(`${name}: a blocking command waits for its own timeout, regardless of --timeout`, async () => {
        await client.expect(["--timeout", "900ms", "blpop", "q", "1.2"], 0, "\n");
        await client.expect(["--timeout", "900ms", "--json", "brpoplpush", "q{q}", "r{q}", "12e-1"], 0, "null\n");
        await client.piped("blpop q 1.2\nget none\nbrpop q 0.1\nping\n", ["--timeout", "900ms"], 0, "\n\n\nPONG\n");
        await client.expect(["--timeout", "0", "ping"], 0, "PONG\n");
        const pusher = await launcher.connect(role);
        const waiting = client.expect(["--timeout", "900ms", "blpop", "queue", "0"], 0, "queue\njob\n");
        const observer = await launcher.connect(server);
        const waits = async () => (await observer.client("list")).some((facts) => facts.get("flags") === "b");
        await until(waits, "the client waits", 30_000);
        await pause(1_200);
        await pusher.rpush("queue", "job");
        await waiting;
      });
    }

    const client = new Expecter(launcher, server);
    await test.step("prints lists as lines", async () => {
      await client.expect(["client", "list"], 0, /^(id=[0-9]+ [^\n]+\n)+$/);
      await client.expect(["client", "info"], 0, /^id=[0-9]+ [^\n]+\n$/);
      await client.expect(["client", "list", "id", "999999"], 0, "");
      await client.expect(["info", "clients"], 0, /^# Clients\r\n([^\n]+\r\n)+$/);
    });

    await test.step("prints JSON without control characters of terminals", async () => {
      await client.piped('set evil "a\\xc2\\x9b31m\\xe2\\x80\\xae\\xe2\\x80\\xa8"\n', [], 0, "OK\n");
      await client.expect(["--json", "get", "evil"], 0, '"a\\u009b31m\\u202e\\u2028"\n');
      await client.expect(
        ["--json", "nosuch\u202e"],
        1,
        /^{"error":{"code":"ERR","message":"unknown command 'nosuch[^\u202e]+"}}\n$/,
      );
    });

    await test.step("debug sleep blocks for its time, also in a transaction", async () => {
      await client.expect(["--timeout", "3s", "debug", "sleep", "3.3"], 0, "OK\n");
      await client.piped("multi\ndebug sleep 3.3\nexec\n", ["--timeout", "3s"], 0, "OK\nQUEUED\nOK\n");
    });

    await test.step("Ctrl-C ends a blocking command, the end of the server ends it with 1, and a lost server with 3", async () => {
      let role = server;
      const startWaiting = async () => {
        const words = ["client", "--addr", role.address, "--ca", launcher.certificates.authority, "blpop", "q", "0"];
        const waiting = launcher.start("client", words);
        launcher.forgive(waiting);
        const observer = await launcher.connect(role);
        const waits = async () => (await observer.client("list")).some((facts) => facts.get("flags") === "b");
        await until(waits, "the client waits", 30_000);
        return { waiting, gone: () => until(async () => !await waits(), "it is gone", 30_000) };
      };
      const interrupted = await startWaiting();
      interrupted.waiting.signal("SIGINT");
      assertEquals((await interrupted.waiting.status).signal, "SIGINT");
      await interrupted.gone();
      const refused = await startWaiting();
      await launcher.stop(role);
      assertEquals((await refused.waiting.status).code, 1);
      assertEquals(refused.waiting.lines, ["ERR the server is stopping"]);
      role = await launcher.server();
      const lost = await startWaiting();
      launcher.forgive(role.process);
      await role.process.kill();
      assertEquals((await lost.waiting.status).code, 3);
      assertMatch(lost.waiting.lines.join("\n"), /^inmem client: Lost the connection to .*may have taken effect$/);
    });
  },
);

/** Whether a program can run on a separate terminal, which `script` of util-linux creates. */
const hasTerminals = await new Deno.Command("script", { args: ["--version"], stdout: "piped", stderr: "null" }).output()
  .then(({ stdout }) => decodeText(stdout).includes("util-linux"), () => false);
if (!hasTerminals) console.log('The prompt is not tested: there is no "script" of util-linux to make a terminal');

systemTest(
  "inmem client at a prompt shows transactions, blocking commands and lists",
  { ignore: !hasTerminals },
  async (launcher) => {
    const server = await launcher.server();
    const words = ["client", "--addr", server.address, "--ca", launcher.certificates.authority, "--timeout", "900ms"];
    const command = inmemCommand(...words).map((word) => `'${word}'`).join(" ");
    const child = new Deno.Command("script", {
      args: ["--quiet", "--flush", "--return", "--command", command, "/dev/null"],
      cwd: ROOT,
      env: { NO_COLOR: "1", TERM: "xterm", XDG_STATE_HOME: launcher.path("state") },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let shown = "";
    const reading = (async () => {
      // deno-lint-ignore no-control-regex -- how an editor moves the cursor
      for await (const bytes of child.stdout) shown += decodeText(bytes).replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "");
    })();
    const writer = child.stdin.getWriter();
    let from = 0;
    /** Types text, and waits until the screen shows the expected text. */
    const type = async (text: string, expected: string) => {
      await writer.write(encodeText(text));
      const found = () => shown.indexOf(expected, from);
      await until(() => found() >= 0, `${text} leads to ${expected}`, 30_000).catch((error) => {
        throw new Error(`${error.message}:\n${shown}`);
      });
      from = found() + expected.length;
    };
    try {
      await type("", "> ");
      await type("multi\r", "OK\n");
      for (const line of ["set a 1", "lpush a x", "lrange none 0 -1", "auth secret"]) {
        await type(
          `${line}\r`,
          "QUEUED\n",
        );
      }
      await type("exec\r", "1) OK\n2) (error) WRONGTYPE ");
      await type("", "\n3) (empty array)\n4) (error) ERR AUTH <password> called without any password configured");
      await type("", "Are you sure your configuration is correct?\n");
      await type("multi\r", "OK\n");
      await type("exec\r", "(empty array)\n");
      for (const line of ["watch a", "set a 2", "multi"]) await type(`${line}\r`, "OK\n");
      await type("exec\r", "(nil)\n");
      await type(
        "hset h a\r",
        "(error) ERR wrong number of arguments for 'hset' command\nusage: hset key field value ",
      );
      await type("client list\r", "\nid=");
      await type("", "lib-ver=\n");
      await type("blpop queue 1.2\r", "(nil)\n");
      await type("blpop queue 0\r", "blpop queue 0\n");
      const observer = await launcher.connect(server);
      await until(async () => (await observer.client("list")).some((facts) => facts.get("flags") === "b"), "it waits");
      await type("\x03", "Interrupted");
      await type("ping\r", "PONG\n");
      await type("exit\r", "exit\n");
      assertEquals((await child.status).code, 0, shown);
    } finally {
      await writer.close().catch(() => {});
      try {
        child.kill("SIGKILL");
      } catch {
        // The program has already ended.
      }
      await reading;
      await child.status;
    }
  },
);

systemTest(
  "server and proxy require a password, and the client reads it from a file or the environment",
  longOnly,
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
