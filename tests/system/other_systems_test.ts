/** Runs the program from its sources as if it ran on another system, as far as the program can tell. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inmemCommand } from "../../cluster/role_process.ts";
import { type Launcher, type Outcome, run, type RunOptions, systemTest } from "../support/launcher.ts";

/** A compiled program has no sources. */
const options = { ignore: Deno.env.has("INMEM_BIN") };

/** Runs `inmem` until it ends. */
function runOn(os: string, words: readonly string[], launcher: Launcher, options: RunOptions = {}): Promise<Outcome> {
  const [program, subcommand, ...rest] = inmemCommand(...words);
  const command = [program!, subcommand!, "--preload=tests/support/as_system.ts", ...rest];
  return run(command, { ...options, env: { INMEM_TEST_OS: os, LOCALAPPDATA: launcher.folder } });
}

systemTest("the client works on Windows, and finds the local authority there", options, async (launcher) => {
  const server = await launcher.server();
  const target = ["client", "--addr", server.address, "--ca", launcher.certificates.authority];
  const ok = (stdout: string) => ({ code: 0, stdout, stderr: "" });
  assertEquals(await runOn("windows", [...target, "set", "a", "1"], launcher), ok("OK\n"));
  assertEquals(await runOn("windows", [...target], launcher, { stdin: "append a 2\nget a\n" }), ok("2\n12\n"));
  assertEquals(await runOn("windows", [...target, "--json", "blpop", "queue", "0.01"], launcher), ok("null\n"));
  // Without --ca the authority is looked for in a folder below LOCALAPPDATA, which has none.
  const ping = ["client", "--addr", server.address, "ping"];
  const { code, stderr } = await runOn("windows", ping, launcher);
  assertEquals(code, 3);
  assertStringIncludes(stderr, "its certificate is not trusted");
  await Deno.mkdir(launcher.path("inmem"));
  await Deno.copyFile(launcher.certificates.authority, launcher.path("inmem", "ca.pem"));
  assertEquals(await runOn("windows", ping, launcher), ok("PONG\n"));
});

systemTest("server and proxy refuse to start on Windows, in one line", options, async (launcher) => {
  const servers = await launcher.serversFile(["127.0.0.1:9443"]);
  for (const words of [["server", "--no-persist"], ["proxy", "--servers", servers]]) {
    const { code, stdout, stderr } = await runOn("windows", [...words, ...launcher.identity], launcher);
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /^inmem: Cannot run a (server|proxy) on Windows: expected Linux or macOS; [^\n]*\n$/);
  }
});
