/**
 * The examples of the documentation, as programs: every block of TypeScript in a doc comment of `src/` and in a page.
 *
 * | a block marked | |
 * |---|---|
 * | `ts` | is a module: it has types, it runs, and what it asserts holds |
 * | `ts no-run` | needs something that is not there, such as another package; it is neither checked nor run |
 *
 * A module imports what it uses. The library is `@inmem/inmem`, and relative paths are those of the file that the block
 * is in. Where a line ends with `console.log(…); // text`, that text is what it prints. The library connects to an
 * address of the test wherever an example has the default address, or none; there, the store is empty when an example
 * begins.
 *
 * @module
 */

import { dirname, join, toFileUrl } from "@std/path";
import { LOCKED, ROOT } from "../module_graph.ts";
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

/** The address that examples have for a server, as README does. */
const DEFAULT_ADDRESS = "127.0.0.1:9443";

/** Marks the calls of `console.log` of which it is known what they print. */
const SHOWN = "shown:";

/** The library as examples see it when they run. `LIBRARY_URL` is the library itself. */
const LIBRARY = `
import { connect as connectTo } from "LIBRARY_URL";
export * from "LIBRARY_URL";
export function connect(options = {}) {
  const { addr = "${DEFAULT_ADDRESS}", hostname, port } = options;
  const isDefault = addr === "${DEFAULT_ADDRESS}" && hostname === undefined && port === undefined;
  return connectTo(isDefault ? { ...options, addr: Deno.args[0] } : options);
}
`;

/** The program that runs the modules `EXAMPLES`. It ends by itself, once every example has closed what it opened. */
const MAIN = `
import { connect } from "LIBRARY_URL";

// Only who comes to the end has passed.
Deno.exitCode = 1;
const failures = [];
let running = "start";
function fail(what) {
  failures.push(running + ": " + what);
}
const print = console.log;
console.assert = (holds, ...values) => holds || fail("console.assert() failed " + values.map(String).join(" "));
console.log = (mark, expected, ...values) => {
  if (mark !== ${JSON.stringify(SHOWN)}) return;
  const shown = values.map((value) => typeof value === "string" ? value : Deno.inspect(value)).join(" ");
  if (shown !== expected && JSON.stringify(shown) !== expected) fail("expected " + expected + ", but it prints " + shown);
};
addEventListener("unhandledrejection", (event) => {
  // The rejection of this module itself is one, too.
  if (running === "start") return;
  event.preventDefault();
  fail("it leaves a promise that rejects: " + Deno.inspect(event.reason));
});

{
  await using client = await connect({ addr: Deno.args[0] });
  for (const { name, url } of EXAMPLES) {
    running = name;
    print("running " + name);
    await client.send(["flushall"]);
    try {
      await import(url);
    } catch (error) {
      fail(Deno.inspect(error));
    }
  }
}
if (failures.length > 0) console.error(failures.join("\\n"));
else Deno.exitCode = 0;
`;

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

/** What is wrong with the way in which examples are marked. */
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

/** The modules of examples in their own folder, with a configuration by which they can be checked and run. */
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
    const [shim, main] = ["library.ts", "main.ts"].map((name) => toFileUrl(join(folder, name)).href);
    this.#write("run.json", {
      ...common,
      imports: { ...packages, "@inmem/inmem": shim!, [library]: shim! },
      // These two see the library itself.
      scopes: { [shim!]: { [library]: library }, [main!]: { [library]: library } },
    });
    Deno.writeTextFileSync(join(folder, "library.ts"), LIBRARY.replaceAll("LIBRARY_URL", library));
    const list = examples.map((example) => ({
      name: `${example.file}:${example.line}`,
      url: toFileUrl(this.#paths.get(example)!).href,
    }));
    const program = MAIN.replaceAll("LIBRARY_URL", library).replaceAll("EXAMPLES", () => JSON.stringify(list));
    Deno.writeTextFileSync(join(folder, "main.ts"), program);
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
      args: ["run", ...options, join(this.#folder, "main.ts"), address],
      env: { NO_COLOR: "1", XDG_STATE_HOME: stateFolder },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const timer = setTimeout(() => child.kill("SIGKILL"), RUN_TIMEOUT_MS);
    const { success, stdout, stderr } = await child.output();
    clearTimeout(timer);
    const text = new TextDecoder();
    if (success) return "";
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
