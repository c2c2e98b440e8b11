/**
 * The commands on channels. Every function exported here is the command of its name.
 *
 * Redis's protocol confirms a subscription with a separate message for each channel, and sends published messages
 * without a request. The native protocol supports neither, so these commands are refused there.
 *
 * Work on many names or patterns is done in slices. A message is sent to all listeners in one step.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { checkChannelNames } from "../catalog/call.ts";
import { ReplyError } from "../errors.ts";
import { LONG_BYTES, NAME_OVERHEAD_BYTES } from "../limits.ts";
import { Held } from "../memory/client_memory.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { binaryBytes, binaryText } from "./binary_text.ts";
import { Publication } from "./channel_message.ts";
import type { Pattern } from "./channels.ts";
import type { ConnectionContext } from "./context.ts";
import { Glob } from "./glob.ts";
import { inSlices } from "./in_slices.ts";
import type { PatternSearch } from "./pattern_index.ts";
import { runSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/** The number of names that are handled between two looks at the clock, which takes about a tenth of a millisecond. */
const NAMES_PER_STEP_COUNT = 64;
/**
 * The size of the names that are handled between two looks at the clock, in bytes; each step of matching counts as one.
 */
const NAMES_PER_STEP_BYTES = 32 * 1024;

/** The first item of a confirmation, by command. */
const VERBS = {
  subscribe: encodeText("subscribe"),
  psubscribe: encodeText("psubscribe"),
  unsubscribe: encodeText("unsubscribe"),
  punsubscribe: encodeText("punsubscribe"),
} as const;

/** Adds or removes one channel or pattern. */
type Change = (context: ConnectionContext, name: string) => void;

/** `subscribe channel [channel …]` begins to listen to channels. */
export function subscribe(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  checkRoom(context, request);
  return changeEach(context, request, reply, "subscribe", ({ shared, client }, name) => {
    shared.channels.subscribe(client, name);
  });
}

/** `psubscribe pattern [pattern …]` begins to listen to patterns of channel names. */
export function psubscribe(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  checkRoom(context, request);
  return changeEach(context, request, reply, "psubscribe", ({ shared, client }, name) => {
    shared.channels.subscribePattern(client, name);
  });
}

/** `unsubscribe [channel …]` ends listening to channels, or to all of them if none is given. */
export function unsubscribe(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const change: Change = ({ shared, client }, name) => shared.channels.unsubscribe(client, name);
  if (request.count > 1) return changeEach(context, request, reply, "unsubscribe", change);
  return changeAll(context, reply, "unsubscribe", [...context.client.channels], change);
}

/** `punsubscribe [pattern …]` ends listening to patterns, or to all of them if none is given. */
export function punsubscribe(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const change: Change = ({ shared, client }, name) => shared.channels.unsubscribePattern(client, name);
  if (request.count > 1) return changeEach(context, request, reply, "punsubscribe", change);
  return changeAll(context, reply, "punsubscribe", [...context.client.patterns], change);
}

function changeEach(
  context: ConnectionContext,
  request: Request,
  reply: Reply,
  verb: keyof typeof VERBS,
  change: Change,
): void | Promise<void> {
  refuseNative(context, verb);
  const { bytes, starts, lengths, count } = request;
  checkChannelNames(request, 1, count, verb === "psubscribe" || verb === "punsubscribe");
  const { channels, patterns } = context.client;
  // Without subscriptions there is nothing to end, and a million texts would be garbage.
  const ended = verb === "unsubscribe" ? channels : verb === "punsubscribe" ? patterns : undefined;
  let i = 1;
  return inSlices(context, () => {
    let left = NAMES_PER_STEP_BYTES;
    for (const stop = Math.min(count, i + NAMES_PER_STEP_COUNT); i < stop && left > 0; i++) {
      left -= lengths[i]!;
      if (ended?.size !== 0) change(context, binaryText(bytes, starts[i]!, lengths[i]!));
      confirm(context, reply, verb, bytes, starts[i]!, lengths[i]!);
    }
    return i === count;
  });
}

function changeAll(
  context: ConnectionContext,
  reply: Reply,
  verb: keyof typeof VERBS,
  names: readonly string[],
  change: Change,
): void | Promise<void> {
  refuseNative(context, verb);
  if (names.length === 0) return confirm(context, reply, verb, undefined, 0, 0);
  let i = 0;
  return inSlices(context, () => {
    let left = NAMES_PER_STEP_BYTES;
    for (const stop = Math.min(names.length, i + NAMES_PER_STEP_COUNT); i < stop && left > 0; i++) {
      left -= names[i]!.length;
      change(context, names[i]!);
      const bytes = binaryBytes(names[i]!);
      confirm(context, reply, verb, bytes, 0, bytes.length);
    }
    return i === names.length;
  });
}

/** Refuses names that need too much memory, before the first one is handled. */
function checkRoom({ client }: ConnectionContext, request: Request): void {
  client.checkCharge(request.size + (request.count - 1) * NAME_OVERHEAD_BYTES);
}

function refuseNative({ client }: ConnectionContext, verb: string): void {
  if (client.version === 0) throw new ReplyError("ERR", `${verb} needs a connection that speaks RESP`);
}

/**
 * Confirms a change of the channel or pattern `bytes[start, start + length)`; without `bytes`, that nothing was
 * changed.
 */
function confirm(
  { client }: ConnectionContext,
  reply: Reply,
  verb: keyof typeof VERBS,
  bytes: Uint8Array | undefined,
  start: number,
  length: number,
): void {
  // A client that has turned its replies off gets this all the same, as in Redis.
  if (client.silence !== "none" && client.executedCount < 0) client.isHeard = true;
  reply.push(3);
  reply.bytes(VERBS[verb], 0, VERBS[verb].length);
  if (bytes === undefined) reply.nil();
  else reply.bytes(bytes, start, length);
  reply.integer(client.subscriptions);
}

/** `publish channel message` sends a message to all listeners of a channel. */
export function publish(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const { client, shared: { channels } } = context;
  const channel = request.view(1);
  const publication = new Publication(channel, request.view(2));
  const search = channels.search(channel);
  if (search !== undefined || publication.payload.length > LONG_BYTES) {
    return publishInSlices(context, publication, search, reply);
  }
  reply.integer(channels.publish(client, publication, []));
}

/** Searches for patterns and copies a long message in slices, and then sends it in one step. */
function publishInSlices(
  context: ConnectionContext,
  publication: Publication,
  search: PatternSearch<Pattern> | undefined,
  reply: Reply,
): void | Promise<void> {
  const { client, shared: { channels } } = context;
  const found = search?.found ?? [];
  const send = () => reply.integer(channels.publish(client, publication, found));
  const copyAndSend = () => {
    const { length } = publication.payload;
    const isHeard = found.length > 0 || channels.isHeard(publication.channel);
    if (length <= LONG_BYTES || !isHeard) return send();
    // Until the copy is sent, it is charged to the publisher.
    client.account.charge(Held.Request, length);
    const release = () => client.account.release(Held.Request, length);
    const copying = inSlices(context, () => publication.copySome());
    if (copying !== undefined) return copying.finally(release).then(send);
    release();
    send();
  };
  const searching = search === undefined ? undefined : inSlices(context, search.step);
  return searching === undefined ? copyAndSend() : searching.then(copyAndSend);
}

/** The subcommands of `pubsub`, by name. */
export const PUBSUB_SUBCOMMANDS: Subcommands = {
  channels: {
    arity: -2,
    run: listChannels,
    help: ["CHANNELS [<pattern>]", "Return the currently active channels matching a <pattern> (default: '*')."],
  },
  numpat: { arity: 2, run: countPatterns, help: ["NUMPAT", "Return number of subscriptions to patterns."] },
  numsub: {
    arity: -2,
    run: countListeners,
    help: ["NUMSUB [<channel> ...]", "Return the number of subscribers for the specified channels."],
  },
};

/** `pubsub channels [pattern] | numsub [channel …] | numpat` shows channels and the numbers of their listeners. */
export function pubsub(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(PUBSUB_SUBCOMMANDS, context, request, reply);
}

function listChannels(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  if (request.count > 3) {
    const name = request.text(1);
    throw new ReplyError("ERR", `unknown subcommand or wrong number of arguments for '${name}'. Try PUBSUB HELP.`);
  }
  checkChannelNames(request, 2, request.count, true);
  const glob = request.count === 3 ? new Glob(request.view(2)) : undefined;
  const names = context.shared.channels.namesNow();
  let found = 0;
  reply.openArray();
  const step = () => {
    let left = NAMES_PER_STEP_BYTES;
    for (let i = 0; i < NAMES_PER_STEP_COUNT && left > 0; i++) {
      const { done, value } = names.next();
      if (done) return true;
      const bytes = binaryBytes(value);
      left -= bytes.length;
      if (glob !== undefined) {
        const before = glob.steps;
        const matches = glob.matches(bytes, 0, bytes.length);
        left -= glob.steps - before;
        if (!matches) continue;
      }
      reply.bytes(bytes, 0, bytes.length);
      found++;
    }
    return false;
  };
  const listing = inSlices(context, step);
  if (listing !== undefined) return listing.then(() => reply.closeArray(found));
  reply.closeArray(found);
}

function countListeners(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const { channels } = context.shared;
  const { bytes, starts, lengths, count } = request;
  checkChannelNames(request, 2, count, false);
  reply.array((count - 2) * 2);
  let i = 2;
  return inSlices(context, () => {
    let left = NAMES_PER_STEP_BYTES;
    for (const stop = Math.min(count, i + NAMES_PER_STEP_COUNT); i < stop && left > 0; i++) {
      left -= lengths[i]!;
      reply.bytes(bytes, starts[i]!, lengths[i]!);
      reply.integer(channels.count(binaryText(bytes, starts[i]!, lengths[i]!)));
    }
    return i === count;
  });
}

function countPatterns({ shared: { channels } }: ConnectionContext, _request: Request, reply: Reply): void {
  reply.integer(channels.patternCount);
}
