/** Compares the pages for contributors with their sources: layers, limits, packages, versions and forms. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse } from "@std/yaml";
import denoJson from "../deno.json" with { type: "json" };
import * as limits from "../src/limits.ts";
import { parsePage, shellCommands, tableRows } from "./support/markdown.ts";
import { FILES, pageOf, readFile, TEXTS } from "./support/project.ts";

const SOURCES = FILES.filter((path) => path.startsWith("src/") && path.endsWith(".ts"));

/** Returns the folder of a path below `src/`, such as `store/`, or the name of a file that is in none. */
function roomOf(path: string): string {
  return path.replace(/^src\//, "").replace(/(?<=\/).*/, "");
}

Deno.test("parsePage() distinguishes prose, code, links and headings", () => {
  const page = parsePage([
    "---\nname: x\n---\n# A `title`, twice",
    "A [link](to/file.md#part) and `code that\ngoes on`.",
    "| cell | other |\n| --- | --- |\n| `a\\|b` | 1 |",
    "```sh\n# a comment\none \\\n  two # three\n`no span` [no](link)\n```",
  ].join("\n\n"));
  assertEquals(page.prose[0], "# A `title`, twice");
  assertEquals(page.spans, ["title", "code that goes on", "a|b"]);
  assertEquals(page.links, ["to/file.md#part"]);
  assertEquals([...page.anchors], ["a-title-twice"]);
  assertEquals(tableRows(page, "cell"), [["`a\\|b`", "1"]]);
  assertEquals(page.blocks.map(({ language }) => language), ["sh"]);
  assertEquals(shellCommands(page.blocks[0]!)[0], "one    two");
});

Deno.test("pages, CI and image use one version of Deno, which is this one, and tasks that exist", () => {
  const programs = [".ci/run", "Dockerfile"].map((path) => readFile(path));
  const used = [...TEXTS.values(), ...programs].flatMap((text) => [...text.matchAll(/deno@([0-9.]+)/g)]);
  assertEquals(new Set(used.map(([, version]) => version)), new Set([Deno.version.deno]));
  const tasks = programs.flatMap((text) => [...text.matchAll(/(?:deno\[@\]\}"|deno@[0-9.]+) task ([a-z:-]+)/g)]);
  assert(tasks.length > 3, `expected several, found ${tasks.length}`);
  assertEquals(tasks.map(([, task]) => task!).filter((task) => !(task in denoJson.tasks)), []);
  assertStringIncludes(readFile(".github/CHANGELOG.md"), `version ${denoJson.version}`);
});

Deno.test("CONTRIBUTING.md says how .ci/run ends, and how long a commit's subject may be", () => {
  const contributing = readFile(".github/CONTRIBUTING.md");
  assertStringIncludes(readFile(".ci/run"), "`N passed, N failed`");
  assertStringIncludes(contributing, "`N passed, N failed`");
  for (const page of [contributing, readFile(".github/pull_request_template.md")]) {
    assertStringIncludes(page, "72 characters");
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
    for (const page of ["README.md", "src/catalog/README.md"]) {
      // A line may end between a number and its unit.
      assertStringIncludes(readFile(page).replace(/\s+/g, " "), limit);
    }
  }
  const further = [
    limits.ARGUMENTS_FEW_MAX_COUNT - 1,
    limits.BLOCKING_KEYS_MAX_COUNT,
    limits.COMBINED_SETS_MAX_COUNT,
    limits.WATCHED_KEYS_MAX_COUNT,
  ];
  for (const limit of further) assertStringIncludes(readFile("src/catalog/README.md"), count(limit));
  assertStringIncludes(readFile(".github/SECURITY.md"), kib(limits.FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES));
  assertStringIncludes(readFile(".github/SECURITY.md"), `${limits.AUTHENTICATION_TIMEOUT_MS / 1000} s`);
});

Deno.test("ARCHITECTURE.md has a row for each folder of src", () => {
  const named = tableRows(pageOf(".github/ARCHITECTURE.md"), "folder").map(([cell]) => cell!.replaceAll("`", ""));
  const folders = new Set(SOURCES.map(roomOf).filter((room) => room.endsWith("/")));
  assertEquals(
    named.filter((name) => /^src\/[a-z]+\/$/.test(name)).sort(),
    [...folders].map((name) => `src/${name}`).sort(),
  );
});

Deno.test("ARCHITECTURE.md draws levels whose imports go down", () => {
  const drawing = pageOf(".github/ARCHITECTURE.md").blocks.find(({ lines }) => lines[0]!.startsWith("entries "))!;
  const levels = drawing.lines.map((line) => line.trim().split(/\s+/).slice(1));
  const levelOf = (room: string) => levels.findIndex((level) => level.includes(room));
  assertEquals(levels.flat().sort(), [...new Set(SOURCES.map(roomOf))].sort());
  const upward: string[] = [];
  for (const path of SOURCES) {
    const imports = readFile(path).matchAll(/^(?:import|export|\} from) .*?"(\.[^"]*\.ts)"/gm);
    for (const [, target] of imports) {
      const [from, to] = [roomOf(path), roomOf(new URL(target!, `file:///${path}`).pathname.slice(1))];
      const isBetweenLeaves = levels.at(-1)!.includes(from) && levels.at(-1)!.includes(to);
      if (from !== to && levelOf(from) >= levelOf(to) && !isBetweenLeaves) upward.push(`${path} imports ${target}`);
    }
  }
  assertEquals(upward, []);
});

Deno.test("ARCHITECTURE.md explains each term once, in order", () => {
  const terms = tableRows(pageOf(".github/ARCHITECTURE.md"), "term").map(([term]) => term!);
  assertEquals(terms, [...new Set(terms)].sort());
});

Deno.test("CONTRIBUTING.md gives a reason for each package that a lock file names", () => {
  const reasons = tableRows(pageOf(".github/CONTRIBUTING.md"), "package").map(([names]) => names!).join(" ");
  const specifiers = ["deno.lock", "tests/deno.lock"].flatMap((path) => {
    const lock: { specifiers: Record<string, string> } = JSON.parse(readFile(path));
    return Object.keys(lock.specifiers);
  });
  const packages = specifiers.map((specifier) => /^npm:(@?[^@]+)@/.exec(specifier)![1]!);
  for (const name of packages.filter((name) => name !== "deno-std")) assertStringIncludes(reasons, `\`${name}\``);
  const map: { imports: Record<string, string> } = JSON.parse(readFile("src/import_map.json"));
  for (const name of Object.keys(map.imports).filter((name) => name.startsWith("@"))) {
    assertStringIncludes(reasons, `\`${/^@[^/]+\/[^/]+/.exec(name)![0]}\``);
  }
});

Deno.test("CHANGELOG.md has the form of Keep a Changelog", () => {
  const headings = readFile(".github/CHANGELOG.md").split("\n").filter((line) => line.startsWith("#"));
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
    const matter = parse(/^---\n([\s\S]*?)\n---\n/.exec(readFile(path))![1]!) as Record<string, unknown>;
    assert(typeof matter.name === "string" && typeof matter.about === "string", path);
  }
});
