/**
 * A file that shows whether a role is ready, for health checks that should cost nothing (`--health-file`).
 *
 * ```text
 * the file's time     the role
 * a moment ago        is ready, by the rule of /readyz, and its event loop turns
 * longer ago          is stuck, or was killed
 * 1970                is loading its data, or says why it is not ready at /readyz and in its log
 * no file             has ended
 * ```
 *
 * A check compares the time with the clock. It needs no connection, no certificate, no password and no runtime, such as
 * `test -n "$(find FILE -newermt '-30 seconds')"`, which takes 3 ms; one call of `inmem client` takes fifty times as
 * long. The file is always empty, and a file with content is refused, so that a wrong path never costs anything.
 *
 * @module
 */

import { messageOf, StartError } from "../errors.ts";

/** The health file of one role. */
export class HealthFile {
  readonly path: string;
  /** The operations so far. They run one after another, so that the last one counts. */
  #last: Promise<void> = Promise.resolve();

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes the file, which does not show readiness yet.
   *
   * @throws {StartError} when there is something else than an empty file, or the file cannot be written
   */
  static create(path: string): HealthFile {
    let problem: string | undefined;
    try {
      using file = Deno.openSync(path, { create: true, read: true, write: true, mode: 0o644 });
      const { isFile, size } = file.statSync();
      if (!isFile) problem = "it is not a file";
      else if (size > 0) problem = `it has ${size} bytes, expected an empty file or none`;
      else file.utimeSync(0, 0);
    } catch (error) {
      problem = messageOf(error);
    }
    if (problem !== undefined) throw new StartError(`Cannot use "${path}" as --health-file: ${problem}`);
    return new HealthFile(path);
  }

  /**
   * Shows whether the role is ready now. Makes the file again if somebody has removed it.
   *
   * @throws what the file system throws
   */
  show(isReady: boolean): Promise<void> {
    return this.#then(async () => {
      const time = isReady ? new Date() : 0;
      try {
        await Deno.utime(this.path, time, time);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        if (isReady) await Deno.writeFile(this.path, new Uint8Array(), { createNew: true, mode: 0o644 });
      }
    });
  }

  /** Removes the file, or makes it show that the role is not ready where it cannot be removed. Never throws. */
  remove(): Promise<void> {
    return this.#then(() => Deno.remove(this.path).catch(() => Deno.utime(this.path, 0, 0)).catch(() => {}));
  }

  #then(run: () => Promise<void>): Promise<void> {
    const done = this.#last.then(run);
    this.#last = done.catch(() => {});
    return done;
  }
}
