/**
 * What becomes of one request: the rows of the table in `command/specification.ts`, in code.
 *
 * A command for one server is passed on as it came, without a copy of its arguments, a promise or a closure; only
 * what several servers have to answer, or the proxy itself, costs more. One router serves all clients: nothing in it
 * outlives a call.
 *
 * @module
 */

import { checkAuthentication, checkSizes, unknownCommand, wrongCount } from "../command/call.ts";
import type { Authenticator } from "../command/call.ts";
import { acceptsCount, CommandIndex, COMMANDS } from "../command/specification.ts";
import type { CommandSpecification } from "../command/specification.ts";
import { AssertionError, ProtocolError, ReplyError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import { decodeRequest, FRAME_PREFIX_BYTES } from "../wire/frame.ts";
import { Request } from "../wire/request.ts";
import type { Cluster } from "./cluster.ts";
import { FrameComposer } from "./frame_composer.ts";
import { Gather } from "./gather.ts";
import { joinArrays, JoinedReply, joinStatuses, joinSums, joinValues } from "./join.ts";
import { composeScan, findStep, ScanExchange, writeEnd } from "./scan.ts";
import type { Client, Slot } from "./slot.ts";
import { Split } from "./split.ts";

/** What the router asks of the role. */
export interface RouterHost extends Authenticator {
  /** The text of `info`. No sections means all. */
  info(sections: readonly string[]): string;
  /** Takes note of a bug of ours. */
  reportBug(error: unknown): void;
}

/** Routes requests. */
export class Router {
  readonly #cluster: Cluster;
  readonly #host: RouterHost;
  readonly #index = new CommandIndex();
  readonly #request = new Request();
  readonly #composer = new FrameComposer();
  readonly #reply = new JoinedReply();

  constructor(cluster: Cluster, host: RouterHost) {
    this.#cluster = cluster;
    this.#host = host;
  }

  /** Takes one request, a whole frame at `bytes[start, end)`, borrowed until return. Opens one slot of the client. */
  route(client: Client, bytes: Uint8Array, start: number, end: number): void {
    this.#route(client, bytes, start, end);
    // Else it would keep the client's read buffer, which may be a large one.
    this.#request.clear();
  }

  #route(client: Client, bytes: Uint8Array, start: number, end: number): void {
    const slot = client.openSlot();
    const request = this.#request;
    try {
      decodeRequest(bytes, start + FRAME_PREFIX_BYTES, end, request);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      // The frame was whole, so the next one begins where it should: only this one is refused.
      return this.refuse(slot, "ERR", `Protocol error: ${error.message}`);
    }
    const position = this.#index.find(bytes, request.starts[0]!, request.lengths[0]!);
    if (position < 0) return this.#refuseWith(slot, unknownCommand(request));
    const specification = COMMANDS[position]!;
    slot.repeatable = !specification.writes;
    if (!acceptsCount(specification.arity, request.count)) return this.#refuseWith(slot, wrongCount(request));
    if (!client.authenticated && !specification.open) {
      return this.refuse(slot, "NOAUTH", "Authentication required.");
    }
    if (specification.routing === "key") {
      const key = specification.firstKey;
      client.send(
        this.#cluster.ownerOf(bytes, request.starts[key]!, request.lengths[key]!),
        slot,
        bytes,
        start,
        end - start,
      );
      return;
    }
    try {
      this.#routeElsewhere(slot, specification, start, end);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      this.#refuseWith(slot, error);
    }
  }

  /** Carries on with what is not for the owner of one key. */
  #routeElsewhere(slot: Slot, specification: CommandSpecification, start: number, end: number): void {
    switch (specification.routing) {
      case "sum":
      case "values":
      case "pairs":
        return this.#split(slot, specification, start, end);
      case "total":
        return this.#askAll(slot, specification, start, end, joinSums);
      case "merge":
        return this.#askAll(slot, specification, start, end, joinArrays);
      case "every":
        return this.#askAll(slot, specification, start, end, joinStatuses);
      case "scan":
        return this.#scan(slot);
      default:
        return this.#answerHere(slot, specification);
    }
  }

  /** Sends each owner the keys that are its own. */
  #split(slot: Slot, specification: CommandSpecification, start: number, end: number): void {
    const request = this.#request;
    if ((request.count - specification.firstKey) % specification.keyStep !== 0) throw wrongCount(request);
    checkSizes(specification, request);
    const split = new Split(this.#cluster, specification, request);
    if (split.count === 1) {
      slot.client.send(split.pool(0), slot, request.bytes, start, end - start);
      return;
    }
    const { routing } = specification;
    const gather = new Gather(specification.writes, (gather) =>
      this.answer(slot, (reply) => {
        const frames = gather.frames();
        if (routing === "sum") joinSums(frames, reply);
        else if (routing === "values") joinValues(frames, split.partOf, reply);
        else joinStatuses(frames, reply);
      }));
    for (let part = 0; part < split.count; part++) {
      split.compose(part, this.#composer);
      slot.client.send(split.pool(part), gather.add(), this.#composer.buffer, 0, this.#composer.length);
    }
    gather.sent();
  }

  /** Sends the request as it is to all servers. */
  #askAll(
    slot: Slot,
    specification: CommandSpecification,
    start: number,
    end: number,
    join: (frames: readonly Uint8Array[], reply: JoinedReply) => void,
  ): void {
    const { bytes } = this.#request;
    const gather = new Gather(specification.writes, (gather) => {
      this.answer(slot, (reply) => join(gather.frames(), reply));
    });
    for (const pool of this.#cluster.pools) slot.client.send(pool, gather.add(), bytes, start, end - start);
    gather.sent();
  }

  #scan(slot: Slot): void {
    const step = findStep(this.#cluster, this.#request);
    if (step === undefined) return this.answer(slot, writeEnd);
    composeScan(this.#request, step.position, this.#composer);
    const exchange = new ScanExchange(this.#cluster, step.stop.tag, {
      forward: (bytes, start, end) => slot.succeed(bytes, start, end),
      answer: (write) => this.answer(slot, write),
    });
    slot.client.send(step.stop.pool, exchange, this.#composer.buffer, 0, this.#composer.length);
  }

  /** Answers what needs no server. */
  #answerHere(slot: Slot, { name }: CommandSpecification): void {
    const request = this.#request;
    switch (name) {
      case "ping":
        if (request.count > 2) throw wrongCount(request);
        return this.answer(slot, (reply) => request.count === 1 ? reply.status("PONG") : echo(request, reply));
      case "echo":
        return this.answer(slot, (reply) => echo(request, reply));
      case "auth":
        checkAuthentication(request, this.#host);
        slot.client.authenticated = true;
        return this.answer(slot, (reply) => reply.ok());
      case "info": {
        const sections: string[] = [];
        for (let i = 1; i < request.count; i++) sections.push(request.text(i).toLowerCase());
        return this.answer(slot, (reply) => reply.text(this.#host.info(sections)));
      }
      default:
        throw new AssertionError(`the proxy has no answer to "${name}"`);
    }
  }

  /** Answers what `write` says, or the error that it throws. */
  answer(slot: Slot, write: (reply: JoinedReply) => void): void {
    const reply = this.#reply;
    reply.begin();
    try {
      write(reply);
    } catch (error) {
      this.#writeRefusal(reply, error);
    }
    reply.end();
    this.#hand(slot);
  }

  /** Answers an error. */
  refuse(slot: Slot, code: ReplyCode, message: string): void {
    const reply = this.#reply;
    reply.begin();
    reply.error(code, message);
    reply.end();
    this.#hand(slot);
  }

  /** Hands the reply over. The client may refuse to take it, which begins another one: so this one is cleared before. */
  #hand(slot: Slot): void {
    const { buffer, length } = this.#reply;
    this.#reply.clear();
    slot.succeed(buffer, 0, length);
  }

  #refuseWith(slot: Slot, error: ReplyError): void {
    this.refuse(slot, error.code as ReplyCode, error.message);
  }

  #writeRefusal(reply: JoinedReply, error: unknown): void {
    if (error instanceof ReplyError) {
      reply.error(error.code as ReplyCode, error.message);
    } else if (error instanceof ProtocolError) {
      reply.error("ERR", `a server's reply is not as expected: ${error.message}`);
    } else {
      this.#host.reportBug(error);
      reply.error("ERR", "internal error");
    }
  }
}

function echo(request: Request, reply: JoinedReply): void {
  reply.bytes(request.bytes, request.start(1), request.length(1));
}
