/**
 * The role `inmem check`: verifies data on disk without a server, and without changing anything.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { fileReason, StartError, UsageError } from "../errors.ts";
import { CountingTarget } from "../log/counting_target.ts";
import { isRestoreUnfinished, listSegments, listSnapshots } from "../log/folder.ts";
import { type LeftOut, readSegment, readSnapshot, recover, type Recovered } from "../log/recover.ts";
import { systemFiles as files } from "../log/system_files.ts";
import { checkOptions } from "../role/option_tables.ts";
import { helpText, parseOptions } from "../role/options.ts";
import { formatSize } from "../role/quantities.ts";

/** Matches the name of a segment of a log, regardless of its contents. */
const SEGMENT_NAME = /\/?log-[0-9]{15}\.(?:inmem|new)$/;

/** The findings of a check, as `--json` prints them. Times are in ISO 8601. */
interface Findings {
  readonly path: string;
  readonly intact: boolean;
  readonly snapshots: readonly {
    readonly path: string;
    readonly keys: number;
    readonly bytes: number;
    readonly takenAt: string;
    readonly batch: number;
  }[];
  /** The log after the newest snapshot. */
  readonly log: {
    readonly segments: number;
    readonly batches: number;
    readonly lastBatch: number;
    readonly bytes: number;
    readonly oldest: string | null;
    readonly newest: string | null;
  };
  /** The number of records of each effect, including those of snapshots. */
  readonly records: Readonly<Record<string, number>>;
  readonly torn: readonly LeftOut[];
  readonly damaged: readonly LeftOut[];
}

/**
 * Verifies the folder or file that the arguments name, and prints the findings.
 *
 * @param argv the arguments after `check`
 * @returns the exit status: 1 when something is damaged or torn
 * @throws {UsageError} when the options are wrong, or there is nothing to check; then no damage was found
 */
export async function checkMain(argv: readonly string[]): Promise<number> {
  const { values, positional } = parseOptions(checkOptions, argv);
  if (values.help) {
    console.log(helpText(checkOptions).trimEnd());
    return 0;
  }
  const [path, more] = positional;
  if (path === undefined) throw new UsageError("Cannot check nothing: expected a data folder or a file");
  if (more !== undefined) throw new UsageError(`Cannot check "${more}" as well: expected one folder or file`);
  const findings = await check(path).catch((cause) => {
    if (!(cause instanceof StartError)) throw cause;
    throw new UsageError(cause.message, { cause });
  });
  console.log(values.json ? JSON.stringify(findings) : describe(findings));
  return findings.intact ? 0 : 1;
}

async function check(path: string): Promise<Findings> {
  let isFolder: boolean;
  try {
    isFolder = (await Deno.stat(path)).isDirectory;
  } catch (cause) {
    throw new StartError(`Cannot check "${path}": ${fileReason(cause)}`, { cause });
  }
  return isFolder ? await checkFolder(path) : checkFile(path);
}

async function checkFolder(path: string): Promise<Findings> {
  await checkUnused(path);
  const target = new CountingTarget();
  const [snapshots, segments] = [await listSnapshots(files, path), await listSegments(files, path)];
  if (await isRestoreUnfinished(files, path)) {
    throw new StartError(`Cannot check "${path}": a restore into it was interrupted; run "inmem restore" once more`);
  }
  if (snapshots.length + segments.length === 0) {
    throw new StartError(`Cannot check "${path}": it has no snapshot and no log of inmem`);
  }
  const newest = await recover({ files, folder: path, target, repair: true });
  const older = snapshots.slice(1).map((each) => {
    return readSnapshot(each.path, { files, target: new CountingTarget(), repair: true });
  });
  return findingsOf(path, newest, older, target);
}

function checkFile(path: string): Findings {
  const target = new CountingTarget();
  const options = { files, target, repair: true };
  const magic = magicOf(path);
  const isLog = magic === "INMEMLOG" || SEGMENT_NAME.test(path);
  if (!isLog && magic !== "INMEMSNP" && !path.endsWith(".inmem")) {
    throw new StartError(`Cannot check "${path}": expected a snapshot or a log of inmem`);
  }
  return findingsOf(path, isLog ? readSegment(path, options) : readSnapshot(path, options), [], target);
}

/** Returns the first bytes of a file, as text. */
function magicOf(path: string): string {
  try {
    const file = files.openToRead(path);
    try {
      const magic = new Uint8Array(8);
      file.readSync(magic);
      return decodeText(magic);
    } finally {
      file.close();
    }
  } catch (cause) {
    throw new StartError(`Cannot check "${path}": ${fileReason(cause)}`, { cause });
  }
}

/** Refuses a folder that a server is writing to, since it would look torn. */
async function checkUnused(path: string): Promise<void> {
  let lock: Deno.FsFile;
  try {
    const lockPath = `${path}/inmem.lock`;
    if (!(await Deno.stat(lockPath)).isFile) throw new Error(`"${lockPath}" is not a file`);
    lock = await Deno.open(lockPath, { read: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw new StartError(`Cannot check "${path}": ${fileReason(error)}`, { cause: error });
  }
  try {
    if (await lock.tryLock(false)) return;
  } finally {
    lock.close();
  }
  const owner = (await Deno.readTextFile(`${path}/inmem.lock`)).trim();
  throw new StartError(`Cannot check "${path}" while a server (process ${owner}) uses it: stop it, or check a copy`);
}

function findingsOf(path: string, newest: Recovered, older: readonly Recovered[], target: CountingTarget): Findings {
  const all = [newest, ...older];
  const torn = all.flatMap((each) => each.torn);
  const damaged = all.flatMap((each) => each.damaged);
  const snapshots = all.flatMap(({ snapshot }) => snapshot === undefined ? [] : [snapshot]);
  return {
    path,
    intact: torn.length + damaged.length === 0,
    snapshots: snapshots.map(({ path, keys, sizeBytes, takenMs, batch }) => {
      return { path, keys, bytes: sizeBytes, takenAt: new Date(takenMs).toISOString(), batch };
    }),
    log: {
      segments: newest.segments.length,
      batches: newest.batches,
      lastBatch: newest.batch,
      bytes: newest.logBytes,
      oldest: newest.batches === 0 ? null : new Date(newest.firstMs).toISOString(),
      newest: newest.batches === 0 ? null : new Date(newest.lastMs).toISOString(),
    },
    records: target.counts,
    torn,
    damaged,
  };
}

function describe({ path, snapshots, log, records, torn, damaged }: Findings): string {
  const lines = snapshots.map(({ path, keys, bytes, takenAt, batch }) => {
    return `snapshot  ${path}: ${plural(keys, "key", "keys")}, ${
      formatSize(bytes)
    }, taken ${takenAt}, through batch ${batch}`;
  });
  if (log.segments > 0) {
    const times = log.oldest === null ? "" : `, ${log.oldest} to ${log.newest}`;
    const last = log.batches === 0 ? "" : `, the last is ${log.lastBatch}`;
    const segments = plural(log.segments, "segment", "segments");
    const batches = plural(log.batches, "batch", "batches");
    lines.push(`log       ${segments}; to replay: ${batches}, ${formatSize(log.bytes)}${last}${times}`);
  }
  const counts = Object.entries(records).map(([name, count]) => `${count} ${name}`);
  lines.push(`records   ${counts.join(", ") || "none"}`);
  for (const { path, offset, bytes, reason } of torn) {
    lines.push(`torn      ${path} at offset ${offset}, ${bytes} bytes: ${reason}`);
  }
  for (const { path, offset, bytes, reason } of damaged) {
    lines.push(`damaged   ${path} at offset ${offset}, ${bytes} bytes: ${reason}`);
  }
  let verdict = "intact";
  if (damaged.length > 0) verdict = "damaged: a server starts with --repair only, or from a backup";
  else if (torn.length > 0) verdict = "torn at the end, as a crash leaves it: a server starts, and cuts it off";
  return [...lines, `${path} is ${verdict}`].join("\n");
}

function plural(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
