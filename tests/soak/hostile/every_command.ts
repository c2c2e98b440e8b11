/**
 * Attacks by every command there is, with as many and as long arguments as there may be.
 *
 * @module
 */

import { COMMANDS, type CommandSpecification } from "../../../src/catalog/specification.ts";
import { ARGUMENTS_MAX_COUNT } from "../../../src/limits.ts";
import type { Attack, Scaled } from "./attack.ts";
import { on, sends } from "./attack.ts";
import type { Request } from "./attack_connection.ts";
import { filled, MB, names, wide } from "./requests.ts";

/** Commands that are left out: they end or change the connection, or hold the server by design. */
const NOT_SWEPT: ReadonlySet<string> = new Set(["multi", "exec", "discard", "reset", "quit", "debug"]);

/** Every command: as many arguments as there may be, and as long ones as there may be. */
export function everyCommand(n: Scaled): Attack[] {
  const swept = COMMANDS.filter(({ name }) => !NOT_SWEPT.has(name));
  return [
    ...swept.filter(({ arity }) => arity < 0).map((each) => {
      // One of the two counts fits commands that take pairs.
      const requests = () => [0, 1].map((less) => [each.name, ...names(n(ARGUMENTS_MAX_COUNT - 1 - less))]);
      return on("server", `wide-${each.name}`, "1 M arguments, and one less", sends(requests, { resp3: true }));
    }),
    ...swept.filter(({ arity }) => Math.abs(arity) > 1).map((each) => {
      const requests = () => [lengthy(each, n, 0), lengthy(each, n, 1)];
      return on("server", `long-${each.name}`, "arguments of up to 60 MB", sends(requests, { resp3: true }));
    }),
  ];
}

/** The fewest arguments that a command takes, all but the first few of them as long as a request may be. */
function lengthy({ name, arity }: CommandSpecification, n: Scaled, shortOnes: number): Request {
  const count = Math.abs(arity) - 1;
  const short = Math.min(shortOnes, count);
  const bytes = Math.min(60, Math.floor(120 / Math.max(count - short, 1)));
  return [name, ...names(short), ...wide(count - short, filled(n(bytes * MB)))];
}
