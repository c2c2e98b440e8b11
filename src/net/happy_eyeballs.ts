/**
 * Chooses an address of a name by connecting: Happy Eyeballs, version 2 (RFC 8305).
 *
 * ```text
 * addresses known   ::1  10.0.0.1  10.0.0.2            in turn of one family and the other, IPv6 first
 *
 *  0 ms     ::1        ───────────x refused            a failure lets the next begin at once
 *  1 ms     10.0.0.1   ──────────────────────…         silent: the next begins after 250 ms
 *  251 ms   10.0.0.2   ────► connected                 the first one wins, the others are closed
 * ```
 *
 * IPv4 addresses that are known before all are wait 50 ms for them. Connections are tried as soon as there is an address.
 *
 * Who wins may still be of no use: its TLS handshake fails, or takes too long. It is then tried no more, and
 * {@linkcode AddressRace.next} goes on with the rest; those that had been closed for it are tried again.
 *
 * Nothing is left behind: an attempt that succeeds after it was given up is closed, whenever that may be.
 *
 * @module
 */

import { ADDRESSES_OF_NAME_MAX_COUNT, CONNECT_ATTEMPT_DELAY_MS, CONNECT_FAMILY_DELAY_MS } from "../limits.ts";
import type { NameLookup } from "./name_lookup.ts";
import type { FoundAddresses, LookupKind } from "./system_lookup.ts";

type AddressFamily = 4 | 6;

/** How one address is connected to. */
export interface Dialer<T> {
  /** Connects. Rejects when `signal` is aborted, at once or later. */
  dial(address: string, signal: AbortSignal): Promise<T>;
  /** Gives up a connection that was made. */
  hangUp(connection: T): void;
}

/** An address that is of no use, and why. */
export interface AddressFailure {
  readonly address: string;
  readonly error: unknown;
}

/** A connection that was made. */
export interface Winner<T> {
  readonly address: string;
  readonly connection: T;
}

/** Connects to one of several addresses. For one connection: make another for the next. */
export class AddressRace<T> {
  /** The addresses that were tried in vain, in the order in which they failed. */
  readonly failures: AddressFailure[] = [];
  /** Why the addresses could not be looked up; empty when there was no such problem. */
  lookupProblem = "";
  readonly #dialer: Dialer<T>;
  readonly #signal: AbortSignal;
  /** The addresses that wait to be tried, by family. */
  readonly #waiting: Record<AddressFamily, string[]> = { 4: [], 6: [] };
  /** All addresses that were ever known. */
  readonly #known = new Set<string>();
  /** Whether the lookup of all addresses has not ended. */
  isLookingUp = false;
  /** What is to come next, of addresses that are known. */
  #family: AddressFamily = 6;
  /** Whether IPv4 still waits for IPv6 to be known. */
  #holdsIpv4 = false;
  /** The attempts under way. */
  readonly #attempts = new Map<string, AbortController>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #outcome: PromiseWithResolvers<Winner<T> | undefined> | undefined;

  constructor(dialer: Dialer<T>, signal: AbortSignal) {
    this.#dialer = dialer;
    this.#signal = signal;
  }

  /** Takes addresses that need no lookup, to be tried in this order. */
  addKnown(addresses: readonly string[]): void {
    // As if they were of one family, so that they keep their order.
    this.#family = 4;
    this.#waiting[4].push(...addresses);
  }

  /** Takes what a lookup finds, as it comes. */
  addLookup(lookup: NameLookup): void {
    this.isLookingUp = true;
    for (const kind of ["all", "ipv4"] as const) void lookup[kind].then((found) => this.#learn(kind, found));
  }

  /** Whether another address is known that may be tried. */
  get hasMore(): boolean {
    return this.#waiting[4].length + this.#waiting[6].length > 0;
  }

  /**
   * Connects to the first address that takes it. Not to be called again before it has settled.
   *
   * @returns the connection, which is the caller's; `undefined` when there is no address left to try
   * @throws the signal's reason
   */
  async next(): Promise<Winner<T> | undefined> {
    this.#signal.throwIfAborted();
    const outcome = this.#outcome = Promise.withResolvers();
    const abort = () => {
      outcome.reject(this.#signal.reason);
      this.#rest();
    };
    this.#signal.addEventListener("abort", abort, { once: true });
    this.#step();
    try {
      return await outcome.promise;
    } finally {
      this.#signal.removeEventListener("abort", abort);
      this.#rest();
    }
  }

  /** Takes note that a connection which was made is of no use. */
  failed(address: string, error: unknown): void {
    this.failures.push({ address, error });
  }

  #learn(kind: LookupKind, { addresses, problem }: FoundAddresses): void {
    if (kind === "ipv4" && !this.isLookingUp) return;
    if (kind === "all") {
      this.isLookingUp = false;
      this.lookupProblem = problem;
      // Asked for IPv4 alone, the C library makes 127.0.0.1 of a ::1 in /etc/hosts.
      if (problem === "") this.#waiting[4] = this.#waiting[4].filter((address) => addresses.includes(address));
    }
    for (const address of addresses) {
      if (this.#known.has(address) || this.#known.size >= ADDRESSES_OF_NAME_MAX_COUNT) continue;
      this.#known.add(address);
      this.#waiting[address.includes(":") ? 6 : 4].push(address);
    }
    if (this.#outcome === undefined) return;
    if (kind === "ipv4") {
      if (addresses.length === 0) return;
      this.#holdsIpv4 = true;
      this.#schedule(CONNECT_FAMILY_DELAY_MS);
    } else if (this.#holdsIpv4) {
      this.#goOn();
    } else if (this.#timer === undefined) {
      this.#step();
    }
  }

  /** Begins the next attempt, or tells that there is none. */
  #step(): void {
    const address = this.#take();
    if (address !== undefined) {
      this.#schedule(CONNECT_ATTEMPT_DELAY_MS);
      void this.#try(address);
    } else if (this.#attempts.size === 0 && !this.isLookingUp) {
      this.#outcome?.resolve(undefined);
    }
  }

  /** Begins the next attempt without waiting any longer. */
  #goOn(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#holdsIpv4 = false;
    this.#step();
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#goOn(), delayMs);
  }

  #take(): string | undefined {
    const other = this.#family === 6 ? 4 : 6;
    const family = this.#waiting[this.#family].length > 0 ? this.#family : other;
    const address = this.#waiting[family].shift();
    if (address !== undefined) this.#family = family === 6 ? 4 : 6;
    return address;
  }

  async #try(address: string): Promise<void> {
    const attempt = new AbortController();
    const outcome = this.#outcome!;
    this.#attempts.set(address, attempt);
    let connection: T;
    try {
      connection = await this.#dialer.dial(address, attempt.signal);
    } catch (error) {
      // One that was given up says nothing of its address.
      if (attempt.signal.aborted) return;
      this.#attempts.delete(address);
      this.failed(address, error);
      return this.#goOn();
    }
    if (attempt.signal.aborted) return this.#dialer.hangUp(connection);
    this.#attempts.delete(address);
    outcome.resolve({ address, connection });
    this.#rest();
  }

  /** Gives up what is under way. Those addresses are the first to be tried when it goes on. */
  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#holdsIpv4 = false;
    this.#outcome = undefined;
    for (const [address, attempt] of this.#attempts) {
      attempt.abort();
      this.#waiting[address.includes(":") ? 6 : 4].unshift(address);
    }
    this.#attempts.clear();
  }
}
