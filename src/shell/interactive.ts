/**
 * `inmem client` on a terminal: a prompt, a line editor with history and completion, and one reply after another.
 *
 * The line editor needs a terminal in raw mode with marks around pasted text. This module sets that mode and restores
 * the terminal, however the shell ends, including by signals. The marks stay on while a command runs, so that text
 * pasted then also waits for its Enter.
 *
 * @module
 */

import type { Client } from "../client/client.ts";
import { ConnectionError, messageOf, ReplyError } from "../errors.ts";
import { OUTPUT_END_MAX_MS, STOP_CHECK_MS, TYPED_AHEAD_MAX_BYTES } from "../limits.ts";
import { listenForSignal } from "../operating_system.ts";
import type { Colours } from "../terminal/colours.ts";
import { Output } from "../terminal/output.ts";
import { printable } from "../terminal/printable_text.ts";
import {
  enterRawMode,
  isDumbTerminal,
  leaveRawMode,
  RAW_MODE_FAREWELL,
  stopProcessGroup,
  terminalSize,
} from "../terminal/terminal.ts";
import { encodeTyped } from "../terminal/typed_text.ts";
import { adviceFor } from "./advice.ts";
import { clusterText, isWatching, watchCluster } from "./cluster.ts";
import { complete, type Completion } from "./completion.ts";
import { formatError, formatReply, shapeOf, toJson } from "./format.ts";
import type { Format } from "./format.ts";
import { hintFor } from "./hints.ts";
import { helpText } from "./help.ts";
import type { History } from "./history.ts";
import { completeNames } from "./live_names.ts";
import { LineEditor } from "./line_editor.ts";
import { LiveView } from "./live/live_view.ts";
import { PlainEditor } from "./plain_editor.ts";
import { TerminalInput } from "./terminal_input.ts";
import { tokenize } from "./tokenizer.ts";
import { TransactionState } from "./transaction_state.ts";

/** The signals that end the shell, with their numbers. The exit status is 128 plus the number. */
const END_SIGNALS = [["SIGHUP", 1], ["SIGQUIT", 3], ["SIGTERM", 15]] as const;

/**
 * Runs a shell on this process's terminal until `exit` or Ctrl-D.
 *
 * @returns the exit status: 0, or 128 plus the number of the signal that ended it
 */
export async function runInteractive(
  client: Client,
  history: History,
  format: Format,
  colours: Colours,
): Promise<number> {
  const shell = new InteractiveShell(client, history, format, colours);
  return await shell.run();
}

class InteractiveShell {
  readonly #client: Client;
  readonly #history: History;
  readonly #format: Format;
  readonly #colours: Colours;
  readonly #isDumb = isDumbTerminal();
  readonly #output = new Output(Deno.stdout);
  readonly #input: TerminalInput;
  readonly #editor: LineEditor | PlainEditor;
  readonly #transaction = new TransactionState();
  readonly #ended = Promise.withResolvers<number>();
  #isRunning = false;
  #isInterrupted = false;
  /** Whether the reply of the running command has not arrived yet. */
  #isAwaiting = false;
  /** Whether the terminal's input has ended, while its last lines still have to run. */
  #isInputEnded = false;
  /** Whether the terminal is restored. Nothing is written to it after that. */
  #isOver = false;
  /** The tool that shows something until Ctrl-C; `undefined` while there is none. */
  #live: { readonly stopping: AbortController; readonly view: LiveView } | undefined;
  /** The timer that checks whether the process was stopped and continues. */
  #stopTimer: number | undefined;

  constructor(client: Client, history: History, format: Format, colours: Colours) {
    this.#colours = colours;
    this.#client = client;
    this.#history = history;
    this.#format = format;
    const prompt = () => `${client.address}${this.#transaction.isOpen ? " (tx)" : ""}> `;
    const write = (text: string) => this.#print(text);
    this.#editor = this.#isDumb ? new PlainEditor(prompt, write, (line) => this.#takeLines([line])) : new LineEditor({
      get prompt() {
        return prompt();
      },
      write,
      complete: (line) => this.#complete(line),
      hint: hintFor,
      colours,
      history: () => history.lines,
      size: terminalSize,
      takeLines: (lines) => this.#takeLines(lines),
      end: () => this.#ended.resolve(0),
      suspend: () => this.#suspend(),
    });
    this.#input = new TerminalInput({
      take: (keys, from) => this.#editor.take(keys, from),
      interrupt: () => this.#interrupt(),
      suspend: () => this.#suspend(),
      overflow: () =>
        this.#print(`\nCannot keep more than ${TYPED_AHEAD_MAX_BYTES} bytes typed ahead: all are dropped\n`),
    });
  }

  async run(): Promise<number> {
    const listeners: [Deno.Signal, () => void][] = [
      ...END_SIGNALS.map(([signal, number]): [Deno.Signal, () => void] => {
        return [signal, () => this.#ended.resolve(128 + number)];
      }),
      ["SIGWINCH", () => this.#editor.resize()],
      ["SIGCONT", () => this.#continue()],
    ];
    // In raw mode Ctrl-C is a key, so the signal comes from another process.
    listeners.push(["SIGINT", () => this.#isDumb ? this.#interruptDumb() : this.#ended.resolve(128 + 2)]);
    const cleanups: (() => void)[] = [];
    if (!this.#isDumb) this.#print(enterRawMode());
    try {
      for (const [signal, listener] of listeners) cleanups.push(listenForSignal(signal, listener));
      this.#print(`Connected to ${this.#client.address}. "help" lists the commands, "exit" ends.\n`);
      this.#history.load();
      if (this.#history.problem !== undefined) this.#print(`${this.#history.problem}\n`);
      this.#editor.start();
      // A terminal that cannot be read any more is gone.
      this.#readTerminal().catch(() => this.#endInput());
      return await this.#ended.promise;
    } finally {
      clearTimeout(this.#stopTimer);
      for (const cleanup of cleanups) cleanup();
      // A signal may arrive while a line is edited.
      this.#editor.pause();
      if (!this.#isDumb) this.#print(RAW_MODE_FAREWELL);
      await this.#flush();
      if (!this.#isDumb) leaveRawMode();
      this.#isOver = true;
    }
  }

  /** Waits for the output for a limited time, since the terminal may be stopped. */
  async #flush(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, OUTPUT_END_MAX_MS);
    await Promise.race([this.#output.flushed(), promise]);
    clearTimeout(timer);
  }

  async #readTerminal(): Promise<void> {
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = await Deno.stdin.read(buffer);
      if (count === null) return this.#endInput();
      this.#input.add(buffer.subarray(0, count));
    }
  }

  /** Ends the shell with its terminal. If the kernel edits lines, some may precede Ctrl-D, and they run first. */
  #endInput(): void {
    this.#isInputEnded = true;
    if (this.#isDumb && this.#isRunning) return;
    this.#input.end();
    this.#print("\n");
    this.#ended.resolve(0);
  }

  #takeLines([line = "", ...following]: readonly string[]): void {
    this.#input.hold();
    if (following.length > 0) this.#input.unread(following);
    this.#isRunning = true;
    this.#isInterrupted = false;
    this.#remember(line);
    this.#run(line).then(async (continues) => {
      await this.#output.flushed();
      this.#isRunning = false;
      if (!continues) return this.#ended.resolve(0);
      if (this.#isOver) return;
      this.#editor.start();
      this.#input.release();
      if (this.#isInputEnded) this.#endInput();
    }).catch((error) => this.#ended.reject(error));
  }

  #remember(line: string): void {
    const { problem } = this.#history;
    this.#history.append(line);
    if (this.#history.problem !== problem) this.#print(`${this.#history.problem}\n`);
  }

  /** Runs one line; resolves to `false` when it ends the shell. */
  async #run(line: string): Promise<boolean> {
    let words: Uint8Array[];
    try {
      words = tokenize(encodeTyped(line));
    } catch (error) {
      this.#print(`${messageOf(error)}\n`);
      return true;
    }
    if (words.length === 0) return true;
    const [name = "", topic = ""] = words.slice(0, 2).map((word) => new TextDecoder().decode(word));
    const command = name.toLowerCase();
    if (command === "exit" || command === "quit") return false;
    if (command === "clear") this.#print(this.#isDumb ? "" : "\x1b[H\x1b[2J\x1b[3J");
    else if (command === "help") {
      const text = helpText(topic, terminalSize().columns);
      if (text !== undefined && this.#format === "json") this.#print(`${toJson(text)}\n`);
      else this.#print(text ?? `No help for "${printable(topic)}": "help" lists the commands\n`);
    } else await this.#send(command, words);
    return true;
  }

  async #send(command: string, words: readonly Uint8Array[]): Promise<void> {
    try {
      this.#isAwaiting = true;
      if (isWatching(words)) return await this.#runLive((view) => watchCluster(this.#client, words, view));
      if (command === "cluster") {
        const { columns } = terminalSize();
        return this.#print(await clusterText(this.#client, words, this.#format, columns, this.#colours));
      }
      const reply = await this.#client.send(words);
      this.#transaction.note(words, reply);
      // The client sends the password when it connects again, unless the command was only queued.
      if (command === "auth" && reply === "OK") this.#client.keepPassword(words.at(-1)!);
      if (!this.#isOver) this.#output.add(formatReply(reply, this.#format, shapeOf(words)));
    } catch (error) {
      if (error instanceof ReplyError) {
        this.#transaction.note(words, error);
        const hint = this.#format === "human" ? adviceFor(words, error, "prompt") : "";
        return this.#print(formatError(error, this.#format, this.#colours) + hint);
      }
      if (!(error instanceof ConnectionError)) return this.#print(`${messageOf(error)}\n`);
      this.#transaction.reset();
      if (this.#isInterrupted) return this.#print("Interrupted; the command may have taken effect\n");
      const outcome = error.sent ? "; the command may have taken effect" : "";
      this.#print(`${printable(error.message)}${outcome}. The next command connects again.\n`);
    } finally {
      this.#isAwaiting = false;
    }
  }

  /** Runs a tool that shows something until Ctrl-C. */
  async #runLive(run: (view: LiveView) => Promise<void>): Promise<void> {
    const stopping = new AbortController();
    const view = new LiveView({
      output: this.#output,
      format: this.#format,
      colours: this.#colours,
      isTerminal: true,
      stop: stopping.signal,
    });
    this.#live = { stopping, view };
    try {
      await run(view);
    } finally {
      this.#live = undefined;
    }
  }

  /** Returns the completion of a line, with the names that the server has if it can be asked now. */
  #complete(line: string): Completion | Promise<Completion> {
    const completion = complete(line);
    // In a transaction the question would be queued.
    if (completion.names === undefined || !this.#client.connected || this.#transaction.isOpen) return completion;
    return completeNames(completion, (request) => this.#client.send(request));
  }

  /**
   * Handles Ctrl-C while a command runs or its reply is written. If the reply has not arrived, the connection is
   * closed, since the reply would be taken for that of the next command.
   */
  #interrupt(): void {
    if (!this.#isRunning) return;
    this.#isInterrupted = true;
    this.#output.discard();
    this.#print("^C\n");
    // A live tool ends by itself, and without harm to the connection.
    if (this.#live !== undefined) this.#live.stopping.abort();
    else if (this.#isAwaiting) this.#client.disconnect();
  }

  /** Handles Ctrl-C on a terminal that is not in raw mode, which has shown it. */
  #interruptDumb(): void {
    if (this.#isRunning) this.#interrupt();
    else if (this.#editor instanceof PlainEditor) this.#editor.interrupt();
  }

  /** Stops the process on Ctrl-Z. */
  #suspend(): void {
    this.#input.hold();
    this.#editor.pause();
    this.#print(RAW_MODE_FAREWELL);
    this.#output.flushed().then(() => {
      leaveRawMode();
      // If no shell can continue this process, the system ignores the signal, and SIGCONT never arrives.
      if (!stopProcessGroup()) this.#print("Cannot stop the client here\n");
      this.#stopTimer = setTimeout(() => this.#continue(), STOP_CHECK_MS);
    }).catch((error) => this.#ended.reject(error));
  }

  /**
   * Restores the prompt after the process was stopped, by Ctrl-Z or another process. Its terminal may have been used.
   */
  #continue(): void {
    this.#live?.view.frames.leave();
    if (this.#isDumb) {
      // The kernel has dropped the line that was being typed.
      if (!this.#isRunning) this.#editor.resume();
      return;
    }
    this.#print(enterRawMode());
    if (this.#stopTimer === undefined) return this.#editor.resize();
    clearTimeout(this.#stopTimer);
    this.#stopTimer = undefined;
    // The running command shows the prompt when it ends.
    if (this.#isRunning) return;
    this.#editor.resume();
    this.#input.release();
  }

  #print(text: string): void {
    if (!this.#isOver) this.#output.add(text);
  }
}
