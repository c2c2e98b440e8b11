/**
 * The context of commands on the connection itself, as far as a server and a proxy have it in common.
 *
 * These commands and their helpers import nothing of the store, so both roles run the same code.
 *
 * @module
 */

import type { Authenticator } from "../catalog/call.ts";
import type { Problem } from "../metrics/overview.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { Channels } from "./channels.ts";
import type { ClientState, ProtocolVersion } from "./client_state.ts";
import type { Instruments } from "../metrics/instruments.ts";
import type { Configuration } from "./configuration.ts";
import type { Pause } from "./pause.ts";

/** The state that the connections of one role share. */
export interface SharedConnections {
  readonly configuration: Configuration;
  readonly channels: Channels;
  /** The observations of the role. */
  readonly instruments: Instruments;
  /** Holds back the commands of all clients for a time. */
  readonly pause: Pause;
  /** The open connections, by id. */
  readonly clients: ReadonlyMap<number, ClientState>;
  /** Ends a connection's transaction, its watches, and its subscriptions. */
  reset(client: ClientState): void;
}

/** The server or proxy that serves a connection, as far as the commands on the connection need it. */
export interface Role extends Authenticator<ClientState> {
  /** Logs an administrator's command before it runs. `words` contains nothing that may be a secret. */
  noteAdmin(client: ClientState, command: string, words: string): void;
  /**
   * Returns facts as `# Section\r\nname:value\r\n…`. Without names, it returns the sections that Redis returns. The
   * names are in lower case.
   */
  info(sections: readonly string[]): string;
  /**
   * Requests what these sections show of other programs. A role whose sections show only itself has no such method.
   *
   * @returns a promise that resolves when it has come, after a bounded time at the latest; `undefined` when there is
   *          nothing to wait for
   */
  refreshInfo?(sections: readonly string[]): Promise<void> | undefined;
  /** Returns the problems that the role knows of, critical ones first. */
  problems(): readonly Problem[];
  /** Sets the counts of `info stats` to zero. */
  resetStatistics(): void;
  /** Writes the settings that were changed into the file that the role was started with; absent without such a file. */
  readonly rewriteConfig?: (() => Promise<void>) | undefined;
}

/** One connection, as its commands see it. */
export interface ConnectionContext {
  readonly client: ClientState;
  readonly shared: SharedConnections;
  readonly role: Role;
  /** Switches to another version of RESP, beginning with the current reply if nothing of it was written yet. */
  speak(version: ProtocolVersion): void;
  /**
   * Calls `step` until it returns `true`, or until the command has to {@linkcode pause}, which may be before the first
   * step. Each step should take about a tenth of a millisecond.
   *
   * @returns whether all steps are done
   */
  slice(step: () => boolean): boolean;
  /**
   * Lets other clients' commands run.
   *
   * @throws {ReplyError} when the command should not continue: the client has left, or the role stops
   */
  pause(): Promise<void>;
}

/**
 * Runs one command on the connection. If it returns a promise, the connection's state is checked afterwards: it may
 * have to end.
 */
export type RunOnConnection = (context: ConnectionContext, request: Request, reply: Reply) => void | Promise<void>;
