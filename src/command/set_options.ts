/**
 * The options of `set` and `getex`, read in place. The options of a request are bits of one number, and the time in one
 * of them is in {@linkcode optionDeadlineMs}.
 *
 * | option | `set` | `getex` | excludes |
 * |---|---|---|---|
 * | `EX seconds` `PX ms` `EXAT seconds` `PXAT ms` | sets a TTL | sets a TTL | each other, `KEEPTTL`, `PERSIST` |
 * | `KEEPTTL` | keeps the TTL | | the above |
 * | `PERSIST` | | removes the TTL | the above |
 * | `NX` `XX` | only if absent, only if present | | each other |
 * | `GET` | replies with the old value | | |
 *
 * As in Redis, an option may be repeated, and the last TTL counts. Its number is parsed after all options are accepted.
 *
 * @module
 */

import type { Request } from "../wire/request.ts";
import { deadlineAfter, deadlineAt, syntaxError } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** The option to set only an absent key. */
export const NX = 1;
/** The option to set only a key that exists. */
export const XX = 2;
/** The option to reply with the old value. */
export const GET = 4;
/** The option to keep the TTL. */
export const KEEPTTL = 8;
const EX = 16;
const PX = 32;
const EXAT = 64;
const PXAT = 128;
/** The option to remove the TTL. */
export const PERSIST = 256;
/** The options that set a TTL or a deadline. */
export const TTL: number = EX | PX | EXAT | PXAT;
/** The options that set a deadline, which may have passed. */
export const MOMENT: number = EXAT | PXAT;

const ABOUT_TTL = TTL | KEEPTTL | PERSIST;
/** The options of `set`. */
export const SET_OPTIONS: number = TTL | KEEPTTL | NX | XX | GET;
/** The options of `getex`. */
export const GETEX_OPTIONS: number = TTL | PERSIST;

/** The deadline that {@linkcode readDeadline} has read last, in milliseconds since 1970. */
export let optionDeadlineMs = 0;

/** The index of the number that belongs to the last option of {@linkcode TTL}. */
let ttlIndex = 0;

/**
 * Reads the options from argument `from` on.
 *
 * @param allowed the options of the command
 * @returns the bits of the options
 * @throws {ReplyError} when an option is unknown, or two contradict each other
 */
export function readOptions(request: Request, from: number, allowed: number): number {
  let options = 0;
  for (let i = from; i < request.count; i++) {
    const option = optionAt(request, i) & allowed;
    if (option === 0 || (options & excludedBy(option)) !== 0) throw syntaxError();
    options |= option;
    if ((option & TTL) === 0) continue;
    ttlIndex = ++i;
    if (ttlIndex === request.count) throw syntaxError();
  }
  return options;
}

/**
 * Reads the number of the last TTL among `options` into {@linkcode optionDeadlineMs}; does nothing when there is none.
 *
 * @param options the result of {@linkcode readOptions}, called just before for this request
 * @throws {ReplyError} when it is not a positive integer
 */
export function readDeadline(context: CommandContext, request: Request, options: number): void {
  if ((options & (EX | PX)) !== 0) {
    optionDeadlineMs = deadlineAfter(context, request, ttlIndex, (options & EX) !== 0 ? 1000 : 1);
  } else if ((options & MOMENT) !== 0) {
    optionDeadlineMs = deadlineAt(request, ttlIndex, (options & EXAT) !== 0 ? 1000 : 1);
  }
}

/** Returns the bit of the option in argument `index`; 0 when it is not an option. */
function optionAt(request: Request, index: number): number {
  if (request.is(index, "ex")) return EX;
  if (request.is(index, "px")) return PX;
  if (request.is(index, "nx")) return NX;
  if (request.is(index, "xx")) return XX;
  if (request.is(index, "get")) return GET;
  if (request.is(index, "keepttl")) return KEEPTTL;
  if (request.is(index, "exat")) return EXAT;
  if (request.is(index, "pxat")) return PXAT;
  if (request.is(index, "persist")) return PERSIST;
  return 0;
}

/** Returns the options that may not be combined with `option`. */
function excludedBy(option: number): number {
  if (option === NX) return XX;
  if (option === XX) return NX;
  return (option & ABOUT_TTL) === 0 ? 0 : ABOUT_TTL & ~option;
}
