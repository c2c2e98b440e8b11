/**
 * Wrong passwords: counted, told in the log, and answered late.
 *
 * Each address from which they come has an entry. The more there were of late, the longer the refusal of the next one is held
 * back, so that guessing takes no noticeable part of the server's time:
 *
 * ```text
 * wrong passwords of late    1   2   3   4    5    6    7    8    9 …
 * held back for, in ms       0   0   0   50   100  200  400  800  1000
 * ```
 *
 * A connection ends after its tenth. What was counted halves each half minute, so an address is soon as good as new.
 *
 * A right password is never held back, nor is anything on a connection that is authenticated: behind one address (loopback, a
 * NAT) there may be others than the one who guesses. Who opens a connection for each guess does not wait either, but pays for
 * a handshake each time, as anybody who only connects does.
 *
 * An IPv6 host has at least a /64 to itself, so that is what an entry is of. There is a bounded number of entries, of which the
 * one that was not used for longest goes first. Passwords and users are never told: a user's place may hold a password.
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

/** A connection on which a wrong password was given. */
export interface GuessingClient {
  readonly id: number;
  /** `host:port` of the peer. */
  readonly address: string;
  /** Wrong passwords on this connection. */
  failedLogins: number;
  /** Set when the connection is to end. */
  closing: boolean;
}

/** What is known of one address. */
interface Entry {
  /** Wrong passwords of late, as of `countedMs`. */
  count: number;
  countedMs: number;
  /** Those of them that no line is about, and when the last line was written. */
  untold: number;
  toldMs: number;
}

/** The wrong passwords that one role was given. */
export class FailedLogins {
  /** Since the start, or since the counts were set to zero. */
  count = 0;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  readonly #bucket = new TokenBucket(FAILED_LOGIN_REPORTS_MAX_COUNT, FAILED_LOGIN_REPORT_INTERVAL_MS);
  /** Entries with something untold, at most. */
  #untold = 0;
  #lookedMs = 0;

  /** @param now ms of a clock that never goes back */
  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /** Addresses that are remembered. */
  get addresses(): number {
    return this.#entries.size;
  }

  /**
   * Takes note of a wrong password.
   *
   * @returns for how long its refusal is to be held back, in ms
   */
  note(client: GuessingClient): number {
    this.count++;
    if (++client.failedLogins >= FAILED_LOGINS_MAX_COUNT) client.closing = true;
    const nowMs = this.#now();
    const key = addressKey(client.address);
    const entry = this.#entryOf(key, nowMs);
    entry.count = decayed(entry, nowMs) + 1;
    entry.countedMs = nowMs;
    if (entry.untold++ === 0) this.#untold++;
    if (nowMs - entry.toldMs >= FAILED_LOGIN_REPORT_INTERVAL_MS && this.#bucket.take(nowMs)) {
      this.#tell(entry, nowMs, { client: client.address, id: client.id });
    }
    return delayFor(entry.count);
  }

  /** Tells of those that no line is about, once more may be written. To be called now and then. */
  tellOthers(): void {
    if (this.#untold === 0) return;
    const nowMs = this.#now();
    if (nowMs - this.#lookedMs < FAILED_LOGIN_REPORT_INTERVAL_MS / 10) return;
    this.#lookedMs = nowMs;
    for (const [key, entry] of this.#entries) {
      if (entry.untold === 0 || nowMs - entry.toldMs < FAILED_LOGIN_REPORT_INTERVAL_MS) continue;
      if (!this.#bucket.take(nowMs)) return;
      this.#tell(entry, nowMs, { from: key });
    }
  }

  #tell(entry: Entry, nowMs: number, who: Record<string, string | number>): void {
    this.#logger.warn("Wrong password", { ...who, ...entry.untold > 1 && { times: entry.untold } });
    entry.untold = 0;
    entry.toldMs = nowMs;
    this.#untold--;
  }

  /** The entry of an address, which becomes the one used last. */
  #entryOf(key: string, nowMs: number): Entry {
    const known = this.#entries.get(key);
    if (known !== undefined) this.#entries.delete(key);
    else if (this.#entries.size >= FAILING_ADDRESSES_MAX_COUNT) this.#forgetOldest();
    const entry = known ?? { count: 0, countedMs: nowMs, untold: 0, toldMs: -Infinity };
    this.#entries.set(key, entry);
    return entry;
  }

  #forgetOldest(): void {
    const [oldest] = this.#entries;
    if (oldest === undefined) return;
    if (oldest[1].untold > 0) this.#untold--;
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
 * Returns what of a peer's address is remembered: an IPv4 address, also where it is written as IPv6, or the first 64 bits of an
 * IPv6 address.
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
