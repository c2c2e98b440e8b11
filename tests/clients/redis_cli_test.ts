/** Tests that redis-cli works with inmem as with redis-server: at the prompt, in pipes, and with its own modes. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { amountOf } from "../support/amount.ts";
import { type Outcome, run } from "../support/launcher.ts";
import { clientTest, type Target } from "./target.ts";
import { until } from "../support/until.ts";

const PIPED_COUNT = amountOf("PIPED", 5_000, 100_000);
/** How long to wait for output, in ms. */
const TIMEOUT_MS = 10_000;

// deno-lint-ignore no-control-regex -- that is what colours are
const COLOURS = /\x1b\[[0-9;]*m/g;

const hasAll = await has("redis-cli") && await has("script");

clientTest(
  "redis-cli",
  [
    { name: "one command a call", run: oneCommand },
    { name: "commands from a pipe, and an argument from a pipe", run: fromPipe },
    { name: "-3 shows maps, --json and --csv", run: formats },
    { name: "the prompt in a terminal", run: prompt },
    { name: "transactions at the prompt", run: promptTransaction },
    { name: "subscribing at the prompt", run: promptSubscription },
    { name: `--pipe inserts ${PIPED_COUNT} keys`, run: massInsertion },
    { name: "--scan", run: scan },
    { name: "--bigkeys and --memkeys", run: bigKeys },
    { name: "--latency", run: latency },
    { name: "--stat", run: stat },
    { name: "monitor", run: monitor },
    { name: "slowlog, latency, role and the doctors", run: diagnosis },
  ],
  "nowhere",
  hasAll ? undefined : "redis-cli or script is not on PATH",
);

async function has(program: string): Promise<boolean> {
  try {
    await new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).output();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Returns the command line of redis-cli with these words. */
function commandLine({ hostname, port, authorityPath }: Target, words: readonly string[]): string[] {
  return ["redis-cli", "--tls", "--cacert", authorityPath, "-h", hostname, "-p", String(port), ...words];
}

/** Runs redis-cli until it ends. */
function redisCli(target: Target, words: readonly string[], stdin?: string | Uint8Array): Promise<Outcome> {
  return run(commandLine(target, words), stdin === undefined ? {} : { stdin });
}

async function printed(target: Target, words: readonly string[], stdin?: string | Uint8Array): Promise<string> {
  const { code, stdout, stderr } = await redisCli(target, words, stdin);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout;
}

async function oneCommand(target: Target): Promise<void> {
  assertEquals(await printed(target, ["flushall"]), "OK\n");
  assertEquals(await printed(target, ["set", "k", "two words"]), "OK\n");
  assertEquals(await printed(target, ["get", "k"]), "two words\n");
  assertEquals(await printed(target, ["--no-raw", "get", "k"]), '"two words"\n');
  assertEquals(await printed(target, ["--no-raw", "get", "absent"]), "(nil)\n");
  assertEquals(await printed(target, ["--no-raw", "rpush", "l", "a", "b"]), "(integer) 2\n");
  assertEquals(await printed(target, ["--no-raw", "lrange", "l", "0", "-1"]), '1) "a"\n2) "b"\n');
  assertEquals(await printed(target, ["-n", "0", "-r", "3", "incr", "n"]), "1\n2\n3\n");
  const refused = await redisCli(target, ["-e", "lpush", "k", "x"]);
  assertEquals(refused.code, 1);
  assertMatch(refused.stdout + refused.stderr, /^WRONGTYPE Operation against a key/);
}

async function fromPipe(target: Target): Promise<void> {
  const lines = 'set p "a\\x00b"\nstrlen p\nnosuch\nget p\n';
  assertEquals(
    await printed(target, ["--no-raw"], lines),
    "OK\n(integer) 3\n(error) ERR unknown command 'nosuch', with args beginning with: \n\"a\\x00b\"\n",
  );
  assertEquals(await printed(target, ["-x", "set", "p"], new Uint8Array([0, 255, 10])), "OK\n");
  assertEquals(await printed(target, ["--no-raw", "get", "p"]), '"\\x00\\xff\\n"\n');
}

async function formats(target: Target): Promise<void> {
  await printed(target, ["hset", "h", "f", "1"]);
  assertEquals(await printed(target, ["-3", "--no-raw", "hgetall", "h"]), '1# "f" => "1"\n');
  assertEquals(await printed(target, ["-2", "--no-raw", "hgetall", "h"]), '1) "f"\n2) "1"\n');
  assertEquals(await printed(target, ["--json", "hgetall", "h"]), '{"f":"1"}\n');
  assertEquals(await printed(target, ["--csv", "hgetall", "h"]), '"f","1"\n');
  assertEquals(await printed(target, ["-3", "--no-raw", "hget", "h", "absent"]), "(nil)\n");
}

/** A program in a separate terminal. */
class Terminal {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #text = "";

  constructor(command: readonly string[]) {
    this.#child = new Deno.Command("script", {
      args: ["-qec", command.map((word) => `'${word}'`).join(" "), "/dev/null"],
      // The terminal has few capabilities, so that the output is plain text. The user's history is not changed.
      env: { TERM: "dumb", REDISCLI_HISTFILE: "/dev/null", REDISCLI_RCFILE: "/dev/null" },
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.#text += text.replaceAll(COLOURS, "");
    }
  }

  /** Types a line, and waits until the output matches. Returns the output since then. */
  async type(line: string, expected: RegExp): Promise<string> {
    this.#text = "";
    await this.#writer.write(new TextEncoder().encode(line));
    await this.shows(expected);
    return this.#text;
  }

  async shows(expected: RegExp): Promise<void> {
    try {
      await until(() => expected.test(this.#text), String(expected), TIMEOUT_MS);
    } catch (error) {
      throw new Error(`The terminal shows only ${JSON.stringify(this.#text)}`, { cause: error });
    }
  }

  /** Ends the program by typing; by force if it does not end. */
  async end(typed = "quit\n"): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(typed)).catch(() => {});
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), TIMEOUT_MS);
    try {
      await this.#reading;
      await this.#child.status;
    } finally {
      clearTimeout(timer);
      await this.#writer.close().catch(() => {});
    }
  }
}

/** Runs `body` with redis-cli at its prompt. */
async function withTerminal(target: Target, body: (terminal: Terminal) => Promise<void>): Promise<void> {
  const terminal = new Terminal(commandLine(target, []));
  try {
    await terminal.shows(promptOf(target));
    await body(terminal);
  } finally {
    await terminal.end();
  }
}

function promptOf({ hostname, port }: Target, state = ""): RegExp {
  return new RegExp(`${hostname}:${port}${state}> $`);
}

async function prompt(target: Target): Promise<void> {
  const ready = promptOf(target);
  await withTerminal(target, async (terminal) => {
    assert((await terminal.type('set k "it\'s"\n', ready)).includes("OK"));
    assert((await terminal.type("get k\n", ready)).includes(`"it's"`));
    assert((await terminal.type("lpush k x\n", ready)).includes("(error) WRONGTYPE"));
    assert((await terminal.type("hello 3\n", ready)).includes('# "server" => '));
    assert((await terminal.type("hgetall absent\n", ready)).includes("(empty hash)"));
    // redis-cli has got its knowledge about commands from the server.
    assert((await terminal.type("help get\n", ready)).includes("GET key"));
  });
}

async function promptTransaction(target: Target): Promise<void> {
  await withTerminal(target, async (terminal) => {
    await terminal.type("multi\n", promptOf(target, "\\(TX\\)"));
    assert((await terminal.type("set k 1\n", promptOf(target, "\\(TX\\)"))).includes("QUEUED"));
    await terminal.type("incr k\n", promptOf(target, "\\(TX\\)"));
    assertMatch(await terminal.type("exec\n", promptOf(target)), /1\) OK\r\n2\) \(integer\) 2/);
  });
}

async function promptSubscription(target: Target): Promise<void> {
  await withTerminal(target, async (terminal) => {
    await terminal.type("hello 3\n", promptOf(target));
    await terminal.type("subscribe news\n", /"subscribe"/);
    assertEquals(await printed(target, ["publish", "news", "hi"]), "1\n");
    await terminal.shows(/"message"\r\n2\) "news"\r\n3\) "hi"/);
    // Ctrl-C ends this state, and redis-cli itself.
    await terminal.type("\x03", /\^C/);
  });
}

async function massInsertion(target: Target): Promise<void> {
  await printed(target, ["flushall"]);
  let commands = "";
  for (let i = 0; i < PIPED_COUNT; i++) {
    const key = `key:${i}`;
    commands += `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$8\r\nvalue${String(i % 1000).padStart(3, "0")}\r\n`;
  }
  const output = await printed(target, ["--pipe"], commands);
  assertMatch(output, new RegExp(`errors: 0, replies: ${PIPED_COUNT}\n$`));
  assertEquals(await printed(target, ["dbsize"]), `${PIPED_COUNT}\n`);
  assertEquals(await printed(target, ["get", `key:${PIPED_COUNT - 1}`]), "value999\n");

  const wrong = await redisCli(target, ["--pipe"], "SET k v\r\nLPUSH k x\r\nNOSUCH\r\nGET k\r\n");
  assertMatch(wrong.stdout, /errors: 2, replies: 4\n$/);
}

async function scan(target: Target): Promise<void> {
  await printed(target, ["flushall"]);
  const names = Array.from({ length: 300 }, (_, i) => `name:${i}`);
  await printed(target, ["mset", "other", "v", ...names.flatMap((name) => [name, "v"])]);
  const lines = (await printed(target, ["--scan", "--pattern", "name:*"])).trimEnd().split("\n");
  assertEquals(lines.sort(), names.sort());
  assertEquals((await printed(target, ["--scan"])).trimEnd().split("\n").length, 301);
}

async function bigKeys(target: Target): Promise<void> {
  await printed(target, ["flushall"]);
  await printed(target, ["mset", "small", "v", "large", "x".repeat(1000)]);
  await printed(target, ["rpush", "list", "a", "b", "c"]);
  await printed(target, ["hset", "hash", "f", "v", "g", "w"]);
  const keys = await printed(target, ["--bigkeys"]);
  assertMatch(keys, /Biggest string found '"large"' has 1000 bytes/);
  assertMatch(keys, /Biggest\s+list found '"list"' has 3 items/);
  assertMatch(keys, /Biggest\s+hash found '"hash"' has 2 fields/);
  assertMatch(keys, /Sampled 4 keys in the keyspace!/);
  assertMatch(await printed(target, ["--memkeys"]), /Biggest string found '"large"' has [0-9]{4} bytes/);
}

async function latency(target: Target): Promise<void> {
  // The output has the minimum, maximum and average in ms, and the number of samples, after a second.
  assertMatch(await printed(target, ["--latency", "--raw", "-i", "1"]), /^[0-9]+ [0-9]+ [0-9.]+ [1-9][0-9]+\n$/);
}

async function stat(target: Target): Promise<void> {
  // Into a pipe, redis-cli would print only after some KB.
  const terminal = new Terminal(commandLine(target, ["--stat", "-i", "0.1"]));
  try {
    // The columns are keys, memory, clients, blocked clients, requests and connections.
    await terminal.shows(/\n[0-9]+ +[0-9.]+[BKMG] +[1-9][0-9]* +0 +[1-9][0-9]* \([+]?[0-9]+\) +[1-9][0-9]*/);
  } finally {
    await terminal.end("\x03");
  }
}

async function monitor(target: Target): Promise<void> {
  const terminal = new Terminal(commandLine(target, ["monitor"]));
  try {
    await terminal.shows(/OK/);
    await redisCli(target, ["auth", "a secret"]);
    await printed(target, ["set", "seen", "two words"]);
    // Moment, database and client come before the words.
    const line = (words: string) => `[0-9]{10}\\.[0-9]{6} \\[0 127\\.0\\.0\\.1:[0-9]+\\] ${words}\r\n`;
    await terminal.shows(new RegExp(line('"auth" "\\(redacted\\)"')));
    await terminal.shows(new RegExp(line('"set" "seen" "two words"')));
  } finally {
    await terminal.end("\x03");
  }
}

async function diagnosis(target: Target): Promise<void> {
  assertEquals(await printed(target, ["config", "set", "slowlog-log-slower-than", "0"]), "OK\n");
  await printed(target, ["set", "k", "a slow value"]);
  assertEquals(await printed(target, ["config", "set", "slowlog-log-slower-than", "10000"]), "OK\n");
  assertMatch(
    await printed(target, ["--no-raw", "slowlog", "get"]),
    / 4\) 1\) "set"\n +2\) "k"\n +3\) "a slow value"\n +5\) "127\.0\.0\.1:[0-9]+"\n/,
  );
  assertMatch(await printed(target, ["slowlog", "len"]), /^[1-9][0-9]*\n$/);
  assertEquals(await printed(target, ["slowlog", "reset"]), "OK\n");
  assertMatch(await printed(target, ["--no-raw", "latency", "latest"]), /^\(empty array\)\n$/);
  assertMatch(await printed(target, ["latency", "doctor"]), /\S/);
  assertMatch(await printed(target, ["memory", "doctor"]), /\S/);
  assertEquals(await printed(target, ["--no-raw", "role"]), '1) "master"\n2) (integer) 0\n3) (empty array)\n');
  assertEquals(await printed(target, ["--no-raw", "module", "list"]), "(empty array)\n");
}
