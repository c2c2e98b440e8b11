/**
 * The definition of an attack, and the kinds of attacks that most rows of the table use.
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
  /** The name, by which `SOAK_ONLY` selects the attack. */
  readonly name: string;
  /** The size, in words. */
  readonly size: string;
  readonly place: Place;
  /** The requests that fill the store before the attack. */
  readonly load: Load;
  /** Opens the connections that must exist before anything is measured. */
  readonly prepare?: Action | undefined;
  readonly action: Action;
}

/** The action of an attack. It reports faults to the run. */
export type Action = (run: AttackRun) => Promise<void>;

/** Multiplies a size by the factor of the soak. The result is at least 1. */
export type Scaled = (count: number) => number;

/** Returns a row of the table. */
export function on(place: Place, name: string, size: string, action: Action, load: Load = () => []): Attack {
  return { place, name, size, action, load };
}

/** An attack in two acts, of which the first is not measured. */
export interface Acts {
  readonly prepare: Action;
  readonly action: Action;
}

/** Returns a row for an attack in two acts. */
export function inActs(place: Place, name: string, size: string, { prepare, action }: Acts): Attack {
  return { ...on(place, name, size, action), prepare };
}

/** How requests are sent, and which result is expected. */
export interface Sending {
  /** The number of connections that send the same at the same time; 1 by default. */
  readonly clients?: number;
  readonly protocol?: Protocol;
  /** Whether to select RESP3 first, in which messages of channels can be distinguished from replies. */
  readonly resp3?: boolean;
  /** Whether the requests must be served. Otherwise they may be refused, and the connection may be closed. */
  readonly served?: boolean;
  /** Whether the requests must be refused. */
  readonly refused?: boolean;
  /** The first line of the first reply, if it is not an error. */
  readonly expect?: string;
  /** The time after which the connection is closed, in ms from the first byte sent. */
  readonly leavesAfterMs?: number;
  /** The time without reading, in ms, after which the connection is closed. */
  readonly readsNothingForMs?: number;
  /** The number of bytes at the end that are not sent. */
  readonly holdsBack?: number;
}

/** Requires that the requests are served, regardless of their size. */
export const SERVED: Sending = { served: true };

/** Sends requests, reads all replies, and verifies that their numbers match. */
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

/** Reports faults in the replies of a connection, and notable results. */
function check(run: AttackRun, connection: AttackConnection, replies: number, sending: Sending): void {
  const { count, ended } = connection;
  const { served = false, refused = false, resp3 = false, expect } = sending;
  if (count.nonsense !== undefined) run.fail(`wrong reply: ${count.nonsense}`);
  if (ended !== undefined) return served ? run.fail(`disconnected: ${ended}`) : run.note("disconnected");
  if (refused && count.errors === 0) run.fail("not refused");
  // With RESP3 some requests have messages instead of replies.
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

/** Lets clients listen to a channel or wait for a list, and read everything, then attacks. */
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

/** Waits for a time. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}
