/**
 * The shapes of the data that the page asks for, as JSON. Bytes, such as those of keys and values, are in base64.
 *
 * @module
 */

/** An event: the present state, and the newest step of the history. */
export interface PageEvent {
  readonly overview: import("../metrics/overview.ts").Overview;
  readonly sample?: import("../metrics/history.ts").HistoryStep;
}

/** A hot key or a big one. */
export interface KeyRow {
  readonly name: string;
  /** The requests a second on a hot key. */
  readonly perSecond?: number;
  /** The facts about a big key. */
  readonly sizeBytes?: number;
  readonly elements?: number;
  readonly type?: string;
}

/** An entry of the slow log. */
export interface SlowRow {
  /** An id that no other row has, although each server counts its own entries. */
  readonly id: string;
  readonly timeMs: number;
  readonly durationUs: number;
  /** The command and its arguments, in base64. */
  readonly words: readonly string[];
  /** The address and the name of the client. */
  readonly client: string;
  readonly name: string;
}

/** A client. */
export interface ClientRow {
  readonly id: string;
  readonly address: string;
  readonly name: string;
  readonly command: string;
  readonly ageS: number;
  readonly idleS: number;
  readonly memoryBytes: number;
  readonly protocol: string;
  readonly library: string;
  /** The unusual facts about it, in a few words. */
  readonly state: string;
}

/** The result of a search for keys. */
export interface FoundKeys {
  /** Continues the search; `0` at its end. */
  readonly cursor: string;
  readonly keys: readonly string[];
}

/** An element of a value. */
export interface KeyItem {
  /** The index, in a list. */
  readonly index?: number;
  /** The field, in a hash. */
  readonly field?: string;
  readonly isFieldCut?: boolean;
  readonly value: string;
  /** Whether only the first part of the value is there. */
  readonly isValueCut?: boolean;
}

/** A part of a value. */
export interface KeyPart {
  /** Continues with the next part; `0` at the end. */
  readonly cursor: string;
  readonly items: readonly KeyItem[];
}

/** A key with the first part of its value. */
export interface KeyFacts {
  readonly name: string;
  /** The type of its value; `none` if there is no such key. */
  readonly type: string;
  /** The time to live; `null` if the key does not expire. */
  readonly ttlMs: number | null;
  /** The memory that key and value take. */
  readonly sizeBytes: number;
  readonly encoding: string;
  /** The number of elements, or the bytes of a string. */
  readonly elements: number;
  readonly part: KeyPart;
  /** Whether the page may change the key. */
  readonly canEdit: boolean;
}
