/**
 * The least of a Redis client that loading needs: many commands in one write, and replies of one line each.
 *
 * ```text
 * command   *3 CRLF  $3 CRLF SET CRLF  $1 CRLF x CRLF  $2 CRLF 42 CRLF
 * reply     +OK CRLF   :1 CRLF   -ERR text CRLF
 * ```
 *
 * Replies of several lines (bulk strings, arrays) are not understood: `SET`, `HSET`, `RPUSH`, `DBSIZE`, `FLUSHALL` and
 * `PING` have none. The protocol: https://redis.io/docs/latest/develop/reference/protocol-spec/
 *
 * @module
 */

const RECEIVE_BYTES = 64 * 1024;

/** A connection over plain TCP. Not for two callers at a time. */
export class RespConnection {
  readonly #socket: Deno.TcpConn;
  readonly #received = new Uint8Array(RECEIVE_BYTES);
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  /** Connects. */
  static async connect(hostname: string, port: number): Promise<RespConnection> {
    const socket = await Deno.connect({ hostname, port });
    socket.setNoDelay();
    return new RespConnection(socket);
  }

  /**
   * Sends commands in one write, and waits for all replies. Together they must fit the kernel's buffers, a few hundred
   * kilobytes: nothing is read before everything is written.
   *
   * @param commands of ASCII words
   * @returns the last reply, without its line's end
   * @throws {Error} when a command is refused, or the connection ends
   */
  async run(commands: readonly (readonly string[])[]): Promise<string> {
    await this.#write(this.#encoder.encode(commands.map(encodeCommand).join("")));
    let last = "";
    let rest = "";
    for (let missing = commands.length; missing > 0;) {
      const lines = (rest + await this.#read()).split("\r\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith("-")) throw new Error(`Cannot run a command: redis-server says "${line.slice(1)}"`);
        last = line;
      }
      missing -= lines.length;
    }
    return last;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let start = 0; start < bytes.length;) start += await this.#socket.write(bytes.subarray(start));
  }

  async #read(): Promise<string> {
    const count = await this.#socket.read(this.#received);
    if (count === null) throw new Error("Cannot read a reply: redis-server has closed the connection");
    return this.#decoder.decode(this.#received.subarray(0, count));
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.close();
  }
}

function encodeCommand(words: readonly string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${word.length}\r\n${word}\r\n`;
  return text;
}
