/**
 * Keys that clients watch for the sake of a transaction: `exec` runs nothing when one of them has changed since.
 *
 * Whoever changes a key while any is watched says so with {@linkcode Watches.touch}; that nobody watches is the usual case,
 * and costs a command one look at `count`. Keys that are evicted or expire are told by nobody: for them `exec` compares
 * whether each key is there with whether it was. One that went and came back was touched by who made it.
 *
 * @module
 */

import { binaryBytes, binaryText } from "../connection/binary_text.ts";
import type { ClientState, WatchedKey } from "../connection/client_state.ts";
import { NAME_OVERHEAD_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";

/** All watches of one server. */
export class Watches {
  /** Watches of all clients together. */
  count = 0;
  readonly #byKey = new Map<string, Set<WatchedKey>>();

  /**
   * Lets a client watch the key `bytes[start, start + length)`. Twice is once.
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

  /** Says that the key `bytes[start, start + length)` was changed. */
  touch(bytes: Uint8Array, start: number, length: number): void {
    for (const watched of this.#byKey.get(binaryText(bytes, start, length)) ?? []) watched.isChanged = true;
  }

  /** Says that all keys were removed. */
  touchAll(): void {
    for (const watches of this.#byKey.values()) {
      for (const watched of watches) if (watched.existed) watched.isChanged = true;
    }
  }

  /** Whether a key that the client watches has changed. */
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
