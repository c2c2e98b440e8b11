/**
 * The commands that the proxy executes itself: those on the connection, and those on the proxy. The server uses the
 * same code.
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
    `the proxy does not execute "${name}"`,
  );
}

/** Returns the subcommands of a container that the proxy executes itself. */
export function subcommandsOf({ name }: CommandSpecification): Subcommands | undefined {
  return Object.hasOwn(CONNECTION_SUBCOMMANDS, name) ? CONNECTION_SUBCOMMANDS[name] : undefined;
}

/**
 * Refuses what the proxy cannot execute.
 *
 * @throws {ReplyError}
 */
export function checkLocal(specification: CommandSpecification, request: Request): void {
  checkProxied(specification, request);
  checkSizes(specification, request);
}

/** Executes the local commands. */
export class LocalCommands {
  readonly #ownReplies: OwnReplies;

  constructor(ownReplies: OwnReplies) {
    this.#ownReplies = ownReplies;
  }

  /**
   * Executes a command of the routing `local`.
   *
   * @throws {ReplyError}
   */
  run(pending: PendingReply, specification: CommandSpecification, request: Request): void {
    checkLocal(specification, request);
    const { name, mayTakeLong } = specification;
    const { link } = pending;
    const run = CONNECTION_COMMANDS[name]!;
    if (request.size > LONG_BYTES || mayTakeLong) {
      const replying = this.#ownReplies.replyWhenDone(pending, (reply) => run(link, request, reply));
      // The request stays in its buffer until then.
      if (replying !== undefined) link.backpressure.hold(replying);
      return;
    }
    this.#ownReplies.reply(pending, (reply) => {
      // A promise only means that the connection must be looked at, which happens next.
      run(link, request, reply);
    });
  }
}
