/**
 * The calls of the program, as completion and the manual need them: the roles with their options, and the commands of
 * the client.
 *
 * @module
 */

import { parseSyntax } from "../catalog/command_syntax.ts";
import { COMMANDS, type CommandSpecification } from "../catalog/specification.ts";
import type { Option, OptionTable } from "../role/options.ts";

/** One role of the program, with the options of the role and of its subcommands. */
export interface ProgramRole {
  readonly name: string;
  readonly summary: string;
  readonly tables: readonly OptionTable[];
}

/** The kinds of words that a place of a call may have, as far as a shell can complete them. */
export type Place = "file" | "folder" | "command" | "none";

/** One call, such as `inmem proxy plan`. */
export interface Call {
  /** The words that make the call, `inmem` first. */
  readonly words: readonly string[];
  readonly table: OptionTable;
  /** The kind of the arguments after the options. */
  readonly arguments: Place;
  /** The words that the first argument may be; none if there are no fixed ones. */
  readonly choices: readonly string[];
}

/**
 * Returns the calls of roles. The usage of each table begins with the words of its call.
 *
 * @param names the names of all roles, which a call may have as an argument
 */
export function callsOf(roles: readonly ProgramRole[], names = roles.map(({ name }) => name)): Call[] {
  const calls = roles.flatMap(({ tables }) => tables).map((table) => {
    const words = table.usage.split(" ");
    const end = words.findIndex((word) => !/^[a-z-]+$/.test(word));
    const rest = words.slice(end).join(" ").replace(/--[a-z-]+ [A-Z]+/g, "");
    const choices = /(?<!\S)[a-z]+(?:\|[a-z]+)+(?!\S)/.exec(rest)?.[0].split("|") ?? [];
    return {
      words: words.slice(0, end),
      table,
      arguments: placeOf(rest),
      choices: /\bROLE\b/.test(rest) ? names : choices,
    };
  });
  // The first argument may also be the next word of a longer call.
  return calls.map((call) => {
    const longer = calls.filter(({ words }) => words.length > call.words.length && beginsWith(words, call.words));
    return { ...call, choices: [...call.choices, ...longer.map(({ words }) => words[call.words.length]!)] };
  });
}

function beginsWith(words: readonly string[], beginning: readonly string[]): boolean {
  return beginning.every((word, index) => word === words[index]);
}

/** Adds the calls that are only the beginning of others, such as `inmem client context`. */
export function withBeginnings(calls: readonly Call[]): Call[] {
  const all = [...calls];
  const has = (words: readonly string[]) => all.some((call) => call.words.join(" ") === words.join(" "));
  for (const { words } of calls) {
    for (let count = 2; count < words.length; count++) {
      const beginning = words.slice(0, count);
      if (has(beginning)) continue;
      const table = { usage: beginning.join(" "), summary: "", options: {} };
      all.push({ words: beginning, table, arguments: "none", choices: [words[count]!] });
    }
  }
  return all;
}

function placeOf(usage: string): Place {
  if (/\bCOMMAND\b/.test(usage)) return "command";
  if (/\bFILE\b/.test(usage)) return "file";
  return /\bFOLDER\b/.test(usage) ? "folder" : "none";
}

/** Returns the words that the value of an option may be; none if it has no fixed words. */
export function valueWords(option: Option): readonly string[] {
  return option.choices ?? [];
}

/** Returns what the value of an option is. */
export function valuePlace({ valueName }: Option): Place {
  if (valueName === "FILE") return "file";
  return valueName === "FOLDER" ? "folder" : "none";
}

/** Returns the purpose of an option in a few words: its help up to the first part of the sentence. */
export function shortHelp({ help }: Option): string {
  return help.replace(/[;:,(].*$/s, "").replaceAll("`", "").trim();
}

/** One word that the client completes after its options. */
export interface CommandWord {
  readonly name: string;
  readonly summary: string;
  readonly subcommands: readonly string[];
}

/** Returns the commands of the client by each of their names, in order, and `help`. */
export function commandWords(): CommandWord[] {
  const words = COMMANDS.flatMap((command) => {
    const subcommands = subcommandsOf(command);
    return [command.name, ...command.aliases].map((name) => ({ name, summary: command.summary, subcommands }));
  });
  const names = words.map(({ name }) => name);
  const help = { name: "help", summary: "Explains a command.", subcommands: names.toSorted() };
  return [...words, help].toSorted((one, other) => one.name < other.name ? -1 : 1);
}

function subcommandsOf({ hasSubcommands, syntax }: CommandSpecification): string[] {
  if (!hasSubcommands) return [];
  const tokens = parseSyntax(syntax)[0]!.parts!.map(({ token }) => token?.toLowerCase());
  return [...new Set([...tokens.filter((token) => token !== undefined), "help"])].toSorted();
}
