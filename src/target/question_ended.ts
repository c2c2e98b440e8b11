/**
 * The end of a question for a password without a password.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

/** The user has ended the question without a password, or a signal has ended it. */
export class QuestionEnded extends UsageError {
  /** @param exitStatus what a shell shows for a program that this signal ends */
  constructor(readonly exitStatus: number) {
    super("Cannot authenticate: no password was typed");
  }
}
