/**
 * The commands on several sets. Every function exported here is the command of its name.
 *
 * A command that stores its result collects the members first, outside of the store. The destination may be one of the
 * sets, and if there is no room for the result, nothing has changed.
 *
 * ```text
 * collect   members ─▶ queue, charged to the client
 * store     make room ─▶ remove what the destination holds ─▶ add the members
 * ```
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { STEP_BYTES, STEP_KEYS_COUNT } from "../limits.ts";
import { Held } from "../memory/client_memory.ts";
import { PackedQueue } from "../memory/packed_queue.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { countArgument, defaultDeadline, findKey, peekKey, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeptRoom, makeRoomInSteps } from "./kept_room.ts";
import { SetCombination, type SetOperation, type VisitMember } from "./set_combination.ts";

/** `sinter key [key …]` replies with the members that all sets have. */
export function sinter(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return replyCombination(context, request, reply, "inter");
}

/** `sunion key [key …]` replies with the members that any of the sets has. */
export function sunion(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return replyCombination(context, request, reply, "union");
}

/** `sdiff key [key …]` replies with the members that only the first set has. */
export function sdiff(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return replyCombination(context, request, reply, "diff");
}

function replyCombination(
  context: CommandContext,
  request: Request,
  reply: Reply,
  operation: SetOperation,
): void | Steps {
  const combination = new SetCombination(context, request, operation, 1, request.count);
  let count = 0;
  reply.openArray();
  const replyMember: VisitMember = (bytes, start, length) => {
    reply.bytes(bytes, start, length);
    count++;
  };
  const end = () => reply.closeSet(count);
  if (!combination.step(replyMember)) return goOn(combination, replyMember, end);
  end();
}

/** Continues a walk after its first step. */
function* goOn(combination: SetCombination, visit: VisitMember, end: () => void): Steps {
  do yield; while (!combination.step(visit));
  end();
}

/** `sintercard numkeys key [key …] [LIMIT limit]` replies with the number of members that all sets have. */
export function sintercard(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const keysCount = countArgument(request, 1, 1, "numkeys should be greater than 0");
  if (keysCount > request.count - 2) {
    throw new ReplyError("ERR", "Number of keys can't be greater than number of args");
  }
  let limit = 0;
  for (let i = 2 + keysCount; i < request.count; i += 2) {
    if (!request.is(i, "limit") || i + 1 === request.count) throw syntaxError();
    limit = countArgument(request, i + 1, 0, "LIMIT can't be negative");
  }
  const wanted = limit === 0 ? Infinity : limit;
  const combination = new SetCombination(context, request, "inter", 2, 2 + keysCount, wanted);
  let count = 0;
  const add = () => void count++;
  const end = () => reply.integer(count);
  if (!combination.step(add)) return goOn(combination, add, end);
  end();
}

/** `sinterstore destination key [key …]` stores the members that all sets have. */
export function sinterstore(context: CommandContext, request: Request, reply: Reply): Steps {
  return storeCombination(context, request, reply, "inter");
}

/** `sunionstore destination key [key …]` stores the members that any of the sets has. */
export function sunionstore(context: CommandContext, request: Request, reply: Reply): Steps {
  return storeCombination(context, request, reply, "union");
}

/** `sdiffstore destination key [key …]` stores the members that only the first set has. */
export function sdiffstore(context: CommandContext, request: Request, reply: Reply): Steps {
  return storeCombination(context, request, reply, "diff");
}

/** Replaces what the key in argument 1 holds by the combination of the sets, and replies with its number of members. */
function* storeCombination(context: CommandContext, request: Request, reply: Reply, operation: SetOperation): Steps {
  const { store } = context;
  const result = new PackedQueue(context.client.account, Held.Result);
  let size = 0;
  const collect: VisitMember = (bytes, start, length) => {
    const at = result.reserve(length);
    copyBytes(bytes, start, result.bytes, at, length);
    size += length;
  };
  try {
    const combination = new SetCombination(context, request, operation, 2, request.count);
    while (!combination.step(collect)) yield;
    if (result.count > 0) yield* makeRoomInSteps(store, request.lengths[1]! + size, result.count + 1);
    const present = findKey(context, request, 1);
    if (present !== 0) store.remove(present);
    if (result.count > 0) yield* storeMembers(context, request, result, size);
    reply.integer(result.count);
  } finally {
    result.free();
  }
}

/** Stores collected members under the absent key in argument 1. The caller has just made room for them. */
function* storeMembers(context: CommandContext, request: Request, members: PackedQueue, size: number): Steps {
  const { store } = context;
  const { bytes, starts, lengths } = request;
  const room = new KeptRoom(store, lengths[1]! + size, members.count + 1);
  try {
    for (let i = 0; i < members.count;) {
      let entry = peekKey(context, request, 1);
      const [isNew, first] = [entry === 0, i];
      let stored = 0;
      while (i < members.count && i - first < STEP_KEYS_COUNT * 2 && stored < STEP_BYTES) {
        members.seek(i++);
        const length = members.end - members.start;
        entry = store.sets.add(bytes, starts[1]!, lengths[1]!, entry, members.bytes, members.start, length);
        stored += length;
      }
      if (isNew && context.defaultTtlMs !== 0) store.setDeadline(entry, defaultDeadline(context));
      room.use(stored, i - first);
      if (i < members.count) yield;
    }
  } finally {
    room.release();
  }
}
