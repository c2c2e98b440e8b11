/**
 * Attacks servers and proxies beside a well-behaved client, one attack after another. It prints how long that client
 * waited, how long the server's main thread ran without a break, and how much memory it used:
 *
 * ```sh
 * deno task soak:hostile
 * SOAK_ONLY='watch*,mget' deno task soak:hostile
 * SOAK_MAIN=/other/checkout/src/main.ts deno task soak:hostile
 * ```
 *
 * | variable | meaning |
 * |---|---|
 * | `SOAK_ONLY` | names of attacks, separated by commas; a `*` at the end matches any rest |
 * | `SOAK_MAIN` | the `src/main.ts` of another checkout, which is attacked instead of this one |
 * | `SOAK_SCALE` | a factor for the sizes of the table, such as 0.01; below 0.1 any step may take 50 ms |
 * | `INMEM_BIN` | a binary, which is attacked instead of the sources |
 *
 * Columns:
 *
 * - `cpu`: how long the main threads of all observed processes ran during the attack, in ms.
 * - `step`: the longest time that a main thread ran during one round trip of the observer, in ms. Unlike wall time it
 *   does not include the load of other processes. Without perf_event_open(2) its error is up to 4 ms.
 * - `wait`: the observer's longest round trip by the clock, in ms.
 * - `peak`, `after`: resident memory in MB: the maximum of one process, and the sum of all at most 5 s later.
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
/** The time after which an attack is ended, in ms. */
const ATTACK_TIMEOUT_MS = 60_000;
/** The memory of all processes above which the largest is killed, to save the machine, in bytes. */
const GUARD_BYTES = 2560 * MB;
/** How long the observer runs before an attack, and after it, in ms. */
const SETTLE_MS = 400;
/** The number of rounds that the observer makes after an attack. */
const SETTLED_ROUNDS_COUNT = 3;
/** The longest time until a new client is served after an attack, in ms. */
const ALIVE_TIMEOUT_MS = 5_000;
/** The longest time until memory is released after an attack, in ms. */
const GIVEN_BACK_MS = 5_000;
/** The memory that may remain after an attack, in bytes. */
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

/** Prints one row. The last cell may have any length. */
function print(cells: readonly string[]): void {
  const aligned = cells.map((cell, i) => {
    const width = COLUMNS[i]![1];
    return width < 0 ? cell.padStart(-width) : cell.padEnd(width);
  });
  console.log(aligned.join("  ").trimEnd());
}

/** Runs attacks, each with processes that no other attack has harmed. */
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
      // An attack that cannot be run does not prevent the others.
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

  /** Lets the observer measure the effects of closing the connections. Returns all its measurements. */
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

  /** Returns whether the processes run and serve a new client. */
  async #isAlive(deployment: Deployment): Promise<boolean> {
    const run = new AttackRun(deployment);
    const pings = (async () => (await (await run.connect()).call("ping")) === "+PONG")();
    try {
      return await Promise.race([pings.catch(() => false), pause(ALIVE_TIMEOUT_MS).then(() => false)]);
    } finally {
      run.end();
    }
  }

  /** Stops the running processes. Prints and returns a description of those that did not end in order. */
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
    // The requests are sent one by one: together they may exceed the memory for clients.
    await connection.exchange(encodeRequests([request]));
    const { errors, error } = connection.count;
    if (errors > 0 || connection.ended !== undefined) throw new Error(`Cannot fill the store: ${error}`);
  }
  connection.close();
}

/** Waits for an attack up to a timeout. Returns whether it was still running, and reports why it has failed. */
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

/** Waits until memory is released, up to a timeout. Returns the resident memory after that. */
async function settled(deployment: Deployment, beforeBytes: number): Promise<number> {
  const endsMs = performance.now() + GIVEN_BACK_MS;
  let bytes = deployment.residentBytes();
  while (bytes - beforeBytes > KEPT_MAX_BYTES / 2 && performance.now() < endsMs) {
    await pause(100);
    bytes = deployment.residentBytes();
  }
  return bytes;
}

/** Removes all keys, so that the next attack finds the processes as this one did. Returns whether it succeeded. */
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

/** Returns whether `SOAK_ONLY` selects an attack. */
function isWanted(name: string, only: string | undefined): boolean {
  if (only === undefined || only === "") return true;
  return only.split(",").some((each) => each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : name === each);
}

/** Starts the roles of another checkout instead of ours, with a script in the place of a binary. */
async function attackCheckout(main: string, launcher: Launcher): Promise<void> {
  const root = join(main, "..", "..");
  const script = launcher.path("inmem");
  const command = `exec "${Deno.execPath()}" run --quiet ${V8_FLAGS} --no-prompt --lock=deno.lock --frozen -P=program`;
  await Deno.writeTextFile(script, `#!/bin/sh\ncd "${root}" && ${command} "${main}" "$@"\n`, { mode: 0o755 });
  Deno.env.set("INMEM_BIN", script);
}

/** Runs the attacks and returns the exit status. */
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
  // The launcher kills its processes when this process exits, but not when a signal ends it.
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, () => Deno.exit(1));
  Deno.exit(await main());
}
