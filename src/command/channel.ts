/**
 * The commands on channels. Every function exported here is the command of its name.
 *
 * A subscription is answered with a message of its own for each channel, and what is published comes unasked. The native
 * protocol has no place for either, so there they are refused.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { NAME_OVERHEAD_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./connection_context.ts";
import { Glob } from "./glob.ts";
import { binaryBytes, binaryText } from "./binary_text.ts";
import { runSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/** Adds or takes away one channel or pattern. */
type Change = (context: ConnectionContext, name: string) => void;

/** `subscribe channel [channel …]` */
export function subscribe(context: ConnectionContext, request: Request, reply: Reply): void {
  checkRoom(context, request);
  changeEach(context, request, reply, "subscribe", ({ shared, client }, name) => {
    shared.channels.subscribe(client, name);
  });
}

/** `psubscribe pattern [pattern …]` */
export function psubscribe(context: ConnectionContext, request: Request, reply: Reply): void {
  checkRoom(context, request);
  changeEach(context, request, reply, "psubscribe", ({ shared, client }, name) => {
    shared.channels.subscribePattern(client, name);
  });
}

/** `unsubscribe [channel …]`: without one, all channels. */
export function unsubscribe(context: ConnectionContext, request: Request, reply: Reply): void {
  const change: Change = ({ shared, client }, name) => shared.channels.unsubscribe(client, name);
  if (request.count > 1) changeEach(context, request, reply, "unsubscribe", change);
  else changeAll(context, reply, "unsubscribe", [...context.client.channels], change);
}

/** `punsubscribe [pattern …]`: without one, all patterns. */
export function punsubscribe(context: ConnectionContext, request: Request, reply: Reply): void {
  const change: Change = ({ shared, client }, name) => shared.channels.unsubscribePattern(client, name);
  if (request.count > 1) changeEach(context, request, reply, "punsubscribe", change);
  else changeAll(context, reply, "punsubscribe", [...context.client.patterns], change);
}

function changeEach(context: ConnectionContext, request: Request, reply: Reply, verb: string, change: Change): void {
  refuseNative(context, verb);
  for (let i = 1; i < request.count; i++) {
    const name = binaryText(request.bytes, request.starts[i]!, request.lengths[i]!);
    change(context, name);
    confirm(context, reply, verb, name);
  }
}

function changeAll(
  context: ConnectionContext,
  reply: Reply,
  verb: string,
  names: readonly string[],
  change: Change,
): void {
  refuseNative(context, verb);
  if (names.length === 0) confirm(context, reply, verb, undefined);
  for (const name of names) {
    change(context, name);
    confirm(context, reply, verb, name);
  }
}

/** Refuses names that there is no room for, before the first of them. */
function checkRoom({ client }: ConnectionContext, request: Request): void {
  client.checkCharge(request.size + (request.count - 1) * NAME_OVERHEAD_BYTES);
}

function refuseNative({ client }: ConnectionContext, verb: string): void {
  if (client.version === 0) throw new ReplyError("ERR", `${verb} needs a connection that speaks RESP`);
}

function confirm({ client }: ConnectionContext, reply: Reply, verb: string, name: string | undefined): void {
  reply.push(3);
  reply.text(verb);
  if (name === undefined) reply.nil();
  else bytesOf(name, reply);
  reply.integer(client.subscriptions);
}

function bytesOf(name: string, reply: Reply): void {
  const bytes = binaryBytes(name);
  reply.bytes(bytes, 0, bytes.length);
}

/** `publish channel message` */
export function publish(context: ConnectionContext, request: Request, reply: Reply): void {
  reply.integer(context.shared.channels.publish(context.client, request.view(1), request.view(2)));
}

/** Those of `pubsub`. */
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

/** `pubsub channels [pattern] | numsub [channel …] | numpat` */
export function pubsub(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(PUBSUB_SUBCOMMANDS, context, request, reply);
}

function listChannels({ shared: { channels } }: ConnectionContext, request: Request, reply: Reply): void {
  if (request.count > 3) {
    const name = request.text(1);
    throw new ReplyError("ERR", `unknown subcommand or wrong number of arguments for '${name}'. Try PUBSUB HELP.`);
  }
  const glob = request.count === 3 ? new Glob(request.view(2)) : undefined;
  const names = [...channels.names].filter((name) => {
    const bytes = binaryBytes(name);
    return glob === undefined || glob.matches(bytes, 0, bytes.length);
  });
  reply.array(names.length);
  for (const name of names) bytesOf(name, reply);
}

function countListeners({ shared: { channels } }: ConnectionContext, request: Request, reply: Reply): void {
  const { bytes, starts, lengths, count } = request;
  reply.array((count - 2) * 2);
  for (let i = 2; i < count; i++) {
    reply.bytes(bytes, starts[i]!, lengths[i]!);
    reply.integer(channels.count(binaryText(bytes, starts[i]!, lengths[i]!)));
  }
}

function countPatterns({ shared: { channels } }: ConnectionContext, _request: Request, reply: Reply): void {
  reply.integer(channels.patternCount);
}
