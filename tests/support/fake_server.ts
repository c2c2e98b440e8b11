/**
 * A server that replies as a test specifies: with replies, with invalid bytes, late, or not at all. It speaks the
 * native protocol or RESP, as its client begins, without TLS, on a loopback port that the system chooses.
 *
 * @module
 */

import { encodeText } from "../../src/bytes.ts";
import { connect } from "../../src/client/client.ts";
import type { Client, ConnectOptions, Value } from "../../src/client/client.ts";
import { Connection, protocolOf } from "../../src/net/connection.ts";
import { NativeDecoder } from "../../src/wire/native/request_decoder.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import type { Reply } from "../../src/wire/reply.ts";
import { Request } from "../../src/wire/request.ts";
import { REQUEST_LIMITS } from "../../src/wire/request_limits.ts";
import { RespReply } from "../../src/wire/resp/reply_writer.ts";
import { RespDecoder } from "../../src/wire/resp/request_decoder.ts";

/** One client's connection, for the test. */
export class FakePeer {
  /** The protocol: a version of RESP, or 0 for the native protocol. */
  version: 0 | 2 | 3 = 0;
  /** The number of requests so far, without `hello`. */
  requestsCount = 0;
  readonly #connection: Connection;
  #written: Promise<void> = Promise.resolve();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  #write(say: (reply: Reply) => void): void {
    const reply = this.version === 0 ? new NativeReply() : new RespReply();
    if (reply instanceof RespReply && this.version === 3) reply.version = 3;
    reply.begin();
    say(reply);
    reply.end();
    this.write(reply.contents().slice());
  }

  /** Replies with a value. Text is written as a status, bytes as data. */
  reply(value: Value): void {
    this.#write((reply) => encode(reply, value));
  }

  /** Replies with an error. */
  refuse(code: "ERR" | "WRONGTYPE" | "WRONGPASS" | "NOAUTH", message: string): void {
    this.#write((reply) => reply.error(code, message));
  }

  /** Writes bytes unchanged, after everything written before. */
  write(bytes: Uint8Array): void {
    this.#written = this.#written.then(() => this.#connection.write(bytes)).catch(() => {});
  }

  /** Delays later output for a time. */
  pause(durationMs: number): void {
    this.hold(new Promise((resolve) => setTimeout(resolve, durationMs)));
  }

  /** Delays later output until `released` resolves. */
  hold(released: Promise<void>): void {
    this.#written = this.#written.then(() => released);
  }

  /** Resolves when all earlier output is written, or no one reads it any more. */
  written(): Promise<void> {
    return this.#written;
  }

  /** Closes the connection after the earlier output is written. */
  async close(): Promise<void> {
    await this.#written;
    this.#connection.close();
  }
}

function encode(reply: Reply, value: Value): void {
  if (value === null) reply.nil();
  else if (typeof value === "string") reply.status(value);
  else if (typeof value === "number") reply.integer(value);
  else if (typeof value === "bigint") reply.integer64(value);
  else if (value instanceof Uint8Array) reply.bytes(value, 0, value.length);
  else if (Array.isArray(value)) {
    reply.array(value.length);
    for (const item of value) encode(reply, item);
  } else if (value instanceof Map) {
    reply.map(value.size);
    for (const [field, item] of value) {
      encode(reply, field);
      encode(reply, item);
    }
  } else throw new TypeError(`Cannot encode a ${typeof value}`);
}

/** Handles one request of a test: its arguments as text, and the connection for the reply. */
export type FakeHandler = (request: string[], peer: FakePeer) => void;

/** A server that listens until it is disposed of. */
export class FakeServer implements AsyncDisposable {
  /** The number of connections so far. */
  connectionCount = 0;
  /** All requests so far, on all connections, as text. */
  readonly requests: string[][] = [];
  /** Replies to the proxy's request for the server's identity, which comes with its greeting: without a run id. */
  identify: FakeHandler = (_request, peer) => peer.reply(encodeText("# Server\r\n"));
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Connection>();
  readonly #serving: Promise<void>[] = [];
  readonly #handler: FakeHandler;

  constructor(handler: FakeHandler, port = 0) {
    this.#handler = handler;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port });
    this.#serving.push(this.#accept());
  }

  /** The port on which it listens. */
  get port(): number {
    return this.#listener.addr.port;
  }

  async #accept(): Promise<void> {
    for await (const socket of this.#listener) {
      this.connectionCount++;
      const connection = new Connection(socket);
      this.#open.add(connection);
      this.#serving.push(this.#serve(connection));
    }
  }

  async #serve(connection: Connection): Promise<void> {
    try {
      if (await connection.fill()) await this.#reply(connection);
    } catch {
      // The client or the test has closed the connection.
    }
    connection.close();
    this.#open.delete(connection);
  }

  async #reply(connection: Connection): Promise<void> {
    const peer = new FakePeer(connection);
    const request = new Request();
    const isNative = protocolOf(connection.buffer[connection.start]!) === "native";
    const decoder = isNative ? new NativeDecoder() : new RespDecoder();
    if (!isNative) peer.version = 2;
    do {
      for (;;) {
        const { buffer, start, end } = connection;
        const behind = decoder.decode(buffer, start, end, request, REQUEST_LIMITS);
        if (behind === -1) break;
        connection.start = behind;
        this.#handle(Array.from({ length: request.count }, (_, i) => request.text(i)), peer);
      }
      connection.start += decoder.passed;
    } while (await connection.fill());
  }

  #handle(words: string[], peer: FakePeer): void {
    if (words[0] === "hello") return this.#greet(words, peer);
    // A proxy's greeting and this request come first on each of its connections.
    if (++peer.requestsCount <= 2 && words.join(" ") === "info server") return this.identify(words, peer);
    this.requests.push(words);
    this.#handler(words, peer);
  }

  /** Selects the version of RESP, as every server does. */
  #greet(words: string[], peer: FakePeer): void {
    peer.version = words[1] === "3" ? 3 : 2;
    peer.reply(new Map<Value, Value>([[encodeText("proto"), peer.version]]));
  }

  /** Stops listening and closes every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) connection.close();
    await Promise.all(this.#serving);
  }
}

/** Runs a test with a client of a server that replies as `handler` specifies. */
export async function withClient(
  handler: FakeHandler,
  run: (client: Client, server: FakeServer) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  await using server = new FakeServer(handler);
  await using client = await connect({ addr: `127.0.0.1:${server.port}`, plaintext: true, ...options });
  await run(client, server);
}
