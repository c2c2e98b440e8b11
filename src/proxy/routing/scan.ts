/**
 * `scan` over all servers, one after another; see proxy/backend/scan_cursor.ts for the cursors.
 *
 * Each request goes to one server. When that one has come to its end, the reply's cursor names the next server at
 * position 0, and the last server's end is the end of all. Which server is next is looked up when the reply has come,
 * so servers that join or leave during a scan are taken into account.
 *
 * @module
 */

import { parseInteger } from "../../bytes.ts";
import { wideCursor } from "../../connection/integer_argument.ts";
import { ProtocolError, ReplyError } from "../../errors.ts";
import type { ConnectionError } from "../../errors.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { Reply } from "../../wire/reply.ts";
import type { Request } from "../../wire/request.ts";
import type { RequestWriter } from "../../wire/request_writer.ts";
import type { Cluster, Stop } from "../backend/cluster.ts";
import type { Dialect } from "../backend/dialect.ts";
import { codeOf } from "../backend/errors.ts";
import { encodeCursor, isPosition, positionOf, tagOf } from "../backend/scan_cursor.ts";

/** Where to go on. */
export interface ScanStep {
  readonly stop: Stop;
  /** The server's own cursor. */
  readonly position: number;
}

/**
 * The server that a client's cursor asks for.
 *
 * @returns `undefined` when there is none left
 * @throws {ReplyError} when argument 1 is no cursor
 */
export function findStep(cluster: Cluster, request: Request): ScanStep | undefined {
  const cursor = scanCursor(request);
  const tag = tagOf(cursor);
  const stop = cluster.stopFrom(tag);
  if (stop === undefined) return undefined;
  return { stop, position: stop.tag === tag ? positionOf(cursor) : 0 };
}

/** Argument 1 as a cursor. One of more than 53 bits is rounded: it is none of ours, and names no server. */
function scanCursor(request: Request): number {
  const cursor = request.integer(1);
  if (cursor >= 0) return cursor;
  const wide = wideCursor(request, 1);
  if (wide === undefined) throw new ReplyError("ERR", "invalid cursor");
  return Number(wide);
}

/** Composes the request to one server. */
export function composeScan(request: Request, position: number, composer: RequestWriter): void {
  composer.begin(request, request.count);
  composer.integer(position);
  if (request.count > 2) composer.copy(request, 2, request.count - 1);
  composer.end();
}

/** Answers an empty last part. */
export function writeEnd(reply: Reply): void {
  reply.array(2);
  reply.text("0");
  reply.array(0);
}

/** What the exchange below tells its owner. */
export interface ScanOwner {
  /** Takes the reply frame at `bytes[start, end)` as it is. */
  forward(bytes: Uint8Array, start: number, end: number): void;
  /** Answers what `write` says. */
  answer(write: (reply: Reply) => void): void;
}

/** One server's part of a scan. */
export class ScanRequest extends BackendRequest {
  readonly #cluster: Cluster;
  readonly #tag: number;
  readonly #dialect: Dialect;
  readonly #owner: ScanOwner;

  constructor(cluster: Cluster, tag: number, dialect: Dialect, owner: ScanOwner) {
    super();
    this.#cluster = cluster;
    this.#tag = tag;
    this.#dialect = dialect;
    this.#owner = owner;
    this.repeatable = true;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#dialect.grants(bytes, start)) return this.#owner.forward(bytes, start, end);
    this.#owner.answer((reply) => this.#translate(bytes, start, end, reply));
  }

  /** Replaces the server's cursor by one of ours; the keys are copied as they stand. */
  #translate(bytes: Uint8Array, start: number, end: number, reply: Reply): void {
    const reader = this.#dialect.values(bytes, start, end);
    if (reader.array() !== 2) throw new ProtocolError("Cannot read a reply to scan: expected a cursor and keys");
    const length = reader.skip();
    const position = parseInteger(bytes, reader.contentStart, length);
    if (!isPosition(position)) throw new ProtocolError("Cannot read a reply to scan: expected a cursor below 2^32");
    const next = position > 0 ? this.#tag : this.#cluster.stopFrom(this.#tag + 1)?.tag ?? 0;
    reply.array(2);
    reply.text(String(encodeCursor(next, position)));
    reply.raw(bytes, reader.at, end - reader.at);
  }

  override fail(error: ConnectionError): void {
    this.#owner.answer(() => {
      throw new ReplyError(codeOf(error, true), error.message);
    });
  }
}
