/**
 * A call of a command, before it runs: the refusals that do not depend on the store.
 *
 * The server refuses here, and so does the proxy, in the same words: a client cannot distinguish them. Like the
 * specification, this may be imported by anybody.
 *
 * @module
 */

import { decodeText, equalsIgnoringCase } from "../bytes.ts";
import { DelayedReplyError, ReplyError } from "../errors.ts";
import { CHANNEL_SIZE_MAX_BYTES, KEY_SIZE_MAX_BYTES, PATTERN_SIZE_MAX_BYTES, WORD_SIZE_MAX_BYTES } from "../limits.ts";
import { type CommandSpecification, keysEnd, type ProtocolVersion } from "./specification.ts";

/** The places of a call's arguments in a buffer; argument 0 is the command's name. `Request` of the wire is such. */
export interface Call {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
}

/** The only user, whom `auth` with a password alone means. */
const DEFAULT_USER = "default";

/** Longest quotation of a call in an error, in characters. */
const QUOTATION_MAX_LENGTH = 128;

/** The refusal of a call with too few or too many arguments. Names the command as the client did. */
export function wrongCount(call: Call): ReplyError {
  const name = decodeText(call.bytes, call.starts[0]!, call.lengths[0]!).toLowerCase();
  return new ReplyError("ERR", `wrong number of arguments for '${name}' command`);
}

/** Quotes what was sent as Redis does: the name, and as many arguments as fit 128 characters. */
export function unknownCommand(call: Call): ReplyError {
  let quoted = "";
  for (let i = 1; i < call.count && quoted.length < QUOTATION_MAX_LENGTH; i++) {
    quoted += `'${quotation(call, i, QUOTATION_MAX_LENGTH - quoted.length)}' `;
  }
  const name = quotation(call, 0, QUOTATION_MAX_LENGTH);
  return new ReplyError("ERR", `unknown command '${name}', with args beginning with: ${quoted}`);
}

/** Argument `index` on one line, cut after `length` bytes. */
function quotation(call: Call, index: number, length: number): string {
  const text = decodeText(call.bytes, call.starts[index]!, Math.min(length, call.lengths[index]!));
  // deno-lint-ignore no-control-regex -- control characters are what has to go
  return text.replace(/[\x00-\x1f\x7f]/g, " ");
}

/**
 * Refuses too many arguments, and arguments that are too long: keys, values, names of channels and patterns, and words
 * of commands on the connection or the server.
 *
 * @throws {ReplyError}
 */
export function checkSizes(specification: CommandSpecification, call: Call): void {
  const { argumentsMaxCount, valueMaxBytes } = specification;
  if (call.count > argumentsMaxCount) {
    throw new ReplyError(
      "ERR",
      `too many arguments for '${specification.name}' command: at most ${argumentsMaxCount - 1}`,
    );
  }
  const { firstKey, keyStep } = specification;
  if (specification.group === "channel") checkChannels(specification, call);
  const end = keysEnd(specification, call.count);
  for (let i = 1; i < call.count; i++) {
    const length = call.lengths[i]!;
    if (i >= firstKey && i < end && (i - firstKey) % keyStep === 0) {
      if (length > KEY_SIZE_MAX_BYTES) throw new ReplyError("ERR", `key exceeds ${KEY_SIZE_MAX_BYTES} bytes`);
    } else if (length > valueMaxBytes) {
      throw new ReplyError(
        "ERR",
        `${valueMaxBytes === WORD_SIZE_MAX_BYTES ? "argument" : "value"} exceeds ${valueMaxBytes} bytes`,
      );
    }
  }
}

/** Refuses names of channels and patterns that are too long, wherever the syntax of a command has them. */
function checkChannels({ channels }: CommandSpecification, call: Call): void {
  const { bytes, starts, lengths, count } = call;
  for (const { subcommand, first, isMany, isPattern } of channels) {
    if (subcommand !== undefined && !equalsIgnoringCase(bytes, starts[1]!, lengths[1]!, subcommand)) continue;
    return checkChannelNames(call, first, isMany || subcommand !== undefined ? count : first + 1, isPattern);
  }
  // No subcommand that has names: what it has too much is refused for its length all the same.
  checkChannelNames(call, 2, count, false);
}

/**
 * Refuses names of channels, or patterns of them, that are too long, in arguments `[first, end)`.
 *
 * @throws {ReplyError}
 */
export function checkChannelNames({ lengths }: Call, first: number, end: number, isPattern: boolean): void {
  const maxBytes = isPattern ? PATTERN_SIZE_MAX_BYTES : CHANNEL_SIZE_MAX_BYTES;
  for (let i = first; i < end; i++) {
    if (lengths[i]! <= maxBytes) continue;
    throw new ReplyError("ERR", `${isPattern ? "pattern" : "channel name"} exceeds ${maxBytes} bytes`);
  }
}

/** Whether a stranger may run a command on a connection that speaks that version. */
export function isOpen({ open }: CommandSpecification, version: ProtocolVersion): boolean {
  return open === true || (open === "native" && version === 0);
}

/** Decides whether a client may log in. */
export interface Authenticator<Client> {
  /** Whether clients have to authenticate. */
  readonly passwordRequired: boolean;
  /** Returns whether the user and the password are right, and the client may still try. */
  authenticate(client: Client, user: string, password: string): boolean;
  /** Records a wrong password of a client. Returns how long its refusal has to wait, in ms. */
  failedLogin(client: Client): number;
}

/**
 * Refuses `auth [user] password` unless it is right.
 *
 * Where no password is set, the form with a user succeeds, as clients that always send one expect, and the short form
 * says that there is none.
 *
 * @throws {ReplyError}
 */
export function checkAuthentication<Client>(call: Call, client: Client, authenticator: Authenticator<Client>): void {
  if (call.count > 3) throw new ReplyError("ERR", "syntax error");
  const text = (index: number) => decodeText(call.bytes, call.starts[index]!, call.lengths[index]!);
  const user = call.count === 3 ? text(1) : DEFAULT_USER;
  const { passwordRequired } = authenticator;
  if (!passwordRequired && call.count === 2) {
    throw new ReplyError(
      "ERR",
      "AUTH <password> called without any password configured for the default user. " +
        "Are you sure your configuration is correct?",
    );
  }
  checkCredentials(user, text(call.count - 1), client, authenticator);
}

/**
 * Refuses a user and a password that are wrong. Where no password is set, the default user's may be any.
 *
 * @throws {ReplyError}
 */
export function checkCredentials<Client>(
  user: string,
  password: string,
  client: Client,
  authenticator: Authenticator<Client>,
): void {
  const { passwordRequired } = authenticator;
  const accepted = passwordRequired ? authenticator.authenticate(client, user, password) : user === DEFAULT_USER;
  if (accepted) return;
  const delayMs = passwordRequired ? authenticator.failedLogin(client) : 0;
  throw new DelayedReplyError("WRONGPASS", "invalid username-password pair or user is disabled.", delayMs);
}
