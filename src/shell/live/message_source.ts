/**
 * The way from the options of a client to the source of a message stream.
 *
 * @module
 */

import { dialTo, type Target } from "../../target/connect.ts";
import type { MessageSource } from "./message_stream.ts";

/**
 * Returns the server of a target as a source of messages.
 *
 * @throws {UsageError} when the file of certificates is unusable
 */
export async function sourceOf(target: Target): Promise<MessageSource> {
  const { user, passwords } = target;
  const { address, open } = await dialTo(target);
  // Every server knows the default user, also one that has a password only.
  const logins = passwords.map((password) => user === "default" ? [password] : [user, password]);
  return { address, open, logins };
}
