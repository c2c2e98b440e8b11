/**
 * Observes the keys of requests that are measured: which are used most (metrics/hot_keys.ts), and which have the
 * largest values (metrics/big_keys.ts).
 *
 * ```text
 * measured request ─► every key, with the weight of the request ──────────────► hot keys
 *                 └─► if it writes: every key, with its size by the store ────► big keys
 * flush           ───► all sizes are looked up again
 * ```
 *
 * All large requests, and all commands that take long, are measured. So nothing becomes large unseen.
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../catalog/specification.ts";
import { BIG_KEYS_REFRESH_INTERVAL_MS, OBSERVED_KEYS_MAX_COUNT } from "../limits.ts";
import { BigKeys, type ValueSize } from "../metrics/big_keys.ts";
import { HotKeys } from "../metrics/hot_keys.ts";
import { keyText } from "../metrics/key_text.ts";
import type { BigKeyOverview, HotKeyOverview } from "../metrics/overview.ts";
import { burdenOf } from "../metrics/problems.ts";
import { EntryType, type Store } from "../store/store.ts";
import { TYPE_NAMES } from "../store/value/value_type.ts";
import type { Request } from "../wire/request.ts";

/** The observed keys of one store. */
export class ObservedKeys {
  readonly hot: HotKeys;
  readonly big: BigKeys;
  readonly #store: Store;
  #refreshedMs = 0;
  #refreshedChanges = 0;

  /** @param nowMs the present, in ms since 1970 */
  constructor(store: Store, nowMs: number) {
    const hash = (bytes: Uint8Array, start: number, length: number) => store.keyHash(bytes, start, length);
    this.#store = store;
    this.hot = new HotKeys(hash, nowMs);
    this.big = new BigKeys(hash);
  }

  /**
   * Notes the keys of a request after its command has run.
   *
   * @param weight the number of clients' requests that it stands for; 0 for one that observes, such as of a page
   */
  note(specification: CommandSpecification, request: Request, weight: number): void {
    const { firstKey, keyStep, writes } = specification;
    const end = keysEnd(specification, request);
    // The keys of a very long request are passed over evenly, and those that are counted stand for the others.
    const skipped = Math.ceil((end - firstKey) / keyStep / OBSERVED_KEYS_MAX_COUNT);
    const from = skipped < 2 ? 0 : Math.floor(Math.random() * skipped);
    const { bytes, starts, lengths } = request;
    if (firstKey === 0) {
      if (writes) this.big.refresh(this.measure);
      return;
    }
    for (let i = firstKey + from * keyStep; i < end; i += skipped * keyStep) {
      if (weight > 0) this.hot.note(bytes, starts[i]!, lengths[i]!, weight * skipped);
      if (writes) this.noteSize(bytes, starts[i]!, lengths[i]!);
    }
  }

  /** Notes the size of the value of a key that may have grown. */
  noteSize(bytes: Uint8Array, start: number, length: number): void {
    const store = this.#store;
    const entry = store.look(bytes, start, length);
    if (entry !== 0) this.big.offer(bytes, start, length, store.estimateBytes(entry), elementsOf(store, entry));
  }

  /** Returns the size of a key's value at present. */
  readonly measure = (name: Uint8Array): ValueSize | undefined => {
    const store = this.#store;
    const entry = store.look(name, 0, name.length);
    if (entry === 0) return undefined;
    return {
      bytes: store.estimateBytes(entry),
      elements: elementsOf(store, entry),
      type: TYPE_NAMES[store.type(entry)],
    };
  };

  /** Returns the keys that stand out: the one that is used most, and the one that is the largest as problems go. */
  standouts(nowMs: number): { readonly hotKey?: HotKeyOverview; readonly bigKey?: BigKeyOverview } {
    const [hot] = this.hot.top(1, nowMs);
    const candidates = (["bytes", "elements"] as const).flatMap((by) => this.big.top(1, by, this.measure));
    const [big] = candidates.sort((a, b) => burdenOf(b) - burdenOf(a));
    return {
      ...hot && { hotKey: { name: keyText(hot.name), requestsPerSecond: hot.perSecond, share: hot.share } },
      ...big && { bigKey: { ...big, name: keyText(big.name) } },
    };
  }

  /** Lets the use of keys be forgotten slowly, and measures large values again. Called several times a second. */
  sweep(nowMs: number): void {
    this.hot.decay(nowMs);
    const { changes } = this.#store;
    const isFresh = nowMs >= this.#refreshedMs && nowMs - this.#refreshedMs < BIG_KEYS_REFRESH_INTERVAL_MS;
    if (isFresh || changes === this.#refreshedChanges) return;
    this.#refreshedMs = nowMs;
    this.#refreshedChanges = changes;
    this.big.refresh(this.measure);
  }
}

/** Returns the number of elements of a value, by which large values are compared: a string is one. */
function elementsOf(store: Store, entry: number): number {
  return store.type(entry) === EntryType.String ? 1 : store.typeOf(entry).length(entry);
}
