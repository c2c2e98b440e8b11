/**
 * The machine that figures come from: without it they mean little.
 *
 * @module
 */

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
