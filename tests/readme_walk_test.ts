/**
 * Does what README asks its reader to do: every command of the first five minutes and of the cluster, as it is written,
 * in a copy of the project, with another home folder.
 *
 * README names ports, and looks for a server by its command line. So all of it runs in a namespace of networks and
 * processes, which takes root; elsewhere the test is skipped. `npx` is this Deno there, so nothing is downloaded.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { ROOT } from "../cluster/role_process.ts";
import { isLong } from "./support/amount.ts";
import type { CodeBlock } from "./support/markdown.ts";
import { FILES, pageOf } from "./support/project.ts";

/** The walk takes about 25 s; one that hangs is killed after this time. */
const WALK_TIMEOUT_MS = 180_000;

/** The programs, namespaces and their options; what follows is run in them. */
const NAMESPACE = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/** Runs the files that the blocks of README were written to, as in two terminals. */
const WALK = `set -u
ip link set lo up
# In the first terminal: runs a block until it has printed a text.
first() {
  bash "../$1" > "../$1.out" 2>&1 < /dev/null &
  for _ in $(seq 300); do grep -q "$2" "../$1.out" && return; sleep 0.1; done
  echo "no \\"$2\\":"; cat "../$1.out"; exit 1
}
# In the second one: runs a block, and prints what it prints. A block sees what an earlier one exported.
second() { echo "== $1"; . "../$1" 2> /dev/null < /dev/null; }
# Ctrl-C in the first terminal. The brackets of a pattern keep this script itself, whose text it is in, from matching.
interrupt() { pkill -INT -f "$1"; for _ in $(seq 100); do pgrep -f "$1" > /dev/null || return; sleep 0.1; done; exit 1; }
first server "listening on"
second client
second example
interrupt "[m]ain.ts server"
first server "listening on"
second client
interrupt "[m]ain.ts server"
first cluster "Ctrl-C stops everything"
second write
second stop
second kill
echo "== end"; cat ../cluster.out
interrupt "[c]luster/cluster.ts"
echo "== stopped"; tail -n 4 ../cluster.out`;

function blockWith(text: string, language = "sh"): CodeBlock {
  const found = pageOf("README.md").blocks.filter((block) => {
    return block.language === language && block.lines.some((line) => line.includes(text));
  });
  assertEquals(found.length, 1, `README has ${found.length} blocks with "${text}"`);
  return found[0]!;
}

async function problemOf(): Promise<string> {
  for (
    const command of [[...NAMESPACE, "ip", "link", "set", "lo", "up"], ["pgrep", "--version"], ["bash", "--version"]]
  ) {
    const [program, ...args] = command;
    try {
      const { success, stderr } = await new Deno.Command(program!, { args, stdin: "null" }).output();
      if (!success) return new TextDecoder().decode(stderr).trim();
    } catch (error) {
      return String(error);
    }
  }
  return "";
}

const problem = isLong ? await problemOf() : "";
if (problem !== "") console.log(`Skipped the walk through README: ${problem}`);

Deno.test({ name: "README's commands do what it says", ignore: !isLong || problem !== "" }, async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem_readme_" });
  const project = join(folder, "inmem");
  for (const path of FILES) {
    await Deno.mkdir(dirname(join(project, path)), { recursive: true });
    await Deno.copyFile(ROOT + path, join(project, path));
  }
  const write = (name: string, ...lines: readonly string[]) => {
    return Deno.writeTextFile(join(folder, name), lines.join("\n") + "\n", { mode: 0o700 });
  };
  await Deno.mkdir(join(folder, "bin"));
  await write("bin/npx", "#!/bin/sh", 'test "$1" = -y || exit 1', "shift 2", `exec "${Deno.execPath()}" "$@"`);
  await write("bin/deno", "#!/bin/sh", `exec "${Deno.execPath()}" "$@"`);
  const names = {
    server: "task server",
    client: "task client set greeting",
    example: "example.ts",
    cluster: "task cluster",
    write: "mset",
    stop: "kill -STOP",
    kill: "kill -KILL",
  };
  for (const [name, text] of Object.entries(names)) await write(name, ...blockWith(text).lines);
  await write("inmem/example.ts", ...blockWith("connect", "ts").lines);
  const { stdout: info } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const walk = new Deno.Command(NAMESPACE[0]!, {
    args: [...NAMESPACE.slice(1), "bash", "-c", WALK],
    cwd: project,
    clearEnv: true,
    env: {
      HOME: folder,
      PATH: `${folder}/bin:${Deno.env.get("PATH")}`,
      DENO_DIR: JSON.parse(new TextDecoder().decode(info)).denoDir,
      NO_COLOR: "1",
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const timer = setTimeout(() => walk.kill("SIGKILL"), WALK_TIMEOUT_MS);
  const { success, stdout, stderr } = await walk.output();
  clearTimeout(timer);
  await Deno.remove(folder, { recursive: true });
  const output = new TextDecoder().decode(stdout);
  assert(success, `${output}${new TextDecoder().decode(stderr)}`);
  const parts = output.split(/^== /m).slice(1).map((part) => part.replace(/^.*\n/, ""));
  const [client, example, again, written, stopped, killed, cluster, ended] = parts;
  assertEquals(client, "OK\nhello\n");
  assertEquals(example, "Ada\n");
  assertEquals(again, "OK\nhello\n");
  assertEquals(written!.match(/^OK$/m)?.length, 1);
  assertEquals([...written!.matchAll(/^127\S+ +up /gm)].length, 3, written);
  assert(/^127\.0\.0\.1:9452 +down /m.test(stopped!), stopped);
  assert(/^1$/m.test(stopped!) && !/^2$/m.test(stopped!), stopped);
  assertEquals(killed, "1\n2\n3\n4\n");
  assertStringIncludes(cluster!, "server2 ended with signal SIGKILL; it is started again");
  assertStringIncludes(cluster!, "server2 listens on 127.0.0.1:9452 again");
  assertEquals([...ended!.matchAll(/Stopping after SIGTERM/g)].length, 4, ended);
});
