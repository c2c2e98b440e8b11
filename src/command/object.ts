/**
 * The commands `object` and `memory`, which show how values are stored and how much memory they use. Every function
 * exported here is the command of its name.
 *
 * @module
 */

import { parseInteger64 } from "../bytes.ts";
import { MEMORY_SUBCOMMANDS as MEMORY_OF_ALL } from "../connection/memory.ts";
import { runSubcommand } from "../connection/subcommands.ts";
import type { Subcommands } from "../connection/subcommands.ts";
import { ReplyError } from "../errors.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { peekKey, readQuietly, roundedInteger, syntaxError } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { DECIMAL_MAX_BYTES } from "./decimal.ts";

/** The number of elements or fields that `memory usage` looks at without the option SAMPLES. */
const SAMPLES_DEFAULT_COUNT = 5;

/** The subcommands of `object`, by name. */
export const OBJECT_SUBCOMMANDS: Subcommands<CommandContext> = {
  encoding: {
    arity: 3,
    run: encoding,
    help: [
      "ENCODING <key>",
      "Return the kind of internal representation used in order to store the value",
      "associated with a <key>.",
    ],
  },
  freq: {
    arity: 3,
    run: frequency,
    help: [
      "FREQ <key>",
      "Return the access frequency index of the <key>. The returned integer is",
      "proportional to the logarithm of the recent access frequency of the key.",
    ],
  },
  idletime: {
    arity: 3,
    run: idleTime,
    help: [
      "IDLETIME <key>",
      "Return the idle time of the <key>, that is the approximated number of",
      "seconds elapsed since the last access to the key.",
    ],
  },
  refcount: {
    arity: 3,
    run: references,
    help: ["REFCOUNT <key>", "Return the number of references of the value associated with the specified", "<key>."],
  },
};

/** `object encoding key | freq key | idletime key | refcount key` shows how a value is stored. */
export function object(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(OBJECT_SUBCOMMANDS, context, request, reply);
}

/**
 * Replies with Redis's name for the encoding: small lists, hashes and sets are packed, large ones are tables, and short
 * strings are embedded.
 */
function encoding(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readQuietly(context, request, 2);
  if (entry === 0) reply.nil();
  else reply.text(context.store.typeOf(entry).encoding(entry));
}

/** Refuses, as Redis does without an LFU policy: accesses are not counted. */
function frequency(context: CommandContext, request: Request, reply: Reply): void {
  if (readQuietly(context, request, 2) !== 0) {
    throw new ReplyError(
      "ERR",
      "An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching " +
        "between policies at runtime LRU and LFU data will take some time to adjust.",
    );
  }
  reply.nil();
}

/**
 * Refuses for a key that exists: keys are kept in the order of their use, without times. No reply is better than a
 * wrong one.
 */
function idleTime(context: CommandContext, request: Request, reply: Reply): void {
  if (readQuietly(context, request, 2) !== 0) {
    throw new ReplyError("ERR", "idle times are not kept: eviction goes by the exact order in which keys were used");
  }
  reply.nil();
}

/** The number of integers that Redis stores once for all keys, from 0 on. */
const SHARED_INTEGERS_COUNT = 10_000;
/** The reference count that Redis shows for a value that it never frees. */
const SHARED_REFERENCES_COUNT = 2 ** 31 - 1;

/**
 * Replies with the number that Redis would show, although values are never shared here. Redis does not share values if
 * keys can be evicted, because each value then has its own access time.
 */
function references(context: CommandContext, request: Request, reply: Reply): void {
  const entry = readQuietly(context, request, 2);
  if (entry === 0) reply.nil();
  else reply.integer(!context.store.room.evicts && isSharedInteger(context.store, entry) ? SHARED_REFERENCES_COUNT : 1);
}

function isSharedInteger(store: Store, entry: number): boolean {
  if (store.type(entry) !== EntryType.String || store.strings.length(entry) > DECIMAL_MAX_BYTES) return false;
  const text = new Uint8Array(store.strings.length(entry));
  store.strings.copy(entry, 0, text, 0, text.length);
  const value = parseInteger64(text, 0, text.length);
  return value !== undefined && value >= 0n && value < SHARED_INTEGERS_COUNT;
}

/** The subcommands of `memory`, by name. */
export const MEMORY_SUBCOMMANDS: Subcommands<CommandContext> = {
  ...MEMORY_OF_ALL,
  usage: { ...MEMORY_OF_ALL.usage, run: usage },
};

/** `memory usage key [SAMPLES count] | stats | doctor | malloc-stats | purge` shows how much memory is used. */
export function memory(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(MEMORY_SUBCOMMANDS, context, request, reply);
}

function usage(context: CommandContext, request: Request, reply: Reply): void {
  let samples = SAMPLES_DEFAULT_COUNT;
  for (let i = 3; i < request.count; i += 2) {
    if (!request.is(i, "samples") || i + 1 === request.count) throw syntaxError();
    samples = roundedInteger(request, i + 1);
    if (samples < 0) throw syntaxError();
  }
  const entry = peekKey(context, request, 2);
  if (entry === 0) reply.nil();
  else reply.integer(context.store.entryBytes(entry, samples));
}
