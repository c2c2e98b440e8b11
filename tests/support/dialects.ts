/**
 * The proxy's dialects without servers, and the values of their replies.
 *
 * @module
 */

import type { Dialect } from "../../src/proxy/backend/dialect.ts";
import { NativeDialect } from "../../src/proxy/backend/native_dialect.ts";
import { RespDialect } from "../../src/proxy/backend/resp_dialect.ts";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import type { Reply } from "../../src/wire/reply.ts";
import { RespReply } from "../../src/wire/resp/reply_writer.ts";
import { plain } from "./raw_client.ts";
import { decodeResp, type RespValue } from "./resp_decoder.ts";

const open = () => Promise.reject(new Error("there are no servers"));

const reply = new RespReply(Infinity);

/** All dialects, each with its name. */
export const dialects: readonly (readonly [name: string, dialect: Dialect])[] = [
  ["native", new NativeDialect(open)],
  ["RESP2", new RespDialect(2, open, reply)],
  ["RESP3", new RespDialect(3, open, reply)],
];

/** Returns the bytes of a reply that `write` writes. */
export function replyIn(dialect: Dialect, write: (reply: Reply) => void): Uint8Array<ArrayBuffer> {
  const { reply } = dialect;
  try {
    reply.begin();
    write(reply);
    reply.end();
    return reply.buffer.slice(0, reply.length);
  } finally {
    reply.clear();
  }
}

/** Returns a reply as plain values: text, integers, `null`, arrays; an error as `CODE message`. */
export function readIn(dialect: Dialect, bytes: Uint8Array): unknown {
  if (dialect.version === 0) return plain(decodeReply(bytes, FRAME_PREFIX_BYTES, bytes.length));
  const { value, next } = decodeResp(bytes);
  if (next !== bytes.length) throw new Error(`There are ${bytes.length - next} bytes after the reply`);
  return plainResp(value);
}

function plainResp(value: RespValue): unknown {
  if (typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(plainResp);
  if ("nil" in value) return null;
  if ("status" in value) return value.status;
  if ("error" in value) return value.error;
  return value;
}
