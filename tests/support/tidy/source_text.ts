/**
 * The texts in a TypeScript file that people read: its comments and its string literals, each with its line.
 *
 * The scanner knows as much of the language as it needs to find where these begin and end. A slash begins a regular
 * expression where a value may begin, and is a division after a value; `deno fmt` has laid out every file that is read
 * here, so the few cases in which this guess is wrong do not occur.
 *
 * @module
 */

/** One comment; line comments that follow each other on separate lines are one. */
export interface Comment {
  /** A `doc` comment begins with two stars. */
  readonly kind: "doc" | "block" | "line";
  /** The number of its first line, from 1. */
  readonly line: number;
  /** The lines without the marks `//`, `/**` and the stars at their left. */
  readonly text: string;
}

/** One string literal; in a template literal, each value is replaced by `…`. */
export interface Literal {
  /** The number of its first line, from 1. */
  readonly line: number;
  /** The characters between the quotes, with escapes as they are written. */
  readonly text: string;
  /** The code on the line before the literal, or the previous line when there is none. */
  readonly before: string;
}

/** The texts of one file. */
export interface SourceText {
  readonly comments: readonly Comment[];
  readonly literals: readonly Literal[];
}

/** Words after which a slash begins a regular expression. */
const BEFORE_A_VALUE = /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|await|yield|throw)$/;

/** Finds the comments and the string literals of a TypeScript file. */
export function scan(source: string): SourceText {
  const scanner = new Scanner(source);
  scanner.code(0, false);
  return { comments: mergeLines(source, scanner.comments), literals: scanner.literals };
}

class Scanner {
  readonly comments: Comment[] = [];
  readonly literals: Literal[] = [];
  readonly #source: string;
  /** The line of the position `#counted`, up to which lines have been counted. */
  #line = 1;
  #counted = 0;

  constructor(source: string) {
    this.#source = source;
  }

  /** Scans code from `at` on and returns where it ends: at the brace that closes a template's value, or at the end. */
  code(at: number, inTemplate: boolean): number {
    const source = this.#source;
    let depth = 0;
    while (at < source.length) {
      const character = source[at]!;
      if (character === '"' || character === "'") at = this.#string(at, character);
      else if (character === "`") at = this.#template(at);
      else if (character === "/") at = this.#slash(at);
      else {
        if (character === "{") depth++;
        else if (character === "}" && depth-- === 0 && inTemplate) return at;
        at++;
      }
    }
    return at;
  }

  #slash(at: number): number {
    const source = this.#source;
    const next = source[at + 1];
    if (next === "/") {
      const end = source.indexOf("\n", at);
      const stop = end < 0 ? source.length : end;
      this.comments.push({ kind: "line", line: this.#lineOf(at), text: source.slice(at + 2, stop) });
      return stop;
    }
    if (next === "*") {
      const stop = source.indexOf("*/", at + 2);
      const kind = source[at + 2] === "*" ? "doc" : "block";
      const text = source.slice(at + (kind === "doc" ? 3 : 2), stop).replaceAll(/\n[ \t]*\*/g, "\n");
      this.comments.push({ kind, line: this.#lineOf(at), text });
      return stop + 2;
    }
    return beginsValue(source, at) ? endOfPattern(source, at) : at + 1;
  }

  #string(at: number, quote: string): number {
    const source = this.#source;
    let end = at + 1;
    while (source[end] !== quote && end < source.length) end += source[end] === "\\" ? 2 : 1;
    this.#literal(at, source.slice(at + 1, end));
    return end + 1;
  }

  #template(at: number): number {
    const source = this.#source;
    const begin = at++;
    let text = "";
    while (source[at] !== "`" && at < source.length) {
      if (source.startsWith("${", at)) {
        text += "…";
        at = this.code(at + 2, true) + 1;
      } else {
        const size = source[at] === "\\" ? 2 : 1;
        text += source.slice(at, at + size);
        at += size;
      }
    }
    this.#literal(begin, text);
    return at + 1;
  }

  #literal(at: number, text: string): void {
    const source = this.#source;
    const code = source.slice(Math.max(0, at - 200), at).trimEnd();
    this.literals.push({ line: this.#lineOf(at), text, before: code.slice(code.lastIndexOf("\n") + 1) });
  }

  #lineOf(at: number): number {
    if (at < this.#counted) return this.#line - countLines(this.#source, at, this.#counted);
    this.#line += countLines(this.#source, this.#counted, at);
    this.#counted = at;
    return this.#line;
  }
}

function countLines(source: string, from: number, to: number): number {
  let count = 0;
  for (let at = source.indexOf("\n", from); at >= 0 && at < to; at = source.indexOf("\n", at + 1)) count++;
  return count;
}

/** Returns whether a value may begin at `at`, judged by what is before it. */
function beginsValue(source: string, at: number): boolean {
  let end = at;
  while (end > 0 && /\s/.test(source[end - 1]!)) end--;
  // An exclamation mark after a value asserts that it is there; before one, it negates it.
  if (end > 1 && source[end - 1] === "!" && /[\w$)\]]/.test(source[end - 2]!)) return false;
  if (end === 0) return true;
  if (/[\w$]/.test(source[end - 1]!)) return BEFORE_A_VALUE.test(source.slice(Math.max(0, end - 12), end));
  return !/[)\]}"'`]/.test(source[end - 1]!);
}

/** Returns where the regular expression that begins at `at` ends; a slash in a class of characters does not end it. */
function endOfPattern(source: string, at: number): number {
  let inClass = false;
  for (at++; at < source.length; at++) {
    const character = source[at];
    if (character === "\\") at++;
    else if (character === "[") inClass = true;
    else if (character === "]") inClass = false;
    else if (character === "/" && !inClass) return at + 1;
  }
  return at;
}

/** Makes one comment of line comments that follow each other and have no code on their lines. */
function mergeLines(source: string, comments: readonly Comment[]): Comment[] {
  const lines = source.split("\n");
  const merged: Comment[] = [];
  for (const comment of comments) {
    const last = merged.at(-1);
    const isAlone = comment.kind === "line" && lines[comment.line - 1]!.trimStart().startsWith("//");
    const follows = isAlone && last?.kind === "line" &&
      last.line + countLines(last.text, 0, last.text.length) + 1 === comment.line &&
      lines[last.line - 1]!.trimStart().startsWith("//");
    if (follows) merged[merged.length - 1] = { ...last, text: `${last.text}\n${comment.text}` };
    else merged.push(comment);
  }
  return merged;
}
