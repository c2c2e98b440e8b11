/**
 * A file system in memory that loses power, is killed, fills up, or fails at a chosen call.
 *
 * ```text
 * a file     a power loss surely leaves the state of a sync  ── sync ──▶ advances to the writes before the sync's beginning
 *            sectors written since: each may be old, new or in between, in any order
 *            its length: any value between those of then and now
 * a folder   its names as of the last sync; of the changes since, a first part survives, in order
 * ```
 *
 * The writes of a failed sync stay in doubt permanently, as on Linux: a later sync does not repeat them.
 *
 * Images are copies, so that one run can lose power at many moments. No call takes time: asynchronous calls resolve in
 * a microtask, except syncs that a test holds.
 *
 * @module
 */

import { assert } from "@std/assert";
import type { Random } from "../../bench/support/random.ts";
import { type FileFacts, type Files, type FolderLock, LockedError, type LogFile } from "../../src/log/files.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const SECTOR_BYTES = 512;

/** The calls that can fail, and that {@linkcode SimulatedFiles.onCall} reports. */
export type Call = "write" | "sync" | "syncFolder" | "create" | "rename" | "remove" | "truncate" | "open";

/** A failure of some calls. */
export interface Failure {
  readonly call: Call;
  /** The error's `code`, such as ENOSPC. */
  readonly code: string;
  /** The paths that fail; all by default. */
  readonly path?: RegExp;
  /** The number of calls that still succeed. */
  readonly skip?: number;
  /** The number of calls that fail after that; all by default. */
  readonly times?: number;
  /** The number of bytes that a `write` writes before it fails, as a short write. */
  readonly writes?: number;
}

/** Returns an error like those of the system: plain, with a `code`. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`simulated ${code}`), { code });
}

let inodes = 0;

/** The content of a file, independent of its name. */
class Content {
  readonly ino = ++inodes;
  /** The content that readers see: `bytes[0, size)`. */
  bytes: Bytes = new Uint8Array(SECTOR_BYTES);
  size = 0;
  /** The content that is surely on disk. */
  disk: Bytes = new Uint8Array(0);
  /** The sectors written since the beginning of the last sync. */
  dirty = new Set<number>();
  /** The sectors of each sync in progress. */
  readonly #flying = new Set<Set<number>>();
  /** The sectors with which a sync has failed. */
  doubtful = new Set<number>();

  write(at: number, bytes: Uint8Array): void {
    const end = at + bytes.length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(bytes, at);
    this.size = Math.max(this.size, end);
    this.#soil(at, end);
  }

  truncate(length: number): void {
    const [from, to] = length < this.size ? [length, this.size] : [this.size, length];
    if (length > this.size) this.write(this.size, new Uint8Array(length - this.size));
    this.bytes.fill(0, length, this.size);
    this.size = length;
    this.#soil(from, to);
  }

  #soil(from: number, to: number): void {
    for (let sector = Math.floor(from / SECTOR_BYTES); sector * SECTOR_BYTES < to; sector++) this.dirty.add(sector);
  }

  /** Begins a sync. The returned function ends it, successfully or not. */
  sync(): (isGood: boolean) => void {
    const { dirty, size } = this;
    this.dirty = new Set();
    this.#flying.add(dirty);
    const sectors = new Map<number, Bytes>();
    for (const sector of dirty) sectors.set(sector, this.#sector(sector));
    return (isGood) => {
      this.#flying.delete(dirty);
      for (const sector of dirty) {
        if (isGood) this.doubtful.delete(sector);
        else this.doubtful.add(sector);
      }
      if (!isGood) return;
      const disk = new Uint8Array(size);
      disk.set(this.disk.subarray(0, size));
      for (const [sector, bytes] of sectors) {
        const at = sector * SECTOR_BYTES;
        if (at < size) disk.set(bytes.subarray(0, size - at), at);
      }
      this.disk = disk;
    };
  }

  #sector(sector: number): Bytes {
    const bytes = new Uint8Array(SECTOR_BYTES);
    const at = sector * SECTOR_BYTES;
    bytes.set(this.bytes.subarray(at, Math.max(at, Math.min(this.size, at + SECTOR_BYTES))));
    return bytes;
  }

  /** Returns a copy without syncs in progress. */
  copy(): Content {
    const copy = new Content();
    copy.bytes = this.bytes.slice();
    copy.size = this.size;
    copy.disk = this.disk;
    copy.dirty = this.#written;
    copy.doubtful = new Set(this.doubtful);
    return copy;
  }

  /** The sectors that may be written to disk at any time. */
  get #written(): Set<number> {
    return [...this.#flying].reduce((all, each) => all.union(each), new Set(this.dirty));
  }

  /** Returns what a power loss leaves. */
  left(random: Random): Bytes {
    const kind = random.below(5);
    if (kind === 0) return this.disk.slice();
    if (kind === 1) return this.bytes.slice(0, this.size);
    const [shortest, longest] = [Math.min(this.disk.length, this.size), Math.max(this.disk.length, this.size)];
    const length = shortest + random.below(longest - shortest + 1);
    const left = new Uint8Array(length);
    left.set(this.disk.subarray(0, length));
    // The file may be cut at any byte, with everything before it; or each sector is present, absent, or as of an
    // earlier moment.
    const cut = shortest + random.below(longest - shortest + 1);
    for (const sector of this.#written.union(this.doubtful)) {
      const at = sector * SECTOR_BYTES;
      const fate = kind === 2 ? 0 : random.below(3);
      if (fate === 2 || at >= length) continue;
      const end = Math.min(fate === 0 ? at + SECTOR_BYTES : Math.max(at, Math.min(cut, at + SECTOR_BYTES)), length);
      left.set(this.bytes.subarray(at, end), at);
    }
    return left;
  }
}

/** A change of a folder's names. */
type NameChange =
  | { readonly kind: "put"; readonly name: string; readonly content: Content }
  | { readonly kind: "rename"; readonly name: string; readonly to: string }
  | { readonly kind: "remove"; readonly name: string };

type Names = Map<string, Content>;

function change(names: Names, each: NameChange): void {
  if (each.kind === "put") {
    names.set(each.name, each.content);
  } else {
    const content = names.get(each.name);
    names.delete(each.name);
    if (each.kind === "rename" && content !== undefined) names.set(each.to, content);
  }
}

class Folder {
  readonly ino = ++inodes;
  names: Names = new Map();
  /** The names as of the last sync. */
  disk: Names = new Map();
  /** The changes since the last sync, in order. */
  changes: NameChange[] = [];

  change(each: NameChange): void {
    change(this.names, each);
    this.changes.push(each);
  }

  /** Returns what a power loss leaves: a first part of the changes. */
  left(random: Random): Names {
    const names = new Map(this.disk);
    const count = random.pick([0, this.changes.length, random.below(this.changes.length + 1)]);
    for (const each of this.changes.slice(0, count)) change(names, each);
    return names;
  }
}

function splitPath(path: string): [folder: string, name: string] {
  const at = path.lastIndexOf("/");
  assert(at > 0, path);
  return [path.slice(0, at), path.slice(at + 1)];
}

/** The simulated file system. */
export class SimulatedFiles implements Files {
  /** Called before each call that changes something, with its kind and path. */
  onCall: ((call: Call, path: string) => void) | undefined;
  /** The capacity of all files together, in bytes. */
  capacityBytes = Infinity;
  /** If set, some writes write only a part of their bytes. */
  shortens: Random | undefined;
  /** The number of calls so far. */
  readonly calls: Record<Call, number> = {
    write: 0,
    sync: 0,
    syncFolder: 0,
    create: 0,
    rename: 0,
    remove: 0,
    truncate: 0,
    open: 0,
  };
  readonly #folders = new Map<string, Folder>();
  readonly #locks = new Map<string, { readonly facts: FileFacts; readonly folder: Folder }>();
  #failures: (Failure & { seen: number })[] = [];
  #held: PromiseWithResolvers<void> | undefined;

  /** Makes some calls fail from now on. */
  fail(failure: Failure): void {
    this.#failures.push({ ...failure, seen: 0 });
  }

  /** Ends all failures. */
  heal(): void {
    this.#failures = [];
  }

  /** Holds all syncs from now on. The returned function releases them. */
  holdSyncs(): () => void {
    const held = Promise.withResolvers<void>();
    this.#held = held;
    return () => {
      if (this.#held === held) this.#held = undefined;
      held.resolve();
    };
  }

  /** Replaces the folder at a path. Files that were opened in the first folder continue there. */
  replaceFolder(path: string): () => void {
    const before = this.#folder(path);
    this.#folders.set(path, new Folder());
    return () => void this.#folders.set(path, before);
  }

  /** Removes a name, as another process would. */
  unlink(path: string): void {
    const [folder, name] = splitPath(path);
    this.#folder(folder).names.delete(name);
  }

  /** Disables failures, so that users of the files can be closed. The content is of no use after that. */
  die(): void {
    this.capacityBytes = Infinity;
    this.onCall = undefined;
    this.#failures = [];
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Returns what a power loss at this moment may leave. */
  crash(random: Random): SimulatedFiles {
    return this.#image((folder) => folder.left(random), (content) => content.left(random));
  }

  /**
   * Returns what the death of the process at this moment leaves: everything written, with no more of it on disk than
   * before.
   */
  kill(): SimulatedFiles {
    const image = new SimulatedFiles();
    const copies = new Map<Content, Content>();
    const copyOf = (content: Content) => {
      const known = copies.get(content);
      if (known !== undefined) return known;
      const copy = content.copy();
      copies.set(content, copy);
      return copy;
    };
    for (const [path, { names, disk, changes }] of this.#folders) {
      const folder = image.#folder(path);
      for (const [name, content] of names) folder.names.set(name, copyOf(content));
      for (const [name, content] of disk) folder.disk.set(name, copyOf(content));
      folder.changes = changes.map((each) => each.kind === "put" ? { ...each, content: copyOf(each.content) } : each);
    }
    return image;
  }

  /** Returns the names in a folder, in order. */
  list(folder: string): string[] {
    return [...this.#folder(folder).names.keys()].sort();
  }

  /** Returns the content of a file; the caller owns it. */
  read(path: string): Bytes {
    const { bytes, size } = this.#find(path);
    return bytes.slice(0, size);
  }

  /** Creates or replaces a file, as if it had always been on disk. */
  put(path: string, bytes: Uint8Array): void {
    const [folderPath, name] = splitPath(path);
    const folder = this.#folder(folderPath);
    const content = new Content();
    content.bytes = bytes.slice();
    content.size = bytes.length;
    content.disk = bytes.slice();
    folder.names.set(name, content);
    folder.disk.set(name, content);
  }

  /** Returns a copy whose files are on disk as they are, for a test to damage. */
  copy(): SimulatedFiles {
    return this.#image(({ names }) => names, ({ bytes, size }) => bytes.slice(0, size));
  }

  #image(names: (folder: Folder) => Names, bytes: (content: Content) => Bytes): SimulatedFiles {
    const image = new SimulatedFiles();
    for (const [path, folder] of this.#folders) {
      image.#folder(path);
      for (const [name, content] of names(folder)) image.put(`${path}/${name}`, bytes(content));
    }
    return image;
  }

  // The methods below implement `Files`.

  openToRead(path: string): LogFile {
    return new SimulatedFile(this, path, this.#find(path));
  }

  openToChange(path: string): LogFile {
    this.begin("open", path);
    return new SimulatedFile(this, path, this.#find(path));
  }

  create(path: string): LogFile {
    this.begin("create", path);
    const [folder, name] = splitPath(path);
    if (this.#folder(folder).names.has(name)) throw systemError("EEXIST");
    const content = new Content();
    this.#folder(folder).change({ kind: "put", name, content });
    return new SimulatedFile(this, path, content);
  }

  createToAppend(path: string): LogFile {
    const file = this.create(path) as SimulatedFile;
    file.appends = true;
    return file;
  }

  stat(path: string): FileFacts | undefined {
    const folder = this.#folders.get(path);
    if (folder !== undefined) return { dev: 1, ino: folder.ino, size: 0 };
    const [parent, name] = splitPath(path);
    const lock = this.#locks.get(path);
    // Another folder at that path does not have the lock.
    if (lock !== undefined) return lock.folder === this.#folders.get(parent) ? lock.facts : undefined;
    const content = this.#folder(parent).names.get(name);
    return content && { dev: 1, ino: content.ino, size: content.size };
  }

  kindOf(path: string): "file" | "folder" | undefined {
    if (this.#folders.has(path)) return "folder";
    return this.stat(path) && "file";
  }

  async rename(from: string, to: string): Promise<void> {
    await undefined;
    this.begin("rename", from);
    this.#find(from);
    const [[folder, name], [other, newName]] = [splitPath(from), splitPath(to)];
    assert(folder === other, "a file is moved to another folder");
    this.#folder(folder).change({ kind: "rename", name, to: newName });
  }

  async remove(path: string): Promise<void> {
    await undefined;
    this.begin("remove", path);
    this.#find(path);
    const [folder, name] = splitPath(path);
    this.#folder(folder).change({ kind: "remove", name });
  }

  makeFolder(path: string): Promise<void> {
    this.#folder(path);
    return Promise.resolve();
  }

  names(folder: string): Promise<string[]> {
    return Promise.resolve([...this.#folder(folder).names.keys()]);
  }

  async syncFolder(path: string): Promise<void> {
    this.begin("syncFolder", path);
    const folder = this.#folder(path);
    const count = folder.changes.length;
    await this.pass();
    for (const each of folder.changes.splice(0, count)) change(folder.disk, each);
  }

  lock(folder: string, name: string): Promise<FolderLock> {
    const path = `${folder}/${name}`;
    if (this.#locks.has(path)) return Promise.reject(new LockedError("1"));
    const lock = { dev: 1, ino: ++inodes, size: 0 };
    this.#locks.set(path, { facts: lock, folder: this.#folder(folder) });
    return Promise.resolve({
      lock,
      folder: this.stat(folder)!,
      isFolderRemoved: () => false,
      close: () => void this.#locks.delete(path),
    });
  }

  #folder(path: string): Folder {
    let folder = this.#folders.get(path);
    if (folder === undefined) this.#folders.set(path, folder = new Folder());
    return folder;
  }

  #find(path: string): Content {
    const [folder, name] = splitPath(path);
    const content = this.#folder(folder).names.get(name);
    if (content === undefined) throw systemError("ENOENT");
    return content;
  }

  // The members below are for SimulatedFile.

  /** Counts a call, and throws when it must fail. Returns the number of bytes that a failing write still writes. */
  begin(call: Call, path: string): number | undefined {
    this.calls[call]++;
    this.onCall?.(call, path);
    for (const failure of this.#failures) {
      if (failure.call !== call || !(failure.path?.test(path) ?? true)) continue;
      const index = failure.seen++ - (failure.skip ?? 0);
      if (index < 0 || index >= (failure.times ?? Infinity)) continue;
      // The first part is a separate call, and the next one fails.
      if (index === 0 && failure.writes !== undefined && failure.writes > 0) return failure.writes;
      throw systemError(failure.code);
    }
    return undefined;
  }

  /** Resolves in a microtask, unless syncs are held. */
  async pass(): Promise<void> {
    await this.#held?.promise;
  }

  /** The size of all files together, in bytes. */
  get usedBytes(): number {
    let sum = 0;
    for (const { names } of this.#folders.values()) for (const { size } of names.values()) sum += size;
    return sum;
  }
}

class SimulatedFile implements LogFile {
  readonly #files: SimulatedFiles;
  readonly #path: string;
  readonly #content: Content;
  #at = 0;
  appends = false;
  #isClosed = false;

  constructor(files: SimulatedFiles, path: string, content: Content) {
    this.#files = files;
    this.#path = path;
    this.#content = content;
  }

  writeSync(bytes: Uint8Array): number {
    this.#checkOpen();
    const files = this.#files;
    if (this.appends) this.#at = this.#content.size;
    const most = files.begin("write", this.#path) ?? bytes.length;
    const grows = Math.max(0, this.#at + Math.min(most, bytes.length) - this.#content.size);
    const missing = Math.max(0, grows - Math.max(0, files.capacityBytes - files.usedBytes));
    let count = Math.min(most, bytes.length) - missing;
    if (count <= 0 && bytes.length > 0) throw systemError("ENOSPC");
    if (count > 1 && files.shortens?.chance(0.1)) count = 1 + files.shortens.below(count);
    this.#content.write(this.#at, bytes.subarray(0, count));
    this.#at += count;
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    await undefined;
    return this.writeSync(bytes);
  }

  readSync(target: Uint8Array): number | null {
    this.#checkOpen();
    const { bytes, size } = this.#content;
    const count = Math.min(target.length, size - this.#at);
    if (count <= 0) return null;
    target.set(bytes.subarray(this.#at, this.#at + count));
    this.#at += count;
    return count;
  }

  seekSync(offset: number): number {
    this.#checkOpen();
    return this.#at = offset;
  }

  async syncData(): Promise<void> {
    this.#checkOpen();
    const files = this.#files;
    const end = this.#content.sync();
    try {
      await files.pass();
      files.begin("sync", this.#path);
    } catch (error) {
      end(false);
      throw error;
    }
    end(true);
  }

  async truncate(length: number): Promise<void> {
    await undefined;
    this.#checkOpen();
    this.#files.begin("truncate", this.#path);
    this.#content.truncate(length);
  }

  truncateSync(length: number): void {
    this.#checkOpen();
    this.#files.begin("truncate", this.#path);
    this.#content.truncate(length);
  }

  statSync(): FileFacts {
    return { dev: 1, ino: this.#content.ino, size: this.#content.size };
  }

  close(): void {
    this.#checkOpen();
    this.#isClosed = true;
  }

  #checkOpen(): void {
    if (this.#isClosed) throw systemError("EBADF");
  }
}
