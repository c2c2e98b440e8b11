/**
 * Looks names up, so that a lookup that hangs does not delay others.
 *
 * A lookup cannot be cancelled. It occupies one of 32 threads that files need as well. Hence:
 *
 * - Concurrent callers with the same name share a lookup. A caller that has waited long enough stops waiting.
 * - At most `LOOKUPS_MAX_COUNT` lookups run at a time, two for each name (system_lookup.ts). Further names wait.
 * - A name whose last lookup took long is slow. Slow names may use half of the threads, so names of /etc/hosts are
 *   found immediately even when a name server does not respond.
 *
 * There is no cache: the addresses of a name may change at any time.
 *
 * @module
 */

import { LOOKUP_SLOW_MS, LOOKUPS_MAX_COUNT, LOOKUPS_WAITING_MAX_COUNT } from "../limits.ts";
import { type FoundAddresses, lookUpInSystem, type LookupKind } from "./system_lookup.ts";

/** The number of lookups for each name. */
const LOOKUPS_OF_NAME = 2;

/** The two lookups of one name. `ipv4` does not matter once `all` is settled. Neither promise rejects. */
export type NameLookup = Readonly<Record<LookupKind, Promise<FoundAddresses>>>;

/** A function that looks a name up. Its promise never rejects. */
type LookUp = (name: string, kind: LookupKind) => Promise<FoundAddresses>;

/** The lookup of a name, which runs or waits. */
class SharedLookup {
  readonly name: string;
  readonly isSlow: boolean;
  readonly results: NameLookup;
  readonly #resolvers: Readonly<Record<LookupKind, PromiseWithResolvers<FoundAddresses>>>;

  constructor(name: string, isSlow: boolean) {
    this.name = name;
    this.isSlow = isSlow;
    this.#resolvers = { all: Promise.withResolvers(), ipv4: Promise.withResolvers() };
    this.results = { all: this.#resolvers.all.promise, ipv4: this.#resolvers.ipv4.promise };
  }

  /** Looks the name up. `ended` is called before the promise of that lookup resolves. */
  run(lookUp: LookUp, ended: (kind: LookupKind) => void): void {
    const run = async (kind: LookupKind) => {
      const found = await lookUp(this.name, kind);
      ended(kind);
      this.#resolvers[kind].resolve(found);
    };
    void run("all");
    void run("ipv4");
  }
}

/** The names that are being looked up. A process has one such object; tests make their own. */
export class NameLookups {
  readonly #lookUp: LookUp;
  /** The lookups that run or wait, by name. */
  readonly #shared = new Map<string, SharedLookup>();
  readonly #waiting: SharedLookup[] = [];
  /** The number of lookups under way. */
  #running = 0;
  /** The number of lookups under way for slow names. */
  #runningSlow = 0;
  /** The names whose last lookup took long. */
  readonly #slow = new Set<string>();

  constructor(lookUp: LookUp) {
    this.#lookUp = lookUp;
  }

  /** Looks a name up, or returns the lookup of that name that is under way. */
  find(name: string): NameLookup {
    const known = this.#shared.get(name);
    if (known !== undefined) return known.results;
    if (this.#waiting.length >= LOOKUPS_WAITING_MAX_COUNT) {
      const none = Promise.resolve({ addresses: [], problem: "too many names are waiting to be looked up" });
      return { all: none, ipv4: none };
    }
    const lookup = new SharedLookup(name, this.#slow.has(name));
    this.#shared.set(name, lookup);
    this.#waiting.push(lookup);
    this.#start();
    return lookup.results;
  }

  #start(): void {
    while (this.#running + LOOKUPS_OF_NAME <= LOOKUPS_MAX_COUNT) {
      const hasRoomForSlow = this.#runningSlow + LOOKUPS_OF_NAME <= LOOKUPS_MAX_COUNT / 2;
      const index = this.#waiting.findIndex(({ isSlow }) => !isSlow || hasRoomForSlow);
      if (index < 0) return;
      const [lookup] = this.#waiting.splice(index, 1);
      this.#run(lookup!);
    }
  }

  #run(lookup: SharedLookup): void {
    const { name, isSlow } = lookup;
    this.#running += LOOKUPS_OF_NAME;
    if (isSlow) this.#runningSlow += LOOKUPS_OF_NAME;
    const startedMs = performance.now();
    lookup.run(this.#lookUp, (kind) => {
      this.#running--;
      if (isSlow) this.#runningSlow--;
      if (kind === "all") {
        this.#shared.delete(name);
        this.#slow.delete(name);
        if (performance.now() - startedMs >= LOOKUP_SLOW_MS) this.#noteSlow(name);
      }
      this.#start();
    });
  }

  #noteSlow(name: string): void {
    // The oldest one is removed.
    if (this.#slow.size >= LOOKUPS_WAITING_MAX_COUNT) this.#slow.delete(this.#slow.values().next().value!);
    this.#slow.add(name);
  }
}

/** The lookups of this process. */
export const systemLookups: NameLookups = new NameLookups(lookUpInSystem);
