import { assert, assertEquals } from "@std/assert";
import denoJson from "../deno.json" with { type: "json" };
import { amountOf, isLong, longOnly } from "./support/amount.ts";

const FOLDER = new URL("./", import.meta.url);
/** Matches what `deno task test:long` looks for in test files. */
const AMOUNT_MODULE = "support/amount.ts";

/** The modules below a folder with their sources, by path. */
function modules(folder: URL, path = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) {
      for (const [key, source] of modules(new URL(`${name}/`, folder), `${path}${name}/`)) found.set(key, source);
    } else if (name.endsWith(".ts")) found.set(path + name, Deno.readTextFileSync(new URL(name, folder)));
  }
  return found;
}

Deno.test("deno task test:long finds each test file that has a long form, including by its imports", () => {
  const { command } = denoJson.tasks["test:long"];
  assert(command.includes(`$(grep -rlF --include='*_test.ts' ${AMOUNT_MODULE} tests/)`), command);
  const sources = modules(FOLDER);
  const helpers = [...sources].filter(([path, source]) => !path.endsWith("_test.ts") && source.includes(`/amount.ts"`));
  const missing: string[] = [];
  for (const [helper] of helpers) {
    const importsHelper = new RegExp(`from "[./a-z_]*/${helper.slice(helper.lastIndexOf("/") + 1)}"`);
    for (const [path, source] of sources) {
      if (path.endsWith("_test.ts") && importsHelper.test(source) && !source.includes(AMOUNT_MODULE)) {
        missing.push(path);
      }
    }
  }
  assertEquals(missing, [], "these have a long form by what they import, and have to import the amounts themselves");
});

Deno.test("amountOf() returns the environment variable, or else the amount of the short or the long form", () => {
  const variable = "INMEM_TEST_AMOUNT";
  assertEquals(amountOf(variable, 2, 3), isLong ? 3 : 2);
  Deno.env.set(variable, "7");
  try {
    assertEquals(amountOf(variable, 2, 3), 7);
  } finally {
    Deno.env.delete(variable);
  }
});

Deno.test({
  name: "longOnly ignores a test in the short form",
  ...longOnly,
  fn: () => assertEquals(isLong, true),
});
