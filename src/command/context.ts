/**
 * What a command runs with, and the form every command has.
 *
 * A command is one top-level function that runs to completion: it reads its arguments in place, calls the store, and
 * tells the reply what it found. It refuses by throwing a `ReplyError`, and does so before it changes anything. One that
 * has more to do than may be done at a time returns its steps, between which others run.
 *
 * @module
 */

import type { CommandSpecification } from "../catalog/specification.ts";
import type { ClientState } from "../connection/client_state.ts";
import type { ConnectionContext } from "../connection/context.ts";
import type { Subcommands } from "../connection/subcommands.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { EffectLog } from "./effect_log.ts";
import type { RequestQueue } from "./queue.ts";
import type { SharedState } from "./shared_state.ts";

/** The steps of a command that takes long; `long_command.ts` drives them. */
export type Steps = Generator<void, void, void>;

/** The requests that a client has queued since `multi`. */
export type Transaction = RequestQueue<Command>;

/**
 * Whether a command that pauses goes on: `always`, since it writes; until its client has left, though the server stops, since
 * it replies with what its keys hold (`here`); or not even then, since it walks over all there is (`no`).
 */
export type GoesOn = "always" | "here" | "no";

/** What a command may use besides its request. One a connection, reused for every command; a role implements it. */
export interface CommandContext extends ConnectionContext {
  /** Its `nowMs` is set once a read batch, so that all of a batch sees the same time. */
  readonly store: Store;
  /** This connection. */
  readonly client: ClientState<Transaction>;
  readonly shared: SharedState;
  /** The TTL of keys that come into being without one of their own; 0 for none. */
  readonly defaultTtlMs: number;
  /**
   * Writes a snapshot; resolves when it is on disk.
   *
   * @param path a file of its own, below the data folder unless it is absolute; the data folder's next one else
   * @throws {ReplyError} when there is no data folder, or writing failed
   */
  save(path?: string): Promise<void>;
  /**
   * Begins a snapshot of the data folder, which goes on beside commands.
   *
   * @returns whether none was under way
   * @throws {ReplyError} when there is no data folder
   */
  beginSave(): boolean;
  /** When the last snapshot was taken, in ms since 1970. */
  readonly lastSaveMs: number;
  /**
   * Calls `step`, which is to take about a tenth of a millisecond, until it answers that all is done or the time is up
   * after which a command has to {@linkcode pause}. That may be at once, without a step.
   *
   * @returns whether all is done
   */
  slice(step: () => boolean): boolean;
  /**
   * Requests of a batch that run until its session looks at the clock. A command that takes about a millisecond, and does not
   * pause, sets it to 0.
   */
  untilClock: number;
  /** The log that takes the effects of commands; `undefined` when nothing is kept. */
  readonly log: EffectLog | undefined;
  /**
   * Lets other clients' commands run; `store.nowMs` is the present time afterwards.
   *
   * @throws {ReplyError} when there is no reason to go on: the client is gone, or the server stops
   */
  pause(goesOn?: GoesOn): Promise<void>;
  /** Sets `store.nowMs` and what else concerns the command that goes on, after others have run. */
  resume(): void;
  /**
   * Lets a client wait: writes what was answered before, begins the reply anew, and waits.
   *
   * @param begin is called after the reply was begun anew. It returns a promise to wait for, or nothing if it has replied.
   * While the client waits, `client.waiter` is set.
   */
  block(begin: () => Promise<void> | undefined): Promise<void>;
  /** Whether the client has sent bytes that were not read; `false` where the system cannot be asked. */
  hasInput(): boolean;
  /** Takes note of an exception that no command should throw. It was answered with `ERR internal error`. */
  reportBug(error: unknown): void;
}

/**
 * Runs one command. Returns a promise only when it has to wait, and steps when it takes long (long_command.ts); the reply is
 * complete once that resolves, or the steps have ended. Until then the request stays borrowed and the reply is this command's
 * alone, but references into the store are not valid any more.
 */
export type Run = (context: CommandContext, request: Request, reply: Reply) => void | Promise<void> | Steps;

/** A command with its code. What every call looks at stands beside it: one object to reach, not two. */
export interface Command {
  readonly run: Run;
  readonly arity: number;
  readonly grows: boolean;
  readonly writes: boolean;
  /** Where it has commands of its own. */
  readonly subcommands: Subcommands<never> | undefined;
  readonly specification: CommandSpecification;
}
