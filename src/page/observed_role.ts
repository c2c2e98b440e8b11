/**
 * The role that a port of `--metrics` observes, as the routes see it. Server and proxy implement it.
 *
 * @module
 */

import type { Observed } from "../metrics/overview.ts";
import type { Socket } from "../net/socket.ts";

/** A connection on which a password was sent. */
export interface GuessingPeer {
  readonly id: number;
  readonly address: string;
  failedLogins: number;
  closing: boolean;
}

/** A role that serves clients. */
export interface ObservedRole extends Observed {
  /** Returns why the role should get no clients at present, in a few words; `undefined` when it is ready. */
  notReady(): string | undefined;
  /** Returns whether the user and the password are right. */
  authenticate(peer: GuessingPeer, user: string, password: string): boolean;
  /** Records a wrong password. Returns how long its refusal has to wait, in ms. */
  failedLogin(peer: GuessingPeer): number;
  /** Opens a connection within this process, on which commands run without a password. */
  openInternal(): Socket;
}

/** The part of a role that the port takes over: it ends together with the role, and uses the same certificate. */
export interface ServedRole {
  stop(): Promise<void>;
  reload?(): void;
  replaceCertificate(certificate: { readonly cert: string; readonly key: string }): void;
  replacePasswords(passwords: readonly string[]): void;
}
