/**
 * All commands as typed methods, over anything that sends a request.
 *
 * Data is returned as `Data`: bytes in {@linkcode Client}, text in its view `client.text`. There is one method for each
 * command of the catalog, with the command's own name, except for the commands that make no sense on a shared
 * connection. A test verifies that.
 *
 * Each group of the catalog has a separate class, which knows only {@linkcode Sender}. {@linkcode Commands} has the
 * methods of all of them: its type is an interface that extends every group, and its prototype gets their methods once,
 * when this module is loaded.
 *
 * ```text
 *            ┌── StringCommands ──┐
 * Sender ────┼── ListCommands  ───┼──► Commands ──┬── Client         Data is bytes
 *            └── …             ───┘               └── client.text    Data is text
 * ```
 *
 * @module
 */

import { assert } from "../errors.ts";
import { ChannelCommands } from "./channel_commands.ts";
import { ConnectionCommands } from "./connection_commands.ts";
import { DiagnosisCommands } from "./diagnosis_commands.ts";
import { HashCommands } from "./hash_commands.ts";
import { KeyCommands } from "./key_commands.ts";
import { ListCommands } from "./list_commands.ts";
import { Sender } from "./sender.ts";
import { ServerCommands } from "./server_commands.ts";
import { SetCommands } from "./set_commands.ts";
import { StringCommands } from "./string_commands.ts";

/** The methods of all groups. */
export interface Commands<Data>
  extends
    StringCommands<Data>,
    ListCommands<Data>,
    HashCommands<Data>,
    SetCommands<Data>,
    KeyCommands<Data>,
    ChannelCommands<Data>,
    ConnectionCommands<Data>,
    ServerCommands<Data>,
    DiagnosisCommands<Data> {}

/**
 * Every command of inmem as a method. `Data` is the type of bytes in replies.
 *
 * All methods reject with `ReplyError` when the server refuses the command, with `ConnectionError` when there is no
 * connection or it is lost, and with `RangeError` when an integer of the reply exceeds 2^53.
 *
 * The commands that need an exclusive connection have no method: transactions (`multi`, `exec`, `watch`), `subscribe`
 * and similar ones, `reset`, `quit`. Any Redis client has them, on the same port.
 */
export abstract class Commands<Data> extends Sender<Data> {}

for (
  const group of [
    StringCommands,
    ListCommands,
    HashCommands,
    SetCommands,
    KeyCommands,
    ChannelCommands,
    ConnectionCommands,
    ServerCommands,
    DiagnosisCommands,
  ]
) {
  const { constructor: _, ...methods } = Object.getOwnPropertyDescriptors(group.prototype);
  for (const name of Object.keys(methods)) assert(!(name in Commands.prototype), `two groups have a method "${name}"`);
  Object.defineProperties(Commands.prototype, methods);
}
