/**
 * The role `inmem restore`: puts a snapshot into a data folder once, without a server.
 *
 * ```text
 * verify all of FILE → lock the folder → copy, sync → create a folder for the previous data → mark → move it there →
 * name the copy → unmark                              without previous data, the mark comes before the copy
 * ```
 *
 * A server that is repeatedly started with the same options must not return to a backup each time, so restoring is a
 * separate command. While the folder is marked, it may have neither all of the old data nor all of the new. Then no
 * server starts there, and the command can be run again.
 *
 * @module
 */

import { fileReason, messageOf, StartError, UsageError } from "../errors.ts";
import { LOG_READ_BYTES } from "../limits.ts";
import { CountingTarget } from "../log/counting_target.ts";
import { writeAllSync } from "../log/files.ts";
import { DataFolder, isRestoreUnfinished } from "../log/folder.ts";
import { readSnapshot } from "../log/recover.ts";
import type { SnapshotSummary } from "../log/snapshot.ts";
import { systemFiles as files } from "../log/system_files.ts";
import { restoreOptions } from "../role/option_tables.ts";
import { helpText, parseOptions } from "../role/options.ts";
import { formatSize } from "../role/quantities.ts";

/** The result of a restore. */
interface Restored {
  readonly summary: SnapshotSummary;
  /** The path of the snapshot in the data folder. */
  readonly path: string;
  /** The folder with the previous data; `undefined` when there was none. */
  readonly aside: string | undefined;
}

/**
 * Restores the snapshot that the arguments name, and prints a summary.
 *
 * @param argv the arguments after `restore`
 * @returns the exit status
 * @throws {UsageError} when the options are wrong
 * @throws {StartError} when the file is damaged, or the folder holds data, is in use or cannot be written
 */
export async function restoreMain(argv: readonly string[]): Promise<number> {
  const { values, positional } = parseOptions(restoreOptions, argv);
  if (values.help) {
    console.log(helpText(restoreOptions).trimEnd());
    return 0;
  }
  const [file, more] = positional;
  if (file === undefined) throw new UsageError("Cannot restore nothing: expected a snapshot");
  if (more !== undefined) throw new UsageError(`Cannot restore "${more}" as well: expected one snapshot`);
  if (values.data === undefined) throw new UsageError("Cannot restore without a data folder: expected --data FOLDER");
  const { summary, path, aside } = await restore(file, values.data, values["move-aside"]);
  const { keys, sizeBytes, takenMs } = summary;
  const taken = new Date(takenMs).toISOString();
  console.log(`restored  ${path}: ${keys} ${keys === 1 ? "key" : "keys"}, ${formatSize(sizeBytes)}, taken ${taken}`);
  if (aside !== undefined) console.log(`moved     the previous data to ${aside}`);
  return 0;
}

async function restore(file: string, folderPath: string, movesAside: boolean): Promise<Restored> {
  const summary = verify(file);
  const folder = await DataFolder.open(files, folderPath, true);
  try {
    const old = await folder.dataFiles();
    // An interrupted restore may have left any part of the old data and the new. The same command has to complete it.
    const isRepeated = await isRestoreUnfinished(files, folderPath);
    if (old.length > 0 && !movesAside && !isRepeated) {
      throw new StartError(
        `Cannot restore into "${folderPath}": it holds data, such as "${old[0]}". Nothing was changed; ` +
          `restore into an empty folder, or give --move-aside to keep the old data in a separate folder`,
      );
    }
    const { temporary, path } = await folder.nextSnapshot(summary.takenMs);
    const aside = await prepare(folder, file, temporary, { hasOld: old.length > 0, isMarked: isRepeated });
    if (aside !== undefined) await folder.moveAside(old, aside);
    await folder.publish(temporary, path);
    await folder.unmark();
    return { summary, path, aside };
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    throw new StartError(`Cannot restore into "${folderPath}": ${fileReason(cause)}`, { cause });
  } finally {
    folder.close();
  }
}

/**
 * Creates all that needs room: the copy, a folder for any previous data, and the mark. When that fails, for example on
 * a full disk, the folder is as it was before. Without previous data, the mark is created first, so that no server
 * starts with an empty folder meanwhile. Otherwise it is created last, and the previous data is complete until then.
 *
 * @returns the folder for the previous data; `undefined` when there is none
 */
async function prepare(
  folder: DataFolder,
  file: string,
  temporary: string,
  { hasOld, isMarked }: { readonly hasOld: boolean; readonly isMarked: boolean },
): Promise<string | undefined> {
  let aside: string | undefined;
  try {
    if (!hasOld) await folder.markUnfinished();
    await copy(file, temporary);
    if (!hasOld) return undefined;
    aside = await folder.makeAside(Date.now());
    await folder.markUnfinished();
    return aside;
  } catch (error) {
    for (const path of [temporary, aside]) if (path !== undefined) await files.remove(path).catch(() => {});
    if (!isMarked) await folder.unmark().catch(() => {});
    throw error;
  }
}

/**
 * Reads all of a snapshot, and returns its summary.
 *
 * @throws {StartError} when the file is damaged, or not a snapshot
 */
function verify(file: string): SnapshotSummary {
  try {
    const { snapshot } = readSnapshot(file, { files, target: new CountingTarget() });
    if (snapshot !== undefined) return snapshot;
  } catch (cause) {
    throw new StartError(`Cannot restore "${file}": ${messageOf(cause)}. Nothing was changed`, { cause });
  }
  throw new StartError(`Cannot restore "${file}": it is not a snapshot. Nothing was changed`);
}

/** Copies a file, durably. */
async function copy(source: string, target: string): Promise<void> {
  const from = files.openToRead(source);
  try {
    const to = files.create(target);
    try {
      const buffer = new Uint8Array(LOG_READ_BYTES);
      for (let count = from.readSync(buffer); count !== null; count = from.readSync(buffer)) {
        writeAllSync(to, buffer.subarray(0, count));
      }
      await to.syncData();
    } catch (error) {
      await files.remove(target).catch(() => {});
      throw error;
    } finally {
      to.close();
    }
  } finally {
    from.close();
  }
}
