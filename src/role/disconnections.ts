/**
 * Clients that are cut off since they do not read what is sent to them: counted, and told in the log.
 *
 * @module
 */

import { CUT_REPORT_INTERVAL_MS, CUT_REPORTS_MAX_COUNT } from "../limits.ts";
import { TokenBucket } from "../route/token_bucket.ts";
import type { Logger } from "./logger.ts";

/** Who was cut off. */
export interface CutClient {
  readonly id: number;
  /** `host:port` of the peer. */
  readonly address: string;
  /** By `client setname`. */
  readonly name: string;
}

/** All of one role. */
export class Disconnections {
  /** How many clients were cut off since the start, or since the counts were set to zero. */
  count = 0;
  readonly #logger: Logger;
  readonly #bucket = new TokenBucket(CUT_REPORTS_MAX_COUNT, CUT_REPORT_INTERVAL_MS);
  /** Those of them that no line is about. */
  #untold = 0;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Takes note that a client is cut off.
   *
   * @param waitingBytes what waits to be written to it
   * @param reason what it has exceeded, with the bound
   */
  note({ id, address, name }: CutClient, waitingBytes: number, reason: string): void {
    this.count++;
    this.#untold++;
    if (!this.#bucket.take(performance.now())) return;
    this.#logger.warn("Disconnected a client that does not read its messages", {
      client: address,
      id,
      name,
      waiting_bytes: waitingBytes,
      reason,
      ...this.#untold > 1 && { others_before: this.#untold - 1 },
    });
    this.#untold = 0;
  }

  /** Tells of those that no line is about, once one more may be written. To be called now and then. */
  tellOthers(): void {
    if (this.#untold === 0 || !this.#bucket.take(performance.now())) return;
    this.#logger.warn("Disconnected clients that do not read their messages", { clients: this.#untold });
    this.#untold = 0;
  }
}
