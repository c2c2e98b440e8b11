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
 * When the connection to a server is lost, messages may be missed. A client of Redis learns that from the loss of its own
 * connection, so those who listened to something of that server are disconnected: they connect anew, subscribe again, and
 * know. The log says so, and `info` counts them.
 *
 * @module
 */

import { checkSizes } from "../../catalog/call.ts";
import type { CommandSpecification } from "../../catalog/specification.ts";
import { binaryBytes, binaryText } from "../../connection/binary_text.ts";
import { Channels } from "../../connection/channels.ts";
import type { ClientState } from "../../connection/client_state.ts";
import { CONNECTION_COMMANDS } from "../../connection/commands.ts";
import type { ConnectionContext, RunOnConnection } from "../../connection/context.ts";
import { inSlices } from "../../connection/in_slices.ts";
import type { ConnectionError } from "../../errors.ts";
import { ReplyError } from "../../errors.ts";
import type { Slices } from "../../role/slices.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { Clock } from "../../route/flush_queue.ts";
import type { Pool } from "../../route/pool.ts";
import type { Request } from "../../wire/request.ts";
import type { Cluster } from "../backend/cluster.ts";
import type { Dialect } from "../backend/dialect.ts";
import { codeOf } from "../backend/errors.ts";
import type { OwnReplies } from "../client/own_replies.ts";
import type { PendingReply } from "../client/client_link.ts";
import type { Frame } from "../client/queued_requests.ts";
import { ChannelLink } from "./channel_link.ts";
import type { Subscribed } from "./channel_link.ts";

/** Names that are handled between two looks at the clock: about a tenth of a millisecond, … */
const NAMES_AT_ONCE_COUNT = 32;
/** … which long ones take as well. */
const NAMES_AT_ONCE_BYTES = 32 * 1024;
/** Clients that are disconnected between two looks at the clock. */
const ENDED_AT_ONCE_COUNT = 8;

/** What the hub needs of its proxy. */
export interface ChannelHubHost {
  /** Turns for what takes long. */
  readonly slices: Slices;
  /** Ends the connection of a client in order, once what it was sent is written. */
  end(client: ClientState): void;
  /** Takes note that the connection to a server was lost on which there was something to hear. */
  lost(address: string, reason: string): void;
  /** Takes note that so many clients were disconnected because of that. */
  ended(address: string, clients: number): void;
}

/** Runs the commands of the group `channel`. One for all clients. */
export class ChannelHub {
  /** What the clients listen to. */
  readonly channels: Channels = new Channels((name, isPattern) => this.#release(name, isPattern));
  /** Connections to servers that were lost while there was something to hear. */
  lostLinks = 0;
  /** Clients that were disconnected because of that. */
  lostClients = 0;
  readonly #cluster: Cluster;
  readonly #ownReplies: OwnReplies;
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #host: ChannelHubHost;
  /** By the address of the server. */
  readonly #links = new Map<string, ChannelLink>();
  /** The server at which a channel is listened to. */
  readonly #places = new Map<string, ChannelLink>();
  /** Patterns that are listened to, at all servers. */
  readonly #patterns = new Set<string>();
  /** How many clients wait for a confirmation, by the channel and by the pattern that they subscribe to. */
  readonly #pendingChannels = new Map<string, number>();
  readonly #pendingPatterns = new Map<string, number>();
  /** Counts the changes of owners, so that following one ends when there is another. */
  #changes = 0;

  /** @param dialect RESP3 */
  constructor(cluster: Cluster, ownReplies: OwnReplies, dialect: Dialect, clock: Clock, host: ChannelHubHost) {
    this.#cluster = cluster;
    this.#ownReplies = ownReplies;
    this.#dialect = dialect;
    this.#clock = clock;
    this.#host = host;
    cluster.onChange(() => this.#follow());
  }

  /**
   * Carries out a command with the routing `channel`.
   *
   * @throws {ReplyError}
   */
  run(pending: PendingReply, specification: CommandSpecification, request: Request): void {
    const { name, subscription, channels } = specification;
    checkSizes(specification, request);
    const { link } = pending;
    // The client may take nothing more until this is answered, but its buffer may move.
    const copy = request.copy();
    const run = CONNECTION_COMMANDS[name]!;
    if (subscription === "begins" && link.client.version !== 0) {
      link.backpressure.holdUntilIdle();
      return this.#subscribe(pending, copy, channels[0]!.isPattern, run);
    }
    const answering = this.#ownReplies.replyWhenDone(pending, (reply) => run(link, copy, reply));
    if (answering !== undefined) link.backpressure.holdUntilIdle();
  }

  #subscribe(pending: PendingReply, request: Request, isPattern: boolean, run: RunOnConnection): void {
    const { link } = pending;
    this.#listen(link, request, isPattern, (error, end) => {
      const answering = this.#ownReplies.replyWhenDone(pending, (reply) => {
        if (error !== undefined) throw new ReplyError(codeOf(error, true), error.message);
        if (!link.isGone) return run(link, request, reply);
      });
      if (answering === undefined) this.#settle(request, end, isPattern);
      else answering.then(() => this.#settle(request, end, isPattern));
    });
  }

  /**
   * Has all servers that are concerned confirm that the proxy listens.
   *
   * @param done called once, with the first error, and with the first name that was left out since the client has gone
   */
  #listen(
    context: ConnectionContext,
    request: Request,
    isPattern: boolean,
    done: (error: ConnectionError | undefined, end: number) => void,
  ): void {
    const pending = this.#pendingOf(isPattern);
    let next = 1;
    let open = 1;
    let failure: ConnectionError | undefined;
    const settle = (error: ConnectionError | undefined) => {
      failure ??= error;
      if (--open === 0) done(failure, next);
    };
    const step = () => {
      next = forNames(request, next, request.count, (name) => {
        pending.set(name, (pending.get(name) ?? 0) + 1);
        for (const link of isPattern ? this.#everywhere(name) : [this.#placeOf(name)]) {
          open++;
          link.subscribe(name, isPattern, settle);
        }
      });
      return next === request.count;
    };
    const walking = inSlices(context, step);
    const end = () => settle(undefined);
    if (walking === undefined) end();
    else walking.then(end, end);
  }

  #pendingOf(isPattern: boolean): Map<string, number> {
    return isPattern ? this.#pendingPatterns : this.#pendingChannels;
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
      link = new ChannelLink({
        address,
        dialect: this.#dialect,
        clock: this.#clock,
        slices: this.#host.slices,
        hear: (pattern, publication) => {
          if (pattern === undefined) return this.channels.deliver(publication);
          return this.channels.deliverByPattern(binaryText(pattern, 0, pattern.length), publication);
        },
        lost: (subscriptions, reason) => this.#endListeners(address, subscriptions, reason),
      });
      this.#links.set(address, link);
    }
    return link;
  }

  /** Disconnects those who listened at a server and may have missed messages. */
  #endListeners(address: string, subscriptions: readonly Subscribed[], reason: string): void {
    this.lostLinks++;
    this.#host.lost(address, reason);
    const ended = new Set<ClientState>();
    const listeners = this.#listenersOf(subscriptions);
    this.#inSlices(() => {
      const stop = ended.size + ENDED_AT_ONCE_COUNT;
      for (let i = 0; i < NAMES_AT_ONCE_COUNT && ended.size < stop; i++) {
        const { done, value: client } = listeners.next();
        if (done) {
          this.#host.ended(address, ended.size);
          return true;
        }
        if (client === undefined || ended.has(client)) continue;
        ended.add(client);
        this.lostClients++;
        this.#host.end(client);
      }
      return false;
    });
  }

  /** The clients that listen to these; nothing in the place of one that none listens to. */
  *#listenersOf(subscriptions: readonly Subscribed[]): Generator<ClientState | undefined> {
    for (const { text, isPattern } of subscriptions) {
      yield undefined;
      yield* this.channels.listeners(text, isPattern);
    }
  }

  /** Calls `step` until it says that all is done: at once where that takes no longer than a step. */
  async #inSlices(step: () => boolean): Promise<void> {
    if (step()) return;
    const { slices } = this.#host;
    while (!slices.run(step)) await slices.next();
  }

  #ownerOf(channel: Uint8Array): Pool {
    return this.#cluster.ownerOf(channel, 0, channel.length);
  }

  /** A client has its answer: what it could not subscribe to need not be listened to. */
  #settle(request: Request, end: number, isPattern: boolean): void {
    const pending = this.#pendingOf(isPattern);
    let next = 1;
    this.#inSlices(() => {
      next = forNames(request, next, end, (name) => {
        const left = pending.get(name)! - 1;
        if (left > 0) pending.set(name, left);
        else pending.delete(name);
        const listeners = isPattern ? this.channels.countPattern(name) : this.channels.count(name);
        if (listeners === 0) this.#release(name, isPattern);
      });
      return next === end;
    });
  }

  /** Listens no more to what no client listens to. */
  #release(name: string, isPattern: boolean): void {
    if (this.#pendingOf(isPattern).has(name)) return;
    if (isPattern) {
      this.#patterns.delete(name);
      for (const link of this.#links.values()) link.unsubscribe(name, true);
    } else {
      this.#places.get(name)?.unsubscribe(name, false);
      this.#places.delete(name);
    }
  }

  /** The slots have other owners. */
  #follow(): void {
    const change = ++this.#changes;
    const places = this.#places.entries();
    const patterns = this.#patterns.values();
    this.#inSlices(() => {
      if (change !== this.#changes) return true;
      for (let i = 0; i < NAMES_AT_ONCE_COUNT; i++) {
        const place = places.next();
        if (!place.done) {
          this.#move(...place.value);
          continue;
        }
        const pattern = patterns.next();
        if (pattern.done) {
          this.#closeUnlisted();
          return true;
        }
        for (const link of this.#everywhere(pattern.value)) link.subscribe(pattern.value, true, () => {});
      }
      return false;
    });
  }

  /** Listens to a channel at the server that has it now. */
  #move(name: string, link: ChannelLink): void {
    const next = this.#linkTo(this.#ownerOf(binaryBytes(name)).address);
    if (next === link) return;
    this.#places.set(name, next);
    next.subscribe(name, false, () => {
      // The channel may have come back meanwhile.
      if (this.#places.get(name) !== link) link.unsubscribe(name, false);
    });
  }

  /** Closes the connections to servers that are no longer in the list. */
  #closeUnlisted(): void {
    const addresses = new Set(this.#cluster.pools.map(({ address }) => address));
    for (const [address, link] of this.#links) {
      if (addresses.has(address)) continue;
      link.close("it was removed from the list of servers");
      this.#links.delete(address);
    }
  }

  /**
   * Sends a message to the server that has the channel.
   *
   * @throws {ReplyError}
   */
  publish(pending: PendingReply, specification: CommandSpecification, request: Request, frame: Frame): void {
    checkSizes(specification, request);
    const { link } = pending;
    const owner = this.#cluster.ownerOf(request.bytes, request.start(1), request.length(1));
    // Who heard it once shall not hear it twice.
    pending.repeatable = false;
    const isHeardHere = this.#links.get(owner.address)?.isUsed ?? false;
    const backendRequest = isHeardHere ? new PublishRequest(pending, this, owner, request.view(1).slice()) : pending;
    link.streams.send(owner, backendRequest, frame.bytes, frame.start, frame.size);
  }

  /** Answers how many have got a message: the server counts this proxy as one, where its clients have to be counted. */
  answerPublished(
    pending: PendingReply,
    owner: Pool,
    channel: Uint8Array,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const { link } = pending;
    const { dialect } = link;
    if (!dialect.grants(bytes, start)) return pending.succeed(bytes, start, end);
    const channelLink = this.#links.get(owner.address);
    let reported = 0;
    this.#ownReplies.replyWhenDone(pending, (reply) => {
      reported = Number(dialect.values(bytes, start, end).integer());
      const search = channelLink?.search(channel);
      const answer = () => {
        let count = reported;
        if (channelLink?.hears(channel)) count += this.channels.count(binaryText(channel, 0, channel.length)) - 1;
        for (const { text, isConfirmed } of search?.found ?? []) {
          if (isConfirmed) count += this.channels.countPattern(text) - 1;
        }
        // What the server has counted may have changed meanwhile.
        reply.integer(Math.max(0, count));
      };
      const searching = search === undefined ? undefined : inSlices(link, search.step);
      return searching === undefined ? answer() : searching.then(answer);
    });
  }

  /** Sets the counts to zero. */
  resetStatistics(): void {
    this.lostLinks = this.lostClients = 0;
  }

  /** As {@linkcode ChannelLink.sweep}, for all servers. */
  sweep(timeoutMs: number): void {
    for (const link of this.#links.values()) link.sweep(timeoutMs);
  }

  /** As {@linkcode ChannelLink.lose}, for one server. */
  lose(address: string, reason: string): void {
    this.#links.get(address)?.lose(reason);
  }

  /** Listens to nothing any more. */
  close(): void {
    for (const link of this.#links.values()) link.close("the proxy is stopping");
  }
}

/** A message on its way. */
class PublishRequest extends BackendRequest {
  readonly #pending: PendingReply;
  readonly #hub: ChannelHub;
  readonly #owner: Pool;
  readonly #channel: Uint8Array;

  constructor(pending: PendingReply, hub: ChannelHub, owner: Pool, channel: Uint8Array) {
    super();
    this.#pending = pending;
    this.#hub = hub;
    this.#owner = owner;
    this.#channel = channel;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#hub.answerPublished(this.#pending, this.#owner, this.#channel, bytes, start, end);
  }

  override fail(error: ConnectionError): void {
    this.#pending.fail(error);
  }
}

/**
 * Calls `run` with some names of a request.
 *
 * @returns the position after the last of them
 */
function forNames(request: Request, first: number, end: number, run: (name: string) => void): number {
  const { bytes, starts, lengths } = request;
  let left = NAMES_AT_ONCE_BYTES;
  let i = first;
  for (const stop = Math.min(end, first + NAMES_AT_ONCE_COUNT); i < stop && left > 0; i++) {
    left -= lengths[i]!;
    run(binaryText(bytes, starts[i]!, lengths[i]!));
  }
  return i;
}
