/**
 * Finds out which server each entry of the list leads to, by what the server says of itself and not by its address.
 *
 * One server may have several addresses. With two of them in the list, it would be counted twice and receive each
 * message twice. A list may also name the proxy itself. So the proxy sends `info server` first on each connection,
 * together with the greeting. No request of a client is sent before its reply. This takes no additional round trip and
 * costs nothing later. A refused entry is down with the reason, as a server that does not work: its requests fail, and
 * nothing is counted, sent or found twice.
 *
 * | the server that replies | result |
 * |---|---|
 * | the proxy itself | refused |
 * | another proxy | refused: its list may lead back here, or to servers of this list |
 * | the server of an earlier entry | refused |
 * | the server of a later entry | that entry is refused from now on, and this one connects once more |
 * | another server than on the entry's other connections | those are closed: an entry is one server at a time |
 * | a server without a run id (an old version, another kind of server) | accepted; it cannot be distinguished from others |
 *
 * The earlier entry stays, whichever connects first, so that all proxies with one list agree. It connects once more
 * because earlier replies through the later entry must not be added to its own reply.
 *
 * A name that leads to several servers is not an entry for one server: with each connection to another one, the earlier
 * connections end.
 *
 * @module
 */

import { ConnectionError } from "../../errors.ts";
import type { Pool } from "../../route/pool.ts";

const MOVED = "its address leads to another server now";

/** The identity of a server, as it reports it. */
export interface Identity {
  /** The run id; `undefined` when the server has none. */
  readonly runId: string | undefined;
  readonly isProxy: boolean;
}

/** Parses the text of `info server`. */
export function parseIdentity(text: string): Identity {
  return { runId: /^run_id:([0-9A-Za-z]{1,64})\r?$/m.exec(text)?.[1], isProxy: /^role:proxy\r?$/m.test(text) };
}

/** The part of a pool that an entry needs. */
export type Entry = Pick<Pool, "address" | "expel" | "reconnect">;

/** The identity of each entry. A proxy has one object for all entries. */
export class Identities {
  readonly #ownRunId: string;
  readonly #cluster: { readonly pools: readonly Entry[] };
  readonly #lose: (address: string, reason: string) => void;
  /** The entries at the last admission. */
  #pools: readonly Entry[] = [];
  /** The last run id of each entry, by its address. */
  readonly #known = new Map<string, string>();
  /** The reasons why entries are refused, by their address. */
  readonly #problems = new Map<string, string>();

  /**
   * Creates the identities of a proxy.
   *
   * @param cluster the servers in the order of the list
   * @param lose ends the connections to a server that do not belong to its pool
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

  /** Returns whether the server at `address` is down because of a mistake in the list. */
  isMistaken(address: string): boolean {
    return this.#problems.has(address);
  }

  /**
   * Records the identity of the server that has replied at `address`.
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

  /** Forgets entries that do not exist any more. */
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
