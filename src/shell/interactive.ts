/**
 * `inmem client` at a terminal: a prompt, a line editor with history and completion, one reply after another.
 *
 * `node:readline` edits the line. It needs a terminal in raw mode, which this module sets and takes back however it
 * ends, signals included.
 *
 * @module
 */

import process from "node:process";
import * as readline from "node:readline";
import { ConnectionError, messageOf, ReplyError } from "../errors.ts";
import { HISTORY_MAX_COUNT } from "../limits.ts";
import type { Client } from "../client.ts";
import { clusterText } from "./cluster.ts";
import { complete } from "./completion.ts";
import { formatError, formatReply, printable, repliesInLines } from "./format.ts";
import type { Format } from "./format.ts";
import { helpText } from "./help.ts";
import { isSecret } from "./history.ts";
import type { History } from "./history.ts";
import { TerminalInput } from "./terminal_input.ts";
import { tokenize } from "./tokenizer.ts";
import { usageHint } from "./usage_hint.ts";

/** Signals that end the shell, with their numbers: the exit status is 128 and the number. */
const END_SIGNALS = [["SIGHUP", 1], ["SIGTERM", 15]] as const;

/**
 * Runs a shell on this process's terminal until `exit` or Ctrl-D.
 *
 * @returns the exit status: 0, or 128 and the number of the signal that ended it
 */
export async function runInteractive(client: Client, history: History, format: Format): Promise<number> {
  const shell = new InteractiveShell(client, history, format);
  return await shell.run();
}

class InteractiveShell {
  readonly #client: Client;
  readonly #history: History;
  readonly #format: Format;
  readonly #input: TerminalInput;
  readonly #editor: readline.Interface;
  readonly #ended = Promise.withResolvers<number>();
  #interrupted = false;
  /** Whether the shell ends by a command. */
  #leaving = false;

  constructor(client: Client, history: History, format: Format) {
    this.#client = client;
    this.#history = history;
    this.#format = format;
    this.#input = new TerminalInput(() => this.#interrupt());
    this.#editor = readline.createInterface({
      input: this.#input.stream,
      output: process.stdout,
      terminal: true,
      prompt: `${client.address}> `,
      history: history.load(),
      historySize: HISTORY_MAX_COUNT,
      removeHistoryDuplicates: true,
      completer: complete,
    });
    this.#editor.on("line", (line) => this.#takeLine(line));
    this.#editor.on("close", () => {
      // After Ctrl-D the cursor still stands behind the prompt.
      if (!this.#leaving) this.#print("\n");
      this.#ended.resolve(0);
    });
    this.#editor.on("history", (lines) => {
      if (lines[0] !== undefined && isSecret(lines[0])) lines.shift();
    });
    this.#editor.on("SIGINT", () => this.#dropLine());
    // Stopping itself takes a permission that the program does not have, so Ctrl-Z does nothing.
    this.#editor.on("SIGTSTP", () => {});
  }

  async run(): Promise<number> {
    const signals = END_SIGNALS.map(([signal, number]) => {
      const handler = () => this.#ended.resolve(128 + number);
      return { signal, handler };
    });
    Deno.stdin.setRaw(true);
    try {
      for (const { signal, handler } of signals) Deno.addSignalListener(signal, handler);
      this.#print(`Connected to ${this.#client.address}. "help" lists the commands, "exit" ends.\n`);
      this.#editor.prompt();
      // A terminal that cannot be read any more is gone.
      this.#readTerminal().catch(() => this.#input.end());
      return await this.#ended.promise;
    } finally {
      for (const { signal, handler } of signals) Deno.removeSignalListener(signal, handler);
      this.#editor.close();
      Deno.stdin.setRaw(false);
    }
  }

  async #readTerminal(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await Deno.stdin.read(buffer);
      if (count === null) return this.#input.end();
      this.#input.add(buffer.subarray(0, count));
    }
  }

  #takeLine(line: string): void {
    this.#input.hold();
    this.#interrupted = false;
    this.#history.append(line);
    this.#run(line).then((goesOn) => {
      if (!goesOn) {
        this.#leaving = true;
        return this.#editor.close();
      }
      this.#editor.prompt();
      this.#input.release();
    }).catch((error) => this.#ended.reject(error));
  }

  /** Runs one line; `false` when it ends the shell. */
  async #run(line: string): Promise<boolean> {
    let words: Uint8Array[];
    try {
      words = tokenize(new TextEncoder().encode(line));
    } catch (error) {
      this.#print(`${messageOf(error)}\n`);
      return true;
    }
    if (words.length === 0) return true;
    const [name = "", topic = ""] = words.slice(0, 2).map((word) => new TextDecoder().decode(word));
    const command = name.toLowerCase();
    if (command === "exit" || command === "quit") return false;
    if (command === "clear") this.#print("\x1b[H\x1b[2J\x1b[3J");
    else if (command === "help") this.#print(helpText(topic) ?? `No help for "${topic}": "help" lists the commands\n`);
    else await this.#send(command, words);
    return true;
  }

  async #send(command: string, words: readonly Uint8Array[]): Promise<void> {
    try {
      if (command === "cluster") return this.#print(await clusterText(this.#client, words, this.#format));
      const reply = await this.#client.send(words);
      // The client gives the password when it connects again, unless the command was only queued.
      if (command === "auth" && reply === "OK") this.#client.keepPassword(words.at(-1)!);
      await this.#printBytes(formatReply(reply, this.#format, repliesInLines(words)));
    } catch (error) {
      if (error instanceof ReplyError) {
        const hint = this.#format === "human" ? usageHint(words, error) : "";
        return this.#print(formatError(error, this.#format) + hint);
      }
      if (!(error instanceof ConnectionError)) return this.#print(`${messageOf(error)}\n`);
      if (this.#interrupted) return this.#print("Interrupted; the command may have taken effect\n");
      const outcome = error.sent ? "; the command may have taken effect" : "";
      this.#print(`${printable(error.message)}${outcome}. The next command connects again.\n`);
    }
  }

  /** Ctrl-C while a command runs: a reply that is not awaited would be taken for the next one's. */
  #interrupt(): void {
    this.#interrupted = true;
    this.#print("^C\n");
    this.#client.disconnect();
  }

  /** Ctrl-C while a line is edited. */
  #dropLine(): void {
    const { line } = this.#editor;
    // The line is taken away by the keys that do so, for the editor to know, and then left on the screen above.
    this.#editor.write(null, { ctrl: true, name: "e" });
    this.#editor.write(null, { ctrl: true, name: "u" });
    this.#print(line === "" ? '^C ("exit" or Ctrl-D ends)\n' : `${line}^C\n`);
    this.#editor.prompt();
  }

  #print(text: string): void {
    process.stdout.write(text);
  }

  #printBytes(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => process.stdout.write(bytes, () => resolve()));
  }
}
