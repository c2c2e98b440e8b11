/**
 * The commands that add to numbers with a fraction. Every function exported here is the command of its name.
 *
 * They reply with and store the same digits as Redis on x86-64 (long_double.ts).
 *
 * @module
 */

import { decodeText, encodeText } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { checkField, findField, setField } from "./hash_field.ts";
import {
  addLongDouble,
  formatLongDouble,
  INFINITE,
  LONG_DOUBLE_TEXT_MAX_LENGTH,
  parseLongDouble,
} from "./long_double.ts";
import type { LongDouble } from "./long_double.ts";

const NOT_FLOAT = "value is not a valid float";
const HASH_VALUE_NOT_FLOAT = "hash value is not a float";

/** The number that an absent value counts as. */
const ZERO: LongDouble = { isNegative: false, mantissa: 0n, exponent: 0 };

/** `incrbyfloat key number` adds to a number. */
export function incrbyfloat(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.String);
  let number: LongDouble | typeof INFINITE = ZERO;
  if (entry !== 0) {
    const text = new Uint8Array(checkLength(store.strings.length(entry), NOT_FLOAT));
    store.strings.copy(entry, 0, text, 0, text.length);
    number = parse(text, NOT_FLOAT);
  }
  const sum = add(number, numberArgument(request, 2));
  const deadlineMs = entry === 0 ? defaultDeadline(context) : store.deadline(entry);
  store.strings.set(request.bytes, request.starts[1]!, request.lengths[1]!, entry, sum, 0, sum.length, deadlineMs);
  reply.bytes(sum, 0, sum.length);
}

/** `hincrbyfloat key field number` adds to a number in a field. */
export function hincrbyfloat(context: CommandContext, request: Request, reply: Reply): void {
  checkField(request, 2);
  const increment = numberArgument(request, 3);
  if (increment === INFINITE) throw new ReplyError("ERR", "value is NaN or Infinity");
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.Hash);
  let number: LongDouble | typeof INFINITE = ZERO;
  if (findField(store, request, entry, 2)) {
    const text = new Uint8Array(checkLength(store.hashes.valueLength(), HASH_VALUE_NOT_FLOAT));
    store.hashes.copyValue(text, 0);
    number = parse(text, HASH_VALUE_NOT_FLOAT);
  }
  const sum = add(number, increment);
  setField(context, request, entry, sum, 0, sum.length);
  reply.bytes(sum, 0, sum.length);
}

/**
 * Returns argument `index` as a number.
 *
 * @throws {ReplyError} when it is not a number
 */
function numberArgument(request: Request, index: number): LongDouble | typeof INFINITE {
  checkLength(request.lengths[index]!, NOT_FLOAT);
  return parse(request.view(index), NOT_FLOAT);
}

/**
 * Returns `length` if a text of this length may be a number.
 *
 * @throws {ReplyError} when it is too long
 */
function checkLength(length: number, refusal: string): number {
  if (length > LONG_DOUBLE_TEXT_MAX_LENGTH) throw new ReplyError("ERR", refusal);
  return length;
}

/**
 * Returns the number that a text represents.
 *
 * @throws {ReplyError} when it is not a number
 */
function parse(text: Uint8Array, refusal: string): LongDouble | typeof INFINITE {
  const number = parseLongDouble(decodeText(text));
  if (number === undefined) throw new ReplyError("ERR", refusal);
  return number;
}

/**
 * Returns the sum of two numbers as text.
 *
 * @throws {ReplyError} when it is not finite
 */
function add(a: LongDouble | typeof INFINITE, b: LongDouble | typeof INFINITE): Uint8Array {
  const sum = a === INFINITE || b === INFINITE ? INFINITE : addLongDouble(a, b);
  if (sum === INFINITE) throw new ReplyError("ERR", "increment would produce NaN or Infinity");
  return encodeText(formatLongDouble(sum));
}
