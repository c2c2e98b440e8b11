/**
 * Sets the torn ends of segments aside, as files that a person may look at, and cuts them off.
 *
 * First the copy is on disk, then the segment is cut: whenever that is interrupted, the next start finds the same end
 * again, and does it again.
 *
 * @module
 */

import { LOG_READ_BYTES } from "../limits.ts";
import { type Files, writeAllSync } from "./files.ts";
import type { LeftOut } from "./recover.ts";

/** The path that a torn end gets. */
export function tornPath({ path, batch }: LeftOut): string {
  return `${path}.${batch}.torn`;
}

/**
 * Sets aside what is torn.
 *
 * @throws what the file system throws
 */
export async function setTornAside(files: Files, folder: string, torn: readonly LeftOut[]): Promise<void> {
  for (const each of torn) {
    if (each.offset === 0) await files.rename(each.path, tornPath(each));
    else await cut(files, folder, each);
  }
  if (torn.length > 0) await files.syncFolder(folder);
}

async function cut(files: Files, folder: string, torn: LeftOut): Promise<void> {
  const target = tornPath(torn);
  await files.remove(target).catch(() => {});
  const from = files.openToChange(torn.path);
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
    await from.truncate(torn.offset);
    await from.syncData();
  } finally {
    from.close();
  }
}
