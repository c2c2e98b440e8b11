/**
 * A client of HTTP that sends any bytes and parses responses strictly, for tests of the port of `--metrics`.
 *
 * @module
 */

import { assert } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";

/** A response as a test sees it. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** One connection. Dispose of it after use. */
export class HttpClient implements Disposable {
  readonly socket: Deno.TcpConn | Deno.TlsConn;
  #text = "";
  #closed = false;

  constructor(socket: Deno.TcpConn | Deno.TlsConn) {
    this.socket = socket;
  }

  /** Connects in plaintext, or with TLS when certificates are given. */
  static async connect(address: Pick<Deno.NetAddr, "hostname" | "port">, caCerts?: string[]): Promise<HttpClient> {
    const { hostname, port } = address;
    return new HttpClient(
      caCerts ? await Deno.connectTls({ hostname, port, caCerts }) : await Deno.connect({ hostname, port }),
    );
  }

  /** Sends bytes, or text with each character as the byte of its number. */
  async send(content: Uint8Array | string): Promise<void> {
    const bytes = typeof content === "string" ? Uint8Array.from(content, (each) => each.charCodeAt(0)) : content;
    for (let start = 0; start < bytes.length;) start += await this.socket.write(bytes.subarray(start));
  }

  /** Sends a request and reads its response. */
  async request(
    path: string,
    { method = "GET", headers = {}, body = "" }: {
      method?: string;
      headers?: Readonly<Record<string, string>>;
      body?: string;
    } = {},
  ): Promise<HttpAnswer> {
    const all = { host: "localhost", ...body !== "" && { "content-length": `${encodeText(body).length}` }, ...headers };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    await this.send(encodeText(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`));
    const answer = await this.read(method === "HEAD");
    assert(answer !== undefined, `expected a response to ${method} ${path}`);
    return answer;
  }

  /** Reads one response; `undefined` when the connection has ended instead. */
  async read(isHead = false): Promise<HttpAnswer | undefined> {
    const head = await this.readUntil("\r\n\r\n");
    if (head === undefined) return undefined;
    const [first = "", ...lines] = head.slice(0, -4).split("\r\n");
    const status = /^HTTP\/1\.1 ([1-5][0-9]{2}) [A-Za-z -]+$/.exec(first)?.[1];
    assert(status !== undefined, `expected a status line, got ${JSON.stringify(first)}`);
    const headers = new Map(lines.map((line) => {
      const [, name = "", value = ""] = /^([a-z-]+): ([\t\x20-\x7e]*)$/.exec(line) ?? [];
      assert(name !== "", `expected a header, got ${JSON.stringify(line)}`);
      return [name, value];
    }));
    const length = Number(headers.get("content-length"));
    if (isHead || Number.isNaN(length)) return { status: Number(status), headers, body: "" };
    while (this.#text.length < length) assert(await this.#fill(), "expected the whole body");
    const body = decodeText(Uint8Array.from(this.#text.slice(0, length), (each) => each.charCodeAt(0)));
    this.#text = this.#text.slice(length);
    return { status: Number(status), headers, body };
  }

  /** Reads up to a text, which is included; `undefined` when the connection has ended before any byte. */
  async readUntil(text: string): Promise<string | undefined> {
    let end = this.#text.indexOf(text);
    for (; end < 0; end = this.#text.indexOf(text)) {
      if (await this.#fill()) continue;
      assert(this.#text === "", `expected ${JSON.stringify(text)}, got the end after ${JSON.stringify(this.#text)}`);
      return undefined;
    }
    const found = this.#text.slice(0, end + text.length);
    this.#text = this.#text.slice(end + text.length);
    return found;
  }

  /** Reads to the end of the connection, and returns how many bytes there were. A reset is an end, too. */
  async readToEnd(): Promise<number> {
    let bytes = this.#text.length;
    this.#text = "";
    while (await this.#fill()) {
      bytes += this.#text.length;
      this.#text = "";
    }
    return bytes;
  }

  async #fill(): Promise<boolean> {
    const buffer = new Uint8Array(64 * 1024);
    let count: number | null;
    try {
      count = await this.socket.read(buffer);
    } catch {
      return false;
    }
    if (count === null) return false;
    for (let at = 0; at < count; at += 4096) {
      this.#text += String.fromCharCode(...buffer.subarray(at, Math.min(count, at + 4096)));
    }
    return true;
  }

  /** Closes the connection. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.close();
  }
}
