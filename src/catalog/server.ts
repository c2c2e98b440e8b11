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
    summary:
      "Returns facts about the server, in sections: server clients memory persistence stats replication cpu modules " +
      "commandstats errorstats latencystats cluster keyspace.",
    since: "1.0.0",
    complexity: "O(1)",
    mayTakeLong: true,
    dangerous: true,
    textReply: true,
  },
  config: {
    syntax: "get pattern | set name value | resetstat",
    summary: "Shows and changes settings.",
    since: "2.0.0",
    complexity: "O(N), N: settings",
    mayTakeLong: true,
    secret: "settings",
    admin: { subcommands: ["set", "resetstat", "rewrite"], shownCount: 2 },
  },
  role: {
    syntax: "",
    summary: "Returns the role of the server, which is always master: there are no replicas.",
    since: "2.8.12",
    complexity: "O(1)",
    fast: true,
    dangerous: true,
  },
  module: {
    syntax: "list | load path [argument …] | unload name",
    summary: "Returns the modules, of which there are none, and refuses to load one.",
    since: "4.0.0",
    complexity: "O(1)",
    dangerous: true,
  },
  swapdb: {
    syntax: "index:int index:int",
    summary: "Swaps databases, of which there is only one.",
    since: "4.0.0",
    complexity: "O(1)",
    fast: true,
    dangerous: true,
  },
  hotkeys: {
    syntax: "[count:int]",
    summary: "Returns the keys that are used most at present, with their requests a second, from a sample.",
    complexity: "O(N log N), N: the 128 keys that are kept",
    routing: "top",
    columns: ["key", "requests_per_second"],
  },
  bigkeys: {
    syntax: "[count:int [BYTES | ELEMENTS]]",
    summary: "Returns the keys with the largest values, without a scan: key, bytes, elements and type.",
    complexity: "O(N log N), N: the 64 keys that are kept",
    routing: "top",
    columns: ["key", "bytes", "elements", "type"],
  },
  time: {
    syntax: "",
    summary: "Returns the time: seconds since 1970, and microseconds.",
    since: "2.6.0",
    complexity: "O(1)",
    fast: true,
    proxy: { anyServer: true },
  },
  command: {
    syntax: "[count:int | info [name …] | docs [name …] | list … | getkeys command … | getkeysandflags command …]",
    summary: "Returns facts about commands.",
    since: "2.8.13",
    complexity: "O(N), N: commands",
    takesAnyText: true,
    secret: "command",
  },
  debug: {
    syntax: "sleep seconds:int",
    summary: "Blocks the whole server, for tests of clients. Needs --enable-debug-command.",
    since: "1.0.0",
    complexity: "O(1)",
    arity: -2,
    admin: { shownCount: 2 },
    replyDelay: "sleep",
    proxy: { refused: "it would hold up all clients of the proxy" },
  },
  save: {
    syntax: "[path]",
    summary: "Writes a snapshot to the data folder, or to a separate file. Returns when it is on disk.",
    since: "1.0.0",
    complexity: "O(N), N: keys of the database",
    inTransaction: "refused",
    admin: { shownCount: 1 },
    routing: "every",
    proxy: { refusedArguments: "with a path: each server would write a file of that name" },
  },
  bgsave: {
    syntax: "[SCHEDULE]",
    summary: "Begins a snapshot. Commands continue meanwhile.",
    since: "1.0.0",
    complexity: "O(1)",
    admin: { shownCount: 1 },
    routing: "every",
  },
  bgrewriteaof: {
    syntax: "",
    summary: "Begins a snapshot, which replaces the older part of the log.",
    since: "1.0.0",
    complexity: "O(1)",
    admin: { shownCount: 0 },
    routing: "every",
  },
  lastsave: {
    syntax: "",
    summary: "Returns the time of the last snapshot, in seconds since 1970.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    routing: "any",
  },
};
