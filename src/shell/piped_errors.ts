/**
 * The errors of the piped client: a line for each refused line, and advice below the first of each kind.
 *
 * ```text
 * line 2: ERR unknown command 'sett', with args beginning with: 'a' 'b'
 * hint: did you mean "set"?
 * line 9: ERR unknown command 'sett', with args beginning with: 'c' 'd'
 * ```
 *
 * A run without refusals does not load the advice. While it is loaded, what is written later waits, so that advice
 * stays below its line. The words of a line are not kept until its reply arrives, so the advice gets those that the
 * catalog and the text of the refusal name.
 *
 * @module
 */

import type { CommandSpecification } from "../catalog/specification.ts";
import type { ReplyError } from "../errors.ts";
import { PIPED_ADVICE_MAX_COUNT } from "../limits.ts";
import type { Output } from "../terminal/output.ts";
import type { adviceFor } from "./advice.ts";

/** The length of the start of a refusal that tells its kind, such as `syntax error`. */
const KIND_LENGTH = 12;

/** Writes the errors of a run. */
export class PipedErrors {
  readonly #output: Output;
  /** The kinds of refusals that were advised about, and the texts of this advice. */
  readonly #kinds = new Set<string>();
  readonly #texts = new Set<string>();
  #adviceFor: typeof adviceFor | undefined;
  #loading: Promise<void> | undefined;
  /** The writes that wait until the advice is loaded. */
  #waiting: (() => void)[] = [];

  constructor(output: Output) {
    this.#output = output;
  }

  /** Adds lines. */
  add(text: string): void {
    if (this.#loading === undefined) this.#output.add(text);
    else this.#waiting.push(() => this.#output.add(text));
  }

  /** Adds the line of a refusal, and advice unless its kind has had some. */
  addRefusal(text: string, refusal: ReplyError, command: CommandSpecification | undefined): void {
    this.add(text);
    if (this.#kinds.size >= PIPED_ADVICE_MAX_COUNT) return;
    const words = wordsOf(refusal, command);
    const kind = `${refusal.code} ${words[0]} ${refusal.code === "ERR" ? refusal.message.slice(0, KIND_LENGTH) : ""}`;
    if (this.#kinds.has(kind)) return;
    this.#kinds.add(kind);
    if (this.#adviceFor !== undefined) return this.#advise(words, refusal);
    this.#waiting.push(() => this.#advise(words, refusal));
    this.#loading ??= this.#load();
  }

  /** Resolves when everything is written. */
  async flushed(): Promise<void> {
    await this.#loading;
    await this.#output.flushed();
  }

  async #load(): Promise<void> {
    this.#adviceFor = (await import("./advice.ts")).adviceFor;
    this.#loading = undefined;
    for (const write of this.#waiting) write();
    this.#waiting = [];
  }

  #advise(words: readonly string[], refusal: ReplyError): void {
    const text = this.#adviceFor!(words, refusal, "pipe");
    if (text === "" || this.#texts.has(text)) return;
    this.#texts.add(text);
    this.#output.add(text);
  }
}

/** Returns the words of a refused command that are known: its name, and the subcommand that its refusal quotes. */
function wordsOf({ message }: ReplyError, command: CommandSpecification | undefined): string[] {
  const quoted = message.startsWith("unknown ") ? /'([^']*)'/.exec(message)?.[1] : undefined;
  if (command === undefined) return [quoted ?? ""];
  return quoted === undefined ? [command.name] : [command.name, quoted];
}
