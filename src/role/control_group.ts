/**
 * Reads the memory limit of the control group that this process is in.
 *
 * ```text
 * /proc/self/cgroup      which group, for each hierarchy       4:memory:/system.slice/a.service     (version 1)
 *                                                              0::/system.slice/a.service           (version 2)
 * /proc/self/mountinfo   where a hierarchy is mounted,         36 31 0:33 /root /sys/fs/cgroup/memory … - cgroup … rw,memory
 *                        and from which of its groups on
 * ```
 *
 * The limits of all groups above apply as well, so each folder from the top of the mount to the process's group is
 * read, and the least limit counts. What is above the mount, as in a container, cannot be read, but version 1 reports
 * it in `memory.stat`.
 *
 * "No limit" needs no special case: version 2 writes `max`, and version 1 a number that is larger than any machine's
 * memory. `memory.high` counts like `memory.max`: a process that exceeds it is not killed, but slowed down until it
 * hardly runs.
 *
 * The caller passes a function that reads files, so that tests can describe any machine.
 *
 * @module
 */

/** Returns the text of a file; `undefined` when it cannot be read. */
export type ReadFile = (path: string) => string | undefined;

/** A mounted hierarchy of groups. */
interface Mount {
  /** The path of the group at the top of the mount. */
  readonly root: string;
  /** The folder on which the hierarchy is mounted. */
  readonly point: string;
  readonly version: 1 | 2;
  /** Whether its groups limit memory. With version 2 only the files show it. */
  readonly isOfMemory: boolean;
}

/** The files of a group's folder that hold a limit, by version. */
const LIMIT_FILES = {
  1: ["memory.limit_in_bytes"],
  2: ["memory.max", "memory.high"],
} as const;

/**
 * Returns the least memory limit of the process's control group and all groups above it, in bytes; `Infinity` when
 * there is none or nothing can be read.
 */
export function controlGroupLimit(read: ReadFile): number {
  const groups = parseGroups(read("/proc/self/cgroup") ?? "");
  let limit = Infinity;
  for (const { root, point, version, isOfMemory } of parseMounts(read("/proc/self/mountinfo") ?? "")) {
    if (!isOfMemory) continue;
    const group = groups[version];
    const folders = group === undefined ? [point] : foldersFrom(point, root, group);
    for (const folder of folders) {
      for (const name of LIMIT_FILES[version]) limit = Math.min(limit, parseLimit(read(`${folder}/${name}`)));
    }
    if (version === 1) limit = Math.min(limit, parseHierarchicalLimit(read(`${folders.at(-1)}/memory.stat`)));
  }
  return limit;
}

/**
 * Returns the paths of the process's groups: that of the version 1 hierarchy that limits memory, and that of version 2.
 */
function parseGroups(text: string): { 1: string | undefined; 2: string | undefined } {
  const groups: { 1: string | undefined; 2: string | undefined } = { 1: undefined, 2: undefined };
  for (const line of text.split("\n")) {
    // The path may hold colons.
    const [, hierarchy, controllers, path] = /^([0-9]+):([^:]*):(\/.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (hierarchy === "0" && controllers === "") groups[2] = path;
    else if (controllers!.split(",").includes("memory")) groups[1] = path;
  }
  return groups;
}

/** Returns the reachable mounts of control groups. A mount that another one covers is left out. */
function parseMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const [before, after] = line.split(" - ", 2);
    const fields = before!.split(" ");
    if (after === undefined || fields.length < 6) continue;
    const [root, point] = [unescape(fields[3]!), unescape(fields[4]!)];
    // A later mount hides what is at or below its folder.
    for (let i = mounts.length - 1; i >= 0; i--) if (isAtOrBelow(mounts[i]!.point, point)) mounts.splice(i, 1);
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") mounts.push({ root, point, version: 2, isOfMemory: true });
    else if (type === "cgroup") {
      mounts.push({ root, point, version: 1, isOfMemory: options.split(",").includes("memory") });
    }
  }
  return mounts;
}

/**
 * Returns the folders of all groups from the top of a mount down to `group`, or only the top if the group is not below
 * it.
 */
function foldersFrom(point: string, root: string, group: string): string[] {
  const folders = [point];
  if (!isAtOrBelow(group, root)) return folders;
  for (const name of group.slice(root.length).split("/")) {
    // `..` is a group that the process's namespace does not show.
    if (name === "..") return [point];
    if (name !== "") folders.push(`${folders.at(-1) === "/" ? "" : folders.at(-1)}/${name}`);
  }
  return folders;
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

/** Undoes the octal escapes of mountinfo, for blank, tab, newline and backslash. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function parseLimit(text: string | undefined): number {
  const number = text?.trim() ?? "";
  return /^[0-9]+$/.test(number) ? Number(number) : Infinity;
}

function parseHierarchicalLimit(text: string | undefined): number {
  return parseLimit(/^hierarchical_memory_limit ([0-9]+)$/m.exec(text ?? "")?.[1]);
}
