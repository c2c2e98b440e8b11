/**
 * A stream of server-sent events for any number of viewers.
 *
 * ```text
 * send(data) ──► one event, serialized once ──► viewer: writing    skips this event
 *                                           ├─► viewer: idle       writes it
 *                                           └─► viewer: idle       writes it
 * ```
 *
 * There is no queue: a viewer whose connection has not taken the last event yet misses the next one. So events should
 * hold states rather than changes, and a slow viewer costs one event of memory, which all viewers share.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { HTTP_VIEWERS_MAX_COUNT } from "../limits.ts";

/** How a stream begins, and whom it notifies. */
export interface EventStreamOptions {
  /** The most viewers at a time; HTTP_VIEWERS_MAX_COUNT unless it is given. */
  readonly maxCount?: number;
  /** Returns the data of the event that a new viewer gets immediately; without it, a viewer waits for the next one. */
  readonly first?: () => string;
  /** A function that is called when the number of viewers has changed. */
  readonly onCount?: (count: number) => void;
}

/** A connection that views a stream. */
export interface Viewer {
  /** Writes bytes, which must not be changed meanwhile. Resolves when the connection has taken them. */
  write(bytes: Uint8Array): Promise<void>;
}

/** A stream of events. */
export class EventStream {
  /** The number of events that viewers have missed because they were slow. */
  skipped = 0;
  /** The viewers, and whether each is still writing. */
  readonly #viewers = new Map<Viewer, boolean>();
  readonly #options: EventStreamOptions;

  constructor(options: EventStreamOptions = {}) {
    this.#options = options;
  }

  /** The number of viewers. */
  get count(): number {
    return this.#viewers.size;
  }

  /** Sends an event to every viewer that has taken the one before. */
  send(data: string): void {
    if (this.#viewers.size === 0) return;
    const bytes = encodeText(formatEvent(data));
    for (const [viewer, isWriting] of this.#viewers) {
      if (isWriting) this.skipped++;
      else this.#write(viewer, bytes);
    }
  }

  /**
   * Adds a viewer.
   *
   * @param head bytes that are written before the first event
   * @returns `false` when there are too many
   */
  add(viewer: Viewer, head: string): boolean {
    if (this.#viewers.size >= (this.#options.maxCount ?? HTTP_VIEWERS_MAX_COUNT)) return false;
    const first = this.#options.first?.();
    this.#viewers.set(viewer, false);
    this.#write(viewer, encodeText(head + (first === undefined ? "" : formatEvent(first))));
    this.#options.onCount?.(this.count);
    return true;
  }

  /** Removes a viewer. */
  remove(viewer: Viewer): void {
    if (this.#viewers.delete(viewer)) this.#options.onCount?.(this.count);
  }

  #write(viewer: Viewer, bytes: Uint8Array): void {
    this.#viewers.set(viewer, true);
    viewer.write(bytes).then(() => {
      if (this.#viewers.has(viewer)) this.#viewers.set(viewer, false);
    }, () => this.remove(viewer));
  }
}

/** Returns an event as it is sent. Data of several lines becomes one event all the same. */
function formatEvent(data: string): string {
  return `data: ${data.replace(/\r\n|\r|\n/g, "\ndata: ")}\n\n`;
}
