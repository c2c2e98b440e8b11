/**
 * Connects to the server that the options of a client tool name.
 *
 * ```text
 * option values ──► resolveTarget() ──► Target ──► connectTo()   the client, which speaks the native protocol
 *                                              ├─► linkTo()      the same for one command, which starts faster
 *                                              └─► dialTo()      sockets, for tools that speak RESP themselves
 * ```
 *
 * {@linkcode connectAs} does both steps. A password in the URL is preferred to that of `--password-file` and
 * `INMEM_PASSWORD`.
 *
 * @module
 */

import { formatAddress, isLoopback } from "../address.ts";
import type { Argument, Client, Value } from "../client/client.ts";
import {
  type ConnectionSettings,
  connectionSettings,
  type Dialer,
  dialerOf,
  type SettingsOptions,
} from "../client/connection_settings.ts";
import { Link } from "../client/link.ts";
import { UsageError } from "../errors.ts";
import { CONNECT_TIMEOUT_MS } from "../limits.ts";
import { refuseKeyLogging } from "../role/key_logging.ts";
import type { OptionValues } from "../role/options.ts";
import { readPasswords } from "../role/password.ts";
import type { targetOptions } from "../role/target_options.ts";

/** The values of {@linkcode targetOptions}, in the values of any table that spreads them. */
export type TargetValues = OptionValues<{ usage: ""; summary: ""; options: typeof targetOptions }>;

/** A server or proxy, and how to connect to it. */
export interface Target {
  /** `host:port`. */
  readonly address: string;
  readonly plaintext: boolean;
  /** Whether any certificate is accepted. */
  readonly insecure: boolean;
  /** The file of authorities; `undefined` for the default ones. */
  readonly caFile: string | undefined;
  /** The user to authenticate as, which is `default` for every inmem. */
  readonly user: string;
  /** The passwords to try, in this order; none when no password is given. */
  readonly passwords: readonly string[];
  /** How long the connection and each reply may take, in ms; 0 for no limit. */
  readonly timeoutMs: number;
}

const USER_DEFAULT = "default";

/**
 * Returns the server that the options name.
 *
 * @throws {UsageError} when they contradict each other
 * @throws {StartError} when a file cannot be used, or `SSLKEYLOGFILE` is set
 */
export function resolveTarget(values: TargetValues): Target {
  refuseKeyLogging();
  const { addr, insecure, ca, timeout } = values;
  if (values.plaintext && addr.plaintext === false) {
    throw new UsageError("Cannot use --plaintext with this URL: it requires TLS");
  }
  const plaintext = isPlaintext(values);
  if (plaintext && !isLoopback(addr.hostname) && addr.hostname !== "0.0.0.0" && addr.hostname !== "::") {
    const cure = addr.plaintext === true ? "; inmems:// and rediss:// use TLS" : "";
    throw new UsageError(`Cannot talk to "${addr.hostname}" without TLS: expected a loopback address${cure}`);
  }
  return {
    address: formatAddress(addr),
    plaintext,
    insecure,
    caFile: ca,
    user: addr.user ?? USER_DEFAULT,
    passwords: addr.password === undefined ? readPasswords(values["password-file"]) : [addr.password],
    timeoutMs: timeout,
  };
}

/** Returns whether the options turn TLS off, by `--plaintext` or by the scheme of a URL. */
export function isPlaintext({ plaintext, addr }: TargetValues): boolean {
  return plaintext || addr.plaintext === true;
}

/**
 * Connects and authenticates. The caller closes the client.
 *
 * @throws {ConnectionError} when the connection fails
 * @throws {ReplyError} when the password is refused
 * @throws {UsageError} when the URL names a user that inmem does not have
 */
export async function connectTo(target: Target): Promise<Client> {
  requireDefaultUser(target);
  // One command does not need the client with its methods.
  const { connect } = await import("../client/client.ts");
  return await connect({ ...optionsOf(target), password: target.passwords, timeoutMs: target.timeoutMs });
}

/** One connection for one command, without the client's methods and its reconnecting. */
export interface OneLink {
  /** `host:port`. */
  readonly address: string;
  /** Sends a command as `Client.send` does. */
  send(words: readonly Argument[]): Promise<Value>;
  /** Authenticates this connection. */
  auth(password: string): Promise<void>;
  /** Closes the connection. */
  close(): Promise<void>;
}

/**
 * Connects and authenticates for one command. It loads much less than {@linkcode connectTo}, which makes the start of a
 * program faster.
 *
 * @throws what {@linkcode connectTo} throws
 */
export async function linkTo(target: Target): Promise<OneLink> {
  const { address, open, passwords, timeoutMs } = await settingsOf(target);
  const link = new Link({ address, open, passwords, openTimeoutMs: Math.min(timeoutMs, CONNECT_TIMEOUT_MS) });
  await link.opened;
  return {
    address,
    send: (words) => link.send(words, timeoutMs),
    auth: async (password) => {
      await link.send(["auth", password], timeoutMs);
    },
    close: async () => {
      link.close(`The connection to ${address} is closed`);
      await link.ended;
    },
  };
}

/**
 * Returns the settings of connections to the server, for the bulk stream in the native protocol.
 *
 * @throws {UsageError} when the URL names a user that inmem does not have, or the file of certificates is unusable
 */
export async function settingsOf(target: Target): Promise<ConnectionSettings> {
  requireDefaultUser(target);
  const { passwords, timeoutMs } = target;
  return await connectionSettings({ ...optionsOf(target), password: passwords, timeoutMs });
}

/**
 * Returns the settings of connections to the server, for the bulk stream in either protocol. In RESP a user of another
 * server than inmem can be named.
 *
 * @throws {UsageError} as {@linkcode settingsOf} does
 */
export async function targetSettings(
  target: Target,
  protocol: "native" | "resp",
): Promise<ConnectionSettings & { readonly user?: string }> {
  if (protocol === "native" || target.user === USER_DEFAULT) return await settingsOf(target);
  return { ...await settingsOf({ ...target, user: USER_DEFAULT }), user: target.user };
}

function requireDefaultUser({ user }: Target): void {
  if (user === USER_DEFAULT) return;
  throw new UsageError(`Cannot authenticate as user "${user}": inmem has one user, "${USER_DEFAULT}"`);
}

/**
 * Returns what opens sockets to the server: with TLS and the certificate verified, but without authenticating.
 *
 * @throws {UsageError} when the file of certificates is unusable
 */
export async function dialTo(target: Target): Promise<Dialer> {
  return await dialerOf(optionsOf(target));
}

/**
 * Connects as the options say, and authenticates. The caller closes the client.
 *
 * @throws what {@linkcode resolveTarget} and {@linkcode connectTo} throw
 */
export async function connectAs(values: TargetValues): Promise<Client> {
  return await connectTo(await askIfWanted(values, resolveTarget(values)));
}

/**
 * Returns the target with the password that the user types, if `--askpass` wants it.
 *
 * @throws {QuestionEnded} when the user types none
 */
export async function askIfWanted({ askpass }: TargetValues, target: Target): Promise<Target> {
  if (!askpass) return target;
  const { askPassword } = await import("./ask_password.ts");
  return { ...target, passwords: [await askPassword(target.address)] };
}

function optionsOf({ address, plaintext, insecure, caFile }: Target): SettingsOptions {
  return { addr: address, plaintext, insecure, caFile };
}
