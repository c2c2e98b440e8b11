/**
 * Attacks with every command, with the largest number of arguments and with the longest arguments.
 *
 * @module
 */

import { COMMANDS, type CommandSpecification } from "../../../src/catalog/specification.ts";
import { ARGUMENTS_MAX_COUNT } from "../../../src/limits.ts";
import type { Attack, Scaled } from "./attack.ts";
import { on, sends } from "./attack.ts";
import type { Request } from "./attack_connection.ts";
import { filled, MB, names, wide } from "./requests.ts";

/** The commands that are left out: they end or change the connection, or hold the server by design. */
const NOT_SWEPT: ReadonlySet<string> = new Set(["multi", "exec", "discard", "reset", "quit", "debug"]);

/** Returns attacks with every command: with the largest number of arguments, and with the longest ones. */
export function everyCommand(n: Scaled): Attack[] {
  const swept = COMMANDS.filter(({ name }) => !NOT_SWEPT.has(name));
  return [
    ...swept.filter(({ arity }) => arity < 0).map((each) => {
      // One of the two counts is valid for commands that take pairs.
      const requests = () => [0, 1].map((less) => [each.name, ...names(n(ARGUMENTS_MAX_COUNT - 1 - less))]);
      return on("server", `wide-${each.name}`, "1 M arguments, and one less", sends(requests, { resp3: true }));
    }),
    ...swept.filter(({ arity }) => Math.abs(arity) > 1).map((each) => {
      const requests = () => [lengthy(each, n, 0), lengthy(each, n, 1)];
      return on("server", `long-${each.name}`, "arguments of up to 60 MB", sends(requests, { resp3: true }));
    }),
  ];
}

/**
 * Returns a request with the fewest arguments that a command takes. All but the first few are as long as a request
 * permits.
 */
function lengthy({ name, arity }: CommandSpecification, n: Scaled, shortOnes: number): Request {
  const count = Math.abs(arity) - 1;
  const short = Math.min(shortOnes, count);
  const bytes = Math.min(60, Math.floor(120 / Math.max(count - short, 1)));
  return [name, ...names(short), ...wide(count - short, filled(n(bytes * MB)))];
}
