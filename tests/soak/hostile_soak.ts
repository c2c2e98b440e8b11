/**
 * Attacks servers and proxies beside a well-behaved client, one attack after another, and tells what that client had to
 * wait, how long the server's main thread ran in one go, and what memory it took:
 *
 * ```sh
 * deno task soak:hostile
 * SOAK_ONLY='watch*,mget' deno task soak:hostile
 * SOAK_MAIN=/other/checkout/src/main.ts deno task soak:hostile
 * ```
 *
 * | variable | meaning |
 * |---|---|
 * | `SOAK_ONLY` | names of attacks, separated by commas; a `*` at the end stands for any rest |
 * | `SOAK_MAIN` | the `src/main.ts` of another checkout, which is attacked instead of this one |
 * | `SOAK_SCALE` | a factor for the sizes that the table tells, such as 0.01; below 0.1 any step may take 50 ms |
 * | `INMEM_BIN` | a binary, which is attacked instead of the sources |
 *
 * Columns:
 *
 * - `cpu`: how long the main thread ran during the attack, in ms, and all others' that are observed as well.
 * - `step`: the longest that a main thread ran during one round trip of the observer, in ms. Wall time says little on a
 *   machine that is shared; this does not count others' load. Where perf_event_open(2) is forbidden it is 4 ms too much
 *   or too little at most.
 * - `wait`: the observer's longest round trip by the clock, in ms.
 * - `peak`, `after`: resident memory in MB: the most of any one process, and that of all of them 5 s later at most.
 *
 * Exit status: 0 when all attacks were withstood, otherwise 1.
 *
 * @module
 */

import { join } from "@std/path";
import { V8_FLAGS } from "../../cluster/role_process.ts";
import { Launcher } from "../support/launcher.ts";
import { type Attack, pause } from "./hostile/attack.ts";
import { encodeRequests } from "./hostile/attack_connection.ts";
import { AttackRun } from "./hostile/attack_run.ts";
import { attacks } from "./hostile/attacks.ts";
import { type Abilities, Deployment, readAbilities } from "./hostile/deployment.ts";
import { type Observation, Observer } from "./hostile/observer.ts";
import { peakBytes, resetPeak } from "./hostile/process_account.ts";
import { judge } from "./hostile/verdict.ts";

const MB = 1024 * 1024;
/** An attack that is not over by then is cut off. */
const ATTACK_TIMEOUT_MS = 60_000;
/** Processes that together take more are killed, to save the machine. */
const GUARD_BYTES = 2560 * MB;
/** The observer runs for so long before an attack, and after it. */
const SETTLE_MS = 400;
/** Rounds that the observer makes after an attack. */
const SETTLED_ROUNDS_COUNT = 3;
/** A new client is served within this time after an attack. */
const ALIVE_TIMEOUT_MS = 5_000;
/** Memory is given back within this time, … */
const GIVEN_BACK_MS = 5_000;
/** … up to this much. */
const KEPT_MAX_BYTES = 64 * MB;

const COLUMNS: readonly (readonly [title: string, width: number])[] = [
  ["attack", 34],
  ["size", 28],
  ["cpu ms", -8],
  ["step ms", -8],
  ["wait ms", -8],
  ["peak MB", -8],
  ["after MB", -9],
  ["", 1],
];

/** Prints one row; the last cell is as long as it likes. */
function print(cells: readonly string[]): void {
  const aligned = cells.map((cell, i) => {
    const width = COLUMNS[i]![1];
    return width < 0 ? cell.padStart(-width) : cell.padEnd(width);
  });
  console.log(aligned.join("  ").trimEnd());
}

/** Runs attacks, each against processes that no other attack has harmed. */
class Soak {
  readonly #launcher: Launcher;
  readonly #observer: Observer;
  readonly #abilities: Abilities;
  #deployment: Deployment | undefined;

  constructor(launcher: Launcher, observer: Observer, abilities: Abilities) {
    this.#launcher = launcher;
    this.#observer = observer;
    this.#abilities = abilities;
  }

  /** Runs one attack and prints its row. Returns whether it was withstood. */
  async run(attack: Attack, isSmall: boolean): Promise<boolean> {
    try {
      return await this.#attack(attack, isSmall);
    } catch (error) {
      // One attack that cannot be made says nothing about the others.
      await this.#kill();
      await this.#observer.end();
      const reason = error instanceof Error ? error.message : String(error);
      print([attack.name, attack.size, "-", "-", "-", "-", "-", `FAIL ${reason.replaceAll(/\s+/g, " ")}`]);
      return false;
    }
  }

  async #attack(attack: Attack, isSmall: boolean): Promise<boolean> {
    if (this.#deployment?.place !== attack.place) await this.stop();
    const deployment = this.#deployment ??= await Deployment.start(this.#launcher, attack.place, this.#abilities);
    const run = new AttackRun(deployment);
    await fill(run, attack);
    await attack.prepare?.(run);
    const beforeBytes = deployment.residentBytes();
    await this.#observe(deployment);
    const wasCut = await withTimeout(attack.action(run), ATTACK_TIMEOUT_MS, run);
    run.end();
    const seen = await this.#settle();
    const peaks = deployment.pids.map((pid, i) => Math.max(peakBytes(pid), seen.peakBytes[i] ?? 0));
    if (wasCut) run.fail(`not over after ${ATTACK_TIMEOUT_MS / 1000} s`);
    const isAlive = !wasCut && await this.#isAlive(deployment);
    const afterBytes = isAlive ? await settled(deployment, beforeBytes) : 0;
    await this.#observer.end();
    const bounds = deployment.members.map(({ boundBytes }) => boundBytes);
    const reasons = judge(
      attack.name,
      { seen, peaks, bounds, isAlive: isAlive || wasCut, faults: run.faults },
      isSmall,
    );
    printRow(attack, seen, peaks, afterBytes, reasons, run.notes);
    const isClean = reasons.length === 0 && afterBytes - deployment.idleBytes < KEPT_MAX_BYTES;
    if (wasCut || !isAlive) await this.#kill();
    else if (!isClean || !await isEmptied(deployment)) reasons.push(...await this.stop());
    return reasons.length === 0;
  }

  /** Lets the observer see what closing the connections causes. Returns all that it has seen. */
  async #settle(): Promise<Observation> {
    const { rounds } = await this.#observer.take();
    const endsMs = performance.now() + ALIVE_TIMEOUT_MS;
    let seen: Observation;
    do {
      await pause(SETTLE_MS);
      seen = await this.#observer.take();
    } while (seen.rounds < rounds + SETTLED_ROUNDS_COUNT && !seen.killed && performance.now() < endsMs);
    return seen;
  }

  async #observe(deployment: Deployment): Promise<void> {
    const { hostname, port, caCerts } = deployment.address;
    const trust = caCerts === undefined ? {} : { caFile: this.#launcher.certificates.authority };
    await this.#observer.begin({ hostname, port, ...trust, pids: deployment.pids, guardBytes: GUARD_BYTES });
    await pause(SETTLE_MS);
    for (const pid of deployment.pids) resetPeak(pid);
    await this.#observer.mark();
  }

  /** Whether the processes run, and a new client is served. */
  async #isAlive(deployment: Deployment): Promise<boolean> {
    const run = new AttackRun(deployment);
    const pings = (async () => (await (await run.connect()).call("ping")) === "+PONG")();
    try {
      return await Promise.race([pings.catch(() => false), pause(ALIVE_TIMEOUT_MS).then(() => false)]);
    } finally {
      run.end();
    }
  }

  /** Ends the processes that run. Prints and returns how those ended that did not end in order. */
  async stop(): Promise<string[]> {
    const deployment = this.#deployment;
    this.#deployment = undefined;
    const failures = await deployment?.stop() ?? [];
    for (const failure of failures) print(["  and then stopped", "", "", "", "", "", "", `FAIL ${failure}`]);
    return failures;
  }

  async #kill(): Promise<void> {
    const deployment = this.#deployment;
    this.#deployment = undefined;
    await deployment?.kill();
  }
}

async function fill(run: AttackRun, { load }: Attack): Promise<void> {
  const requests = [...load()];
  if (requests.length === 0) return;
  const connection = await run.connect();
  for (const request of requests) {
    // One at a time: all of them together may take more memory than clients may.
    await connection.exchange(encodeRequests([request]));
    const { errors, error } = connection.count;
    if (errors > 0 || connection.ended !== undefined) throw new Error(`Cannot fill the store: ${error}`);
  }
  connection.close();
}

/** Waits for an attack, for a while. Returns whether it was not over by then, and reports why it has failed. */
async function withTimeout(running: Promise<void>, timeoutMs: number, run: AttackRun): Promise<boolean> {
  let timer: number | undefined;
  const late = new Promise<true>((resolve) => timer = setTimeout(() => resolve(true), timeoutMs));
  const done = running.then(() => false, (error) => {
    run.fail(error instanceof Error ? error.message : String(error));
    return false;
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until memory is given back, for a while. Returns what is resident then. */
async function settled(deployment: Deployment, beforeBytes: number): Promise<number> {
  const endsMs = performance.now() + GIVEN_BACK_MS;
  let bytes = deployment.residentBytes();
  while (bytes - beforeBytes > KEPT_MAX_BYTES / 2 && performance.now() < endsMs) {
    await pause(100);
    bytes = deployment.residentBytes();
  }
  return bytes;
}

/** Removes all keys, so that the next attack finds the processes as this one did. Returns whether that worked. */
async function isEmptied(deployment: Deployment): Promise<boolean> {
  const run = new AttackRun(deployment);
  try {
    return await (await run.connect()).call("flush") === "+OK";
  } catch {
    return false;
  } finally {
    run.end();
  }
}

function printRow(
  attack: Attack,
  seen: Observation,
  peaks: readonly number[],
  afterBytes: number,
  reasons: readonly string[],
  notes: readonly string[],
): void {
  const verdict = reasons.length === 0 ? "PASS" : `FAIL ${reasons.join("; ")}`;
  print([
    attack.name,
    attack.size,
    seen.cpuMs.reduce((sum, each) => sum + each, 0).toFixed(0),
    seen.longestStepMs.toFixed(1),
    seen.longestWaitMs.toFixed(0),
    (Math.max(...peaks) / MB).toFixed(0),
    (afterBytes / MB).toFixed(0),
    notes.length === 0 ? verdict : `${verdict} (${notes.join("; ")})`.replaceAll(/\s+/g, " "),
  ]);
}

/** Whether `SOAK_ONLY` names an attack. */
function isWanted(name: string, only: string | undefined): boolean {
  if (only === undefined || only === "") return true;
  return only.split(",").some((each) => each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each);
}

/** Has the roles of another checkout started instead of ours, by a script that stands for a binary. */
async function attackCheckout(main: string, launcher: Launcher): Promise<void> {
  const root = join(main, "..", "..");
  const script = launcher.path("inmem");
  const command = `exec "${Deno.execPath()}" run --quiet ${V8_FLAGS} --no-prompt --lock=deno.lock --frozen -P=program`;
  await Deno.writeTextFile(script, `#!/bin/sh\ncd "${root}" && ${command} "${main}" "$@"\n`, { mode: 0o755 });
  Deno.env.set("INMEM_BIN", script);
}

/** Returns the exit status. */
async function main(): Promise<number> {
  const scale = Number(Deno.env.get("SOAK_SCALE") ?? 1);
  const wanted = attacks(scale).filter(({ name }) => isWanted(name, Deno.env.get("SOAK_ONLY")));
  if (wanted.length === 0) {
    console.error("No attack has a name that SOAK_ONLY gives");
    return 1;
  }
  const launcher = await Launcher.create();
  let failures = 0;
  try {
    const other = Deno.env.get("SOAK_MAIN");
    if (other) await attackCheckout(other, launcher);
    await using observer = new Observer();
    const soak = new Soak(launcher, observer, await readAbilities());
    print(COLUMNS.map(([title]) => title));
    for (const attack of wanted) {
      if (!await soak.run(attack, scale < 0.1)) failures++;
    }
    await soak.stop();
  } finally {
    await launcher.end();
  }
  console.log(`\n${wanted.length} attacks, ${failures} not withstood`);
  return failures === 0 ? 0 : 1;
}

if (import.meta.main) {
  // The launcher kills what it has started when this process exits, and not when a signal ends it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => Deno.exit(1));
  Deno.exit(await main());
}
