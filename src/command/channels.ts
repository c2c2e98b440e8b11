/**
 * Who listens to which channel, and to which pattern of channels' names.
 *
 * ```text
 * publish "news.eu"     channels   "news.eu"  → A, B
 *                       patterns   "news.*"   → B, C         B gets it twice, as it asked
 * ```
 *
 * Nothing is kept: a message goes to those who listen when it is published.
 *
 * @module
 */

import type { ClientState } from "./client_state.ts";
import { Glob } from "./glob.ts";
import { binaryBytes, binaryText } from "./waiters.ts";

/** Those who listen to one pattern. */
interface Pattern {
  readonly bytes: Uint8Array;
  readonly glob: Glob;
  readonly listeners: Set<ClientState>;
}

/** The channels of one server. Names are text of one character a byte. */
export class Channels {
  readonly #channels = new Map<string, Set<ClientState>>();
  readonly #patterns = new Map<string, Pattern>();

  /** Channels that somebody listens to by their name. */
  get names(): Iterable<string> {
    return this.#channels.keys();
  }

  /** How many listen to a channel by its name. */
  count(name: string): number {
    return this.#channels.get(name)?.size ?? 0;
  }

  /** Patterns that somebody listens to. */
  get patternCount(): number {
    return this.#patterns.size;
  }

  /** Lets a client listen to a channel. */
  subscribe(client: ClientState, name: string): void {
    client.channels.add(name);
    client.update();
    const listeners = this.#channels.get(name);
    if (listeners === undefined) this.#channels.set(name, new Set([client]));
    else listeners.add(client);
  }

  /** Ends that. */
  unsubscribe(client: ClientState, name: string): void {
    client.channels.delete(name);
    client.update();
    const listeners = this.#channels.get(name);
    listeners?.delete(client);
    if (listeners?.size === 0) this.#channels.delete(name);
  }

  /** Lets a client listen to all channels whose names match a pattern. */
  subscribePattern(client: ClientState, name: string): void {
    let pattern = this.#patterns.get(name);
    if (pattern === undefined) {
      const bytes = binaryBytes(name);
      this.#patterns.set(name, pattern = { bytes, glob: new Glob(bytes), listeners: new Set() });
    }
    pattern.listeners.add(client);
    client.patterns.add(name);
    client.update();
  }

  /** Ends that. */
  unsubscribePattern(client: ClientState, name: string): void {
    const pattern = this.#patterns.get(name);
    pattern?.listeners.delete(client);
    if (pattern?.listeners.size === 0) this.#patterns.delete(name);
    client.patterns.delete(name);
    client.update();
  }

  /** Ends all that a client listens to. */
  forget(client: ClientState): void {
    for (const name of [...client.channels]) this.unsubscribe(client, name);
    for (const name of [...client.patterns]) this.unsubscribePattern(client, name);
  }

  /** Sends a message of `publisher` to all who listen, and answers how many times that was. */
  publish(publisher: ClientState, channel: Uint8Array, message: Uint8Array): number {
    let count = 0;
    for (const client of this.#channels.get(binaryText(channel, 0, channel.length)) ?? []) {
      client.connection.deliver(undefined, channel, message, client === publisher);
      count++;
    }
    for (const { bytes, glob, listeners } of this.#patterns.values()) {
      if (!glob.matches(channel, 0, channel.length)) continue;
      for (const client of listeners) {
        client.connection.deliver(bytes, channel, message, client === publisher);
        count++;
      }
    }
    return count;
  }
}
