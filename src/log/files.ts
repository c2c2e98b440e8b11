/**
 * The file system as the log uses it, behind an interface: tests put one in its place that loses power, fills up or fails
 * at a chosen call. `system_files.ts` is the real one.
 *
 * What is promised is what Linux promises: what was written can be read by everybody at once, and outlives the process; it
 * outlives a power loss once the file was synced; and a name, made, changed or removed, once its folder was.
 *
 * @module
 */

/** What tells one file from another, and how long it is. */
export interface FileFacts {
  readonly dev: number;
  readonly ino: number | null;
  readonly size: number;
}

/** An open file. `Deno.FsFile` is such. */
export interface LogFile {
  /** Writes some of `bytes`, at least one, at the file's position, which moves on. @returns how many */
  writeSync(bytes: Uint8Array): number;
  /** As {@linkcode writeSync}, while others run; `bytes` are borrowed until it resolves. */
  write(bytes: Uint8Array): Promise<number>;
  /** Fills some of `target` from the file's position on. @returns how many bytes; `null` at the end */
  readSync(target: Uint8Array): number | null;
  /** Moves the file's position to so many bytes from its beginning (`whence` 0). */
  seekSync(offset: number, whence: 0): number;
  /** Puts on disk what was written. A failure may not be repeated: the system may have let go of what it failed with. */
  syncData(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** As {@linkcode truncate}, at once. */
  truncateSync(length: number): void;
  statSync(): FileFacts;
  close(): void;
}

/** A folder's lock. Other processes, and other handles of this one, are kept out until it is closed. */
export interface FolderLock {
  /** What the lock's file is, and what the folder is that it stands in. Neither can become another one's until it is closed. */
  readonly lock: FileFacts;
  readonly folder: FileFacts;
  /** Whether the folder was removed: a folder that was moved, or that a mount covers, is still there. */
  isFolderRemoved(): boolean;
  close(): void;
}

/** A file system. Paths of one folder are `folder/name`. */
export interface Files {
  /** Opens a file to read. */
  openToRead(path: string): LogFile;
  /** Opens a file to read and change, at its beginning. */
  openToChange(path: string): LogFile;
  /** Makes a file that must not be there, for its owner alone. */
  create(path: string): LogFile;
  /** As {@linkcode create}; each write goes to the file's end, wherever that is then. */
  createToAppend(path: string): LogFile;
  /** What stands at a path, links followed; `undefined` for nothing. @throws when that cannot be told */
  look(path: string): FileFacts | undefined;
  /** What stands at a path, which may be a link itself; `undefined` for nothing. @throws when that cannot be told */
  kindOf(path: string): "file" | "folder" | "link" | undefined;
  /** Replaces what is at `to`, if there is something. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes a folder, and those above it, for its owner alone, unless it is there. */
  makeFolder(path: string): Promise<void>;
  /** The names in a folder, of files and links. */
  names(folder: string): Promise<string[]>;
  /** Puts the names in a folder on disk. */
  syncFolder(folder: string): Promise<void>;
  /** Takes the lock of that name in a folder; its file tells the process. @throws {LockedError} */
  lock(folder: string, name: string): Promise<FolderLock>;
}

/** Writes all of `bytes` at a file's position. @throws what the file system throws; some may have been written then */
export function writeAllSync(file: LogFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}

/** A lock is held by another process. */
export class LockedError extends Error {
  /** @param owner what its file says */
  constructor(readonly owner: string) {
    super("another process holds the lock");
  }
}

/** Whether a file system has no room for a file, or for more of one (ENOSPC, EDQUOT). */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? error.code : undefined;
  return code === "ENOSPC" || code === "EDQUOT" || /\(os error (28|122)\)$/.test(error.message);
}
