/**
 * The requests that a client sends: this takes them out of its connection, one after another, in the client's protocol.
 *
 * ```text
 * socket ──► connection.buffer   [ taken | request | request | part of one … ]
 *                                        └ take() ─► request.bytes, starts, lengths       (no copy)
 * ```
 *
 * The first byte tells the protocol. From then on {@linkcode RequestReader.take} reads the next whole request, within
 * the limits that hold before or after authentication. The request borrows the read buffer until
 * {@linkcode RequestReader.release}.
 *
 * While a command waits or pauses, {@linkcode RequestReader.watchForEnd} reads ahead, only to notice that the client
 * leaves. The system can tell that sooner (net/peer_ends.ts), for a connection that is watched.
 *
 * Server and proxy read in the same way. Their sessions decide what happens to a request.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { ProtocolError, ReplyError } from "../errors.ts";
import { READ_AHEAD_MAX_BYTES } from "../limits.ts";
import type { ClientAccount } from "../memory/client_memory.ts";
import type { Instruments } from "../metrics/instruments.ts";
import { NativeDecoder } from "../wire/native/request_decoder.ts";
import { Request } from "../wire/request.ts";
import { REQUEST_LIMITS, UNAUTHENTICATED_REQUEST_LIMITS } from "../wire/request_limits.ts";
import { RespDecoder } from "../wire/resp/request_decoder.ts";
import { Connection, protocolOf, type ReadTurns } from "../net/connection.ts";
import { type Overdue, PeerDeadlines } from "../net/peer_deadlines.ts";
import { Peer, type PeerEnds } from "../net/peer_ends.ts";
import type { ReadAhead } from "../net/read_ahead.ts";
import type { Socket } from "../net/socket.ts";

/** The reply to a client whose first byte belongs to no protocol. */
export const FOREIGN_PROTOCOL_LINE: Uint8Array<ArrayBuffer> = encodeText(
  "-ERR this is neither the native protocol of inmem nor RESP\r\n",
);

/** The result of {@linkcode RequestReader.take}. */
export const enum Taken {
  /** A whole request, which {@linkcode RequestReader.request} holds. */
  Request,
  /** No whole request: more has to be read. */
  Nothing,
  /** A request that breaks the protocol or its limits. The next one can be taken. */
  Refused,
  /** Bytes after which the next request cannot be found. */
  Lost,
}

/** The client whose requests are read. */
export interface Sender {
  /** Whether the larger limits hold. */
  readonly authenticated: boolean;
  /** Is charged for the read buffer and for requests of very many arguments. */
  readonly account: ClientAccount;
  /** When it last sent something, by `performance.now()`. */
  lastMs: number;
  /** Records the name of a command, which is at `bytes[start, start + length)`. */
  noteCommand(bytes: Uint8Array, start: number, length: number): void;
}

/** The things that the readers of one server or proxy share. */
export interface ReadersShare {
  /** Sees which clients have gone; `undefined` where the system cannot be asked. */
  readonly peerEnds: PeerEnds | undefined;
  /** Bounds what is read of clients that wait. */
  readonly readAhead: ReadAhead;
  readonly instruments: Instruments;
}

/** The session that reads. */
export interface ReaderOwner {
  /** Ends a command that waits: the client has ended its side of the connection. May be called twice. */
  peerEnded(): void;
  /** Ends a command that waits with `error`, and then the connection: no more can be read ahead. */
  readAheadFull(error: ReplyError): void;
}

/** Reads the requests of one client. */
export class RequestReader {
  readonly connection: Connection;
  /** The request that was taken last. */
  readonly request = new Request();
  /** Counts the requests taken: while it stays the same, the same request is awaited. */
  count = 0;
  /** Counts the writes begun: while it stays the same, the same write is under way. */
  writes = 0;
  /** The bytes of {@linkcode request} are `connection.buffer[requestStart, connection.start)`. */
  requestStart = 0;
  /** The reason why the last request was refused, for the client. */
  problem = "";
  /** Whether the client has ended its side of the connection, as far as anybody has looked. */
  hasLeft = false;
  readonly #client: Sender;
  readonly #share: ReadersShare;
  readonly #owner: ReaderOwner;
  readonly #peer: Peer;
  readonly #deadlines = new PeerDeadlines();
  #decoder: NativeDecoder | RespDecoder;
  #isWatching = false;

  /**
   * @param socket after its handshake; {@linkcode connection} closes it
   * @param client is charged for what is read
   */
  constructor(
    socket: Socket,
    client: Sender,
    share: ReadersShare,
    owner: ReaderOwner,
  ) {
    this.#client = client;
    this.#share = share;
    this.#owner = owner;
    this.#decoder = new NativeDecoder(client.account);
    this.#peer = new Peer(socket, () => this.#end());
    share.peerEnds?.add(this.#peer);
    this.connection = new Connection(
      {
        read: (target) => socket.read(target),
        write: (source) => {
          // A write that took a part of the bytes is progress.
          this.writes++;
          return socket.write(source);
        },
        close: () => {
          share.peerEnds?.remove(this.#peer);
          socket.close();
        },
      },
      client.account,
      share.instruments.traffic,
    );
  }

  /**
   * Chooses the protocol by the first byte, which was read.
   *
   * @returns the protocol; `unknown` leaves the native one in place
   */
  chooseProtocol(): "native" | "resp" | "unknown" {
    const { buffer, start } = this.connection;
    const protocol = protocolOf(buffer[start]!);
    if (protocol === "resp") this.#decoder = new RespDecoder(this.#client.account);
    return protocol;
  }

  /** Takes the next request out of the read buffer. */
  take(): Taken {
    const { connection } = this;
    const { start } = connection;
    let end: number;
    try {
      const limits = this.#client.authenticated ? REQUEST_LIMITS : UNAUTHENTICATED_REQUEST_LIMITS;
      end = this.#decoder.decode(connection.buffer, start, connection.end, this.request, limits);
    } catch (error) {
      return this.#refuse(error);
    }
    if (end === -1) {
      connection.start = start + this.#decoder.passed;
      return Taken.Nothing;
    }
    this.requestStart = start;
    connection.start = end;
    this.count++;
    return Taken.Request;
  }

  /** Puts the request back that was taken last: the next {@linkcode take} finds it again. */
  putBack(): void {
    this.connection.start = this.requestStart;
    this.count--;
  }

  #refuse(error: unknown): Taken {
    if (!(error instanceof ProtocolError)) throw error;
    this.problem = `Protocol error: ${error.message}`;
    const { nextStart } = this.#decoder;
    if (nextStart === -1) return Taken.Lost;
    this.connection.start = nextStart;
    return Taken.Refused;
  }

  /**
   * Ends the borrowing of the read buffer by {@linkcode request}, before the next read: that may replace the buffer.
   */
  release(): void {
    this.noteCommand();
    this.#client.lastMs = performance.now();
    this.request.clear();
    if (this.#client.authenticated) this.connection.prepare(this.#decoder);
  }

  /** Records the command of the request that was taken last, for `client list`. */
  noteCommand(): void {
    const { bytes, starts, lengths, count } = this.request;
    if (count > 0) this.#client.noteCommand(bytes, starts[0]!, lengths[0]!);
  }

  /** Whether the client has sent bytes that were not read; `false` where the system cannot be asked. */
  get hasInput(): boolean {
    return this.#share.peerEnds?.hasInput(this.#peer) ?? false;
  }

  /**
   * Asks the system to report from now on when the client ends its side.
   *
   * @returns `false` when it cannot: the connection may have been lost already
   */
  watchPeer(): boolean {
    return this.#share.peerEnds?.watch(this.#peer) ?? true;
  }

  /** Whether {@linkcode watchForEnd} is under way. */
  get isWatching(): boolean {
    return this.#isWatching;
  }

  /**
   * Reads ahead, to notice that the client ends its side, until `goesOn` returns `false`. Called once at a time. Never
   * rejects.
   *
   * @param goesOn is called before each read
   * @param onStop is called when `goesOn` has returned `false`
   */
  async watchForEnd(goesOn: () => boolean, onStop: () => void = () => {}): Promise<void> {
    this.#isWatching = true;
    const result = await this.#share.readAhead.watch(this.connection, goesOn);
    this.#isWatching = false;
    if (result === "ended") this.#end();
    else if (result === "stopped") onStop();
    else this.#owner.readAheadFull(new ReplyError("ERR", READ_AHEAD_FULL));
  }

  /** Says that what was read ahead is not kept for a command that waits any more. */
  releaseAhead(): void {
    this.#share.readAhead.release(this.connection);
  }

  #end(): void {
    this.hasLeft = true;
    this.#owner.peerEnded();
  }

  /** Starts the deadline of a client that has nothing left to do but to end its side. */
  linger(): void {
    this.#deadlines.linger();
  }

  /** Reads and drops what the client still sends, until it ends its side. */
  drop(turns: ReadTurns): Promise<void> {
    this.linger();
    return this.connection.drop(turns);
  }

  /**
   * Returns what the client is late with (net/peer_deadlines.ts); `undefined` when it is not late. Called about once a
   * second.
   *
   * @param isAwaited whether the rest of a request is awaited of which a part was read
   * @param isWriting whether a write is under way
   */
  overdue(nowMs: number, isAwaited: boolean, isWriting: boolean): Overdue | undefined {
    const { start, end } = this.connection;
    const partialBytes = isAwaited ? end - start : 0;
    const { authenticated } = this.#client;
    return this.#deadlines.overdue(nowMs, authenticated, partialBytes, this.count, isWriting, this.writes);
  }

  /** Frees the memory of the reader. The connection has to be closed, and no read under way. */
  free(): void {
    this.#decoder.free();
    this.request.release();
    this.connection.free();
  }
}

const READ_AHEAD_FULL = `more than ${READ_AHEAD_MAX_BYTES} bytes wait behind this command`;
