/**
 * What `help` says: all of it from the command table, so that it cannot be out of date.
 *
 * @module
 */

import { COMMANDS } from "../command/specification.ts";
import type { CommandSpecification, Group } from "../command/specification.ts";

/** A command that the shell runs by itself. */
export interface LocalCommand {
  readonly name: string;
  readonly syntax: string;
  readonly summary: string;
}

/** The shell's own commands. */
export const LOCAL_COMMANDS: readonly LocalCommand[] = [
  {
    name: "cluster",
    syntax: "[--json]",
    summary: "Shows the servers behind a proxy: state, share, keys, memory, latency.",
  },
  { name: "help", syntax: "[command | @group]", summary: "Explains a command, or lists a group's." },
  { name: "clear", syntax: "", summary: "Clears the screen." },
  { name: "exit", syntax: "", summary: "Ends the client; so do quit and Ctrl-D." },
  { name: "quit", syntax: "", summary: "Ends the client." },
];

/** The groups of the table, in its order. */
export const GROUPS: readonly Group[] = [...new Set(COMMANDS.map((command) => command.group))];

const GROUP_TITLES: Readonly<Record<Group, string>> = {
  string: "Strings",
  list: "Lists",
  hash: "Hashes",
  key: "Keys",
  transaction: "Transaction",
  channel: "Channels",
  connection: "Connection",
  server: "Server",
};

/** The command of that name or alias, whatever its case. */
export function findCommand(name: string): CommandSpecification | undefined {
  const lower = name.toLowerCase();
  return COMMANDS.find((command) => command.name === lower || command.aliases.includes(lower));
}

/**
 * The text for `help topic`, its last newline included.
 *
 * @param topic a command's name, `@` and a group's name, or nothing
 * @returns `undefined` when there is no such topic
 */
export function helpText(topic = ""): string | undefined {
  const lower = topic.toLowerCase();
  if (lower === "") return overview();
  if (lower.startsWith("@")) {
    const group = GROUPS.find((each) => each === lower.slice(1));
    return group === undefined ? undefined : table(COMMANDS.filter((command) => command.group === group));
  }
  const local = LOCAL_COMMANDS.find((command) => command.name === lower);
  if (local !== undefined) return `${usage(local)}\n  ${local.summary}\n`;
  const command = findCommand(lower);
  if (command === undefined) return undefined;
  const lines = [usage(command), `  ${command.summary}`, `  group: @${command.group}`];
  if (command.aliases.length > 0) lines.push(`  also called: ${command.aliases.join(", ")}`);
  return lines.join("\n") + "\n";
}

/** A command as it is typed: its name and its arguments. */
export function usage(command: { name: string; syntax: string }): string {
  return command.syntax === "" ? command.name : `${command.name} ${command.syntax}`;
}

function overview(): string {
  const lines: string[] = [];
  for (const group of GROUPS) {
    const names = COMMANDS.filter((command) => command.group === group).map((command) => command.name);
    lines.push(`${GROUP_TITLES[group].padEnd(13)}${names.join(" ")}`);
  }
  lines.push(
    `${"Here".padEnd(13)}${LOCAL_COMMANDS.map((command) => command.name).join(" ")}`,
    "",
    `help COMMAND explains one; help @GROUP lists ${GROUPS.map((group) => `@${group}`).join(" ")}.`,
    String.raw`Arguments with blanks stand in quotes: "two words", 'it\'s', "\x00\n".`,
  );
  return lines.join("\n") + "\n";
}

function table(commands: readonly CommandSpecification[]): string {
  return commands.map((command) => `${usage(command)}\n  ${command.summary}\n`).join("");
}
