/**
 * One command as the arguments of `inmem client`, for scripts that rely on each byte and on the exit status.
 *
 * | option | effect |
 * |---|---|
 * | `-x` | the last argument is what standard input has, until its end, byte by byte |
 * | `--raw` | a single value is printed exactly: without a newline, and nothing for nil |
 * | `--out FILE` | the reply is written to a file, exactly as `--raw` prints it; nil is refused |
 * | `--fail-nil` | nil exits with 1, which tells it from an empty value |
 *
 * The file of `--out` is replaced as a whole after the reply has arrived: after a refusal, without a connection or on a
 * full disk it has its earlier content. A device or a pipe cannot be replaced, so it is written to.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import type { Value } from "../client/client.ts";
import { messageOf, UsageError } from "../errors.ts";
import { VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import { type Format, formatReply } from "./format.ts";
import { humanReply, type Look, shapeOf } from "./human.ts";

/** A command as words: those of the command line are text, and what standard input has is bytes. */
export type Words = readonly (string | Uint8Array)[];

/** The form and the place of a reply. */
export interface OneCommandOptions {
  readonly format: Format;
  /** How the reply looks if it is for people. */
  readonly look: Look;
  /** Whether a single value is printed without a newline. */
  readonly isExact: boolean;
  /** The file that the reply is written to; `undefined` for standard output. */
  readonly out: string | undefined;
}

/** The outcome of one command. */
export interface OneReply {
  /** Whether the reply is nil. */
  readonly isNil: boolean;
  /** The bytes to print; none when they are in the file. */
  readonly bytes: Uint8Array;
}

/** A part of standard input, as {@linkcode readInput} reads it. */
interface Source {
  read(target: Uint8Array): Promise<number | null>;
}

/** The size of the first buffer for standard input. */
const INPUT_FIRST_BYTES = 64 * 1024;

/**
 * Sends one command, and writes its reply to the file of `--out` if there is one. That file is tried before the command
 * is sent, since the reply to `getdel` cannot be had twice.
 *
 * @throws {UsageError} when the file cannot be written
 * @param send sends a command to the server
 * @throws what `send` throws
 */
export async function sendOne(
  send: (words: Words) => Promise<Value>,
  words: Words,
  { format, look, isExact, out }: OneCommandOptions,
): Promise<OneReply> {
  if (out !== undefined) await tryFile(out);
  const startedMs = performance.now();
  const reply = await send(words);
  const isNil = reply === null;
  const bytes = isExact || out !== undefined && format !== "json"
    ? exactBytes(reply, words)
    : format === "human"
    ? encodeText(humanReply(words, reply, performance.now() - startedMs, look))
    : formatReply(reply, format, shapeOf(words));
  if (out === undefined) return { isNil, bytes };
  if (!isNil) await writeWhole(out, bytes);
  return { isNil, bytes: new Uint8Array() };
}

/**
 * Reads bytes until their end.
 *
 * @throws {UsageError} when they cannot be read, or are more than the largest value
 */
export async function readInput(source: Source, maxBytes = VALUE_SIZE_MAX_BYTES): Promise<Uint8Array<ArrayBuffer>> {
  let buffer = new Uint8Array(Math.min(INPUT_FIRST_BYTES, maxBytes + 1));
  let length = 0;
  for (;;) {
    if (length > maxBytes) {
      throw new UsageError(
        `Cannot send standard input: it has more than ${maxBytes} bytes, the size of the largest value`,
      );
    }
    if (length === buffer.length) {
      const larger = new Uint8Array(Math.min(2 * length, maxBytes + 1));
      larger.set(buffer);
      buffer = larger;
    }
    let count: number | null;
    try {
      count = await source.read(buffer.subarray(length));
    } catch (cause) {
      throw new UsageError(`Cannot read standard input: ${messageOf(cause)}`, { cause });
    }
    if (count === null) return buffer.subarray(0, length);
    length += count;
  }
}

/** Returns the bytes of a single value and nothing else. Values of an array or a map have a line each. */
export function exactBytes(reply: Value, words: Words): Uint8Array {
  if (reply === null) return new Uint8Array();
  if (reply instanceof Uint8Array) return reply;
  if (typeof reply === "object") return formatReply(reply, "raw", shapeOf(words));
  return encodeText(String(reply));
}

/**
 * Finds out whether a file can be written, and changes nothing.
 *
 * @throws {UsageError} when it cannot
 */
export async function tryFile(path: string): Promise<void> {
  await writeBeside(path, new Uint8Array(), (temporary) => Deno.remove(temporary));
}

/**
 * Writes a file as a whole: other programs see its earlier content or the new one.
 *
 * @throws {UsageError} when it cannot be written
 */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  await writeBeside(path, bytes, (temporary, place) => Deno.rename(temporary, place));
}

/** Writes a new file in the folder of another one, and then does with both what `end` does. */
async function writeBeside(
  path: string,
  bytes: Uint8Array,
  end: (temporary: string, place: string) => Promise<void>,
): Promise<void> {
  let temporary: string | undefined;
  try {
    const earlier = await factsOf(path);
    if (earlier?.isDirectory) throw new Error("it is a folder");
    if (earlier !== undefined && !earlier.isFile) return await Deno.writeFile(path, bytes, { create: false });
    // A link stays a link: the file that it leads to is replaced.
    const place = earlier === undefined ? path : await Deno.realPath(path);
    temporary = `${place}.${crypto.randomUUID().slice(0, 8)}.part`;
    await Deno.writeFile(temporary, bytes, { createNew: true, mode: earlier?.mode ?? undefined });
    await end(temporary, place);
  } catch (cause) {
    if (temporary !== undefined) await removeQuietly(temporary);
    throw new UsageError(`Cannot write "${path}": ${reasonOf(cause)}`, { cause });
  }
}

async function factsOf(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch {
    // There is nothing to remove when the file could not be made.
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "its folder does not exist";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  // The runtime writes to no device but /dev/null.
  if (error instanceof Deno.errors.NotCapable) return "it is a device; redirect standard output instead";
  return messageOf(error).replace(/:? \(os error.*$/s, "");
}
