/**
 * Tests the live tools as a program: in pipes and on a terminal, ended by signals and by the reader of their output.
 * `listen_test.ts` and `modes_test.ts` test what they show.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { encodeText } from "../../../src/bytes.ts";
import { columnsOf } from "../../../src/shell/live/columns.ts";
import { FakeServer } from "../../support/fake_server.ts";
import type { FakeHandler } from "../../support/fake_server.ts";
import { missingForTerminals, TerminalProgram } from "../../support/terminal_program.ts";
import { until } from "../../support/until.ts";

const MAIN = fromFileUrl(new URL("../../../src/main.ts", import.meta.url));
const CONFIGURATION = fromFileUrl(new URL("../../../deno.json", import.meta.url));
const PROGRAM = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--config", CONFIGURATION, "-P=program", MAIN];

const SERVERS = [1, 2].map((number) => {
  return `server${number - 1}:addr=cache${number}.example:9443,state=${number === 1 ? "up" : "down"},weight=1,` +
    `slots=8192,slots_percent=50.00,slots_lent=0,connections=1,ops_per_sec=7,failures=0,` +
    (number === 1 ? "keys=12,used_memory=4096,census_age_ms=0" : "reason=nobody listens there");
});

/** A server and a proxy in one, whose channels have a message each, and whose `scan` never ends. */
const answer: FakeHandler = (request, peer) => {
  const values: Record<string, () => void> = {
    ping: () => peer.reply("PONG"),
    get: () => peer.reply(encodeText("value")),
    info: () => peer.reply(encodeText(`cluster_servers:2\r\n${SERVERS.join("\r\n")}\r\ndb0:keys=12\r\n`)),
    subscribe: () => {
      const confirmation = ["subscribe", request[1]!, 1].map((item) =>
        typeof item === "string" ? encodeText(item) : item
      );
      peer.reply(confirmation);
      peer.reply(["message", request[1]!, "hello\x1b[31m"].map(encodeText));
    },
    scan: () => peer.reply([encodeText("1"), [encodeText("key")]]),
    type: () => peer.reply("string"),
    strlen: () => peer.reply(3),
    size: () => peer.reply(1_000_000_000),
  };
  (values[request[0]!] ?? (() => peer.refuse("ERR", `unknown command '${request[0]}'`)))();
};

/** Runs the client until its output contains a text, then ends it by a signal or by closing the pipe. */
async function end(
  server: FakeServer,
  words: readonly string[],
  text: string,
  by: Deno.Signal | "close" | undefined,
  input = "",
): Promise<{ code: number; output: string; errors: string }> {
  const [command = "", ...args] = PROGRAM;
  const child = new Deno.Command(command, {
    args: [...args, "client", "--addr", `127.0.0.1:${server.port}`, "--plaintext", ...words],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(encodeText(input));
  await writer.close();
  const errors = new Response(child.stderr).text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let output = "";
  for (;;) {
    const { value, done } = await reader.read();
    output += value ?? "";
    if (done) break;
    if (by === undefined || !output.includes(text)) continue;
    if (by === "close") {
      await reader.cancel();
      break;
    }
    child.kill(by);
    by = undefined;
  }
  return { code: (await child.status).code, output, errors: await errors };
}

Deno.test({
  name: "Ctrl-C ends a tool that goes on with 0, and one that is not done with 130",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using server = new FakeServer(answer);
    for (
      const [words, text, signal, code] of [
        [["subscribe", "a"], "hello", "SIGINT", 0],
        [["subscribe", "a"], "hello", "SIGTERM", 143],
        [["cluster", "--watch"], "total", "SIGINT", 0],
        [["--stat"], "12", "SIGINT", 0],
        [["--latency", "-i", "0.1"], "p50", "SIGINT", 0],
        [["--scan"], "key\n", "SIGINT", 130],
        [["--scan"], "key\n", "SIGHUP", 129],
      ] as const
    ) {
      const result = await end(server, words, text, signal);
      assertEquals([result.code, result.errors], [code, ""], words.join(" "));
    }
  },
});

Deno.test("a tool ends quietly when the reader of its output has gone", async () => {
  await using server = new FakeServer(answer);
  for (const [words, text] of [[["--scan"], "key\n"], [["--stat", "-i", "0.1"], "12"]] as const) {
    const { code, errors } = await end(server, words, text, "close");
    assertEquals([code, errors], [0, ""], words.join(" "));
  }
});

Deno.test({
  name: "messages follow the lines before the command in a pipe, and a refusal or a loss has its exit status",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    await using server = new FakeServer(answer);
    const lines = "get a\nsubscribe b\nget c\n";
    assertEquals(await end(server, [], "hello", "SIGINT", lines), {
      code: 0,
      output: "value\nb\thello\x1b[31m\n",
      errors: "",
    });
    assertEquals(server.requests.map(([command]) => command), ["get", "subscribe"]);
    const refused = await end(server, ["psubscribe", "a*"], "", undefined);
    assertEquals([refused.code, refused.output], [1, ""]);
    assertMatch(refused.errors, /^ERR unknown command 'psubscribe'/);
    await using gone = new FakeServer((request, peer) => {
      answer(request, peer);
      peer.close();
    });
    const lost = await end(gone, ["--json", "subscribe", "a"], "", undefined);
    assertEquals([lost.code, lost.output], [3, '{"channel":"a","message":"hello\\u001b[31m"}\n']);
    assertMatch(lost.errors, /^inmem client: Lost the connection to 127\.0\.0\.1:[0-9]+: the server ended it\n$/);
  },
});

const missing = await missingForTerminals();
const suffix = missing === undefined ? "" : ` (left out: ${missing})`;

/** Runs a test on a terminal with a shell, in which `client` is the program. */
async function onTerminal(
  columns: number,
  env: Record<string, string>,
  run: (terminal: TerminalProgram, server: FakeServer) => Promise<void>,
): Promise<void> {
  await using server = new FakeServer(answer);
  const state = await Deno.makeTempDir({ prefix: "inmem-live-" });
  const terminal = await TerminalProgram.start({ XDG_STATE_HOME: state, NO_COLOR: "1", ...env }, columns);
  const words = [...PROGRAM, "client", "--addr", `127.0.0.1:${server.port}`, "--plaintext"];
  await Deno.writeTextFile(`${state}/client`, `exec ${words.map((word) => `'${word}'`).join(" ")} "$@"\n`);
  try {
    await terminal.type(`client() { sh '${state}/client' "$@"; }; clear\r`);
    // A dumb terminal has no way to clear its screen.
    if (env.TERM === undefined) await terminal.expect(() => terminal.screen.lines[0] === "$", "an empty screen");
    else await terminal.seeShell();
    await run(terminal, server);
  } finally {
    await terminal.end();
    await Deno.remove(state, { recursive: true });
  }
}

Deno.test(
  { name: `the tools fit a terminal of 20, 80 and 200 columns${suffix}`, ignore: missing !== undefined },
  async () => {
    for (const columns of [20, 80, 200]) {
      await onTerminal(columns, {}, async (terminal) => {
        await terminal.type("client cluster --watch\r");
        await terminal.expect(() => terminal.screen.lines.some((line) => line.startsWith("total")), "the table");
        const { lines } = terminal.screen;
        const heading = lines.findIndex((line) => line.startsWith("server"));
        assert(lines[heading]!.includes("state"));
        assertEquals(lines[heading]!.includes("connections"), columns === 200);
        const rows = lines.slice(heading + 1, heading + 3);
        assertMatch(rows[0]!, /^cache1.*9443 +up\b/);
        assertMatch(rows[1]!, /^cache2.*9443 +down\b/);
        await terminal.type("\x03");
        await terminal.seeShell();
        assert(!terminal.screen.text.includes("^C"));
        await terminal.type("clear; client --latency\r");
        await terminal.expect(() => terminal.screen.text.includes("p99 ms"), "the figures");
        await terminal.type("\x03");
        await terminal.seeShell();
        for (const line of terminal.screen.text.split("\n")) assert(columnsOf(line) <= columns);
        await terminal.type("echo $?\r");
        await terminal.seeText("\n0\n$");
      });
    }
  },
);

Deno.test({ name: `a dumb terminal gets no control sequences${suffix}`, ignore: missing !== undefined }, async () => {
  await onTerminal(80, { TERM: "dumb" }, async (terminal) => {
    terminal.written = "";
    await terminal.type("client cluster --watch 0.1\r");
    await terminal.expect(() => terminal.written.split("total").length > 3, "three tables");
    await terminal.type("\x03");
    await terminal.seeShell();
    // Bash itself marks pasted text.
    // deno-lint-ignore no-control-regex
    assert(!terminal.written.replaceAll(/\x1b\[\?2004[hl]/g, "").includes("\x1b"), JSON.stringify(terminal.written));
    await terminal.type("client subscribe a\r");
    await terminal.see('"a" "hello\\x1b[31m"');
    await terminal.type("\x03");
    await terminal.see("(1 message)");
  });
});

Deno.test({
  name: `the prompt listens until Ctrl-C, and its connection is as before${suffix}`,
  ignore: missing !== undefined,
}, async () => {
  await onTerminal(80, {}, async (terminal, server) => {
    const prompt = `127.0.0.1:${server.port}>`;
    await terminal.type("client\r");
    await terminal.seeLine(prompt);
    await terminal.type("subscribe a\r");
    await terminal.seeText('Subscribed to "a". Ctrl-C ends.\n"a" "hello\\x1b[31m"');
    await terminal.type("\x03");
    await terminal.seeLine(prompt);
    await terminal.seeText("(1 message)");
    await terminal.type("cluster --watch\r");
    await terminal.seeText("total");
    await terminal.type("\x03");
    await terminal.seeLine(prompt);
    await terminal.type("get a\r");
    await terminal.seeText('"value"');
    // The prompt has one native connection from its beginning to its end.
    await until(() => server.requests.at(-1)?.[0] === "get", "the request");
    await terminal.type("psubscribe b\r");
    await terminal.seeText("unknown command 'psubscribe'");
    await terminal.seeLine(prompt);
  });
});
