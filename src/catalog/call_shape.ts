/**
 * The shape of a command's calls, which follows from its syntax: the number of arguments, the places of keys, the
 * options.
 *
 * ```text
 * key value [EX seconds:int] [NX | XX]       arity -3, one key at 1, options EX NX XX
 * key value [key value …]                    arity -3, keys at 1, 3, 5 …
 * key [key …] timeout:double                 arity -3, keys from 1 to the last but one
 * numkeys:int key [key …] [LIMIT limit:int]  arity -3, as many keys from 2 as argument 1 says
 * encoding key | freq key                    arity -2, one key at 2, subcommands encoding and freq
 * ```
 *
 * @module
 */

import { assert } from "../errors.ts";
import type { SyntaxArgument } from "./command_syntax.ts";

/** The places of the keys of a call: the first, the last (counted from the end if negative), and the distance. */
interface KeyPlaces {
  readonly firstKey: number;
  readonly lastKey: number;
  readonly keyStep: number;
  /** The position of the argument that is the number of keys; 0 if the keys end at `lastKey`. */
  readonly keyCountAt: number;
}

/** The placeholder of the number of keys, which precedes them. */
const KEY_COUNT = "numkeys";

/** The places of names of channels or patterns: `first`, and all after it if `isMany`. */
export interface ChannelPlaces {
  /** The subcommand that has these places; `undefined` if all calls have them. */
  readonly subcommand: string | undefined;
  readonly first: number;
  readonly isMany: boolean;
  readonly isPattern: boolean;
}

/** The shape of calls. Counts and positions include the command's name. */
export interface CallShape extends KeyPlaces {
  /** The number of arguments of a call: exactly `arity`, or at least `-arity` if that is negative. */
  readonly arity: number;
  /** Whether an argument may be repeated. */
  readonly hasMany: boolean;
  /** Whether argument 1 is the name of a subcommand. */
  readonly hasSubcommands: boolean;
  /** The words that may follow the required arguments. */
  readonly options: readonly string[];
  /** The places of names of channels and patterns. */
  readonly channels: readonly ChannelPlaces[];
}

/** Returns the shape of the calls of a syntax. */
export function callShapeOf(args: readonly SyntaxArgument[]): CallShape {
  const subcommands = subcommandsOf(args);
  const leastCount = 1 + sumOf(args, leastCountOf);
  return {
    arity: subcommands !== undefined
      // Every command with subcommands also has `help`, which its syntax leaves out.
      ? -Math.min(leastCount, 2)
      : args.every(isExact)
      ? leastCount
      : -leastCount,
    ...keyPlacesOf(args, subcommands),
    hasMany: args.some(hasMany),
    hasSubcommands: subcommands !== undefined,
    options: args.flatMap((argument) => optionsOf(argument, false)),
    channels: channelPlacesOf(args, subcommands),
  };
}

function sumOf(args: readonly SyntaxArgument[], count: (argument: SyntaxArgument) => number): number {
  return args.reduce((sum, argument) => sum + count(argument), 0);
}

/** Returns the subcommands if the first argument is a choice of them. Words in small letters are their names. */
function subcommandsOf([first]: readonly SyntaxArgument[]): readonly SyntaxArgument[] | undefined {
  const isChoice = first?.type === "oneof" &&
    first.parts!.some(({ token }) => token !== undefined && /^[a-z]/.test(token));
  return isChoice ? first.parts! : undefined;
}

/** Returns the least number of arguments of a call for one argument of the syntax. */
function leastCountOf({ type, token, parts, isOptional }: SyntaxArgument): number {
  if (isOptional) return 0;
  if (type === "pure-token") return 1;
  const own = type === "oneof"
    ? Math.min(...parts!.map(leastCountOf))
    : type === "block"
    ? sumOf(parts!, leastCountOf)
    : 1;
  return own + (token === undefined ? 0 : 1);
}

/** Returns whether every call has the same number of arguments for an argument of the syntax. */
function isExact({ type, parts, isOptional, isMultiple }: SyntaxArgument): boolean {
  if (isOptional || isMultiple) return false;
  if (type !== "oneof" && type !== "block") return true;
  return parts!.every(isExact) && (type === "block" || new Set(parts!.map(leastCountOf)).size === 1);
}

function hasMany({ isMultiple, parts }: SyntaxArgument): boolean {
  return isMultiple === true || (parts?.some(hasMany) ?? false);
}

/** Returns the optional words of an argument, in the order of the syntax. */
function optionsOf({ type, token, parts, isOptional }: SyntaxArgument, isInOptional: boolean): readonly string[] {
  const may = isInOptional || isOptional === true;
  const own = may && token !== undefined && /^[A-Z]{2}/.test(token) ? [token] : [];
  return type === "pure-token" ? own : [...own, ...(parts ?? []).flatMap((part) => optionsOf(part, may))];
}

const NO_KEYS: KeyPlaces = { firstKey: 0, lastKey: 0, keyStep: 0, keyCountAt: 0 };

function keyPlacesOf(args: readonly SyntaxArgument[], subcommands: readonly SyntaxArgument[] | undefined): KeyPlaces {
  if (subcommands === undefined) return keyPlacesFrom(args, 1);
  const places = subcommands.map((subcommand) => keyPlacesFrom(argumentsOf(subcommand), 2));
  const found = places.filter(({ firstKey }) => firstKey > 0);
  assert(found.every((each) => JSON.stringify(each) === JSON.stringify(found[0])), "subcommands have keys elsewhere");
  return found[0] ?? NO_KEYS;
}

/** Returns the arguments after the name of a subcommand. */
function argumentsOf({ type, parts, ...argument }: SyntaxArgument): readonly SyntaxArgument[] {
  if (type === "pure-token") return [];
  return type === "block" ? parts! : [{ ...argument, type, token: undefined }];
}

/**
 * Returns the places of the keys among `args`.
 *
 * @param first the position of the first of `args`
 */
function keyPlacesFrom(args: readonly SyntaxArgument[], first: number): KeyPlaces {
  let places = NO_KEYS;
  for (const [i, { type, parts, isMultiple, isOptional, token }] of args.entries()) {
    const isPairs = isMultiple === true && type === "block" && parts![0]!.type === "key";
    if (type !== "key" && !isPairs) {
      // An argument after an option has no fixed place.
      if (isOptional || isMultiple || token !== undefined && type !== "pure-token") break;
      continue;
    }
    const position = first + i;
    const { firstKey } = places;
    assert(firstKey === 0 || places.lastKey === position - 1 && !isPairs, "keys follow each other");
    const isCounted = isMultiple === true && args[i - 1]?.name === KEY_COUNT;
    places = {
      firstKey: firstKey || position,
      lastKey: isCounted ? -1 : isMultiple ? i - args.length : position,
      keyStep: isPairs ? parts!.length : 1,
      keyCountAt: isCounted ? position - 1 : 0,
    };
    if (isMultiple) break;
  }
  return places;
}

function channelPlacesOf(
  args: readonly SyntaxArgument[],
  subcommands: readonly SyntaxArgument[] | undefined,
): readonly ChannelPlaces[] {
  if (subcommands === undefined) return channelPlacesFrom(args, 1, undefined);
  return subcommands.flatMap((subcommand) => channelPlacesFrom(argumentsOf(subcommand), 2, subcommand.token));
}

function channelPlacesFrom(
  [argument]: readonly SyntaxArgument[],
  first: number,
  subcommand: string | undefined,
): readonly ChannelPlaces[] {
  if (argument?.type !== "channel" && argument?.type !== "pattern") return [];
  return [{ subcommand, first, isMany: argument.isMultiple === true, isPattern: argument.type === "pattern" }];
}
