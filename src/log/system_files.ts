/**
 * The real file system: the implementation of files.ts with Deno's functions.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { type FileFacts, type Files, type FolderLock, isOutOfSpace, LockedError, type LogFile } from "./files.ts";

/** The file system of the machine. */
export const systemFiles: Files = {
  openToRead: (path): LogFile => openRegular(path, { read: true }),
  openToChange: (path): LogFile => openRegular(path, { read: true, write: true }),
  create: (path): LogFile => Deno.openSync(path, { write: true, createNew: true, mode: 0o600 }),
  createToAppend: (path): LogFile => Deno.openSync(path, { append: true, createNew: true, mode: 0o600 }),
  stat: (path) => unlessMissing(() => Deno.statSync(path)),
  kindOf(path) {
    const facts = unlessMissing(() => Deno.lstatSync(path));
    if (facts === undefined) return undefined;
    if (facts.isSymlink) return "link";
    return facts.isDirectory ? "folder" : "file";
  },
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
  makeFolder,
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

function unlessMissing(look: () => Deno.FileInfo): Deno.FileInfo | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw error;
  }
}

/** Opens a regular file only: opening a FIFO would wait for its writer, and a device has no end. */
function openRegular(path: string, options: Deno.OpenOptions): Deno.FsFile {
  checkRegular(path, Deno.statSync(path));
  return Deno.openSync(path, options);
}

function checkRegular(path: string, facts: Deno.FileInfo): void {
  if (!facts.isFile) throw new Error(`"${path}" is ${kindOf(facts)}: expected a file`);
}

function kindOf(facts: Deno.FileInfo): string {
  if (facts.isDirectory) return "a folder";
  if (facts.isFifo) return "a FIFO";
  if (facts.isSocket) return "a socket";
  return facts.isBlockDevice || facts.isCharDevice ? "a device" : "not a regular file";
}

async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    // The system reports of anything in the way that it exists.
    const { isSymlink } = await Deno.lstat(path).catch(() => ({ isSymlink: false }));
    const reason = isSymlink
      ? `it is a link to "${await Deno.readLink(path)}", where there is no folder`
      : "there is something other than a folder";
    throw new Error(reason, { cause: error });
  }
}

class SystemLock implements FolderLock {
  readonly lock: FileFacts;
  readonly folder: FileFacts;
  readonly #file: Deno.FsFile;
  /** The open folder: while it is open, no other folder can get its inode. */
  readonly #folderFile: Deno.FsFile;

  constructor(file: Deno.FsFile, folderFile: Deno.FsFile) {
    this.#file = file;
    this.#folderFile = folderFile;
    this.lock = file.statSync();
    this.folder = folderFile.statSync();
  }

  isFolderRemoved(): boolean {
    return this.#folderFile.statSync().nlink === 0;
  }

  close(): void {
    this.#file.close();
    this.#folderFile.close();
  }
}

async function takeLock(folder: string, name: string): Promise<FolderLock> {
  const folderFile = await Deno.open(folder, { read: true });
  try {
    const path = `${folder}/${name}`;
    const file = await openLock(path);
    try {
      if (!await file.tryLock(true)) throw new LockedError((await Deno.readTextFile(path)).trim());
      await writeOwner(file);
      return new SystemLock(file, folderFile);
    } catch (error) {
      file.close();
      throw error;
    }
  } catch (error) {
    folderFile.close();
    throw error;
  }
}

async function openLock(path: string): Promise<Deno.FsFile> {
  try {
    checkRegular(path, await Deno.stat(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return await Deno.open(path, { read: true, write: true, create: true, mode: 0o600 });
}

/** Writes the number of this process to a lock's file. On a full disk it is left out: only the lock is essential. */
async function writeOwner(file: Deno.FsFile): Promise<void> {
  const owner = encodeText(`${Deno.pid}\n`);
  try {
    await file.truncate();
    await file.write(owner);
  } catch (error) {
    if (!isOutOfSpace(error)) throw error;
  }
}
