/**
 * The cursors and options that `scan` and `hscan` have in common.
 *
 * @module
 */

import { formatInteger, INTEGER_TEXT_MAX_BYTES } from "../bytes.ts";
import { Glob } from "../connection/glob.ts";
import { wideCursor } from "../connection/integer_argument.ts";
import { ReplyError } from "../errors.ts";
import { PATTERN_SIZE_MAX_BYTES, SCAN_COUNT_DEFAULT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import { TYPE_NAMES } from "../store/value/value_type.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { roundedInteger, syntaxError } from "./argument.ts";

/** The largest cursor that `Store.scan` returns. */
const CURSOR_MAX = 2 ** 32 - 1;
/** The number of buckets that a walk may look into for each wanted key, so that a sparse table does not delay it. */
export const SCAN_BUCKETS_PER_KEY = 10;
/**
 * The number of buckets that a walk may always look into. It is the size of the smallest table, so that a few keys take
 * one call.
 */
export const SCAN_BUCKETS_MIN_COUNT = 1024;

const cursorText = new Uint8Array(INTEGER_TEXT_MAX_BYTES);

/**
 * Returns argument `index` as a cursor. Of a number that is too large for a cursor, the last 32 bits are used: a cursor
 * that no walk returned may continue anywhere.
 *
 * @throws {ReplyError} when the argument is not a number
 */
export function scanCursor(request: Request, index: number): number {
  const cursor = request.integer(index);
  if (cursor >= 0 && cursor <= CURSOR_MAX) return cursor;
  const wide = wideCursor(request, index);
  if (wide === undefined) throw new ReplyError("ERR", "invalid cursor");
  return Number(BigInt.asUintN(32, wide));
}

/** Replies with a cursor, as text. */
export function replyCursor(reply: Reply, cursor: number): void {
  reply.bytes(cursorText, 0, formatInteger(cursor, cursorText, 0));
}

/** The options of one request. */
export interface ScanOptions {
  /** The number of keys or fields to look at. */
  readonly count: number;
  /** The pattern to match; `undefined` to match everything. */
  readonly glob: Glob | undefined;
  /** The only wanted type. */
  readonly type: EntryType | undefined;
}

/**
 * Reads the options from argument `from` on.
 *
 * @param hasType whether the command has the option `TYPE`
 * @throws {ReplyError} when they are wrong
 */
export function scanOptions(request: Request, from: number, hasType: boolean): ScanOptions {
  let count = SCAN_COUNT_DEFAULT;
  let glob: Glob | undefined;
  let type: EntryType | undefined;
  for (let i = from; i < request.count; i += 2) {
    if (i + 1 === request.count) throw syntaxError();
    if (request.is(i, "match")) {
      glob = globArgument(request, i + 1);
    } else if (request.is(i, "count")) {
      count = roundedInteger(request, i + 1);
      if (count < 1) throw syntaxError();
    } else if (hasType && request.is(i, "type")) {
      type = typeArgument(request, i + 1);
    } else {
      throw syntaxError();
    }
  }
  return { count, glob, type };
}

/** Returns the type in argument `index`; `None`, which no key has, when there is no such type. */
function typeArgument(request: Request, index: number): EntryType {
  return Object.values(EntryType).find((type) => request.is(index, TYPE_NAMES[type])) ?? EntryType.None;
}

/**
 * Returns the pattern in argument `index`; `undefined` when it matches everything.
 *
 * @throws {ReplyError} when it is too long
 */
export function globArgument(request: Request, index: number): Glob | undefined {
  if (request.lengths[index]! > PATTERN_SIZE_MAX_BYTES) {
    throw new ReplyError("ERR", `pattern exceeds ${PATTERN_SIZE_MAX_BYTES} bytes`);
  }
  return request.is(index, "*") ? undefined : new Glob(request.bytes, request.starts[index]!, request.lengths[index]!);
}
