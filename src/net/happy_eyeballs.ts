/**
 * Chooses an address of a name by connecting: Happy Eyeballs, version 2 (RFC 8305).
 *
 * ```text
 * addresses known   ::1  10.0.0.1  10.0.0.2            IPv6 and IPv4 alternate, IPv6 first
 *
 *  0 ms     ::1        ───────────x refused            after a failure the next begins immediately
 *  1 ms     10.0.0.1   ──────────────────────…         no response: the next begins after 250 ms
 *  251 ms   10.0.0.2   ────► connected                 the first one wins, the others are closed
 * ```
 *
 * The first attempt begins as soon as an address is known. IPv4 addresses that are found before the lookup of all
 * addresses has ended wait 50 ms for it.
 *
 * The winner may still be unusable: its TLS handshake fails, or takes too long. Its address is then not tried again,
 * and {@linkcode AddressRace.next} continues with the rest, including the addresses whose attempts were closed for it.
 *
 * An attempt that succeeds after it was cancelled is closed, so no connection leaks.
 *
 * @module
 */

import { ADDRESSES_OF_NAME_MAX_COUNT, CONNECT_ATTEMPT_DELAY_MS, CONNECT_FAMILY_DELAY_MS } from "../limits.ts";
import type { NameLookup } from "./name_lookup.ts";
import type { FoundAddresses, LookupKind } from "./system_lookup.ts";

type AddressFamily = 4 | 6;

/** Makes and closes connections to single addresses. */
export interface Dialer<T> {
  /** Connects to an address. Rejects when `signal` is aborted, immediately or later. */
  dial(address: string, signal: AbortSignal): Promise<T>;
  /** Closes a connection that is not needed. */
  hangUp(connection: T): void;
}

/** An address that is not usable, and the error that shows it. */
export interface AddressFailure {
  readonly address: string;
  readonly error: unknown;
}

/** A connection, and its address. */
export interface Winner<T> {
  readonly address: string;
  readonly connection: T;
}

/** Connects to one of several addresses. Each race makes one connection. */
export class AddressRace<T> {
  /** The addresses that have failed, in the order in which they did. */
  readonly failures: AddressFailure[] = [];
  /** The reason why the addresses could not be looked up; empty when there is none. */
  lookupProblem = "";
  readonly #dialer: Dialer<T>;
  readonly #signal: AbortSignal;
  /** The addresses that wait to be tried, by family. */
  readonly #waiting: Record<AddressFamily, string[]> = { 4: [], 6: [] };
  /** All addresses that lookups have found. */
  readonly #known = new Set<string>();
  /** Whether the lookup of all addresses is under way. */
  isLookingUp = false;
  /** The family of the next attempt, if an address of it is known. */
  #family: AddressFamily = 6;
  /** Whether known IPv4 addresses wait for the lookup of all addresses. */
  #holdsIpv4 = false;
  /** The attempts under way. */
  readonly #attempts = new Map<string, AbortController>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #outcome: PromiseWithResolvers<Winner<T> | undefined> | undefined;

  constructor(dialer: Dialer<T>, signal: AbortSignal) {
    this.#dialer = dialer;
    this.#signal = signal;
  }

  /** Adds addresses that need no lookup. They are tried in this order. */
  addKnown(addresses: readonly string[]): void {
    // In one family's list they keep their order.
    this.#family = 4;
    this.#waiting[4].push(...addresses);
  }

  /** Adds the addresses that a lookup finds, as soon as it finds them. */
  addLookup(lookup: NameLookup): void {
    this.isLookingUp = true;
    for (const kind of ["all", "ipv4"] as const) void lookup[kind].then((found) => this.#learn(kind, found));
  }

  /** Whether another address is known that may be tried. */
  get hasMore(): boolean {
    return this.#waiting[4].length + this.#waiting[6].length > 0;
  }

  /**
   * Connects to the first address that accepts. It must not be called again before its promise is settled.
   *
   * @returns the connection, which the caller owns; `undefined` when no address is left to try
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

  /** Records that an address is not usable, such as one whose handshake has failed. */
  failed(address: string, error: unknown): void {
    this.failures.push({ address, error });
  }

  #learn(kind: LookupKind, { addresses, problem }: FoundAddresses): void {
    if (kind === "ipv4" && !this.isLookingUp) return;
    if (kind === "all") {
      this.isLookingUp = false;
      this.lookupProblem = problem;
      // When asked for IPv4 only, the C library turns a ::1 in /etc/hosts into 127.0.0.1.
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

  /** Begins the next attempt, or ends the race when no address is left. */
  #step(): void {
    const address = this.#take();
    if (address !== undefined) {
      this.#schedule(CONNECT_ATTEMPT_DELAY_MS);
      void this.#try(address);
    } else if (this.#attempts.size === 0 && !this.isLookingUp) {
      this.#outcome?.resolve(undefined);
    }
  }

  /** Begins the next attempt now. */
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
      // The end of a cancelled attempt says nothing about its address.
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

  /** Cancels the attempts under way. Their addresses are the first that the next call tries. */
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
