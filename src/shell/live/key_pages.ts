/**
 * The names of all keys, in pages, as `scan` returns them. Through a proxy those are the keys of all servers.
 *
 * @module
 */

import type { Client, Value } from "../../client/client.ts";
import { ReplyError } from "../../errors.ts";
import type { LiveView } from "./live_view.ts";

/** The keys that are read, and how. */
export interface KeySelection {
  /** A glob pattern; all keys without one. */
  readonly pattern?: string | undefined;
  /** A type; all types without one. */
  readonly type?: string | undefined;
  /** How many keys the server visits for each page. */
  readonly count: number;
  /** The pause between two pages, in ms. */
  readonly pauseMs: number;
}

/** A name of a key. */
export type KeyName = Uint8Array<ArrayBuffer>;

/**
 * Returns the pages of names, which may be empty, until there are no more or the view's tool shall end. A key that is
 * there all the time is on one page at least; one that is added or removed meanwhile may be.
 *
 * @throws {ReplyError} when the server refuses, as for an unknown type
 * @throws {ConnectionError} when the connection is lost
 */
export async function* keyPages(client: Client, selection: KeySelection, view: LiveView): AsyncGenerator<KeyName[]> {
  const options = [
    ...selection.pattern === undefined ? [] : ["match", selection.pattern],
    "count",
    selection.count,
    ...selection.type === undefined ? [] : ["type", selection.type],
  ];
  let cursor: Uint8Array | string = "0";
  for (;;) {
    const reply = await view.orStopped(client.send(["scan", cursor, ...options]));
    if (reply === undefined) return;
    const page = pageOf(reply);
    cursor = page.cursor;
    yield page.keys;
    if (view.isOver || isZero(cursor)) return;
    if (selection.pauseMs > 0) await view.pause(selection.pauseMs);
  }
}

function pageOf(reply: Value): { cursor: Uint8Array; keys: KeyName[] } {
  const [cursor, keys] = Array.isArray(reply) ? reply : [];
  if (cursor instanceof Uint8Array && Array.isArray(keys) && keys.every((key) => key instanceof Uint8Array)) {
    return { cursor, keys };
  }
  throw new ReplyError("ERR", "the reply to scan is not a cursor and keys");
}

function isZero(cursor: Uint8Array): boolean {
  return cursor.length === 1 && cursor[0] === 0x30;
}
