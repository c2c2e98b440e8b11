/**
 * The programs that operators use, for tests: Prometheus itself, its `promtool`, and the exporter for Redis.
 *
 * Debian has all of them. The tests that need one are left out on a machine without it. Each listens on a free port of
 * loopback, keeps its data in a temporary folder, and ends when it is disposed of.
 *
 * @module
 */

import { assert } from "@std/assert";
import { join } from "@std/path";
import { endProcess, freePort } from "../../bench/support/program.ts";
import { findProgram } from "./programs.ts";
import { pause } from "./pause.ts";
import { until } from "./until.ts";

export const PROMETHEUS: string | undefined = findProgram("prometheus");
export const PROMTOOL: string | undefined = findProgram("promtool");
export const REDIS_EXPORTER: string | undefined = findProgram("prometheus-redis-exporter", "redis_exporter");

/** The time between two scrapes, and between two evaluations of rules. */
const INTERVAL = "1s";

/** The time between two looks at what changes with each scrape. */
const LOOK_INTERVAL_MS = 200;

/** Waits as {@linkcode until} does, but looks seldom enough that the looks cost little. */
export function untilScraped(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  timeoutMs?: number,
): Promise<void> {
  const look = async () => {
    if (await condition()) return true;
    await pause(LOOK_INTERVAL_MS);
    return false;
  };
  return until(look, what, timeoutMs);
}

/** Runs `promtool` on a text. Returns what it says about it, empty when it finds no fault. */
export async function promtool(args: readonly string[], input = ""): Promise<string> {
  const process = new Deno.Command(PROMTOOL!, { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" });
  const child = process.spawn();
  const writer = child.stdin.getWriter();
  const fed = writer.write(new TextEncoder().encode(input)).then(() => writer.close());
  const [{ success, stdout, stderr }] = await Promise.all([child.output(), fed.catch(() => {})]);
  const text = new TextDecoder();
  const said = text.decode(stderr).trim();
  return success ? said : `${said}\n${text.decode(stdout)}`.trim() || "promtool failed";
}

/** What Prometheus scrapes: the addresses of one role. */
export interface ScrapeJob {
  readonly name: string;
  /** The addresses of the option `--metrics`, as `host:port`. */
  readonly targets: readonly string[];
  /** The file of the authority; without it, the connections are plain. */
  readonly authority?: string;
  readonly password?: string;
}

/** A sample that a query returns. */
export interface QueryResult {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An alert that is pending or firing. */
export interface Alert {
  readonly name: string;
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The configuration of Prometheus for these jobs. YAML is a superset of JSON. */
export function configuration(jobs: readonly ScrapeJob[], rules: readonly string[] = []): string {
  return JSON.stringify({
    global: { scrape_interval: INTERVAL, scrape_timeout: INTERVAL, evaluation_interval: INTERVAL },
    rule_files: rules,
    scrape_configs: jobs.map(({ name, targets, authority, password }) => ({
      job_name: name,
      ...authority === undefined ? {} : { scheme: "https", tls_config: { ca_file: authority } },
      ...password === undefined ? {} : { basic_auth: { username: "default", password } },
      static_configs: [{ targets }],
    })),
  });
}

/** A child process whose output is kept, for the message of a failure. */
class Daemon implements AsyncDisposable {
  readonly process: Deno.ChildProcess;
  output = "";
  ended = false;
  readonly #read: Promise<void>;

  constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const streams = { stdin: "null", stdout: "null", stderr: "piped" } as const;
    this.process = new Deno.Command(program, { args: [...args], env: { ...env }, ...streams }).spawn();
    this.#read = this.#follow();
    addEventListener("unload", this.#kill);
  }

  readonly #kill = () => {
    if (!this.ended) this.process.kill("SIGKILL");
  };

  async #follow(): Promise<void> {
    for await (const text of this.process.stderr.pipeThrough(new TextDecoderStream())) this.output += text;
    await this.process.status;
    this.ended = true;
  }

  /** Waits for a condition, and fails as soon as the process ends. */
  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const look = async () => {
      assert(!this.ended, `it ended before: ${what}\n${this.output}`);
      return await condition();
    };
    await untilScraped(look, () => `${what}\n${this.output.slice(-4_000)}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.process);
    await this.#read;
    removeEventListener("unload", this.#kill);
  }
}

/** Returns the text at an address, or `undefined` when nothing replies with success. */
async function textAt(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(url);
    const text = await response.text();
    return response.ok ? text : undefined;
  } catch {
    return undefined;
  }
}

/** A running Prometheus that scrapes every second. */
export class Prometheus implements AsyncDisposable {
  readonly #daemon: Daemon;
  readonly #folder: string;
  readonly #url: string;

  private constructor(daemon: Daemon, folder: string, url: string) {
    this.#daemon = daemon;
    this.#folder = folder;
    this.#url = url;
  }

  /**
   * Starts it and waits until it is ready.
   *
   * @param rules the paths of files with alerts
   */
  static async start(jobs: readonly ScrapeJob[], rules: readonly string[] = []): Promise<Prometheus> {
    const folder = await Deno.makeTempDir({ prefix: "inmem-prometheus-" });
    const file = join(folder, "prometheus.yml");
    await Deno.writeTextFile(file, configuration(jobs, rules), { mode: 0o600 });
    const port = freePort();
    const daemon = new Daemon(PROMETHEUS!, [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    const prometheus = new Prometheus(daemon, folder, `http://127.0.0.1:${port}`);
    try {
      await daemon.until(async () => await textAt(`${prometheus.#url}/-/ready`) !== undefined, "Prometheus is ready");
      return prometheus;
    } catch (error) {
      await prometheus[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #get<Data>(path: string): Promise<Data> {
    const response = await fetch(this.#url + path);
    const { data, error } = await response.json();
    assert(response.ok, `${decodeURIComponent(path)}: ${error}`);
    return data;
  }

  /** Returns the present value of an expression. */
  async query(expression: string): Promise<QueryResult[]> {
    interface Data {
      readonly resultType: string;
      readonly result: { readonly metric: QueryResult["metric"]; readonly value: [number, string] }[];
    }
    const data = await this.#get<Data>(`/api/v1/query?query=${encodeURIComponent(expression)}`);
    assert(data.resultType === "vector", `${expression} is no vector`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Waits until an expression has a sample. Returns its samples. */
  async until(expression: string, timeoutMs?: number): Promise<QueryResult[]> {
    let found: QueryResult[] = [];
    const look = async () => (found = await this.query(expression)).length > 0;
    await untilScraped(look, () => `a sample of ${expression}`, timeoutMs);
    return found;
  }

  /** Returns the last error of each target, by its address; empty while it can be scraped. */
  async targets(): Promise<Record<string, string>> {
    interface Data {
      readonly activeTargets: {
        readonly labels: { readonly instance: string };
        readonly health: string;
        readonly lastError: string;
      }[];
    }
    const { activeTargets } = await this.#get<Data>("/api/v1/targets");
    const entries = activeTargets.map(({ labels, health, lastError }) => {
      return [labels.instance, health === "up" ? "" : lastError || health];
    });
    return Object.fromEntries(entries);
  }

  /** Returns the alerts that are pending or firing. */
  async alerts(): Promise<Alert[]> {
    type Data = { readonly alerts: (Omit<Alert, "name"> & { readonly labels: { readonly alertname: string } })[] };
    const { alerts } = await this.#get<Data>("/api/v1/alerts");
    return alerts.map((alert) => ({ ...alert, name: alert.labels.alertname }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** How the exporter connects. */
export interface ExporterOptions {
  /** The file of the authority that signs the certificate; needed over TLS. */
  readonly authority?: string;
  readonly password?: string;
}

/** A running exporter for Redis, which asks one server or proxy each time that it is scraped. */
export class RedisExporter implements AsyncDisposable {
  readonly #daemon: Daemon;
  readonly #url: string;

  private constructor(daemon: Daemon, url: string) {
    this.#daemon = daemon;
    this.#url = url;
  }

  /**
   * Starts it and waits until it replies.
   *
   * @param address `redis://host:port`, or `rediss://host:port` over TLS
   */
  static async start(address: string, { authority, password }: ExporterOptions = {}): Promise<RedisExporter> {
    const port = freePort();
    const args = [`--redis.addr=${address}`, `--web.listen-address=127.0.0.1:${port}`, "--redis-only-metrics"];
    // A program in Go reads the authorities that it trusts from the file that this variable names.
    const daemon = new Daemon(REDIS_EXPORTER!, args, {
      SSL_CERT_FILE: authority ?? "",
      REDIS_PASSWORD: password ?? "",
    });
    const exporter = new RedisExporter(daemon, `http://127.0.0.1:${port}/metrics`);
    try {
      await daemon.until(async () => await textAt(exporter.#url) !== undefined, "the exporter replies");
      return exporter;
    } catch (error) {
      await exporter[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the exporter has logged. */
  get log(): string {
    return this.#daemon.output;
  }

  /** Returns the samples by their names and labels, as in `redis_db_keys{db="db0"}`. */
  async samples(): Promise<Map<string, number>> {
    const lines = (await textAt(this.#url) ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemon[Symbol.asyncDispose]();
  }
}
