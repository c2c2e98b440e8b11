/**
 * Lists the files that the repository has, and checks which it may have.
 *
 * @module
 */

/** Folders that hold no file of the repository, wherever they are. */
const SKIPPED = [".git", "node_modules", "coverage", "inmem-data"];

/**
 * Lists the repository's files by their paths from its root, sorted. Git says which it tracks; where there is no git,
 * as in an archive, every file in the folder is one.
 *
 * @param root the root's path, which ends with a slash
 */
export function listFiles(root: string): string[] {
  return (trackedFiles(root) ?? [...filesBelow(root, "")]).sort();
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

function* filesBelow(root: string, folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(root + folder)) {
    if (SKIPPED.includes(name)) continue;
    if (isDirectory) yield* filesBelow(root, `${folder}${name}/`);
    else yield folder + name;
  }
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
 * The extensions that files of a folder of the root have, and names of files that are allowed beside them. Folders that
 * are not listed here, such as `.ci`, hold any files.
 */
const ALLOWED: Readonly<Record<string, { extensions: readonly string[]; names?: readonly string[] }>> = {
  ".github": { extensions: ["md", "yml"] },
  bench: { extensions: ["ts", "md"] },
  certs: { extensions: ["md"], names: [".gitignore"] },
  cluster: { extensions: ["ts", "md", "yml", "json"], names: [".gitignore"] },
  src: { extensions: ["ts", "md"], names: ["import_map.json"] },
  tests: { extensions: ["ts", "md"], names: ["deno.lock", "native_client.py"] },
};

/** Returns a sentence for each file, by its path from the root, that the repository may not have. */
export function strayFiles(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    const [top = "", ...rest] = path.split("/");
    if (!top.startsWith(".") && !ROOT_NAMES.includes(top)) return [`${path}: the root has no "${top}"`];
    const allowed = ALLOWED[top];
    if (rest.length === 0 || allowed === undefined) return [];
    const name = rest.at(-1)!;
    const isAllowed = allowed.extensions.some((each) => name.endsWith(`.${each}`)) || allowed.names?.includes(name);
    return isAllowed ? [] : [`${path}: ${top}/ has files of ${allowed.extensions.join(", ")} only`];
  });
}
