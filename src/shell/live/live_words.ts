/**
 * The commands that go on until they are stopped, instead of having one reply.
 *
 * | command | shows |
 * |---|---|
 * | `subscribe`, `psubscribe` | the messages of channels (`listen.ts`) |
 * | `monitor` | the requests of all clients (`listen.ts`) |
 * | `cluster --watch` | the servers behind a proxy (`../cluster.ts`) |
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import { commandOf } from "../../client/reply_delay.ts";

/** A command as words, as it is typed. */
export type Words = readonly (string | Uint8Array)[];

/** Returns whether the reply to a command is a stream of messages. */
export function isListening(words: Words): boolean {
  const command = commandOf(words);
  return command?.subscription === "begins" || command?.name === "monitor";
}

/** Returns whether the words are `cluster` with `--watch`. */
export function isWatching(words: Words): boolean {
  const [command = "", ...options] = textsOf(words);
  return command.toLowerCase() === "cluster" && options.some((option) => /^--?watch(=|$)/.test(option));
}

/** Returns words as text. */
export function textsOf(words: Words): string[] {
  return words.map((word) => typeof word === "string" ? word : decodeText(word));
}
