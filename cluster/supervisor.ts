/**
 * Keeps one role of the cluster running: whenever its process ends, by itself or by somebody's signal, that is reported
 * and another one is started at the same address.
 *
 * ```text
 * start ─→ runs ─→ ended ─→ waits 0.5 s, 1 s, 2 s, … 30 s ─→ start
 *            └── for 10 s: the next wait is 0.5 s again ──┘
 * ```
 *
 * So one that was killed is back at once, and one that cannot start, since its port or its data folder is not usable, is
 * tried again twice a minute until somebody has corrected that. Only the first start has to succeed.
 *
 * @module
 */

import { messageOf } from "../src/errors.ts";
import { describeStatus } from "./role_process.ts";

/** A process of a role. `RoleProcess` is such. */
export interface StartedRole {
  readonly pid: number;
  /** How it ended, once it did. */
  readonly status: Promise<Deno.CommandStatus>;
  /** Where it listens, once it does; rejects when it ended before. */
  address(): Promise<string>;
  /** Ends it. */
  stop(): Promise<Deno.CommandStatus>;
}

const RESTART_DELAY_MIN_MS = 500;
const RESTART_DELAY_MAX_MS = 30_000;
/** One that has run for this long has started well. */
const STABLE_MS = 10_000;

/** How long to wait before the next start of what has ended. */
export class RestartDelay {
  /** How often in a row it has ended soon. */
  #count = 0;

  /**
   * Returns the time to wait, in ms.
   *
   * @param ranMs how long it ran
   */
  next(ranMs: number): number {
    if (ranMs >= STABLE_MS) this.#count = 0;
    return Math.min(RESTART_DELAY_MAX_MS, RESTART_DELAY_MIN_MS * 2 ** this.#count++);
  }
}

/** What a supervisor needs. */
export interface SupervisorOptions {
  readonly name: string;
  /** Where the role is to listen; port 0 lets the system choose one, which it keeps then. */
  readonly address: string;
  /** Starts it at an address. */
  readonly start: (address: string) => StartedRole;
  /** Takes a sentence about what has happened. */
  readonly report: (text: string) => void;
  /** The time, unless it is the system's. */
  readonly clock?: SupervisorClock;
}

/** What a supervisor knows of time. */
export interface SupervisorClock {
  /** Returns the time in ms, which never goes back. */
  nowMs(): number;
  /** Calls `run` after a time, unless what it returns is called before. */
  after(delayMs: number, run: () => void): () => void;
}

const systemClock: SupervisorClock = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** One role and its processes, one at a time. It ends with {@linkcode Supervisor.stop}, which whoever makes one calls. */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #delay = new RestartDelay();
  #role: StartedRole;
  readonly #clock: SupervisorClock;
  #startedMs: number;
  /** Takes the next start back, while it waits for that. */
  #cancelStart: (() => void) | undefined;
  /** Whether the process has said that it listens: from then on it ends in order when it is told to. */
  #listens = false;
  #stopped = false;
  /** Whether it waits for the end of its process, which was told to stop. */
  #isEnding = false;

  /** Starts the first process at once. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#startedMs = this.#clock.nowMs();
    this.#role = options.start(options.address);
  }

  /** What the role is called. */
  get name(): string {
    return this.#options.name;
  }

  /** The id of its process, or of its last one. */
  get pid(): number {
    return this.#role.pid;
  }

  /** Whether it was told to stop, and its process has not ended yet. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * Waits until the first process listens; from then on others follow it.
   *
   * @returns `host:port`
   * @throws {Error} when it ended before, or does not listen in time
   */
  async listening(): Promise<string> {
    const address = await this.#role.address();
    this.#listens = true;
    this.#follow(this.#role, address);
    return address;
  }

  #follow(role: StartedRole, address: string): void {
    role.status.then((status) => this.#startLater(`${this.name} ended with ${describeStatus(status)}`, address));
  }

  /** Starts it again after a while, unless it was told to stop. */
  #startLater(what: string, address: string): void {
    if (this.#stopped) return;
    const delayMs = this.#delay.next(this.#clock.nowMs() - this.#startedMs);
    this.#options.report(`${what}; it is started again in ${delayMs / 1000} s`);
    this.#cancelStart = this.#clock.after(delayMs, () => this.#restart(address));
  }

  #restart(address: string): void {
    this.#cancelStart = undefined;
    this.#listens = false;
    this.#startedMs = this.#clock.nowMs();
    const { name, start, report } = this.#options;
    try {
      this.#role = start(address);
    } catch (error) {
      return this.#startLater(`Cannot start ${name}: ${messageOf(error)}`, address);
    }
    const role = this.#role;
    const onListening = () => {
      // It may have ended meanwhile, and be another one.
      if (role !== this.#role) return;
      this.#listens = true;
      report(`${name} listens on ${address} again`);
    };
    // One that ends before it listens, or takes long to load its data, has its own lines about it.
    role.address().then(onListening, () => {});
    this.#follow(role, address);
  }

  /**
   * Stops the process, and starts no other one.
   *
   * @returns whether it ended in order. So did one that waits to be started, and one that does not listen yet, which ends
   * by the signal itself
   */
  async stop(): Promise<boolean> {
    this.#stopped = true;
    if (this.#cancelStart !== undefined) {
      this.#cancelStart();
      return true;
    }
    const isStarting = !this.#listens;
    this.#isEnding = true;
    const { success, signal } = await this.#role.stop();
    this.#isEnding = false;
    return success || (isStarting && signal === "SIGTERM");
  }
}
