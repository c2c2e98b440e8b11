/**
 * The commands that wait for an element of a list. Every function exported here is the command of its name.
 *
 * Each command first tries all its keys. If every list is empty, its client waits, and is served by the command that
 * pushes an element (waiters.ts). Within a transaction nothing waits: the command then replies as if it had timed out.
 *
 * A key of another type is refused when the command begins. If a key gets another type while the client waits, it
 * counts as empty, as in Redis, and the client keeps waiting.
 *
 * A waiting client may be served long after its command was dispatched. So these commands themselves notify the clients
 * that watch the keys, or that wait for elements, of their changes.
 *
 * @module
 */

import { commandNamed } from "../catalog/command_facts.ts";
import { binaryText } from "../connection/binary_text.ts";
import { ReplyError } from "../errors.ts";
import { BLOCKING_PUT_OFF_MAX_COUNT, BLOCKING_TIMEOUT_MAX_MS, NAME_OVERHEAD_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findTyped, peekKey, touchKey } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import type { Hold } from "./holds.ts";
import { isHead, moveElement, replyElement } from "./list_element.ts";
import { INFINITE, parseLongDouble } from "./long_double.ts";
import type { LongDouble } from "./long_double.ts";
import { refuse, wake } from "./run.ts";

/** `blpop key [key …] timeout` removes an element at the head of the first list that has one, and waits if none has. */
export function blpop(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  return popAny(context, request, reply, true);
}

/** `brpop key [key …] timeout` removes an element at the tail of the first list that has one, and waits if none has. */
export function brpop(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  return popAny(context, request, reply, false);
}

function popAny(context: CommandContext, request: Request, reply: Reply, head: boolean): void | Promise<void> {
  const last = request.count - 2;
  return waitFor(context, request, reply, 1, last, request.count - 1, {
    attempt: (index) => popFrom(context, request, index, reply, head),
    giveUp: () => reply.nilArray(),
  });
}

/**
 * Removes the first or last element of a list, and replies with key and element. Returns `false` if there is no list.
 */
function popFrom(context: CommandContext, request: Request, index: number, reply: Reply, head: boolean): boolean {
  const { store } = context;
  const entry = findTyped(context, request, index, EntryType.List);
  if (entry === 0) return false;
  const { bytes, starts, lengths } = request;
  reply.array(2);
  reply.bytes(bytes, starts[index]!, lengths[index]!);
  store.lists.seek(entry, head ? 0 : -1);
  replyElement(store, reply);
  store.lists.pop(entry, head);
  touchKey(context, request, index);
  return true;
}

/**
 * `blmove source destination LEFT|RIGHT LEFT|RIGHT timeout` moves an element between ends of lists, and waits for one.
 */
export function blmove(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  return moveWhenThere(context, request, reply, isHead(request, 3), isHead(request, 4), 5);
}

/**
 * `brpoplpush source destination timeout` moves an element from the tail of a list to the head of another, and waits
 * for one.
 */
export function brpoplpush(context: CommandContext, request: Request, reply: Reply): void | Promise<void> {
  return moveWhenThere(context, request, reply, false, true, 3);
}

function moveWhenThere(
  context: CommandContext,
  request: Request,
  reply: Reply,
  fromHead: boolean,
  toHead: boolean,
  timeoutIndex: number,
): void | Promise<void> {
  return waitFor(context, request, reply, 1, 1, timeoutIndex, {
    attempt: () => {
      if (!moveElement(context, request, reply, fromHead, toHead)) return false;
      for (let i = 1; i <= 2; i++) touchKey(context, request, i);
      wake(context, request, 2);
      return true;
    },
    giveUp: () => context.client.executing ? reply.nil() : reply.nilArray(),
  });
}

/** The two outcomes of a command that waits. */
interface Attempt {
  /** Tries the key in argument `index`. Returns `false` if it does not hold a list. */
  attempt(index: number): boolean;
  giveUp(): void;
}

/** Tries the keys in arguments `first` to `last` in order, and waits for one of them if necessary. */
function waitFor(
  context: CommandContext,
  request: Request,
  reply: Reply,
  first: number,
  last: number,
  timeoutIndex: number,
  { attempt, giveUp }: Attempt,
): void | Promise<void> {
  const timeoutMs = timeoutArgument(request, timeoutIndex);
  const attemptAll = () => {
    for (let i = first; i <= last; i++) if (attempt(i)) return true;
    return false;
  };
  if (attemptAll()) return;
  if (context.client.executing) return giveUp();
  return context.block(() => {
    // While earlier replies were written, other clients may have pushed elements, or may be about to.
    const isPostponed = isHeld(context, request);
    if (!isPostponed && attemptAll()) return undefined;
    const { bytes, starts, lengths } = request;
    const keys = new Map<string, number>();
    const { client } = context;
    const cost = request.size + (last - first + 1) * NAME_OVERHEAD_BYTES;
    client.charge(cost);
    for (let i = last; i >= first; i--) keys.set(binaryText(bytes, starts[i]!, lengths[i]!), i);
    // The number of turns by which serving was postponed.
    let turns = 0;
    const waiter = context.shared.waiters.wait([...keys.keys()], timeoutMs, {
      serve: (key, hold) => {
        const index = keys.get(key)!;
        if (isHeld(context, request, hold)) return "later";
        if (!holdsList(context, request, index)) return "no";
        if (turns < BLOCKING_PUT_OFF_MAX_COUNT && context.hasInput()) {
          turns++;
          return "later";
        }
        try {
          return attempt(index) ? "yes" : "no";
        } catch (error) {
          refuse(context, reply, error);
          return "yes";
        }
      },
      expire: giveUp,
      refuse: (error) => refuse(context, reply, error),
      end: () => {
        client.waiter = undefined;
        client.release(cost);
      },
    });
    client.waiter = waiter;
    if (isPostponed) { for (let i = first; i <= last; i++) wake(context, request, i); }
    return waiter.done;
  });
}

/**
 * Returns whether a long command holds one of the keys, so that a waiting command must be served in a later turn.
 *
 * @param own the hold of the command that serves, which is ignored
 */
function isHeld({ shared: { holds } }: CommandContext, request: Request, own?: Hold): boolean {
  if (holds.count === 0) return false;
  const specification = commandNamed(request.text(0))?.specification;
  return specification !== undefined && holds.inTheWay(specification, request, own) !== undefined;
}

/** Returns whether the key in argument `index` holds a list. */
function holdsList(context: CommandContext, request: Request, index: number): boolean {
  const entry = peekKey(context, request, index);
  return entry !== 0 && context.store.type(entry) === EntryType.List;
}

/** Matches the usual form of a timeout, which is exact as a `number`. */
const PLAIN_SECONDS = /^\d{1,9}(\.\d{1,6})?$/;
/** The bound of a timeout in milliseconds, as in Redis, whose 64-bit numbers become negative there. */
const TIMEOUT_END_MS = 2n ** 63n;

/**
 * Returns argument `index` as a timeout in milliseconds. The argument has seconds in C's syntax for numbers; 0 means no
 * limit.
 */
function timeoutArgument(request: Request, index: number): number {
  const text = request.text(index);
  if (PLAIN_SECONDS.test(text)) return bounded(Math.ceil(Number(text) * 1000));
  const seconds = parseLongDouble(text);
  if (seconds === undefined) throw new ReplyError("ERR", "timeout is not a float or out of range");
  const timeoutMs = seconds === INFINITE ? TIMEOUT_END_MS : thousandfold(seconds);
  if (timeoutMs < 0n || timeoutMs >= TIMEOUT_END_MS) throw new ReplyError("ERR", "timeout is negative");
  return bounded(Number(timeoutMs));
}

/** Returns 1,000 times a number, rounded up. */
function thousandfold({ isNegative, mantissa, exponent }: LongDouble): bigint {
  const product = mantissa * 1000n;
  if (exponent >= 0) return (isNegative ? -product : product) << BigInt(exponent);
  // A shift rounds down.
  const shift = BigInt(-exponent);
  return isNegative ? -(product >> shift) : -(-product >> shift);
}

function bounded(timeoutMs: number): number {
  return timeoutMs > BLOCKING_TIMEOUT_MAX_MS ? 0 : timeoutMs;
}
