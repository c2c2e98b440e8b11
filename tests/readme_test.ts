/**
 * Compares the pages with the project: every command, option, task, file and link that they name exists, and the
 * generated parts are up to date.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import denoJson from "../deno.json" with { type: "json" };
import { COMMANDS } from "../src/catalog/specification.ts";
import type { Option, OptionTable } from "../src/role/options.ts";
import { LOCAL_COMMANDS } from "../src/shell/help.ts";
import { shellCommands, tableRows } from "./support/markdown.ts";
import { isGenerated, OPTION_TABLES, renderPage } from "./support/pages.ts";
import { FILES, isThere, pageOf, PAGES, readFile, TEXTS } from "./support/project.ts";
import { faultsOf } from "./support/tidy/prose.ts";

/** The longest README that can be read in five minutes, in bytes. */
const README_MAX_BYTES = 10_240;

/** Programs of others, with other options. */
const FOREIGN_PROGRAMS =
  /^(redis-cli|redis-benchmark|docker|kubectl|kill|sleep|export|(sudo )?(apt-get|dpkg|systemctl|journalctl)|npx -y deno@[0-9.]+ (cache|run))\b/;

/** Matches a file or a folder of the project. A span with other characters is a pattern or a call. */
const PATH = /^(\.ci|\.github|bench|certs|cluster|src|tests)\/[\w./-]*$|^[\w/-]+(\.d)?\.(ts|md)$/;
/** The names of files that programs and readers make, and of files that must not exist. */
const ABSENT = /^cluster\/(certs|data|servers\.json)|^example\.ts$|^(utils|index)\.ts$/;

/** The roles, as tasks call them. */
const ROLES: ReadonlySet<string> = new Set(OPTION_TABLES.map(({ usage }) => usage.split(" ")[1]!));

/** Options of all roles, and of `deno task cluster` and the scripts in `bench/`, which declare them in their source. */
const OPTION_NAMES: ReadonlySet<string> = new Set([
  ...OPTION_TABLES.flatMap(({ options }) => Object.entries<Option>(options)).flatMap(([name, { aliases = [] }]) => {
    return [name, ...aliases];
  }),
  ...FILES.filter((path) => /^(bench|cluster)\/[a-z_]+\.ts$/.test(path)).flatMap((path) => {
    return [...readFile(path).matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name!);
  }),
]);

const COMMAND_NAMES: ReadonlySet<string> = new Set([
  ...COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]),
  ...LOCAL_COMMANDS.map(({ name }) => name),
]);

function optionOf({ options }: OptionTable, name: string): Option | undefined {
  if (Object.hasOwn(options, name)) return options[name];
  return Object.values(options).find(({ aliases }) => aliases?.includes(name));
}

/** Returns what is wrong with a call of a role, such as `client --addr :9443 get key`. */
function faultOfCall(call: string): string | undefined {
  const words = call.split(/\s+/);
  // Its table is not one of a role; tests/target/contexts_test.ts tries its options.
  if (/^client context\b/.test(call)) return undefined;
  const role = words.slice(0, 2).join(" ") === "proxy plan" ? "proxy plan" : words[0]!;
  const table = OPTION_TABLES.find(({ usage }) => usage.startsWith(`inmem ${role} `));
  // The options of a context are those of the client.
  if (table === undefined && role === "client context add") return undefined;
  // `ROLE` means any role.
  if (table === undefined) return /^(ROLE|help|version)$/.test(role) ? undefined : `there is no role "${role}"`;
  let index = role.split(" ").length;
  for (; index < words.length; index++) {
    const [, name, value] = /^--?([a-z][a-z-]*)(=.*)?$/.exec(words[index]!) ?? [];
    if (name === undefined && role === "client") break;
    if (name === undefined) continue;
    const option = optionOf(table, name);
    if (option === undefined) return `inmem ${role} has no option "--${name}"`;
    if (option.kind !== "flag" && value === undefined) index++;
  }
  const command = role === "client" ? words[index] ?? "" : "";
  return /^[a-z]/.test(command) && !COMMAND_NAMES.has(command) ? `there is no command "${command}"` : undefined;
}

/** Returns what is wrong with a command line of a page, or with the part of a sentence that is code. */
function faultOf(line: string): string | undefined {
  const call = line.replace(/^([A-Z_]+=("[^"]*"|\S+) )*/, "");
  if (FOREIGN_PROGRAMS.test(call)) return undefined;
  const [, task, rest] = /^(?:npx -y deno@[0-9.]+|deno) task ([a-z:-]+)(?: (.*))?$/.exec(call) ?? [];
  if (task !== undefined && !(task in denoJson.tasks)) return `there is no task "${task}"`;
  if (task !== undefined && rest !== undefined && ROLES.has(task)) return faultOfCall(`${task} ${rest}`);
  const [, role] = /^(?:\.\/)?inmem (.*)$/.exec(call) ?? [];
  if (role !== undefined) return faultOfCall(role);
  for (const [, name] of line.matchAll(/(?<![\w-])--([a-z][a-z-]*)/g)) {
    // Permissions are options of Deno itself.
    if (!OPTION_NAMES.has(name!) && !name!.startsWith("allow-")) return `there is no option "--${name}"`;
  }
  return undefined;
}

Deno.test("README can be read in five minutes", () => {
  const size = new TextEncoder().encode(readFile("README.md")).length;
  assert(size <= README_MAX_BYTES, `expected at most ${README_MAX_BYTES} bytes, found ${size}`);
});

Deno.test("generated parts of the pages are what deno task pages writes", async () => {
  const generated = [...TEXTS].filter(([, page]) => isGenerated(page));
  assertEquals(generated.map(([path]) => path), [
    ".github/PLATFORMS.md",
    "README.md",
    "cluster/METRICS.md",
    "src/catalog/README.md",
    "src/log/FORMAT.md",
    "src/role/README.md",
  ]);
  for (const [path, page] of generated) assertEquals(page, await renderPage(page), `${path}: run "deno task pages"`);
});

Deno.test("each table of options in the source belongs to a role of the program", () => {
  const texts = FILES.filter((path) => /^src\/.*\.ts$/.test(path)).map(readFile);
  const declared = texts.flatMap((text) => text.match(/as const satisfies OptionTable;/g) ?? []);
  assertEquals(new Set(OPTION_TABLES).size, declared.length);
});

Deno.test("renderPage() replaces the text between the marks, and nothing else", async () => {
  const page = "# Title\n\n<!-- begin groups: generated -->\nold\n<!-- end groups -->\n\nText.\n";
  const rendered = await renderPage(page);
  assert(rendered.startsWith("# Title\n\n<!-- begin groups: generated -->\n"), rendered);
  assert(rendered.endsWith("<!-- end groups -->\n\nText.\n"), rendered);
  assert(!rendered.includes("old"), rendered);
  for (const { name, aliases } of COMMANDS) {
    for (const each of [name, ...aliases]) assertStringIncludes(rendered, `\`${each}\``);
  }
});

Deno.test("command lines and options in the pages are those of tasks, roles and commands", () => {
  const lines = [...PAGES].flatMap(([path, { blocks, spans }]) => {
    const commands = blocks.filter(({ language }) => language === "sh").flatMap(shellCommands);
    return [...commands, ...spans].map((line) => ({ path, line }));
  });
  assert(lines.length > 500, `expected many, found ${lines.length}`);
  assertEquals(
    lines.map((each) => ({ ...each, fault: faultOf(each.line) })).filter(({ fault }) => fault !== undefined),
    [],
  );
});

Deno.test("faultOf() finds names that do not exist", () => {
  assertEquals(faultOf("deno task nothing"), 'there is no task "nothing"');
  assertEquals(faultOf("npx -y deno@2.7.11 task server --nothing"), 'inmem server has no option "--nothing"');
  assertEquals(faultOf("inmem server --data x --servers y"), 'inmem server has no option "--servers"');
  assertEquals(faultOf("inmem nothing --help"), 'there is no role "nothing"');
  assertEquals(faultOf("./inmem client --addr :9443 nothing"), 'there is no command "nothing"');
  assertEquals(faultOf("--nothing"), 'there is no option "--nothing"');
  for (
    const line of [
      "inmem client --addr=:9443 --json get x",
      "A=$PWD/b deno task ok",
      "redis-cli --tls",
      "--fsync always",
    ]
  ) {
    assertEquals(faultOf(line), undefined);
  }
});

Deno.test("links of the pages lead to files and headings that exist", () => {
  const broken: string[] = [];
  for (const [path, { links }] of PAGES) {
    for (const link of links.filter((link) => !link.startsWith("https://"))) {
      const { pathname, hash } = new URL(link, `file:///${path}`);
      const target = decodeURIComponent(pathname).slice(1);
      const exists = hash === "" ? isThere(target) : PAGES.get(target)?.anchors.has(hash.slice(1));
      if (!exists) broken.push(`${path}: ${link}`);
    }
  }
  assertEquals(broken, []);
});

Deno.test("files and folders that the pages name exist", () => {
  const missing: string[] = [];
  for (const [path, { spans }] of PAGES) {
    for (const span of spans.filter((span) => PATH.test(span) && !ABSENT.test(span))) {
      const near = new URL(span, `file:///${path}`).pathname.slice(1);
      const exists = isThere(span) || isThere(near) || isThere(`src/${span}`) ||
        FILES.some((file) => file.endsWith(`/${span}`));
      if (!exists) missing.push(`${path}: ${span}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("lines of prose in the pages fit into a window", () => {
  const faults = [...TEXTS].flatMap(([path, text]) => faultsOf(path, text));
  assertEquals(faults.filter(({ rule }) => rule === "length"), []);
});

Deno.test("every task is named in a page", () => {
  const lines = [...PAGES.values()].flatMap(({ blocks, spans }) => [...blocks.flatMap(({ lines }) => lines), ...spans]);
  const isNamed = (task: string) => lines.some((line) => new RegExp(`(task |^)${task}(?![\\w:-])`).test(line));
  assertEquals(Object.keys(denoJson.tasks).filter((task) => !isNamed(task)), []);
});

Deno.test("README's ratios are those of bench/README.md, each with a task that prints it", () => {
  const page = pageOf("README.md");
  const titles = ["inmem ÷ redis-server 7.0.15", "inmem through its proxy ÷ inmem directly"];
  const rows = titles.flatMap((title) => tableRows(page, title));
  assertEquals(rows.length, 6);
  for (const [what, ratio, better, command] of rows) {
    assertEquals(better, what!.startsWith("rate ") ? "higher" : "lower", what);
    const task = /^`deno task (bench[:a-z]*)`$/.exec(command!)?.[1];
    assert(task !== undefined && task in denoJson.tasks, `${what}: ${command}`);
    const sections = readFile("bench/README.md").split("\n## ");
    const section = sections.find((each) => each.startsWith(`\`deno task ${task}\`:`));
    assert(section?.includes(ratio!), `bench/README.md has no ${ratio} below "deno task ${task}"`);
  }
});
