/**
 * `inmem client` with commands on its standard input, one per line.
 *
 * Commands are sent as fast as lines arrive, without waiting for replies (`load/bulk_stream.ts`). Replies are written
 * in the order of the lines, as soon as they arrive. A refused command does not stop those after it, unless
 * `--stop-on-error` is given. A lost connection does, since later commands may depend on the lost one. A command that
 * is refused in a transaction counts as refused when `exec` reports it.
 *
 * ```text
 * lines ──► words ──► bulk stream ──► server ──► replies ──► standard output
 *   │        └ a line that cannot be read ────────┐
 *   └ help, clear: outcomes that need no reply ───┴─────────► in their places among the replies
 * ```
 *
 * A command that listens, such as `subscribe`, is the last one: its messages have no end that a line after them could
 * wait for.
 *
 * Blank lines and lines whose first word begins with `#` are comments.
 *
 * With `--stop-on-error` each command waits for the reply to the one before: commands that are in flight cannot be
 * taken back.
 *
 * @module
 */

import { decodeText, equalBytes } from "../bytes.ts";
import type { CommandSpecification } from "../catalog/specification.ts";
import type { Argument, ConnectionSettings, Value } from "../client/client.ts";
import { openReplies } from "../client/link.ts";
import { commandOf, ReplyDelays } from "../client/reply_delay.ts";
import { ConnectionError, InmemError, messageOf, ReplyError, UsageError } from "../errors.ts";
import {
  LINE_SIZE_KEEP_BYTES,
  OUTPUT_HELD_MAX_BYTES,
  OUTPUT_QUEUE_MAX_BYTES,
  PIPED_IN_FLIGHT_MAX_COUNT,
} from "../limits.ts";
import type { BulkReply } from "../load/bulk_reply.ts";
import { BulkStream, type ReplyConsumer } from "../load/bulk_stream.ts";
import { Output } from "../terminal/output.ts";
import type { Sink } from "../terminal/output.ts";
import { printable } from "../terminal/printable_text.ts";
import { clusterText } from "./cluster.ts";
import { formatError, formatReply, refusalsIn, toJson } from "./format.ts";
import { type ReplyShape, shapeOf } from "./human.ts";
import type { Format } from "./format.ts";
import { helpText } from "./help.ts";
import { readLines } from "./lines.ts";
import { isListening } from "./live/live_words.ts";
import { PendingLines } from "./pending_lines.ts";
import { PipedErrors } from "./piped_errors.ts";
import { ReplyOutput } from "./reply_output.ts";
import { Status } from "../target/exit_status.ts";
import { tokenize } from "./tokenizer.ts";

/** The streams that the piped client reads and writes. */
export interface PipedStreams {
  input: AsyncIterable<Uint8Array>;
  output: Sink;
  errors: Sink;
}

/** How the piped client shows what it does. */
export interface PipedOptions {
  readonly format: Format;
  /** Whether replies are not written; error replies are. */
  readonly quiet?: boolean;
  /** Whether the first refused command ends the run. */
  readonly stopOnError?: boolean;
  /** Shows the messages of a command that listens, after the output of all lines before it. Returns its exit status. */
  readonly listen: (words: readonly Uint8Array[]) => Promise<number>;
}

/** The progress of a run. */
export interface PipedCounts {
  /** The number of lines that were read. */
  lines: number;
  /** The number of bytes of these lines. */
  bytes: number;
  /** The number of commands whose replies have arrived. */
  replies: number;
  /** The number of commands that were refused, and of lines that cannot be read. */
  refused: number;
}

/** The number of commands in flight before the first reply shows how large replies are. */
const IN_FLIGHT_FIRST_COUNT = 16;
const COMMENT = 0x23;

/**
 * Runs commands until the input ends.
 *
 * @returns `Refused` when at least one was refused; `NoConnection` when the connection was lost; otherwise the status
 *   of the command that listened, if there was one
 */
export async function runPiped(
  settings: ConnectionSettings,
  streams: PipedStreams,
  options: PipedOptions,
): Promise<number> {
  const run = new PipedRun(settings, streams, options);
  return await run.run(streams.input);
}

/** A run of the piped client. `counts` can be read at any time. */
export class PipedRun implements ReplyConsumer {
  readonly counts: PipedCounts = { lines: 0, bytes: 0, replies: 0, refused: 0 };
  readonly #settings: ConnectionSettings;
  readonly #format: Format;
  readonly #isQuiet: boolean;
  readonly #stopsOnError: boolean;
  readonly #listen: PipedOptions["listen"];
  readonly #output: Output;
  readonly #errors: PipedErrors;
  readonly #replies: ReplyOutput;
  readonly #pending = new PendingLines();
  readonly #commands = new CommandFinder();
  #delays = new ReplyDelays();
  #stream: BulkStream | undefined;
  /** How many commands may be in flight now: one more with each reply, and fewer if replies are large. */
  #inFlightLimit = IN_FLIGHT_FIRST_COUNT;
  #status: Status = Status.Done;
  /** Whether nothing more is read, sent or written. */
  #isStopped = false;
  readonly #stopped = Promise.withResolvers<void>();
  /** The words of the present line are views of this buffer. */
  #words = new Uint8Array(LINE_SIZE_KEEP_BYTES);
  /** The last command, if it listens. */
  #listening: readonly Uint8Array[] | undefined;
  /** The reply that `cluster` waits for. */
  #awaited: PromiseWithResolvers<Value> | undefined;

  constructor(settings: ConnectionSettings, { output, errors }: Omit<PipedStreams, "input">, options: PipedOptions) {
    this.#settings = settings;
    // Errors without the replies around them need the numbers of their lines.
    this.#format = options.quiet && options.format === "human" ? "raw" : options.format;
    this.#isQuiet = options.quiet ?? false;
    this.#stopsOnError = options.stopOnError ?? false;
    this.#listen = options.listen;
    this.#output = new Output(output);
    this.#errors = new PipedErrors(output === errors ? this.#output : new Output(errors));
    this.#replies = new ReplyOutput(this.#output, this.#format);
  }

  /**
   * Connects, and runs the lines of the input.
   *
   * @throws {ConnectionError} when there is no connection to begin with
   * @throws {ReplyError} when the password is refused
   * @throws {OutputError} when the output cannot be written
   */
  async run(input: AsyncIterable<Uint8Array>): Promise<number> {
    await this.#open();
    try {
      const reading = this.#readAll(input);
      reading.catch(() => {});
      // The input may stay silent forever after the connection was lost, or after the reader of the output has gone.
      await Promise.race([reading, this.#stopped.promise, this.#output.failing]);
      if (!this.#isOver) await this.#stream!.drained();
      this.#connectionEnded(this.#stream!);
      this.#replies.flush();
    } finally {
      await this.#stream!.close();
    }
    await this.#flushed();
    if (this.#listening === undefined || this.#isOver) return this.#status;
    const status = await this.#showMessages(this.#listening);
    await this.#flushed();
    return status === Status.Done ? this.#status : status;
  }

  async #flushed(): Promise<void> {
    await this.#errors.flushed();
    await this.#output.flushed();
    if (this.#output.failure !== undefined) throw this.#output.failure;
  }

  async #showMessages(words: readonly Uint8Array[]): Promise<number> {
    const { lines } = this.counts;
    try {
      return await this.#listen(words);
    } catch (error) {
      if (error instanceof ReplyError) {
        this.#refuse(lines, error, commandOf(words));
        this.#replies.flush();
      } else if (error instanceof ConnectionError) this.#fail(`line ${lines}: ${error.message}`, Status.NoConnection);
      else throw error;
      return this.#status;
    }
  }

  async #open(): Promise<void> {
    const stream = await BulkStream.open(this.#settings, "native", this);
    this.#stream = stream;
    this.#delays = new ReplyDelays();
    this.#limit();
    stream.ended.then(() => this.#connectionEnded(stream));
  }

  async #readAll(input: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const lines of readLines(input)) {
        for (const line of lines) {
          const more = this.#takeLine(line);
          if (more === false || (more !== true && !await more)) return;
          if (!this.#hasRoom) await this.#room();
          if (this.#isOver) return;
        }
      }
    } catch (error) {
      // An error of the system has a code. Any other error is a bug.
      const isSystem = error instanceof Error && "code" in error && !(error instanceof InmemError);
      if (!(error instanceof UsageError) && !isSystem) throw error;
      const message = isSystem
        ? `Cannot read standard input: ${error.message}`
        : `line ${this.counts.lines + 1}: ${messageOf(error)}`;
      // The error has a place among the lines, so that the outcomes before it are written first.
      this.#addLocal(() => this.#fail(message, Status.Usage));
    }
  }

  /** Whether the run is over before its input is. */
  get #isOver(): boolean {
    return this.#isStopped || this.#output.failed;
  }

  get #hasRoom(): boolean {
    return this.#stream!.hasRoom && this.#output.hasRoom && this.#pending.localCount < PIPED_IN_FLIGHT_MAX_COUNT;
  }

  async #room(): Promise<void> {
    const stream = this.#stream!;
    if (this.#pending.localCount >= PIPED_IN_FLIGHT_MAX_COUNT) await stream.drained();
    else await stream.room();
    await this.#output.room();
  }

  /** Takes a line; returns or resolves to `false` when no more lines should be read. */
  #takeLine(line: Uint8Array): boolean | Promise<boolean> {
    this.counts.lines++;
    this.counts.bytes += line.length + 1;
    if (isComment(line)) return true;
    if (line.length > this.#words.length) this.#words = new Uint8Array(line.length);
    let words: Uint8Array[];
    try {
      words = tokenize(line, this.#words);
    } catch (error) {
      this.#addFailure(error);
      return true;
    }
    if (words.length === 0) return true;
    const command = this.#commands.find(words);
    if (command.isOwn) return this.#takeOwn(command.name, words);
    if (this.#stream!.lost !== undefined) return this.#reopen().then((isOpen) => isOpen && this.#send(words, command));
    return this.#send(words, command);
  }

  #send(words: readonly Uint8Array[], { shape, hasDelay, specification }: Command): true {
    const stream = this.#stream!;
    const number = stream.addedCount;
    try {
      stream.add(words, hasDelay ? this.#delays.next(words, specification!) : 0);
    } catch (error) {
      this.#addFailure(error);
      return true;
    }
    const { lines } = this.counts;
    this.#pending.add(number, lines, shape === "byWords" ? shapeOf(words) : shape, specification);
    return true;
  }

  /** Runs a line that is not sent as it is. */
  #takeOwn(name: string, words: readonly Uint8Array[]): boolean | Promise<boolean> {
    if (name === "exit" || name === "quit") return false;
    if (isListening(words)) {
      this.#listening = words.map((word) => word.slice());
      return false;
    }
    if (name === "cluster") return this.#takeCluster(words.map((word) => word.slice()));
    if (name !== "help") return true;
    const topic = words[1] === undefined ? "" : decodeText(words[1]);
    const help = helpText(topic);
    if (help === undefined) this.#addFailure(new UsageError(`No help for "${topic}"`));
    else this.#addLocal(() => this.#show(this.#format === "json" ? `${toJson(help)}\n` : help));
    return true;
  }

  async #takeCluster(words: readonly Uint8Array[]): Promise<boolean> {
    const stream = this.#stream!;
    await stream.drained();
    if (this.#isOver || (stream.lost !== undefined && !await this.#reopen())) return false;
    try {
      this.#show(
        await clusterText(
          { address: this.#settings.address, send: (request) => this.#ask(request) },
          words,
          this.#format,
        ),
      );
    } catch (error) {
      if (!this.#isOver) this.#addFailure(error);
    }
    return true;
  }

  /** Sends one request and waits for its reply. No other request may be in flight. */
  #ask(request: readonly Argument[]): Promise<Value> {
    const stream = this.#stream!;
    this.#awaited = Promise.withResolvers();
    const { promise, reject } = this.#awaited;
    this.#pending.add(stream.addedCount, this.counts.lines, "value", undefined);
    stream.add(request);
    stream.ended.then(() => reject(stream.lost));
    return promise;
  }

  /** Connects again after the connection was lost while no command was in flight, as every client of inmem does. */
  async #reopen(): Promise<boolean> {
    try {
      await this.#open();
      return true;
    } catch (error) {
      if (!(error instanceof ConnectionError) && !(error instanceof ReplyError)) throw error;
      const reason = error instanceof ReplyError ? formatError(error, "raw").trimEnd() : error.message;
      this.#fail(
        `line ${this.counts.lines}: ${reason}; it was not sent, and nothing after it is run`,
        Status.NoConnection,
      );
      return false;
    }
  }

  /** Does what has to be done when the connection is lost. Without a command in flight that is nothing. */
  #connectionEnded(stream: BulkStream): void {
    const { repliedCount, addedCount, lost } = stream;
    if (this.#isOver || lost === undefined || repliedCount === addedCount) return;
    const outcome = lost.sent ? "it may have taken effect" : "it was not sent";
    const line = this.#pending.line(repliedCount);
    this.#fail(`line ${line}: ${lost.message}; ${outcome}, and nothing after it is run`, Status.NoConnection);
  }

  take(reply: BulkReply): void {
    if (this.#isOver) return;
    const number = this.#stream!.repliedCount;
    this.counts.replies++;
    if (this.#awaited !== undefined) this.#settleAwaited(reply);
    else if (reply.isRefusal) {
      this.#refuse(this.#pending.line(number), reply.refusal(), this.#pending.command(number));
    } else this.#writeReply(reply, number);
    if (this.#pending.localCount > 0) this.#pending.writeLocals(number + 1);
  }

  taken(): Promise<void> | undefined {
    this.#replies.flush();
    this.#limit();
    // Usually so few replies are in flight that all of them may wait for a slow reader of the output.
    return this.#output.queuedBytes > OUTPUT_HELD_MAX_BYTES ? this.#output.room() : undefined;
  }

  #limit(): void {
    if (this.#stream !== undefined) this.#stream.inFlightMaxCount = this.#stopsOnError ? 1 : this.#inFlightLimit;
  }

  #settleAwaited(reply: BulkReply): void {
    const value = reply.value();
    if (value instanceof ReplyError) this.#awaited!.reject(value);
    else this.#awaited!.resolve(value);
    this.#awaited = undefined;
  }

  #writeReply(reply: BulkReply, number: number): void {
    const shape = this.#pending.shape(number);
    const isRun = this.#pending.command(number)?.transactionStep === "run";
    let sizeBytes = shape === "value" && !this.#isQuiet ? this.#replies.addShort(reply) : 0;
    if (sizeBytes === 0) sizeBytes = this.#writeLong(reply, shape, isRun ? this.#pending.line(number) : 0);
    // Replies arrive even if their reader is slow, so no more are requested than may wait for it.
    const fittingCount = Math.max(1, Math.floor(OUTPUT_QUEUE_MAX_BYTES / Math.max(1, sizeBytes)));
    this.#inFlightLimit = Math.min(this.#inFlightLimit + 1, fittingCount, PIPED_IN_FLIGHT_MAX_COUNT);
  }

  /** Writes a reply of any kind. `runLine` is the line of an `exec`, or 0. Returns the size of the reply in bytes. */
  #writeLong(reply: BulkReply, shape: ReplyShape, runLine: number): number {
    if (this.#isQuiet && runLine === 0) return reply.end - reply.start;
    const decoded = reply.value() as Value;
    const value = runLine > 0 ? openReplies(decoded) : decoded;
    const bytes = formatReply(value, this.#format, shape);
    if (!this.#isQuiet) this.#replies.add(bytes);
    const refusals = runLine > 0 ? refusalsIn(value) : [];
    for (const { place, error } of refusals) {
      if (this.#format === "raw") this.#errors.add(`line ${runLine}, reply ${place}: ${formatError(error, "raw")}`);
      else if (this.#isQuiet) this.#output.add(formatError(error, this.#format));
    }
    if (refusals.length > 0) this.#refused();
    return bytes.length;
  }

  #show(text: string): void {
    if (!this.#isQuiet) this.#replies.add(text);
  }

  #addLocal(write: () => void): void {
    this.#pending.addLocal(this.#stream!.addedCount, () => {
      if (!this.#isOver) write();
    });
    this.#pending.writeLocals(this.#stream!.repliedCount);
  }

  /** Notes that the present line has failed before it was sent. */
  #addFailure(error: unknown): void {
    const line = this.counts.lines;
    const refusal = error instanceof ReplyError ? error : new ReplyError("ERR", messageOf(error));
    this.#addLocal(() => this.#refuse(line, refusal));
  }

  #refuse(line: number, refusal: ReplyError, command?: CommandSpecification): void {
    const text = formatError(refusal, this.#format);
    if (this.#format === "raw") this.#errors.addRefusal(`line ${line}: ${text}`, refusal, command);
    else this.#replies.add(text);
    this.#refused();
  }

  #refused(): void {
    this.#status = Status.Refused;
    this.counts.refused++;
    if (this.#stopsOnError) this.#stop();
  }

  #fail(message: string, status: Status): void {
    this.#status = status;
    this.#errors.add(`inmem client: ${printable(message)}\n`);
    this.#stop();
  }

  #stop(): void {
    this.#isStopped = true;
    this.#stopped.resolve();
  }
}

/** Returns whether the first word of a line begins with `#`. */
function isComment(line: Uint8Array): boolean {
  let at = 0;
  while (at < line.length && (line[at] === 0x20 || (line[at]! >= 0x09 && line[at]! <= 0x0d))) at++;
  return line[at] === COMMENT;
}

/** The facts about a command that decide how its line is run. */
interface Command {
  /** The name in lower case. */
  readonly name: string;
  readonly specification: CommandSpecification | undefined;
  /** Whether the client runs it itself. */
  readonly isOwn: boolean;
  /** The shape of its replies, or `byWords` when that depends on the other words. */
  readonly shape: ReplyShape | "byWords";
  /** Whether it delays its reply, or changes how others delay theirs. */
  readonly hasDelay: boolean;
}

const OWN_NAMES: readonly string[] = ["exit", "quit", "help", "clear", "cluster"];

/** Finds the facts about the command of each line. Most lines have the same command as the one before. */
class CommandFinder {
  #name = new Uint8Array(0);
  #last: Command | undefined;

  find(words: readonly Uint8Array[]): Command {
    const name = words[0]!;
    const isSame = this.#name.length === name.length && equalBytes(this.#name, 0, name, 0, name.length);
    if (isSame && this.#last !== undefined) return this.#last;
    this.#name = name.slice();
    this.#last = describe(words);
    return this.#last;
  }
}

function describe(words: readonly Uint8Array[]): Command {
  const specification = commandOf(words);
  const name = decodeText(words[0]!).toLowerCase();
  return {
    name,
    specification,
    isOwn: OWN_NAMES.includes(name) || isListening(words),
    shape: Array.isArray(specification?.textReply) ? "byWords" : shapeOf([name]),
    hasDelay: specification !== undefined &&
      (specification.replyDelay !== "none" || specification.transactionStep !== undefined),
  };
}
