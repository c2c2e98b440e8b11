/**
 * Replies that are written in steps must be equal, byte by byte, to those that are written without, in each protocol.
 */

import { assertEquals, fail } from "@std/assert";
import { Buffer } from "node:buffer";
import { encodeText } from "../../src/bytes.ts";
import { execute } from "../../src/command/dispatch.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { decodeRequest } from "../../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import type { Reply } from "../../src/wire/reply.ts";
import { Request } from "../../src/wire/request.ts";
import { RespReply } from "../../src/wire/resp/reply_writer.ts";
import { isLong } from "../support/amount.ts";
import { MemoryClient } from "../support/memory_client.ts";

const PROTOCOLS = ["native", "RESP2", "RESP3"] as const;
type Protocol = typeof PROTOCOLS[number];

/** The lengths of a value among short ones. At these lengths, a reply is written in another way. */
const LENGTHS = isLong ? [0, 31, 256, 65_535, 65_536, 262_144, 262_145, 5_000_000] : [31, 65_536, 262_145, 5_000_000];

function makeReply(protocol: Protocol): Reply {
  if (protocol === "native") return new NativeReply();
  const reply = new RespReply();
  reply.version = protocol === "RESP2" ? 2 : 3;
  return reply;
}

class Rig {
  readonly store = new Store({ memoryLimitBytes: 128 * 1024 * 1024, evicts: false, seed: [1, 2] });
  readonly shared = new SharedState(this.store);
  readonly client = new MemoryClient({ store: this.store, shared: this.shared });

  /** Runs a request with `steps` steps in a slice, after other replies of the same batch. Returns its reply. */
  async run(protocol: Protocol, request: readonly Argument[], steps: number): Promise<Uint8Array> {
    const client = new MemoryClient({ store: this.store, shared: this.shared });
    client.stepsASlice = steps;
    client.pausing = () => {
      client.stepsASlice = Math.max(1, steps);
    };
    const reply = makeReply(protocol);
    Object.assign(client, { reply });
    await this.#execute(client, ["ping"], reply);
    const before = reply.size;
    await this.#execute(client, request, reply);
    await this.#execute(client, ["ping"], reply);
    assertEquals(client.bugs, []);
    assertEquals(this.shared.holds.count, 0);
    const whole = reply.contents();
    return whole.slice(before, whole.length - before);
  }

  async #execute(client: MemoryClient, request: readonly Argument[], reply: Reply): Promise<void> {
    const writer = new NativeRequestWriter();
    writer.add(request);
    const frame = writer.take();
    const decoded = new Request();
    decodeRequest(frame, FRAME_PREFIX_BYTES, frame.length, decoded);
    await execute(client, decoded, reply);
  }
}

/** Encodes a value in a protocol in the simplest way. */
function valueFrame(protocol: Protocol, value: Uint8Array | null): Uint8Array {
  if (protocol !== "native") {
    if (value === null) return encodeText(protocol === "RESP2" ? "$-1\r\n" : "_\r\n");
    return Buffer.concat([encodeText(`$${value.length}\r\n`), value, encodeText("\r\n")]);
  }
  if (value === null) return Uint8Array.of(0xc0);
  const { length } = value;
  if (length < 2 ** 8) return Buffer.concat([Uint8Array.of(0xc4, length), value]);
  if (length < 2 ** 16) return Buffer.concat([Uint8Array.of(0xc5, length >> 8, length & 255), value]);
  return Buffer.concat([
    Uint8Array.of(0xc6, length >>> 24, length >> 16 & 255, length >> 8 & 255, length & 255),
    value,
  ]);
}

function headFrame(protocol: Protocol, kind: "array" | "map", count: number): Uint8Array {
  if (protocol === "RESP2") return encodeText(`*${kind === "map" ? 2 * count : count}\r\n`);
  if (protocol === "RESP3") return encodeText(`${kind === "map" ? "%" : "*"}${count}\r\n`);
  const [few, short, long] = kind === "map" ? [0x80, 0xde, 0xdf] : [0x90, 0xdc, 0xdd];
  if (count < 16) return Uint8Array.of(few + count);
  if (count < 2 ** 16) return Uint8Array.of(short, count >> 8, count & 255);
  return Uint8Array.of(long, 0, count >> 16, count >> 8 & 255, count & 255);
}

/** Encodes a reply of these values. Unless it is a single value, it begins with the `kind` and the count of items. */
function replyFrame(
  protocol: Protocol,
  kind: "one" | "array" | "map",
  values: readonly (Uint8Array | null)[],
): Uint8Array {
  const parts = values.map((value) => valueFrame(protocol, value));
  if (kind !== "one") parts.unshift(headFrame(protocol, kind, kind === "map" ? values.length / 2 : values.length));
  const body = Buffer.concat(parts);
  if (protocol !== "native") return body;
  const prefix = new Uint8Array(FRAME_PREFIX_BYTES + 2);
  new DataView(prefix.buffer).setUint32(0, body.length + 2);
  prefix[FRAME_PREFIX_BYTES] = 0x92;
  return Buffer.concat([prefix, body]);
}

function assertBytes(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.from(actual.buffer, actual.byteOffset, actual.length).equals(expected)) return;
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  fail(
    `${what}: ${actual.length} bytes, expected ${expected.length}; they differ at byte ${at}: ` +
      `${actual.subarray(at, at + 12)}, expected ${expected.subarray(at, at + 12)}`,
  );
}

function filled(length: number, byte: number): Uint8Array {
  return new Uint8Array(length).fill(byte);
}

/** Returns short values, with a longer one at index `place`. */
function values(count: number, place: number, length: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => i === place ? filled(length, 0x61) : encodeText(`value ${i}`));
}

/**
 * Returns the indexes to try for the long value. For many values, or for a very long one, other cases have covered the
 * rest.
 */
function placesOf(count: number, length: number): number[] {
  if (count > 300 || length > 1_000_000) return [1];
  return isLong ? [0, Math.floor(count / 2), count - 1] : [count - 1];
}

for (const protocol of PROTOCOLS) {
  Deno.test(`replies of many and of long values are equal with and without steps, in ${protocol}`, async () => {
    for (const [count, lengths] of [[3, LENGTHS], [300, [300_000]], [isLong ? 5_000 : 1_000, [300_000]]] as const) {
      for (const length of lengths) {
        for (const place of placesOf(count, length)) {
          const rig = new Rig();
          const items = values(count, place, length);
          const fields = items.map((_, i) => encodeText(`f${i}`));
          for (let i = 0; i < count; i += 250) {
            rig.client.call("rpush", "l", ...items.slice(i, i + 250));
            rig.client.call("hset", "h", ...items.slice(i, i + 250).flatMap((item, j) => [fields[i + j]!, item]));
            rig.client.call("mset", ...items.slice(i, i + 250).flatMap((item, j) => [`k${i + j}`, item]));
          }
          const names = items.map((_, i) => `k${i}`);
          const paired = items.flatMap((item, i) => [fields[i]!, item]);
          const cases: [Argument[], "one" | "array" | "map", (Uint8Array | null)[]][] = [
            [["lrange", "l", 0, -1], "array", items],
            [["lrange", "l", 1, -2], "array", items.slice(1, -1)],
            [["lget", "l", place], "one", [items[place]!]],
            [["hget", "h", fields[place]!], "one", [items[place]!]],
            [["hgetall", "h"], "map", paired],
            [["hkeys", "h"], "array", fields],
            [["hvals", "h"], "array", items],
            [["hmget", "h", "absent", ...fields, "absent"], "array", [null, ...items, null]],
            [["mget", "absent", ...names, "l"], "array", [null, ...items, null]],
            [["get", names[place]!], "one", [items[place]!]],
            [["getrange", names[place]!, 1, -2], "one", [items[place]!.subarray(1, -1)]],
            [["getex", names[place]!], "one", [items[place]!]],
            [["getset", names[place]!, items[place]!], "one", [items[place]!]],
            [["set", names[place]!, items[place]!, "GET"], "one", [items[place]!]],
          ];
          const taking: typeof cases = [
            [["getdel", names[place]!], "one", [items[place]!]],
            [["rpop", "l", place === 0 ? 1 : count - place], "array", items.slice(place === 0 ? -1 : place).reverse()],
            [["lpop", "l"], "one", [items[0]!]],
            [["lpop", "l", count], "array", items.slice(1, place === 0 ? -1 : place)],
          ];
          for (const [request, kind, expected] of cases) {
            const frame = replyFrame(protocol, kind, expected);
            for (const steps of count > 300 || length > 1_000_000 ? [1] : [0, 1, Infinity]) {
              const what = `${request.slice(0, 3).join(" ")} of ${count} with ${length} bytes at ${place} in ${steps}`;
              assertBytes(await rig.run(protocol, request, steps), frame, what);
            }
          }
          for (const [request, kind, expected] of taking) {
            if (kind === "array" && expected.length === 0) continue;
            const what = `${request.join(" ")} of ${count} with ${length} bytes at ${place}`;
            assertBytes(await rig.run(protocol, request, 1), replyFrame(protocol, kind, expected), what);
          }
        }
      }
    }
  });
}
