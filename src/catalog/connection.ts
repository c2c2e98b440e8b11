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
    summary: "PONG, or the text.",
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
    summary: "The text.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    mayTakeLong: true,
    takesAnyText: true,
    proxy: { anyServer: true },
  },
  auth: {
    syntax: "[user] password",
    summary: "Authenticates this connection; the only user is `default`.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    open: true,
    secret: "arguments",
  },
  hello: {
    syntax: "[2|3 [AUTH user password] [SETNAME name]]",
    summary: "Chooses the version of RESP, and answers what this server is.",
    since: "6.0.0",
    complexity: "O(1)",
    fast: true,
    open: true,
    changesProtocol: true,
    secret: "words",
  },
  client: {
    syntax:
      "id | getname | setname name | setinfo option value | list … | info | kill … | unblock id | no-evict … | no-touch …",
    summary: "What the server knows of its connections; `client help` tells more.",
    since: "2.4.0",
    complexity: "O(N) for `list` and `kill`, N: connections; O(1) for the others",
    mayTakeLong: true,
    admin: { subcommands: ["kill", "unblock"], shownCount: 16 },
    textReply: ["info", "list"],
    proxy: { refusedSubcommands: { "no-touch": "servers do not know which of the proxy's connections is whose" } },
  },
  select: {
    syntax: "index:int",
    summary: "Chooses database 0, the only one; any other index ends the connection.",
    since: "1.0.0",
    complexity: "O(1)",
    fast: true,
    selectsDatabase: true,
    proxy: { anyServer: true },
  },
  reset: {
    syntax: "",
    summary: "Makes the connection what it was at first.",
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
