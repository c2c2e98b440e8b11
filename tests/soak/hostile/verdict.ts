/**
 * Decides whether an attack was withstood: the bounds, and the attacks that may take longer, each with its reason.
 *
 * @module
 */

import type { Observation } from "./observer.ts";

/** The longest time that a main thread may run between two replies of the observer, in ms. */
export const STEP_MAX_MS = 10;
/** The longest time that a main thread may run for an attack in {@linkcode SLOW}, in ms. */
export const SLOW_STEP_MAX_MS = 50;

/** The longest time that the observer may wait while no main thread has anything to do, in ms. */
export const STILL_MAX_MS = 1_000;

const MB = 1024 * 1024;

/** The attacks that may hold a main thread for up to {@linkcode SLOW_STEP_MAX_MS}, with the reasons. */
export const SLOW: ReadonlyMap<string, string> = new Map([
  ["set-60mb", "a value is copied into the store in one go, and the system gives its pages one by one"],
  ["append-60mb", "as set"],
  ["setrange-64mb", "as set"],
  ["copy-64mb", "as set"],
  ["echo-60mb", "an argument is copied into the reply in one go"],
]);

/** The measurements of an attack. */
export interface Evidence {
  readonly seen: Observation;
  /** The largest resident memory of each process. */
  readonly peaks: readonly number[];
  /** The bound of each process, if it has one. */
  readonly bounds: readonly (number | undefined)[];
  /** Whether all processes run and serve a new client. */
  readonly isAlive: boolean;
  /** The faults that the attack itself has found. */
  readonly faults: readonly string[];
}

/**
 * Judges an attack.
 *
 * @param isSmall whether sizes are so small that the length of a step says little. All attacks may then take as long as
 * the slow ones
 * @returns the reasons why the attack was not withstood; empty when it was
 */
export function judge(name: string, evidence: Evidence, isSmall = false): string[] {
  const { seen, peaks, bounds, isAlive, faults } = evidence;
  const reasons: string[] = [];
  const stepMaxMs = isSmall || SLOW.has(name) ? SLOW_STEP_MAX_MS : STEP_MAX_MS;
  if (seen.longestStepMs > stepMaxMs) reasons.push(`step > ${stepMaxMs} ms`);
  if (seen.longestStillMs > STILL_MAX_MS && !seen.killed) {
    reasons.push(`stood still for ${seen.longestStillMs.toFixed(0)} ms`);
  }
  peaks.forEach((bytes, i) => {
    const bound = bounds[i];
    if (bound !== undefined && bytes > bound) {
      reasons.push(`${(bytes / MB).toFixed(0)} MB > ${(bound / MB).toFixed(0)} MB`);
    }
  });
  if (seen.killed) reasons.push("killed for its memory");
  else if (!isAlive) reasons.push("process has ended, or serves no client");
  if (seen.wrong > 0) reasons.push(`observer: ${seen.wrong} wrong replies: ${seen.messages[0]}`);
  // A process that was killed serves no client.
  if (seen.errors > 0 && !seen.killed) reasons.push(`observer: ${seen.errors} errors: ${seen.messages[0]}`);
  return [...reasons, ...faults].map((reason) => reason.replaceAll(/\s+/g, " ").slice(0, 160));
}
