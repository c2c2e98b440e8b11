/**
 * One `inmem server` or `inmem proxy` as a child process: its log lines, its address, its end.
 *
 * Used by `cluster.ts` and by the system tests.
 *
 * @module
 */

import { fromFileUrl, resolve } from "@std/path";

/** Log lines of a process that are kept to be shown when it fails. */
const LINES_KEPT_COUNT = 1_000;
/** A role says that it listens within this time, its first compilation included. */
const LISTENING_TIMEOUT_MS = 60_000;
/** A role that was told to stop has ended by then, or is killed. A snapshot has to fit in. */
export const STOP_TIMEOUT_MS = 30_000;

/**
 * Lets V8 inline a whole command into the loop that runs it, rather than stop half way: a fifth less time for each. The
 * tasks of deno.json say the same, and `deno compile` builds it in.
 */
export const V8_FLAGS = "--v8-flags=--max-inlined-bytecode-size-cumulative=2000";

/** The folder of deno.json. Commands of {@linkcode inmemCommand} run there. */
export const ROOT = fromFileUrl(new URL("..", import.meta.url));

/**
 * The command line of `inmem` with these words: this Deno with the sources beside this file, or the binary that the
 * environment variable `INMEM_BIN` names.
 */
export function inmemCommand(...words: readonly string[]): readonly string[] {
  const binary = Deno.env.get("INMEM_BIN");
  if (binary) return [resolve(binary), ...words];
  const options = ["run", "--quiet", V8_FLAGS, "--no-prompt", "--lock=deno.lock", "--frozen", "-P=program"];
  return [Deno.execPath(), ...options, "src/main.ts", ...words];
}

/** How a role is started. */
export interface RoleOptions {
  /** Called with every line of its log, without the line's end. */
  readonly onLine?: (line: string) => void;
  /** Environment variables besides this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command line that runs the one behind it, such as that of `taskset`; none unless given. */
  readonly launcher?: readonly string[];
  /** Puts the process into a group of its own, which Ctrl-C in this terminal does not reach. */
  readonly detached?: boolean;
}

/** A role that was started. It ends with {@linkcode stop}, which whoever starts one has to call. */
export class RoleProcess {
  /** What the process has logged of late. */
  readonly lines: string[] = [];
  /** How the process ended, once it did and all its lines were read. */
  readonly status: Promise<Deno.CommandStatus>;
  readonly #child: Deno.ChildProcess;
  readonly #address = Promise.withResolvers<string>();

  /**
   * @param name what it is called in messages
   * @param words the command line behind `inmem`
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
    // Whoever does not ask for the address is not to be ended by its absence.
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
    if (address !== undefined) this.#address.resolve(address);
    onLine?.(line);
  }

  /**
   * Waits until the role listens.
   *
   * @returns `host:port`
   * @throws {Error} with its last lines when it ends before, or says nothing in time
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

  /** Its last lines, each behind a line's end, for a message. */
  lastLines(count = 10): string {
    return this.lines.slice(-count).map((line) => `\n  ${line}`).join("");
  }

  /** Sends a signal; nothing happens if the process has ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended: there is nobody to tell.
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

  /** Ends the process at once (SIGKILL). Idempotent. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.status;
  }
}

/** How a process ended, for a message. */
export function describeStatus(status: Deno.CommandStatus): string {
  return status.signal === null ? `exit status ${status.code}` : `signal ${status.signal}`;
}
