/**
 * Wraps comments whose lines are too long, since `deno fmt` leaves comments as they are. Pages it does wrap.
 *
 * Only a paragraph with a line that is too long is filled again; lists keep their indents, and tables, drawings and
 * code stay as they are. As a program it changes files, and all modules in folders:
 *
 * ```sh
 * deno run --allow-read --allow-write tests/support/tidy/wrap.ts src/wire
 * ```
 *
 * @module
 */

import { filesIn, LINE_MAX_CHARACTERS } from "./prose.ts";
import { type Comment, scan } from "./source_text.ts";

/** Returns the source with its comments wrapped. */
export function wrapComments(source: string): string {
  const lines = source.split("\n");
  // From the last one on, so that the lines of the others stay where they are.
  for (const comment of scan(source).comments.toReversed()) {
    const first = comment.line - 1;
    const count = comment.text.split("\n").length;
    const old = lines.slice(first, first + count);
    if (old.every((line) => [...line].length <= LINE_MAX_CHARACTERS)) continue;
    const wrapped = comment.kind === "line" ? wrapLineComment(old) : wrapBlockComment(comment, old);
    if (wrapped !== undefined) lines.splice(first, count, ...wrapped);
  }
  return lines.join("\n");
}

/** A comment after code on its line stays as it is. */
function wrapLineComment(lines: readonly string[]): string[] | undefined {
  const indent = /^( *)\/\/ /.exec(lines[0]!)?.[1];
  if (indent === undefined) return undefined;
  const texts = lines.map((line) => line.slice(indent.length + 2).replace(/^ /, ""));
  return wrapTexts(texts, `${indent}// `);
}

function wrapBlockComment({ kind }: Comment, lines: readonly string[]): string[] | undefined {
  const indent = /^( *)\/\*\*(?: |$)/.exec(lines[0]!)?.[1];
  if (kind !== "doc" || indent === undefined) return undefined;
  if (lines.length === 1) {
    const text = /^ *\/\*\* (.*) \*\/$/.exec(lines[0]!)?.[1];
    return text === undefined ? undefined : [`${indent}/**`, ...wrapTexts([text], `${indent} * `), `${indent} */`];
  }
  const last = lines.length - 1;
  if (lines[0] !== `${indent}/**` || lines[last] !== `${indent} */`) return undefined;
  const texts = lines.slice(1, last).map((line) => line.slice(indent.length + 2).replace(/^ /, ""));
  return [lines[0], ...wrapTexts(texts, `${indent} * `), lines[last]];
}

/** Wraps paragraphs; each of the new lines begins with `prefix`. */
function wrapTexts(texts: readonly string[], prefix: string): string[] {
  const wrapped: string[] = [];
  const width = LINE_MAX_CHARACTERS - prefix.length;
  for (let at = 0; at < texts.length;) {
    const end = endOfParagraph(texts, at);
    const paragraph = texts.slice(at, end);
    const isLong = paragraph.some((text) => [...text].length > width);
    wrapped.push(...isLong && isText(paragraph[0]!) ? fill(paragraph, width) : paragraph);
    at = end;
  }
  return wrapped.map((text) => `${prefix}${text}`.trimEnd());
}

/** Returns whether a line has text, and is neither of a table nor a fence or a heading. */
function isText(line: string): boolean {
  return !/^\s*(?:\||```|#|$)/.test(line);
}

/** A line that begins an item of a list, or a tag, begins a paragraph. */
const BEGINNING = /^\s*(?:[-*] |\d{1,2}\. |@[a-z])/;

function endOfParagraph(texts: readonly string[], at: number): number {
  const begin = at++;
  if (/^\s*```/.test(texts[begin]!)) {
    while (at < texts.length && !/^\s*```/.test(texts[at]!)) at++;
    return Math.min(at + 1, texts.length);
  }
  if (!isText(texts[begin]!)) return at;
  while (at < texts.length && isText(texts[at]!) && !BEGINNING.test(texts[at]!)) at++;
  return at;
}

/** A word, with the code and the links in it, which are not broken. */
const WORD = /(?:`[^`]*`|\{@[^}]*\}|\S)+/g;

/** Fills the lines of a paragraph again, each of them up to `width` characters. */
function fill(paragraph: readonly string[], width: number): string[] {
  const [, indent = "", mark = ""] = /^(\s*)([-*] |\d{1,2}\. )?/.exec(paragraph[0]!)!;
  const next = paragraph[1] === undefined ? indent + " ".repeat(mark.length) : /^\s*/.exec(paragraph[1])![0];
  const lines: string[] = [];
  let line = "";
  for (const [word] of paragraph.join(" ").trim().matchAll(WORD)) {
    const begin = lines.length === 0 ? indent : next;
    const longer = line === "" ? begin + word : `${line} ${word}`;
    // A mark of a list must not begin a line.
    if (line === "" || [...longer].length <= width || /^(?:[-*|#]|@[a-z]+|\d{1,2}\.)$/.test(word)) line = longer;
    else {
      lines.push(line);
      line = next + word;
    }
  }
  return [...lines, line];
}

if (import.meta.main) {
  for (const path of Deno.args) {
    for (const file of filesIn(path)) {
      if (!file.endsWith(".ts")) continue;
      const source = Deno.readTextFileSync(file);
      const wrapped = wrapComments(source);
      if (wrapped === source) continue;
      Deno.writeTextFileSync(file, wrapped);
      console.log(file);
    }
  }
}
