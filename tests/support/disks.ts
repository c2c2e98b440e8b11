/**
 * Small file systems for tests, where this machine allows it.
 *
 * @module
 */

import { assert } from "@std/assert";
import { type Launcher, systemTest } from "./launcher.ts";

/** Whether a command can be run here, and says that it did well. */
export async function canRun(program: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** Runs a command that has to do well. */
export async function runOrFail(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null", stderr: "piped" }).output();
  assert(success, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Whether a file system of its own can be mounted, which takes root. */
async function canMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-mount-" });
  try {
    return await canRun("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder) && await canRun("umount", folder);
  } finally {
    await Deno.remove(folder);
  }
}

/** A test that is left out where the machine does not allow it; its name says why. */
export function testWhere(
  condition: boolean,
  needed: string,
  name: string,
  body: (launcher: Launcher) => Promise<void>,
  { ignore: isIgnored = false }: Pick<Deno.TestDefinition, "ignore"> = {},
): void {
  systemTest(condition ? name : `${name} (left out: it needs ${needed})`, { ignore: !condition || isIgnored }, body);
}

/** Whether file systems can be mounted here. */
export const MOUNTS = await canMount();

/** Runs something with a small file system of its own. */
export async function withDisk(
  launcher: Launcher,
  sizeBytes: number,
  body: (disk: string) => Promise<void>,
  options = "",
): Promise<void> {
  const disk = launcher.newFolder("disk");
  await Deno.mkdir(disk);
  await runOrFail("mount", "-t", "tmpfs", "-o", `size=${sizeBytes}${options && `,${options}`}`, "tmpfs", disk);
  try {
    await body(disk);
  } finally {
    // Lazily: a server of a test that has failed may still be there.
    await runOrFail("umount", "--lazy", disk);
  }
}
