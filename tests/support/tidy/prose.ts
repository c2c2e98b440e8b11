/**
 * Checks how comments, messages and pages are worded: by the tables of `prose_rules.ts`, and by these rules.
 *
 * | where | rule |
 * |---|---|
 * | the description in a doc comment | begins with a capital letter, a digit, code or a link |
 * | each of its paragraphs | ends with a full stop, or with a colon when a list, a table or a drawing follows |
 * | its first words | name what it is about: `OPENINGS` |
 * | comments, pages, messages of `src/` and names of tests | plain words: `WORDS` |
 * | lines of comments and pages | 120 characters at most, unless they are code, a table or a link |
 *
 * As a program it prints the faults of files, and of all files in folders:
 *
 * ```sh
 * deno run --allow-read tests/support/tidy/prose.ts src/wire README.md
 * ```
 *
 * @module
 */

import { FIXED_TEXTS, OPENINGS, type ProseRule, WORDS } from "./prose_rules.ts";
import { type Comment, scan } from "./source_text.ts";

/** One place that breaks a rule. */
export interface Fault {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  /** The words in question, and what to write instead. */
  readonly text: string;
}

/** The longest line of prose, in characters. */
export const LINE_MAX_CHARACTERS = 120;

/** Longest quotation in a fault, in characters. */
const QUOTATION_MAX_CHARACTERS = 70;

/** Returns whether a file is checked, by its name. */
export function hasProse(file: string): boolean {
  return /\.(?:ts|md)$/.test(file);
}

/** Returns the faults of a file. The path says which folder of the repository it is in. */
export function proseFaults(file: string): Fault[] {
  return faultsOf(file, Deno.readTextFileSync(file));
}

/** Returns the faults of a text as if it were that file. */
export function faultsOf(file: string, text: string): Fault[] {
  const found = new Checker(file);
  if (file.endsWith(".md")) checkPage(found, text);
  else checkSource(found, text);
  return found.faults.sort((a, b) => a.line - b.line);
}

/** Collects the faults of one file. */
class Checker {
  readonly faults: Fault[] = [];
  readonly #file: string;
  readonly #words: readonly ProseRule[];
  readonly #openings: readonly ProseRule[];
  readonly folder: string;

  constructor(file: string) {
    this.#file = file;
    this.folder = /^(?:.*\/)?(src|tests|bench|cluster)\//.exec(file)?.[1] ?? "";
    const holds = ({ folders }: ProseRule) => folders === undefined || folders.includes(this.folder);
    this.#words = WORDS.filter(holds).map(spread);
    this.#openings = OPENINGS.filter(holds).map(spread);
  }

  add(line: number, rule: string, text: string): void {
    this.faults.push({ file: this.#file, line, rule, text });
  }

  /** Checks the words of a text that begins on a line. */
  words(line: number, text: string): void {
    this.#apply(this.#words, line, text);
  }

  /** Checks the beginning of a doc comment. */
  opening(line: number, text: string): void {
    this.#apply(this.#openings, line, text);
  }

  #apply(rules: readonly ProseRule[], line: number, text: string): void {
    const prose = blank(text);
    for (const { name, pattern, instead } of rules) {
      for (const { index } of prose.matchAll(pattern)) {
        const begin = Math.max(0, text.lastIndexOf("\n", index) + 1, index - 30);
        this.add(line + lineBreaks(text.slice(0, index)), name, `"${quotation(text.slice(begin))}" → ${instead}`);
      }
    }
  }

  /** Checks the length of a line that is prose. */
  length(line: number, text: string): void {
    const count = [...text].length;
    if (count <= LINE_MAX_CHARACTERS) return;
    this.add(line, "length", `the line has ${count} characters, more than ${LINE_MAX_CHARACTERS}`);
  }
}

/** Lets each space of a rule's pattern be any white space, so that a line may end there. */
function spread({ pattern, ...rule }: ProseRule): ProseRule {
  return { ...rule, pattern: new RegExp(pattern.source.replaceAll(" ", "\\s+"), `${pattern.flags}g`) };
}

/** Returns whether a line is prose: a row of a table and a link may be longer. */
function isProse(line: string): boolean {
  const text = line.replace(/^\s*(?:\/\/|\/\*\*?|\*)?\s*/, "");
  return !text.startsWith("|") && !/\]\(|https?:\/\//.test(text);
}

/** The code before the name of a test or a step, also where a function of the tests takes the name. */
const TEST_CALL = /(?:[tT]est\w*|\bstep|\.ignore|\.only)\($/;

function checkSource(found: Checker, source: string): void {
  const { comments, literals } = scan(source);
  const lines = source.split("\n");
  for (const comment of comments) {
    found.words(comment.line, comment.text);
    checkLengths(found, comment, lines);
    if (comment.kind === "doc") checkDoc(found, comment.line, comment.text);
  }
  for (const { line, text, before } of literals) {
    const isName = TEST_CALL.test(before);
    const isMessage = found.folder === "src" && !FIXED_TEXTS.some((fixed) => text.includes(fixed));
    if (text.includes(" ") && (isMessage || isName)) found.words(line, text);
  }
}

function checkLengths(found: Checker, comment: Comment, lines: readonly string[]): void {
  let inFence = false;
  comment.text.split("\n").forEach((text, index) => {
    const line = lines[comment.line - 1 + index]!;
    if (/^\s*```/.test(text)) inFence = !inFence;
    else if (!inFence && isProse(line)) found.length(comment.line + index, line);
  });
}

/** Checks that the description of a doc comment consists of sentences. */
function checkDoc(found: Checker, line: number, text: string): void {
  const description = text.slice(0, / *\n\s*@[a-z]/.exec(blank(text))?.index);
  const begin = /\S/.exec(description)?.index;
  if (begin === undefined || description[begin] === "@") return;
  const first = line + lineBreaks(description.slice(0, begin));
  const opening = description.slice(begin);
  if (!/^(?:[A-Z0-9`"]|\{@link)/.test(opening)) {
    found.add(first, "opening", `"${quotation(opening)}" → begin with a capital letter, a digit, code or a link`);
  }
  found.opening(first, opening);
  checkEnds(found, line, description);
}

/** Matches a line of a list, a table, a drawing or a heading. */
const LAYOUT = /^\s*(?:[-*] |\d{1,2}\. |\||```|#|▒)/;

/** Checks how each paragraph ends; `text` begins on `line`. */
function checkEnds(found: Checker, line: number, text: string): void {
  const lines = blank(text).split("\n");
  const quoted = text.split("\n");
  lines.forEach((each, index) => {
    const next = lines[index + 1];
    const isLast = next === undefined || next.trim() === "" || LAYOUT.test(next);
    if (!isLast || each.trim() === "" || LAYOUT.test(each) || /^ {2,}\S/.test(each) && isInList(lines, index)) return;
    const following = lines.slice(index + 1).find((later) => later.trim() !== "");
    const end = each.trimEnd().replace(/["')”`*]+$/, "");
    const isWhole = /[.!?]$/.test(end) && !end.endsWith("…");
    if (isWhole || end.endsWith(":") && following !== undefined && LAYOUT.test(following)) return;
    const instead = "end with a full stop, or with a colon when a list, a table or a drawing follows";
    found.add(line + index, "ending", `"${quotation(quoted[index]!.trim().slice(-40))}" → ${instead}`);
  });
}

/** Returns whether an indented line continues an item of a list. */
function isInList(lines: readonly string[], index: number): boolean {
  while (index >= 0 && /^ {2,}\S/.test(lines[index]!) && !LAYOUT.test(lines[index]!)) index--;
  return index >= 0 && LAYOUT.test(lines[index]!);
}

function checkPage(found: Checker, page: string): void {
  found.words(1, page);
  let inFence = false;
  page.split("\n").forEach((line, index) => {
    if (line.trimStart().startsWith("```")) inFence = !inFence;
    else if (!inFence && isProse(line)) found.length(index + 1, line);
  });
}

/** Blanks drawings, code and the targets of links, and keeps the positions of everything else. */
function blank(text: string): string {
  return text
    .replaceAll(/^([ \t]*)```[^]*?^[ \t]*```/gm, (code) => dots(code))
    .replaceAll(/`[^`\n]*`/g, (code) => `\`${"▒".repeat(code.length - 2)}\``)
    .replaceAll(/(\{@link(?:code)? )([^}]*)\}/g, (_, begin: string, target: string) => `${begin}${dots(target)}}`)
    .replaceAll(/\]\([^)]*\)/g, (link) => `](${dots(link.slice(3))})`);
}

function dots(text: string): string {
  return text.replaceAll(/[^\n]/g, "▒");
}

function quotation(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= QUOTATION_MAX_CHARACTERS ? line : `${line.slice(0, QUOTATION_MAX_CHARACTERS)}…`;
}

function lineBreaks(text: string): number {
  return text.split("\n").length - 1;
}

/** Lists a file, or the files with prose in a folder. */
export function* filesIn(path: string): Generator<string> {
  if (!Deno.statSync(path).isDirectory) return yield path;
  for (const { name } of [...Deno.readDirSync(path)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const inner = `${path.replace(/\/$/, "")}/${name}`;
    if (Deno.statSync(inner).isDirectory || hasProse(name)) yield* filesIn(inner);
  }
}

if (import.meta.main) {
  let count = 0;
  for (const path of Deno.args) {
    for (const file of filesIn(path)) {
      for (const { line, rule, text } of proseFaults(file)) {
        console.log(`${file}:${line}: ${rule}: ${text}`);
        count++;
      }
    }
  }
  console.error(`${count} faults`);
  Deno.exit(count === 0 ? 0 : 1);
}
