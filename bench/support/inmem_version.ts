/**
 * The version of what is measured.
 *
 * @module
 */

import { inmemCommand, ROOT } from "../../cluster/role_process.ts";

/** What `inmem --version` says, of the binary or of the sources. */
export async function inmemVersion(): Promise<string> {
  const [program, ...args] = inmemCommand("--version");
  const { stdout } = await new Deno.Command(program!, { args, cwd: ROOT, stdin: "null" }).output();
  return new TextDecoder().decode(stdout).trim().replace(/^inmem /, "");
}
