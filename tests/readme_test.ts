/**
 * README says what is there: every command and option, tasks that exist, files that exist.
 */

import { assert, assertEquals } from "@std/assert";
import denoJson from "../deno.json" with { type: "json" };
import { COMMANDS } from "../src/catalog/specification.ts";
import {
  certsOptions,
  clientOptions,
  proxyOptions,
  proxyPlanOptions,
  restoreOptions,
  serverOptions,
} from "../src/role/option_tables.ts";

const ROOT = new URL("../", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", ROOT));

/** The part of README below a heading of the second level. */
function section(title: string): string {
  const begin = README.indexOf(`\n## ${title}\n`);
  assert(begin >= 0, `README has no section "${title}"`);
  const end = README.indexOf("\n## ", begin + 1);
  return README.slice(begin, end < 0 ? undefined : end);
}

Deno.test("README names every command and alias", () => {
  const commands = section("Commands");
  for (const { name, aliases } of COMMANDS) {
    for (const each of [name, ...aliases]) assert(new RegExp(`\`${each}[\` ]`).test(commands), `"${each}" is missing`);
  }
});

Deno.test("README names every option of every role, and no other", () => {
  const options = section("Options");
  const known = new Set<string>();
  for (const table of [serverOptions, proxyOptions, proxyPlanOptions, clientOptions, restoreOptions, certsOptions]) {
    for (const name of Object.keys(table.options)) {
      known.add(name);
      assert(options.includes(`\`--${name}`) || name === "help", `"--${name}" is missing`);
    }
  }
  for (const [, name] of README.matchAll(/`--([a-z-]+)/g)) assert(known.has(name!), `"--${name}" does not exist`);
});

Deno.test("README's tasks, files and pinned version are those of the project", () => {
  const tasks: Record<string, unknown> = denoJson.tasks;
  for (const [, name] of README.matchAll(/(?:deno@[0-9.]+|`deno) task ([a-z:]+)/g)) {
    assert(name! in tasks, `there is no task "${name}"`);
  }
  for (const [, path] of README.matchAll(/\]\(([^)]+)\)/g)) Deno.statSync(new URL(path!, ROOT));
  const versions = new Set([...README.matchAll(/deno@([0-9.]+)/g)].map(([, version]) => version));
  assertEquals(versions, new Set([Deno.version.deno]));
});
