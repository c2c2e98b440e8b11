/**
 * Requests and responses of HTTP, as routes see them.
 *
 * @module
 */

import type { EventStream } from "./event_stream.ts";

/** The methods that the server knows. `HEAD` is `GET` without a body in the response. */
export type Method = "GET" | "HEAD" | "POST";

/** The connection that a request came on. */
export interface HttpPeer {
  readonly id: number;
  /** `host:port` of the peer. */
  readonly address: string;
  /** The number of wrong passwords on this connection. */
  failedLogins: number;
  /** Whether the connection is to be closed after the next response. */
  closing: boolean;
}

/** The first part of a request: its first line and its headers. */
export interface RequestHead {
  readonly method: Method;
  /** The path as it was sent: not decoded, without the query. */
  readonly path: string;
  /** The text after the `?`, as it was sent; empty without one. */
  readonly query: string;
  /** The minor version of HTTP/1. */
  readonly minor: 0 | 1;
  /** The headers by their names in lower case. Bytes above 0x7f are characters of Latin-1. */
  readonly headers: ReadonlyMap<string, string>;
  /** The length of the body that follows. */
  readonly bodyBytes: number;
  /** Whether the client wants to send another request on the connection. */
  readonly keepsAlive: boolean;
}

/** A whole request. */
export interface HttpRequest extends Omit<RequestHead, "bodyBytes"> {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly peer: HttpPeer;
}

/** A response with a body of known length. */
export interface ContentResponse {
  readonly status: number;
  /** The media type of the body. */
  readonly type: string;
  /** The body; text is sent as UTF-8. */
  readonly body: string | Uint8Array;
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the response is held back, in ms. */
  readonly delayMs?: number;
}

/** A response that lasts: the client views a stream of events until it leaves. */
export interface StreamResponse {
  readonly events: EventStream;
}

/** A response, as a route returns it. */
export type HttpResponse = ContentResponse | StreamResponse;

/** Returns the response to a request. */
export type HttpHandler = (request: HttpRequest) => HttpResponse | Promise<HttpResponse>;

/** The reasons of the status codes in use. */
const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  204: "No Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  421: "Misdirected Request",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};

/** Returns the text that the first line of a response has after its status. */
export function reasonOf(status: number): string {
  return REASONS[status] ?? "";
}

/** Returns a response of one line of text. */
export function textResponse(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): ContentResponse {
  return { status, type: "text/plain; charset=utf-8", body: `${text}\n`, headers };
}
