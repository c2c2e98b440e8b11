/**
 * One `inmem server` or `inmem proxy` as a child process: its log lines, its address, its end.
 *
 * `cluster.ts` and the system tests use it.
 *
 * @module
 */

import { fromFileUrl, resolve } from "@std/path";

/** The most log lines of a process that are kept, to show them when it fails. */
const LINES_KEPT_COUNT = 1_000;
/** How long a role may take until it listens, including its first compilation. */
const LISTENING_TIMEOUT_MS = 60_000;
/** How long a role may take to stop before it is killed. A snapshot has to fit in. */
export const STOP_TIMEOUT_MS = 30_000;

/**
 * The V8 option that allows a whole command to be inlined into the loop that runs it, which saves a fifth of its time.
 * The tasks of deno.json and `deno compile` use it as well.
 */
export const V8_FLAGS = "--v8-flags=--max-inlined-bytecode-size-cumulative=2000";

/** The folder of deno.json, in which commands of {@linkcode inmemCommand} run. */
export const ROOT = fromFileUrl(new URL("..", import.meta.url));

/**
 * Returns the command line of `inmem` with these words: this Deno with the sources beside this file, or the binary in
 * the environment variable `INMEM_BIN`.
 */
export function inmemCommand(...words: readonly string[]): readonly string[] {
  const binary = Deno.env.get("INMEM_BIN");
  if (binary) return [resolve(binary), ...words];
  const options = ["run", "--quiet", V8_FLAGS, "--no-prompt", "--lock=deno.lock", "--frozen", "-P=program"];
  return [Deno.execPath(), ...options, "src/main.ts", ...words];
}

/** How a role is started. */
export interface RoleOptions {
  /** Called with every line of the role's log, without the line break. */
  readonly onLine?: (line: string) => void;
  /** Environment variables in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command line that runs the one after it, such as that of `taskset`; none by default. */
  readonly launcher?: readonly string[];
  /** Puts the process into a separate group, which Ctrl-C in this terminal does not reach. */
  readonly detached?: boolean;
}

/** A running role. The code that starts one has to call {@linkcode stop}. */
export class RoleProcess {
  /** The last lines that the process has logged. */
  readonly lines: string[] = [];
  /** How the process ended, once it has ended and all its lines were read. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #address = Promise.withResolvers<string>();
  /** The address of the page, which a role with `--metrics` logs before it listens. */
  #page: string | undefined;

  /**
   * @param name the name of the process in messages
   * @param words the command line after `inmem`
   */
  constructor(readonly name: string, words: readonly string[], options: RoleOptions = {}) {
    const [program, ...args] = [...options.launcher ?? [], ...inmemCommand(...words)];
    this.#child = new Deno.Command(program!, {
      args,
      cwd: ROOT,
      env: { ...options.env },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      detached: options.detached ?? false,
    }).spawn();
    // A caller that does not need the address must not be ended by its absence.
    this.#address.promise.catch(() => {});
    this.status = this.#follow(options.onLine);
  }

  /** The process's id. */
  get pid(): number {
    return this.#child.pid;
  }

  async #follow(onLine?: (line: string) => void): Promise<Deno.CommandStatus> {
    let rest = "";
    for await (const text of this.#child.stderr.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.#take(line, onLine);
    }
    if (rest !== "") this.#take(rest, onLine);
    const status = await this.#child.status;
    this.#address.reject(new Error(`${this.name} ended with ${describeStatus(status)}${this.lastLines()}`));
    return status;
  }

  #take(line: string, onLine?: (line: string) => void): void {
    this.lines.push(line);
    if (this.lines.length > LINES_KEPT_COUNT) this.lines.shift();
    const address = /listening on ([^\s"]+:[0-9]+)/.exec(line)?.[1];
    this.#page ??= /metrics on (https?:\/\/[^\s"]+)/.exec(line)?.[1];
    if (address !== undefined) this.#address.resolve(address);
    onLine?.(line);
  }

  /**
   * Waits until the role listens.
   *
   * @returns `host:port`
   * @throws {Error} with its last lines when it ends before, or does not listen in time
   */
  async address(): Promise<string> {
    let timer: number | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${this.name} did not listen within ${LISTENING_TIMEOUT_MS} ms${this.lastLines()}`)),
        LISTENING_TIMEOUT_MS,
      );
    });
    try {
      return await Promise.race([this.#address.promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** The URL of the page, once the role serves it; `undefined` without `--metrics`. */
  get page(): string | undefined {
    return this.#page;
  }

  /** Returns the last lines for a message, each after a line break. */
  lastLines(count = 10): string {
    return this.lines.slice(-count).map((line) => `\n  ${line}`).join("");
  }

  /** Sends a signal. Nothing happens if the process has ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // The process has already ended.
    }
  }

  /** Ends the process in order (SIGTERM), or by force when it takes too long. Idempotent. */
  async stop(): Promise<Deno.CommandStatus> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_TIMEOUT_MS);
    try {
      return await this.status;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the process immediately (SIGKILL). Idempotent. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.status;
  }
}

/** Describes how a process ended, for a message. */
export function describeStatus(status: Deno.CommandStatus): string {
  return status.signal === null ? `exit status ${status.code}` : `signal ${status.signal}`;
}
