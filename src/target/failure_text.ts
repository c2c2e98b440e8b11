/**
 * The text by which a client tool says why it could not reach or use its server, with advice on what to do.
 *
 * @module
 */

import { ConnectionError, type InmemError, ReplyError } from "../errors.ts";

const PASSWORD_OPTIONS = "--password-file FILE, or INMEM_PASSWORD";

/** The advice by what the message of a lost or refused connection says. */
const CONNECTION_ADVICE: readonly (readonly [reason: RegExp, advice: string])[] = [
  [/nobody listens/, 'is the server running? Start it with "inmem server", or use --addr'],
  [/not trusted/, "pass its authority's certificate with --ca FILE"],
  [/does not speak TLS/, "if it was started with --plaintext, use that option here, too"],
  [/has no address/, "check --addr"],
];

/** Returns the text of a failure, in one sentence or two, without the tool's name. */
export function failureText(error: InmemError, isPlaintext: boolean): string {
  if (error instanceof ConnectionError) return connectionText(error, isPlaintext);
  return error instanceof ReplyError ? refusalText(error) : error.message;
}

function connectionText({ message }: ConnectionError, isPlaintext: boolean): string {
  const [, advice] = CONNECTION_ADVICE.find(([reason]) => reason.test(message)) ?? [];
  if (advice !== undefined) return `${message}; ${advice}`;
  if (!isPlaintext || !/closed it/.test(message)) return message;
  return `${message}; if it speaks TLS, leave out --plaintext, or begin the URL with inmems:// or rediss://`;
}

/** Returns the text of a refusal. The advice is a separate sentence if the reason ends like one. */
function refusalText(error: ReplyError): string {
  const reason = `${error.code} ${error.message}`;
  const advice = passwordAdvice(error);
  if (advice === "") return reason;
  return /[.?!]$/.test(reason) ? `${reason} ${advice[0]!.toUpperCase()}${advice.slice(1)}` : `${reason}; ${advice}`;
}

function passwordAdvice({ code, message }: ReplyError): string {
  if (code === "NOAUTH") return `pass the password with ${PASSWORD_OPTIONS}`;
  if (code === "WRONGPASS") return `pass the right one with ${PASSWORD_OPTIONS}`;
  if (!/password/i.test(message)) return "";
  return "if this server requires no password, leave out --password-file and that of the URL, and unset INMEM_PASSWORD";
}
