/**
 * Control groups of version 1 that limit memory, for tests that run a role in one. They require root and that
 * hierarchy.
 *
 * @module
 */

import { pause } from "./pause.ts";

/**
 * Runs a line of the shell, since Deno accesses `/sys` only with all permissions.
 *
 * @throws the output of the shell, when the line fails
 */
async function shell(line: string): Promise<string> {
  const command = new Deno.Command("sh", { args: ["-c", line], stdin: "null", stdout: "piped", stderr: "piped" });
  const { success, stdout, stderr } = await command.output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  return new TextDecoder().decode(stdout);
}

/** The conventional mount point of version 1. */
const MEMORY_FOLDER = "/sys/fs/cgroup/memory";

/** A control group that is removed at the end of its scope. */
export class MemoryGroup implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Creates a group with a limit; `parent` is the folder of its parent group. */
  static async make(limitBytes: number, parent = MEMORY_FOLDER): Promise<MemoryGroup> {
    const folder = `${parent}/inmem-test-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;
    const limit = Number.isFinite(limitBytes) ? limitBytes : -1;
    await shell(
      `mkdir ${folder} && { echo ${limit} > ${folder}/memory.limit_in_bytes || { rmdir ${folder}; false; }; }`,
    );
    return new MemoryGroup(folder);
  }

  /** Returns words that run the following command line in the group, after `before` in the shell. */
  enter(before = ""): string[] {
    return ["sh", "-c", `echo $$ > ${this.folder}/cgroup.procs && ${before} exec "$@"`, "sh"];
  }

  /** Returns how often the system has killed a process of the group because of its limit. */
  async kills(): Promise<number> {
    return Number(/^oom_kill ([0-9]+)$/m.exec(await shell(`cat ${this.folder}/memory.oom_control`))?.[1]);
  }

  /** Kills the processes that still run in it, which only a failed test leaves, and removes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await shell(`xargs -r kill -9 < ${this.folder}/cgroup.procs`).catch(() => {});
    for (let tries = 500;; tries--) {
      try {
        return void await shell(`rmdir ${this.folder}`);
      } catch (error) {
        if (tries === 0) throw error;
        await pause(10);
      }
    }
  }
}

/** Returns the reason why no such group can be created on this machine, or `undefined`. */
export async function memoryGroupsMissing(): Promise<string | undefined> {
  try {
    await using group = await MemoryGroup.make(64 * 1024 * 1024);
    await group.kills();
    return undefined;
  } catch (error) {
    return `no memory groups of version 1 can be made here: ${(error as Error).message}`;
  }
}
