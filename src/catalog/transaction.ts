/**
 * Commands on transactions.
 *
 * @module
 */

import { WATCHED_KEYS_MAX_COUNT } from "../limits.ts";
import type { Rows } from "./row.ts";

/** Commands on transactions, by name. */
export const TRANSACTION_ROWS: Rows = {
  multi: {
    syntax: "",
    summary: "Begins a transaction: commands are queued until `exec`.",
    since: "1.2.0",
    complexity: "O(1)",
    fast: true,
    inTransaction: "atOnce",
    transactionStep: "begin",
  },
  exec: {
    syntax: "",
    summary: "Runs the queued commands, with no other command in between. Returns nil if a watched key has changed.",
    since: "1.2.0",
    complexity: "that of the commands which were queued",
    inTransaction: "atOnce",
    transactionStep: "run",
  },
  discard: {
    syntax: "",
    summary: "Drops the queued commands.",
    since: "2.0.0",
    complexity: "O(N), N: commands queued",
    fast: true,
    inTransaction: "atOnce",
    transactionStep: "discard",
  },
  watch: {
    syntax: "key [key …]",
    summary: "Makes the next `exec` run nothing if one of these keys changes before it.",
    since: "2.2.0",
    complexity: "O(N), N: keys",
    keys: "RO",
    fast: true,
    argumentsMaxCount: WATCHED_KEYS_MAX_COUNT + 1,
    inTransaction: "atOnce",
    transactionStep: "watch",
  },
  unwatch: {
    syntax: "",
    summary: "Ends the watches of all keys.",
    since: "2.2.0",
    complexity: "O(N), N: keys watched",
    fast: true,
    transactionStep: "unwatch",
    proxy: { anyServer: true },
  },
};
