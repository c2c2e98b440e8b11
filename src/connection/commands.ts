/**
 * The commands that do not need the store, by name, with their subcommands. Server and proxy both run them.
 *
 * @module
 */

import * as channel from "./channel.ts";
import { client, CLIENT_SUBCOMMANDS } from "./client.ts";
import { command, COMMAND_SUBCOMMANDS } from "./command_info.ts";
import { config, CONFIG_SUBCOMMANDS } from "./config.ts";
import * as connection from "./connection.ts";
import type { RunOnConnection } from "./context.ts";
import { latency, LATENCY_SUBCOMMANDS } from "./latency.ts";
import { memory, MEMORY_SUBCOMMANDS } from "./memory.ts";
import { monitor } from "./monitor.ts";
import { module, MODULE_SUBCOMMANDS, role } from "./roles.ts";
import { slowlog, SLOWLOG_SUBCOMMANDS } from "./slow_log.ts";
import type { Subcommands } from "./subcommands.ts";

const { PUBSUB_SUBCOMMANDS, ...channelCommands } = channel;

/** The functions of the commands, by name. */
export const CONNECTION_COMMANDS: Readonly<Record<string, RunOnConnection>> = {
  ...connection,
  ...channelCommands,
  client,
  command,
  config,
  latency,
  memory,
  module,
  monitor,
  role,
  slowlog,
};

/** The subcommands of the commands that have some, by name. */
export const CONNECTION_SUBCOMMANDS: Readonly<Record<string, Subcommands>> = {
  client: CLIENT_SUBCOMMANDS,
  command: COMMAND_SUBCOMMANDS,
  config: CONFIG_SUBCOMMANDS,
  latency: LATENCY_SUBCOMMANDS,
  memory: MEMORY_SUBCOMMANDS,
  module: MODULE_SUBCOMMANDS,
  pubsub: PUBSUB_SUBCOMMANDS,
  slowlog: SLOWLOG_SUBCOMMANDS,
};
