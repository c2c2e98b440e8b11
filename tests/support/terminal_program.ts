/**
 * A program on a pseudo-terminal that `script` (of util-linux) makes, with a screen that shows what it writes.
 *
 * The program is a shell with job control, to which tests type their commands as a person does.
 *
 * @module
 */

import { assert } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { Screen } from "./screen.ts";

/** What a test expects is there before this time has passed, also on a machine with other work. */
const EXPECT_MAX_MS = 30_000;
const LOOK_INTERVAL_MS = 20;

async function hasProgram(name: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(name, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** Why there can be no such program here; `undefined` when there can. */
export async function missingForTerminals(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "script of util-linux is needed";
  if (!await hasProgram("script", "--version")) return "there is no program script";
  return await hasProgram("bash", "--version") ? undefined : "there is no bash";
}

/** A shell on a terminal. */
export class TerminalProgram {
  readonly screen: Screen;
  /** All that was written, control sequences too, since it was last taken. */
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

  /** Waits until what was written contains `text`, and takes it with everything before it. */
  async see(text: string): Promise<string> {
    await this.expect(() => this.written.includes(text), JSON.stringify(text));
    const end = this.written.indexOf(text) + text.length;
    const seen = this.written.slice(0, end);
    this.written = this.written.slice(end);
    return seen;
  }

  /** Waits until the row that the cursor is on is `line`. */
  async seeLine(line: string): Promise<void> {
    await this.expect(() => this.screen.lines[this.screen.cursor.row] === line, `the line ${JSON.stringify(line)}`);
  }

  /** Waits until something is so. */
  async expect(isSo: () => boolean, what: string): Promise<void> {
    const end = performance.now() + EXPECT_MAX_MS;
    while (!isSo()) {
      const state = `${what} is not there: ${JSON.stringify(this.written.slice(-2_000))}\n${
        this.screen.lines.join("\n")
      }`;
      assert(!this.#hasEnded, `The program has ended, and ${state}`);
      assert(performance.now() < end, state);
      // What is waited for need not be on the terminal.
      let timer = 0;
      const passed = new Promise<void>((resolve) => timer = setTimeout(resolve, LOOK_INTERVAL_MS));
      await Promise.race([this.#changed.promise, passed]);
      clearTimeout(timer);
    }
  }

  /** Waits until the screen, or what was scrolled out of it, contains `text`. */
  async seeText(text: string): Promise<void> {
    await this.expect(() => this.screen.text.includes(text), JSON.stringify(text));
  }

  /** Waits for the shell's prompt after a program has ended. */
  async seeShell(): Promise<void> {
    await this.seeLine("$");
  }

  /** Gives the terminal another width. */
  async resize(columns: number): Promise<void> {
    const { success } = await new Deno.Command("stty", { args: ["-F", this.#device, "cols", `${columns}`] }).output();
    assert(success, "stty cannot set the width");
  }

  /** Takes the terminal away, by which the shell and whatever runs in it end. */
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
