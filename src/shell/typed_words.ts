/**
 * Splits a line that is still being typed into words, as far as completion and hints need them.
 *
 * The tokenizer reads finished lines and refuses a quote that is not closed. Here such a quote is a word that is being
 * typed. Words keep their quotes, since only their number and their plain text matter.
 *
 * @module
 */

/** A line that is being typed. */
export interface TypedWords {
  /** The complete words, without a repeat count before the command. */
  readonly words: readonly string[];
  /** The word at the end of the line, as it was typed; empty after a blank. */
  readonly last: string;
  /** The quote that the last word has opened and not closed; empty if there is none. */
  readonly openQuote: "" | '"' | "'";
}

/** Matches one word, and the blanks after it. A quote may lack its end. */
const WORD = /((?:"(?:\\[^]|[^"\\])*(?:"|\\?$)|'(?:\\'|[^'])*(?:'|$)|[^\s"']+)+)(\s*)/gy;
const REPEAT_COUNT = /^[0-9]+$/;

/** Splits a line whose cursor is at its end. */
export function splitTyped(line: string): TypedWords {
  const words: string[] = [];
  const text = line.trimStart();
  let last = "";
  WORD.lastIndex = 0;
  for (let match = WORD.exec(text); match !== null; match = WORD.exec(text)) {
    const [, word, blanks] = match;
    if (blanks === "") last = word!;
    else words.push(word!);
  }
  if (words.length > 0 && REPEAT_COUNT.test(words[0]!)) words.shift();
  return { words, last, openQuote: openQuoteOf(last) };
}

function openQuoteOf(word: string): "" | '"' | "'" {
  const rest = word.replaceAll(/"(?:\\[^]|[^"\\])*"|'(?:\\'|[^'])*'/g, "");
  const quote = /["']/.exec(rest)?.[0];
  return quote === undefined ? "" : quote as '"' | "'";
}
