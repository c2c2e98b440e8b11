/**
 * A name server that replies as a test specifies: with addresses, that a name does not exist, for one family only, or
 * not at all. It listens on UDP port 53 of a loopback address, so it needs a separate network (names_space.ts).
 *
 * ```text
 * query      id:u16 flags:u16 counts:4 × u16   labels: length:u8 bytes …  00   type:u16 class:u16
 * response   id     8180      1 n 0 0          the query's name, type, class   n × (c00c type class ttl:u32 length:u16 address)
 * ```
 *
 * @module
 */

const TYPE_A = 1;
const TYPE_AAAA = 28;
const SERVER_FAILURE = 2;
const NO_SUCH_NAME = 3;
const HEADER_BYTES = 12;

/** A name server that listens until it is disposed of. */
export class NameServer implements Disposable {
  /** The addresses of each name. A name without an entry does not exist. */
  readonly addresses = new Map<string, readonly string[]>();
  /** Whether it does not respond. */
  isSilent = false;
  /** Whether it responds that it has failed. */
  isBroken = false;
  /** Whether it does not respond to queries for IPv6. */
  ignoresIpv6 = false;
  /** The queries so far: name and type. */
  readonly questions: string[] = [];
  readonly #socket: Deno.DatagramConn;

  constructor(hostname: string) {
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 53 });
    void this.#serve();
  }

  async #serve(): Promise<void> {
    for await (const [question, from] of this.#socket) {
      const response = this.#respond(question);
      if (response !== undefined) await this.#socket.send(response, from);
    }
  }

  #respond(question: Uint8Array): Uint8Array | undefined {
    const labels: string[] = [];
    let at = HEADER_BYTES;
    for (let length = question[at]!; length > 0; length = question[at]!) {
      labels.push(new TextDecoder().decode(question.subarray(at + 1, at + 1 + length)));
      at += 1 + length;
    }
    const type = question[at + 2]!;
    const name = labels.join(".").toLowerCase();
    this.questions.push(`${name} ${type}`);
    if (this.isSilent || (this.ignoresIpv6 && type === TYPE_AAAA)) return undefined;
    const known = this.addresses.get(name);
    const wanted = (known ?? []).filter((each) => type === (each.includes(":") ? TYPE_AAAA : TYPE_A));
    const code = this.isBroken ? SERVER_FAILURE : known === undefined ? NO_SUCH_NAME : 0;
    const head = [0x81, 0x80 | code, 0, 1, 0, wanted.length, 0, 0, 0, 0];
    const records = wanted.flatMap((each) => {
      const bytes = each.includes(":") ? LOOPBACK_IPV6 : each.split(".").map(Number);
      return [0xc0, 0x0c, 0, type, 0, 1, 0, 0, 0, 0, 0, bytes.length, ...bytes];
    });
    return Uint8Array.from([
      ...question.subarray(0, 2),
      ...head,
      ...question.subarray(HEADER_BYTES, at + 5),
      ...records,
    ]);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** The only IPv6 address that tests need. */
const LOOPBACK_IPV6: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
