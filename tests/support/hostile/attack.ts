/**
 * What an attack is, and the kinds of attack that most rows of the table are made of.
 *
 * @module
 */

import type { AttackConnection, Protocol, Request } from "./attack_connection.ts";
import { encodeRequests } from "./attack_connection.ts";
import type { Battlefield, Place } from "./battlefield.ts";

/** One row of the table. */
export interface Attack {
  /** Its name, which `SOAK_ONLY` selects it by. */
  readonly name: string;
  /** How large it is, in words. */
  readonly size: string;
  readonly place: Place;
  /** Requests that fill the store first. */
  readonly load: () => Iterable<Request>;
  /** Does it. What it finds wrong it says to the field. */
  readonly run: (field: Battlefield) => Promise<void>;
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
  /** The first line of the first reply, where it is no error. */
  readonly expect?: string;
  /** Closes the connection so many ms after it has begun to send, whatever has come back. */
  readonly leavesAfterMs?: number;
  /** Reads nothing for so many ms, then closes the connection. */
  readonly readsNothingForMs?: number;
  /** Bytes of the end that are not sent. */
  readonly holdsBack?: number;
}

/** Sends requests, reads all replies, and checks that they are in step. */
export function sends(requests: () => Iterable<Request>, sending: Sending = {}): Attack["run"] {
  return async (field) => {
    const { clients = 1, protocol, resp3 = false, leavesAfterMs, readsNothingForMs } = sending;
    const list = [...requests()];
    const pieces = encodeRequests(list, protocol);
    if (sending.holdsBack !== undefined) pieces.push(pieces.pop()!.subarray(0, -sending.holdsBack));
    const connections = await field.connectAll(clients, protocol);
    if (resp3) await Promise.all(connections.map((each) => each.call("hello", "3")));
    const before = connections[0]!.count.replies;
    for (const each of connections) each.count.head = "";
    const timeMs = readsNothingForMs ?? leavesAfterMs;
    if (timeMs === undefined) {
      await Promise.all(connections.map((each) => each.exchange(pieces)));
      for (const each of connections) check(field, each, before + list.length + 1, sending);
      return;
    }
    const writing = Promise.all(connections.map((each) => each.write(pieces)));
    await pause(timeMs);
    for (const each of connections) each.close();
    await writing;
  };
}

/** Says what is wrong with the replies of a connection, and what is worth telling. */
function check(field: Battlefield, connection: AttackConnection, replies: number, sending: Sending): void {
  const { count, ended } = connection;
  const { served = false, resp3 = false, expect } = sending;
  if (count.nonsense !== undefined) field.fail(`wrong reply: ${count.nonsense}`);
  if (ended !== undefined) return served ? field.fail(`cut off: ${ended}`) : field.note("cut off");
  // With RESP3 some requests are answered by messages only.
  if (count.replies !== replies && !resp3) field.fail(`${count.replies} replies, not ${replies}`);
  if (count.errors > 0) served ? field.fail(`refused: ${count.error}`) : field.note(count.error);
  else if (expect !== undefined && count.head !== expect) field.fail(`wrong reply: ${count.head}, not ${expect}`);
}

/** Does nothing for a time, beside the observer. */
export function rests(durationMs: number): Attack["run"] {
  return () => pause(durationMs);
}

/** Opens idle connections, then attacks. */
export function amid(clients: number, run: Attack["run"]): Attack["run"] {
  return async (field) => {
    const crowd = await field.connectAll(clients);
    await Promise.all(crowd.map((each) => each.call("ping")));
    await run(field);
  };
}

/** Has clients listen to a channel or wait for a list, and read what comes, then attacks. */
export function before(clients: number, first: Request, run: Attack["run"]): Attack["run"] {
  return async (field) => {
    const crowd = await field.connectAll(clients);
    const pieces = encodeRequests([["hello", "3"], first]);
    for (const each of crowd) {
      await each.write(pieces);
      void each.read(() => false);
    }
    await run(field);
  };
}

/** Waits. */
export function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** The same request so many times. */
export function* repeat(count: number, request: Request): Iterable<Request> {
  for (let i = 0; i < count; i++) yield request;
}

/** So many short names, all different. */
export function names(count: number, prefix = "k"): string[] {
  return Array.from({ length: count }, (_, i) => prefix + i);
}

/** So many bytes, all the same. */
export function filled(count: number, byte = 0x6e): Uint8Array<ArrayBuffer> {
  return new Uint8Array(count).fill(byte);
}

/** Arguments of one request of those that fill the store. */
const LOAD_BATCH_COUNT = 10_000;

/** Fills one value, or the key space, by requests of `head` and some of the items each. */
export function* inBatches(head: Request, items: readonly string[], batch = LOAD_BATCH_COUNT): Iterable<Request> {
  for (let at = 0; at < items.length; at += batch) yield [...head, ...items.slice(at, at + batch)];
}
