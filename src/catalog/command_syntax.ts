/**
 * Reads the syntax of a row: the arguments of a command as `help` shows them, with a type after each placeholder that
 * is not a string. The result is the tree that `command docs` shows to programs, which make hints of it.
 *
 * ```text
 * key value [EX seconds:int | KEEPTTL] [GET]
 *
 * key                     a key
 * value                   a string
 * oneof, optional
 *   seconds               an integer after the word EX
 *   keepttl               the word KEEPTTL
 * get, optional           the word GET
 * ```
 *
 * Words in capitals mean themselves, and so do the first words of choices, which name subcommands. Other words are
 * placeholders. `a|b` and `a | b` are choices; `x [x …]` is one or more of x; `x …` is x and any other arguments.
 *
 * The types are `key`, `int`, `double`, `pattern` and `channel`. A placeholder that has the name of a type has that
 * type too, so `key` alone is a key. Digits are an integer.
 *
 * @module
 */

import { assert } from "../errors.ts";

/** The types of arguments. */
export type ArgumentType =
  | "key"
  | "string"
  | "integer"
  | "double"
  | "pattern"
  | "channel"
  | "pure-token"
  | "oneof"
  | "block";

/** One argument, or several that belong together. */
export interface SyntaxArgument {
  readonly name: string;
  readonly type: ArgumentType;
  /** The word before the argument, or the word that it is. */
  readonly token?: string | undefined;
  readonly isOptional?: boolean;
  readonly isMultiple?: boolean;
  /** The parts of `oneof` and `block`. */
  readonly parts?: readonly SyntaxArgument[];
}

/** The types that a placeholder may name. */
const TYPES: ReadonlyMap<string, ArgumentType> = new Map([
  ["key", "key"],
  ["int", "integer"],
  ["double", "double"],
  ["pattern", "pattern"],
  ["channel", "channel"],
]);

const MORE = "…";
const TOKEN = /^[A-Z][A-Z-]*$/;
const NAME = /^[a-z]/;
const DIGITS = /^[0-9]+$/;

/** Successive arguments, and whether the last one may be repeated. */
interface Row {
  readonly parts: readonly SyntaxArgument[];
  readonly hasMore: boolean;
}

/** Returns a syntax without its types, for people. */
export function withoutTypes(syntax: string): string {
  return syntax.replaceAll(/:[a-z]+/g, "");
}

/** Returns the arguments that `syntax` describes. */
export function parseSyntax(syntax: string): readonly SyntaxArgument[] {
  const words = syntax.match(/[[\]…]|[^\s[\]…]+/g) ?? [];
  const rows = new SyntaxParser(words).rows();
  return rows.length === 1 ? withMore(rows[0]!) : [oneOf(rows)];
}

/** Parses words from left to right. */
class SyntaxParser {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  /** Parses alternatives between bars, up to a closing bracket or the end. */
  rows(): readonly Row[] {
    const rows = [this.#row()];
    while (this.#words[this.#at] === "|") {
      this.#at++;
      rows.push(this.#row());
    }
    return rows;
  }

  #row(): Row {
    const parts: SyntaxArgument[] = [];
    let hasMore = false;
    while (this.#at < this.#words.length && !["]", "|"].includes(this.#words[this.#at]!)) {
      const word = this.#words[this.#at++]!;
      if (word === MORE) hasMore = true;
      else if (word === "[") this.#addBracket(parts);
      else parts.push(argument(word));
    }
    return { parts, hasMore };
  }

  /** Parses brackets: an optional argument, or the repetition of the arguments before them. */
  #addBracket(parts: SyntaxArgument[]): void {
    const rows = this.rows();
    this.#at++;
    const [first] = rows;
    const count = first!.parts.length;
    const before = parts.slice(-count);
    const repeats = rows.length === 1 && first!.hasMore && before.length === count &&
      before.every(({ name }, i) => name === first!.parts[i]!.name);
    if (repeats) parts.splice(-count, count, { ...block(before), isMultiple: true });
    else parts.push({ ...(rows.length === 1 ? joined(first!) : oneOf(rows)), isOptional: true });
  }
}

/** Returns the argument that a word describes. */
function argument(word: string): SyntaxArgument {
  if (word.includes("|")) return oneOf(word.split("|").map((each) => ({ parts: [argument(each)], hasMore: false })));
  if (TOKEN.test(word)) return { name: word.toLowerCase(), type: "pure-token", token: word };
  if (DIGITS.test(word)) return { name: word, type: "integer" };
  const [name, typeName] = word.split(":") as [string, string | undefined];
  const type = TYPES.get(typeName ?? name);
  assert(type !== undefined || typeName === undefined, `a syntax has no type "${typeName}"`);
  return { name, type: type ?? "string" };
}

/** Returns the arguments of a row. The last one may be repeated if the row has more. */
function withMore({ parts, hasMore }: Row): readonly SyntaxArgument[] {
  const last = parts.at(-1);
  return hasMore && last !== undefined ? [...parts.slice(0, -1), { ...last, isMultiple: true }] : parts;
}

/** Returns a row as one argument. The arguments after a leading token belong to the token. */
function joined(row: Row): SyntaxArgument {
  const parts = withMore(row);
  const [first, ...others] = parts;
  if (first?.type !== "pure-token" || others.length === 0) return block(parts);
  // If the argument after the token is optional, the token still is required.
  const value = others.length === 1 && others[0]!.isOptional ? wrapped(others) : block(others);
  return { ...value, token: first.token };
}

function block(parts: readonly SyntaxArgument[]): SyntaxArgument {
  return parts.length === 1 ? parts[0]! : wrapped(parts);
}

function wrapped(parts: readonly SyntaxArgument[]): SyntaxArgument {
  return { name: nameOf(parts, "_"), type: "block", parts };
}

function oneOf(rows: readonly Row[]): SyntaxArgument {
  const parts = rows.map((row) => joined({ ...row, parts: withName(row.parts) }));
  return { name: nameOf(parts, "-or-"), type: "oneof", parts };
}

/** Returns the arguments of a choice. If the first one is a word, it is the name of the choice. */
function withName([first, ...others]: readonly SyntaxArgument[]): readonly SyntaxArgument[] {
  if (first === undefined) return others;
  const isName = NAME.test(first.name) && ["string", "integer"].includes(first.type) && first.token === undefined;
  return [isName ? { name: first.name, type: "pure-token", token: first.name } : first, ...others];
}

function nameOf(parts: readonly SyntaxArgument[], between: string): string {
  return parts.map(({ name }) => name).join(between);
}
