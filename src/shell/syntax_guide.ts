/**
 * Follows the syntax of a command along the words that are typed, and finds out what may come next.
 *
 * ```text
 * set key value [EX seconds | PX ms | …] [NX | XX] [GET]     the syntax
 * set k   v     nx                                           the words
 *               [EX seconds | PX ms | …]           [GET]     the rest
 * ```
 *
 * The syntax is the tree of `command_syntax.ts`. Required arguments are taken in order. Optional ones that follow each
 * other may come in any order, and are found by their words in capitals. An argument that may be repeated takes the
 * words up to the next such word.
 *
 * @module
 */

import type { SyntaxArgument } from "../catalog/command_syntax.ts";
import type { CommandSpecification } from "../catalog/specification.ts";

/** The position after some words, and the arguments that were begun or not reached. */
interface Place {
  readonly at: number;
  readonly rest: readonly SyntaxArgument[];
}

/**
 * Returns the arguments of a command that are still to come.
 *
 * @param words the complete words after the command's name
 * @returns `undefined` when the words do not fit the syntax
 */
export function restOf(command: CommandSpecification, words: readonly string[]): readonly SyntaxArgument[] | undefined {
  const keysCount = command.keyCountAt === 0 ? Infinity : Number(words[command.keyCountAt - 1]);
  const place = new SyntaxWalk(words, keysCount).sequence(command.arguments, 0);
  return place !== undefined && place.at === words.length ? place.rest : undefined;
}

/** Walks along words. The methods return `undefined` for words that do not fit. */
class SyntaxWalk {
  readonly #words: readonly string[];
  readonly #keysCount: number;

  constructor(words: readonly string[], keysCount: number) {
    this.#words = words;
    this.#keysCount = keysCount;
  }

  /** Takes arguments one after another. */
  sequence(parts: readonly SyntaxArgument[], from: number): Place | undefined {
    let at = from;
    for (let i = 0; i < parts.length;) {
      let end = i;
      while (parts[end]?.isOptional) end++;
      const place = end > i ? this.#options(parts.slice(i, end), at) : this.#required(parts, i, at);
      if (place === undefined) return undefined;
      i = Math.max(end, i + 1);
      const isAtEnd = place.at === this.#words.length;
      if (isAtEnd) return { at: place.at, rest: [...place.rest, ...parts.slice(i)] };
      at = place.at;
    }
    return { at, rest: [] };
  }

  /** Takes optional arguments in any order. */
  #options(options: readonly SyntaxArgument[], from: number): Place | undefined {
    const left = [...options];
    let at = from;
    while (at < this.#words.length && left.length > 0) {
      const named = left.findIndex((option) => beginsWith(option, this.#words[at]!));
      const index = named >= 0 ? named : left.findIndex((option) => !hasWords(option));
      if (index < 0) break;
      const [option] = left.splice(index, 1);
      const place = option!.isMultiple ? this.#repeated(option!, [], at) : this.#single(option!, at);
      if (place === undefined) return undefined;
      if (place.rest.length > 0) return { at: place.at, rest: [...place.rest, ...left] };
      at = place.at;
    }
    return { at, rest: left };
  }

  #required(parts: readonly SyntaxArgument[], index: number, at: number): Place | undefined {
    const part = parts[index]!;
    return part.isMultiple ? this.#repeated(part, parts.slice(index + 1), at) : this.#single(part, at);
  }

  /** Takes an argument once or more, up to a word that begins one of the optional arguments after it. */
  #repeated(part: SyntaxArgument, after: readonly SyntaxArgument[], from: number): Place | undefined {
    const once = { ...part, isMultiple: false, isOptional: false };
    const again = { ...withoutToken(part), isMultiple: true, isOptional: true };
    if (from === this.#words.length) return { at: from, rest: [part] };
    let at = from;
    for (let count = 0; at < this.#words.length; count++) {
      const isEnd = after.some((option) => option.isOptional && beginsWith(option, this.#words[at]!));
      const isFull = part.type === "key" && count >= this.#keysCount;
      if (count > 0 && (isEnd || isFull)) return { at, rest: [] };
      const place = this.#single(count === 0 ? once : withoutToken(once), at);
      if (place === undefined) return undefined;
      if (place.rest.length > 0) return { at: place.at, rest: [...place.rest, again] };
      at = place.at;
      if (at === this.#words.length && part.type === "key" && count + 1 >= this.#keysCount) return { at, rest: [] };
    }
    return { at, rest: [again] };
  }

  /** Takes an argument once. */
  #single(part: SyntaxArgument, at: number): Place | undefined {
    const word = this.#words[at];
    if (word === undefined) return { at, rest: [{ ...part, isOptional: false }] };
    if (part.token !== undefined) {
      if (!isWord(part.token, word)) return undefined;
      if (part.type === "pure-token") return { at: at + 1, rest: [] };
      return part.isMultiple
        ? this.#repeated(withoutToken(part), [], at + 1)
        : this.#single(withoutToken(part), at + 1);
    }
    if (part.type === "block") return this.sequence(part.parts!, at);
    if (part.type !== "oneof") return { at: at + 1, rest: [] };
    const chosen = part.parts!.find((each) => beginsWith(each, word)) ?? part.parts!.find((each) => !hasWords(each));
    return chosen === undefined ? undefined : this.#single(chosen, at);
  }
}

function isWord(token: string, word: string): boolean {
  return token.toLowerCase() === word.toLowerCase();
}

function withoutToken(part: SyntaxArgument): SyntaxArgument {
  return { ...part, token: undefined };
}

/** Returns whether an argument begins with this word, which means itself. */
function beginsWith(part: SyntaxArgument, word: string): boolean {
  return firstsOf(part).some((first) => first.word !== undefined && isWord(first.word, word));
}

/** Returns whether an argument begins with a word that means itself. */
function hasWords(part: SyntaxArgument): boolean {
  return firstsOf(part).some((first) => first.word !== undefined);
}

/** Something that the next word may be: a word that means itself, or a value. */
export interface Expected {
  readonly word?: string;
  /** The argument of which it is the value, otherwise. */
  readonly value?: SyntaxArgument;
}

function firstsOf(part: SyntaxArgument): readonly Expected[] {
  if (part.token !== undefined) return [{ word: part.token }];
  if (part.type === "oneof") return part.parts!.flatMap(firstsOf);
  if (part.type === "block") return expectedNext(part.parts!);
  return /^[0-9]+$/.test(part.name) ? [{ word: part.name }] : [{ value: part }];
}

/** Returns what the next word may be, if these arguments are still to come. */
export function expectedNext(rest: readonly SyntaxArgument[]): readonly Expected[] {
  const found: Expected[] = [];
  for (const part of rest) {
    found.push(...firstsOf(part));
    if (!part.isOptional) break;
  }
  return found;
}

/** Returns arguments in the notation of the catalog, without types. */
export function syntaxText(rest: readonly SyntaxArgument[]): string {
  return rest.map(textOf).join(" ");
}

function textOf(part: SyntaxArgument): string {
  const once = textOfOne(part);
  if (part.isOptional) return part.isMultiple ? `[${once} …]` : `[${once}]`;
  if (!part.isMultiple) return once;
  return part.token === undefined ? `${once} [${once} …]` : `${once} …`;
}

function textOfOne(part: SyntaxArgument): string {
  if (part.type === "pure-token") return part.token!;
  const before = part.token === undefined ? "" : `${part.token} `;
  if (part.type === "block") return before + syntaxText(part.parts!);
  if (part.type !== "oneof") return before + part.name;
  const choices = part.parts!.map(textOf);
  const areWords = part.parts!.every(({ type, parts }) => parts === undefined && type !== "oneof");
  const isClose = !part.isOptional && areWords && choices.every((choice) => !choice.includes(" "));
  return before + choices.join(isClose ? "|" : " | ");
}
