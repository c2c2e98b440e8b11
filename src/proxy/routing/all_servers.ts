/**
 * Carries out the commands that concern all servers: sends each of them a request, and joins their replies.
 *
 * | routing | asked | reply |
 * |---|---|---|
 * | `total` | all servers | the sum of the integers |
 * | `merge` | all servers | the arrays one after another |
 * | `top`, `newest` | all servers | the rows with the largest numbers, or the latest times |
 * | `every` | all servers | `OK` |
 * | `everywhere` | the proxy itself, and then all servers | `OK`, or the sum of the integers |
 * | `latencies` | all servers | their events and those of the proxy (join_latencies.ts) |
 *
 * A server that is down fails such a command, so that a part of the keys is never taken for all of them. Only `top`,
 * `newest` and `latencies` are then asked of the other servers: what they show is needed most while a server is down.
 *
 * @module
 */

import type { Routing } from "../../catalog/row.ts";
import type { CommandSpecification } from "../../catalog/specification.ts";
import { CONNECTION_COMMANDS } from "../../connection/commands.ts";
import { slowEntriesCount } from "../../connection/slow_log.ts";
import { findSubcommand } from "../../connection/subcommands.ts";
import { topRowsOf } from "../../connection/top_rows.ts";
import { LONG_BYTES } from "../../limits.ts";
import type { Pool } from "../../route/pool.ts";
import type { Request } from "../../wire/request.ts";
import { RespReply } from "../../wire/resp/reply_writer.ts";
import { RespValueReader } from "../../wire/resp/reply_reader.ts";
import type { Cluster } from "../backend/cluster.ts";
import type { PendingReply } from "../client/client_link.ts";
import type { OwnReplies } from "../client/own_replies.ts";
import type { Frame } from "../client/queued_requests.ts";
import { Gather } from "./gather.ts";
import { type Join, joinArrays, type JoinedPart, joinStatuses, joinSums, joinTop } from "./join.ts";
import { latencyQuestion } from "./join_latencies.ts";
import { subcommandsOf } from "./local_commands.ts";
import { checkProxied } from "./refusals.ts";

/** The column of the time in the rows of `slowlog get`. */
const SLOW_TIME_COLUMN = 1;

/**
 * Returns the routing of a request, which may depend on its subcommand.
 *
 * @throws {ReplyError} when such a subcommand has a wrong number of arguments
 */
export function routingOf(specification: CommandSpecification, request: Request): Routing {
  const { routing, subcommandRoutings } = specification;
  if (!specification.hasSubcommands || request.count < 2) return routing;
  for (const [name, own] of Object.entries(subcommandRoutings)) {
    if (!request.is(1, name)) continue;
    findSubcommand(subcommandsOf(specification)!, request);
    return own;
  }
  return routing;
}

/** Sends requests to all servers. One object serves all clients. */
export class AllServers {
  readonly #cluster: Cluster;
  readonly #ownReplies: OwnReplies;

  constructor(cluster: Cluster, ownReplies: OwnReplies) {
    this.#cluster = cluster;
    this.#ownReplies = ownReplies;
  }

  /**
   * Carries out a command whose routing is one of those above.
   *
   * @throws {ReplyError} when it is wrong; then no server is asked
   */
  run(
    pending: PendingReply,
    specification: CommandSpecification,
    routing: Routing,
    request: Request,
    frame: Frame,
  ): void {
    switch (routing) {
      case "total":
        return this.#ask(pending, specification, frame, joinSums);
      case "merge":
        return this.#ask(pending, specification, frame, joinArrays);
      case "top":
        return this.#ask(pending, specification, frame, joinTop(topRowsOf(specification, request)), this.#reachable);
      case "newest": {
        const rows = { count: slowEntriesCount(request), column: SLOW_TIME_COLUMN };
        return this.#ask(pending, specification, frame, joinTop(rows), this.#reachable);
      }
      case "every":
        checkProxied(specification, request);
        return this.#ask(pending, specification, frame, joinStatuses);
      case "everywhere":
        return this.#ask(pending, specification, frame, this.#joinOwn(pending, specification, request));
      case "latencies":
        return this.#askForLatencies(pending, specification, request, frame);
    }
  }

  /** Runs a command on the proxy itself. Returns the function that joins its reply with those of the servers. */
  #joinOwn({ link }: PendingReply, { name }: CommandSpecification, request: Request): Join {
    const reply = new RespReply(Infinity);
    reply.begin();
    // These commands end immediately.
    void CONNECTION_COMMANDS[name]!(link, request, reply);
    const bytes = reply.takeContents();
    const isSum = bytes[0] === ":".charCodeAt(0);
    const own: JoinedPart = { bytes, reader: new RespValueReader(bytes) };
    return isSum ? (parts, joined) => joinSums([...parts, own], joined) : joinStatuses;
  }

  #askForLatencies(
    pending: PendingReply,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
  ): void {
    const { shared: { instruments }, dialect } = pending.link;
    const pools = this.#reachable;
    const { words, join } = latencyQuestion(request, pools.map(({ address }) => address), instruments.latency);
    const bytes = words && dialect.request(words);
    const question = bytes === undefined ? frame : { bytes, start: 0, size: bytes.length };
    this.#ask(pending, specification, question, join, pools);
  }

  /** The servers that have slots and are not down; if all are down, all of them, so that the error says why. */
  get #reachable(): readonly Pool[] {
    const { holders } = this.#cluster;
    const reachable = holders.filter(({ state }) => state !== "down");
    return reachable.length > 0 ? reachable : holders;
  }

  /** Forwards the request to servers that have slots, all of them by default. */
  #ask(
    pending: PendingReply,
    specification: CommandSpecification,
    frame: Frame,
    join: Join,
    pools = this.#cluster.holders,
  ): void {
    const { link } = pending;
    const gather = this.gather(pending, specification, join);
    // Servers whose slots are all lent get no request, and miss it.
    if (specification.writes) this.#cluster.loans.endAll();
    for (const pool of pools) {
      link.streams.send(pool, gather.add(), frame.bytes, frame.start, frame.size);
    }
    gather.sent();
  }

  /** Returns an object that collects the replies of several servers and joins them into one. */
  gather(pending: PendingReply, specification: CommandSpecification, join: Join): Gather {
    const { dialect, client: { account } } = pending.link;
    return new Gather(dialect, specification.writes, account, (gather) => {
      if (gather.size > LONG_BYTES) return void this.#replyLong(pending, gather, join);
      this.#ownReplies.reply(pending, (reply) => {
        for (const _ of join(gather.granted(), reply));
      });
    });
  }

  async #replyLong(pending: PendingReply, gather: Gather, join: Join): Promise<void> {
    const { account } = pending.link.client;
    await this.#ownReplies.replyInSteps(pending, account, (reply) => join(gather.granted(), reply));
    gather.free();
  }
}
