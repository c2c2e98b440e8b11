/**
 * The role `inmem import`: keys of a file into a server or cluster.
 *
 * ```text
 * file   open ──► verify: read everything ──► read again and import ──► summary
 * pipe   open ────────────────────────────────► read and import ──────► summary
 * ```
 *
 * @module
 */

import type { ConnectionSettings } from "../client/client.ts";
import { fileReason, InmemError, UsageError } from "../errors.ts";
import { helpText, type OptionValues } from "../role/options.ts";
import { importOptions } from "../role/transfer_options.ts";
import { askIfWanted, isPlaintext, resolveTarget, settingsOf } from "../target/connect.ts";
import { exitStatusOf, Status } from "../target/exit_status.ts";
import { failureText } from "../target/failure_text.ts";
import { parseTargetOptions } from "../target/target_values.ts";
import { printable } from "../terminal/printable_text.ts";
import { formatCount, formatDuration, ProgressLine } from "../terminal/progress.ts";
import { ByteSource } from "./byte_source.ts";
import { CsvReader } from "./csv_reader.ts";
import { type EntryReader, InputError } from "./entry_reader.ts";
import { type ExistingKeys, importEntries, InterruptedError, KeyRefusedError } from "./importer.ts";
import { countKeys, ImportReport } from "./import_report.ts";
import { JsonLinesReader } from "./json_lines_reader.ts";
import { Crc64 } from "./rdb/crc64.ts";
import { RdbReader } from "./rdb/rdb_reader.ts";
import {
  type Contents,
  describeDatabases,
  formatOf,
  parseDatabase,
  refuseAbsentDatabase,
  verifyEntries,
} from "./verify.ts";

type Values = OptionValues<typeof importOptions>;
type Format = "rdb" | "jsonl" | "csv";

/** The exit status after Ctrl-C, as shells have it. */
const INTERRUPTED = 130;

/**
 * Runs `inmem import`.
 *
 * @param argv the arguments after `import`
 * @returns the exit status: 0 done, 1 the server refused a key, or it exists, 2 wrong usage or input, 3 no connection,
 *   130 ended by Ctrl-C
 */
export async function importMain(argv: readonly string[]): Promise<number> {
  const report = new ImportReport();
  let isBegun = false;
  let plaintext = false;
  try {
    const { values, positional } = await parseTargetOptions(importOptions, argv);
    plaintext = isPlaintext(values);
    if (values.help) {
      console.log(helpText(importOptions).trimEnd());
      return Status.Done;
    }
    const run = new ImportRun(values, fileOf(positional), report, () => isBegun = true);
    console.log(await run.run());
    return Status.Done;
  } catch (error) {
    if (!(error instanceof InmemError)) throw error;
    const done = isBegun ? ` ${report.partText()}` : error instanceof InputError ? " Nothing was imported." : "";
    const message = failureText(error, plaintext).replace(/\.$/, "");
    console.error(`inmem import: ${printable(done === "" ? message : `${message}.${done}`)}`);
    return statusOf(error);
  }
}

function statusOf(error: InmemError): number {
  if (error instanceof InterruptedError) return INTERRUPTED;
  if (error instanceof KeyRefusedError) return Status.Refused;
  if (error instanceof InputError) return Status.Usage;
  const status = exitStatusOf(error);
  if (status === undefined) throw error;
  return status;
}

function fileOf(positional: readonly string[]): string {
  const [file, more] = positional;
  if (file === undefined) throw new UsageError("Cannot import nothing: expected a file, or - for standard input");
  if (more !== undefined) throw new UsageError(`Cannot import "${more}" as well: expected one file`);
  return file;
}

/** One run of `inmem import`. */
class ImportRun {
  readonly #values: Values;
  readonly #file: string;
  readonly #report: ImportReport;
  readonly #begin: () => void;

  /**
   * @param begin is called before the first request is sent
   */
  constructor(values: Values, file: string, report: ImportReport, begin: () => void) {
    this.#values = values;
    this.#file = file;
    this.#report = report;
    this.#begin = begin;
  }

  /** Imports, and returns the summary. */
  async run(): Promise<string> {
    const values = this.#values;
    if (values.replace && values["skip-existing"]) {
      throw new UsageError("Cannot use --replace together with --skip-existing");
    }
    const database = parseDatabase(values.db);
    // A wrong target is found before a large file is read.
    const settings = values["dry-run"] ? undefined : await settingsOf(await askIfWanted(values, resolveTarget(values)));
    const startMs = performance.now();
    const input = await openInput(this.#file);
    try {
      if (input.seek === undefined) {
        return await this.#import(await this.#reader(input, true), input, settings, database, startMs);
      }
      const reader = await this.#reader(input, true);
      const contents = await this.#verify(reader, input, database);
      if (settings === undefined) return summaryOf(contents);
      await input.seek(0, Deno.SeekMode.Start);
      return await this.#import(await this.#reader(input, false), input, settings, database, startMs);
    } finally {
      input.close();
    }
  }

  async #reader(input: Input, isVerified: boolean): Promise<EntryReader> {
    const checksum = isVerified ? new Crc64() : undefined;
    const source = new ByteSource(input.name, input, (bytes, length) => checksum?.add(bytes, 0, length));
    const format = this.#values.format ?? formatByName(this.#file) ?? await formatByContent(source);
    if (format === "rdb") {
      return new RdbReader(source, { checksum, dropFieldDeadlines: this.#values["drop-field-ttl"] });
    }
    return format === "csv" ? new CsvReader(source) : new JsonLinesReader(source);
  }

  async #verify(reader: EntryReader, { size }: Input, database: number | undefined): Promise<Contents> {
    const read = () => ({ done: reader.usedBytes, used: reader.usedBytes, total: size });
    const line = new ProgressLine({ label: "verify", unit: "bytes", read });
    try {
      const contents = await verifyEntries(reader, database, this.#values["skip-unsupported"]);
      if (this.#values.db === undefined && contents.keys.size > 1) {
        const found = describeDatabases(contents);
        throw new InputError(`Cannot choose a database: --db NUMBER or --db all does (${found})`, this.#file);
      }
      if (database !== undefined && !contents.keys.has(database) && !contents.skipped.has(database)) {
        refuseAbsentDatabase(database, contents.keys, this.#file);
      }
      return contents;
    } finally {
      await line.end();
    }
  }

  async #import(
    reader: EntryReader,
    { size }: Input,
    settings: ConnectionSettings | undefined,
    database: number | undefined,
    startMs: number,
  ): Promise<string> {
    const values = this.#values;
    if (settings === undefined) throw new UsageError("Cannot use --dry-run with a pipe: expected a file");
    const existing: ExistingKeys = values.replace ? "replace" : values["skip-existing"] ? "skip" : "fail";
    const report = this.#report;
    const read = () => ({ done: report.done, used: reader.usedBytes, total: size });
    const line = new ProgressLine({ label: "import", unit: "keys", read });
    const interruption = new AbortController();
    const interrupt = () => {
      // A second Ctrl-C ends the process.
      Deno.removeSignalListener("SIGINT", interrupt);
      interruption.abort();
    };
    const { signal } = interruption;
    const options = { existing, database, skipsUnsupported: values["skip-unsupported"], signal };
    Deno.addSignalListener("SIGINT", interrupt);
    try {
      await importEntries(reader, settings, options, report, this.#begin);
    } finally {
      if (!signal.aborted) Deno.removeSignalListener("SIGINT", interrupt);
      await line.end();
    }
    // A pipe is read only once, so its databases are known at its end.
    if (database !== undefined && !report.hasChosen) {
      refuseAbsentDatabase(database, report.otherDatabases, this.#file === "-" ? "standard input" : this.#file);
    }
    const seconds = (performance.now() - startMs) / 1000;
    return `${report.text()} (in ${formatDuration(seconds)}, ${formatCount(report.done / seconds)} keys/s)`;
  }
}

/** A file or pipe that is imported. */
interface Input {
  /** The name in messages. */
  readonly name: string;
  /** The size of a file, in bytes. */
  readonly size: number | undefined;
  read(target: Uint8Array): Promise<number | null>;
  /** Goes to another position, in a file. */
  seek?: (offset: number, whence: Deno.SeekMode) => Promise<number>;
  close(): void;
}

/** @throws {UsageError} when the file cannot be opened */
async function openInput(path: string): Promise<Input> {
  if (path === "-") {
    return { name: "standard input", size: undefined, read: (target) => Deno.stdin.read(target), close: () => {} };
  }
  try {
    const file = await Deno.open(path);
    const { isFile, isDirectory, size } = await file.stat();
    if (isDirectory) {
      file.close();
      throw new Error("it is a folder");
    }
    const input = {
      name: `file "${path}"`,
      size: undefined,
      read: (b: Uint8Array) => file.read(b),
      close: () => file.close(),
    };
    return isFile ? { ...input, size, seek: (offset, whence) => file.seek(offset, whence) } : input;
  } catch (error) {
    throw new UsageError(`Cannot open "${path}": ${fileReason(error)}`, { cause: error });
  }
}

const ENDINGS: ReadonlyMap<string, Format> = new Map([
  ["rdb", "rdb"],
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["csv", "csv"],
]);

function formatByName(path: string): Format | undefined {
  return ENDINGS.get(path.toLowerCase().split(".").at(-1)!);
}

/** The number of bytes by which a format is recognized. */
const RECOGNIZED_BYTES = 16;

async function formatByContent(source: ByteSource): Promise<Format> {
  while (source.end - source.at < RECOGNIZED_BYTES && await source.fill());
  return formatOf(source.bytes.subarray(source.at, Math.min(source.end, source.at + RECOGNIZED_BYTES)));
}

function summaryOf(contents: Contents): string {
  const { keys } = contents;
  if (keys.size === 0) return "The file is valid: no keys";
  const [only] = keys.size === 1 ? keys : [];
  if (only === undefined || only[0] !== 0) return `The file is valid: ${describeDatabases(contents)}`;
  return `The file is valid: ${countKeys(only[1])}`;
}
