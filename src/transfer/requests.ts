/**
 * The requests of an import: how the keys of a file become commands.
 *
 * | value | requests |
 * |---|---|
 * | string | `setnx key value`, or `set` when existing keys are replaced |
 * | string with a deadline | `set key value nx pxat ms`, without `nx` when existing keys are replaced |
 * | parts of a string | `set key part`, then `append key part` |
 * | list, set, hash | `rpush`, `sadd` or `hset`, each with as many parts as make a large request |
 * | list, set or hash with a deadline | in addition `pexpireat key ms` at the end |
 * | list, set or hash that replaces a key | in addition `del key` in front |
 *
 * @module
 */

import { IMPORT_REQUEST_BYTES, IMPORT_REQUEST_PARTS_COUNT } from "../limits.ts";
import { type EntryReader, NO_DEADLINE, type ValueType } from "./entry_reader.ts";
import { encodeWord, type RequestBatch } from "./request_batch.ts";

/** The meaning that the reply to a request has for its key. */
export const RequestKind = {
  /** The key is imported if the reply is `OK` or 1, and otherwise exists. */
  Set: 0,
  /** A part of the key is imported. */
  Part: 1,
  /** The key is imported. */
  Last: 2,
  /** The number of keys that exist, 0 or 1. */
  Exists: 3,
} as const;

const SET = encodeWord("set");
const SETNX = encodeWord("setnx");
const NX = encodeWord("nx");
const PXAT = encodeWord("pxat");
const DEL = encodeWord("del");
const EXISTS = encodeWord("exists");
const PEXPIREAT = encodeWord("pexpireat");
const APPEND = encodeWord("append");

const PUSH: Readonly<Record<ValueType, Uint8Array>> = {
  string: SET,
  list: encodeWord("rpush"),
  set: encodeWord("sadd"),
  hash: encodeWord("hset"),
};

/** Appends the request for a key with its whole string. */
export function addString(batch: RequestBatch, { key, value, deadlineMs }: EntryReader, isReplacing: boolean): void {
  const hasDeadline = deadlineMs !== NO_DEADLINE;
  const isOnlyIfAbsent = !isReplacing && hasDeadline;
  batch.begin(3 + (isOnlyIfAbsent ? 1 : 0) + (hasDeadline ? 2 : 0));
  // A command without options is decoded faster.
  batch.word(isReplacing || hasDeadline ? SET : SETNX);
  batch.span(key);
  batch.span(value);
  if (isOnlyIfAbsent) batch.word(NX);
  if (hasDeadline) {
    batch.word(PXAT);
    batch.integer(deadlineMs);
  }
  batch.end();
}

/** Appends `del key`. */
export function addDelete(batch: RequestBatch, { key }: EntryReader): void {
  batch.begin(2);
  batch.word(DEL);
  batch.span(key);
  batch.end();
}

/** Appends `exists key`. */
export function addExists(batch: RequestBatch, { key }: EntryReader): void {
  batch.begin(2);
  batch.word(EXISTS);
  batch.span(key);
  batch.end();
}

/** Appends `pexpireat key ms`. */
export function addDeadline(batch: RequestBatch, { key, deadlineMs }: EntryReader): void {
  batch.begin(3);
  batch.word(PEXPIREAT);
  batch.span(key);
  batch.integer(deadlineMs);
  batch.end();
}

/** Begins a request that parts are added to. */
export function beginParts(batch: RequestBatch, { key, type }: EntryReader, isFirst: boolean): void {
  batch.beginOpen();
  batch.word(type === "string" && !isFirst ? APPEND : PUSH[type]);
  batch.span(key);
}

/** Adds the present part to the open request. */
export function addPart(batch: RequestBatch, { type, field, value }: EntryReader): void {
  if (type === "hash") batch.span(field);
  batch.span(value);
}

/** Returns whether the open request, which has as many parts, is large enough. */
export function isFull(batch: RequestBatch, type: ValueType, partCount: number): boolean {
  return type === "string" || partCount >= IMPORT_REQUEST_PARTS_COUNT || batch.openBytes >= IMPORT_REQUEST_BYTES;
}
