/**
 * Warns 30, 7 and 1 days before a certificate expires, and when it has expired. If it can be renewed, that is tried
 * first.
 *
 * The clock is read every hour and when the next warning is due. Timers use the monotonic clock, so a change of the
 * system's clock is noticed within the hour.
 *
 * @module
 */

import { EXPIRY_CHECK_INTERVAL_MS, EXPIRY_WARNING_DAYS } from "../limits.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** Timers may fire a little early. */
const TIMER_SLACK_MS = 50;

/** How an expiry is watched. */
export interface ExpiryOptions {
  /** The name of the certificate at the beginning of a sentence: `The certificate "x"`. */
  readonly what: string;
  /** When the certificate expires, in ms since 1970; `undefined` when that is not known. */
  readonly expiresMs: number | undefined;
  readonly warn: (sentence: string) => void;
  /**
   * Tries to renew the certificate when it is about to expire. Resolves to whether it was renewed, and never rejects.
   */
  readonly renew?: (() => Promise<boolean>) | undefined;
  /** Returns the present in ms since 1970; for tests. */
  readonly now?: () => number;
  /** Runs a function later and returns one that cancels it; for tests. */
  readonly later?: (run: () => void, delayMs: number) => () => void;
}

function later(run: () => void, delayMs: number): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}

/** Warns when a certificate is about to expire. The first check is immediate. */
export class ExpiryWatch {
  readonly #options: ExpiryOptions;
  readonly #now: () => number;
  #expiresMs: number | undefined;
  /** The least number of days of which it has warned; 0 for expired. */
  #warnedDays = Infinity;
  #cancel: () => void = () => {};
  #closed = false;

  constructor(options: ExpiryOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#expiresMs = options.expiresMs;
    void this.#check();
  }

  /** Watches another certificate instead. */
  replace(expiresMs: number | undefined): void {
    if (expiresMs === this.#expiresMs) return;
    this.#expiresMs = expiresMs;
    this.#warnedDays = Infinity;
    void this.#check();
  }

  /** Stops warning. Idempotent. */
  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #check(): Promise<void> {
    const expiresMs = this.#expiresMs;
    const { what, warn, renew } = this.#options;
    this.#cancel();
    if (expiresMs === undefined || this.#closed) return;
    const leftMs = expiresMs - this.#now();
    const days = stageOf(leftMs);
    if (days < this.#warnedDays) {
      const isRenewed = renew !== undefined && await renew();
      if (this.#closed || this.#expiresMs !== expiresMs) return;
      if (!isRenewed) {
        this.#warnedDays = days;
        warn(`${what} ${describe(leftMs, expiresMs)}`);
      }
    }
    this.#cancel();
    this.#cancel = (this.#options.later ?? later)(() => void this.#check(), untilNext(leftMs));
  }
}

/** Returns how many days before the end the latest warning is due; 0 for expired, `Infinity` for none yet. */
function stageOf(leftMs: number): number {
  if (leftMs <= 0) return 0;
  return Math.min(Infinity, ...EXPIRY_WARNING_DAYS.filter((days) => leftMs <= days * DAY_MS));
}

/** Returns the ms until the next check. */
function untilNext(leftMs: number): number {
  const due = [0, ...EXPIRY_WARNING_DAYS].map((days) => leftMs - days * DAY_MS).filter((delayMs) => delayMs > 0);
  return Math.min(EXPIRY_CHECK_INTERVAL_MS, ...due.map((delayMs) => delayMs + TIMER_SLACK_MS));
}

function describe(leftMs: number, expiresMs: number): string {
  const date = formatMoment(expiresMs);
  if (leftMs <= 0) return `expired on ${date}: clients refuse it`;
  const hours = Math.max(1, Math.round(leftMs / HOUR_MS));
  if (hours < 48) return `expires in ${hours === 1 ? "1 hour" : `${hours} hours`}, on ${date}`;
  return `expires in ${Math.round(leftMs / DAY_MS)} days, on ${date}`;
}

/** Formats a moment to the second, such as `2027-11-30T09:00:00Z`. */
export function formatMoment(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** Returns the whole days until a moment, rounded down: 0 on the last day, and below 0 once it has passed. */
export function daysUntil(expiresMs: number, nowMs: number = Date.now()): number {
  return Math.floor((expiresMs - nowMs) / DAY_MS);
}
