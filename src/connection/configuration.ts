/**
 * What `config get` and `config set` show of a role's settings, by the names that Redis has for them.
 *
 * Only what can change while the server runs can be set. Names that tools ask for and that can only have one value here
 * (`appendonly`, `databases`) are told with it, so that a tool which asks learns the truth.
 *
 * @module
 */

/** One parameter. */
export interface Parameter {
  /** Its present value as text. */
  get(): string;
  /** Changes it; answers why it cannot, when it cannot. Absent where it never can. */
  set?(value: string): string | undefined;
}

/** All parameters by name, in lower case. */
export type Configuration = Readonly<Record<string, Parameter>>;
