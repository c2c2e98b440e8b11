/**
 * Reads the statements of the prompt from its lines.
 *
 * | line | statement |
 * |---|---|
 * | `set key value` | a command |
 * | `5 incr key` | a command that runs five times |
 * | `set text "one` and then `two"` | a command with an argument of two lines |
 * | `# text` | a comment, which does nothing |
 * | `?`, `? get` | `help`, `help get` |
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { messageOf, UsageError } from "../errors.ts";
import { EDITED_TEXT_MAX_CHARACTERS, REPEAT_MAX_COUNT } from "../limits.ts";
import { quote } from "../terminal/printable_text.ts";
import { decodeTyped, encodeTyped } from "../terminal/typed_text.ts";
import { OpenQuoteError, tokenize } from "./tokenizer.ts";

/** A complete statement. */
export interface Statement {
  /** The command and its arguments; empty for a blank line or a comment. */
  readonly words: readonly Uint8Array[];
  /** How often the command runs. */
  readonly repeatCount: number;
  /** The statement on one line, for the history. */
  readonly line: string;
}

const COMMENT = /^\s*#/;
const QUESTION = /^\s*\?\s*/;
const COUNT = /^[0-9]+$/;

/** Joins lines until no quote is open. */
export class StatementReader {
  #begun: string | undefined;

  /** Whether a quote is open, so that the next line continues the statement. */
  get isUnfinished(): boolean {
    return this.#begun !== undefined;
  }

  /**
   * Adds a line.
   *
   * @returns the statement; `undefined` when a quote is open
   * @throws {UsageError} when the statement cannot be read, after which it is dropped
   */
  add(line: string): Statement | undefined {
    const begun = this.#begun;
    this.#begun = undefined;
    if (begun === undefined && COMMENT.test(line)) return { words: [], repeatCount: 1, line };
    const text = begun === undefined ? line.replace(QUESTION, "help ") : `${begun}\n${line}`;
    if (text.length > EDITED_TEXT_MAX_CHARACTERS) {
      throw new UsageError(`Cannot take more than ${EDITED_TEXT_MAX_CHARACTERS} characters at the prompt`);
    }
    try {
      const words = tokenize(encodeTyped(text));
      return { ...repeated(words), line: begun === undefined ? line : words.map(typedForm).join(" ") };
    } catch (error) {
      if (!(error instanceof OpenQuoteError)) throw new UsageError(messageOf(error) + cureOf(text), { cause: error });
      this.#begun = text;
      return undefined;
    }
  }

  /** Drops the lines of an unfinished statement. */
  drop(): void {
    this.#begun = undefined;
  }
}

function repeated(words: readonly Uint8Array[]): { words: readonly Uint8Array[]; repeatCount: number } {
  const first = words.length > 1 ? decodeText(words[0]!) : "";
  if (!COUNT.test(first)) return { words, repeatCount: 1 };
  const repeatCount = Number(first);
  if (repeatCount < 1 || repeatCount > REPEAT_MAX_COUNT) {
    throw new UsageError(`Cannot repeat a command ${first} times: expected 1 to ${REPEAT_MAX_COUNT}`);
  }
  return { words: words.slice(1), repeatCount };
}

/** Matches a word that means itself without quotes, also as the first one. */
const BARE = /^[^\s"'\\#?\p{C}\p{Zl}\p{Zp}]+$/u;

/** Returns a word as it can be typed on one line. */
function typedForm(word: Uint8Array): string {
  const text = decodeTyped(word);
  return BARE.test(text) ? text : quote(word);
}

/** Returns advice for a line that cannot be read; JSON without quotes around it is the usual reason. */
function cureOf(text: string): string {
  return /[{[]\s*"|":/.test(text) && !text.includes("'") ? "; put JSON into single quotes: '{\"a\": 1}'" : "";
}
