/**
 * Looks names up, so that one which hangs holds up nobody else.
 *
 * A lookup cannot be cancelled and waits in a thread of a pool of 32 that files need as well. Hence:
 *
 * - All who want the same name at the same time wait for the same lookup. Whoever has waited long enough just leaves.
 * - So many names are looked up at a time, in the order in which they were asked for, and the others wait for their turn.
 * - A name that took long the last time is slow, and slow names have half of the places: where a name server does not
 *   respond, names of /etc/hosts still get an answer at once.
 *
 * Nothing is kept once it was told: a name may move at any time.
 *
 * @module
 */

import { LOOKUP_SLOW_MS, LOOKUPS_MAX_COUNT, LOOKUPS_WAITING_MAX_COUNT } from "../limits.ts";
import { type AddressFamily, type FoundAddresses, lookUpInSystem } from "./system_lookup.ts";

/** The answers for one name: each comes when it is known. Neither rejects. */
export type NameLookup = Readonly<Record<AddressFamily, Promise<FoundAddresses>>>;

/** What looks one family up. Never rejects. */
type LookUpFamily = (name: string, family: AddressFamily) => Promise<FoundAddresses>;

/** A lookup that runs or waits for its turn. */
class SharedLookup {
  readonly name: string;
  readonly isSlow: boolean;
  readonly results: NameLookup;
  readonly #resolvers: Readonly<Record<AddressFamily, PromiseWithResolvers<FoundAddresses>>>;

  constructor(name: string, isSlow: boolean) {
    this.name = name;
    this.isSlow = isSlow;
    this.#resolvers = { 4: Promise.withResolvers(), 6: Promise.withResolvers() };
    this.results = { 4: this.#resolvers[4].promise, 6: this.#resolvers[6].promise };
  }

  /** Resolves when both families are known. */
  async run(lookUp: LookUpFamily): Promise<void> {
    const run = async (family: AddressFamily) => this.#resolvers[family].resolve(await lookUp(this.name, family));
    await Promise.all([run(6), run(4)]);
  }
}

/** The names that are being looked up. One a process, but in tests. */
export class NameLookups {
  readonly #lookUp: LookUpFamily;
  /** Those that run or wait, by name. */
  readonly #shared = new Map<string, SharedLookup>();
  readonly #waiting: SharedLookup[] = [];
  #running = 0;
  #runningSlow = 0;
  /** Names that took long the last time. */
  readonly #slow = new Set<string>();

  constructor(lookUp: LookUpFamily) {
    this.#lookUp = lookUp;
  }

  /** Looks a name up, or joins whoever does so already. */
  find(name: string): NameLookup {
    const known = this.#shared.get(name);
    if (known !== undefined) return known.results;
    if (this.#waiting.length >= LOOKUPS_WAITING_MAX_COUNT) {
      const none = Promise.resolve({ addresses: [], problem: "too many names are waiting to be looked up" });
      return { 4: none, 6: none };
    }
    const lookup = new SharedLookup(name, this.#slow.has(name));
    this.#shared.set(name, lookup);
    this.#waiting.push(lookup);
    this.#start();
    return lookup.results;
  }

  #start(): void {
    while (this.#running < LOOKUPS_MAX_COUNT) {
      const hasRoomForSlow = this.#runningSlow < LOOKUPS_MAX_COUNT / 2;
      const index = this.#waiting.findIndex(({ isSlow }) => !isSlow || hasRoomForSlow);
      if (index < 0) return;
      const [lookup] = this.#waiting.splice(index, 1);
      this.#run(lookup!);
    }
  }

  async #run(lookup: SharedLookup): Promise<void> {
    const { name, isSlow } = lookup;
    this.#running++;
    if (isSlow) this.#runningSlow++;
    const begunMs = performance.now();
    await lookup.run(this.#lookUp);
    this.#running--;
    if (isSlow) this.#runningSlow--;
    this.#shared.delete(name);
    this.#slow.delete(name);
    if (performance.now() - begunMs >= LOOKUP_SLOW_MS) this.#noteSlow(name);
    this.#start();
  }

  #noteSlow(name: string): void {
    // The one that is known longest is forgotten.
    if (this.#slow.size >= LOOKUPS_WAITING_MAX_COUNT) this.#slow.delete(this.#slow.values().next().value!);
    this.#slow.add(name);
  }
}

/** Those of this process. */
export const systemLookups: NameLookups = new NameLookups(lookUpInSystem);
