/**
 * A connection on which a server sends messages without a request for each, as after `subscribe` and `monitor`.
 *
 * ```text
 * open ──► auth, with one password after another ──► the command ──► message · message · … ──► close
 * ```
 *
 * The native protocol has no such messages, so this connection speaks RESP, which every server and proxy understands on
 * the same port. It is a connection besides that of the client, which goes on unharmed.
 *
 * A message is read only when it is asked for. So a slow output slows the server's sending down by the flow control of
 * TCP, and this process holds one message and one read buffer. A server that has to hold too much closes the
 * connection, which is reported like any loss.
 *
 * @module
 */

import { ConnectionError, messageOf, ProtocolError, ReplyError } from "../../errors.ts";
import { CONNECT_TIMEOUT_MS } from "../../limits.ts";
import { Connection } from "../../net/connection.ts";
import { probeOften } from "../../net/keep_alive.ts";
import type { Socket } from "../../net/socket.ts";
import { isGranted, readRefusal, RespValueReader } from "../../wire/resp/reply_reader.ts";
import { RespReplyScanner } from "../../wire/resp/reply_scanner.ts";
import { RespRequestWriter } from "../../wire/resp/request_writer.ts";
import type { Argument } from "../../wire/request_writer.ts";

/** A server, and how to open a connection to it. */
export interface MessageSource {
  /** `host:port`, for the messages of errors. */
  readonly address: string;
  /** Connects, and verifies the certificate, but sends nothing. */
  readonly open: (signal?: AbortSignal) => Promise<Socket>;
  /** The arguments of `auth` to try, in this order. */
  readonly logins: readonly (readonly Argument[])[];
}

/** A message: the items of an array, of which numbers are empty, or a status as the only item. */
export type Message = readonly Uint8Array[];

const ARRAY = 0x2a;

/** A connection that receives messages. */
export class MessageStream implements Disposable {
  readonly #address: string;
  readonly #connection: Connection;
  readonly #scanner = new RespReplyScanner();
  readonly #abort: () => void;
  readonly #stop: AbortSignal;
  #hasReceived = false;

  private constructor(address: string, socket: Socket, stop: AbortSignal) {
    this.#address = address;
    this.#connection = new Connection(socket);
    this.#stop = stop;
    this.#abort = () => this.#connection.close();
    stop.addEventListener("abort", this.#abort, { once: true });
    // The server may be silent for hours, and its machine may vanish meanwhile.
    probeOften(socket);
  }

  /**
   * Connects, authenticates, and sends a command.
   *
   * @param stop the signal that ends the stream
   * @returns the stream, which the caller disposes of; `undefined` when it was stopped before
   * @throws {ConnectionError} when the connection fails
   * @throws {ReplyError} when the password is refused
   */
  static async open(
    { address, open, logins }: MessageSource,
    command: readonly Argument[],
    stop: AbortSignal,
  ): Promise<MessageStream | undefined> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), CONNECT_TIMEOUT_MS);
    let stream: MessageStream | undefined;
    try {
      const opening = AbortSignal.any([stop, deadline.signal]);
      const socket = await open(opening);
      stream = new MessageStream(address, socket, stop);
      deadline.signal.addEventListener("abort", stream.#abort, { once: true });
      await stream.#authenticate(logins);
      await stream.#send(command);
      return stream;
    } catch (error) {
      stream?.[Symbol.dispose]();
      if (stop.aborted) return undefined;
      if (!deadline.signal.aborted) throw error;
      throw new ConnectionError(address, `Cannot connect to ${address} in time`, false, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Waits for the next message. Its bytes are copies.
   *
   * @returns the message; `undefined` when the stream was stopped
   * @throws {ReplyError} when the message is a refusal
   * @throws {ConnectionError} when the connection is lost
   */
  async next(): Promise<Message | undefined> {
    if (this.#stop.aborted) return undefined;
    const connection = this.#connection;
    try {
      for (;;) {
        const { buffer, start, end } = connection;
        const size = start < end ? this.#scanner.size(buffer, start, end) : 0;
        if (size > 0) {
          connection.start += size;
          this.#hasReceived = true;
          return messageIn(buffer, start, start + size);
        }
        if (!await connection.fill()) throw new Deno.errors.UnexpectedEof();
      }
    } catch (error) {
      if (error instanceof ReplyError) throw error;
      if (this.#stop.aborted) return undefined;
      throw this.#loss(error);
    }
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.#stop.removeEventListener("abort", this.#abort);
    this.#connection.close();
  }

  async #authenticate(logins: readonly (readonly Argument[])[]): Promise<void> {
    for (const [index, login] of logins.entries()) {
      await this.#send(["auth", ...login]);
      try {
        await this.next();
        return;
      } catch (error) {
        const isLast = index === logins.length - 1;
        if (isLast || !(error instanceof ReplyError) || error.code !== "WRONGPASS") throw error;
      }
    }
  }

  async #send(request: readonly Argument[]): Promise<void> {
    const writer = new RespRequestWriter();
    writer.add(request);
    try {
      await this.#connection.write(writer.buffer.subarray(0, writer.length));
    } catch (error) {
      throw this.#loss(error);
    }
  }

  #loss(cause: unknown): ConnectionError {
    const address = this.#address;
    const closed = [Deno.errors.UnexpectedEof, Deno.errors.ConnectionReset, Deno.errors.BrokenPipe];
    // A server that closes a new connection may speak another protocol, for which the client has advice.
    const closing = this.#hasReceived ? "the server ended it" : "the other side closed it";
    const reason = closed.some((kind) => cause instanceof kind) ? closing : messageOf(cause);
    const message = cause instanceof ProtocolError
      ? `Cannot understand ${address}: its messages are not in the protocol RESP`
      : `Lost the connection to ${address}: ${reason}`;
    return new ConnectionError(address, message, false, { cause });
  }
}

/** Reads the message in `bytes[start, end)`. */
function messageIn(bytes: Uint8Array, start: number, end: number): Message {
  if (!isGranted(bytes, start)) throw readRefusal(bytes, start, end);
  const reader = new RespValueReader(bytes, start, end);
  const count = bytes[start] === ARRAY ? reader.array() : 1;
  const items: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const length = reader.skip();
    items.push(length === 0 ? new Uint8Array(0) : bytes.slice(reader.contentStart, reader.contentStart + length));
  }
  return items;
}
