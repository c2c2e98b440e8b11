/**
 * Asks for a password on the terminal, without showing it.
 *
 * The question goes to standard error, so that standard output contains the reply only. The terminal is in raw mode
 * while the password is typed, and gets its mode back however the question ends, including by a signal.
 *
 * | key | effect |
 * |---|---|
 * | Enter | ends the password |
 * | Backspace, Ctrl-U | remove the last character, or all |
 * | Ctrl-C, Ctrl-D, the end of the input | end the question without a password |
 *
 * @module
 */

import { ReplyError, UsageError } from "../errors.ts";
import { PASSWORD_TRIES_MAX_COUNT, PASSWORD_TYPED_MAX_BYTES } from "../limits.ts";
import { QuestionEnded } from "./question_ended.ts";

/** The terminal of the question. */
export interface QuestionTerminal {
  read(target: Uint8Array): Promise<number | null>;
  write(text: string): void;
  setRaw(isRaw: boolean): void;
}

/** A connection that can be authenticated. */
export interface Authenticated {
  /** `host:port`. */
  readonly address: string;
  auth(password: string): Promise<void>;
}

const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const ESCAPE = 0x1b;
/** The signals that end the question, with their numbers. */
const SIGNALS = [["SIGHUP", 1], ["SIGINT", 2], ["SIGTERM", 15]] as const;

/** Returns whether there is a terminal to ask on. */
export function canAsk(): boolean {
  return Deno.stdin.isTerminal() && Deno.stderr.isTerminal();
}

/** The terminal of this process. */
export const OWN_TERMINAL: QuestionTerminal = {
  read: (target) => Deno.stdin.read(target),
  write: (text) => {
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  },
  setRaw: (isRaw) => Deno.stdin.setRaw(isRaw),
};

/**
 * Asks for the password of a server.
 *
 * @param address the server, as the question names it
 * @throws {QuestionEnded} when the user gives none
 * @throws {UsageError} when there is no terminal, or the password is not UTF-8
 */
export async function askPassword(address: string, terminal = OWN_TERMINAL): Promise<string> {
  if (terminal === OWN_TERMINAL && !canAsk()) {
    throw new UsageError("Cannot ask for a password: expected a terminal on standard input; or use --password-file");
  }
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const listeners = SIGNALS.map(([signal, number]) => [signal, () => reject(new QuestionEnded(128 + number))] as const);
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  terminal.write(`Password for ${address}: `);
  terminal.setRaw(true);
  try {
    return await Promise.race([readLine(terminal), ended]);
  } finally {
    terminal.setRaw(false);
    terminal.write("\n");
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  }
}

/**
 * Authenticates a connection with passwords that the user types, a few times at most.
 *
 * @throws {ReplyError} when the last one is refused, too
 * @throws {QuestionEnded} when the user gives none
 */
export async function authenticateByQuestion(client: Authenticated, terminal = OWN_TERMINAL): Promise<void> {
  for (let tries = 1;; tries++) {
    const password = await askPassword(client.address, terminal);
    try {
      return await client.auth(password);
    } catch (error) {
      if (!(error instanceof ReplyError) || error.code !== "WRONGPASS" || tries === PASSWORD_TRIES_MAX_COUNT) {
        throw error;
      }
      terminal.write("This password is refused. ");
    }
  }
}

async function readLine(terminal: QuestionTerminal): Promise<string> {
  const typed: number[] = [];
  const buffer = new Uint8Array(1024);
  for (;;) {
    const count = await terminal.read(buffer);
    if (count === null) throw new QuestionEnded(1);
    // A key that sends several bytes, such as an arrow, is not part of a password.
    if (buffer[0] === ESCAPE) continue;
    for (const byte of buffer.subarray(0, count)) {
      if (byte === 0x0d || byte === 0x0a) return decode(typed);
      if (byte === CTRL_C) throw new QuestionEnded(128 + 2);
      if (byte === CTRL_D) throw new QuestionEnded(1);
      if (byte === CTRL_U) typed.length = 0;
      else if (byte === 0x7f || byte === 0x08) removeCharacter(typed);
      else if (byte >= 0x20 && typed.length < PASSWORD_TYPED_MAX_BYTES) typed.push(byte);
    }
  }
}

/** Removes the bytes of the last character of UTF-8. */
function removeCharacter(typed: number[]): void {
  while (typed.length > 0 && (typed.pop()! & 0xc0) === 0x80);
}

function decode(typed: readonly number[]): string {
  if (typed.length === 0) throw new QuestionEnded(1);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(typed));
  } catch (cause) {
    throw new UsageError("Cannot use the typed password: expected UTF-8", { cause });
  }
}
