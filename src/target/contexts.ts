/**
 * Contexts: servers under names of the user's own, so that `--context prod` stands for an address and its files.
 *
 * ```text
 * STATE/contexts/prod.json      {"addr": "rediss://cache.example", "ca": "/etc/cache/ca.pem"}
 * STATE/contexts/default.json   is used when neither an address nor a context is named
 * ```
 *
 * Each context has its own file, which is replaced as a whole, so two programs that change different contexts do
 * not disturb each other. Its fields are options of `role/target_options.ts`, read and checked as the file of
 * `--config` is. Passwords are not in it, only the name of their file.
 *
 * @module
 */

import { messageOf, UsageError } from "../errors.ts";
import { CONTEXTS_MAX_COUNT } from "../limits.ts";
import { readConfigFile } from "../role/config_file.ts";
import { nearestOption, type OptionSource, type OptionTable, parseOptions } from "../role/options.ts";
import { targetOptions } from "../role/target_options.ts";

const { context: _context, askpass: _askpass, host: _host, port: _port, ...storedOptions } = targetOptions;

/** The options that a context may have, as the arguments of `context add`. */
export const contextTable: OptionTable & { readonly options: typeof storedOptions } = {
  usage: "inmem client context add NAME SERVER [OPTIONS]",
  summary: "Stores a server and how to connect to it under a name.",
  options: storedOptions,
};

/** The name of the context that is used when nothing else is named. */
export const DEFAULT_CONTEXT = "default";

/** Names are also names of files, on every system. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ENDING = ".json";

/** The fields of one context, as the command line would have them. */
export type ContextFields = Readonly<Record<string, string | boolean>>;

/** The contexts in a folder, which is made when the first one is stored. */
export class Contexts {
  readonly #folder: string;

  /** @param stateFolder the folder of the files that inmem makes for this user */
  constructor(stateFolder: string) {
    this.#folder = `${stateFolder}/contexts`;
  }

  /**
   * Returns the names, sorted.
   *
   * @throws {UsageError} when the folder cannot be read
   */
  names(): string[] {
    try {
      const names: string[] = [];
      for (const { name, isDirectory } of Deno.readDirSync(this.#folder)) {
        const base = name.slice(0, -ENDING.length);
        if (!isDirectory && name.endsWith(ENDING) && NAME.test(base)) names.push(base);
      }
      return names.sort();
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) return [];
      throw new UsageError(`Cannot read the contexts in "${this.#folder}": ${messageOf(cause)}`, { cause });
    }
  }

  /** Returns whether there is a context of that name. */
  has(name: string): boolean {
    if (!NAME.test(name)) return false;
    try {
      Deno.statSync(this.#pathOf(name));
      return true;
    } catch (error) {
      // A file that cannot be looked at is reported when it is read.
      return !(error instanceof Deno.errors.NotFound);
    }
  }

  /**
   * Returns the values of a context.
   *
   * @throws {UsageError} when there is none of that name, or its file is not valid
   */
  read(name: string): OptionSource {
    if (!this.has(name)) throw this.#unknown(name);
    const source = readConfigFile(this.#pathOf(name), contextTable);
    const { addr } = parseOptions(contextTable, [], { environment: () => undefined, file: source }).values;
    if (addr.password !== undefined) {
      throw new UsageError(
        `Cannot use context "${name}": "addr" in "${
          this.#pathOf(name)
        }" has a password; name its file in "password-file"`,
      );
    }
    return source;
  }

  /**
   * Stores a context, in place of one of the same name.
   *
   * @returns whether there was one
   * @throws {UsageError} when the name is not valid or the file cannot be written
   */
  store(name: string, fields: ContextFields): boolean {
    if (!NAME.test(name)) {
      throw new UsageError(
        `Cannot use ${JSON.stringify(name.slice(0, 64))} as the name of a context: expected letters, digits and . _ -`,
      );
    }
    const isReplaced = this.has(name);
    if (!isReplaced && this.names().length >= CONTEXTS_MAX_COUNT) {
      throw new UsageError(`Cannot store context "${name}": there are ${CONTEXTS_MAX_COUNT} already`);
    }
    const path = this.#pathOf(name);
    const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.part`;
    try {
      Deno.mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      Deno.writeTextFileSync(temporary, JSON.stringify(fields, undefined, 2) + "\n", { mode: 0o600, createNew: true });
      Deno.renameSync(temporary, path);
    } catch (cause) {
      removeQuietly(temporary);
      throw new UsageError(`Cannot store context "${name}" in "${path}": ${messageOf(cause)}`, { cause });
    }
    return isReplaced;
  }

  /**
   * Removes a context.
   *
   * @throws {UsageError} when there is none of that name, or its file cannot be removed
   */
  remove(name: string): void {
    if (!this.has(name)) throw this.#unknown(name);
    try {
      Deno.removeSync(this.#pathOf(name));
    } catch (cause) {
      throw new UsageError(`Cannot remove context "${name}": ${messageOf(cause)}`, { cause });
    }
  }

  #pathOf(name: string): string {
    return `${this.#folder}/${name}${ENDING}`;
  }

  #unknown(name: string): UsageError {
    const names = this.names();
    const shown = JSON.stringify(name.slice(0, 64));
    if (names.length === 0) {
      return new UsageError(
        `Cannot use context ${shown}: there is none yet; "inmem client context add NAME SERVER" adds one`,
      );
    }
    const nearest = nearestOption({ usage: "", summary: "", options: asOptions(names) }, name.slice(0, 64));
    const advice = nearest === undefined ? "" : `did you mean "${nearest}"? `;
    return new UsageError(`Cannot use context ${shown}: ${advice}there are ${names.join(", ")}`);
  }
}

function asOptions(names: readonly string[]): OptionTable["options"] {
  return Object.fromEntries(names.map((name) => [name, { kind: "flag", help: "" }]));
}

function removeQuietly(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // It was not made.
  }
}
