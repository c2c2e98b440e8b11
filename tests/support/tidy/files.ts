/**
 * Lists the files that the repository has, and checks which it may have.
 *
 * @module
 */

/**
 * Lists the repository's files by their paths from its root, sorted. Where there is no git, as in an archive, these are
 * the files that no `.gitignore` excludes.
 *
 * @param root the root's path, which ends with a slash
 */
export function listFiles(root: string): string[] {
  return (trackedFiles(root) ?? [...filesBelow(root, "", [])]).sort();
}

/** Returns what git tracks and what is there; a file that is removed, but not committed yet, is not. */
function trackedFiles(root: string): string[] | undefined {
  try {
    Deno.statSync(`${root}.git`);
    const { success, stdout } = new Deno.Command("git", {
      args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
      cwd: root,
    }).outputSync();
    if (!success) return undefined;
    return new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "" && exists(root + path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

function* filesBelow(root: string, folder: string, outer: readonly IgnorePattern[]): Generator<string> {
  const patterns = [...outer, ...ignorePatterns(root, folder)];
  for (const { name, isDirectory } of Deno.readDirSync(root + folder)) {
    const path = `${folder}${name}${isDirectory ? "/" : ""}`;
    // The last pattern that fits decides.
    const isIgnored = patterns.findLast(({ fits }) => fits.test(path))?.excludes ?? false;
    if (name === ".git" || isIgnored) continue;
    if (isDirectory) yield* filesBelow(root, path, patterns);
    else yield path;
  }
}

/** One line of a `.gitignore`. */
interface IgnorePattern {
  /** Fits paths from the root; those of folders end with a slash. */
  readonly fits: RegExp;
  readonly excludes: boolean;
}

/**
 * Reads the part of the language of `.gitignore` that is used here: `name`, `name/`, `/name`, `*` in a name, and `!`.
 */
function ignorePatterns(root: string, folder: string): IgnorePattern[] {
  if (!exists(`${root}${folder}.gitignore`)) return [];
  const lines = Deno.readTextFileSync(`${root}${folder}.gitignore`).split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
    const [, not, pattern = "", slash] = /^(!?)(.*?)(\/?)$/.exec(line)!;
    const anywhere = pattern.includes("/") ? "" : "(?:.*/)?";
    const name = RegExp.escape(pattern.replace(/^\//, "")).replaceAll("\\*", "[^/]*");
    const fits = new RegExp(`^${RegExp.escape(folder)}${anywhere}${name}${slash === "" ? "/?" : "/"}$`);
    return { fits, excludes: not === "" };
  });
}

/** What the root has, besides names that begin with a dot. */
const ROOT_NAMES = [
  "Dockerfile",
  "LICENSE",
  "README.md",
  "bench",
  "certs",
  "cluster",
  "deno.json",
  "deno.lock",
  "src",
  "tests",
];

/**
 * The extensions that files of a folder have, and names of files that are allowed beside them. Folders that
 * are not listed here, such as `.ci`, hold any files.
 */
const ALLOWED: Readonly<Record<string, { extensions: readonly string[]; names?: readonly string[] }>> = {
  ".github": { extensions: ["md", "yml", "png"] },
  bench: { extensions: ["ts", "md"] },
  certs: { extensions: ["md"], names: [".gitignore"] },
  cluster: { extensions: ["ts", "md", "yml", "json"], names: [".gitignore"] },
  src: { extensions: ["ts", "md"], names: ["import_map.json"] },
  // The files of the live page, which a browser loads.
  "src/page/assets": { extensions: ["js", "css", "html"], names: ["deno.json"] },
  tests: { extensions: ["ts", "md"], names: ["deno.lock", "native_client.py"] },
};

/** Returns a sentence for each file, by its path from the root, that the repository may not have. */
export function strayFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const [top = "", ...rest] = path.split("/");
    if (!top.startsWith(".") && !ROOT_NAMES.includes(top)) return [`${path}: the root has no "${top}"`];
    const folder = path.slice(0, path.lastIndexOf("/"));
    const allowed = ALLOWED[folder] ?? ALLOWED[top];
    if (rest.length === 0 || allowed === undefined) return [];
    const name = rest.at(-1)!;
    const isAllowed = allowed.extensions.some((each) => name.endsWith(`.${each}`)) || allowed.names?.includes(name);
    return isAllowed ? [] : [`${path}: ${top}/ has files of ${allowed.extensions.join(", ")} only`];
  });
}
