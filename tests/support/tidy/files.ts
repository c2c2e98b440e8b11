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
