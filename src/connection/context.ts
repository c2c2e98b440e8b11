/**
 * What the commands on the connection itself may use: as much as a server and a proxy have in common.
 *
 * These commands, and what they need, import nothing of the store: both roles run the same code.
 *
 * @module
 */

import type { Authenticator } from "../catalog/call.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { Channels } from "./channels.ts";
import type { ClientState, ProtocolVersion } from "./client_state.ts";
import type { Configuration } from "./configuration.ts";

/** What the connections of one role share. */
export interface SharedConnections {
  readonly configuration: Configuration;
  readonly channels: Channels;
  /** The connections being served, by id. */
  readonly clients: ReadonlyMap<number, ClientState>;
  /** Ends what a connection has begun: its transaction, its watches, all that it listens to. */
  reset(client: ClientState): void;
}

/** One connection, as its commands see it. */
export interface ConnectionContext extends Authenticator {
  readonly client: ClientState;
  readonly shared: SharedConnections;
  /** Facts as `# Section\r\nname:value\r\n…`; no sections means all. Names are in lower case. */
  info(sections: readonly string[]): string;
  /** Speaks another version of RESP from the next reply on; this command's own included, if it has said nothing yet. */
  speak(version: ProtocolVersion): void;
  /** Takes note of an admin command before it runs; `words` has nothing that may be a secret. */
  noteAdmin?(command: string, words: string): void;
  /** Sets the counts of `info stats` to zero. */
  resetStatistics(): void;
  /**
   * Calls `step`, which is to take about a tenth of a millisecond, until it answers that all is done or the time is up
   * after which a command has to {@linkcode pause}. That may be at once, without a step.
   *
   * @returns whether all is done
   */
  slice(step: () => boolean): boolean;
  /**
   * Lets other clients' commands run.
   *
   * @throws {ReplyError} when there is no reason to go on: the client is gone, or the role stops
   */
  pause(): Promise<void>;
}

/** Runs one command on the connection. A promise says that the connection has to be looked at: it may have to end. */
export type RunOnConnection = (context: ConnectionContext, request: Request, reply: Reply) => void | Promise<void>;
