/**
 * What becomes of one request: the rows of the table in `command/specification.ts`, in code.
 *
 * A command for one server is passed on as it came, without a copy of its arguments, a promise or a closure; only
 * what several servers have to answer, or the proxy itself, costs more. One router serves all clients: nothing in it
 * outlives a call.
 *
 * @module
 */

import { noteIfAdmin } from "../command/admin.ts";
import { admitUnusual, unknown } from "../command/admission.ts";
import { checkSizes, wrongCount } from "../command/call.ts";
import { CommandIndex } from "../command/command_index.ts";
import { finishInSlices } from "../command/in_slices.ts";
import { acceptsCount, COMMANDS, keysEnd, mayWrite } from "../command/specification.ts";
import type { CommandSpecification } from "../command/specification.ts";
import { ReplyError } from "../errors.ts";
import { slotOf } from "../key_slot.ts";
import { LONG_BYTES, LONG_FRAME_BYTES } from "../limits.ts";
import { Held } from "../wire/client_memory.ts";
import type { Request } from "../wire/request.ts";
import type { Answers } from "./answers.ts";
import { AnyExchange } from "./any_exchange.ts";
import type { ChannelHub } from "./channel_hub.ts";
import type { Cluster } from "./cluster.ts";
import type { RequestComposer } from "./dialect.ts";
import { Gather } from "./gather.ts";
import { joinArrays, joinStatuses, joinSums, joinValues } from "./join.ts";
import type { Join } from "./join.ts";
import { hasManyKeys, KeySlots } from "./key_slots.ts";
import { subcommandsOf } from "./local_commands.ts";
import type { LocalCommands } from "./local_commands.ts";
import type { Loans } from "./loans.ts";
import { cannotBeUsed } from "./refusal.ts";
import { composeScan, findStep, ScanExchange, writeEnd } from "./scan.ts";
import { sharedSlot } from "./shared_slot.ts";
import type { Client, Frame, Slot } from "./slot.ts";
import { Split } from "./split.ts";
import { Transactions } from "./transactions.ts";
import type { Waits } from "./waits.ts";

/** Subcommands of `memory` whose answers would say nothing of the cluster. */
const ABOUT_ONE_SERVER: readonly string[] = ["stats", "doctor", "malloc-stats", "purge"];

/** Routes requests. */
export class Router {
  readonly #cluster: Cluster;
  readonly #loans: Loans;
  readonly #answers: Answers;
  readonly #local: LocalCommands;
  readonly #transactions: Transactions;
  readonly #waits: Waits;
  readonly #hub: ChannelHub;
  readonly #index = new CommandIndex();

  constructor(cluster: Cluster, answers: Answers, local: LocalCommands, waits: Waits, hub: ChannelHub) {
    this.#cluster = cluster;
    this.#loans = cluster.loans;
    this.#answers = answers;
    this.#local = local;
    this.#hub = hub;
    this.#transactions = new Transactions(cluster, answers, (slot, specification, request, frame) => {
      this.#carryOut(slot, specification, request, frame);
    });
    this.#waits = waits;
  }

  /** What says which server has which slot: another object when that has changed. */
  get ownership(): unknown {
    return this.#cluster.owners;
  }

  /**
   * Takes one request of a client, whose bytes are `bytes[start, end)`. All are borrowed until return.
   *
   * @returns `false` when it was not taken, since the client has to be idle first, or was held; else it has got a slot
   */
  route(client: Client, request: Request, bytes: Uint8Array, start: number, end: number): boolean {
    const specification = COMMANDS[this.#index.find(request.bytes, request.starts[0]!, request.lengths[0]!)];
    if (specification === undefined || !client.state.isPlain || specification.routing !== "key") {
      return this.#routeUnusual(client, specification, request, { bytes, start, size: end - start });
    }
    const key = specification.firstKey;
    if (!acceptsCount(specification.arity, request.count) || key >= request.count) {
      return this.#routeUnusual(client, specification, request, { bytes, start, size: end - start });
    }
    const isWrite = specification.writes;
    if (isWrite && this.#waits.total !== 0 && this.#isHeld(client, slotOfArgument(request, key))) return false;
    const slot = client.openSlot();
    slot.repeatable = !isWrite;
    if (isWrite && this.#loans.count > 0) this.#noteWrites(specification, request);
    const owner = this.#cluster.ownerOf(request.bytes, request.starts[key]!, request.lengths[key]!);
    client.send(owner, slot, bytes, start, end - start);
    return true;
  }

  /** Takes what is not for the owner of one key, or nothing for that client in its state. */
  #routeUnusual(
    client: Client,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
  ): boolean {
    if (specification !== undefined && !client.isIdle && this.#needsIdle(client, specification)) return false;
    if (this.#waits.total !== 0 && this.#isHeld(client, slotPushedTo(client, specification, request))) return false;
    const slot = client.openSlot();
    slot.repeatable = specification?.writes !== true;
    if (specification !== undefined && isLong(specification, request)) {
      client.holdUntil(this.#takeLong(slot, specification, request, frame));
    } else {
      this.#take(slot, specification, request, frame);
    }
    return true;
  }

  /** Carries out a request, or refuses it. */
  #take(
    slot: Slot,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
    keys?: KeySlots,
  ): void {
    try {
      if (this.#admit(slot, specification, request, frame, keys)) {
        this.#carryOut(slot, specification!, request, frame, keys);
      }
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      this.#answers.refuseWith(slot, error);
    }
    if (slot.client.state.closing) slot.client.leave();
  }

  /** As {@linkcode #take}, of a request of very many keys, whose slots are found in slices before. Never rejects. */
  async #takeLong(slot: Slot, specification: CommandSpecification, request: Request, frame: Frame): Promise<void> {
    try {
      const keys = new KeySlots(specification, request);
      await finishInSlices(slot.client.context, () => keys.step());
      this.#take(slot, specification, request, frame, keys);
    } catch (error) {
      this.#answers.answer(slot, () => {
        throw error;
      });
    }
  }

  /** Holds the client back while clients that have gone are taken for waiting in this slot; returns whether it does. */
  #isHeld(client: Client, keySlot: number): boolean {
    const settled = this.#waits.settledIn(keySlot);
    if (settled !== undefined) client.holdUntil(settled);
    return settled !== undefined;
  }

  #needsIdle(client: Client, specification: CommandSpecification): boolean {
    switch (specification.routing) {
      case "wait":
        return client.state.transaction === undefined;
      case "transaction":
        return this.#transactions.needsIdle(specification, client);
      case "channel":
        return this.#hub.needsIdle(specification);
      default:
        return specification.routing === "local" && this.#local.needsIdle(specification);
    }
  }

  /**
   * Whether a request may be carried out now; one that is queued was answered.
   *
   * @throws {ReplyError} when it may not
   */
  #admit(
    slot: Slot,
    specification: CommandSpecification | undefined,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): boolean {
    const { state } = slot.client;
    if (state.isPlain) {
      if (specification === undefined) throw unknown(state, request);
      if (!acceptsCount(specification.arity, request.count)) throw wrongCount(request);
      return true;
    }
    const subcommands = specification && subcommandsOf(specification);
    const queue = () => this.#transactions.queue(slot, specification!, request, frame, keys);
    const discard = () => this.#transactions.forget(slot.client);
    return admitUnusual(state, specification, subcommands, request, queue, discard);
  }

  /** Carries on with what is not for the owner of one key. */
  #carryOut(
    slot: Slot,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys?: KeySlots,
  ): void {
    if (specification.admin !== undefined) noteIfAdmin(slot.client.context, specification, request);
    switch (specification.routing) {
      case "key":
        return this.#forwardKey(slot, specification, request, frame);
      case "sum":
      case "values":
      case "pairs":
        return this.#split(slot, specification, request, frame, keys);
      case "together":
        return this.#forwardTogether(slot, specification, request, frame, keys);
      case "total":
        return this.#askAll(slot, specification, frame, joinSums);
      case "merge":
        return this.#askAll(slot, specification, frame, joinArrays);
      case "every":
        if (specification.name === "save" && request.count > 1) {
          throw cannotBeUsed(request, "with a path: each server would write a file of that name");
        }
        return this.#askAll(slot, specification, frame, joinStatuses);
      case "scan":
        return this.#scan(slot, request);
      case "wait":
        return this.#waits.begin(slot, specification, request, frame);
      case "any":
        return this.#askAny(slot, frame);
      case "channel":
        return this.#hub.run(slot, specification, request, frame);
      case "transaction":
        return this.#transactions.run(slot, specification, request, frame);
      default:
        return this.#local.answer(slot, specification, request);
    }
  }

  /** Takes note of the slots that a request may write, before it is sent: their lenders have missed it. */
  #noteWrites(specification: CommandSpecification, request: Request): void {
    const { bytes, starts, lengths, count } = request;
    if (this.#loans.count === 0 || !mayWrite(specification, count)) return;
    const { firstKey, keyStep } = specification;
    const end = keysEnd(specification, count);
    for (let key = firstKey; key < end; key += keyStep) {
      this.#cluster.wrote(slotOf(bytes, starts[key]!, lengths[key]!));
    }
  }

  /** Sends each owner the keys that are its own. */
  #split(
    slot: Slot,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): void {
    if ((request.count - specification.firstKey) % specification.keyStep !== 0) throw wrongCount(request);
    checkSizes(specification, request);
    const { client } = slot;
    if (keys !== undefined || frame.size >= LONG_FRAME_BYTES) {
      return client.holdUntil(this.#splitLong(slot, specification, request, frame, keys));
    }
    const split = new Split(this.#cluster, specification, request);
    this.#noteWrites(specification, request);
    if (split.count === 1) return client.send(split.pool(0), slot, frame.bytes, frame.start, frame.size);
    const gather = this.#gather(slot, specification, joinFor(specification, split));
    const { composer } = client.dialect;
    for (let part = 0; part < split.count; part++) {
      split.compose(part, composer);
      client.send(split.pool(part), gather.add(), composer.buffer, 0, composer.length);
    }
    gather.sent();
  }

  /** As {@linkcode #split}, of a long request, in slices. It is sent at once when all is composed. Never rejects. */
  async #splitLong(
    slot: Slot,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): Promise<void> {
    const { client } = slot;
    const { account } = client.state;
    try {
      // Until it is answered, it is on its way to the servers.
      account.charge(Held.Request, frame.size);
      slot.sentBytes = frame.size;
      const parts: RequestComposer[] = [];
      let split: Split;
      let { ownership } = this;
      for (;;) {
        split = new Split(this.#cluster, specification, request, keys?.slots);
        const assigned = split;
        if (keys !== undefined) await finishInSlices(client.context, () => assigned.assignSome());
        // One part is the request itself, which is copied where it is sent.
        for (let part = 0; part < split.count && split.count > 1; part++) {
          parts[part] = client.dialect.makeComposer();
          await finishInSlices(client.context, split.composing(part, parts[part]!));
        }
        if (ownership === this.ownership) break;
        // Slots have moved meanwhile.
        ({ ownership } = this);
        parts.length = 0;
      }
      if (keys === undefined) this.#noteWrites(specification, request);
      else this.#noteSlots(specification, keys);
      if (split.count === 1) {
        account.release(Held.Request, slot.sentBytes);
        slot.sentBytes = 0;
        return client.send(split.pool(0), slot, frame.bytes, frame.start, frame.size);
      }
      const gather = this.#gather(slot, specification, joinFor(specification, split));
      for (const [part, { buffer, length }] of parts.entries()) {
        client.sendOwned(split.pool(part), gather.add(), buffer, length);
      }
      gather.sent();
    } catch (error) {
      this.#answers.answer(slot, () => {
        throw error;
      });
    }
  }

  /** As {@linkcode #noteWrites}, of a request of very many keys. */
  #noteSlots(specification: CommandSpecification, { isUsed }: KeySlots): void {
    if (this.#loans.count === 0 || !specification.writes) return;
    for (let slot = 0; slot < isUsed.length; slot++) if (isUsed[slot] === 1) this.#cluster.wrote(slot);
  }

  /** What collects the replies of several servers, and answers them as one. */
  #gather(slot: Slot, specification: CommandSpecification, join: Join): Gather {
    const { dialect, state: { account } } = slot.client;
    return new Gather(dialect, specification.writes, account, (gather) => {
      if (gather.size > LONG_BYTES) return void this.#answerLong(slot, gather, join);
      this.#answers.answer(slot, (reply) => {
        for (const _ of join(gather.granted(), reply));
      });
    });
  }

  async #answerLong(slot: Slot, gather: Gather, join: Join): Promise<void> {
    const { account } = slot.client.state;
    await this.#answers.answerInSteps(slot, account, (reply) => join(gather.granted(), reply));
    gather.free();
  }

  /** Sends the request as it is to the owner of its key; to any server when it names none, as `object help` does. */
  #forwardKey(slot: Slot, specification: CommandSpecification, request: Request, frame: Frame): void {
    const { name, firstKey } = specification;
    const hasKey = firstKey < request.count;
    if (name === "memory" && !hasKey && ABOUT_ONE_SERVER.includes(request.text(1).toLowerCase())) {
      throw cannotBeUsed(request, "without a key it tells of one server alone");
    }
    const owner = hasKey
      ? this.#cluster.ownerOf(request.bytes, request.start(firstKey), request.length(firstKey))
      : this.#cluster.ownerOfSlot(0);
    this.#noteWrites(specification, request);
    slot.client.send(owner, slot, frame.bytes, frame.start, frame.size);
  }

  /** Sends the request as it is to the owner of all its keys. */
  #forwardTogether(
    slot: Slot,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys: KeySlots | undefined,
  ): void {
    const owner = this.#cluster.ownerOfSlot(keys?.shared() ?? sharedSlot(specification, request));
    if (keys === undefined) this.#noteWrites(specification, request);
    else this.#noteSlots(specification, keys);
    slot.client.send(owner, slot, frame.bytes, frame.start, frame.size);
  }

  /** Sends the request as it is to all servers that have slots. */
  #askAll(
    slot: Slot,
    specification: CommandSpecification,
    frame: Frame,
    join: Join,
  ): void {
    const { client } = slot;
    const gather = this.#gather(slot, specification, join);
    // Servers whose slots are all lent are not asked, and miss it.
    if (specification.writes) this.#loans.endAll();
    for (const pool of this.#cluster.holders) client.send(pool, gather.add(), frame.bytes, frame.start, frame.size);
    gather.sent();
  }

  /** Sends the request to one server by chance, and to the others in turn as long as they have nothing. */
  #askAny(slot: Slot, frame: Frame): void {
    const { holders } = this.#cluster;
    const first = Math.floor(Math.random() * holders.length);
    const order = [...holders.slice(first), ...holders.slice(0, first)];
    new AnyExchange(slot, order, frame.bytes.slice(frame.start, frame.start + frame.size)).ask();
  }

  #scan(slot: Slot, request: Request): void {
    const step = findStep(this.#cluster, request);
    if (step === undefined) return this.#answers.answer(slot, writeEnd);
    const { client } = slot;
    const { composer } = client.dialect;
    composeScan(request, step.position, composer);
    const exchange = new ScanExchange(this.#cluster, step.stop.tag, client.dialect, {
      forward: (bytes, start, end) => slot.succeed(bytes, start, end),
      answer: (write) => this.#answers.answer(slot, write),
    });
    client.send(step.stop.pool, exchange, composer.buffer, 0, composer.length);
  }
}

/** Whether a request has so many keys that their slots are found in slices. One that is refused for its number does not. */
function isLong(specification: CommandSpecification, request: Request): boolean {
  return hasManyKeys(specification, request) && acceptsCount(specification.arity, request.count) &&
    request.count <= specification.argumentsMaxCount;
}

/** How the replies to the parts of a command become one. */
function joinFor({ routing }: CommandSpecification, split: Split): Join {
  if (routing === "sum") return joinSums;
  if (routing === "values") return (parts, reply) => joinValues(parts, split.partOf, reply);
  return joinStatuses;
}

function slotOfArgument({ bytes, starts, lengths }: Request, index: number): number {
  return slotOf(bytes, starts[index]!, lengths[index]!);
}

/** The slot in which a request may push elements that clients wait for; -1 when there is none. */
function slotPushedTo(
  { state: { transaction } }: Client,
  specification: CommandSpecification | undefined,
  request: Request,
): number {
  if (specification === undefined) return -1;
  const { name, writes, firstKey, routing } = specification;
  if (transaction !== undefined) return name === "exec" ? transaction.slot : -1;
  const isOfOneSlot = routing === "key" || routing === "together" || routing === "wait";
  return writes && isOfOneSlot && firstKey > 0 && firstKey < request.count ? slotOfArgument(request, firstKey) : -1;
}
