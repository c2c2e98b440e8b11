/**
 * The client: one connection, any number of requests in flight, replies as promises.
 *
 * {@linkcode Client} keeps at most one {@linkcode Link}, and makes a new one when the last was lost and there is
 * something to send. It never repeats a request: whether a lost one has taken effect, only its sender can decide.
 *
 * @module
 */

import { formatAddress, isLoopback, parseAddress, parseHost, parseServerAddress } from "../address.ts";
import { ConnectionError, ReplyError, UsageError } from "../errors.ts";
import {
  CONNECT_TIMEOUT_MS,
  RECONNECT_DELAY_MAX_MS,
  RECONNECT_DELAY_MIN_MS,
  REQUEST_TIMEOUT_DEFAULT_MS,
} from "../limits.ts";
import { connect as connectSocket } from "../net/connector.ts";
import type { Socket } from "../net/socket.ts";
import type { Argument, Value } from "../wire/native/frame.ts";
import { Commands } from "./commands.ts";
import { toText } from "./convert.ts";
import { Link } from "./link.ts";
import type { Key } from "./sender.ts";

export { Commands } from "./commands.ts";
export type { ClientKillOptions, ClientListOptions } from "./commands.ts";
export { HashCommands } from "./hash_commands.ts";
export { KeyCommands } from "./key_commands.ts";
export type { ExpireOptions, KeyType, ScanOptions } from "./key_commands.ts";
export { ListCommands } from "./list_commands.ts";
export type { InsertPlace, MoveEnds, PositionOptions } from "./list_commands.ts";
export { Sender } from "./sender.ts";
export type { FieldScanOptions, Key, Pairs } from "./sender.ts";
export { StringCommands } from "./string_commands.ts";
export type { DeadlineOptions, GetexOptions, SetOptions } from "./string_commands.ts";
export type { Argument, Value } from "../wire/native/frame.ts";

/** Where a server or proxy is, and how to talk to it. */
export interface ConnectOptions {
  /** `host:port`, or `[address]:port` for IPv6. `127.0.0.1:9443` without it. */
  addr?: string;
  /** The host alone, instead of `addr`. */
  hostname?: string;
  /** The port, beside `hostname`. */
  port?: number;
  /** A file of certificates in PEM that are trusted beside the public ones. It is read once. */
  caFile?: string;
  /** Certificates in PEM that are trusted beside the public ones. */
  caCerts?: readonly string[];
  /** Accepts any certificate, so that whoever sits between can read and change everything. */
  insecure?: boolean;
  /** Talks without TLS, to a server that was started so. For loopback addresses only. */
  plaintext?: boolean;
  /**
   * The server's password; it is sent first on every connection. Of several, as while one replaces the other, the first is
   * sent, and the next when that is refused.
   */
  password?: Key | readonly Key[];
  /**
   * How long a request may take, from the call to its reply, in ms. 0 is for ever; 30,000 without it. What a command waits
   * by itself, such as `blpop`, comes on top.
   */
  timeoutMs?: number;
  /** Once aborted, everything in flight rejects, and the client is closed. */
  signal?: AbortSignal;
}

/**
 * Connects to a server or a proxy, verifies its certificate and authenticates.
 *
 * At a loopback address, and with no certificates given, the authority that `inmem server` has made in this user's state
 * folder is trusted as well.
 *
 * @returns a client that the caller closes
 * @throws {ConnectionError} when there is no connection; the message says why
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
  const { signal, timeoutMs = REQUEST_TIMEOUT_DEFAULT_MS } = options;
  if (!(timeoutMs >= 0)) throw new RangeError(`Cannot use ${timeoutMs} as "timeoutMs": expected 0 or more`);
  signal?.throwIfAborted();
  const { hostname, port } = addressOf(options);
  const { insecure = false, plaintext = false } = options;
  if (plaintext && !isLoopback(hostname)) {
    throw new UsageError(`Cannot talk to "${hostname}" without TLS: expected a loopback address`);
  }
  const caCerts = plaintext || insecure ? [] : await certificatesOf(options, hostname);
  const client = new Client({
    address: formatAddress({ hostname, port }),
    open: (signal) => connectSocket({ hostname, port, caCerts, insecure, plaintext, signal }),
    passwords: passwordsOf(options.password),
    timeoutMs: timeoutMs === 0 ? Infinity : timeoutMs,
    signal,
  });
  try {
    await client.reconnect();
  } catch (error) {
    await client.close();
    throw error;
  }
  return client;
}

function addressOf({ addr, hostname, port, insecure }: ConnectOptions): { hostname: string; port: number } {
  if (addr !== undefined && (hostname !== undefined || port !== undefined)) {
    throw new TypeError('Cannot connect: expected "addr", or "hostname" and "port", not both');
  }
  const base = parseAddress(addr ?? DEFAULT_ADDRESS);
  const address = { hostname: hostname === undefined ? base.hostname : parseHost(hostname), port: port ?? base.port };
  if (!Number.isInteger(address.port) || address.port < 1 || address.port > 65535) {
    throw new UsageError(`Cannot connect to port "${address.port}": expected 1 to 65535`);
  }
  // Where a server listens on every address, this machine reaches it by its own.
  if (address.hostname === "0.0.0.0") address.hostname = "127.0.0.1";
  if (address.hostname === "::") address.hostname = "::1";
  // Without a certificate to verify, even an address with a zone may be connected to.
  return insecure ? address : parseServerAddress(formatAddress(address));
}

/** Where a server listens unless told otherwise. */
const DEFAULT_ADDRESS = "127.0.0.1:9443";

async function certificatesOf(options: ConnectOptions, hostname: string): Promise<string[]> {
  const certificates = [...options.caCerts ?? []];
  // Loaded only where it is needed: it has the platform load its cryptography.
  const { readAuthorities, readDefaultAuthority } = await import("../role/certificate_files.ts");
  if (options.caFile !== undefined) certificates.push(readAuthorities(options.caFile, "certificates").cert);
  const authority = certificates.length === 0 && isLoopback(hostname) ? readDefaultAuthority() : undefined;
  return authority === undefined ? certificates : [authority];
}

function passwordsOf(password: ConnectOptions["password"] = []): readonly Key[] {
  return typeof password === "string" || password instanceof Uint8Array ? [password] : password;
}

/** What a client is made of. {@linkcode connect} makes it from options for people. */
interface ClientSettings {
  address: string;
  open: (signal: AbortSignal) => Promise<Socket>;
  passwords: readonly Key[];
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/**
 * A connection to a server or a proxy, with a method for each command. {@linkcode connect} makes it.
 *
 * Requests are pipelined: call as many as you like without awaiting each, and they leave together. Replies and effects
 * are in the order of the calls. Bytes given as arguments are copied before the method returns; bytes that come back
 * belong to the caller.
 *
 * Caveats:
 * - When the connection is lost, all requests in flight reject with `ConnectionError`, whose `sent` says whether the
 *   server may have seen that request. None is ever repeated. The next request connects again, at once the first time,
 *   and not more often than every 50 ms to 2 s while that fails.
 * - A request that takes longer than `timeoutMs` closes the connection, since replies have no number by which a late one
 *   could be told from the next. The time that a command such as `blpop` waits by itself
 *   is not counted. It is not counted for the requests behind that command either.
 * - Requests without a reply are held in memory. Past 256 MiB of them the next is refused with `ConnectionError`; who
 *   sends without awaiting waits for {@linkcode Client.room} from time to time.
 */
export class Client extends Commands<Uint8Array<ArrayBuffer>> implements AsyncDisposable {
  /** The same commands on the same connection, with text for bytes. Rejects with `TypeError` what is not UTF-8. */
  readonly text: Commands<string> = new TextCommands(this);
  readonly #settings: ClientSettings;
  #link: Link | undefined;
  /** Resolves when nothing runs any more of the links that were lost. */
  #lostEnded: Promise<unknown> = Promise.resolve();
  #failuresCount = 0;
  #closed = false;
  readonly #abort = (): void => {
    this.#closed = true;
    this.#link?.close("Cannot wait for the reply: the client was aborted", this.#settings.signal?.reason);
  };

  /** @ignore Use {@linkcode connect}. */
  constructor(settings: ClientSettings) {
    super();
    this.#settings = settings;
    settings.signal?.addEventListener("abort", this.#abort, { once: true });
  }

  /** `host:port` of the other side. */
  get address(): string {
    return this.#settings.address;
  }

  /** Whether there is a connection, or one is being made. Without it, the next request makes one. */
  get connected(): boolean {
    return this.#link !== undefined && this.#link.lost === undefined;
  }

  /**
   * Sends any command.
   *
   * @param request the command's name and its arguments; text is sent as UTF-8, numbers in decimal
   * @returns the reply: data is `Uint8Array`, the server's own words such as `OK` are `string`. That of `exec` is an array
   * of the commands' replies, with a `ReplyError` for each that was refused
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

  /** The value of a string as text, or `null`; short for `client.text.get(key)`. */
  getText(key: Key): Promise<string | null> {
    return this.text.get(key);
  }

  /** Authenticates with another password than before, also after reconnecting. */
  async auth(password: Key): Promise<void> {
    const reply = await this.send(["auth", password]);
    // In a transaction it is queued: whether the password is right is not known yet.
    if (reply === "OK") this.keepPassword(password);
  }

  /** Sends this password when it connects again. */
  keepPassword(password: Key): void {
    this.#settings.passwords = [password];
  }

  /** Resolves when so few requests are without a reply that more can be sent. Never rejects. */
  async room(): Promise<void> {
    await this.#link?.room();
  }

  /**
   * Connects if there is no connection. Requests do so by themselves.
   *
   * @throws {ConnectionError} when there is none
   * @throws {ReplyError} when the password is refused
   */
  async reconnect(): Promise<void> {
    if (this.#closed) throw new ConnectionError(this.address, "Cannot connect: the client is closed", false);
    await this.#currentLink().opened;
  }

  /** Drops the connection at once. Everything in flight rejects; the next request connects again. */
  disconnect(): void {
    this.#link?.close(`Cannot wait for the reply: the connection to ${this.address} was dropped`);
  }

  /** Waits for the replies to what was sent, then closes for good. Sending after it rejects. Never rejects. */
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

  /** As {@linkcode Client.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Bytes as they came. */
  protected override data(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    return bytes;
  }

  #currentLink(): Link {
    const last = this.#link;
    if (last !== undefined && last.lost === undefined) return last;
    const wasOfUse = last === undefined || (last.proven && !(last.lost instanceof ReplyError));
    this.#failuresCount = wasOfUse ? 0 : this.#failuresCount + 1;
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

/** The view of a client that answers text. */
class TextCommands extends Commands<string> {
  readonly #client: Client;

  constructor(client: Client) {
    super();
    this.#client = client;
  }

  override send(request: readonly Argument[]): Promise<Value> {
    return this.#client.send(request);
  }

  /** Bytes as they came. */
  protected override data(bytes: Uint8Array<ArrayBuffer>): string {
    return toText(bytes);
  }
}

/** Resolves at `timeMs` by `performance.now()`, at once if that is past; rejects when aborted before. */
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
