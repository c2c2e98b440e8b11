/**
 * The context in which a command runs, and the type of a command's function.
 *
 * A command is one top-level function that runs to completion: it reads its arguments in place, calls the store, and
 * writes the result to the reply. To refuse a request it throws a `ReplyError`, before it changes anything. A command
 * with too much work for one slice returns its steps; other commands run between them.
 *
 * @module
 */

import type { CommandSpecification } from "../catalog/specification.ts";
import type { ClientState } from "../connection/client_state.ts";
import type { ConnectionContext, Role } from "../connection/context.ts";
import type { Subcommands } from "../connection/subcommands.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { EffectLog } from "./effect_log.ts";
import type { RequestQueue } from "./queue.ts";
import type { SharedState } from "./shared_state.ts";

/** The steps of a command that takes long. `long_command.ts` runs them. */
export type Steps = Generator<void, void, void>;

/** The requests that a client has queued since `multi`. */
export type Transaction = RequestQueue<Command>;

/**
 * When a paused command continues.
 *
 * - `always`: even if its client has left, because it writes.
 * - `here`: until its client leaves, even while the server stops, because it replies with what its keys hold.
 * - `no`: until its client leaves or the server stops, because it walks over the whole store.
 */
export type GoesOn = "always" | "here" | "no";

/** The server that serves a connection, as far as commands need it. */
export interface ServerRole extends Role {
  /**
   * Writes a snapshot. Resolves when it is on disk.
   *
   * @param path the file to write, relative to the data folder unless it is absolute; without it, the folder's next
   * snapshot
   * @throws {ReplyError} when there is no data folder, or when writing failed
   */
  save(path?: string): Promise<void>;
  /**
   * Begins a snapshot of the data folder. Commands continue to run while it is written.
   *
   * @returns whether no snapshot was in progress
   * @throws {ReplyError} when there is no data folder
   */
  beginSave(): boolean;
  /** The time of the last snapshot, in milliseconds since 1970. */
  readonly lastSaveMs: number;
  /** Logs an exception that no command should throw. The client got the reply `ERR internal error`. */
  reportBug(error: unknown): void;
}

/**
 * The things that a command may use besides its request. Each connection has one context and reuses it for every
 * command.
 */
export interface CommandContext extends ConnectionContext {
  /** The store. Its `nowMs` is set once per read batch, so that every command of a batch sees the same time. */
  readonly store: Store;
  /** The state of this connection. */
  readonly client: ClientState<Transaction>;
  readonly shared: SharedState;
  readonly role: ServerRole;
  /** The TTL of keys that are created without one; 0 for none. */
  readonly defaultTtlMs: number;
  /**
   * Calls `step` until it returns `true`, or until the command has to {@linkcode pause}, which may be before the first
   * step. Each step should take about a tenth of a millisecond.
   *
   * @returns whether all steps are done
   */
  slice(step: () => boolean): boolean;
  /**
   * The number of requests of a batch that run before the session looks at the clock again. A command that takes about
   * a millisecond and does not pause sets it to 0.
   */
  untilClock: number;
  /** The log of the effects of commands; `undefined` when nothing is persisted. */
  readonly log: EffectLog | undefined;
  /**
   * Lets other clients' commands run. Afterwards `store.nowMs` is the present time.
   *
   * @throws {ReplyError} when the command should not continue: the client has left, or the server stops
   */
  pause(goesOn?: GoesOn): Promise<void>;
  /** Sets `store.nowMs` and the other state of this command again, after other commands have run. */
  resume(): void;
  /**
   * Makes a client wait: writes the replies before this one, restarts the reply, and waits.
   *
   * @param begin is called after the reply was restarted. It returns a promise to wait for, or nothing if it has
   * replied. While the client waits, `client.waiter` is set.
   */
  block(begin: () => Promise<void> | undefined): Promise<void>;
  /** Returns whether the client has sent bytes that were not read; `false` where the system cannot report it. */
  hasInput(): boolean;
}

/**
 * Runs one command.
 *
 * It returns a promise only when it has to wait, and steps when it takes long (long_command.ts). The reply is complete
 * when the promise resolves, or when the steps have ended. Until then the request stays borrowed and only this command
 * writes to the reply, but references into the store become invalid.
 */
export type Run = (context: CommandContext, request: Request, reply: Reply) => void | Promise<void> | Steps;

/**
 * A command with its function. It repeats the fields that every call reads, so that a call reads one object instead of
 * two.
 */
export interface Command {
  readonly run: Run;
  /** The position in the catalog. */
  readonly position: number;
  readonly arity: number;
  readonly grows: boolean;
  readonly writes: boolean;
  /** The position of the key at which the command may create a list for waiting clients; 0 if there is none. */
  readonly wakes: number;
  /** Whether it only waits for the end of a pause, and runs the real command then, which is observed instead. */
  readonly isPostponed: boolean;
  /** The subcommands of the command, if it has any. */
  readonly subcommands: Subcommands<never> | undefined;
  readonly specification: CommandSpecification;
}
