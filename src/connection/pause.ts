/**
 * The pause of a role's clients: `client pause` holds back their commands for a time, so that the data does not change
 * or that nothing is done at all.
 *
 * ```text
 * client pause 5000 WRITE      set k v ······················► OK        held back until the pause ends
 *                              get k ► v                                 runs
 *                              multi ► OK   set … ··············► QUEUED
 * client unpause                                              ▲ all continue, in their order
 * ```
 *
 * A held command has changed nothing. It runs when the pause is over, and the commands after it on its connection wait
 * for it. Replies to earlier commands leave, and so do messages of channels. Unknown commands, wrong numbers of
 * arguments and clients that still have to authenticate get their errors immediately.
 *
 * As in Redis, another `client pause` may lengthen and widen the pause, but neither shorten nor narrow it. Unlike in
 * Redis, `client pause` and `client unpause` are never held back, so that a pause of all commands can be ended.
 *
 * The hot path does not know of pauses: a pause takes every client off the fast path ({@linkcode ClientState}).
 *
 * @module
 */

import { type CommandSpecification, mayWrite } from "../catalog/specification.ts";
import type { ReplyError } from "../errors.ts";
import { HELD_COMMANDS_PER_TURN_COUNT, TIMER_MAX_MS } from "../limits.ts";
import type { Request } from "../wire/request.ts";
import type { ClientState, PendingWait } from "./client_state.ts";

/** The commands that a pause holds back. */
export type PauseKind = "write" | "all";

/** One command that is held back. */
export class HeldCommand implements PendingWait {
  readonly isPostponed = true;
  /** Resolves when the command may run, or was {@linkcode refuse}d. */
  readonly ended: Promise<void>;
  /** The error that is the reply, if the command must not run any more. */
  refusal: ReplyError | undefined;
  readonly #pause: Pause;
  readonly #end: () => void;

  /** Use {@linkcode Pause.hold}. */
  constructor(pause: Pause) {
    this.#pause = pause;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    this.#end = resolve;
  }

  /** Lets the command continue. Safe to call twice. */
  end(): void {
    this.#pause.forget(this);
    this.#end();
  }

  /** Does nothing: a command that is held back has no timeout. */
  expire(): void {}

  refuse(error: ReplyError): void {
    this.refusal ??= error;
    this.end();
  }

  /** Ends the wait without a reply, because the client is gone. */
  abandon(): void {
    this.end();
  }
}

/** The pause of one role. */
export class Pause {
  readonly #clients: ReadonlyMap<number, ClientState>;
  readonly #held = new Set<HeldCommand>();
  #kind: PauseKind | undefined;
  #endsMs = 0;
  #timer: number | undefined;

  /** @param clients the clients that are served */
  constructor(clients: ReadonlyMap<number, ClientState>) {
    this.#clients = clients;
  }

  /** Whether a pause is under way. */
  get isOn(): boolean {
    return this.#kind !== undefined;
  }

  /** The commands that are held back at present, in Redis's words: `none`, `write` or `all`. */
  get kind(): PauseKind | "none" {
    return this.#kind ?? "none";
  }

  /** The time until the pause ends, in ms; 0 without one. */
  get leftMs(): number {
    return this.isOn ? Math.max(0, Math.ceil(this.#endsMs - performance.now())) : 0;
  }

  /** The number of commands that are held back. */
  get heldCount(): number {
    return this.#held.size;
  }

  /**
   * Begins a pause, or lengthens and widens the present one.
   *
   * @param endsMs its end, by `performance.now()`
   */
  begin(endsMs: number, kind: PauseKind): void {
    if (this.#kind !== "all") this.#kind = kind;
    this.#endsMs = Math.max(this.#endsMs, endsMs);
    this.#wait();
    this.#tell();
  }

  /** Ends the pause, if there is one. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#endsMs = 0;
    if (this.#kind === undefined) return;
    this.#kind = undefined;
    this.#tell();
    this.#release();
  }

  /** Lets the commands that were held back continue: some in each turn, since thousands may have waited. */
  #release(): void {
    if (this.isOn) return;
    let left = HELD_COMMANDS_PER_TURN_COUNT;
    for (const held of this.#held) {
      if (left-- === 0) {
        this.#timer = setTimeout(() => this.#release(), 0);
        return;
      }
      held.end();
    }
  }

  /** Ends the pause of a role that has stopped. Its clients, which are gone, were refused before. */
  close(): void {
    this.end();
    clearTimeout(this.#timer);
  }

  /** Sets the timer. A timer cannot run for more than 24 days, so it may take several. */
  #wait(): void {
    clearTimeout(this.#timer);
    const leftMs = this.#endsMs - performance.now();
    if (leftMs <= 0) return this.end();
    this.#timer = setTimeout(() => this.#wait(), Math.min(TIMER_MAX_MS, Math.ceil(leftMs)));
  }

  #tell(): void {
    for (const client of this.#clients.values()) this.admit(client);
  }

  /** Makes the pause hold for a client that has just come, or its end. */
  admit(client: ClientState): void {
    client.isPaused = this.isOn;
  }

  /** Returns whether a request must wait for the end of the pause. Its name and number of arguments are right. */
  holdsBack(client: ClientState, specification: CommandSpecification, request: Request): boolean {
    if (this.#kind === undefined || !client.authenticated || client.isMonitoring) return false;
    if (this.#kind === "all") return specification.name !== "client" || !setsPause(request);
    return mayWrite(specification, request.count) || specification.routing === "publish" ||
      specification.transactionStep === "run" && client.transaction?.writes === true;
  }

  /** Holds a command back. */
  hold(): HeldCommand {
    const held = new HeldCommand(this);
    this.#held.add(held);
    return held;
  }

  /** Forgets a command that is not held back any more. */
  forget(held: HeldCommand): void {
    this.#held.delete(held);
  }
}

function setsPause(request: Request): boolean {
  return request.count > 1 && (request.is(1, "unpause") || request.is(1, "pause"));
}
