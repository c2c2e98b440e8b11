/**
 * The checks of a call before it runs, which do not depend on the contents of the store.
 *
 * Server and proxy refuse calls by these checks with the same messages, so clients see no difference. Any module may
 * import this one, as it may import the specification.
 *
 * @module
 */

import { decodeText, equalsIgnoringCase } from "../bytes.ts";
import { DelayedReplyError, ReplyError } from "../errors.ts";
import { CHANNEL_SIZE_MAX_BYTES, KEY_SIZE_MAX_BYTES, PATTERN_SIZE_MAX_BYTES, WORD_SIZE_MAX_BYTES } from "../limits.ts";
import { type Call, type CommandSpecification, keysEnd, type ProtocolVersion } from "./specification.ts";

/** The only user, which `auth` with only a password means. */
const DEFAULT_USER = "default";

/** The longest quotation of a call in an error, in characters. */
const QUOTATION_MAX_LENGTH = 128;

/** Returns the error for a call with a wrong number of arguments. It contains the name that the client used. */
export function wrongCount(call: Call): ReplyError {
  const name = decodeText(call.bytes, call.starts[0]!, call.lengths[0]!).toLowerCase();
  return new ReplyError("ERR", `wrong number of arguments for '${name}' command`);
}

/**
 * Returns the error for an unknown command. Like Redis's, it quotes the name and as many arguments as fit into 128
 * characters.
 */
export function unknownCommand(call: Call): ReplyError {
  let quoted = "";
  for (let i = 1; i < call.count && quoted.length < QUOTATION_MAX_LENGTH; i++) {
    quoted += `'${quotation(call, i, QUOTATION_MAX_LENGTH - quoted.length)}' `;
  }
  const name = quotation(call, 0, QUOTATION_MAX_LENGTH);
  return new ReplyError("ERR", `unknown command '${name}', with args beginning with: ${quoted}`);
}

/** Returns argument `index` on one line, cut after `length` bytes. */
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
  const end = keysEnd(specification, call);
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

/** Refuses names of channels and patterns that are too long, at the places in the command's syntax. */
function checkChannels({ channels }: CommandSpecification, call: Call): void {
  const { bytes, starts, lengths, count } = call;
  for (const { subcommand, first, isMany, isPattern } of channels) {
    if (subcommand !== undefined && !equalsIgnoringCase(bytes, starts[1]!, lengths[1]!, subcommand)) continue;
    return checkChannelNames(call, first, isMany || subcommand !== undefined ? count : first + 1, isPattern);
  }
  // The subcommand has no names, but its additional arguments are bounded, too.
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

/** Returns whether a command may run before authentication, on a connection of this protocol version. */
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
 * Without a configured password, the form with a user succeeds, because some clients always send one, and the short
 * form is refused.
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
 * Refuses a wrong user or password. Without a configured password, the default user may have any.
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
