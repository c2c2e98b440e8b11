/** Runs every tool that talks to a server, for what all of them have in common: passwords, contexts, lost servers. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { runInmem, systemTest } from "../support/launcher.ts";

/** The arguments of each tool, and its standard input. */
const TOOLS: readonly [words: readonly string[], stdin?: string][] = [
  [["client", "get", "a"]],
  [["client"], "get a\n"],
  [["client", "cluster"]],
  [["client", "subscribe", "channel"]],
  [["export"]],
  [["import", "-", "--format", "jsonl"], '{"key":"a","value":"1"}\n'],
  [["bench", "--requests", "10", "--clients", "2", "--tests", "set"]],
  [["bench", "--requests", "10", "--clients", "2", "--tests", "set", "--protocol", "native"]],
];

systemTest(
  "every tool ends with status 1 and the reason when it lacks the password, or has a wrong one",
  async (launcher) => {
    const server = await launcher.server([], { INMEM_PASSWORD: "secret" });
    const target = ["--addr", server.address, "--ca", launcher.certificates.authority];
    for (const [password, reason] of [[undefined, "NOAUTH"], ["wrong", "WRONGPASS"]] as const) {
      for (const [[tool, ...words], stdin] of TOOLS) {
        const { code, stdout, stderr } = await runInmem([tool!, ...target, ...words], {
          stdin,
          env: password === undefined ? {} : { INMEM_PASSWORD: password },
        });
        assertEquals(code, 1, `${tool} ${words} with ${password}: ${stderr}`);
        assertStringIncludes(stdout + stderr, reason, `${tool} ${words} with ${password}`);
        // A line or a key of standard input is refused on its own, without advice.
        if (password !== undefined || stdin === undefined) {
          assertStringIncludes(stdout + stderr, "--password-file FILE, or INMEM_PASSWORD", `${tool} ${words}`);
        }
      }
    }
  },
);

systemTest("every tool refuses an unknown context, and advises when no server listens", async (launcher) => {
  const env = { XDG_STATE_HOME: launcher.folder };
  for (const [[tool, ...words], stdin] of TOOLS) {
    const unknown = await runInmem([tool!, ...words], { stdin, env: { ...env, INMEM_CONTEXT: "nowhere" } });
    assertEquals(unknown.code, 2, `${tool} ${words}: ${unknown.stderr}`);
    assertStringIncludes(unknown.stderr, `inmem ${tool}: `);
    assertStringIncludes(unknown.stderr, '"nowhere"');
    const alone = await runInmem([tool!, "--addr", "127.0.0.1:1", ...words], { stdin, env });
    assertEquals(alone.code, 3, `${tool} ${words}: ${alone.stderr}`);
    assertStringIncludes(alone.stderr, "nobody listens there; is the server running?");
  }
});
