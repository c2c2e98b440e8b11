/**
 * The commands that the proxy answers itself: those on the connection, and on the proxy. Their code is the server's.
 *
 * @module
 */

import { checkSizes } from "../../catalog/call.ts";
import { COMMANDS } from "../../catalog/specification.ts";
import type { CommandSpecification } from "../../catalog/specification.ts";
import { CONNECTION_COMMANDS, CONNECTION_SUBCOMMANDS } from "../../connection/commands.ts";
import type { Subcommands } from "../../connection/subcommands.ts";
import { assert } from "../../errors.ts";
import { LONG_BYTES } from "../../limits.ts";
import type { Request } from "../../wire/request.ts";
import type { OwnReplies } from "../client/own_replies.ts";
import type { PendingReply } from "../client/client_link.ts";
import { checkProxied } from "./refusals.ts";

for (const { name, routing, proxy } of COMMANDS) {
  assert(
    routing !== "local" && routing !== "channel" || Object.hasOwn(CONNECTION_COMMANDS, name) ||
      proxy.refused !== undefined,
    `the proxy has no answer to "${name}"`,
  );
}

/** The commands that one of those that the proxy answers has itself. */
export function subcommandsOf({ name }: CommandSpecification): Subcommands | undefined {
  return Object.hasOwn(CONNECTION_SUBCOMMANDS, name) ? CONNECTION_SUBCOMMANDS[name] : undefined;
}

/**
 * Refuses what the proxy has no answer to.
 *
 * @throws {ReplyError}
 */
export function checkLocal(specification: CommandSpecification, request: Request): void {
  checkProxied(specification, request);
  checkSizes(specification, request);
}

/** Answers them. */
export class LocalCommands {
  readonly #ownReplies: OwnReplies;

  constructor(ownReplies: OwnReplies) {
    this.#ownReplies = ownReplies;
  }

  /**
   * Answers a command of the routing `local`.
   *
   * @throws {ReplyError}
   */
  answer(pending: PendingReply, specification: CommandSpecification, request: Request): void {
    checkLocal(specification, request);
    const { name, mayTakeLong } = specification;
    const { link } = pending;
    const run = CONNECTION_COMMANDS[name]!;
    if (request.size > LONG_BYTES || mayTakeLong) {
      const answering = this.#ownReplies.replyWhenDone(pending, (reply) => run(link, request, reply));
      // The request stays where it is until then.
      if (answering !== undefined) link.backpressure.hold(answering);
      return;
    }
    this.#ownReplies.reply(pending, (reply) => {
      // A promise says nothing but that the connection has to be looked at, which comes next.
      run(link, request, reply);
    });
  }
}
