/** Tests the file of `--config` while a server or a proxy runs: it is followed, and `config rewrite` writes it. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { RoleProcess } from "../../cluster/role_process.ts";
import { type Launcher, type Role, runInmem, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

/** Starts a server with a file of options. */
async function startServer(launcher: Launcher, path: string, more: readonly string[] = []): Promise<Role> {
  const { cert, key } = launcher.certificates;
  const words = ["server", "--addr", "127.0.0.1:0", "--cert", cert, "--key", key, "--config", path, ...more];
  const process = launcher.start("server", words);
  return { process, address: await process.address() } as Role;
}

async function settingOf(launcher: Launcher, role: Role, name: string): Promise<string | undefined> {
  const client = await launcher.connect(role);
  try {
    return (await client.config("get", name)).get(name);
  } finally {
    await client.close();
  }
}

/** Waits for a line of the log after those that are there. */
async function untilLine(process: RoleProcess, pattern: RegExp, from: number): Promise<string> {
  await until(() => process.lines.slice(from).some((line) => pattern.test(line)), () => {
    return `the log matches ${pattern}:\n${process.lines.slice(from).join("\n")}`;
  });
  return process.lines.slice(from).find((line) => pattern.test(line))!;
}

systemTest("a server and a proxy follow their file of --config, however it is replaced", async (launcher) => {
  const folder = launcher.newFolder("config");
  await Deno.mkdir(folder);
  const path = `${folder}/server.json`;
  const write = (text: string, at = path) => Deno.writeTextFile(at, text);
  await write('{"no-persist": true, "max-memory": "64mb", "max-clients": 100}');
  const server = await startServer(launcher, path, ["--slow-command", "30ms"]);
  const { process } = server;
  assertEquals(await settingOf(launcher, server, "maxclients"), "100");

  // In place.
  let from = process.lines.length;
  await write('{"no-persist": true, "max-memory": "64mb", "max-clients": 101, "default-ttl": "1h", "slow-command": 1}');
  await untilLine(process, /--default-ttl is now 1h/, from);
  assertEquals(await settingOf(launcher, server, "maxclients"), "101");
  assertEquals(await settingOf(launcher, server, "slow-command"), "30ms", "the command line takes precedence");

  // Half written, and wrong.
  for (const wrong of ['{"no-persist": true, "max-cl', '{"max-clients": 0}', '{"max-clinets": 5}', "", "[]"]) {
    from = process.lines.length;
    await write(wrong);
    await untilLine(process, /warn .*server\.json.*line 1, column \d+: .*the options in use stay/, from);
    assertEquals(await settingOf(launcher, server, "maxclients"), "101");
  }

  // By renaming, with options that cannot change while the server runs.
  from = process.lines.length;
  await write('{"no-persist": false, "max-clients": 102, "metrics": "127.0.0.1:0"}', `${path}.new`);
  await Deno.rename(`${path}.new`, path);
  const later = await untilLine(process, /take effect at the next start/, from);
  assertMatch(later, /options="no-persist (max-memory )?metrics"/);
  await untilLine(process, /--max-clients is now 102/, from);
  await untilLine(process, /--default-ttl is now unset/, from);
  await untilLine(process, /is valid again/, from);

  // By two links, as Kubernetes does it.
  from = process.lines.length;
  for (const [name, count] of [["one", 103], ["two", 104]] as const) {
    await Deno.mkdir(`${folder}/${name}`);
    await write(`{"max-clients": ${count}}`, `${folder}/${name}/server.json`);
    await Deno.symlink(name, `${folder}/..data_tmp`);
    await Deno.rename(`${folder}/..data_tmp`, `${folder}/..data`);
    if (name === "one") {
      await Deno.remove(path);
      await Deno.symlink("..data/server.json", path);
    }
    await untilLine(process, new RegExp(`--max-clients is now ${count}`), from);
  }

  const proxyPath = `${folder}/proxy.json`;
  await write(`{"servers": ${JSON.stringify(await launcher.serversFile([server.address]))}}`, proxyPath);
  const { cert, key, authority } = launcher.certificates;
  const words = ["--addr", "127.0.0.1:0", "--cert", cert, "--key", key, "--ca", authority, "--config", proxyPath];
  const proxyProcess = launcher.start("proxy", ["proxy", ...words]);
  const proxy = { process: proxyProcess, address: await proxyProcess.address() } as Role;
  await write((await Deno.readTextFile(proxyPath)).replace("}", ', "max-clients": 9, "timeout": "7s"}'), proxyPath);
  await untilLine(proxyProcess, /--max-clients is now 9/, 0);
  await untilLine(proxyProcess, /options=timeout/, 0);
  assertEquals(await settingOf(launcher, proxy, "maxclients"), "9");
});

systemTest("config rewrite writes what has changed, and a start takes it from there", async (launcher) => {
  const path = launcher.path("server.json");
  const text = '{"max-memory":"64mb",  "max-clients": 100, "no-persist": true}\n';
  await Deno.writeTextFile(path, text, { mode: 0o640 });
  const server = await startServer(launcher, path, ["--snapshot-growth", "70%"]);
  const client = await launcher.connect(server);
  assertEquals(await client.send(["config", "rewrite"]), "OK");
  assertEquals(JSON.parse(await Deno.readTextFile(path)), JSON.parse(text));
  await client.config("set", { maxclients: 200, "maxmemory-policy": "noeviction", "default-ttl": "90s" });
  await client.config("set", { "slowlog-log-slower-than": 1500, "snapshot-growth": "80%" });
  const from = server.process.lines.length;
  assertEquals(await client.send(["config", "rewrite"]), "OK");
  assertEquals(
    await Deno.readTextFile(path),
    [
      "{",
      '  "max-memory": "64mb",',
      '  "max-clients": 200,',
      '  "no-persist": true,',
      '  "slow-command": "2ms",',
      '  "eviction": "none",',
      '  "default-ttl": "90s",',
      '  "snapshot-growth": "80%"',
      "}\n",
    ].join("\n"),
  );
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o640);
  await untilLine(server.process, /overrides options .* options=snapshot-growth/, from);

  // The file is not taken for a change: a setting that is changed again immediately stays.
  await client.config("set", { maxclients: 250 });
  await client.config("set", { "default-ttl": 0 });
  assertEquals(await client.send(["config", "rewrite"]), "OK");
  assert(!("default-ttl" in JSON.parse(await Deno.readTextFile(path))));

  // A wrong file is not replaced.
  await Deno.writeTextFile(path, "{");
  await client.config("set", { maxclients: 300 });
  const refusal = await client.send(["config", "rewrite"]).catch((error) => error.message);
  assertMatch(refusal, /^Rewriting config file: .*line 1, column 2/);
  assertEquals(await Deno.readTextFile(path), "{");
  await Deno.remove(path);
  assertMatch(await client.send(["config", "rewrite"]).catch((error) => error.message), /no such file/);
  await Deno.writeTextFile(path, "{}");
  assertEquals(await client.send(["config", "rewrite"]), "OK");
  await client.close();
  const left = (await Array.fromAsync(Deno.readDir(launcher.folder))).map(({ name }) => name);
  assert(!left.some((name) => name.endsWith(".tmp")), left.join(" "));

  const written = JSON.parse(await Deno.readTextFile(path));
  assertEquals(written["max-clients"], 300);
  await launcher.stop(server);
  const again = await startServer(launcher, path, ["--no-persist", "--max-memory", "64mb"]);
  assertEquals(await settingOf(launcher, again, "maxclients"), "300");
});

systemTest("a wrong file of --config ends the start with status 2 and one line", async (launcher) => {
  const path = launcher.path("role.json");
  await Deno.writeTextFile(path, '{\n  "max-client": 5\n}');
  const env = { XDG_STATE_HOME: launcher.path("state") };
  for (const role of ["server", "proxy"]) {
    const variables = { ...env, [`INMEM_${role.toUpperCase()}_CONFIG`]: path };
    for (const outcome of [runInmem([role, "--config", path], { env }), runInmem([role], { env: variables })]) {
      const { code, stderr } = await outcome;
      assertEquals(code, 2);
      assertEquals(
        stderr,
        `inmem: Cannot use the config file "${path}": line 2, column 3: there is no option "max-client": ` +
          'did you mean "max-clients"?\n',
      );
    }
  }
});
