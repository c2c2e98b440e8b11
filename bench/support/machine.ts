/**
 * The machine and the version that figures come from: without them they mean little.
 *
 * @module
 */

import { inmemCommand, ROOT } from "../../cluster/role_process.ts";

/** The processor, its cores, the kernel and the runtime, in one line. */
export function describeMachine(): string {
  const cores = navigator.hardwareConcurrency;
  const kernel = `${Deno.build.os} ${Deno.osRelease()}`;
  return `${processorModel()}, ${cores} cores, ${kernel}, Deno ${Deno.version.deno}`;
}

function processorModel(): string {
  try {
    const found = /^model name\s*: (.+)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"));
    if (found !== null) return found[1]!;
  } catch {
    // Not Linux: the architecture has to do.
  }
  return Deno.build.arch;
}

/** What `inmem --version` says, of the binary or of the sources. */
export async function inmemVersion(): Promise<string> {
  const [program, ...args] = inmemCommand("--version");
  const { stdout } = await new Deno.Command(program!, { args, cwd: ROOT, stdin: "null" }).output();
  return new TextDecoder().decode(stdout).trim().replace(/^inmem /, "");
}
