/**
 * Channels through the proxy: the subscriptions of its clients, and the servers at which the proxy subscribes for them.
 *
 * ```text
 * publish news hi    ─► owner of the slot of "news" ─► all proxies that subscribe there ─► their clients
 * subscribe news     at the owner of the slot of "news"
 * psubscribe n*      at every server, since a pattern matches channels of all slots
 * ```
 *
 * A client gets the confirmation of a subscription when the servers have confirmed it to the proxy. When slots change
 * their owners, the proxy subscribes at the new ones and then unsubscribes at the old ones. The client notices nothing,
 * and may miss messages that are published in between.
 *
 * When the connection to a server is lost, messages may be missed. A client of Redis would lose its own connection
 * then, and know. So the proxy disconnects the clients with subscriptions at that server: they connect and subscribe
 * again. The log reports it, and `info` counts them.
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

/** The number of names between two looks at the clock, which take about a tenth of a millisecond. */
const NAMES_AT_ONCE_COUNT = 32;
/** The bytes of long names between two looks at the clock, which take the same time. */
const NAMES_AT_ONCE_BYTES = 32 * 1024;
/** The number of clients that are disconnected between two looks at the clock. */
const ENDED_AT_ONCE_COUNT = 8;

/** The functions of the proxy that the hub needs. */
export interface ChannelHubHost {
  /** The slices for long work. */
  readonly slices: Slices;
  /** Closes the connection of a client in order, after its output is written. */
  end(client: ClientState): void;
  /** Records that the connection to a server with subscriptions was lost. */
  lost(address: string, reason: string): void;
  /** Records that `clients` clients were disconnected for that reason. */
  ended(address: string, clients: number): void;
}

/** Runs the commands of the group `channel`. One object serves all clients. */
export class ChannelHub {
  /** The subscriptions of the clients. */
  readonly channels: Channels = new Channels((name, isPattern) => this.#release(name, isPattern));
  /** The number of lost connections to servers with subscriptions. */
  lostLinks = 0;
  /** The number of clients that were disconnected for that reason. */
  lostClients = 0;
  readonly #cluster: Cluster;
  readonly #ownReplies: OwnReplies;
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #host: ChannelHubHost;
  /** The links, by the address of the server. */
  readonly #links = new Map<string, ChannelLink>();
  /** The link of each channel with a subscription. */
  readonly #places = new Map<string, ChannelLink>();
  /** The patterns with subscriptions, which are at all servers. */
  readonly #patterns = new Set<string>();
  /** The number of clients that wait for a confirmation, by channel. */
  readonly #pendingChannels = new Map<string, number>();
  /** The number of clients that wait for a confirmation, by pattern. */
  readonly #pendingPatterns = new Map<string, number>();
  /** Counts the changes of owners, so that work for one change ends at the next. */
  #changes = 0;

  /**
   * Creates the hub.
   *
   * @param dialect the dialect of RESP3
   */
  constructor(cluster: Cluster, ownReplies: OwnReplies, dialect: Dialect, clock: Clock, host: ChannelHubHost) {
    this.#cluster = cluster;
    this.#ownReplies = ownReplies;
    this.#dialect = dialect;
    this.#clock = clock;
    this.#host = host;
    cluster.onChange(() => this.#follow());
  }

  /**
   * Runs a command with the routing `channel`.
   *
   * @throws {ReplyError}
   */
  run(pending: PendingReply, specification: CommandSpecification, request: Request): void {
    const { name, subscription, channels } = specification;
    checkSizes(specification, request);
    const { link } = pending;
    // The client sends nothing more until the reply, but its buffer may move.
    const copy = request.copy();
    const run = CONNECTION_COMMANDS[name]!;
    if (subscription === "begins" && link.client.version !== 0) {
      link.backpressure.holdUntilIdle();
      return this.#subscribe(pending, copy, channels[0]!.isPattern, run);
    }
    const replying = this.#ownReplies.replyWhenDone(pending, (reply) => run(link, copy, reply));
    if (replying !== undefined) link.backpressure.holdUntilIdle();
  }

  #subscribe(pending: PendingReply, request: Request, isPattern: boolean, run: RunOnConnection): void {
    const { link } = pending;
    this.#listen(link, request, isPattern, (error, end) => {
      const replying = this.#ownReplies.replyWhenDone(pending, (reply) => {
        if (error !== undefined) throw new ReplyError(codeOf(error, true), error.message);
        if (!link.isGone) return run(link, request, reply);
      });
      if (replying === undefined) this.#settle(request, end, isPattern);
      else replying.then(() => this.#settle(request, end, isPattern));
    });
  }

  /**
   * Subscribes at all servers concerned, and waits for their confirmations.
   *
   * @param done called once, with the first error, and with the first name that was left out because the client has
   * disconnected
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

  /** Returns the server of a channel, and notes the channel as subscribed. */
  #placeOf(name: string): ChannelLink {
    let link = this.#places.get(name);
    if (link === undefined) this.#places.set(name, link = this.#linkTo(this.#ownerOf(binaryBytes(name)).address));
    return link;
  }

  /** Returns all servers that have slots, and thus channels, and notes the pattern as subscribed. */
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

  /** Disconnects the clients that listened at a server and may have missed messages. */
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

  /** Yields the clients with these subscriptions, and `undefined` for a subscription without clients. */
  *#listenersOf(subscriptions: readonly Subscribed[]): Generator<ClientState | undefined> {
    for (const { text, isPattern } of subscriptions) {
      yield undefined;
      yield* this.channels.listeners(text, isPattern);
    }
  }

  /** Calls `step` until it returns true; without a pause if that takes no longer than one step. */
  async #inSlices(step: () => boolean): Promise<void> {
    if (step()) return;
    const { slices } = this.#host;
    while (!slices.run(step)) await slices.next();
  }

  #ownerOf(channel: Uint8Array): Pool {
    return this.#cluster.ownerOf(channel, 0, channel.length);
  }

  /** Unsubscribes from names to which the client could not subscribe, after its reply. */
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

  /** Unsubscribes from names without clients. */
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

  /** Moves subscriptions after slots have changed their owners. */
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

  /** Subscribes to a channel at its present server. */
  #move(name: string, link: ChannelLink): void {
    const next = this.#linkTo(this.#ownerOf(binaryBytes(name)).address);
    if (next === link) return;
    this.#places.set(name, next);
    next.subscribe(name, false, () => {
      // The channel may have returned meanwhile.
      if (this.#places.get(name) !== link) link.unsubscribe(name, false);
    });
  }

  /** Closes the connections to servers that are not in the list any more. */
  #closeUnlisted(): void {
    const addresses = new Set(this.#cluster.pools.map(({ address }) => address));
    for (const [address, link] of this.#links) {
      if (addresses.has(address)) continue;
      link.close("it was removed from the list of servers");
      this.#links.delete(address);
    }
  }

  /**
   * Sends a message to the server of its channel.
   *
   * @throws {ReplyError}
   */
  publish(pending: PendingReply, specification: CommandSpecification, request: Request, frame: Frame): void {
    checkSizes(specification, request);
    const { link } = pending;
    const owner = this.#cluster.ownerOf(request.bytes, request.start(1), request.length(1));
    // A client that has received it once must not receive it again.
    pending.repeatable = false;
    const isHeardHere = this.#links.get(owner.address)?.isUsed ?? false;
    const backendRequest = isHeardHere ? new PublishRequest(pending, this, owner, request.view(1).slice()) : pending;
    link.streams.send(owner, backendRequest, frame.bytes, frame.start, frame.size);
  }

  /**
   * Replies with the number of clients that have received a message. The server counts this proxy as one, so its
   * clients are counted here.
   */
  replyPublished(
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
      const replyNow = () => {
        let count = reported;
        if (channelLink?.hears(channel)) count += this.channels.count(binaryText(channel, 0, channel.length)) - 1;
        for (const { text, isConfirmed } of search?.found ?? []) {
          if (isConfirmed) count += this.channels.countPattern(text) - 1;
        }
        // The server's counts may have changed meanwhile.
        reply.integer(Math.max(0, count));
      };
      const searching = search === undefined ? undefined : inSlices(link, search.step);
      return searching === undefined ? replyNow() : searching.then(replyNow);
    });
  }

  /** Resets the counts. */
  resetStatistics(): void {
    this.lostLinks = this.lostClients = 0;
  }

  /** Calls {@linkcode ChannelLink.sweep} for all servers. */
  sweep(timeoutMs: number): void {
    for (const link of this.#links.values()) link.sweep(timeoutMs);
  }

  /** Calls {@linkcode ChannelLink.lose} for one server. */
  lose(address: string, reason: string): void {
    this.#links.get(address)?.lose(reason);
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const link of this.#links.values()) link.close("the proxy is stopping");
  }
}

/** A message in flight. */
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
    this.#hub.replyPublished(this.#pending, this.#owner, this.#channel, bytes, start, end);
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
