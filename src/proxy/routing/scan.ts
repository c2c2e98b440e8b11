/**
 * Runs `scan` over all servers, one after another; proxy/backend/scan_cursor.ts defines the cursors.
 *
 * Each request is sent to one server. When that server has reached its end, the reply's cursor names the next server at
 * position 0. The end of the last server is the end of the scan. The next server is looked up when the reply arrives,
 * so that servers that join or leave during a scan are included.
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

/** The server and the position at which a scan continues. */
export interface ScanStep {
  readonly stop: Stop;
  /** The server's own cursor. */
  readonly position: number;
}

/**
 * Returns the server and position that a client's cursor names.
 *
 * @returns `undefined` when there is no more server
 * @throws {ReplyError} when argument 1 is not a cursor
 */
export function findStep(cluster: Cluster, request: Request): ScanStep | undefined {
  const cursor = scanCursor(request);
  const tag = tagOf(cursor);
  const stop = cluster.stopFrom(tag);
  if (stop === undefined) return undefined;
  return { stop, position: stop.tag === tag ? positionOf(cursor) : 0 };
}

/** Returns argument 1 as a cursor. One of more than 53 bits is not ours: it is rounded, and names no server. */
function scanCursor(request: Request): number {
  const cursor = request.integer(1);
  if (cursor >= 0) return cursor;
  const wide = wideCursor(request, 1);
  if (wide === undefined) throw new ReplyError("ERR", "invalid cursor");
  return Number(wide);
}

/** Composes the request to one server. */
export function composeScan(request: Request, position: number, writer: RequestWriter): void {
  writer.begin(request, request.count);
  writer.integer(position);
  if (request.count > 2) writer.copy(request, 2, request.count - 1);
  writer.end();
}

/** Writes an empty last part. */
export function writeEnd(reply: Reply): void {
  reply.array(2);
  reply.text("0");
  reply.array(0);
}

/** The owner of a request to one server. */
export interface ScanOwner {
  /** Forwards the reply frame at `bytes[start, end)` unchanged. */
  forward(bytes: Uint8Array, start: number, end: number): void;
  /** Replies with what `write` writes. */
  reply(write: (reply: Reply) => void): void;
}

/** The request to one server of a scan. */
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
    this.#owner.reply((reply) => this.#translate(bytes, start, end, reply));
  }

  /** Replaces the server's cursor by the proxy's, and copies the keys unchanged. */
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
    this.#owner.reply(() => {
      throw new ReplyError(codeOf(error, true), error.message);
    });
  }
}
