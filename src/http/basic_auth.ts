/**
 * Reads the user and the password of a request (HTTP Basic authentication, RFC 7617, in UTF-8).
 *
 * @module
 */

/** A user and a password, as a client has sent them. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The header of a response that asks for a password. */
export const CHALLENGE = { "www-authenticate": 'Basic realm="inmem", charset="UTF-8"' };

/** Returns what a value of the header `Authorization` says; `undefined` when it is not understood. */
export function parseBasic(authorization: string): Credentials | undefined {
  const encoded = /^basic +([0-9a-z+/]+={0,2})$/i.exec(authorization)?.[1];
  if (encoded === undefined) return undefined;
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(
      Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0)),
    );
  } catch {
    return undefined;
  }
  const colon = text.indexOf(":");
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
