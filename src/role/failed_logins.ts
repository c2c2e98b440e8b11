/**
 * Counts and logs wrong passwords, and delays their refusals.
 *
 * Each address that sends wrong passwords has an entry. The more recent ones there are, the longer the next refusal is
 * held back, so that guessing takes no noticeable part of the server's time:
 *
 * ```text
 * recent wrong passwords     1   2   3   4    5    6    7    8    9 …
 * held back for, in ms       0   0   0   50   100  200  400  800  1000
 * ```
 *
 * A connection is closed after its tenth wrong password. The count halves each half minute, so an address soon has no
 * delay.
 *
 * A right password is never delayed, nor is anything on an authenticated connection, since other clients may share the
 * address of one that guesses (loopback, a NAT). A client that opens a connection for each guess does not wait either,
 * but pays for a handshake each time, as any client does that only connects.
 *
 * An IPv6 host has at least a /64 to itself, so an entry covers a /64. The number of entries is bounded, and the least
 * recently used one is removed first. Passwords and users are never logged: a client may have sent its password as the
 * user.
 *
 * @module
 */

import { canonicalIpv6 } from "../address.ts";
import {
  FAILED_LOGIN_DELAY_MAX_MS,
  FAILED_LOGIN_DELAY_MIN_MS,
  FAILED_LOGIN_HALF_LIFE_MS,
  FAILED_LOGIN_REPORT_INTERVAL_MS,
  FAILED_LOGIN_REPORTS_MAX_COUNT,
  FAILED_LOGINS_FREE_COUNT,
  FAILED_LOGINS_MAX_COUNT,
  FAILING_ADDRESSES_MAX_COUNT,
} from "../limits.ts";
import { TokenBucket } from "../route/token_bucket.ts";
import type { Logger } from "./logger.ts";

/** A connection on which a wrong password was sent. */
export interface GuessingClient {
  readonly id: number;
  /** `host:port` of the peer. */
  readonly address: string;
  /** The number of wrong passwords on this connection. */
  failedLogins: number;
  /** Whether the connection is to be closed. */
  closing: boolean;
}

/** The recent wrong passwords of one address. */
interface Entry {
  /** The number of recent wrong passwords, as of `countedMs`. */
  count: number;
  countedMs: number;
  /** The number of wrong passwords that no line of the log mentions, and the time of the last line. */
  unreported: number;
  reportedMs: number;
}

/** The wrong passwords that one role was sent. */
export class FailedLogins {
  /** The number of wrong passwords since the start, or since the counts were reset. */
  count = 0;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #bucket = new TokenBucket(FAILED_LOGIN_REPORTS_MAX_COUNT, FAILED_LOGIN_REPORT_INTERVAL_MS);
  /** An upper bound of the number of entries with unreported passwords. */
  #unreported = 0;
  #lookedMs = 0;

  /** @param now returns the ms of a monotonic clock */
  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /** The number of remembered addresses. */
  get addresses(): number {
    return this.#entries.size;
  }

  /**
   * Counts a wrong password.
   *
   * @returns how long its refusal is to be held back, in ms
   */
  note(client: GuessingClient): number {
    this.count++;
    if (++client.failedLogins >= FAILED_LOGINS_MAX_COUNT) client.closing = true;
    const nowMs = this.#now();
    const key = addressKey(client.address);
    const entry = this.#entryOf(key, nowMs);
    entry.count = decayed(entry, nowMs) + 1;
    entry.countedMs = nowMs;
    if (entry.unreported++ === 0) this.#unreported++;
    if (nowMs - entry.reportedMs >= FAILED_LOGIN_REPORT_INTERVAL_MS && this.#bucket.take(nowMs)) {
      this.#report(entry, nowMs, { client: client.address, id: client.id });
    }
    return delayFor(entry.count);
  }

  /** Logs the wrong passwords that no line mentions, once lines may be written. It is called regularly. */
  reportOthers(): void {
    if (this.#unreported === 0) return;
    const nowMs = this.#now();
    if (nowMs - this.#lookedMs < FAILED_LOGIN_REPORT_INTERVAL_MS / 10) return;
    this.#lookedMs = nowMs;
    for (const [key, entry] of this.#entries) {
      if (entry.unreported === 0 || nowMs - entry.reportedMs < FAILED_LOGIN_REPORT_INTERVAL_MS) continue;
      if (!this.#bucket.take(nowMs)) return;
      this.#report(entry, nowMs, { from: key });
    }
  }

  #report(entry: Entry, nowMs: number, who: Record<string, string | number>): void {
    this.#logger.warn("Wrong password", { ...who, ...entry.unreported > 1 && { times: entry.unreported } });
    entry.unreported = 0;
    entry.reportedMs = nowMs;
    this.#unreported--;
  }

  /** Returns the entry of an address, which becomes the most recently used one. */
  #entryOf(key: string, nowMs: number): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) this.#entries.delete(key);
    else if (this.#entries.size >= FAILING_ADDRESSES_MAX_COUNT) this.#forgetOldest();
    const entry = known ?? { count: 0, countedMs: nowMs, unreported: 0, reportedMs: -Infinity };
    this.#entries.set(key, entry);
    return entry;
  }

  #forgetOldest(): void {
    const [oldest] = this.#entries;
    if (oldest === undefined) return;
    if (oldest[1].unreported > 0) this.#unreported--;
    this.#entries.delete(oldest[0]);
  }
}

function decayed({ count, countedMs }: Entry, nowMs: number): number {
  return count * 0.5 ** ((nowMs - countedMs) / FAILED_LOGIN_HALF_LIFE_MS);
}

function delayFor(count: number): number {
  const beyond = Math.ceil(count) - FAILED_LOGINS_FREE_COUNT;
  if (beyond <= 0) return 0;
  return Math.min(FAILED_LOGIN_DELAY_MIN_MS * 2 ** (beyond - 1), FAILED_LOGIN_DELAY_MAX_MS);
}

/**
 * Returns the part of a peer's address that is remembered: an IPv4 address, even if it is written as IPv6, or the first
 * 64 bits of an IPv6 address.
 *
 * @param address `host:port`, with brackets around an IPv6 address
 */
export function addressKey(address: string): string {
  const plain = address.replace(/:[0-9]*$/, "").replace(/^\[|\]$/g, "").replace(/%.*$/, "");
  const host = canonicalIpv6(plain) ?? plain;
  if (!host.includes(":")) return host;
  const [before = "", after] = host.split("::", 2);
  const groups = before === "" ? [] : before.split(":");
  if (after !== undefined) {
    const tail = after === "" ? [] : after.split(":");
    while (groups.length + tail.length < 8) groups.push("0");
    groups.push(...tail);
  }
  return `${groups.slice(0, 4).join(":")}::/64`;
}
