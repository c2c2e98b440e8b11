/**
 * Parses the head of a request: its first line and its headers, a strict subset of HTTP/1.1 (RFC 9112).
 *
 * ```text
 * head     METHOD SP target SP "HTTP/1." minor CRLF  *( name ":" value CRLF )  CRLF
 * method   GET | HEAD | POST
 * target   "/" and visible ASCII characters but "#"
 * minor    0 | 1
 * ```
 *
 * Two programs that read the same bytes as different requests are what request smuggling needs. So a request
 * that RFC 9112 lets a server interpret in two ways is refused, and the connection is closed after the response:
 *
 * | in the request | response |
 * |---|---|
 * | a line that ends without CR, a CR inside of a line, a NUL or another control character | 400 |
 * | a space before the colon, a header that goes on in the next line | 400 |
 * | `Host`, `Content-Length`, `Authorization` and the like twice, even with equal values | 400 |
 * | no `Host` in HTTP/1.1, or one that is not a host | 400 |
 * | `Content-Length` that is not a decimal number, or a body of `GET` | 400 |
 * | `Transfer-Encoding` | 501 |
 * | `Expect` | 417 |
 *
 * @module
 */

import { HTTP_BODY_MAX_BYTES, HTTP_HEAD_MAX_BYTES, HTTP_HEADERS_MAX_COUNT, HTTP_TARGET_MAX_BYTES } from "../limits.ts";
import type { Method, RequestHead } from "./message.ts";

/** The reason why a request is refused. */
export class RequestProblem {
  /**
   * Creates the reason.
   *
   * @param status the status code of the response
   * @param message a text for people
   */
  constructor(readonly status: number, readonly message: string, readonly headers?: Readonly<Record<string, string>>) {}
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const DELETE = 0x7f;

const METHODS: readonly string[] = ["GET", "HEAD", "POST"] satisfies Method[];
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** A host with an optional port. Names are checked loosely here, since only a few are accepted later. */
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+)(?::[0-9]{1,5})?$/;

/** The headers that a request has at most once. */
const SINGLE: ReadonlySet<string> = new Set([
  "authorization",
  "content-length",
  "content-type",
  "expect",
  "host",
  "origin",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "transfer-encoding",
]);

/** Looks for the end of a head as its bytes arrive, and refuses bytes that no head has. */
export class HeadScanner {
  /** The number of bytes that were looked at. */
  #length = 0;
  /** The number of bytes since the last CRLF. */
  #lineLength = 0;
  #previous = LF;

  /** Whether bytes of the head have arrived. */
  get hasBegun(): boolean {
    return this.#length > 0;
  }

  /** Begins with another head. */
  reset(): void {
    this.#length = this.#lineLength = 0;
    this.#previous = LF;
  }

  /**
   * Looks at the bytes that have arrived since the last call.
   *
   * @param start the position of the head's first byte
   * @returns the position after the head; -1 while it is incomplete
   */
  scan(buffer: Uint8Array, start: number, end: number): number | RequestProblem {
    let at = start + this.#length;
    for (; at < end; at++) {
      const byte = buffer[at]!;
      if (at - start >= HTTP_HEAD_MAX_BYTES) {
        return new RequestProblem(431, `the head of a request may have ${HTTP_HEAD_MAX_BYTES} bytes`);
      }
      if (byte === LF) {
        if (this.#previous !== CR) return new RequestProblem(400, "expected CR before LF");
        if (this.#lineLength === 1) return at + 1;
        this.#lineLength = 0;
      } else {
        if (this.#previous === CR) return new RequestProblem(400, "expected LF after CR");
        if ((byte < 0x20 && byte !== TAB && byte !== CR) || byte === DELETE) {
          return new RequestProblem(400, "expected no control characters");
        }
        // This also ends the connection of a client that speaks another protocol, such as TLS or RESP.
        if (at === start && !isUpperCase(byte)) return new RequestProblem(400, "expected a method");
        this.#lineLength++;
      }
      this.#previous = byte;
    }
    this.#length = end - start;
    return -1;
  }
}

/**
 * Parses a whole head.
 *
 * @param end the position after the head, as {@linkcode HeadScanner.scan} has returned it
 */
export function parseHead(buffer: Uint8Array, start: number, end: number): RequestHead | RequestProblem {
  const [first = "", ...lines] = latin1(buffer.subarray(start, end - 4)).split("\r\n");
  const line = parseFirstLine(first);
  if (line instanceof RequestProblem) return line;
  const headers = parseHeaders(lines);
  if (headers instanceof RequestProblem) return headers;
  const bodyBytes = bodyLength(line.method, headers);
  if (bodyBytes instanceof RequestProblem) return bodyBytes;
  const problem = hostProblem(line.minor, headers);
  if (problem !== undefined) return problem;
  const options = (headers.get("connection") ?? "").toLowerCase().split(",").map((each) => each.trim());
  const keepsAlive = !options.includes("close") && (line.minor === 1 || options.includes("keep-alive"));
  return { ...line, headers, bodyBytes, keepsAlive };
}

function parseFirstLine(line: string): Pick<RequestHead, "method" | "path" | "query" | "minor"> | RequestProblem {
  const words = line.split(" ");
  if (words.length !== 3) return new RequestProblem(400, "expected a method, a path and a version");
  const [method = "", target = "", version = ""] = words;
  if (!/^HTTP\/[0-9]\.[0-9]$/.test(version)) return new RequestProblem(400, "expected HTTP/1.1");
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") return new RequestProblem(505, "expected HTTP/1.1");
  if (!TOKEN.test(method)) return new RequestProblem(400, "expected a method");
  if (!METHODS.includes(method)) {
    return new RequestProblem(405, `expected ${METHODS.join(", ")}`, { allow: METHODS.join(", ") });
  }
  if (target.length > HTTP_TARGET_MAX_BYTES) {
    return new RequestProblem(414, `a path with its query may have ${HTTP_TARGET_MAX_BYTES} bytes`);
  }
  if (!/^\/[!"$-~]*$/.test(target)) return new RequestProblem(400, "expected a path of ASCII characters");
  const question = target.indexOf("?");
  return {
    method: method as Method,
    path: question < 0 ? target : target.slice(0, question),
    query: question < 0 ? "" : target.slice(question + 1),
    minor: version === "HTTP/1.1" ? 1 : 0,
  };
}

function parseHeaders(lines: readonly string[]): Map<string, string> | RequestProblem {
  if (lines.length > HTTP_HEADERS_MAX_COUNT) {
    return new RequestProblem(431, `a request may have ${HTTP_HEADERS_MAX_COUNT} headers`);
  }
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    if (!TOKEN.test(name)) return new RequestProblem(400, "expected a header: a name, a colon and a value");
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    const before = headers.get(name);
    if (before !== undefined && SINGLE.has(name)) return new RequestProblem(400, `expected "${name}" once`);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}

function bodyLength(method: Method, headers: ReadonlyMap<string, string>): number | RequestProblem {
  if (headers.has("transfer-encoding")) return new RequestProblem(501, "expected a body with Content-Length");
  if (headers.has("expect")) return new RequestProblem(417, "expected no Expect header");
  const text = headers.get("content-length");
  if (text === undefined) return 0;
  if (!/^[0-9]{1,15}$/.test(text)) return new RequestProblem(400, "expected a Content-Length of digits");
  const length = Number(text);
  if (length > HTTP_BODY_MAX_BYTES) return new RequestProblem(413, `a body may have ${HTTP_BODY_MAX_BYTES} bytes`);
  if (length > 0 && method !== "POST") return new RequestProblem(400, `expected no body of ${method}`);
  return length;
}

function hostProblem(minor: 0 | 1, headers: ReadonlyMap<string, string>): RequestProblem | undefined {
  const host = headers.get("host");
  if (host === undefined) return minor === 0 ? undefined : new RequestProblem(400, "expected a Host header");
  return HOST.test(host) ? undefined : new RequestProblem(400, "expected a Host header with a host and a port");
}

function isUpperCase(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a;
}

/** Returns bytes as text, each as the character of its number. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return text;
}
