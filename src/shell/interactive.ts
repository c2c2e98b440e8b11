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
import type { Target } from "../target/connect.ts";
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
import { adviceFor } from "./advice.ts";
import { clusterText, watchCluster } from "./cluster.ts";
import { complete, type Completion } from "./completion.ts";
import { formatError, formatReply, toJson } from "./format.ts";
import type { Format } from "./format.ts";
import { hintFor } from "./hints.ts";
import { helpText } from "./help.ts";
import type { History } from "./history.ts";
import { humanReply, shapeOf, terminalLook } from "./human.ts";
import { completeNames } from "./live_names.ts";
import { LineEditor } from "./line_editor.ts";
import { LiveView } from "./live/live_view.ts";
import { isListening, isWatching } from "./live/live_words.ts";
import { exceedsScreen, Pager } from "./pager.ts";
import { PlainEditor } from "./plain_editor.ts";
import { type Statement, StatementReader } from "./statement.ts";
import { TerminalInput } from "./terminal_input.ts";
import { TransactionState } from "./transaction_state.ts";

/** How a shell shows replies. */
export interface ShellSettings {
  readonly format: Format;
  readonly colours: Colours;
  /** Whether replies that exceed the screen are shown one page after another. */
  readonly hasPages: boolean;
}

/** The signals that end the shell, with their numbers. The exit status is 128 plus the number. */
const END_SIGNALS = [["SIGHUP", 1], ["SIGQUIT", 3], ["SIGTERM", 15]] as const;

/**
 * Runs a shell on this process's terminal until `exit` or Ctrl-D.
 *
 * @returns the exit status: 0, or 128 plus the number of the signal that ended it
 */
export async function runInteractive(
  client: Client,
  target: Target,
  history: History,
  settings: ShellSettings,
): Promise<number> {
  const shell = new InteractiveShell(client, target, history, settings);
  return await shell.run();
}

class InteractiveShell {
  readonly #client: Client;
  readonly #target: Target;
  readonly #history: History;
  readonly #settings: ShellSettings;
  readonly #isDumb = isDumbTerminal();
  readonly #output = new Output(Deno.stdout);
  readonly #input: TerminalInput;
  readonly #editor: LineEditor | PlainEditor;
  readonly #transaction = new TransactionState();
  readonly #statements = new StatementReader();
  /** The pager that has the screen and the keys at present. */
  #pager: Pager | undefined;
  readonly #ended = Promise.withResolvers<number>();
  #isRunning = false;
  #isInterrupted = false;
  /** Whether the running command is repeated, so that a page would stop only one of its replies. */
  #isRepeating = false;
  /** Whether the reply of the running command has not arrived yet. */
  #isAwaiting = false;
  /** Whether the terminal's input has ended, while its last lines still have to run. */
  #isInputEnded = false;
  /** Whether the terminal is restored. Nothing is written to it after that. */
  #isOver = false;
  /** The password of the last `auth`; `undefined` before the first one. */
  #password: Uint8Array | undefined;
  /** The tool that shows something until Ctrl-C; `undefined` while there is none. */
  #live: { readonly stopping: AbortController; readonly view: LiveView } | undefined;
  /** The timer that checks whether the process was stopped and continues. */
  #stopTimer: number | undefined;

  constructor(client: Client, target: Target, history: History, settings: ShellSettings) {
    this.#client = client;
    this.#target = target;
    this.#history = history;
    this.#settings = settings;
    const prompt = () => this.#prompt();
    const write = (text: string) => this.#print(text);
    this.#editor = this.#isDumb ? new PlainEditor(prompt, write, (line) => this.#takeLines([line])) : new LineEditor({
      get prompt() {
        return prompt();
      },
      write,
      complete: (line) => this.#complete(line),
      hint: (text) => this.#hint(text),
      colours: settings.colours,
      history: () => history.lines,
      size: terminalSize,
      takeLines: (lines) => this.#takeLines(lines),
      dropped: () => this.#statements.drop(),
      end: () => this.#end(),
      suspend: () => this.#suspend(),
    });
    this.#input = new TerminalInput({
      take: (keys, from) => (this.#pager ?? this.#editor).take(keys, from),
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
      ["SIGWINCH", () => this.#pager === undefined ? this.#editor.resize() : this.#pager.resize()],
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

  /** Handles Ctrl-D on an empty line: it ends the shell, or an unfinished statement. */
  #end(): void {
    if (!this.#statements.isUnfinished) return this.#ended.resolve(0);
    this.#statements.drop();
    this.#editor.start();
  }

  #remember(line: string): void {
    const { problem } = this.#history;
    this.#history.append(line);
    if (this.#history.problem !== problem) this.#print(`${this.#history.problem}\n`);
  }

  /** Returns the text before the cursor of an empty line. */
  #prompt(): string {
    if (this.#statements.isUnfinished) return "…> ";
    return `${this.#client.address}${this.#isQueueing ? " (tx)" : ""}> `;
  }

  #hint(text: string): string {
    if (!this.#statements.isUnfinished) return hintFor(text);
    return text === "" ? "a quote is open; Ctrl-C drops the command" : "";
  }

  /** Whether the server queues commands. A transaction ends with its connection. */
  get #isQueueing(): boolean {
    return this.#transaction.isOpen && this.#client.connected;
  }

  /** Runs one line; resolves to `false` when it ends the shell. */
  async #run(line: string): Promise<boolean> {
    let statement: Statement | undefined;
    try {
      statement = this.#statements.add(line);
    } catch (error) {
      this.#remember(line);
      this.#print(`${messageOf(error)}\n`);
      return true;
    }
    if (statement === undefined) return true;
    this.#remember(statement.line);
    const { words, repeatCount } = statement;
    this.#isRepeating = repeatCount > 1;
    if (words.length === 0) return true;
    const [name = "", topic = ""] = words.slice(0, 2).map((word) => new TextDecoder().decode(word));
    const command = name.toLowerCase();
    if (command === "exit" || command === "quit") return false;
    if (command === "clear") this.#print(this.#isDumb ? "" : "\x1b[H\x1b[2J\x1b[3J");
    else if (command === "help") await this.#help(topic);
    else {
      for (let count = 0; count < repeatCount; count++) {
        const continues = await this.#send(command, words);
        if (!continues || this.#isInterrupted || this.#isOver) break;
        await this.#output.room();
      }
    }
    return true;
  }

  async #help(topic: string): Promise<void> {
    const text = helpText(topic, terminalSize().columns);
    if (text !== undefined) return await this.#show(this.#settings.format === "json" ? `${toJson(text)}\n` : text);
    // The advice for the command itself is what helps here.
    const unknown = new ReplyError("ERR", `unknown command '${topic}'`);
    const hint = adviceFor([topic], unknown, "prompt", terminalSize().columns);
    this.#print(`No help for "${printable(topic)}"\n${hint}`);
  }

  /** Sends a command and shows its reply. Resolves to `false` when the connection is lost. */
  async #send(command: string, words: readonly Uint8Array[]): Promise<boolean> {
    const { format, colours } = this.#settings;
    if (this.#transaction.isOpen && !this.#client.connected) {
      // A new connection would run the command immediately instead of queueing it.
      this.#transaction.reset();
      this.#print("The connection was lost, and the transaction with it: nothing was run. Begin again with multi\n");
      return false;
    }
    try {
      this.#isAwaiting = true;
      if (isListening(words)) {
        await this.#listen(words);
        return true;
      }
      if (isWatching(words)) {
        await this.#runLive((view) => watchCluster(this.#client, words, view));
        return true;
      }
      if (command === "cluster") {
        this.#print(await clusterText(this.#client, words, format, terminalSize().columns, colours));
        return true;
      }
      const startedMs = performance.now();
      const reply = await this.#client.send(words);
      const elapsedMs = performance.now() - startedMs;
      this.#isAwaiting = false;
      this.#transaction.note(words, reply);
      // The client sends the password when it connects again, unless the command was only queued.
      if (command === "auth" && reply === "OK") this.#keepPassword(words.at(-1)!);
      if (format === "human") await this.#show(humanReply(words, reply, elapsedMs, terminalLook(colours)));
      else if (!this.#isOver) this.#output.add(formatReply(reply, format, shapeOf(words)));
    } catch (error) {
      if (error instanceof ReplyError) {
        this.#transaction.note(words, error);
        const hint = format === "human" ? adviceFor(words, error, "prompt", terminalSize().columns) : "";
        this.#print(formatError(error, format, colours) + hint);
        return true;
      }
      if (!(error instanceof ConnectionError)) {
        this.#print(`${messageOf(error)}\n`);
        return false;
      }
      this.#transaction.reset();
      const outcome = error.sent ? "; the command may have taken effect" : "";
      this.#print(
        this.#isInterrupted
          ? "Interrupted; the command may have taken effect\n"
          : `${printable(error.message)}${outcome}. The next command connects again.\n`,
      );
      return false;
    } finally {
      this.#isAwaiting = false;
    }
    return true;
  }

  /** Shows a text, page by page if it exceeds the screen and no key is typed ahead, which the pager would take. */
  async #show(text: string): Promise<void> {
    const { hasPages, colours } = this.#settings;
    // Afterwards the keys of this command have been taken.
    await this.#output.flushed();
    const mayPage = hasPages && !this.#isDumb && !this.#isRepeating && this.#input.isEmpty && !this.#isInputEnded;
    if (!mayPage || !exceedsScreen(text, terminalSize())) return this.#print(text);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#pager = new Pager(text, {
      colours,
      write: (part) => this.#print(part),
      size: terminalSize,
      suspend: () => this.#suspend(),
      end: () => {
        this.#pager = undefined;
        this.#input.hold();
        resolve();
      },
    });
    this.#pager.start();
    if (this.#pager !== undefined) this.#input.release();
    await promise;
  }

  #keepPassword(password: Uint8Array): void {
    this.#client.keepPassword(password);
    this.#password = password;
  }

  /** Shows messages on a separate connection, so that the client's is as before when Ctrl-C ends them. */
  async #listen(words: readonly Uint8Array[]): Promise<void> {
    const [{ listen }, { sourceOf }] = await Promise.all([
      import("./live/listen.ts"),
      import("./live/message_source.ts"),
    ]);
    const source = await sourceOf(this.#target);
    const logins = this.#password === undefined ? source.logins : [[this.#password]];
    await this.#runLive((view) => listen({ ...source, logins }, words, view));
  }

  /** Runs a tool that shows something until Ctrl-C. */
  async #runLive(run: (view: LiveView) => Promise<void>): Promise<void> {
    const stopping = new AbortController();
    const view = new LiveView({
      output: this.#output,
      format: this.#settings.format,
      colours: this.#settings.colours,
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
    if (completion.names === undefined || !this.#client.connected || this.#isQueueing) return completion;
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
    else if (this.#editor instanceof PlainEditor) {
      this.#statements.drop();
      this.#editor.interrupt();
    }
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
    if (this.#isRunning && this.#pager === undefined) return;
    (this.#pager ?? this.#editor).resume();
    this.#input.release();
  }

  #print(text: string): void {
    if (!this.#isOver) this.#output.add(text);
  }
}
