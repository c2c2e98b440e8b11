/**
 * Gathers the keys that a walk over the store comes by, so that their count is known before they are answered.
 *
 * A reply's array is told its length first, and `keys` and `scan` know it only at the end. What is kept meanwhile is
 * four bytes a key, the entry's reference, in one array that is used again and again. References stay valid since
 * nothing is written between the walk and the reply.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { BUFFER_KEEP_MAX_BYTES, KEY_SIZE_MAX_BYTES, REPLY_SIZE_MAX_BYTES } from "../limits.ts";
import type { EntryType, Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { globMatches } from "./glob.ts";

const INITIAL_COUNT = 1024;
const STAR = 0x2a;

/** The keys of one `keys` or `scan`. Not for use by two commands at once. */
export class KeyCollector {
  /** Keys that {@linkcode visit} was called with, gathered or not. */
  visited = 0;
  /** Sum of the lengths of the gathered keys, in bytes. */
  size = 0;
  #references: Uint32Array<ArrayBuffer> = new Uint32Array(INITIAL_COUNT);
  #count = 0;
  #store: Store | undefined;
  #request: Request | undefined;
  #patternIndex = 0;
  #type: EntryType | undefined;
  /** The key being matched. */
  readonly #key = new Uint8Array(KEY_SIZE_MAX_BYTES);

  /** Starts afresh: all keys of `store` that have not expired are gathered. */
  begin(store: Store): void {
    this.#store = store;
    this.#request = undefined;
    this.#type = undefined;
    this.#count = 0;
    this.visited = 0;
    this.size = 0;
  }

  /** Gathers only keys that match the pattern in argument `index`, which is borrowed until {@linkcode end}. */
  match(request: Request, index: number): void {
    const matchesAll = request.lengths[index] === 1 && request.bytes[request.starts[index]!] === STAR;
    this.#request = matchesAll ? undefined : request;
    this.#patternIndex = index;
  }

  /** Gathers only keys of one type. */
  only(type: EntryType): void {
    this.#type = type;
  }

  /**
   * Takes note of one key; to be given to `Store.scan`.
   *
   * @throws {ReplyError} when the gathered keys alone would make too long a reply
   */
  readonly visit = (entry: number): void => {
    const store = this.#store!;
    this.visited++;
    if (store.hasExpired(entry)) return;
    if (this.#type !== undefined && store.type(entry) !== this.#type) return;
    const length = store.keyLength(entry);
    const request = this.#request;
    if (request !== undefined) {
      store.copyKey(entry, this.#key, 0);
      const patternStart = request.starts[this.#patternIndex]!;
      const patternLength = request.lengths[this.#patternIndex]!;
      if (!globMatches(request.bytes, patternStart, patternLength, this.#key, 0, length)) return;
    }
    this.size += length;
    if (this.size > REPLY_SIZE_MAX_BYTES) {
      throw new ReplyError("ERR", `reply exceeds ${REPLY_SIZE_MAX_BYTES} bytes; ask for less at a time`);
    }
    if (this.#count === this.#references.length) this.#grow();
    this.#references[this.#count++] = entry;
  };

  #grow(): void {
    const grown = new Uint32Array(this.#references.length * 2);
    grown.set(this.#references);
    this.#references = grown;
  }

  /** Answers an array of the gathered keys. */
  reply(reply: Reply): void {
    const store = this.#store!;
    reply.array(this.#count);
    reply.prepare(this.#count, this.size);
    for (let i = 0; i < this.#count; i++) {
      const entry = this.#references[i]!;
      const at = reply.reserve(store.keyLength(entry));
      store.copyKey(entry, reply.buffer, at);
    }
  }

  /** Lets go of everything borrowed, and of an array that has become large. */
  end(): void {
    this.#store = undefined;
    this.#request = undefined;
    this.#count = 0;
    if (this.#references.byteLength > BUFFER_KEEP_MAX_BYTES) this.#references = new Uint32Array(INITIAL_COUNT);
  }
}
