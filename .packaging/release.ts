/**
 * `deno task release`: builds every artefact that this machine can build into a folder, and says what it cannot.
 *
 * ```text
 * release/inmem-0.1.0-linux-x64.tar.gz   the binary, man pages, completions, units, LICENSE; one for each platform
 * release/inmem_0.1.0_amd64.deb          the Debian package; one for each architecture of Linux
 * release/inmem-0.1.0-kubernetes.yaml    the manifests of cluster/kubernetes/ in one file
 * release/SHA256SUMS                     for `sha256sum --check`
 * image inmem:0.1.0                      where a container engine runs
 * ```
 *
 * The same sources give the same bytes: times are those of the commit, names are sorted, owners are root.
 *
 * @module
 */

import { gzipSync } from "node:zlib";
import { join } from "@std/path";
import { binaryName, compile, type Target, TARGETS } from "./binaries.ts";
import { buildDeb } from "./deb.ts";
import { type Extras, readExtras } from "./extras.ts";

const ROOT = join(import.meta.dirname!, "..");
/** The file that lists the others. */
const SUMS = "SHA256SUMS";

/** What a release was asked to contain. */
interface ReleaseSettings {
  /** The folder of the artefacts, which is emptied. */
  readonly folder: string;
  /** The platforms; all unless some are named. */
  readonly targets: readonly Target[];
  /** Whether a missing artefact fails the release. */
  readonly isStrict: boolean;
}

const USAGE = `Usage: deno task release [strict] [PLATFORM ...]

Builds the artefacts of a release into release/. Platforms: ${
  TARGETS.map(({ name }) => name).join(", ")
}; all by default.
strict exits with 1 if any artefact is missing. Otherwise only the binary of this machine has to be built.`;

function parseArguments(words: readonly string[]): ReleaseSettings {
  const names = words.filter((word) => word !== "strict");
  const targets = names.map((name) => {
    const target = TARGETS.find((each) => each.name === name);
    if (target === undefined) throw new Error(`Cannot build "${name}"\n\n${USAGE}`);
    return target;
  });
  const folder = join(ROOT, "release");
  return { folder, targets: targets.length > 0 ? targets : TARGETS, isStrict: names.length < words.length };
}

/** A release that is built. */
class Release {
  readonly #settings: ReleaseSettings;
  readonly #version: string;
  readonly #epochS: number;
  /** The number of artefacts that are missing. */
  missing = 0;

  constructor(settings: ReleaseSettings, version: string, epochS: number) {
    this.#settings = settings;
    this.#version = version;
    this.#epochS = epochS;
  }

  /** Builds everything. Returns whether the binary of this machine is there, unless it was not asked for. */
  async build(): Promise<boolean> {
    const { folder, targets } = this.#settings;
    await Deno.remove(folder, { recursive: true }).catch(() => {});
    await Deno.mkdir(folder, { recursive: true });
    const work = await Deno.makeTempDir({ prefix: "inmem-release-" });
    try {
      const binaries = new Map<Target, string>();
      for (const target of targets) {
        const path = join(work, target.name);
        await Deno.mkdir(path);
        const binary = join(path, binaryName(target));
        const problem = await compile(target, binary);
        if (problem === undefined) binaries.set(target, binary);
        else this.#miss(`binary for ${target.name}`, problem);
      }
      const own = [...binaries].find(([{ triple }]) => triple === Deno.build.target)?.[1];
      const extras = await this.#extras(own);
      for (const [target, binary] of binaries) {
        await this.#archive(target, binary, extras);
        if (target.debian !== undefined) await this.#deb(target.debian, binary, extras);
      }
      await this.#manifests();
      await this.#image();
      await this.#sums();
      return own !== undefined || !targets.some(({ triple }) => triple === Deno.build.target);
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  }

  /** Reads the man pages and completions, which are the same for all platforms, and checks the binary on the way. */
  async #extras(own: string | undefined): Promise<Extras> {
    // Without a binary that runs here, the sources print the same.
    const command = own === undefined
      ? [Deno.execPath(), "run", "--quiet", "--no-prompt", "--lock=deno.lock", "--frozen", "-P=program", "src/main.ts"]
      : [own];
    return await readExtras(command);
  }

  async #archive(target: Target, binary: string, extras: Extras): Promise<void> {
    const name = `inmem-${this.#version}-${target.name}`;
    const work = await Deno.makeTempDir({ prefix: "inmem-archive-" });
    try {
      const top = join(work, name);
      for (const folder of ["", "man", "completions"]) await Deno.mkdir(join(top, folder));
      await Deno.copyFile(binary, join(top, binaryName(target)));
      await Deno.copyFile(join(ROOT, "LICENSE"), join(top, "LICENSE"));
      await Deno.copyFile(join(import.meta.dirname!, "README.archive.md"), join(top, "README.md"));
      for (const [file, text] of extras.manPages) await Deno.writeTextFile(join(top, "man", file), text);
      for (const [shell, text] of Object.entries(extras.completions)) {
        await Deno.writeTextFile(join(top, "completions", `inmem.${shell}`), text);
      }
      if (target.name.startsWith("linux")) {
        await Deno.mkdir(join(top, "systemd"));
        for (const unit of ["inmem-server.service", "inmem-proxy.service"]) {
          await Deno.copyFile(join(import.meta.dirname!, "systemd", unit), join(top, "systemd", unit));
        }
      }
      await run("tar", [
        ...["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u=rwX,go=rX", "--format=gnu"],
        ...[`--mtime=@${this.#epochS}`, "-C", work, "-cf", join(work, "archive"), name],
      ]);
      await this.#write(`${name}.tar.gz`, gzipSync(await Deno.readFile(join(work, "archive"))));
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  }

  async #deb(architecture: "amd64" | "arm64", binary: string, extras: Extras): Promise<void> {
    if (await run("dpkg-deb", ["--version"]).then(() => false, () => true)) {
      return this.#miss(`Debian package for ${architecture}`, "there is no dpkg-deb");
    }
    const settings = { binary, architecture, version: this.#version, extras, epochS: this.#epochS };
    this.#report(await buildDeb(settings, this.#settings.folder));
  }

  async #manifests(): Promise<void> {
    const folder = join(ROOT, "cluster", "kubernetes");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name)
      .filter((name) => name.endsWith(".yml") && name !== "kustomization.yml").sort();
    const texts = await Promise.all(names.map((name) => Deno.readTextFile(join(folder, name))));
    await this.#write(`inmem-${this.#version}-kubernetes.yaml`, new TextEncoder().encode(texts.join("---\n")));
  }

  async #image(): Promise<void> {
    const name = `image inmem:${this.#version}`;
    if (await run("docker", ["info"]).then(() => false, () => true)) {
      return this.#miss(name, "no container engine runs here");
    }
    await run("docker", ["build", "--quiet", "--tag", `inmem:${this.#version}`, ROOT])
      .then(() => console.log(`built    ${name}`), (error) => this.#miss(name, String(error)));
  }

  /** Writes the sums of all files, in the form of `sha256sum`. */
  async #sums(): Promise<void> {
    const { folder } = this.#settings;
    let sums = "";
    for (const name of [...Deno.readDirSync(folder)].map(({ name }) => name).sort()) {
      const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(join(folder, name)));
      sums += `${new Uint8Array(digest).toHex()}  ${name}\n`;
    }
    await this.#write(SUMS, new TextEncoder().encode(sums));
  }

  async #write(name: string, content: Uint8Array): Promise<void> {
    const path = join(this.#settings.folder, name);
    await Deno.writeFile(path, content);
    this.#report(path);
  }

  #report(path: string): void {
    const sizeMb = (Deno.statSync(path).size / 1024 / 1024).toFixed(1);
    console.log(`built    ${path.slice(ROOT.length)} (${sizeMb} MB)`);
  }

  #miss(what: string, why: string): void {
    this.missing++;
    console.log(`missing  ${what}: ${why}`);
  }
}

/** Runs a program that must succeed, and returns its output. */
async function run(program: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], cwd: ROOT }).output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${program}: ${decoder.decode(stderr).trim().split("\n").at(-1)}`);
  return decoder.decode(stdout);
}

/** Returns the time of the commit, in seconds since 1970; without git it is that of deno.json. */
async function commitTime(): Promise<number> {
  try {
    return Number(await run("git", ["log", "-1", "--format=%ct"]));
  } catch {
    return Math.floor(Deno.statSync(join(ROOT, "deno.json")).mtime!.getTime() / 1000);
  }
}

if (import.meta.main) {
  if (Deno.args.some((word) => /^(-h|--help)$/.test(word))) {
    console.log(USAGE);
  } else {
    const settings = parseArguments(Deno.args);
    const { version } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
    const release = new Release(settings, version, await commitTime());
    const isComplete = await release.build();
    if (release.missing > 0) console.log(`${release.missing} artefacts are missing`);
    Deno.exit(isComplete && (release.missing === 0 || !settings.isStrict) ? 0 : 1);
  }
}
