/**
 * A minimal Redis client for loading and measuring: many commands in one write, with replies of one line each, or one
 * value at a time.
 *
 * ```text
 * command   *3 CRLF  $3 CRLF SET CRLF  $1 CRLF x CRLF  $2 CRLF 42 CRLF
 * line      +OK CRLF   :1 CRLF   -ERR text CRLF
 * value     $2 CRLF 42 CRLF
 * ```
 *
 * The protocol is at https://redis.io/docs/latest/develop/reference/protocol-spec/.
 *
 * @module
 */

import { connect } from "../../src/net/connector.ts";
import { type Socket, writeAll } from "../../src/net/socket.ts";

const RECEIVE_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const DOLLAR = 0x24;
const LINE_END_BYTES = 2;

/** The address of a server. */
export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
  /** The authority to trust, in PEM. Without it, the server speaks plaintext. */
  readonly authority?: string | undefined;
}

/** A connection for one caller at a time. */
export class RespConnection {
  readonly #socket: Socket;
  readonly #received = new Uint8Array(RECEIVE_BYTES);
  readonly #decoder = new TextDecoder();

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects to a server. */
  static async connect({ hostname, port, authority }: Endpoint): Promise<RespConnection> {
    const security = authority === undefined ? { plaintext: true } : { caCerts: [authority] };
    return new RespConnection(await connect({ hostname, port, ...security }));
  }

  /**
   * Sends commands in one write, and waits for all replies, which it reads meanwhile.
   *
   * @param commands commands of ASCII words, each with a reply of one line
   * @returns the replies, without their line ends
   * @throws {Error} when a command is refused, or the connection ends
   */
  async run(commands: readonly (readonly string[])[]): Promise<string[]> {
    const [, replies] = await Promise.all([
      writeAll(this.#socket, encodeCommands(commands)),
      this.#readLines(commands.length),
    ]);
    return replies;
  }

  async #readLines(count: number): Promise<string[]> {
    const found: string[] = [];
    let rest = "";
    while (found.length < count) {
      const received = this.#received.subarray(0, await this.#read(0));
      const lines = (rest + this.#decoder.decode(received)).split("\r\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith("-")) throw new Error(`Cannot run a command: the server says "${line.slice(1)}"`);
        found.push(line);
      }
    }
    return found;
  }

  /**
   * Sends a command, and reads the value of its reply without keeping it.
   *
   * @param command made by {@linkcode encodeCommands}; borrowed until then
   * @returns the value's length in bytes
   * @throws {Error} when the reply is not a value, or the connection ends
   */
  async skipValue(command: Uint8Array): Promise<number> {
    await writeAll(this.#socket, command);
    const bytes = this.#received;
    let end = 0;
    let lineEnd = -1;
    while (lineEnd < 0) {
      end += await this.#read(end);
      lineEnd = bytes.subarray(0, end).indexOf(NEWLINE);
    }
    const header = this.#decoder.decode(bytes.subarray(0, lineEnd + 1 - LINE_END_BYTES));
    const length = Number(header.slice(1));
    if (bytes[0] !== DOLLAR || length < 0) throw new Error(`Cannot read a value: the server says "${header}"`);
    const size = lineEnd + 1 + length + LINE_END_BYTES;
    while (end < size) end += await this.#read(0);
    return length;
  }

  /**
   * Sends a command, and reads the text of its reply.
   *
   * @throws {Error} when the reply is not a text, or the connection ends
   */
  async readText(command: readonly string[]): Promise<string> {
    await writeAll(this.#socket, encodeCommands([command]));
    let text = "";
    for (;;) {
      text += this.#decoder.decode(this.#received.subarray(0, await this.#read(0)), { stream: true });
      const lineEnd = text.indexOf("\r\n");
      if (lineEnd < 0) continue;
      const length = Number(text.slice(1, lineEnd));
      if (!text.startsWith("$") || !(length >= 0)) throw new Error(`Cannot read a text: the server says "${text}"`);
      const begin = lineEnd + LINE_END_BYTES;
      if (text.length >= begin + length + LINE_END_BYTES) return text.slice(begin, begin + length);
    }
  }

  async #read(at: number): Promise<number> {
    const count = await this.#socket.read(at === 0 ? this.#received : this.#received.subarray(at));
    if (count === null) throw new Error("Cannot read a reply: the server has closed the connection");
    return count;
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.close();
  }
}

/** Returns the bytes of some commands of ASCII words. */
export function encodeCommands(commands: readonly (readonly string[])[]): Uint8Array {
  let text = "";
  for (const words of commands) {
    text += `*${words.length}\r\n`;
    for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  }
  return new TextEncoder().encode(text);
}
