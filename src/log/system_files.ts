/**
 * The real file system: see files.ts.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { type Files, type FolderLock, LockedError, type LogFile } from "./files.ts";

/** Files as Deno has them. */
export const systemFiles: Files = {
  openToRead: (path): LogFile => Deno.openSync(path, { read: true }),
  openToChange: (path): LogFile => Deno.openSync(path, { read: true, write: true }),
  create: (path): LogFile => Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }),
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
  makeFolder: (path) => Deno.mkdir(path, { recursive: true, mode: 0o700 }),
  async names(folder) {
    const names: string[] = [];
    for await (const { name, isDirectory } of Deno.readDir(folder)) if (!isDirectory) names.push(name);
    return names;
  },
  async syncFolder(folder) {
    using opened = await Deno.open(folder, { read: true });
    await opened.sync();
  },
  lock: takeLock,
};

class SystemLock implements FolderLock {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  async look(): Promise<"held" | "replaced" | "gone"> {
    let found: Deno.FileInfo;
    try {
      found = await Deno.stat(this.#path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "gone";
      throw error;
    }
    const held = await this.#file.stat();
    return held.ino === found.ino && held.dev === found.dev ? "held" : "replaced";
  }

  close(): void {
    this.#file.close();
  }
}

async function takeLock(path: string): Promise<FolderLock> {
  const file = await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
  try {
    if (!await file.tryLock(true)) throw new LockedError((await Deno.readTextFile(path)).trim());
    await file.truncate();
    await file.write(encodeText(`${Deno.pid}\n`));
    return new SystemLock(path, file);
  } catch (error) {
    file.close();
    throw error;
  }
}
