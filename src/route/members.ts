/**
 * The list of servers: `servers.json`, checked as a whole and followed while it changes.
 *
 * ```json
 * [{ "addr": "10.0.0.1:9443", "weight": 500 }, { "addr": "10.0.0.2:9443" }]
 * ```
 *
 * The *folder* of the file is watched, since a watch on the file itself goes silent after the first rename. A watch may miss
 * events (its queue is short, a folder that is replaced takes its watch with it, and a link may lead elsewhere), so the
 * file is read four times a second as well. What links lead to is not watched: with each swap of a link another folder
 * would be, and no watch is ever forgotten by the runtime. An event leads to a reading at most 100 ms later, however many
 * follow it: a file rewritten without pause is still followed.
 *
 * A content that is no valid list changes nothing. It may be half of a content being written, so it is soon read again, and
 * reported only when it stays the same, and once; and where many such follow each other, only some of them.
 *
 * @module
 */

import { type Address, formatAddress, parseServerAddress, sameServerKey } from "../address.ts";
import { messageOf, UsageError } from "../errors.ts";
import {
  MEMBERS_DEBOUNCE_MS,
  MEMBERS_FAULT_MS,
  MEMBERS_POLL_MS,
  MEMBERS_REPORT_INTERVAL_MS,
  MEMBERS_REPORTS_MAX_COUNT,
  MEMBERS_RETRY_MS,
  MEMBERS_WATCHES_MAX_COUNT,
  SERVERS_FILE_MAX_BYTES,
  SERVERS_MAX_COUNT,
  WEIGHT_MAX,
} from "../limits.ts";
import { Allowance } from "./allowance.ts";
import { findRepeatedField } from "./repeated_field.ts";
import type { Member } from "./slots.ts";

/** How much an error shows of what stands in the place of an address. */
const FOUND_MAX_LENGTH = 100;

/**
 * Reads a list of servers.
 *
 * @param text the content of `servers.json`
 * An address has one spelling (address.ts), since the routing hashes the spelling. A list that names one server twice, be it in
 * two spellings, is refused, as is one with an address that no connection is possible to: nothing of it is used then.
 *
 * @returns the servers in the order of the text, each address in its own spelling, a missing weight as 1
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

/** Whether two lists say the same, in whatever order. */
export function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  const weights = new Map(a.map(({ address, weight }) => [address, weight]));
  return a.length === b.length && b.every(({ address, weight }) => weights.get(address) === weight);
}

/**
 * Reads `servers.json` once.
 *
 * @throws {UsageError} when the file cannot be read or holds no valid list
 */
export async function readMembers(path: string): Promise<Member[]> {
  const content = await readContent(path);
  if (content.text === undefined) throw new UsageError(`Cannot read "${path}": ${content.problem}`);
  return parseMembers(content.text);
}

/** What a reading has found: text, or why there is none. */
interface Content {
  readonly text?: string;
  readonly problem?: string;
}

async function readContent(path: string): Promise<Content> {
  try {
    // A pipe of that name would be read without end.
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) return { problem: "expected a file" };
    if (size > SERVERS_FILE_MAX_BYTES) return { problem: `expected at most ${SERVERS_FILE_MAX_BYTES} bytes` };
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path)) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { problem: "there is no such file" };
    if (error instanceof TypeError) return { problem: "expected UTF-8" };
    return { problem: (error as Error).message };
  }
}

/** Follows `servers.json` until it is closed. */
export interface MembersWatch {
  /** Stops following; neither callback is called after it. Idempotent. */
  close(): void;
}

/**
 * Follows `servers.json`.
 *
 * @param path the file, which need not exist at the moment
 * @param members what rules now
 * @param onChange called with each list that differs from the one before in more than its order
 * @param report called with one sentence for contents that are no list, and when there is one again after that
 */
export function watchMembers(
  path: string,
  members: readonly Member[],
  onChange: (members: Member[]) => void,
  report: (sentence: string) => void,
): MembersWatch {
  const follower = new Follower(path, members, onChange, report);
  follower.schedule(0);
  return follower;
}

class Follower implements MembersWatch {
  readonly #path: string;
  #members: readonly Member[];
  readonly #onChange: (members: Member[]) => void;
  readonly #report: (sentence: string) => void;
  #closed = false;

  #timer: ReturnType<typeof setTimeout> | undefined;
  #dueMs = Infinity;
  #reading = false;

  #watcher: Deno.FsWatcher | undefined;
  /** The identity of the watched folder. */
  #watched = "";
  #watchesLeft = MEMBERS_WATCHES_MAX_COUNT;

  /** The fault found by the last reading, "" when there was none. */
  #fault = "";
  #faultSinceMs = 0;
  /** The one reported last, "" when there was a valid list since. */
  #reported = "";
  readonly #reports = new Allowance(MEMBERS_REPORTS_MAX_COUNT, MEMBERS_REPORT_INTERVAL_MS);

  constructor(
    path: string,
    members: readonly Member[],
    onChange: (members: Member[]) => void,
    report: (sentence: string) => void,
  ) {
    this.#path = path;
    this.#members = members;
    this.#onChange = onChange;
    this.#report = report;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unwatch();
  }

  /** Reads in `delayMs` at the latest. */
  schedule(delayMs: number): void {
    const dueMs = performance.now() + delayMs;
    if (this.#closed || dueMs >= this.#dueMs) return;
    clearTimeout(this.#timer);
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#run(), delayMs);
  }

  async #run(): Promise<void> {
    this.#dueMs = Infinity;
    if (this.#reading) return this.schedule(MEMBERS_DEBOUNCE_MS);
    this.#reading = true;
    try {
      // Watching comes first: what changes behind the reading is then an event.
      await this.#watch();
      const content = await readContent(this.#path);
      if (!this.#closed) this.#apply(content);
    } finally {
      this.#reading = false;
    }
    this.schedule(this.#watcher === undefined ? MEMBERS_DEBOUNCE_MS : MEMBERS_POLL_MS);
  }

  #apply({ text, problem }: Content): void {
    let fault = "";
    let members: Member[] = [];
    try {
      if (text === undefined) fault = `Cannot read "${this.#path}": ${problem}`;
      else members = parseMembers(text);
    } catch (error) {
      fault = `Cannot use "${this.#path}": ${(error as Error).message}`;
    }
    if (fault === "") {
      if (this.#reported !== "") this.#report(`"${this.#path}" is valid again`);
      this.#fault = this.#reported = "";
      if (!sameMembers(this.#members, members)) {
        this.#members = members;
        this.#onChange(members);
      }
      return;
    }
    // The content belongs to the comparison: another bad content with the same fault is another mistake.
    const seen = `${fault}\n${text}`;
    const nowMs = performance.now();
    if (seen !== this.#fault) {
      this.#fault = seen;
      this.#faultSinceMs = nowMs;
    }
    if (nowMs - this.#faultSinceMs < MEMBERS_FAULT_MS) return this.schedule(MEMBERS_RETRY_MS);
    if (seen === this.#reported || !this.#reports.take(nowMs)) return;
    this.#reported = seen;
    this.#report(`${fault}; the list known before stays in use`);
  }

  /** Watches the folder of the file, and anew when it was replaced. */
  async #watch(): Promise<void> {
    const folder = folderOf(this.#path);
    let identity: string;
    try {
      const { dev, ino, birthtime } = await Deno.stat(folder);
      // The number of a folder that is deleted is free for the next one.
      identity = `${dev} ${ino} ${birthtime?.getTime()}`;
    } catch {
      // Without the folder there is nothing to watch.
      return this.#unwatch();
    }
    if (this.#closed || identity === this.#watched) return;
    this.#unwatch();
    if (this.#watchesLeft === 0) return;
    this.#watchesLeft--;
    try {
      this.#watcher = Deno.watchFs(folder, { recursive: false });
      this.#watched = identity;
      this.#follow(this.#watcher);
    } catch {
      // The system's limit of watches, or the folder has just gone: reading at intervals goes on.
    }
  }

  #unwatch(): void {
    this.#watched = "";
    const watcher = this.#watcher;
    this.#watcher = undefined;
    try {
      watcher?.close();
    } catch {
      // It has ended by itself.
    }
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const event of watcher) {
        // Our own readings are events too.
        if (event.kind !== "access") this.schedule(MEMBERS_DEBOUNCE_MS);
      }
    } catch {
      // Its end is what matters, not why.
    }
    if (this.#watcher === watcher) {
      this.#unwatch();
      this.schedule(MEMBERS_DEBOUNCE_MS);
    }
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}
