/**
 * Reads one JSON object of plain values, with the position of each, for errors that lead to the place.
 *
 * `JSON.parse` tells positions of broken syntax only, takes the last of two equal fields without a word, and gives
 * `__proto__` a meaning. This reader refuses the second of two equal fields, and keeps names as data. Values are text,
 * numbers, `true` and `false`, and lists of these.
 *
 * ```text
 * text ──TOKEN──► { "name" : value , … } ──► fields in order, each with the offsets of its name and its value
 * ```
 *
 * @module
 */

/** One plain value. `text` is the decoded text, or what the file has for a number or a word. */
export interface PlainValue {
  readonly kind: "text" | "number" | "flag" | "null";
  readonly text: string;
  readonly offset: number;
}

/** One field of the object: its plain values, of which there are several or none only in a list. */
export interface Field {
  readonly name: string;
  readonly offset: number;
  readonly isList: boolean;
  readonly values: readonly PlainValue[];
}

/** Text that is not such an object. */
export class JsonFault extends Error {
  /** @param offset the position of the fault in the text */
  constructor(message: string, readonly offset: number) {
    super(message);
  }
}

// deno-lint-ignore no-control-regex -- JSON has no control characters in strings.
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/;
/** Matches one token after blanks: a string, a number, a word, or a mark. */
const TOKEN = new RegExp(
  String.raw`[ \t\r\n]*(?:(${STRING.source})|(${NUMBER.source})|(true|false|null)(?!\w)|([{}[\]:,]))`,
  "y",
);
const BLANKS = /[ \t\r\n]*/y;
/** Matches what a person probably meant as one value. */
const WORD = /[^\s,:[\]{}"]+/y;

/** A value, or a mark such as `{`. */
type Token = PlainValue | { readonly kind: "mark"; readonly text: string; readonly offset: number };

/**
 * Returns the fields of a JSON object in their order.
 *
 * @throws {JsonFault} at the first place that is not such an object
 */
export function readFields(text: string): Field[] {
  let at = 0;
  expectMark("{", 'an object in braces, such as {"name": "value"}');
  const fields: Field[] = [];
  const offsets = new Map<string, number>();
  for (let token = next("a field in double quotes, or }"); !isMark(token, "}"); token = fieldAfterComma()) {
    if (token.kind !== "text") throw unexpected(token, "the name of a field in double quotes");
    const { text: name, offset } = token;
    const earlier = offsets.get(name);
    if (earlier !== undefined) {
      throw new JsonFault(
        `the field "${name}" is there twice, first on line ${positionOf(text, earlier).line}`,
        offset,
      );
    }
    offsets.set(name, offset);
    expectMark(":", `":" after the name of the field`);
    fields.push({ name, offset, ...readValue() });
  }
  skipBlanks();
  if (at < text.length) throw new JsonFault(`expected nothing after the object, found ${shown()}`, at);
  return fields;

  /** Returns the name of the next field, or the brace at the end. */
  function fieldAfterComma(): Token {
    const mark = next('"," or "}"');
    if (isMark(mark, "}")) return mark;
    if (!isMark(mark, ",")) throw unexpected(mark, `"," or "}"`);
    const token = next("a field in double quotes");
    if (isMark(token, "}")) throw new JsonFault(`expected no "," before "}"`, mark.offset);
    return token;
  }

  function readValue(): Pick<Field, "isList" | "values"> {
    const token = next("a value");
    if (!isMark(token, "[")) return { isList: false, values: [plain(token)] };
    const values: PlainValue[] = [];
    let item = next("a value or ]");
    while (!isMark(item, "]")) {
      values.push(plain(item));
      const mark = next('"," or "]"');
      if (isMark(mark, "]")) break;
      if (!isMark(mark, ",")) throw unexpected(mark, `"," or "]"`);
      item = next("a value");
      if (isMark(item, "]")) throw new JsonFault(`expected no "," before "]"`, mark.offset);
    }
    return { isList: true, values };
  }

  function plain(token: Token): PlainValue {
    if (token.kind === "mark") throw unexpected(token, "text, a number, true or false");
    return token;
  }

  function expectMark(mark: string, expected: string): void {
    const token = next(expected);
    if (!isMark(token, mark)) throw unexpected(token, expected);
  }

  function next(expected: string): Token {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (match === null) {
      skipBlanks();
      throw new JsonFault(reasonAt(expected), at);
    }
    const [, string, number, word, mark] = match;
    const raw = string ?? number ?? word ?? mark!;
    at = TOKEN.lastIndex;
    const offset = at - raw.length;
    if (string !== undefined) return { kind: "text", text: JSON.parse(string) as string, offset };
    if (mark !== undefined) return { kind: "mark", text: mark, offset };
    return { kind: number !== undefined ? "number" : word === "null" ? "null" : "flag", text: raw, offset };
  }

  function skipBlanks(): void {
    BLANKS.lastIndex = at;
    BLANKS.exec(text);
    at = BLANKS.lastIndex;
  }

  /** Returns why no token begins at the present position. */
  function reasonAt(expected: string): string {
    if (at >= text.length) return `the text ends too early, expected ${expected}`;
    const character = text[at]!;
    if (character === "/" || character === "#") return "comments are not allowed in JSON";
    if (character === '"') return "the text in quotes does not end on its line, or has a wrong escape";
    if (character === "'") return `expected double quotes instead of '`;
    if (/\w|-/.test(character)) return `expected ${expected}, found ${shown()}: text needs double quotes`;
    return `expected ${expected}, found ${shown()}`;
  }

  /** Returns the next word for an error, shortened. */
  function shown(): string {
    WORD.lastIndex = at;
    return JSON.stringify((WORD.exec(text)?.[0] ?? text[at]!).slice(0, 40));
  }
}

function isMark(token: Token, mark: string): boolean {
  return token.kind === "mark" && token.text === mark;
}

function unexpected({ text, offset }: Token, expected: string): JsonFault {
  return new JsonFault(`expected ${expected}, found ${JSON.stringify(text.slice(0, 40))}`, offset);
}

/** Returns the line and the column of an offset, both from 1. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}
