/**
 * One core for the servers, another for what makes their load, as long as the machine has two and `taskset` to say so.
 *
 * @module
 */

import { messageOf } from "../../src/errors.ts";

/** Who runs where. */
export interface Cores {
  /** Runs a server on its core: what stands in front of its command line. */
  readonly launcher: readonly string[];
  /** In words. */
  readonly description: string;
}

/**
 * Moves this process to the core of the load, with whatever it starts from now on without the launcher.
 *
 * @returns how servers are started; without `taskset` or a second core, like everything else
 */
export async function divideCores(): Promise<Cores> {
  const cores = allowedCores();
  if (cores.length < 2) return { launcher: [], description: "all on one core" };
  const [server, load] = cores.slice(-2).map(String) as [string, string];
  try {
    await moveToCore(Deno.pid, Number(load));
  } catch (error) {
    return { launcher: [], description: `not pinned to cores (${messageOf(error)})` };
  }
  return {
    launcher: ["taskset", "--cpu-list", server],
    description: `each server on core ${server}, the load on core ${load}`,
  };
}

/** The numbers of the cores that this process may run on. Linux only; elsewhere none. */
export function allowedCores(): number[] {
  try {
    const status = Deno.readTextFileSync("/proc/self/status");
    const ranges = /^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1]?.split(",") ?? [];
    return ranges.flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number);
      return Array.from({ length: last! - first! + 1 }, (_, index) => first! + index);
    });
  } catch {
    return [];
  }
}

/**
 * Moves a process to a core, with all its threads.
 *
 * @throws {Error} without `taskset`, or when it fails
 */
export async function moveToCore(pid: number, core: number): Promise<void> {
  const args = ["--all-tasks", "--cpu-list", "--pid", String(core), String(pid)];
  const { success, stderr } = await new Deno.Command("taskset", { args, stdout: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
}
