/**
 * Tests the files of `.packaging/`: units, scripts, configuration, and what `deno task release` makes of them.
 * `tests/system/debian_package_test.ts` installs the package.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { compileCommand, explain, TARGETS } from "../.packaging/binaries.ts";
import { buildDeb } from "../.packaging/deb.ts";
import { ROOT } from "../cluster/role_process.ts";
import { formatAddress } from "../src/address.ts";
import { SUPERVISION_INTERVAL_MS, WATCHDOG_CALLS_COUNT } from "../src/limits.ts";
import { parseConfigured } from "../src/role/config_file.ts";
import { proxyOptions, serverOptions } from "../src/role/option_tables.ts";
import { parseDuration } from "../src/role/quantities.ts";
import { readMembers } from "../src/route/members.ts";
import { canRun } from "./support/disks.ts";

const FOLDER = join(ROOT, ".packaging");
const ROLES = [["server", serverOptions], ["proxy", proxyOptions]] as const;

/** Returns the settings of a unit. One that is there several times has the values joined. */
async function readUnit(role: string): Promise<Map<string, string>> {
  const settings = new Map<string, string>();
  for (const line of (await Deno.readTextFile(join(FOLDER, "systemd", `inmem-${role}.service`))).split("\n")) {
    if (line === "" || line.startsWith("#") || line.startsWith("[")) continue;
    const [, name, value] = /^([A-Za-z]+)=(.*)$/.exec(line)!;
    settings.set(name!, settings.has(name!) ? `${settings.get(name!)} ${value}` : value!);
  }
  return settings;
}

async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("units: the command lines are options of the role, with the configuration that the package installs", async () => {
  const conffiles = (await Deno.readTextFile(join(FOLDER, "debian", "conffiles"))).trim().split("\n");
  for (const [role, options] of ROLES) {
    const unit = await readUnit(role);
    const [program, name, option, path, ...rest] = unit.get("ExecStart")!.split(" ");
    assertEquals([program, name, option, rest], ["/usr/bin/inmem", role, "--config", []]);
    assert(conffiles.includes(path!), path);
    const installed = join(FOLDER, path!.replace("/etc/inmem", "etc"));
    const { values } = parseConfigured(options, ["--config", installed])!;
    assertEquals(values.addr.hostname, "127.0.0.1");
  }
  // The list of the proxy has the server of the same package.
  const { values: proxy } = parseConfigured(proxyOptions, ["--config", join(FOLDER, "etc/proxy.json")])!;
  const { values: server } = parseConfigured(serverOptions, ["--config", join(FOLDER, "etc/server.json")])!;
  assert(conffiles.includes(proxy.servers), proxy.servers);
  const members = readMembers(join(FOLDER, proxy.servers.replace("/etc/inmem", "etc")));
  assertEquals(members.map(({ address }) => address), [formatAddress(server.addr)]);
  assertEquals(conffiles.length, [...Deno.readDirSync(join(FOLDER, "etc"))].length);
});

Deno.test("units: user, folders, notifications and signals are those that the program and the package have", async () => {
  const postinst = await Deno.readTextFile(join(FOLDER, "debian", "postinst"));
  for (const [role] of ROLES) {
    const unit = await readUnit(role);
    assertStringIncludes(postinst, `--gecos "inmem" ${unit.get("User")}\n`);
    assertStringIncludes(postinst, `unit in inmem-server.service inmem-proxy.service`);
    // The program's state folder is the one that systemd makes writable.
    assertEquals(unit.get("Environment"), "XDG_STATE_HOME=/var/lib");
    assertEquals(unit.get("StateDirectory"), "inmem");
    assertEquals([unit.get("Type"), unit.get("NotifyAccess")], ["notify", "main"]);
    const watchdogMs = parseDuration(unit.get("WatchdogSec")!);
    assert(watchdogMs >= SUPERVISION_INTERVAL_MS * WATCHDOG_CALLS_COUNT);
    assertEquals(unit.get("WatchdogSignal"), "SIGKILL");
    assertEquals(unit.get("LimitCORE"), "0");
    assertEquals(unit.get("ExecReload"), "/bin/kill -HUP $MAINPID");
    // V8 writes the code that it runs.
    assert(!unit.has("MemoryDenyWriteExecute"));
  }
});

const ANALYZES = await canRun("systemd-analyze", "--version");

Deno.test("units: systemd accepts them, and their exposure is low", { ignore: !ANALYZES }, async () => {
  await inFolder(async (folder) => {
    for (const [role] of ROLES) {
      const path = join(folder, `inmem-${role}.service`);
      const text = await Deno.readTextFile(join(FOLDER, "systemd", `inmem-${role}.service`));
      // The program and its pages are not installed on this machine.
      await Deno.writeTextFile(
        path,
        text.replace(/^ExecStart=\S+/m, "ExecStart=/bin/true").replace(/^Documentation.*/m, ""),
      );
      for (const args of [["verify", path], ["security", "--offline=true", "--threshold=20", path]]) {
        const { success, stdout, stderr } = await new Deno.Command("systemd-analyze", { args }).output();
        const output = new TextDecoder().decode(args[0] === "verify" ? stderr : stdout);
        assert(success, output);
        if (args[0] === "verify") assertEquals(output, "");
      }
      await Deno.writeTextFile(path, text.replace("Type=notify", "Type=nonsense"));
      const bad = await new Deno.Command("systemd-analyze", { args: ["verify", path] }).output();
      assertStringIncludes(new TextDecoder().decode(bad.stderr), "nonsense");
    }
  });
});

Deno.test("the scripts of the package are correct, and delete data when it is purged only", async () => {
  for (const name of ["postinst", "prerm", "postrm"]) {
    const path = join(FOLDER, "debian", name);
    assert(await canRun("sh", "-n", path), name);
    assertMatch(await Deno.readTextFile(path), /^#!\/bin\/sh\n(#.*\n)+set -e\n/);
    if (name !== "postrm") assert(!/\brm\b/.test(await Deno.readTextFile(path)), name);
  }
  const postrm = await Deno.readTextFile(join(FOLDER, "debian", "postrm"));
  const purge = postrm.slice(postrm.indexOf("= purge"));
  assertEquals(postrm.match(/\brm -rf .*/g), ["rm -rf /var/lib/inmem /etc/inmem"]);
  assertStringIncludes(purge, "rm -rf /var/lib/inmem /etc/inmem");
});

const PACKS = await canRun("dpkg-deb", "--version");

Deno.test("buildDeb() builds the same bytes again, with every file at its place", { ignore: !PACKS }, async () => {
  await inFolder(async (folder) => {
    const binary = join(folder, "program");
    await Deno.writeTextFile(binary, "#!/bin/sh\necho inmem 1.2.3\n");
    const settings = {
      binary,
      architecture: "arm64",
      version: "1.2.3",
      extras: {
        manPages: [["inmem.1", ".TH inmem 1\n"], ["inmem-server.1", ".TH inmem-server 1\n"]],
        completions: { bash: "complete inmem\n", zsh: "#compdef inmem\n", fish: "complete -c inmem\n" },
      },
      epochS: 1_796_000_000,
      compression: "none",
    } as const;
    const builds: Uint8Array[] = [];
    for (const name of ["one", "two"]) {
      await Deno.mkdir(join(folder, name));
      builds.push(await Deno.readFile(await buildDeb(settings, join(folder, name))));
    }
    assertEquals(builds[0], builds[1]);
    const path = join(folder, "one", "inmem_1.2.3_arm64.deb");
    const text = async (...args: string[]) =>
      new TextDecoder().decode((await new Deno.Command("dpkg-deb", { args }).output()).stdout);
    const files = (await text("--contents", path)).trim().split("\n").map((line) => line.split(/\s+/));
    assertEquals(
      files.filter(([mode]) => mode!.startsWith("-")).map(([mode, owner, , , , name]) => `${mode} ${owner} ${name}`),
      [
        "-rw-r--r-- root/root ./etc/inmem/proxy.json",
        "-rw-r--r-- root/root ./etc/inmem/server.json",
        "-rw-r--r-- root/root ./etc/inmem/servers.json",
        "-rwxr-xr-x root/root ./usr/bin/inmem",
        "-rw-r--r-- root/root ./usr/lib/systemd/system/inmem-proxy.service",
        "-rw-r--r-- root/root ./usr/lib/systemd/system/inmem-server.service",
        "-rw-r--r-- root/root ./usr/share/bash-completion/completions/inmem",
        "-rw-r--r-- root/root ./usr/share/doc/inmem/README.md",
        "-rw-r--r-- root/root ./usr/share/doc/inmem/changelog.gz",
        "-rw-r--r-- root/root ./usr/share/doc/inmem/copyright",
        "-rw-r--r-- root/root ./usr/share/fish/vendor_completions.d/inmem.fish",
        "-rw-r--r-- root/root ./usr/share/lintian/overrides/inmem",
        "-rw-r--r-- root/root ./usr/share/man/man1/inmem-server.1.gz",
        "-rw-r--r-- root/root ./usr/share/man/man1/inmem.1.gz",
        "-rw-r--r-- root/root ./usr/share/zsh/vendor-completions/_inmem",
      ],
    );
    assertEquals(
      files.filter(([mode]) => mode!.startsWith("d")).map(([mode, owner]) => `${mode} ${owner}`)
        .filter((each) => each !== "drwxr-xr-x root/root"),
      [],
    );
    const control = await text("--field", path);
    for (const field of ["Package: inmem", "Version: 1.2.3", "Architecture: arm64"]) {
      assertStringIncludes(control, field);
    }
    assert(!control.includes("@VERSION"), control);
    await new Deno.Command("dpkg-deb", { args: ["--control", path, join(folder, "control")] }).output();
    await new Deno.Command("dpkg-deb", { args: ["--extract", path, join(folder, "root")] }).output();
    const check = await new Deno.Command("md5sum", {
      args: ["--check", "--quiet", "--strict", join(folder, "control", "md5sums")],
      cwd: join(folder, "root"),
    }).output();
    assert(check.success, new TextDecoder().decode(check.stdout));
  });
});

Deno.test("compileCommand() compiles for a target as the task of deno.json does", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const task: string = tasks.compile.command;
  for (const target of TARGETS) {
    const { args, env } = compileCommand(task, target, "out/file");
    const words = [...Object.entries(env).map((pair) => pair.join("=")), "deno", ...args];
    assertEquals(words.join(" ").replace(`--target ${target.triple} --output out/file`, "--output inmem"), task);
  }
  assertThrows(() => compileCommand("deno run x", TARGETS[0]!, "out"), Error, "expected deno … --output FILE");
  assertEquals(TARGETS.map(({ name }) => name), [
    "linux-x64",
    "linux-arm64",
    "macos-x64",
    "macos-arm64",
    "windows-x64",
  ]);
});

Deno.test("explain() names the cause of a failed compilation in one line", () => {
  const offline =
    "Download https://site.example/x.zip\nerror: error sending request for url (https://site.example/x.zip)" +
    ": dns error\n\nCaused by:\n  0: client error\n\nStack backtrace:\n   0: <unknown>\n";
  assertEquals(explain(offline), "its runtime cannot be downloaded from site.example");
  assertEquals(explain("Check x\nerror: Module not found\n   at y\n"), "Module not found");
  assertEquals(explain("killed\n"), "killed");
  assertEquals(explain(""), "no reason given");
});
