import { assert, assertEquals, assertRejects } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { connect } from "../../src/client/client.ts";
import { ReplyError, UsageError } from "../../src/errors.ts";
import { askPassword, authenticateByQuestion, type QuestionTerminal } from "../../src/target/ask_password.ts";
import { QuestionEnded } from "../../src/target/question_ended.ts";
import { FakeServer } from "../support/fake_server.ts";

/** A terminal on which somebody types these chunks. */
class TypedTerminal implements QuestionTerminal {
  readonly modes: boolean[] = [];
  shown = "";
  readonly #chunks: (string | Uint8Array)[];

  constructor(...chunks: (string | Uint8Array)[]) {
    this.#chunks = chunks;
  }

  read(target: Uint8Array): Promise<number | null> {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return Promise.resolve(null);
    const bytes = typeof chunk === "string" ? encodeText(chunk) : chunk;
    target.set(bytes);
    return Promise.resolve(bytes.length);
  }

  write(text: string): void {
    this.shown += text;
  }

  setRaw(isRaw: boolean): void {
    this.modes.push(isRaw);
  }
}

Deno.test("askPassword() returns what is typed before Enter, shows none of it, and restores the terminal", async () => {
  const cases: [typed: (string | Uint8Array)[], password: string][] = [
    [["secret\r"], "secret"],
    [["s", "e", "c\n"], "sec"],
    [["two words \r"], "two words "],
    [["wrong\x15right\r"], "right"],
    [["ax\x7fb\x08c\r"], "ac"],
    [["日本\x7f\r"], "日"],
    [[new Uint8Array([0xe6, 0x97]), new Uint8Array([0xa5, 0x0d])], "日"],
    [["a", "\x1b[A", "b\r"], "ab"],
    [["\x7f\x7fa\r"], "a"],
    [["pasted\nnext line\n"], "pasted"],
    [["x".repeat(1000), "\r"], "x".repeat(512)],
  ];
  for (const [typed, password] of cases) {
    const terminal = new TypedTerminal(...typed);
    assertEquals(await askPassword("h:1", terminal), password);
    assertEquals(terminal.shown, "Password for h:1: \n");
    assertEquals(terminal.modes, [true, false]);
  }
});

Deno.test("askPassword() ends without a password on Ctrl-C, Ctrl-D, an empty line and the end of the input", async () => {
  for (const [typed, status] of [["a\x03", 130], ["\x04", 1], ["\r", 1], ["", 1]] as const) {
    const terminal = new TypedTerminal(...typed === "" ? [] : [typed]);
    const error = await assertRejects(() => askPassword("h:1", terminal), QuestionEnded);
    assertEquals(error.exitStatus, status);
    assertEquals(terminal.modes, [true, false]);
  }
  await assertRejects(() => askPassword("h", new TypedTerminal(new Uint8Array([0xff, 0x0d]))), UsageError, "UTF-8");
});

Deno.test("askPassword() restores the terminal when a signal ends it", async () => {
  const terminal = new TypedTerminal();
  terminal.read = () => new Promise(() => {});
  // A terminal that is read keeps a process alive, which the promise alone does not.
  const alive = setInterval(() => {}, 1_000);
  try {
    const asked = assertRejects(() => askPassword("h:1", terminal), QuestionEnded);
    Deno.kill(Deno.pid, "SIGHUP");
    assertEquals((await asked).exitStatus, 129);
  } finally {
    clearInterval(alive);
  }
  assertEquals(terminal.modes, [true, false]);
});

Deno.test("authenticateByQuestion() asks again after a wrong password, three times at most", async () => {
  await using server = new FakeServer((request, peer) => {
    if (request[0] === "auth" && request[1] !== "right") peer.refuse("WRONGPASS", "no");
    else peer.reply("OK");
  });
  await using client = await connect({ addr: `127.0.0.1:${server.port}`, plaintext: true });
  const terminal = new TypedTerminal("wrong\r", "right\r");
  await authenticateByQuestion(client, terminal);
  assert(terminal.shown.includes("This password is refused. Password for"));
  assertEquals(server.requests.map(([, password]) => password), ["wrong", "right"]);
  const stubborn = new TypedTerminal("a\r", "b\r", "c\r", "right\r");
  const error = await assertRejects(() => authenticateByQuestion(client, stubborn), ReplyError);
  assertEquals(error.code, "WRONGPASS");
  assertEquals(server.requests.length, 5);
});
