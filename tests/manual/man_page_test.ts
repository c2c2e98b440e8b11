/** Tests the pages of the manual, with mandoc and groff where they are installed. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { UsageError } from "../../src/errors.ts";
import { programRoles } from "../../src/main.ts";
import { manMain, programPage, rolePage } from "../../src/manual/man_page.ts";
import { parseOptions } from "../../src/role/options.ts";
import { OPTION_TABLES } from "../support/pages.ts";
import { findProgram } from "../support/programs.ts";

const ROLES = await programRoles();
const PAGES = new Map([
  ["inmem", programPage(ROLES)],
  ...ROLES.map((role) => [role.name, rolePage(role, ROLES)] as const),
]);

async function output(
  command: string,
  args: readonly string[],
  input: string,
): Promise<{ text: string; errors: string }> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { MANWIDTH: "80" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout, stderr } = await child.output();
  return { text: new TextDecoder().decode(stdout), errors: new TextDecoder().decode(stderr) };
}

Deno.test("each role has a page with its options and examples", () => {
  for (const role of ROLES) {
    const page = PAGES.get(role.name)!;
    const plain = page.replaceAll("\\-", "-").replaceAll("\\(ti", "~").replaceAll("\\(aq", "'");
    for (const { options, examples = [] } of role.tables) {
      for (const name of Object.keys(options)) assertStringIncludes(plain, `\\fB--${name}\\fR`);
      for (const { command } of examples) assertStringIncludes(plain, command);
    }
    assert(!/^[.'](?!TH|SH|SS|TP|PP|BR|B |br|nf|fi|RS|RE|I )/m.test(page), "a line of text is taken for a request");
  }
  const client = PAGES.get("client")!.replaceAll("\\-", "-");
  for (const { name } of COMMANDS) assertStringIncludes(client, `\\fB${name}\\fR`);
  assertThrows(() => manMain(["nosuch"], ROLES), UsageError, "expected server, proxy");
  assertThrows(() => manMain(["server", "proxy"], ROLES), UsageError, "expected one role");
});

Deno.test("each example of a table is a call that its role accepts", () => {
  for (const table of OPTION_TABLES) {
    const prefix = table.usage.split(" ").filter((_, index, words) => {
      return words.slice(0, index + 1).every((each) => /^[a-z-]+$/.test(each));
    }).join(" ");
    for (const { command, text } of table.examples ?? []) {
      assert(!text.endsWith("."), text);
      const call = /inmem .*?(?=[<>|)]|$)/.exec(command)![0].trim();
      const other = OPTION_TABLES.find(({ usage }) => usage.startsWith("inmem proxy plan"))!;
      const isPlan = call.startsWith("inmem proxy plan");
      const own = isPlan ? other : table;
      const words = call.slice(isPlan ? "inmem proxy plan".length : prefix.length).trim().split(" ");
      assert(call.startsWith(prefix), command);
      parseOptions(own, words.filter((word) => word !== ""), { environment: () => undefined });
    }
  }
});

Deno.test("mandoc finds nothing to complain about", { ignore: findProgram("mandoc") === undefined }, async () => {
  for (const [name, page] of PAGES) {
    const { text, errors } = await output("mandoc", ["-Tlint", "-Wstyle"], page);
    // The pages to which this one refers are not installed.
    assertEquals(
      (text + errors).split("\n").filter((line) => line !== "" && !line.includes("manual not found")),
      [],
      name,
    );
  }
});

Deno.test("groff formats each page without a warning", { ignore: findProgram("groff") === undefined }, async () => {
  for (const [name, page] of PAGES) {
    const { text, errors } = await output("groff", ["-ww", "-man", "-Tutf8", "-P-c"], page);
    assertEquals(errors, "", name);
    assert(text.includes("SEE ALSO") || text.includes("S\bSE\bEE\bE"), name);
  }
});
