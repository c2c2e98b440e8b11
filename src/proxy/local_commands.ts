/**
 * The commands that the proxy answers itself: those on the connection, and on the proxy. Their code is the server's.
 *
 * @module
 */

import { PUBSUB_SUBCOMMANDS } from "../command/channel.ts";
import { client, CLIENT_SUBCOMMANDS } from "../command/client.ts";
import { command, COMMAND_SUBCOMMANDS } from "../command/command_info.ts";
import { config, CONFIG_SUBCOMMANDS } from "../command/config.ts";
import * as connectionCommands from "../command/connection.ts";
import type { RunOnConnection } from "../command/connection_context.ts";
import { COMMANDS } from "../command/specification.ts";
import type { CommandSpecification } from "../command/specification.ts";
import type { Subcommands } from "../command/subcommands.ts";
import { assert } from "../errors.ts";
import type { Request } from "../wire/request.ts";
import type { Answers } from "./answers.ts";
import { cannotBeUsed } from "./refusal.ts";
import type { Slot } from "./slot.ts";

/** What has no meaning for a proxy, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  debug: "it would hold up all clients of the proxy",
};

const runs: ReadonlyMap<string, RunOnConnection> = new Map<string, RunOnConnection>(
  Object.entries({ ...connectionCommands, client, command, config }),
);

for (const { name, routing } of COMMANDS) {
  assert(routing !== "local" || runs.has(name) || name in REFUSED, `the proxy has no answer to "${name}"`);
}

const SUBCOMMANDS: Readonly<Record<string, Subcommands>> = {
  client: CLIENT_SUBCOMMANDS,
  command: COMMAND_SUBCOMMANDS,
  config: CONFIG_SUBCOMMANDS,
  pubsub: PUBSUB_SUBCOMMANDS,
};

/** The commands that one of those that the proxy answers has itself. */
export function subcommandsOf({ name }: CommandSpecification): Subcommands | undefined {
  return Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined;
}

/** Answers them. */
export class LocalCommands {
  readonly #answers: Answers;

  constructor(answers: Answers) {
    this.#answers = answers;
  }

  /** Whether a command must not be answered before all that its client has asked for is: it changes what replies are like. */
  needsIdle({ name }: CommandSpecification): boolean {
    return name === "hello" || name === "reset";
  }

  /**
   * Answers a command of the routing `local`.
   *
   * @throws {ReplyError}
   */
  answer(slot: Slot, { name }: CommandSpecification, request: Request): void {
    const reason = REFUSED[name];
    if (reason !== undefined) throw cannotBeUsed(request, reason);
    if (name === "client" && request.is(1, "no-touch")) {
      throw cannotBeUsed(request, "servers do not know which of the proxy's connections is whose");
    }
    const { context } = slot.client;
    this.#answers.answer(slot, (reply) => {
      // A promise says nothing but that the connection has to be looked at, which comes next.
      runs.get(name)!(context, request, reply);
    });
  }
}
