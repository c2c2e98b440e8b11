/**
 * The examples of the documentation, as programs: every block of TypeScript in a doc comment of `src/` and in a page.
 *
 * | a block marked | |
 * |---|---|
 * | `ts` | is a module: it has types, it runs, and what it asserts holds |
 * | `ts no-run` | needs something that is not there, such as another package; it is neither checked nor run |
 *
 * A module imports what it uses. The library is `@inmem/inmem`, and relative paths are those of the file that the block
 * is in. Where a line ends with `console.log(…); // text`, it prints that text. Where an example connects to the
 * default address, or names none, it talks to the server of the test, which has no data when the example begins.
 *
 * @module
 */

import { dirname, join, toFileUrl } from "@std/path";
import { LOCKED, ROOT } from "../module_graph.ts";
import { SHOWN } from "./example_output.ts";
import { scan } from "./source_text.ts";

/** One block. */
export interface Example {
  /** The path of the file that it is in, from the root, and the number of its first line of code. */
  readonly file: string;
  readonly line: number;
  readonly code: string;
  /** What the fence says besides `ts`. */
  readonly mark: string;
}

/** How long all examples together may run. */
const RUN_TIMEOUT_MS = 60_000;

/** The program that runs examples. */
const RUNNER = join(ROOT, "tests/support/tidy/run_examples.ts");

/** Returns the blocks of TypeScript of a file; those of its doc comments when it is a module. */
export function examplesIn(file: string, text: string): Example[] {
  if (file.endsWith(".md")) return blocksIn(file, 1, text);
  return scan(text).comments.filter(({ kind }) => kind === "doc").flatMap((comment) =>
    blocksIn(file, comment.line, comment.text.replaceAll(/^ /gm, ""))
  );
}

function blocksIn(file: string, firstLine: number, text: string): Example[] {
  const examples: Example[] = [];
  const pattern = /^( *)```(?:ts|typescript)\b *(.*)\n([^]*?)^ *```$/gm;
  for (const { index, 1: indent, 2: mark, 3: code } of text.matchAll(pattern)) {
    const line = firstLine + text.slice(0, index).split("\n").length;
    examples.push({ file, line, code: code!.replaceAll(new RegExp(`^${indent}`, "gm"), ""), mark: mark!.trim() });
  }
  return examples;
}

/** Returns a sentence for each example of a file that is marked wrongly. */
export function markFaults(file: string, text: string): string[] {
  const faults = examplesIn(file, text)
    .filter(({ mark }) => mark !== "" && mark !== "no-run")
    .map(({ line, mark }) =>
      `${file}:${line}: a block of TypeScript is marked "${mark}": expected nothing or "no-run"`
    );
  for (const comment of file.endsWith(".ts") ? scan(text).comments : []) {
    if (/@example\b(?! *[^\n]*\n\s*```ts\b)/.test(comment.text)) {
      faults.push(`${file}:${comment.line}: an @example has no block of TypeScript`);
    }
  }
  return faults;
}

/** The modules of examples, in a folder with the configurations by which they are checked and run. */
export class ExampleModules {
  readonly #folder: string;
  readonly #paths = new Map<Example, string>();

  /** @param folder where they are written: an empty one */
  constructor(folder: string, examples: readonly Example[]) {
    this.#folder = folder;
    for (const example of examples) {
      const name = `${example.file.replaceAll(/[^a-z0-9]+/gi, "_")}_${example.line}.ts`;
      this.#paths.set(example, join(folder, name));
      Deno.writeTextFileSync(join(folder, name), moduleOf(example));
    }
    const { compilerOptions, unstable } = readJson("deno.json");
    const options = { ...compilerOptions as object, noUnusedLocals: false, noUnusedParameters: false };
    const common = { compilerOptions: options, unstable, nodeModulesDir: "none" };
    const { imports } = readJson("src/import_map.json") as { imports: Record<string, string> };
    const packages = Object.fromEntries(
      Object.entries(imports).map(([name, path]) => [name, path.startsWith(".") ? urlOf(join("src", path)) : path]),
    );
    const library = urlOf("src/mod.ts");
    this.#write("check.json", { ...common, imports: { ...packages, "@inmem/inmem": library } });
    const standIn = urlOf("tests/support/tidy/example_library.ts");
    this.#write("run.json", {
      ...common,
      imports: { ...packages, "@inmem/inmem": standIn, [library]: standIn },
      // These two see the library itself.
      scopes: { [standIn]: { [library]: library }, [toFileUrl(RUNNER).href]: { [library]: library } },
    });
    this.#write(
      "examples.json",
      examples.map((example) => ({
        name: `${example.file}:${example.line}`,
        url: toFileUrl(this.#paths.get(example)!).href,
      })),
    );
  }

  #write(name: string, json: unknown): void {
    Deno.writeTextFileSync(join(this.#folder, name), JSON.stringify(json));
  }

  /** Checks the types of all modules, and returns the errors. */
  async check(): Promise<string[]> {
    const args = ["check", "--quiet", ...LOCKED, "--config", join(this.#folder, "check.json")];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [...args, ...this.#paths.values()],
      env: { NO_COLOR: "1" },
    }).output();
    if (success) return [];
    const text = this.#named(new TextDecoder().decode(stderr));
    const errors = text.split(/^(?=TS[0-9]+ )/m).filter((error) => error.startsWith("TS"));
    return errors.length > 0 ? errors : [text];
  }

  /**
   * Runs all modules, one after another, in one process.
   *
   * @param address where a server of no data listens, which they may fill
   * @param stateFolder the folder in which that server has made its certificates
   * @returns what has failed, empty when nothing has
   */
  async run(address: string, stateFolder: string): Promise<string> {
    const options = [
      "--quiet",
      "--no-check",
      ...LOCKED,
      "--no-prompt",
      "-A",
      "--config",
      join(this.#folder, "run.json"),
    ];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", ...options, RUNNER, address, join(this.#folder, "examples.json")],
      env: { NO_COLOR: "1", XDG_STATE_HOME: stateFolder },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_TIMEOUT_MS);
    const { success, signal, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const text = new TextDecoder();
    if (success) return "";
    if (signal !== null) return `The last of these did not end within ${RUN_TIMEOUT_MS} ms:\n${text.decode(stdout)}`;
    return this.#named(`${text.decode(stdout).split("\n").slice(-20).join("\n")}\n${text.decode(stderr)}`);
  }

  /** Puts the names of files in place of those of modules. Lines are the same in both. */
  #named(text: string): string {
    for (const [{ file }, path] of this.#paths) text = text.replaceAll(toFileUrl(path).href, file);
    return text;
  }
}

/** Returns the module of an example: its code, at the line where it is in its file. */
function moduleOf({ file, line, code }: Example): string {
  const absolute = code.replaceAll(
    /(\bfrom |\bimport\(?)(["'])(\.\.?\/[^"']+)\2/g,
    (_, before: string, quote: string, path: string) => `${before}${quote}${urlOf(join(dirname(file), path))}${quote}`,
  );
  const shown = absolute.replaceAll(
    /\bconsole\.log\((.*)\); \/\/ (.+)$/gm,
    (_, values: string, text: string) => `console.log(${JSON.stringify(SHOWN)}, ${JSON.stringify(text)}, ${values});`,
  );
  // A module has an import or an export, and so its own scope.
  return `${"\n".repeat(line - 1)}${shown}\nexport {};\n`;
}

function urlOf(path: string): string {
  return toFileUrl(join(ROOT, path)).href;
}

function readJson(path: string): Record<string, unknown> {
  return JSON.parse(Deno.readTextFileSync(join(ROOT, path)));
}
