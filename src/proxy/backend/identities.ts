/**
 * Which server each entry of the list leads to, by what the server says of itself, not by how its address is spelled.
 *
 * One server may have several addresses, and with two of them in the list it would be counted twice, and send each message
 * twice; and a list may name the proxy itself. So the first thing that the proxy asks on each connection, together with the
 * greeting, is `info server`. No request of a client is sent before that is answered. It costs no round trip, and nothing
 * later. What is refused is down, with the reason, as a server is that does not work: its requests fail, and nothing is
 * counted, sent or found twice.
 *
 * | who answers | then |
 * |---|---|
 * | the proxy itself | refused |
 * | another proxy | refused: its list may lead back here, or to servers that this list names too |
 * | a server that an earlier entry leads to | refused |
 * | a server that a later entry leads to | that entry is refused from now on, and this one connects once more |
 * | another server than on the entry's other connections | those are closed: an entry is one server at a time |
 * | one that has no run id (an old version, another kind of server) | taken; it cannot be told from others |
 *
 * That the earlier entry stays, whichever connects first, lets all proxies with one list agree. It connects once more because
 * what the later entry has replied already must not be added to its own reply.
 *
 * A name that leads to several servers is no entry for one server: with each that answers, the connections to the other end.
 *
 * @module
 */

import { ConnectionError } from "../../errors.ts";
import type { Pool } from "../../route/pool.ts";

const MOVED = "its address leads to another server now";

/** What a server says of itself. */
export interface Identity {
  /** `undefined` when it has none. */
  readonly runId: string | undefined;
  readonly isProxy: boolean;
}

/** Reads the text of `info server`. */
export function parseIdentity(text: string): Identity {
  return { runId: /^run_id:([0-9A-Za-z]{1,64})\r?$/m.exec(text)?.[1], isProxy: /^role:proxy\r?$/m.test(text) };
}

/** What is needed of an entry's pool. */
export type Entry = Pick<Pool, "address" | "expel" | "reconnect">;

/** Who each entry is. One for a whole proxy. */
export class Identities {
  readonly #ownRunId: string;
  readonly #cluster: { readonly pools: readonly Entry[] };
  readonly #lose: (address: string, reason: string) => void;
  /** The entries when somebody was admitted last. */
  #pools: readonly Entry[] = [];
  /** The run id that each entry had last, by its address. */
  readonly #known = new Map<string, string>();
  /** Why entries are refused, by their address. */
  readonly #problems = new Map<string, string>();

  /**
   * @param cluster has the servers in the order of the list
   * @param lose ends those connections to a server that are not of its pool
   */
  constructor(
    ownRunId: string,
    cluster: { readonly pools: readonly Entry[] },
    lose: (address: string, reason: string) => void,
  ) {
    this.#ownRunId = ownRunId;
    this.#cluster = cluster;
    this.#lose = lose;
  }

  /** Whether the list is to blame for it that the server at `address` is down. */
  isMistaken(address: string): boolean {
    return this.#problems.has(address);
  }

  /**
   * Takes note of who has answered at `address`.
   *
   * @throws {ConnectionError} when the connection must not be used; the message says why
   */
  admit(address: string, { runId, isProxy }: Identity): void {
    const { pools } = this.#cluster;
    this.#forgetOthers(pools);
    if (runId === this.#ownRunId) throw this.#refuse(address, "it is this proxy itself: expected a server");
    if (isProxy) throw this.#refuse(address, "it is a proxy: expected a server");
    const position = pools.findIndex((pool) => pool.address === address);
    const before = this.#known.get(address);
    this.#known.delete(address);
    const other = runId === undefined ? -1 : pools.findIndex((pool) => this.#known.get(pool.address) === runId);
    if (other >= 0 && other < position) throw this.#refuse(address, aliasOf(pools[other]!));
    this.#problems.delete(address);
    if (runId === undefined || position < 0) return;
    this.#known.set(address, runId);
    if (other >= 0) {
      this.#expel(pools[other]!, aliasOf(pools[position]!));
      throw new ConnectionError(
        address,
        `it was in use as "${pools[other]!.address}", and is connected to anew`,
        false,
      );
    }
    if (before === undefined || before === runId) return;
    pools[position]!.reconnect(MOVED);
    this.#lose(address, MOVED);
  }

  /** Forgets entries that are no more. */
  #forgetOthers(pools: readonly Entry[]): void {
    if (pools === this.#pools) return;
    this.#pools = pools;
    const addresses = new Set(pools.map(({ address }) => address));
    for (const known of [this.#known, this.#problems]) {
      for (const each of known.keys()) if (!addresses.has(each)) known.delete(each);
    }
  }

  #refuse(address: string, problem: string): ConnectionError {
    this.#problems.set(address, problem);
    return new ConnectionError(address, problem, false);
  }

  #expel(pool: Entry, problem: string): void {
    this.#known.delete(pool.address);
    this.#problems.set(pool.address, problem);
    pool.expel(problem);
    this.#lose(pool.address, problem);
  }
}

function aliasOf({ address }: Entry): string {
  return `it is the same server as "${address}": expected each server once in the list`;
}
