/**
 * The clients that listen to each channel, and to each pattern of channel names.
 *
 * ```text
 * publish "news.eu"     channels   "news.eu"  → A, B
 *                       patterns   "news.*"   → B, C         B gets the message twice, because it subscribed twice
 * ```
 *
 * Messages are not stored: a message is delivered to all clients that listen when it is published, in one step, so that
 * all clients get messages in the same order. That is cheap, since they share a reference to the same bytes
 * (channel_message.ts).
 *
 * @module
 */

import { NAME_OVERHEAD_BYTES } from "../limits.ts";
import { runFor } from "../run_for.ts";
import { binaryBytes, binaryText } from "./binary_text.ts";
import { ChannelMessage, Publication } from "./channel_message.ts";
import type { ClientState } from "./client_state.ts";
import { PatternIndex } from "./pattern_index.ts";
import type { Indexed, PatternSearch } from "./pattern_index.ts";

/**
 * The number of channels and patterns that are forgotten immediately when a client leaves. The others follow in slices.
 */
const FORGOTTEN_PER_STEP_COUNT = 256;
/** The length of one slice of forgetting channels, in milliseconds. */
const FORGETTING_SLICE_MS = 1;

/** A channel and the clients that listen to it. */
interface Channel {
  /** A number that is higher than those of all older channels and patterns. */
  readonly serial: number;
  readonly listeners: Set<ClientState>;
}

/** The memory that a compiled pattern takes for each byte of its text, in bytes. */
const PATTERN_BYTES_FACTOR = 4;

/** A pattern and the clients that listen to it. */
export interface Pattern extends Indexed {
  /** The pattern as text of one character per byte. */
  readonly name: string;
  readonly listeners: Set<ClientState>;
}

/** Subscriptions to be removed, of a client that has left, or that listens to nothing any more. */
interface Forgetting {
  readonly client: ClientState;
  readonly channels: readonly string[];
  readonly patterns: readonly string[];
  /** The number of channels and patterns that are already forgotten, channels first. */
  done: number;
}

/** Called with the name of a channel or a pattern that no client listens to any more. */
export type Unheard = (name: string, isPattern: boolean) => void;

/** The channels of one server. Names are text of one character per byte. */
export class Channels {
  readonly #unheard: Unheard | undefined;
  readonly #channels = new Map<string, Channel>();
  readonly #patterns = new Map<string, Pattern>();
  readonly #index = new PatternIndex<Pattern>();
  /** The subscriptions that are being forgotten, in order. */
  readonly #forgetting: Forgetting[] = [];
  /**
   * For each client in `#forgetting`, its number of entries there. The tables may still contain its former
   * subscriptions.
   */
  readonly #fading = new Map<ClientState, number>();
  #serials = 0;

  /** @param unheard called when the last listener of a channel or a pattern has left */
  constructor(unheard?: Unheard) {
    this.#unheard = unheard;
  }

  /** The channels that at least one client listens to by name. */
  get names(): Iterable<string> {
    return this.namesNow();
  }

  /** Iterates over {@linkcode names} for a walk that pauses. Channels that are added meanwhile are left out. */
  *namesNow(): Generator<string> {
    const last = this.#serials;
    for (const [name, { serial, listeners }] of this.#channels) {
      if (serial > last) return;
      if (this.#fading.size === 0 || this.#countOf(listeners, name, false) > 0) yield name;
    }
  }

  /** Returns the number of clients that listen to a channel by its name. */
  count(name: string): number {
    const channel = this.#channels.get(name);
    return channel === undefined ? 0 : this.#countOf(channel.listeners, name, false);
  }

  /** Returns the number of clients that listen to a pattern. */
  countPattern(name: string): number {
    const pattern = this.#patterns.get(name);
    return pattern === undefined ? 0 : this.#countOf(pattern.listeners, name, true);
  }

  /** The number of channels that clients listen to by name, including those whose listeners have just left. */
  get channelCount(): number {
    return this.#channels.size;
  }

  /** The number of patterns that clients listen to. */
  get patternCount(): number {
    return this.#patterns.size;
  }

  /** Returns the clients that listen to a channel by its name, or to a pattern. */
  listeners(name: string, isPattern: boolean): Iterable<ClientState> {
    return (isPattern ? this.#patterns : this.#channels).get(name)?.listeners ?? [];
  }

  #countOf(listeners: ReadonlySet<ClientState>, name: string, isPattern: boolean): number {
    if (this.#fading.size === 0) return listeners.size;
    let count = 0;
    for (const client of listeners) if (!this.#hasLeft(client, name, isPattern)) count++;
    return count;
  }

  /** Returns whether a client that is still in the table does not listen any more. */
  #hasLeft(client: ClientState, name: string, isPattern: boolean): boolean {
    return this.#fading.has(client) && !(isPattern ? client.patterns : client.channels).has(name);
  }

  /**
   * Subscribes a client to a channel.
   *
   * @throws {ReplyError} when clients hold too much memory
   */
  subscribe(client: ClientState, name: string): void {
    if (client.channels.has(name)) return;
    client.charge(name.length + NAME_OVERHEAD_BYTES);
    client.channels.add(name);
    client.update();
    const channel = this.#channels.get(name);
    if (channel === undefined) this.#channels.set(name, { serial: ++this.#serials, listeners: new Set([client]) });
    else channel.listeners.add(client);
  }

  /** Ends a client's subscription to a channel. */
  unsubscribe(client: ClientState, name: string): void {
    if (client.channels.delete(name)) client.release(name.length + NAME_OVERHEAD_BYTES);
    client.update();
    this.#leave(client, name);
  }

  #leave(client: ClientState, name: string): void {
    const channel = this.#channels.get(name);
    channel?.listeners.delete(client);
    if (channel?.listeners.size !== 0) return;
    this.#channels.delete(name);
    this.#unheard?.(name, false);
  }

  /**
   * Subscribes a client to all channels whose names match a pattern.
   *
   * @throws {ReplyError} when clients hold too much memory
   */
  subscribePattern(client: ClientState, name: string): void {
    if (client.patterns.has(name)) return;
    client.charge(patternCost(name));
    client.patterns.add(name);
    client.update();
    const pattern = this.#patterns.get(name);
    if (pattern !== undefined) return void pattern.listeners.add(client);
    const added = { name, bytes: binaryBytes(name), serial: ++this.#serials, listeners: new Set([client]) };
    this.#patterns.set(name, added);
    this.#index.add(added);
  }

  /** Ends a client's subscription to a pattern. */
  unsubscribePattern(client: ClientState, name: string): void {
    if (client.patterns.delete(name)) client.release(patternCost(name));
    client.update();
    this.#leavePattern(client, name);
  }

  #leavePattern(client: ClientState, name: string): void {
    const pattern = this.#patterns.get(name);
    pattern?.listeners.delete(client);
    if (pattern?.listeners.size !== 0) return;
    this.#patterns.delete(name);
    this.#index.delete(pattern);
    this.#unheard?.(name, true);
  }

  /**
   * Ends all subscriptions of a client, which gets no more messages. If it has many, the tables are updated in slices.
   */
  forget(client: ClientState): void {
    if (client.subscriptions === 0) return;
    const forgetting = { client, channels: [...client.channels], patterns: [...client.patterns], done: 0 };
    client.channels.clear();
    client.patterns.clear();
    client.update();
    if (this.#forgetSome(forgetting)) return;
    this.#fading.set(client, (this.#fading.get(client) ?? 0) + 1);
    if (this.#forgetting.push(forgetting) === 1) this.#forgetInSlices();
  }

  async #forgetInSlices(): Promise<void> {
    while (this.#forgetting.length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      runFor(FORGETTING_SLICE_MS, () => {
        const forgetting = this.#forgetting[0]!;
        if (this.#forgetSome(forgetting)) this.#endForgetting(forgetting.client);
        return this.#forgetting.length > 0;
      });
    }
  }

  #endForgetting(client: ClientState): void {
    this.#forgetting.shift();
    const left = this.#fading.get(client)! - 1;
    if (left > 0) this.#fading.set(client, left);
    else this.#fading.delete(client);
  }

  /**
   * Forgets some names. Returns whether they were the last ones. A name that the client has subscribed to again is
   * kept.
   */
  #forgetSome(forgetting: Forgetting): boolean {
    const { client, channels, patterns } = forgetting;
    const count = channels.length + patterns.length;
    const stop = Math.min(count, forgetting.done + FORGOTTEN_PER_STEP_COUNT);
    for (; forgetting.done < stop; forgetting.done++) {
      const index = forgetting.done - channels.length;
      if (index < 0) {
        const name = channels[forgetting.done]!;
        if (!client.channels.has(name)) this.#leave(client, name);
      } else if (!client.patterns.has(patterns[index]!)) this.#leavePattern(client, patterns[index]!);
    }
    return stop === count;
  }

  /** Returns whether any client listens to a channel by its name. */
  isHeard(channel: Uint8Array): boolean {
    return this.#channels.has(binaryText(channel, 0, channel.length));
  }

  /** Begins a search for the patterns that match a channel; returns `undefined` when there are no patterns. */
  search(channel: Uint8Array): PatternSearch<Pattern> | undefined {
    return this.#index.size === 0 ? undefined : this.#index.search(channel);
  }

  /**
   * Sends a message of `publisher` to all clients that listen. Its bytes are borrowed until return.
   *
   * @param patterns the patterns that match its channel
   * @returns the number of times that it was sent
   */
  publish(publisher: ClientState, publication: Publication, patterns: readonly Pattern[]): number {
    let count = this.#deliver(publisher, publication);
    for (const pattern of patterns) count += this.#deliverBy(pattern, publisher, publication);
    return count;
  }

  /** Sends a message to the clients that listen to its channel by name. Its bytes are borrowed until return. */
  deliver(publication: Publication): number {
    return this.#deliver(undefined, publication);
  }

  /** Sends a message to the clients that listen to a pattern. Its bytes are borrowed until return. */
  deliverByPattern(name: string, publication: Publication): number {
    const pattern = this.#patterns.get(name);
    return pattern === undefined ? 0 : this.#deliverBy(pattern, undefined, publication);
  }

  #deliver(publisher: ClientState | undefined, publication: Publication): number {
    const { channel } = publication;
    const name = binaryText(channel, 0, channel.length);
    const listeners = this.#channels.get(name)?.listeners;
    if (listeners === undefined) return 0;
    return this.#send(new ChannelMessage(publication, undefined), listeners, publisher, name, false);
  }

  #deliverBy(
    { name, bytes, listeners }: Pattern,
    publisher: ClientState | undefined,
    publication: Publication,
  ): number {
    return this.#send(new ChannelMessage(publication, bytes), listeners, publisher, name, true);
  }

  #send(
    message: ChannelMessage,
    listeners: ReadonlySet<ClientState>,
    publisher: ClientState | undefined,
    name: string,
    isPattern: boolean,
  ): number {
    const isAnyFading = this.#fading.size > 0;
    let count = 0;
    for (const client of listeners) {
      if (isAnyFading && this.#hasLeft(client, name, isPattern)) continue;
      client.connection.deliver(message, client === publisher);
      count++;
    }
    return count;
  }
}

/** Returns the memory that a pattern costs: its text, its bytes, and its compiled form. */
function patternCost(name: string): number {
  return name.length * PATTERN_BYTES_FACTOR + NAME_OVERHEAD_BYTES;
}
