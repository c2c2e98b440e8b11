/**
 * Keeps pages of other sites from using a port that a browser can reach.
 *
 * | attack | defence |
 * |---|---|
 * | A page of `evil.example` sends requests here (CSRF) | `Origin` and `Sec-Fetch-Site` say so: 403 |
 * | `evil.example` changes its address to that of this machine (DNS rebinding), so that it is the same site | its name is in `Host`, and is none of ours: 421 |
 *
 * A page of another site may still have a link to this one: following it is a navigation, whose response that page
 * cannot read. Other programs than browsers send neither `Origin` nor `Sec-Fetch-Site`.
 *
 * @module
 */

import { isIpAddress, isLoopback } from "../address.ts";
import type { RequestHead } from "./message.ts";
import { RequestProblem } from "./request_head.ts";

/**
 * Returns why a request is refused that a page of another site has caused; `undefined` when none has.
 *
 * `Origin` has to be the host that the request is sent to. Its scheme may differ, since a proxy may add TLS.
 */
export function foreignProblem(
  { method, headers }: Pick<RequestHead, "method" | "headers">,
): RequestProblem | undefined {
  const origin = headers.get("origin");
  const host = headers.get("host");
  if (origin !== undefined && origin.replace(/^https?:\/\//i, "").toLowerCase() !== host?.toLowerCase()) {
    return new RequestProblem(403, "expected a request from a page of this port");
  }
  const site = headers.get("sec-fetch-site") ?? "none";
  const navigates = method !== "POST" && headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  if (site === "none" || site === "same-origin" || navigates) return undefined;
  return new RequestProblem(403, "expected a request from a page of this port");
}

/**
 * Returns why a request is refused whose `Host` may be a name of another site; `undefined` when it is not.
 *
 * An IP address is never the name of a site that has changed its address.
 *
 * @param hostnames other names of this machine that are accepted, in lower case
 */
export function hostProblem(
  { headers }: Pick<RequestHead, "headers">,
  hostnames: readonly string[],
): RequestProblem | undefined {
  const host = headers.get("host");
  // Browsers always send it.
  if (host === undefined) return undefined;
  const hostname = host.replace(/:[0-9]*$/, "").replace(/^\[|\]$/g, "").replace(/\.$/, "").toLowerCase();
  if (isIpAddress(hostname) || isLoopback(hostname) || hostnames.includes(hostname)) return undefined;
  return new RequestProblem(421, "expected an IP address, localhost or the host of --metrics as the host of the URL");
}
