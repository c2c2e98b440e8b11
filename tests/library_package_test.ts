/** Packs the library as `deno publish` does, uses the package as another project would, and writes its reference. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, fromFileUrl, join, relative } from "@std/path";
import denoJson from "../deno.json" with { type: "json" };
import * as library from "../src/mod.ts";
import { ROOT, run, systemTest } from "./support/launcher.ts";
import { listPackage } from "./support/library_package.ts";

/** Runs a command of Deno in the folder of the project. */
function runDeno(command: string): ReturnType<typeof run> {
  return run([Deno.execPath(), ...command.split(" ")], { env: { DENO_TLS_CA_STORE: "system,mozilla" } });
}

/** Returns the files that `deno publish` would upload. It refuses types that JSR would have to infer ("slow types"). */
async function packFiles(): Promise<string[]> {
  const { code, stderr } = await runDeno("publish --dry-run --allow-dirty");
  assertEquals(code, 0, stderr);
  return [...stderr.matchAll(/^ +(file:\S+) \(.*\)$/gm)].map(([, url]) => relative(ROOT, fromFileUrl(url!))).sort();
}

systemTest("the package has exactly the library's files, and works without the repository", async (launcher) => {
  const files = await packFiles();
  assertEquals(files, await listPackage(), 'run "deno task pages"');
  assertEquals(denoJson.publish.include, files);
  assert(files.includes("src/mod.ts") && files.includes("LICENSE"));
  assertEquals(files.filter((file) => /^(tests|bench|cluster|certs|\.)|_test\.ts$/.test(file)), []);

  const folder = await Deno.makeTempDir({ dir: launcher.folder, prefix: "package-" });
  for (const file of files) {
    const copy = join(folder, "inmem", file);
    await Deno.mkdir(dirname(copy), { recursive: true });
    await Deno.copyFile(join(ROOT, file), copy);
  }
  await Deno.writeTextFile(join(folder, "deno.json"), '{ "imports": { "@inmem/inmem": "./inmem/src/mod.ts" } }');
  await Deno.writeTextFile(
    join(folder, "program.ts"),
    `import { connect } from "@inmem/inmem";
     const [addr, caFile] = Deno.args;
     await using client = await connect({ addr, caFile });
     await client.set("greeting", "hello");
     const greeting: string | null = await client.text.get("greeting");
     console.log(greeting);`,
  );
  const server = await launcher.server();
  const program = ["run", "--quiet", "--check", "--allow-net", "--allow-read", "program.ts"];
  const command = [Deno.execPath(), ...program, server.address, launcher.certificates.authority];
  const { code, stdout, stderr } = await run(command, { cwd: folder });
  assertEquals({ code, stdout, stderr }, { code: 0, stdout: "hello\n", stderr: "" });
});

Deno.test("the reference of the library builds without a warning, and has a page for each export", async () => {
  const folder = await Deno.makeTempDir({ prefix: "inmem-reference-" });
  try {
    const { command } = denoJson.tasks.reference;
    const { code, stdout, stderr } = await runDeno(
      command.replace(/^.*\bdeno /, "").replace("--output=reference", `--output=${folder}`),
    );
    assertEquals({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
    assertStringIncludes(await Deno.readTextFile(join(folder, "index.html")), "inmem");
    const pages = [...Deno.readDirSync(join(folder, "~"))].map(({ name }) => name).filter((name) =>
      /^\w+\.html$/.test(name)
    );
    for (const name of Object.keys(library)) assert(pages.includes(`${name}.html`), name);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
