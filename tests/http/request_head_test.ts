import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { HeadScanner, parseHead, RequestProblem } from "../../src/http/request_head.ts";
import type { RequestHead } from "../../src/http/message.ts";
import { HTTP_BODY_MAX_BYTES, HTTP_HEAD_MAX_BYTES, HTTP_HEADERS_MAX_COUNT } from "../../src/limits.ts";

/** Returns text as bytes, each character as the byte of its number. */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (each) => each.charCodeAt(0));
}

/** Parses what a client sends; `undefined` when its head is incomplete. */
function parse(text: string): RequestHead | RequestProblem | undefined {
  const bytes = bytesOf(text);
  const end = new HeadScanner().scan(bytes, 0, bytes.length);
  if (end instanceof RequestProblem) return end;
  return end < 0 ? undefined : parseHead(bytes, 0, end);
}

/** Returns a head with some lines after a good first line and a good host. */
function withLines(...lines: string[]): string {
  return ["POST /a HTTP/1.1", "Host: localhost", ...lines, "", ""].join("\r\n");
}

Deno.test("parseHead() returns the parts of a request", () => {
  const head = parse(
    "POST /api/key?name=a%20b HTTP/1.1\r\nHOST: localhost:9460\r\nX-A:\t1 \r\nx-a: 2\r\nContent-Length: 3\r\n\r\n",
  );
  assert(head !== undefined && !(head instanceof RequestProblem));
  const { headers, ...rest } = head;
  assertEquals(rest, {
    method: "POST",
    path: "/api/key",
    query: "name=a%20b",
    minor: 1,
    bodyBytes: 3,
    keepsAlive: true,
  });
  assertEquals([...headers], [["host", "localhost:9460"], ["x-a", "1, 2"], ["content-length", "3"]]);
});

Deno.test("parseHead() decides whether the connection stays open", () => {
  const cases: [string, boolean][] = [
    ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", true],
    ["GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false],
    ["GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false],
    ["GET / HTTP/1.0\r\n\r\n", false],
    ["GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true],
  ];
  for (const [text, expected] of cases) {
    const head = parse(text);
    assert(head !== undefined && !(head instanceof RequestProblem), text);
    assertEquals(head.keepsAlive, expected, text);
  }
});

/** Requests that are refused, with the status of the response. */
const REFUSED: readonly (readonly [text: string, status: number])[] = [
  // The first line.
  ["\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  [" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["get / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET /\tHTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400],
  ["GET /\r\nHost: a\r\n\r\n", 400],
  ["GET\r\n\r\n", 400],
  ["GET / http/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400],
  ["GET / HTTP/11\r\nHost: a\r\n\r\n", 400],
  ["GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505],
  ["GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505],
  ["PRI * HTTP/2.0\r\n\r\n", 505],
  ["GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  ["GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  [`GET /${"a".repeat(5000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ["CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 405],
  ["OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405],
  ["DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405],
  ["TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405],
  // Bytes that are in no head, as other protocols send them.
  ["\x16\x03\x01\x02\x00\x01", 400],
  ["*1\r\n$4\r\nping\r\n", 400],
  ["\0\0\0\x05", 400],
  ["GET / HTTP/1.1\nHost: a\n\n", 400],
  ["GET / HTTP/1.1\r\nHost: a\r\nA: b\n\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: a\r\nA: b\rc\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: a\r\nA: \x7f\r\n\r\n", 400],
  ["GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
  // Headers.
  [withLines("Content-Length : 0"), 400],
  [withLines("X Y: 0"), 400],
  [withLines("A: b", " c"), 400],
  [withLines("A: b", "\tc"), 400],
  [withLines(": b"), 400],
  [withLines("no colon"), 400],
  [withLines("\xc3\xa4: b"), 400],
  [withLines(...Array.from({ length: HTTP_HEADERS_MAX_COUNT }, (_, index) => `a${index}: b`)), 431],
  [withLines(`a: ${"b".repeat(HTTP_HEAD_MAX_BYTES)}`), 431],
  ["GET / HTTP/1.1\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost:\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400],
  [withLines("Authorization: Basic YTpi", "Authorization: Basic YTpi"), 400],
  [withLines("Origin: http://a", "Origin: http://b"), 400],
  // The length of the body.
  [withLines("Content-Length: 1", "Content-Length: 1"), 400],
  [withLines("Content-Length: 1", "Content-Length: 2"), 400],
  [withLines("Content-Length: 1, 1"), 400],
  [withLines("Content-Length: +1"), 400],
  [withLines("Content-Length: -1"), 400],
  [withLines("Content-Length: 0x1"), 400],
  [withLines("Content-Length: 1e1"), 400],
  [withLines("Content-Length:"), 400],
  [withLines("Content-Length: 99999999999999999999"), 400],
  [withLines(`Content-Length: ${HTTP_BODY_MAX_BYTES + 1}`), 413],
  ["GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 400],
  ["HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", 400],
  [withLines("Transfer-Encoding: chunked"), 501],
  [withLines("Transfer-Encoding: identity"), 501],
  [withLines("Transfer-Encoding: chunked", "Content-Length: 1"), 501],
  [withLines("Transfer-Encoding : chunked"), 400],
  [withLines("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), 400],
  [withLines("Expect: 100-continue"), 417],
];

Deno.test("a head that is not of the strict subset is refused with the right status", () => {
  for (const [text, status] of REFUSED) {
    const problem = parse(text);
    assertInstanceOf(problem, RequestProblem, JSON.stringify(text.slice(0, 200)));
    assertEquals(problem.status, status, `${JSON.stringify(text.slice(0, 200))}: ${problem.message}`);
  }
});

Deno.test("a head is scanned in the same way however its bytes arrive", () => {
  const heads = [...REFUSED.map(([text]) => text), "GET /a HTTP/1.1\r\nHost: b\r\nC: d\r\n\r\nrest"];
  for (const text of heads.filter((each) => each.length < 1000)) {
    const bytes = bytesOf(text);
    const whole = new HeadScanner().scan(bytes, 0, bytes.length);
    const scanner = new HeadScanner();
    let found: number | RequestProblem = -1;
    for (let end = 1; end <= bytes.length && found === -1; end++) found = scanner.scan(bytes, 0, end);
    assertEquals(found, whole, JSON.stringify(text));
  }
});

Deno.test("random bytes and mutated heads are accepted, refused, or incomplete, and nothing else", () => {
  const head = "GET /a?b=c HTTP/1.1\r\nHost: localhost:1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  const odd = ["\0", "\r", "\n", "\r\n", " ", "\t", ":", "\xff", "\x80", "Host: x\r\n", "GET ", "HTTP/1.1", "%00", ","];
  let state = 1;
  const random = (below: number) => (state = (state * 48_271) % 0x7fffffff) % below;
  const statuses = new Map<number | string, number>();
  for (let round = 0; round < 20_000; round++) {
    let text = head;
    for (let changes = 1 + random(3); changes > 0; changes--) {
      const at = random(text.length);
      text = text.slice(0, at) + odd[random(odd.length)] + text.slice(at + random(3));
    }
    const result = parse(text);
    const kind = result === undefined ? "incomplete" : result instanceof RequestProblem ? result.status : "accepted";
    statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
    if (result === undefined || result instanceof RequestProblem) continue;
    // What is accepted means the same to everybody: no line break, no NUL, one host, one length.
    for (const [name, value] of result.headers) {
      assert(/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && !/[\0\r\n]/.test(value), JSON.stringify(text));
    }
    assert(/^\/[!"$-~]*$/.test(result.path) && result.headers.has("host"), JSON.stringify(text));
  }
  assertEquals([400, "accepted", "incomplete"].filter((each) => (statuses.get(each) ?? 0) < 100), []);
});
