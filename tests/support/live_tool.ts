/**
 * Runs a live tool of `inmem client` in the test's own process, with an output that the test reads.
 *
 * @module
 */

import { assert } from "@std/assert";
import { LiveView } from "../../src/shell/live/live_view.ts";
import type { Format } from "../../src/shell/format.ts";
import { NO_COLOURS } from "../../src/terminal/colours.ts";
import { Output } from "../../src/terminal/output.ts";
import { Screen } from "./screen.ts";
import { until } from "./until.ts";

/** A view whose output the test reads. */
export class TestedView {
  readonly view: LiveView;
  readonly output: Output;
  readonly screen: Screen | undefined;
  readonly #stopping = new AbortController();
  readonly #chunks: Uint8Array[] = [];
  /** Resolves when the output may take bytes. */
  #open: Promise<void> = Promise.resolve();

  /** @param columns the width of the terminal; without it the output is a pipe */
  constructor({ format = "raw", columns, isDumb = false }: { format?: Format; columns?: number; isDumb?: boolean }) {
    const screen = columns === undefined ? undefined : new Screen(columns, 24);
    this.screen = screen;
    this.output = new Output({
      write: async (bytes) => {
        await this.#open;
        this.#chunks.push(bytes.slice());
        // The terminal driver adds the carriage returns.
        screen?.write(new TextDecoder().decode(bytes).replaceAll("\n", "\r\n"));
        return bytes.length;
      },
    });
    this.view = new LiveView({
      output: this.output,
      format,
      colours: NO_COLOURS,
      isTerminal: screen !== undefined,
      stop: this.#stopping.signal,
      size: () => screen!,
      isRedrawn: screen !== undefined && !isDumb,
    });
  }

  /** The bytes that were written. */
  get bytes(): Uint8Array {
    const bytes = new Uint8Array(this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }

  /** The bytes that were written, as text. */
  get text(): string {
    return new TextDecoder().decode(this.bytes);
  }

  /** The lines of JSON that were written. */
  get json(): unknown[] {
    return this.text.trimEnd().split("\n").map((line) => JSON.parse(line));
  }

  /** Ends the tool, as Ctrl-C does. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Makes the output take nothing until the returned function is called. */
  block(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#open = promise;
    return resolve;
  }

  /** Waits until the output contains a text. */
  async see(text: string): Promise<void> {
    await until(() => this.text.includes(text), `${JSON.stringify(text)} in the output`);
  }

  /** Stops a tool, and waits until it has ended and its output is written. */
  async end<T>(tool: Promise<T>): Promise<T> {
    this.stop();
    const result = await tool;
    await this.output.flushed();
    assert(!this.output.failed);
    return result;
  }
}
