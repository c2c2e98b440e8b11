/**
 * Tests which files of certificates the programs serve with, and which they refuse, with the file's name and an exit
 * status. tests/role/certificate_files_test.ts tests the many other forms.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { formatPem } from "../../src/role/pem.ts";
import { longOnly } from "../support/amount.ts";
import { type Launcher, runInmem, systemTest } from "../support/launcher.ts";

interface Contents {
  readonly cert: string;
  readonly key: string;
  readonly authority: string;
}

async function contentsOf({ certificates: { cert, key, authority } }: Launcher): Promise<Contents> {
  const [certText, keyText, authorityText] = await Promise.all(
    [cert, key, authority].map((path) => Deno.readTextFile(path)),
  );
  return { cert: certText!, key: keyText!, authority: authorityText! };
}

/** Writes a file with a unique name. */
function write(launcher: Launcher, content: string): string {
  const path = launcher.newFolder("file");
  Deno.writeTextFileSync(path, content, { mode: 0o600 });
  return path;
}

const PARAMETERS = formatPem("EC PARAMETERS", Uint8Array.of(6, 8, 42, 134, 72, 206, 61, 3, 1, 7));

systemTest("server, proxy and client use files in all common forms", async (launcher) => {
  const { cert, key, authority } = await contentsOf(launcher);
  const combined = write(launcher, `\ufeff${PARAMETERS}${key}${cert}`);
  const trust = write(launcher, `\ufeffNotes\r\n${authority.replaceAll("\n", "\r\n")}`);
  const server = await launcher.server(["--cert", combined]);
  const list = await launcher.serversFile([server.address]);
  const words = ["--addr", "127.0.0.1:0", "--servers", list, "--cert", combined, "--key", combined, "--ca", trust];
  const process = launcher.start("proxy", ["proxy", ...words]);
  const proxy = { process, address: await process.address() };
  const { code, stderr } = await runInmem(["client", "--addr", proxy.address, "--ca", trust, "set", "a", "b"]);
  assertEquals([code, stderr], [0, ""]);
});

systemTest(
  "server, proxy and client refuse damaged files at their start, and name them",
  longOnly,
  async (launcher) => {
    const { cert, key, authority } = await contentsOf(launcher);
    const [cut, junk] = [authority.slice(0, 300), formatPem("CERTIFICATE", Uint8Array.of(0, 0, 0))];
    const list = await launcher.serversFile(["127.0.0.1:1"]);
    const proxyOf = (content: string) => ["proxy", "--addr", "127.0.0.1:0", "--servers", list, "--ca", content];
    const roleOf = (role: string, cert: string, key: string) => {
      return [
        role,
        "--addr",
        "127.0.0.1:0",
        ...role === "server" ? ["--no-persist"] : [],
        "--cert",
        cert,
        "--key",
        key,
      ];
    };
    const cases: [words: string[], path: string, code: number, message: RegExp][] = [];
    const refuse = (content: string, code: number, message: RegExp, wordsOf: (path: string) => string[]) => {
      const path = write(launcher, content);
      cases.push([wordsOf(path), path, code, message]);
    };
    for (
      const [content, message] of [[cut, /is cut off/], [authority.replace("\nM", "\n!"), /is not base64/]] as const
    ) {
      // The address comes first, since everything after the command would belong to the command.
      refuse(content, 2, message, (path) => ["client", "--ca", path, "--addr", "127.0.0.1:1", "ping"]);
      refuse(content, 2, message, proxyOf);
    }
    refuse(junk + authority, 2, /block 1 .* is not a certificate/, proxyOf);
    refuse(junk + authority, 2, /block 1 .* is not a certificate/, (path) => ["client", "--ca", path, "ping"]);
    for (const role of ["server", "proxy"]) {
      refuse(cert + junk, 1, /block 2 .* is not a certificate/, (path) => roleOf(role, path, write(launcher, key)));
      refuse(key.replace("\nM", "\n!"), 1, /is not base64/, (path) => roleOf(role, write(launcher, cert), path));
    }
    for (const [words, path, code, message] of cases) {
      const outcome = await runInmem(words);
      assertEquals(outcome.code, code, `${words.join(" ")}: ${outcome.stderr}`);
      assertMatch(outcome.stderr, message);
      assertStringIncludes(outcome.stderr, `"${path}"`);
      assertEquals(outcome.stderr.trimEnd().split("\n").length, 1);
    }
  },
);

systemTest(
  "the key of an authority is kept when its certificate is missing: by certs and by a server",
  longOnly,
  async (launcher) => {
    const state = launcher.newFolder("state");
    const folder = `${state}/inmem`;
    assertEquals((await runInmem(["certs", folder])).code, 0);
    const key = await Deno.readTextFile(`${folder}/ca.key`);
    await Deno.remove(`${folder}/ca.pem`);
    const { code, stderr } = await runInmem(["certs", folder]);
    assertEquals(code, 1);
    assertMatch(stderr, /ca\.pem" is missing.*--force/);
    const env = { XDG_STATE_HOME: state };
    const server = launcher.start("server", ["server", "--addr", "127.0.0.1:0", "--no-persist"], env);
    await server.address();
    assertEquals(server.lines.filter((line) => /warn .*ca\.pem" is missing/.test(line)).length, 1);
    await server.stop();
    await Deno.remove(`${folder}/server.key`);
    const outcome = await runInmem(["server", "--addr", "127.0.0.1:0", "--no-persist"], { env });
    assertEquals(outcome.code, 1);
    assertMatch(outcome.stderr, /ca\.pem" is missing.*--force/);
    assertEquals(await Deno.readTextFile(`${folder}/ca.key`), key);
  },
);
