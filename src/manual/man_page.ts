/**
 * `inmem man [ROLE]`: prints a page of the manual as troff, with the macros of man(7). The pages are made from the
 * tables of options and from the catalog of commands.
 *
 * ```text
 * inmem(1)           the roles, the sources of options, the exit status
 * inmem-ROLE(1)      the options of a role and its subcommands, by groups; examples; the commands of the client
 * ```
 *
 * @module
 */

import { COMMANDS } from "../catalog/specification.ts";
import { withoutTypes } from "../catalog/command_syntax.ts";
import { UsageError } from "../errors.ts";
import {
  describeOption,
  helpText,
  optionGroups,
  type OptionTable,
  parseOptions,
  valueNameOf,
  wrap,
} from "../role/options.ts";
import { VERSION } from "../role/version.ts";
import { type Call, callsOf, type ProgramRole } from "./calls.ts";
import { manOptions } from "./options.ts";

/**
 * Prints the page that the arguments name.
 *
 * @throws {UsageError} when there is no such role
 */
export function manMain(argv: readonly string[], roles: readonly ProgramRole[]): void {
  const { values, positional } = parseOptions(manOptions, argv);
  if (values.help) return console.log(helpText(manOptions).trimEnd());
  const [name, more] = positional;
  if (more !== undefined) throw new UsageError(`Cannot print "${positional.join(" ")}": expected one role`);
  if (name === undefined) return console.log(programPage(roles).trimEnd());
  const role = roles.find((each) => each.name === name.replace(/^inmem-/, ""));
  if (role === undefined) {
    throw new UsageError(`Cannot print the page of "${name}": expected ${roles.map((each) => each.name).join(", ")}`);
  }
  console.log(rolePage(role, roles).trimEnd());
}

/** Returns the page inmem(1). */
export function programPage(roles: readonly ProgramRole[]): string {
  return [
    title("INMEM"),
    section("NAME"),
    "inmem \\- an in\\-memory database: server, proxy and client",
    section("SYNOPSIS"),
    ".B inmem",
    ".I ROLE",
    "[\\fIOPTIONS\\fR]",
    section("DESCRIPTION"),
    text(
      "inmem holds strings, lists, hashes and sets in memory, and serves them over TLS to the clients of Redis and to " +
        "its own. All roles are one program.",
    ),
    ...roles.flatMap(({ name, summary }) => entry(`\\fBinmem ${escape(name)}\\fR`, `It ${summary}.`)),
    section("OPTIONS"),
    text(
      "Each role has its own page. An option has one dash or two, and its value after a space or =. A size is such " +
        "as 64mb, a duration such as 500ms, 30s or 1h.",
    ),
    section("ENVIRONMENT"),
    text("Each option is an environment variable, too. The command line takes precedence."),
    ...variables(roles),
    ...entry("\\fBINMEM_PASSWORD\\fR", "The password, where no option names a file with it."),
    section("EXAMPLES"),
    ...example(
      "Start a server, and store a value from another terminal:",
      "inmem server",
      "inmem client set greeting hello",
    ),
    section("SEE ALSO"),
    seeAlso(roles.map(({ name }) => `inmem-${name}`)),
    "",
  ].join("\n");
}

/** Returns the page inmem-ROLE(1). */
export function rolePage(role: ProgramRole, roles: readonly ProgramRole[]): string {
  const calls = callsOf([role], roles.map(({ name }) => name));
  return [
    title(`INMEM-${role.name.toUpperCase()}`),
    section("NAME"),
    `inmem\\-${escape(role.name)} \\- ${escape(role.summary)}`,
    section("SYNOPSIS"),
    ...calls.flatMap(({ words, table }, index) => [
      ...index > 0 ? [".br"] : [],
      `.B ${escape(words.join(" "))}`,
      escape(table.usage.split(" ").slice(words.length).join(" ")),
    ]),
    section("DESCRIPTION"),
    ...calls.flatMap((call, index) => [...index > 0 ? [".PP"] : [], text(call.table.summary)]),
    ...calls.flatMap((call, index) => [
      section(index === 0 ? "OPTIONS" : `OPTIONS OF ${call.words.slice(1).join(" ").toUpperCase()}`),
      ...options(call),
    ]),
    ...role.name === "client" ? [section("COMMANDS"), ...commands()] : [],
    ...examples(calls),
    section("SEE ALSO"),
    seeAlso(["inmem", ...roles.filter(({ name }) => name !== role.name).map(({ name }) => `inmem-${name}`)]),
    "",
  ].join("\n");
}

function options({ table }: Call): string[] {
  const groups = optionGroups(table);
  return groups.flatMap(({ heading, names }) => [
    ...groups.length > 1 ? [`.SS ${escape(heading)}`] : [],
    ...names.flatMap((name) => {
      const option = table.options[name]!;
      const value = valueNameOf(option);
      const left = `\\fB\\-\\-${escape(name)}\\fR${value === "" ? "" : ` \\fI${escape(value)}\\fR`}`;
      const described = describeOption(option);
      return entry(left, `${described[0]!.toUpperCase()}${described.slice(1)}.`);
    }),
  ]);
}

function commands(): string[] {
  const groups = Map.groupBy(COMMANDS, ({ group }) => group);
  return [...groups].flatMap(([group, members]) => [
    `.SS ${escape(`${group[0]!.toUpperCase()}${group.slice(1)} commands`)}`,
    ...members.flatMap(({ name, aliases, syntax, summary }) => {
      const also = aliases.length === 0 ? "" : ` Also called ${aliases.join(", ")}.`;
      return entry(`\\fB${escape(name)}\\fR ${escape(withoutTypes(syntax))}`.trimEnd(), summary + also);
    }),
  ]);
}

function examples(calls: readonly Call[]): string[] {
  const all = calls.flatMap(({ table }) => table.examples ?? []);
  if (all.length === 0) return [];
  return [
    section("EXAMPLES"),
    ...all.flatMap(({ text, command }, index) => [...index > 0 ? [".PP"] : [], ...example(`${text}:`, command)]),
  ];
}

function variables(roles: readonly ProgramRole[]): string[] {
  const tables = roles.flatMap(({ tables }) => tables).filter(({ variablePrefix }) => variablePrefix !== undefined);
  return [...Map.groupBy(tables, ({ variablePrefix }) => variablePrefix!)].flatMap(([prefix, tables]) => {
    return entry(`\\fB${escape(prefix)}\\fR...`, `Options of ${tables.map(callName).join(", ")}.`);
  });
}

function callName({ usage }: OptionTable): string {
  return usage.replace(/ [^a-z].*/, "");
}

function title(name: string): string {
  const date = new Date().toISOString().slice(0, 10);
  return `.TH ${escape(name)} 1 ${date} "inmem ${VERSION}" "inmem manual"`;
}

function section(name: string): string {
  return `.SH ${escape(name)}`;
}

function entry(left: string, right: string): string[] {
  return [".TP", left, text(right)];
}

function example(text: string, ...lines: string[]): string[] {
  return [escapeLine(text), ".PP", ".nf", ".RS", ...lines.map(escapeLine), ".RE", ".fi"];
}

function seeAlso(pages: readonly string[]): string {
  return pages.map((page, index) => `.BR ${escape(page)} (1)${index < pages.length - 1 ? "," : ""}`).join("\n");
}

/** The longest line of a page before it is escaped. Its source then rarely exceeds the 80 columns of mandoc's rule. */
const LINE_COLUMNS = 70;

/** Returns prose with each sentence on a new line, as troff expects it, and in lines of a bounded length. */
function text(prose: string): string {
  return prose.replaceAll("`", "").split(/(?<=[.:]) (?=[A-Z])/).flatMap((sentence) => wrap(sentence, LINE_COLUMNS))
    .map(escapeLine).join("\n");
}

/** Escapes a line, which may begin with what troff takes for a request. */
function escapeLine(line: string): string {
  return escape(line).replace(/^(?=[.'])/, "\\&");
}

function escape(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll("…", "...").replaceAll('"', "\\(dq")
    .replaceAll("'", "\\(aq").replaceAll("^", "\\(ha").replaceAll("~", "\\(ti");
}
