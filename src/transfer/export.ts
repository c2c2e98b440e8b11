/**
 * The role `inmem export`: keys of a server or cluster into a file.
 *
 * A file gets its name only when it is complete: until then it has the ending `.part`, and an export that fails removes
 * it. Standard output gets what is read, and the summary goes to standard error.
 *
 * @module
 */

import type { Client } from "../client/client.ts";
import { fileReason, InmemError, UsageError } from "../errors.ts";
import { EXPORT_WRITE_BYTES } from "../limits.ts";
import { helpText, type OptionValues } from "../role/options.ts";
import { exportOptions } from "../role/transfer_options.ts";
import { connectAs, isPlaintext } from "../target/connect.ts";
import { exitStatusOf, Status } from "../target/exit_status.ts";
import { failureText } from "../target/failure_text.ts";
import { parseTargetOptions } from "../target/target_values.ts";
import { printable } from "../terminal/printable_text.ts";
import { formatCount, formatDuration, ProgressLine } from "../terminal/progress.ts";
import { CsvWriter } from "./csv_writer.ts";
import { type ExportCounts, exportKeys } from "./exporter.ts";
import { countKeys } from "./import_report.ts";
import { JsonLinesWriter } from "./json_lines_writer.ts";

type Values = OptionValues<typeof exportOptions>;

/**
 * Runs `inmem export`.
 *
 * @param argv the arguments after `export`
 * @returns the exit status: 0 done, 1 the server refused a command, 2 wrong usage or output, 3 no connection
 */
export async function exportMain(argv: readonly string[]): Promise<number> {
  let plaintext = false;
  try {
    const { values, positional } = await parseTargetOptions(exportOptions, argv);
    plaintext = isPlaintext(values);
    if (values.help) {
      console.log(helpText(exportOptions).trimEnd());
      return Status.Done;
    }
    if (positional.length > 0) {
      throw new UsageError(`Cannot use "${positional[0]}": expected options only; --out names a file`);
    }
    await run(values);
    return Status.Done;
  } catch (error) {
    if (error instanceof ReadEnoughError) return Status.Done;
    if (!(error instanceof InmemError)) throw error;
    console.error(`inmem export: ${printable(failureText(error, plaintext))}`);
    return exitStatusOf(error) ?? Status.Usage;
  }
}

async function run(values: Values): Promise<void> {
  const startMs = performance.now();
  const format = values.format ?? (values.out?.toLowerCase().endsWith(".csv") ? "csv" : "jsonl");
  const client = await connectAs(values);
  try {
    const output = await Output.open(values.out);
    const counts: ExportCounts = { exported: 0, vanished: 0 };
    const total = values.match === undefined && values.type === undefined ? await sizeOf(client) : undefined;
    const read = () => ({ done: counts.exported, used: counts.exported, total });
    const line = new ProgressLine({ label: "export", unit: "keys", read });
    try {
      const writer = format === "csv" ? new CsvWriter() : new JsonLinesWriter();
      const { match, type } = values;
      await exportKeys(client, writer, { match, type }, (bytes) => output.write(bytes), counts);
      await output.end();
    } catch (error) {
      await output.remove();
      throw error;
    } finally {
      await line.end();
    }
    const seconds = (performance.now() - startMs) / 1000;
    const rate = `in ${formatDuration(seconds)}, ${formatCount(counts.exported / seconds)} keys/s`;
    const vanished = counts.vanished > 0 ? `; ${formatCount(counts.vanished)} were removed meanwhile` : "";
    console.error(`${countKeys(counts.exported)} exported${vanished} (${rate})`);
  } finally {
    client.disconnect();
    await client.close();
  }
}

async function sizeOf(client: Client): Promise<number> {
  return Number(await client.send(["size"]));
}

/** The reader of standard output has read enough, as in `| head`. */
class ReadEnoughError extends Error {}

/** The file or stream that is written. */
class Output {
  readonly #path: string | undefined;
  readonly #file: { write(bytes: Uint8Array): Promise<number> };
  #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  private constructor(path: string | undefined, file: { write(bytes: Uint8Array): Promise<number> }) {
    this.#path = path;
    this.#file = file;
  }

  /** @throws {UsageError} when the file exists, or cannot be made */
  static async open(path: string | undefined): Promise<Output> {
    if (path === undefined || path === "-") return new Output(undefined, Deno.stdout);
    const exists = await Deno.lstat(path).then(() => true, () => false);
    if (exists) throw new UsageError(`Cannot write "${path}": it exists`);
    try {
      return new Output(
        path,
        await Deno.open(partOf(path), { write: true, create: true, truncate: true, mode: 0o600 }),
      );
    } catch (error) {
      throw new UsageError(`Cannot write "${partOf(path)}": ${fileReason(error)}`, { cause: error });
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#chunks.push(bytes);
    this.#sizeBytes += bytes.length;
    if (this.#sizeBytes >= EXPORT_WRITE_BYTES) await this.#flush();
  }

  /** Writes the rest, and gives the file its name. */
  async end(): Promise<void> {
    await this.#flush();
    if (this.#path === undefined) return;
    const file = this.#file as Deno.FsFile;
    try {
      await file.sync();
      file.close();
      await Deno.rename(partOf(this.#path), this.#path);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Removes what is written to a file. */
  async remove(): Promise<void> {
    if (this.#path !== undefined) await Deno.remove(partOf(this.#path)).catch(() => {});
  }

  async #flush(): Promise<void> {
    const bytes = new Uint8Array(this.#sizeBytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [];
    this.#sizeBytes = 0;
    try {
      for (let written = 0; written < bytes.length;) written += await this.#file.write(bytes.subarray(written));
    } catch (error) {
      if (error instanceof Deno.errors.BrokenPipe) throw new ReadEnoughError();
      throw this.#failure(error);
    }
  }

  #failure(error: unknown): UsageError {
    const name = this.#path === undefined ? "standard output" : `"${this.#path}"`;
    return new UsageError(`Cannot write ${name}: ${fileReason(error)}`, { cause: error });
  }
}

function partOf(path: string): string {
  return `${path}.part`;
}
