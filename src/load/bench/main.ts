/**
 * `inmem bench`: loads a server, checks every reply, and prints rates and latencies.
 *
 * It talks to inmem, to Redis and to any other compatible server. With `--compare` it loads two servers in turn,
 * several rounds, so that what else the machine does falls on both; the figures are those of the round with the median
 * rate.
 *
 * ```text
 * workloads.ts        what is sent, and which reply is expected
 * side.ts             a server: its connections and its keys
 * lane.ts             one connection: encodes requests, checks replies
 * *_driver.ts         moves the bytes
 * report.ts           prints
 * ```
 *
 * @module
 */

import { InmemError, ReplyError, UsageError } from "../../errors.ts";
import { benchOptions } from "../../role/bench_options.ts";
import { helpText, type OptionValues } from "../../role/options.ts";
import { askIfWanted, isPlaintext, resolveTarget, type Target, targetSettings } from "../../target/connect.ts";
import { exitStatusOf, Status } from "../../target/exit_status.ts";
import { failureText } from "../../target/failure_text.ts";
import { parseTargetOptions } from "../../target/target_values.ts";
import { printableLine } from "../../terminal/printable_text.ts";
import { ProgressLine } from "../../terminal/progress.ts";
import type { BulkProtocol } from "../bulk_connection.ts";
import { type Figures, headLines, limitOf, type ReportFormat, testLines } from "./report.ts";
import type { Run } from "./run.ts";
import { type LoadSettings, type Measurement, Side } from "./side.ts";
import { DEFAULT_NAMES, type Workload, WORKLOADS } from "./workloads.ts";

type Values = OptionValues<typeof benchOptions>;

/**
 * Runs `inmem bench`.
 *
 * @param argv the arguments after `bench`
 * @returns the exit status: 0 done, 1 a reply was wrong or refused, 2 wrong usage, 3 no connection
 */
export async function benchMain(argv: readonly string[]): Promise<number> {
  let plaintext = false;
  try {
    const { values, positional } = await parseTargetOptions(benchOptions, argv);
    plaintext = isPlaintext(values);
    if (values.help) {
      console.log(helpText(benchOptions) + testsHelp());
      return Status.Done;
    }
    if (positional.length > 0) {
      throw new UsageError(`Cannot use "${positional[0]}": expected options only; -t set,get names tests`);
    }
    const target = await askIfWanted(values, resolveTarget(values));
    return await new Benchmark(values, target).run();
  } catch (error) {
    if (!(error instanceof InmemError) || error.code === "ASSERTION") throw error;
    const what = error instanceof ReplyError ? "Cannot load the server: " : "";
    console.error(`inmem bench: ${what}${printableLine(failureText(error, plaintext))}`);
    return exitStatusOf(error) ?? Status.Refused;
  }
}

class Benchmark {
  readonly #values: Values;
  readonly #format: ReportFormat;
  readonly #workloads: readonly Workload[];
  readonly #load: LoadSettings;
  readonly #targets: readonly Target[];

  constructor(values: Values, target: Target) {
    if (values.json && values.csv) throw new UsageError("Cannot use --json together with --csv: expected one of them");
    this.#values = values;
    this.#format = values.json ? "json" : values.csv ? "csv" : "table";
    this.#workloads = workloadsOf(values.tests);
    this.#load = {
      protocol: values.protocol as BulkProtocol,
      clients: values.clients,
      pipeline: values.pipeline,
      requests: values.requests ?? Infinity,
      durationMs: values.requests === undefined ? values.duration : Infinity,
      valueSize: values.size,
      keysCount: values.keys,
    };
    this.#targets = [target, ...compared(values)];
  }

  async run(): Promise<number> {
    const sides: Side[] = [];
    try {
      for (const target of this.#targets) {
        sides.push(await Side.open(await targetSettings(target, this.#load.protocol), this.#load));
      }
      await this.#measure(sides);
      return Status.Done;
    } finally {
      for (const side of sides) await side[Symbol.asyncDispose]();
    }
  }

  async #measure(sides: readonly Side[]): Promise<void> {
    print(headLines(this.#format, sides.map(({ address }) => address), this.#describe()));
    const families = this.#workloads.flatMap((workload) => [workload, ...workload.before ? [workload.before] : []]);
    for (const side of sides) await side.clean(families);
    const last: Measurement[] = [];
    for (const workload of this.#workloads) {
      const figures = await this.#test(workload, sides);
      print(testLines(this.#format, figures));
      last.push(figures[0]!);
    }
    if (!this.#values.keep) { for (const side of sides) await side.clean(families); }
    if (this.#format === "table" && sides.length === 1) print(["", verdict(last)]);
  }

  /** Measures one test on each server in turn. */
  async #test(workload: Workload, sides: readonly Side[]): Promise<Figures[]> {
    const rounds = sides.length === 1 ? 1 : this.#values.rounds;
    const measured: Measurement[][] = sides.map(() => []);
    let current: Run | undefined;
    const progress = new ProgressLine({
      label: workload.name,
      unit: "requests",
      read: () => ({ done: current?.repliedCount ?? 0 }),
    });
    try {
      for (let round = 0; round < rounds; round++) {
        // The one that begins changes, so that no server always runs after a pause.
        const order = round % 2 === 0 ? [...sides.keys()] : [...sides.keys()].reverse();
        for (const i of order) measured[i]!.push(await sides[i]!.measure(workload, (run) => current = run));
      }
    } finally {
      await progress.end();
    }
    return sides.map(({ address }, i) => ({ test: workload.name, address, ...medianOf(measured[i]!) }));
  }

  #describe(): string {
    const { protocol, clients, pipeline, valueSize, keysCount } = this.#load;
    const name = protocol === "resp" ? "RESP" : "native protocol";
    const security = this.#targets.map(({ plaintext }) => plaintext ? "no TLS" : "TLS");
    return [
      `${name}, ${[...new Set(security)].join(" and ")}`,
      `${clients} clients, pipeline ${pipeline}`,
      `values of ${valueSize} bytes, ${keysCount} keys`,
    ].join("; ");
  }
}

function print(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}

/** Returns the server of --compare, if there is one. It gets no password but that of its URL. */
function compared(values: Values): Target[] {
  const { compare } = values;
  if (compare === undefined) return [];
  const target = resolveTarget({ ...values, addr: compare });
  return [{ ...target, passwords: compare.password === undefined ? [] : [compare.password] }];
}

function workloadsOf(text: string): Workload[] {
  return text.split(",").map((word) => {
    const name = word.trim().toLowerCase();
    const workload = WORKLOADS.find((each) => each.name === name);
    if (workload !== undefined) return workload;
    const names = WORKLOADS.map((each) => each.name).join(", ");
    throw new UsageError(`Cannot run test "${word.trim()}": expected ${names}`);
  });
}

function medianOf(measured: readonly Measurement[]): Measurement {
  const sorted = [...measured].sort((left, right) => left.requestsPerSecond - right.requestsPerSecond);
  return sorted[Math.floor((sorted.length - 1) / 2)]!;
}

/** Returns what limited the tests, if it is the same for most of them. */
function verdict(measured: readonly Measurement[]): string {
  const requests = measured.reduce((sum, each) => sum + each.requests, 0);
  const counts = new Map<string, number>();
  for (const each of measured) {
    const limit = limitOf(each);
    counts.set(limit, (counts.get(limit) ?? 0) + 1);
  }
  const [most = ""] = [...counts].sort((left, right) => right[1] - left[1])[0] ?? [];
  return `All ${requests} replies were as expected. ${most}`.trim();
}

function testsHelp(): string {
  const width = Math.max(...WORKLOADS.map(({ name }) => name.length)) + 2;
  const lines = WORKLOADS.map(({ name, help }) => `  ${name.padEnd(width)}${help}`);
  return `\nTests:\n${lines.join("\n")}\n\nWithout -t: ${DEFAULT_NAMES.join(",")}\n`;
}
