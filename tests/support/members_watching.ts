/**
 * Follows a `servers.json` and waits for the results that a test expects.
 *
 * @module
 */

import { assert } from "@std/assert";
import { threadDelayMs } from "../../bench/support/processor_time.ts";
import { watchMembers } from "../../src/route/members.ts";
import type { Member } from "../../src/route/slots.ts";
import { until } from "./until.ts";

/** The longest time until a change is applied, in ms, as RELIABILITY requires. */
export const APPLIED_MS = 500;

/** Returns the time of a clock that stops while this thread is ready but other processes have its core. */
export function nowMs(): number {
  return performance.now() - threadDelayMs();
}

/** Returns the text of a list of these addresses. */
export function listOf(...addresses: string[]): string {
  return JSON.stringify(addresses.map((addr) => ({ addr })));
}

/** Runs a test in a separate folder. */
export async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-members-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Follows a file and waits for expected lists. */
export class Watching implements AsyncDisposable {
  /** The addresses and weights of every list that was applied, such as `a:1*1 b:1*500`. */
  readonly lists: string[] = [];
  /** The time at which each list was applied, by {@linkcode nowMs}. */
  readonly changedMs: number[] = [];
  readonly reports: string[] = [];
  readonly #close: () => Promise<void>;

  constructor(path: string, members: readonly Member[]) {
    const watch = watchMembers(
      path,
      members,
      (changed) => {
        this.lists.push(changed.map(({ address, weight }) => `${address}*${weight}`).join(" "));
        this.changedMs.push(nowMs());
      },
      (sentence) => this.reports.push(sentence),
    );
    this.#close = () => watch.close();
  }

  /** Waits until the last list is this one, and returns the time that it took, in ms. */
  async until(list: string, timeoutMs = APPLIED_MS): Promise<number> {
    return await this.untilSo(() => this.lists.at(-1) === list, `"${list}" rules`, timeoutMs);
  }

  async untilSo(condition: () => boolean, what: string, timeoutMs = APPLIED_MS): Promise<number> {
    const begunMs = nowMs();
    await until(condition, () => `${what}; ${this.lists}; ${this.reports}`);
    const waitedMs = nowMs() - begunMs;
    assert(waitedMs < timeoutMs, `Not within ${timeoutMs} ms: ${what}`);
    return waitedMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
