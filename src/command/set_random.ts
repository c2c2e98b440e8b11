/**
 * The commands on random members of a set. Every function exported here is the command of its name.
 *
 * `spop` replies with members before it removes any, so that nothing is lost when the reply becomes too long. The log
 * has the members that were removed, not the number of them.
 *
 * @module
 */

import { FIELD_SIZE_MAX_BYTES, STEP_KEYS_COUNT } from "../limits.ts";
import { Held } from "../memory/client_memory.ts";
import { PackedQueue } from "../memory/packed_queue.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { countArgument, countRead, findTyped, readTyped, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { MemberItems } from "./named_items.ts";
import { choiceCount, RandomChoice } from "./random_choice.ts";
import { replyMember } from "./set_member.ts";
import { replyMembers } from "./set_members.ts";

/** `srandmember key [count]` replies with random members. */
export function srandmember(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > 3) throw syntaxError();
  const isOne = request.count === 2;
  const count = isOne ? 1 : choiceCount(request, 2);
  const { store } = context;
  const entry = readTyped(context, request, 1, EntryType.Set);
  if (isOne) {
    if (entry !== 0 && store.sets.seekRandom(entry, Math.random())) replyMember(store, reply);
    else reply.nil();
    return;
  }
  if (entry === 0 || count === 0) {
    reply.array(0);
    return;
  }
  const choice = new RandomChoice(new MemberItems(context, request), reply, (length) => reply.array(length));
  return count < 0 ? choice.replyAny(-count) : choice.replyDifferent(Math.min(count, store.sets.length(entry)));
}

/** `spop key [count]` removes random members, and replies with them. */
export function spop(context: CommandContext, request: Request, reply: Reply): void | Steps {
  if (request.count > 3) throw syntaxError();
  const wanted = request.count === 3 ? countArgument(request, 2) : -1;
  const { store } = context;
  const entry = findTyped(context, request, 1, EntryType.Set);
  if (wanted === -1) {
    if (entry === 0) reply.nil();
    else popOne(context, entry, reply);
    return;
  }
  const length = entry === 0 ? 0 : store.sets.length(entry);
  if (wanted === 0 || length === 0) reply.set(0);
  else if (wanted < length) return popSome(context, request, reply, wanted);
  else return popAll(context, request, reply, entry);
}

/** The member that is being removed. Commands run to completion, so one buffer is enough. */
const member = new Uint8Array(FIELD_SIZE_MAX_BYTES);

function popOne({ store: { sets } }: CommandContext, entry: number, reply: Reply): void {
  sets.seekRandom(entry, Math.random());
  const length = sets.memberLength();
  sets.copyMember(member, 0);
  reply.bytes(member, 0, length);
  sets.remove(entry, member, 0, length);
}

function popAll(context: CommandContext, request: Request, reply: Reply, entry: number): void | Steps {
  // Redis reads all members as `sunion` does, and counts a hit.
  countRead(context.store, entry);
  const steps = replyMembers(context, request, reply, entry);
  if (steps !== undefined) return removeAfter(context, request, steps);
  context.store.remove(entry);
}

/** Removes the set after the steps of the reply. */
function* removeAfter(context: CommandContext, request: Request, steps: Steps): Steps {
  yield* steps;
  context.store.remove(findTyped(context, request, 1, EntryType.Set));
}

/** Replies with `count` of more members, and removes them. */
function* popSome(context: CommandContext, request: Request, reply: Reply, count: number): Steps {
  const taken = new PackedQueue(context.client.account, Held.Result);
  try {
    const items = new TakenMembers(context, request, taken);
    yield* new RandomChoice(items, reply, (length) => reply.set(length)).replyDifferent(count);
    let entry = items.find();
    for (let i = 0; i < taken.count; i++) {
      if (i % STEP_KEYS_COUNT === STEP_KEYS_COUNT - 1) {
        yield;
        entry = items.find();
      }
      taken.seek(i);
      entry = context.store.sets.remove(entry, taken.bytes, taken.start, taken.end - taken.start);
    }
  } finally {
    taken.free();
  }
}

/** The members of a set, which records those that are part of the reply. */
class TakenMembers extends MemberItems {
  readonly #taken: PackedQueue;

  constructor(context: CommandContext, request: Request, taken: PackedQueue) {
    super(context, request);
    this.#taken = taken;
  }

  override reply(reply: Reply): void {
    super.reply(reply);
    const at = this.#taken.reserve(this.nameLength());
    this.copyName(this.#taken.bytes, at);
  }
}
