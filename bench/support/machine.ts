/**
 * Describes the machine and the version that figures come from, without which they mean little.
 *
 * @module
 */

import { inmemCommand, ROOT } from "../../cluster/role_process.ts";

/** Returns the processor, its cores, the kernel and the runtime, in one line. */
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
    // This is not Linux, so only the architecture is known.
  }
  return Deno.build.arch;
}

/** Returns the output of `inmem --version`, of the binary or of the sources. */
export async function inmemVersion(): Promise<string> {
  const [program, ...args] = inmemCommand("--version");
  const { stdout } = await new Deno.Command(program!, { args, cwd: ROOT, stdin: "null" }).output();
  return new TextDecoder().decode(stdout).trim().replace(/^inmem /, "");
}
