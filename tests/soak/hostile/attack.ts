/**
 * What an attack is, and the kinds of attack that most rows of the table are made of.
 *
 * @module
 */

import type { AttackConnection, Protocol, Request } from "./attack_connection.ts";
import { encodeRequests } from "./attack_connection.ts";
import type { AttackRun } from "./attack_run.ts";
import type { Place } from "./deployment.ts";
import type { Load } from "./requests.ts";

/** One row of the table. */
export interface Attack {
  /** Its name, which `SOAK_ONLY` selects it by. */
  readonly name: string;
  /** How large it is, in words. */
  readonly size: string;
  readonly place: Place;
  /** Fills the store first. */
  readonly load: Load;
  /** Opens the connections that are to be there before anything is measured. */
  readonly prepare?: Action | undefined;
  readonly action: Action;
}

/** What is done in an attack. It tells the run what it finds wrong. */
export type Action = (run: AttackRun) => Promise<void>;

/** A factor for sizes, applied: at least 1. */
export type Scaled = (count: number) => number;

/** Makes a row of the table. */
export function on(place: Place, name: string, size: string, action: Action, load: Load = () => []): Attack {
  return { place, name, size, action, load };
}

/** What is done in two acts, the first of which is not measured. */
export interface Acts {
  readonly prepare: Action;
  readonly action: Action;
}

/** Makes a row of an attack in two acts. */
export function inActs(place: Place, name: string, size: string, { prepare, action }: Acts): Attack {
  return { ...on(place, name, size, action), prepare };
}

/** How requests are sent, and what is to come of them. */
export interface Sending {
  /** Connections that do the same at once; 1 unless given. */
  readonly clients?: number;
  readonly protocol?: Protocol;
  /** Chooses RESP3 first, so that messages of channels are told from replies. */
  readonly resp3?: boolean;
  /** The requests have to be served; otherwise they may be refused, and the connection be cut off. */
  readonly served?: boolean;
  /** The requests have to be refused. */
  readonly refused?: boolean;
  /** The first line of the first reply, where it is no error. */
  readonly expect?: string;
  /** Closes the connection so many ms after it has begun to send, whatever has come back. */
  readonly leavesAfterMs?: number;
  /** Reads nothing for so many ms, then closes the connection. */
  readonly readsNothingForMs?: number;
  /** Bytes of the end that are not sent. */
  readonly holdsBack?: number;
}

/** Has the requests served, whatever their size. */
export const SERVED: Sending = { served: true };

/** Sends requests, reads all replies, and checks that they are in step. */
export function sends(requests: () => Iterable<Request>, sending: Sending = {}): Action {
  return async (run) => {
    const { clients = 1, protocol, resp3 = false, leavesAfterMs, readsNothingForMs } = sending;
    const list = [...requests()];
    const pieces = encodeRequests(list, protocol);
    if (sending.holdsBack !== undefined) pieces.push(pieces.pop()!.subarray(0, -sending.holdsBack));
    const connections = await run.connectAll(clients, protocol);
    if (resp3) await Promise.all(connections.map((each) => each.call("hello", "3")));
    const before = connections[0]!.count.replies;
    for (const each of connections) each.count.head = "";
    const timeMs = readsNothingForMs ?? leavesAfterMs;
    if (timeMs === undefined) {
      await Promise.all(connections.map((each) => each.exchange(pieces)));
      for (const each of connections) check(run, each, before + list.length + 1, sending);
      return;
    }
    const writing = Promise.all(connections.map((each) => each.write(pieces)));
    await pause(timeMs);
    for (const each of connections) each.close();
    await writing;
  };
}

/** Says what is wrong with the replies of a connection, and what is worth telling. */
function check(run: AttackRun, connection: AttackConnection, replies: number, sending: Sending): void {
  const { count, ended } = connection;
  const { served = false, refused = false, resp3 = false, expect } = sending;
  if (count.nonsense !== undefined) run.fail(`wrong reply: ${count.nonsense}`);
  if (ended !== undefined) return served ? run.fail(`cut off: ${ended}`) : run.note("cut off");
  if (refused && count.errors === 0) run.fail("not refused");
  // With RESP3 some requests are answered by messages only.
  if (count.replies !== replies && !resp3) run.fail(`${count.replies} replies, not ${replies}`);
  if (count.errors > 0) served ? run.fail(`refused: ${count.error}`) : run.note(count.error);
  else if (expect !== undefined && count.head !== expect) run.fail(`wrong reply: ${count.head}, not ${expect}`);
}

/** Does nothing for a time, beside the observer. */
export function rests(durationMs: number): Action {
  return () => pause(durationMs);
}

/** Opens idle connections, then attacks. */
export function amid(clients: number, action: Action): Action {
  return async (run) => {
    const crowd = await run.connectAll(clients);
    await Promise.all(crowd.map((each) => each.call("ping")));
    await action(run);
  };
}

/** Has clients listen to a channel or wait for a list, and read what comes, then attacks. */
export function before(clients: number, first: Request, action: Action): Action {
  return async (run) => {
    const crowd = await run.connectAll(clients);
    const pieces = encodeRequests([["hello", "3"], first]);
    for (const each of crowd) {
      await each.write(pieces);
      void each.read(() => false);
    }
    await action(run);
  };
}

/** Waits. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
