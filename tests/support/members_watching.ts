/**
 * Follows a `servers.json` and waits for what a test expects of that.
 *
 * @module
 */

import { assert } from "@std/assert";
import { threadDelayMs } from "../../bench/support/processor_time.ts";
import { watchMembers } from "../../src/route/members.ts";
import type { Member } from "../../src/route/slots.ts";
import { until } from "./until.ts";

/** A change is applied within this; RELIABILITY asks for it. */
export const APPLIED_MS = 500;

/** A clock that stands still while others have the core that this thread is ready to run on. */
export function nowMs(): number {
  return performance.now() - threadDelayMs();
}

/** The text of a list of these addresses. */
export function listOf(...addresses: string[]): string {
  return JSON.stringify(addresses.map((addr) => ({ addr })));
}

/** Runs a test in a folder of its own. */
export async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-members-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Follows a file and waits for what a test expects. */
export class Watching implements AsyncDisposable {
  /** The addresses and weights of every list that ruled, such as `a:1*1 b:1*500`. */
  readonly lists: string[] = [];
  /** When each of them began to, by {@linkcode nowMs}. */
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

  /** Waits until the last list is this one; returns after how many ms. */
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
