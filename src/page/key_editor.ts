/**
 * The changing side of the key browser: it deletes a key, sets its time to live, and stores a string. The commands run
 * only where that is allowed (page_commands.ts).
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import type { PageCommands } from "./page_commands.ts";

/** The longest time to live, in s: about 3000 years. */
const TTL_MAX_S = 1e11;

/** A change, as the page sends it. */
export type Change = Readonly<Record<string, unknown>>;

/** Deletes a key. */
export async function deleteKey(commands: PageCommands, change: Change): Promise<void> {
  await changed(commands.run("unlink", bytesOf(change, "name")));
}

/** Sets the time to live of a key; `null` removes it. */
export async function expireKey(commands: PageCommands, change: Change): Promise<void> {
  const name = bytesOf(change, "name");
  const { seconds } = change;
  if (seconds === null) return void await commands.run("persist", name);
  if (typeof seconds !== "number" || !Number.isInteger(seconds) || seconds < 1 || seconds > TTL_MAX_S) {
    throw new ReplyError("ERR", "the time to live has to be a whole number of seconds, at least 1");
  }
  await changed(commands.run("expire", name, seconds));
}

/** Replaces the value of a key by a string. The key has to exist, and keeps its time to live. */
export async function setString(commands: PageCommands, change: Change): Promise<void> {
  await changed(commands.run("set", bytesOf(change, "name"), bytesOf(change, "value"), "xx", "keepttl"));
}

/** Waits for a command whose reply says whether the key was there. */
async function changed(reply: Promise<unknown>): Promise<void> {
  const value = await reply;
  if (value === null || value === 0) throw new ReplyError("ERR", "there is no such key any more");
}

/**
 * Returns a member of a change, which is bytes in base64.
 *
 * @throws {ReplyError} when it is not
 */
export function bytesOf(change: Change, member: string): Uint8Array {
  const text = change[member];
  if (typeof text !== "string") throw new ReplyError("ERR", `expected "${member}" in base64`);
  return parseBase64(text, member);
}

/**
 * Decodes base64.
 *
 * @param what names the text in the error
 * @throws {ReplyError} when it is not base64
 */
export function parseBase64(text: string, what: string): Uint8Array {
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw new ReplyError("ERR", `expected "${what}" in base64`);
  }
}
