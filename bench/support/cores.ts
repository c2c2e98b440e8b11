/**
 * Assigns processes to cores, if the machine has two and `taskset`.
 *
 * {@linkcode divideCores} gives servers one core and their load another. {@linkcode CorePlan} does the same for three
 * parts, with a proxy. `proxy_bench.ts` says which arrangement is for which purpose.
 *
 * ```text
 *              through a proxy                          direct
 * alone        proxy | servers, load                    servers | load
 * servers      proxy, servers | load                    servers | load
 * load         servers | proxy, load                    servers | load
 * apart        proxy | servers | load                   servers | load
 * ```
 *
 * @module
 */

import { messageOf } from "../../src/errors.ts";

/** The assignment of servers and load to cores. */
export interface Cores {
  /** The words before a server's command line that run it on its core. */
  readonly launcher: readonly string[];
  /** The assignment in words. */
  readonly description: string;
}

/**
 * Moves this process to the core of the load, with all processes that it starts without the launcher from now on.
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

/** Returns the numbers of the cores on which this process may run. Linux only; elsewhere none. */
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

/** The names of the arrangements. */
export const ARRANGEMENTS = ["alone", "servers", "load", "apart"] as const;
export type Arrangement = typeof ARRANGEMENTS[number];

/** A part of the path of a request. */
export type Part = "proxy" | "servers" | "load";
/** The processes of each part. */
export type Processes = Readonly<Partial<Record<Part, readonly number[]>>>;

/** The core of each part, counted from that of the load. */
const CORES: Readonly<Record<Arrangement, Readonly<Record<Part, number>>>> = {
  alone: { load: 0, servers: 0, proxy: 1 },
  servers: { load: 0, servers: 1, proxy: 1 },
  load: { load: 0, servers: 1, proxy: 0 },
  apart: { load: 0, servers: 1, proxy: 2 },
};
const DIRECT: Readonly<Record<Part, number>> = CORES.apart;

/** The arrangements in words. */
const DESCRIPTIONS: Readonly<Record<Arrangement, string>> = {
  alone:
    "a proxy has a core, the servers and the load share the other; direct, the servers have one, the load the other",
  servers: "a proxy shares a core with the servers, the load has the other",
  load: "a proxy shares a core with the load, the servers have the other",
  apart: "a proxy, the servers and the load have a core each",
};

/** Moves processes to their cores. */
export class CorePlan {
  /** The plan in words. */
  readonly description: string;
  readonly #arrangement: Arrangement;
  /** The numbers of the cores; empty when nothing can be moved. */
  readonly #cores: readonly number[];
  readonly #places = new Map<number, number>();

  private constructor(arrangement: Arrangement, cores: readonly number[], description: string) {
    this.#arrangement = arrangement;
    this.#cores = cores;
    this.description = description;
  }

  /**
   * Moves this process to the core of the load, with all processes that it starts from now on.
   *
   * @param wanted the arrangement; by default `apart` with sufficient cores, else `alone`
   * @returns a plan that moves nothing without `taskset` or without enough cores
   */
  static async make(wanted?: Arrangement): Promise<CorePlan> {
    const cores = allowedCores();
    const arrangement = wanted ?? (cores.length > 2 ? "apart" : "alone");
    const count = 1 + Math.max(...Object.values(CORES[arrangement]));
    if (cores.length < count) {
      return new CorePlan(arrangement, [], `not pinned: ${count} cores are needed, there are ${cores.length}`);
    }
    const chosen = cores.slice(-count).reverse();
    const plan = new CorePlan(arrangement, chosen, `${arrangement}: ${DESCRIPTIONS[arrangement]}`);
    try {
      await plan.place({ load: [Deno.pid] });
    } catch (error) {
      return new CorePlan(arrangement, [], `not pinned: ${messageOf(error)}`);
    }
    return plan;
  }

  /** Moves the processes that are on other cores. */
  async place(processes: Processes): Promise<void> {
    const places = processes.proxy === undefined ? DIRECT : CORES[this.#arrangement];
    for (const part of ["proxy", "servers", "load"] as const) {
      const core = this.#cores[places[part]];
      for (const pid of processes[part] ?? []) {
        if (core === undefined || this.#places.get(pid) === core) continue;
        await moveToCore(pid, core);
        this.#places.set(pid, core);
      }
    }
  }
}
