/**
 * The interface to the file system that the log uses. Tests replace it with one that loses power, fills up or
 * fails at a chosen call. `system_files.ts` is the real one.
 *
 * It guarantees what Linux guarantees:
 *
 * - Written bytes can be read immediately by every process, and survive the process that wrote them.
 * - They survive a power loss after the file was synced.
 * - A created, changed or removed name survives a power loss after its folder was synced.
 *
 * @module
 */

/** The identity of a file, and its size. */
export interface FileFacts {
  readonly dev: number;
  readonly ino: number | null;
  readonly size: number;
}

/** An open file. `Deno.FsFile` implements it. */
export interface LogFile {
  /**
   * Writes at least one byte of `bytes` at the file's position, and advances it.
   *
   * @returns the number of bytes written
   */
  writeSync(bytes: Uint8Array): number;
  /** Writes like {@linkcode writeSync}, but without blocking; `bytes` are borrowed until it resolves. */
  write(bytes: Uint8Array): Promise<number>;
  /**
   * Reads some bytes from the file's position into `target`.
   *
   * @returns the number of bytes; `null` at the end
   */
  readSync(target: Uint8Array): number | null;
  /** Sets the file's position to `offset` bytes from its beginning (`whence` 0). */
  seekSync(offset: number, whence: 0): number;
  /**
   * Syncs the data that was written. After a failure, a second attempt proves nothing: the system may have discarded
   * the data.
   */
  syncData(): Promise<void>;
  truncate(length: number): Promise<void>;
  /** Truncates the file synchronously. */
  truncateSync(length: number): void;
  statSync(): FileFacts;
  close(): void;
}

/** A folder's lock. Other processes, and other handles of this one, cannot take it until it is closed. */
export interface FolderLock {
  /**
   * The identities of the lock's file and of its folder. No other file or folder can get them until the lock is closed.
   */
  readonly lock: FileFacts;
  readonly folder: FileFacts;
  /** Returns whether the folder was removed. A folder that was moved, or that a mount covers, still exists. */
  isFolderRemoved(): boolean;
  close(): void;
}

/** A file system. The path of a file is `folder/name`. */
export interface Files {
  /** Opens a file for reading. */
  openToRead(path: string): LogFile;
  /** Opens a file for reading and writing, at its beginning. */
  openToChange(path: string): LogFile;
  /** Creates a file that must not exist, for its owner only. */
  create(path: string): LogFile;
  /** Creates a file like {@linkcode create}; each write is appended at the current end of the file. */
  createToAppend(path: string): LogFile;
  /**
   * Returns the identity of the file or folder at a path, following links; `undefined` when there is none.
   *
   * @throws when it cannot be determined
   */
  stat(path: string): FileFacts | undefined;
  /**
   * Returns the kind of the entry at a path, without following links; `undefined` when there is none.
   *
   * @throws when it cannot be determined
   */
  kindOf(path: string): "file" | "folder" | "link" | undefined;
  /** Renames a file, and replaces any file at `to`. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Creates a folder, and its parents, for its owner only, unless it exists. */
  makeFolder(path: string): Promise<void>;
  /** Returns the names of files and links in a folder. */
  names(folder: string): Promise<string[]>;
  /** Syncs the names in a folder. */
  syncFolder(folder: string): Promise<void>;
  /**
   * Takes the lock of this name in a folder, and writes this process's number to its file.
   *
   * @throws {LockedError} when another process holds it
   */
  lock(folder: string, name: string): Promise<FolderLock>;
}

/**
 * Writes all of `bytes` at a file's position.
 *
 * @throws the file system's error; some bytes may have been written then
 */
export function writeAllSync(file: LogFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}

/** An error of a lock that another process holds. */
export class LockedError extends Error {
  /** @param owner the contents of the lock's file */
  constructor(readonly owner: string) {
    super("another process holds the lock");
  }
}

/** Returns whether the file system has no room for a file or for more bytes (ENOSPC, EDQUOT). */
export function isOutOfSpace(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = "code" in error ? error.code : undefined;
  return code === "ENOSPC" || code === "EDQUOT" || /\(os error (28|122)\)$/.test(error.message);
}
