/**
 * The error of a benchmark that got another reply than the expected one.
 *
 * @module
 */

import { InmemError, ReplyError } from "../../errors.ts";
import type { Value } from "../../wire/native/reply_reader.ts";
import { KEY_PREFIX } from "./request_template.ts";
import type { Workload } from "./workloads.ts";

/** The most characters of a reply that the message shows. */
const SHOWN_MAX_LENGTH = 80;

/** A reply that is not the expected one. It ends the benchmark. */
export class WrongReply extends InmemError {
  override readonly name = "WrongReply";

  constructor(workload: Workload, key: number, number: number, reply: Value | ReplyError) {
    const request = `${workload.words[0]} of key "${keyName(workload, key)}"`;
    const text = reply instanceof ReplyError
      ? `Cannot run ${request}: ${reply.code} ${reply.message}`
      : `Cannot trust the reply to ${request}: expected ${expectedText(workload, number)}, got ${textOf(reply)}`;
    super("BENCH", text);
  }
}

/** Returns the name of a key. */
export function keyName({ family }: Workload, key: number): string {
  return `${KEY_PREFIX}:${family}:${String(key).padStart(9, "0")}`;
}

function expectedText({ expected }: Workload, number: number): string {
  switch (expected) {
    case "ok":
      return "OK";
    case "pong":
      return "PONG";
    case "count":
    case "field":
      return String(number);
    case "new":
      return "1";
    case "range":
      return "a hundred values of the key";
    case "value":
      return "the value of the key";
    case "popped":
      return number === 0 ? "nil" : "the value of the key";
  }
}

function textOf(reply: Value): string {
  const text = reply === null
    ? "nil"
    : reply instanceof Uint8Array
    ? JSON.stringify(new TextDecoder().decode(reply))
    : Array.isArray(reply)
    ? `an array of ${reply.length} items`
    : String(reply);
  return text.length > SHOWN_MAX_LENGTH ? `${text.slice(0, SHOWN_MAX_LENGTH)}…` : text;
}
