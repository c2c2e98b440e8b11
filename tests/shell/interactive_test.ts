/**
 * Tests the interactive shell as a program on a pseudo-terminal: its modes, signals and files, and the order of
 * execution. `line_editor_test.ts` tests the keys of the line editor.
 */

import { assert, assertEquals, assertFalse, assertLess, assertStringIncludes } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { encodeText } from "../../src/bytes.ts";
import { FakeServer } from "../support/fake_server.ts";
import type { FakeHandler } from "../support/fake_server.ts";
import { missingForTerminals, TerminalProgram } from "../support/terminal_program.ts";

const MAIN = fromFileUrl(new URL("../../src/main.ts", import.meta.url));
const CONFIGURATION = fromFileUrl(new URL("../../deno.json", import.meta.url));
const PROGRAM = [Deno.execPath(), "run", "--quiet", "--no-prompt", "--config", CONFIGURATION, "-P=program", MAIN];

const PASTE_MARKS_ON = "\x1b[?2004h";
const PASTE_MARKS_OFF = "\x1b[?2004l";

const answer: FakeHandler = (request, peer) => {
  const values: Record<string, () => void> = {
    auth: () => request[1] === "secret" ? peer.reply("OK") : peer.refuse("WRONGPASS", "invalid password"),
    get: () => peer.reply(encodeText(`value of ${request[1]}`)),
    count: () => peer.reply(request.length),
    size: () => peer.reply(encodeText(request[1] ?? "").length),
    set: () => peer.reply("OK"),
    incr: () => peer.refuse("ERR", "value is not an integer"),
    blpop: () => {},
    multi: () => peer.reply("OK"),
    drop: () => {
      peer.reply("OK");
      setTimeout(() => void peer.close(), 0);
    },
    discard: () => peer.reply("OK"),
    keys: () => peer.reply(Array.from({ length: 100 }, (_, i) => encodeText(`\x1b[31mkey ${i}`))),
    scan: () => peer.reply([encodeText("0"), [encodeText("evil\x1b[2J"), encodeText("evil\nb")]]),
    late: () => setTimeout(() => peer.reply("LATE"), 200),
  };
  (values[request[0]!] ?? (() => peer.refuse("ERR", `unknown command '${request[0]}'`)))();
};

interface Rig {
  readonly terminal: TerminalProgram;
  readonly server: FakeServer;
  readonly prompt: string;
  readonly historyPath: string;
  /** Returns the user and system time that the client has used, in seconds. */
  cpuSeconds(): Promise<number>;
}

const missing = await missingForTerminals();

/** Runs a test with a client on a terminal, after its first prompt. */
function terminalTest(
  name: string,
  run: (rig: Rig) => Promise<void>,
  env: Record<string, string> = {},
  pager: "auto" | "never" = "never",
): void {
  const suffix = missing === undefined ? "" : ` (left out: ${missing})`;
  Deno.test({ name: `inmem client on a terminal ${name}${suffix}`, ignore: missing !== undefined }, async () => {
    await using server = new FakeServer(answer);
    const state = await Deno.makeTempDir({ prefix: "inmem-shell-" });
    const terminal = await TerminalProgram.start({
      INMEM_PASSWORD: "secret",
      NO_COLOR: "1",
      XDG_STATE_HOME: state,
      ...env,
    });
    const words = [...PROGRAM, "client", "--addr", `127.0.0.1:${server.port}`, "--plaintext", "--pager", pager];
    const pidPath = join(state, "pid");
    await Deno.writeTextFile(
      join(state, "client"),
      `echo $$ > '${pidPath}'\nexec ${words.map((word) => `'${word}'`).join(" ")}\n`,
    );
    const prompt = `127.0.0.1:${server.port}> `;
    async function cpuSeconds(): Promise<number> {
      const pid = (await Deno.readTextFile(pidPath)).trim();
      const { stdout } = await new Deno.Command("cat", { args: [`/proc/${pid}/stat`] }).output();
      const fields = new TextDecoder().decode(stdout).replace(/^.*\) /, "").split(" ");
      // The unit is a hundredth of a second.
      return (Number(fields[11]) + Number(fields[12])) / 100;
    }
    try {
      await terminal.type(`sh ${state}/client\r`);
      await terminal.see(prompt);
      await run({ terminal, server, prompt, historyPath: join(state, "inmem", "history"), cpuSeconds });
    } finally {
      await terminal.end();
      await Deno.remove(state, { recursive: true });
    }
  });
}

terminalTest("edits, completes and remembers", async ({ terminal, prompt, historyPath }) => {
  await terminal.type("get ac\x1b[Db\x01\x1b[3~G\x05\x7f\r");
  await terminal.see("unknown command 'Get'");
  await terminal.seeLine(prompt.trimEnd());
  await terminal.type("\x15auth hunter2\r");
  await terminal.see("(error) WRONGPASS");
  await terminal.type('config set requirepass hunter2\r"\\x61uth" hunter2\r');
  await terminal.see("unknown command 'config'");
  await terminal.see("(error) WRONGPASS");
  await terminal.seeLine(prompt.trimEnd());
  await terminal.type("hgeta\t");
  await terminal.seeLine(`${prompt}hgetall`);
  await terminal.type("\x03");
  await terminal.see("^C");
  // The terminal does not mark pasted text, so lines run one after another.
  await terminal.type("get 日本\nset x 1\nincr x\n");
  await terminal.see('"value of 日本"');
  await terminal.see("OK");
  await terminal.see("(error) ERR value is not an integer");
  await terminal.seeLine(prompt.trimEnd());
  await terminal.type("\x1b[A\x1b[A\x1b[A\r");
  await terminal.see('"value of 日本"');
  await terminal.seeLine(prompt.trimEnd());
  await terminal.type("\x12x");
  await terminal.seeLine("(reverse-search `x`) incr x");
  await terminal.type("\x12");
  await terminal.seeLine("(reverse-search `x`) set x 1");
  await terminal.type("\r");
  await terminal.see("OK");
  await terminal.seeLine(prompt.trimEnd());
  await terminal.type("typed\x01\x1b[A");
  await terminal.seeLine(`${prompt}set x 1`);
  await terminal.type("\x1b[B");
  await terminal.seeLine(`${prompt}typed`);
  await terminal.type("\x05\x15exit\r");
  await terminal.see(PASTE_MARKS_OFF);
  await terminal.seeShell();
  await terminal.type("stty -a\r");
  await terminal.see(" icanon");
  const history = await Deno.readTextFile(historyPath);
  assertFalse(history.includes("hunter2"));
  assertStringIncludes(history, "set x 1\nincr x\nget 日本\nset x 1\nexit\n");
  assertEquals((await Deno.stat(historyPath)).mode! & 0o777, 0o600);
});

terminalTest("runs pasted lines at Enter, and treats U+2028 in them as text", async ({ terminal, server, prompt }) => {
  await terminal.type("\x1b[200~count a\u2028flushall\r\nget b\rget c\r\x1b[201~");
  await terminal.expect(() => terminal.screen.lines.includes("get c"), "the last line");
  // The client begins with a request that finds out whether a password is needed.
  const begun = server.requests.length;
  assertEquals(server.requests, [["auth", "secret"], ["echo", ""]]);
  await terminal.type("\r");
  await terminal.see("(integer) 2");
  await terminal.seeText(`${prompt}get b\n"value of b"\n${prompt}get c\n"value of c"\n`);
  assertEquals(server.requests.slice(begun), [["count", "a\u2028flushall"], ["get", "b"], ["get", "c"]]);
  // The text is typed rather than pasted.
  await terminal.type("count a\u2029flushall\r");
  await terminal.see("(integer) 2");
  // Bytes that are not UTF-8 reach the server unchanged: they are two bytes, not two times three.
  await terminal.type(Uint8Array.of(...encodeText("size '"), 0xe9, 0xff, ...encodeText("'\r")));
  await terminal.see("\\xe9\\xff");
  await terminal.seeLine(prompt.trimEnd());
  // The lines after the interrupted one are dropped.
  await terminal.type("\x1b[200~blpop q 0\nflushall\n\x1b[201~\r");
  await terminal.expect(() => server.requests.at(-1)?.[0] === "blpop", "the request");
  await terminal.type("\x03");
  await terminal.see("Interrupted");
  await terminal.type("get d\r");
  await terminal.see('"value of d"');
  assertFalse(server.requests.some(([name]) => name === "flushall"));
});

terminalTest("accepts a paste of 100 kB in one read", async ({ terminal, prompt, cpuSeconds }) => {
  for (const [begin, end] of [["\x1b[200~", "\x1b[201~"], ["", ""]]) {
    for (const text of ["y".repeat(100_000), "日".repeat(33_000)]) {
      const before = await cpuSeconds();
      await terminal.type(`${begin}size ${text}${end}\r`);
      await terminal.see(`(integer) ${encodeText(text).length}`);
      // Work for the whole line at each character took 7 s for 4 kB.
      assertLess(await cpuSeconds() - before, 1);
      await terminal.seeLine(prompt.trimEnd());
    }
  }
  // Ctrl-C within the text takes effect immediately.
  const before = await cpuSeconds();
  await terminal.type(`\x1b[200~set big ${"y".repeat(100_000)}`);
  await terminal.type("\x03");
  await terminal.see("^C");
  assertLess(await cpuSeconds() - before, 1);
  await terminal.type("\x1b[201~get e\r");
  await terminal.see('"value of e"');
});

terminalTest("stops at Ctrl-Z, continues, follows the width, and restores the terminal", async (rig) => {
  const { terminal, prompt } = rig;
  await terminal.type("get half");
  await terminal.seeLine(`${prompt}get half`);
  await terminal.type("\x1a");
  await terminal.see(PASTE_MARKS_OFF);
  await terminal.see("Stopped");
  await terminal.seeShell();
  await terminal.type("stty -a\r");
  await terminal.see(" icanon");
  await terminal.type("fg\r");
  await terminal.see(PASTE_MARKS_ON);
  await terminal.seeLine(`${prompt}get half`);
  await terminal.type(" more\r");
  await terminal.see('"value of half"');
  await terminal.seeLine(prompt.trimEnd());
  await terminal.resize(20);
  await terminal.see(prompt);
  await terminal.type("help\r");
  // The screen of the test keeps its width. Lines that break at blanks are shorter than that of the terminal.
  const help = await terminal.see(prompt);
  for (const line of help.split("\r\n").slice(1)) {
    // deno-lint-ignore no-control-regex
    const text = line.replace(/\x1b\[[0-9;?]*[A-Za-z]|\r/g, "");
    assert(text.length < 20 || !text.trim().includes(" "), JSON.stringify(line));
  }
  await terminal.type("\x04");
  await terminal.see(PASTE_MARKS_OFF);
  await terminal.seeShell();
  await terminal.type("stty -a\r");
  await terminal.see(" icanon");
});

terminalTest("sends no control sequences to a dumb one", async ({ terminal, server, prompt }) => {
  await terminal.type("get x\r");
  await terminal.see('"value of x"');
  await terminal.see(prompt);
  await terminal.type("get\u2028y\r");
  await terminal.see("unknown command 'get\\xe2\\x80\\xa8y'");
  await terminal.see(prompt);
  await terminal.type("half\x03");
  await terminal.see(prompt);
  await terminal.type("blpop q 0\r");
  await terminal.expect(() => server.requests.at(-1)?.[0] === "blpop", "the request");
  await terminal.type("\x03");
  await terminal.see("Interrupted");
  await terminal.see(prompt);
  await terminal.type("half\x1a");
  await terminal.see("Stopped");
  await terminal.see("$ ");
  await terminal.type("fg\r");
  await terminal.see(prompt);
  // Lines that were sent before the end run first, and nothing is printed after it.
  await terminal.type("clear\rlate\rget y\rget z\r\x04");
  const seen = await terminal.see("$ ");
  assertFalse(seen.includes("\x1b"));
  assertFalse(seen.includes("Cannot"), seen);
  for (const text of ["LATE", '"value of y"', '"value of z"']) assertStringIncludes(seen, text);
}, { TERM: "dumb" });

terminalTest("reports once that the history cannot be stored", async ({ terminal, prompt }) => {
  await terminal.type("get x\r");
  const seen = await terminal.see(prompt);
  assertStringIncludes(seen, 'Cannot keep the history in "/proc/inmem/history": ');
  await terminal.type("get y\r");
  assertFalse((await terminal.see('"value of y"')).includes("Cannot"));
  await terminal.seeLine(prompt.trimEnd());
  await terminal.type("\x1b[A\x1b[A");
  await terminal.seeLine(`${prompt}get x`);
}, { XDG_STATE_HOME: "/proc" });

terminalTest(
  "shows hints, colours and pages, and completes names of keys",
  async ({ terminal, server, prompt }) => {
    await terminal.type("get ");
    await terminal.seeLine(`${prompt}get key`);
    assertEquals(terminal.screen.colouredLines[terminal.screen.cursor.row]!.trim(), "key");
    await terminal.type("x\r");
    await terminal.see('"value of x"');
    await terminal.seeText(`${prompt}get x\n`);
    await terminal.type("incr x\r");
    await terminal.see("\x1b[31m(error) ERR value is not an integer\x1b[0m");
    await terminal.seeLine(prompt.trimEnd());
    // Names of keys are shown in the form in which they can be typed.
    await terminal.type("get ev");
    await terminal.seeLine(`${prompt}get ev`);
    await terminal.type("\t");
    await terminal.seeLine(`${prompt}get "evil`);
    await terminal.type("\t");
    await terminal.seeText(String.raw`"evil\nb"      "evil\x1b[2J"`);
    await terminal.type(String.raw`\n`);
    await terminal.type("\x05\x15");
    await terminal.seeLine(prompt.trimEnd());
    // In a transaction the server is not asked, and the prompt shows it.
    await terminal.type("multi\r");
    await terminal.seeLine(`${prompt.slice(0, -2)} (tx)>`);
    const scans = server.requests.filter(([name]) => name === "scan").length;
    await terminal.type("get e");
    await terminal.type("\t");
    await terminal.type("\x15discard\r");
    await terminal.seeLine(prompt.trimEnd());
    assertEquals(server.requests.filter(([name]) => name === "scan").length, scans);
    // A transaction ends with its connection, and no command of it runs by itself.
    await terminal.type("multi\r");
    await terminal.seeLine(`${prompt.slice(0, -2)} (tx)>`);
    await terminal.type("drop\r");
    // The client does not show that the connection is lost before there is a key.
    await terminal.expect(() => server.requests.at(-1)?.[0] === "drop", "the request");
    const line = () => terminal.screen.lines[terminal.screen.cursor.row]!;
    await terminal.expect(() => line().endsWith("(tx)>") || line() === prompt.trimEnd(), "the prompt after it");
    for (let isSeen = false; !isSeen;) {
      await terminal.type("x");
      await terminal.expect(() => line().endsWith("> x"), "a prompt");
      isSeen = line() === `${prompt}x`;
      await terminal.type("\x7f");
      await terminal.expect(() => line().endsWith(">"), "an empty prompt");
    }
    await terminal.type("set lost 1\r");
    await terminal.see("and the transaction with it");
    assertFalse(server.requests.some(([name, key]) => name === "set" && key === "lost"));
    await terminal.seeLine(prompt.trimEnd());
    // A quote may have several lines.
    await terminal.type('size "one\r');
    await terminal.seeLine("…> a quote is open; Ctrl-C drops the command");
    await terminal.type('two"\r');
    await terminal.see("(integer) 7");
    await terminal.type("size 'one\r");
    await terminal.seeLine("…> a quote is open; Ctrl-C drops the command");
    // Ctrl-D ends only the statement.
    await terminal.type("\x04");
    await terminal.seeLine(prompt.trimEnd());
    await terminal.type("size 'one\r");
    await terminal.seeLine("…> a quote is open; Ctrl-C drops the command");
    await terminal.type("\x03");
    await terminal.seeLine(prompt.trimEnd());
    await terminal.type("? gte\r");
    await terminal.see('No help for "gte"\r');
    await terminal.see('did you mean "get"');
    await terminal.type("# comment\r2 count\r");
    await terminal.see("(integer) 1");
    await terminal.see("(integer) 1");
    // Lines that were typed ahead are not taken by a pager.
    await terminal.type("\x1b[200~keys *\nget y\n\x1b[201~\r");
    await terminal.see("(100 keys, ");
    await terminal.see('"value of y"');
    await terminal.seeLine(prompt.trimEnd());
    await terminal.type("keys *\r");
    await terminal.see("Space: next page");
    assertFalse(terminal.screen.lines.some((line) => line.includes("key 23")));
    await terminal.type(" ");
    await terminal.seeText("key 30");
    await terminal.type("q");
    await terminal.seeLine(prompt.trimEnd());
    await terminal.type("get z\r");
    await terminal.see('"value of z"');
    await terminal.seeText(`${prompt}get z\n"value of z"`);
  },
  { NO_COLOR: "" },
  "auto",
);
