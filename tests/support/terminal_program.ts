/**
 * A program on a pseudo-terminal that `script` of util-linux creates, with a screen that shows its output.
 *
 * The program is a shell with job control, in which tests type their commands as people do.
 *
 * @module
 */

import { assert } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { Screen } from "./screen.ts";

/** How long to wait for an expected output, in ms, also on a busy machine. */
const EXPECT_MAX_MS = 30_000;
const LOOK_INTERVAL_MS = 20;

async function hasProgram(name: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(name, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** Returns the reason why no such program can run on this machine, or `undefined`. */
export async function missingForTerminals(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "script of util-linux is needed";
  if (!await hasProgram("script", "--version")) return "there is no program script";
  return await hasProgram("bash", "--version") ? undefined : "there is no bash";
}

/** A shell on a terminal. */
export class TerminalProgram {
  readonly screen: Screen;
  /** The output since it was last taken, with control sequences. */
  written = "";
  readonly #child: Deno.ChildProcess;
  readonly #keys: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #device = "";
  #changed = Promise.withResolvers<void>();
  #hasEnded = false;

  private constructor(child: Deno.ChildProcess, screen: Screen) {
    this.screen = screen;
    this.#child = child;
    this.#keys = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Starts bash on a terminal of that size. */
  static async start(env: Record<string, string>, columns = 80, rows = 24): Promise<TerminalProgram> {
    const child = new Deno.Command("script", {
      args: ["--quiet", "--flush", "--command", "exec bash --norc --noprofile --noediting -i", "/dev/null"],
      env: { HISTFILE: "", TERM: "xterm", ...env },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const program = new TerminalProgram(child, new Screen(columns, rows));
    await program.type(`PS1='$ '; stty cols ${columns} rows ${rows}; echo at $(tty) pid $$.\r`);
    await program.expect(() => /at (\/dev\/\S+) pid \d+\./.test(program.written), "the name of the terminal");
    program.#device = /at (\/dev\/\S+) pid/.exec(program.written)![1]!;
    return program;
  }

  /** Types keys. */
  async type(text: string | Uint8Array): Promise<void> {
    await this.#keys.write(typeof text === "string" ? encodeText(text) : text);
  }

  /** Waits until the output contains `text`, and takes the output up to its end. */
  async see(text: string): Promise<string> {
    await this.expect(() => this.written.includes(text), JSON.stringify(text));
    const end = this.written.indexOf(text) + text.length;
    const seen = this.written.slice(0, end);
    this.written = this.written.slice(end);
    return seen;
  }

  /** Waits until the row of the cursor is `line`. */
  async seeLine(line: string): Promise<void> {
    await this.expect(() => this.screen.lines[this.screen.cursor.row] === line, `the line ${JSON.stringify(line)}`);
  }

  /** Waits until a condition is true. */
  async expect(isSo: () => boolean, what: string): Promise<void> {
    const end = performance.now() + EXPECT_MAX_MS;
    while (!isSo()) {
      const state = `${what} is not there: ${JSON.stringify(this.written.slice(-2_000))}\n${
        this.screen.lines.join("\n")
      }`;
      assert(!this.#hasEnded, `The program has ended, and ${state}`);
      assert(performance.now() < end, state);
      // The condition may depend on something other than the terminal.
      let timer = 0;
      const passed = new Promise<void>((resolve) => timer = setTimeout(resolve, LOOK_INTERVAL_MS));
      await Promise.race([this.#changed.promise, passed]);
      clearTimeout(timer);
    }
  }

  /** Waits until the screen, or the part that was scrolled away, contains `text`. */
  async seeText(text: string): Promise<void> {
    await this.expect(() => this.screen.text.includes(text), JSON.stringify(text));
  }

  /** Waits for the shell's prompt after a program has ended. */
  async seeShell(): Promise<void> {
    await this.seeLine("$");
  }

  /** Changes the width of the terminal. */
  async resize(columns: number): Promise<void> {
    const { success } = await new Deno.Command("stty", { args: ["-F", this.#device, "cols", `${columns}`] }).output();
    assert(success, "stty cannot set the width");
  }

  /** Closes the terminal, which ends the shell and its programs. */
  async end(): Promise<void> {
    await this.#keys.close().catch(() => {});
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      this.written += text;
      this.screen.write(text);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
    this.#hasEnded = true;
    this.#changed.resolve();
  }
}
