/**
 * Routes each request of a client, according to the row of its command in `catalog/specification.ts`.
 *
 * A command for one server is forwarded unchanged, without a copy of its arguments, a promise or a closure. Only
 * commands that several servers or the proxy itself execute cost more. One router serves all clients: it keeps no state
 * from one call to the next.
 *
 * @module
 */

import { checkSizes, wrongCount } from "../../catalog/call.ts";
import { CommandIndex } from "../../catalog/command_index.ts";
import { acceptsCount, COMMANDS, keysEnd, mayWrite } from "../../catalog/specification.ts";
import type { CommandSpecification } from "../../catalog/specification.ts";
import { noteIfAdmin } from "../../connection/admin.ts";
import { admitSlowPath, unknown } from "../../connection/admission.ts";
import { setsOwn } from "../../connection/config.ts";
import { finishInSlices } from "../../connection/in_slices.ts";
import { ReplyError } from "../../errors.ts";
import { slotOf } from "../../key_slot.ts";
import { LONG_FRAME_BYTES } from "../../limits.ts";
import { Held } from "../../memory/client_memory.ts";
import type { Request } from "../../wire/request.ts";
import type { RequestWriter } from "../../wire/request_writer.ts";
import type { Cluster } from "../backend/cluster.ts";
import type { Loans } from "../backend/loans.ts";
import type { ClientLink, PendingReply } from "../client/client_link.ts";
import type { RequestCounts } from "../client/request_counts.ts";
import type { OwnReplies } from "../client/own_replies.ts";
import { PausedRequest } from "../client/paused_request.ts";
import type { Frame } from "../client/queued_requests.ts";
import { SilentReply } from "../client/silent_reply.ts";
import { AllServers, routingOf } from "./all_servers.ts";
import type { ChannelHub } from "./channel_hub.ts";
import { FirstNonNil } from "./first_non_nil.ts";
import { joinStatuses, joinSums, joinValues } from "./join.ts";
import type { Join } from "./join.ts";
import { hasManyKeys, KeySlots } from "./key_slots.ts";
import { subcommandsOf } from "./local_commands.ts";
import type { LocalCommands } from "./local_commands.ts";
import { checkProxied } from "./refusals.ts";
import { composeScan, findStep, ScanRequest, writeEnd } from "./scan.ts";
import { slotOfArgument, slotPushedTo } from "./pushed_slot.ts";
import { sharedSlot } from "./shared_slot.ts";
import { Split } from "./split.ts";
import { Transactions } from "./transactions.ts";
import type { Waits } from "./waits.ts";

/** Routes the requests of all clients. */
export class Router {
  readonly #counts: RequestCounts;
  readonly #untilTimed: Int32Array;
  readonly #cluster: Cluster;
  readonly #loans: Loans;
  readonly #ownReplies: OwnReplies;
  readonly #local: LocalCommands;
  readonly #transactions: Transactions;
  readonly #allServers: AllServers;
  readonly #waits: Waits;
  readonly #hub: ChannelHub;
  readonly #index = new CommandIndex();

  constructor(
    cluster: Cluster,
    counts: RequestCounts,
    ownReplies: OwnReplies,
    local: LocalCommands,
    waits: Waits,
    hub: ChannelHub,
  ) {
    this.#counts = counts;
    this.#untilTimed = counts.untilTimed;
    this.#cluster = cluster;
    this.#loans = cluster.loans;
    this.#ownReplies = ownReplies;
    this.#local = local;
    this.#allServers = new AllServers(cluster, ownReplies);
    this.#hub = hub;
    this.#transactions = new Transactions(cluster, ownReplies, (pending, specification, request, frame) => {
      this.#carryOut(pending, specification, request, frame);
    });
    this.#waits = waits;
  }

  /** The assignment of slots to servers. It is replaced by another object at each change. */
  get ownership(): unknown {
    return this.#cluster.owners;
  }

  /**
   * Routes one request of a client, whose bytes are `bytes[start, end)`. All are borrowed until return.
   *
   * @returns `false` when the request was not accepted, since the client must be idle first or is held back; otherwise
   * it has a pending reply
   */
  route(link: ClientLink, request: Request, bytes: Uint8Array, start: number, end: number): boolean {
    const specification = COMMANDS[this.#index.find(request.bytes, request.starts[0]!, request.lengths[0]!)];
    if (specification === undefined || !link.client.isFastPath || specification.routing !== "key") {
      return this.#routeSlowPath(link, specification, request, { bytes, start, size: end - start });
    }
    const key = specification.firstKey;
    if (!acceptsCount(specification.arity, request.count) || key >= request.count) {
      return this.#routeSlowPath(link, specification, request, { bytes, start, size: end - start });
    }
    const isWrite = specification.writes;
    if (isWrite && this.#waits.total !== 0 && this.#isHeld(link, slotOfArgument(request, key))) return false;
    const pending = link.order.open();
    const position = pending.position = specification.position;
    if (--this.#untilTimed[position]! === 0) this.#counts.time(pending, specification, request, link.client);
    pending.repeatable = !isWrite;
    if (isWrite && this.#loans.count > 0) this.#noteWrites(specification, request);
    const owner = this.#cluster.ownerOf(request.bytes, request.starts[key]!, request.lengths[key]!);
    link.streams.send(owner, pending, bytes, start, end - start);
    return true;
  }

  /** Routes requests that are not for the owner of one key, or not in this state of the client. */
  #routeSlowPath(
    link: ClientLink,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
  ): boolean {
    if (specification !== undefined && !link.isIdle && this.#needsIdle(link, specification)) return false;
    if (this.#waits.total !== 0 && this.#isHeld(link, slotPushedTo(link, specification, request))) return false;
    if (link.client.isPaused && specification !== undefined && this.#isPaused(link, specification, request)) {
      return false;
    }
    if (link.client.silence !== "none") return this.#routeSilently(link, specification, request, frame);
    this.#begin(link.order.open(), specification, request, frame);
    return true;
  }

  /** Begins a request to which the client wants no reply, unless it turns replies on again. */
  #routeSilently(
    link: ClientLink,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
  ): true {
    const { client } = link;
    if (client.silence === "next") client.silence = "this";
    const place = link.order.open();
    // A subscription is confirmed in any case, as in Redis.
    const silent = specification?.subscription === undefined ? new SilentReply(place) : undefined;
    this.#begin(silent ?? place, specification, request, frame);
    silent?.routed();
    if (client.silence === "this") client.silence = "none";
    return true;
  }

  /** Returns whether a request has to wait for the end of a pause, and if so, holds it back. */
  #isPaused(link: ClientLink, specification: CommandSpecification, request: Request): boolean {
    const { pause } = link.shared;
    if (!acceptsCount(specification.arity, request.count)) return false;
    if (!pause.holdsBack(link.client, specification, request)) return false;
    // Replies in flight are not held up, and an end of the client's side must not drop them.
    if (link.isIdle) new PausedRequest(link, pause.hold());
    return true;
  }

  /** Begins a request that has its place in the order of replies. */
  #begin(
    pending: PendingReply,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
  ): void {
    const { link } = pending;
    pending.repeatable = specification?.writes !== true;
    if (specification !== undefined && isLong(specification, request)) {
      link.backpressure.hold(this.#takeLong(pending, specification, request, frame));
    } else {
      this.#take(pending, specification, request, frame);
    }
  }

  /** Executes a request, or refuses it. */
  #take(
    pending: PendingReply,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
    keys?: KeySlots,
  ): void {
    try {
      if (this.#admit(pending, specification, request, frame, keys)) {
        this.#counts.begin(pending, specification!, request, pending.link.client);
        this.#carryOut(pending, specification!, request, frame, keys);
      }
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      if (pending.position === -1) this.#counts.rejected(specification);
      this.#ownReplies.refuseWith(pending, error);
    }
    if (pending.link.client.closing) pending.link.leave();
  }

  /**
   * Does what {@linkcode #take} does, for a request of very many keys, whose slots are first found in slices. Never
   * rejects.
   */
  async #takeLong(
    pending: PendingReply,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
  ): Promise<void> {
    try {
      const keys = new KeySlots(specification, request);
      await finishInSlices(pending.link, () => keys.step());
      this.#take(pending, specification, request, frame, keys);
    } catch (error) {
      this.#ownReplies.reply(pending, () => {
        throw error;
      });
    }
  }

  /** Holds the client back while a disconnected client still waits in this slot. Returns whether it does. */
  #isHeld(link: ClientLink, keySlot: number): boolean {
    const settled = this.#waits.settledIn(keySlot);
    if (settled !== undefined) link.backpressure.hold(settled);
    return settled !== undefined;
  }

  #needsIdle(link: ClientLink, specification: CommandSpecification): boolean {
    switch (specification.routing) {
      case "wait":
        return link.client.transaction === undefined;
      case "transaction":
        return this.#transactions.needsIdle(specification, link);
      default:
        // Messages of channels, and replies in another version, could be mistaken for replies to earlier requests.
        return specification.subscription !== undefined || specification.changesProtocol;
    }
  }

  /**
   * Returns whether a request may be executed now; a queued one has its reply already.
   *
   * @throws {ReplyError} when the request is refused
   */
  #admit(
    pending: PendingReply,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): boolean {
    const { client } = pending.link;
    if (client.isFastPath) {
      if (specification === undefined) throw unknown(client, request);
      if (!acceptsCount(specification.arity, request.count)) throw wrongCount(request);
      return true;
    }
    const subcommands = specification && subcommandsOf(specification);
    const queue = () => {
      this.#transactions.queue(pending, specification!, request, frame, keys);
      this.#counts.queued(specification!, request, client);
    };
    const discard = () => this.#transactions.forget(pending.link);
    return admitSlowPath(client, specification, subcommands, request, queue, discard);
  }

  /** Executes a request that is not for the owner of one key. */
  #carryOut(
    pending: PendingReply,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys?: KeySlots,
  ): void {
    if (specification.admin !== undefined) noteIfAdmin(pending.link, specification, request);
    const routing = routingOf(specification, request);
    if (routing === "everywhere" && setsOwn(pending.link.shared.configuration, specification, request)) {
      return this.#local.run(pending, specification, request);
    }
    switch (routing) {
      case "key":
        return this.#forwardKey(pending, specification, request, frame);
      case "sum":
      case "values":
      case "pairs":
        return this.#split(pending, specification, request, frame, keys);
      case "together":
        return this.#forwardTogether(pending, specification, request, frame, keys);
      case "total":
      case "merge":
      case "top":
      case "newest":
      case "every":
      case "everywhere":
      case "latencies":
        return this.#allServers.run(pending, specification, routing, request, frame);
      case "scan":
        return this.#scan(pending, request);
      case "wait":
        return this.#waits.begin(pending, specification, request, frame);
      case "any":
        return this.#askAny(pending, frame);
      case "channel":
        return this.#hub.run(pending, specification, request);
      case "publish":
        return this.#hub.publish(pending, specification, request, frame);
      case "transaction":
        return this.#transactions.run(pending, specification, request, frame);
      default:
        return this.#local.run(pending, specification, request);
    }
  }

  /** Records the slots that a request may write, before it is sent: their lenders miss the write. */
  #noteWrites(specification: CommandSpecification, request: Request): void {
    const { bytes, starts, lengths, count } = request;
    if (this.#loans.count === 0 || !mayWrite(specification, count)) return;
    const { firstKey, keyStep } = specification;
    const end = keysEnd(specification, request);
    for (let key = firstKey; key < end; key += keyStep) {
      this.#cluster.wrote(slotOf(bytes, starts[key]!, lengths[key]!));
    }
  }

  /** Sends each owner its own keys. */
  #split(
    pending: PendingReply,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): void {
    if ((request.count - specification.firstKey) % specification.keyStep !== 0) throw wrongCount(request);
    checkSizes(specification, request);
    const { link } = pending;
    if (keys !== undefined || frame.size >= LONG_FRAME_BYTES) {
      return link.backpressure.hold(this.#splitLong(pending, specification, request, frame, keys));
    }
    const split = new Split(this.#cluster, specification, request);
    this.#noteWrites(specification, request);
    if (split.count === 1) return link.streams.send(split.pool(0), pending, frame.bytes, frame.start, frame.size);
    const gather = this.#allServers.gather(pending, specification, joinFor(specification, split));
    const { writer } = link.dialect;
    for (let part = 0; part < split.count; part++) {
      split.compose(part, writer);
      link.streams.send(split.pool(part), gather.add(), writer.buffer, 0, writer.length);
    }
    gather.sent();
  }

  /**
   * Does what {@linkcode #split} does, for a long request, in slices. It is sent when all parts are composed. Never
   * rejects.
   */
  async #splitLong(
    pending: PendingReply,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): Promise<void> {
    const { link } = pending;
    const { account } = link.client;
    try {
      // Until its reply arrives, it is on its way to the servers.
      account.charge(Held.Request, frame.size);
      pending.sentBytes = frame.size;
      const parts: RequestWriter[] = [];
      let split: Split;
      let { ownership } = this;
      for (;;) {
        split = new Split(this.#cluster, specification, request, keys?.slots);
        const assigned = split;
        if (keys !== undefined) await finishInSlices(link, () => assigned.assignSome());
        // A single part is the request itself, which is copied when it is sent.
        for (let part = 0; part < split.count && split.count > 1; part++) {
          parts[part] = link.dialect.makeWriter();
          await finishInSlices(link, split.composing(part, parts[part]!));
        }
        if (ownership === this.ownership) break;
        // Slots have moved meanwhile.
        ({ ownership } = this);
        parts.length = 0;
      }
      if (keys === undefined) this.#noteWrites(specification, request);
      else this.#noteSlots(specification, keys);
      if (split.count === 1) {
        account.release(Held.Request, pending.sentBytes);
        pending.sentBytes = 0;
        return link.streams.send(split.pool(0), pending, frame.bytes, frame.start, frame.size);
      }
      const gather = this.#allServers.gather(pending, specification, joinFor(specification, split));
      for (const [part, { buffer, length }] of parts.entries()) {
        link.streams.sendOwned(split.pool(part), gather.add(), buffer, length);
      }
      gather.sent();
    } catch (error) {
      this.#ownReplies.reply(pending, () => {
        throw error;
      });
    }
  }

  /** Does what {@linkcode #noteWrites} does, for a request of very many keys. */
  #noteSlots(specification: CommandSpecification, { isUsed }: KeySlots): void {
    if (this.#loans.count === 0 || !specification.writes) return;
    for (let slot = 0; slot < isUsed.length; slot++) if (isUsed[slot] === 1) this.#cluster.wrote(slot);
  }

  /** Forwards the request to the owner of its key; to any server when it has no key, as in `object help`. */
  #forwardKey(pending: PendingReply, specification: CommandSpecification, request: Request, frame: Frame): void {
    const { firstKey } = specification;
    const hasKey = firstKey < request.count;
    if (!hasKey) checkProxied(specification, request);
    const owner = hasKey
      ? this.#cluster.ownerOf(request.bytes, request.start(firstKey), request.length(firstKey))
      : this.#cluster.ownerOfSlot(0);
    this.#noteWrites(specification, request);
    pending.link.streams.send(owner, pending, frame.bytes, frame.start, frame.size);
  }

  /** Forwards the request to the owner of all its keys. */
  #forwardTogether(
    pending: PendingReply,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): void {
    const owner = this.#cluster.ownerOfSlot(keys?.shared() ?? sharedSlot(specification, request));
    if (keys === undefined) this.#noteWrites(specification, request);
    else this.#noteSlots(specification, keys);
    pending.link.streams.send(owner, pending, frame.bytes, frame.start, frame.size);
  }

  /** Sends the request to a random server, and to the others one after another while the replies are nil. */
  #askAny(pending: PendingReply, frame: Frame): void {
    const { holders } = this.#cluster;
    const first = Math.floor(Math.random() * holders.length);
    const order = [...holders.slice(first), ...holders.slice(0, first)];
    new FirstNonNil(pending, order, frame.bytes.slice(frame.start, frame.start + frame.size)).ask();
  }

  #scan(pending: PendingReply, request: Request): void {
    const step = findStep(this.#cluster, request);
    if (step === undefined) return this.#ownReplies.reply(pending, writeEnd);
    const { link } = pending;
    const { writer } = link.dialect;
    composeScan(request, step.position, writer);
    const backendRequest = new ScanRequest(this.#cluster, step.stop.tag, link.dialect, {
      forward: (bytes, start, end) => pending.succeed(bytes, start, end),
      reply: (write) => this.#ownReplies.reply(pending, write),
    });
    link.streams.send(step.stop.pool, backendRequest, writer.buffer, 0, writer.length);
  }
}

/**
 * Returns whether the slots of a request's keys are found in slices, because there are many of them. For a request with
 * a wrong number of arguments it returns `false`.
 */
function isLong(specification: CommandSpecification, request: Request): boolean {
  return hasManyKeys(specification, request) && acceptsCount(specification.arity, request.count) &&
    request.count <= specification.argumentsMaxCount;
}

/** Returns the function that joins the replies to the parts of a command. */
function joinFor({ routing }: CommandSpecification, split: Split): Join {
  if (routing === "sum") return joinSums;
  if (routing === "values") return (parts, reply) => joinValues(parts, split.partOf, reply);
  return joinStatuses;
}
