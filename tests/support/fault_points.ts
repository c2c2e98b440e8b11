/**
 * Points at which a server can be killed: around every call that changes the disk.
 *
 * ```text
 * log write before        nothing of the batch is in the file
 * log write halfway       the first half of it is
 * log write after         all of it is, and no client has a reply
 * ```
 *
 * {@linkcode withFaultPoints} puts them around a file system. The content of a file outlives its process, so the next
 * start sees exactly the state at that point.
 *
 * @module
 */

import type { FileFacts, Files, FolderLock, LogFile } from "../../src/log/files.ts";

/** All points. A torn end is a part that a start cuts off a log and keeps beside it (`.torn`). */
export const FAULT_POINTS = [
  "log creation before",
  "log creation after",
  "log write before",
  "log write halfway",
  "log write after",
  "log sync before",
  "log sync after",
  "log cut before",
  "log cut after",
  "log rename before",
  "log rename after",
  "log removal before",
  "log removal after",
  "torn end creation before",
  "torn end creation after",
  "torn end write before",
  "torn end write halfway",
  "torn end write after",
  "torn end sync before",
  "torn end sync after",
  "snapshot creation before",
  "snapshot creation after",
  "snapshot write before",
  "snapshot write halfway",
  "snapshot write after",
  "snapshot sync before",
  "snapshot sync after",
  "snapshot rename before",
  "snapshot rename after",
  "snapshot removal before",
  "snapshot removal after",
  "folder sync before",
  "folder sync after",
] as const;

/** One of {@linkcode FAULT_POINTS}. */
export type FaultPoint = typeof FAULT_POINTS[number];

/**
 * Returns the point with a name.
 *
 * @throws {TypeError} when there is none
 */
export function faultPoint(name: string): FaultPoint {
  const found = FAULT_POINTS.find((each) => each === name);
  if (found === undefined) throw new TypeError(`Cannot stop at "${name}": expected ${FAULT_POINTS.join(", ")}`);
  return found;
}

/** The kind of a file, according to its name. */
type Kind = "log" | "snapshot" | "torn end";

const KINDS: readonly [Kind, RegExp][] = [
  ["log", /\/log-[0-9]{15}\.(inmem|new)$/],
  ["snapshot", /\/snapshot-[0-9]{15}\.(inmem|tmp)$/],
  ["torn end", /\.torn$/],
];

function kindOf(path: string): Kind | undefined {
  return KINDS.find(([, pattern]) => pattern.test(path))?.[0];
}

/** Counts how often a process passes a point, and kills it at one of them. */
class Fault {
  readonly #point: FaultPoint;
  readonly #die: () => never;
  #left: number;

  constructor(point: FaultPoint, count: number, die: () => never) {
    this.#point = point;
    this.#left = count;
    this.#die = die;
  }

  /**
   * Returns whether the passed point is the chosen one. A name that is not a point, such as of the lock's file, never
   * is.
   */
  strikes(name: string): boolean {
    return name === this.#point && --this.#left === 0;
  }

  pass(name: string): void {
    if (this.strikes(name)) this.#die();
  }

  die(): never {
    return this.#die();
  }

  /** Runs a function with a point before and one after it. */
  around<Result>(name: string, run: () => Result): Result {
    this.pass(`${name} before`);
    const result = run();
    this.pass(`${name} after`);
    return result;
  }

  /** Does what {@linkcode around} does; the point after it is passed when the file system has finished. */
  async aroundAsync<Result>(name: string, run: () => Promise<Result>): Promise<Result> {
    this.pass(`${name} before`);
    const result = await run();
    this.pass(`${name} after`);
    return result;
  }
}

/** A file with points around the calls that change it. */
class FaultyFile implements LogFile {
  readonly #file: LogFile;
  readonly #kind: Kind | undefined;
  readonly #fault: Fault;

  constructor(file: LogFile, kind: Kind | undefined, fault: Fault) {
    this.#file = file;
    this.#kind = kind;
    this.#fault = fault;
  }

  writeSync(bytes: Uint8Array): number {
    return this.#fault.around(`${this.#kind} write`, () => {
      this.#half(bytes);
      return this.#file.writeSync(bytes);
    });
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#fault.aroundAsync(`${this.#kind} write`, () => {
      this.#half(bytes);
      return this.#file.write(bytes);
    });
  }

  /** Writes the first half and kills the process, if this is the point for it. */
  #half(bytes: Uint8Array): void {
    if (!this.#fault.strikes(`${this.#kind} write halfway`)) return;
    for (let rest = bytes.subarray(0, bytes.length >> 1); rest.length > 0;) {
      rest = rest.subarray(this.#file.writeSync(rest));
    }
    this.#fault.die();
  }

  syncData(): Promise<void> {
    return this.#fault.aroundAsync(`${this.#kind} sync`, () => this.#file.syncData());
  }

  truncate(length: number): Promise<void> {
    return this.#fault.aroundAsync(`${this.#kind} cut`, () => this.#file.truncate(length));
  }

  truncateSync(length: number): void {
    this.#fault.around(`${this.#kind} cut`, () => this.#file.truncateSync(length));
  }

  readSync(target: Uint8Array): number | null {
    return this.#file.readSync(target);
  }

  seekSync(offset: number, whence: 0): number {
    return this.#file.seekSync(offset, whence);
  }

  statSync(): FileFacts {
    return this.#file.statSync();
  }

  close(): void {
    this.#file.close();
  }
}

/** Kills this process like a power switch, as far as a process can: none of its code runs any more. */
function killMyself(): never {
  Deno.kill(Deno.pid, "SIGKILL");
  // The signal may reach another thread first.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/**
 * Returns a file system that kills its own process.
 *
 * @param point the point at which it does
 * @param count the number of times that the point is passed until then, from 1
 * @param die what is done there; by default SIGKILL for this process
 */
export function withFaultPoints(files: Files, point: FaultPoint, count = 1, die: () => never = killMyself): Files {
  const fault = new Fault(point, count, die);
  return {
    openToRead: (path): LogFile => files.openToRead(path),
    openToChange: (path): LogFile => new FaultyFile(files.openToChange(path), kindOf(path), fault),
    create(path): LogFile {
      const kind = kindOf(path);
      return fault.around(`${kind} creation`, () => new FaultyFile(files.create(path), kind, fault));
    },
    createToAppend(path): LogFile {
      const kind = kindOf(path);
      return fault.around(`${kind} creation`, () => new FaultyFile(files.createToAppend(path), kind, fault));
    },
    stat: (path) => files.stat(path),
    kindOf: (path) => files.kindOf(path),
    rename: (from, to) => fault.aroundAsync(`${kindOf(from)} rename`, () => files.rename(from, to)),
    remove: (path) => fault.aroundAsync(`${kindOf(path)} removal`, () => files.remove(path)),
    makeFolder: (path) => files.makeFolder(path),
    names: (folder) => files.names(folder),
    syncFolder: (folder) => fault.aroundAsync("folder sync", () => files.syncFolder(folder)),
    lock: (folder, name): Promise<FolderLock> => files.lock(folder, name),
  };
}
