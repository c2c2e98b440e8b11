/**
 * The settings of a role that `config get` and `config set` show, by Redis's names, and by those of options.
 *
 * Only settings that can change while the server runs can be set. Some names that tools ask for have only one possible
 * value here (`appendonly`, `databases`). They are shown with it, so that a tool learns the truth.
 *
 * @module
 */

/** One setting. */
export interface Parameter {
  /** Returns the present value as text. */
  get(): string;
  /** Changes the value. Returns the reason if that fails. Absent if the value can never change. */
  set?(value: string): string | undefined;
  /** Whether a proxy changes the value on itself only, and not on its servers. */
  readonly isOwn?: true;
}

/** All settings by name, in lower case. */
export type Configuration = Readonly<Record<string, Parameter>>;
