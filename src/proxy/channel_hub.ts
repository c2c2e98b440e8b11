/**
 * Channels through the proxy: who of its clients listens to what, and at which servers the proxy listens for them.
 *
 * ```text
 * publish news hi    ─► owner of the slot of "news" ─► all proxies that listen there ─► their clients
 * subscribe news     at the owner of the slot of "news"
 * psubscribe n*      at every server, since a pattern matches channels of all slots
 * ```
 *
 * A subscription is confirmed to a client when the servers have confirmed it to the proxy. When slots get other owners, the
 * proxy listens at the new ones and then no more at the old: the client notices nothing, and may miss what is
 * published in between.
 *
 * @module
 */

import { binaryBytes, binaryText } from "../command/binary_text.ts";
import * as channelCommands from "../command/channel.ts";
import { Channels } from "../command/channels.ts";
import type { CommandSpecification } from "../command/specification.ts";
import type { ConnectionError } from "../errors.ts";
import { ReplyError } from "../errors.ts";
import { Exchange } from "../route/exchange.ts";
import type { Pool } from "../route/pool.ts";
import type { Clock } from "../route/turn.ts";
import type { Request } from "../wire/request.ts";
import type { Answers } from "./answers.ts";
import { ChannelLink } from "./channel_link.ts";
import type { Cluster } from "./cluster.ts";
import type { Dialect } from "./dialect.ts";
import { codeOf } from "./refusal.ts";
import type { Frame, Slot } from "./slot.ts";

/** Runs the commands of the group `channel`. One for all clients. */
export class ChannelHub {
  /** What the clients listen to. */
  readonly channels: Channels = new Channels((name, isPattern) => this.#release(name, isPattern));
  readonly #cluster: Cluster;
  readonly #answers: Answers;
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  /** By the address of the server. */
  readonly #links = new Map<string, ChannelLink>();
  /** The server at which a channel is listened to. */
  readonly #places = new Map<string, ChannelLink>();
  /** Patterns that are listened to, at all servers. */
  readonly #patterns = new Set<string>();
  /** How many clients wait for a confirmation, by what they subscribe to. */
  readonly #pending = new Map<string, number>();

  /** @param dialect RESP3 */
  constructor(cluster: Cluster, answers: Answers, dialect: Dialect, clock: Clock) {
    this.#cluster = cluster;
    this.#answers = answers;
    this.#dialect = dialect;
    this.#clock = clock;
    cluster.onChange(() => this.#follow());
  }

  /** Whether a command of the group must not be carried out before all that its client has asked for is. */
  needsIdle({ name }: CommandSpecification): boolean {
    // In RESP2 a message could be taken for the reply to what was asked before.
    return name !== "publish" && name !== "pubsub";
  }

  /**
   * Carries out a command of the group.
   *
   * @throws {ReplyError}
   */
  run(slot: Slot, { name }: CommandSpecification, request: Request, frame: Frame): void {
    if (name === "publish") return this.#publish(slot, request, frame);
    const { context, state } = slot.client;
    const subscribes = name === "subscribe" || name === "psubscribe";
    if (!subscribes || state.version === 0) {
      const run = channelCommands[name as "unsubscribe" | "punsubscribe" | "pubsub"];
      return this.#answers.answer(slot, (reply) => void run(context, request, reply));
    }
    // The client takes nothing more until this is answered, but its buffer may move.
    const copy = request.copy();
    slot.client.holdUntilIdle();
    this.#listen(copy, name === "psubscribe", (error) => {
      this.#answers.answer(slot, (reply) => {
        if (error !== undefined) throw new ReplyError(codeOf(error, true), error.message);
        if (!slot.client.isGone) channelCommands[name](context, copy, reply);
      });
      this.#settle(copy, name === "psubscribe");
    });
  }

  /** Has all servers that are concerned confirm that the proxy listens; `done` is called once, with the first error. */
  #listen(request: Request, isPattern: boolean, done: (error: ConnectionError | undefined) => void): void {
    let open = 1;
    let failure: ConnectionError | undefined;
    const settle = (error: ConnectionError | undefined) => {
      failure ??= error;
      if (--open === 0) done(failure);
    };
    for (let i = 1; i < request.count; i++) {
      const name = binaryText(request.bytes, request.start(i), request.length(i));
      const key = keyOf(name, isPattern);
      this.#pending.set(key, (this.#pending.get(key) ?? 0) + 1);
      for (const link of isPattern ? this.#everywhere(name) : [this.#placeOf(name)]) {
        open++;
        link.subscribe(request.view(i), isPattern, settle);
      }
    }
    settle(undefined);
  }

  /** The server that has a channel, from now on listened to. */
  #placeOf(name: string): ChannelLink {
    let link = this.#places.get(name);
    if (link === undefined) this.#places.set(name, link = this.#linkTo(this.#ownerOf(binaryBytes(name)).address));
    return link;
  }

  /** All servers that have slots, and so channels, from now on listened to by a pattern. */
  #everywhere(name: string): ChannelLink[] {
    this.#patterns.add(name);
    return this.#cluster.holders.map(({ address }) => this.#linkTo(address));
  }

  #linkTo(address: string): ChannelLink {
    let link = this.#links.get(address);
    if (link === undefined) {
      link = new ChannelLink(address, this.#dialect, this.#clock, (pattern, channel, message) => {
        if (pattern === undefined) this.channels.deliver(undefined, channel, message);
        else this.channels.deliverByPattern(binaryText(pattern, 0, pattern.length), channel, message);
      });
      this.#links.set(address, link);
    }
    return link;
  }

  #ownerOf(channel: Uint8Array): Pool {
    return this.#cluster.ownerOf(channel, 0, channel.length);
  }

  /** A client has its answer: what it could not subscribe to need not be listened to. */
  #settle(request: Request, isPattern: boolean): void {
    for (let i = 1; i < request.count; i++) {
      const name = binaryText(request.bytes, request.start(i), request.length(i));
      const key = keyOf(name, isPattern);
      const left = this.#pending.get(key)! - 1;
      if (left > 0) this.#pending.set(key, left);
      else this.#pending.delete(key);
      const listeners = isPattern ? this.channels.countPattern(name) : this.channels.count(name);
      if (listeners === 0) this.#release(name, isPattern);
    }
  }

  /** Listens no more to what no client listens to. */
  #release(name: string, isPattern: boolean): void {
    if (this.#pending.has(keyOf(name, isPattern))) return;
    const bytes = binaryBytes(name);
    if (isPattern) {
      this.#patterns.delete(name);
      for (const link of this.#links.values()) link.unsubscribe(bytes, true);
    } else {
      this.#places.get(name)?.unsubscribe(bytes, false);
      this.#places.delete(name);
    }
  }

  /** The slots have other owners. */
  #follow(): void {
    for (const [name, link] of this.#places) {
      const bytes = binaryBytes(name);
      const next = this.#linkTo(this.#ownerOf(bytes).address);
      if (next === link) continue;
      this.#places.set(name, next);
      next.subscribe(bytes, false, () => {
        // The channel may have come back meanwhile.
        if (this.#places.get(name) !== link) link.unsubscribe(bytes, false);
      });
    }
    for (const name of this.#patterns) {
      for (const link of this.#everywhere(name)) link.subscribe(binaryBytes(name), true, () => {});
    }
    const addresses = new Set(this.#cluster.pools.map(({ address }) => address));
    for (const [address, link] of this.#links) {
      if (addresses.has(address)) continue;
      link.close("it was removed from the list of servers");
      this.#links.delete(address);
    }
  }

  /** Sends a message to the server that has the channel. */
  #publish(slot: Slot, request: Request, frame: Frame): void {
    const { client } = slot;
    const owner = this.#cluster.ownerOf(request.bytes, request.start(1), request.length(1));
    // Who heard it once shall not hear it twice.
    slot.repeatable = false;
    const isHeardHere = this.#links.get(owner.address)?.isUsed ?? false;
    const exchange = isHeardHere ? new PublishExchange(slot, this, owner, request.view(1).slice()) : slot;
    client.send(owner, exchange, frame.bytes, frame.start, frame.size);
  }

  /** Answers how many have got a message: the server counts this proxy as one, where its clients have to be counted. */
  answerPublished(slot: Slot, owner: Pool, channel: Uint8Array, bytes: Uint8Array, start: number, end: number): void {
    const { dialect } = slot.client;
    if (!dialect.grants(bytes, start)) return slot.succeed(bytes, start, end);
    this.#answers.answer(slot, (reply) => {
      let count = Number(dialect.values(bytes, start, end).integer());
      for (const { name, isPattern } of this.#links.get(owner.address)?.hearing(channel) ?? []) {
        const text = binaryText(name, 0, name.length);
        count += (isPattern ? this.channels.countPattern(text) : this.channels.count(text)) - 1;
      }
      // What the server has counted may have changed meanwhile.
      reply.integer(Math.max(0, count));
    });
  }

  /** As {@linkcode ChannelLink.sweep}, for all servers. */
  sweep(timeoutMs: number): void {
    for (const link of this.#links.values()) link.sweep(timeoutMs);
  }

  /** Listens to nothing any more. */
  close(): void {
    for (const link of this.#links.values()) link.close("the proxy is stopping");
  }
}

/** A message on its way. */
class PublishExchange extends Exchange {
  readonly #slot: Slot;
  readonly #hub: ChannelHub;
  readonly #owner: Pool;
  readonly #channel: Uint8Array;

  constructor(slot: Slot, hub: ChannelHub, owner: Pool, channel: Uint8Array) {
    super();
    this.#slot = slot;
    this.#hub = hub;
    this.#owner = owner;
    this.#channel = channel;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#hub.answerPublished(this.#slot, this.#owner, this.#channel, bytes, start, end);
  }

  override fail(error: ConnectionError): void {
    this.#slot.fail(error);
  }
}

function keyOf(name: string, isPattern: boolean): string {
  return `${isPattern ? "p" : "c"}${name}`;
}
