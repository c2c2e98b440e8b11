/**
 * Keeps one role of the cluster running: whenever its process ends, by itself or by a signal, that is reported and
 * another process is started at the same address.
 *
 * ```text
 * start ─→ runs ─→ ended ─→ waits 0.5 s, 1 s, 2 s, … 30 s ─→ start
 *            └── for 10 s: the next wait is 0.5 s again ──┘
 * ```
 *
 * A role that was killed is therefore back soon. A role that cannot start, because its port or its data folder is
 * unusable, is tried again twice a minute until that is corrected. Only the first start has to succeed.
 *
 * @module
 */

import { messageOf } from "../src/errors.ts";
import { describeStatus } from "./role_process.ts";

/** A process of a role, such as a `RoleProcess`. */
export interface StartedRole {
  readonly pid: number;
  /** How the process ended, once it has. */
  readonly status: Promise<Deno.CommandStatus>;
  /** Resolves to the address of the role once it listens; rejects when it ends before. */
  address(): Promise<string>;
  /** Ends the process. */
  stop(): Promise<Deno.CommandStatus>;
}

const RESTART_DELAY_MIN_MS = 500;
const RESTART_DELAY_MAX_MS = 30_000;
/** A process that has run for this long has started successfully. */
const STABLE_MS = 10_000;

/** How long to wait before the next start of a process that has ended. */
export class RestartDelay {
  /** How often in a row the process has ended soon. */
  #count = 0;

  /**
   * Returns the time to wait, in ms.
   *
   * @param ranMs how long the process ran
   */
  next(ranMs: number): number {
    if (ranMs >= STABLE_MS) this.#count = 0;
    return Math.min(RESTART_DELAY_MAX_MS, RESTART_DELAY_MIN_MS * 2 ** this.#count++);
  }
}

/** The options of a supervisor. */
export interface SupervisorOptions {
  readonly name: string;
  /** The address of the role. With port 0 the system chooses a port, which is then kept. */
  readonly address: string;
  /** Starts the role at an address. */
  readonly start: (address: string) => StartedRole;
  /** Reports a sentence about an event. */
  readonly report: (text: string) => void;
  /** The clock; that of the system by default. */
  readonly clock?: SupervisorClock;
}

/** The clock and timers of a supervisor. */
export interface SupervisorClock {
  /** Returns the ms of a monotonic clock. */
  nowMs(): number;
  /** Calls `run` after a time. Returns a function that cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

const systemClock: SupervisorClock = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * One role and its processes, one at a time. The code that creates a supervisor has to call
 * {@linkcode Supervisor.stop}.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #delay = new RestartDelay();
  #role: StartedRole;
  readonly #clock: SupervisorClock;
  #startedMs: number;
  /** Cancels the next start, while it is waited for. */
  #cancelStart: (() => void) | undefined;
  /** Whether the process has reported that it listens. From then on it ends in order when it is stopped. */
  #listens = false;
  #stopped = false;
  /** Whether the supervisor waits for the end of its stopped process. */
  #isEnding = false;

  /** Starts the first process immediately. */
  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#startedMs = this.#clock.nowMs();
    this.#role = options.start(options.address);
  }

  /** The name of the role. */
  get name(): string {
    return this.#options.name;
  }

  /** The id of the present process, or of the last one. */
  get pid(): number {
    return this.#role.pid;
  }

  /** Whether the role was stopped and its process has not ended yet. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /**
   * Waits until the first process listens. From then on, later processes follow it.
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

  /** Starts the role again after a while, unless it was stopped. */
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
      // The process may have ended meanwhile, and been replaced.
      if (role !== this.#role) return;
      this.#listens = true;
      report(`${name} listens on ${address} again`);
    };
    // A process that ends before it listens, or takes long to load its data, logs that itself.
    role.address().then(onListening, () => {});
    this.#follow(role, address);
  }

  /**
   * Stops the process, and starts no other one.
   *
   * @returns whether it ended in order; also `true` for a role that waits for its next start, and for one that does not
   *   listen yet, which the signal itself ends
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
