/**
 * The folder for snapshots that a client names: `save PATH`.
 *
 * A client that may run commands chooses the name and the contents of the file, and the server writes it with its own
 * rights. So the operator chooses the folder, and every name is a path below it. No part of a name leads upwards or
 * through a link, or looks like a server's own file, and no file is overwritten.
 *
 * A file gets its name only when it is complete. A backup that a crash interrupts leaves a `.tmp` file, which is not
 * mistaken for a backup.
 *
 * @module
 */

import type { Files } from "../log/files.ts";
import { isOwnName } from "../log/folder.ts";

/** Matches characters that would break lines of the log, or end a name early. */
// deno-lint-ignore no-control-regex
const CONTROL_PATTERN = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;

/** Matches the name of a backup that is being written. */
const UNFINISHED_PATTERN = /\.[0-9a-f]{8}\.tmp$/;

/** The folder for backups of one server. */
export class BackupFolder {
  readonly #files: Files;
  readonly #path: string;
  readonly #isOwn: boolean;

  /** @param isOwn whether no other server writes there, so that unfinished files can be removed */
  constructor(files: Files, path: string, isOwn: boolean) {
    this.#files = files;
    this.#path = path;
    this.#isOwn = isOwn;
  }

  /**
   * Creates the parent folders of a backup.
   *
   * @param name its path in the folder, such as `monday.inmem` or `2026/monday.inmem`
   * @returns its path, and a unique temporary path next to it
   * @throws {Error} when the name is not allowed, or taken, or the file system fails
   */
  async prepare(name: string): Promise<{ readonly path: string; readonly temporary: string }> {
    const parts = this.#parse(name);
    const files = this.#files;
    await files.makeFolder(this.#path);
    let folder = this.#path;
    for (const part of parts.slice(0, -1)) {
      const parent = folder;
      folder = `${folder}/${part}`;
      const kind = files.kindOf(folder);
      if (kind === undefined) {
        await files.makeFolder(folder);
        await files.syncFolder(parent);
      } else if (kind !== "folder") {
        throw new Error(`"${folder}" is a ${kind}: expected a folder`);
      }
    }
    const path = `${folder}/${parts.at(-1)}`;
    if (files.kindOf(path) !== undefined) throw taken(path);
    if (this.#isOwn) await this.#removeUnfinished(folder);
    return { path, temporary: `${path}.${crypto.randomUUID().slice(0, 8)}.tmp` };
  }

  /**
   * Gives a file that is on disk its name, durably, unless that name was taken meanwhile.
   *
   * @throws the file system's error; then there is no such file, or it is another one
   */
  async publish(temporary: string, path: string): Promise<void> {
    const files = this.#files;
    if (files.kindOf(path) !== undefined) throw taken(path);
    // An empty file reserves the name until it is replaced.
    files.create(path).close();
    try {
      await files.rename(temporary, path);
    } catch (error) {
      await files.remove(path).catch(() => {});
      throw error;
    }
    await files.syncFolder(path.slice(0, path.lastIndexOf("/")));
  }

  async #removeUnfinished(folder: string): Promise<void> {
    for (const name of await this.#files.names(folder)) {
      if (UNFINISHED_PATTERN.test(name)) await this.#files.remove(`${folder}/${name}`).catch(() => {});
    }
  }

  #parse(name: string): readonly string[] {
    const refuse = (reason: string) =>
      new Error(
        `the name ${JSON.stringify(name)} ${reason}: expected a path below "${this.#path}", such as monday.inmem`,
      );
    if (name.startsWith("/")) throw refuse("begins with /");
    if (CONTROL_PATTERN.test(name)) throw refuse("has control characters");
    const parts = name.split("/");
    for (const part of parts) {
      if (part === "" || part === "." || part === "..") throw refuse(`has the part "${part}"`);
      if (isOwnName(part)) throw refuse("is one of the server's own files");
      if (/\.tmp$/i.test(part)) throw refuse("ends with .tmp, like an unfinished file");
    }
    return parts;
  }
}

function taken(path: string): Error {
  return new Error(`there is a file "${path}" already`);
}
