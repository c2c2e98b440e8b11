/**
 * The texts of `help`, made from the command table, so that they are always up to date.
 *
 * @module
 */

import type { SyntaxArgument } from "../catalog/command_syntax.ts";
import { EXAMPLES } from "../catalog/examples.ts";
import { meaningOf } from "../catalog/option_words.ts";
import type { Group } from "../catalog/row.ts";
import { COMMANDS } from "../catalog/specification.ts";
import type { CommandSpecification } from "../catalog/specification.ts";

/** A command that the shell runs itself. */
export interface LocalCommand {
  readonly name: string;
  readonly syntax: string;
  readonly summary: string;
}

/** The commands that the shell runs itself. */
export const LOCAL_COMMANDS: readonly LocalCommand[] = [
  {
    name: "cluster",
    syntax: "[--watch [seconds]] [--json]",
    summary: "Shows the servers behind a proxy: state, share, keys, memory, latency. With --watch until Ctrl-C.",
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
  set: "Sets",
  key: "Keys",
  transaction: "Transaction",
  channel: "Channels",
  connection: "Connection",
  server: "Server",
};

/** Returns the command with a name or alias in any case. */
export function findCommand(name: string): CommandSpecification | undefined {
  const lower = name.toLowerCase();
  return COMMANDS.find((command) => command.name === lower || command.aliases.includes(lower));
}

/** The topic of `help` about the prompt. */
export const PROMPT_TOPIC = "@prompt";

/** The help about the prompt, one paragraph per entry. */
const PROMPT_HELP: readonly (readonly [keys: string, meaning: string])[] = [
  [
    "Enter",
    "Runs the line. Ctrl-C drops it, or the running command and its output; Ctrl-D on an empty line ends.",
  ],
  ["Up, Down", "Older lines that begin as this one does before the cursor, and back. The typed text is kept."],
  [
    "Ctrl-R",
    "Searches the history for the text typed next: Ctrl-R older, Ctrl-S newer, Enter runs, Escape edits, Ctrl-G goes back.",
  ],
  [
    "Tab",
    "Completes the names of commands, their words and options, and names that the server has: keys, channels, settings. " +
    "Grey text after the cursor shows the arguments to come.",
  ],
  [
    "Lines",
    "A quote may span lines. A number before a command repeats it: 5 ping. A line that begins with # is a comment. " +
    "? is help. (tx) means that commands wait for exec.",
  ],
  ["Replies", "A reply longer than the screen is shown in pages: Space, Enter, a for all, q to stop."],
  ["Move", "Left, Right, Home, End, Ctrl-A, Ctrl-E; by words with Ctrl or Alt and an arrow, Alt-B, Alt-F."],
  [
    "Delete",
    "To the left Ctrl-U, to the right Ctrl-K, a word Ctrl-W or Alt-D; Ctrl-Y inserts it again, Ctrl-_ undoes.",
  ],
  ["Screen", "Ctrl-L clears it; Ctrl-Z stops the client until fg."],
  [
    "Paste",
    "Pasted lines are shown and can be edited; Enter runs them one after another. A terminal without bracketed paste runs " +
    "each immediately.",
  ],
  [
    "History",
    "Lines with a password (auth, hello ... AUTH, config set requirepass) or a blank at the beginning are not stored.",
  ],
];

/** The smallest width; text is not fitted to narrower terminals. */
const COLUMNS_MIN = 20;
/** The largest width, since wider text is hard to read. */
const COLUMNS_MAX = 120;
/**
 * The column of lists beside their titles. On a terminal of fewer than three times as many columns, titles are above.
 */
const TITLE_COLUMNS = 13;
/** The column of meanings beside words in capitals and their values, such as `EXAT unix-seconds`. */
const WORD_COLUMNS = 20;
const INDENT = "  ";

/**
 * Returns the text for `help topic`, including its last newline. Lines break at blanks.
 *
 * @param topic a command's name, `@` and a group's name, `@prompt`, or nothing
 * @param columns the columns of the terminal
 * @returns `undefined` when there is no such topic
 */
export function helpText(topic = "", columns = 80): string | undefined {
  const width = Math.max(COLUMNS_MIN, Math.min(columns, COLUMNS_MAX));
  const lines = helpLines(topic.toLowerCase(), width);
  return lines === undefined ? undefined : lines.join("\n") + "\n";
}

function helpLines(topic: string, width: number): string[] | undefined {
  if (topic === "") return overview(width);
  if (topic === PROMPT_TOPIC) return PROMPT_HELP.flatMap(([keys, meaning]) => titled(keys, meaning.split(" "), width));
  if (topic.startsWith("@")) {
    const group = GROUPS.find((each) => each === topic.slice(1));
    if (group === undefined) return undefined;
    return COMMANDS.filter((command) => command.group === group).flatMap((command) => explained(command, width));
  }
  const local = LOCAL_COMMANDS.find((command) => command.name === topic);
  if (local !== undefined) return explained(local, width);
  const command = findCommand(topic);
  if (command === undefined) return undefined;
  return [
    ...explained(command, width),
    ...optionLines(command, width),
    ...paragraph(`group: @${command.group}; time: ${command.complexity}`, width, INDENT),
    ...exampleLines(command, width),
  ];
}

/** Returns the words in capitals of a command, each with its values and its meaning. */
function optionLines({ name, arguments: args }: CommandSpecification, width: number): string[] {
  const words = new Map(args.flatMap(wordsIn).map((part) => [part.token!, part]));
  return [...words.values()].flatMap((part) => {
    const meaning = meaningOf(name, part.token!);
    return meaning === undefined ? [] : titled(withValues(part), meaning.split(" "), width, INDENT, WORD_COLUMNS);
  });
}

/** Returns the parts of an argument that begin with a word in capitals. */
function wordsIn(part: SyntaxArgument): readonly SyntaxArgument[] {
  const inner = part.parts?.flatMap(wordsIn) ?? [];
  return part.token !== undefined && /^[A-Z]/.test(part.token) ? [part, ...inner] : inner;
}

/** Returns a word with the placeholders after it: `EX seconds`. */
function withValues({ token, type, name, parts }: SyntaxArgument): string {
  if (type === "pure-token") return token!;
  return `${token} ${(parts ?? [{ name }]).map((part) => part.name).join(" ")}`;
}

/** Returns the example of a command. */
function exampleLines({ name }: CommandSpecification, width: number): string[] {
  const lines = EXAMPLES[name] ?? [];
  const indent = INDENT.repeat(2);
  return [`${INDENT}example:`, ...lines.flatMap((line) => wrap(line.split(" "), width, indent, indent + INDENT))];
}

/** Returns a command as it is typed: its name and its arguments. */
export function usage(command: { name: string; syntax: string }): string {
  return command.syntax === "" ? command.name : `${command.name} ${command.syntax}`;
}

function overview(width: number): string[] {
  const lines = GROUPS.flatMap((group) => {
    const commands = COMMANDS.filter((command) => command.group === group);
    return titled(GROUP_TITLES[group], commands.map(withAliases), width);
  });
  return [
    ...lines,
    ...titled("Here", LOCAL_COMMANDS.map((command) => command.name), width),
    "",
    ...paragraph("help COMMAND explains one, by any of its names; help @GROUP lists those of a group:", width),
    ...paragraph(GROUPS.map((group) => `@${group}`).join(" ") + ".", width, INDENT),
    ...paragraph("help @prompt explains keys, pasting and the history.", width),
    ...paragraph(String.raw`Arguments with blanks are quoted: "two words", 'it\'s', "\x00\n".`, width),
  ];
}

/** Returns a command with its aliases: `remove (del, unlink)`. */
function withAliases({ name, aliases }: CommandSpecification): string {
  return aliases.length === 0 ? name : `${name} (${aliases.join(", ")})`;
}

function explained(command: LocalCommand | CommandSpecification, width: number): string[] {
  const lines = [
    ...wrap(usage(command).split(" "), width, "", INDENT.repeat(2)),
    ...paragraph(command.summary, width, INDENT),
  ];
  if ("aliases" in command && command.aliases.length > 0) {
    lines.push(...paragraph(`also called: ${command.aliases.join(", ")}`, width, INDENT));
  }
  return lines;
}

function paragraph(text: string, width: number, indent = ""): string[] {
  return wrap(text.split(" "), width, indent, indent);
}

/** Returns a list with its title beside it, or above it where there is little room. */
function titled(
  title: string,
  items: readonly string[],
  width: number,
  indent = "",
  titleColumns = TITLE_COLUMNS,
): string[] {
  if (width < titleColumns * 3) {
    const inner = indent + INDENT;
    return [...wrap(title.split(" "), width, indent, indent), ...wrap(items, width, inner, inner)];
  }
  return wrap(items, width, indent + title.padEnd(titleColumns), indent + " ".repeat(titleColumns));
}

/**
 * Sets items one after another, separated by blanks, on lines that are shorter than `width`: a full row would make some
 * terminals add an empty one. An item breaks at its own blanks only if it is too long for a line, and a word never
 * breaks.
 */
export function wrap(items: readonly string[], width: number, first: string, following: string): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const item of items) {
    const fits = following.length + item.length < width;
    for (const part of fits ? [item] : item.split(" ")) {
      if (!isEmpty && line.length + 1 + part.length >= width) {
        lines.push(line.trimEnd());
        line = following;
        isEmpty = true;
      }
      line += isEmpty ? part : ` ${part}`;
      isEmpty = false;
    }
  }
  return [...lines, line.trimEnd()];
}
