/**
 * The folder that snapshots go to which a client gives a name: `save PATH`.
 *
 * Whoever may run commands gives the name and what the file holds, and the server writes it with its own rights. So the
 * operator says where: below one folder, whatever the name is. No part of a name leads upwards or through a link, none is
 * what a server calls its own files, and nothing is overwritten.
 *
 * @module
 */

import type { Files } from "../log/files.ts";
import { isOwnName } from "../log/folder.ts";

/** Characters that would break lines of the log, or end a name before its end. */
// deno-lint-ignore no-control-regex
const CONTROL_PATTERN = /[\0-\x1f\x7f-\x9f\u2028\u2029]/;

/** The folder for backups of one server. */
export class BackupFolder {
  readonly #files: Files;
  readonly #path: string;

  constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
  }

  /**
   * Makes an empty file of that name, and the folders above it, so that nobody else can get the name.
   *
   * @param name its path in the folder, such as `monday.inmem` or `2026/monday.inmem`
   * @returns its path, and one beside it to write to
   * @throws {Error} when the name is not allowed, or taken, and what the file system throws
   */
  async reserve(name: string): Promise<{ readonly path: string; readonly temporary: string }> {
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
    if (files.kindOf(path) !== undefined) throw new Error(`there is a file "${path}" already`);
    files.create(path).close();
    return { path, temporary: `${path}.${Deno.pid}.tmp` };
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
    }
    return parts;
  }
}
