/**
 * Reports the state of a role to those who supervise its process: systemd, by notifications, and health checks, by a
 * file.
 *
 * ```text
 *                          systemd                                        --health-file
 * loading                  STATUS=Loading: 43 %, EXTEND_TIMEOUT_USEC=…    time 1970
 * listens                  READY=1, STATUS=Listening on …
 *   every few seconds      WATCHDOG=1                                     now, or 1970 while it is not ready
 *   ready or not           STATUS=… whenever it changes
 * SIGHUP                   RELOADING=1, then READY=1
 * stopping                 STOPPING=1                                     removed
 * ```
 *
 * One timer does what happens every few seconds, so that it stops with the event loop. Whether a role is ready is what
 * `/readyz` says. systemd gets `READY=1` as soon as the role listens: one that refuses writes, or a proxy without
 * servers, works as well as it can, and a start that counted as failed would only be repeated.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import {
  HEALTH_FILE_CLOSE_GRACE_MS,
  LOAD_PROGRESS_INTERVAL_MS,
  LOAD_SILENCE_MAX_MS,
  SUPERVISION_INTERVAL_MS,
  WATCHDOG_CALLS_COUNT,
  WATCHDOG_INTERVAL_MIN_MS,
} from "../limits.ts";
import { HealthFile } from "./health_file.ts";
import type { Logger } from "./logger.ts";
import { NotifySocket } from "./notify_socket.ts";

/** The environment variables by which systemd asks for notifications. */
export interface SupervisionEnvironment {
  /** `NOTIFY_SOCKET`. */
  readonly socket: string | undefined;
  /** `WATCHDOG_USEC`: the time without a call after which the process counts as stuck. */
  readonly watchdogUs: string | undefined;
  /** `WATCHDOG_PID`: the process that has to call. */
  readonly watchdogPid: string | undefined;
}

/** A role that is supervised. */
export interface SupervisedRole {
  /** Returns why the role should get no clients at present; `undefined` when it is ready. */
  notReady(): string | undefined;
}

/** The supervision of one role. Without a service manager and a health file, nothing happens. */
export class Supervision {
  readonly #logger: Logger;
  #socket: NotifySocket | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #file: HealthFile | undefined;
  /** The lines that tell systemd the state of the role, until they were sent. */
  #unsent = "";
  #status = "";
  #reportedMs = -Infinity;
  #timer: number | undefined;
  #isStopping = false;
  #isTouching = false;
  /** The reason why the health file could not be written; `undefined` when it could. */
  #fault: string | undefined;

  /**
   * Opens what the environment and the options name.
   *
   * @throws {StartError} when the health file cannot be used
   */
  constructor(healthFile: string | undefined, logger: Logger, environment = readEnvironment()) {
    this.#logger = logger;
    this.#file = healthFile === undefined ? undefined : HealthFile.create(healthFile);
    const { socket } = environment;
    if (socket === undefined || socket === "") return;
    this.#socket = NotifySocket.open(socket);
    if (this.#socket === undefined) logger.warn("The service manager gets no notifications", { socket });
    else this.#watchdogMs = watchdogInterval(environment);
  }

  /** Reports the progress of a load, which may call this often. */
  loading(doneBytes: number, totalBytes: number): void {
    const nowMs = performance.now();
    if (this.#socket === undefined || nowMs - this.#reportedMs < LOAD_PROGRESS_INTERVAL_MS) return;
    this.#reportedMs = nowMs;
    const percent = Math.floor(Math.min(1, doneBytes / Math.max(1, totalBytes)) * 100);
    this.#socket.send(`STATUS=Loading: ${percent} %\nEXTEND_TIMEOUT_USEC=${LOAD_SILENCE_MAX_MS * 1000}\n`);
  }

  /**
   * Reports a role that listens, from now on until {@linkcode stopping}.
   *
   * @param status one line on a role that is ready
   */
  serving(role: SupervisedRole, status: string): void {
    if (this.#socket === undefined && this.#file === undefined) return;
    this.#send("READY=1");
    const look = () => this.#look(role.notReady(), status);
    this.#timer = setInterval(look, this.#watchdogMs ?? SUPERVISION_INTERVAL_MS);
    look();
  }

  #look(problem: string | undefined, status: string): void {
    const text = problem === undefined ? status : `Not ready: ${problem}`;
    if (this.#unsent !== "") this.#send(this.#unsent);
    if (text !== this.#status && !this.#isStopping && this.#socket?.send(`STATUS=${text}\n`)) this.#status = text;
    if (this.#watchdogMs !== undefined) this.#socket?.send("WATCHDOG=1\n");
    if (this.#file === undefined || this.#isTouching) return;
    this.#isTouching = true;
    this.#file.show(problem === undefined).then(() => this.#noteFault(undefined), (error) => {
      this.#noteFault(messageOf(error));
    }).finally(() => this.#isTouching = false);
  }

  #noteFault(fault: string | undefined): void {
    if (fault === this.#fault) return;
    this.#fault = fault;
    const fields = { path: this.#file?.path };
    if (fault === undefined) this.#logger.info("The health file is written again", fields);
    else this.#logger.warn("Cannot write the health file", { ...fields, error: fault });
  }

  /** Reports that files are read again, which `reload` begins. */
  reloading(reload: () => void): void {
    this.#send(`RELOADING=1\nMONOTONIC_USEC=${this.#socket?.monotonicUs()}`);
    try {
      reload();
    } finally {
      this.#send("READY=1");
    }
  }

  /** Reports that the role stops. The watchdog is still called until {@linkcode close}. */
  stopping(): void {
    this.#isStopping = true;
    this.#send("STOPPING=1\nSTATUS=Stopping");
    void this.#file?.remove();
  }

  /** Ends the supervision. Idempotent. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#socket?.[Symbol.dispose]();
    this.#socket = undefined;
    if (this.#file === undefined) return;
    let timer: number | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, HEALTH_FILE_CLOSE_GRACE_MS));
    await Promise.race([this.#file.remove(), late]);
    clearTimeout(timer);
  }

  /** Sends a line, or keeps it for the next look: without it systemd would wait in vain. */
  #send(line: string): void {
    this.#unsent = this.#socket === undefined || this.#socket.send(`${line}\n`) ? "" : line;
  }
}

function readEnvironment(): SupervisionEnvironment {
  return {
    socket: Deno.env.get("NOTIFY_SOCKET"),
    watchdogUs: Deno.env.get("WATCHDOG_USEC"),
    watchdogPid: Deno.env.get("WATCHDOG_PID"),
  };
}

/** Returns how often to call the watchdog, in ms; `undefined` when it does not wait for this process. */
function watchdogInterval({ watchdogUs, watchdogPid }: SupervisionEnvironment): number | undefined {
  if (watchdogUs === undefined || !/^[0-9]{1,15}$/.test(watchdogUs) || Number(watchdogUs) === 0) return undefined;
  if (watchdogPid !== undefined && watchdogPid !== String(Deno.pid)) return undefined;
  const intervalMs = Number(watchdogUs) / 1000 / WATCHDOG_CALLS_COUNT;
  return Math.max(WATCHDOG_INTERVAL_MIN_MS, Math.min(SUPERVISION_INTERVAL_MS, intervalMs));
}
