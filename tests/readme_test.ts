/**
 * The pages say what is there: every command, option, task, file and link that they name exists, and what is generated is
 * up to date.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";
import { ROOT } from "../cluster/role_process.ts";
import denoJson from "../deno.json" with { type: "json" };
import { COMMANDS } from "../src/catalog/specification.ts";
import * as limits from "../src/limits.ts";
import { LOCAL_COMMANDS } from "../src/shell/help.ts";
import { parsePage, shellCommands, tableRows } from "./support/markdown.ts";
import { isGenerated, listPages, OPTION_TABLES, renderPage } from "./support/pages.ts";

/** README is read in five minutes. */
const README_MAX_BYTES = 10_240;
/** Longest line of prose. Tables and links may be longer, since they cannot be wrapped. */
const LINE_MAX_CHARACTERS = 120;

const TEXTS: ReadonlyMap<string, string> = new Map(
  listPages().map((path) => [path, Deno.readTextFileSync(ROOT + path)]),
);
const PAGES = new Map([...TEXTS].map(([path, text]) => [path, parsePage(text)]));
const README = PAGES.get("README.md")!;

/** Paths of all files of the project, relative to its root. */
const FILES: readonly string[] = [".ci/", ".github/", "bench/", "certs/", "cluster/", "src/", "tests/"].flatMap(
  listFiles,
);

/** The files of the root itself. */
const TOP: readonly string[] = [...Deno.readDirSync(ROOT)].filter(({ isFile }) => isFile).map(({ name }) => name);

/** Programs that are not ours, and have options of their own. */
const FOREIGN_PROGRAMS = /^(redis-cli|redis-benchmark|docker|kill|sleep|export|npx -y deno@[0-9.]+ (cache|run))\b/;

/** What looks like a file or a folder of the project; a span with other characters is a pattern or a call. */
const PATH = /^(\.ci|\.github|bench|certs|cluster|src|tests)\/[\w./-]*$|^[\w/-]+(\.d)?\.(ts|md)$/;
/** What programs and readers make, and names that are examples of bad ones. */
const MADE = /^cluster\/(certs|data|servers\.json)|^example\.ts$|^(utils|index)\.ts$/;

/** Returns the folder of a path below `src/`, such as `store/`, or the name of a file that is in none. */
function roomOf(path: string): string {
  return path.replace(/^src\//, "").replace(/(?<=\/).*/, "");
}

/** Returns whether a path, relative to the root, is a file or folder. */
function isThere(path: string): boolean {
  return FILES.includes(path) || FILES.some((file) => file.startsWith(path.replace(/\/?$/, "/"))) || TOP.includes(path);
}

function listFiles(folder: string): string[] {
  return [...Deno.readDirSync(ROOT + folder)].flatMap(({ name, isDirectory }) => {
    return isDirectory ? listFiles(`${folder}${name}/`) : [folder + name];
  });
}

function text(path: string): string {
  const found = TEXTS.get(path);
  assert(found !== undefined, `there is no page "${path}"`);
  return found;
}

/** The roles, as tasks call them. */
const ROLES: ReadonlySet<string> = new Set(OPTION_TABLES.map(({ usage }) => usage.split(" ")[1]!));

/** Options of all roles, and of `deno task cluster` and the scripts in `bench/`, which declare them in their source. */
const OPTION_NAMES: ReadonlySet<string> = new Set([
  ...OPTION_TABLES.flatMap(({ options }) => Object.keys(options)),
  ...FILES.filter((path) => /^(bench|cluster)\/[a-z_]+\.ts$/.test(path)).flatMap((path) => {
    return [...Deno.readTextFileSync(ROOT + path).matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name!);
  }),
]);

const COMMAND_NAMES: ReadonlySet<string> = new Set([
  ...COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]),
  ...LOCAL_COMMANDS.map(({ name }) => name),
]);

/** Returns what is wrong with a call of a role, such as `client --addr :9443 get key`: an option, or the client's command. */
function faultOfCall(call: string): string | undefined {
  const words = call.split(/\s+/);
  const role = words.slice(0, 2).join(" ") === "proxy plan" ? "proxy plan" : words[0]!;
  const table = OPTION_TABLES.find(({ usage }) => usage.startsWith(`inmem ${role} `));
  // `ROLE` stands for any.
  if (table === undefined) return /^(ROLE|help|version)$/.test(role) ? undefined : `there is no role "${role}"`;
  let index = role.split(" ").length;
  for (; index < words.length; index++) {
    const [, name, value] = /^--?([a-z][a-z-]*)(=.*)?$/.exec(words[index]!) ?? [];
    if (name === undefined && role === "client") break;
    if (name === undefined) continue;
    const option = Object.hasOwn(table.options, name) ? table.options[name] : undefined;
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

Deno.test("README is not longer than what is read in five minutes", () => {
  const size = new TextEncoder().encode(text("README.md")).length;
  assert(size <= README_MAX_BYTES, `expected at most ${README_MAX_BYTES} bytes, found ${size}`);
});

Deno.test("generated parts of the pages are what deno task pages writes", async () => {
  const generated = [...TEXTS].filter(([, page]) => isGenerated(page));
  assertEquals(generated.map(([path]) => path), ["README.md", "src/catalog/README.md", "src/role/README.md"]);
  for (const [path, page] of generated) assertEquals(page, await renderPage(page), `${path}: run "deno task pages"`);
});

Deno.test("renderPage() replaces what is between the marks, and nothing else", async () => {
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

Deno.test("faultOf() finds what is not there", () => {
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
    for (const span of spans.filter((span) => PATH.test(span) && !MADE.test(span))) {
      const near = new URL(span, `file:///${path}`).pathname.slice(1);
      const exists = isThere(span) || isThere(near) || isThere(`src/${span}`) ||
        FILES.some((file) => file.endsWith(`/${span}`));
      if (!exists) missing.push(`${path}: ${span}`);
    }
  }
  assertEquals(missing, []);
});

Deno.test("lines of prose in the pages fit into a window", () => {
  for (const [path, { prose }] of PAGES) {
    for (const line of prose) {
      const isExempt = line.startsWith("|") || /\]\(\S+\)/.test(line) || line.startsWith("<!--");
      assert(isExempt || line.length <= LINE_MAX_CHARACTERS, `${path}: ${line.length} characters: ${line}`);
    }
  }
});

Deno.test("the pages name one version of Deno, which is this one", () => {
  const versions = [...TEXTS.values()].flatMap((page) =>
    [...page.matchAll(/deno@([0-9.]+)/g)].map(([, version]) => version)
  );
  assertEquals(new Set(versions), new Set([Deno.version.deno]));
  assertStringIncludes(text(".github/CHANGELOG.md"), `version ${denoJson.version}`);
});

Deno.test("every task is named in a page", () => {
  const lines = [...PAGES.values()].flatMap(({ blocks, spans }) => [...blocks.flatMap(({ lines }) => lines), ...spans]);
  const isNamed = (task: string) => lines.some((line) => new RegExp(`(task |^)${task}(?![\\w:-])`).test(line));
  assertEquals(Object.keys(denoJson.tasks).filter((task) => !isNamed(task)), []);
});

Deno.test("README's ratios are those of bench/README.md, each with a task that prints it", () => {
  const rows = tableRows(README, "inmem ÷ redis-server 7.0.15, unless it says otherwise");
  assertEquals(rows.length, 6);
  for (const [what, ratio, command] of rows) {
    const task = /^`deno task (bench[:a-z]*)`$/.exec(command!)?.[1];
    assert(task !== undefined && task in denoJson.tasks, `${what}: ${command}`);
    const sections = text("bench/README.md").split("\n## ");
    const section = sections.find((each) => each.startsWith(`\`deno task ${task}\`:`));
    assert(section?.includes(ratio!), `bench/README.md has no ${ratio} below "deno task ${task}"`);
  }
});

Deno.test("limits in the pages are those of limits.ts", () => {
  const kib = (size: number) => `${size / 1024} KiB`;
  const mib = (size: number) => `${size / 1024 ** 2} MiB`;
  const gib = (size: number) => `${size / 1024 ** 3} GiB`;
  const count = (number: number) => number.toLocaleString("en-US");
  const common = [
    kib(limits.KEY_SIZE_MAX_BYTES),
    mib(limits.VALUE_SIZE_MAX_BYTES),
    mib(limits.ELEMENT_SIZE_MAX_BYTES),
    mib(limits.FRAME_SIZE_MAX_BYTES),
    count(limits.ARGUMENTS_MAX_COUNT),
    gib(limits.MEMORY_LIMIT_MAX_BYTES),
    count(limits.SERVERS_MAX_COUNT),
  ];
  for (const limit of common) {
    assertStringIncludes(text("README.md"), limit);
    assertStringIncludes(text("src/catalog/README.md"), limit);
  }
  const further = [limits.ARGUMENTS_FEW_MAX_COUNT - 1, limits.BLOCKING_KEYS_MAX_COUNT, limits.WATCHED_KEYS_MAX_COUNT];
  for (const limit of further) assertStringIncludes(text("src/catalog/README.md"), count(limit));
  assertStringIncludes(text(".github/SECURITY.md"), kib(limits.FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES));
  assertStringIncludes(text(".github/SECURITY.md"), `${limits.AUTHENTICATION_TIMEOUT_MS / 1000} s`);
});

Deno.test("ARCHITECTURE.md has a row for each folder of src", () => {
  const named = tableRows(PAGES.get(".github/ARCHITECTURE.md")!, "folder").map(([cell]) => cell!.replaceAll("`", ""));
  const folders = [...Deno.readDirSync(`${ROOT}src`)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  assertEquals(
    named.filter((name) => /^src\/[a-z]+\/$/.test(name)).sort(),
    folders.map((name) => `src/${name}/`).sort(),
  );
});

Deno.test("ARCHITECTURE.md draws floors whose imports go down", () => {
  const drawing = PAGES.get(".github/ARCHITECTURE.md")!.blocks.find(({ lines }) => lines[0]!.startsWith("entries "))!;
  const floors = drawing.lines.map((line) => line.trim().split(/\s+/).slice(1));
  const floorOf = (room: string) => floors.findIndex((floor) => floor.includes(room));
  const sources = FILES.filter((path) => path.startsWith("src/") && path.endsWith(".ts"));
  assertEquals(floors.flat().sort(), [...new Set(sources.map(roomOf))].sort());
  const upward: string[] = [];
  for (const path of sources) {
    const imports = Deno.readTextFileSync(ROOT + path).matchAll(/^(?:import|export|\} from) .*?"(\.[^"]*\.ts)"/gm);
    for (const [, target] of imports) {
      const [from, to] = [roomOf(path), roomOf(new URL(target!, `file:///${path}`).pathname.slice(1))];
      const isBetweenLeaves = floors.at(-1)!.includes(from) && floors.at(-1)!.includes(to);
      if (from !== to && floorOf(from) >= floorOf(to) && !isBetweenLeaves) upward.push(`${path} imports ${target}`);
    }
  }
  assertEquals(upward, []);
});

Deno.test("ARCHITECTURE.md explains each term once, in order", () => {
  const terms = tableRows(PAGES.get(".github/ARCHITECTURE.md")!, "term").map(([term]) => term!);
  assertEquals(terms, [...new Set(terms)].sort());
});

Deno.test("CONTRIBUTING.md gives a reason for each package that a lock file names", () => {
  const reasons = tableRows(PAGES.get(".github/CONTRIBUTING.md")!, "package").map(([names]) => names!).join(" ");
  const specifiers = ["deno.lock", "tests/deno.lock"].flatMap((path) => {
    const lock: { specifiers: Record<string, string> } = JSON.parse(Deno.readTextFileSync(ROOT + path));
    return Object.keys(lock.specifiers);
  });
  const packages = specifiers.map((specifier) => /^npm:(@?[^@]+)@/.exec(specifier)![1]!);
  for (const name of packages.filter((name) => name !== "deno-std")) assertStringIncludes(reasons, `\`${name}\``);
  const map: { imports: Record<string, string> } = JSON.parse(Deno.readTextFileSync(`${ROOT}src/import_map.json`));
  for (const name of Object.keys(map.imports).filter((name) => name.startsWith("@"))) {
    assertStringIncludes(reasons, `\`${/^@[^/]+\/[^/]+/.exec(name)![0]}\``);
  }
});

Deno.test("CHANGELOG.md has the form of Keep a Changelog", () => {
  const headings = text(".github/CHANGELOG.md").split("\n").filter((line) => line.startsWith("#"));
  assertEquals(headings[0], "# Changelog");
  assertEquals(headings[1], "## [Unreleased]");
  const form =
    /^## \[(Unreleased|[0-9]+\.[0-9]+\.[0-9]+)\]( - [0-9]{4}-[0-9]{2}-[0-9]{2})?$|^### (Added|Changed|Deprecated|Removed|Fixed|Security)$/;
  for (const heading of headings.slice(1)) assert(form.test(heading), heading);
});

Deno.test("issue templates have a name and say what they are for", () => {
  const templates = FILES.filter((path) => path.startsWith(".github/ISSUE_TEMPLATE/"));
  assertEquals(templates.length, 2);
  for (const path of templates) {
    const matter = parse(/^---\n([\s\S]*?)\n---\n/.exec(text(path))![1]!) as Record<string, unknown>;
    assert(typeof matter.name === "string" && typeof matter.about === "string", path);
  }
});
