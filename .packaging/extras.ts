/**
 * What a binary prints for its installation: man pages and completions of shells.
 *
 * @module
 */

/** The shells that have completions. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The name of a shell that has completions. */
export type Shell = (typeof SHELLS)[number];

/** The texts that belong to a binary. */
export interface Extras {
  /** The man pages by their file names, such as `inmem-server.1`. */
  readonly manPages: readonly (readonly [name: string, text: string])[];
  /** The script of each shell. */
  readonly completions: Readonly<Partial<Record<Shell, string>>>;
}

/**
 * Asks a program for its extras.
 *
 * @param command the program with its first arguments, such as `./inmem`
 */
export async function readExtras(command: readonly string[]): Promise<Extras> {
  const help = await print(command, "help");
  // The help also has examples, with roles that it has listed before.
  const commands = [...new Set([...help.matchAll(/^ {2}inmem ([a-z]+) /gm)].map(([, name]) => name!))];
  if (!["man", "completion"].every((name) => commands.includes(name))) return { manPages: [], completions: {} };
  const manPages: [string, string][] = [["inmem.1", await print(command, "man")]];
  for (const name of commands) manPages.push([`inmem-${name}.1`, await print(command, "man", name)]);
  const completions: Partial<Record<Shell, string>> = {};
  for (const shell of SHELLS) completions[shell] = await print(command, "completion", shell);
  return { manPages, completions };
}

/** Runs a program, and returns what it prints. */
async function print([program, ...words]: readonly string[], ...more: readonly string[]): Promise<string> {
  const args = [...words, ...more];
  const { success, stdout, stderr } = await new Deno.Command(program!, { args, env: { NO_COLOR: "1" } }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${[program, ...args].join(" ")}: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}
