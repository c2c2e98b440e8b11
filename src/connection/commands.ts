/**
 * The commands that need nothing of the store, by name: what a server and a proxy both run, and the commands that some of
 * them have of their own.
 *
 * @module
 */

import * as channel from "./channel.ts";
import { client, CLIENT_SUBCOMMANDS } from "./client.ts";
import { command, COMMAND_SUBCOMMANDS } from "./command_info.ts";
import { config, CONFIG_SUBCOMMANDS } from "./config.ts";
import * as connection from "./connection.ts";
import type { RunOnConnection } from "./context.ts";
import type { Subcommands } from "./subcommands.ts";

const { PUBSUB_SUBCOMMANDS, ...channelCommands } = channel;

/** Their code. */
export const CONNECTION_COMMANDS: Readonly<Record<string, RunOnConnection>> = {
  ...connection,
  ...channelCommands,
  client,
  command,
  config,
};

/** Their own commands. */
export const CONNECTION_SUBCOMMANDS: Readonly<Record<string, Subcommands>> = {
  client: CLIENT_SUBCOMMANDS,
  command: COMMAND_SUBCOMMANDS,
  config: CONFIG_SUBCOMMANDS,
  pubsub: PUBSUB_SUBCOMMANDS,
};
