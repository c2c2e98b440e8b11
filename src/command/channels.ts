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

import { NAME_OVERHEAD_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { ClientState } from "./client_state.ts";
import { Glob } from "./glob.ts";
import { binaryBytes, binaryText } from "./binary_text.ts";

/** A compiled pattern takes so many bytes for each byte of it. */
const PATTERN_BYTES_FACTOR = 40;

/** Those who listen to one pattern. */
interface Pattern {
  readonly bytes: Uint8Array;
  readonly glob: Glob;
  readonly listeners: Set<ClientState>;
}

/** Takes note that nobody listens any more to a channel, or to a pattern, by its name. */
export type Unheard = (name: string, isPattern: boolean) => void;

/** The channels of one server. Names are text of one character a byte. */
export class Channels {
  readonly #unheard: Unheard | undefined;
  readonly #channels = new Map<string, Set<ClientState>>();
  readonly #patterns = new Map<string, Pattern>();

  /** @param unheard called when the last listener of something has left */
  constructor(unheard?: Unheard) {
    this.#unheard = unheard;
  }

  /** Channels that somebody listens to by their name. */
  get names(): Iterable<string> {
    return this.#channels.keys();
  }

  /** How many listen to a channel by its name. */
  count(name: string): number {
    return this.#channels.get(name)?.size ?? 0;
  }

  /** How many listen to a pattern. */
  countPattern(name: string): number {
    return this.#patterns.get(name)?.listeners.size ?? 0;
  }

  /** Patterns that somebody listens to. */
  get patternCount(): number {
    return this.#patterns.size;
  }

  /**
   * Lets a client listen to a channel.
   *
   * @throws {ReplyError} when clients hold too much memory
   */
  subscribe(client: ClientState, name: string): void {
    if (client.channels.has(name)) return;
    client.charge(name.length + NAME_OVERHEAD_BYTES);
    client.channels.add(name);
    client.update();
    const listeners = this.#channels.get(name);
    if (listeners === undefined) this.#channels.set(name, new Set([client]));
    else listeners.add(client);
  }

  /** Ends that. */
  unsubscribe(client: ClientState, name: string): void {
    if (client.channels.delete(name)) client.release(name.length + NAME_OVERHEAD_BYTES);
    client.update();
    const listeners = this.#channels.get(name);
    listeners?.delete(client);
    if (listeners?.size !== 0) return;
    this.#channels.delete(name);
    this.#unheard?.(name, false);
  }

  /**
   * Lets a client listen to all channels whose names match a pattern.
   *
   * @throws {ReplyError} when clients hold too much memory
   */
  subscribePattern(client: ClientState, name: string): void {
    if (client.patterns.has(name)) return;
    client.charge(patternCost(name));
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
    if (client.patterns.delete(name)) client.release(patternCost(name));
    client.update();
    if (pattern?.listeners.size !== 0) return;
    this.#patterns.delete(name);
    this.#unheard?.(name, true);
  }

  /** Ends all that a client listens to. */
  forget(client: ClientState): void {
    for (const name of [...client.channels]) this.unsubscribe(client, name);
    for (const name of [...client.patterns]) this.unsubscribePattern(client, name);
  }

  /** Sends a message of `publisher` to all who listen, and answers how many times that was. */
  publish(publisher: ClientState, channel: Uint8Array, message: Uint8Array): number {
    let count = this.deliver(publisher, channel, message);
    for (const pattern of this.#patterns.values()) {
      if (pattern.glob.matches(channel, 0, channel.length)) count += deliverBy(pattern, publisher, channel, message);
    }
    return count;
  }

  /** Sends a message to those who listen to its channel by name, and answers how many they are. */
  deliver(publisher: ClientState | undefined, channel: Uint8Array, message: Uint8Array): number {
    const listeners = this.#channels.get(binaryText(channel, 0, channel.length));
    if (listeners === undefined) return 0;
    for (const client of listeners) client.connection.deliver(undefined, channel, message, client === publisher);
    return listeners.size;
  }

  /** Sends a message to those who listen to a pattern. */
  deliverByPattern(name: string, channel: Uint8Array, message: Uint8Array): void {
    const pattern = this.#patterns.get(name);
    if (pattern !== undefined) deliverBy(pattern, undefined, channel, message);
  }
}

/** What a pattern costs: its text, its bytes, and what matching it takes. */
function patternCost(name: string): number {
  return name.length * PATTERN_BYTES_FACTOR + NAME_OVERHEAD_BYTES;
}

function deliverBy(
  { bytes, listeners }: Pattern,
  publisher: ClientState | undefined,
  channel: Uint8Array,
  message: Uint8Array,
): number {
  for (const client of listeners) client.connection.deliver(bytes, channel, message, client === publisher);
  return listeners.size;
}

/** Says a message of a channel; `pattern` when it came by one. */
export function writeMessage(
  reply: Reply,
  pattern: Uint8Array | undefined,
  channel: Uint8Array,
  message: Uint8Array,
): void {
  reply.push(pattern === undefined ? 3 : 4);
  reply.text(pattern === undefined ? "message" : "pmessage");
  if (pattern !== undefined) reply.bytes(pattern, 0, pattern.length);
  reply.bytes(channel, 0, channel.length);
  reply.bytes(message, 0, message.length);
}
