/**
 * Small file systems for tests, if this machine permits them.
 *
 * @module
 */

import { assert, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { type Launcher, systemTest, type SystemTestOptions } from "./launcher.ts";

/** Returns whether a command can be run on this machine and succeeds. */
export async function canRun(program: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args, stdout: "null", stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

/** Runs a command that must succeed. */
export async function runOrFail(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, stdout: "null", stderr: "piped" }).output();
  assert(success, `${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Returns whether a separate file system can be mounted, which requires root. */
async function canMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-mount-" });
  try {
    return await canRun("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder) && await canRun("umount", folder);
  } finally {
    await Deno.remove(folder);
  }
}

/** Defines a test that is left out, with the reason in its name, if the machine does not permit it. */
export function testWhere(
  condition: boolean,
  needed: string,
  name: string,
  body: (launcher: Launcher) => Promise<void>,
  { ignore: isIgnored = false, ...options }: SystemTestOptions = {},
): void {
  const fullName = condition ? name : `${name} (left out: it needs ${needed})`;
  systemTest(fullName, { ignore: !condition || isIgnored, ...options }, body);
}

/** Whether file systems can be mounted on this machine. */
export const MOUNTS = await canMount();

/** Writes a block again and again until there is no space left. */
async function writeAll(file: Deno.FsFile, block: Uint8Array): Promise<void> {
  try {
    for (;;) await file.write(block);
  } catch (error) {
    assertMatch(String(error), /No space left/);
  }
}

/** Fills a disk with one file, which can be removed again. If the file exists, appends to it. Returns its path. */
export async function fillDisk(disk: string): Promise<string> {
  const path = join(disk, "ballast");
  const file = await Deno.open(path, { create: true, append: true });
  try {
    // The last bytes are filled in small steps.
    for (const size of [1024 * 1024, 4096]) await writeAll(file, new Uint8Array(size).fill(1));
  } finally {
    file.close();
  }
  return path;
}

/** Runs a test with a small file system. */
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
    // The unmount is lazy: a server of a failed test may still use the file system.
    await runOrFail("umount", "--lazy", disk);
  }
}
