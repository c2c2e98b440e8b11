/**
 * The options of `set` and `getex`, read in place: a request's options are bits of one number, and the moment that one
 * of them names stands in {@linkcode optionDeadlineMs}.
 *
 * | option | `set` | `getex` | excludes |
 * |---|---|---|---|
 * | `EX seconds` `PX ms` `EXAT seconds` `PXAT ms` | a TTL | a TTL | each other, `KEEPTTL`, `PERSIST` |
 * | `KEEPTTL` | the TTL stays | | the above |
 * | `PERSIST` | | the TTL goes | the above |
 * | `NX` `XX` | only if absent, only if present | | each other |
 * | `GET` | answers the old value | | |
 *
 * As in Redis an option may be repeated, and the last TTL counts; the number is looked at when all else is right.
 *
 * @module
 */

import type { Request } from "../wire/request.ts";
import { deadlineAfter, deadlineAt, syntaxError } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** Only if the key is absent. */
export const NX = 1;
/** Only if the key is present. */
export const XX = 2;
/** Answers the old value. */
export const GET = 4;
/** Keeps the TTL. */
export const KEEPTTL = 8;
const EX = 16;
const PX = 32;
const EXAT = 64;
const PXAT = 128;
/** Takes the TTL away. */
export const PERSIST = 256;
/** A TTL, or a moment, is given. */
export const TTL: number = EX | PX | EXAT | PXAT;
/** A moment is given, which may have passed. */
export const MOMENT: number = EXAT | PXAT;

const ABOUT_TTL = TTL | KEEPTTL | PERSIST;
/** What `set` takes. */
export const SET_OPTIONS: number = TTL | KEEPTTL | NX | XX | GET;
/** What `getex` takes. */
export const GETEX_OPTIONS: number = TTL | PERSIST;

/** The deadline that {@linkcode readDeadline} read last. */
export let optionDeadlineMs = 0;

/** Where the number stands that belongs to the last option of {@linkcode TTL}. */
let ttlIndex = 0;

/**
 * Reads the options from argument `from` on.
 *
 * @param allowed those that the command takes
 * @returns their bits
 * @throws {ReplyError} when they are unknown or contradict each other
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
 * @param options what {@linkcode readOptions} answered for this request just now
 * @throws {ReplyError} when it is none, or not positive
 */
export function readDeadline(context: CommandContext, request: Request, options: number): void {
  if ((options & (EX | PX)) !== 0) {
    optionDeadlineMs = deadlineAfter(context, request, ttlIndex, (options & EX) !== 0 ? 1000 : 1);
  } else if ((options & MOMENT) !== 0) {
    optionDeadlineMs = deadlineAt(request, ttlIndex, (options & EXAT) !== 0 ? 1000 : 1);
  }
}

/** The bit of the option in argument `index`; 0 when there is no such option. */
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

/** The options that may not stand beside `option`. */
function excludedBy(option: number): number {
  if (option === NX) return XX;
  if (option === XX) return NX;
  return (option & ABOUT_TTL) === 0 ? 0 : ABOUT_TTL & ~option;
}
