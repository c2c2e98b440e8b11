/**
 * One connection of an attacker: it sends complete requests as bytes, and counts the replies.
 *
 * @module
 */

import { encodeText } from "../../../src/bytes.ts";
import { abort } from "../../../src/net/abort.ts";
import { NativeRequestWriter } from "../../../src/wire/native/request_writer.ts";
import { NativeReplies, type ReplyCount, type ReplyReader, RespReplies } from "./reply_counter.ts";

/** A command with its arguments. */
export type Request = readonly (string | Uint8Array)[];
/** The protocol of a connection. */
export type Protocol = "resp" | "native";

/** The approximate size of the pieces in which requests are sent, in bytes. */
const PIECE_BYTES = 1024 * 1024;
const READ_BYTES = 256 * 1024;
/** The text that ends an attack. Its reply shows that replies still match their requests. */
const TAG = "the-end-of-this-attack";

/** Encodes requests in pieces to be written one after another. A repeated request is encoded once. */
export function encodeRequests(requests: Iterable<Request>, protocol: Protocol = "resp"): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let piece: Uint8Array[] = [];
  let size = 0;
  let last: Request | undefined;
  let encoded = new Uint8Array(0);
  const close = () => {
    if (size > 0) pieces.push(joined(piece, size));
    piece = [];
    size = 0;
  };
  for (const request of requests) {
    if (request !== last) encoded = protocol === "native" ? nativeBytes(request) : respBytes(request);
    last = request;
    piece.push(encoded);
    size += encoded.length;
    if (size >= PIECE_BYTES) close();
  }
  close();
  return pieces;
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function nativeBytes(request: Request): Uint8Array<ArrayBuffer> {
  const writer = new NativeRequestWriter();
  writer.add(request);
  return writer.take();
}

function respBytes(request: Request): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  let text = `*${request.length}\r\n`;
  const add = (bytes: Uint8Array) => {
    parts.push(bytes);
    size += bytes.length;
  };
  for (const argument of request) {
    // A text in this file consists of ASCII characters only.
    text += `$${argument.length}\r\n`;
    if (typeof argument === "string") {
      text += argument;
    } else {
      add(encodeText(text));
      add(argument);
      text = "";
    }
    text += "\r\n";
    if (text.length > PIECE_BYTES) {
      add(encodeText(text));
      text = "";
    }
  }
  add(encodeText(text));
  return joined(parts, size);
}

/** The address to connect to. */
export interface Address {
  readonly hostname: string;
  readonly port: number;
  /** The authority's certificate in PEM, for TLS. */
  readonly caCerts?: string[] | undefined;
}

/** One connection. Call {@linkcode close} after use. */
export class AttackConnection {
  readonly socket: Deno.TcpConn | Deno.TlsConn;
  readonly protocol: Protocol;
  readonly #replies: ReplyReader;
  #closed = false;
  /** The reason why the other side has ended the connection; `undefined` while it is open. */
  ended: string | undefined;

  private constructor(socket: Deno.TcpConn | Deno.TlsConn, protocol: Protocol) {
    this.socket = socket;
    this.protocol = protocol;
    this.#replies = protocol === "native" ? new NativeReplies(TAG) : new RespReplies(TAG);
  }

  /** Connects in plaintext, or with TLS if certificates are given. */
  static async connect(address: Address, protocol: Protocol = "resp"): Promise<AttackConnection> {
    const { hostname, port, caCerts } = address;
    if (caCerts !== undefined) {
      return new AttackConnection(await Deno.connectTls({ hostname, port, caCerts }), protocol);
    }
    const socket = await Deno.connect({ hostname, port });
    socket.setNoDelay(true);
    return new AttackConnection(socket, protocol);
  }

  /** The replies that have arrived. */
  get count(): ReplyCount {
    return this.#replies.count;
  }

  /** Writes pieces. Stops early, without an error, when the other side ends the connection. */
  async write(pieces: Iterable<Uint8Array>): Promise<void> {
    try {
      for (const piece of pieces) {
        for (let start = 0; start < piece.length;) start += await this.socket.write(piece.subarray(start));
      }
    } catch (error) {
      this.ended ??= String(error);
    }
  }

  /** Reads until `isDone`, or until the other side ends the connection. */
  async read(isDone: (count: ReplyCount) => boolean): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    try {
      while (!isDone(this.count) && this.count.nonsense === undefined) {
        const read = await this.socket.read(buffer);
        if (read === null) {
          this.ended ??= "ended in order";
          return;
        }
        this.#replies.feed(buffer.subarray(0, read));
      }
    } catch (error) {
      this.ended ??= String(error);
    }
  }

  /** Writes pieces and a last request with a known reply, and reads until that reply arrives. */
  async exchange(pieces: Iterable<Uint8Array>): Promise<void> {
    const last = encodeRequests([["ping", TAG]], this.protocol);
    const written = this.write(pieces).then(() => this.write(last));
    await this.read((count) => count.tagged);
    await written;
  }

  /** Sends one request and waits for its reply. Returns its first line, or the error. */
  async call(...request: Request): Promise<string> {
    const { replies, errors } = this.count;
    this.count.head = this.count.error = "";
    await this.write(encodeRequests([request], this.protocol));
    await this.read((count) => count.replies > replies);
    if (this.ended !== undefined) throw new Error(`The connection was ended: ${this.ended}`);
    return this.count.errors > errors ? this.count.error : this.count.head;
  }

  /** Closes the connection immediately. A socket's own `close` leaves it open during a write. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    void abort(this.socket);
  }
}
