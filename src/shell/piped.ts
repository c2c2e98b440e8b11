/**
 * `inmem client` with commands on its standard input, one per line.
 *
 * Commands are sent as fast as lines arrive, without waiting for replies. Replies are written in the order of the
 * lines, as soon as they arrive. A refused command does not stop those after it. A lost connection does, since later
 * commands may depend on the lost one. A command that is refused in a transaction counts as refused when `exec` reports
 * it.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Client, Value } from "../client/client.ts";
import { ConnectionError, InmemError, messageOf, ReplyError, UsageError } from "../errors.ts";
import { OUTPUT_QUEUE_MAX_BYTES, PIPED_IN_FLIGHT_MAX_COUNT } from "../limits.ts";
import { Output } from "../terminal/output.ts";
import type { Sink } from "../terminal/output.ts";
import { printable } from "../terminal/printable_text.ts";
import { clusterText } from "./cluster.ts";
import { formatError, formatReply, refusalsIn, toJson } from "./format.ts";
import { type ReplyShape, shapeOf } from "./human.ts";
import type { Format } from "./format.ts";
import { helpText } from "./help.ts";
import { readLines } from "./lines.ts";
import { tokenize } from "./tokenizer.ts";

/** The exit statuses of `inmem client`. */
export const Status = { Done: 0, Refused: 1, Usage: 2, NoConnection: 3 } as const;
/** One of {@linkcode Status}. */
export type Status = typeof Status[keyof typeof Status];

/** The streams that the piped client reads and writes. */
export interface PipedStreams {
  input: AsyncIterable<Uint8Array>;
  output: Sink;
  errors: Sink;
}

/** The number of commands in flight before the first reply shows how large replies are. */
const IN_FLIGHT_FIRST_COUNT = 16;

/** The outcome of one line, which waits until the outcomes before it are written. */
interface PendingLine {
  readonly line: number;
  readonly shape: ReplyShape;
  outcome: { value: Value } | { text: string } | { error: unknown } | { unreadable: string } | undefined;
}

/**
 * Runs commands until the input ends.
 *
 * @returns `Refused` when at least one was refused; `NoConnection` when the connection was lost
 */
export async function runPiped(client: Client, streams: PipedStreams, format: Format): Promise<Status> {
  const run = new PipedRun(client, streams, format);
  return await run.run(streams.input);
}

class PipedRun {
  readonly #client: Client;
  readonly #format: Format;
  readonly #output: Output;
  readonly #errors: Output;
  #pending: PendingLine[] = [];
  /** The index of the first line in the array that is not written. */
  #head = 0;
  /** How many commands may be in flight now: one more with each reply, and fewer if replies are large. */
  #inFlightLimit = IN_FLIGHT_FIRST_COUNT;
  #lineCount = 0;
  #status: Status = Status.Done;
  #progress = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();

  constructor(client: Client, { output, errors }: PipedStreams, format: Format) {
    this.#client = client;
    this.#format = format;
    this.#output = new Output(output);
    this.#errors = output === errors ? this.#output : new Output(errors);
  }

  async run(input: AsyncIterable<Uint8Array>): Promise<Status> {
    const reading = this.#readAll(input);
    reading.catch(() => {});
    // The input may stay silent forever after the connection was lost, or after the reader of the output has gone.
    await Promise.race([reading, this.#ended.promise, this.#output.failing]);
    while (this.#head < this.#pending.length && !this.#stopped) await this.#progress.promise;
    await this.#output.flushed();
    await this.#errors.flushed();
    if (this.#output.failure !== undefined) throw this.#output.failure;
    return this.#status;
  }

  async #readAll(input: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const lines of readLines(input)) {
        if (!await this.#takeLines(lines)) break;
      }
    } catch (error) {
      // An error of the system has a code. Any other error is a bug.
      const isSystem = error instanceof Error && "code" in error && !(error instanceof InmemError);
      if (!(error instanceof UsageError) && !isSystem) throw error;
      const message = isSystem
        ? `Cannot read standard input: ${error.message}`
        : `line ${this.#lineCount + 1}: ${messageOf(error)}`;
      // The error has a place among the lines, so that the outcomes before it are written first.
      this.#settle(this.#add(), { unreadable: message });
    }
  }

  get #stopped(): boolean {
    return this.#status >= Status.Usage || this.#output.failed;
  }

  /** Sends the commands of the lines; resolves to `false` when no more lines should be read. */
  async #takeLines(lines: readonly Uint8Array[]): Promise<boolean> {
    for (const line of lines) {
      if (!this.#takeLine(line)) return false;
      while (this.#pending.length - this.#head >= this.#inFlightLimit && !this.#stopped) {
        await this.#progress.promise;
      }
      await this.#client.room();
      await this.#output.room();
      if (this.#stopped) return false;
    }
    return true;
  }

  #takeLine(line: Uint8Array): boolean {
    this.#lineCount++;
    let words: Uint8Array[];
    try {
      words = tokenize(line);
    } catch (error) {
      this.#settle(this.#add(), { error });
      return true;
    }
    if (words.length === 0) return true;
    const command = decodeText(words[0]!).toLowerCase();
    if (command === "exit" || command === "quit") return false;
    const pending = this.#add(shapeOf([command, words[1] ?? ""]));
    if (command === "help") {
      const topic = words[1] === undefined ? "" : decodeText(words[1]);
      const help = helpText(topic);
      const text = help !== undefined && this.#format === "json" ? `${toJson(help)}\n` : help;
      this.#settle(pending, text === undefined ? { error: new UsageError(`No help for "${topic}"`) } : { text });
    } else if (command === "clear") {
      this.#settle(pending, { text: "" });
    } else if (command === "cluster") {
      clusterText(this.#client, words, this.#format).then(
        (text) => this.#settle(pending, { text }),
        (error) => this.#settle(pending, { error }),
      );
    } else {
      this.#client.send(words).then(
        (value) => this.#settle(pending, { value }),
        (error) => this.#settle(pending, { error }),
      );
    }
    return true;
  }

  #add(shape: ReplyShape = "value"): PendingLine {
    const pending = { line: this.#lineCount, shape, outcome: undefined };
    this.#pending.push(pending);
    return pending;
  }

  #settle(pending: PendingLine, outcome: PendingLine["outcome"]): void {
    pending.outcome = outcome;
    while (!this.#stopped) {
      const oldest = this.#pending[this.#head];
      if (oldest?.outcome === undefined) break;
      this.#head++;
      this.#write(oldest, oldest.outcome);
      // The entry stays for a while, but its reply is freed.
      oldest.outcome = undefined;
    }
    if (this.#head > PIPED_IN_FLIGHT_MAX_COUNT) {
      this.#pending = this.#pending.slice(this.#head);
      this.#head = 0;
    }
    if (this.#stopped) this.#ended.resolve();
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
  }

  #write(pending: PendingLine, outcome: NonNullable<PendingLine["outcome"]>): void {
    if ("value" in outcome) this.#writeReply(pending, outcome.value);
    else if ("text" in outcome) this.#output.add(outcome.text);
    else if ("unreadable" in outcome) this.#fail(outcome.unreadable, Status.Usage);
    else this.#writeError(pending, outcome.error);
  }

  #writeReply(pending: PendingLine, value: Value): void {
    const bytes = formatReply(value, this.#format, pending.shape);
    this.#output.add(bytes);
    for (const { place, error } of refusalsIn(value)) {
      this.#status = Status.Refused;
      const text = formatError(error, "raw");
      if (this.#format === "raw") this.#errors.add(`line ${pending.line}, reply ${place}: ${text}`);
    }
    // Replies arrive even if their reader is slow, so no more are requested than may wait for it.
    const fittingCount = Math.max(1, Math.floor(OUTPUT_QUEUE_MAX_BYTES / Math.max(1, bytes.length)));
    this.#inFlightLimit = Math.min(this.#inFlightLimit + 1, fittingCount, PIPED_IN_FLIGHT_MAX_COUNT);
  }

  #writeError(pending: PendingLine, error: unknown): void {
    if (error instanceof ConnectionError) {
      const outcome = error.sent ? "it may have taken effect" : "it was not sent";
      return this.#fail(
        `line ${pending.line}: ${error.message}; ${outcome}, and nothing after it is run`,
        Status.NoConnection,
      );
    }
    this.#status = Status.Refused;
    const refusal = error instanceof ReplyError ? error : new ReplyError("ERR", messageOf(error));
    const text = formatError(refusal, this.#format);
    if (this.#format === "raw") this.#errors.add(`line ${pending.line}: ${text}`);
    else this.#output.add(text);
  }

  #fail(message: string, status: Status): void {
    this.#status = status;
    this.#errors.add(`inmem client: ${printable(message)}\n`);
  }
}
