/**
 * `inmem completion bash|zsh|fish`: prints a script with which a shell completes the roles, their options and values,
 * and the commands of the client. The script is made from the tables of options and from the catalog of commands.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { helpText, parseOptions } from "../role/options.ts";
import { callsOf, type ProgramRole, withBeginnings } from "./calls.ts";
import { bashCompletion } from "./completion_bash.ts";
import { fishCompletion } from "./completion_fish.ts";
import { zshCompletion } from "./completion_zsh.ts";
import { completionOptions } from "./options.ts";

/** The shells that have a script. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/**
 * Prints the script for the shell that the arguments name.
 *
 * @throws {UsageError} when they name none
 */
export function completionMain(argv: readonly string[], roles: readonly ProgramRole[]): void {
  const { values, positional } = parseOptions(completionOptions, argv);
  if (values.help) return console.log(helpText(completionOptions).trimEnd());
  const [shell, more] = positional;
  if (shell === undefined || more !== undefined || !(SHELLS as readonly string[]).includes(shell)) {
    const given = positional.length === 0 ? "nothing" : `"${positional.join(" ")}"`;
    throw new UsageError(`Cannot print a completion script for ${given}: expected ${SHELLS.join(", ")}`);
  }
  console.log(completionScript(shell as typeof SHELLS[number], roles).trimEnd());
}

/** Returns the completion script for a shell. */
export function completionScript(shell: typeof SHELLS[number], roles: readonly ProgramRole[]): string {
  const help = { usage: "inmem help [ROLE]", summary: "", options: {} };
  const names = roles.map(({ name }) => name);
  const calls = withBeginnings(
    callsOf([...roles, { name: "help", summary: "explains a role", tables: [help] }], names),
  );
  if (shell === "bash") return bashCompletion(calls, names);
  return shell === "zsh" ? zshCompletion(calls, roles) : fishCompletion(calls, roles);
}
