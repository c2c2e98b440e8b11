/**
 * A request that is held back while clients are paused (connection/pause.ts).
 *
 * Its bytes stay in the client's read buffer, and it is routed when the pause is over. Meanwhile the link notices that
 * the client leaves.
 *
 * @module
 */

import type { HeldCommand } from "../../connection/pause.ts";
import type { ReplyError } from "../../errors.ts";
import type { AbandonableWait, ClientLink } from "./client_link.ts";

/** The wait of a client for the end of a pause. */
export class PausedRequest implements AbandonableWait {
  readonly isPostponed = true;
  readonly #link: ClientLink;
  readonly #held: HeldCommand;

  /**
   * Holds the link's next request back. Nothing may be in flight.
   *
   * @param held ends with the pause
   */
  constructor(link: ClientLink, held: HeldCommand) {
    this.#link = link;
    this.#held = held;
    link.wait = this;
    link.backpressure.hold(held.ended.then(() => {
      if (link.wait === this) link.wait = undefined;
    }));
  }

  expire(): void {}

  refuse(error: ReplyError): void {
    this.#link.order.open().refuse(error.code as "ERR", error.message);
    this.#link.leave();
    this.#held.end();
  }

  abandon(): void {
    this.#held.end();
  }
}
