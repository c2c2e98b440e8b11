/**
 * Keys that clients watch for a transaction: `exec` runs nothing if one of them has changed since.
 *
 * A command that changes a watched key must call {@linkcode Watches.touch}. Usually no key is watched, and a command
 * only checks `count`. Eviction and expiry do not call it. For them, `exec` checks for each key whether it exists now
 * as it did when the watch began. A key that was removed and created again was touched by the command that created it.
 *
 * @module
 */

import { binaryBytes, binaryText } from "../connection/binary_text.ts";
import type { ClientState, WatchedKey } from "../connection/client_state.ts";
import { NAME_OVERHEAD_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";

/** All watches of one server. */
export class Watches {
  /** The number of watches of all clients. */
  count = 0;
  readonly #byKey = new Map<string, Set<WatchedKey>>();

  /**
   * Makes a client watch the key `bytes[start, start + length)`. Watching a key twice has no further effect.
   *
   * @throws {ReplyError} when clients hold too much memory; the key is not watched then
   */
  add(client: ClientState, store: Store, bytes: Uint8Array, start: number, length: number): void {
    const key = binaryText(bytes, start, length);
    if (client.watched.has(key)) return;
    client.charge(length + NAME_OVERHEAD_BYTES);
    const watched = { key, existed: store.peek(bytes, start, length) !== 0, isChanged: false };
    client.watched.set(key, watched);
    this.count++;
    let watches = this.#byKey.get(key);
    if (watches === undefined) this.#byKey.set(key, watches = new Set());
    watches.add(watched);
  }

  /** Marks the key `bytes[start, start + length)` as changed. */
  touch(bytes: Uint8Array, start: number, length: number): void {
    for (const watched of this.#byKey.get(binaryText(bytes, start, length)) ?? []) watched.isChanged = true;
  }

  /** Marks all watched keys that existed as changed, because all keys were removed. */
  touchAll(): void {
    for (const watches of this.#byKey.values()) {
      for (const watched of watches) if (watched.existed) watched.isChanged = true;
    }
  }

  /** Returns whether a key that the client watches has changed. */
  hasChanged(client: ClientState, store: Store): boolean {
    for (const { key, existed, isChanged } of client.watched.values()) {
      if (isChanged) return true;
      const bytes = binaryBytes(key);
      if (existed !== (store.peek(bytes, 0, bytes.length) !== 0)) return true;
    }
    return false;
  }

  /** Ends all watches of a client. */
  forget(client: ClientState): void {
    if (client.watched.size === 0) return;
    let held = 0;
    for (const [key, watched] of client.watched) {
      const watches = this.#byKey.get(key);
      watches?.delete(watched);
      if (watches?.size === 0) this.#byKey.delete(key);
      held += key.length + NAME_OVERHEAD_BYTES;
    }
    client.release(held);
    this.count -= client.watched.size;
    client.watched.clear();
  }
}
