/**
 * Commands on the connection itself.
 *
 * @module
 */

import type { Rows } from "./row.ts";

/** Commands on the connection itself, by name. */
export const CONNECTION_ROWS: Rows = {
  ping: {
    syntax: "[text]",
    summary: "Returns PONG, or the text.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    mayTakeLong: true,
    takesAnyText: true,
    open: "native",
    listens: true,
    proxy: { anyServer: true },
  },
  echo: {
    syntax: "text",
    summary: "Returns the text.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    mayTakeLong: true,
    takesAnyText: true,
    proxy: { anyServer: true },
  },
  auth: {
    syntax: "[user] password",
    summary: "Authenticates this connection. The only user is `default`.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    open: true,
    secret: "arguments",
  },
  hello: {
    syntax: "[2|3 [AUTH user password] [SETNAME name]]",
    summary: "Chooses the version of RESP. Returns facts about the server.",
    since: "6.0.0",
    complexity: "O(1)",
    fast: true,
    open: true,
    changesProtocol: true,
    secret: "words",
  },
  client: {
    syntax:
      "id | getname | setname name | setinfo option value | list … | info | kill … | unblock id | pause ms … | unpause | reply … | no-evict … | no-touch …",
    summary: "Shows and changes connections. `client help` lists the subcommands.",
    since: "2.4.0",
    complexity: "O(N) for `list` and `kill`, N: connections; O(1) for the others",
    mayTakeLong: true,
    admin: { subcommands: ["kill", "unblock", "pause", "unpause"], shownCount: 16 },
    textReply: ["info", "list"],
    proxy: { refusedSubcommands: { "no-touch": "servers do not know which of the proxy's connections is whose" } },
  },
  select: {
    syntax: "index:int",
    summary: "Chooses database 0, which is the only one. Any other index ends the connection.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    selectsDatabase: true,
    proxy: { anyServer: true },
  },
  reset: {
    syntax: "",
    summary: "Restores the initial state of the connection.",
    since: "6.2.0",
    complexity: "O(1)",
    fast: true,
    open: true,
    listens: true,
    inTransaction: "atOnce",
    changesProtocol: true,
  },
  quit: {
    syntax: "",
    summary: "Ends the connection.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    arity: -1,
    open: true,
    listens: true,
    inTransaction: "atOnce",
  },
};
