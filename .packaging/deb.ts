/**
 * Builds the Debian package from a binary: with `dpkg-deb` alone, since a package that only copies files needs no build
 * system.
 *
 * ```text
 * /usr/bin/inmem                                    the binary
 * /usr/lib/systemd/system/inmem-{server,proxy}.service
 * /etc/inmem/{server,proxy,servers}.json            configuration; an upgrade keeps what was changed
 * /usr/share/man/man1/inmem*.1.gz                   printed by the binary
 * /usr/share/{bash-completion,zsh,fish}/…           printed by the binary
 * /usr/share/doc/inmem/                             copyright, changelog, README
 * ```
 *
 * The same sources give the same bytes: times are those of the commit, names are sorted, owners are root.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { dirname, join } from "@std/path";
import { type Extras, type Shell, SHELLS } from "./extras.ts";

/** What a package is built from. */
export interface DebSettings {
  /** The binary for the architecture. */
  readonly binary: string;
  /** The architecture, as Debian calls it. */
  readonly architecture: "amd64" | "arm64";
  readonly version: string;
  /** The man pages and completions. */
  readonly extras: Extras;
  /** The time of all files, in seconds since 1970. */
  readonly epochS: number;
  /** How the package is compressed; by xz unless it is given. */
  readonly compression?: "xz" | "none";
}

/** The folder of this module and the files of the package. */
const SOURCES = import.meta.dirname!;

/** How hard to compress: a higher level than 3 makes the package a tenth smaller, and takes four times as long. */
const LEVEL = { xz: ["-z3"], none: [] } as const;

/** Where Debian's shells look for completions. */
const COMPLETION_PATHS: Readonly<Record<Shell, string>> = {
  bash: "usr/share/bash-completion/completions/inmem",
  zsh: "usr/share/zsh/vendor-completions/_inmem",
  fish: "usr/share/fish/vendor_completions.d/inmem.fish",
};

/** One file of the package: its path, its content, and its mode unless that is 0644. */
type PackageFile = readonly [path: string, content: string | Uint8Array, mode?: number];

/**
 * Builds a package in a folder.
 *
 * @returns the path of the `.deb`
 */
export async function buildDeb(settings: DebSettings, folder: string): Promise<string> {
  const { architecture, version, epochS, compression = "xz" } = settings;
  const staging = await Deno.makeTempDir({ prefix: "inmem-deb-" });
  try {
    // The folder of a temporary file is private, and that of a package is not.
    await Deno.chmod(staging, 0o755);
    const files = await packageFiles(settings);
    for (const [path, content, mode = 0o644] of files) await writeFile(join(staging, path), content, mode);
    const control = await controlFiles(settings, files);
    for (const [path, content, mode = 0o644] of control) await writeFile(join(staging, "DEBIAN", path), content, mode);
    const target = join(folder, `inmem_${version}_${architecture}.deb`);
    const { success, stderr } = await new Deno.Command("dpkg-deb", {
      args: ["--root-owner-group", `-Z${compression}`, ...LEVEL[compression], "--build", staging, target],
      env: { SOURCE_DATE_EPOCH: String(epochS) },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`dpkg-deb: ${new TextDecoder().decode(stderr).trim()}`);
    return target;
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}

/** Returns the files of the package, sorted by path. */
async function packageFiles({ binary, version, extras, epochS }: DebSettings): Promise<PackageFile[]> {
  const read = (path: string) => Deno.readTextFile(join(SOURCES, path));
  const license = (await read("../LICENSE")).trim().split("\n").slice(4);
  const files: PackageFile[] = [
    ["usr/bin/inmem", await Deno.readFile(binary), 0o755],
    ["usr/share/doc/inmem/README.md", await read("README.debian.md")],
    ["usr/share/doc/inmem/changelog.gz", gzip(changelog(version, epochS))],
    [
      "usr/share/doc/inmem/copyright",
      `${await read("debian/copyright")}${license.map((line) => ` ${line === "" ? "." : line}`).join("\n")}\n`,
    ],
    ["usr/share/lintian/overrides/inmem", await read("debian/lintian-overrides")],
    ...extras.manPages.map(([name, text]): PackageFile => [`usr/share/man/man1/${name}.gz`, gzip(text)]),
  ];
  for (const shell of SHELLS) {
    const script = extras.completions[shell];
    if (script !== undefined) files.push([COMPLETION_PATHS[shell], script]);
  }
  for (const name of ["server.json", "proxy.json", "servers.json"]) {
    files.push([`etc/inmem/${name}`, await read(`etc/${name}`)]);
  }
  for (const name of ["inmem-server.service", "inmem-proxy.service"]) {
    files.push([`usr/lib/systemd/system/${name}`, await read(`systemd/${name}`)]);
  }
  return files.sort(([one], [other]) => one < other ? -1 : 1);
}

/** Returns what `dpkg` reads of the package. */
async function controlFiles(settings: DebSettings, files: readonly PackageFile[]): Promise<PackageFile[]> {
  const read = (path: string) => Deno.readTextFile(join(SOURCES, "debian", path));
  const sizes = files.map(([, content]) => content.length);
  const values: Readonly<Record<string, string>> = {
    VERSION: settings.version,
    ARCHITECTURE: settings.architecture,
    INSTALLED_SIZE: String(sizes.reduce((sum, size) => sum + Math.ceil(size / 1024), 0)),
  };
  const sums = files.filter(([path]) => !path.startsWith("etc/"))
    .map(([path, content]) => `${createHash("md5").update(content).digest("hex")}  ${path}\n`);
  return [
    ["control", (await read("control")).replaceAll(/@([A-Z_]+)@/g, (_, name: string) => values[name]!)],
    ["conffiles", await read("conffiles")],
    ["md5sums", sums.join("")],
    ["postinst", await read("postinst"), 0o755],
    ["prerm", await read("prerm"), 0o755],
    ["postrm", await read("postrm"), 0o755],
  ];
}

function changelog(version: string, epochS: number): string {
  const date = new Date(epochS * 1000).toUTCString().replace("GMT", "+0000");
  return [
    `inmem (${version}) unstable; urgency=medium`,
    "",
    "  * .github/CHANGELOG.md of the project lists the changes.",
    "",
    ` -- inmem contributors <maintainers@inmem.example>  ${date}`,
    "",
  ].join("\n");
}

function gzip(text: string): Uint8Array {
  return gzipSync(text, { level: 9 });
}

async function writeFile(path: string, content: string | Uint8Array, mode: number): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true, mode: 0o755 });
  if (typeof content === "string") await Deno.writeTextFile(path, content);
  else await Deno.writeFile(path, content);
  // The mode of a new file also depends on the umask.
  await Deno.chmod(path, mode);
}
