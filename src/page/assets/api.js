/** Asks the server for data. */

/** An error whose message is for people. */
export class AskError extends Error {}

/**
 * Returns the data of a route.
 *
 * @param {string} path
 * @param {Readonly<Record<string, string>>} query
 * @returns {Promise<any>}
 * @throws {AskError} when there is none; the message says why
 */
export function ask(path, query = {}) {
  const search = new URLSearchParams(query).toString();
  return send(search === "" ? path : `${path}?${search}`, {});
}

/**
 * Changes something.
 *
 * @param {string} path
 * @param {unknown} body
 * @returns {Promise<any>}
 * @throws {AskError} when it was refused; the message says why
 */
export function tell(path, body) {
  return send(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

/**
 * @param {string} url
 * @param {RequestInit} init
 */
async function send(url, init) {
  let response;
  try {
    response = await fetch(url, init);
  } catch {
    throw new AskError("The server cannot be reached.");
  }
  if (response.ok) return await response.json();
  const text = await response.text();
  let message;
  try {
    message = JSON.parse(text).error;
  } catch {
    message = text.trim();
  }
  throw new AskError(message || `The server has replied ${response.status}.`);
}
