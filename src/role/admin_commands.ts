/**
 * Logs the commands of an administrator (flag `admin` in the specification), each with the client that sent it.
 *
 * A line is written before the command runs, so that a command that ends the server is logged too. Each command has a
 * separate budget of lines. A command that is sent often, as `flushslots` is by a proxy, therefore does not hide
 * others; its uses are summed up.
 *
 * @module
 */

import { ADMIN_REPORT_INTERVAL_MS, ADMIN_REPORTS_MAX_COUNT } from "../limits.ts";
import { TokenBucket } from "../route/token_bucket.ts";
import type { Logger } from "./logger.ts";

/** The client that sent a command. */
export interface AdminClient {
  readonly id: number;
  /** `host:port` of the peer. */
  readonly address: string;
  /** The name of the connection, set by `client setname`. */
  readonly name: string;
}

/** How much of one command may still be logged. */
interface Budget {
  readonly bucket: TokenBucket;
  unreported: number;
}

/** Logs the admin commands of one role. */
export class AdminCommands {
  readonly #logger: Logger;
  readonly #now: () => number;
  /** The budgets by command, of which there are few. */
  readonly #budgets = new Map<string, Budget>();
  #unreported = 0;

  /** @param now returns the ms of a monotonic clock */
  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /**
   * Logs a command, or counts it if its budget of lines is used up.
   *
   * @param command the command's name
   * @param words the words that are logged, without secrets
   */
  note({ id, address, name }: AdminClient, command: string, words: string): void {
    let budget = this.#budgets.get(command);
    if (budget === undefined) {
      budget = { bucket: new TokenBucket(ADMIN_REPORTS_MAX_COUNT, ADMIN_REPORT_INTERVAL_MS), unreported: 0 };
      this.#budgets.set(command, budget);
    }
    if (!budget.bucket.take(this.#now())) {
      budget.unreported++;
      this.#unreported++;
      return;
    }
    this.#logger.info("Admin command", {
      command: words,
      client: address,
      id,
      ...name !== "" && { name },
      ...budget.unreported > 0 && { others_before: budget.unreported },
    });
    this.#unreported -= budget.unreported;
    budget.unreported = 0;
  }

  /** Logs the counts of the commands that were not logged, once their budgets allow. It is called regularly. */
  reportOthers(): void {
    if (this.#unreported === 0) return;
    const nowMs = this.#now();
    for (const [command, budget] of this.#budgets) {
      if (budget.unreported === 0 || !budget.bucket.take(nowMs)) continue;
      this.#logger.info("Admin commands", { command, times: budget.unreported });
      this.#unreported -= budget.unreported;
      budget.unreported = 0;
    }
  }
}
