/**
 * Looks names up, so that one which hangs holds up nobody else.
 *
 * A lookup cannot be cancelled and waits in a thread of a pool of 32 that files need as well. Hence:
 *
 * - All who want the same name at the same time wait for the same lookup. Whoever has waited long enough just leaves.
 * - Only so many lookups are under way, two a name (system_lookup.ts); the others wait for their turn.
 * - A name that took long the last time is slow, and slow names have half of the places: where a name server does not
 *   respond, names of /etc/hosts still get an answer at once.
 *
 * Nothing is kept once all addresses of a name are known: it may move at any time.
 *
 * @module
 */

import { LOOKUP_SLOW_MS, LOOKUPS_MAX_COUNT, LOOKUPS_WAITING_MAX_COUNT } from "../limits.ts";
import { type FoundAddresses, lookUpInSystem, type LookupKind } from "./system_lookup.ts";

/** How many lookups each name takes. */
const LOOKUPS_OF_NAME = 2;

/** The answers for one name: each comes when it is known. `ipv4` is of no interest once `all` is there. Neither rejects. */
export type NameLookup = Readonly<Record<LookupKind, Promise<FoundAddresses>>>;

/** What looks a name up. Never rejects. */
type LookUp = (name: string, kind: LookupKind) => Promise<FoundAddresses>;

/** A lookup that runs or waits for its turn. */
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

  /** Looks the name up. Before anybody is told what a lookup has found, `ended` is called. */
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

/** The names that are being looked up. One a process, but in tests. */
export class NameLookups {
  readonly #lookUp: LookUp;
  /** Those that run or wait, by name. */
  readonly #shared = new Map<string, SharedLookup>();
  readonly #waiting: SharedLookup[] = [];
  /** Lookups under way. */
  #running = 0;
  #runningSlow = 0;
  /** Names that took long the last time. */
  readonly #slow = new Set<string>();

  constructor(lookUp: LookUp) {
    this.#lookUp = lookUp;
  }

  /** Looks a name up, or joins whoever does so already. */
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
    const begunMs = performance.now();
    lookup.run(this.#lookUp, (kind) => {
      this.#running--;
      if (isSlow) this.#runningSlow--;
      if (kind === "all") {
        this.#shared.delete(name);
        this.#slow.delete(name);
        if (performance.now() - begunMs >= LOOKUP_SLOW_MS) this.#noteSlow(name);
      }
      this.#start();
    });
  }

  #noteSlow(name: string): void {
    // The one that is known longest is forgotten.
    if (this.#slow.size >= LOOKUPS_WAITING_MAX_COUNT) this.#slow.delete(this.#slow.values().next().value!);
    this.#slow.add(name);
  }
}

/** Those of this process. */
export const systemLookups: NameLookups = new NameLookups(lookUpInSystem);
