/**
 * The files of the package that `deno publish` uploads: the library's modules, and what describes them.
 *
 * Without a list, `deno publish` packs the whole repository. The list is `publish.include` of deno.json, and
 * `deno task pages` generates it from the imports of `src/mod.ts`, so a new module of the library cannot be forgotten,
 * and a module that the library does not load any more leaves the package.
 *
 * @module
 */

import { fromFileUrl, join, relative } from "@std/path";
import { ROOT } from "../../cluster/role_process.ts";

/** The files of the package that are not modules. */
const OTHERS: readonly string[] = ["LICENSE", "deno.json", "src/client/README.md"];

/** The part of the output of `deno info --json` that is used here. */
interface Info {
  readonly modules: readonly { readonly specifier: string }[];
}

/** Returns the paths of all files of the package, in order. */
export async function listPackage(): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `--lock=${join(ROOT, "deno.lock")}`, "--frozen", "src/mod.ts"],
    cwd: ROOT,
  }).output();
  if (!success) throw new Error(`Cannot read the imports of src/mod.ts: ${new TextDecoder().decode(stderr)}`);
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as Info;
  const files = modules.map(({ specifier }) => specifier).filter((specifier) => specifier.startsWith("file:"));
  return [...OTHERS, ...files.map((file) => relative(ROOT, fromFileUrl(file)))].sort();
}

/** Returns the text of deno.json with the files of {@linkcode listPackage} as its `publish.include`. */
export async function renderConfiguration(text: string): Promise<string> {
  const include = JSON.stringify(await listPackage(), null, 4);
  return text.replace(/(?<="publish": \{\s*"include": )\[[^\]]*\]/, () => include);
}
