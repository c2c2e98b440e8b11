/**
 * Power losses and deaths of the process at random moments of random histories, and what a start makes of them.
 *
 * A store is changed at random and kept by the real persistence on simulated files. Before some of the calls that
 * change files, including those of snapshots, rotations and recovery itself, an image is taken of what a power loss at
 * that moment may leave. From each image a new store is recovered. It must hold what the first one held after some
 * batch, which must not precede the last acknowledged one.
 *
 * `POWER_LOSSES` images are recovered; `SEED` repeats a run.
 */

import { assert } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import type { FsyncPolicy } from "../../src/log/append_log.ts";
import { Persistence } from "../../src/server/persistence.ts";
import type { Store } from "../../src/store/store.ts";
import { amountOf } from "../support/amount.ts";
import { pause } from "../support/pause.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { differenceOf, makeStore, type State, stateOf, StoreChanger } from "../support/store_history.ts";

const seed = Number(Deno.env.get("SEED") ?? 20261125);
const IMAGES_COUNT = amountOf("POWER_LOSSES", 60, 1_000);
const GENERATIONS_COUNT = 4;
const TURNS_COUNT = 40;
const FOLDER = "/data";
const POLICIES: readonly FsyncPolicy[] = ["always", "everysec", "never"];

/** The files that a crash left, and what they must contain. */
interface Image {
  readonly files: SimulatedFiles;
  readonly nowMs: number;
  /** The last batch that must be there, and the last one that must survive another power loss. */
  readonly required: number;
  readonly onDisk: number;
  readonly what: string;
}

/** One history: a server that crashes, starts and continues, several times. */
class History {
  readonly #random: Random;
  readonly #policy: FsyncPolicy;
  /** Whether the disk sometimes fails, or fills up. */
  readonly #fails: boolean;
  #nowMs = 1_765_432_100_000;
  #files = new SimulatedFiles();
  #persistence!: Persistence;
  #store!: Store;
  /** The contents of the store after each batch. */
  #states = new Map<number, State>([[0, new Map()]]);
  /** When each batch was written, in order. */
  #written: { readonly batch: number; readonly ms: number }[] = [];
  /** The last batch that was acknowledged. */
  #promised = 0;
  #images: Image[] = [];
  /** The number of images that were recovered from. */
  checked = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#policy = this.#random.pick(POLICIES);
    this.#fails = this.#random.chance(0.3);
  }

  async run(): Promise<void> {
    let end: Image | undefined;
    for (let generation = 0; generation < GENERATIONS_COUNT; generation++) {
      await this.#begin(end);
      await this.#live();
      end = this.#image("at the end");
      const images = [...this.#images.splice(0), end];
      this.#files.die();
      await this.#persistence.close().catch(() => {});
      for (const image of images) await this.#check(image, 0.2);
      // The check has changed the image to continue from, so another one is taken.
      end = images[this.#random.below(images.length)]!;
    }
  }

  /** Starts a server on the files that a crash has left. */
  async #begin(image: Image | undefined): Promise<void> {
    if (image !== undefined) {
      this.#files = image.files;
      this.#nowMs = image.nowMs;
    }
    this.#files.shortens = this.#random.chance(0.5) ? this.#random : undefined;
    const { persistence, store, states } = await this.#recover(image, this.#nowMs);
    this.#persistence = persistence;
    this.#store = store;
    this.#states = states;
    this.#written = [];
    this.#promised = persistence.log!.synced;
    this.#files.onCall = (call) => {
      if (this.#random.chance(0.02)) this.#images.push(this.#image(`at a ${call}`));
    };
  }

  /** Starts on an image, and returns the states from which it continues. */
  async #recover(
    image: Image | undefined,
    nowMs: number,
  ): Promise<{ persistence: Persistence; store: Store; states: Map<number, State> }> {
    const store = makeStore();
    const files = image?.files ?? this.#files;
    const persistence = await Persistence.open(store, {
      path: FOLDER,
      backup: undefined,
      repair: false,
      fsync: this.#policy,
      growthPercent: 0,
      intervalMs: 0,
      files,
      now: () => this.#nowMs,
    });
    const batch = persistence.log!.batch;
    const actual = stateOf(store);
    const states = new Map(this.#states);
    let difference: string | undefined;
    // The last batch may be from this start, for keys that have expired meanwhile.
    for (const candidate of [batch, batch - 1]) {
      const expected = this.#states.get(candidate);
      if (expected === undefined || candidate < (image?.required ?? 0)) continue;
      difference = differenceOf(actual, expected, nowMs);
      if (difference !== undefined) continue;
      for (const later of states.keys()) if (later > candidate) states.delete(later);
      states.set(batch, actual);
      return { persistence, store, states };
    }
    files.die();
    await persistence.close();
    const required = image?.required ?? 0;
    throw new Error(`recovered batch ${batch}, ${required} is required; ${difference ?? "it is not there"}`);
  }

  /** Takes an image of what a crash at this moment leaves. */
  #image(moment: string): Image {
    const random = this.#random;
    const log = this.#persistence.log!;
    // After a failed sync the system shows data that is not on disk and will not be written, which the next process
    // cannot know. So a death before that is repaired is left out.
    const isKill = random.chance(0.25) && !log.mustRebase;
    const bound = this.#nowMs - 1000;
    let onDisk = log.synced;
    if (this.#policy === "always") onDisk = Math.max(onDisk, this.#promised);
    if (this.#policy === "everysec" && !this.#fails) {
      for (const { batch, ms } of this.#written) if (ms < bound) onDisk = Math.max(onDisk, batch);
    }
    const required = isKill ? Math.max(onDisk, this.#promised) : onDisk;
    const what = `${isKill ? "killed" : "power lost"} ${moment}`;
    const files = isKill ? this.#files.kill() : this.#files.crash(random);
    return { files, nowMs: this.#nowMs, required, onDisk, what };
  }

  /** Recovers from an image, and from crashes of that recovery, until a server runs on the image. */
  async #check(image: Image, nested: number): Promise<void> {
    const random = this.#random;
    const inner: Image[] = [];
    this.#nowMs = image.nowMs + random.below(2_000);
    const original = { ...image, files: image.files.kill() };
    original.files.onCall = (call) => {
      if (!random.chance(nested)) return;
      const isKill = random.chance(0.3);
      const files = isKill ? original.files.kill() : original.files.crash(random);
      const what = `${image.what}, and ${isKill ? "killed" : "power lost"} at a ${call} of the start`;
      inner.push({ ...image, files, nowMs: this.#nowMs, required: isKill ? image.required : image.onDisk, what });
    };
    let states: Map<number, State>;
    try {
      const recovered = await this.#recover(original, this.#nowMs);
      states = recovered.states;
      original.files.die();
      await recovered.persistence.close();
    } catch (error) {
      throw new Error(`${this.#policy}, ${image.what}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
    this.checked++;
    const before = this.#states;
    this.#states = new Map([...before, ...states]);
    for (const each of inner) await this.#check(each, 0);
    this.#states = before;
  }

  /** Lets a server run for a while. */
  async #live(): Promise<void> {
    const random = this.#random;
    const persistence = this.#persistence;
    const changer = new StoreChanger(this.#store, random);
    let release: (() => void) | undefined;
    let nextTickMs = this.#nowMs + 1000;
    for (let turn = 0; turn < TURNS_COUNT; turn++) {
      this.#nowMs += random.below(random.chance(0.1) ? 900 : 120);
      for (; nextTickMs <= this.#nowMs; nextTickMs += 1000) await this.#tick(nextTickMs);
      this.#turn(changer);
      if (random.chance(0.12) && !persistence.isSaving) persistence.save().catch(() => {});
      // All batches that are written during a long sync share the next one.
      if (this.#policy === "always" && release === undefined && random.chance(0.1)) release = this.#files.holdSyncs();
      else if (random.chance(0.4)) release = void release?.();
      if (this.#fails) this.#disturb();
      if (persistence.isSaving && random.chance(0.7)) await pause(0);
      else for (let i = random.below(12); i > 0; i--) await undefined;
    }
    release?.();
    this.#files.heal();
    this.#files.capacityBytes = Infinity;
  }

  async #tick(ms: number): Promise<void> {
    const nowMs = this.#nowMs;
    this.#nowMs = ms;
    this.#persistence.tick();
    // The disk is fast, so what a tick syncs is on it before the time advances.
    for (let i = 0; i < 30; i++) await undefined;
    this.#nowMs = nowMs;
  }

  /** Runs the commands of one turn of the event loop. */
  #turn(changer: StoreChanger): void {
    const random = this.#random;
    const log = this.#persistence.log!;
    this.#store.nowMs = this.#nowMs;
    if (random.chance(0.2)) changer.expire();
    // A failing log refuses writes before they change anything.
    if (log.refusal === undefined) changer.change();
    const batch = log.batch + (log.records.isEmpty ? 0 : 1);
    this.#states.set(batch, new Map(changer.state));
    // Effects that no client waits for may remain unsealed for a while, and share a batch with others.
    if (random.chance(0.2)) {
      if (random.chance(0.7)) log.flush();
    } else {
      log.settled().then(() => this.#promised = Math.max(this.#promised, batch), () => {});
    }
    this.#written.push({ batch, ms: this.#nowMs });
  }

  #disturb(): void {
    const random = this.#random;
    const files = this.#files;
    const dice = random.below(100);
    if (dice < 20) {
      files.heal();
      files.capacityBytes = Infinity;
    } else if (dice < 24) {
      files.capacityBytes = files.usedBytes + random.below(3_000);
    } else if (dice < 34) {
      const call = random.pick(["write", "sync", "sync", "syncFolder", "create", "rename", "remove"] as const);
      const code = random.pick(["EIO", "ENOSPC", "EFBIG"]);
      files.fail({ call, code, times: 1 + random.below(3), writes: random.below(100) });
    }
  }
}

/** Makes the clock of the snapshots' slices run fast, so that they take many slices although the store is small. */
function hurryClock(): Disposable {
  const { now } = performance;
  let ms = now.call(performance);
  performance.now = () => ms += 0.3;
  return { [Symbol.dispose]: () => void (performance.now = now) };
}

Deno.test("Persistence recovers what was acknowledged from a power loss or a kill at any moment", async () => {
  using _clock = hurryClock();
  let checked = 0;
  for (let number = 0; checked < IMAGES_COUNT; number++) {
    const history = new History(seed + number);
    try {
      await history.run();
    } catch (error) {
      throw new Error(`SEED=${seed + number} POWER_LOSSES=1: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
    checked += history.checked;
  }
  assert(checked >= IMAGES_COUNT);
});
