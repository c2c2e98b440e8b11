/**
 * The settings that options give at the start, and that can change while a role runs.
 *
 * ```text
 * config set max-clients 500 ─┐
 * config set maxclients 500  ─┼─► LiveSetting.change(500) ─► the part of the role that has the value
 * a new file of --config     ─┘
 * config get, config rewrite ───► LiveSetting.read()
 * ```
 *
 * A role makes one record of them, by the names of the options. `config` shows each by the name of its option, with
 * values as the command line has them, and those that Redis has by Redis's names too (server/configuration.ts).
 *
 * @module
 */

import { messageOf, UsageError } from "../errors.ts";
import type { Logger } from "./logger.ts";
import { formatOption, type Option, type OptionTable, parseValue } from "./options.ts";

/** The value of a setting, in the unit of its option. */
export type LiveValue = string | number;

/** One setting that can change. */
export interface LiveSetting {
  /** Returns the present value. */
  read(): LiveValue;
  /** Changes the value, which the option's range contains. Returns the reason if that fails. */
  change(value: LiveValue): string | undefined;
  /** The value that leaving the option out stands for, where the option has no default. */
  readonly absent?: LiveValue;
  /** Whether a proxy changes the setting on itself only, not on its servers. */
  readonly isOwn?: true;
}

/** The settings of a role, by the names of their options. */
export type LiveSettings = Readonly<Record<string, LiveSetting>>;

/** Makes a setting whose value is a number. */
export function numberSetting(
  read: () => number,
  change: (value: number) => string | undefined | void,
  rest: Pick<LiveSetting, "absent" | "isOwn"> = {},
): LiveSetting {
  return { read, change: (value) => change(Number(value)) ?? undefined, ...rest };
}

/** Makes a setting whose value is one of several words. */
export function wordSetting<Word extends string>(read: () => Word, change: (value: Word) => void): LiveSetting {
  return {
    read,
    change: (value) => {
      // The choices of the option are the words.
      change(value as Word);
      return undefined;
    },
  };
}

/** One setting as `config` shows it by the name of its option. */
export interface OptionParameter {
  get(): string;
  set(text: string): string | undefined;
  readonly isOwn?: true;
}

/** Returns what `config` shows of settings by the names of their options. */
export function optionParameters(table: OptionTable, settings: LiveSettings): Record<string, OptionParameter> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => {
      const option = table.options[name]!;
      return [name, {
        get: () => formatOption(option, setting.read()),
        set: (text: string) => changeByText(name, option, setting, text),
        ...setting.isOwn && { isOwn: true },
      }];
    }),
  );
}

function changeByText(name: string, option: Option, setting: LiveSetting, text: string): string | undefined {
  // What leaving the option out stands for cannot be typed as its value, such as 0 for an unlimited time to live.
  if (setting.absent !== undefined && text === String(setting.absent)) return setting.change(setting.absent);
  try {
    return setting.change(parseValue(option, { text, source: `"${name}"` }) as LiveValue);
  } catch (error) {
    if (error instanceof UsageError) return messageOf(error);
    throw error;
  }
}

/** The values of options as parsed, by name. */
export type Values = Readonly<Record<string, unknown>>;

/** Returns whether two sets of values are the same. */
export function sameValues(one: Values, other: Values): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** The options of a running role: what they were last set to, and how they follow the file of `--config`. */
export class LiveOptions {
  readonly #table: OptionTable;
  readonly #settings: LiveSettings;
  readonly #logger: Logger;
  #values: Values;
  /** The values of the settings after the start, or since the file has changed them. */
  readonly #applied = new Map<string, LiveValue>();

  /** @param values the options at the start */
  constructor(table: OptionTable, settings: LiveSettings, values: Values, logger: Logger) {
    this.#table = table;
    this.#settings = settings;
    this.#values = values;
    this.#logger = logger;
    for (const [name, setting] of Object.entries(settings)) this.#applied.set(name, setting.read());
  }

  /** Returns the settings that `config set` has changed since the start, or since they were written to the file. */
  changed(): Map<string, LiveValue> {
    const values = Object.entries(this.#settings).map(([name, setting]) => [name, setting.read()] as const);
    return new Map(values.filter(([name, value]) => value !== this.#applied.get(name)));
  }

  /**
   * Returns the text of a value for the file; `undefined` when the file has no field for it, such as no time to live.
   */
  textOf(name: string, value: LiveValue): string | undefined {
    return value === this.#settings[name]!.absent ? undefined : formatOption(this.#table.options[name]!, value);
  }

  /**
   * Notes what was written to the file.
   *
   * @param values the options with the content of the file since then
   * @returns the options whose new values have no effect, since the command line or the environment has them
   */
  wrote(changed: ReadonlyMap<string, LiveValue>, values: Values): string[] {
    this.#values = values;
    for (const [name, value] of changed) this.#applied.set(name, value);
    return [...changed].filter(([name, value]) => (values[name] ?? this.#settings[name]!.absent) !== value)
      .map(([name]) => name);
  }

  /**
   * Changes the settings to what the changed file says, and logs each change. Options that cannot change while the role
   * runs are logged in one line.
   */
  follow(values: Values): void {
    const before = this.#values;
    this.#values = values;
    const later: string[] = [];
    for (const name of Object.keys(values)) {
      if (JSON.stringify(before[name]) === JSON.stringify(values[name])) continue;
      const setting = Object.hasOwn(this.#settings, name) ? this.#settings[name] : undefined;
      const value = (values[name] ?? setting?.absent) as LiveValue | undefined;
      if (setting === undefined || value === undefined) later.push(name);
      else this.#change(name, setting, value);
    }
    if (later.length > 0) {
      this.#logger.warn("Options of the file of --config have changed that take effect at the next start", {
        options: later.join(" "),
      });
    }
  }

  #change(name: string, setting: LiveSetting, value: LiveValue): void {
    const before = setting.read();
    const problem = before === value ? undefined : setting.change(value);
    this.#applied.set(name, setting.read());
    const shown = value === setting.absent ? "unset" : formatOption(this.#table.options[name]!, value);
    if (problem !== undefined) this.#logger.warn(`Cannot change --${name} to ${shown}: ${problem}`);
    else if (before !== value) this.#logger.info(`--${name} is now ${shown}`);
  }
}
