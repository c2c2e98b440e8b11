/**
 * One of the compared sides when a proxy is measured: a path from the load generator to servers, and the processes on
 * it.
 *
 * @module
 */

import type { CorePlan, Part, Processes } from "./cores.ts";
import { delay } from "./script.ts";
import type { LoadGenerator, LoadResult, LoadRun, LoadTarget } from "./load_generator.ts";
import { machineTimeMs, ownTimeMs, processorTimeMs } from "./processor_time.ts";

const PARTS: readonly Part[] = ["proxy", "servers", "load"];
/** The share of a core above which other processes disturb a run. */
const OTHERS_BUSY_MAX = 0.05;
/** The wait before a disturbed run is repeated, in ms. */
const WAIT_MS = 500;

/** The results of one run. */
export interface SideRun extends LoadResult {
  /** The processor time of a request, in ns, of each part: all its processes together. */
  readonly ns: Readonly<Partial<Record<Part, number>>>;
  /** The share of a core that unrelated processes have had. They disturb the run. */
  readonly othersBusy: number;
}

/** The settings that all sides share. */
export interface SideSettings {
  readonly load: LoadGenerator;
  readonly plan: CorePlan;
  readonly connections: number;
  /** The number of repetitions of a disturbed run. */
  readonly retries: number;
  readonly signal: AbortSignal;
}

/** A side, with connections to it and its keys set. */
export class LoadedSide {
  readonly name: string;
  /** Whether a proxy is on the path. */
  readonly isProxied: boolean;
  readonly #settings: SideSettings;
  readonly #processes: Processes;

  private constructor(name: string, processes: Processes, settings: SideSettings) {
    this.name = name;
    this.isProxied = processes.proxy !== undefined;
    this.#settings = settings;
    this.#processes = { ...processes, load: [settings.load.pid] };
  }

  /**
   * Connects, and sets all keys.
   *
   * @param name a unique name
   * @param processes those of the proxy, if there is one, and of the servers
   */
  static async open(
    name: string,
    processes: Processes,
    targets: readonly LoadTarget[],
    settings: SideSettings,
  ): Promise<LoadedSide> {
    await settings.load.open(name, targets, settings.connections);
    await settings.load.fill(name);
    return new LoadedSide(name, processes, settings);
  }

  /** Generates load until a run is not disturbed; otherwise the least disturbed run counts. */
  async run(run: LoadRun): Promise<SideRun> {
    const { retries, signal } = this.#settings;
    let best = await this.#run(run);
    for (let left = retries; left > 0 && best.othersBusy > OTHERS_BUSY_MAX; left--) {
      await delay(WAIT_MS, signal);
      const again = await this.#run(run);
      if (again.othersBusy < best.othersBusy) best = again;
    }
    return best;
  }

  async #run(run: LoadRun): Promise<SideRun> {
    const { load, plan, signal } = this.#settings;
    signal.throwIfAborted();
    await plan.place(this.#processes);
    const before = await this.#times();
    const result = await load.run(this.name, run);
    const after = await this.#times();
    const ns: Partial<Record<Part, number>> = {};
    let ours = after.own - before.own;
    for (const part of PARTS) {
      if (this.#processes[part] === undefined) continue;
      const spentMs = after[part] - before[part];
      ns[part] = spentMs * 1e6 / result.requests;
      ours += spentMs;
    }
    const othersMs = Math.max(0, after.machine - before.machine - ours);
    return { ...result, ns, othersBusy: othersMs / (after.clock - before.clock) };
  }

  /** Returns times in ms, since each began. */
  async #times(): Promise<Record<Part | "machine" | "own" | "clock", number>> {
    const of = async (part: Part) => {
      const times = await Promise.all((this.#processes[part] ?? []).map(processorTimeMs));
      return times.reduce((sum, time) => sum + time, 0);
    };
    const [machine, own, proxy, servers, load] = await Promise.all([
      machineTimeMs(),
      ownTimeMs(),
      ...PARTS.map(of),
    ]) as [number, number, number, number, number];
    return { machine, own, proxy, servers, load, clock: performance.now() };
  }
}
