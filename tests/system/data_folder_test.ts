/** Tests where the real server keeps its data when no option says so. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Launcher, runInmem, systemTest } from "../support/launcher.ts";

/** Starts a server without `--data`, and returns its lines after it has stored and ended. */
async function serveOnce(launcher: Launcher, env: Record<string, string>): Promise<string> {
  const process = launcher.start("server", ["server", "--addr", "127.0.0.1:0", ...launcher.identity], env);
  const client = await launcher.connect({ address: await process.address() });
  await client.incr("starts");
  assert((await process.stop()).success);
  return process.lines.join("\n");
}

systemTest("a server without --data keeps it in the user's state folder, and says where", async (launcher) => {
  const state = launcher.path("state");
  const home = launcher.path("home");
  for (
    const [env, folder] of [
      [{ XDG_STATE_HOME: state, HOME: home }, `${state}/inmem/data`],
      [{ XDG_STATE_HOME: "", HOME: home }, `${home}/.local/state/inmem/data`],
    ] as const
  ) {
    assertStringIncludes(await serveOnce(launcher, env), `Data folder: "${folder}" fsync=everysec`);
    assertStringIncludes(await serveOnce(launcher, env), "Loaded the log keys=1 ");
    assertEquals((await Deno.stat(folder)).mode! & 0o777, 0o700);
  }
});

systemTest("a server without --data and without a home says what to do", async (launcher) => {
  const env = { XDG_STATE_HOME: "", HOME: "" };
  const words = ["server", "--addr", "127.0.0.1:0", ...launcher.identity];
  const { code, stderr } = await runInmem(words, { env });
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    "Cannot find a folder for data: HOME and XDG_STATE_HOME are not set; set one, or give --data FOLDER or --no-persist",
  );
  const { process } = await launcher.server(["--no-persist"], env);
  assertStringIncludes(process.lines.join("\n"), "Nothing is kept on disk: --no-persist");
});
