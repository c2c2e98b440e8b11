/**
 * Reads JSON lines: a key on each line, or a part of a large value.
 *
 * ```text
 * {"key":"greeting","type":"string","value":"hello"}
 * {"key":"session:1","type":"hash","expiresAt":1796092228002,"value":{"user":"7"}}
 * {"key":"queue","type":"list","value":["a",{"base64":"/w=="}],"more":true}
 * {"key":"queue","type":"list","value":["b"],"continued":true}
 * ```
 *
 * | field | is |
 * |---|---|
 * | `key` | a text, or `{"base64":…}` when its bytes are not UTF-8; so are elements, fields and values |
 * | `type` | `string` (also when it is absent), `list`, `set` or `hash` |
 * | `value` | a text; an array of elements; an object of fields, or `{"pairs":[[field,value],…]}` |
 * | `expiresAt`, or `ttlMs` | the deadline in ms since 1970; the remaining time in ms |
 * | `more` | the value goes on in the next line, which is `continued` |
 *
 * Numbers are refused: a text is exact, and `1.0` and `1e3` are not the bytes of a value.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import { LINE_SIZE_MAX_BYTES } from "../limits.ts";
import { type ByteSource, SHORT } from "./byte_source.ts";
import { InputError, NO_DEADLINE, Step, type ValueType } from "./entry_reader.ts";
import { Span } from "./span.ts";
import { TextReader } from "./text_reader.ts";
import { tooLarge } from "./value_sizes.ts";

const LF = 0x0a;
const FIELDS: ReadonlySet<string> = new Set(["key", "type", "value", "expiresAt", "ttlMs", "more", "continued"]);
const TYPES: ReadonlySet<unknown> = new Set(["string", "list", "set", "hash"]);

const decoder = new TextDecoder("utf-8", { fatal: true });

/** Something is wrong in the present line. */
class LineError extends Error {}

/** A field and its value of a hash, or a value in the second place. */
type Part = readonly [field: unknown, value: unknown];

/** Reads a file of JSON lines. */
export class JsonLinesReader extends TextReader {
  readonly #other = new Span();
  /** The number of the present line. */
  #line = 0;
  /** The parts of the present line, and the next one. */
  #parts: readonly Part[] = [];
  #next = 0;
  /** Whether the value of the present key has not ended. */
  #isOpen = false;
  /** Whether it goes on in the next line. */
  #hasMore = false;

  constructor(source: ByteSource) {
    super(source, `The line has more than ${LINE_SIZE_MAX_BYTES} bytes`);
  }

  protected override get nextLine(): number {
    return this.#line + 1;
  }

  override next(): Step {
    try {
      return this.#step();
    } catch (error) {
      if (error === SHORT) return Step.NeedsInput;
      if (!(error instanceof LineError)) throw error;
      throw new InputError(`The line cannot be used: ${error.message}`, this.describe(this.#line), { cause: error });
    }
  }

  #step(): Step {
    for (;;) {
      if (this.#next < this.#parts.length) {
        const [field, value] = this.#parts[this.#next++]!;
        if (this.type === "hash") setText(this.field, field, "a field");
        setText(this.value, value, "a value");
        return this.#checked(Step.Part);
      }
      if (this.#isOpen && !this.#hasMore) {
        this.#isOpen = false;
        return Step.End;
      }
      const text = this.#readLine();
      if (text === undefined) return this.#done();
      if (text === "") continue;
      const step = this.#entry(parse(text));
      if (step !== undefined) return step;
    }
  }

  #done(): Step {
    if (!this.#isOpen) return Step.Done;
    throw new LineError(`the value of key "${this.key.text()}" goes on, and the input has ended`);
  }

  #checked(step: Step): Step {
    const problem = tooLarge(this);
    if (problem !== undefined) throw new LineError(problem);
    return step;
  }

  /** Reads a line without blanks at its ends; `undefined` at the end of the input. */
  #readLine(): string | undefined {
    const source = this.source;
    const start = source.at;
    let end = source.bytes.indexOf(LF, start);
    if (end < 0 || end >= source.end) {
      if (!source.isEnded) source.shortFrom(start);
      if (start === source.end) return undefined;
      end = source.end;
      source.at = end;
    } else {
      source.at = end + 1;
    }
    this.#line++;
    try {
      return decoder.decode(source.bytes.subarray(start, end)).trim();
    } catch (error) {
      throw new LineError("it is not UTF-8", { cause: error });
    }
  }

  /** Takes a line. It is `undefined` for one that continues a value. */
  #entry(entry: Record<string, unknown>): Step | undefined {
    const { key, type = "string", value } = entry;
    for (const name of Object.keys(entry)) {
      if (FIELDS.has(name)) continue;
      throw new LineError(`field "${name}" is unknown: expected ${[...FIELDS].join(", ")}`);
    }
    if (!TYPES.has(type)) throw new LineError(`its type is ${JSON.stringify(type)}: expected ${[...TYPES].join(", ")}`);
    const isContinued = flag(entry, "continued");
    const hasMore = flag(entry, "more");
    if (isContinued !== this.#isOpen) {
      throw new LineError(isContinued ? "it continues no value" : `it does not continue key "${this.key.text()}"`);
    }
    setText(isContinued ? this.#other : this.key, key, "the key");
    if (isContinued && (!this.#other.equals(this.key) || type !== this.type)) {
      throw new LineError(`it does not continue key "${this.key.text()}"`);
    }
    this.#hasMore = hasMore;
    this.type = type as ValueType;
    if (!isContinued) {
      this.keyLine = this.#line;
      this.deadlineMs = this.#deadline(entry);
    }
    if (type === "string" && !isContinued && !hasMore) {
      setText(this.value, value, "the value");
      return this.#checked(Step.String);
    }
    this.#parts = partsOf(this.type, value);
    this.#next = 0;
    this.#isOpen = true;
    return isContinued ? undefined : Step.Begin;
  }

  #deadline({ expiresAt, ttlMs }: Record<string, unknown>): number {
    if (expiresAt === undefined && ttlMs === undefined) return NO_DEADLINE;
    if (expiresAt !== undefined && ttlMs !== undefined) throw new LineError('it has "expiresAt" and "ttlMs"');
    for (const [name, value] of Object.entries({ expiresAt, ttlMs })) {
      if (value === undefined) continue;
      if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
        throw new LineError(`its "${name}" is ${JSON.stringify(value)}: expected whole milliseconds`);
      }
    }
    if (typeof ttlMs === "number") return this.startMs + ttlMs;
    return typeof expiresAt === "number" ? expiresAt : NO_DEADLINE;
  }
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new LineError(`it is not JSON: ${messageOf(error)}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new LineError('it is not an object: expected {"key":…,"value":…}');
  }
  return value as Record<string, unknown>;
}

function flag(entry: Record<string, unknown>, name: string): boolean {
  const value = entry[name];
  if (value === undefined) return false;
  if (typeof value !== "boolean") throw new LineError(`its "${name}" is ${JSON.stringify(value)}: expected true`);
  return value;
}

function partsOf(type: ValueType, value: unknown): readonly Part[] {
  if (type === "string") return [[undefined, value]];
  if (type !== "hash") {
    if (!Array.isArray(value)) throw new LineError(`the value is not an array, and its type is ${type}`);
    return value.map((element): Part => [undefined, element]);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new LineError("the value is not an object, and its type is hash");
  }
  if (!("pairs" in value) || !Array.isArray(value.pairs)) return Object.entries(value);
  for (const pair of value.pairs) {
    if (!Array.isArray(pair) || pair.length !== 2) throw new LineError("a pair is not [field, value]");
  }
  return value.pairs;
}

/** Sets a span to the bytes of a text, or of `{"base64":…}`. */
function setText(span: Span, value: unknown, name: string): void {
  if (typeof value === "string") {
    if (!value.isWellFormed()) throw new LineError(`${name} has half of a character: ${JSON.stringify(value)}`);
    return span.setText(value);
  }
  if (typeof value === "object" && value !== null && "base64" in value && typeof value.base64 === "string") {
    try {
      return span.setBytes(Uint8Array.fromBase64(value.base64));
    } catch (error) {
      throw new LineError(`${name} is not base64: ${JSON.stringify(value.base64)}`, { cause: error });
    }
  }
  const given = value === undefined ? "is missing" : `is ${JSON.stringify(value).slice(0, 64)}`;
  const cure = typeof value === "number" ? `: expected a text, such as "${value}"` : ": expected a text";
  throw new LineError(`${name} ${given}${cure}`);
}
