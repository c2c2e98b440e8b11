import { assertEquals } from "@std/assert";
import denoJson from "../deno.json" with { type: "json" };
import { amountOf, isLong } from "./support/amount.ts";

const FOLDER = new URL("./", import.meta.url);

/** The test files below a folder that ask for their amounts. */
function filesWithLongForms(folder: URL, path: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return filesWithLongForms(new URL(`${name}/`, folder), `${path}${name}/`);
    const isOne = name.endsWith("_test.ts") && name !== "amount_test.ts" &&
      Deno.readTextFileSync(new URL(name, folder)).includes('support/amount.ts"');
    return isOne ? [path + name] : [];
  });
}

Deno.test("deno task test:long runs each test file that has a long form, and no other", () => {
  const { command } = denoJson.tasks["test:long"];
  const files = command.split(" ").filter((word) => word.startsWith("tests/") && word.endsWith(".ts"));
  assertEquals(files, filesWithLongForms(FOLDER, "tests/").sort());
});

Deno.test("amountOf() is what the environment variable says, or else the short or the long form", () => {
  const variable = "INMEM_TEST_AMOUNT";
  assertEquals(amountOf(variable, 2, 3), isLong ? 3 : 2);
  Deno.env.set(variable, "7");
  try {
    assertEquals(amountOf(variable, 2, 3), 7);
  } finally {
    Deno.env.delete(variable);
  }
});
