/**
 * A role's life as a process: it runs until a signal stops it in order, and its exit status shows how it ended.
 *
 * | event | exit status |
 * |---|---|
 * | SIGTERM or SIGINT, and everything ended in order | 0 |
 * | SIGTERM or SIGINT, but something failed while stopping, such as the last snapshot | 1 |
 * | a second SIGTERM or SIGINT before the end | 143 or 130, immediately |
 * | an uncaught exception: a bug | 1, immediately |
 *
 * SIGHUP does not end a role: it reads certificates, keys, passwords and the list of servers again.
 *
 * @module
 */

import { stackOf } from "../errors.ts";
import type { Logger } from "./logger.ts";
import type { Reloading } from "./reloading.ts";
import type { Supervision } from "./supervision.ts";

/** The signals that stop a role, with the exit status that a shell reports for a program that they kill. */
const STOP_SIGNALS = { SIGTERM: 143, SIGINT: 130 } as const;
/**
 * The signals that would kill the process but are not a reason to end: a closed terminal, a peer or a file limit, a
 * stray kill.
 */
const IGNORED_SIGNALS = ["SIGHUP", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGXFSZ"] as const;

/** A running role. */
export interface Stoppable {
  /** Ends everything in order. Rejects when something was lost. */
  stop(): Promise<void>;
  /** Reads again the role's other files that may have been replaced. */
  reload?(): void;
}

/**
 * Ignores signals that are not a reason to end. It is meant for a start that writes: reaching a file limit would kill
 * the process without notice.
 *
 * @returns a function that stops ignoring them
 */
export function ignoreStraySignals(): () => void {
  const ignore = () => {};
  for (const signal of IGNORED_SIGNALS) Deno.addSignalListener(signal, ignore);
  return () => {
    for (const signal of IGNORED_SIGNALS) Deno.removeSignalListener(signal, ignore);
  };
}

/**
 * Waits until the role is stopped. Signals are handled as soon as this is called.
 *
 * @param files files that are read again on SIGHUP, and followed until the role stops
 * @param supervision is notified of each event, and closed at the end
 * @returns the exit status
 */
export async function runUntilStopped(
  role: Stoppable,
  files: Pick<Reloading, "reload" | "close">,
  logger: Logger,
  supervision: Pick<Supervision, "reloading" | "stopping" | "close">,
): Promise<number> {
  const ended = Promise.withResolvers<number>();
  const cleanups: (() => void)[] = [];
  const listen = (signal: Deno.Signal, handler: () => void) => {
    Deno.addSignalListener(signal, handler);
    cleanups.push(() => Deno.removeSignalListener(signal, handler));
  };
  let stopping = false;
  const onStop = (signal: keyof typeof STOP_SIGNALS) => {
    if (stopping) return ended.resolve(STOP_SIGNALS[signal]);
    stopping = true;
    logger.info(`Stopping after ${signal}`);
    supervision.stopping();
    files.close();
    role.stop().then(() => ended.resolve(0), (error) => {
      logger.error("Cannot stop in order", { error: String(error) });
      ended.resolve(1);
    });
  };
  const onBug = (event: Event, error: unknown) => {
    event.preventDefault();
    logger.error("A bug of inmem ended it; please report it", { error: stackOf(error) });
    ended.resolve(1);
  };
  const onRejection = (event: PromiseRejectionEvent) => onBug(event, event.reason);
  const onError = (event: ErrorEvent) => onBug(event, event.error);
  for (const signal of Object.keys(STOP_SIGNALS) as (keyof typeof STOP_SIGNALS)[]) listen(signal, () => onStop(signal));
  cleanups.push(ignoreStraySignals());
  listen("SIGHUP", () => {
    if (stopping) return;
    logger.info("Reading files again after SIGHUP");
    supervision.reloading(() => {
      files.reload();
      role.reload?.();
    });
  });
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onError);
  try {
    return await ended.promise;
  } finally {
    removeEventListener("unhandledrejection", onRejection);
    removeEventListener("error", onError);
    for (const cleanup of cleanups) cleanup();
    await supervision.close();
  }
}
