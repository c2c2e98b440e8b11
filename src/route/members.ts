/**
 * The list of servers: `servers.json`, checked as a whole and followed while it changes.
 *
 * ```json
 * [{ "addr": "10.0.0.1:9443", "weight": 500 }, { "addr": "10.0.0.2:9443" }]
 * ```
 *
 * file_follower.ts describes how the file is followed, and what happens with invalid content.
 *
 * @module
 */

import { type Address, formatAddress, parseServerAddress, sameServerKey } from "../address.ts";
import { readBoundedFile, UnsuitableFile } from "../bounded_file.ts";
import { fileReason, messageOf, UsageError } from "../errors.ts";
import { MEMBERS_FAULT_MS, MEMBERS_POLL_MS, SERVERS_FILE_MAX_BYTES, SERVERS_MAX_COUNT, WEIGHT_MAX } from "../limits.ts";
import { FileFollower, type Reading } from "./file_follower.ts";
import { findRepeatedField } from "./repeated_field.ts";
import type { Member } from "./slots.ts";

/** The most characters of an invalid address that an error shows. */
const FOUND_MAX_LENGTH = 100;

/**
 * Parses a list of servers.
 *
 * An address has one canonical spelling (address.ts), since the routing hashes it. A list that names one server twice,
 * even in two spellings, or that has an address to which no connection is possible, is refused as a whole.
 *
 * @param text the content of `servers.json`
 * @returns the servers in the order of the text, each address in its canonical spelling, a missing weight as 1
 * @throws {UsageError} naming the first entry that is wrong and what was expected
 */
export function parseMembers(text: string): Member[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`Cannot read the list of servers: expected JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(list)) throw new UsageError("Cannot read the list of servers: expected an array");
  if (list.length === 0 || list.length > SERVERS_MAX_COUNT) {
    throw new UsageError(`Cannot use a list of ${list.length} servers: expected 1 to ${SERVERS_MAX_COUNT}`);
  }
  const repeated = findRepeatedField(text);
  if (repeated !== undefined) {
    throw new UsageError(
      `Cannot use server ${repeated.item} of the list: expected each field once, found "${repeated.field}" twice`,
    );
  }
  const numbers = new Map<string, number>();
  return list.map((entry: unknown, index) => {
    const { address, weight } = parseMember(entry, index + 1);
    const key = sameServerKey(address);
    const first = numbers.get(key);
    if (first !== undefined) {
      throw new UsageError(
        `Cannot use server ${index + 1} of the list: "${formatAddress(address)}" is already server ${first}`,
      );
    }
    numbers.set(key, index + 1);
    return { address: formatAddress(address), weight };
  });
}

function parseMember(entry: unknown, number: number): { address: Address; weight: number } {
  const where = `Cannot use server ${number} of the list`;
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    throw new UsageError(`${where}: expected an object such as {"addr": "host:port"}`);
  }
  for (const field of Object.keys(entry)) {
    if (field !== "addr" && field !== "weight") {
      throw new UsageError(`${where}: expected the fields "addr" and "weight", found "${field}"`);
    }
  }
  const { addr, weight = 1 } = entry as { addr?: unknown; weight?: unknown };
  const address = parseMemberAddress(addr, where);
  if (typeof weight !== "number" || !Number.isInteger(weight) || weight < 1 || weight > WEIGHT_MAX) {
    throw new UsageError(
      `${where}: expected "weight" to be an integer from 1 to ${WEIGHT_MAX}, found ${JSON.stringify(weight)}`,
    );
  }
  return { address, weight };
}

function parseMemberAddress(addr: unknown, where: string): Address {
  let problem = "";
  try {
    if (typeof addr === "string") return parseServerAddress(addr);
  } catch (error) {
    problem = `: ${messageOf(error)}`;
  }
  const found = JSON.stringify(addr)?.slice(0, FOUND_MAX_LENGTH);
  throw new UsageError(
    `${where}: expected "addr" to be "host:port" with a port from 1 to 65535, found ${found}${problem}`,
  );
}

/** Returns whether two lists have the same servers and weights, in any order. */
export function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  const weights = new Map(a.map(({ address, weight }) => [address, weight]));
  return a.length === b.length && b.every(({ address, weight }) => weights.get(address) === weight);
}

/**
 * Reads `servers.json` once.
 *
 * @throws {UsageError} when the file cannot be read or holds no valid list
 */
export function readMembers(path: string): Member[] {
  const content = readContent(path);
  if (content.text === undefined) throw new UsageError(`Cannot read "${path}": ${content.problem}`);
  return parseMembers(content.text);
}

const TOO_LARGE = `expected at most ${SERVERS_FILE_MAX_BYTES} bytes`;

/** The result of reading the file: its text, or why there is none. */
interface Content {
  readonly text?: string;
  readonly problem?: string;
}

function readContent(path: string): Content {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(readBoundedFile(path, SERVERS_FILE_MAX_BYTES)) };
  } catch (error) {
    if (error instanceof UnsuitableFile) {
      return { problem: error.sizeBytes === undefined ? "expected a file" : TOO_LARGE };
    }
    if (error instanceof TypeError) return { problem: "expected UTF-8" };
    return { problem: fileReason(error) };
  }
}

/** Follows `servers.json` until it is closed. */
export type MembersWatch = Pick<FileFollower<readonly Member[]>, "reload" | "close">;

/**
 * Follows `servers.json`.
 *
 * @param path the file, which need not exist at the moment
 * @param members the list in use
 * @param onChange called with each list that differs from the previous one in more than its order
 * @param report called with one sentence about invalid content, and about the first valid content after that
 */
export function watchMembers(
  path: string,
  members: readonly Member[],
  onChange: (members: readonly Member[]) => void,
  report: (sentence: string) => void,
): MembersWatch {
  return new FileFollower<readonly Member[]>({
    paths: [path],
    name: `"${path}"`,
    fallback: "the list known before stays in use",
    watchedFolder: folderOf(path),
    pollMs: MEMBERS_POLL_MS,
    faultMs: MEMBERS_FAULT_MS,
    current: members,
    isSame: sameMembers,
    read: () => tryMembers(path),
    apply: onChange,
    report,
  });
}

function tryMembers(path: string): Reading<Member[]> {
  const { text, problem } = readContent(path);
  if (text === undefined) return { fault: `Cannot read "${path}": ${problem}` };
  try {
    return { value: parseMembers(text) };
  } catch (error) {
    return { fault: `Cannot use "${path}": ${(error as Error).message}`, content: text };
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : path.slice(0, Math.max(1, slash));
}
