/**
 * The exit statuses of the tools that connect to a server: `inmem client`, `bench`, `export` and `import`.
 *
 * @module
 */

import { ConnectionError, ReplyError, StartError, UsageError } from "../errors.ts";
import { QuestionEnded } from "./question_ended.ts";

/** The exit statuses. */
export const Status = { Done: 0, Refused: 1, Usage: 2, NoConnection: 3 } as const;
/** One of {@linkcode Status}. */
export type Status = typeof Status[keyof typeof Status];

/** Returns the exit status of a tool that an error has ended; `undefined` for an error that only one tool knows. */
export function exitStatusOf(error: unknown): number | undefined {
  if (error instanceof QuestionEnded) return error.exitStatus;
  if (error instanceof UsageError || error instanceof StartError) return Status.Usage;
  if (error instanceof ConnectionError) return Status.NoConnection;
  return error instanceof ReplyError ? Status.Refused : undefined;
}
