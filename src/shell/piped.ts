/**
 * `inmem client` with commands on its standard input, a line each.
 *
 * Commands are sent as fast as lines arrive, without waiting for replies, and replies are written in the order of the
 * lines as soon as they are there. A refused command does not stop those after it; a lost connection does, since what
 * follows may rest on what was lost. A command that is refused in a transaction counts as refused once `exec` tells.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Client, Value } from "../client/client.ts";
import { ConnectionError, InmemError, messageOf, ReplyError, UsageError } from "../errors.ts";
import { OUTPUT_QUEUE_MAX_BYTES, PIPED_IN_FLIGHT_MAX_COUNT } from "../limits.ts";
import { clusterText } from "./cluster.ts";
import { formatError, formatReply, printable, refusalsIn, repliesInLines, toJson } from "./format.ts";
import type { Format } from "./format.ts";
import { helpText } from "./help.ts";
import { readLines } from "./lines.ts";
import { Output } from "./output.ts";
import type { Sink } from "./output.ts";
import { tokenize } from "./tokenizer.ts";

/** Exit statuses of `inmem client`. */
export const Status = { Done: 0, Refused: 1, Usage: 2, NoConnection: 3 } as const;
/** One of {@linkcode Status}. */
export type Status = typeof Status[keyof typeof Status];

/** Where the piped client reads and writes. */
export interface PipedStreams {
  input: AsyncIterable<Uint8Array>;
  output: Sink;
  errors: Sink;
}

/** Commands in flight before the first reply tells how large replies are. */
const IN_FLIGHT_FIRST_COUNT = 16;

/** One line's outcome, which waits until those before it are written. */
interface Slot {
  readonly line: number;
  /** Whether the reply is text in lines. */
  readonly isLines: boolean;
  outcome: { value: Value } | { text: string } | { error: unknown } | { unreadable: string } | undefined;
}

/**
 * Runs commands until the input ends.
 *
 * @returns `Refused` when at least one was; `NoConnection` when the connection was lost
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
  #slots: Slot[] = [];
  /** The first slot of `#slots` that is not written. */
  #head = 0;
  /** Commands that may be unanswered now: one more with each reply, and fewer where replies are large. */
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
    // Input may stay silent for ever after the connection was lost, or the reader of the output went away.
    await Promise.race([reading, this.#ended.promise, this.#output.failing]);
    while (this.#head < this.#slots.length && !this.#stopped) await this.#progress.promise;
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
      // An error of the system's has a code. Another one is a bug of ours.
      const isSystem = error instanceof Error && "code" in error && !(error instanceof InmemError);
      if (!(error instanceof UsageError) && !isSystem) throw error;
      const message = isSystem
        ? `Cannot read standard input: ${error.message}`
        : `line ${this.#lineCount + 1}: ${messageOf(error)}`;
      // It has a place among the lines, so that those before it are answered first.
      this.#settle(this.#slot(), { unreadable: message });
    }
  }

  get #stopped(): boolean {
    return this.#status >= Status.Usage || this.#output.failed;
  }

  /** Sends the commands of the lines; `false` when nothing is to be read any more. */
  async #takeLines(lines: readonly Uint8Array[]): Promise<boolean> {
    for (const line of lines) {
      if (!this.#takeLine(line)) return false;
      while (this.#slots.length - this.#head >= this.#inFlightLimit && !this.#stopped) {
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
      this.#settle(this.#slot(), { error });
      return true;
    }
    if (words.length === 0) return true;
    const command = decodeText(words[0]!).toLowerCase();
    if (command === "exit" || command === "quit") return false;
    const pending = this.#slot(repliesInLines([command, words[1] ?? ""]));
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

  #slot(isLines = false): Slot {
    const slot = { line: this.#lineCount, isLines, outcome: undefined };
    this.#slots.push(slot);
    return slot;
  }

  #settle(pending: Slot, outcome: Slot["outcome"]): void {
    pending.outcome = outcome;
    while (!this.#stopped) {
      const oldest = this.#slots[this.#head];
      if (oldest?.outcome === undefined) break;
      this.#head++;
      this.#write(oldest, oldest.outcome);
      // The slot stays for a while, its reply need not.
      oldest.outcome = undefined;
    }
    if (this.#head > PIPED_IN_FLIGHT_MAX_COUNT) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    if (this.#stopped) this.#ended.resolve();
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
  }

  #write(pending: Slot, outcome: NonNullable<Slot["outcome"]>): void {
    if ("value" in outcome) this.#writeReply(pending, outcome.value);
    else if ("text" in outcome) this.#output.add(outcome.text);
    else if ("unreadable" in outcome) this.#fail(outcome.unreadable, Status.Usage);
    else this.#writeError(pending, outcome.error);
  }

  #writeReply(pending: Slot, value: Value): void {
    const bytes = formatReply(value, this.#format, pending.isLines);
    this.#output.add(bytes);
    for (const { place, error } of refusalsIn(value)) {
      this.#status = Status.Refused;
      const text = formatError(error, "raw");
      if (this.#format === "raw") this.#errors.add(`line ${pending.line}, reply ${place}: ${text}`);
    }
    // Replies come whether their reader keeps up or not, so no more of them are asked for than may wait for it.
    const fittingCount = Math.max(1, Math.floor(OUTPUT_QUEUE_MAX_BYTES / Math.max(1, bytes.length)));
    this.#inFlightLimit = Math.min(this.#inFlightLimit + 1, fittingCount, PIPED_IN_FLIGHT_MAX_COUNT);
  }

  #writeError(pending: Slot, error: unknown): void {
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
