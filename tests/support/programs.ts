/**
 * Finds programs of the system that some tests need. Tests are left out on a machine without their program.
 *
 * @module
 */

import { join } from "@std/path";

/** Returns the path of the first of these programs that is on PATH, or `undefined`. */
export function findProgram(...names: readonly string[]): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":").filter((folder) => folder !== "");
  for (const name of names) {
    const found = folders.map((folder) => join(folder, name)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isExecutable(path: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && ((mode ?? 0) & 0o111) !== 0;
  } catch {
    return false;
  }
}
