/**
 * Commands of an administrator (`admin` in the specification), told in the log with the client that has sent them.
 *
 * A line is written before the command runs, so that one that ends the server is there as well. Each command has its own
 * budget of lines: those that are sent often, as a proxy sends `flushslots`, hide no others, and are summed up.
 *
 * @module
 */

import { ADMIN_REPORT_INTERVAL_MS, ADMIN_REPORTS_MAX_COUNT } from "../limits.ts";
import { TokenBucket } from "../route/token_bucket.ts";
import type { Logger } from "./logger.ts";

/** Who has sent a command. */
export interface AdminClient {
  readonly id: number;
  /** `host:port` of the peer. */
  readonly address: string;
  /** By `client setname`. */
  readonly name: string;
}

/** What may still be told of one command. */
interface Budget {
  readonly bucket: TokenBucket;
  untold: number;
}

/** The commands of one role. */
export class AdminCommands {
  readonly #logger: Logger;
  readonly #now: () => number;
  /** By command; there are few. */
  readonly #budgets = new Map<string, Budget>();
  #untold = 0;

  /** @param now ms of a clock that never goes back */
  constructor(logger: Logger, now: () => number = () => performance.now()) {
    this.#logger = logger;
    this.#now = now;
  }

  /**
   * Takes note of a command.
   *
   * @param command its name
   * @param words what is told of it, without what may be a secret
   */
  note({ id, address, name }: AdminClient, command: string, words: string): void {
    let budget = this.#budgets.get(command);
    if (budget === undefined) {
      budget = { bucket: new TokenBucket(ADMIN_REPORTS_MAX_COUNT, ADMIN_REPORT_INTERVAL_MS), untold: 0 };
      this.#budgets.set(command, budget);
    }
    if (!budget.bucket.take(this.#now())) {
      budget.untold++;
      this.#untold++;
      return;
    }
    this.#logger.info("Admin command", {
      command: words,
      client: address,
      id,
      ...name !== "" && { name },
      ...budget.untold > 0 && { others_before: budget.untold },
    });
    this.#untold -= budget.untold;
    budget.untold = 0;
  }

  /** Tells of those that no line is about, once more may be written. To be called now and then. */
  tellOthers(): void {
    if (this.#untold === 0) return;
    const nowMs = this.#now();
    for (const [command, budget] of this.#budgets) {
      if (budget.untold === 0 || !budget.bucket.take(nowMs)) continue;
      this.#logger.info("Admin commands", { command, times: budget.untold });
      this.#untold -= budget.untold;
      budget.untold = 0;
    }
  }
}
