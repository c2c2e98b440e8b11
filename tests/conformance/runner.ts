/**
 * Plays a scenario on one server, or on two servers whose replies it compares.
 *
 * @module
 */

import { comparable } from "./comparers.ts";
import type { Difference } from "./differences.ts";
import { ConnectionEnded, RespClient } from "../support/resp_client.ts";
import { encodeCommand, escape, type Frame } from "../support/resp_frames.ts";
import type { Scenario, Step } from "./transcript.ts";
import { pause } from "../support/pause.ts";

/** A version of RESP. */
export type Version = 2 | 3;

/** A server on which scenarios are played. */
export interface Target {
  readonly port: number;
  /** The argument of `auth`, if the server requires one. */
  readonly password?: string;
}

/** The result of one step. */
export interface Outcome {
  readonly frames: readonly Frame[];
  /** Whether the server ended the connection although frames were expected. */
  readonly ended: boolean;
}

/** A difference between the replies of two servers. */
export interface Mismatch {
  readonly scenario: string;
  readonly version: Version;
  readonly step: Step;
  /** The compared parts of both replies, with `(closed)` where a server ended the connection. */
  readonly expected: string;
  readonly actual: string;
  /** The steps before this one. */
  readonly before: readonly Step[];
}

/** How long to wait until a client is blocked, in ms. */
const BLOCKED_TIMEOUT_MS = 3_000;

/** A step after the last one, for the frames that no step has read. */
const LEFT_OVER: Omit<Step, "connection"> = { line: "(unread at the end)", kind: "read", commands: [], expects: 0 };

/** Plays scenarios on one server. Dispose of it after use. */
export class Player implements Disposable {
  readonly #target: Target;
  readonly #control: RespClient;

  private constructor(target: Target, control: RespClient) {
    this.#target = target;
    this.#control = control;
  }

  static async open(target: Target): Promise<Player> {
    const control = await RespClient.connect(target.port);
    if (target.password !== undefined) await control.call("AUTH", target.password);
    return new Player(target, control);
  }

  /**
   * Plays a scenario on an empty database.
   *
   * @param onOutcome called with each step and its outcome, and at the end, for each connection, with the frames that
   * no step has read
   */
  async play(scenario: Scenario, version: Version, onOutcome: (step: Step, outcome: Outcome) => void): Promise<void> {
    const connections = new Map<string, RespClient>();
    try {
      await this.#control.call("FLUSHALL");
      for (const step of scenario.steps) {
        let connection = connections.get(step.connection);
        if (connection === undefined) {
          connections.set(step.connection, connection = await this.#connect(version));
        }
        onOutcome(step, await this.#take(step, connection));
      }
      for (const [name, connection] of connections) {
        if (!connection.isClosed) onOutcome({ ...LEFT_OVER, connection: name }, await readLeftOver(connection));
      }
    } finally {
      for (const connection of connections.values()) connection.close();
    }
  }

  async #connect(version: Version): Promise<RespClient> {
    const connection = await RespClient.connect(this.#target.port);
    // Before authentication the server refuses even `hello`, so such scenarios send it themselves.
    if (version === 3 && this.#target.password === undefined) await connection.call("HELLO", "3");
    return connection;
  }

  async #take(step: Step, connection: RespClient): Promise<Outcome> {
    if (step.kind === "sleep") await pause(step.ms!);
    if (step.kind === "end") connection.close();
    if (step.kind === "send") {
      const blocked = step.expects === "blocked" ? await this.#blockedClients() : 0;
      await connection.send(step.raw ?? step.commands.map(encodeCommand).join(""));
      if (step.expects === "blocked") await this.#whenBlocked(blocked + 1);
    }
    if (step.expects === "closed") return { frames: await connection.framesToEnd(), ended: true };
    const frames: Frame[] = [];
    try {
      while (typeof step.expects === "number" && frames.length < step.expects) frames.push(await connection.frame());
      return { frames, ended: false };
    } catch (error) {
      if (!(error instanceof ConnectionEnded)) throw error;
      return { frames, ended: true };
    }
  }

  async #blockedClients(): Promise<number> {
    const { body = "" } = await this.#control.call("INFO", "clients");
    return Number(/blocked_clients:([0-9]+)/.exec(body)?.[1]);
  }

  async #whenBlocked(count: number): Promise<void> {
    const endsMs = performance.now() + BLOCKED_TIMEOUT_MS;
    for (let blocked; (blocked = await this.#blockedClients()) !== count;) {
      if (performance.now() > endsMs) throw new Error(`${blocked} clients are blocked: expected ${count}`);
    }
  }

  [Symbol.dispose](): void {
    this.#control.close();
  }
}

/** Reads the frames that arrive before the reply to `reset`, which a server accepts in every state. */
async function readLeftOver(connection: RespClient): Promise<Outcome> {
  await connection.send(encodeCommand(["RESET"]));
  const frames: Frame[] = [];
  for (;;) {
    const frame = await connection.frame();
    if (frame.type === "+" && frame.line === "RESET") return { frames, ended: false };
    frames.push(frame);
  }
}

/** The outcomes of a scenario on one server, and the reason if it could not be completed. */
interface Played {
  readonly outcomes: readonly { readonly step: Step; readonly outcome: Outcome }[];
  readonly failure: string | undefined;
}

async function playWhole(player: Player, scenario: Scenario, version: Version): Promise<Played> {
  const outcomes: { step: Step; outcome: Outcome }[] = [];
  try {
    await player.play(scenario, version, (step, outcome) => outcomes.push({ step, outcome }));
    return { outcomes, failure: undefined };
  } catch (error) {
    return { outcomes, failure: error instanceof Error ? error.message : String(error) };
  }
}

/** Compares two servers, and counts the compared commands. */
export class Comparison {
  /** The number of commands whose replies were compared, in all versions of RESP. */
  commands = 0;
  readonly mismatches: Mismatch[] = [];
  readonly #expected: Player;
  readonly #actual: Player;
  readonly #differences: readonly Difference[];
  readonly #seen = new Set<Difference>();

  /**
   * Creates a comparison.
   *
   * @param expected the reference server
   * @param actual the server to test
   * @param differences the accepted differences
   */
  constructor(expected: Player, actual: Player, differences: readonly Difference[] = []) {
    this.#expected = expected;
    this.#actual = actual;
    this.#differences = differences;
  }

  /** Plays a scenario on both servers. */
  async play(scenario: Scenario, version: Version): Promise<void> {
    const [expected, actual] = await Promise.all(
      [this.#expected, this.#actual].map((player) => playWhole(player, scenario, version)),
    );
    for (let i = 0; i < Math.max(expected!.outcomes.length, actual!.outcomes.length) + 1; i++) {
      const [left, right] = [expected!, actual!].map(({ outcomes, failure }) => {
        return outcomes[i]?.outcome ?? (i === outcomes.length ? failure : undefined);
      });
      const step = (expected!.outcomes[i] ?? actual!.outcomes[i])?.step ?? scenario.steps[i];
      if (step !== undefined) this.#compare(scenario, version, step, left, right);
    }
  }

  #compare(scenario: Scenario, version: Version, step: Step, left?: Outcome | string, right?: Outcome | string): void {
    this.commands += step.commands.length + (step.raw === undefined ? 0 : 1);
    const expectedText = comparableOf(step, left);
    const actualText = comparableOf(step, right);
    // A scenario that failed on both sides has compared nothing.
    const isPlayed = typeof left === "object" && typeof right === "object";
    if (isPlayed && this.#replaceTexts(expectedText, actualText) === actualText) return;
    const [expected, actual] = [escape(expectedText), escape(actualText)];
    for (const each of this.#differences) {
      if (!("scenario" in each) || each.scenario !== scenario.name || each.step !== step.line) continue;
      if (actual !== (version === 3 ? each.inmem3 ?? each.inmem : each.inmem)) continue;
      this.#seen.add(each);
      return;
    }
    const before = scenario.steps.slice(0, Math.max(0, scenario.steps.indexOf(step)));
    this.mismatches.push({ scenario: scenario.name, version, step, expected, actual, before });
  }

  /** Returns the expected text, in which each accepted text of inmem replaces that of redis-server. */
  #replaceTexts(expected: string, found: string): string {
    if (expected === found) return expected;
    for (const each of this.#differences) {
      if ("scenario" in each || !expected.includes(each.redis) || !found.includes(each.inmem)) continue;
      expected = expected.replaceAll(each.redis, each.inmem);
      this.#seen.add(each);
    }
    return expected;
  }

  /** The accepted differences that occurred. */
  get seen(): ReadonlySet<Difference> {
    return this.#seen;
  }
}

/** Returns the compared part of an outcome, or the reason why there is none. */
function comparableOf({ commands }: Step, outcome: Outcome | string | undefined): string {
  if (outcome === undefined) return "(not reached)";
  if (typeof outcome === "string") return `(${outcome})`;
  const { frames, ended } = outcome;
  const parts = commands.length > 1 && frames.length === commands.length
    ? frames.map((frame, i) => comparable([frame], commands[i]!))
    : [comparable(frames, commands[0] ?? [])];
  return parts.join("") + (ended ? "(closed)" : "");
}

/** Formats a mismatch, with everything that is needed to reproduce it. */
export function formatMismatch({ scenario, version, step, expected, actual, before }: Mismatch): string {
  const line = step.line.startsWith(`${step.connection}> `) ? step.line : `${step.connection}> ${step.line}`;
  return [
    `${scenario}, RESP${version}: ${line}`,
    `  redis  ${expected}`,
    `  inmem  ${actual}`,
    ...(before.length === 0 ? [] : ["  after"]),
    ...before.map(({ line }) => `         ${line}`),
  ].join("\n");
}
