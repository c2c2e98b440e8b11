/**
 * Moves the torn ends of segments aside, as files that a person may inspect, and cuts them off.
 *
 * The copy is on disk before the segment is cut. After an interruption at any point, the next start finds the same end
 * and repeats both.
 *
 * On a full disk there is no room for a copy, and the end is cut off without one. It was never acknowledged, and a
 * server that does not start would be worse.
 *
 * @module
 */

import { LOG_READ_BYTES } from "../limits.ts";
import { type Files, isOutOfSpace, writeAllSync } from "./files.ts";
import type { LeftOut } from "./recover.ts";

/** Returns the path that a torn end gets. */
export function tornPath({ path, batch }: LeftOut): string {
  return `${path}.${batch}.torn`;
}

/**
 * Sets torn ends aside.
 *
 * @returns the ends that were cut off without a copy, since there was no room for one
 * @throws the file system's error
 */
export async function setTornAside(
  files: Files,
  folder: string,
  torn: readonly LeftOut[],
): Promise<readonly LeftOut[]> {
  const lost: LeftOut[] = [];
  for (const each of torn) {
    try {
      if (each.offset === 0) await files.rename(each.path, tornPath(each));
      else await copy(files, folder, each);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      if (each.offset === 0) await files.remove(each.path);
      lost.push(each);
    }
    if (each.offset > 0) await cut(files, each);
  }
  if (torn.length > 0) await files.syncFolder(folder);
  return lost;
}

/** Copies a torn end to a separate file, durably, or leaves no such file. */
async function copy(files: Files, folder: string, torn: LeftOut): Promise<void> {
  const target = tornPath(torn);
  await files.remove(target).catch(() => {});
  const from = files.openToRead(torn.path);
  try {
    const to = files.create(target);
    try {
      from.seekSync(torn.offset, 0);
      const buffer = new Uint8Array(Math.min(LOG_READ_BYTES, Math.max(1, torn.bytes)));
      for (let count = from.readSync(buffer); count !== null; count = from.readSync(buffer)) {
        writeAllSync(to, buffer.subarray(0, count));
      }
      await to.syncData();
    } finally {
      to.close();
    }
    await files.syncFolder(folder);
  } catch (error) {
    await files.remove(target).catch(() => {});
    throw error;
  } finally {
    from.close();
  }
}

async function cut(files: Files, torn: LeftOut): Promise<void> {
  const file = files.openToChange(torn.path);
  try {
    await file.truncate(torn.offset);
    await file.syncData();
  } finally {
    file.close();
  }
}
