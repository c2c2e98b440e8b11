/**
 * Counts and logs clients that are disconnected because they do not read what is sent to them.
 *
 * @module
 */

import { CUT_REPORT_INTERVAL_MS, CUT_REPORTS_MAX_COUNT } from "../limits.ts";
import { TokenBucket } from "../route/token_bucket.ts";
import type { Logger } from "./logger.ts";

/** A client that was disconnected. */
export interface CutClient {
  readonly id: number;
  /** `host:port` of the peer. */
  readonly address: string;
  /** The name of the connection, set by `client setname`. */
  readonly name: string;
}

/** The disconnections of one role. */
export class Disconnections {
  /** The number of clients that were disconnected since the start, or since the counts were reset. */
  count = 0;
  readonly #logger: Logger;
  readonly #bucket = new TokenBucket(CUT_REPORTS_MAX_COUNT, CUT_REPORT_INTERVAL_MS);
  /** The number of disconnected clients that no line of the log mentions yet. */
  #unreported = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Counts and logs the disconnection of a client.
   *
   * @param waitingBytes the number of bytes that wait to be written to it
   * @param reason the bound that it has exceeded
   */
  note({ id, address, name }: CutClient, waitingBytes: number, reason: string): void {
    this.count++;
    this.#unreported++;
    if (!this.#bucket.take(performance.now())) return;
    this.#logger.warn("Disconnected a client that does not read its messages", {
      client: address,
      id,
      name,
      waiting_bytes: waitingBytes,
      reason,
      ...this.#unreported > 1 && { others_before: this.#unreported - 1 },
    });
    this.#unreported = 0;
  }

  /**
   * Logs the number of disconnected clients that no line mentions, once a line may be written. It is called regularly.
   */
  reportOthers(): void {
    if (this.#unreported === 0 || !this.#bucket.take(performance.now())) return;
    this.#logger.warn("Disconnected clients that do not read their messages", { clients: this.#unreported });
    this.#unreported = 0;
  }
}
