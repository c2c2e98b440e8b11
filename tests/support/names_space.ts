/**
 * Runs the tests of a file with a separate network, /etc/hosts and /etc/resolv.conf, by `unshare` of util-linux, so
 * that they can define the meaning of names. This requires root; elsewhere the tests are skipped, and the reason is
 * printed.
 *
 * ```text
 * deno test FILE ──► one test ──► unshare: own loopback, own /etc ──► deno test FILE, with INMEM_NAMES_SPACE ──► its tests
 * ```
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { ROOT } from "../../cluster/role_process.ts";

/** The address on which the name server of such a space listens. */
export const NAME_SERVER_HOST = "127.0.0.53";

const VARIABLE = "INMEM_NAMES_SPACE";

/** Prepares the space, whose folder is the first argument, and runs the command line after it. */
const SCRIPT = `set -e
ip link set lo up
mount --bind "$1/hosts" /etc/hosts
mount --bind "$1/resolv.conf" /etc/resolv.conf
mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf
shift
exec "$@"`;

/** A space with separate names, from within. */
export class NamesSpace {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Returns the space in which this process runs. Outside of one, it defines a test that runs the file in a space, and
   * returns `undefined`.
   */
  static enter(file: string): NamesSpace | undefined {
    const folder = Deno.env.get(VARIABLE);
    if (folder !== undefined) return new NamesSpace(folder);
    const problem = problemOf();
    if (problem !== "") console.log(`Skipped ${file}: it takes a network namespace: ${problem}`);
    Deno.test({ name: "with separate names", ignore: problem !== "", fn: () => runIn(fromFileUrl(file)) });
    return undefined;
  }

  /** Writes /etc/hosts. */
  async writeHosts(...lines: readonly string[]): Promise<void> {
    // The file is written in place, since it is mounted.
    await Deno.writeTextFile(`${this.#folder}/hosts`, ["127.0.0.1 localhost", ...lines, ""].join("\n"));
  }
}

function problemOf(): string {
  if (Deno.build.os !== "linux") return "this is not Linux";
  try {
    const { success, stderr } = new Deno.Command("unshare", {
      args: ["-n", "-m", "sh", "-c", "ip link set lo up"],
      stdout: "null",
      stderr: "piped",
    }).outputSync();
    return success ? "" : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    return String(error);
  }
}

async function runIn(file: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-names-" });
  try {
    await Deno.writeTextFile(`${folder}/hosts`, "127.0.0.1 localhost\n");
    await Deno.writeTextFile(`${folder}/resolv.conf`, `nameserver ${NAME_SERVER_HOST}\n`);
    await Deno.writeTextFile(`${folder}/nsswitch.conf`, "hosts: files dns\n");
    const flags = ["--no-check", "--lock=tests/deno.lock", "--frozen", "--no-prompt", "-A"];
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["-n", "-m", "sh", "-c", SCRIPT, "sh", folder, Deno.execPath(), "test", ...flags, file],
      cwd: ROOT,
      env: { [VARIABLE]: folder, NO_COLOR: "1" },
      stdout: "piped",
      stderr: "piped",
    }).output();
    const text = new TextDecoder();
    assertEquals(success, true, `${text.decode(stdout)}\n${text.decode(stderr)}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
