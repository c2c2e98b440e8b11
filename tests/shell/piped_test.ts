import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { connectionSettings } from "../../src/client/client.ts";
import type { Value } from "../../src/client/client.ts";
import { ConnectionError, ReplyError } from "../../src/errors.ts";
import { LINE_SIZE_MAX_BYTES, PIPED_ADVICE_MAX_COUNT } from "../../src/limits.ts";
import { formatReply } from "../../src/shell/format.ts";
import type { Sink } from "../../src/terminal/output.ts";
import { type PipedOptions, runPiped } from "../../src/shell/piped.ts";
import { Status } from "../../src/target/exit_status.ts";
import { FakeServer } from "../support/fake_server.ts";
import type { FakeHandler } from "../support/fake_server.ts";
import { pause } from "../support/pause.ts";

/** Collects the written bytes. It fails after `limitBytes`, as a pipe does after its reader has gone. */
class Collector implements Sink {
  text = "";
  readonly #limitBytes: number;

  constructor(limitBytes = Infinity) {
    this.#limitBytes = limitBytes;
  }

  write(source: Uint8Array): Promise<number> {
    if (this.text.length >= this.#limitBytes) return Promise.reject(new Deno.errors.BrokenPipe("gone"));
    // It accepts one byte less than requested, so that the writer has to continue with the rest.
    const taken = source.length > 1 ? source.subarray(0, -1) : source;
    this.text += decodeText(taken);
    return Promise.resolve(taken.length);
  }
}

/** Fails the test of lines that do not listen. */
function listen(): Promise<number> {
  throw new Error("No command listens");
}

interface Run {
  status: number;
  output: string;
  errors: string;
  requests: string[][];
}

async function runLines(
  input: AsyncIterable<Uint8Array> | string,
  handler: FakeHandler,
  { format = "raw", limitBytes, ...options }: Partial<PipedOptions> & { limitBytes?: number } = {},
): Promise<Run> {
  await using server = new FakeServer(handler);
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const output = new Collector(limitBytes);
  const errors = new Collector();
  const chunks = typeof input === "string" ? ReadableStream.from([encodeText(input)]) : input;
  const status = await runPiped(settings, { input: chunks, output, errors }, { format, listen, ...options });
  return { status, output: output.text, errors: errors.text, requests: server.requests };
}

function answer(request: string[], peer: Parameters<FakeHandler>[1]): void {
  if (request[0] === "bad") peer.refuse("ERR", "no such thing");
  else if (request[0] === "cut") peer.close();
  else peer.reply(encodeText(request.slice(1).join(" ")));
}

Deno.test("runPiped() writes replies in the order of the lines", async () => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `echo ${index}\n`).join("");
  const { status, output, requests } = await runLines(lines, answer);
  assertEquals(status, Status.Done);
  assertEquals(output, lines.replaceAll("echo ", ""));
  assertEquals(requests.length, 20_000);
});

Deno.test("runPiped() continues after an error reply and after a line that cannot be read", async () => {
  const { status, output, errors } = await runLines('echo 1\nbad\n\necho "x\necho 2', answer);
  assertEquals(status, Status.Refused);
  assertEquals(output, "1\n2\n");
  assertEquals(errors.split("\n")[0], "line 2: ERR no such thing");
  assertMatch(errors, /^line 4: ERR Cannot read the line: .* never closed$/m);
});

Deno.test("runPiped() writes error replies among the other replies in JSON", async () => {
  const { output, errors } = await runLines("echo 1\nbad\necho 2\n", answer, { format: "json" });
  assertEquals(output, '"1"\n{"error":{"code":"ERR","message":"no such thing"}}\n"2"\n');
  assertEquals(errors, "");
});

/** Replies as a server does to the lines of a transaction. */
function transact([name]: string[], peer: Parameters<FakeHandler>[1]): void {
  if (name === "exec") peer.reply([[0, "OK"], [1, "WRONGTYPE", "wrong kind?"], [0, encodeText("a")], [1, "ERR", "no"]]);
  else peer.reply(name === "multi" ? "OK" : "QUEUED");
}

Deno.test("runPiped() shows the replies of exec, and counts error replies in it", async () => {
  const lines = "multi\nset a 1\nincr l\nget a\nnone\nexec\nset b 1\n";
  const begin = "OK\nQUEUED\nQUEUED\nQUEUED\nQUEUED\n";
  const raw = await runLines(lines, transact);
  assertEquals([raw.status, raw.output], [Status.Refused, `${begin}OK\n\na\n\nQUEUED\n`]);
  assertEquals(raw.errors, "line 6, reply 2: WRONGTYPE wrong kind?\nline 6, reply 4: ERR no\n");
  const json = await runLines(lines, transact, { format: "json" });
  assertEquals([json.status, json.errors], [Status.Refused, ""]);
  assertEquals(JSON.parse(json.output.split("\n")[5]!), [
    "OK",
    { error: { code: "WRONGTYPE", message: "wrong kind?" } },
    "a",
    { error: { code: "ERR", message: "no" } },
  ]);
  const human = await runLines(lines, transact, { format: "human" });
  assertEquals([human.status, human.errors], [Status.Refused, ""]);
  assertStringIncludes(human.output, '1) OK\n2) (error) WRONGTYPE wrong kind?\n3) "a"\n4) (error) ERR no\n');
});

Deno.test("runPiped() treats an exec without errors, an empty one and one that was not run as done", async () => {
  for (const [reply, shown] of [[[[0, 1]], "1\n"], [[], ""], [null, "\n"]] as const) {
    const { status, output } = await runLines("exec\n", (_request, peer) => peer.reply(reply as unknown as Value));
    assertEquals([status, output], [Status.Done, shown]);
  }
});

Deno.test("runPiped() shows text in lines", async () => {
  const handler: FakeHandler = (request, peer) => {
    peer.reply(encodeText(request[0] === "get" ? "a\n" : request[0] === "info" ? "a:1\r\n" : "id=1\nid=2\n"));
  };
  const { output } = await runLines("client list\nget a\ninfo\n", handler);
  assertEquals(output, "id=1\nid=2\na\n\na:1\r\n");
});

Deno.test("runPiped() names the line that is too long", async () => {
  async function* input(): AsyncGenerator<Uint8Array> {
    yield encodeText("echo 1\n\n");
    await Promise.resolve();
    const part = new Uint8Array(LINE_SIZE_MAX_BYTES / 2).fill(0x78);
    for (let i = 0; i < 3; i++) yield part;
  }
  const { status, output, errors } = await runLines(input(), answer);
  assertEquals([status, output], [Status.Usage, "1\n"]);
  assertMatch(errors, /^inmem client: line 3: Cannot read a line of [0-9]+ bytes: expected at most [0-9]+\n$/);
});

Deno.test("runPiped() keeps the order of lines that it handles itself", async () => {
  const { output, requests } = await runLines("echo 1\nhelp ping\nclear\necho 2\nquit\necho 3\n", answer);
  assertMatch(output, /^1\nping \[text\]\n(.*\n)+2\n$/);
  assertEquals(requests.length, 2);
});

Deno.test("runPiped() writes the replies to lines that it read before its input failed", async () => {
  async function* input(): AsyncGenerator<Uint8Array> {
    yield encodeText("echo 1\necho 2\n");
    await Promise.resolve();
    throw Object.assign(new Deno.errors.IsADirectory("Is a directory (os error 21)"), { code: "EISDIR" });
  }
  const { status, output, errors } = await runLines(input(), answer);
  assertEquals([status, output], [Status.Usage, "1\n2\n"]);
  assertEquals(errors, "inmem client: Cannot read standard input: Is a directory (os error 21)\n");
});

Deno.test("runPiped() rejects with a bug of its input, and does not report it as a system error", async () => {
  // deno-lint-ignore require-yield -- it fails before the first line
  async function* input(): AsyncGenerator<Uint8Array> {
    await Promise.resolve();
    throw new TypeError("a bug");
  }
  await assertRejects(() => runLines(input(), answer), TypeError, "a bug");
});

Deno.test("runPiped() keeps few large replies in flight", async () => {
  const value = new Uint8Array(1024 * 1024).fill(0x78);
  let askedCount = 0;
  let mostAhead = 0;
  let writtenBytes = 0;
  await using server = new FakeServer((_request, peer) => {
    askedCount++;
    mostAhead = Math.max(mostAhead, askedCount - Math.floor(writtenBytes / value.length));
    peer.reply(value);
  });
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const output: Sink = {
    write(source) {
      writtenBytes += source.length;
      return Promise.resolve(source.length);
    },
  };
  const input = ReadableStream.from([encodeText("get big\n".repeat(100))]);
  assertEquals(await runPiped(settings, { input, output, errors: output }, { format: "raw", listen }), Status.Done);
  assertEquals([askedCount, writtenBytes], [100, 100 * (value.length + 1)]);
  assert(mostAhead <= 20, `${mostAhead} replies of a megabyte were asked for and not written`);
});

Deno.test("runPiped() stops when the connection is lost, and reports what is unknown", async () => {
  const { status, output, errors, requests } = await runLines("echo 1\ncut\necho 2\n", answer);
  assertEquals(status, Status.NoConnection);
  assertEquals(output, "1\n");
  assertMatch(errors, /^inmem client: line 2: Lost the connection .*it may have taken effect/);
  assert(requests.filter(([name]) => name === "cut").length === 1);
});

Deno.test("runPiped() ends when the connection is lost although its input stays silent", async () => {
  let input: ReadableStreamDefaultController<Uint8Array>;
  const silent = new ReadableStream<Uint8Array>({
    start(controller) {
      input = controller;
      controller.enqueue(encodeText("echo 1\ncut\n"));
    },
  });
  const { status, output } = await runLines(silent, answer);
  assertEquals([status, output], [Status.NoConnection, "1\n"]);
  input!.close();
});

Deno.test("runPiped() writes a reply before more input has arrived", async () => {
  const first = Promise.withResolvers<void>();
  async function* input(): AsyncGenerator<Uint8Array> {
    yield encodeText("echo 1\n");
    await first.promise;
    yield encodeText("echo 2\n");
  }
  await using server = new FakeServer(answer);
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const written: string[] = [];
  const output: Sink = {
    write(source) {
      written.push(decodeText(source));
      first.resolve();
      return Promise.resolve(source.length);
    },
  };
  assertEquals(
    await runPiped(settings, { input: input(), output, errors: output }, { format: "raw", listen }),
    Status.Done,
  );
  assertEquals(written, ["1\n", "2\n"]);
});

Deno.test("runPiped() ends quietly when the reader of its output goes away", async () => {
  async function* input(): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield encodeText("echo 1\n".repeat(1000));
      await pause(0);
    }
  }
  const { status, output, errors } = await runLines(input(), answer, { limitBytes: 10 });
  assertEquals(status, Status.Done);
  assertEquals(errors, "");
  assertStringIncludes(output, "1\n1\n");
});

Deno.test("runPiped() writes one line of JSON for help, too", async () => {
  const { status, output } = await runLines("help get\nhelp\nhelp nope\necho a\n", answer, { format: "json" });
  assertEquals(status, Status.Refused);
  const lines = output.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals(lines.length, 4);
  assertMatch(lines[0], /^get key\n/);
  assertMatch(lines[1], /^Strings /);
  assertEquals(lines.slice(2), [{ error: { code: "ERR", message: 'No help for "nope"' } }, "a"]);
});

Deno.test("runPiped() skips comments, whose lines count", async () => {
  const lines = "# echo 0\necho 1\n \t#echo 2\n#\n# it's \"not closed\necho '#' #x\nbad\n";
  const { status, output, errors, requests } = await runLines(lines, answer);
  assertEquals([status, output], [Status.Refused, "1\n# #x\n"]);
  assertEquals(errors, "line 7: ERR no such thing\n");
  assertEquals(requests.map(([name]) => name), ["echo", "echo", "bad"]);
});

Deno.test("runPiped() with stopOnError runs nothing after the first line that is refused", async () => {
  const inExec: FakeHandler = (request, peer) =>
    request[0] === "exec" ? transact(request, peer) : answer(request, peer);
  const cases: [string, string, RegExp, FakeHandler][] = [
    ["echo 1\nbad\necho 2\nbad\n", "1\n", /^line 2: ERR no such thing\n$/, answer],
    ['echo 1\n\necho "x\necho 2\n', "1\n", /^line 3: ERR Cannot read the line: .*\n$/, answer],
    ["echo 1\nhelp nope\necho 2\n", "1\n", /^line 2: ERR No help for "nope"\n$/, answer],
    ["echo 1\nexec\necho 2\n", "1\nOK\n\na\n\n", /^line 2, reply 2: .*\nline 2, reply 4: .*\n$/, inExec],
  ];
  for (const [lines, shown, said, handler] of cases) {
    const { status, output, errors, requests } = await runLines(lines, handler, { stopOnError: true });
    assertEquals([status, output], [Status.Refused, shown], lines);
    assertMatch(errors, said, lines);
    // Nothing after the refused line was even sent.
    assertEquals(requests.filter((words) => words[1] === "2"), [], lines);
  }
  const { status, output } = await runLines("echo 1\necho 2\n", answer, { stopOnError: true });
  assertEquals([status, output], [Status.Done, "1\n2\n"]);
});

Deno.test("runPiped() with quiet writes errors only", async () => {
  const lines = "echo 1\nhelp\nbad\necho 2\n";
  const raw = await runLines(lines, answer, { quiet: true });
  assertEquals([raw.status, raw.output, raw.errors], [Status.Refused, "", "line 3: ERR no such thing\n"]);
  const json = await runLines(lines, answer, { quiet: true, format: "json" });
  assertEquals([json.output, json.errors], ['{"error":{"code":"ERR","message":"no such thing"}}\n', ""]);
  const human = await runLines(lines, answer, { quiet: true, format: "human" });
  assertEquals([human.output, human.errors], ["", "line 3: ERR no such thing\n"]);
  const exec = await runLines("multi\nexec\n", transact, { quiet: true });
  assertEquals([exec.status, exec.output], [Status.Refused, ""]);
  assertEquals(exec.errors, "line 2, reply 2: WRONGTYPE wrong kind?\nline 2, reply 4: ERR no\n");
});

/** Values of every kind, which a request names. */
const VALUES: Readonly<Record<string, Value>> = {
  nil: null,
  ok: "OK",
  status: "QUEUED",
  empty: encodeText(""),
  text: encodeText("a b"),
  binary: Uint8Array.of(0xff, 0x0a, 0),
  zero: 0,
  negative: -5,
  wide: 2 ** 53 - 1,
  huge: 2n ** 63n - 1n,
  array: [1, encodeText("x"), null],
  none: [],
  map: new Map<Value, Value>([[encodeText("f"), encodeText("v")]]),
  long: encodeText("y".repeat(200_000)),
};

Deno.test("runPiped() formats each kind of reply as a single command does", async () => {
  const names = Object.keys(VALUES);
  const lines = names.map((name) => `get ${name}\n`).join("");
  for (const format of ["raw", "human", "json"] as const) {
    await using server = new FakeServer((request, peer) => peer.reply(VALUES[request[1]!]!));
    const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true });
    const chunks: Uint8Array[] = [];
    const output: Sink = {
      write(source) {
        chunks.push(source.slice());
        return Promise.resolve(source.length);
      },
    };
    const input = ReadableStream.from([encodeText(lines)]);
    assertEquals(await runPiped(settings, { input, output, errors: new Collector() }, { format, listen }), Status.Done);
    const expected = names.flatMap((name) => [...formatReply(VALUES[name]!, format)]);
    assertEquals(chunks.flatMap((chunk) => [...chunk]), expected, format);
  }
});

Deno.test("runPiped() gives the same output wherever its input is cut", async () => {
  const lines = '\ufeffecho 1\r\n# c\necho "a b" c\n\nbad\nhelp nope\necho 2';
  const bytes = encodeText(lines);
  const whole = await runLines(lines, answer);
  for (let cut = 1; cut < bytes.length; cut++) {
    const parts = ReadableStream.from([bytes.slice(0, cut), bytes.slice(cut)]);
    const { status, output, errors } = await runLines(parts, answer);
    assertEquals([status, output, errors], [whole.status, whole.output, whole.errors], `cut at ${cut}`);
  }
});

Deno.test("runPiped() connects again when the connection was lost between two lines", async () => {
  const next = Promise.withResolvers<void>();
  async function* input(): AsyncGenerator<Uint8Array> {
    yield encodeText("echo 1\n");
    await next.promise;
    yield encodeText("echo 2\n");
  }
  await using server = new FakeServer((request, peer) => {
    answer(request, peer);
    if (request[1] !== "1") return;
    peer.close().then(() => setTimeout(() => next.resolve(), 50));
  });
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const output = new Collector();
  const errors = new Collector();
  assertEquals(await runPiped(settings, { input: input(), output, errors }, { format: "raw", listen }), Status.Done);
  assertEquals([output.text, errors.text, server.connectionCount], ["1\n2\n", "", 2]);
});

Deno.test("runPiped() names the line that cannot be sent when it cannot connect again", async () => {
  const next = Promise.withResolvers<void>();
  async function* input(): AsyncGenerator<Uint8Array> {
    yield encodeText("echo 1\n");
    await next.promise;
    yield encodeText("\necho 2\necho 3\n");
  }
  const server = new FakeServer(answer);
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const errors = new Collector();
  const output: Sink = {
    write(source) {
      server[Symbol.asyncDispose]().then(() => setTimeout(() => next.resolve(), 50));
      return Promise.resolve(source.length);
    },
  };
  assertEquals(
    await runPiped(settings, { input: input(), output, errors }, { format: "raw", listen }),
    Status.NoConnection,
  );
  assertMatch(
    errors.text,
    /^inmem client: line 3: Cannot connect to .*; it was not sent, and nothing after it is run\n$/,
  );
});

Deno.test("runPiped() shows the cluster in its place, and what is refused there", async () => {
  const { status, output, errors } = await runLines("echo 1\ncluster\necho 2\ncluster x\n", (request, peer) => {
    if (request[0] === "info") peer.reply(encodeText("cluster_servers:0\r\n"));
    else answer(request, peer);
  });
  assertEquals(status, Status.Refused);
  assertMatch(output, /^1\n[^]*\n2\n$/);
  assertMatch(errors, /^line 4: ERR Cannot run "cluster" with these arguments/);
});

Deno.test("runPiped() bounds what waits for a slow reader of its output", async () => {
  const value = encodeText("z".repeat(64 * 1024));
  const released = Promise.withResolvers<void>();
  await using server = new FakeServer((_request, peer) => peer.reply(value));
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  let writtenBytes = 0;
  const output: Sink = {
    async write(source) {
      await released.promise;
      writtenBytes += source.length;
      return source.length;
    },
  };
  const input = ReadableStream.from([encodeText("get big\n".repeat(400))]);
  const running = runPiped(settings, { input, output, errors: output }, { format: "raw", listen });
  await pause(200);
  const askedCount = server.requests.length;
  assert(askedCount < 200, `${askedCount} values were asked for while none was written`);
  released.resolve();
  assertEquals(await running, Status.Done);
  assertEquals(writtenBytes, 400 * (value.length + 1));
});

Deno.test("runPiped() listens after all lines before the command, and reads none after it", async () => {
  const listened: string[][] = [];
  const outcome = async (status: number | Error, lines = "echo a\necho b\nSUBSCRIBE 'a b'\necho c\n") => {
    const listening: PipedOptions["listen"] = (words) => {
      listened.push(words.map((word) => decodeText(word)));
      return status instanceof Error ? Promise.reject(status) : Promise.resolve(status);
    };
    const { requests, ...rest } = await runLines(lines, answer, { listen: listening });
    assertEquals(requests.map(([, argument]) => argument), ["a", "b"]);
    return rest;
  };
  assertEquals(await outcome(0), { status: 0, output: "a\nb\n", errors: "" });
  assertEquals(await outcome(143), { status: 143, output: "a\nb\n", errors: "" });
  assertEquals(await outcome(new ReplyError("NOAUTH", "no")), {
    status: Status.Refused,
    output: "a\nb\n",
    errors: "line 3: NOAUTH no\n" +
      "hint: this server requires a password; pass it with --password-file FILE, or INMEM_PASSWORD\n",
  });
  assertEquals(await outcome(new ConnectionError("x:1", "Lost the connection to x:1", false)), {
    status: Status.NoConnection,
    output: "a\nb\n",
    errors: "inmem client: line 3: Lost the connection to x:1\n",
  });
  assertEquals(listened, new Array(4).fill(["SUBSCRIBE", "a b"]));
});

/** Refuses each command as a server does. */
function refuseAll([name, word]: string[], peer: Parameters<FakeHandler>[1]): void {
  if (name === "get") peer.refuse("ERR", "wrong number of arguments for 'get' command");
  else if (name === "set") peer.refuse("ERR", "syntax error");
  else if (name === "incr") peer.refuse("ERR", "value is not an integer or out of range");
  else if (name === "lpush") peer.refuse("WRONGTYPE", "Operation against a key holding the wrong kind of value");
  else if (name === "config") peer.refuse("ERR", `unknown subcommand '${word}'. Try CONFIG HELP.`);
  else if (name === "dbsize" || name === "exists") peer.refuse("NOAUTH", "Authentication required.");
  else peer.refuse("ERR", `unknown command '${name}', with args beginning with: `);
}

Deno.test("runPiped() gives advice below the first refusal of each kind, as one command does", async () => {
  const input = "sett a\nget\nincr a\nset a b c\nset a b c\nlpush a b\nconfig gte x\ndbsize\nexists a\nsett b\nget\n";
  const { errors, status } = await runLines(input, refuseAll);
  assertEquals(status, Status.Refused);
  const said = errors.trimEnd().split("\n").map((line) => line.replace(/^(line \d+: [A-Z]+) .*/, "$1"));
  assertEquals(said.map((line) => line.replace(/^usage: set .*/, "usage: set …")), [
    "line 1: ERR",
    'hint: did you mean "set"?',
    "line 2: ERR",
    "usage: get key",
    "line 3: ERR",
    "line 4: ERR",
    "usage: set …",
    "line 5: ERR",
    "line 6: WRONGTYPE",
    'hint: "type KEY" shows what the key holds',
    "line 7: ERR",
    'hint: did you mean "config get"?',
    "line 8: NOAUTH",
    "hint: this server requires a password; pass it with --password-file FILE, or INMEM_PASSWORD",
    "line 9: NOAUTH",
    "line 10: ERR",
    "line 11: ERR",
  ]);
  const json = await runLines(input, refuseAll, { format: "json" });
  assertEquals([json.errors, json.output.match(/hint|usage/)], ["", null]);
  const stopped = await runLines("get\nget\n", refuseAll, { stopOnError: true });
  assertEquals(stopped.errors, "line 1: ERR wrong number of arguments for 'get' command\nusage: get key\n");
});

Deno.test("runPiped() bounds its advice when every line has another name", async () => {
  const count = 3 * PIPED_ADVICE_MAX_COUNT;
  const { errors } = await runLines(Array.from({ length: count }, (_, i) => `sett${i}\n`).join(""), refuseAll);
  const lines = errors.trimEnd().split("\n");
  const hints = lines.filter((line) => line.startsWith("hint: "));
  assert(hints.length > 0 && hints.length <= PIPED_ADVICE_MAX_COUNT, `${hints.length}`);
  assertEquals(lines.length - hints.length, count);
});
