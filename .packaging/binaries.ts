/**
 * Compiles the program for each platform, with the command of `deno task compile`.
 *
 * `deno compile` puts a runtime of the platform before the program, and downloads it from Deno's site. Where that site
 * is out of reach, the runtime of this machine comes from `DENORT_BIN`, and those of Linux from `.ci/denort`; the
 * others cannot be had.
 *
 * @module
 */

import { join } from "@std/path";

/** A platform that there is a binary for. */
export interface Target {
  /** The name in file names, such as `linux-x64`. */
  readonly name: string;
  /** The name that `deno compile --target` takes. */
  readonly triple: string;
  /** The architecture of the Debian package with the binary. */
  readonly debian?: "amd64" | "arm64";
}

/** All platforms, in the order of a release. */
export const TARGETS: readonly Target[] = [
  { name: "linux-x64", triple: "x86_64-unknown-linux-gnu", debian: "amd64" },
  { name: "linux-arm64", triple: "aarch64-unknown-linux-gnu", debian: "arm64" },
  { name: "macos-x64", triple: "x86_64-apple-darwin" },
  { name: "macos-arm64", triple: "aarch64-apple-darwin" },
  { name: "windows-x64", triple: "x86_64-pc-windows-msvc" },
];

/** The folder of deno.json. */
const ROOT = join(import.meta.dirname!, "..");

/** A command of deno.json, ready to be run. */
export interface CompileCommand {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Turns the command of the task `compile` into one for a target.
 *
 * @param task the command in deno.json: variables, `deno`, and words without quotes
 */
export function compileCommand(task: string, target: Target, output: string): CompileCommand {
  const words = task.split(" ");
  const program = words.indexOf("deno");
  const at = words.indexOf("--output");
  if (program < 0 || at < 0) throw new Error(`Cannot compile by "${task}": expected deno … --output FILE …`);
  const env = Object.fromEntries(
    words.slice(0, program).map((word) => {
      const equals = word.indexOf("=");
      return [word.slice(0, equals), word.slice(equals + 1)];
    }),
  );
  const args = [...words.slice(program + 1, at), "--target", target.triple, "--output", output, ...words.slice(at + 2)];
  return { args, env };
}

/**
 * Compiles for a target.
 *
 * @returns the reason why there is no binary; `undefined` when there is one
 */
export async function compile(target: Target, output: string): Promise<string | undefined> {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const { args, env } = compileCommand(tasks.compile.command, target, output);
  const isOwn = target.triple === Deno.build.target;
  const runtime = Deno.env.get("DENORT_BIN");
  if (isOwn && runtime) return await run(args, { ...env, DENORT_BIN: runtime });
  const problem = await run(args, env);
  if (problem === undefined || target.debian === undefined) return problem;
  const found = await new Deno.Command(join(ROOT, ".ci/denort"), { args: [target.name], stderr: "inherit" }).output();
  if (!found.success) return problem;
  return await run(args, { ...env, DENORT_BIN: new TextDecoder().decode(found.stdout).trim() });
}

/** Runs `deno`, and returns why it failed, in one line. */
async function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<string | undefined> {
  const variables: Record<string, string> = { ...Deno.env.toObject(), NO_COLOR: "1" };
  // The runtime that it names is that of this machine only.
  delete variables.DENORT_BIN;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    clearEnv: true,
    env: { ...variables, ...env },
    stdout: "inherit",
    stderr: "piped",
  }).output();
  return success ? undefined : explain(new TextDecoder().decode(stderr));
}

/** Returns the cause in the output of a failed `deno compile`. */
export function explain(output: string): string {
  const url = /error sending request for url \((\S+?)\)/.exec(output)?.[1];
  if (url !== undefined) return `its runtime cannot be downloaded from ${new URL(url).host}`;
  const lines = output.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  return lines.find((line) => line.startsWith("error:"))?.slice("error: ".length) ?? lines.at(-1) ?? "no reason given";
}

/** Returns the name of a target's binary. */
export function binaryName(target: Target): string {
  return target.name.startsWith("windows") ? "inmem.exe" : "inmem";
}
