/**
 * The folder that snapshots go to which a client gives a name: `save PATH`.
 *
 * Whoever may run commands gives the name and what the file holds, and the server writes it with its own rights. So the
 * operator says where: below one folder, whatever the name is. No part of a name leads upwards or through a link, none is
 * what a server calls its own files, and nothing is overwritten.
 *
 * A file has its name only when it is whole: a backup that a crash interrupts leaves a `.tmp` file, which nobody takes for one.
 *
 * @module
 */

import type { Files } from "../log/files.ts";
import { isOwnName } from "../log/folder.ts";

/** Characters that would break lines of the log, or end a name before its end. */
// deno-lint-ignore no-control-regex
const CONTROL_PATTERN = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;

/** What a backup is called while it is written. */
const UNFINISHED_PATTERN = /\.[0-9a-f]{8}\.tmp$/;

/** The folder for backups of one server. */
export class BackupFolder {
  readonly #files: Files;
  readonly #path: string;
  readonly #isOwn: boolean;

  /** @param isOwn whether no other server writes there: then what a crash has left can go */
  constructor(files: Files, path: string, isOwn: boolean) {
    this.#files = files;
    this.#path = path;
    this.#isOwn = isOwn;
  }

  /**
   * Makes the folders above a file of that name.
   *
   * @param name its path in the folder, such as `monday.inmem` or `2026/monday.inmem`
   * @returns its path, and one beside it to write to, which no other file has
   * @throws {Error} when the name is not allowed, or taken, and what the file system throws
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
   * Gives a file that is on disk its name, durably, unless somebody else has taken that meanwhile.
   *
   * @throws what the file system throws; there is no file of that name then, or it is the other's
   */
  async publish(temporary: string, path: string): Promise<void> {
    const files = this.#files;
    if (files.kindOf(path) !== undefined) throw taken(path);
    // An empty one keeps others of this name off until it is replaced.
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
        `the name ${JSON.stringify(name)} ${reason}: expected a path below "${this.#path}", as monday.inmem is`,
      );
    if (name.startsWith("/")) throw refuse("begins with /");
    if (CONTROL_PATTERN.test(name)) throw refuse("has control characters");
    const parts = name.split("/");
    for (const part of parts) {
      if (part === "" || part === "." || part === "..") throw refuse(`has the part "${part}"`);
      if (isOwnName(part)) throw refuse("is one of the server's own files");
      if (/\.tmp$/i.test(part)) throw refuse("ends with .tmp, as files do that are not whole");
    }
    return parts;
  }
}

function taken(path: string): Error {
  return new Error(`there is a file "${path}" already`);
}
