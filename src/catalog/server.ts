/**
 * Commands on the server.
 *
 * @module
 */

import type { Rows } from "./row.ts";

/** Commands on the server, by name. */
export const SERVER_ROWS: Rows = {
  info: {
    syntax: "[section …]",
    summary: "Facts about the server: server clients memory persistence stats replication keyspace.",
    since: "1.0.0",
    complexity: "O(1)",
    dangerous: true,
    textReply: true,
  },
  config: {
    syntax: "get pattern | set name value | resetstat",
    summary: "Settings, read and set.",
    since: "2.0.0",
    complexity: "O(N), N: settings",
    mayTakeLong: true,
    secret: "settings",
    admin: { subcommands: ["set", "resetstat", "rewrite"], shownCount: 2 },
  },
  swapdb: {
    syntax: "index:int index:int",
    summary: "Swaps databases, of which there is one.",
    since: "4.0.0",
    complexity: "O(1)",
    fast: true,
    dangerous: true,
  },
  time: {
    syntax: "",
    summary: "The time: seconds since 1970, and microseconds.",
    since: "2.6.0",
    complexity: "O(1)",
    fast: true,
    proxy: { anyServer: true },
  },
  command: {
    syntax: "[count:int | info [name …] | docs [name …] | list … | getkeys command … | getkeysandflags command …]",
    summary: "What commands there are.",
    since: "2.8.13",
    complexity: "O(N), N: commands",
    takesAnyText: true,
    secret: "command",
  },
  debug: {
    syntax: "sleep seconds:int",
    summary: "For tests of clients: holds the whole server, where --enable-debug-command allows it.",
    since: "1.0.0",
    complexity: "O(1)",
    arity: -2,
    admin: { shownCount: 2 },
    replyDelay: "sleep",
    proxy: { refused: "it would hold up all clients of the proxy" },
  },
  save: {
    syntax: "[path]",
    summary: "Writes a snapshot to disk, or to a file of its own, and answers when it is there.",
    since: "1.0.0",
    complexity: "O(N), N: keys of the database",
    inTransaction: "refused",
    admin: { shownCount: 1 },
    routing: "every",
    proxy: { refusedArguments: "with a path: each server would write a file of that name" },
  },
  bgsave: {
    syntax: "[SCHEDULE]",
    summary: "Begins a snapshot, which goes on beside commands.",
    since: "1.0.0",
    complexity: "O(1)",
    admin: { shownCount: 1 },
    routing: "every",
  },
  bgrewriteaof: {
    syntax: "",
    summary: "The same: a snapshot takes the place of the log behind it.",
    since: "1.0.0",
    complexity: "O(1)",
    admin: { shownCount: 0 },
    routing: "every",
  },
  lastsave: {
    syntax: "",
    summary: "When the last snapshot was taken, in seconds since 1970.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    routing: "any",
  },
};
