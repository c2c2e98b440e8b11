/**
 * The client: one connection, any number of requests in flight, replies as promises.
 *
 * {@linkcode Client} keeps at most one {@linkcode Link}, and opens another when the last one was lost and there is a
 * request to send. It never repeats a request: only the sender of a lost one can decide whether it has taken effect.
 *
 * @module
 */

import { ConnectionError, ReplyError } from "../errors.ts";
import { CONNECT_TIMEOUT_MS, RECONNECT_DELAY_MAX_MS, RECONNECT_DELAY_MIN_MS } from "../limits.ts";
import type { Argument } from "../wire/request_writer.ts";
import type { Value } from "../wire/native/reply_reader.ts";
import { Commands } from "./commands.ts";
import { type ConnectionSettings, connectionSettings } from "./connection_settings.ts";
import { toText } from "./convert.ts";
import { Link } from "./link.ts";
import type { Key } from "./sender.ts";

export { ChannelCommands } from "./channel_commands.ts";
export { Commands } from "./commands.ts";
export { connectionSettings } from "./connection_settings.ts";
export type { ConnectionSettings } from "./connection_settings.ts";
export { ConnectionCommands } from "./connection_commands.ts";
export type { ClientFilter, ClientKillOptions, ClientListOptions } from "./connection_commands.ts";
export { DiagnosisCommands } from "./diagnosis_commands.ts";
export type { LatencyEvent, LatencyHistogram, LatencyMoment, SlowCommand } from "./diagnosis_commands.ts";
export { HashCommands } from "./hash_commands.ts";
export { KeyCommands } from "./key_commands.ts";
export type { ExpireOptions, KeyType, ScanOptions } from "./key_commands.ts";
export { ListCommands } from "./list_commands.ts";
export type { InsertPlace, MoveEnds, PositionOptions } from "./list_commands.ts";
export { Sender } from "./sender.ts";
export type { FieldScanOptions, Key, Pairs } from "./sender.ts";
export { ServerCommands } from "./server_commands.ts";
export { SetCommands } from "./set_commands.ts";
export { StringCommands } from "./string_commands.ts";
export type { BigKeyFacts, HotKeyFacts } from "./server_commands.ts";
export type { DeadlineOptions, GetexOptions, SetOptions } from "./string_commands.ts";
export type { Argument } from "../wire/request_writer.ts";
export type { Value } from "../wire/native/reply_reader.ts";

/** The address of a server or proxy, and how to connect to it. */
export interface ConnectOptions {
  /** `host:port`, or `[address]:port` for IPv6; `127.0.0.1:9443` by default. */
  addr?: string;
  /** The host alone, instead of `addr`. */
  hostname?: string;
  /** The port, together with `hostname`. */
  port?: number;
  /** A file of certificates in PEM that are trusted in addition to the public ones. It is read once. */
  caFile?: string;
  /** Certificates in PEM that are trusted in addition to the public ones. */
  caCerts?: readonly string[];
  /** Accepts any certificate, so that anyone between client and server can read and change everything. */
  insecure?: boolean;
  /**
   * Connects without TLS, to a server that was started with `--plaintext`. It is allowed for loopback addresses only.
   */
  plaintext?: boolean;
  /**
   * The server's password, which is sent first on every connection. Of several, as during a change of passwords, the
   * first is sent, and the next if it is refused.
   */
  password?: Key | readonly Key[];
  /**
   * How long a request may take, from the call to its reply, in ms; 0 for no limit; 30,000 by default. The time that a
   * command such as `blpop` waits is added to it.
   */
  timeoutMs?: number;
  /** Aborting it rejects all requests in flight and closes the client. */
  signal?: AbortSignal;
}

/**
 * Connects to a server or a proxy, verifies its certificate and authenticates.
 *
 * For a loopback address without any certificates given, the authority that `inmem server` has made in this user's
 * state folder is trusted as well.
 *
 * @returns a client, which the caller closes
 * @throws {ConnectionError} when the connection fails; the message contains the reason
 * @throws {ReplyError} when the password is refused
 * @throws {UsageError} when the address or the file of certificates is unusable
 * @throws {RangeError} when `timeoutMs` is negative
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { connect } from "@inmem/inmem";
 *
 * await using client = await connect({ addr: "127.0.0.1:9443" });
 * await client.set("greeting", "Hello", { ttlMs: 60_000 });
 * assertEquals(await client.text.get("greeting"), "Hello");
 * ```
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const client = new Client(await connectionSettings(options));
  try {
    await client.reconnect();
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

/**
 * A connection to a server or a proxy, with a method for each command. {@linkcode connect} creates it.
 *
 * Requests are pipelined: requests that are made without awaiting each are sent together. Replies and effects are in
 * the order of the calls. Argument bytes are copied before the method returns. The caller owns the bytes of replies.
 *
 * Caveats:
 * - When the connection is lost, all requests in flight reject with `ConnectionError`, whose `sent` shows whether the
 *   server may have received that request. None is ever repeated. The next request connects again: immediately the
 *   first time, and after a delay of 50 ms to 2 s while that fails.
 * - A request that takes longer than `timeoutMs` closes the connection, since replies have no number that would
 *   distinguish a late one from the next. The time that a command such as `blpop` waits does not count, neither for
 *   that command nor for the requests after it.
 * - Requests without a reply are held in memory. Beyond 256 MiB of them the next one is refused with `ConnectionError`.
 *   A caller that sends without awaiting should await {@linkcode Client.room} from time to time.
 */
export class Client extends Commands<Uint8Array<ArrayBuffer>> implements AsyncDisposable {
  /**
   * A view of this client with text instead of bytes, on the same connection. Replies that are not UTF-8 reject with
   * `TypeError`.
   */
  readonly text: Commands<string> = new TextCommands(this);
  readonly #settings: ConnectionSettings;
  #link: Link | undefined;
  /** Resolves when all tasks of the lost links have ended. */
  #lostEnded: Promise<unknown> = Promise.resolve();
  #failuresCount = 0;
  #closed = false;
  readonly #abort = (): void => {
    this.#closed = true;
    this.#link?.close("Cannot wait for the reply: the client was aborted", this.#settings.signal?.reason);
  };

  /** @ignore Use {@linkcode connect}. */
  constructor(settings: ConnectionSettings) {
    super();
    this.#settings = settings;
    settings.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** `host:port` of the server or proxy. */
  get address(): string {
    return this.#settings.address;
  }

  /** Whether there is a connection, or one is being opened. If not, the next request opens one. */
  get connected(): boolean {
    return this.#link !== undefined && this.#link.lost === undefined;
  }

  /**
   * Sends any command.
   *
   * @param request the command's name and its arguments; text is sent as UTF-8, numbers in decimal
   * @returns the reply: data is `Uint8Array`, and statuses of the server such as `OK` are `string`. The reply to `exec`
   *   is an array of the commands' replies, with a `ReplyError` for each command that was refused
   *
   * @example
   * ```ts
   * import { assertEquals } from "@std/assert";
   * import { connect } from "@inmem/inmem";
   *
   * await using client = await connect();
   * assertEquals(await client.send(["set", "x", new Uint8Array([0, 1, 2])]), "OK");
   * assertEquals(await client.send(["get", "x"]), new Uint8Array([0, 1, 2]));
   * ```
   */
  override send(request: readonly Argument[]): Promise<Value> {
    if (this.#closed) {
      const { address } = this;
      return Promise.reject(new ConnectionError(address, `Cannot send to ${address}: the client is closed`, false));
    }
    return this.#currentLink().send(request, this.#settings.timeoutMs);
  }

  /** Returns the value of a string as text, or `null`; short for `client.text.get(key)`. */
  getText(key: Key): Promise<string | null> {
    return this.text.get(key);
  }

  /** Authenticates with another password, which is also used after reconnecting. */
  async auth(password: Key): Promise<void> {
    const reply = await this.send(["auth", password]);
    // In a transaction the command is queued, so it is not known yet whether the password is right.
    if (reply === "OK") this.keepPassword(password);
  }

  /** Uses this password when the client connects again. */
  keepPassword(password: Key): void {
    this.#settings.passwords = [password];
  }

  /** Resolves when few enough requests are without a reply that more can be sent. It never rejects. */
  async room(): Promise<void> {
    await this.#link?.room();
  }

  /**
   * Connects if there is no connection. Requests do so themselves.
   *
   * @throws {ConnectionError} when the connection fails
   * @throws {ReplyError} when the password is refused
   */
  async reconnect(): Promise<void> {
    if (this.#closed) throw new ConnectionError(this.address, "Cannot connect: the client is closed", false);
    await this.#currentLink().opened;
  }

  /** Closes the connection immediately. All requests in flight reject; the next request connects again. */
  disconnect(): void {
    this.#link?.close(`Cannot wait for the reply: the connection to ${this.address} was dropped`);
  }

  /**
   * Waits for the replies to all sent requests, then closes permanently. Later requests reject. It never rejects
   * itself.
   */
  async close(): Promise<void> {
    this.#closed = true;
    this.#settings.signal?.removeEventListener("abort", this.#abort);
    const link = this.#link;
    if (link === undefined) return;
    await link.drained();
    link.close(`The client of ${this.address} is closed`);
    await link.ended;
    await this.#lostEnded;
  }

  /** Closes the client like {@linkcode Client.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Returns bytes unchanged. */
  protected override data(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return bytes;
  }

  #currentLink(): Link {
    const last = this.#link;
    if (last !== undefined && last.lost === undefined) return last;
    const hasWorked = last === undefined || (last.hasReplied && !(last.lost instanceof ReplyError));
    this.#failuresCount = hasWorked ? 0 : this.#failuresCount + 1;
    const { address, open, passwords, timeoutMs } = this.#settings;
    const delayMs = this.#failuresCount === 0
      ? 0
      : Math.min(RECONNECT_DELAY_MAX_MS, RECONNECT_DELAY_MIN_MS * 2 ** (this.#failuresCount - 1));
    const notBeforeMs = (last?.lostAtMs ?? 0) + delayMs;
    if (last !== undefined) this.#lostEnded = Promise.all([this.#lostEnded, last.ended]);
    this.#link = new Link({
      address,
      passwords,
      openTimeoutMs: delayMs + Math.min(timeoutMs, CONNECT_TIMEOUT_MS),
      open: async (signal) => {
        await waitUntil(notBeforeMs, signal);
        return await open(signal);
      },
    });
    return this.#link;
  }
}

/** The view of a client that returns text. */
class TextCommands extends Commands<string> {
  readonly #client: Client;

  constructor(client: Client) {
    super();
    this.#client = client;
  }

  override send(request: readonly Argument[]): Promise<Value> {
    return this.#client.send(request);
  }

  /** Returns bytes as text. */
  protected override data(bytes: Uint8Array<ArrayBuffer>): string {
    return toText(bytes);
  }
}

/** Resolves at `timeMs` by `performance.now()`, immediately if that is past. Rejects when aborted before. */
function waitUntil(timeMs: number, signal: AbortSignal): Promise<void> {
  const delayMs = timeMs - performance.now();
  if (delayMs <= 0) return Promise.resolve();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  function abort(): void {
    clearTimeout(timer);
    reject(signal.reason);
  }
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", abort);
    resolve();
  }, delayMs);
  signal.addEventListener("abort", abort, { once: true });
  return promise;
}
